import sys

import keras
import numpy as np
import pytest

from keras_recipes.datasets.downloads import DOWNLOADS
from keras_recipes.datasets.sources import read_source

TRAIN = (np.zeros((6, 4, 4), np.uint8), np.array([0, 1, 2, 0, 1, 2], np.uint8))
TEST = (np.ones((3, 4, 4), np.uint8), np.array([0, 1, 2], np.uint8))


def csv(tmp_path, text):
    path = tmp_path / "data.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "shape", "feature", "classes"),
    [
        ("digits", (1797, 64), "pixel_0_0", tuple("0123456789")),
        ("breast_cancer", (569, 30), "mean radius", ("malignant", "benign")),
        ("wine", (178, 13), "alcohol", ("class_0", "class_1", "class_2")),
        ("diabetes", (442, 10), "age", ()),
    ],
)
def test_bundled(name, shape, feature, classes):
    source = read_source(name, None)
    assert (source.x.shape, source.y.shape) == (shape, shape[:1])
    assert (source.feature_names[0], source.class_names) == (feature, classes)
    assert len(source.feature_names) == shape[1]


@pytest.mark.parametrize("name", DOWNLOADS)
def test_downloads(name, monkeypatch):
    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", lambda: (TRAIN, TEST))
    source = read_source(name, None)
    assert (source.name, source.x.shape, source.n_test) == (name, (9, 4, 4), 3)
    np.testing.assert_array_equal(source.y, [*TRAIN[1], *TEST[1]])


def test_npz_columns_are_numbered(tmp_path):
    np.savez(tmp_path / "two.NPZ.npz", x=np.ones((5, 3)), y=np.ones((5, 2)))
    source = read_source(tmp_path / "two.NPZ.npz", None)
    assert (source.feature_names, source.target_name) == (("x0", "x1", "x2"), "y")


def test_columns_by_name(tmp_path):
    np.savez(tmp_path / "two.npz", x=np.arange(6).reshape(3, 2), y=np.ones(3))
    columns = read_source(tmp_path / "two.npz", None).columns
    assert {name: list(column) for name, column in columns.items()} == {
        "x0": [0, 2, 4],
        "x1": [1, 3, 5],
    }
    columns = read_source(csv(tmp_path, "size,place,price\n1,a,2\n3,b,4\n"), "price").columns
    assert {name: list(column) for name, column in columns.items()} == {
        "size": [1, 3],
        "place": ["a", "b"],
    }
    np.savez(tmp_path / "images.npz", x=TRAIN[0], y=TRAIN[1])
    assert read_source(tmp_path / "images.npz", None).columns == {}


def test_csv(tmp_path):
    source = read_source(str(csv(tmp_path, "a,price,b\n1,20230101,x\n2,20230102,\n")), "price")
    assert (source.name, source.feature_names, source.target_name) == ("data", ("a", "b"), "price")
    np.testing.assert_array_equal(source.y, [20230101, 20230102])  # float32 could not tell them
    assert list(source.x["b"]) == ["x", ""]


def test_large_integers_are_numbers(tmp_path):
    source = read_source(csv(tmp_path, f"a,y\n{10**20},{2**53}\n7,{2**53 + 1}\n"), "y")
    np.testing.assert_array_equal(source.x["a"], np.float32([1e20, 7]))
    assert source.y.tolist() == [2**53, 2**53 + 1]


def test_a_target_of_texts_stays_as_written(tmp_path):
    assert list(read_source(csv(tmp_path, "a,y\n1,01\n2,A\n"), "y").y) == ["01", "A"]


@pytest.mark.parametrize("target", ["a", "b"])
def test_a_column_of_numbers_with_a_few_texts_is_refused(tmp_path, target):
    rows = ["1,5", "2,6", "n.a.,7", "x3,5", "4,6", "5,7", "n.a.,7", "7,7"]
    with pytest.raises(
        ValueError, match=r"column 'a' must hold.* Received: 'n\.a\.', 'x3' in 3 of 8 rows.* empty"
    ):
        read_source(csv(tmp_path, "\n".join(["a,b", *rows])), target)


