import keras
import matplotlib as mpl
import numpy as np
import pytest
import tensorflow as tf

import keras_recipes as kr
from keras_recipes import lr_finder

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).astype("float32")
Y = (X @ [1.0, -2.0, 0.5, 0.0] + 1).astype("float32")


def build(**keywords):
    return kr.build_default_dnn(4, hidden_units=(16,), seed=1, **keywords)


def linear(optimizer=None):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizer or keras.optimizers.SGD(), "mse")
    return model


def values(model):
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return [np.array(variable) for variable in variables]


def replay(rates, batch_size):
    """The losses of the linear model under plain gradient descent, by NumPy."""
    rng, weights, bias, losses, batches = np.random.default_rng(0), np.zeros(4), 0.0, [], []
    for rate in rates:
        if not batches:
            batches = list(rng.permutation(200).reshape(-1, batch_size))
        rows = batches.pop(0)
        errors = X[rows] @ weights + bias - Y[rows]
        losses.append(np.mean(errors**2))
        weights = weights - rate * 2 * X[rows].T @ errors / batch_size
        bias -= rate * 2 * errors.mean()
    return losses


@pytest.mark.filterwarnings("ignore:The loss did not diverge")
@pytest.mark.parametrize("in_graph", [True, False])
def test_the_losses_are_those_of_single_steps(in_graph, monkeypatch):
    monkeypatch.setattr(lr_finder, "can_loop", lambda *_: in_graph)
    curve = kr.find_learning_rate(
        linear(), X, Y, batch_size=40, min_rate=1e-4, max_rate=0.01, steps=25
    )
    np.testing.assert_allclose(curve.learning_rates, np.geomspace(1e-4, 0.01, 25))
    np.testing.assert_allclose(curve.losses, replay(curve.learning_rates, 40), rtol=1e-4)


@pytest.mark.parametrize("optimizer", ["momentum", "nadam"])
def test_small_data_learned_by_heart_end_the_test(optimizer):
    data = kr.load_dataset("wine", seed=0)
    model = kr.build_default_dnn(
        data.input_shape, data.n_outputs, data.task, adapt_to=data.adapt_to, optimizer=optimizer,
        seed=1,
    )  # fmt: skip
    curve = kr.find_learning_rate(model, data.x_train, data.y_train)
    assert len(curve.losses) < 300
    assert curve.smoothed_losses[-1] < 0.01 * curve.smoothed_losses.max()
    learned = curve.smoothed_losses < 0.01 * np.maximum.accumulate(curve.smoothed_losses)
    assert curve.suggestion == curve.learning_rates[learned.argmax()]
    kr.fit(model, data.x_train, data.y_train, epochs=15, seed=1, verbose=0)
    assert kr.evaluate(model, data.x_test, data.y_test)["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("optimizer", "share"),
    [("sgd", 0.1), ("momentum", 0.15), ("nadam", 0.1), (keras.optimizers.SGD(momentum=0.9), 0.1)],
)
def test_it_stops_where_the_loss_diverges_and_suggests_a_share_of_the_rate_there(optimizer, share):
    noisy = Y + np.random.default_rng(1).normal(size=200)
    curve = kr.find_learning_rate(build(optimizer=optimizer), X, noisy)
    assert len(curve.losses) == len(curve.learning_rates) < 300
    averages = [np.average(curve.losses[: i + 1], weights=0.9 ** np.arange(i, -1, -1.0))
                for i in range(len(curve.losses))]  # fmt: skip
    np.testing.assert_allclose(curve.smoothed_losses, averages, rtol=1e-6)
    diverged = [i for i, a in enumerate(averages) if not a <= 4 * min(averages[: i + 1])]
    assert curve.suggestion == pytest.approx(curve.learning_rates[diverged[0]] * share)


