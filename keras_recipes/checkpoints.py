"""Checkpoints that a kill cannot hurt: written beside, flushed, renamed; checked when read."""

import contextlib
import hashlib
import io
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = b"keras_recipes checkpoint 1\n"
KEPT = 2
UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Checkpoint:
    """Arrays by name, and what else describes the state, as JSON can hold it."""

    arrays: dict[str, np.ndarray]
    state: dict[str, Any]


def not_written(path: Path, number: int | None, reason: str | None) -> OSError:
    """Returns the error that says that a file of a run could not be written.

    Args:
        path: The file, or the directory that it is in.
        number: The system's number of the error.
        reason: What the system calls it.
    """
    return OSError(
        number,
        f"{path} could not be written ({reason}); what was there before is unharmed. Free space or "
        "choose another run_dir, and start again to go on",
    )


def write_atomically(path: Path, content: bytes, writer: str = "") -> None:
    """Writes a file so that it has either its old content or the new, whatever happens.

    Args:
        path: The file.
        content: Its new content.
        writer: Tells processes apart that write into one directory at a time.

    Raises:
        OSError: If it cannot be written; what was there stays.
    """
    # One name a directory: what a kill leaves is written over by the next that is written.
    beside = path.with_name(UNFINISHED + writer)
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise not_written(path, error.errno, error.strerror) from error
    _flush_directory(path.parent)


def save_checkpoint(directory: Path, number: int, checkpoint: Checkpoint) -> None:
    """Saves a checkpoint and removes all but the last two.

    Args:
        directory: Where checkpoints are kept; it exists.
        number: Orders the checkpoints: the step.
        checkpoint: What to save.

    Raises:
        OSError: If it cannot be written; the checkpoints before it stay.
    """
    body = io.BytesIO()
    entries: dict[str, Any] = {f"array:{k}": v for k, v in checkpoint.arrays.items()}
    entries["state"] = np.frombuffer(json.dumps(checkpoint.state).encode(), np.uint8)
    np.savez(body, **entries)
    content = body.getvalue()
    digest = hashlib.sha256(content).digest()
    write_atomically(directory / f"step-{number:012d}.ckpt", MAGIC + digest + content)
    for old in _newest_first(directory)[KEPT:]:
        old.unlink(missing_ok=True)


def load_checkpoint(directory: Path) -> Checkpoint | None:
    """Returns the newest checkpoint that is whole, or None; warns of each one that is not."""
    for path in _newest_first(directory):
        content = path.read_bytes()
        start = len(MAGIC) + 32
        if content[: len(MAGIC)] == MAGIC and (
            hashlib.sha256(content[start:]).digest() == content[len(MAGIC) : start]
        ):
            return _parse(content[start:])
        warnings.warn(
            f"The checkpoint {path} is torn or corrupt: going on from the one before it.",
            stacklevel=2,
        )
    return None


def remove_checkpoints(directory: Path) -> None:
    """Removes all checkpoints of a directory, whole or not."""
    for path in _newest_first(directory):
        path.unlink(missing_ok=True)


def _parse(body: bytes) -> Checkpoint:
    with np.load(io.BytesIO(body), allow_pickle=False) as file:
        state = json.loads(file["state"].tobytes())
        names = [name for name in file.files if name.startswith("array:")]
        return Checkpoint({name.removeprefix("array:"): file[name] for name in names}, state)


def _newest_first(directory: Path) -> list[Path]:
    return sorted(directory.glob("step-*.ckpt"), reverse=True)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
