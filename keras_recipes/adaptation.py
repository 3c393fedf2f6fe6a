"""The `Normalization` layer of a model, with the mean and variance of data that were checked."""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import layers

ROWS = 8192  # of an array at a time: statistics in double precision take memory
INFINITE = -1  # tf.data.INFINITE_CARDINALITY; a PyDataset says None


def standardize(adapt_to: Any, input_shape: tuple[int, ...]) -> keras.Layer:
    """Returns a `Normalization` layer that has learnt its mean and variance from data.

    A feature that does not vary in the data keeps its scale: dividing by its standard deviation
    would blow up the first new value.

    Args:
        adapt_to: Inputs: an array, or a `tf.data.Dataset` or `PyDataset` of inputs, or of tuples
            that begin with them.
        input_shape: Shape of one example.

    Raises:
        ValueError: If `adapt_to` does not hold finite numbers of this shape, or nothing.
    """
    is_dataset = isinstance(adapt_to, keras.utils.PyDataset) or hasattr(adapt_to, "element_spec")
    batches = _of_dataset if is_dataset else _of_array
    mean, variance = _mean_and_variance(batches(adapt_to, input_shape))
    dtype = full_precision()  # half precision cannot hold inputs beyond 65504
    _check_finite(mean, variance, dtype)
    constant = np.sqrt(variance) <= 1e-6 * np.abs(mean)
    layer = layers.Normalization(name="normalization", dtype=dtype)
    layer.build((None, *input_shape))
    layer.set_weights([mean, np.where(constant, 1.0, variance), np.zeros((), int)])
    layer.finalize_state()
    return layer


def full_precision() -> str:
    """The dtype of the variables under the global policy, float32 under mixed_float16."""
    return keras.config.dtype_policy().variable_dtype


def _of_array(adapt_to: Any, input_shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    array = _check_numbers(adapt_to, input_shape)
    for row in range(0, len(array), ROWS):
        yield array[row : row + ROWS]


def _of_dataset(adapt_to: Any, input_shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    length = adapt_to.num_batches if hasattr(adapt_to, "num_batches") else adapt_to.cardinality()
    if length is None or int(length) == INFINITE:
        raise ValueError(
            "`adapt_to` must come to an end. Received: a dataset that repeats without end. Pass it "
            "without repeat(), or dataset.take(n)."
        )
    for batch in adapt_to:
        inputs = batch[0] if isinstance(batch, tuple) else batch
        if getattr(inputs, "shape", None) == input_shape:
            inputs = np.asarray(inputs)[np.newaxis]  # a dataset that is not batched
        yield _check_numbers(inputs, input_shape)


def _check_numbers(data: Any, input_shape: tuple[int, ...]) -> np.ndarray:
    expected = f"numbers of shape ({', '.join(['n', *map(str, input_shape)])}), n > 0"
    hint = "Pass the training inputs."
    try:
        array = np.asarray(data)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"`adapt_to` must be {expected}. Received: {error} {hint}") from error
    if array.dtype.kind not in "biuf" or array.shape[1:] != input_shape:
        raise ValueError(
            f"`adapt_to` must be {expected}. Received: shape={array.shape}, dtype={array.dtype}. "
            f"{hint}"
        )
    return array


def _mean_and_variance(batches: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Those of each feature, the last axis, in double precision (Chan et al., 1979)."""
    count, mean, squares = 0, np.zeros(()), np.zeros(())
    with np.errstate(all="ignore"):  # what is not finite is told of by the features that it is in
        for batch in batches:
            rows = batch.reshape(-1, batch.shape[-1]).astype("float64")
            if not len(rows):
                continue
            total = count + len(rows)
            apart = rows.mean(axis=0) - mean
            squares = squares + rows.var(axis=0) * len(rows) + apart**2 * count * len(rows) / total
            mean = mean + apart * len(rows) / total
            count = total
    if not count:
        raise ValueError(
            "`adapt_to` must hold n > 0 examples. Received: none. Pass the training inputs."
        )
    return mean, squares / count


def _check_finite(mean: np.ndarray, variance: np.ndarray, dtype: str) -> None:
    held = keras.ops.cast(np.stack([mean, variance]), dtype)
    fits = np.isfinite(keras.ops.convert_to_numpy(held)).all(axis=0)
    if not fits.all():
        raise ValueError(
            f"`adapt_to` must be finite, its variance in {dtype} too. Received: NaN, infinity or "
            f"too large values in the features {np.flatnonzero(~fits)[:10].tolist()} (of the last "
            "axis). Impute, drop or rescale them."
        )
