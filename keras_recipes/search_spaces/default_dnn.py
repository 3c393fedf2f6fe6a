from collections.abc import Sequence
from typing import Any

import keras

from keras_recipes.guide import DEEP_FROM, DEFAULT_SETUP, INITIALIZERS
from keras_recipes.models import build_default_dnn
from keras_recipes.search_spaces.dimensions import Dimension, Range
from keras_recipes.search_spaces.space import SearchSpace

ACTIVATIONS = tuple(name for name in INITIALIZERS if name not in ("linear", "softmax", "selu"))
PENALTY = Range(1e-6, 1e-2, logarithmic=True)

DIMENSIONS = {
    "n_hidden": Dimension(Range(1, 10, integer=True), 3),
    "n_units": Dimension(Range(16, 512, integer=True, logarithmic=True), 100),
    "activation": Dimension(ACTIVATIONS, DEFAULT_SETUP.activation),
    "normalization": Dimension(("none", "batch"), "none"),
    "batch_norm_position": Dimension(
        ("before", "after"), "before", only_with=("normalization", ("batch",))
    ),
    "dropout": Dimension(Range(0.0, 0.5), DEFAULT_SETUP.dropout),
    "penalty": Dimension(("none", "l1", "l2"), "none"),
    "l1": Dimension(PENALTY, 1e-5, only_with=("penalty", ("l1",))),
    "l2": Dimension(PENALTY, 1e-4, only_with=("penalty", ("l2",))),
    "max_norm": Dimension((0.0, 1.0, 2.0, 3.0, 4.0), 0.0),  # 0 for no bound
}


class DefaultDNN(SearchSpace):
    """A search space around the book's default network, for keras-tuner.

    Each dimension may be fixed by its name as a keyword, `n_hidden=3`, or narrowed: a list has
    values to choose from, `batch_size=[32, 64]`, and a tuple bounds, `n_units=(50, 200)`. The
    initializer goes with the activation. What counts only with another dimension's value, such as
    the position of batch normalization, is searched only there.

    Args:
        input_shape: Shape of one example, as for `build_default_dnn`.
        n_outputs: Number of targets, of labels, or of classes.
        task: As for `build_default_dnn`.
        adapt_to: As for `build_default_dnn`.
        metrics: As for `build_default_dnn`.
        seed: The same one gives the same weights, dropout and order of the data in each trial.
        **dimensions: `n_hidden`, `n_units` (a hidden layer), `activation`, `normalization`,
            `batch_norm_position`, `dropout`, `penalty` ("none", "l1" or "l2") with `l1` or `l2`,
            `max_norm` (0 for none), `optimizer`, `schedule`, `rate` ("auto", or "chosen" with
            `learning_rate`), `momentum` (which 1cycle cycles by itself), `clip` with
            `clip_threshold`, `batch_size`.

    Raises:
        TypeError: If a keyword is not a dimension, or an argument is of the wrong kind.
        ValueError: If a value is not one of its dimension's.

    Example:
        >>> space = DefaultDNN(8, adapt_to=x_train, n_hidden=(2, 5), activation="elu")
        >>> tuner = keras_tuner.RandomSearch(space, "val_loss", max_trials=20)
        >>> tuner.search(x_train, y_train, validation_data=(x_val, y_val), epochs=10)

    Reference: Geron, *Hands-On Machine Learning*, 2nd ed. (2019), chapters 10 and 11.
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
            _around(dimensions), dimensions, input_shape, n_outputs, task, adapt_to, metrics, seed
        )

    def _make_model(self, values: dict[str, Any], **arguments: Any) -> keras.Model:
        return build_default_dnn(
            hidden_units=[int(values["n_units"])] * int(values["n_hidden"]),
            activation=values["activation"],
            normalization="batch" if values["normalization"] == "batch" else None,
            batch_norm_position=values.get("batch_norm_position", "before"),
            dropout=values["dropout"],
            l1=values.get("l1", 0.0),
            l2=values.get("l2", 0.0),
            max_norm=values["max_norm"] or None,
            **arguments,
        )


def _around(given: dict[str, Any]) -> dict[str, Dimension]:
    """The dimensions, with batch normalization as the default where all networks are deep."""
    depths = given.get("n_hidden", 3)
    shallowest = min(depths) if isinstance(depths, list | tuple) and depths else depths
    if isinstance(shallowest, int) and shallowest >= DEEP_FROM:
        return {**DIMENSIONS, "normalization": Dimension(("none", "batch"), "batch")}
    return DIMENSIONS
