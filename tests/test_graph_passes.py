import pytest
import tensorflow as tf

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
