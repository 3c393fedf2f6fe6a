"""What is taken for a classifier: by the loss it was compiled with, else by what it ends in."""

import keras
import numpy as np
import pytest
from keras import layers, losses, ops

import keras_recipes as kr
from tests.uncertainty.test_mc_prediction import DRAWS, X, assert_alike, drawn_by_keras

LOGITS = {"from_logits": True}


def model(end, loss=None, units=3):
    keras.utils.set_random_seed(1)
    x = keras.Input((8,))
    hidden = layers.Dropout(0.5)(layers.Dense(12, "tanh")(x))
    built = keras.Model(x, end(layers.Dense(units)(hidden)))
    if loss is not None:
        built.compile("sgd", loss)
    return built


def nothing(x):
    return x


class Head(layers.Layer):
    def call(self, x):
        return ops.softmax(x)


class OwnModel(keras.Model):
    def __init__(self, end):
        super().__init__()
        self.drop, self.out, self.end = layers.Dropout(0.5), layers.Dense(3), end

    def call(self, x):
        return self.end(self.out(self.drop(x)))


def own_model(end, loss=None):
    built = OwnModel(end)
    built(X)
    if loss is not None:
        built.compile("sgd", loss)
    return built


CLASSES = [
    (lambda: model(ops.softmax), "softmax"),
    (lambda: model(keras.activations.softmax), "softmax"),
    (lambda: model(layers.Softmax()), "softmax"),
    (lambda: model(layers.Activation("softmax")), "softmax"),
    (lambda: model(layers.Softmax(axis=1)), "softmax"),
    (lambda: model(layers.Dense(3, activation=layers.Softmax())), "softmax"),
    (lambda: model(Head()), "softmax"),
    (lambda: model(ops.sigmoid), "sigmoid"),
    (lambda: model(ops.sigmoid, "bce"), "sigmoid"),
    # A softmax over two classes is one, though trained by the loss of sigmoids.
    (lambda: model(ops.softmax, "binary_crossentropy", units=2), "softmax"),
    (lambda: own_model(ops.softmax), "softmax"),
    (lambda: own_model(ops.sigmoid), "sigmoid"),
    (lambda: own_model(Head(), "sparse_categorical_crossentropy"), "softmax"),
    (lambda: own_model(lambda x: 0.5 + 0 * x, losses.BinaryCrossentropy()), "sigmoid"),
]


@pytest.mark.parametrize(("build", "kind"), CLASSES)
def test_probabilities_have_entropies(build, kind):
    prediction = kr.mc_predict(build(), X, 5, seed=1)
    shape = X.shape[:1] if kind == "softmax" else prediction.mean.shape
    assert prediction.entropy.shape == prediction.mutual_information.shape == shape


OTHERS = [
    lambda: model(nothing),
    lambda: model(layers.Reshape((3, 1))),
    lambda: model(lambda x: layers.Softmax(axis=1)(layers.Reshape((3, 1))(x))),
    lambda: model(lambda x: ops.softmax(layers.Reshape((3, 1))(x), axis=-2)),
    lambda: model(nothing, "mse"),
    lambda: model(ops.sigmoid, "mse"),
    lambda: model(layers.Activation("sigmoid"), losses.MeanAbsoluteError),
    lambda: model(ops.sigmoid, losses.Huber()),
    lambda: model(nothing, "categorical_hinge"),
    lambda: model(nothing, lambda y, predicted: ops.mean(predicted - y)),
    lambda: own_model(nothing),
    lambda: own_model(ops.sigmoid, "mse"),
]


@pytest.mark.parametrize("build", OTHERS)
def test_numbers_have_none(build):
    prediction = kr.mc_predict(build(), X, 5, seed=1)
    assert prediction.entropy is None
    assert prediction.mutual_information is None


FROM_LOGITS = [
    (losses.SparseCategoricalCrossentropy(**LOGITS), ops.softmax),
    (losses.CategoricalCrossentropy(**LOGITS), ops.softmax),
    (losses.CategoricalFocalCrossentropy(**LOGITS), ops.softmax),
    (losses.BinaryCrossentropy(**LOGITS), ops.sigmoid),
    (losses.BinaryFocalCrossentropy(**LOGITS), ops.sigmoid),
]


@pytest.mark.parametrize("build", [model, own_model])
@pytest.mark.parametrize(("loss", "end"), FROM_LOGITS)
def test_probabilities_of_logits_are_averaged(loss, end, build):
    of_logits, of_probabilities = build(nothing, loss), build(end)
    of_probabilities.set_weights(of_logits.get_weights())
    prediction = kr.mc_predict(of_logits, X, DRAWS, seed=1)
    same = kr.mc_predict(of_probabilities, X, DRAWS, seed=1)
    assert_alike(prediction, drawn_by_keras(of_probabilities, X))
    for name in ("mean", "std", "entropy", "mutual_information"):
        np.testing.assert_allclose(getattr(prediction, name), getattr(same, name), atol=1e-5)


def test_what_is_a_softmax_already_is_not_made_one_again():
    ours = kr.mc_predict(model(ops.softmax, FROM_LOGITS[0][0]), X, 5, seed=1)
    np.testing.assert_array_equal(ours.mean, kr.mc_predict(model(ops.softmax), X, 5, seed=1).mean)


KIND, SUM = losses.SparseCategoricalCrossentropy(**LOGITS), "mse"


@pytest.mark.parametrize(
    ("names", "loss"),
    [
        (None, [KIND, SUM]),
        (("b", "a"), {"b": KIND, "a": SUM}),
        (("b", "a"), {"b": KIND}),
        (None, {"b_layer": KIND, "a_layer": SUM}),
    ],
)
def test_each_output_has_its_loss(names, loss):
    x = keras.Input((8,))
    hidden = layers.Dropout(0.5)(x)
    outputs = [layers.Dense(3, name="b_layer")(hidden), layers.Dense(3, name="a_layer")(hidden)]
    built = keras.Model(x, outputs if names is None else dict(zip(names, outputs, strict=True)))
    built.compile("sgd", loss)
    prediction = kr.mc_predict(built, X, 5)
    first, second = (0, 1) if names is None else names
    assert prediction.entropy[first].shape == (len(X),)
    assert prediction.entropy[second] is None
    np.testing.assert_allclose(prediction.mean[first].sum(axis=-1), 1, rtol=1e-5)
