"""`fit`: the one-call training of a recipe."""

import contextlib
import datetime
import json
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_recipes.array_checks import warn_unless_standardized
from keras_recipes.arrays import Examples, prepare
from keras_recipes.callbacks.saved_state import SavedState
from keras_recipes.checkpoints import load_checkpoint
from keras_recipes.checks import (
    check_choice,
    check_compiled,
    check_instance,
    check_integer,
    check_number,
    check_sequence,
    check_text,
)
from keras_recipes.epochs import Training, train_from_iterator, train_in_memory
from keras_recipes.fit_callbacks import (
    best_epoch,
    check_rate,
    make_callbacks,
    restore,
    with_logs,
)
from keras_recipes.graph_loops import can_loop
from keras_recipes.in_step import undo_interrupted
from keras_recipes.lr_finder import LearningRateCurve, find_learning_rate
from keras_recipes.optimizers.following import innermost, learning_rate_at, steps_taken
from keras_recipes.run_directory import RunDirectory
from keras_recipes.run_report import report_divergence, report_end, report_start

__all__ = ["fit"]

RESUME = ("auto", "never", "must")


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
    checkpoint_every: int | datetime.timedelta | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    seed: int | None = None,
    verbose: int | str = "auto",
) -> keras.callbacks.History:
    """Trains a compiled model as the book does: 1cycle, early stopping, logs and checkpoints.

    With validation data the model ends with the weights of its best epoch. Afterwards the optimizer
    has the learning rate again that it was compiled with.

    Arrays that fit into memory are trained on by a loop inside the graph, under XLA where the
    training is long enough, whatever `jit_compile` says. On several devices, of a model made in the
    scope of a `tf.distribute.MirroredStrategy`, each batch is shared out among them.

    Args:
        model: A compiled `keras.Model`.
        x: Inputs: an array, a `tf.data.Dataset` or a `PyDataset` that yields batches of (x, y).
        y: Targets, where x is an array.
        sample_weight: A weight for each example, where x is an array.
        validation_data: (x, y), (x, y, sample_weight), or a dataset.
        validation_split: Fraction, in [0, 1), of the last examples to validate on; arrays only.
        epochs: Passes over the data, at least 1.
        batch_size: Examples a step, at least 1, where x is an array.
        max_learning_rate: The peak of 1cycle, None to take what `find_learning_rate` suggests; or
            the rate from which another schedule starts, None for that of the optimizer.
        schedule: A name of `make_schedule`, `"performance"`, or None to train with the optimizer
            as it was compiled. `"performance"` is `callbacks.PerformanceScheduling`: that of
            `callbacks` if there is one, with a patience of its own.
        early_stopping: Epochs without improvement of the validation loss after which training
            stops; None to train to the end. Under 1cycle the epochs before the peak of the rate do
            not count, neither here nor as the best one.
        run_dir: Directory for TensorBoard logs (`logs`), checkpoints, the best model
            (`model.keras`) and the settings (`run.json`); None to keep nothing.
        resume: What to do where `run_dir` has a run: `"auto"` goes on with it, if the arguments
            are the same; `"never"` removes it; `"must"` makes it an error that there is none.
        steps_per_execution: Steps a call of the compiled function; batch-level hooks of callbacks
            fire once an execution. `"auto"` is some ten executions a second where the data are in
            memory, 50 steps else, and 1 on several devices.
        checkpoint_every: Steps, or time as a `datetime.timedelta`, between two checkpoints in
            `run_dir`; None for as often as 1% of the training time allows.
        callbacks: More Keras callbacks, in a list. Of those that have a `get_state` the run keeps
            the state, and what their `get_config`, if any, returns must stay the same.
        seed: Seeds shuffling and dropout, globally, by `keras.utils.set_random_seed`.
        verbose: As for `keras.Model.fit`.

    Returns:
        The `keras.callbacks.History` of all epochs, those before a kill included. Its `best_epoch`
        is the one, from 0, whose weights the model has.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range, the data do not fit the model or are not
            finite, or `run_dir` has a run with other arguments.
        FloatingPointError: If the loss becomes NaN or infinite; it says the step, the learning rate
            and the likely cause.
        OSError: If `run_dir` cannot be written, or another process trains in it.

    Example:
        >>> history = fit(model, x_train, y_train, validation_data=(x_val, y_val), epochs=20,
        ...               run_dir="runs/first")

    Reference: Geron, *Hands-On Machine Learning*, 2nd ed. (2019), chapter 11.
    """
    check_compiled(model)
    undo_interrupted(model)
    check_choice("resume", resume, RESUME)
    if run_dir is not None:
        check_instance("run_dir", run_dir, (str, os.PathLike), "a path")
        check_text("run_dir", os.fspath(run_dir), "a path", "To keep nothing pass None.")
    callbacks = _check_callbacks(callbacks)
    settings = {
        "epochs": check_integer("epochs", epochs, "[1, inf)"),
        "batch_size": check_integer("batch_size", batch_size, "[1, inf)"),
        "schedule": schedule,
        "max_learning_rate": check_rate(model, schedule, max_learning_rate),
        "early_stopping": _check_patience(early_stopping),
        "seed": None if seed is None else check_integer("seed", seed, "[0, 4294967295]"),
    }
    _check_automatic("steps_per_execution", steps_per_execution, "[1, inf)")
    _check_automatic("verbose", verbose, "[0, 2]")
    _check_interval(checkpoint_every)
    examples, validation = prepare(
        model, x, y, sample_weight, validation_data, validation_split, batch_size
    )
    warn_unless_standardized(model, examples.x)
    in_memory = can_loop(model, examples, validation)
    with contextlib.ExitStack() as stack:
        run = saved = None
        if run_dir is not None:
            run = RunDirectory(Path(run_dir))
            settings |= _identity(model, examples, validation, callbacks)
            stack.enter_context(run.opened(settings, resume))
            saved = load_checkpoint(run.checkpoints)
        if seed is not None:
            keras.utils.set_random_seed(seed)
        curve = None
        if saved is None and schedule == "1cycle" and settings["max_learning_rate"] is None:
            curve = _find_learning_rate(model, examples)
        position = saved.state if saved else _start(settings, curve)
        rate = position["max_learning_rate"]
        shown = {
            **settings,
            "batch_size": examples.batch_size or _size_of_first_batch(examples),
            "max_learning_rate": rate if schedule else _own_rate(model),
        }
        if run is not None and saved is None:
            report_start(run, model, examples, shown, curve)
        if schedule == "performance":
            compiled_rate = float(ops.convert_to_numpy(model.optimizer.learning_rate))
            stack.callback(setattr, model.optimizer, "learning_rate", compiled_rate)
            model.optimizer.learning_rate = rate
        history = keras.callbacks.History()
        ordered = make_callbacks(settings, rate, examples, validation is not None, callbacks)
        stack.callback(restore, ordered)
        ordered.append(history)
        if run is not None:
            reached = position["next_epoch"], position["iterations"]
            ordered[:] = with_logs(model, ordered, run.logs, epochs, examples.steps, *reached)
            ordered.append(SavedState(run, saved, position, ordered, checkpoint_every, in_memory))
        training = Training(
            model,
            examples,
            validation,
            epochs=epochs,
            callbacks=ordered,
            steps_per_execution=steps_per_execution,
            order_seed=position["order_seed"],
            first_epoch=position["next_epoch"],
            first_step=position["next_step"],
            verbose=verbose,
        )
        try:
            (train_in_memory if in_memory else train_from_iterator)(training)
        except FloatingPointError as error:
            if run is not None:
                report_divergence(run, error)
            raise
        history.best_epoch = best_epoch(ordered, history)
        if run is not None:
            run.save_model(model)
            report_end(run, model, examples, shown, history)
    return history


