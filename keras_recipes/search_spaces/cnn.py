from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras

from keras_recipes.architecture import check_shape
from keras_recipes.cnn import build_cnn, image_shape, most_blocks
from keras_recipes.search_spaces.default_dnn import DIMENSIONS as DENSE
from keras_recipes.search_spaces.dimensions import Dimension, Range
from keras_recipes.search_spaces.space import SearchSpace

DIMENSIONS = {
    "n_blocks": Dimension(Range(1, 4, integer=True), 2),
    "filters": Dimension(
        (8, 16, 32, 64), 32
    ),  # of the first block; each next one has twice as many
    "kernel_size": Dimension((3, 5, 7), 3),
    "pooling": Dimension(("max", "average"), "max"),
    "n_hidden": Dimension(Range(0, 2, integer=True), 1),
    **{name: DENSE[name] for name in ("n_units", "activation", "normalization", "dropout")},
    **{name: DENSE[name] for name in ("penalty", "l1", "l2")},
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
            `n_hidden` (dense layers), `n_units` (of each), `activation`, `normalization`,
            `dropout`, `penalty` with `l1` or `l2`, and from `optimizer` on those of `DefaultDNN`.

    Raises:
        TypeError: If a keyword is not a dimension, or an argument is of the wrong kind.
        ValueError: If a value is not one of its dimension's, or the inputs are no images.

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
        image = image_shape(check_shape(input_shape))
        blocks = Dimension(tuple(range(1, min(4, most_blocks(image)) + 1)), 2)
        default = min(2, len(blocks.domain))  # type: ignore[arg-type]
        super().__init__(
            {**DIMENSIONS, "n_blocks": replace(blocks, default=default)},
            dimensions, input_shape, n_outputs, task, adapt_to, metrics, seed,
        )  # fmt: skip

    def _make_model(self, values: dict[str, Any], **arguments: Any) -> keras.Model:
        first = int(values["filters"])
        return build_cnn(
            filters=[first * 2**block for block in range(int(values["n_blocks"]))],
            kernel_size=int(values["kernel_size"]),
            pooling=str(values["pooling"]),
            hidden_units=[int(values["n_units"])] * int(values["n_hidden"]),
            activation=values["activation"],
            normalization="batch" if values["normalization"] == "batch" else None,
            dropout=values["dropout"],
            l1=values.get("l1", 0.0),
            l2=values.get("l2", 0.0),
            **arguments,
        )
