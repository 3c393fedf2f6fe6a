"""Schedules put into an optimizer that is compiled already, and taken out again."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_recipes.checks import check_instance
from keras_recipes.optimizers.momentum import ScheduledMomentum


def innermost(optimizer: Any) -> Any:
    """The optimizer that takes the steps: mixed precision wraps it to scale the loss."""
    check_instance("optimizer", optimizer, keras.Optimizer, "a Keras optimizer")
    return getattr(optimizer, "inner_optimizer", optimizer)


def steps_taken(optimizer: Any) -> int:
    """The step at which an optimizer evaluates its schedules.

    Under gradient accumulation `optimizer.iterations` counts updates of the weights instead.
    """
    return int(ops.convert_to_numpy(innermost(optimizer)._iterations))


def learning_rate_at(optimizer: Any, step: Any) -> Any:
    """The learning rate of an optimizer at a step, a number or a tensor, in a graph too.

    Args:
        optimizer: A Keras optimizer, not wrapped.
        step: One that has been taken, as the schedule counts them.
    """
    rate = optimizer._learning_rate
    if isinstance(rate, LearningRateSchedule):
        return rate(step)
    return optimizer.learning_rate


def momentum_at(optimizer: Any, step: Any) -> Any:
    """The momentum of an optimizer at a step, for Adam and its kin beta_1; None if it has none.

    Args:
        optimizer: A Keras optimizer, not wrapped.
        step: One that has been taken, as the schedule counts them.
    """
    momentum = getattr(optimizer, "_momentum", None)
    if isinstance(momentum, LearningRateSchedule):
        return momentum(step)
    if momentum is None:
        momentum = getattr(optimizer, "momentum", getattr(optimizer, "beta_1", None))
    return momentum or None


def can_follow_momentum(optimizer: Any) -> bool:
    """Whether the momentum of an optimizer can follow a schedule.

    Args:
        optimizer: A Keras optimizer, wrapped for mixed precision or not.

    Raises:
        TypeError: If `optimizer` is not one.
    """
    optimizer = innermost(optimizer)
    return isinstance(optimizer, ScheduledMomentum) and optimizer._momentum != 0


def follow(
    optimizer: Any,
    learning_rate: LearningRateSchedule,
    momentum: LearningRateSchedule | None = None,
) -> Callable[[], None]:
    """Makes a compiled optimizer follow schedules.

    A train function that was traced before has the old values in it: call
    `model.make_train_function(force=True)` after `follow`, and again after undoing it.

    Args:
        optimizer: A Keras optimizer, wrapped for mixed precision or not.
        learning_rate: Schedule for the learning rate.
        momentum: Schedule for the momentum; needs `can_follow_momentum(optimizer)`.

    Returns:
        A function that undoes it: the optimizer is as it was compiled, its state as trained.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If `momentum` is given and the optimizer cannot follow it.
    """
    optimizer = innermost(optimizer)
    _check_schedule("learning_rate", learning_rate)
    if momentum is not None:
        _check_schedule("momentum", momentum)
        _check_able(optimizer)
    compiled_rate, compiled_momentum = optimizer._learning_rate, None
    place = [variable is compiled_rate for variable in optimizer._variables]
    optimizer.learning_rate = learning_rate
    if momentum is not None:
        compiled_momentum = optimizer._momentum
        optimizer.momentum = momentum

    def undo() -> None:
        optimizer._learning_rate = compiled_rate
        if any(place):
            # The rate's variable is tracked again as the last one; saved optimizers go by order.
            optimizer._variables.insert(place.index(True), optimizer._variables.pop())
        if momentum is not None:
            optimizer.momentum = compiled_momentum

    return undo


def _check_schedule(name: str, schedule: Any) -> None:
    hint = "For a number set it in the optimizer."
    check_instance(name, schedule, LearningRateSchedule, "a learning-rate schedule", hint)


def _check_able(optimizer: Any) -> None:
    if not can_follow_momentum(optimizer):
        kind = type(optimizer)
        raise ValueError(
            "`optimizer` must have a momentum that can follow a schedule. Received: "
            f"{kind.__module__}.{kind.__name__}. Pass one of keras_recipes.optimizers with a momentum "
            "other than 0, or momentum=None."
        )