def _find_learning_rate(model: keras.Model, examples: Examples) -> LearningRateCurve:
    return find_learning_rate(
        model,
        examples.x,
        examples.y,
        sample_weight=examples.sample_weight,
        batch_size=examples.batch_size or 1,
    )


def _size_of_first_batch(examples: Examples) -> int | None:
    return (*np.shape(tree.flatten(examples.first_batch)[0]), None)[0]


def _own_rate(model: keras.Model) -> float:
    optimizer = innermost(model.optimizer)
    return float(learning_rate_at(optimizer, steps_taken(optimizer)))


def _start(settings: dict[str, Any], curve: LearningRateCurve | None) -> dict[str, Any]:
    """Where a training begins, as a checkpoint says where one goes on."""
    return {
        "next_epoch": 0,
        "next_step": 0,
        "iterations": 0,
        "order_seed": np.random.randint(2**31),
        "max_learning_rate": curve.suggestion if curve else settings["max_learning_rate"],
    }


def _identity(
    model: keras.Model,
    examples: Examples,
    validation: Examples | None,
    callbacks: Sequence[keras.callbacks.Callback],
) -> dict[str, Any]:
    """What tells whether model, data and callbacks are those of the run that is to go on."""

    def of(part: Any) -> str:
        try:
            config = keras.saving.serialize_keras_object(part)["config"]
        except NotImplementedError as error:
            raise ValueError(
                "With `run_dir` a model must have a `get_config`, by which it is saved and known "
                f"again. Received: a {type(part).__name__} without. Write one, or leave run_dir out."
            ) from error
        text = json.dumps(config, default=str)
        text = re.sub(r'_\d+"', '"', text)  # the numbers that Keras puts behind names
        return f"{type(part).__name__} {zlib.crc32(text.encode()):08x}"

    return {
        "model": of(model),
        "optimizer": of(model.optimizer),
        "data": examples.fingerprint(),
        "validation_data": validation.fingerprint() if validation else None,
        "callbacks": [_described(each) for each in callbacks if hasattr(each, "get_state")],
    }


def _described(callback: keras.callbacks.Callback) -> str:
    config = callback.get_config() if hasattr(callback, "get_config") else {}
    listed = (f"{name}={json.dumps(value, default=str)}" for name, value in config.items())
    return f"{type(callback).__name__}({', '.join(listed)})"


def _check_callbacks(callbacks: Any) -> list[keras.callbacks.Callback]:
    hint = "Put one callback into a list, too."
    listed = check_sequence("callbacks", callbacks or [], "a list of Keras callbacks", hint)
    for callback in listed:
        check_instance("callbacks", callback, keras.callbacks.Callback, "Keras callbacks", hint)
    return listed


def _check_automatic(name: str, value: Any, interval: str) -> None:
    if not (isinstance(value, str) and value == "auto"):
        check_integer(name, value, interval, 'Or pass "auto".')


def _check_interval(checkpoint_every: int | datetime.timedelta | None) -> None:
    if isinstance(checkpoint_every, datetime.timedelta):
        check_number("checkpoint_every", checkpoint_every.total_seconds(), "[0, inf)")
    elif checkpoint_every is not None:
        hint = "For time pass a datetime.timedelta."
        check_integer("checkpoint_every", checkpoint_every, "[1, inf)", hint)


def _check_patience(early_stopping: int | None) -> int | None:
    if early_stopping is None:
        return None
    hint = "To train to the end pass None."
    return check_integer("early_stopping", early_stopping, "[1, inf)", hint)
