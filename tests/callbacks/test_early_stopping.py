import keras
import numpy as np
import pytest

from keras_recipes import build_default_dnn
from keras_recipes.callbacks import EarlyStopping

X = np.ones((8, 2), "float32")


class Losses(keras.callbacks.Callback):
    """Puts given validation losses into the logs, and marks the epoch in a weight."""

    def __init__(self, losses):
        super().__init__()
        self.losses = losses

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = self.losses[epoch]
        self.model.get_layer("output").bias.assign([float(epoch)])


def run(callback, losses):
    model = build_default_dnn(2, hidden_units=(2,))
    history = model.fit(
        X, X[:, 0], epochs=len(losses), verbose=0, callbacks=[Losses(losses), callback]
    )
    return len(history.epoch), float(model.get_layer("output").bias[0])


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_it_stops_and_restores_as_keras_does(patience):
    losses = [3, 2, 2.5, 2.4, 2.3, 1, 1, 1, 1, 1]
    theirs = keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
    assert run(EarlyStopping(patience), losses) == run(theirs, losses)


def test_epochs_before_the_start_are_not_looked_at():
    assert run(EarlyStopping(2, start_from_epoch=3), [5, 1, 9, 4, 3, 3, 3]) == (7, 4.0)


def test_each_training_starts_anew():
    callback = EarlyStopping(2)
    assert run(callback, [1, 2, 3]) == (3, 0.0)
    assert run(callback, [5, 4, 6]) == (3, 1.0)


def test_its_state_survives_a_resume():
    losses = [3, 2, 2.5, 2.4, 2.3, 2.2]
    first, second = EarlyStopping(4), EarlyStopping(4)
    run(first, losses[:3])
    state, best = first.get_state(), first.best_weights
    run(second, [9])
    second.set_state(state)
    assert (second.best, second.wait, second.best_epoch) == (2, 1, 1)
    assert best is not None


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"patience": 0}, ValueError, "Or leave it out"),
        ({"patience": 2.0}, TypeError, "`patience`"),
        ({"start_from_epoch": -1}, ValueError, "`start_from_epoch`"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        EarlyStopping(**arguments)


@pytest.mark.parametrize(
    ("monitor", "error"), [(3, TypeError), (None, TypeError), ("", ValueError)]
)
def test_the_monitor_is_a_name(monitor, error):
    with pytest.raises(error, match="`monitor` must be the name of a quantity"):
        EarlyStopping(monitor=monitor)
