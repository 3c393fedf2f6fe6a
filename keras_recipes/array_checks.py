"""Whether arrays can train a model: numbers, finite, of the shapes that it takes and gives."""

import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import tree

LABELS_LOSSES = ("sparse_categorical_crossentropy", "sparse_perceptron_loss")
BINARY_LOSSES = ("binary_crossentropy", "perceptron_loss")
LARGEST_MEAN, LARGEST_DEVIATION = 1.0, 3.0  # of inputs that may pass for standardized


def as_numbers(array: Any, name: str) -> np.ndarray:
    """Returns an array of finite numbers with a batch axis; floats as Keras's default ones.

    Args:
        array: An array, or what NumPy makes one of.
        name: What the message calls it.

    Raises:
        TypeError: If it does not hold numbers.
        ValueError: If it has no batch axis, rows of several lengths, or a value that is NaN,
            infinite or too large for a float of Keras.
    """
    if isinstance(array, Iterator):
        raise TypeError(
            f"{name} must be an array, a tf.data.Dataset or a PyDataset. Received: "
            f"{type(array).__name__}. Wrap it: tf.data.Dataset.from_generator."
        )
    try:
        array = np.asarray(array)
    except ValueError as error:
        raise ValueError(f"{name} must be a full array. Received: {error}.") from error
    if array.dtype.name == "bfloat16":  # of kind V for NumPy
        array = array.astype("float32")
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must hold numbers. Received: dtype={array.dtype}. Encode text and categories, "
            "as load_dataset does for a CSV."
        )
    if array.ndim == 0:
        raise ValueError(f"{name} must have a batch axis. Received: a scalar. Pass an array.")
    return _finite(array, name) if array.dtype.kind == "f" else array


