"""The mean of models as one model."""

import types

import keras
import numpy as np
import pytest

import keras_recipes as kr
from tuner.averaging import mean_of, validation_loss

X = np.random.default_rng(0).normal(size=(50, 4)).astype("float32")


@pytest.mark.parametrize(
    ("task", "n_outputs"), [("regression", 2), ("multiclass", 3), ("binary", 1)]
)
def test_it_predicts_the_mean_and_is_saved_whole(task, n_outputs, tmp_path):
    models = [
        kr.build_default_dnn(4, n_outputs, task, hidden_units=(units,), optimizer=optimizer, seed=1)
        for units, optimizer in ((5, "momentum"), (5, "adam"), (7, "nadam"))
    ]
    expected = np.mean([model.predict(X, verbose=0) for model in models], axis=0)
    mean_of(models).save(tmp_path / "mean.keras")
    model = keras.saving.load_model(tmp_path / "mean.keras")
    found = model.predict(X, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.abs(found - models[0].predict(X, verbose=0)).max() > 1e-3
    assert model.count_params() == sum(each.count_params() for each in models)
    assert len(model.optimizer.variables) == 2  # of no use, and no larger than it must be


def test_it_is_judged_as_its_parts_are():
    models = [kr.build_default_dnn(4, 3, "multiclass", seed=seed) for seed in (1, 2)]
    y = np.arange(50) % 3
    model = mean_of(models)
    guessed = np.mean([each.predict(X, verbose=0) for each in models], axis=0).argmax(-1)
    assert kr.evaluate(model, X, y)["accuracy"] == pytest.approx(np.mean(guessed == y))


def test_the_penalties_of_its_parts_are_not_in_its_validation_loss():
    models = [kr.build_default_dnn(4, 3, "multiclass", l2=0.1, seed=seed) for seed in (1, 2)]
    y = np.arange(50) % 3
    mean = mean_of(models)
    guessed = np.mean([each.predict(X, verbose=0) for each in models], axis=0)
    expected = -np.mean(np.log(guessed[np.arange(50), y]))
    data = types.SimpleNamespace(x_val=X, y_val=y)
    assert validation_loss(mean, data) == pytest.approx(expected, rel=1e-4)
    assert kr.evaluate(mean, X, y)["loss"] > 2 * expected
