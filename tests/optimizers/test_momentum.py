"""Momentum that follows a schedule, against a replay of the training in numpy."""

import keras
import numpy as np
import pytest

from keras_recipes.arrays import Examples
from keras_recipes.graph_loops import LONG, TrainingLoop
from keras_recipes.optimizers import SGD, Adam, AdamW, Nadam
from keras_recipes.schedules import OneCycle, OneCycleMomentum

ROWS, BATCH, EPOCHS = 50, 8, 3  # the last batch of an epoch has two rows
STEPS = EPOCHS * -(-ROWS // BATCH)
RATE = OneCycle(0.05, STEPS)
MOMENTUM = OneCycleMomentum(STEPS, max_momentum=0.9, min_momentum=0.3)

OPTIMIZERS = {
    "sgd": (SGD, "momentum", {}),
    "nesterov": (SGD, "momentum", {"nesterov": True}),
    "adam": (Adam, "beta_1", {}),
    "nadam": (Nadam, "beta_1", {}),
    "adamw": (AdamW, "beta_1", {"weight_decay": 0.1}),
}


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 3)).astype("float32")
    return x, (x @ [[1.0], [-2.0], [0.5]] + 0.3).astype("float32")


def compiled_model(name, wrap=lambda optimizer: optimizer, **compiled):
    cls, argument, arguments = OPTIMIZERS[name]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    optimizer = cls(RATE, **{argument: MOMENTUM}, **arguments)
    model.compile(wrap(optimizer), "mean_squared_error", **compiled)
    return model


def trained_by_keras(name, **compiled):
    model = compiled_model(name, **compiled)
    x, y = data()
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0)
    return weights_of(model)


def trained_in_graph(name, total_steps, **compiled):
    """By the loop that `kr.fit` runs, with the examples in their order."""
    model = compiled_model(name, **compiled)
    examples = Examples(*data(), None, BATCH, STEPS // EPOCHS)
    loop = TrainingLoop(model, examples, total_steps)
    for _ in range(EPOCHS):
        loop.run(np.arange(ROWS, dtype="int32"), 0, examples.steps)
    return weights_of(model)


def weights_of(model):
    return np.concatenate([weight.ravel() for weight in model.get_weights()])


def loss_scaled(optimizer):
    return keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=8.0)


def step_sgd(state, w, g, rate, beta, t, nesterov=False):
    state["m"] = beta * state["m"] - rate * g
    return w + (beta * state["m"] - rate * g if nesterov else state["m"])


def step_adam(state, w, g, rate, beta, t, decay=0.0):
    w = w - rate * decay * w
    state["m"] = beta * state["m"] + (1 - beta) * g
    state["v"] = 0.999 * state["v"] + 0.001 * g * g
    m, v = state["m"] / (1 - beta**t), state["v"] / (1 - 0.999**t)
    # Keras adds epsilon before the bias correction of v, which is the paper's faster form.
    return w - rate * m / (np.sqrt(v) + 1e-7 / np.sqrt(1 - 0.999**t))


def step_nadam(state, w, g, rate, beta, t):
    now, after = (beta * (1 - 0.5 * 0.96**k) for k in (t, t + 1))
    state["u"] = state.get("u", 1.0) * now
    state["m"] = beta * state["m"] + (1 - beta) * g
    state["v"] = 0.999 * state["v"] + 0.001 * g * g
    m = after * state["m"] / (1 - state["u"] * after) + (1 - now) * g / (1 - state["u"])
    return w - rate * m / (np.sqrt(state["v"] / (1 - 0.999**t)) + 1e-7)


REPLAYED = {
    "sgd": step_sgd,
    "nesterov": lambda *args: step_sgd(*args, nesterov=True),
    "adam": step_adam,
    "nadam": step_nadam,
    "adamw": lambda *args: step_adam(*args, decay=0.1),
}


def replayed(name, momentum=None):
    x, y = data()
    x = np.hstack([x, np.ones((ROWS, 1))]).astype(float)
    w, state, t = np.zeros((4, 1)), {"m": 0.0, "v": 0.0}, 0
    for _ in range(EPOCHS):
        for first in range(0, ROWS, BATCH):
            rows = slice(first, first + BATCH)
            error = x[rows] @ w - y[rows]
            gradient = 2 * x[rows].T @ error / len(error)
            beta = float(MOMENTUM(t)) if momentum is None else momentum
            w = REPLAYED[name](state, w, gradient, float(RATE(t)), beta, t + 1)
            t += 1
    return w.ravel()


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("steps_per_execution", [1, 10])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_scheduled_momentum_trains_as_replayed(name, steps_per_execution, jit_compile):
    weights = trained_by_keras(
        name, steps_per_execution=steps_per_execution, jit_compile=jit_compile
    )
    np.testing.assert_allclose(weights, replayed(name), atol=2e-5)
    # The schedule matters by far more than this tolerance.
    assert np.abs(replayed(name) - replayed(name, momentum=0.9)).max() > 2e-3


