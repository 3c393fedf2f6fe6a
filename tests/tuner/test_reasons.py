"""Why a trial failed, in a line."""

import traceback

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_recipes as kr
from tuner.reasons import reason_of

TOO_MUCH = (1 << 22, 1 << 24)  # floats: 256 TiB, which no machine gives


class Large(keras.layers.Layer):
    def call(self, inputs):
        rows = tf.shape(inputs)[0] - tf.shape(inputs)[0] + TOO_MUCH[0]
        return inputs + tf.reduce_sum(tf.ones([rows, TOO_MUCH[1]]))


def no_memory_in_training():
    model = keras.Sequential([keras.Input((4,)), Large(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    kr.fit(model, np.zeros((8, 4)), np.zeros((8, 1)), epochs=1, schedule=None, verbose=0)


def no_memory_at_once():
    tf.ones(TOO_MUCH)


def wrong_shape():
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])(np.zeros((3, 5)))


def several_causes():
    raise tf.errors.ResourceExhaustedError(
        None, None, "Graph execution error:\n\nDetected at node dense/MatMul defined at (most recent "
        'call last):\n  File "a.py", line 1, in f\n    return x\n\n2 root error(s) found.\n'
        "  (0) RESOURCE_EXHAUSTED:  failed to allocate memory\n\t [[{{node dense/MatMul}}]]\n",
    )  # fmt: skip


def while_another_is_handled():
    try:
        raise KeyError("units")
    except KeyError as error:
        raise ValueError("`units` must be given.\nReceived: none.") from error


def without_a_word():
    raise MemoryError


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (
            no_memory_in_training,
            "ResourceExhaustedError: OOM when allocating tensor with shape[41943",
        ),
        (no_memory_at_once, "ResourceExhaustedError: OOM when allocating tensor with shape[41943"),
        (
            wrong_shape,
            # Keras 3.12 does not name the input.
            ("ValueError: Input 0 with name 'None' of layer", "ValueError: Input 0 of layer"),
        ),
        (
            several_causes,
            "ResourceExhaustedError: (0) RESOURCE_EXHAUSTED:  failed to allocate memory",
        ),
        (while_another_is_handled, "ValueError: `units` must be given."),
        (without_a_word, "MemoryError"),
    ],
)
def test_it_is_the_exception_and_what_happened(fail, reason):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        fail()
    found = reason_of("".join(traceback.format_exception(caught.value)))
    assert found.startswith(reason)
    assert "\n" not in found
    assert "[Op:" not in found
    assert "\x1b" not in found


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (None, ""),
        ("", ""),
        ("3 processes that ran it ended by signal -9", "3 processes that ran it ended by signal -9"),
    ],
)  # fmt: skip
def test_what_is_no_traceback_stays(message, reason):
    assert reason_of(message) == reason
