import pytest
import tensorflow as tf

from keras_recipes.graph_passes import without_passes

OPTIONS = tf.config.optimizer


def disabled():
    return OPTIONS.get_experimental_options().get("disable_meta_optimizer", False)


def test_passes_are_off_inside_and_on_afterwards():
    @without_passes()
    def fail():
        with without_passes():
            assert disabled()
        assert disabled()
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not disabled()
    with without_passes():  # again
        assert disabled()


def test_options_of_the_user_stay():
    OPTIONS.set_experimental_options({"constant_folding": True})
    try:
        with without_passes():
            assert not disabled()
    finally:
        OPTIONS.set_experimental_options({"constant_folding": False})
