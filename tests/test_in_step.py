import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.ops import gradient_registry
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

import keras_recipes as kr
from keras_recipes.callbacks import LayerHealth, MagnitudePruning, StepLog
from keras_recipes.in_step import HIDDEN, hide, is_looked_into, leave

RNG = np.random.default_rng(0)
X = RNG.normal(size=(128, 6)).astype("float32")
Y = (X[:, :1] - X[:, 1:2]).astype("float32")
FIT = {"batch_size": 16, "epochs": 2, "shuffle": False, "verbose": 0}


def both():
    return [StepLog(every=2), LayerHealth(every=3)]


def build(**compiled):
    """Returns a model, and what it notes of each trace of a step: if it is looked into, if by XLA."""
    model = kr.build_default_dnn(6, hidden_units=(8, 8), dropout=0.2, seed=1)
    traces = set()

    def loss(y, outputs):
        in_xla = GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
        traces.add((is_looked_into(model), in_xla))
        return keras.losses.mean_squared_error(y, outputs)

    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, **compiled)
    return model, traces


@pytest.mark.parametrize(
    ("callback", "steps_per_execution"), [(StepLog, 1), (LayerHealth, 1), (LayerHealth, 5)]
)
def test_keras_fit_has_the_steps_that_are_looked_into_compiled_apart(callback, steps_per_execution):
    model, traces = build(jit_compile=True, steps_per_execution=steps_per_execution)
    model.fit(X, Y, **FIT, callbacks=[callback(every=5)])
    assert traces == {(True, True), (False, True)}
    assert model.jit_compile
    traces.clear()
    model.fit(X, Y, **FIT)
    assert traces == {(None, True)}


@pytest.mark.parametrize(
    ("compiled", "expected"),
    [
        ({"jit_compile": False}, {(True, False), (False, False)}),
        ({"run_eagerly": True}, {(None, False)}),
    ],
)
def test_without_xla_they_are_apart_too_but_not_outside_of_graphs(compiled, expected):
    model, traces = build(**compiled)
    model.fit(X, Y, **FIT, callbacks=both())
    assert traces == expected


@pytest.mark.parametrize("order", [1, -1])
def test_nothing_changes_in_keras_fit_in_whatever_order_they_come(order):
    (plain, _), (watched, traces) = (build(jit_compile=True, steps_per_execution=5) for _ in "ab")
    pruning = [MagnitudePruning(0.5, begin_step=2, end_step=12, every=3) for _ in "ab"]
    before = plain.fit(X, Y, **FIT, callbacks=pruning[:1])
    callbacks = [*both(), pruning[1]][::order]
    after = watched.fit(X, Y, **FIT, callbacks=callbacks)
    assert traces == {(True, True), (False, True)}
    for ours, theirs in zip(watched.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    for name, values in before.history.items():
        np.testing.assert_allclose(after.history[name], values, rtol=1e-4)
    for each in callbacks:
        if isinstance(each, (StepLog, LayerHealth)):
            assert each.steps == list(range(0, 16, each.every))
    assert not {"train_step", "make_train_function"} & set(vars(watched))


def test_so_does_fit_on_a_dataset():
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)
    model, traces = build(jit_compile=True)
    log = StepLog(every=3)
    kr.fit(model, data, epochs=2, schedule=None, callbacks=[log], verbose=0)
    assert traces == {(True, True), (False, True)}
    assert log.steps == [0, 3, 6, 9, 12, 15]


@pytest.mark.parametrize("fit", [keras.Model.fit, functools.partial(kr.fit, schedule=None)])
def test_tensorflow_keeps_nothing_of_a_training(fit):
    model, _ = build()
    before = set(gradient_registry.list())
    fit(model, X, Y, batch_size=16, epochs=1, verbose=0, callbacks=[LayerHealth(every=2)])
    assert set(gradient_registry.list()) == before


