import gc
import json
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_recipes as kr
from keras_recipes import schedules
from keras_recipes.callbacks import (
    EarlyStopping,
    LayerHealth,
    MagnitudePruning,
    OneCycle,
    PerformanceScheduling,
    Schedule,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).astype("float32")
Y = X[:, 0] * 2 + X[:, 1]


def build(**keywords):
    return kr.build_default_dnn(4, hidden_units=(8,), seed=1, **keywords)


def fit(model=None, x=X, y=Y, **keywords):
    model = model or build()
    keywords = {"validation_split": 0.25, "epochs": 3, "verbose": 0, "seed": 1, **keywords}
    return model, kr.fit(model, x, y, **keywords)


def weights(model):
    return np.concatenate([np.ravel(weight) for weight in model.get_weights()])


def test_it_trains_with_one_cycle():
    model, history = fit(epochs=8)
    assert history.history["val_loss"][-1] < 0.2 * history.history["val_loss"][0]
    expected = schedules.OneCycle(
        kr.find_learning_rate(build(), X[:150], Y[:150]).suggestion, 8 * 5
    )
    rates = [float(expected(5 * epoch + 4)) for epoch in range(8)]
    assert history.history["learning_rate"] == pytest.approx(rates)
    assert min(history.history["momentum"]) < 0.9
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)


@pytest.mark.parametrize("mixed", [False, True])
def test_a_training_leaves_no_graph_behind(mixed):
    def graphs():
        gc.collect()
        return sum(isinstance(each, tf.Graph) for each in gc.get_objects())

    def train():
        model = build()
        if mixed:
            loss_scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.RMSprop())
            model.compile(loss="mse", optimizer=loss_scaled)
        fit(model, schedule=None if mixed else "1cycle")

    train()
    before = graphs()
    for _ in range(3):
        train()
    keras.backend.clear_session()
    assert graphs() <= before


@pytest.mark.parametrize("steps_per_execution", [1, 3, "auto"])
def test_steps_per_execution_changes_the_speed_alone(steps_per_execution):
    one, _ = fit(steps_per_execution=1)
    model, _ = fit(steps_per_execution=steps_per_execution)
    np.testing.assert_allclose(weights(model), weights(one), rtol=1e-4, atol=1e-6)
    assert model.steps_per_execution == 1


def test_the_model_ends_with_the_weights_of_its_best_epoch():
    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.get_layer("output").bias.assign([100.0])

    model, history = fit(schedule=None, callbacks=[Spoil()])
    assert history.best_epoch == np.argmin(history.history["val_loss"]) == 1
    best = min(history.history["val_loss"])
    assert model.evaluate(X[150:], Y[150:], verbose=0)[0] == pytest.approx(best, rel=1e-4)


def test_early_stopping_under_one_cycle_waits_for_the_peak():
    noise = np.random.default_rng(1).normal(size=200)
    _, history = fit(y=noise, epochs=30, early_stopping=1, max_learning_rate=0.3)
    assert 14 < len(history.epoch) < 30
    _, history = fit(y=noise, epochs=30, early_stopping=1, schedule="constant")
    assert len(history.epoch) < 14
    _, history = fit(y=noise, epochs=16, early_stopping=None, schedule="constant")
    assert len(history.epoch) == 16


@pytest.mark.parametrize("schedule", ["constant", "power", "exponential", "piecewise"])
def test_other_schedules_by_name(schedule):
    _, history = fit(schedule=schedule, max_learning_rate=0.02)
    expected = kr.make_schedule(schedule, 0.02, 15)
    assert history.history["learning_rate"] == pytest.approx(
        [float(expected(step)) for step in (4, 9, 14)]
    )


def test_performance_scheduling_starts_from_the_rate_and_lowers_it():
    _, history = fit(
        y=np.random.default_rng(1).normal(size=200),
        epochs=14,
        schedule="performance",
        max_learning_rate=0.02,
    )
    assert history.history["learning_rate"][0] == pytest.approx(0.02)
    assert history.history["learning_rate"][-1] < 0.011


def test_performance_scheduling_with_a_patience_of_ones_own():
    mine = kr.callbacks.PerformanceScheduling(0.1, 1, monitor="loss", min_delta=100.0)
    _, history = fit(
        epochs=4, schedule="performance", max_learning_rate=0.02, callbacks=[mine]
    )  # no epoch but the first is an improvement
    rates = history.history["learning_rate"]
    assert rates == pytest.approx([0.02, 0.02, 0.002, 0.0002])


