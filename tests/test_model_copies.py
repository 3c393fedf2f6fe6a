import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_recipes as kr
from keras_recipes.uncertainty import deterministic

WORDS = np.array([["a", "b"], ["b", "c"], ["c", "d e"]])


def integers(**kwargs):
    return layers.IntegerLookup(**kwargs), np.array([[3, 5], [5, 7], [7, 9]]), "int64"


def strings(**kwargs):
    return layers.StringLookup(num_oov_indices=2, **kwargs), WORDS, "string"


def texts(**kwargs):
    return layers.TextVectorization(**kwargs), np.array([["a b b"], ["c"], ["d e"]]), "string"


def outer(layer, examples, dtype):
    """A model that has the layer in another one."""
    inner = keras.Sequential([keras.Input(examples.shape[1:], dtype=dtype), layer])
    x = keras.Input(examples.shape[1:], dtype=dtype)
    return keras.Model(x, layers.Rescaling(0.5)(inner(x)))


@pytest.mark.parametrize(
    "output",
    [
        {"output_mode": "int"},
        {"output_mode": "multi_hot"},
        {"output_mode": "tf_idf", "pad_to_max_tokens": True, "max_tokens": 20},
    ],
)
@pytest.mark.parametrize("lookup", [integers, strings, texts])
@pytest.mark.parametrize("copy_of", [deterministic, kr.strip])
def test_a_copy_keeps_the_vocabulary_of_adapted_lookups(copy_of, lookup, output):
    layer, examples, dtype = lookup(**output)
    layer.adapt(examples[1:])  # the first has what is out of vocabulary
    model, x = outer(layer, examples, dtype), tf.constant(examples)
    expected = model.predict(x, verbose=0)
    np.testing.assert_array_equal(copy_of(model).predict(x, verbose=0), expected)


def test_a_copy_with_a_vocabulary_can_be_saved_and_copied_again(tmp_path):
    layer, examples, dtype = texts(output_mode="tf_idf")
    layer.adapt(examples[1:])
    model, x = outer(layer, examples, dtype), tf.constant(examples)
    kr.strip(model).save(tmp_path / "copy.keras")
    again = deterministic(keras.models.load_model(tmp_path / "copy.keras"))
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
