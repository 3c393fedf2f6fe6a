import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_recipes.board import EventFile, scalar_values
from keras_recipes.checks import check_instance, check_integer
from keras_recipes.in_step import enter, leave
from keras_recipes.optimizers.following import steps_taken

KEPT = 256  # slots at least, for records that wait in the graph until Python takes them
PAUSE = 0.5  # seconds that they may wait


class StepRecords(keras.callbacks.Callback):
    """Numbers that are recorded inside the compiled step, every so many steps.

    They wait in a variable of the graph until the executions of the compiled function come back to
    Python, so that no step costs a call. A subclass calls `_open` when training begins and
    `_make_room` by the time that it traces `_record` into the step; `_taken` tells it of each record.

    Args:
        every: Steps from one record to the next, at least 1.
        log_dir: Directory for TensorBoard logs; None for those of `keras_recipes.fit` with a
            `run_dir`, or else for none.
    """

    def __init__(self, every: int, log_dir: str | Path | None) -> None:
        super().__init__()
        self.every = check_integer("every", every, "[1, inf)")
        if log_dir is not None:
            check_instance("log_dir", log_dir, (str, os.PathLike), "a path")
        self.log_dir = log_dir
        self.steps: list[int] = []
        self._steps = self._steps_taken = 0  # by now, and by the last time that records were taken
        self._read = 0  # records that are taken
        self._slots = KEPT
        self._tags: Sequence[str] | None = None
        self._log_into: str | Path | None = None
        self._file: EventFile | None = None

    def log_into(self, directory: Path) -> None:
        """Has the next training logged, where no `log_dir` was given; `keras_recipes.fit` does so.

        Args:
            directory: Where the event files go.
        """
        self._log_into = directory

    def take(self) -> None:
        """Takes the records that wait in the graph, and writes them; a checkpoint comes after it."""
        if self._tags is None:  # no step has been traced
            return
        count = int(ops.convert_to_numpy(self._count))
        records, at = ops.convert_to_numpy(self._records), ops.convert_to_numpy(self._at)
        # The slot of the next one may hold a step that was not taken.
        for number in range(max(self._read, count - self._slots + 1), count):
            self._read, record = number + 1, records[number % self._slots].copy()
            self.steps.append(int(at[number % self._slots]))
            self._taken(record)
            if self._file is not None:
                values = scalar_values(self._tags, record.ravel().tolist())
                self._file.write(values, self.steps[-1])
        if self._file is not None:
            self._file.flush()
        self._steps_taken, self._time = self._steps, time.perf_counter()

    def restore(self) -> None:
        """Makes the model what it was; `keras_recipes.fit` does so at its end.

        After a `keras.Model.fit` that was interrupted the model's next training does so.
        """
        try:
            self._close()
        finally:
            self._log_into = self._file = None
            leave(self)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._taken_before = steps_taken(self.model.optimizer)
        self._first_batch: int | None = None

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._first_batch is None:  # not 0 where training goes on inside an epoch
            self._first_batch = batch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._steps = self._taken_before + batch + 1 - (self._first_batch or 0)
        waiting = (self._steps - 1) // self.every - (self._steps_taken - 1) // self.every
        if waiting >= self._slots // 2 or (waiting and time.perf_counter() - self._time > PAUSE):
            self.take()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.take()
        optimizer = self.model.optimizer
        none_taken = self._first_batch is not None and steps_taken(optimizer) == self._taken_before
        if none_taken and not hasattr(optimizer, "dynamic_scale"):  # which leaves steps out
            warnings.warn(
                f"{type(self).__name__} must have steps of the optimizer that the model was compiled "
                "with. Received: an epoch without one, of which nothing is recorded. A `train_step` "
                "of your own is to call `self.optimizer.apply`.",
                stacklevel=2,
            )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.restore()

    def _open(self) -> None:
        """Raises ValueError where the training has another of the kind."""
        kind = type(self).__name__
        if any(type(each) is type(self) for each in enter(self, self.every)):
            leave(self)
            raise ValueError(
                f"`callbacks` must have one {kind} at most. Received: two. Leave one of them out."
            )
        self._close()  # after a training of another model that was interrupted
        self._tags = self._file = None
        self._steps = self._steps_taken = 0
        self._time = time.perf_counter()
        log_dir = self._log_into if self.log_dir is None else self.log_dir
        if log_dir is not None:
            self._file = EventFile(Path(log_dir))

    def _close(self) -> None:
        self.take()
        if self._file is not None:
            self._file.close()

    def _make_room(self, tags: Sequence[str], shape: tuple[int, ...]) -> None:
        """Makes variables for records of a shape; `tags` are the names of their numbers, flattened."""
        self._tags = tags
        longest = self.params.get("steps") or self.model.steps_per_execution  # of an execution
        self._slots = max(KEPT, 2 * (longest // self.every + 1))
        zeros = np.zeros((self._slots, *shape))
        self._records = keras.Variable(zeros, trainable=False, dtype="float32")
        self._at = keras.Variable(np.zeros(self._slots), trainable=False, dtype="int64")
        self._count = keras.Variable(0, trainable=False, dtype="int32")
        self._read = 0

    def _record(self, step: Any, record: Any, taken: Any = True) -> None:
        """Keeps a record; a part of the graph.

        Args:
            step: The optimizer's step that the record is of.
            record: Its numbers, of the shape that there is room for.
            taken: Whether the step was taken: else the record is lost.
        """
        slot = self._count % self._slots
        start = [slot] + [0] * len(record.shape)
        self._records.assign(ops.slice_update(self._records, start, record[None]))
        self._at.assign(ops.slice_update(self._at, [slot], ops.cast(step, "int64")[None]))
        self._count.assign(self._count + ops.cast(taken, "int32"))

    def _taken(self, record: np.ndarray) -> None:
        raise NotImplementedError
