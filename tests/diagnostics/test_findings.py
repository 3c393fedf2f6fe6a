"""Planted faults are found, and healthy networks are not accused."""

import keras
import numpy as np
import pytest
from keras import initializers, layers, ops

import keras_recipes as kr
from keras_recipes.callbacks import LayerHealth
from keras_recipes.diagnostics import diagnose
from keras_recipes.diagnostics.findings import COLUMN, find
from keras_recipes.diagnostics.observed_layers import ObservedLayer
from keras_recipes.diagnostics.statistics import STATISTICS
from tests.diagnostics.planted import SEEDS, convolutional, findings_by_seed, flattened, network

RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 20)).astype("float32")
IMAGES = RNG.uniform(size=(16, 32, 32, 3)).astype("float32")


def normal(deviation):
    return initializers.RandomNormal(stddev=deviation)


def my_tanh(x):
    return ops.tanh(x)


FAULTS = {
    "sigmoid, small": ("vanishing gradients", lambda: network(12, "sigmoid", normal(0.05)), X),
    "sigmoid, Glorot": ("vanishing gradients", lambda: network(12, "sigmoid", "glorot_uniform"), X),
    "linear, too large": ("exploding gradients", lambda: network(12, None, normal(0.3)), X),
    "two layers, too large": ("exploding gradients", lambda: network(2, None, normal(0.3)), X),
    "three layers, too large": ("exploding gradients", lambda: network(3, None, normal(0.3)), X),
    "two of relu, too large": ("exploding gradients", lambda: network(2, "relu", normal(0.5)), X),
    "linear, too small": ("vanishing gradients", lambda: network(12, None, normal(0.03)), X),
    "relu, 0.8 of He": ("vanishing gradients", lambda: network(50, "relu", normal(0.113)), X),
    "relu, biases at -30": ("dying ReLU", lambda: network(5, "relu", "he_normal", bias=-30.0), X),
    "relu apart": ("dying ReLU", lambda: network(3, "relu", "he_normal", bias=-30.0, apart=True), X),
    "tanh, weights of 5": ("saturated", lambda: network(5, "tanh", normal(5.0)), X),
    "tanh by another name": ("saturated", lambda: network(5, my_tanh, normal(5.0)), X),
    "tanh in a lambda": ("saturated", lambda: network(5, lambda x: ops.tanh(x), normal(5.0)), X),
    "sigmoid in a lambda": ("saturated", lambda: network(5, lambda x: ops.sigmoid(x), normal(5.0)), X),
    "softsign, weights of 5": ("saturated", lambda: network(5, "softsign", normal(5.0)), X),
    "hard sigmoid, weights of 5": ("saturated", lambda: network(5, "hard_sigmoid", normal(5.0)), X),
    "selu, He": ("not self-normalizing", lambda: network(5, "selu", "he_normal"), X),
    "selu, He, 1 layer": ("not self-normalizing", lambda: network(1, "selu", "he_normal"), 0.8 * X),
    "selu, unscaled": ("not self-normalizing", lambda: network(5, "selu", "lecun_normal"), 50 * X),
    "selu, shifted": ("not self-normalizing", lambda: network(5, "selu", "lecun_normal"), X + 5),
    "convolutions, sigmoid": (
        "vanishing gradients",
        lambda: convolutional(activation="sigmoid", initializer="glorot_uniform", depth=10),
        IMAGES,
    ),
    "two convolutions, too large": (
        "exploding gradients",
        lambda: convolutional(activation=None, initializer=normal(0.3), depth=2),
        IMAGES,
    ),
    "convolutions, too small": (
        "vanishing gradients",
        lambda: convolutional(activation=None, initializer=normal(0.02), depth=8),
        IMAGES,
    ),
}  # fmt: skip

