"""Models taken apart give what Keras gives."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_recipes as kr
from keras_recipes.layer_calls import LayerCalls

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")


def run(model, x):
    calls = LayerCalls(model)
    values = calls.values_of(x)
    for call in calls.calls:
        call.run(values)
    return [values[slot.number] for slot in calls.outputs]


def two_inputs(dropout=0.0):
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    return keras.Model([b, a], layers.Dropout(dropout)(b * 10 + a), name="inner")


def by_name(inner):
    x = keras.Input((3,))
    return keras.Model(x, inner({"a": x, "b": 2 * x}))


def by_order(inner):
    x = keras.Input((3,))
    return keras.Model(x, inner([2 * x, x]))


def by_keyword(inner):
    x = keras.Input((3,))
    return keras.Model(x, inner(inputs=[2 * x, x], training=False))


def deeper(inner):
    return by_keyword(keras.Model(inner.inputs, inner(inner.inputs)))


@pytest.mark.parametrize("outer", [by_name, by_order, by_keyword, deeper])
def test_a_nested_model_takes_its_inputs_as_keras_has_them(outer):
    model = outer(two_inputs())
    [output] = run(model, X)
    np.testing.assert_allclose(output, model(X), rtol=1e-6)
    np.testing.assert_allclose(output, 21 * X, rtol=1e-5)


@pytest.mark.parametrize("outer", [by_name, by_keyword])
def test_monte_carlo_dropout_has_the_mean_of_such_a_model(outer):
    prediction = kr.mc_predict(outer(two_inputs(0.4)), X, 20_000, seed=1)
    error = 5 * prediction.std / np.sqrt(20_000) + 1e-4
    assert (np.abs(prediction.mean - 21 * X) < error).all()


def test_a_nested_sequential_model_takes_a_keyword():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    x = keras.Input((3,))
    model = keras.Model(x, inner(inputs=x))
    np.testing.assert_allclose(run(model, X)[0], model(X), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*does not support masking:UserWarning")  # Keras's own
def test_ranks_and_masks_are_adjusted_as_keras_does():
    series = keras.Input((4, 1))
    inner = keras.Model(series, layers.GlobalAveragePooling1D()(series))
    x, mask = keras.Input((4,)), keras.Input((4,), dtype="bool")
    model = keras.Model([x, mask], inner(x, mask=mask))
    rows = np.arange(8, dtype="float32").reshape(2, 4)
    masks = np.array([[True, True, False, False], [False, False, False, True]])
    np.testing.assert_allclose(run(model, [rows, masks])[0], model([rows, masks]))
    np.testing.assert_allclose(run(model, [rows, masks])[0], [[0.5], [7.0]])


def test_a_call_knows_the_models_that_it_stands_in():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="deep")], name="inner")
    x = keras.Input((3,))
    middle = keras.Model(x, inner(x), name="middle")
    y = keras.Input((3,))
    paths = {
        call.operation.name: call.path
        for call in LayerCalls(keras.Model(y, layers.Dense(1, name="top")(middle(y)))).calls
        if isinstance(call.operation, keras.Layer)
    }
    assert paths == {"deep": ("middle", "inner"), "top": ()}
