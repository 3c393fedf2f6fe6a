"""Which columns of a table something can be learned from."""

import warnings
from collections.abc import Sequence

import numpy as np

from keras_recipes.datasets.preprocessing import Columns

FEW = 20  # so many distinct texts are categories even in the shortest table


def informative_columns(columns: Columns) -> Columns:
    """Returns the columns that something can be learned from; warns about the others."""
    constant = [name for name, column in columns.items() if not _varies(column)]
    unique = [name for name, column in columns.items() if _is_nearly_unique(column)]
    _warn_left_out(constant, "each has but one value, or none, in the training rows.")
    _warn_left_out(
        unique,
        "each has a text of its own in most training rows, as identifiers and free texts do. Make "
        "categories or numbers of what they tell.",
    )
    return {name: column for name, column in columns.items() if name not in (*constant, *unique)}


def _varies(column: np.ndarray) -> bool:
    present = column if column.dtype == object else column[~np.isnan(column)]
    return bool((present[1:] != present[:1]).any())


def _is_nearly_unique(column: np.ndarray) -> bool:
    """Whether a column of texts has more than a few distinct ones and more than half as many as rows."""
    n_distinct = len(np.unique(column)) if column.dtype == object else 0
    return n_distinct > max(FEW, len(column) / 2)


def _warn_left_out(names: Sequence[str], reason: str) -> None:
    if names:
        warnings.warn(
            f"The columns {names} are left out: {reason}",
            stacklevel=5,  # who called load_dataset
        )