HEALTHY = {
    "ELU and He": lambda depth: network(depth, "elu", "he_normal"),
    "ReLU and He": lambda depth: network(depth, "relu", "he_normal"),
    "SELU and LeCun": lambda depth: network(depth, "selu", "lecun_normal"),
    "batch-normalized ReLU": lambda depth: network(depth, "relu", "he_normal", norm=True),
    "batch-normalized tanh": lambda depth: network(depth, "tanh", "glorot_uniform", norm=True),
    "ELU in a lambda": lambda depth: network(depth, lambda x: ops.elu(x), "he_normal"),
    "ReLU in a lambda": lambda depth: network(depth, lambda x: ops.relu(x), "he_normal"),
}
HEALTHY_CONVOLUTIONS = {
    "global pooling": convolutional,
    "average pooling": lambda: convolutional(lambda: layers.AveragePooling2D(2), depth=2),
    "batch-normalized": lambda: convolutional(
        layers.BatchNormalization, layers.ReLU, activation=None, depth=2
    ),
    "strided and flattened": flattened,
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name):
    expected, build, x = FAULTS[name]
    model = build()
    found = list(findings_by_seed(model, x, RNG.normal(size=(len(x), 1)).astype("float32")))
    assert len(found) == len(SEEDS) == 10
    for findings in found:
        assert expected in {finding.name for finding in findings}
        for finding in findings:
            assert finding.layer in [layer.name for layer in model.layers]
            assert any(character.isdigit() for character in finding.evidence)
            assert "=" in finding.advice or "(" in finding.advice


@pytest.mark.parametrize("depth", [2, 10, 50])
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_network_is_not_accused(name, depth):
    assert list(findings_by_seed(HEALTHY[name](depth), X, X[:, :1] * X[:, 1:2])) == [[]] * 10


@pytest.mark.parametrize("name", HEALTHY_CONVOLUTIONS)
def test_healthy_convolutions_are_not_accused(name):
    y = RNG.normal(size=(len(IMAGES), 1)).astype("float32")
    assert list(findings_by_seed(HEALTHY_CONVOLUTIONS[name](), IMAGES, y)) == [[]] * 10


def observed(number, **changes):
    given = {
        "name": f"layer_{number}", "layer": None, "kernel": None, "output": None, "number": 0, "calls": 1,
        "function": None, "activation": "relu", "hidden": True, "positions": 1,
        "source": None, "direct": False, "normalized": False,
    }  # fmt: skip
    return ObservedLayer(**{**given, **changes})


def found(rows, **changes):
    statistics = np.ones((len(rows), len(STATISTICS)))
    statistics[:, [COLUMN[each] for each in ("dead", "saturated", "update_ratio")]] = 0
    for row, values in zip(statistics, rows, strict=True):
        for name, value in values.items():
            row[COLUMN[name]] = value
    layers_of_rows = [observed(number, **changes) for number in range(len(rows))]
    return [(finding.name, finding.layer) for finding in find(layers_of_rows, statistics)]


SIGNALS = [1e-6, 1e-6, 1, 1]


def test_a_dead_layer_explains_what_it_holds_back_and_no_more():
    rows = [{"signal_norm": signal} for signal in SIGNALS]
    assert found(rows) == [("vanishing gradients", "layer_0")]
    rows[2]["dead"] = 0.95  # the gradient comes through it from its outputs to layer_1
    assert found(rows) == [("dying ReLU", "layer_2")]
    rows[2]["dead"], rows[0]["dead"] = 0, 0.95
    assert found(rows) == [("vanishing gradients", "layer_0"), ("dying ReLU", "layer_0")]


def test_a_layer_is_judged_by_what_it_multiplies_alone_until_it_has_learned():
    statistics = np.zeros((3, len(STATISTICS)))
    statistics[:, COLUMN["activation_std"]] = [1, 3, 3]
    statistics[:, COLUMN["activation_mean"]] = [0, 0, 4]  # which counts to the size
    first = observed(0)

    def named(**changes):
        later = [observed(number, source=f"layer_{number - 1}", **changes) for number in (1, 2)]
        return [each.layer for each in find([first, *later], statistics, trained)]

    trained = False
    assert named(direct=True) == ["layer_1"]
    assert named(direct=False) == []
    statistics[0, COLUMN["activation_mean"]] = 2
    assert named(direct=True) == []
    statistics *= 0.1  # where it may be that of a bias
    statistics[0] = 0.05
    assert named(direct=True) == []
    statistics[1:] *= 10
    assert named(direct=True) == ["layer_1"]
    trained = True
    assert named(direct=True) == []


