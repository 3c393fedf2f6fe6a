import pickle

import keras
import numpy as np
import pytest
from keras.wrappers import SKLearnClassifier, SKLearnRegressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_score
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


def test_can_be_pickled_before_it_is_fitted():
    network = pickle.loads(pickle.dumps(SKLearnRegressor(regressor_for, model_kwargs=SMALL)))
    assert isinstance(network.model(np.zeros((3, 2)), np.zeros((3, 1)), **SMALL), keras.Model)


def test_an_unknown_setup():
    with pytest.raises(ValueError, match="`setup` must be"):
        regressor_for(np.zeros((3, 2)), np.zeros((3, 1)), setup="defualt")