@pytest.mark.parametrize("total_steps", [STEPS, LONG])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_scheduled_momentum_trains_as_replayed_in_the_loop_of_fit(name, total_steps):
    np.testing.assert_allclose(trained_in_graph(name, total_steps), replayed(name), atol=2e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_scheduled_momentum_under_loss_scaling(name):
    np.testing.assert_allclose(trained_by_keras(name, wrap=loss_scaled), replayed(name), atol=2e-5)


@pytest.fixture
def mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    "train",
    [
        pytest.param(lambda name: trained_by_keras(name, wrap=loss_scaled), id="keras"),
        pytest.param(
            lambda name: trained_by_keras(name, wrap=loss_scaled, steps_per_execution=10),
            id="steps_per_execution",
        ),
        pytest.param(
            lambda name: trained_by_keras(name, wrap=loss_scaled, jit_compile=True),
            id="jit_compile",
        ),
        pytest.param(
            lambda name: trained_in_graph(name, STEPS, wrap=loss_scaled), id="loop_of_fit"
        ),
        pytest.param(
            lambda name: trained_in_graph(name, LONG, wrap=loss_scaled),
            id="loop_of_fit_compiled",
        ),
    ],
)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_scheduled_momentum_under_mixed_precision(mixed_precision, name, train):
    weights, reference = train(name), replayed(name)
    # Half precision: about three digits, still far closer than a constant momentum comes.
    assert np.abs(weights - reference).max() < 4e-3
    constant = np.abs(replayed(name, momentum=0.9) - reference).max()
    assert np.abs(weights - reference).max() < constant / 2


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_number_is_what_keras_does_with_it(name):
    cls, argument, arguments = OPTIMIZERS[name]
    theirs = getattr(keras.optimizers, cls.__name__)
    x, y = data()
    results = []
    for optimizer in (cls, theirs):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "tanh", False, "ones")])
        model.compile(optimizer(0.01, **{argument: 0.8}, **arguments), "mean_squared_error")
        model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
        results.append(model.get_weights()[0])
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_scheduled_momentum_survives_saving(name, tmp_path):
    cls, argument, arguments = OPTIMIZERS[name]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(cls(RATE, **{argument: MOMENTUM}, **arguments), "mean_squared_error")
    x, y = data()
    model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, again):
        each.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert float(again.optimizer.momentum) == pytest.approx(float(MOMENTUM(14)))


def test_momentum_reads_as_that_of_the_current_step():
    optimizer = SGD(0.1, momentum=MOMENTUM)
    assert float(optimizer.momentum) == pytest.approx(0.9)
    optimizer.iterations.assign(STEPS // 2 - 2)
    assert float(optimizer.momentum) == pytest.approx(float(MOMENTUM(STEPS // 2 - 2)))
    assert SGD(0.1, momentum=0.7).momentum == 0.7


def test_sgd_without_momentum_has_no_slots():
    optimizer = SGD(0.1)
    optimizer.build([keras.Variable(np.ones(3, "float32"))])
    assert [variable.name for variable in optimizer.variables] == ["iteration", "learning_rate"]


def test_sgd_under_weight_decay_and_gradient_accumulation():
    optimizer = SGD(0.5, momentum=MOMENTUM, weight_decay=0.1, gradient_accumulation_steps=2)
    variable = keras.Variable(np.ones(2, "float32"))
    for gradient in (np.array([0.0, 0.2]), np.array([0.4, 0.2])):
        optimizer.apply([keras.ops.cast(gradient, "float32")], [variable])
    np.testing.assert_allclose(variable.numpy(), 1 - 0.05 - 0.5 * np.array([0.2, 0.2]), rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "error"), [(1.0, ValueError), (-0.1, ValueError), ("x", TypeError)]
)
def test_bad_momentum_is_refused(value, error):
    with pytest.raises(error, match="`momentum` must be"):
        SGD(0.1, momentum=value)
    with pytest.raises(error, match="`beta_1` must be"):
        Nadam(0.1, beta_1=value)


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        *(({"learning_rate": value}, ValueError) for value in (float("nan"), -0.5, np.inf, 0)),
        ({"learning_rate": "fast"}, TypeError),
        ({"clipvalue": "x"}, TypeError),
        ({"clipnorm": -1}, ValueError),
        ({"global_clipnorm": True}, TypeError),
        ({"weight_decay": -1}, ValueError),
        ({"ema_momentum": float("nan")}, ValueError),
        ({"use_ema": "yes"}, TypeError),
        ({"loss_scale_factor": 0}, ValueError),
        ({"gradient_accumulation_steps": 1}, ValueError),
        ({"gradient_accumulation_steps": 2.5}, TypeError),
        ({"ema_overwrite_frequency": 0}, ValueError),
    ],
)
@pytest.mark.parametrize("cls", [SGD, Adam, AdamW, Nadam])
def test_bad_arguments_of_every_optimizer_are_refused(cls, keywords, error):
    with pytest.raises(error, match=f"`{next(iter(keywords))}` must be"):
        cls(**keywords)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: SGD(0.1, nesterov="x"), TypeError, "`nesterov` must be True or False"),
        (lambda: Adam(beta_2="x"), TypeError, "`beta_2` must be a number"),
        (lambda: AdamW(beta_2=-1), ValueError, "`beta_2` must be in"),
        (lambda: Nadam(epsilon=float("nan")), ValueError, "`epsilon` must be in"),
        (lambda: Adam(amsgrad=1), TypeError, "`amsgrad` must be True or False"),
        (lambda: SGD(clipnorm=1.0, clipvalue=1.0), ValueError, "At most one"),
    ],
)
def test_bad_arguments_of_one_optimizer_are_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_a_momentum_needs_the_velocities_of_its_optimizer():
    optimizer = SGD(0.1)
    optimizer.momentum = 0.5  # not built yet: there will be velocities
    optimizer.momentum = 0.0
    optimizer.build([keras.Variable(np.ones(3, "float32"))])
    for momentum in (0.9, MOMENTUM):
        with pytest.raises(ValueError, match=r'stay 0 .* make_optimizer\("momentum"\)'):
            optimizer.momentum = momentum
    assert optimizer.momentum == 0.0
    optimizer.momentum = 0
    with_slots = SGD(0.1, momentum=0.9)
    with_slots.build([keras.Variable(np.ones(3, "float32"))])
    with_slots.momentum = 0.0
    with_slots.momentum = MOMENTUM