@pytest.mark.parametrize("activation", ["sigmoid", "softplus"])
def test_small_inputs_are_no_explosion(activation):
    """Of whose activations the mean, that of no input, is far above the deviation."""
    model = network(3, activation, "glorot_uniform")
    assert diagnose(model, 1e-3 * X, X[:, :1]).findings == ()


def test_only_the_first_of_a_chain_of_dead_layers_is_accused():
    chain = [observed(0), *(observed(number, source=f"layer_{number - 1}") for number in (1, 2, 3))]
    statistics = np.ones((4, len(STATISTICS)))
    statistics[:, [COLUMN[each] for each in ("saturated", "update_ratio")]] = 0
    for dead, accused in (
        ([1, 1, 1, 1], ["layer_0"]),
        ([0, 1, 0, 1], ["layer_1"]),  # past one that is linear
        ([0.9, 1, 1, 0], ["layer_0", "layer_1"]),  # for what the first gives varies
    ):
        statistics[:, COLUMN["dead"]] = dead
        assert [each.layer for each in find(chain, statistics)] == accused
    statistics[:, COLUMN["dead"]] = 1
    apart = [chain[0], *(observed(number) for number in (1, 2, 3))]  # branches, for example
    assert len(find(apart, statistics)) == 4


def test_a_reader_is_led_to_the_layer_that_died():
    x = keras.Input((20,))
    first = layers.Dense(8, "relu", name="first", bias_initializer=initializers.Constant(-30.0))(x)
    hidden = layers.Dropout(0.2)(layers.Dense(8)(layers.BatchNormalization()(first)))
    hidden = layers.Dense(8, "relu", bias_initializer=initializers.Constant(-1.0))(hidden)
    model = keras.Model(x, layers.Dense(1)(hidden))
    model.compile("sgd", "mse")
    diagnosis = diagnose(model, X, X[:, :1])
    assert list(diagnosis.statistics[:, COLUMN["dead"]]) == [1, 0, 1, 0]
    assert [(each.name, each.layer) for each in diagnosis.findings] == [("dying ReLU", "first")]


def test_layers_that_no_gradient_comes_to_are_no_fault():
    rows = [{"signal_norm": signal} for signal in (0, 0, 0.1, 0.1)]
    assert found(rows) == []
    absent = dict.fromkeys(STATISTICS, 0.0)
    centred = {"activation_mean": 0}
    assert found([absent, centred, centred], activation="selu") == []


def test_a_share_at_its_threshold_is_not_above_it():
    assert found([{"dead": np.float32(0.8)}, {}]) == []  # of which float32 makes 0.80000001
    assert found([{"dead": np.float32(0.81)}, {}]) == [("dying ReLU", "layer_0")]


def test_outputs_are_not_judged():
    rows = [{"saturated": 0.9}, {"dead": 1.0}]
    assert len(found(rows)) == 2
    assert found(rows, hidden=False) == []


@pytest.mark.parametrize(("positions", "healthy"), [((1, 1), False), ((10**4, 1), True)])
def test_a_mean_over_positions_may_divide_the_gradient(positions, healthy):
    statistics = np.ones((2, len(STATISTICS)))
    statistics[:, [COLUMN[each] for each in ("dead", "saturated", "update_ratio")]] = 0
    statistics[:, COLUMN["signal_norm"]] = [1 / 150, 1]
    pair = [observed(number, positions=each) for number, each in enumerate(positions)]
    assert (find(pair, statistics) == []) is healthy
    statistics[0, COLUMN["signal_norm"]] = 1e-5  # more than that
    assert find(pair, statistics)[0].name == "vanishing gradients"


