"""Arrays as a network takes them: float32, and pixels in [0, 1] with a channel."""

import numpy as np

BYTE = 255  # white, where pixels are whole numbers


def white_of(x: np.ndarray) -> int:
    """Returns the value of white if `x`, rows first, holds images of whole numbers, else 0.

    Such images have at least three axes and whole numbers in [0, 255], some above 1, of whatever
    dtype. Of 0 and 1 alone are masks and one-hot sequences too: images only if they are uint8.
    """
    if x.ndim < 3:
        return 0
    if x.max() > 1 and x.min() >= 0 and x.max() <= BYTE and (x == np.floor(x)).all():
        return BYTE
    return 1 if x.dtype == np.uint8 else 0


def as_inputs(x: np.ndarray, white: int) -> np.ndarray:
    """Returns x as float32; images, which have a `white`, as its fractions and with a channel."""
    numbers = x.astype(np.float32)
    if not white:
        return numbers
    numbers /= white
    return numbers[..., np.newaxis] if x.ndim == 3 else numbers


def are_fractions(x: np.ndarray) -> bool:
    """Whether `x` holds images or sequences that lie in [0, 1]."""
    return x.ndim >= 3 and bool(x.min() >= 0 and x.max() <= 1)
