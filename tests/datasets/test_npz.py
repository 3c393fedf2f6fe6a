import numpy as np
import pytest

from keras_recipes.datasets.npz import join, load_npz

X = np.ones((4, 2))
Y = np.array([0, 1, 0, 1])


def test_whole_arrays(tmp_path):
    np.savez(tmp_path / "data.npz", x=X, y=Y[:, None], note=np.array("not read"))
    arrays = join(load_npz(tmp_path / "data.npz"))
    np.testing.assert_array_equal(arrays.x, X)
    np.testing.assert_array_equal(arrays.y, Y)
    assert arrays.n_test == 0


def test_split_arrays_are_put_together_in_order(tmp_path):
    split = {"x_train": X, "y_train": Y, "x_test": 2 * X[:3], "y_test": Y[:3]}
    np.savez_compressed(tmp_path / "data.npz", **split)
    arrays = join(load_npz(tmp_path / "data.npz"))
    np.testing.assert_array_equal(arrays.x[-3:], 2 * X[:3])
    np.testing.assert_array_equal(arrays.y, [*Y, *Y[:3]])
    assert arrays.n_test == 3


def test_missing_arrays_are_listed(tmp_path):
    np.savez(tmp_path / "data.npz", x_train=X, labels=Y)
    with pytest.raises(
        ValueError,
        match=r"x_train, y_train, x_test, y_test, or x and y\. .*with \['x_train', 'labels'\]",
    ):
        load_npz(tmp_path / "data.npz")


def test_pickles_are_not_opened(tmp_path):
    np.savez(tmp_path / "objects.npz", x=X, y=np.array([None, "a", 1, 2], dtype=object))
    (tmp_path / "pickle.npz").write_bytes(b"\x80\x04N.")
    for name, match in (
        ("objects.npz", "which has an array of objects"),
        ("pickle.npz", "cut short or another thing"),
    ):
        with pytest.raises(
            ValueError, match=rf"none of them of objects\. Received: .*{match}"
        ) as e:
            load_npz(tmp_path / name)
        assert "allow_pickle" not in str(e.value)


def test_what_is_not_an_npz_is_refused(tmp_path):
    np.savez(tmp_path / "good.npz", x=X, y=Y)
    good = (tmp_path / "good.npz").read_bytes()
    damaged = bytearray(good)
    damaged[150] ^= 255
    np.save(tmp_path / "array.npy", X)
    contents = {
        "empty": b"",
        "text": b"x,y\n1,2\n",
        "truncated": good[: len(good) // 2],
        "damaged": bytes(damaged),
        "one array": (tmp_path / "array.npy").read_bytes(),
    }
    for name, content in contents.items():
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"`source` must be an NPZ file with the arrays") as e:
            load_npz(path)
        assert "pickle" not in str(e.value)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"x": X[:3]}, r"same number of rows.* Received: shapes \(3, 2\) and \(4,\)"),
        ({"x": X[:0], "y": Y[:0]}, "at least one"),
        ({"x": X[:, :0]}, "at least one"),
        ({"x": Y}, r"`x` must have at least two axes"),
        ({"y": np.zeros((4, 2, 2))}, "`y` one or two"),
        ({"x": np.where(X == 1, [1, np.nan], X)}, "`x` must be finite.* in 4 of 4 rows.* row 0"),
        ({"x": X * 1e300}, r"`x` must be finite, below 3\.4e38"),
        ({"y": np.array([0, 1, np.inf, 2])}, "`y` must be finite.* in 1 of 4 rows.* row 2"),
    ],
)
def test_values_that_cannot_be_learned_are_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        join({"x": X, "y": Y, **changes})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"x": X.astype(str)}, "`x` must be an array of numbers.* dtype=<U"),
        ({"x": X.astype(complex)}, "complex"),
        ({"y": Y.astype("datetime64[D]")}, "`y` must be an array of numbers or texts"),
        ({"y": np.array(1)}, r"shape \(\)"),
    ],
)
def test_arrays_of_other_kinds_are_refused(changes, match):
    with pytest.raises(TypeError, match=match):
        join({"x": X, "y": Y, **changes})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"x_test": np.ones((4, 3))}, "`x_train` and `x_test` must differ in their number of rows"),
        ({"y_test": np.array(list("abab"))}, "`y_train` and `y_test` must differ"),
        ({"y_test": Y[:2]}, "`x_test` and `y_test` must have the same number"),
        ({"x_test": X[:0], "y_test": Y[:0]}, "`x_test` and `y_test`.* at least one"),
        ({"x_test": X * np.nan}, "`x_test` must be finite"),
    ],
)
def test_the_test_set_must_be_like_the_training_set(changes, match):
    with pytest.raises(ValueError, match=match):
        join({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y, **changes})
