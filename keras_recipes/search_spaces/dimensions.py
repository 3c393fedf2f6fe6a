"""What a search space is made of: dimensions, which a user may fix or narrow, in a table."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_recipes.checks import check_choice, check_integer, check_number

Value = bool | int | float | str


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds, both included.

    Args:
        low: The smallest.
        high: The largest.
        integer: Whether they are whole.
        logarithmic: Whether factors are drawn evenly, and not differences.
    """

    low: float
    high: float
    integer: bool = False
    logarithmic: bool = False

    def __contains__(self, value: Any) -> bool:
        return not isinstance(value, str) and self.low <= value <= self.high


@dataclass(frozen=True)
class Dimension:
    """One thing that a search varies.

    Args:
        domain: A `Range`, or a tuple of values to choose from.
        default: The book's value, which the first trial has.
        only_with: The name of another dimension, and its values, with which this one counts;
            keras-tuner takes one such condition.
    """

    domain: Range | tuple[Value, ...]
    default: Value
    only_with: tuple[str, tuple[Value, ...]] | None = None

    def narrowed(self, name: str, given: Any) -> "Dimension":
        """Returns this dimension with less to search.

        Args:
            name: Its name, for messages.
            given: A value, which fixes it; a list of values to choose from; or, of a range, a tuple
                (low, high).

        Raises:
            TypeError: If a value is of the wrong kind.
            ValueError: If a value is not one of the dimension's.
        """
        if isinstance(self.domain, Range) and isinstance(given, tuple):
            return self._with_bounds(name, self.domain, given)
        listed = list(given) if isinstance(given, list | tuple | np.ndarray) else [given]
        if not listed:
            raise ValueError(
                f"`{name}` must have at least one value. Received: {name}={given!r}. To search all "
                "leave it out."
            )
        values = tuple(dict.fromkeys(self._checked(name, value) for value in listed))
        default = self.default if self.default in values else values[0]
        return replace(self, domain=values, default=default)

    def _with_bounds(self, name: str, domain: Range, bounds: tuple[Any, ...]) -> "Dimension":
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
        return replace(self, domain=replace(domain, low=low, high=high), default=default)

    def _checked(self, name: str, value: Any) -> Any:
        if isinstance(self.domain, Range):
            check = check_integer if self.domain.integer else check_number
            return check(name, value, f"[{self.domain.low}, {self.domain.high}]")
        if isinstance(self.domain[0], str):
            return check_choice(name, value, [str(choice) for choice in self.domain])
        if isinstance(value, bool) != isinstance(self.domain[0], bool) or value not in self.domain:
            raise ValueError(
                f"`{name}` must be one of {', '.join(map(repr, self.domain))}. Received: "
                f"{name}={value!r}. Choose among these."
            )
        return next(choice for choice in self.domain if choice == value)


def narrow(dimensions: Mapping[str, Dimension], given: Mapping[str, Any]) -> dict[str, Dimension]:
    """Returns dimensions of which some are fixed or narrowed, without those that cannot count then.

    Args:
        dimensions: All of a space, none depending on a later one.
        given: name -> what `Dimension.narrowed` takes.

    Raises:
        TypeError: If a name is not that of a dimension, or a value is of the wrong kind.
        ValueError: If a value is not one of its dimension's, or never counts with the others.
    """
    for name in given:
        if name not in dimensions:
            raise TypeError(
                f"`{name}` must be a dimension of this space. Received: {name}={given[name]!r}. "
                f"Its dimensions are {', '.join(dimensions)}."
            )
    kept: dict[str, Dimension] = {}
    for name, dimension in dimensions.items():
        condition = _reachable(dimension, kept)
        if condition != ("", ()):
            narrowed = dimension.narrowed(name, given[name]) if name in given else dimension
            kept[name] = replace(narrowed, only_with=condition)
        elif name in given and dimension.only_with:
            parent, wanted = dimension.only_with
            raise ValueError(
                f"`{name}` must be left out where it never counts: it does where {parent} is "
                f"{' or '.join(map(repr, wanted))}. Received: {name}={given[name]!r}. Leave it out, or "
                f"let `{parent}` have such a value."
            )
    return kept


def declare(hp: Any, dimensions: Mapping[str, Dimension]) -> dict[str, Any]:
    """Returns the value of each dimension that counts, and has keras-tuner know all of them.

    Args:
        hp: `keras_tuner.HyperParameters`.
        dimensions: Of a space, none depending on a later one.
    """
    values: dict[str, Any] = {}
    for name, dimension in dimensions.items():
        parent, wanted = dimension.only_with or ("", ())
        scope = hp.conditional_scope(parent, list(wanted)) if parent else contextlib.nullcontext()
        with scope:
            value = _declare(hp, name, dimension)
        if value is not None:
            values[name] = value
    return values


def _declare(hp: Any, name: str, dimension: Dimension) -> Any:
    domain, default = dimension.domain, dimension.default
    if isinstance(domain, Range):
        make = hp.Int if domain.integer else hp.Float
        sampling = "log" if domain.logarithmic else "linear"
        return make(name, domain.low, domain.high, sampling=sampling, default=default)
    if len(domain) == 1:
        return hp.Fixed(name, domain[0])
    return hp.Choice(name, list(domain), default=default)


def _reachable(
    dimension: Dimension, kept: Mapping[str, Dimension]
) -> tuple[str, tuple[Value, ...]] | None:
    """The condition of a dimension with what is left of its parent's values; `("", ())` for none."""
    if dimension.only_with is None:
        return None
    parent, wanted = dimension.only_with
    left = tuple(value for value in wanted if parent in kept and value in kept[parent].domain)
    return (parent, left) if left else ("", ())
