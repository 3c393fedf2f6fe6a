import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_recipes as kr
from keras_recipes.callbacks import LayerHealth, StepLog

RNG = np.random.default_rng(0)
X = RNG.normal(size=(128, 6)).astype("float32")
Y = (X[:, 0] > X[:, 1]).astype("float32")[:, None]
FIT = {"batch_size": 16, "epochs": 2, "verbose": 0}


def build(**keywords):
    keywords = {"hidden_units": (8, 8), "seed": 1, "l2": 1e-3, **keywords}
    return kr.build_default_dnn(6, task="binary", **keywords)


def step_by_step(model, every, clip=None):
    """What the same steps show one by one, outside of any graph."""
    found, step = [], 0
    for _ in range(2):
        for first in range(0, len(X), 16):
            x, y = X[first : first + 16], Y[first : first + 16]
            with tf.GradientTape() as tape:
                outputs = model(x, training=True)
                loss = model.compute_loss(x, tf.constant(y), outputs)
            gradients = [np.array(g) for g in tape.gradient(loss, model.trainable_variables)]
            norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
            clipped = np.sqrt(sum(np.sum(np.clip(g, -0.05, 0.05) ** 2) for g in gradients))
            row = {
                "loss": float(loss),
                "accuracy": np.mean((np.array(outputs) > 0.5) == y),
                "learning_rate": float(model.optimizer.learning_rate),
                "momentum": 0.9,
                "gradient_norm": norm,
                **({"clipped_gradient_norm": clipped} if clip else {}),
            }
            if step % every == 0:
                found.append(row)
            model.train_on_batch(x, y)
            step += 1
    return {name: [row[name] for row in found] for name in found[0]}


def assert_close(found, expected):
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    "compiled", [{}, {"steps_per_execution": 3}, {"steps_per_execution": 8, "jit_compile": True}]
)
@pytest.mark.parametrize("clip", [{}, {"clipvalue": 0.05}])
def test_it_records_what_the_steps_show_one_by_one(compiled, clip):
    expected = step_by_step(build(**clip), 3, clip)
    model, log = build(**clip), StepLog(every=3)
    model.compile(model.optimizer, model.loss, metrics=["accuracy"], **compiled)
    model.fit(X, Y, shuffle=False, callbacks=[log], **FIT)
    assert log.steps == [0, 3, 6, 9, 12, 15]
    assert_close(log.values, expected)
    assert not {"compute_loss", "apply"} & {*vars(model), *vars(model.optimizer)}


@pytest.mark.parametrize("compiled_from", [1, 10**9])
def test_it_changes_nothing_in_fit(compiled_from, monkeypatch):
    monkeypatch.setattr("keras_recipes.graph_loops.LONG", compiled_from)
    plain, logged, log = build(dropout=0.2), build(dropout=0.2), StepLog(every=5)
    keywords = {**FIT, "max_learning_rate": 0.05, "seed": 1, "validation_data": (X, Y)}
    before = kr.fit(plain, X, Y, **keywords)
    after = kr.fit(logged, X, Y, **keywords, callbacks=[log])
    assert log.steps == [0, 5, 10, 15]
    for ours, theirs in zip(plain.get_weights(), logged.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    for name, values in before.history.items():
        np.testing.assert_allclose(after.history[name], values, rtol=1e-4)


def test_rates_are_those_of_the_schedules_at_each_step():
    model, log = build(), StepLog(every=1)
    kr.fit(model, X, Y, **FIT, max_learning_rate=0.1, callbacks=[log])
    rate, momentum = kr.schedules.OneCycle(0.1, 16), kr.schedules.OneCycleMomentum(16)
    assert log.values["learning_rate"] == pytest.approx([float(rate(i)) for i in range(16)])
    assert log.values["momentum"] == pytest.approx([float(momentum(i)) for i in range(16)])


@pytest.mark.parametrize("order", [1, -1])
def test_it_goes_with_layer_health_in_any_order(order):
    alone, log, health = StepLog(every=2), StepLog(every=2), LayerHealth(every=3)
    build().fit(X, Y, shuffle=False, callbacks=[alone], **FIT)
    model = build()
    model.fit(X, Y, shuffle=False, callbacks=[log, health][::order], **FIT)
    assert_close(log.values, alone.values)
    assert health.steps == [0, 3, 6, 9, 12, 15]
    assert not {"train_step", "compute_loss", "apply"} & {*vars(model), *vars(model.optimizer)}


@pytest.mark.parametrize("every", [1, 5])
def test_a_step_that_mixed_precision_leaves_out_is_not_recorded(every):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy("float32")
    inner = model.optimizer.inner_optimizer
    optimizer = keras.mixed_precision.LossScaleOptimizer(inner, initial_scale=2.0**40)
    model.compile(optimizer, model.loss, steps_per_execution=64)
    log, health = StepLog(every), LayerHealth(every)
    model.fit(X, Y, batch_size=2, shuffle=False, callbacks=[log, health], verbose=0)
    taken = int(optimizer.inner_optimizer.iterations)
    assert 0 < taken < 64
    assert log.steps == list(range(0, taken, every))
    assert max(log.values["gradient_norm"]) < 10  # of gradients without the scale
    assert health.steps == log.steps
    assert np.isfinite(health.statistics).all()


def test_under_gradient_accumulation_each_batch_has_its_own():
    model, log = build(), StepLog(every=3)
    optimizer = keras.optimizers.SGD(0.01, clipnorm=1.0, gradient_accumulation_steps=4)
    model.compile(optimizer, model.loss, metrics=["accuracy"])
    model.fit(X, Y, callbacks=[log], **FIT)
    assert log.steps == [0, 3, 6, 9, 12, 15]
    assert set(log.values) == {"loss", "accuracy", "learning_rate", "gradient_norm"}
    assert np.isfinite(log.values["gradient_norm"]).all()


class OwnStep(keras.Model):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x) - y) ** 2)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss}


