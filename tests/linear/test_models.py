"""Gradient descent against scikit-learn, by the conversions that the docstrings have."""

import keras
import numpy as np
import pytest
import sklearn
import tensorflow as tf
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

import keras_recipes as kr

BUILDERS = [kr.build_linear_regression, kr.build_logistic_regression]
X, Y = load_diabetes(return_X_y=True)
X = StandardScaler().fit_transform(X)
TWO = np.column_stack([Y, np.roll(Y, 1) + 20 * X[:, 2]])
N = len(X)


def trained(model, x, y, steps=1500):
    """By batch gradient descent: each step sees all examples."""
    model.steps_per_execution = 500
    batch = tf.data.Dataset.from_tensors((x.astype("float32"), y))
    model.fit(batch.repeat(), steps_per_epoch=steps, shuffle=False, verbose=0)
    return model.get_layer("output").get_weights()


def least_squares(n_outputs=1, **penalties):
    model = kr.build_linear_regression(10, n_outputs, learning_rate=0.1, **penalties)
    kernel, bias = trained(model, X, Y if n_outputs == 1 else TWO)
    return kernel.T, bias


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_ridge(n_outputs):
    coefficients, bias = least_squares(n_outputs, l2=0.1)
    expected = Ridge(alpha=N * n_outputs * 0.1).fit(X, Y if n_outputs == 1 else TWO)
    np.testing.assert_allclose(coefficients, np.atleast_2d(expected.coef_), rtol=1e-3)
    np.testing.assert_allclose(bias, np.ravel(expected.intercept_), rtol=1e-3)


