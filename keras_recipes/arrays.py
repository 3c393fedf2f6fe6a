"""The data of a training: arrays are checked and made ready, datasets pass."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_recipes.array_checks import (
    as_numbers,
    check_inputs,
    check_lengths,
    check_sample_weight,
    check_targets,
)
from keras_recipes.checks import check_instance, check_number

VALIDATION_BATCH_SIZE = 1024  # it changes the speed, not the result


@dataclass(frozen=True)
class Examples:
    """What a training or a validation goes over.

    Args:
        x: Inputs, or a dataset that yields batches.
        y: Targets, None with a dataset.
        sample_weight: A weight for each example, or None.
        batch_size: Examples a step, 0 with a dataset.
        steps: Steps an epoch.
        first_batch: Of a dataset, as it came; None with arrays.
    """

    x: Any
    y: Any
    sample_weight: Any
    batch_size: int
    steps: int
    first_batch: Any = None

    @property
    def count(self) -> int:
        """The number of examples, where they are arrays."""
        return _length(self.y)

    @property
    def nbytes(self) -> int:
        """The size of the arrays."""
        arrays = tree.flatten((self.x, self.y, self.sample_weight))
        return sum(array.nbytes for array in arrays if array is not None)

    def fingerprint(self) -> str:
        """What tells these examples from others: their number and a checksum; a dataset's steps."""
        if self.y is None:
            return f"{type(self.x).__name__} of {self.steps} steps"
        checksum = 0
        for array in tree.flatten((self.x, self.y, self.sample_weight)):
            if array is not None:
                checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
        return f"{self.count} examples, {checksum:08x}"

    @property
    def data(self) -> Any:
        """The dataset, or (x, y) or (x, y, sample_weight)."""
        parts = (self.x, self.y, self.sample_weight)
        return self.x if self.y is None else tuple(part for part in parts if part is not None)


def prepare(
    model: keras.Model,
    x: Any,
    y: Any,
    sample_weight: Any,
    validation_data: Any,
    validation_split: float,
    batch_size: int,
) -> tuple[Examples, Examples | None]:
    """Returns the examples to train and to validate on, checked against the model.

    Raises:
        TypeError: If an array does not hold numbers, or an argument does not go with a dataset.
        ValueError: If lengths or shapes do not agree, a value is NaN or infinite, or a dataset does
            not know its length.
    """
    check_number("validation_split", validation_split, "[0, 1)", "For a fifth pass 0.2.")
    if validation_split and validation_data is not None:
        raise ValueError(
            "At most one of `validation_data` and `validation_split` may be given. Received: both. "
            "Leave one out."
        )
    examples = _examples(model, x, y, sample_weight, batch_size, "")
    if validation_split:
        return _split(examples, validation_split)
    if validation_data is None:
        return examples, None
    x, y, sample_weight = _parts(validation_data)
    return examples, _examples(model, x, y, sample_weight, VALIDATION_BATCH_SIZE, "validation ")


def _parts(validation_data: Any) -> tuple[Any, Any, Any]:
    if is_dataset(validation_data):
        return validation_data, None, None
    expected = "(x, y), (x, y, sample_weight) or a dataset"
    check_instance("validation_data", validation_data, (tuple, list), expected)
    if len(validation_data) not in (2, 3):
        raise ValueError(
            f"`validation_data` must be {expected}. Received: {len(validation_data)} parts."
        )
    return (*validation_data, None)[:3]


def _examples(
    model: keras.Model, x: Any, y: Any, sample_weight: Any, batch_size: int, name: str
) -> Examples:
    if not is_dataset(x):
        x, y, sample_weight = _check_arrays(model, x, y, sample_weight, name)
        return Examples(x, y, sample_weight, batch_size, _steps(y, batch_size))
    if y is not None or sample_weight is not None:
        raise TypeError(
            f"{name}`y` and `sample_weight` must be None where `x` is a dataset. Received: "
            f"{type(x).__name__} and more. Let the dataset yield (x, y) or (x, y, sample_weight)."
        )
    steps = int(x.cardinality()) if hasattr(x, "cardinality") else x.num_batches
    if steps is None or steps < 1:
        raise ValueError(
            f"{name}`x` must know its number of batches, at least 1. Received: a "
            f"{type(x).__name__} of {'unknown' if steps in (None, -2) else 'infinite or no'} length. "
            "Use dataset.take(n), or dataset.apply(tf.data.experimental.assert_cardinality(n))."
        )
    return Examples(x, None, None, 0, steps, first_batch(model, x, name))


def first_batch(model: keras.Model, x: Any, name: str = "") -> Any:
    """Returns the first batch of a dataset, checked as arrays are checked; the others pass.

    Args:
        model: The model.
        x: The dataset.
        name: What stands before `x` in a message.

    Raises:
        TypeError: If it does not hold numbers.
        ValueError: If it does not fit the model, or there is none.
    """
    batch = x[0] if isinstance(x, keras.utils.PyDataset) else next(iter(x), None)
    if batch is None:
        raise ValueError(
            f"{name}`x` must have a batch. Received: a {type(x).__name__} that is empty. Look at "
            "what it is made from."
        )
    _check_batch(model, batch, name)
    return batch


