"""`fit`: the one-call training of a recipe."""

import contextlib
import json
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_recipes.arrays import Examples, prepare
from keras_recipes.callbacks import EarlyStopping, OneCycle, PerformanceScheduling, Schedule
from keras_recipes.callbacks.saved_state import SavedState
from keras_recipes.checks import check_choice, check_instance, check_integer, check_number
from keras_recipes.guide import MAX_LEARNING_RATES
from keras_recipes.optimizers.following import innermost
from keras_recipes.run_directory import RunDirectory

__all__ = ["fit"]

SCHEDULES = ("1cycle", "constant", "power", "exponential", "piecewise", "performance")
RESUME = ("auto", "never", "must")
VALIDATION_BATCH_SIZE = 1024  # it changes the speed, not the result
AUTO_STEPS_PER_EXECUTION = 50  # "auto": the cost of a dispatch shared by as many steps is small


def fit(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    validation_data: Any = None,
    validation_split: float = 0.0,
    epochs: int = 20,
    batch_size: int = 32,
    max_learning_rate: float | None = None,
    schedule: str | None = "1cycle",
    early_stopping: int | None = 10,
    run_dir: str | Path | None = None,
    resume: str = "auto",
    steps_per_execution: int | str = "auto",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    seed: int | None = None,
    verbose: int | str = "auto",
) -> keras.callbacks.History:
    """Trains a compiled model as the book does: 1cycle, early stopping, logs and checkpoints.

    With validation data the model ends with the weights of its best epoch. Afterwards the optimizer
    has the learning rate again that it was compiled with.

    Args:
        model: A compiled `keras.Model`.
        x: Inputs: an array, a `tf.data.Dataset` or a `PyDataset` that yields batches of (x, y).
        y: Targets, where x is an array.
        sample_weight: A weight for each example, where x is an array.
        validation_data: (x, y), (x, y, sample_weight), or a dataset.
        validation_split: Fraction, in [0, 1), of the last examples to validate on; arrays only.
        epochs: Passes over the data, at least 1.
        batch_size: Examples a step, at least 1, where x is an array.
        max_learning_rate: The peak of 1cycle, or the rate from which another schedule starts; None
            for that of the optimizer in `keras_recipes.guide.MAX_LEARNING_RATES`.
        schedule: A name of `make_schedule`, `"performance"`, or None to train with the optimizer
            as it was compiled.
        early_stopping: Epochs without improvement of the validation loss after which training
            stops; None to train to the end. Under 1cycle the epochs before the peak of the rate do
            not count, neither here nor as the best one.
        run_dir: Directory for TensorBoard logs (`logs`), checkpoints, the best model
            (`model.keras`) and the settings (`run.json`); None to keep nothing.
        resume: What to do where `run_dir` has a run: `"auto"` goes on with it, if the arguments
            are the same; `"never"` removes it; `"must"` makes it an error that there is none.
        steps_per_execution: Steps a call of the compiled function; `"auto"` chooses. Batch-level
            hooks of callbacks fire once an execution.
        callbacks: More Keras callbacks.
        seed: Seeds shuffling and dropout, globally, by `keras.utils.set_random_seed`.
        verbose: As for `keras.Model.fit`.

    Returns:
        The `keras.callbacks.History` of all epochs, those before a kill included.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range, the data do not fit the model or are not
            finite, or `run_dir` has a run with other arguments.
        OSError: If `run_dir` cannot be written.

    Example:
        >>> history = fit(model, x_train, y_train, validation_data=(x_val, y_val), epochs=20,
        ...               run_dir="runs/first")

    Reference: Geron, *Hands-On Machine Learning*, 2nd ed. (2019), chapter 11.
    """
    check_instance("model", model, keras.Model, "a keras.Model", "Build one: build_default_dnn(8).")
    if not model.compiled:
        raise ValueError("`model` must be compiled. Received: one that is not. Call compile().")
    check_choice("resume", resume, RESUME)
    if run_dir is not None:
        check_instance("run_dir", run_dir, (str, os.PathLike), "a path")
    for callback in callbacks:
        check_instance("callbacks", callback, keras.callbacks.Callback, "Keras callbacks")
    settings = {
        "epochs": check_integer("epochs", epochs, "[1, inf)"),
        "batch_size": check_integer("batch_size", batch_size, "[1, inf)"),
        "schedule": schedule,
        "max_learning_rate": _starting_rate(model, schedule, max_learning_rate),
        "early_stopping": _check_patience(early_stopping),
        "seed": None if seed is None else check_integer("seed", seed, "[0, 4294967295]"),
    }
    examples, validation = prepare(
        model, x, y, sample_weight, validation_data, validation_split, batch_size
    )
    per_execution = _steps_per_execution(steps_per_execution, examples.steps)
    with contextlib.ExitStack() as stack:
        run = None
        if run_dir is not None:
            run = RunDirectory(Path(run_dir))
            settings |= _identity(model, examples, validation)
            stack.enter_context(run.opened(settings, resume))
        if seed is not None:
            keras.utils.set_random_seed(seed)
        if schedule == "performance":
            model.optimizer.learning_rate = settings["max_learning_rate"]
        stack.enter_context(_executing_steps(model, per_execution))
        history, ordered, first_epoch = _callbacks(settings, validation, callbacks, run)
        stack.callback(_stop_following, ordered)
        model.fit(
            examples.x,
            examples.y,
            sample_weight=examples.sample_weight,
            batch_size=examples.batch_size,
            shuffle=examples.batch_size is not None,  # a dataset shuffles itself
            validation_data=validation and validation.as_validation_data,
            validation_batch_size=validation and validation.batch_size and VALIDATION_BATCH_SIZE,
            epochs=epochs,
            initial_epoch=first_epoch,
            callbacks=ordered,
            verbose=verbose,
        )
        if run is not None:
            run.save_model(model)
    return history


