"""Named arrays: read from NPZ files, checked, and put together."""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SPLIT_KEYS = ("x_train", "y_train", "x_test", "y_test")
WHOLE_KEYS = ("x", "y")

# What numpy raises for a file that is damaged, encrypted or another thing than an NPZ.
UNREADABLE = (
    *(EOFError, OSError, RuntimeError, TypeError, ValueError),
    *(zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True)
class Arrays:
    """Checked arrays.

    Args:
        x: Numbers, rows first, at least two axes.
        y: Numbers or texts, `(rows,)` or `(rows, columns)`.
        n_test: How many of the last rows came as a test set.
    """

    x: np.ndarray
    y: np.ndarray
    n_test: int = 0


def load_npz(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays x_train, y_train, x_test and y_test of a file, or else x and y.

    Raises:
        ValueError: If it is not an NPZ file, is damaged, has other arrays or arrays of objects.
    """
    expected = f"an NPZ file with the arrays {', '.join(SPLIT_KEYS)}, or x and y"
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            found = list(file.files)
            keys = next((keys for keys in (SPLIT_KEYS, WHOLE_KEYS) if set(keys) <= set(found)), ())
            arrays = {key: file[key] for key in keys}
    except UNREADABLE as error:
        raise ValueError(
            f"`source` must be {expected}, none of them of objects. Received: "
            f"source={str(path)!r}, {_what_it_is(path, error)}. Write it anew with "
            "np.savez(path, x=x, y=y)."
        ) from error
    if not keys:
        raise ValueError(
            f"`source` must be {expected}. Received: source={str(path)!r} with {found}. "
            "Write it anew with np.savez(path, x=x, y=y)."
        )
    return arrays


def _what_it_is(path: Path, error: Exception) -> str:
    """In words of ours: for NumPy all that it cannot read may be pickles, which it says to allow."""
    if not zipfile.is_zipfile(path):
        return "a file that is cut short or another thing"
    if "allow_pickle" in str(error):
        return "which has an array of objects: make it one of numbers or texts"
    return f"which is damaged ({error})"


def join(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Returns what `load_npz` did, checked, the test set behind the training set.

    Raises:
        TypeError: If an array does not hold numbers, or y numbers or texts.
        ValueError: If lengths or shapes do not agree, or a value is NaN or infinite.
    """
    if "x_train" not in arrays:
        return Arrays(*_check_pair(arrays, *WHOLE_KEYS))
    x_train, y_train = _check_pair(arrays, "x_train", "y_train")
    x_test, y_test = _check_pair(arrays, "x_test", "y_test")
    _check_alike("x_train", x_train, "x_test", x_test)
    _check_alike("y_train", y_train, "y_test", y_test)
    x, y = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
    return Arrays(x, y, n_test=len(x_test))


def _check_pair(arrays: Mapping[str, Any], x_key: str, y_key: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns x and y, which have the same length and neither gaps nor objects."""
    x = _check_array(x_key, arrays[x_key], "biuf", "numbers")
    y = _check_array(y_key, arrays[y_key], "biufU", "numbers or texts")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if x.ndim < 2 or y.ndim > 2:
        raise ValueError(
            f"`{x_key}` must have at least two axes, `{y_key}` one or two, the first of them the "
            f"rows. Received: shapes {x.shape} and {y.shape}. Reshape a single feature to (rows, 1)."
        )
    if len(x) != len(y) or not x.size or not y.size:
        raise ValueError(
            f"`{x_key}` and `{y_key}` must have the same number of rows, at least one. Received: "
            f"shapes {x.shape} and {y.shape}. Save one target for each row."
        )
    return x, y


def _check_array(key: str, array: Any, kinds: str, expected: str) -> np.ndarray:
    array = np.asarray(array)
    if array.ndim == 0 or array.dtype.kind not in kinds:
        raise TypeError(
            f"`{key}` must be an array of {expected}. Received: dtype={array.dtype}, shape "
            f"{array.shape}. Encode what is not a number, or pass a CSV, whose texts are encoded."
        )
    with np.errstate(over="ignore"):
        bad = ~np.isfinite(array.astype(np.float32)) if array.dtype.kind == "f" else np.False_
    if bad.any():
        rows = np.flatnonzero(bad.reshape(len(array), -1).any(axis=1))
        raise ValueError(
            f"`{key}` must be finite, below 3.4e38. Received: NaN or infinity in {len(rows)} of "
            f"{len(array)} rows, the first of them row {rows[0]}. Fill them or leave these rows out."
        )
    return array


def _check_alike(key: str, array: np.ndarray, other_key: str, other: np.ndarray) -> None:
    texts = {array.dtype.kind == "U", other.dtype.kind == "U"}
    if array.shape[1:] != other.shape[1:] or len(texts) == 2:
        raise ValueError(
            f"`{key}` and `{other_key}` must differ in their number of rows only. Received: "
            f"{array.dtype} of shape {array.shape}, {other.dtype} of shape {other.shape}. "
            "Save them alike."
        )
