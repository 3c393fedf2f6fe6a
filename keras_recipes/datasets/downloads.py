"""Data sets that Keras downloads."""

import gzip
import importlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from keras_recipes.datasets.npz import SPLIT_KEYS, Arrays, join


@dataclass(frozen=True)
class Download:
    """What Keras does not tell about a data set that it downloads."""

    target_name: str
    unchecked: str = ""  # folder under ~/.keras/datasets whose files Keras takes for whole
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()


DOWNLOADS = {
    "mnist": Download("digit"),
    "fashion_mnist": Download(
        "article",
        unchecked="fashion-mnist",
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
    ),
    "cifar10": Download(
        "object",
        class_names=(
            *("airplane", "automobile", "bird", "cat", "deer"),
            *("dog", "frog", "horse", "ship", "truck"),
        ),
    ),
    "california_housing": Download(
        "median_house_value",
        feature_names=(
            *("MedInc", "HouseAge", "AveRooms", "AveBedrms"),
            *("Population", "AveOccup", "Latitude", "Longitude"),
        ),
    ),
}


def download(name: str) -> Arrays:
    """Returns the arrays of one of `DOWNLOADS`, from Keras's cache where they are there.

    Raises:
        FileNotFoundError: If they are not and cannot be downloaded.
    """
    about = DOWNLOADS[name]
    try:
        train, test = importlib.import_module(f"keras.datasets.{name}").load_data()
    except Exception as error:  # Keras raises Exception itself
        if about.unchecked:
            _remove_torn(about.unchecked)
        raise FileNotFoundError(
            f"`source` must be a data set that is there or can be downloaded. Received: "
            f"source={name!r}, {type(error).__name__}: {error}. Try again with a connection, or "
            "pass the path of an NPZ file with the arrays x_train, y_train, x_test and y_test."
        ) from error
    return join(dict(zip(SPLIT_KEYS, (*train, *test), strict=True)))


def _remove_torn(folder: str) -> None:
    """Removes the archives that a killed download left half-done: the next one fetches them anew."""
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "datasets"
    for path in (home / folder).glob("*.gz"):
        try:
            gzip.decompress(path.read_bytes())
        except (EOFError, OSError, zlib.error):
            path.unlink()