@pytest.mark.parametrize("schedule", ["1cycle", "performance", "exponential"])
def test_afterwards_the_optimizer_has_the_rate_that_it_was_compiled_with(schedule):
    model, _ = fit(build(learning_rate=0.02), schedule=schedule, max_learning_rate=0.1)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)


class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, inputs):
        return self.dense(inputs)


@pytest.mark.parametrize("make", [Subclass, lambda: keras.Sequential([keras.layers.Dense(1)])])
def test_a_model_that_is_not_built_yet(make, tmp_path):
    model = make()
    model.compile(keras.optimizers.SGD(), "mse")
    fit(model, epochs=6, schedule="constant", max_learning_rate=0.1, run_dir=tmp_path)
    assert model.evaluate(X, Y, verbose=0) < 0.1


def test_no_schedule_leaves_the_optimizer_as_compiled():
    ours, history = fit(schedule=None, early_stopping=None, validation_split=0.0)
    assert "learning_rate" not in history.history
    plain = build()
    keras.utils.set_random_seed(1)
    order_seed = np.random.randint(2**31)
    for epoch in range(3):
        order = np.random.default_rng([order_seed, epoch]).permutation(len(X))
        plain.fit(X[order], Y[order], shuffle=False, verbose=0)
    np.testing.assert_allclose(weights(ours), weights(plain), rtol=1e-4, atol=1e-6)


def test_datasets_and_sample_weights():
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(20)
    model = build()
    history = kr.fit(model, data, validation_data=data, epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 20
    assert len(history.history["val_loss"]) == 2
    only_first_half = np.repeat([1.0, 0.0], 100)
    wrong = np.where(only_first_half, Y, -100)
    model, _ = fit(y=wrong, sample_weight=only_first_half, epochs=20, validation_split=0.0)
    assert model.evaluate(X, Y, verbose=0)[0] < 1


def test_callbacks_of_the_user_see_every_epoch():
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs))
    _, history = fit(callbacks=[callback])
    assert [log["val_loss"] for log in seen] == history.history["val_loss"]


def test_the_run_directory_has_what_it_should(tmp_path):
    model, _ = fit(run_dir=tmp_path / "a" / "run")
    run = tmp_path / "a" / "run"
    assert sorted(os.listdir(run)) == ["checkpoints", "lock", "logs", "model.keras", "run.json"]
    best = keras.models.load_model(run / "model.keras")
    np.testing.assert_array_equal(weights(best), weights(model))
    settings = json.loads((run / "run.json").read_text())
    assert (settings["epochs"], settings["schedule"], settings["seed"]) == (3, "1cycle", 1)
    events = tf.data.TFRecordDataset([str(path) for path in (run / "logs").glob("events*")])
    tags = {
        value.tag
        for record in events
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value
    }
    assert {"epoch/loss", "epoch/val_loss", "epoch/learning_rate", "epoch/momentum"} <= tags
    best.fit(X, Y, verbose=0)


def test_a_finished_run_is_not_trained_again(tmp_path):
    model, history = fit(run_dir=tmp_path)
    again, repeated = fit(run_dir=tmp_path)
    assert repeated.history == history.history
    assert int(again.optimizer.iterations) == int(model.optimizer.iterations)
    np.testing.assert_array_equal(weights(again), weights(model))


@pytest.mark.parametrize("schedule", ["1cycle", "performance"])
def test_an_interrupted_run_goes_on_from_its_last_epoch(tmp_path, schedule):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 4:
                raise KeyboardInterrupt

    arguments = {"epochs": 8, "run_dir": tmp_path, "schedule": schedule, "resume": "auto"}
    with pytest.raises(KeyboardInterrupt):
        fit(callbacks=[Interrupt()], **arguments)
    model, history = fit(**arguments)
    assert len(history.history["val_loss"]) == 8
    assert int(model.optimizer.iterations) == 40
    if schedule == "1cycle":
        _, whole = fit(epochs=8)
        assert history.history["learning_rate"] == pytest.approx(whole.history["learning_rate"])
    best = min(history.history["val_loss"])
    assert model.evaluate(X[150:], Y[150:], verbose=0)[0] == pytest.approx(best, rel=1e-4)


