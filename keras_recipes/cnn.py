"""A small convolutional network with the book's default set-up: blocks of convolutions, then dense."""

import functools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
from keras import layers

from keras_recipes.adaptation import standardize
from keras_recipes.architecture import (
    Hidden,
    Seeds,
    bound,
    build_head,
    check_initializer,
    check_shape,
    penalty,
)
from keras_recipes.checks import check_choice, check_integer, check_number, check_sequence
from keras_recipes.compilation import compile_model
from keras_recipes.guide import DEFAULT_SETUP, canonical_activation, initializer_for

POOLING = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}


def build_cnn(
    input_shape: int | Sequence[int],
    n_outputs: int = 1,
    task: str = "regression",
    *,
    filters: Sequence[int] = (32, 64),
    kernel_size: int = 3,
    pooling: str = "max",
    hidden_units: Sequence[int] = (100,),
    activation: Any = DEFAULT_SETUP.activation,
    kernel_initializer: Any = None,
    normalization: str | None = None,
    batch_norm_position: str = "before",
    batch_norm_momentum: float = 0.99,
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    max_norm: float | None = None,
    adapt_to: Any = None,
    optimizer: Any = DEFAULT_SETUP.optimizer,
    learning_rate: Any = None,
    momentum: Any = None,
    clipvalue: float | None = None,
    clipnorm: float | None = None,
    global_clipnorm: float | None = None,
    metrics: Sequence[Any] | None = None,
    seed: int | None = None,
    name: str = "cnn",
) -> keras.Model:
    """Builds and compiles a convolutional network for images, with the default set-up of the book.

    Each block is a convolution, the activation, batch normalization before or after it and dropout if
    asked, and pooling that halves the image. Dense hidden layers follow.

    Args:
        input_shape: Shape of one image: (height, width, channels), or (height, width) for one
            channel; an int, or one axis, is a square image in a row, as of `digits`.
        n_outputs: Number of targets, of labels, or of classes; 1 for `"binary"`.
        task: As for `build_default_dnn`.
        filters: Number of filters of each block.
        kernel_size: Height and width of the filters, in pixels, at least 1.
        pooling: `"max"` or `"average"`.
        hidden_units: Width of each dense hidden layer; empty for none.
        activation: Name of the hidden activation, any of `keras_recipes.guide.INITIALIZERS`.
        kernel_initializer: A Keras initializer or its name; None for the one of the activation.
        normalization: `"batch"` or None.
        batch_norm_position: `"before"` the activation (the layer then has no bias) or `"after"` it.
        batch_norm_momentum: Momentum of the moving averages, in [0, 1).
        dropout: Fraction of each hidden layer's outputs to drop, in [0, 1). After SELU it is alpha
            dropout, which keeps their mean and variance.
        l1: L1 penalty on the kernels, >= 0.
        l2: L2 penalty on the kernels, >= 0.
        max_norm: Bound, > 0, on the norm of the incoming weights of each filter and hidden unit.
        adapt_to: Images, an array or a `tf.data.Dataset`, from which a `Normalization` layer learns
            mean and variance of each channel, or each pixel where there is one axis; None for
            images scaled already.
        optimizer: A name of `keras_recipes.make_optimizer`, or a new Keras optimizer.
        learning_rate: A number > 0 or a schedule; None for the optimizer's default.
        momentum: A number in [0, 1) or a schedule; None for 0.9.
        clipvalue: Bound, > 0, on each component of the gradients.
        clipnorm: Bound, > 0, on the norm of each variable's gradient.
        global_clipnorm: Bound, > 0, on the norm of all gradients. At most one of the three.
        metrics: A list of names, functions and `keras.metrics.Metric`; None for RMSE or accuracy.
        seed: The same one gives the same weights and the same dropout; None for random ones.
        name: Name of the model.

    Returns:
        A compiled `keras.Model` from (batch, *input_shape) to (batch, n_outputs).

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range, the inputs are no images, or there are more
            blocks than the image can be halved.

    Example:
        >>> model = build_cnn((28, 28, 1), n_outputs=10, task="multiclass", filters=(16, 32))
        >>> model.output_shape
        (None, 10)

    Reference: Geron, *Hands-On Machine Learning*, 2nd ed. (2019), chapter 14.
    """
    shape = check_shape(input_shape)
    image = image_shape(shape)
    seeds = Seeds(seed)
    if normalization is not None:
        check_choice("normalization", normalization, ("batch",), "For none pass None.")
    hidden = Hidden(
        activation=canonical_activation(activation),
        kernel_initializer=check_initializer(kernel_initializer, initializer_for(activation)),
        batch_norm=normalization is not None,
        batch_norm_position=check_choice(
            "batch_norm_position", batch_norm_position, ("before", "after")
        ),
        batch_norm_momentum=check_number("batch_norm_momentum", batch_norm_momentum, "[0, 1)"),
        dropout=check_number("dropout", dropout, "[0, 1)", "For 50% dropout pass dropout=0.5."),
        mc_dropout=False,
        regularizer=penalty(l1, l2),
        constraint=bound(max_norm),
    )
    block = replace(hidden, constraint=bound(max_norm, layers.Conv2D))
    convolution = functools.partial(
        layers.Conv2D, kernel_size=check_integer("kernel_size", kernel_size, "[1, inf)"),
        padding="same",
    )  # fmt: skip
    pool = POOLING[check_choice("pooling", pooling, POOLING)]
    inputs = x = keras.Input(shape, name="input")
    if adapt_to is not None:
        x = standardize(adapt_to, shape)(x)
    if shape != image:
        x = layers.Reshape(image, name="image")(x)
    for number, count in enumerate(_check_filters(filters, image), start=1):
        x = block(x, f"block_{number}", count, seeds, convolution)
        x = pool(2, name=f"block_{number}_pooling")(x)
    x = layers.Flatten(name="flatten")(x)
    widths = [check_integer("hidden_units", units, "[1, inf)") for units in _listed(hidden_units)]
    model = build_head(inputs, x, n_outputs, task, widths, hidden, seeds, name)
    return compile_model(
        model,
        task,
        metrics,
        optimizer,
        learning_rate=learning_rate,
        momentum=momentum,
        clipvalue=clipvalue,
        clipnorm=clipnorm,
        global_clipnorm=global_clipnorm,
    )


