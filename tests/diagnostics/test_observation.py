"""Ordinary models of all kinds can be looked at, by call, and train as they do without a look."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import keras_recipes as kr
from keras_recipes.callbacks import LayerHealth
from keras_recipes.diagnostics.findings import COLUMN
from keras_recipes.diagnostics.observation import Observation
from keras_recipes.diagnostics.observed_layers import observed_layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 20)).astype("float32")
SERIES = RNG.normal(size=(64, 5, 4)).astype("float32")
Y = (X[:, :1] * X[:, 1:2]).astype("float32")


def compiled(model, loss="mse"):
    model.compile(keras.optimizers.SGD(0.1), loss)
    return model


def head_without_loss():
    x = keras.Input((20,))
    hidden = layers.Dense(8, "relu")(x)
    outputs = {
        "a": layers.Dense(1, name="a")(hidden),
        "b": layers.Dense(1, name="b")(layers.Dense(3, "elu", name="inner")(hidden)),
    }
    return compiled(keras.Model(x, outputs), {"a": "mse"}), X, {"a": Y, "b": Y}


def recurrent(make):
    x = keras.Input((5, 4))
    output = tf.nest.flatten(make()(x))[0]
    return compiled(keras.Model(x, layers.Dense(1)(output))), SERIES, Y


class Unused(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = layers.Dense(4, "relu"), layers.Dense(1)
        self.unused = layers.Dense(3)
        self.unused.build((None, 4))

    def call(self, x):
        return self.out(ops.stop_gradient(self.hidden(x)))


class Loop(layers.Layer):
    def __init__(self):
        super().__init__()
        self.first, self.second = layers.Dense(4, "relu"), layers.Dense(4, "relu")

    def build(self, input_shape):
        self.first.build((None, 4))
        self.second.build((None, 4))

    def call(self, x):
        def body(step, x):
            return step + 1, self.second(self.first(x))

        return tf.while_loop(lambda step, _: step < 3, body, [0, x])[1]


def loop():
    x = keras.Input((20,))
    return compiled(keras.Model(x, layers.Dense(1)(Loop()(layers.Dense(4)(x))))), X, Y


def attention():
    x = keras.Input((5, 4))
    hidden, scores = layers.MultiHeadAttention(2, 4)(x, x, return_attention_scores=True)
    hidden = layers.TimeDistributed(layers.Dense(6, "relu"))(hidden)
    pooled = ops.mean(hidden, axis=1) * ops.mean(scores)
    return compiled(keras.Model(x, layers.Dense(1)(pooled))), SERIES, Y


MODELS = {
    "a head without a loss": head_without_loss,
    "GRU": lambda: recurrent(lambda: layers.GRU(3)),
    "Bidirectional": lambda: recurrent(lambda: layers.Bidirectional(layers.GRU(3))),
    "states": lambda: recurrent(lambda: layers.LSTM(3, return_state=True)),
    "cells": lambda: recurrent(lambda: layers.RNN([layers.LSTMCell(3), layers.LSTMCell(3)])),
    "unused and cut off": lambda: (compiled(Unused()), X, Y),
    "loop": loop,
    "attention": attention,
}


@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")  # Keras's own
@pytest.mark.parametrize("name", MODELS)
def test_ordinary_models_can_be_looked_at(name):
    model, x, y = MODELS[name]()
    diagnosis = kr.diagnose(model, x, y)
    assert np.isfinite(diagnosis.statistics).all()
    assert diagnosis.findings == ()
    health = LayerHealth(every=1)
    model.fit(x, y, batch_size=64, callbacks=[health], verbose=0)
    if name != "loop":  # outside of a graph its body is seen
        np.testing.assert_allclose(health.statistics, [diagnosis.statistics], rtol=1e-3, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")
def test_without_a_loss_the_gradient_is_zero():
    model, x, y = head_without_loss()
    diagnosis = kr.diagnose(model, x, y)
    rows = dict(zip([each.name for each in diagnosis.layers], diagnosis.statistics, strict=True))
    for name in ("signal_norm", "gradient_norm", "update_ratio"):
        assert rows["inner"][COLUMN[name]] == rows["b"][COLUMN[name]] == 0 < rows["a"][COLUMN[name]]
    assert rows["inner"][COLUMN["activation_std"]] > 0


def test_each_call_of_a_layer_has_its_own_activations_and_signals():
    """By NumPy; the activation, too, is one layer that is called twice."""
    x = keras.Input((20,))
    shared, activation = layers.Dense(20, use_bias=False), layers.Activation("tanh")
    hidden = activation(shared(activation(shared(x))))
    model = compiled(keras.Model(x, layers.Dense(1, use_bias=False)(hidden)))
    w, v = (weights.astype("float64") for weights in model.get_weights())
    a1 = np.tanh(X @ w)
    a2 = np.tanh(a1 @ w)
    signal2 = 2 * (a2 @ v - Y) / len(X) @ v.T
    signal1 = signal2 * (1 - a2**2) @ w.T
    gradient = a1.T @ (signal2 * (1 - a2**2)) + X.T @ (signal1 * (1 - a1**2))
    found = kr.diagnose(model, X, Y).statistics
    for row, activations, signals in ((found[0], a1, signal1), (found[1], a2, signal2)):
        assert row[COLUMN["activation_std"]] == pytest.approx(activations.std(), rel=1e-3)
        assert row[COLUMN["signal_norm"]] == pytest.approx(np.sqrt((signals**2).mean()), rel=1e-3)
        assert row[COLUMN["gradient_norm"]] == pytest.approx(np.linalg.norm(gradient), rel=1e-3)


def test_the_signal_of_convolutions_is_a_norm_over_their_positions():
    x = keras.Input((6, 6, 1))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1)(x))
    model = compiled(keras.Model(x, layers.Dense(1, use_bias=False)(pooled)))
    images = RNG.normal(size=(64, 6, 6, 1)).astype("float32")
    error = 2 * (model.predict(images, verbose=0) - Y) / len(Y)
    by_pooled = error @ model.layers[-1].kernel.numpy().T
    found = kr.diagnose(model, images, Y).statistics[0, COLUMN["signal_norm"]]
    assert found == pytest.approx(np.sqrt((by_pooled**2).mean()) / 6, rel=1e-3)  # root of 36


def test_of_a_separable_convolution_the_pointwise_kernel_is_measured():
    x = keras.Input((5, 4))
    hidden = layers.SeparableConv1D(3, 2, activation="relu", bias_initializer="ones")
    model = compiled(keras.Model(x, layers.Dense(1)(layers.Flatten()(hidden(x)))))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(SERIES) - Y) ** 2)
    gradient = tape.gradient(loss, hidden.pointwise_kernel)
    updated = hidden.pointwise_kernel - 0.1 * gradient
    found = kr.diagnose(model, SERIES, Y).statistics[0]
    norm = np.linalg.norm(gradient)
    assert found[COLUMN["gradient_norm"]] == pytest.approx(norm, rel=1e-3)
    ratio = 0.1 * norm / np.linalg.norm(updated)
    assert found[COLUMN["update_ratio"]] == pytest.approx(ratio, rel=1e-3)
    hidden.bias.assign([-30.0] * 3)
    [finding] = kr.diagnose(model, SERIES, Y).findings
    assert (finding.name, finding.layer) == ("dying ReLU", hidden.name)


@pytest.mark.parametrize(
    ("activation", "dead"),
    [
        ("relu", 1),
        (layers.ReLU(), 1),
        (lambda x: ops.relu(x), 1),
        ("gelu", 1),
        (layers.ReLU(negative_slope=0.2), 0),
        ("leaky_relu", 0),
        (kr.layers.RReLU(), 0),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_dead_is_what_passes_nothing_whatever_its_name(activation, dead, apart):
    if apart and not isinstance(activation, layers.Layer):
        activation = layers.Activation(activation)
    x = keras.Input((20,))
    hidden = layers.Dense(8, None if apart else activation, bias_initializer="ones")
    output = activation(hidden(x)) if apart else hidden(x)
    model = compiled(keras.Model(x, layers.Dense(1)(output)))
    hidden.bias.assign(np.full(8, -40.0))
    diagnosis = kr.diagnose(model, X, Y)
    assert diagnosis.statistics[0, COLUMN["dead"]] == dead
    assert [finding.name for finding in diagnosis.findings] == ["dying ReLU"] * dead


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_elu_is_flat_where_its_slope_is_small_whatever_its_bound(alpha):
    x = keras.Input((1,))
    hidden = layers.ELU(alpha)(layers.Dense(1, kernel_initializer="ones")(x))
    model = compiled(keras.Model(x, layers.Dense(1)(hidden)))
    inputs = np.linspace(-10, 10, 64, dtype="float32")[:, None]
    flat = (inputs < np.log(0.01 / alpha)).mean()
    assert kr.diagnose(model, inputs, Y).statistics[0, COLUMN["saturated"]] == flat


def test_a_sigmoid_is_flat_against_its_own_steepest_slope():
    x = keras.Input((1,))
    hidden = layers.Dense(1, "sigmoid", kernel_initializer="ones")(x)
    model = compiled(keras.Model(x, layers.Dense(1)(hidden)))
    inputs = np.linspace(-10, 10, 64, dtype="float32")[:, None]
    y = 1 / (1 + np.exp(-inputs))
    flat = (y * (1 - y) < 0.01 / 4).mean()
    assert kr.diagnose(model, inputs, Y).statistics[0, COLUMN["saturated"]] == flat


def softmax(x):
    return ops.exp(x) / ops.sum(ops.exp(x), axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("function", "saturated"),
    [
        (lambda x: ops.tanh(x), 1),
        (lambda x: ops.sigmoid(x), 1),  # of those that are not off
        (lambda x: 2 - ops.relu6(x), 1),
        (lambda x: ops.relu(x), 0),
        (lambda x: ops.leaky_relu(x), 0),
        (lambda x: softmax(x / 1000), 0),  # whose slopes a unit has not for itself
    ],
)
def test_saturated_is_what_is_flat_away_from_0_where_the_name_does_not_tell(function, saturated):
    x = keras.Input((20,))
    hidden = layers.Dense(8, function, bias_initializer="ones")
    model = compiled(keras.Model(x, layers.Dense(1)(hidden(x))))
    hidden.bias.assign([40.0, -40.0] * 4)
    found = kr.diagnose(model, X, Y).statistics[0, COLUMN["saturated"]]
    assert found == pytest.approx(saturated, abs=1e-3)


def test_an_activation_that_changes_the_shape_has_no_slopes():
    class Maxout(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = layers.Dense(8, lambda x: ops.max(ops.reshape(x, (-1, 4, 2)), axis=-1))
            self.out = layers.Dense(1)

        def call(self, x):
            return self.out(self.hidden(x))

    assert kr.diagnose(compiled(Maxout()), X, Y).findings == ()


def test_a_look_keeps_the_loss_that_is_computed_from_logits():
    """Of a certainty that is wrong: from probabilities it would have neither its loss nor a gradient."""
    model = kr.build_default_dnn(20, 3, "multiclass", hidden_units=(4,), seed=1)
    model.layers[-1].bias.assign([200.0, 0.0, 0.0])
    labels = tf.ones(64, "int32")
    expected = model.compute_loss(y=labels, y_pred=model(X))
    observation = Observation(model, observed_layers(model))

    @tf.function
    def look():
        seen = []
        logs = observation.step(model.train_step, (X, labels), seen.append)
        return logs, seen[0]

    logs, statistics = look()
    assert float(logs["loss"]) == pytest.approx(float(expected), rel=1e-5)
    assert statistics[-1, COLUMN["signal_norm"]] > 0


def test_a_step_that_calls_the_model_in_a_graph_of_its_own_is_not_seen():
    class Own(keras.Model):
        @tf.function
        def train_step(self, data):
            return super().train_step(data)

    x = keras.Input((20,))
    model = compiled(Own(x, layers.Dense(1)(layers.Dense(4, "relu")(x))))
    diagnosis = kr.diagnose(model, X, Y)
    assert not diagnosis.statistics.any()
    assert np.isfinite(diagnosis.loss)