def _check_batch(model: keras.Model, batch: Any, name: str) -> None:
    if "train_step" in vars(model) or type(model).train_step is not keras.Model.train_step:
        return  # it may take batches of its own kind
    name = f"In the first {name}batch "
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    if y is None:
        raise ValueError(
            f"{name}there must be (x, y) or (x, y, sample_weight). Received: x alone. Let the "
            "dataset yield the targets, too."
        )
    x, y, sample_weight = tree.map_structure(
        lambda each: None if each is None else ops.convert_to_numpy(each), (x, y, sample_weight)
    )
    if all(each.dtype.kind in "biuf" for each in tree.flatten(x)):  # a model may take text
        _check_arrays(model, x, y, sample_weight, name)


def _split(examples: Examples, fraction: float) -> tuple[Examples, Examples]:
    if not examples.batch_size:
        raise ValueError(
            "`validation_split` must be 0 where `x` is a dataset. Received: "
            f"validation_split={fraction}. Pass a dataset as validation_data."
        )
    count = _length(examples.y)
    kept = int(count * (1 - fraction))
    if not 0 < kept < count:
        raise ValueError(
            f"`validation_split` must leave examples on both sides. Received: "
            f"validation_split={fraction} of {count} examples."
        )

    def part(rows: slice, batch_size: int) -> Examples:
        whole = (examples.x, examples.y, examples.sample_weight)
        x, y, weight = tree.map_structure(lambda a: None if a is None else a[rows], whole)
        return Examples(x, y, weight, batch_size, _steps(y, batch_size))

    return (
        part(slice(kept), examples.batch_size),
        part(slice(kept, None), VALIDATION_BATCH_SIZE),
    )


def _steps(y: Any, batch_size: int) -> int:
    return -(-_length(y) // batch_size)


def is_dataset(data: Any) -> bool:
    """Whether `data` makes its own batches: a `tf.data.Dataset` or a `PyDataset`."""
    return isinstance(data, keras.utils.PyDataset) or hasattr(data, "element_spec")


def check_no_dataset(x: Any, hint: str) -> None:
    """Raises TypeError where inputs that must be arrays make batches, or rows one by one.

    Args:
        x: The inputs.
        hint: How to mend it.
    """
    if is_dataset(x) or isinstance(x, Iterator):
        raise TypeError(f"`x` must be arrays. Received: {type(x).__name__}. {hint}")


def as_inputs(model: keras.Model, x: Any, name: str = "") -> Any:
    """Returns the inputs as arrays of numbers, checked against the model.

    Args:
        model: The model; one that is not built yet takes what it is given.
        x: An array, or a list or dict of several.
        name: What stands before `x` in a message.

    Raises:
        TypeError: If they do not hold numbers.
        ValueError: If they are not finite or not of the model's shape, or one of several is missing
            or of another length.
    """
    x = _map(x, _takes_several(model, x), f"{name}`x`")
    check_inputs(model, x, name)
    return x


def rows_of(data: Any, first: int, last: int) -> Any:
    """Returns some examples of arrays in any structure; None stays."""
    return tree.map_structure(lambda each: None if each is None else each[first:last], data)


def _check_arrays(
    model: keras.Model, x: Any, y: Any, sample_weight: Any, name: str
) -> tuple[Any, Any, np.ndarray | None]:
    if y is None:
        raise ValueError(
            f"{name}`y` must be given with arrays. Received: y=None. Pass the targets, or a dataset "
            "that yields (x, y)."
        )
    x = as_inputs(model, x, name)
    y = _map(y, len(getattr(model, "outputs", None) or ()) > 1, f"{name}`y`")
    if sample_weight is not None:
        sample_weight = as_numbers(sample_weight, f"{name}`sample_weight`")
        check_sample_weight(sample_weight, name)
    check_lengths({"x": x, "y": y, "sample_weight": sample_weight}, name)
    check_targets(model, y, name)
    return x, y, sample_weight


def _length(data: Any) -> int:
    """The number of examples."""
    return len(tree.flatten(data)[0])


def _takes_several(model: keras.Model, x: Any) -> bool:
    """Whether a list is one of arrays, for which Keras takes each of them, and not of rows."""
    inputs = getattr(model, "inputs", None) or ()
    if len(inputs) == 1 and not isinstance(getattr(model, "_inputs_struct", None), list | tuple):
        return False
    return len(inputs) > 1 or (
        isinstance(x, list | tuple) and all(getattr(each, "ndim", 0) for each in x)
    )


def _map(data: Any, several: bool, name: str) -> Any:
    """Arrays of a model of one input (or output) or of several; a list may be either."""
    if isinstance(data, dict) or (isinstance(data, list | tuple) and several):
        return tree.map_structure(lambda array: as_numbers(array, name), data)
    return as_numbers(data, name)
