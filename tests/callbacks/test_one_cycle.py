import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_recipes import build_default_dnn
from keras_recipes.callbacks import OneCycle, Schedule
from keras_recipes.optimizers import SGD
from keras_recipes.schedules import Delayed, OneCycleMomentum
from keras_recipes.schedules import OneCycle as OneCycleSchedule

X = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def build(**keywords):
    return build_default_dnn(3, hidden_units=(4,), seed=1, **keywords)


def weights(model):
    return np.concatenate([weight.ravel() for weight in model.get_weights()])


def fit(model, *callbacks, **keywords):
    keywords = {"epochs": 3, "batch_size": 8, "shuffle": False, "verbose": 0, **keywords}
    return model.fit(X, Y, callbacks=list(callbacks), **keywords)


@pytest.mark.parametrize("steps_per_execution", [1, 10])
def test_it_trains_as_the_schedules_in_the_optimizer_do(steps_per_execution):
    by_callback = build()
    by_callback.compile(by_callback.optimizer, "mse", steps_per_execution=steps_per_execution)
    fit(by_callback, OneCycle(0.05))
    by_hand = build(learning_rate=OneCycleSchedule(0.05, 21), momentum=OneCycleMomentum(21))
    fit(by_hand)
    np.testing.assert_allclose(weights(by_callback), weights(by_hand), rtol=1e-5, atol=1e-7)
    momentum_fixed = build()
    fit(momentum_fixed, OneCycle(0.05, cycle_momentum=False))
    assert np.abs(weights(momentum_fixed) - weights(by_hand)).max() > 1e-4


def test_epoch_logs_have_the_rate_and_the_momentum_of_the_last_step():
    history = fit(build(), OneCycle(0.05)).history
    rate, momentum = OneCycleSchedule(0.05, 21), OneCycleMomentum(21)
    ends = (6, 13, 20)
    np.testing.assert_allclose(history["learning_rate"], [float(rate(s)) for s in ends], rtol=1e-6)
    np.testing.assert_allclose(history["momentum"], [float(momentum(s)) for s in ends], rtol=1e-6)


def test_a_second_fit_has_a_cycle_of_its_own():
    model, callback = build(), OneCycle(0.05)
    first = fit(model, callback).history["learning_rate"]
    second = fit(model, callback, epochs=2).history["learning_rate"]
    assert int(model.optimizer.iterations) == 35
    assert second == pytest.approx([float(OneCycleSchedule(0.05, 14)(step)) for step in (6, 13)])
    assert fit(model, callback).history["learning_rate"] == pytest.approx(first)


def test_initial_epoch_goes_on_inside_the_cycle():
    model, whole = build(), build()
    first = fit(model, OneCycle(0.05, total_steps=21), epochs=1).history["learning_rate"]
    rest = fit(model, OneCycle(0.05), initial_epoch=1).history["learning_rate"]
    assert first + rest == pytest.approx(fit(whole, OneCycle(0.05)).history["learning_rate"])
    np.testing.assert_allclose(weights(model), weights(whole), rtol=1e-5, atol=1e-7)


def test_afterwards_the_optimizer_is_as_it_was_compiled():
    model = build(learning_rate=0.02, momentum=0.8)
    fit(model, OneCycle(0.05))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    assert model.optimizer.momentum == 0.8
    twin = keras.models.clone_model(model)
    twin.compile(keras.optimizers.SGD(0.02, momentum=0.8), "mse")
    twin.set_weights(model.get_weights())
    twin.optimizer.build(twin.trainable_variables)
    for ours, theirs in zip(twin.optimizer.variables, model.optimizer.variables, strict=True):
        ours.assign(theirs)
    fit(model, epochs=1)
    fit(twin, epochs=1)
    np.testing.assert_allclose(weights(model), weights(twin), rtol=1e-6)


