import contextlib

import numpy as np
import pytest

from keras_recipes.datasets.selection import informative_columns


def test_columns_that_do_not_vary_are_left_out():
    columns = {
        "constant": np.float32([1, 1]),
        "one value and a gap": np.float32([1, np.nan]),
        "empty": np.float32([np.nan, np.nan]),
        "same text": np.array(["a", "a"], dtype=object),
        "text and a gap": np.array(["a", ""], dtype=object),
        "varies": np.float32([1, 2]),
    }
    with pytest.warns(UserWarning, match=r"\['constant', 'one value and a gap', 'empty', 'same t"):
        kept = informative_columns(columns)
    assert list(kept) == ["text and a gap", "varies"]


@pytest.mark.parametrize(
    ("n_distinct", "n_rows", "left_out"),
    [(101, 201, True), (101, 202, False), (21, 21, True), (20, 20, False)],
)
def test_texts_that_are_nearly_all_different_are_left_out(n_distinct, n_rows, left_out):
    texts = np.array([f"name {row % n_distinct}" for row in range(n_rows)], dtype=object)
    columns = {"name": texts, "number": np.arange(n_rows, dtype=np.float32)}
    expected = (
        pytest.warns(UserWarning, match=r"\['name'\] are left out: .* identifiers")
        if left_out
        else contextlib.nullcontext()
    )
    with expected:
        kept = informative_columns(columns)
    assert list(kept) == (["number"] if left_out else ["name", "number"])
