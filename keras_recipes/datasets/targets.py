"""The target of a data set: which task it makes, and the numbers that a network learns."""

from dataclasses import dataclass

import numpy as np

from keras_recipes.checks import check_choice

TASKS = ("regression", "binary", "multiclass", "multilabel")
MAX_CLASSES = 20  # an integer target with more distinct values is a quantity
MAX_CODE_SPAN = 100  # class codes lie close together, prices in round thousands do not


@dataclass(frozen=True)
class Target:
    """A target as a network learns it.

    Args:
        task: One of `TASKS`.
        y: Class indices for "binary" and "multiclass"; float32 0 and 1, a column a label, for
            "multilabel"; float64 quantities, not yet standardized, for "regression".
        classes: The names of the classes in the order of their indices, for one-hot rows the
            numbers of their columns; none unless "binary" or "multiclass".
    """

    task: str
    y: np.ndarray
    classes: tuple[str, ...] = ()


def infer_task(y: np.ndarray) -> str:
    """Returns the task that a target makes.

    One column of anything but numbers holds classes. One column of whole numbers does where at
    most 20 of them are distinct, at most half as many as there are rows, and the largest is at
    most 100 above the smallest. Two classes make "binary", more "multiclass". Several columns of 0
    and 1 make "multiclass" if each row has a single 1, else "multilabel". All else is "regression".
    """
    if y.ndim == 2 and _is_indicator(y):
        return "multiclass" if _is_one_hot(y) else "multilabel"
    if y.ndim == 2:
        return "regression"
    distinct = np.unique(y)
    if _is_numeric(y) and not (
        len(distinct) <= min(MAX_CLASSES, len(y) / 2)
        and (distinct == np.floor(distinct)).all()
        and float(distinct[-1]) - float(distinct[0]) <= MAX_CODE_SPAN
    ):
        return "regression"
    return "binary" if len(distinct) <= 2 else "multiclass"


def encode_target(y: np.ndarray, task: str | None, where: str) -> Target:
    """Returns `y`, of shape `(rows,)` or `(rows, columns)`, as a network learns it.

    Args:
        y: Raw values without gaps.
        task: One of `TASKS`, or None to infer it.
        where: What the messages call the target.

    Raises:
        TypeError: If `task` is not a string or None.
        ValueError: If `task` does not exist or does not fit `y`, or `y` is the same in all rows.
    """
    if task is None:
        task = infer_task(y)
    else:
        check_choice("task", task, TASKS)
        where = f'For task="{task}" {where}'
    if task == "multiclass" and _is_one_hot(y):
        y = y.argmax(axis=1)
    if task == "regression":
        return _quantities(y, where)
    return _labels(y, where) if task == "multilabel" else _classes(y, task, where)


def _quantities(y: np.ndarray, where: str) -> Target:
    if not _is_numeric(y):
        raise ValueError(
            f"{where} must hold numbers. Received: {_some(y)}. For classes have one column, and pass "
            'task="multiclass", or task="binary" for two.'
        )
    quantities = y.astype(np.float64)
    if (quantities == quantities[:1]).all(axis=0).any():
        raise ValueError(
            f"{where} must vary as float64. Received: {_some(quantities[:1])} in all {len(y)} rows. "
            "Pass a target that differs between rows."
        )
    return Target("regression", quantities)


def _labels(y: np.ndarray, where: str) -> Target:
    if y.ndim != 2 or not _is_indicator(y):
        raise ValueError(
            f"{where} must have several columns of 0 and 1 alone. Received: "
            f'shape {y.shape}, {_some(y)}. For one class a row pass task="multiclass".'
        )
    return Target("multilabel", y.astype(np.float32))


def _classes(y: np.ndarray, task: str, where: str) -> Target:
    if y.ndim != 1:
        raise ValueError(
            f"{where} must have one label a row. Received: shape {y.shape}. "
            'One-hot rows, each with a single 1, are for task="multiclass".'
        )
    labels, indices = np.unique(y, return_inverse=True)
    if len(labels) < 2 or (task == "binary" and len(labels) > 2):
        expected = "two classes" if len(labels) > 2 else "at least two classes"
        mend = 'pass task="multiclass"' if len(labels) > 2 else "add rows of another class"
        raise ValueError(
            f"{where} must have {expected}. Received: {len(labels)}, {_some(labels)}. Please {mend}."
        )
    return Target(task, indices, tuple(_class_name(label) for label in labels))


def _is_numeric(y: np.ndarray) -> bool:
    return y.dtype.kind in "iuf"


def _is_indicator(y: np.ndarray) -> bool:
    return y.dtype.kind in "biuf" and bool(((y == 0) | (y == 1)).all())


def _is_one_hot(y: np.ndarray) -> bool:
    return y.ndim == 2 and _is_indicator(y) and bool((y.sum(axis=1) == 1).all())


def _class_name(label: np.generic) -> str:
    whole = label.dtype.kind == "f" and label == np.floor(label)
    return str(int(label) if whole else label)


def _some(y: np.ndarray) -> str:
    shown = ", ".join(repr(value) for value in y[:5].tolist())
    return shown if len(y) <= 5 else f"{shown}, ..."
