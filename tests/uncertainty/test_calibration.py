import keras
import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

import keras_recipes as kr
from keras_recipes.uncertainty import MCPrediction, calibration
from keras_recipes.uncertainty.moments import entropy

RNG = np.random.default_rng(0)


def classes(n=3000, n_classes=4):
    """Probabilities, and labels that are drawn from them: calibrated by construction."""
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(n_classes), n).astype("float32")
    labels = np.array([rng.choice(n_classes, p=p / p.sum()) for p in probabilities.astype(float)])
    return of_link(probabilities, "softmax"), labels


def of_link(probabilities, link):
    uncertain = np.asarray(entropy(probabilities, link))
    return MCPrediction(probabilities, 0 * probabilities, uncertain, 0 * uncertain, 10)


def of_normal(mean, std):
    return MCPrediction(mean, std, None, None, 10)


def test_calibrated_classes_have_little_error():
    prediction, labels = classes()
    found = calibration(prediction, labels)
    assert found.expected_calibration_error < 0.03
    assert found.counts.sum() == len(labels)
    sure = of_link(np.eye(4, dtype="float32")[prediction.mean.argmax(axis=1)], "softmax")
    overconfident = calibration(sure, labels)
    right = (prediction.mean.argmax(axis=1) == labels).mean()
    assert overconfident.expected_calibration_error == pytest.approx(1 - right)
    assert overconfident.brier_score > found.brier_score
    assert np.isfinite(overconfident.log_loss)


def test_scores_of_classes_are_scikit_learns():
    prediction, labels = classes()
    found = calibration(prediction, labels[:, None].astype(float))
    assert found.log_loss == pytest.approx(log_loss(labels, prediction.mean), rel=1e-4)
    each = (brier_score_loss(labels == k, prediction.mean[:, k]) for k in range(4))
    assert found.brier_score == pytest.approx(sum(each), rel=1e-5)


def test_expected_calibration_error_by_hand():
    prediction = of_link(np.float32([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.35, 0.65]]), "softmax")
    found = calibration(prediction, [0, 1, 1, 1])
    # Bins of a fifteenth: {0.9, 0.9} half of it right, {0.8} right, {0.65} right.
    np.testing.assert_allclose(found.predicted, [0.65, 0.8, 0.9], rtol=1e-6)
    np.testing.assert_allclose(found.observed, [1, 1, 0.5])
    assert found.expected_calibration_error == pytest.approx((0.35 + 0.2 + 2 * 0.4) / 4)


@pytest.mark.parametrize("shape", [(4000,), (4000, 1), (2000, 2)])
def test_sigmoids_are_looked_at_each(shape):
    rng = np.random.default_rng(1)
    probabilities = rng.random(shape if len(shape) > 1 else (*shape, 1)).astype("float32")
    y = (rng.random(probabilities.shape) < probabilities).reshape(shape)
    found = calibration(of_link(probabilities, "sigmoid"), y)
    assert found.expected_calibration_error < 0.03
    flat = y.ravel().astype(int), probabilities.ravel()
    assert found.brier_score == pytest.approx(brier_score_loss(*flat), rel=1e-5)
    assert found.log_loss == pytest.approx(log_loss(*flat), rel=1e-4)


def test_what_is_sure_and_wrong_counts_the_same_on_both_sides():
    sure = np.float32([[0], [1e-30], [1]])
    either = [calibration(of_link(sure, "sigmoid"), y).log_loss for y in ([1, 1, 1], [0, 0, 0])]
    np.testing.assert_allclose(either, np.log(2**24) * np.array([2, 1]) / 3, rtol=1e-6)
    sure = of_link(np.float32([[1 - 1e-30, 1e-30]]), "softmax")  # has its own number for each side
    assert calibration(sure, [1]).log_loss == pytest.approx(30 * np.log(10))


def test_half_precision_is_taken():
    probabilities = RNG.uniform(0.1, 0.9, (40, 1)).astype("float32")
    y = RNG.integers(0, 2, 40)
    half = keras.ops.convert_to_numpy(keras.ops.cast(probabilities, "bfloat16"))
    scores = [calibration(each, y).log_loss for each in (half, half.astype("float32"))]
    assert scores[0] == scores[1]


