"""The closed form against scikit-learn."""

import tracemalloc
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.preprocessing import StandardScaler

import keras_recipes as kr
from keras_recipes.linear import batches
from keras_recipes.linear.normal_equation import Moments, solve

X, Y = load_diabetes(return_X_y=True, scaled=False)
TWO = np.column_stack([Y, np.roll(Y, 1)])


def solved(x, y, l2=0.0, n_outputs=1, sample_weight=None, **keywords):
    shape = keywords.pop("input_shape", np.shape(x)[1:])
    model = kr.build_linear_regression(shape, n_outputs, **keywords)
    kr.solve_normal_equation(model, x, y, l2, sample_weight=sample_weight)
    return model.get_layer("output").get_weights()


def as_dataset(*parts, batch_size=50):
    return tf.data.Dataset.from_tensor_slices(parts).batch(batch_size)


class Sequence(keras.utils.PyDataset):
    """Batches that do not say where they end, unless they are counted."""

    @property
    def num_batches(self):
        return 9

    def __getitem__(self, index):
        rows = slice(50 * index, 50 * index + 50)
        return X[rows], Y[rows]


@pytest.mark.parametrize("y", [Y, Y[:, np.newaxis], TWO], ids=["flat", "column", "two"])
def test_is_ordinary_least_squares(y):
    outputs = y.reshape(len(y), -1).shape[1]
    kernel, bias = solved(X, y, n_outputs=outputs)
    expected = LinearRegression().fit(X, y)
    np.testing.assert_allclose(kernel.T, np.atleast_2d(expected.coef_), rtol=1e-3)
    np.testing.assert_allclose(bias, np.ravel(expected.intercept_), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("y", [Y, TWO], ids=["one", "two"])
@pytest.mark.parametrize("l2", [1e-3, 0.3, 30.0])
def test_with_a_penalty_it_is_ridge(l2, y):
    outputs = y.reshape(len(y), -1).shape[1]
    kernel, bias = solved(X, y, l2, n_outputs=outputs)
    expected = Ridge(alpha=len(X) * outputs * l2).fit(X, y)
    np.testing.assert_allclose(kernel.T, np.atleast_2d(expected.coef_), rtol=1e-3)
    np.testing.assert_allclose(bias, np.ravel(expected.intercept_), rtol=1e-3)


def test_the_penalty_is_on_the_weights_of_the_standardized_inputs():
    kernel, bias = solved(X, Y, 0.3, adapt_to=X)
    expected = Ridge(alpha=len(X) * 0.3).fit(StandardScaler().fit_transform(X), Y)
    np.testing.assert_allclose(kernel[:, 0], expected.coef_, rtol=1e-3)
    np.testing.assert_allclose(bias, expected.intercept_, rtol=1e-5)


def test_the_model_then_predicts_so():
    model = kr.build_linear_regression(10, adapt_to=X)
    kr.solve_normal_equation(model, X, Y)
    expected = LinearRegression().fit(X, Y).predict(X)
    np.testing.assert_allclose(kr.predict(model, X)[:, 0], expected, rtol=1e-3)


def test_gradient_descent_can_do_no_better():
    model = kr.build_linear_regression(10, l2=0.1, adapt_to=X, learning_rate=0.1)
    kr.solve_normal_equation(model, X, Y, l2=0.1)
    before = kr.evaluate(model, X, Y)["loss"]
    model.fit(X, Y, batch_size=len(X), epochs=5, verbose=0)
    assert kr.evaluate(model, X, Y)["loss"] == pytest.approx(before, rel=1e-5)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: as_dataset(X, Y), id="dataset"),
        pytest.param(
            lambda: tf.data.Dataset.from_generator(
                lambda: ((X[i : i + 50], Y[i : i + 50]) for i in range(0, len(X), 50)),
                output_types=("float64", "float64"),
            ),
            id="generator",
        ),
        pytest.param(lambda: Sequence(), id="sequence"),
    ],
)
def test_streams_over_a_dataset(data):
    kernel, bias = solved(data(), None, 0.01, input_shape=10)
    expected_kernel, expected_bias = solved(X, Y, 0.01)
    np.testing.assert_allclose(kernel, expected_kernel, rtol=1e-6)
    np.testing.assert_allclose(bias, expected_bias, rtol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 7, 32])
def test_small_batches_are_joined(batch_size, monkeypatch):
    weight = np.random.default_rng(0).uniform(0, 2, len(X))
    expected = solved(X, Y, sample_weight=weight)
    added, add = [], Moments.add
    monkeypatch.setattr(batches, "ROWS", 100)
    monkeypatch.setattr(
        Moments,
        "add",
        lambda self, rows, *weight: added.append(len(rows)) or add(self, rows, *weight),
    )
    data = as_dataset(X, Y, weight, batch_size=batch_size)
    for ours, whole in zip(solved(data, None, input_shape=10), expected, strict=True):
        np.testing.assert_allclose(ours, whole, rtol=1e-6)
    assert sum(added) == len(X)
    assert all(100 <= rows < 100 + batch_size for rows in added[:-1])