def test_a_train_step_with_a_loss_of_its_own_has_rates_and_norms():
    inputs = keras.Input((6,))
    model = OwnStep(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    log = StepLog(every=4)
    model.fit(X, Y, callbacks=[log], **FIT)
    assert np.isnan(log.values["loss"]).all()
    assert np.isfinite(log.values["gradient_norm"]).all()
    assert log.values["learning_rate"] == pytest.approx([0.01] * 4)


def test_an_interrupted_fit_leaves_nothing_in_the_model():
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    model = build()
    with pytest.raises(KeyboardInterrupt):
        kr.fit(model, X, Y, **FIT, max_learning_rate=0.01, callbacks=[StepLog(), Stop()])
    assert not {"compute_loss", "apply"} & {*vars(model), *vars(model.optimizer)}


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"every": 0}, ValueError, "`every`"),
        ({"every": 1.5}, TypeError, "`every`"),
        ({"log_dir": 3}, TypeError, "`log_dir`"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        StepLog(**arguments)


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (keras.metrics.R2Score(), "r2_score"),
        (keras.metrics.F1Score(), None),
        (keras.metrics.AUC(multi_label=True), "auc"),
    ],
)
def test_metrics_that_are_made_by_their_first_batch_are_recorded(metric, name):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[metric])
    log, labels = StepLog(every=3), np.hstack([Y, 1 - Y])
    history = model.fit(X, labels, batch_size=16, verbose=0, callbacks=[log])
    assert metric.name in history.history
    assert set(log.values) - {"loss", "learning_rate", "gradient_norm"} == ({name} - {None})
    assert all(np.isfinite(values).all() for values in log.values.values())


class Several(keras.metrics.Mean):
    """Has results as Keras allows them: several by name, and one that is no tensor."""

    def __init__(self, name, results):
        super().__init__(name)
        self.results = results

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(keras.ops.mean(y_pred))

    def result(self):
        return self.results(super().result())


def test_metrics_with_several_results_are_recorded_as_the_epochs_logs_have_them(tmp_path):
    several = Several("several", lambda mean: {"mean": mean, "twice": 2 * mean})
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[several, Several("half", lambda mean: 0.5)])
    log = StepLog(every=1)
    kr.fit(model, X, Y, **FIT, schedule=None, run_dir=tmp_path, callbacks=[log])
    assert set(log.values) == {"loss", "mean", "twice", "half", "learning_rate", "gradient_norm"}
    np.testing.assert_allclose(log.values["twice"], 2 * np.array(log.values["mean"]))
    assert log.values["half"] == [0.5] * 16


def test_each_value_has_a_number_for_each_step():
    log, model = StepLog(every=2), build()
    for metrics in ([], ["mae"], []):
        model.compile(model.optimizer, model.loss, metrics=metrics)
        model.fit(X, Y, batch_size=16, verbose=0, callbacks=[log])
    assert {len(values) for values in log.values.values()} == {len(log.steps)} == {12}
    assert list(np.isnan(log.values["mae"])) == [True] * 4 + [False] * 4 + [True] * 4
