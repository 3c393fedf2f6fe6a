import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_recipes import build_default_dnn
from keras_recipes.adaptation import standardize

X = np.random.default_rng(0).normal(3, 2, size=(100, 4)).astype("float32")


class Batches(keras.utils.PyDataset):
    """Batches of 8 rows of an array."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def __len__(self):
        return -(-len(self.rows) // 8)

    def __getitem__(self, index):
        return self.rows[8 * index : 8 * index + 8]


def dataset(rows):
    return tf.data.Dataset.from_tensor_slices(rows)


@pytest.mark.parametrize(
    "adapt_to",
    [
        X,
        X.tolist(),
        tf.constant(X),
        dataset(X).batch(8),
        dataset(X),
        dataset((X, X[:, 0])).batch(8),
        dataset(X).batch(8).filter(lambda rows: True),
        Batches(X),
    ],
    ids=[
        "array",
        "list",
        "tensor",
        "dataset",
        "unbatched",
        "with_y",
        "unknown_length",
        "pydataset",
    ],
)
def test_it_learns_mean_and_variance_of_all_that_holds_inputs(adapt_to):
    mean, variance, _ = standardize(adapt_to, (4,)).get_weights()
    np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(variance, X.var(axis=0), rtol=1e-5)


def test_it_learns_what_keras_learns():
    images = np.random.default_rng(1).uniform(size=(9000, 2, 3, 4))  # more than one piece
    theirs = keras.layers.Normalization()
    theirs.adapt(images)
    for our, their in zip(
        standardize(images, (2, 3, 4)).get_weights(), theirs.get_weights(), strict=True
    ):
        np.testing.assert_allclose(our, their, rtol=1e-5)


@pytest.mark.parametrize(
    "as_data", [lambda rows: rows, lambda rows: dataset(rows).batch(8), Batches]
)
@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (X[:, :1], r"numbers of shape \(n, 4\)"),
        (X[:, :2], r"numbers of shape \(n, 4\)"),
        (X[:0], "n > 0"),
        (X.astype(str), "be numbers"),
        (X + 1j, "be numbers"),
        (np.where(X > 5, np.nan, X), "be finite"),
        (np.where(X > 5, np.inf, X), "be finite"),
        (np.where(np.arange(4) == 2, 1e300, X.astype(float)), r"in the features \[2\]"),
        (np.where(X > 5, 1e39, X.astype(float)), "its variance in float32 too"),
        (np.where(X > 5, 1e30, X.astype(float)), "its variance in float32 too"),
    ],
    ids=["one", "two", "none", "text", "complex", "nan", "inf", "huge", "beyond", "squares"],
)
def test_what_cannot_be_inputs_is_refused(as_data, rows, match):
    with pytest.raises(ValueError, match=f"`adapt_to` must .*{match}"):
        build_default_dnn(4, hidden_units=(5,), adapt_to=as_data(rows))


@pytest.mark.parametrize(
    ("adapt_to", "match"),
    [
        (dataset(X).batch(8).repeat(), "come to an end"),
        (dataset({"a": X}).batch(8), "numbers of shape"),
        ([[1.0, 2.0], [3.0]], "inhomogeneous"),
        (3.0, "numbers of shape"),
        (iter([X]), "numbers of shape"),
    ],
)
def test_what_is_not_data_is_refused(adapt_to, match):
    with pytest.raises(ValueError, match=f"`adapt_to` must .*{match}"):
        build_default_dnn(4, hidden_units=(5,), adapt_to=adapt_to)
