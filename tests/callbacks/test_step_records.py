"""What the callbacks share that record inside the step: `LayerHealth` and `StepLog`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_recipes as kr
from keras_recipes.callbacks import LayerHealth, MagnitudePruning, OneCycle, StepLog
from keras_recipes.diagnostics.statistics import STATISTICS
from keras_recipes.in_step import HIDDEN, KEY, is_looked_into

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
    assert not {"train_step", "compute_loss", KEY} & set(vars(model))
    assert "apply" not in vars(model.optimizer)


@pytest.mark.parametrize("kind", [LayerHealth, StepLog])
def test_one_that_was_interrupted_can_be_used_again(model, kind):
    records = kind(every=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, callbacks=[records, Interrupt()], verbose=0)
    model.fit(X, Y, callbacks=[records], verbose=0)
    assert records.steps == [0, 1, 2, 3]


@pytest.mark.parametrize("before", [(0,), (1,), (0, 1), (1, 0)])
@pytest.mark.parametrize("order", [1, -1])
def test_what_was_interrupted_takes_nothing_from_others(model, before, order):
    def several():
        return [MagnitudePruning(0.5, 0, 2), LayerHealth(every=1)]

    interrupted = [several()[index] for index in before]
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, callbacks=[*interrupted, Interrupt()], verbose=0)
    pruning, health = several()
    model.fit(X, Y, callbacks=[pruning, health][::order], verbose=0)
    assert pruning.sparsity == pytest.approx(0.5, abs=0.05)
    assert health.steps == [2, 3]
    assert not {"train_step", KEY} & set(vars(model))


def leftovers(model):
    names = {"train_step", "compute_loss", "make_train_function", "apply", KEY, HIDDEN}
    return names & {*vars(model), *vars(model.optimizer)}


TRAININGS = {
    "Keras's fit": lambda model: model.fit(X, Y, verbose=0),
    "compiled anew": lambda model: (model.compile("sgd", "mse"), model.fit(X, Y, verbose=0)),
    "train_on_batch": lambda model: model.train_on_batch(X, Y),
    "fit": lambda model: kr.fit(model, X, Y, epochs=1, schedule=None, verbose=0),
    "find_learning_rate": lambda model: kr.find_learning_rate(model, X, Y),
}


@pytest.mark.parametrize("train", TRAININGS.values(), ids=TRAININGS)
def test_any_training_undoes_first_what_an_interrupted_one_left(model, train):
    callbacks = [
        StepLog(every=1), LayerHealth(every=1), MagnitudePruning(0.5, 0, 2), OneCycle(0.1),
    ]  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, callbacks=[*callbacks, Interrupt()], verbose=0)
    optimizer, weights = model.optimizer, model.get_weights()
    model.set_weights([weight + 1 for weight in weights])
    train(model)
    assert not leftovers(model)
    assert "apply" not in vars(optimizer)
    assert float(optimizer.learning_rate) == pytest.approx(0.01)
    assert callbacks[0].steps == callbacks[1].steps == [0, 1]
    assert all(np.count_nonzero(weight) == weight.size for weight in model.get_weights())


def test_one_that_refuses_its_training_leaves_nothing_to_the_next(model):
    with pytest.raises(ValueError, match="two"):
        model.fit(X, Y, callbacks=[StepLog(2), StepLog(3)], verbose=0)
    model.fit(X, Y, verbose=0)
    assert not leftovers(model)


@pytest.mark.parametrize(
    ("make", "hidden"),
    [
        (lambda: StepLog(every=1), "compute_loss"),
        (lambda: LayerHealth(every=1), "train_step"),
        (lambda: MagnitudePruning(0.5, 0, 2), "train_step"),
    ],
)
def test_one_that_has_gone_to_another_model_stays_there(model, make, hidden):
    callback, other = make(), kr.build_default_dnn(4, hidden_units=(5,), seed=1)
    for each in (model, other):
        with pytest.raises(KeyboardInterrupt):
            each.fit(X, Y, callbacks=[callback, Interrupt()], verbose=0)
    model.fit(X, Y, verbose=0)
    assert not leftovers(model)
    assert hidden in vars(other)
    other.fit(X, Y, verbose=0)
    if hasattr(callback, "steps"):
        assert callback.steps == [0, 1, 0, 1]
    assert not leftovers(other)


class InterruptInside(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("kind", [LayerHealth, StepLog])
def test_what_waited_when_it_was_interrupted_is_kept_as_it_goes_to_another_model(
    model, kind, tmp_path
):
    records = kind(every=2, log_dir=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, batch_size=8, callbacks=[InterruptInside(), records], verbose=0)
    other = kr.build_default_dnn(4, hidden_units=(5,), seed=1)
    other.fit(X, Y, batch_size=8, callbacks=[records], verbose=0)
    assert records.steps == [0, 2, 0, 2, 4, 6]
    written = [
        [e.step for e in tf.compat.v1.train.summary_iterator(str(path)) if e.summary.value]
        for path in tmp_path.iterdir()
    ]
    assert sorted(written) == [[0, 2], [0, 2, 4, 6]]


def test_a_step_that_was_not_taken_spoils_no_record(model, monkeypatch):
    monkeypatch.setattr("keras_recipes.callbacks.step_records.KEPT", 4)
    log = StepLog(every=1)
    log.set_model(model)
    log.set_params({})
    model.optimizer.build(model.trainable_variables)
    log._open()
    log._make_room(["a"], (1,))
    log._names, log.values = ["a"], {"a": []}
    for number in range(5):
        log._record(number, np.float32([number]))
    log._record(5, np.float32([np.nan]), False)
    log.take()
    assert log.values["a"] == [2.0, 3.0, 4.0]


@pytest.mark.parametrize("kind", [LayerHealth, StepLog])
@pytest.mark.parametrize("train", [kr.fit, keras.Model.fit], ids=["ours", "keras"])
def test_two_of_a_kind_are_refused(model, kind, train):
    with pytest.raises(ValueError, match=f"must have one {kind.__name__} at most"):
        train(model, X, Y, callbacks=[kind(), kind()], verbose=0)
    train(model, X, Y, epochs=1, callbacks=[kind()], verbose=0)


@pytest.mark.parametrize("train", [kr.fit, keras.Model.fit], ids=["ours", "keras"])
@pytest.mark.parametrize("steps_per_execution", [1, 1000, "auto"])
def test_no_record_is_lost_however_long_an_execution_is(model, train, steps_per_execution):
    x, y = np.tile(X, (50, 1)), np.tile(Y, (50, 1))
    log, keywords = StepLog(every=1), {}
    if train is kr.fit:
        keywords = {"steps_per_execution": steps_per_execution, "max_learning_rate": 0.001}
    elif steps_per_execution != "auto":
        model.steps_per_execution = steps_per_execution
    train(model, x, y, batch_size=1, epochs=1, callbacks=[log], verbose=0, **keywords)
    assert log.steps == list(range(3200))


@pytest.mark.parametrize("train", [kr.fit, keras.Model.fit], ids=["ours", "keras"])
def test_another_callback_has_the_last_look(model, train):
    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            assert health.diagnosis
            looks.append(health.steps[-1])

    health, looks = LayerHealth(every=2), []
    model.steps_per_execution = 1
    keywords = {"steps_per_execution": 1} if train is kr.fit else {}
    train(model, X, Y, batch_size=8, epochs=1, callbacks=[health, Look()], verbose=0, **keywords)
    assert looks == [0, 0, 2, 2, 4, 4, 6, 6]


def test_the_step_of_an_error_is_logged(model, tmp_path):
    class Fail(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 5:
                raise KeyboardInterrupt

    log = StepLog(every=1)
    with pytest.raises(KeyboardInterrupt):
        kr.fit(
            model, X, Y, batch_size=8, steps_per_execution=1, max_learning_rate=0.01,
            run_dir=tmp_path, callbacks=[log, Fail()], verbose=0,
        )  # fmt: skip
    assert log.steps == list(range(6))


@pytest.fixture(params=["in each step", "apart"])
def looks(request, monkeypatch):
    """How `fit` looks into steps: by a condition in each, or in a loop apart from the others."""
    if request.param == "apart":
        for name in ("LONG", "LONG_WITH_LOOKS"):
            monkeypatch.setattr(f"keras_recipes.graph_loops.{name}", 1)
    traced = []
    monkeypatch.setattr(
        "keras_recipes.callbacks.step_log.is_looked_into",
        lambda model: traced.append(is_looked_into(model)) or traced[-1],
    )
    yield
    assert set(traced) == ({True, False} if request.param == "apart" else {None})


def test_each_looks_into_its_own_steps(model, looks):
    log, health = StepLog(every=3), LayerHealth(every=5)
    kr.fit(model, X, Y, batch_size=4, epochs=2, callbacks=[log, health], verbose=0)
    assert log.steps == list(range(0, 32, 3))
    assert health.steps == list(range(0, 32, 5))
    kernels = STATISTICS.index("gradient_norm")
    for step in (0, 15, 30):
        whole = log.values["gradient_norm"][log.steps.index(step)]
        look = health.statistics[health.steps.index(step)]
        assert whole / 2 < np.linalg.norm(look[:, kernels]) < whole


def test_looks_leave_the_training_as_it_is(looks):
    weights = []
    for callbacks in ([], [StepLog(every=3), LayerHealth(every=5)]):
        model = kr.build_default_dnn(4, hidden_units=(5,), seed=1)
        kr.fit(
            model, X, Y, batch_size=4, epochs=2, callbacks=callbacks, seed=1, verbose=0,
            max_learning_rate=0.1,
        )  # fmt: skip
        weights.append(model.get_weights())
    for plain, looked_into in zip(*weights, strict=True):
        np.testing.assert_array_equal(plain, looked_into)


class Own(keras.Model):
    """Trains by an optimizer of its own."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        self.another.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@pytest.fixture
def own():
    x = keras.Input((4,))
    hidden = keras.layers.Dense(5, "relu", kernel_initializer="he_normal")(x)
    model = Own(x, keras.layers.Dense(1)(hidden))
    model.compile("sgd", "mse")
    model.another = keras.optimizers.SGD(0.1, momentum=0.5)
    model.another.build(model.trainable_variables)
    return model


@pytest.mark.parametrize("kind", [LayerHealth, StepLog])
def test_steps_of_another_optimizer_are_told_of(own, kind):
    recording = kind(every=1)
    with pytest.warns(UserWarning, match=f"{kind.__name__} must have steps of the optimizer"):
        own.fit(X, Y, verbose=0, callbacks=[recording])
    assert recording.steps == []


def test_a_diagnosis_leaves_another_optimizer_as_it_was_and_accuses_nobody_of_its_gradients(own):
    own.fit(X, Y, verbose=0)
    before = [np.array(each) for each in own.another.variables]
    assert kr.diagnose(own, X, Y).findings == ()
    for ours, theirs in zip(before, own.another.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
