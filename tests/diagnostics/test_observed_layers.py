"""What is looked at, and where its activations come out."""

import keras
import pytest
from keras import activations, layers, ops

import keras_recipes as kr
from keras_recipes.diagnostics.observed_layers import observed_layers


def dense(name="before", activation=None):
    return layers.Dense(6, activation, name=name)


def with_activation(after):
    x = keras.Input((20,))
    return keras.Model(x, layers.Dense(1)(after(dense()(x))))


class Tanh2(layers.Layer):
    def call(self, x):
        return ops.tanh(2 * x)


class Scale(layers.Layer):
    def build(self, input_shape):
        self.scale = self.add_weight(shape=input_shape[-1:], initializer="ones")

    def call(self, x):
        return self.scale * x


class DropPath(layers.Layer):
    def __init__(self):
        super().__init__()
        self.seed = keras.random.SeedGenerator(1)

    def call(self, x):
        return x * keras.random.binomial(ops.shape(x)[:1], 1, 0.9, seed=self.seed)[:, None]


APART = {
    "operation": ("relu", ops.relu),
    "function": ("tanh", activations.tanh),
    "layer": ("rrelu", lambda x: kr.layers.RReLU()(x)),
    "dropout between": ("relu", lambda x: layers.Activation("relu")(layers.Dropout(0.2)(x))),
    "MC dropout between": ("elu", lambda x: layers.ELU()(kr.layers.MCDropout(0.2)(x))),
    "normalization between": ("tanh", lambda x: ops.tanh(layers.BatchNormalization()(x))),
    "linear between": ("relu", lambda x: layers.ReLU()(layers.Activation("linear")(x))),
    "in a model": ("relu", lambda x: keras.Sequential([keras.Input((6,)), layers.ReLU()])(x)),
    "of one's own": ("custom", lambda x: layers.Dropout(0.2)(Tanh2()(x))),
    "of one's own in a Lambda": ("custom", lambda x: layers.Lambda(ops.tanh)(x)),
    "a layer of one's own between": ("relu", lambda x: ops.relu(Tanh2()(x))),
    "with weights, which scales": ("linear", lambda x: Scale()(x)),
    "with a seed, which drops": ("linear", lambda x: DropPath()(x)),
    "none": ("linear", lambda x: layers.Reshape((3, 2))(x)),
    "of more than the layer": ("linear", lambda x: ops.relu(x + x)),
    "used without, too": ("linear", lambda x: layers.Concatenate()([ops.relu(x), x])),
}


@pytest.mark.parametrize("name", APART)
def test_an_activation_apart_is_found(name):
    expected, after = APART[name]
    [hidden, _] = observed_layers(with_activation(after))
    assert hidden.activation == expected
    assert (hidden.output is hidden.layer) is (expected == "linear")


def test_a_layer_or_function_may_be_the_activation():
    x = keras.Input((20,))
    hidden = dense("a", layers.ReLU())(x)
    hidden = dense("b", layers.ReLU(negative_slope=0.1))(hidden)
    model = keras.Model(x, layers.Dense(1)(dense("c", lambda x: x)(hidden)))
    names = [each.activation for each in observed_layers(model)]
    assert names == ["relu", "leaky_relu", "custom", "linear"]


def test_hidden_is_what_another_kernel_comes_after():
    x = keras.Input((20,))
    hidden = dense("first")(x)
    short = dense("short", "sigmoid")(hidden)
    pooled = ops.mean(dense("side", "sigmoid")(hidden), axis=-1)
    long = layers.Dense(1, "sigmoid", name="long")(dense("second")(hidden))
    model = keras.Model(x, [short, pooled, long])
    hidden = {each.name: each.hidden for each in observed_layers(model)}
    assert hidden == {"first": True, "short": False, "side": False, "second": True, "long": False}


def test_a_frozen_kernel_counts_as_one_to_come():
    x = keras.Input((20,))
    model = keras.Model(x, layers.Dense(1, trainable=False)(dense()(x)))
    assert [(each.name, each.hidden) for each in observed_layers(model)] == [("before", True)]


def tower(name):
    return keras.Sequential([keras.Input((20,)), layers.Dense(20, name="dense")], name=name)


def test_names_are_their_own():
    x = keras.Input((20,))
    left, outer = tower("left"), tower("outer")
    nested = keras.Model(outer.inputs, tower("right")(outer(outer.inputs[0])), name="nested")
    hidden = nested(left(left(x)))
    names = [each.name for each in observed_layers(keras.Model(x, dense("out")(hidden)))]
    assert names == [
        "left/dense",
        "left/dense:2",
        "nested/outer/dense",
        "nested/right/dense",
        "out",
    ]


