"""The proximal step against a replay of the training in numpy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_recipes.arrays import Examples
from keras_recipes.callbacks import OneCycle as OneCycleCallback
from keras_recipes.graph_loops import LONG, TrainingLoop
from keras_recipes.optimizers import SGD, ProximalSGD, make_optimizer
from keras_recipes.schedules import OneCycle, OneCycleMomentum

ROWS, BATCH, EPOCHS, L1 = 50, 8, 3, 0.8  # the last batch of an epoch has two rows
STEPS = EPOCHS * -(-ROWS // BATCH)
RATE = OneCycle(0.1, STEPS)
MOMENTUM = OneCycleMomentum(STEPS, max_momentum=0.9, min_momentum=0.3)
VARIANTS = {
    "sgd": {},
    "momentum": {"momentum": MOMENTUM},
    "nesterov": {"momentum": MOMENTUM, "nesterov": True},
}


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 4)).astype("float32")
    return x, (x @ [[1.0], [-2.0], [0.2], [0.0]] + 0.3).astype("float32")


def compiled_model(optimizer, **compiled):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizer, "mean_squared_error", **compiled)
    return model


def trained(optimizer, **compiled):
    model = compiled_model(optimizer, **compiled)
    model.fit(*data(), batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0)
    return weights_of(model)


def trained_in_graph(optimizer, total_steps):
    """By the loop that `kr.fit` runs, with the examples in their order."""
    model = compiled_model(optimizer)
    examples = Examples(*data(), None, BATCH, STEPS // EPOCHS)
    loop = TrainingLoop(model, examples, total_steps)
    for _ in range(EPOCHS):
        loop.run(np.arange(ROWS, dtype="int32"), 0, examples.steps)
    return weights_of(model)


def weights_of(model):
    return np.concatenate([weight.ravel() for weight in model.get_weights()])


def share_left(gradient, clipvalue=None, clipnorm=None, global_clipnorm=None):
    """What clipping leaves of the gradient of four weights and a bias."""
    if clipvalue:
        size, bound = np.abs(gradient), clipvalue
    elif clipnorm:
        size = np.array([[np.linalg.norm(gradient[:4])]] * 4 + [[abs(gradient[4, 0])]])
        bound = clipnorm
    else:
        size, bound = np.linalg.norm(gradient), global_clipnorm or np.inf
    return np.where(size > bound, bound / size, 1.0)


def replayed(momentum=None, nesterov=False, l1=L1, in_loss=False, **clip):
    """The step as in the papers: the mean gradient, the step size, the soft threshold."""
    x, y = data()
    x = np.hstack([x, np.ones((ROWS, 1))]).astype(float)
    w, gradients, size, t = np.zeros((5, 1)), 0.0, 0.0, 0
    penalized = np.array([[1.0], [1], [1], [1], [0]])
    for _ in range(EPOCHS):
        for first in range(0, ROWS, BATCH):
            rows = slice(first, first + BATCH)
            gradient = 2 * x[rows].T @ (x[rows] @ w - y[rows]) / len(y[rows])
            if in_loss:
                gradient = gradient + l1 * np.sign(w) * penalized
            beta = 0.0 if momentum is None else float(momentum(t))
            rate = float(RATE(t)) * share_left(gradient, **clip)
            gradients, size = beta * gradients + rate * gradient, beta * size + rate
            total, length = gradients, size
            if nesterov:
                total, length = beta * gradients + rate * gradient, beta * size + rate
            w = w - length * (total / length)
            if not in_loss:
                w = np.sign(w) * np.maximum(np.abs(w) - length * l1 * penalized, 0)
            t += 1
    return w.ravel()


@pytest.mark.parametrize(
    "train",
    [
        pytest.param(trained, id="fit"),
        pytest.param(
            lambda optimizer: trained(optimizer, steps_per_execution=10), id="steps_per_execution"
        ),
        pytest.param(lambda optimizer: trained(optimizer, jit_compile=True), id="jit_compile"),
        pytest.param(lambda optimizer: trained_in_graph(optimizer, STEPS), id="loop_of_fit"),
        pytest.param(
            lambda optimizer: trained_in_graph(optimizer, LONG),
            id="loop_of_fit_compiled",
        ),
        pytest.param(
            lambda optimizer: trained(keras.optimizers.LossScaleOptimizer(optimizer, 8.0)),
            id="loss_scaling",
        ),
    ],
)
def test_trains_as_replayed_however_it_is_run(train):
    check_against_the_replay("nesterov", train)


@pytest.mark.parametrize("name", ["sgd", "momentum"])
def test_trains_as_replayed(name):
    check_against_the_replay(name, trained)


def check_against_the_replay(name, train):
    weights = train(ProximalSGD(RATE, l1=L1, **VARIANTS[name]))
    expected = replayed(**VARIANTS[name])
    np.testing.assert_allclose(weights, expected, atol=2e-5)
    np.testing.assert_array_equal(weights == 0, expected == 0)
    assert 0 < (weights == 0).sum() < 4


CLIPS = [{"clipvalue": 0.9}, {"clipnorm": 1.5}, {"global_clipnorm": 1.5}]


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: next(iter(clip)))
@pytest.mark.parametrize("name", VARIANTS)
def test_clipping_shortens_the_threshold_with_the_step(name, clip):
    weights = trained(ProximalSGD(RATE, l1=L1, **VARIANTS[name], **clip))
    expected = replayed(**VARIANTS[name], **clip)
    np.testing.assert_allclose(weights, expected, atol=2e-5)
    np.testing.assert_array_equal(weights == 0, expected == 0)
    assert np.abs(expected - replayed(**VARIANTS[name])).max() > 0.01  # it did clip


@pytest.mark.parametrize("name", VARIANTS)
def test_the_penalty_in_the_loss_gives_no_zeros(name):
    # What the proximal step is for.
    assert (replayed(**VARIANTS[name], in_loss=True) != 0).all()


@pytest.mark.parametrize("name", VARIANTS)
def test_away_from_zero_it_is_sgd_with_the_penalty_in_the_loss(name):
    x, _ = data()
    y = x @ [[30.0], [20.0], [10.0], [9.0]]
    results = []
    for optimizer, regularizer in (
        (ProximalSGD(RATE, l1=0.1, **VARIANTS[name]), None),
        (SGD(RATE, **VARIANTS[name]), keras.regularizers.L1(0.1)),
    ):
        start = keras.initializers.Constant(10.0)
        dense = keras.layers.Dense(1, kernel_initializer=start, kernel_regularizer=regularizer)
        model = keras.Sequential([keras.Input((4,)), dense])
        model.compile(optimizer, "mean_squared_error")
        model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
        results.append(weights_of(model))
    np.testing.assert_allclose(*results, rtol=1e-5)
    assert (results[0][:4] > 0.5).all()


def test_without_penalty_it_is_sgd():
    np.testing.assert_array_equal(
        trained(ProximalSGD(RATE, momentum=0.9)), trained(SGD(RATE, momentum=0.9))
    )


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_ends_where_the_penalty_and_the_gradient_hold_each_other(momentum):
    x, y = data()
    model = compiled_model(ProximalSGD(0.05, momentum=momentum, l1=L1), steps_per_execution=100)
    dataset = tf.data.Dataset.from_tensors((x, y)).repeat()
    model.fit(dataset, steps_per_epoch=500, shuffle=False, verbose=0)
    kernel, bias = model.get_weights()
    gradient = 2 * x.T @ (x @ kernel + bias - y) / ROWS
    at_zero = kernel == 0
    assert 0 < at_zero.sum() < 4
    np.testing.assert_allclose(gradient[~at_zero], -L1 * np.sign(kernel[~at_zero]), atol=1e-4)
    assert (np.abs(gradient[at_zero]) < L1).all()


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: next(iter(clip)))
def test_clipping_leaves_the_minimum_where_it_was(clip):
    found = []
    for keywords in ({}, clip):
        optimizer = ProximalSGD(0.05, momentum=0.5, l1=2.0, **keywords)
        model = compiled_model(optimizer, steps_per_execution=100)
        dataset = tf.data.Dataset.from_tensors(data()).repeat()
        model.fit(dataset, steps_per_epoch=1000, shuffle=False, verbose=0)
        found.append(weights_of(model))
    np.testing.assert_allclose(*found, atol=1e-4)
    np.testing.assert_array_equal(found[0] == 0, found[1] == 0)
    assert 0 < (found[0] == 0).sum() < 4


@pytest.mark.parametrize("frequency", [None, 5])
def test_averaged_weights_keep_their_zeros(frequency):
    optimizer = ProximalSGD(
        0.1, l1=L1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=frequency
    )
    weights = trained(optimizer)
    assert 0 < (weights == 0).sum() < 4
    averages = np.concatenate(
        [np.ravel(each) for each in optimizer._model_variables_moving_average]
    )
    assert averages.all()
    np.testing.assert_array_equal(weights[weights != 0], averages[weights != 0])


def test_gradient_accumulation_takes_the_step_once():
    optimizer = ProximalSGD(0.5, l1=0.2, gradient_accumulation_steps=2)
    kernel = keras.Variable(np.array([1.0, 0.05], "float32"), name="kernel")
    for gradient in ([0.0, 0.1], [0.4, -0.1]):
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [kernel])
    np.testing.assert_allclose(kernel.numpy(), [1 - 0.5 * 0.2 - 0.1, 0], rtol=1e-6)


def test_biases_are_not_penalized():
    optimizer = ProximalSGD(0.5, l1=10.0)
    kernel, bias = (keras.Variable(np.ones(2, "float32"), name=name) for name in ("kernel", "bias"))
    optimizer.apply([keras.ops.zeros(2)] * 2, [kernel, bias])
    np.testing.assert_array_equal([kernel.numpy(), bias.numpy()], [[0, 0], [1, 1]])


@pytest.mark.parametrize("name", VARIANTS)
def test_survives_saving(name, tmp_path):
    model = compiled_model(ProximalSGD(RATE, l1=L1, **VARIANTS[name]))
    model.fit(*data(), batch_size=BATCH, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.optimizer.l1 == L1
    for each in (model, again):
        each.fit(*data(), batch_size=BATCH, epochs=2, shuffle=False, verbose=0)
        np.testing.assert_allclose(weights_of(each), replayed(**VARIANTS[name]), atol=2e-5)
    np.testing.assert_array_equal(weights_of(model), weights_of(again))


def test_the_one_cycle_callback_takes_it():
    model = compiled_model(make_optimizer("momentum", l1=2.0))
    callback = OneCycleCallback(0.05)
    history = model.fit(*data(), epochs=10, verbose=0, callbacks=[callback]).history
    assert len(set(history["momentum"])) > 1
    assert 0 < (weights_of(model) == 0).sum() < 4


def test_make_optimizer_makes_it():
    for name, momentum, nesterov in (
        ("sgd", 0.0, False),
        ("momentum", 0.9, False),
        ("nesterov", 0.9, True),
    ):
        optimizer = make_optimizer(name, 0.1, l1=0.01, clipnorm=1.0)
        assert type(optimizer) is ProximalSGD
        assert (optimizer.momentum, optimizer.nesterov, optimizer.l1) == (momentum, nesterov, 0.01)
        assert optimizer.clipnorm == 1.0


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: ProximalSGD(l1=-1), ValueError, "`l1` must be in"),
        (lambda: ProximalSGD(l1="x"), TypeError, "`l1` must be a number"),
        (lambda: ProximalSGD(momentum=1.0), ValueError, "`momentum` must be in"),
        (lambda: make_optimizer("sgd", l1=-1), ValueError, "For no penalty pass None"),
        (lambda: make_optimizer("adam", l1=0.1), ValueError, "one of 'sgd', 'momentum', 'nest"),
        (lambda: make_optimizer("rmsprop", l1=0.1), ValueError, "exact_zeros=False"),
        (
            lambda: ProximalSGD(l1=0.1).build([keras.Variable(np.ones(2), name="bias")]),
            ValueError,
            'whose name ends in "kernel". Received: .* and bias',
        ),
    ],
)
def test_bad_arguments_are_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()
