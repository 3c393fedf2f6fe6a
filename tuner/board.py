"""Trials in TensorBoard: curves by epoch, and a row each in the table of hyperparameters."""

from pathlib import Path
from typing import Any


def write_trial(
    directory: Path,
    values: dict[str, Any],
    history: dict[str, list[float]],
    metrics: dict[str, float],
) -> None:
    """Writes the events of a trial.

    Args:
        directory: Where; what an earlier run of the same trial wrote there goes.
        values: The hyperparameters.
        history: metric -> value after each epoch.
        metrics: What the trial is judged by.
    """
    import tensorflow as tf
    from tensorboard.plugins.hparams import api

    for old in directory.glob("events.out.tfevents.*"):
        old.unlink()
    writer = tf.summary.create_file_writer(str(directory))
    with writer.as_default():
        shown = {name: value for name, value in values.items() if not name.startswith("tuner/")}
        api.hparams(shown, trial_id=directory.name)
        for name, curve in history.items():
            for epoch, value in enumerate(curve):
                tf.summary.scalar(f"epoch_{name}", value, epoch)
        for name, value in metrics.items():
            tf.summary.scalar(f"best_{name}", value, 0)
    writer.close()