def test_separable_convolutions_are_looked_at_by_the_kernel_that_mixes():
    x = keras.Input((8, 8, 3))
    separable = layers.SeparableConv2D(4, 3, name="separable", activation="relu")
    depthwise = layers.DepthwiseConv2D(3, name="depthwise")
    hidden = layers.Flatten()(ops.relu(depthwise(separable(x))))
    found = observed_layers(keras.Model(x, layers.Dense(1, name="out")(hidden)))
    assert [each.name for each in found] == ["separable", "depthwise", "out"]
    assert [each.activation for each in found] == ["relu", "relu", "linear"]
    assert found[0].kernel is separable.pointwise_kernel
    assert found[1].kernel is depthwise.kernel


def test_a_kernel_that_a_wrapper_shows_is_looked_at_once():
    x = keras.Input((20,))
    hidden = layers.SpectralNormalization(dense("bounded", "relu"))(x)
    model = keras.Model(x, layers.Dense(1, name="out")(hidden))
    found = [(each.name, each.activation) for each in observed_layers(model)]
    assert found == [("bounded", "relu"), ("out", "linear")]


def sources(model):
    return {each.name: (each.source, each.direct) for each in observed_layers(model)}


def test_the_source_of_a_layer_gives_all_that_it_takes():
    x = keras.Input((6,))
    first = ops.relu(dense("first")(x))
    nested = keras.Sequential([keras.Input((6,)), layers.Reshape((3, 2)), layers.Flatten()])
    second = ops.tanh(layers.BatchNormalization()(dense("second")(nested(first))))
    third = dense("third", "relu")(layers.Dropout(0.2)(second))
    fourth = dense("fourth", "relu")(third)
    wrapped = kr.layers.MaxNorm(dense("wrapped"))(fourth)
    out = layers.Dense(1, name="out")(wrapped + third)
    assert sources(keras.Model(x, out)) == {
        "first": (None, False),
        "second": ("first", False),  # for the normalization
        "third": ("second", False),  # for the dropout
        "fourth": ("third", True),
        "wrapped": ("fourth", False),  # for the wrapper
        "out": (None, False),  # for it takes from two
    }


def test_layers_that_are_not_looked_at_are_no_source():
    x = keras.Input((6,))
    block = layers.MultiHeadAttention(1, 4)
    hidden = layers.Reshape((3, 2))(dense("before")(x))
    hidden = layers.Flatten()(block(hidden, hidden))
    frozen = layers.Dense(6, trainable=False)(dense("between")(hidden))
    found = sources(keras.Model(x, layers.Dense(1, name="out")(frozen)))
    assert found["between"] == found["out"] == (None, False)


def test_a_layer_called_twice_is_looked_at_twice():
    x = keras.Input((20,))
    shared, activation = layers.Dense(20, name="shared"), layers.ReLU()
    hidden = activation(shared(activation(dense("first")(x)) @ ops.ones((6, 20))))
    model = keras.Model(x, layers.Dense(1, name="out")(shared(hidden)))
    calls = [(each.name, each.number, each.calls) for each in observed_layers(model)]
    assert calls == [("first", 0, 2), ("shared", 1, 2), ("shared:2", 1, 2), ("out", 0, 1)]


class Block(layers.Layer):
    def __init__(self):
        super().__init__(name="block")
        self.wide = layers.Conv2D(4, 3, padding="same", activation="relu", name="wide")
        self.narrow = layers.Conv2D(4, 1, name="narrow")

    def build(self, input_shape):
        self.wide.build(input_shape)
        self.narrow.build((*input_shape[:-1], 4))

    def call(self, x):
        return self.narrow(self.wide(x))


def test_positions_are_those_of_the_activations():
    x = keras.Input((8, 8, 3))
    hidden = layers.ReLU()(layers.MaxPooling2D(2)(layers.Conv2D(4, 3, padding="same")(x)))
    hidden = layers.GlobalAveragePooling2D()(Block()(hidden))
    model = keras.Model(x, layers.Dense(1, name="out")(hidden))
    found = {each.name: (each.positions, each.activation) for each in observed_layers(model)}
    assert found.pop("out") == (1, "linear")
    assert found.pop("wide") == (16, "relu")
    assert found.pop("narrow") == (16, "linear")
    assert list(found.values()) == [(16, "relu")]


def test_positions_that_are_not_known_count_as_one():
    x = keras.Input((None, 3))
    model = keras.Model(x, layers.Dense(1)(layers.Dense(4)(x)))
    assert [each.positions for each in observed_layers(model)] == [1, 1]


def test_cells_are_looked_at_from_outside_of_their_loop():
    x = keras.Input((5, 4))
    both = layers.Bidirectional(layers.GRU(3, return_sequences=True), name="both")
    cells = [layers.LSTMCell(3, name="lower"), layers.LSTMCell(3, name="upper")]
    stack = layers.RNN(cells, name="stack")
    model = keras.Model(x, layers.Dense(1, name="out")(stack(both(x))))
    found = {each.name: each.output for each in observed_layers(model)}
    assert found == {
        both.forward_layer.name: both.forward_layer,
        both.backward_layer.name: both.backward_layer,
        "lower": stack,
        "upper": stack,
        "out": model.get_layer("out"),
    }
