"""The directory of one training run: what lies where, and whether it is the same run again."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import keras

from keras_recipes.checkpoints import not_written, remove_checkpoints, write_atomically


@dataclass(frozen=True)
class RunDirectory:
    """Paths and settings of a run.

    Args:
        path: The directory; it is made if need be.
    """

    path: Path

    @property
    def logs(self) -> Path:
        """TensorBoard's event files."""
        return self.path / "logs"

    @property
    def checkpoints(self) -> Path:
        """What a killed run goes on from."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The best model, written when training ends."""
        return self.path / "model.keras"

    @property
    def settings(self) -> Path:
        """The arguments of `fit`, as JSON."""
        return self.path / "run.json"

    @contextmanager
    def opened(self, settings: dict[str, Any], resume: str) -> Iterator[None]:
        """Has the directory ready to start the run or to go on with it, and for nobody else.

        Args:
            settings: What must be the same for the run to go on.
            resume: `"auto"`, `"never"` or `"must"`, as in `fit`.

        Raises:
            ValueError: If there is a run with other settings, or none where one must be.
            OSError: If the directory cannot be written, or another process trains in it.
        """
        if resume == "must" and not self.settings.exists():
            raise ValueError(
                f'`run_dir` must hold a run for resume="must". Received: run_dir={str(self.path)!r}, '
                'where there is none. To start one pass resume="auto".'
            )
        self._make(self.path)
        with self._locked():
            if resume == "never":
                self._clear()
            if self.settings.exists():
                self._compare(self._read_settings(), settings)
            self._make(self.logs, self.checkpoints)
            if not self.settings.exists():
                write_atomically(self.settings, (json.dumps(settings, indent=2) + "\n").encode())
            yield

    def save_model(self, model: keras.Model) -> None:
        """Saves the model under its name in one move.

        Raises:
            OSError: If it cannot be written; what was there stays.
        """
        beside = self.path / ".model.keras"  # Keras goes by the ending
        try:
            model.save(beside)
            beside.replace(self.model)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise not_written(self.model, error.errno, error.strerror) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        import fcntl  # not on Windows, where the rest of the library works

        # The system lets go of the lock when the process ends, however it ends.
        with self._open_lock() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                raise OSError(
                    error.errno,
                    "`run_dir` must be used by one process at a time. Received: "
                    f"run_dir={str(self.path)!r}, where process {file.read().strip()} trains. Wait "
                    "for it, or choose another directory",
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    def _read_settings(self) -> dict[str, Any]:
        try:
            settings = json.loads(self.settings.read_bytes())
        except ValueError:
            settings = None
        if not isinstance(settings, dict):
            raise ValueError(
                f"`run_dir` must have the arguments of its run in {self.settings}. Received: a file "
                "that is not a JSON object. Remove it to go on with the arguments of before, or "
                "choose another run_dir."
            )
        return settings

    def _compare(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        changed = [
            f"{name}: {before[name]!r} before, {now.get(name)!r} now"
            for name in before  # an earlier version kept fewer
            if before[name] != now.get(name)
        ]
        if changed:
            raise ValueError(
                "The arguments must be those of the run that is to go on. Received: "
                f"{'; '.join(changed)}. Call with the arguments that are in {self.settings}; to "
                "start anew choose another run_dir, or remove this one."
            )

    def _open_lock(self) -> IO[str]:
        with self._writable():
            return (self.path / "lock").open("a+")

    def _make(self, *directories: Path) -> None:
        with self._writable():
            for directory in directories:
                directory.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(
                error.errno,
                f"`run_dir` must be a directory that can be written ({error.strerror}). Received: "
                f"run_dir={str(self.path)!r}. Choose another one",
            ) from error

    def _clear(self) -> None:
        remove_checkpoints(self.checkpoints)
        shutil.rmtree(self.logs, ignore_errors=True)
        for path in (self.model, self.settings):
            path.unlink(missing_ok=True)