class TellsMore(keras.Model):
    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {**super().compute_metrics(x, y, y_pred, sample_weight), "more": 1.0}


@pytest.mark.parametrize("fit", [keras.Model.fit, functools.partial(kr.fit, schedule=None)])
def test_a_model_that_says_itself_what_is_logged_is_heard(fit):
    inputs = keras.Input((6,))
    model = TellsMore(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    log = StepLog(every=3)
    history = fit(
        model, X, Y, batch_size=16, epochs=1, verbose=0, validation_data=(X, Y), callbacks=[log]
    )
    assert history.history["more"] == history.history["val_more"] == [1.0]
    assert log.steps == [0, 3, 6]


@pytest.mark.parametrize("jit_compile", [False, True])
def test_batches_may_have_nothing_for_a_part(jit_compile):
    def batches():
        for start in range(0, len(X), 16):
            yield X[start : start + 16], Y[start : start + 16], None

    model, _ = build(jit_compile=jit_compile)
    log = StepLog(every=2)
    model.fit(batches(), steps_per_epoch=8, shuffle=False, verbose=0, callbacks=[log])
    assert log.steps == [0, 2, 4, 6]


@pytest.mark.parametrize("steps_per_execution", [1, 2, 3, 20])
def test_no_batch_is_fetched_that_no_step_takes(steps_per_execution):
    asked = []

    def batches():
        for number in itertools.count():
            asked.append(number)
            yield X[:16], Y[:16]

    weights = []
    for callbacks in ([], both()):
        spec = [tf.TensorSpec((16, width)) for width in (6, 1)]
        data = tf.data.Dataset.from_generator(batches, output_signature=tuple(spec))
        # Without a pool a batch is made when it is asked for.
        options = tf.data.Options()
        options.autotune.enabled = False
        asked.clear()
        model, _ = build(steps_per_execution=steps_per_execution)
        keywords = {"steps_per_epoch": 6, "epochs": 2, "shuffle": False, "verbose": 0}
        model.fit(data.with_options(options), **keywords, callbacks=callbacks)
        weights.append((len(asked), int(model.optimizer.iterations), model.get_weights()))
    (count, steps, plain), (ours, our_steps, watched) = weights
    assert (ours, our_steps) == (count, steps)
    for theirs, mine in zip(plain, watched, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("fit", [keras.Model.fit, functools.partial(kr.fit, schedule=None)])
@pytest.mark.parametrize("order", [1, -1])
def test_what_a_user_gave_one_model_is_heard_and_given_back(fit, order):
    model, _ = build()
    train_step, apply = model.train_step, model.optimizer.apply

    def step(data):
        return {**train_step(data), "more": 1.0}

    def update(grads, variables=None):
        apply([2 * each for each in grads], variables)

    model.train_step, model.optimizer.apply = step, update
    looking = [*both(), MagnitudePruning(0.5, begin_step=2, end_step=6)][::order]
    history = fit(model, X, Y, batch_size=16, epochs=1, verbose=0, callbacks=looking)
    assert history.history["more"] == [1.0]
    assert vars(model)["train_step"] is step
    assert vars(model.optimizer)["apply"] is update
    assert not {"compute_loss", "make_train_function", HIDDEN} & set(vars(model))
    assert HIDDEN not in vars(model.optimizer)


@pytest.mark.parametrize("order", [1, -1])
def test_methods_stay_hidden_until_each_has_left(order):
    class Owner:
        def number(self):
            return 1

    owner, (first, second) = Owner(), (keras.callbacks.Callback() for _ in "ab")
    hide(first, owner, "number", lambda number: 10 * number())
    hide(second, owner, "number", lambda number: number() + 5)
    assert owner.number() == 15
    factor = {1: 6, -1: 10}[order]  # what the one that stays makes of it
    leave([first, second][::order][0])
    assert owner.number() == factor
    leave([first, second][::order][1])
    assert owner.number() == 1
    assert not vars(owner)
