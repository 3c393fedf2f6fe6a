import gc

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph

import keras_recipes as kr
from keras_recipes.graph_passes import without_passes

OPTIONS = tf.config.optimizer
DENSE = kr.build_default_dnn(3, hidden_units=(4,))


def disabled():
    return OPTIONS.get_experimental_options().get("disable_meta_optimizer", False)


def test_passes_are_off_inside_and_on_afterwards():
    @without_passes(DENSE)
    def fail():
        with without_passes(DENSE):
            assert disabled()
        assert disabled()
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not disabled()
    with without_passes(DENSE):  # again
        assert disabled()


def test_options_of_the_user_stay():
    OPTIONS.set_experimental_options({"constant_folding": True})
    try:
        with without_passes(DENSE):
            assert not disabled()
    finally:
        OPTIONS.set_experimental_options({"constant_folding": False})


def test_convolutions_keep_the_passes():
    with without_passes(kr.build_cnn((8, 8, 1), 3, "multiclass")):
        assert not disabled()


def test_no_graph_outlives_its_model():
    """Swish and the sum over devices have gradients of their own, which TensorFlow keeps."""
    x = np.random.default_rng(0).normal(size=(64, 4))
    y = (x[:, 0] > 0).astype(int)

    def train():
        model = kr.build_default_dnn((4,), 3, "multiclass", activation="swish", dropout=0.2)
        kr.find_learning_rate(model, x, y, steps=20)
        kr.fit(model, x, y, validation_data=(x, y), epochs=1, verbose=0)
        kr.mc_predict(model, x, n_samples=2, seed=0)

    train()
    gc.collect()
    before = sum(isinstance(each, FuncGraph) for each in gc.get_objects())
    train()
    gc.collect()
    assert sum(isinstance(each, FuncGraph) for each in gc.get_objects()) == before