SCRIPT = """
import sys, time, keras, numpy as np, keras_recipes as kr
class Slow(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print(epoch, flush=True)
        time.sleep(0.3)
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 4)).astype("float32")
model = kr.build_default_dnn(4, hidden_units=(8,), seed=1)
kr.fit(model, x, x[:, 0] * 2 + x[:, 1], validation_split=0.25, epochs=8, seed=1, verbose=0,
       run_dir=sys.argv[1], callbacks=[Slow()])
"""


def test_a_killed_run_goes_on(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert "3\n" in process.stdout  # reads up to it
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "model.keras").exists()
    model, history = fit(epochs=8, run_dir=tmp_path)
    assert len(history.history["loss"]) == 8
    assert int(model.optimizer.iterations) == 40
    assert (tmp_path / "model.keras").exists()


def test_changed_arguments_are_named(tmp_path):
    fit(run_dir=tmp_path)
    with pytest.raises(ValueError, match=r"epochs: 3 before, 4 now; batch_size: 32 before, 16 now"):
        fit(run_dir=tmp_path, epochs=4, batch_size=16)
    _, history = fit(run_dir=tmp_path, epochs=4, resume="never")
    assert len(history.epoch) == 4


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"x": X + 1}, "data: '150 examples, .* now"),
        ({"y": Y[::-1].copy()}, "data: .* now"),
        ({"model": build(learning_rate=0.1)}, "optimizer: 'SGD .* now"),
        ({"model": kr.build_default_dnn(4, hidden_units=(8,), activation="relu")}, "model: "),
        ({"validation_split": 0.5}, "steps_per_epoch|validation_data"),
        ({"schedule": "power"}, "schedule: '1cycle' before, 'power' now"),
    ],
)
def test_another_model_or_other_data_are_another_run(tmp_path, changed, match):
    fit(run_dir=tmp_path, epochs=1)
    with pytest.raises(ValueError, match=match):
        fit(run_dir=tmp_path, **{"epochs": 1, **changed})


@pytest.mark.parametrize(
    ("before", "now", "match"),
    [
        ([MagnitudePruning(0.9, 2, 9)], [MagnitudePruning(0.5, 2, 9)], "sparsity=0.9, .*=0.5, "),
        ([MagnitudePruning(0.9, 2, 9)], [], r"callbacks: \['MagnitudePruning.* before, \[\] now"),
        ([], [MagnitudePruning(0.9, 2, 9, exclude=["output"])], r'before, .*exclude=\["output"\]'),
        ([OneCycle(0.1)], [OneCycle(0.1, cycle_momentum=False)], "=true, .*=false, "),
        ([Schedule("power", 0.1)], [Schedule("power", 0.1, power=2)], "now"),
        ([EarlyStopping(3)], [EarlyStopping(4)], "patience=3, .*patience=4, "),
        ([PerformanceScheduling()], [PerformanceScheduling(min_learning_rate=1e-3)], "=0.001"),
    ],
)
def test_other_callbacks_are_another_run(tmp_path, before, now, match):
    arguments = {"run_dir": tmp_path, "schedule": None}
    fit(callbacks=before, **arguments)
    with pytest.raises(ValueError, match=f"The arguments must be those of the run.*{match}"):
        fit(callbacks=now, **arguments)


def test_callbacks_may_come_and_go_where_training_does_not_depend_on_them(tmp_path):
    class Counting(keras.callbacks.Callback):  # of one's own, without arguments
        def get_state(self):
            return 3

        def set_state(self, state):
            self.count = state

    fit(run_dir=tmp_path, callbacks=[Counting(), LayerHealth()])
    counting = Counting()
    fit(run_dir=tmp_path, callbacks=[counting, keras.callbacks.TerminateOnNaN()])
    assert counting.count == 3


def test_a_run_of_before_callbacks_were_compared_goes_on(tmp_path):
    pruning = MagnitudePruning(0.5, 0, 9)
    fit(run_dir=tmp_path, callbacks=[pruning])
    path = tmp_path / "run.json"
    settings = json.loads(path.read_text())
    assert settings.pop("callbacks")
    path.write_text(json.dumps(settings))
    _, history = fit(run_dir=tmp_path, callbacks=[pruning])
    assert len(history.epoch) == 3


def test_an_interrupted_fit_gives_the_optimizer_back():
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    model = build(learning_rate=0.02)
    with pytest.raises(KeyboardInterrupt):
        fit(model, callbacks=[Interrupt()])
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    assert (model.optimizer.momentum, model.steps_per_execution) == (0.9, 1)


