"""Trials in TensorBoard: curves by epoch, and a row each in the table of hyperparameters."""

from pathlib import Path
from typing import Any

from keras_recipes.board import scalar_value, session_end_value, write_board


def write_trial(
    directory: Path,
    values: dict[str, Any],
    history: dict[str, list[float]],
    metrics: dict[str, float] | None,
) -> None:
    """Writes the events of a trial that has ended, in place of those of an earlier run of it.

    Args:
        directory: Where; it is made if need be.
        values: The hyperparameters.
        history: metric -> value after each epoch.
        metrics: What the trial is judged by; empty if it was stopped, None if it failed.

    Raises:
        OSError: If they cannot be written.
    """
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    shown = {name: value for name, value in values.items() if not name.startswith("tuner/")}
    row = [*hparams_pb(shown, directory.name).value, session_end_value(metrics is not None)]
    best = [scalar_value(f"best/{name}", value) for name, value in (metrics or {}).items()]
    curves = [
        (epoch, scalar_value(f"epoch/{name}", value))
        for name, curve in history.items()
        for epoch, value in enumerate(curve)
    ]
    steps = [0] * len(row + best) + [epoch for epoch, _ in curves]
    directory.mkdir(parents=True, exist_ok=True)
    write_board(directory, "trial", row + best + [value for _, value in curves], steps)
