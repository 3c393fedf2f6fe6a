import numpy as np
import pytest

from keras_recipes.datasets.images import are_fractions, as_inputs, white_of


@pytest.mark.parametrize(
    ("values", "dtype", "white"),
    [
        ([0, 2, 255], np.uint8, 255),
        ([0, 2, 255], np.int32, 255),
        ([0, 2, 255], np.float32, 255),
        ([0, 1, 2], float, 255),
        ([0, 1, 1], np.uint8, 1),
        ([0, 1, 1], bool, 0),
        ([0, 1, 1], float, 0),
        ([0, 2, 256], int, 0),
        ([-1, 2, 255], int, 0),
        ([0, 2.5, 255], float, 0),
    ],
)
def test_pixels_are_told_by_their_values(values, dtype, white):
    images = np.resize(np.array(values, dtype), (4, 3, 2))
    assert white_of(images) == white_of(images[..., np.newaxis]) == white
    assert white_of(images[..., 0]) == 0  # columns have units of their own


def test_images_have_a_channel_and_lie_in_0_to_1():
    images = np.resize([0, 51, 255], (4, 3, 2))
    inputs = as_inputs(images, 255)
    np.testing.assert_allclose(inputs, np.resize([0, 0.2, 1], (4, 3, 2, 1)), rtol=1e-6)
    assert (inputs.dtype, are_fractions(inputs)) == (np.float32, True)
    assert as_inputs(inputs, 255).shape == (4, 3, 2, 1)
    assert as_inputs(images, 0).max() == 255
    assert not are_fractions(images)
    assert not are_fractions(inputs[:, :, 0, 0])
