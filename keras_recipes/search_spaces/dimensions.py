"""What a search space is made of: dimensions, each of which may be fixed or narrowed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from keras_recipes.checks import check_choice, check_integer, check_number

Value = int | float | str

WAYS = "Pass a value, a list of values to choose from or, of a range, (low, high)."


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds, both included.

    Args:
        low: The smallest.
        high: The largest.
        logarithmic: Whether factors are drawn evenly, and not differences.
    """

    low: float
    high: float
    logarithmic: bool = False


@dataclass(frozen=True)
class Dimension:
    """One thing that a search varies.

    Args:
        domain: What is searched: a `Range`, or a tuple of values to choose from.
        default: The book's value, which the first trial has. All values are of its type.
        allowed: What it may be fixed or narrowed to: for numbers an interval as `check_number` has
            it; for names those that there are, by default those of the domain.
        only_with: For other dimensions, by name, the values with which this one counts; it does
            where each of them has one of these.
    """

    domain: Range | tuple[Value, ...]
    default: Value
    allowed: str | tuple[str, ...] = ()
    only_with: Mapping[str, Collection[Value]] = field(default_factory=dict)

    @property
    def fixed(self) -> bool:
        """Whether there is one value alone."""
        return isinstance(self.domain, tuple) and len(self.domain) == 1

    def values_in(self, wanted: Collection[Value]) -> tuple[Value, ...]:
        """Returns which of these values it can have; not for ranges of floats."""
        domain: Any = self.domain
        if isinstance(domain, Range):
            domain = range(int(domain.low), int(domain.high) + 1)
        return tuple(value for value in domain if value in wanted)

    def narrowed(self, name: str, given: Any) -> "Dimension":
        """Returns this dimension with other values to search, or with a fixed one.

        Args:
            name: Its name, for messages.
            given: A value, which fixes it; a list of values to choose from; or, of a range, a tuple
                (low, high).

        Raises:
            TypeError: If a value is of the wrong kind.
            ValueError: If a value is not allowed, or a tuple is given where there is no range.
        """
        if isinstance(given, tuple):
            return self._with_bounds(name, given)
        if isinstance(given, np.ndarray):
            given = given.tolist()
        listed = given if isinstance(given, list) else [given]
        if not listed:
            raise ValueError(
                f"`{name}` must have at least one value. Received: {name}={given!r}. To search all "
                "leave it out."
            )
        values = tuple(dict.fromkeys(self._checked(name, value) for value in listed))
        default = self.default if self.default in values else values[0]
        return replace(self, domain=values, default=default)

    def _with_bounds(self, name: str, bounds: tuple[Any, ...]) -> "Dimension":
        if not isinstance(self.domain, Range):
            raise ValueError(
                f"`{name}` must be a value or a list of values, as it has no range. Received: "
                f"{name}={bounds!r}. To choose among these pass {list(bounds)!r}."
            )
        if len(bounds) != 2:
            raise ValueError(
                f"`{name}` must be a value, a list of values or a tuple (low, high). Received: "
                f"{name}={bounds!r}. For values to choose from pass a list."
            )
        low, high = (self._checked(name, bound) for bound in bounds)
        if low >= high:
            raise ValueError(
                f"`{name}` must have low < high. Received: {name}={bounds!r}. To fix it pass the "
                "value alone."
            )
        default = min(max(self.default, low), high)
        return replace(self, domain=replace(self.domain, low=low, high=high), default=default)

    def _checked(self, name: str, value: Any) -> Any:
        if isinstance(self.allowed, str):
            check = check_integer if isinstance(self.default, int) else check_number
            return check(name, value, self.allowed, WAYS)
        names = self.allowed or tuple(map(str, self.domain))  # type: ignore[arg-type]
        return str(check_choice(name, value, names, WAYS))