@pytest.mark.parametrize("optimizer", ["momentum", "nadam"])
@pytest.mark.parametrize("trained_before", [False, True])
def test_the_model_is_as_it_was(optimizer, trained_before):
    model = build(optimizer=optimizer, dropout=0.5, normalization="batch")
    if trained_before:
        model.fit(X, Y, verbose=0)
    before, rate = values(model), float(model.optimizer.learning_rate)
    kr.find_learning_rate(model, X, Y)
    after = values(model)
    for one, other in zip(before, after, strict=False):
        np.testing.assert_array_equal(one, other)
    assert float(model.optimizer.learning_rate) == rate
    untouched = build(optimizer=optimizer, dropout=0.5, normalization="batch")
    if trained_before:
        untouched.fit(X, Y, verbose=0)
    for each in (model, untouched):  # the compiled step as well: shuffling is seeded by it
        keras.utils.set_random_seed(3)
        each.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    for one, other in zip(model.get_weights(), untouched.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return X[index * 40 : (index + 1) * 40], Y[index * 40 : (index + 1) * 40]


@pytest.mark.parametrize(
    "data", [tf.data.Dataset.from_tensor_slices((X, Y)).batch(40), Batches()], ids=["tf", "Py"]
)
def test_datasets(data):
    curve = kr.find_learning_rate(build(), data)
    assert 1e-3 < curve.suggestion < 0.3
    assert len(curve.losses) > 20


def test_sample_weights_and_a_model_that_is_not_built_yet():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    plain = kr.find_learning_rate(model, X, Y, max_rate=1000.0, steps=20)
    weighted = kr.find_learning_rate(
        model, X, Y, sample_weight=np.full(200, 3.0), max_rate=1000.0, steps=20
    )
    assert weighted.losses[0] == pytest.approx(3 * plain.losses[0])


def test_it_tells_of_a_loss_that_does_not_diverge():
    with pytest.warns(UserWarning, match="Pass a larger max_rate"):
        curve = kr.find_learning_rate(linear(), X, Y, max_rate=1e-3, steps=30)
    assert curve.suggestion == pytest.approx(1e-4)


def test_the_plot_shows_the_curve_and_the_suggestion():
    mpl.use("Agg")
    curve = kr.LearningRateCurve(np.geomspace(1e-3, 1, 4), np.array([2.0, 1.0, 1.0, 9.0]), 0.1)
    ax = curve.plot()
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), curve.losses)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), curve.smoothed_losses)
    assert list(ax.lines[2].get_xdata()) == [0.1, 0.1]
    assert (ax.get_xlabel(), ax.get_xscale()) == ("learning rate", "log")
    assert curve.plot(ax) is ax


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"model": 3}, TypeError, "a keras.Model"),
        ({"model": keras.Sequential()}, ValueError, "must be compiled"),
        ({"min_rate": 0}, ValueError, "`min_rate`"),
        ({"min_rate": 1.0, "max_rate": 0.1}, ValueError, r"`max_rate` must be in \(1.0, inf\)"),
        ({"steps": 3}, ValueError, "`steps`"),
        ({"batch_size": 0}, ValueError, "`batch_size`"),
        ({"x": X[:, :2]}, ValueError, "must have the shape"),
        ({"y": Y * 1e30}, FloatingPointError, "finite at the lowest rate.*adapt_to"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    arguments = {"model": linear(), "x": X, "y": Y, **arguments}
    with pytest.raises(error, match=match):
        kr.find_learning_rate(arguments.pop("model"), **arguments)


def test_fit_takes_the_suggestion_and_keeps_it_over_an_interruption(tmp_path, monkeypatch):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def fit(model, **keywords):
        return kr.fit(
            model, X, Y, epochs=4, seed=1, verbose=0, run_dir=tmp_path, checkpoint_every=1,
            **keywords,
        )  # fmt: skip

    suggested = kr.find_learning_rate(build(), X, Y).suggestion
    with pytest.raises(KeyboardInterrupt):
        fit(build(), callbacks=[Interrupt()])
    monkeypatch.delattr("keras_recipes.training.find_learning_rate")
    rates = fit(build()).history["learning_rate"]
    schedule = kr.schedules.OneCycle(suggested, 4 * 7)
    np.testing.assert_allclose(rates, [float(schedule(7 * epoch + 6)) for epoch in range(4)])
