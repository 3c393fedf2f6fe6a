"""Networks, sick and healthy, whose weights are drawn anew for each seed while the graph stays."""

import keras
import tensorflow as tf
from keras import initializers, layers

from keras_recipes.diagnostics.findings import find
from keras_recipes.diagnostics.observation import Observation
from keras_recipes.diagnostics.observed_layers import observed_layers
from keras_recipes.model_state import build_from

SEEDS = range(10)


def compiled(inputs, x):
    model = keras.Model(inputs, layers.Dense(1)(x))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model


def network(depth, activation, initializer, *, bias=0.0, norm=False, apart=False, units=100):
    x = inputs = keras.Input((20,))
    for _ in range(depth):
        inline = not norm and not apart
        x = layers.Dense(
            units,
            activation if inline else None,
            kernel_initializer=initializer,
            bias_initializer=initializers.Constant(bias),
        )(x)
        if norm:
            x = layers.BatchNormalization()(x)
        if not inline:
            x = layers.Activation(activation)(x)
    return compiled(inputs, x)


def convolutional(*after, activation="relu", initializer="he_normal", depth=3, dense=32):
    """`after` makes the layers that go behind each convolution."""
    x = inputs = keras.Input((32, 32, 3))
    for _ in range(depth):
        x = layers.Conv2D(
            16, 3, padding="same", activation=activation, kernel_initializer=initializer
        )(x)
        for make in after:
            x = make()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return compiled(inputs, layers.Dense(dense, "relu", kernel_initializer="he_normal")(x))


def flattened():
    x = inputs = keras.Input((32, 32, 3))
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, strides=2, activation="elu", kernel_initializer="he_normal")(
            x
        )
    x = layers.Flatten()(layers.MaxPooling2D(2)(x))
    return compiled(inputs, layers.Dense(32, "elu", kernel_initializer="he_normal")(x))


def findings_by_seed(model, x, y):
    """What is found for each seed; the step is traced once."""
    data = (tf.constant(x), tf.constant(y))
    build_from(model, data)
    observed = observed_layers(model)

    @tf.function
    def look():
        seen = []
        Observation(model, observed).step(model.train_step, data, seen.append)
        return seen[0]

    for seed in SEEDS:
        _draw_weights(model, seed)
        yield find(observed, look().numpy())


def _draw_weights(model, seed):
    """As the layers would, from a seed; biases too, which a step may have made infinite."""
    for number, layer in enumerate(model.layers):
        if isinstance(layer, layers.Dense | layers.Conv2D):
            config = {**layer.kernel_initializer.get_config(), "seed": 1000 * seed + number}
            initializer = type(layer.kernel_initializer).from_config(config)
            layer.kernel.assign(initializer(layer.kernel.shape))
            layer.bias.assign(layer.bias_initializer(layer.bias.shape))