def _identity(
    model: keras.Model, examples: Examples, validation: Examples | None
) -> dict[str, str | None]:
    """What tells whether the model and the data are those of the run that is to go on."""

    def of(part: Any) -> str:
        text = json.dumps(keras.saving.serialize_keras_object(part)["config"], default=str)
        text = re.sub(r'_\d+"', '"', text)  # the numbers that Keras puts behind names
        return f"{type(part).__name__} {zlib.crc32(text.encode()):08x}"

    return {
        "model": of(model),
        "optimizer": of(model.optimizer),
        "data": examples.fingerprint(),
        "validation_data": validation.fingerprint() if validation else None,
    }


def _callbacks(
    settings: dict[str, Any],
    validation: Examples | None,
    given: Sequence[keras.callbacks.Callback],
    run: RunDirectory | None,
) -> tuple[keras.callbacks.History, list[keras.callbacks.Callback], int]:
    """The history, all callbacks in their order, and the epoch to start with."""
    history = keras.callbacks.History()
    stateful = _stateful_callbacks(settings, validation is not None)
    # Schedules put their values into the logs first, then the others read them.
    ordered = [*_schedule_callbacks(settings), *stateful, *given, history]
    if run is None:
        return history, ordered, 0
    saved = SavedState(run, history, stateful)
    return history, [*ordered, keras.callbacks.TensorBoard(run.logs), saved], saved.next_epoch


def _stop_following(callbacks: Sequence[keras.callbacks.Callback]) -> None:
    for callback in callbacks:
        if isinstance(callback, Schedule):
            callback.restore()  # an interrupted `fit` has no on_train_end


def _starting_rate(model: keras.Model, schedule: str | None, given: float | None) -> float | None:
    if schedule is None:
        if given is not None:
            raise ValueError(
                "`max_learning_rate` must be None where `schedule` is None. Received: "
                f"max_learning_rate={given}. Compile the optimizer with this rate."
            )
        return None
    check_choice("schedule", schedule, SCHEDULES, "For the compiled optimizer pass None.")
    optimizer = innermost(model.optimizer)
    if isinstance(optimizer._learning_rate, LearningRateSchedule) and schedule == "performance":
        raise ValueError(
            '`schedule="performance"` must have an optimizer compiled with a number as its learning '
            f"rate. Received: {optimizer._learning_rate!r}. Compile with a number."
        )
    if given is not None:
        return check_number("max_learning_rate", given, "(0, inf)")
    if schedule != "1cycle":
        return float(ops.convert_to_numpy(optimizer.learning_rate))
    kind = type(optimizer).__name__.lower()
    if getattr(optimizer, "momentum", 0) and kind == "sgd":
        kind = "momentum"
    if kind not in MAX_LEARNING_RATES:
        raise ValueError(
            f"`max_learning_rate` must be given for {type(optimizer).__name__}. Received: None. "
            "Take some ten times the rate at which it trains well when constant."
        )
    return MAX_LEARNING_RATES[kind]


def _schedule_callbacks(settings: dict[str, Any]) -> list[keras.callbacks.Callback]:
    schedule, rate = settings["schedule"], settings["max_learning_rate"]
    if schedule in (None, "performance"):
        return []
    return [OneCycle(rate) if schedule == "1cycle" else Schedule(schedule, rate)]


def _stateful_callbacks(settings: dict[str, Any], validated: bool) -> list[Any]:
    """What keeps counters from epoch to epoch, for `SavedState`."""
    epochs, patience = settings["epochs"], settings["early_stopping"]
    made: list[Any] = []
    if validated:
        # Without a patience it still finds the best epoch's weights.
        peak = int(epochs * 0.45) if settings["schedule"] == "1cycle" else 0
        made.append(EarlyStopping(patience or epochs, start_from_epoch=peak))
    if settings["schedule"] == "performance":
        monitor = "val_loss" if validated else "loss"
        made.append(PerformanceScheduling(monitor=monitor))
    return made


def _check_patience(early_stopping: int | None) -> int | None:
    if early_stopping is None:
        return None
    hint = "To train to the end pass None."
    return check_integer("early_stopping", early_stopping, "[1, inf)", hint)


def _steps_per_execution(given: int | str, steps: int) -> int:
    if given == "auto":
        return min(AUTO_STEPS_PER_EXECUTION, steps)
    return check_integer("steps_per_execution", given, "[1, inf)", 'Or pass "auto".')


@contextlib.contextmanager
def _executing_steps(model: keras.Model, count: int) -> Iterator[None]:
    """Has the model take several steps in one call of its compiled function, and then as before."""
    before, model.steps_per_execution = model.steps_per_execution, count
    model.make_train_function(force=True)
    model.make_test_function(force=True)
    try:
        yield
    finally:
        model.steps_per_execution = before
        model.make_train_function(force=True)
        model.make_test_function(force=True)