def test_goes_over_the_data_once_and_holds_few_batches_at_a_time():
    class Stream(keras.utils.PyDataset):
        num_batches, batch_bytes, taken = 400, 500 * 20 * 8, 0

        def __getitem__(self, index):
            self.taken += 1
            x = np.random.default_rng(index).normal(size=(500, 20))
            return x, x @ np.arange(20.0)

    data = Stream()
    tracemalloc.start()
    try:
        kernel, _ = solved(data, None, input_shape=20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(kernel[:, 0], np.arange(20), atol=1e-5)
    assert data.taken == data.num_batches
    assert peak < 40 * data.batch_bytes  # a tenth of the data


def test_moments_keep_their_size():
    rng = np.random.default_rng(0)
    moments = Moments(5, 1)
    rows = rng.normal(size=(4000, 6))
    for batch in np.split(rows, 400):
        moments.add(batch, np.ones(10))
        assert moments.products.shape == (6, 6)
    centred = rows - rows.mean(axis=0)
    np.testing.assert_allclose(moments.products, centred.T @ centred, rtol=1e-10, atol=1e-9)


def test_large_means_do_not_cost_the_digits():
    rng = np.random.default_rng(0)
    means = np.array([1e7, -1e7, 0])
    x = means + rng.normal(size=(5000, 3))
    y = (x - means) @ [1.0, 2.0, 3.0]
    kernel, _ = solved(x, y)
    np.testing.assert_allclose(kernel[:, 0], [1, 2, 3], rtol=1e-6)
    gram = np.hstack([x, np.ones((5000, 1))])
    plain = np.linalg.lstsq(gram.T @ gram, gram.T @ y, rcond=None)[0]
    assert np.abs(plain[:3] - [1, 2, 3]).max() > 1e-3  # what centring is for


SINGULAR = {
    "copy": np.column_stack([X, X[:, 2]]),
    "sum": np.column_stack([X, X[:, 0] + X[:, 1] * 10]),
    "constant": np.column_stack([X, np.full(len(X), 0.1)]),
    "wide": X[:6],
    "scales": np.column_stack([X, X[:, 2] * 1e6, X[:, 3] * 1e-4]),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_of_a_singular_matrix_takes_the_smallest_weights_and_says_so(name):
    x = SINGULAR[name]
    y = Y[: len(x)]
    rank = np.linalg.matrix_rank(StandardScaler().fit_transform(x))
    with pytest.warns(
        UserWarning, match=f"numerically singular: the {x.shape[1]} features have rank {rank} "
    ):
        kernel, bias = solved(x, y)
    # scikit-learn's own cut-off is relative to the largest scale: in units of deviations it is right.
    centred = x - x.mean(axis=0)
    scale = np.linalg.norm(centred, axis=0)
    expected = minimum_norm(centred, y - y.mean(), np.where(scale > 1e-9, scale, 1.0))
    np.testing.assert_allclose(kernel[:, 0], expected, rtol=1e-3, atol=1e-6)
    if name not in ("scales", "wide"):  # where older ones of scikit-learn keep what is rounding
        theirs = LinearRegression().fit(x, y)
        np.testing.assert_allclose(kernel[:, 0], theirs.coef_, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(bias, theirs.intercept_, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("large", "small"), [(1e9, 1e-2), (1e6, 1e-6)])
def test_of_a_copy_takes_the_smallest_weights_beside_features_of_another_scale(large, small):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 4)) * [1, large, small, 1]
    x = np.column_stack([x, 2 * x[:, 1]])
    weights = np.array([1, 1 / large, 1 / small, 2, 0])
    with pytest.warns(UserWarning, match="the 5 features have rank 4 "):
        kernel, _ = solved(x, x @ weights)
    weights[[1, 4]] = np.array([0.2, 0.4]) / large  # along (1, 2), which is what x has of both
    np.testing.assert_allclose(kernel[:, 0], weights, rtol=1e-5)


@pytest.mark.parametrize("degree", [8, 9, 10])
def test_powers_that_are_nearly_dependent_are_not_singular(degree):
    rng = np.random.default_rng(0)
    t = rng.uniform(size=500)
    x = t[:, np.newaxis] ** np.arange(1, degree + 1)
    y = np.sin(8 * t) + 0.01 * rng.normal(size=500)
    model = kr.build_linear_regression(degree)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kr.solve_normal_equation(model, x, y)
    error = np.sqrt(np.mean((kr.predict(model, x)[:, 0] - y) ** 2))
    least = np.sqrt(np.mean((LinearRegression().fit(x, y).predict(x) - y) ** 2))
    assert error < 1.01 * least


@pytest.mark.parametrize(("rows", "features"), [(500, 10), (5000, 300)])
def test_a_sum_in_single_precision_is_singular(rows, features):
    x = np.random.default_rng(0).normal(size=(rows, features)).astype("float32")
    x[:, -1] = x[:, :-1].sum(axis=1, dtype="float32")
    with pytest.warns(UserWarning, match=f"have rank {features - 1} "):
        solved(x, x[:, 0])


def minimum_norm(x, y, scale):
    """By singular values, and of the solutions the one that is orthogonal to the null space."""
    left, values, right = np.linalg.svd(x / scale, full_matrices=True)
    rank = (values > 1e-9 * values[0]).sum()
    solution = (right[:rank].T @ (left[:, :rank].T @ y / values[:rank])) / scale
    null = right[rank:].T / scale[:, np.newaxis]
    return solution - null @ np.linalg.lstsq(null, solution, rcond=None)[0]


def test_a_penalty_mends_a_singular_matrix():
    x = SINGULAR["copy"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kernel, _ = solved(x, Y, 0.01)
    expected = Ridge(alpha=len(X) * 0.01).fit(x, Y)
    np.testing.assert_allclose(kernel[:, 0], expected.coef_, rtol=1e-3)


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_sample_weights(l2):
    weight = np.random.default_rng(0).uniform(0, 2, len(X))
    weight[:100] = 0
    expected = Ridge(alpha=len(X) * l2).fit(X, Y, sample_weight=weight)
    for kernel, bias in (
        solved(X, Y, l2, sample_weight=weight),
        solved(as_dataset(X, Y, weight), None, l2, input_shape=10),
    ):
        np.testing.assert_allclose(kernel[:, 0], expected.coef_, rtol=1e-3)
        np.testing.assert_allclose(bias, expected.intercept_, rtol=1e-3)


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_a_model_of_the_users_own(l2):
    model = keras.Sequential(
        [
            keras.Input((5, 2)),
            keras.layers.Flatten(),
            keras.layers.Dense(1, use_bias=False, activation="linear"),
        ]
    )
    kr.solve_normal_equation(model, X.reshape(-1, 5, 2), Y, l2)
    expected = Ridge(alpha=len(X) * l2, fit_intercept=False).fit(X, Y)
    np.testing.assert_allclose(model.get_weights()[0][:, 0], expected.coef_, rtol=1e-3)


def test_solve_tells_the_rank():
    solution, rank = solve(np.zeros((2, 2)), np.zeros((2, 1)))
    np.testing.assert_array_equal(solution, 0)
    assert rank == 0
    solution, rank = solve(np.diag([1e-8, 1e8]), np.array([[1e-8], [2e8]]))
    np.testing.assert_allclose(solution, [[1], [2]])
    assert rank == 2


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"l2": -1}, ValueError, "`l2` must be in"),
        ({"l2": "x"}, TypeError, "`l2` must be a number"),
        ({"model": "model"}, TypeError, "`model` must be a keras.Model"),
        ({"model": kr.build_default_dnn(10)}, ValueError, "then Normalization and Flatten if any"),
        ({"model": kr.build_logistic_regression(10)}, ValueError, "activation 'linear'. Received"),
        (
            {"model": keras.Sequential([keras.layers.Dense(1)])},
            ValueError,
            "`model` must have an input of a known shape",
        ),
        (
            {"model": keras.Sequential([keras.Input((4, 10)), keras.layers.Dense(1)])},
            ValueError,
            "one Dense layer",
        ),
        ({"model": kr.build_linear_regression(10, l1=0.5)}, ValueError, "no L1 penalty.*l1=0.5"),
        (
            {"model": kr.build_linear_regression(10, l1=0.5, exact_zeros=False)},
            ValueError,
            "no L1 penalty.*l1=0.5",
        ),
        (
            {"model": kr.build_linear_regression(10, l2=0.1), "l2": 0.2},
            ValueError,
            "that of the model, 0.1. Received: l2=0.2. Pass l2=0.1",
        ),
        ({"y": None}, ValueError, "`y` must be given with arrays"),
        ({"x": X[:, :4]}, ValueError, "`x` must have the shape"),
        ({"y": TWO}, ValueError, "`y` must have the shape"),
        ({"y": Y[:9]}, ValueError, "same number of examples"),
        ({"x": np.where(X > 300, np.nan, X)}, ValueError, "`x` must be finite"),
        ({"x": iter([X])}, TypeError, "Wrap it: tf.data.Dataset.from_generator"),
        ({"sample_weight": -np.ones(len(X))}, ValueError, "no value below 0"),
        ({"sample_weight": np.zeros(len(X))}, ValueError, "weights are not all 0"),
        ({"x": as_dataset(X, Y)}, TypeError, "must be None where `x` is a dataset"),
        ({"x": as_dataset(X, Y).repeat(), "y": None}, ValueError, "must come to an end"),
        ({"x": as_dataset(X, Y).take(0), "y": None}, ValueError, "Received: 0 examples"),
        ({"x": as_dataset(X), "y": None}, ValueError, "In batch 0 there must be"),
        ({"x": as_dataset(X[:, 1:], Y), "y": None}, ValueError, "In batch 0 `x` must have the sha"),
        ({"x": as_dataset(X, TWO), "y": None}, ValueError, "In batch 0 `y` must have 1 targets"),
        (
            {"x": as_dataset(X, np.where(Y > 340, np.inf, Y)), "y": None},
            ValueError,
            r"In batch \d `y` must be finite",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    arguments = {"model": kr.build_linear_regression(10), "x": X, "y": Y, **arguments}
    with pytest.raises(error, match=match):
        kr.solve_normal_equation(**arguments)
