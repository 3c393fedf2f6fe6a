import numpy as np
import pytest
import tensorflow as tf

from keras_recipes.pruning import cubic_sparsity, keep_largest

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("initial", "final", "begin", "end"),
    [(0, 0.9, 0, 100), (0.3, 0.99, 20, 80), (0.2, 0.5, 40, 40)],
)
def test_the_ramp_is_that_of_zhu_and_gupta(initial, final, begin, end):
    for step in range(120):
        if step >= end:
            expected = final
        elif step <= begin:
            expected = initial
        else:
            expected = final + (initial - final) * (1 - (step - begin) / (end - begin)) ** 3
        found = float(cubic_sparsity(tf.constant(step), initial, final, begin, end))
        assert found == pytest.approx(expected, abs=1e-6)


def reference(magnitudes, kept, share):
    """The smallest by a stable sort, those that are gone before all others."""
    count = round(share * len(magnitudes))
    order = np.argsort(np.where(kept, magnitudes, -1), kind="stable")
    result = kept.copy()
    result[order[:count]] = False
    return result


CASES = {
    "normal": np.abs(RNG.normal(size=1000)),
    "equal": np.ones(1000),
    "few values": RNG.integers(0, 4, 1000),
    "many zeros": np.maximum(RNG.normal(size=1000), 0),
    "tiny and huge": 10.0 ** RNG.uniform(-44, 38, size=1000),
}


FUNCTIONS = [tf.function(keep_largest), tf.function(keep_largest, jit_compile=True)]


@pytest.mark.parametrize("magnitudes", CASES.values(), ids=CASES)
@pytest.mark.parametrize("keep", FUNCTIONS, ids=["graph", "XLA"])
def test_the_smallest_go_as_in_numpy(magnitudes, keep):
    magnitudes = magnitudes.astype("float32")
    magnitudes[(magnitudes > 0) & (magnitudes < 1.2e-38)] = 0  # XLA flushes denormals
    kept = np.ones(1000, bool)
    for share in (0.0, 0.001, 0.2, 0.45, 0.8, 0.99, 1.0):
        expected = reference(magnitudes, kept, share)
        found = keep(tf.constant(magnitudes), tf.constant(kept), tf.constant(share)).numpy()
        np.testing.assert_array_equal(found, expected)
        assert (~found).sum() == round(share * 1000)
        kept = found


def test_what_has_gone_does_not_come_back():
    kept = np.arange(10) >= 5
    magnitudes = tf.constant(np.arange(10)[::-1].astype("float32"))
    found = keep_largest(magnitudes, tf.constant(kept), tf.constant(0.2)).numpy()
    np.testing.assert_array_equal(found, kept)
