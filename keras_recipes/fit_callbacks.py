"""The callbacks that `fit` trains with: guard, schedule, early stopping."""

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_recipes.arrays import Examples
from keras_recipes.callbacks import (
    EarlyStopping,
    MagnitudePruning,
    OneCycle,
    PerformanceScheduling,
    Schedule,
    StepLog,
)
from keras_recipes.callbacks.divergence_guard import DivergenceGuard
from keras_recipes.callbacks.run_logs import RunLogs
from keras_recipes.callbacks.step_records import StepRecords
from keras_recipes.checks import check_choice, check_number
from keras_recipes.graph_loops import steps_in_one_graph
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
        *_stopping_callbacks(settings, validated, _pruned_from(given, examples.steps)),
        *_performance_callbacks(settings["schedule"], validated, given),
        *given,
    ]


def best_epoch(
    callbacks: Sequence[keras.callbacks.Callback], history: keras.callbacks.History
) -> int:
    """Returns the epoch, from 0, whose weights the model has after a training.

    Args:
        callbacks: Those of the training.
        history: Of all its epochs.
    """
    for each in callbacks:
        if isinstance(each, EarlyStopping) and each.best_weights:
            return int(each.best_epoch)
    return len(history.epoch) - 1


def restore(callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Makes the model what it was compiled as, after a `fit` that was interrupted too."""
    with contextlib.ExitStack() as stack:  # where one fails the others follow
        for callback in reversed(callbacks):
            if isinstance(callback, Schedule | StepRecords | MagnitudePruning):
                stack.callback(callback.restore)


def with_logs(
    model: keras.Model,
    callbacks: Sequence[keras.callbacks.Callback],
    logs: Path,
    epochs: int,
    steps: int,
    epoch: int,
    iteration: int,
) -> list[keras.callbacks.Callback]:
    """Returns the callbacks of a run: those given and what logs it.

    Those that have logs of their own write them into the run, too.

    Args:
        model: What is trained.
        callbacks: The others.
        logs: Where the logs of the run are.
        epochs: Length of the training.
        steps: Length of an epoch.
        epoch: The epoch with which training starts or goes on.
        iteration: The optimizer's step by then.
    """
    logged = [*callbacks, RunLogs(logs, epoch, iteration)]
    if not any(isinstance(each, StepLog) for each in callbacks) and steps_in_one_graph(model):
        # Before the guard, to have the step that it stops at.
        logged.insert(0, StepLog(_interval(callbacks, epochs, steps)))
    for callback in logged:
        if isinstance(callback, StepRecords):
            callback.log_into(logs)
    return logged


def _interval(callbacks: Sequence[keras.callbacks.Callback], epochs: int, steps: int) -> int:
    """Steps from one record to the next: a short training has a hundred, one that stops early ten."""
    stopping = [each for each in callbacks if isinstance(each, keras.callbacks.EarlyStopping)]
    shortest = min([epochs, *(each.start_from_epoch + each.patience + 1 for each in stopping)])
    return max(1, min(100, epochs * steps // 100, shortest * steps // 10))


def _schedule_callbacks(schedule: str | None, rate: Any) -> list[keras.callbacks.Callback]:
    if schedule in (None, "performance"):
        return []
    return [OneCycle(rate) if schedule == "1cycle" else Schedule(schedule, rate)]


def _pruned_from(callbacks: Sequence[keras.callbacks.Callback], steps: int) -> int:
    """The first epoch, from 0, at whose end all pruning is done; before it networks are denser."""
    ends = [each.end_step for each in callbacks if isinstance(each, MagnitudePruning)]
    return max([0, *(math.ceil(end / steps) - 1 for end in ends)])


def _stopping_callbacks(
    settings: dict[str, Any], validated: bool, pruned_from: int
) -> list[keras.callbacks.Callback]:
    epochs, patience = settings["epochs"], settings["early_stopping"]
    made: list[keras.callbacks.Callback] = []
    if validated:
        # Without a patience it still finds the best epoch's weights.
        peak = int(epochs * 0.45) if settings["schedule"] == "1cycle" else 0
        first = max(peak, pruned_from)
        made.append(EarlyStopping(patience or epochs, start_from_epoch=first))
    return made


def _performance_callbacks(
    schedule: str | None, validated: bool, given: Sequence[keras.callbacks.Callback]
) -> list[keras.callbacks.Callback]:
    if schedule != "performance" or any(isinstance(each, PerformanceScheduling) for each in given):
        return []  # the user's own has another patience or factor
    return [PerformanceScheduling(monitor="val_loss" if validated else "loss")]
