"""Dimensions as keras-tuner's hyperparameters."""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from keras_recipes.search_spaces.dimensions import Dimension, Range, Value


def declare(hp: Any, dimensions: Mapping[str, Dimension]) -> dict[str, Any]:
    """Returns the value of each dimension that counts, and has keras-tuner know all of them.

    Args:
        hp: `keras_tuner.HyperParameters`.
        dimensions: Of a space, none depending on a later one.
    """
    values: dict[str, Any] = {}
    for name, dimension in dimensions.items():
        with _only_with(hp, dimension.only_with):
            value = _declare(hp, name, dimension)
        if value is not None:
            values[name] = value
    return values


def _declare(hp: Any, name: str, dimension: Dimension) -> Any:
    domain, default = dimension.domain, dimension.default
    if isinstance(domain, Range):
        make = hp.Int if isinstance(default, int) else hp.Float
        sampling = "log" if domain.logarithmic else "linear"
        return make(name, domain.low, domain.high, sampling=sampling, default=default)
    if dimension.fixed:
        return hp.Fixed(name, default)
    return hp.Choice(name, list(domain), default=default)


@contextlib.contextmanager
def _only_with(hp: Any, conditions: Mapping[str, Collection[Value]]) -> Iterator[None]:
    """A scope of keras-tuner with several conditions, on parents that do not depend on each other.

    Its own scopes are nested only where the inner one's parent was declared inside the outer one.
    """
    met = []
    for parent, wanted in conditions.items():
        with hp.conditional_scope(parent, list(wanted)):
            met.append(hp._conditions[-1])
    outer = hp._conditions
    hp._conditions = [*outer, *met]
    try:
        yield
    finally:
        hp._conditions = outer
