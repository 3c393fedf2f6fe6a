"""The weights that a trial leaves: written in one move, and seen for damaged where they are."""

import hashlib
import io
from pathlib import Path

import keras
import numpy as np

from keras_recipes.checkpoints import write_atomically

DIGEST = hashlib.sha256().digest_size  # bytes at the end of the file, which NumPy does not mind


def save_weights(path: Path, model: keras.Model, writer: str = "") -> None:
    """Writes the weights of a model; `writer` tells processes apart that do so in one directory."""
    file = io.BytesIO()  # on a full disk HDF5 crashes
    np.savez(file, *map(keras.ops.convert_to_numpy, model.variables))
    content = file.getvalue()
    write_atomically(path, content + hashlib.sha256(content).digest(), writer)


def load_weights(path: Path, model: keras.Model) -> None:
    """Gives a model the weights that one of the same layers had."""
    with np.load(path) as file:
        for variable, array in zip(model.variables, file.values(), strict=True):
            variable.assign(array)


def are_whole(path: Path) -> bool:
    """Returns whether weights are there, and as they were written."""
    content = path.read_bytes() if path.exists() else b""
    return hashlib.sha256(content[:-DIGEST]).digest() == content[-DIGEST:]
