"""Folds: which rows validate where."""

import dataclasses

import numpy as np
import pytest

from tests.tuner.test_study import DATA
from tuner.folds import check_folds, split


def test_each_row_validates_in_one_fold():
    parts = list(split(DATA, 4, seed=0))
    assert len(parts) == 4
    held = np.concatenate([part.x_val for part in parts])
    everything = np.concatenate([DATA.x_train, DATA.x_val])
    assert sorted(map(bytes, held)) == sorted(map(bytes, everything))
    for part in parts:
        assert len(part.x_train) + len(part.x_val) == len(everything)
        assert part.x_test is DATA.x_test
        assert set(part.y_val) == set(range(10))


def test_there_must_be_a_class_with_a_row_for_each_fold():
    y = np.repeat([0, 1], [5, 3])
    classes = dataclasses.replace(DATA, task="binary", x_train=y, x_val=y, y_train=y, y_val=y)
    check_folds(classes, 10)
    with pytest.raises(ValueError, match="rows of the largest class, 10"):
        check_folds(classes, 11)