@pytest.mark.parametrize(
    "optimizer",
    ["sgd", "rmsprop", keras.optimizers.SGD(0.1, momentum=0.9), keras.optimizers.Adam()],
)
def test_an_optimizer_that_cannot_cycle_its_momentum_is_told_of(optimizer):
    model = build(optimizer=optimizer)
    with pytest.warns(UserWarning, match="cannot be cycled"):
        history = fit(model, OneCycle(0.01))
    assert "momentum" not in history.history
    assert history.history["learning_rate"][0] == pytest.approx(
        float(OneCycleSchedule(0.01, 21)(6))
    )
    fit(model, OneCycle(0.01, cycle_momentum=False))


def test_under_mixed_precision_it_reaches_the_inner_optimizer():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build()
        history = fit(model, OneCycle(0.05)).history
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert max(history["learning_rate"]) > 0.02
    assert min(history["momentum"]) < 0.9


@pytest.mark.parametrize("scaled", [False, True])
def test_under_gradient_accumulation_a_step_is_a_batch(scaled):
    optimizer = SGD(0.01, momentum=0.9, gradient_accumulation_steps=2)
    model = build(optimizer=keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer)
    rate, momentum = OneCycleSchedule(0.05, 21), OneCycleMomentum(21)
    by_hand = SGD(rate, momentum=momentum, gradient_accumulation_steps=2)
    twin = build(optimizer=by_hand)
    for cycle in range(2):
        history = fit(model, OneCycle(0.05)).history
        ends = (6, 13, 20)
        assert history["learning_rate"] == pytest.approx([float(rate(step)) for step in ends])
        assert history["momentum"] == pytest.approx([float(momentum(step)) for step in ends])
        by_hand.learning_rate = Delayed(rate, 21 * cycle)
        by_hand.momentum = Delayed(momentum, 21 * cycle)
        twin.make_train_function(force=True)
        fit(twin)
        np.testing.assert_allclose(weights(model), weights(twin), rtol=1e-4, atol=1e-6)


def test_a_dataset_of_unknown_length_needs_total_steps():
    data = tf.data.Dataset.from_tensor_slices((X, Y)).filter(lambda x, y: True).batch(10)
    with pytest.raises(ValueError, match="total_steps=epochs"):
        build().fit(data, callbacks=[OneCycle(0.05)], shuffle=False, verbose=0)
    callback = OneCycle(0.05, total_steps=10)
    with pytest.warns(UserWarning, match="ran out of data"):  # Keras, at the first epoch's end
        history = build().fit(data, epochs=2, callbacks=[callback], shuffle=False, verbose=0)
    # Keras counts the fetch that finds the end of the data as a step: six, not five, an epoch.
    rates = [float(OneCycleSchedule(0.05, 10)(step)) for step in (5, 11)]
    assert history.history["learning_rate"] == pytest.approx(rates)


def test_any_schedule_by_its_name():
    history = fit(build(), Schedule("power", 0.1, decay_steps=7)).history
    expected = [0.1 / (1 + step / 7) for step in (6, 13, 20)]
    assert history["learning_rate"] == pytest.approx(expected)
    assert "momentum" not in history


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: OneCycle(-1), ValueError, "`max_learning_rate`"),
        (lambda: OneCycle("0.1"), TypeError, "`max_learning_rate`"),
        (lambda: OneCycle(0.1, cycle_momentum="yes"), TypeError, "`cycle_momentum`"),
        (lambda: OneCycle(0.1, total_steps=0), ValueError, "`total_steps`"),
        (lambda: OneCycle(0.1, max_momentum=1.5), ValueError, "`max_momentum`"),
        (lambda: OneCycle(0.1, min_momentum=0.99), ValueError, "`min_momentum`"),
        (lambda: OneCycle(0.1, final_fraction=2), ValueError, "`final_fraction`"),
        (lambda: OneCycle(0.1, epochs=2), TypeError, "Received: epochs"),
        (lambda: Schedule("performance", 0.1), ValueError, "`name` must be one of"),
    ],
)
def test_bad_arguments_are_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()
