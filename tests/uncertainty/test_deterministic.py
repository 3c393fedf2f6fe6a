import keras
import numpy as np
import pytest
from keras import layers

import keras_recipes as kr
from keras_recipes.layers import MCAlphaDropout, MCDropout
from keras_recipes.uncertainty import deterministic

X = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")


class BookMC(layers.Dropout):  # as in the book's third edition
    def call(self, inputs, training=False):
        return super().call(inputs, training=True)


def stack(*middle):
    return keras.Sequential([keras.Input((8,)), layers.Dense(6, "tanh"), *middle, layers.Dense(2)])


def nested():
    x = keras.Input((8,))
    return keras.Model(x, layers.Dense(2)(stack(MCDropout(0.5))(MCDropout(0.5)(x))))


MODELS = {
    "mc_dropout": (lambda: stack(MCDropout(0.5)), lambda: stack(layers.Dropout(0.5))),
    "mc_alpha": (lambda: stack(MCAlphaDropout(0.5)), lambda: stack(layers.AlphaDropout(0.5))),
    "book": (lambda: stack(BookMC(0.5)), lambda: stack(layers.Dropout(0.5))),
    "nested": (nested, lambda: keras.Sequential([stack(), layers.Dense(2)])),
    "recipe": (
        lambda: kr.build_self_normalizing_dnn(8, adapt_to=X, dropout=0.2, mc_dropout=True),
        lambda: kr.build_self_normalizing_dnn(8, adapt_to=X, dropout=0.2),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_copy_predicts_as_ordinary_dropout_does(name):
    model, plain = (build() for build in MODELS[name])
    plain(X)
    plain.set_weights(model.get_weights())
    before = model.get_weights()
    copy = deterministic(model)
    np.testing.assert_allclose(copy.predict(X, verbose=0), plain.predict(X, verbose=0), rtol=1e-5)
    assert all(type(layer) not in (MCDropout, MCAlphaDropout) for layer in copy._flatten_layers())
    assert not copy.compiled
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_model_still_draws():
    model = stack(MCDropout(0.5, noise_shape=(None, 1), seed=3, name="mine"))
    copy = deterministic(model)
    assert (model(X) != model(X)).numpy().any()
    ours, theirs = copy.get_layer("mine").get_config(), model.get_layer("mine").get_config()
    assert (ours["rate"], ours["seed"]) == (theirs["rate"], theirs["seed"])
    assert list(ours["noise_shape"]) == list(theirs["noise_shape"])


def test_it_can_be_drawn_from_as_before():
    model = stack(MCDropout(0.5))
    ours, theirs = (kr.mc_predict(each, X, 50, seed=1) for each in (model, deterministic(model)))
    np.testing.assert_allclose(ours.std, theirs.std, rtol=1e-5)


class OwnModel(keras.Model):
    def call(self, inputs):
        return inputs


class Block(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.drop = MCDropout(0.5, name="inner")

    def call(self, x):
        return self.drop(x)


def wrapped():
    each = layers.TimeDistributed(MCDropout(0.5, name="each"))
    return keras.Sequential([keras.Input((5, 8)), each])


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        ("x", TypeError, "`model` must be a keras.Model"),
        (OwnModel(), ValueError, "Sequential or functional"),
        (stack(Block()), ValueError, "Received: one with inner inside another layer"),
        (wrapped(), ValueError, "one with each"),
    ],
)
def test_other_models_are_refused(model, error, match):
    with pytest.raises(error, match=match):
        deterministic(model)
