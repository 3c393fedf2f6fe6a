from collections.abc import Sequence
from typing import Any

import keras

from keras_recipes.models import build_self_normalizing_dnn
from keras_recipes.search_spaces.default_dnn import ALPHA_DROPOUT
from keras_recipes.search_spaces.default_dnn import DIMENSIONS as DENSE
from keras_recipes.search_spaces.dimensions import Dimension, Range
from keras_recipes.search_spaces.space import SearchSpace

DIMENSIONS = {
    "n_hidden": Dimension(Range(1, 20), 3, "[1, inf)"),
    "n_units": DENSE["n_units"],
    "alpha_dropout": ALPHA_DROPOUT,
}


class SelfNormalizingDNN(SearchSpace):
    """A search space around the book's self-normalizing network, for keras-tuner.

    SELU, LeCun initialization and no batch normalization are not searched: anything else would
    break self-normalization, as would penalties on the weights. Dimensions are fixed and narrowed as
    in `DefaultDNN`.

    Args:
        input_shape: Shape of one example, as for `build_self_normalizing_dnn`.
        n_outputs: Number of targets, of labels, or of classes.
        task: As for `build_self_normalizing_dnn`.
        adapt_to: As for `build_self_normalizing_dnn`.
        metrics: As for `build_self_normalizing_dnn`.
        seed: The same one gives the same weights, dropout and order of the data in each trial.
        **dimensions: `n_hidden`, `n_units` (a hidden layer), `alpha_dropout`, and from `optimizer` on
            those of `DefaultDNN`.

    Raises:
        TypeError: If a keyword is not a dimension, or an argument is of the wrong kind.
        ValueError: If a value is out of range, or never counts with the others.

    Example:
        >>> space = SelfNormalizingDNN(8, adapt_to=x_train, n_units=100)
        >>> model = space.build(space.default_hyperparameters())

    Reference: Klambauer et al. (2017), Self-Normalizing Neural Networks, arXiv:1706.02515.
    """

    def __init__(
        self,
        input_shape: int | Sequence[int],
        n_outputs: int = 1,
        task: str = "regression",
        *,
        adapt_to: Any = None,
        metrics: Sequence[Any] | None = None,
        seed: int | None = None,
        **dimensions: Any,
    ) -> None:
        super().__init__(
            DIMENSIONS, dimensions, input_shape, n_outputs, task, adapt_to, metrics, seed
        )

    def _make_model(self, values: dict[str, Any], **arguments: Any) -> keras.Model:
        return build_self_normalizing_dnn(
            hidden_units=[int(values["n_units"])] * int(values["n_hidden"]),
            dropout=values["alpha_dropout"],
            **arguments,
        )
