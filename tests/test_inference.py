import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_recipes as kr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(130, 4)).astype("float32")
CLASSES = RNG.integers(0, 3, 130)


@pytest.fixture(scope="module")
def model():
    return kr.build_default_dnn(4, 3, "multiclass", hidden_units=(8,), dropout=0.5, seed=1)


@pytest.mark.parametrize("batch_size", [1, 40, 65, 1000])
@pytest.mark.parametrize("sample_weight", [None, np.linspace(0, 2, 130)])
def test_evaluate_agrees_with_keras(model, batch_size, sample_weight):
    scores = kr.evaluate(model, X, CLASSES, sample_weight=sample_weight, batch_size=batch_size)
    expected = model.evaluate(X, CLASSES, sample_weight=sample_weight, verbose=0, return_dict=True)
    assert scores == pytest.approx(expected, rel=1e-5)
    assert set(map(type, scores.values())) == {float}


@pytest.mark.parametrize("batch_size", [1, 40, 65, 1000])
def test_predict_agrees_with_keras(model, batch_size):
    outputs = kr.predict(model, X.tolist(), batch_size=batch_size)
    np.testing.assert_allclose(outputs, model.predict(X, verbose=0), rtol=1e-5)
    assert outputs.shape == (130, 3)


def test_several_inputs_and_outputs():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    model = keras.Model([a, b], [keras.layers.Add()([a, b]), keras.layers.Subtract()([a, b])])
    total, difference = kr.predict(model, [X, 2 * X], batch_size=50)
    np.testing.assert_allclose(total, 3 * X, rtol=1e-6)
    np.testing.assert_allclose(difference, -X, rtol=1e-6)


def of_one_in_a_list():
    x = keras.Input((4,), name="x")
    return keras.Model([x], 2 * x)


class Sum(keras.Model):
    def call(self, inputs):
        return sum(inputs)


@pytest.mark.parametrize(
    ("build", "x"),
    [
        (of_one_in_a_list, [X]),
        (of_one_in_a_list, (tf.constant(X),)),
        (of_one_in_a_list, X),
        (of_one_in_a_list, X.tolist()),
        (of_one_in_a_list, {"x": X}),
        (Sum, [X, X]),
        (Sum, (X, tf.constant(X))),
    ],
)
def test_a_list_of_arrays_is_several_inputs_where_keras_takes_it_so(build, x):
    np.testing.assert_allclose(kr.predict(build(), x, batch_size=50), 2 * X, rtol=1e-6)


def of_names():
    inputs = {name: keras.Input((4,), name=name) for name in "ab"}
    return keras.Model(inputs, keras.layers.Add()(list(inputs.values())))


def of_a_list():
    inputs = [keras.Input((4,), name=name) for name in "ab"]
    return keras.Model(inputs, keras.layers.Add()(inputs))


@pytest.mark.parametrize(
    ("build", "x", "match"),
    [
        (
            of_names,
            {"a": X},
            r"an array for each input of the model: \['a', 'b'\]. Received: \['a'\]",
        ),
        (of_names, {"a": X, "b": X, "Z": X}, r"Received: \['Z', 'a', 'b'\]"),
        (of_a_list, {"b": X}, r"Received: \['b'\]"),
        (of_a_list, [X, X[:100]], r"`x` must have the same number .* len\(x\)=130, len\(x\)=100\."),
        (of_a_list, [X[:1], X], r"len\(x\)=1, len\(x\)=130\."),
        (Sum, [X, X[:1]], r"len\(x\)=130, len\(x\)=1\."),
        (of_a_list, [], "Received: none"),
    ],
)
def test_inputs_that_do_not_go_together_are_refused(build, x, match):
    with pytest.raises(ValueError, match=match):
        kr.predict(build(), x)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda model: kr.predict(3, X), TypeError, "a keras.Model"),
        (lambda model: kr.predict(model, X[:0]), ValueError, "at least 1 example"),
        (lambda model: kr.predict(model, X[:, :2]), ValueError, "must have the shape"),
        (lambda model: kr.predict(model, X, batch_size=0), ValueError, "`batch_size`"),
        (lambda model: kr.predict(model, X * np.nan), ValueError, "must be finite"),
        (lambda model: kr.predict(model, tf.data.Dataset.range(3)), TypeError, "Pass a dataset to"),
        (lambda model: kr.evaluate(keras.Sequential(), X, X), ValueError, "must be compiled"),
        (lambda model: kr.evaluate(model, X, CLASSES[:3]), ValueError, "same number of examples"),
        (lambda model: kr.evaluate(model, X, CLASSES + 7), ValueError, "labels from 0 to 2"),
    ],
)
def test_bad_arguments_are_refused(model, call, error, match):
    with pytest.raises(error, match=match):
        call(model)
