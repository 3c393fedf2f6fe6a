import keras
import numpy as np
import pytest

from keras_recipes import build_default_dnn, make_schedule
from keras_recipes.callbacks import PerformanceScheduling

ZEROS = np.zeros((8, 2), "float32")


class Losses(keras.callbacks.Callback):
    """Puts given validation losses into the logs."""

    def __init__(self, losses):
        super().__init__()
        self.losses = losses

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = self.losses[epoch]


def rates(callback, losses, model=None, first=0):
    model = model or build_default_dnn(2, hidden_units=(2,), learning_rate=0.8)
    history = model.fit(
        ZEROS, ZEROS[:, 0], initial_epoch=first, epochs=len(losses), verbose=0,
        callbacks=[Losses(losses), callback],
    )  # fmt: skip
    return [*history.history["learning_rate"], float(model.optimizer.learning_rate)]


LOSSES = [3, 2, 2, 2, 2, 1, 1, 1, 1, 1]


def test_it_halves_the_rate_where_keras_does():
    ours = rates(PerformanceScheduling(patience=2), LOSSES)
    theirs = rates(
        keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=2, min_delta=1e-4), LOSSES
    )
    assert ours == theirs
    assert ours[-1] == pytest.approx(0.8 / 8)


@pytest.mark.parametrize("stop", [1, 3, 4, 6, 7])
def test_its_state_survives_a_resume(stop):
    model = build_default_dnn(2, hidden_units=(2,), learning_rate=0.8)
    first = PerformanceScheduling(patience=2)
    before = rates(first, LOSSES[:stop], model)[:-1]
    state = first.get_state()

    class Resumed(PerformanceScheduling):
        def on_train_begin(self, logs=None):
            super().on_train_begin(logs)
            self.set_state(state)

    after = rates(Resumed(patience=2), LOSSES, first=stop)
    assert before + after == pytest.approx(rates(PerformanceScheduling(patience=2), LOSSES))


def test_a_later_initial_epoch_goes_on_and_a_new_training_starts_anew():
    model = build_default_dnn(2, hidden_units=(2,), learning_rate=0.8)
    callback = PerformanceScheduling(patience=2)
    whole = rates(PerformanceScheduling(patience=2), LOSSES)
    assert rates(callback, LOSSES[:4], model)[:-1] + rates(callback, LOSSES, model, 4) == whole
    assert rates(callback, LOSSES) == whole


def test_a_schedule_in_the_optimizer_is_refused():
    model = build_default_dnn(2, learning_rate=make_schedule("power", 0.1, 100))
    with pytest.raises(TypeError, match="learning rate is a number"):
        model.fit(ZEROS, ZEROS[:, 0], callbacks=[PerformanceScheduling()], verbose=0)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"factor": 1.0}, "`factor`"),
        ({"patience": 0}, "`patience`"),
        ({"mode": "lowest"}, "`mode`"),
        ({"min_delta": -1.0}, "`min_delta`"),
        ({"cooldown": -1}, "`cooldown`"),
        ({"min_learning_rate": -0.1}, "`min_learning_rate`"),
        ({"verbose": 2}, "`verbose`"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        PerformanceScheduling(**arguments)


@pytest.mark.parametrize(
    ("monitor", "error"), [(3, TypeError), (None, TypeError), ("", ValueError)]
)
def test_the_monitor_is_a_name(monitor, error):
    with pytest.raises(error, match="`monitor` must be the name of a quantity"):
        PerformanceScheduling(monitor=monitor)
