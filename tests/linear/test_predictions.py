import numpy as np
import pytest
from scipy.special import logit
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression

import keras_recipes as kr
from keras_recipes.linear import predict_log_odds, predict_odds, predict_probabilities


def fitted(data):
    """A scikit-learn model and one of ours with its weights."""
    x, y = data(return_X_y=True)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    theirs = LogisticRegression().fit(x, y)
    ours = kr.build_logistic_regression(x.shape[1], len(theirs.classes_))
    ours.set_weights([theirs.coef_.T, theirs.intercept_])
    return x, theirs, ours


@pytest.mark.parametrize("data", [load_breast_cancer, load_iris])
def test_against_scikit_learn(data):
    x, theirs, ours = fitted(data)
    expected = theirs.predict_proba(x)
    probabilities = predict_probabilities(ours, x)
    assert probabilities.dtype == "float64"
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    inside = (expected > 1e-6) & (expected < 1 - 1e-6)
    log_odds = predict_log_odds(ours, x)
    np.testing.assert_allclose(log_odds[inside], logit(expected[inside]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(predict_odds(ours, x), np.exp(log_odds))
    if expected.shape[1] == 2:
        np.testing.assert_allclose(log_odds[:, 1], theirs.decision_function(x), rtol=1e-4)
        np.testing.assert_allclose(log_odds[:, 0], -log_odds[:, 1], rtol=1e-9)


def test_agrees_with_what_the_model_predicts():
    x, _, ours = fitted(load_iris)
    np.testing.assert_allclose(predict_probabilities(ours, x), kr.predict(ours, x), atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_log_odds_keep_their_digits_where_probabilities_have_none(n_classes):
    model = kr.build_logistic_regression(1, n_classes)
    kernel = [[1.0]] if n_classes == 2 else [[0.0, 1.0, -1.0]]
    model.set_weights([np.array(kernel), np.zeros(np.shape(kernel)[1])])
    x = np.array([[80.0], [-80.0], [600.0], [800.0]])
    log_odds = predict_log_odds(model, x)
    np.testing.assert_allclose(log_odds[:, 1], [80, -80 if n_classes == 2 else -160, 600, 800])
    assert np.isposinf(predict_odds(model, x)[3, 1])
    np.testing.assert_array_equal(predict_probabilities(model, x)[[0, 2, 3], 1], 1)


def test_uniform_classes_have_even_odds():
    model = kr.build_logistic_regression((2, 2), 4)
    np.testing.assert_allclose(predict_odds(model, np.ones((3, 2, 2))), np.full((3, 4), 1 / 3))


@pytest.mark.parametrize("function", [predict_probabilities, predict_log_odds, predict_odds])
@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"model": 3}, TypeError, "`model` must be a keras.Model"),
        ({"model": kr.build_linear_regression(4)}, ValueError, "'sigmoid' or 'softmax'"),
        ({"model": kr.build_default_dnn(4, 2, "multilabel")}, ValueError, "Received: Dense 'hid"),
        ({"x": np.ones((3, 5))}, ValueError, "`x` must have the shape"),
        ({"x": [["a"] * 4]}, TypeError, "`x` must hold numbers"),
    ],
)
def test_bad_arguments_are_refused(function, arguments, error, match):
    arguments = {"model": kr.build_logistic_regression(4), "x": np.ones((3, 4)), **arguments}
    with pytest.raises(error, match=match):
        function(**arguments)