@pytest.mark.parametrize("values", [["0,5", "1,5", "2,5"], ["1,5", "2", "?", "-3,5"]])
def test_decimal_commas_are_refused(tmp_path, values):
    path = csv(tmp_path, "\n".join(["a;y", *(f"{value};{value}" for value in values)]))
    with pytest.raises(ValueError, match=r"column 'a' must hold numbers .* decimal points.* '.,5'"):
        read_source(path, "y")


@pytest.mark.parametrize(
    "values", [["1", "x", "y"], ["01", "02", "A"], ["true", "False", ""], ["1/2", "1.5.", "3 4"]]
)
def test_codes_and_texts_stay_categories(tmp_path, values):
    path = csv(
        tmp_path, "\n".join(["a,y", *(f"{value},{row}" for row, value in enumerate(values))])
    )
    assert list(read_source(path, "y").x["a"]) == values


@pytest.mark.parametrize(
    ("text", "target", "match"),
    [
        ("a,price\n1,2\n", "prize", r"columns \['a', 'price'\]\. Did you mean 'price'"),
        ("a,price\n1,2\n", None, r"target=None, columns \['a', 'price'\]\. Choose one"),
        ("a|price\n1|2\n", "price", r"columns \['a|price'\]"),
        ("price\n1\n", "price", "columns beside the target"),
        ("a,b\n1,x\n2,\n3,\n", "b", r"column 'b' must have a value in each row.* 2 of 3 rows"),
        ("a,b\n1,x\n2,None\n", "b", r"1 of 2 rows without; NA, None, .* count as missing"),
        ("a,b\n1,2\n2,inf\n", "b", r"'b' must hold finite numbers.* 'inf'.* Leave these rows out"),
        ("a,b\n1,2\n2,1e299\n", "b", r"'b' must hold finite numbers, below 3\.4e38.* '1e\+299'"),
        (f"a,b\n1,2\n2,{10**299}\n", "b", r"'b' must hold finite numbers, below 3\.4e38"),
        (f"a,b\n1,2\n{10**299},3\n", "b", r"'a' must hold finite.* Leave the field empty"),
        ("sepal,species\n1,2\n", "petals", "Choose one of them"),
    ],
)
def test_csv_errors(tmp_path, text, target, match):
    with pytest.raises(ValueError, match=match):
        read_source(csv(tmp_path, text), target)


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("digit", "`source` must be one of .*Did you mean 'digits'"),
        ("data.parquet", r"a path that ends in \.csv or \.npz.* source='data.parquet'"),
        ("", "`source` must be a file.* a directory"),
    ],
)
def test_unknown_sources(source, match):
    with pytest.raises(ValueError, match=match):
        read_source(source, None)


@pytest.mark.parametrize("source", ["iris", "boston_housing", "titanic"])
def test_only_a_slip_of_the_pen_is_mended(source):
    with pytest.raises(ValueError, match="`source` must be one of") as caught:
        read_source(source, None)
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["", ".csv", ".npz"])
def test_a_directory_is_refused(tmp_path, suffix):
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    with pytest.raises(ValueError, match=r"`source` must be a file.* a directory"):
        read_source(folder, None)


@pytest.mark.parametrize("name", ["no.csv", "no.npz"])
def test_a_file_that_is_not_there(name):
    with pytest.raises(FileNotFoundError, match=f"`source` must be a file that exists.*{name}"):
        read_source(name, None)


@pytest.mark.parametrize("source", [np.ones((3, 2)), None, 3, b"digits", ["digits"]])
def test_a_source_is_a_name_or_a_path(source):
    with pytest.raises(TypeError, match=r"`source` must be a name or a path(?s:.*) np\.savez"):
        read_source(source, None)


def test_a_target_is_for_a_csv(tmp_path):
    with pytest.raises(ValueError, match=r"`target` must be None unless `source` is a CSV"):
        read_source("digits", "digit")
    with pytest.raises(TypeError, match="`target` must be the name of a column"):
        read_source(csv(tmp_path, "a,b\n1,2\n"), 1)


def test_scikit_learn_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-recipes\[recipes\]'"):
        read_source("digits", None)
