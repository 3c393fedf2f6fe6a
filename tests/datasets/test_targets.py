import numpy as np
import pytest

from keras_recipes.datasets.targets import encode_target, infer_task

MANY = np.arange(42)


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (["no", "yes", "no", "no"], "binary"),
        (["a", "b", "c", "a"], "multiclass"),
        ([True, False, True], "binary"),
        ([0, 1, 1, 0], "binary"),
        ([0.0, 1.0, 1.0, 0.0], "binary"),
        ([1, 2, 5, 1, 2, 5], "multiclass"),
        ([1, 2, 3, 4, 5], "regression"),  # more than half as many values as rows
        (np.repeat(MANY[:20], 2), "multiclass"),
        (np.repeat(MANY[:21], 2), "regression"),
        ([0.5, 1.0, 0.5, 1.0], "regression"),
        ([50_000, 100_000, 50_000, 100_000], "regression"),  # too far apart for codes
        ([[0, 1], [1, 1]], "multilabel"),
        ([[0, 1], [1, 0]], "multiclass"),  # one-hot
        ([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], "multiclass"),
        ([[0, 1], [0, 0]], "multilabel"),
        ([[0.5, 0.5], [1.0, 0.0]], "regression"),
        ([[0.0, 1.5], [1.0, 1.0]], "regression"),
    ],
)
def test_the_task_is_inferred(y, task):
    assert infer_task(np.array(y)) == task


@pytest.mark.parametrize(
    ("y", "classes", "indices"),
    [
        (["b", "a", "b"], ("a", "b"), [1, 0, 1]),
        ([5, 1, 2, 10, 5, 1, 2, 10], ("1", "2", "5", "10"), [2, 0, 1, 3, 2, 0, 1, 3]),
        ([2.0, 1.0, 2.0, 1.0], ("1", "2"), [1, 0, 1, 0]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
        ([20230102, 20230101] * 2, ("20230101", "20230102"), [1, 0, 1, 0]),
    ],
)
def test_classes_are_numbered_in_sorted_order(y, classes, indices):
    target = encode_target(np.array(y), None, "`y`")
    assert target.classes == classes
    np.testing.assert_array_equal(target.y, indices)
    assert target.y.dtype.kind == "i"


@pytest.mark.parametrize("task", [None, "multiclass"])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32, bool])
def test_one_hot_rows_are_classes(task, dtype):
    target = encode_target(np.eye(4, dtype=dtype)[[1, 3, 0, 1]], task, "`y`")
    assert (target.task, target.classes) == ("multiclass", ("0", "1", "3"))
    np.testing.assert_array_equal(target.y, [1, 2, 0, 1])
    labels = encode_target(np.eye(4, dtype=dtype), "multilabel", "`y`")
    np.testing.assert_array_equal(labels.y, np.eye(4))


def test_a_given_task_overrides():
    ratings = np.array([1, 2, 3, 1, 2, 3])
    assert encode_target(ratings, None, "`y`").task == "multiclass"
    assert encode_target(ratings, "regression", "`y`").y.dtype == np.float64
    assert encode_target(np.array([0, 1, 0]), "multiclass", "`y`").classes == ("0", "1")
    flags = np.array([[0, 1], [1, 1]])
    assert encode_target(flags, "multilabel", "`y`").y.dtype == np.float32


@pytest.mark.parametrize(
    ("y", "task", "match"),
    [
        (["a", "b"], "regression", r'^For task="regression" `y` must hold numbers\. Received: .a.'),
        (
            [1, 2, 3],
            "binary",
            r'^For task="binary" `y` must have two classes\. Received: 3, 1, 2, 3',
        ),
        (["a", "a"], None, r"^`y` must have at least two classes\. Received: 1, 'a'"),
        ([1, 1], "binary", r'^For task="binary" `y` must have at least two classes'),
        ([2**53, 2**53 + 1], None, r"`y` must vary as float64\. Received: 9007199254740992\.0"),
        ([7, 7, 7], None, "Received: 1, 7"),
        ([7.5, 7.5], None, r"`y` must vary as float64\. Received: 7\.5 in all 2 rows"),
        ([[1.5, 2.0], [1.5, 3.0]], None, "^`y` must vary"),
        ([0, 1], "multilabel", r"several columns of 0 and 1 alone\. Received: shape \(2,\)"),
        ([[0, 2], [1, 1]], "multilabel", "several columns of 0 and 1 alone"),
        ([[0, 1], [1, 1]], "multiclass", r"one label a row\. Received: shape \(2, 2\)"),
        ([[0, 1], [1, 0]], "binary", r'one label a row.* for task="multiclass"'),
        ([["a", "b"], ["b", "a"]], None, "^`y` must hold numbers.* have one column"),
        ([0, 1], "regresion", "Did you mean 'regression'"),
    ],
)
def test_what_does_not_fit_the_task_is_refused(y, task, match):
    with pytest.raises(ValueError, match=match):
        encode_target(np.array(y), task, "`y`")


def test_a_task_is_a_string():
    with pytest.raises(TypeError, match="`task` must be one of 'regression', 'binary'"):
        encode_target(np.array([0, 1]), 1, "`y`")
