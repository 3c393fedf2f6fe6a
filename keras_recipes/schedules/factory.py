"""A schedule by its name."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from keras.optimizers.schedules import (
    ExponentialDecay,
    LearningRateSchedule,
    PiecewiseConstantDecay,
)

from keras_recipes.checks import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_sequence,
)
from keras_recipes.schedules.one_cycle import OneCycle
from keras_recipes.schedules.power_decay import PowerDecay


def _constant(learning_rate: float, total_steps: int) -> LearningRateSchedule:
    return ExponentialDecay(learning_rate, decay_steps=total_steps, decay_rate=1.0)


def _power(
    learning_rate: float, total_steps: int, decay_steps: int | None = None, power: float = 1.0
) -> LearningRateSchedule:
    if decay_steps is None:
        decay_steps = max(total_steps // 10, 1)
    return PowerDecay(learning_rate, decay_steps, power)


def _exponential(
    learning_rate: float,
    total_steps: int,
    decay_steps: int | None = None,
    decay_rate: float = 0.1,
    staircase: bool = False,
) -> LearningRateSchedule:
    if decay_steps is None:
        decay_steps = max(total_steps // 2, 1)
    return ExponentialDecay(
        learning_rate,
        check_integer("decay_steps", decay_steps, "[1, inf)"),
        check_number("decay_rate", decay_rate, "(0, 1]"),
        check_flag("staircase", staircase),
    )


def _piecewise(
    learning_rate: float,
    total_steps: int,
    boundaries: Sequence[int] | None = None,
    factors: Sequence[float] | None = None,
) -> LearningRateSchedule:
    if boundaries is None:
        boundaries = sorted({total_steps // 2, total_steps * 3 // 4})  # one, of a short training
    hint = "For halves at step 100 pass boundaries=(100,), factors=(1.0, 0.5)."
    boundaries = [
        check_integer("boundaries", boundary, "[0, inf)", hint)
        for boundary in check_sequence("boundaries", boundaries, "a sequence of steps", hint)
    ]
    if factors is None:
        factors = tuple(0.1**piece for piece in range(len(boundaries) + 1))
    factors = [
        check_number("factors", factor, "(0, inf)", hint)
        for factor in check_sequence("factors", factors, "a sequence of numbers", hint)
    ]
    if len(factors) != len(boundaries) + 1 or boundaries != sorted(set(boundaries)):
        raise ValueError(
            "`boundaries` must be increasing steps and `factors` one more than they are. Received: "
            f"boundaries={boundaries}, factors={factors}. {hint}"
        )
    return PiecewiseConstantDecay(boundaries, [learning_rate * factor for factor in factors])


MAKERS: dict[str, Callable[..., LearningRateSchedule]] = {
    "constant": _constant,
    "power": _power,
    "exponential": _exponential,
    "piecewise": _piecewise,
    "1cycle": OneCycle,
}


def make_schedule(
    name: str, learning_rate: float, total_steps: int, **options: Any
) -> LearningRateSchedule:
    """Returns a learning-rate schedule for a training of `total_steps` steps.

    What Keras has already is Keras's own object. The defaults of the options fit the decay to the
    length of the training.

    Args:
        name: `"constant"`; `"power"` (options `decay_steps`, a tenth of the steps, and `power`, 1);
            `"exponential"` (`decay_steps`, half of the steps, `decay_rate`, 0.1, and `staircase`);
            `"piecewise"` (`boundaries`, steps at a half and three quarters, and `factors` of
            `learning_rate`, each a tenth of the one before); or `"1cycle"` (those of `OneCycle`).
        learning_rate: The rate that the schedule starts from, for 1cycle the one at its peak; > 0.
        total_steps: Length of the training in steps (batches), at least 1.
        **options: What the named schedule takes beside them.

    Raises:
        TypeError: If an argument is of the wrong kind or an option is unknown.
        ValueError: If an argument is out of range.

    Example:
        >>> schedule = make_schedule("exponential", 0.1, total_steps=1000)
        >>> float(schedule(500))
        0.009999999776482582
    """
    maker = MAKERS[check_choice("name", name, MAKERS)]
    learning_rate = check_number("learning_rate", learning_rate, "(0, inf)")
    total_steps = check_integer(
        "total_steps", total_steps, "[1, inf)", "Pass epochs * steps per epoch."
    )
    known = list(inspect.signature(maker).parameters)[2:]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise TypeError(
            f"The options of schedule {name!r} are {', '.join(known) or 'none'}. "
            f"Received: {', '.join(unknown)}."
        )
    return maker(learning_rate, total_steps, **options)