def test_two_trainings_in_one_directory_are_refused(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    with pytest.raises(OSError, match=f"where process {process.pid} trains"):
        fit(epochs=8, run_dir=tmp_path)
    process.kill()
    process.wait()
    process.stdout.close()
    _, history = fit(epochs=8, run_dir=tmp_path)
    assert len(history.history["loss"]) == 8


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_damaged_settings_are_told_of(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(
        ValueError, match=r"run.json. Received: .* Remove it to go on .* choose another"
    ):
        fit(run_dir=tmp_path)


def test_resume_must_needs_a_run(tmp_path):
    with pytest.raises(ValueError, match='resume="auto"'):
        fit(run_dir=tmp_path / "none", resume="must")
    assert not (tmp_path / "none").exists()


def test_a_run_directory_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="`run_dir` must be a directory"):
        fit(run_dir=tmp_path / "file")


def test_a_run_directory_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "lock").mkdir()  # root may write where the permissions say no
    with pytest.raises(OSError, match="`run_dir` must be a directory that can be written"):
        fit(run_dir=tmp_path)


def test_nothing_is_written_when_the_data_are_bad(tmp_path):
    with pytest.raises(ValueError, match="`x` must be finite"):
        fit(x=np.where(X > 1, np.nan, X), run_dir=tmp_path / "run")
    data = tf.data.Dataset.from_tensor_slices((X[:, :2], Y)).batch(32)
    with pytest.raises(ValueError, match="must have the shape"):
        fit(x=data, y=None, validation_split=0, run_dir=tmp_path / "run")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"model": "model"}, TypeError, "a keras.Model"),
        ({"model": keras.Sequential([keras.layers.Dense(1)])}, ValueError, "must be compiled"),
        ({"epochs": 0}, ValueError, "`epochs`"),
        ({"epochs": 2.5}, TypeError, "`epochs`"),
        ({"batch_size": 0}, ValueError, "`batch_size`"),
        ({"schedule": "onecycle"}, ValueError, "Did you mean '1cycle'"),
        ({"max_learning_rate": 0.0}, ValueError, "`max_learning_rate`"),
        ({"schedule": None, "max_learning_rate": 0.1}, ValueError, "Compile the optimizer"),
        ({"early_stopping": 0}, ValueError, "To train to the end pass None"),
        ({"resume": True}, TypeError, "`resume`"),
        ({"resume": "maybe"}, ValueError, "`resume`"),
        ({"steps_per_execution": 0}, ValueError, "`steps_per_execution`"),
        ({"steps_per_execution": "many"}, TypeError, 'Or pass "auto"'),
        ({"verbose": 3}, ValueError, "`verbose` must be in"),
        ({"verbose": np.ones(2)}, TypeError, '`verbose` must be .* Or pass "auto"'),
        ({"seed": -1}, ValueError, "`seed`"),
        ({"validation_split": 2}, ValueError, "`validation_split`"),
        ({"run_dir": 3}, TypeError, "`run_dir`"),
        ({"run_dir": ""}, ValueError, "To keep nothing pass None"),
        ({"callbacks": [print]}, TypeError, "`callbacks`"),
        ({"callbacks": keras.callbacks.History()}, TypeError, "Put one callback into a list"),
        ({"callbacks": 3}, TypeError, "Put one callback into a list"),
        ({"verbose": 7}, ValueError, "`verbose`"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        fit(**arguments)


def test_many_trainings_do_not_make_tensorflow_warn_of_retracing(caplog):
    for _ in range(6):
        fit(epochs=1, max_learning_rate=0.02)
    assert "retracing" not in caplog.text


def test_a_model_that_cannot_be_saved_is_refused_with_a_run_dir(tmp_path):
    class Own(keras.Model):
        def __init__(self, units):
            super().__init__()
            self.dense = keras.layers.Dense(units)

        def call(self, x):
            return self.dense(x)

    model = Own(1)
    model.compile("sgd", "mse")
    x = np.zeros((8, 2), "float32")
    kr.fit(model, x, x[:, :1], epochs=1, schedule=None, verbose=0)
    with pytest.raises(ValueError, match=r"must have a `get_config`.*a Own without"):
        kr.fit(model, x, x[:, :1], epochs=1, schedule=None, verbose=0, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
