"""The 1cycle policy: a learning rate that goes up and down once, and the momentum that mirrors it."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_recipes.checks import check_choice, check_integer, check_number

ANNEALS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda fraction: fraction,
    "cosine": lambda fraction: 0.5 - 0.5 * ops.cos(math.pi * fraction),
}


class _Cycle(LearningRateSchedule):
    """A curve through the knots of a cycle: up, down, and, in three phases, a tail."""

    def __init__(
        self,
        total_steps: int,
        final_fraction: float,
        warmup_fraction: float | None,
        anneal: str,
    ) -> None:
        super().__init__()
        self.total_steps = check_integer(
            "total_steps", total_steps, "[1, inf)", "Pass epochs * steps per epoch."
        )
        self.final_fraction = check_number(
            "final_fraction", final_fraction, "[0, 1)", "The book has 0.1."
        )
        if warmup_fraction is not None:
            warmup_fraction = check_number(
                "warmup_fraction",
                warmup_fraction,
                "(0, 1)",
                "The super-convergence papers have 0.3.",
            )
        self.warmup_fraction = warmup_fraction
        self.anneal = check_choice("anneal", anneal, ANNEALS)

    def _knots(self) -> list[float]:
        """The steps between which the value moves; the last one ends the cycle."""
        if self.warmup_fraction is not None:
            peak = max(self.warmup_fraction * self.total_steps - 1, 0)
            return [0, peak, self.total_steps - 1]
        tail = int(self.final_fraction * self.total_steps) + 1
        last = self.total_steps - 1
        peak = max((self.total_steps - tail) // 2, min(1, last))  # the shortest cycles reach it too
        return [0, peak, min(2 * peak, last), self.total_steps]

    def _interpolate(self, step: Any, values: list[float]) -> Any:
        # Weights of the knots' values: at most two are not zero, and none is negative, so that
        # nothing cancels where the value falls by many orders of magnitude.
        knots = self._knots()
        step = ops.cast(step, "float32")
        starts = ops.convert_to_tensor(knots[:-1], "float32")
        spans = [max(end - start, 1e-6) for start, end in itertools.pairwise(knots)]
        fractions = (step - starts) / ops.convert_to_tensor(spans, "float32")
        passed = ANNEALS[self.anneal](ops.clip(fractions, 0.0, 1.0))
        weights = ops.pad(passed, [[1, 0]], constant_values=1.0) - ops.pad(passed, [[0, 1]])
        return ops.sum(weights * ops.convert_to_tensor(values, "float32"))

    def get_config(self) -> dict[str, Any]:
        return {
            "total_steps": self.total_steps,
            "final_fraction": self.final_fraction,
            "warmup_fraction": self.warmup_fraction,
            "anneal": self.anneal,
        }


@keras.saving.register_keras_serializable(package="keras_recipes")
class OneCycle(_Cycle):
    """The 1cycle learning rate: up to a maximum, back down, and out to almost nothing.

    The defaults give the book's curve: linear from `max_learning_rate / 10` up, linear back down
    in as many steps, then linear to a thousandth of the start over the last tenth. With
    `warmup_fraction` the curve has two phases, as in the super-convergence papers and in other
    frameworks: up over that fraction, then down to the end; starts at `max_learning_rate / 25` and
    ends at a ten-thousandth of that. After `total_steps` the rate stays at its last value.

    Args:
        max_learning_rate: Rate at the peak, > 0.
        total_steps: Length of the cycle in steps (batches), at least 1.
        start_learning_rate: Rate of step 0. Defaults to a tenth of the maximum, with
            `warmup_fraction` to a 25th.
        final_learning_rate: Rate at the end. Defaults to a thousandth of the start, with
            `warmup_fraction` to a ten-thousandth.
        final_fraction: Fraction of the steps, in [0, 1), for the tail of the three-phase curve.
        warmup_fraction: Fraction of the steps, in (0, 1), up to the peak of the two-phase curve;
            None (the default) for the book's three phases.
        anneal: `"linear"` or `"cosine"`, the shape of each phase.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range.

    Example:
        >>> rate = OneCycle(0.05, total_steps=1000)
        >>> float(rate(449))
        0.05000000074505806

    Reference: L. Smith (2018), A disciplined approach to neural network hyper-parameters: Part 1,
    arXiv:1803.09820; Smith & Topin (2017), Super-convergence, arXiv:1708.07120.
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        *,
        start_learning_rate: float | None = None,
        final_learning_rate: float | None = None,
        final_fraction: float = 0.1,
        warmup_fraction: float | None = None,
        anneal: str = "linear",
    ) -> None:
        super().__init__(total_steps, final_fraction, warmup_fraction, anneal)
        self.max_learning_rate = check_number("max_learning_rate", max_learning_rate, "(0, inf)")
        two_phases = warmup_fraction is not None
        if start_learning_rate is None:
            start_learning_rate = self.max_learning_rate / (25 if two_phases else 10)
        self.start_learning_rate = check_number(
            "start_learning_rate",
            start_learning_rate,
            f"(0, {self.max_learning_rate}]",
            "It is the lower end of the cycle.",
        )
        if final_learning_rate is None:
            final_learning_rate = self.start_learning_rate / (1e4 if two_phases else 1e3)
        self.final_learning_rate = check_number(
            "final_learning_rate",
            final_learning_rate,
            f"[0, {self.start_learning_rate}]",
            "The rate falls below its start at the end of the cycle.",
        )

    def __call__(self, step: Any) -> Any:
        start, peak, final = (
            self.start_learning_rate,
            self.max_learning_rate,
            self.final_learning_rate,
        )
        two_phases = self.warmup_fraction is not None
        return self._interpolate(
            step, [start, peak, final] if two_phases else [start, peak, start, final]
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "max_learning_rate": self.max_learning_rate,
            "start_learning_rate": self.start_learning_rate,
            "final_learning_rate": self.final_learning_rate,
            **super().get_config(),
        }


