import re
import sys

import numpy as np
import pytest

from keras_recipes.datasets.tables import read_csv, typed_columns


@pytest.fixture
def columns(tmp_path):
    def load(text):
        path = tmp_path / "data.csv"
        path.write_text(text)
        return typed_columns(read_csv("source", path))

    return load


def test_columns_are_numbers_where_all_values_are(columns):
    got = columns("a,b,c,d,e\n1,x,01,true,1e5\n,,A,False,-2\n")
    np.testing.assert_array_equal(got["a"], np.float32([1, np.nan]))
    np.testing.assert_array_equal(got["e"], np.float32([1e5, -2]))
    assert got["a"].dtype == np.float32
    assert list(got["b"]) == ["x", ""]
    assert list(got["c"]) == ["01", "A"]  # as written, not "1"
    assert list(got["d"]) == ["true", "False"]


def test_a_column_can_be_told_to_be_texts(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b\n01,1\n02,\n")
    frame = read_csv("path", path, ["a", "not there"])
    assert list(frame["a"]) == ["01", "02"]
    assert frame["b"].dtype == float


@pytest.mark.parametrize(
    "text",
    [
        "a;b,c;d\n1;x, y;3\n2;;4\n",
        "a\tb,c\td\n1\tx, y\t3\n2\t\t4\n",
        '\na, "b,c", d\r\n1, "x, y", 3\r\n2, , 4\r\n',
        '\ufeff"a","b,c","d"\n1,"x, y",3\n2,,4\n',
        'a,"b,c",d\n1,"x, y",3\n2,,4\n',
    ],
)
def test_the_header_tells_the_separator(columns, text):
    got = columns(text)
    assert list(got) == ["a", "b,c", "d"]
    assert list(got["b,c"]) == ["x, y", ""]
    np.testing.assert_array_equal([got["a"], got["d"]], [[1, 2], [3, 4]])


def test_separators_in_a_quoted_header_are_none(columns):
    assert list(columns('a,"b;\n;c"\n1,2\n')) == ["a", "b;\n;c"]


def test_a_column_without_any_value_is_numeric(columns):
    assert np.isnan(columns("a,b\n,1\n,2\n")["a"]).all()


@pytest.mark.parametrize("number", ["inf", "-inf", "1e+300"])
def test_an_infinite_number_is_an_error_that_names_the_column(columns, number):
    with pytest.raises(
        ValueError, match=rf"column 'a b' must hold finite.* '{re.escape(number)}' in row 1"
    ):
        columns(f"a b,c\n1,2\n{number},2\n")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", r"must be a CSV file in UTF-8 with a header\. .*No columns"),
        (b"a,b\n", "Received: .*, no rows\\. .*write at least one row"),
        (b"a,b\n1,2\n1,2,3,4\n", "must be a CSV file .*Expected 2 fields in line 3, saw 4"),
        (b"a,b\n1,2,3\n4,5,6\n", "as many fields as its header.*, more fields"),
        (b"a, b,b\n1,2,3\n", "columns have different names.*, more than one 'b'"),
        ("a,b\né,1\n".encode("latin-1"), r"must be a CSV file in UTF-8 .*Save it in UTF-8\."),
        (b"a,b\n" + b"1,2\n" * 99999 + b"\xe9,1\n", r"Save it in UTF-8\."),
        ("a,b\n1,2\n".encode("utf-16"), r"Save it in UTF-8\."),
    ],
)
def test_what_is_not_a_csv_is_refused(tmp_path, content, match):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=match):
        read_csv("source", path)


def test_what_is_not_a_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`path` must be a file that exists.*no\.csv"):
        read_csv("path", tmp_path / "no.csv")
    with pytest.raises(ValueError, match=r"`path` must be a file.* a directory"):
        read_csv("path", tmp_path)
    with pytest.raises(TypeError, match="`path` must be a path"):
        read_csv("path", 3)


def test_pandas_is_asked_for(tmp_path, monkeypatch):
    (tmp_path / "data.csv").write_text("a\n1\n")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-recipes\[recipes\]'"):
        read_csv("source", tmp_path / "data.csv")
