import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_recipes as kr
from keras_recipes.callbacks import LayerHealth
from keras_recipes.diagnostics.findings import COLUMN

RNG = np.random.default_rng(0)
X = RNG.normal(size=(128, 6)).astype("float32")
Y = (X[:, :1] - X[:, 1:2]).astype("float32")


def build(**keywords):
    keywords = {"hidden_units": (8, 8), "activation": "relu", "seed": 1, **keywords}
    return kr.build_default_dnn(6, **keywords)


def looked_at_one_by_one(model, every, epochs):
    """What `diagnose` sees of each batch before its step."""
    found, step = [], 0
    for _ in range(epochs):
        for first in range(0, len(X), 16):
            batch = X[first : first + 16], Y[first : first + 16]
            if step % every == 0:
                dataset = tf.data.Dataset.from_tensors(batch)
                found.append(kr.diagnose(model, dataset).statistics)
            model.train_on_batch(*batch)
            step += 1
    return found


@pytest.mark.parametrize(
    "compiled", [{}, {"steps_per_execution": 3}, {"steps_per_execution": 8, "jit_compile": True}]
)
def test_it_sees_what_diagnose_sees_in_the_steps_of_keras_fit(compiled):
    expected = looked_at_one_by_one(build(), 3, epochs=2)
    model, health = build(), LayerHealth(every=3)
    model.compile(model.optimizer, "mean_squared_error", **compiled)
    model.fit(X, Y, batch_size=16, epochs=2, shuffle=False, callbacks=[health], verbose=0)
    assert health.steps == [0, 3, 6, 9, 12, 15]
    np.testing.assert_allclose(health.statistics, expected, rtol=1e-3, atol=1e-5)
    assert "train_step" not in vars(model)