@keras.saving.register_keras_serializable(package="keras_recipes")
class OneCycleMomentum(_Cycle):
    """The momentum that mirrors `OneCycle`: low while the learning rate is high.

    Give it the same `total_steps`, `final_fraction`, `warmup_fraction` and `anneal` as the rate.

    Args:
        total_steps: Length of the cycle in steps (batches), at least 1.
        max_momentum: Momentum at both ends and in the tail, in [0, 1).
        min_momentum: Momentum where the learning rate peaks, in [0, `max_momentum`].
        final_fraction: Fraction of the steps for the tail, in [0, 1).
        warmup_fraction: Fraction of the steps, in (0, 1), up to the peak of a two-phase curve.
        anneal: `"linear"` or `"cosine"`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range.

    Example:
        >>> optimizer = keras_recipes.optimizers.SGD(
        ...     OneCycle(0.05, 1000), momentum=OneCycleMomentum(1000))

    Reference: L. Smith (2018), arXiv:1803.09820, section 4.2.
    """

    def __init__(
        self,
        total_steps: int,
        max_momentum: float = 0.95,
        min_momentum: float = 0.85,
        *,
        final_fraction: float = 0.1,
        warmup_fraction: float | None = None,
        anneal: str = "linear",
    ) -> None:
        super().__init__(total_steps, final_fraction, warmup_fraction, anneal)
        self.max_momentum = check_number("max_momentum", max_momentum, "[0, 1)")
        self.min_momentum = check_number(
            "min_momentum", min_momentum, f"[0, {self.max_momentum}]", "It is the lower of the two."
        )

    def __call__(self, step: Any) -> Any:
        high, low = self.max_momentum, self.min_momentum
        return self._interpolate(step, [high, low, high, high][: len(self._knots())])

    def get_config(self) -> dict[str, Any]:
        return {
            "max_momentum": self.max_momentum,
            "min_momentum": self.min_momentum,
            **super().get_config(),
        }
