import numpy as np
import pytest
from keras import ops

from keras_recipes.uncertainty.moments import entropy, start, summary, update

RNG = np.random.default_rng(0)


def moments_of(samples, size, link=None):
    moments = start(samples.shape[1:], link)
    for first in range(0, len(samples), size):
        moments = update(moments, first, samples[first : first + size], link)
    return [
        None if each is None else np.array(each) for each in summary(moments, len(samples), link)
    ]


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("link", [None, "softmax"])
def test_moments_of_chunks_are_those_of_all(size, link):
    samples = RNG.dirichlet(np.ones(4), (100, 5)).astype("float32")
    mean, std, of_mean, information = moments_of(samples, size, link)
    np.testing.assert_allclose(mean, samples.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(std, samples.std(axis=0), rtol=1e-4)
    if link:
        np.testing.assert_allclose(of_mean, entropy(mean, link), rtol=1e-5)
        of_each = np.array(ops.mean(entropy(samples, link), axis=0))
        np.testing.assert_allclose(information, of_mean - of_each, atol=1e-5)


@pytest.mark.parametrize("size", [1, 30, 1000])
def test_samples_that_are_all_the_same_have_no_deviation(size):
    row = np.append(RNG.normal(size=50), [0.1, 0.7, 1e20, -1e30]).astype("float32")
    mean, std, *_ = moments_of(np.tile(row, (1000, 1)), size)
    np.testing.assert_array_equal(mean, row)
    assert not std.any()
    probabilities = RNG.dirichlet(np.ones(4), 50).astype("float32")
    information = moments_of(np.tile(probabilities, (1000, 1, 1)), size, "softmax")[3]
    assert not information.any()
