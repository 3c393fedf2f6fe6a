"""`load_dataset`: data by name or path, split, encoded and ready for a network."""

import os
from typing import Any

import keras
import numpy as np

from keras_recipes.checks import check_integer, check_number
from keras_recipes.datasets.dataset import Dataset
from keras_recipes.datasets.images import as_inputs, white_of
from keras_recipes.datasets.preprocessing import Columns, encode, fit_preprocessing
from keras_recipes.datasets.selection import informative_columns
from keras_recipes.datasets.sources import Source, read_source
from keras_recipes.datasets.splits import Splits, split_rows
from keras_recipes.datasets.targets import Target, encode_target

__all__ = ["load_dataset"]


def load_dataset(
    source: str | os.PathLike[str],
    target: str | None = None,
    *,
    task: str | None = None,
    validation_fraction: float = 0.2,
    test_fraction: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Returns a data set, split into rows to train, to validate and to test on.

    What is learned from the data, the preprocessing of a CSV and the scale of the target, is
    learned from the training rows alone.

    In a CSV a column is numeric where all its values are, else it is categorical; one where at
    least half are numbers, those with a decimal comma included, and some are not is refused. A
    number becomes the value of its rank in a normal distribution, which no outlier can throw off; a
    missing one becomes 0, the median; a category becomes a one-hot column, as does "missing";
    categories beyond the 100 most frequent, and those not in the training rows, become zeros.
    Columns that do not vary in the training rows are left out, with a warning, and so are texts
    that are nearly all different: more than 100, in more than half of the rows.

    In an NPZ file arrays of three or more axes that hold whole numbers in [0, 255], some above 1,
    are images: they are divided by 255, and `(rows, height, width)` gets a channel.

    Args:
        source: One of
            "digits", "breast_cancer", "wine", "diabetes", which come with scikit-learn;
            "mnist", "fashion_mnist", "cifar10", "california_housing", which Keras downloads;
            the path of an NPZ file with the arrays x_train, y_train, x_test and y_test, or x and y;
            the path of a CSV file in UTF-8 with a header, separated by commas, semicolons or tabs.
        target: The column to predict, with a CSV; None, the default, with all else.
        task: "regression", "binary", "multiclass" or "multilabel"; None, the default, infers it:
            a target of texts or booleans holds classes, and so does one of whole numbers where at
            most 20 are distinct and at most half as many as rows; several columns of 0 and 1 are
            "multiclass" if each row has a single 1, else "multilabel"; all else is "regression".
        validation_fraction: Fraction, in (0, 1), of the rows not in the test set to validate on.
        test_fraction: Fraction, in (0, 1), of all rows to test on. A test set that the source
            brings is used as it is.
        seed: Integer in [0, 2**32); the same one gives the same splits. With classes each split
            has the same share of each.

    Raises:
        TypeError: If an argument, or an array in a file, is of the wrong kind.
        ValueError: If a value is missing where it must not be, or infinite; lengths do not agree;
            a split would be empty; there is one class only; the file is not what it should be.
        FileNotFoundError: If there is no such file, or the data cannot be downloaded.
        ImportError: If scikit-learn or pandas is needed and not installed.

    Example:
        >>> data = load_dataset("digits")
        >>> data.task, data.input_shape, data.n_outputs
        ('multiclass', (64,), 10)
    """
    check_number("test_fraction", test_fraction, "(0, 1)", "For a fifth pass 0.2.")
    check_number("validation_fraction", validation_fraction, "(0, 1)", "For a fifth pass 0.2.")
    check_integer("seed", seed, "[0, 4294967296)")
    raw = read_source(source, target)
    encoded = encode_target(raw.y, task, raw.where)
    splits = split_rows(encoded, raw.n_test, test_fraction, validation_fraction, seed)
    return Dataset(
        name=raw.name,
        task=encoded.task,
        target_names=_target_names(raw, encoded),
        splits=splits,
        class_names=_class_names(raw, encoded),
        **_inputs(raw, splits),
        **_targets(encoded, splits, raw.where),
    )


def _target_names(raw: Source, encoded: Target) -> tuple[str, ...]:
    if encoded.y.ndim == 1:
        return (raw.target_name,)
    return tuple(f"{raw.target_name}{index}" for index in range(encoded.y.shape[1]))


def _class_names(raw: Source, encoded: Target) -> tuple[str, ...]:
    if encoded.task == "multilabel":
        return _target_names(raw, encoded)
    if raw.class_names:
        return tuple(raw.class_names[int(label)] for label in encoded.classes)
    return encoded.classes


def _inputs(raw: Source, splits: Splits) -> dict[str, Any]:
    """What of a `Dataset` comes from the inputs, by field."""
    if isinstance(raw.x, np.ndarray):
        white = white_of(raw.x)
        parts = {name: as_inputs(raw.x[rows], white) for name, rows in _named("x", splits).items()}
        return {"feature_names": raw.feature_names, **parts}
    columns = informative_columns(_take(raw.x, splits.train))
    if not columns:
        raise ValueError(
            f"{raw.name!r} must have a column beside the target that varies in the training rows "
            f"and is no identifier. Received: {list(raw.x)}. Add columns to predict from, or rows."
        )
    space = fit_preprocessing(columns)
    used = {name: raw.x[name] for name in columns}
    parts = {
        name: keras.ops.convert_to_numpy(encode(space, _take(used, rows)))
        for name, rows in _named("x", splits).items()
    }
    return {"feature_names": tuple(columns), "preprocessing": space, **parts}


def _targets(encoded: Target, splits: Splits, where: str) -> dict[str, Any]:
    """What of a `Dataset` comes from the target, by field."""
    y = encoded.y
    if encoded.task != "regression":
        return {name: y[rows] for name, rows in _named("y", splits).items()}
    mean, scale = y[splits.train].mean(axis=0), y[splits.train].std(axis=0)
    if not np.all(scale):
        raise ValueError(
            f"{where} must vary in the {len(splits.train)} training rows. Received: {mean} in all "
            "of them. Add rows, or draw others with another seed."
        )
    standardized = ((y - mean) / scale).astype(np.float32)
    parts = {name: standardized[rows] for name, rows in _named("y", splits).items()}
    if y.ndim == 1:
        mean, scale = float(mean), float(scale)
    return {"target_mean": mean, "target_scale": scale, **parts}


def _named(axis: str, splits: Splits) -> dict[str, np.ndarray]:
    return {f"{axis}_{name}": rows for name, rows in vars(splits).items()}


def _take(columns: Columns, rows: np.ndarray) -> Columns:
    return {name: column[rows] for name, column in columns.items()}