def _finite(array: np.ndarray, name: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        cast = array.astype(keras.config.floatx(), copy=False)
    finite = np.isfinite(cast)
    if not finite.all():
        rows = np.flatnonzero(~finite.reshape(len(cast), -1).all(axis=1))
        value = array[rows[0]][~finite[rows[0]]].flat[0]
        raise ValueError(
            f"{name} must be finite in {cast.dtype}. Received: {value} in row {rows[0]}, the "
            f"first of {len(rows)} such rows of {len(cast)}. Impute, scale or drop them."
        )
    return cast


def check_lengths(arrays: dict[str, Any], name: str) -> None:
    """Checks that arrays, by their names, have the same number of examples, at least 1."""
    different, received = _lengths(arrays)
    if len(different) != 1 or 0 in different:
        raise ValueError(
            f"{name}`x` and `y` must have the same number of examples, at least 1. Received: "
            f"{received}. Pass one target for each example."
        )


def check_inputs(model: keras.Model, x: Any, name: str) -> None:
    """Checks the shape of the inputs; of several their keys and lengths: the shapes Keras checks."""
    expected = getattr(model, "input_shape", None)
    if not isinstance(x, np.ndarray):
        _check_keys(model, x, name)
        different, received = _lengths({"x": x})
        if len(different) != 1:
            raise ValueError(
                f"{name}`x` must have the same number of examples in each of its arrays. Received: "
                f"{received or 'none'}. Pass a row of each for every example."
            )
        return
    if not isinstance(expected, tuple):
        return
    if not _fits(x.shape[1:], expected[1:]):
        raise ValueError(
            f"{name}`x` must have the shape {_written(expected)} that the model takes. Received: x "
            f"of shape {x.shape}. Build the model with input_shape={x.shape[1:]}, or pass the "
            "features that it was built for."
        )


def check_targets(model: keras.Model, y: Any, name: str) -> None:
    """Checks the shape of the targets and, for classes, their values.

    A shape that Keras could only broadcast would train without a word, towards nothing. A loss of
    the user's own may take any targets.
    """
    loss = getattr(model, "loss", None)
    if isinstance(loss, keras.losses.Loss):
        loss = loss.name
    outputs = getattr(model, "output_shape", None)
    if not isinstance(loss, str) or not isinstance(outputs, tuple) or not isinstance(y, np.ndarray):
        return
    _check_target_shape(outputs[:-1] if loss in LABELS_LOSSES else outputs, y, loss, name)
    if loss in LABELS_LOSSES:
        _check_range(y, outputs[-1] - 1, loss, name)
        if y.dtype.kind == "f" and (y % 1).any():
            raise ValueError(
                f"{name}`y` must hold whole numbers, the classes. Received: {y[y % 1 != 0][0]}. "
                'For numbers to predict choose task="regression".'
            )
    elif loss in BINARY_LOSSES:
        _check_range(y, 1, loss, name)


def check_sample_weight(sample_weight: np.ndarray, name: str) -> None:
    """Checks that there is one weight for each example, and none below 0."""
    if sample_weight.ndim != 1 or (sample_weight < 0).any():
        received = f"shape {sample_weight.shape}, smallest {sample_weight.min()}"
        raise ValueError(
            f"{name}`sample_weight` must have the shape (n,), and no value below 0. Received: "
            f"{received}. Pass one weight for each example."
        )


def warn_unless_standardized(model: keras.Model, x: Any) -> None:
    """Warns of inputs on whose scale a self-normalizing network cannot normalize itself."""
    layers = list(model._flatten_layers())
    selu = any(getattr(layer, "activation", None) is keras.activations.selu for layer in layers)
    normalized = any(isinstance(layer, keras.layers.Normalization) for layer in layers)
    if not selu or normalized or not isinstance(x, np.ndarray):
        return
    mean, deviation = float(np.mean(x)), float(np.std(x))
    if abs(mean) > LARGEST_MEAN or deviation > LARGEST_DEVIATION:
        warnings.warn(
            "SELU keeps the signal only where the inputs have mean 0 and standard deviation 1. "
            f"Received: `x` of mean {mean:.3g} and standard deviation {deviation:.3g}. Build the "
            "model with adapt_to=x_train.",
            stacklevel=3,
        )


def _lengths(arrays: dict[str, Any]) -> tuple[set[int], str]:
    """The different lengths of arrays, and each of them as a message shows it."""
    lengths = [
        (key, len(array))
        for key, value in arrays.items()
        for array in tree.flatten(value)
        if array is not None
    ]
    received = ", ".join(f"len({key})={length}" for key, length in lengths)
    return {length for _, length in lengths}, received


def _check_keys(model: keras.Model, x: Any, name: str) -> None:
    """Of inputs by their names: Keras takes more where the model has been built from a list."""
    inputs = getattr(model, "_inputs_struct", None)
    if not isinstance(x, dict) or inputs is None:
        return
    by_key = isinstance(inputs, dict)
    expected = set(inputs if by_key else (each.name for each in model.inputs))
    if expected - set(x) or (by_key and set(x) - expected):
        raise ValueError(
            f"{name}`x` must have an array for each input of the model: {sorted(expected)}. Received: "
            f"{sorted(x)}. Pass all of them, and nothing else."
        )


def _check_target_shape(expected: tuple[int | None, ...], y: Any, loss: str, name: str) -> None:
    if _fits(_without_ones(y.shape[1:]), _without_ones(expected[1:])):
        return
    hint = "Pass one target for each output of the model."
    if loss in LABELS_LOSSES and y.ndim == len(expected) + 1:
        hint = "One-hot? Pass y.argmax(axis=-1)."
    raise ValueError(
        f"{name}`y` must have the shape {_written(expected)} for the loss {loss!r}. Received: y of "
        f"shape {y.shape}. {hint}"
    )


def _check_range(y: np.ndarray, top: int, loss: str, name: str) -> None:
    if y.min() < 0 or y.max() > top:
        raise ValueError(
            f"{name}`y` must hold labels from 0 to {top} for the loss {loss!r}. Received: values "
            f"from {y.min()} to {y.max()}. Number the classes from 0, or build the model with more "
            "outputs."
        )


def _fits(shape: tuple[int | None, ...], expected: tuple[int | None, ...]) -> bool:
    return len(shape) == len(expected) and all(
        axis in (None, size) for axis, size in zip(expected, shape, strict=True)
    )


def _without_ones(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The shape without the axes of size 1 at its end, which Keras adds or takes away itself."""
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _written(shape: tuple[int | None, ...]) -> str:
    return str(("n", *shape[1:])).replace("'", "")
