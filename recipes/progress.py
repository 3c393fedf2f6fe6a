"""A bar for the whole training in the terminal."""

from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

SHOWN = ("loss", "val_loss", "learning_rate")


class EpochBar(keras.callbacks.Callback):
    """One bar over all epochs, with the last losses and the learning rate beside it.

    Args:
        console: Where to draw it.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._progress = Progress(
            TextColumn("epoch {task.completed}/{task.total}"),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=console,
        )

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._task = self._progress.add_task("starting", total=self.params["epochs"])
        self._progress.start()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        shown = [f"{name} {logs[name]:.4g}" for name in SHOWN if logs and name in logs]
        self._progress.update(self._task, completed=epoch + 1, description="  ".join(shown))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._progress.stop()
