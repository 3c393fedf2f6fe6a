import numpy as np
import pytest

from keras_recipes.datasets.splits import split_rows
from keras_recipes.datasets.targets import Target


def classes(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    return Target("multiclass", y, tuple("abcdefgh"[: len(counts)]))


def test_each_row_is_in_one_split():
    splits = split_rows(Target("regression", np.arange(100.0)), 0, 0.2, 0.25, seed=0)
    assert [len(rows) for rows in vars(splits).values()] == [60, 20, 20]
    assert sorted(np.concatenate(list(vars(splits).values()))) == list(range(100))


def test_a_test_set_that_came_is_used():
    splits = split_rows(Target("regression", np.arange(100.0)), 30, 0.2, 0.5, seed=0)
    np.testing.assert_array_equal(splits.test, np.arange(70, 100))
    assert sorted([*splits.train, *splits.val]) == list(range(70))
    assert len(splits.val) == 35


def test_splits_have_the_same_share_of_each_class():
    target = classes([500, 250, 50])
    for rows in vars(split_rows(target, 0, 0.2, 0.25, seed=3)).values():
        np.testing.assert_allclose(np.bincount(target.y[rows]) / len(rows), [0.625, 0.3125, 0.0625])


def test_the_seed_makes_the_split():
    target = classes([30, 30])
    first, same, other = (split_rows(target, 0, 0.2, 0.2, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.train, same.train)
    np.testing.assert_array_equal(first.test, same.test)
    assert set(first.test) != set(other.test)


def test_a_class_with_too_few_rows_is_named():
    with pytest.raises(ValueError, match=r"at least 3 rows to split\. Received: 2 of class 'b'"):
        split_rows(classes([20, 2, 20]), 0, 0.2, 0.2, seed=0)


def test_a_class_that_only_the_test_set_has_is_named():
    with pytest.raises(ValueError, match=r"at least 2 rows to split\. Received: 0 of class 'b'"):
        split_rows(classes([40, 10]), 10, 0.2, 0.2, seed=0)


@pytest.mark.parametrize(
    ("target", "fractions", "name"),
    [
        (Target("regression", np.arange(1.0)), (0.2, 0.2), "test_fraction"),
        (Target("regression", np.arange(2.0)), (0.2, 0.2), "validation_fraction"),
        (Target("regression", np.arange(5.0)), (0.99, 0.2), "test_fraction"),
        (classes([6, 6, 6]), (0.1, 0.2), "test_fraction"),  # two rows for three classes
    ],
)
def test_an_empty_split_is_refused(target, fractions, name):
    with pytest.raises(ValueError, match=f"`{name}` must leave rows.* Add rows or change"):
        split_rows(target, 0, *fractions, seed=0)
