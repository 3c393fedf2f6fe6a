"""The epochs of a training: in the graph where the data are in memory, else as Keras goes."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_recipes.arrays import Examples
from keras_recipes.graph_loops import EvaluationLoop, TrainingLoop

PER_EXECUTION = 50  # steps, from an iterator: the cost of a dispatch shared by as many is small
PAUSE = 0.1  # seconds: in memory an execution grows until it takes about as long


@dataclass(frozen=True)
class Training:
    """What is to be trained, and from where.

    Args:
        model: A compiled model.
        examples: What to train on.
        validation: What to validate on, or None.
        epochs: The epoch, from 0, to stop before.
        callbacks: All of them, in their order.
        steps_per_execution: Steps a call of the compiled function, or `"auto"`.
        order_seed: Says, with the epoch, in which order examples in memory come.
        first_epoch: The epoch to begin with.
        first_step: Its step to begin with; more than 0 only where the data are in memory.
        verbose: As for `keras.Model.fit`.
    """

    model: keras.Model
    examples: Examples
    validation: Examples | None
    epochs: int
    callbacks: Sequence[keras.callbacks.Callback]
    steps_per_execution: int | str
    order_seed: int
    first_epoch: int
    first_step: int
    verbose: int | str


def train_in_memory(training: Training) -> None:
    """Trains with a loop in the graph; to the callbacks it is `keras.Model.fit`."""
    model, examples = training.model, training.examples
    loop = TrainingLoop(model, examples, training.epochs * examples.steps)
    evaluation = None
    if training.validation is not None:
        evaluation = EvaluationLoop(model, training.validation)
    callbacks = keras.callbacks.CallbackList(
        training.callbacks,
        add_progbar=training.verbose != 0,
        verbose=training.verbose,
        epochs=training.epochs,
        steps=examples.steps,
        model=model,
    )
    pace = _Pace(training.steps_per_execution)
    model.stop_training = False
    callbacks.on_train_begin()
    logs: dict[str, Any] = {}
    for epoch in range(training.first_epoch, training.epochs):
        first = training.first_step if epoch == training.first_epoch else 0
        if first == 0:  # else they have been restored
            model.reset_metrics()
        callbacks.on_epoch_begin(epoch)
        order = np.random.default_rng([training.order_seed, epoch]).permutation(examples.count)
        logs = _train_epoch(loop, order, range(first, examples.steps), pace, callbacks)
        if evaluation is not None:
            logs |= {f"val_{name}": value for name, value in _evaluate(evaluation, callbacks)}
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs)


def _train_epoch(
    loop: TrainingLoop,
    order: np.ndarray,
    steps: range,
    pace: "_Pace",
    callbacks: keras.callbacks.CallbackList,
) -> dict[str, Any]:
    order = keras.ops.convert_to_tensor(order, "int32")
    step, logs = steps.start, dict[str, Any]()
    while step < steps.stop and not callbacks.model.stop_training:
        callbacks.on_train_batch_begin(step)
        with pace.measured():
            step, logs = loop.run(order, step, min(step + pace.steps, steps.stop))
        callbacks.on_train_batch_end(step - 1, logs)
    return dict(logs)


def _evaluate(
    evaluation: EvaluationLoop, callbacks: keras.callbacks.CallbackList
) -> Iterator[tuple[str, Any]]:
    callbacks.on_test_begin()
    callbacks.on_test_batch_begin(0)
    logs = evaluation.run()
    callbacks.on_test_batch_end(evaluation.steps - 1, logs)
    callbacks.on_test_end(logs)
    yield from logs.items()


class _Pace:
    """Steps an execution: those given, or as many as leave callbacks a say some times a second."""

    def __init__(self, given: int | str) -> None:
        self._grows = given == "auto"
        self.steps = 1 if given == "auto" else int(given)

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        if self._grows and time.perf_counter() - start < PAUSE:
            self.steps *= 2


def train_from_iterator(training: Training) -> None:
    """Trains by `keras.Model.fit`, several steps an execution."""
    examples, validation = training.examples, training.validation
    with _executing_steps(training.model, training.steps_per_execution, examples.steps):
        training.model.fit(
            examples.x,
            examples.y,
            sample_weight=examples.sample_weight,
            batch_size=examples.batch_size or None,
            shuffle=examples.batch_size > 0,  # a dataset shuffles itself
            validation_data=validation and validation.data,
            validation_batch_size=(validation and validation.batch_size) or None,
            epochs=training.epochs,
            initial_epoch=training.first_epoch,
            callbacks=training.callbacks,
            verbose=training.verbose,
        )


@contextlib.contextmanager
def _executing_steps(model: keras.Model, given: int | str, steps: int) -> Iterator[None]:
    """Has the model take several steps in one call of its compiled function, and then as before."""
    before = model.steps_per_execution
    if given == "auto":
        # Over several devices Keras 3.15 fails to take more than one, and PyTorch refuses.
        strategy = getattr(model, "distribute_strategy", None)
        several = strategy is not None and strategy.num_replicas_in_sync > 1
        single = several or keras.config.backend() == "torch"
        given = 1 if single else min(PER_EXECUTION, steps)
    model.steps_per_execution = given
    model.make_train_function(force=True)
    model.make_test_function(force=True)
    try:
        yield
    finally:
        model.steps_per_execution = before
        model.make_train_function(force=True)
        model.make_test_function(force=True)
