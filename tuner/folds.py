"""The folds of cross-validation."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from keras_recipes.datasets import Dataset


def split(data: Dataset, folds: int, seed: int) -> Iterator[Dataset]:
    """Yields the data once for each fold that validates; as they are for one fold.

    Args:
        data: Training and validation rows are shared out, test rows stay.
        folds: How many; those of classes have about the same share of each class.
        seed: Of the order.
    """
    if folds == 1:
        yield data
        return
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = StratifiedKFold if data.task in ("binary", "multiclass") else KFold
    x, y = together(data)
    for rest, held in kind(folds, shuffle=True, random_state=seed).split(x, y):
        yield dataclasses.replace(
            data, x_train=x[rest], y_train=y[rest], x_val=x[held], y_val=y[held]
        )


def check_folds(data: Dataset, folds: int) -> None:
    """Raises ValueError where there are fewer rows than folds, or no class has as many."""
    _, y = together(data)
    rows, of = len(y), "training and validation rows"
    if data.task in ("binary", "multiclass"):
        rows, of = int(np.unique(y, return_counts=True)[1].max()), "rows of the largest class"
    if folds > rows:
        raise ValueError(
            f"`--folds` must be at most the number of {of}, {rows}. Received: {folds}. Five or ten is "
            "usual."
        )


def together(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Returns inputs and targets of the training and the validation rows."""
    return (
        np.concatenate([data.x_train, data.x_val]),
        np.concatenate([data.y_train, data.y_val]),
    )
