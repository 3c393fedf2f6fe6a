"""Data in batches, one after the other, each checked against the model, in double precision."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_recipes.array_checks import as_numbers, check_lengths, check_sample_weight
from keras_recipes.arrays import as_inputs, is_dataset, prepare

ROWS = 2048  # at a time: more take memory in double precision, fewer take longer
INFINITE = -1  # tf.data.INFINITE_CARDINALITY; a PyDataset says None

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


def batches(
    model: keras.Model, n_outputs: int, x: Any, y: Any, sample_weight: Any
) -> Iterator[Batch]:
    """Yields inputs, targets of shape (n, n_outputs) and weights of shape (n,), in one pass.

    Small batches of a dataset are joined until they have `ROWS` rows.

    Args:
        model: The model, whose input shape counts.
        n_outputs: Number of targets.
        x: An array, or a `tf.data.Dataset` or `PyDataset` of (x, y) or (x, y, sample_weight).
        y: Targets, where x is an array.
        sample_weight: A weight for each example, where x is an array; None for 1.

    Raises:
        TypeError: If they do not hold numbers, or an argument does not go with a dataset.
        ValueError: If they do not fit the model, are not finite, or do not come to an end.
    """
    if not is_dataset(x):
        prepare(model, x, y, sample_weight, None, 0.0, ROWS)
        x, y = np.asarray(x), _columns(y, n_outputs, "")
        weight = _weights(sample_weight, len(x), "")
        for row in range(0, len(x), ROWS):
            rows = slice(row, row + ROWS)
            yield x[rows], y[rows], weight[rows]
        return
    if y is not None or sample_weight is not None:
        raise TypeError(
            "`y` and `sample_weight` must be None where `x` is a dataset. Received: "
            f"{type(x).__name__} and more. Let the dataset yield (x, y) or (x, y, sample_weight)."
        )
    checked = (
        _check(model, n_outputs, batch, f"In batch {number} ")
        for number, batch in enumerate(_in_turn(x))
    )
    yield from _joined(checked)


def _in_turn(dataset: Any) -> Iterator[Any]:
    by_index = isinstance(dataset, keras.utils.PyDataset)
    length = dataset.num_batches if by_index else int(dataset.cardinality())
    if length in (None, INFINITE):
        raise ValueError(
            "`x` must come to an end. Received: a dataset that repeats without end. Pass it without "
            "repeat(), or dataset.take(n)."
        )
    return (dataset[index] for index in range(length)) if by_index else iter(dataset)


def _joined(checked: Iterator[Batch]) -> Iterator[Batch]:
    held: list[Batch] = []
    rows = 0
    for batch in checked:
        held.append(batch)
        rows += len(batch[0])
        if rows >= ROWS:
            yield _join(held)
            held, rows = [], 0
    if held:
        yield _join(held)


def _join(held: list[Batch]) -> Batch:
    x, y, weight = map(np.concatenate, zip(*held, strict=True))
    return x, y, weight


def _check(model: keras.Model, n_outputs: int, batch: Any, name: str) -> Batch:
    x, y, weight = keras.utils.unpack_x_y_sample_weight(batch)
    if y is None:
        raise ValueError(
            f"{name}there must be (x, y) or (x, y, sample_weight). Received: x alone. Let the "
            "dataset yield the targets, too."
        )
    x, y = ops.convert_to_numpy(x), ops.convert_to_numpy(y)
    weight = None if weight is None else ops.convert_to_numpy(weight)
    as_inputs(model, x, name)
    check_lengths({"x": x, "y": as_numbers(y, f"{name}`y`"), "sample_weight": weight}, name)
    return x, _columns(y, n_outputs, name), _weights(weight, len(x), name)


def _columns(y: Any, n_outputs: int, name: str) -> np.ndarray:
    y = np.asarray(y, "float64")
    if y.reshape(len(y), -1).shape[1] != n_outputs:
        raise ValueError(
            f"{name}`y` must have {n_outputs} targets for each example. Received: y of shape "
            f"{y.shape}. Build the model with as many outputs."
        )
    return y.reshape(len(y), n_outputs)


def _weights(sample_weight: Any, count: int, name: str) -> np.ndarray:
    if sample_weight is None:
        return np.ones(count)
    check_sample_weight(as_numbers(sample_weight, f"{name}`sample_weight`"), name)
    return np.asarray(sample_weight, "float64")
