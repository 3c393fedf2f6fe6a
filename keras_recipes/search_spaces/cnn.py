import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras

from keras_recipes.architecture import check_shape
from keras_recipes.cnn import POOLING, build_cnn, image_shape, most_blocks
from keras_recipes.search_spaces.default_dnn import DIMENSIONS as DENSE
from keras_recipes.search_spaces.default_dnn import layer_arguments
from keras_recipes.search_spaces.dimensions import Dimension, Range
from keras_recipes.search_spaces.space import SearchSpace

DIMENSIONS = {
    # Of the first block; each next one has twice as many.
    "filters": Dimension((8, 16, 32, 64), 32, "[1, inf)"),
    "kernel_size": Dimension((3, 5, 7), 3, "[1, inf)"),
    "pooling": Dimension(tuple(POOLING), "max"),
    **DENSE,
    "n_hidden": Dimension(Range(0, 2), 1, "[0, inf)"),
    "n_units": replace(DENSE["n_units"], only_with={"n_hidden": range(1, sys.maxsize)}),
}


class CNN(SearchSpace):
    """A search space of convolutional networks for images, for keras-tuner.

    Blocks of a convolution and pooling, then dense layers, as `build_cnn` has them. Dimensions are
    fixed and narrowed as in `DefaultDNN`.

    Args:
        input_shape: Shape of one image, as for `build_cnn`.
        n_outputs: Number of targets, of labels, or of classes.
        task: As for `build_cnn`.
        adapt_to: As for `build_cnn`.
        metrics: As for `build_cnn`.
        seed: The same one gives the same weights, dropout and order of the data in each trial.
        **dimensions: `n_blocks`, `filters` (of the first block), `kernel_size`, `pooling`,
            `n_hidden` (dense layers), `n_units` (of each), and from `activation` on those of
            `DefaultDNN`.

    Raises:
        TypeError: If a keyword is not a dimension, or an argument is of the wrong kind.
        ValueError: If a value is out of range, or never counts with the others, or the inputs are no
            images.

    Example:
        >>> space = CNN((28, 28, 1), 10, "multiclass", kernel_size=3)
        >>> model = space.build(space.default_hyperparameters())

    Reference: Geron, *Hands-On Machine Learning*, 2nd ed. (2019), chapter 14.
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
        most = most_blocks(image_shape(check_shape(input_shape)))
        blocks = Dimension(Range(1, min(4, most)), min(2, most), f"[1, {most}]")
        super().__init__(
            {"n_blocks": blocks, **DIMENSIONS},
            dimensions, input_shape, n_outputs, task, adapt_to, metrics, seed,
        )  # fmt: skip

    def _make_model(self, values: dict[str, Any], **arguments: Any) -> keras.Model:
        first = int(values["filters"])
        return build_cnn(
            filters=[first * 2**block for block in range(int(values["n_blocks"]))],
            kernel_size=int(values["kernel_size"]),
            pooling=str(values["pooling"]),
            hidden_units=[int(values.get("n_units", 0))] * int(values["n_hidden"]),
            **layer_arguments(values),
            **arguments,
        )