def test_noise_of_a_regression_is_found():
    rng = np.random.default_rng(1)
    mean = rng.normal(size=(20_000, 2))
    std = rng.uniform(0.1, 0.5, mean.shape)
    y = rng.normal(mean, np.sqrt(std**2 + np.array([0.3, 2.0]) ** 2))
    prediction = of_normal(mean, std)
    found = calibration(prediction, y, validation=(prediction, y))
    np.testing.assert_allclose(found.noise_std, [0.3, 2.0], rtol=0.05)
    for level, share in found.coverage.items():
        assert share == pytest.approx(level, abs=0.01)
    np.testing.assert_allclose(found.observed, found.predicted, atol=0.015)
    # No other noise makes these targets likelier.
    for factor in (0.9, 1.1):
        variance = std**2 + (factor * found.noise_std) ** 2
        density = -0.5 * ((y - mean) ** 2 / variance + np.log(2 * np.pi * variance))
        assert density.sum(axis=1).mean() < found.log_likelihood
    assert calibration(prediction, y).coverage[0.9] < 0.6


def test_there_may_be_no_noise():
    mean, std = np.zeros((5000, 1)), np.full((5000, 1), 2.0)
    y = np.random.default_rng(1).normal(0, 1, 5000)  # less than the draws differ
    found = calibration(of_normal(mean, std), y, validation=(of_normal(mean, std), y))
    np.testing.assert_allclose(found.noise_std, 0, atol=1e-6)


@pytest.mark.parametrize("seed", [53, 196, 255, 277])
def test_the_noise_is_the_likeliest_of_several(seed):
    rng = np.random.default_rng(seed)
    size = rng.integers(5, 40)
    variance = rng.lognormal(0, 3, (size, 1))
    y = np.sqrt(variance) * rng.standard_t(3, (size, 1)) * rng.lognormal(0, 1)
    prediction = of_normal(np.zeros((size, 1)), np.sqrt(variance))
    found = calibration(prediction, y, validation=(prediction, y))
    for noise in np.append(0, np.geomspace(1e-12, 1, 600) * np.max(y**2)):
        density = -0.5 * (y**2 / (variance + noise) + np.log(2 * np.pi * (variance + noise)))
        assert density.mean() < found.log_likelihood + 1e-4


def test_right_predictions_overflow_nothing():
    zeros, tiny = np.zeros((20, 2)), np.full((20, 2), 1e-30)
    with pytest.raises(ValueError, match="no noise"):
        calibration(of_normal(zeros, zeros), zeros, validation=(of_normal(zeros, zeros), zeros))
    found = calibration(of_normal(zeros, tiny), zeros, validation=(of_normal(zeros, tiny), zeros))
    np.testing.assert_array_equal(found.noise_std, 0)
    found = calibration(of_normal(zeros, zeros), tiny, validation=(of_normal(zeros, zeros), tiny))
    np.testing.assert_allclose(found.noise_std, 1e-30, rtol=1e-6)


def test_probabilities_of_predict_are_looked_at_alike():
    prediction, labels = classes()
    ours, theirs = calibration(prediction.mean, labels), calibration(prediction, labels)
    for name in ("expected_calibration_error", "brier_score", "log_loss"):
        assert getattr(ours, name) == getattr(theirs, name)
    each = np.eye(4)[labels]
    sigmoids = prediction.mean * [0.9, 0.8, 0.7, 0.6]  # rows that do not add up to 1
    for found in (calibration(sigmoids, each), calibration(prediction.mean[:, 0], each[:, 0])):
        assert 0 < found.brier_score < theirs.brier_score
    with pytest.raises(ValueError, match="Undo a one-hot encoding"):
        calibration(prediction.mean, each)


def test_numbers_of_predict_have_the_noise_alone():
    rng = np.random.default_rng(1)
    mean = rng.normal(size=(5000, 1))
    y = mean + rng.normal(0, 0.5, mean.shape)
    found = calibration(mean, y, validation=(mean, y))
    np.testing.assert_allclose(found.noise_std, np.sqrt(np.mean((y - mean) ** 2)), rtol=1e-4)
    assert found.coverage[0.9] == pytest.approx(0.9, abs=0.01)
    flat = calibration(mean[:, 0], y[:, 0], validation=(mean[:, 0], y[:, 0]))
    assert flat.log_likelihood == found.log_likelihood


def test_of_a_network():
    data = kr.load_dataset("diabetes", seed=0)
    model = kr.build_default_dnn(
        data.input_shape, adapt_to=data.adapt_to, dropout=0.2, hidden_units=(30, 30), seed=1
    )
    kr.fit(model, data.x_train, data.y_train, epochs=20, max_learning_rate=0.01, seed=1, verbose=0)
    prediction, of_validation = (
        kr.mc_predict(model, x, 100, seed=1) for x in (data.x_test, data.x_val)
    )
    bare = calibration(prediction, data.y_test)
    found = calibration(prediction, data.y_test, validation=(of_validation, data.y_val))
    assert bare.coverage[0.9] < found.coverage[0.9] <= 1
    assert found.log_likelihood > bare.log_likelihood


