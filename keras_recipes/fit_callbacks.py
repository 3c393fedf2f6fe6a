"""The callbacks that `fit` trains with: guard, schedule, early stopping."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_recipes.arrays import Examples
from keras_recipes.callbacks import (
    EarlyStopping,
    LayerHealth,
    OneCycle,
    PerformanceScheduling,
    Schedule,
)
from keras_recipes.callbacks.divergence_guard import DivergenceGuard
from keras_recipes.callbacks.run_logs import RunLogs
from keras_recipes.checks import check_choice, check_number
from keras_recipes.optimizers.following import innermost

SCHEDULES = ("1cycle", "constant", "power", "exponential", "piecewise", "performance")


def check_rate(model: keras.Model, schedule: str | None, rate: float | None) -> float | None:
    """Returns the rate that a schedule starts from, for 1cycle its peak; None where it is to be found.

    Args:
        model: The compiled model.
        schedule: A name, or None to leave the optimizer as it was compiled.
        rate: What the user gave; None for the compiled rate, under 1cycle for one to be found.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If one is out of range, or does not go with the other or the optimizer.
    """
    if schedule is None:
        if rate is not None:
            raise ValueError(
                "`max_learning_rate` must be None where `schedule` is None. Received: "
                f"max_learning_rate={rate}. Compile the optimizer with this rate."
            )
        return None
    check_choice("schedule", schedule, SCHEDULES, "For the compiled optimizer pass None.")
    optimizer = innermost(model.optimizer)
    if isinstance(optimizer._learning_rate, LearningRateSchedule) and schedule == "performance":
        raise ValueError(
            '`schedule="performance"` must have an optimizer compiled with a number as its learning '
            f"rate. Received: {optimizer._learning_rate!r}. Compile with a number."
        )
    if rate is not None:
        return check_number("max_learning_rate", rate, "(0, inf)")
    return None if schedule == "1cycle" else float(ops.convert_to_numpy(optimizer.learning_rate))


def make_callbacks(
    settings: dict[str, Any],
    rate: float | None,
    examples: Examples,
    validated: bool,
    given: Sequence[keras.callbacks.Callback],
) -> list[keras.callbacks.Callback]:
    """Returns the callbacks in their order, those that the user gave among them.

    Args:
        settings: The arguments of `fit` by name: `schedule`, `epochs` and `early_stopping`.
        rate: Where the schedule starts, for 1cycle its peak.
        examples: What is trained on.
        validated: Whether there is a validation loss.
        given: The user's callbacks.
    """
    # The guard comes before anyone can use a bad step; schedules put their values into the logs
    # before the others read them.
    return [
        DivergenceGuard(examples),
        *_schedule_callbacks(settings["schedule"], rate),
        *_stopping_callbacks(settings, validated),
        *given,
    ]


def restore(callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Makes the model what it was compiled as, after a `fit` that was interrupted too."""
    for callback in callbacks:
        if isinstance(callback, Schedule | LayerHealth):
            callback.restore()


def run_callbacks(
    callbacks: Sequence[keras.callbacks.Callback], logs: Path, epoch: int, iteration: int
) -> list[keras.callbacks.Callback]:
    """Returns what logs a run, and has the callbacks that have logs of their own write theirs there.

    Args:
        callbacks: The others.
        logs: Where the logs of the run are.
        epoch: The epoch with which training starts or goes on.
        iteration: The optimizer's step by then.
    """
    for callback in callbacks:
        if isinstance(callback, LayerHealth):
            callback.log_into(logs / "train")
    return [RunLogs(logs, epoch, iteration)]


def _schedule_callbacks(schedule: str | None, rate: Any) -> list[keras.callbacks.Callback]:
    if schedule in (None, "performance"):
        return []
    return [OneCycle(rate) if schedule == "1cycle" else Schedule(schedule, rate)]


def _stopping_callbacks(
    settings: dict[str, Any], validated: bool
) -> list[keras.callbacks.Callback]:
    epochs, patience = settings["epochs"], settings["early_stopping"]
    made: list[keras.callbacks.Callback] = []
    if validated:
        # Without a patience it still finds the best epoch's weights.
        peak = int(epochs * 0.45) if settings["schedule"] == "1cycle" else 0
        made.append(EarlyStopping(patience or epochs, start_from_epoch=peak))
    if settings["schedule"] == "performance":
        monitor = "val_loss" if validated else "loss"
        made.append(PerformanceScheduling(monitor=monitor))
    return made
