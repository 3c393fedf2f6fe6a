"""What the callbacks share that record inside the step: `LayerHealth` and `StepLog`."""

import keras
import numpy as np
import pytest

import keras_recipes as kr
from keras_recipes.callbacks import LayerHealth, StepLog

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = X[:, :1]


class Interrupt(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyboardInterrupt


@pytest.fixture
def model():
    return kr.build_default_dnn(4, hidden_units=(5,), seed=1)


@pytest.mark.parametrize("kind", [LayerHealth, StepLog])
def test_a_fit_that_was_interrupted_leaves_nothing_to_the_next_one(model, kind):
    interrupted, after = kind(every=1), kind(every=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, callbacks=[interrupted, Interrupt()], verbose=0)
    model.fit(X, Y, callbacks=[after], verbose=0)
    assert (interrupted.steps, after.steps) == ([0, 1], [2, 3])
    assert not {"train_step", "compute_loss", kind.__name__} & set(vars(model))
    assert "apply" not in vars(model.optimizer)


@pytest.mark.parametrize("kind", [LayerHealth, StepLog])
@pytest.mark.parametrize("train", [kr.fit, keras.Model.fit], ids=["ours", "keras"])
def test_two_of_a_kind_are_refused(model, kind, train):
    with pytest.raises(ValueError, match=f"must have one {kind.__name__} at most"):
        train(model, X, Y, callbacks=[kind(), kind()], verbose=0)
    train(model, X, Y, epochs=1, callbacks=[kind()], verbose=0)