def image_shape(input_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Returns height, width and channels of the images that have this shape.

    Args:
        input_shape: Of one example, as `build_cnn` takes it.

    Raises:
        ValueError: If these are no images, or there is nothing to halve.
    """
    side = math.isqrt(input_shape[0])
    if len(input_shape) == 1 and side**2 == input_shape[0]:
        image = (side, side, 1)
    else:
        image = (*input_shape, 1)[:3]  # type: ignore[assignment]
    if len(input_shape) > 3 or len(image) < 3 or min(image[:2]) < 2:
        raise ValueError(
            "`input_shape` must be that of an image of 2 x 2 pixels or more: (height, width, "
            "channels), (height, width) or the pixels of a square. Received: "
            f"input_shape={input_shape}. For other data use build_default_dnn."
        )
    return image


def most_blocks(image: tuple[int, int, int]) -> int:
    """Returns how often an image of this shape can be halved."""
    return int(math.log2(min(image[:2])))


def _check_filters(filters: Any, image: tuple[int, int, int]) -> list[int]:
    counts = check_sequence("filters", filters, "a sequence of integers", "Two blocks: (32, 64).")
    if not 1 <= len(counts) <= most_blocks(image):
        raise ValueError(
            f"`filters` must have 1 to {most_blocks(image)} blocks, as each halves the image of "
            f"{image[0]} by {image[1]} pixels. Received: filters={filters!r}. Leave blocks out."
        )
    return [check_integer("filters", each, "[1, inf)") for each in counts]


def _listed(hidden_units: Any) -> list[Any]:
    expected = "a sequence of widths"
    return check_sequence("hidden_units", hidden_units, expected, "For none pass ().")
