import keras
import pytest
from keras import activations, layers, ops

import keras_recipes as kr
from keras_recipes.diagnostics.activations import (
    MIXING,
    SATURATING,
    activation_name,
    name_of_operation,
)


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        (None, "linear"),
        (activations.tanh, "tanh"),
        (layers.ReLU(), "relu"),
        (layers.LeakyReLU(0.1), "leaky_relu"),
        (layers.Activation("elu"), "elu"),
        (lambda x: x, "custom"),
        (layers.Flatten(), "custom"),
    ],
)
def test_names_of_what_a_layer_has(activation, name):
    assert activation_name(activation) == name


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (layers.ReLU(), "relu"),
        (layers.ReLU(negative_slope=0.2), "leaky_relu"),
        (layers.LeakyReLU(), "leaky_relu"),
        (layers.PReLU(), "prelu"),
        (layers.ELU(2.0), "elu"),
        (layers.Softmax(), "softmax"),
        (layers.Activation("softsign"), "softsign"),
        (layers.Activation("linear"), "linear"),
        (kr.layers.RReLU(), "rrelu"),
        (layers.Dropout(0.5), None),
        (layers.Dense(3), None),
        (max, None),
    ],
)
def test_names_of_layers(layer, name):
    assert name_of_operation(layer) == name


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (ops.relu, "relu"),
        (ops.relu6, "relu6"),
        (ops.tanh, "tanh"),
        (ops.leaky_relu, "leaky_relu"),
        (ops.hard_sigmoid, "hard_sigmoid"),
        (activations.relu, "relu"),
        (activations.tanh, "tanh"),
        (activations.softsign, "softsign"),
        (lambda x: activations.relu(x, negative_slope=0.1), "leaky_relu"),
        (ops.softmax, "softmax"),
        (ops.abs, None),
    ],
)
def test_names_of_operations(function, name):
    output = function(keras.Input((3,)))
    assert name_of_operation(output._keras_history.operation) == name


def test_the_tables_have_names_that_keras_has():
    assert all(hasattr(activations, name) for name in (*SATURATING, *MIXING))


@pytest.mark.parametrize("name", SATURATING)
def test_the_steepest_slope_is_that_of_the_function(name):
    import tensorflow as tf

    x = tf.linspace(-5.0, 5.0, 10_000)  # without 0, where CELU has no slope
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = getattr(activations, name)(x)
    assert abs(tape.gradient(y, x)).numpy().max() == pytest.approx(SATURATING[name], rel=0.01)
