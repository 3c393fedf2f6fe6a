import pickle

import keras
import numpy as np
import pytest
from keras.wrappers import SKLearnClassifier, SKLearnRegressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import keras_recipes as kr
from keras_recipes.scikit_learn import classifier_for, regressor_for

SMALL = {"hidden_units": (20,), "optimizer": "adam", "learning_rate": 0.01, "seed": 0}
FIT = {"epochs": 15, "verbose": 0}


def test_classifies_in_a_pipeline_and_in_cross_validation_as_well_as_a_linear_model():
    x, y = load_wine(return_X_y=True)
    labels = np.array(["barolo", "grignolino", "barbera"])[y]
    network = SKLearnClassifier(classifier_for, model_kwargs=SMALL)
    pipeline = make_pipeline(StandardScaler(), network)
    params = {f"sklearnclassifier__{name}": value for name, value in FIT.items()}
    scores = cross_val_score(pipeline, x, labels, cv=3, params=params)
    linear = cross_val_score(make_pipeline(StandardScaler(), LogisticRegression()), x, labels, cv=3)
    assert scores.mean() > linear.mean() - 0.03
    pipeline.fit(x, labels, **params)
    assert set(pipeline.predict(x)) == set(labels)
    assert pipeline.score(x, labels) > 0.95


def test_two_classes():
    x, y = load_wine(return_X_y=True)
    network = SKLearnClassifier(
        classifier_for, model_kwargs={**SMALL, "setup": "self-normalizing"}, fit_kwargs=FIT
    )
    assert network.fit(x, y == 1).score(x, y == 1) > 0.95
    assert network.model_.name == "self_normalizing_dnn"


def test_probabilities_are_scored_by_a_function_where_scikit_learn_wants_others():
    x, y = load_breast_cancer(return_X_y=True)
    scores = {
        "area": lambda network, x, y: roc_auc_score(y, network.decision_function(x)[:, 1]),
        "entropy": lambda network, x, y: log_loss(y, network.decision_function(x)),
    }
    network = SKLearnClassifier(classifier_for, model_kwargs=SMALL)
    for name, score in scores.items():
        found = cross_val_score(network, x, y, cv=2, params=FIT, scoring=score)
        assert found.min() > 0.97 if name == "area" else found.max() < 0.2
    for scoring in ("roc_auc", "neg_log_loss"):  # what the docstring says
        with pytest.raises((ValueError, AttributeError)):
            cross_val_score(network, x, y, cv=2, params=FIT, scoring=scoring, error_score="raise")


def test_regresses_as_well_as_a_linear_model():
    x, y = load_diabetes(return_X_y=True)
    network = TransformedTargetRegressor(
        SKLearnRegressor(regressor_for, model_kwargs=SMALL), transformer=StandardScaler()
    )
    scores = cross_val_score(network, x, y, cv=3, params=FIT)
    assert scores.mean() > cross_val_score(LinearRegression(), x, y, cv=3).mean() - 0.1


def test_trains_with_one_cycle():
    x, y = load_diabetes(return_X_y=True)
    y = (y - y.mean()) / y.std()
    network = SKLearnRegressor(regressor_for, model_kwargs={"seed": 0})
    network.fit(x, y, epochs=10, verbose=0, callbacks=[kr.callbacks.OneCycle(0.01)])
    assert network.score(x, y) > 0.4


def test_a_grid_of_keywords_is_searched():
    x, y = load_wine(return_X_y=True)
    grid = {"model_kwargs": [{**SMALL, "l2": l2} for l2 in (1e-3, 10.0)]}
    search = GridSearchCV(SKLearnClassifier(classifier_for), grid, cv=2)
    search.fit(x, y, **FIT)
    assert search.best_params_["model_kwargs"]["l2"] == 1e-3
    assert search.best_score_ > 0.9


def fit_by_steps(network, x, y, steps):
    """Takes as many steps over all rows, in one epoch."""
    rows = np.tile(np.arange(len(x)), steps)
    network.fit(x[rows], y[rows], batch_size=len(x), epochs=1, shuffle=False, verbose=0)


LINEAR = {"setup": "linear", "learning_rate": 0.5, "l2": 1e-3}


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
def test_logistic_regression_is_that_of_scikit_learn(load):
    x, y = load(return_X_y=True)
    ours = SKLearnClassifier(classifier_for, model_kwargs=LINEAR)
    fit_by_steps(ours, x, y, 400)
    reference = LogisticRegression(C=1 / (2 * len(x) * 1e-3), max_iter=10_000)
    x_scaled = StandardScaler().fit_transform(x)
    expected = reference.fit(x_scaled, y).predict_proba(x_scaled)
    np.testing.assert_allclose(ours.decision_function(x), expected, atol=0.02)


def test_linear_regression_is_that_of_scikit_learn():
    x, y = load_diabetes(return_X_y=True)
    ours = SKLearnRegressor(regressor_for, model_kwargs={"setup": "linear", "learning_rate": 0.1})
    fit_by_steps(ours, x, y, 500)
    assert ours.score(x, y) == pytest.approx(LinearRegression().fit(x, y).score(x, y), abs=1e-3)


def test_a_convolutional_network_takes_images_in_rows():
    x, y = load_digits(return_X_y=True)
    keywords = {"setup": "cnn", "filters": (8,), "optimizer": "adam", "learning_rate": 0.01}
    network = SKLearnClassifier(classifier_for, model_kwargs={**keywords, "seed": 0})
    assert network.fit(x, y, epochs=3, verbose=0).score(x, y) > 0.9


def test_can_be_pickled_before_it_is_fitted():
    network = pickle.loads(pickle.dumps(SKLearnRegressor(regressor_for, model_kwargs=SMALL)))
    assert isinstance(network.model(np.zeros((3, 2)), np.zeros((3, 1)), **SMALL), keras.Model)


def test_an_unknown_setup():
    with pytest.raises(ValueError, match="`setup` must be"):
        regressor_for(np.zeros((3, 2)), np.zeros((3, 1)), setup="defualt")
