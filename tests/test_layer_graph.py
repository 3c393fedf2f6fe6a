"""The graph of the layers that TensorBoard draws."""

import keras
import pytest
from keras import layers

import keras_recipes as kr
from keras_recipes.layer_graph import layer_graph


def edges(model):
    return {node.name: list(node.input) for node in layer_graph(model).node}


def test_a_chain_of_layers():
    assert edges(kr.build_default_dnn(4, hidden_units=(3,))) == {
        "input": [], "hidden_1": ["input"], "output": ["hidden_1"],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["net", "inner"])
def test_nested_models_with_inputs_and_outputs_by_name(name):
    first, second = keras.Input((4,), name="first"), keras.Input((4,), name="second")
    outputs = {"u": layers.Dense(3, name="u")(first), "v": layers.ReLU(name="v")(second)}
    inner = keras.Model([first, second], outputs, name="inner")
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    parts = inner([a, b])
    both = layers.Concatenate(name="both")([parts["u"], parts["v"]])
    ends = {"p": layers.Dense(1, name="p")(both), "q": [layers.Dense(2, name="q")(both)]}
    assert edges(keras.Model({"a": a, "b": b}, ends, name=name)) == {
        "a": [], "b": [], "inner/first": ["a"], "inner/second": ["b"], "inner/u": ["inner/first"],
        "inner/v": ["inner/second"], "both": ["inner/u", "inner/v"], "p": ["both"], "q": ["both"],
    }  # fmt: skip


def test_mixed_precision_is_shown_without_a_warning(caplog):
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(1, dtype="mixed_float16", name="dense")(x))
    [_, dense] = layer_graph(model).node
    assert dense.attr["dtype"].type == 19  # DT_HALF
    assert not caplog.records


def test_a_model_of_its_own_kind_has_none():
    class Own(keras.Model):
        def call(self, x):
            return x

    assert layer_graph(Own()) is None
