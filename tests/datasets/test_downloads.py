import gzip

import keras
import numpy as np
import pytest

from keras_recipes.datasets.downloads import download

TRAIN = (np.zeros((6, 4, 4), np.uint8), np.array([0, 1, 2, 0, 1, 2], np.uint8))
TEST = (np.ones((3, 4, 4), np.uint8), np.array([0, 1, 2], np.uint8))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    folder = tmp_path / "datasets"
    folder.mkdir()
    return folder


def test_a_failed_download_says_how_to_pass_a_path(monkeypatch, cache):
    def offline():
        raise Exception("URL fetch failure on https://somewhere")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", offline)
    with pytest.raises(FileNotFoundError, match=r"source='mnist', .*URL fetch failure.* NPZ file"):
        download("mnist")


def test_a_download_cut_short_does_not_spoil_the_next(monkeypatch, cache):
    partial = cache / "fashion-mnist" / "train-images-idx3-ubyte.gz"
    partial.parent.mkdir()
    partial.write_bytes(gzip.compress(b"images")[:-9])
    whole = [cache / "mnist.npz", partial.with_name("labels.gz"), partial.with_name("notes.txt")]
    for path in whole:
        path.write_bytes(gzip.compress(b"labels"))

    def load():
        if partial.exists():
            raise EOFError("Compressed file ended before the end-of-stream marker was reached")
        return TRAIN, TEST

    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", load)
    with pytest.raises(FileNotFoundError, match=r"EOFError: Compressed file ended.* Try again"):
        download("fashion_mnist")
    assert len(download("fashion_mnist").x) == 9
    assert all(path.exists() for path in whole)


def test_offline_nothing_is_removed(monkeypatch, cache):
    def offline():
        raise Exception("URL fetch failure on https://somewhere")

    archives = [cache / "mnist.npz", cache / "fashion-mnist" / "train-labels-idx1-ubyte.gz"]
    archives[1].parent.mkdir()
    for name, archive in zip(("mnist", "fashion_mnist"), archives, strict=True):
        archive.write_bytes(gzip.compress(b"labels"))
        monkeypatch.setattr(getattr(keras.datasets, name), "load_data", offline)
        with pytest.raises(FileNotFoundError, match="URL fetch failure"):
            download(name)
        assert archive.exists()