@pytest.mark.parametrize("kind", ["classes", "regression"])
def test_plots_a_reliability_diagram(kind):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    prediction, y = classes(200) if kind == "classes" else (of_normal(X, X**2 + 1), X)
    found = calibration(prediction, y)
    axes = found.plot()
    line = axes.get_lines()[1]
    assert not line.get_clip_on()
    assert not any(dots.get_clip_on() for dots in axes.collections)
    np.testing.assert_array_equal(line.get_xdata(), found.predicted)
    np.testing.assert_array_equal(line.get_ydata(), found.observed)
    assert found.plot(axes) is axes
    pyplot.close("all")


X = RNG.normal(size=(50, 1))
PAIRS = np.hstack([X, X])
SOFTMAX = of_link(np.full((50, 3), 1 / 3, "float32"), "softmax")
SIGMOID = of_link(np.full((50, 1), 0.5, "float32"), "sigmoid")


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((list(X), X), TypeError, "`prediction` must be what mc_predict or predict returned"),
        ((X, X), ValueError, "`prediction` must be probabilities"),
        ((SOFTMAX.mean / 2, np.zeros(50, int)), ValueError, "after a softmax with a sum of 1"),
        ((X * np.nan, X), ValueError, "`prediction` must be finite"),
        ((of_normal(X * np.nan, X), X), ValueError, "`prediction` must be finite"),
        ((X[:0], X[:0]), ValueError, "`prediction` must have at least 1 example"),
        ((of_normal(X, X * np.nan), X), ValueError, "`prediction.std` must be finite"),
        ((of_normal(X[:0], X[:0]), X[:0]), ValueError, "`prediction` must have at least 1 example"),
        ((of_link(SOFTMAX.mean[:0], "softmax"), []), ValueError, "must have at least 1 example"),
        ((SOFTMAX, X), ValueError, "integer labels from 0 to 2"),
        ((SOFTMAX, np.full(50, 3)), ValueError, "integer labels from 0 to 2"),
        ((SOFTMAX, np.full(49, 1)), ValueError, r"of shape \(50,\)"),
        ((SIGMOID, np.full(50, 2)), ValueError, "`y` must be 0 and 1"),
        ((SIGMOID, np.full(49, 1)), ValueError, "`y` must have the shape"),
        ((of_normal(X, X), np.full(50, np.nan)), ValueError, "`y`"),
        ((of_normal(X, 0 * X), X), ValueError, "draws that differ, or a noise"),
        ((of_normal([X], [X]), X), TypeError, "`prediction.mean` must be an array"),
        ((SOFTMAX, np.zeros(50, int), (SOFTMAX, X)), ValueError, "`validation` must be None"),
        ((of_normal(X, X), X, [X, X]), TypeError, "`validation` must be a tuple"),
        ((of_normal(X, X), X, ("x", X)), TypeError, r"`validation\[0\]` must be what mc_predict"),
        ((of_normal(X, X), X, (X, X)), ValueError, "the same kind .* Received: array"),
        ((of_normal(X, X), X, (SIGMOID, X)), ValueError, "the same kind .* Received: sigmoid"),
        ((of_normal(X, X), X, (of_normal(PAIRS, PAIRS), PAIRS)), ValueError, r"\('n', 1\)"),
        ((X, X, (PAIRS, PAIRS)), ValueError, r"Received: array of shape \(50, 2\)"),
        ((X, X, (X[:0], X[:0])), ValueError, r"`validation\[0\]` must have at least 1 example"),
        ((X, X, (X,)), ValueError, r"`validation` must be a tuple \(prediction, y\)"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    prediction, y, *validation = arguments
    with pytest.raises(error, match=match):
        calibration(prediction, y, validation=validation[0] if validation else None)


def test_of_several_outputs_one_is_taken():
    x = keras.Input((2,))
    hidden = keras.layers.Dropout(0.5)(x)
    model = keras.Model(x, [keras.layers.Dense(1)(hidden), keras.layers.Dense(1)(hidden)])
    prediction = kr.mc_predict(model, np.ones((5, 2)), 3)
    with pytest.raises(TypeError, match="Of several outputs make an MCPrediction of one"):
        calibration(prediction, np.ones(5))