def test_what_lets_no_gradient_through_is_found_where_nothing_else_explains_it():
    rows = [{"gradient_norm": 0}, {"gradient_norm": 0}, {"signal_norm": 0, "gradient_norm": 0}]
    assert found(rows) == [("dying ReLU", "layer_1")]
    assert found(rows, activation="sigmoid", hidden=False) == [("saturated", "layer_1")]
    assert found(rows, activation="custom") == [("vanishing gradients", "layer_1")]
    assert found([rows[0], {"dead": 0.9}]) == [("dying ReLU", "layer_1")]


def end(units=1, activation=None, **initializers_):
    x = inputs = keras.Input((20,))
    for _ in range(3):
        x = layers.Dense(50, "relu", kernel_initializer="he_normal")(x)
    outputs = layers.Dense(units, activation, name="end", **initializers_)(x)
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    ("activation", "bias", "name"),
    [
        ("relu", -100.0, "dying ReLU"),
        ("sigmoid", 120.0, "saturated"),
        ("relu6", 50.0, "dying ReLU"),
        (my_tanh, 120.0, "saturated"),
        (lambda x: ops.relu(x), -100.0, "dying ReLU"),
    ],
)
def test_an_output_without_a_gradient_is_found(activation, bias, name):
    model = end(1, activation, bias_initializer=initializers.Constant(bias))
    [finding] = diagnose(model, X, X[:, :1]).findings
    assert (finding.name, finding.layer) == (name, "end")
    assert 'task="regression"' in finding.advice


def test_units_that_stand_at_a_ceiling_are_dead():
    model = network(3, "relu6", "he_normal", bias=30.0)
    assert "dying ReLU" in {each.name for each in diagnose(model, X, X[:, :1]).findings}


def test_a_kernel_of_zeros_is_no_explosion():
    assert diagnose(end(kernel_initializer="zeros"), X, X[:, :1]).findings == ()


def test_a_step_that_changes_a_kernel_as_a_whole_is_found():
    assert found([{"update_ratio": 0.1}, {"update_ratio": 0.6}, {"update_ratio": 0.7}]) == [
        ("exploding gradients", "layer_2")
    ]
    assert found([{"update_ratio": 0.1}, {"update_ratio": 0.4}]) == []
    model = network(6, "relu", "he_normal")
    model.compile(keras.optimizers.SGD(30.0), "mse")
    assert "exploding gradients" in {each.name for each in diagnose(model, X, X[:, :1]).findings}


@pytest.mark.parametrize("dropout", [0.0, 0.1, 0.2])
def test_self_normalizing_networks_are_not_accused_while_they_train(dropout):
    data = kr.load_dataset("digits")
    model = kr.build_self_normalizing_dnn(
        data.input_shape, data.n_outputs, data.task, adapt_to=data.adapt_to, dropout=dropout, seed=1
    )
    health = LayerHealth(every=25)
    kr.fit(
        model, data.x_train, data.y_train, epochs=20, callbacks=[health], verbose=0, seed=1,
        validation_data=(data.x_val, data.y_val),
    )  # fmt: skip
    for step, statistics in zip(health.steps, health.statistics, strict=True):
        assert find(health._layers, statistics, trained=step > 0) == []
    assert kr.diagnose(model, data.x_train, data.y_train).findings == ()


def test_a_trained_self_normalizing_network_is_accused_on_unscaled_inputs():
    model = network(5, "selu", "lecun_normal")
    model.optimizer.learning_rate = 0.0  # a step on such inputs is too large
    model.optimizer.iterations.assign(10)
    assert diagnose(model, X, X[:, :1]).findings == ()
    [finding] = diagnose(model, 50 * X, X[:, :1]).findings
    assert finding.name == "not self-normalizing"


def test_numbers_that_are_not_finite_are_an_explosion_alone():
    rows = [{"activation_mean": np.nan, "activation_std": np.nan}, {}]
    assert found(rows, activation="selu") == [("exploding gradients", "layer_0")]
