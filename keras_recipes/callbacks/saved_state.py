import datetime
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_recipes.callbacks.early_stopping import EarlyStopping
from keras_recipes.callbacks.step_records import StepRecords
from keras_recipes.checkpoints import Checkpoint, save_checkpoint
from keras_recipes.optimizers.following import innermost, steps_taken
from keras_recipes.run_directory import RunDirectory

SHARE = 0.01  # of the time may go into checkpoints where no interval is given


class SavedState(keras.callbacks.Callback):
    """Saves the state of a training, and goes on from it.

    It comes last of the callbacks, after the ones whose state it saves: those that have a
    `get_state()`, whose result JSON can hold, and a `set_state(state)`.

    Args:
        run: Where the checkpoints are.
        saved: What to go on from, or None.
        constants: What holds from the start of the training to its end, as JSON can hold it.
        callbacks: The other callbacks.
        every: Steps (an int) or time (a `timedelta`) between two checkpoints; None for as often as
            1% of the time allows.
        within_epochs: Whether training can go on from inside an epoch.
    """

    def __init__(
        self,
        run: RunDirectory,
        saved: Checkpoint | None,
        constants: dict[str, Any],
        callbacks: Sequence[keras.callbacks.Callback],
        every: int | datetime.timedelta | None,
        within_epochs: bool,
    ) -> None:
        super().__init__()
        self._directory = run.checkpoints
        self._saved = saved
        self._constants = constants
        self._callbacks = [each for each in callbacks if hasattr(each, "get_state")]
        self._records = [each for each in callbacks if isinstance(each, StepRecords)]
        self._history = next(c for c in callbacks if isinstance(c, keras.callbacks.History))
        self._early_stopping = [c for c in callbacks if isinstance(c, EarlyStopping)]
        self._every = every
        self._within_epochs = within_epochs
        self._cost = 0.0  # seconds that the last checkpoint took

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._saved is not None:
            self._restore(self._saved)
        self._last_step = steps_taken(self.model.optimizer)
        self._time = time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if (
            self._within_epochs
            and not self.model.stop_training
            and batch + 1 < self.params["steps"]
        ):
            self._save_if_due(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # A training that has stopped early must not go on.
        self._save_if_due(self.params["epochs"] if self.model.stop_training else epoch + 1, 0)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._save(self.params["epochs"], 0)

    def _save_if_due(self, epoch: int, step: int) -> None:
        if isinstance(self._every, int):
            step_now = steps_taken(self.model.optimizer)
            due = step_now // self._every > self._last_step // self._every
            self._last_step = step_now
        else:
            passed = time.perf_counter() - self._time
            given = self._every.total_seconds() if self._every else self._cost / SHARE
            due = passed >= given
        if due:
            self._save(epoch, step)

    def _save(self, epoch: int, step: int) -> None:
        start = time.perf_counter()
        for callback in self._records:
            callback.take()
        checkpoint = self._capture(epoch, step)
        if all(np.isfinite(array).all() for array in checkpoint.arrays.values()):
            save_checkpoint(self._directory, steps_taken(self.model.optimizer), checkpoint)
        self._time = time.perf_counter()
        self._cost = self._time - start

    def _capture(self, epoch: int, step: int) -> Checkpoint:
        arrays: dict[str, np.ndarray] = {}
        for kind, variables in self._variables().items():
            for i, variable in enumerate(variables):
                arrays[f"{kind}:{i}"] = ops.convert_to_numpy(variable)
        for number, callback in enumerate(self._early_stopping):
            for i, weight in enumerate(callback.best_weights or []):
                arrays[f"best {number}:{i}"] = weight
        state = self._constants | {
            "next_epoch": epoch,
            "next_step": step,
            "iterations": steps_taken(self.model.optimizer),
            "epochs": self._history.epoch,
            "history": {
                name: [each.tolist() if isinstance(each, np.ndarray) else each for each in values]
                for name, values in self._history.history.items()
            },
            "callbacks": [callback.get_state() for callback in self._callbacks],
        }
        return Checkpoint(arrays, state)

    def _restore(self, saved: Checkpoint) -> None:
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        for kind, variables in self._variables().items():
            for i, variable in enumerate(variables):
                variable.assign(saved.arrays[f"{kind}:{i}"])
        self._history.epoch = saved.state["epochs"]
        for name, values in saved.state["history"].items():
            self._history.history[name] = [
                np.asarray(each, "float32") if isinstance(each, list) else each for each in values
            ]
        for callback, state in zip(self._callbacks, saved.state["callbacks"], strict=True):
            callback.set_state(state)
        for number, callback in enumerate(self._early_stopping):
            kind = f"best {number}:"
            best = [array for name, array in saved.arrays.items() if name.startswith(kind)]
            callback.best_weights = best or None

    def _variables(self) -> dict[str, list[Any]]:
        # Without the learning rate: while `fit` runs a schedule may be in its place.
        rate = innermost(self.model.optimizer)._learning_rate
        optimizer = [
            variable for variable in self.model.optimizer.variables if variable is not rate
        ]
        metrics = self.model.metrics_variables if self._within_epochs else []
        return {"model": self.model.variables, "optimizer": optimizer, "metrics": metrics}
