"""What sets `MCAlphaDropout` apart; what it shares with `MCDropout` is tested with that."""

import keras
import numpy as np
import pytest

from keras_recipes.layers import MCAlphaDropout


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5])
def test_standard_normal_inputs_keep_mean_and_variance(rate):
    x = np.random.default_rng(0).normal(size=1_000_000).astype("float32")
    y = np.array(MCAlphaDropout(rate, seed=1)(x), "float64")
    assert y.mean() == pytest.approx(0, abs=0.005)
    assert y.var() == pytest.approx(1, abs=0.01)


def test_drops_the_rate_to_one_value():
    x = np.random.default_rng(0).normal(size=100_000).astype("float32")
    y = np.array(MCAlphaDropout(0.3, seed=1)(x))
    values, counts = np.unique(y, return_counts=True)
    assert counts.max() / x.size == pytest.approx(0.3, abs=5 * np.sqrt(0.3 * 0.7 / x.size))
    kept = y != values[counts.argmax()]
    slope, intercept = np.polyfit(x[kept], y[kept], 1)
    np.testing.assert_allclose(y[kept], slope * x[kept] + intercept, atol=1e-5)


def test_self_normalization_holds_through_a_deep_network():
    x = np.random.default_rng(0).normal(size=(2000, 100)).astype("float32")
    layers = [keras.Input((100,))]
    for seed in range(10):
        initializer = keras.initializers.LecunNormal(seed=seed)
        layers.append(keras.layers.Dense(100, "selu", kernel_initializer=initializer))
        layers.append(MCAlphaDropout(0.1, seed=seed))
    y = keras.Sequential(layers).predict(x, verbose=0, batch_size=1000)
    assert abs(y.mean()) < 0.15
    assert y.std() == pytest.approx(1, abs=0.15)
