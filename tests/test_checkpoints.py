import errno
import os

import numpy as np
import pytest

from keras_recipes import checkpoints
from keras_recipes.checkpoints import Checkpoint, load_checkpoint, save_checkpoint, write_atomically

ARRAYS = {"model:0": np.arange(6, dtype="float32").reshape(2, 3), "optimizer:0": np.int64(7)}


def checkpoint(number):
    return Checkpoint(
        {**ARRAYS, "n": np.array(number)}, {"number": number, "history": [0.1, 1 / 3]}
    )


def test_arrays_and_state_come_back_exactly(tmp_path):
    save_checkpoint(tmp_path, 5, checkpoint(5))
    loaded = load_checkpoint(tmp_path)
    assert loaded.state == {"number": 5, "history": [0.1, 1 / 3]}
    assert set(loaded.arrays) == {*ARRAYS, "n"}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)
        assert loaded.arrays[name].dtype == np.asarray(array).dtype


def test_the_last_two_are_kept(tmp_path):
    for number in (1, 2, 10, 9999):
        save_checkpoint(tmp_path, number, checkpoint(number))
    assert sorted(os.listdir(tmp_path)) == ["step-000000000010.ckpt", "step-000000009999.ckpt"]
    assert load_checkpoint(tmp_path).state["number"] == 9999


def test_an_empty_directory_has_none(tmp_path):
    assert load_checkpoint(tmp_path) is None


@pytest.mark.parametrize("damage", ["empty", "torn", "flipped", "other"])
def test_a_damaged_one_is_passed_over_and_said(tmp_path, damage):
    for number in (1, 2):
        save_checkpoint(tmp_path, number, checkpoint(number))
    newest = tmp_path / "step-000000000002.ckpt"
    content = newest.read_bytes()
    middle = len(content) // 2
    newest.write_bytes(
        {
            "empty": b"",
            "torn": content[:-10],
            "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "other": b"not a checkpoint" * 100,
        }[damage]
    )
    with pytest.warns(UserWarning, match=r"step-000000000002\.ckpt is torn or corrupt"):
        assert load_checkpoint(tmp_path).state["number"] == 1


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, 1, checkpoint(1))

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints.os, "fsync", full)
    with pytest.raises(OSError, match=r"could not be written \(No space left") as raised:
        save_checkpoint(tmp_path, 2, checkpoint(2))
    assert raised.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == ["step-000000000001.ckpt"]
    assert load_checkpoint(tmp_path).state["number"] == 1


def test_a_file_is_replaced_in_one_move(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    write_atomically(path, b"old")
    monkeypatch.setattr(
        checkpoints.Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "I/O"))
    )
    with pytest.raises(OSError, match="unharmed"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["run.json"]