@pytest.mark.parametrize("l1", [0.5, 2.0, 20.0])
def test_lasso_has_the_support_of_scikit_learns(l1):
    coefficients, bias = least_squares(l1=l1)
    expected = Lasso(alpha=l1 / 2, tol=1e-10, max_iter=100_000).fit(X, Y)
    np.testing.assert_array_equal(coefficients[0] != 0, expected.coef_ != 0)
    np.testing.assert_allclose(coefficients[0], expected.coef_, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(bias[0], expected.intercept_, rtol=1e-3)
    assert (coefficients == 0).any()


@pytest.mark.parametrize("clip", [{"clipvalue": 1.0}, {"clipnorm": 5.0}, {"global_clipnorm": 5.0}])
def test_lasso_with_clipping_is_the_same(clip):
    coefficients, bias = least_squares(l1=4.0, **clip)
    expected = Lasso(alpha=2.0, tol=1e-10, max_iter=100_000).fit(X, Y)
    np.testing.assert_array_equal(coefficients[0] != 0, expected.coef_ != 0)
    np.testing.assert_allclose(coefficients[0], expected.coef_, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(bias[0], expected.intercept_, rtol=1e-3)


def test_lasso_of_two_targets():
    coefficients, _ = least_squares(2, l1=5.0)
    expected = Lasso(alpha=2 * 5.0 / 2, tol=1e-10).fit(X, TWO)
    np.testing.assert_array_equal(coefficients != 0, expected.coef_ != 0)
    np.testing.assert_allclose(coefficients, expected.coef_, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_elastic_net(n_outputs):
    l1, l2, k = 4.0, 0.1, n_outputs
    coefficients, _ = least_squares(n_outputs, l1=l1, l2=l2)
    y = Y if n_outputs == 1 else TWO
    expected = ElasticNet(alpha=k * (l1 / 2 + l2), l1_ratio=l1 / (l1 + 2 * l2), tol=1e-10).fit(X, y)
    np.testing.assert_array_equal(coefficients != 0, np.atleast_2d(expected.coef_) != 0)
    np.testing.assert_allclose(coefficients, np.atleast_2d(expected.coef_), rtol=2e-3, atol=2e-3)
    assert (coefficients == 0).any()


def test_the_penalty_in_the_loss_gives_no_zeros():
    coefficients, _ = least_squares(l1=20.0, exact_zeros=False)
    assert (coefficients != 0).all()


def test_stochastic_gradient_descent_is_the_lms_rule():
    model = kr.build_linear_regression(10, optimizer="sgd", learning_rate=0.001)
    model.fit(X, Y, batch_size=1, shuffle=False, verbose=0)
    weights, bias, rate = np.zeros(10), 0.0, 2 * 0.001
    for x, y in zip(X, Y, strict=True):
        error = y - (x @ weights + bias)
        weights, bias = weights + rate * error * x, bias + rate * error
    kernel, found = model.get_layer("output").get_weights()
    np.testing.assert_allclose(kernel[:, 0], weights, rtol=1e-3)
    assert found[0] == pytest.approx(bias, rel=1e-4)


def test_mini_batches_and_1cycle_keep_the_support():
    x = 3 * X + 5
    model = kr.build_linear_regression(10, l1=20.0, adapt_to=x)
    kr.fit(model, x, Y, epochs=30, max_learning_rate=0.01, verbose=0, seed=1)
    expected = Lasso(alpha=10.0).fit(X, Y).coef_
    kernel = model.get_layer("output").get_weights()[0][:, 0]
    np.testing.assert_array_equal(kernel != 0, expected != 0)
    np.testing.assert_allclose(kernel, expected, atol=0.5)


def log_reg(l1_ratio=0.0, **arguments):
    """scikit-learn's, whose name for the penalty has changed."""
    old = tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8)
    if old:
        arguments["penalty"] = {0.0: "l2", 1.0: "l1"}.get(l1_ratio, "elasticnet")
    if l1_ratio:
        arguments["solver"] = "saga"
    if l1_ratio and not (old and l1_ratio == 1.0):
        arguments["l1_ratio"] = l1_ratio
    return LogisticRegression(max_iter=100_000, tol=1e-6, **arguments)


def classes(data):
    x, y = data(return_X_y=True)
    return StandardScaler().fit_transform(x), y


@pytest.mark.parametrize(
    ("data", "l1", "l2"),
    [
        (load_breast_cancer, 0.0, 1e-3),
        (load_iris, 0.0, 1e-3),
        (load_iris, 0.01, 0.0),
        (load_iris, 0.01, 0.005),
    ],
)
def test_logistic_regression(data, l1, l2):
    x, y = classes(data)
    n_classes = len(np.unique(y))
    model = kr.build_logistic_regression(
        x.shape[1], n_classes, l1=l1, l2=l2, learning_rate=0.5, optimizer="nesterov"
    )
    kernel, bias = trained(model, x, y, 2000)
    if not l1:
        expected = log_reg(C=1 / (2 * len(x) * l2)).fit(x, y)
    else:
        expected = log_reg(l1 / (l1 + 2 * l2), C=1 / (len(x) * (l1 + 2 * l2))).fit(x, y)
    theirs = log_loss(y, expected.predict_proba(x))
    ours = kr.evaluate(model, x, y)["loss"] - l2 * (kernel**2).sum()
    assert ours == pytest.approx(theirs, rel=0.01)
    np.testing.assert_allclose(kernel.T, expected.coef_, atol=0.02)
    if l1:
        np.testing.assert_array_equal(kernel.T != 0, expected.coef_ != 0)
        assert (kernel == 0).any()
    if n_classes == 2:
        assert bias[0] == pytest.approx(expected.intercept_[0], abs=0.01)


EXACT = {"epochs": 2000, "schedule": None}  # with batches of all


@pytest.mark.filterwarnings("ignore:The loss did not diverge up to")  # where classes are apart
@pytest.mark.parametrize("data", [load_iris, load_wine, load_breast_cancer])
@pytest.mark.parametrize(
    ("l2", "builds", "fits"),
    [(None, {}, {"epochs": 200}), (1e-4, {"learning_rate": 0.5}, EXACT)],
    ids=["default penalty", "weak penalty"],
)
def test_the_calls_that_the_docstring_recommends_reach_the_minimum(data, l2, builds, fits):
    x, y = classes(data)
    l2 = l2 or 1 / (2 * len(x))  # C=1
    model = kr.build_logistic_regression(x.shape[1], len(np.unique(y)), l2=l2, **builds)
    if fits is EXACT:
        fits = {**fits, "batch_size": len(x)}
    kr.fit(model, x, y, **fits, seed=0, verbose=0)
    expected = log_reg(C=1 / (2 * len(x) * l2)).fit(x, y)
    minimum = log_loss(y, expected.predict_proba(x)) + l2 * (expected.coef_**2).sum()
    assert kr.evaluate(model, x, y)["loss"] == pytest.approx(minimum, rel=0.002)


@pytest.mark.parametrize(
    ("builds", "fits", "error"),
    [
        ({}, {"epochs": 200}, 0.05),
        ({"learning_rate": 0.1}, {"batch_size": N, "epochs": 1000, "schedule": None}, 1e-4),
    ],
    ids=["batches of 32", "of all"],
)
def test_the_calls_that_the_docstring_recommends_reach_least_squares(builds, fits, error):
    model = kr.build_linear_regression(10, **builds)
    kr.fit(model, X, Y, **fits, seed=0, verbose=0)
    expected = LinearRegression().fit(X, Y).coef_
    found = model.get_layer("output").get_weights()[0][:, 0]
    assert np.abs(found - expected).max() < error * np.abs(expected).max()


def test_what_is_built():
    model = kr.build_linear_regression((3, 2), 4, adapt_to=np.arange(12.0).reshape(2, 3, 2))
    names = [layer.name for layer in model.layers]
    assert names == ["input", "normalization", "flatten", "output"]
    assert (model.output_shape, model.loss) == ((None, 4), "mean_squared_error")
    for n_classes, units, activation in ((2, 1, "sigmoid"), (3, 3, "softmax")):
        output = kr.build_logistic_regression(5, n_classes).get_layer("output")
        assert (output.units, output.activation.__name__) == (units, activation)
        assert not output.kernel.numpy().any()


@pytest.mark.parametrize("build", BUILDERS)
def test_the_penalty_is_in_the_step_or_in_the_loss(build):
    stepped, in_loss = build(3, l1=0.1, l2=0.2), build(3, l1=0.1, l2=0.2, exact_zeros=False)
    assert stepped.optimizer.l1 == 0.1
    assert float(stepped.get_layer("output").kernel_regularizer.l1) == 0
    assert type(in_loss.optimizer) is kr.optimizers.SGD
    regularizer = in_loss.get_layer("output").kernel_regularizer
    assert (float(regularizer.l1), float(regularizer.l2)) == pytest.approx((0.1, 0.2))
    assert type(build(3).optimizer) is kr.optimizers.SGD
    assert build(3, l1=0.1, exact_zeros=False, optimizer="nadam").optimizer.beta_1 == 0.9


@pytest.mark.parametrize("build", BUILDERS)
def test_saved_and_loaded_it_goes_on_the_same(build, tmp_path):
    y = Y if build is BUILDERS[0] else Y > 150
    model = build(10, l1=0.05, adapt_to=X, optimizer="nesterov", name="mine")
    model.fit(X, y, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert (again.name, again.optimizer.l1) == ("mine", 0.05)
    for each in (model, again):
        each.fit(X, y, shuffle=False, verbose=0)
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = kr.build_linear_regression(10, l1=20.0, adapt_to=X)
        model.fit(X, Y, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert (model.get_layer("output").kernel.numpy() == 0).any()
    with pytest.raises(ValueError, match="no L1 penalty"):
        kr.solve_normal_equation(model, X, Y)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize(
    ("keywords", "error", "match"),
    [
        ({"input_shape": 0}, ValueError, "without the batch axis"),
        ({"l1": -0.1}, ValueError, "`l1` must be in"),
        ({"l2": np.nan}, ValueError, "`l2` must be in"),
        ({"l1": "x"}, TypeError, "`l1` must be a number"),
        ({"exact_zeros": 1}, TypeError, "`exact_zeros` must be True or False"),
        ({"l1": 0.1, "optimizer": "adam"}, ValueError, "'nesterov', .*exact_zeros=False"),
        (
            {"l1": 0.1, "optimizer": keras.optimizers.SGD()},
            ValueError,
            "`l1` must be None where the optimizer is an object",
        ),
        ({"adapt_to": X[:, :3]}, ValueError, r"shape \(n, 10\)"),
        ({"learning_rate": 0}, ValueError, "`learning_rate`"),
        ({"momentum": 2}, ValueError, "`momentum`"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, ValueError, "At most one"),
        ({"metrics": "mae"}, TypeError, "`metrics`"),
        ({"name": ""}, ValueError, "`name`"),
    ],
)
def test_bad_arguments_are_refused(build, keywords, error, match):
    with pytest.raises(error, match=match):
        build(**{"input_shape": 10, **keywords})


def test_bad_numbers_of_outputs_are_refused():
    with pytest.raises(ValueError, match=r"`n_outputs` must be in .* number of targets"):
        kr.build_linear_regression(3, 0)
    with pytest.raises(ValueError, match=r"`n_classes` must be in .* pass 2"):
        kr.build_logistic_regression(3, 1)
    with pytest.raises(TypeError, match="`n_classes` must be an integer"):
        kr.build_logistic_regression(3, "2")