@pytest.mark.parametrize("compiled_from", [1, 10**9])
def test_it_changes_nothing_in_fit(compiled_from, monkeypatch):
    monkeypatch.setattr("keras_recipes.graph_loops.LONG", compiled_from)
    keywords = {"batch_size": 16, "epochs": 4, "max_learning_rate": 0.05, "seed": 1, "verbose": 0}
    plain, watched, health = build(), build(), LayerHealth(every=5)
    kr.fit(plain, X, Y, **keywords)
    kr.fit(watched, X, Y, **keywords, callbacks=[health])
    assert health.steps == list(range(0, 32, 5))
    for ours, theirs in zip(plain.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert "train_step" not in vars(watched)
    # Training goes on with neither the callback nor what it traced.
    kr.fit(watched, X, Y, **keywords)
    assert health.steps == list(range(0, 32, 5))


@pytest.mark.parametrize("batches", [{}, {"steps_per_execution": 3, "jit_compile": True}])
def test_a_model_that_its_first_step_builds_is_seen(batches):
    layers = [keras.layers.Dense(20, "relu"), keras.layers.Dense(1)]
    model, health = keras.Sequential(layers), LayerHealth(every=3)
    model.compile("adam", "mse", **batches)
    model.fit(X, Y, batch_size=16, epochs=2, callbacks=[health], verbose=0)
    assert health.steps == [0, 3, 6, 9, 12, 15]
    assert [each.layer for each in health.diagnosis.layers] == layers
    assert np.isfinite(health.statistics).all()


def test_a_look_at_its_end_is_a_diagnosis():
    model, health = build(), LayerHealth(every=4)
    model.get_layer("hidden_2").bias.assign(np.full(8, -30.0))
    kr.fit(
        model, X, Y, epochs=2, batch_size=16, max_learning_rate=1e-3, callbacks=[health], verbose=0
    )
    [finding] = health.diagnosis.findings
    assert (finding.name, finding.layer) == ("dying ReLU", "hidden_2")
    assert np.isfinite(health.diagnosis.loss)
    assert health.diagnosis.statistics[1, COLUMN["dead"]] == 1


@pytest.mark.parametrize("trained", [False, True])
def test_its_first_look_tells_a_new_network_from_one_that_was_trained_before(trained):
    model, health = build(kernel_initializer="he_normal"), LayerHealth()
    hidden = model.get_layer("hidden_2")
    hidden.kernel.assign(10 * hidden.kernel)
    if trained:
        hidden.bias.assign(np.linspace(-0.1, 0.1, 8))
    model.fit(X, Y, batch_size=128, callbacks=[health], verbose=0)
    assert [each.layer for each in health.diagnosis.findings] == ["hidden_2"] * (not trained)


def scalars(directory):
    found = {}
    for path in sorted(directory.rglob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.tag.startswith("health/"):
                    found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_tensorboard_shows_each_look(tmp_path):
    health = LayerHealth(every=4)
    keywords = {"batch_size": 16, "epochs": 3, "max_learning_rate": 0.01, "seed": 1, "verbose": 0}
    kr.fit(build(), X, Y, **keywords, callbacks=[health], run_dir=tmp_path / "run")
    logged = scalars(tmp_path / "run" / "logs")
    assert len(logged) == 3 * 8
    for row, layer in enumerate(("hidden_1", "hidden_2", "output")):
        steps, values = zip(*logged[f"health/{layer}/gradient_norm"], strict=True)
        assert list(steps) == health.steps
        seen = [look[row, COLUMN["gradient_norm"]] for look in health.statistics]
        np.testing.assert_allclose(values, seen, rtol=1e-6)
    model, own = build(), LayerHealth(every=4, log_dir=tmp_path / "own")
    model.fit(X, Y, callbacks=[own], verbose=0)
    assert len(scalars(tmp_path / "own")) == 3 * 8


class Stop(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def test_no_look_is_doubled_or_lost_when_a_run_goes_on(tmp_path):
    keywords = {"batch_size": 16, "epochs": 4, "max_learning_rate": 0.01, "seed": 1, "verbose": 0}
    model, whole = build(), LayerHealth(every=4)
    kr.fit(model, X, Y, **keywords, callbacks=[whole], run_dir=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        kr.fit(
            build(), X, Y, **keywords, callbacks=[LayerHealth(every=4), Stop(2)],
            run_dir=tmp_path / "run", checkpoint_every=1,
        )  # fmt: skip
    again = LayerHealth(every=4)
    kr.fit(
        build(), X, Y, **keywords, callbacks=[again], run_dir=tmp_path / "run", checkpoint_every=1
    )
    assert again.steps == [16, 20, 24, 28]
    assert scalars(tmp_path / "run") == scalars(tmp_path / "whole")


def test_an_interrupted_fit_gives_the_model_its_step_back():
    model = build()
    with pytest.raises(KeyboardInterrupt):
        kr.fit(model, X, Y, max_learning_rate=0.01, callbacks=[LayerHealth(), Stop(1)], verbose=0)
    assert "train_step" not in vars(model)


def test_it_prints_its_last_look(capsys):
    build().fit(X, Y, callbacks=[LayerHealth(verbose=True)], verbose=0)
    assert re.search(r"hidden_1 +relu .*\n.*\n.*\nloss", capsys.readouterr().out)


def test_it_says_that_no_step_was_looked_at(capsys):
    model, health = build(), LayerHealth(verbose=True)
    for _ in range(2):
        model.fit(X, Y, callbacks=[health], verbose=0)
        capsys.readouterr()
    model.fit(X, Y, callbacks=[fresh := LayerHealth(verbose=True)], verbose=0)
    assert capsys.readouterr().out == "No step was a multiple of 100.\n"
    assert (health.steps, fresh.steps) == ([0], [])


def test_without_a_look_there_is_no_diagnosis():
    with pytest.raises(ValueError, match="Train first"):
        _ = LayerHealth().diagnosis


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"every": 0}, ValueError, "`every`"),
        ({"every": 1.5}, TypeError, "`every`"),
        ({"log_dir": 3}, TypeError, "`log_dir`"),
        ({"verbose": 1}, TypeError, "`verbose`"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        LayerHealth(**arguments)


def test_a_model_without_kernels_is_refused():
    x = keras.Input((6,))
    model = keras.Model(x, keras.layers.BatchNormalization()(x))
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="must have a layer with a kernel"):
        model.fit(X, X, callbacks=[LayerHealth()], verbose=0)
