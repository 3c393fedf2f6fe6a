"""The columns of a comparison's table: what is shown of a variant's outcomes, one a seed."""

import math
import statistics
from collections.abc import Callable, Sequence

from recipes.comparison import Outcome


def mean_and_deviation(values: Sequence[float], digits: int = 4) -> str:
    """Returns numbers as `mean ± standard deviation`, or what says that a training failed."""
    if any(map(math.isnan, values)):
        return f"diverged {sum(map(math.isnan, values))} of {len(values)} times"
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"


def of(name: str, digits: int = 4) -> Callable[[Sequence[Outcome]], str]:
    """Returns a column of a field of `Outcome`."""
    return lambda outcomes: mean_and_deviation([getattr(each, name) for each in outcomes], digits)


def epochs_run(outcomes: Sequence[Outcome]) -> str:
    """The column of how many epochs were run, the mean."""
    return f"{statistics.mean(len(each.history.get('loss', ())) for each in outcomes):.0f}"


def step_time(outcomes: Sequence[Outcome]) -> str:
    """The column of the time of a step in microseconds, the median of the seeds."""
    return f"{statistics.median(each.step_seconds for each in outcomes) * 1e6:.0f}"


def rate(outcomes: Sequence[Outcome]) -> str:
    """The column of the learning rate that was best of those tried, the median of the seeds."""
    return f"{statistics.median(each.rate for each in outcomes):.2g}"


def last_rate(outcomes: Sequence[Outcome]) -> str:
    """The column of the learning rate at the end, of the first seed that did not diverge."""
    rates = (each.history["learning_rate"] for each in outcomes if each.history)
    return f"{next(rates, [math.nan])[-1]:.2g}"


def multiples(outcomes: Sequence[Outcome]) -> str:
    """The column of how many times the suggested rate that is, seed by seed."""
    return ", ".join(f"{each.multiple:.2g}" for each in outcomes)
