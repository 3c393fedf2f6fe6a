"""Which rows are trained, validated and tested on."""

from dataclasses import dataclass

import numpy as np

from keras_recipes.datasets.targets import Target
from keras_recipes.extras import import_extra


@dataclass(frozen=True)
class Splits:
    """Row numbers; each row is in one split."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def split_rows(
    target: Target,
    n_test: int,
    test_fraction: float,
    validation_fraction: float,
    seed: int,
) -> Splits:
    """Returns a random split, with the same share of each class in all three where there are any.

    Args:
        target: The target of all rows.
        n_test: How many of the last rows are a test set already; if 0, one is drawn.
        test_fraction: Fraction of the rows to draw for it.
        validation_fraction: Fraction of the others.
        seed: Same seed, same split.

    Raises:
        ValueError: If there are too few rows, of a class or in all.
    """
    rows = np.arange(len(target.y))
    _check_classes(target, rows[: len(rows) - n_test], n_needed=2 if n_test else 3)
    if n_test:
        rest, test = rows[:-n_test], rows[-n_test:]
    else:
        rest, test = _hold_out("test_fraction", test_fraction, target, rows, seed)
    train, val = _hold_out("validation_fraction", validation_fraction, target, rest, seed)
    return Splits(train, val, test)


def _hold_out(
    name: str, fraction: float, target: Target, rows: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    split = import_extra("sklearn.model_selection").train_test_split
    strata = target.y[rows] if target.classes else None
    try:
        kept, held_out = split(rows, test_size=fraction, stratify=strata, random_state=seed)
    except ValueError as error:
        raise ValueError(
            f"`{name}` must leave rows, with classes one of each, on both sides. Received: "
            f"{name}={fraction} of {len(rows)} rows. {error} Add rows or change the fraction."
        ) from error
    return kept, held_out


def _check_classes(target: Target, rows: np.ndarray, n_needed: int) -> None:
    if not target.classes:
        return
    counts = np.bincount(target.y[rows], minlength=len(target.classes))
    rarest = counts.argmin()
    if counts[rarest] < n_needed:
        raise ValueError(
            f"Each class must have at least {n_needed} rows to split. Received: {counts[rarest]} "
            f"of class {target.classes[rarest]!r}. Merge rare classes or leave them out; for a "
            'number to predict pass task="regression".'
        )
