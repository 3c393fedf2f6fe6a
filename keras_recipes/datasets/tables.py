"""CSV files, read into columns of numbers and of texts."""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_recipes.checks import check_instance
from keras_recipes.datasets.preprocessing import MISSING, Columns
from keras_recipes.extras import import_extra

if TYPE_CHECKING:
    import pandas as pd


SEPARATORS = ",;\t"


def check_file(name: str, path: str | os.PathLike[str]) -> None:
    """Checks that `path`, the value of the argument `name`, is a file.

    Raises:
        TypeError: If it is not a path.
        FileNotFoundError: If there is nothing.
        ValueError: If it is a directory.
    """
    check_instance(name, path, (str, os.PathLike), "a path", "Pass a str or a pathlib.Path.")
    if Path(path).is_dir():
        raise ValueError(
            f"`{name}` must be a file. Received: {name}={str(path)!r}, a directory. "
            "Pass the path of a file in it."
        )
    if not Path(path).exists():
        raise FileNotFoundError(
            f"`{name}` must be a file that exists. Received: {name}={str(path)!r}. "
            f"Check the path; a relative one starts at {str(Path.cwd())!r}."
        )


def read_csv(
    name: str, path: str | os.PathLike[str], text_columns: Collection[str] = ()
) -> "pd.DataFrame":
    """Returns the rows of a CSV file, in columns of numbers and of texts, NaN for what is missing.

    Commas, semicolons or tabs separate the values: what stands most often in the header.
    A column is of numbers where all its values that are not missing are. Texts are as they are
    written, not as pandas would turn them: `01` does not become 1, nor `true` True.

    Args:
        name: What the messages call the argument that held the path.
        path: The file.
        text_columns: Columns that are texts whatever they hold.

    Raises:
        ImportError: If pandas is not installed.
        TypeError: If `path` is not a path.
        FileNotFoundError: If there is no such file.
        ValueError: If it is a directory, not a CSV, without rows, or has two columns of one name.
    """
    check_file(name, path)
    frame = _parse(name, path, text_columns)
    _check_header(name, path)
    texts = [column for column in frame.columns if not is_numeric(frame[column])]
    frame = _parse(name, path, [*text_columns, *texts]) if texts else frame
    for column in set(texts).difference(text_columns):
        if _are_numbers(frame[column].dropna()).all():  # integers of more than 64 bits
            frame[column] = _parsed(frame[column])
    if len(frame) and frame.index.equals(import_extra("pandas").RangeIndex(len(frame))):
        return frame
    raise ValueError(
        f"`{name}` must be a CSV file with rows that have as many fields as its header. Received: "
        f"{name}={str(path)!r}, {'more fields' if len(frame) else 'no rows'}. "
        "Quote the values that hold a separator, and write at least one row."
    )


def _parse(
    name: str, path: str | os.PathLike[str], text_columns: Collection[str]
) -> "pd.DataFrame":
    pandas = import_extra("pandas")
    try:
        return pandas.read_csv(
            path,
            sep=_separator(path),
            skipinitialspace=True,
            dtype=dict.fromkeys(text_columns, str),
            low_memory=False,
        )
    except ValueError as error:  # pandas.errors.ParserError, UnicodeDecodeError
        in_utf8 = not isinstance(error, UnicodeError)
        raise ValueError(
            f"`{name}` must be a CSV file in UTF-8 with a header. Received: {name}={str(path)!r}, "
            f"{error}. {'Check its first lines.' if in_utf8 else 'Save it in UTF-8.'}"
        ) from error


def _check_header(name: str, path: str | os.PathLike[str]) -> None:
    header = import_extra("pandas").read_csv(
        path, sep=_separator(path), skipinitialspace=True, header=None, nrows=1, dtype=str
    )
    columns = header.iloc[0].dropna()
    twice = columns[columns.duplicated()].unique().tolist()
    if twice:
        raise ValueError(
            f"`{name}` must be a CSV file whose columns have different names. Received: "
            f"{name}={str(path)!r}, more than one {', '.join(map(repr, twice))}. Rename them."
        )


def _separator(path: str | os.PathLike[str]) -> str:
    with open(path, encoding="utf-8-sig") as file:
        start = file.read(65536).lstrip("\n")
    header = re.sub('"[^"]*"', "", start).partition("\n")[0]
    return max(SEPARATORS, key=header.count)  # of equals the first


def typed_columns(frame: "pd.DataFrame") -> Columns:
    """Returns the columns of `frame` by name: float32 or objects that are str.

    Raises:
        ValueError: If a number is infinite.
    """
    return {
        name: as_numbers(frame[name]) if is_numeric(frame[name]) else as_texts(frame[name])
        for name in frame.columns
    }


def check_uniform(frame: "pd.DataFrame") -> None:
    """Checks that no column is mostly of numbers and yet of texts: it would become categories.

    Raises:
        ValueError: If in one at least half of the values, but not all, are numbers, those with a
            decimal comma included.
    """
    for name in frame.columns:
        if is_numeric(frame[name]):
            continue
        present = frame[name].dropna()
        others = present[~_are_numbers(present)]
        meant = _are_numbers(present.str.replace(",", ".")).sum()
        if len(others) and meant >= len(present) / 2:
            some = ", ".join(repr(text) for text in others.unique()[:3])
            raise ValueError(
                f"The column {name!r} must hold numbers in every row, with decimal points, or texts. "
                f"Received: {some} in {len(others)} of {len(present)} rows. Correct these cells or "
                "leave them empty; if all are codes, write them as texts, such as 'no. 7'."
            )


def is_numeric(column: "pd.Series") -> bool:
    """Whether pandas read a column as numbers; truth values are none."""
    types = import_extra("pandas").api.types
    return types.is_numeric_dtype(column) and not types.is_bool_dtype(column)


def _are_numbers(texts: "pd.Series") -> "pd.Series":
    """Which texts are numbers; one with a leading zero, such as 01, is a code."""
    return _parsed(texts).notna() & ~texts.str.match(r"[+-]?0\d")


def _parsed(column: "pd.Series") -> "pd.Series":
    """The numbers in a column, NaN for all else."""
    return import_extra("pandas").to_numeric(column, errors="coerce")


def as_texts(column: "pd.Series") -> np.ndarray:
    """Returns a column of texts as objects, `""` for what is missing."""
    return column.fillna(MISSING).to_numpy(object)


def as_numbers(
    column: "pd.Series",
    dtype: type = np.float32,
    mend: str = "Leave the field empty where the value is not known.",
) -> np.ndarray:
    """Returns a column as numbers, NaN for what is missing.

    Raises:
        ValueError: If a text is not a number, or a number is infinite or too large for float32.
    """
    numbers = _parsed(column).to_numpy(np.float64)
    too_large = np.abs(numbers) > np.finfo(np.float32).max
    bad = too_large | (np.isnan(numbers) & column.notna().to_numpy())
    if bad.any():
        raise ValueError(
            f"The column {column.name!r} must hold finite numbers, below 3.4e38. Received: "
            f"{str(column[bad].iloc[0])!r} in row {bad.argmax()}, {bad.sum()} such rows in all. "
            f"{mend}"
        )
    return numbers.astype(dtype)
