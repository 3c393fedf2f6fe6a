from typing import Any

import keras
import numpy as np
from keras import ops

from keras_recipes.callbacks.early_stopping import EarlyStopping
from keras_recipes.callbacks.performance_scheduling import PerformanceScheduling
from keras_recipes.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from keras_recipes.optimizers.following import innermost
from keras_recipes.run_directory import RunDirectory


class SavedState(keras.callbacks.Callback):
    """Saves the state of a training at each epoch's end, and goes on from it.

    It comes last of the callbacks, after the ones whose state it saves.

    Args:
        run: Where the checkpoints are.
        history: The training's `History`.
        stateful: The `EarlyStopping` and `PerformanceScheduling` of the training.
    """

    def __init__(
        self,
        run: RunDirectory,
        history: keras.callbacks.History,
        stateful: list[EarlyStopping | PerformanceScheduling],
    ) -> None:
        super().__init__()
        self.history = history
        self.stateful = stateful
        self._directory = run.checkpoints
        self._saved = load_checkpoint(run.checkpoints)

    @property
    def next_epoch(self) -> int:
        """The epoch, from 0, with which the saved training goes on."""
        return self._saved.state["next_epoch"] if self._saved else 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._saved is not None:
            self._restore(self._saved)
            self._saved = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # A training that has stopped early must not go on.
        next_epoch = self.params["epochs"] if self.model.stop_training else epoch + 1
        save_checkpoint(self._directory, epoch + 1, self._capture(next_epoch))

    def _capture(self, next_epoch: int) -> Checkpoint:
        arrays = _named("model", self.model.variables)
        arrays |= _named("optimizer", _optimizer_variables(self.model.optimizer))
        state: dict[str, Any] = {
            "next_epoch": next_epoch,
            "history": self.history.history,
            "callbacks": [callback.get_state() for callback in self.stateful],
        }
        for callback in self.stateful:
            arrays |= _named("best", getattr(callback, "best_weights", None) or [])
        return Checkpoint(arrays, state)

    def _restore(self, saved: Checkpoint) -> None:
        optimizer = self.model.optimizer
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        _assign("model", self.model.variables, saved.arrays)
        _assign("optimizer", _optimizer_variables(optimizer), saved.arrays)
        self.history.history.update(saved.state["history"])
        best = [saved.arrays[name] for name in saved.arrays if name.startswith("best:")]
        for callback, state in zip(self.stateful, saved.state["callbacks"], strict=True):
            callback.set_state(state)
            if isinstance(callback, EarlyStopping):
                callback.best_weights = best or None


def _optimizer_variables(optimizer: keras.Optimizer) -> list[Any]:
    # Without the learning rate: while `fit` runs a schedule may be in its place.
    rate = innermost(optimizer)._learning_rate
    return [variable for variable in optimizer.variables if variable is not rate]


def _named(kind: str, values: list[Any]) -> dict[str, np.ndarray]:
    return {f"{kind}:{i}": ops.convert_to_numpy(value) for i, value in enumerate(values)}


def _assign(kind: str, variables: list[Any], arrays: dict[str, np.ndarray]) -> None:
    for i, variable in enumerate(variables):
        variable.assign(arrays[f"{kind}:{i}"])
