"""Weights of trials: read as they were written, and seen for damaged in whatever way they are."""

import keras
import numpy as np
import pytest

from tuner.weights import are_whole, load_weights, save_weights


def model():
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    made.compile("adam", "mse")
    return made


def test_weights_are_read_as_they_were_written(tmp_path):
    first, other = model(), model()
    save_weights(tmp_path / "weights.npz", first)
    load_weights(tmp_path / "weights.npz", other)
    assert are_whole(tmp_path / "weights.npz")
    for one, another in zip(first.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, another)


@pytest.mark.parametrize("damage", ["empty", "torn", "flipped", "other", "missing"])
def test_damaged_weights_are_not_whole(tmp_path, damage):
    path = tmp_path / "weights.npz"
    save_weights(path, model())
    content = path.read_bytes()
    middle = len(content) // 2
    damaged = {
        "empty": b"",
        "torn": content[:-10],
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "other": b"PK",
    }
    path.unlink()
    if damage != "missing":
        path.write_bytes(damaged[damage])
    assert not are_whole(path)
