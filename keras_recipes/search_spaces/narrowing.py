"""A table of dimensions with some of them fixed or narrowed, and without those that cannot count."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from keras_recipes.search_spaces.dimensions import Dimension, Value

Dimensions = Mapping[str, Dimension]


def narrow(dimensions: Dimensions, given: Mapping[str, Any]) -> dict[str, Dimension]:
    """Returns dimensions of which some are fixed or narrowed, without those that cannot count then.

    What is fixed counts in the first trial: where it depends on another dimension, that one's default
    is a value with which it does.

    Args:
        dimensions: All of a space, none depending on a later one.
        given: name -> what `Dimension.narrowed` takes.

    Raises:
        TypeError: If a name is not that of a dimension, or a value is of the wrong kind.
        ValueError: If a value is not allowed, or cannot count with the others.
    """
    for name in given:
        if name not in dimensions:
            raise TypeError(
                f"`{name}` must be a dimension of this space. Received: {name}={given[name]!r}. "
                f"Its dimensions are {', '.join(dimensions)}."
            )
    narrowed = {
        name: each.narrowed(name, given[name]) if name in given else each
        for name, each in dimensions.items()
    }
    kept = _that_count(narrowed)
    for name in given:
        if name not in kept:
            raise ValueError(_never_counts(name, dimensions, narrowed, given))
    kept = {name: _steered(name, each, kept, given) for name, each in kept.items()}
    for name in given:
        if kept[name].fixed:
            _check_counted(name, kept, given)
    return kept


def vary(dimensions: Dimensions, names: Collection[str]) -> dict[str, Dimension]:
    """Returns dimensions of which those named are searched, and the others have their defaults.

    Args:
        dimensions: Of a space, none depending on a later one.
        names: Those to search.

    Raises:
        ValueError: If a name is not that of a dimension, or one that never counts then.
    """
    held = {
        name: each if name in names else replace(each, domain=(each.default,))
        for name, each in dimensions.items()
    }
    kept = _that_count(held)
    if idle := [name for name in names if name not in kept]:
        needed = {
            name: " and ".join(dimensions[name].only_with) for name in idle if name in dimensions
        }
        raise ValueError(
            "`vary` must name dimensions of the space, each with those that it depends on. Received: "
            f"{', '.join(idle)}. Choose among {', '.join(dimensions)}"
            + "".join(f"; with {name} vary {parents} too" for name, parents in needed.items())
            + "."
        )
    return kept


def _that_count(dimensions: Dimensions) -> dict[str, Dimension]:
    """Those that can count, their conditions with the values that are left."""
    kept: dict[str, Dimension] = {}
    for name, each in dimensions.items():
        left = {
            parent: kept[parent].values_in(wanted) if parent in kept else ()
            for parent, wanted in each.only_with.items()
        }
        if all(left.values()):
            kept[name] = replace(each, only_with=left)
    return kept


def _steered(
    name: str, dimension: Dimension, kept: Dimensions, given: Collection[str]
) -> Dimension:
    """The dimension with the default with which most of what is fixed counts."""
    fixed = [kept[child] for child in given if kept[child].fixed]
    wishes = [child.only_with[name] for child in fixed if name in child.only_with]
    if not wishes:
        return dimension
    values: list[Value] = [dimension.default, *(value for wish in wishes for value in wish)]
    return replace(
        dimension, default=max(values, key=lambda value: sum(value in w for w in wishes))
    )


def _check_counted(name: str, kept: Dimensions, given: Mapping[str, Any]) -> None:
    for parent, wanted in kept[name].only_with.items():
        if kept[parent].default not in wanted and parent not in given:
            raise ValueError(
                f"`{name}` must count together with what else is fixed. Received: "
                f"{name}={given[name]!r}, which does where {_either(parent, wanted)}, where others "
                f"need {parent}={kept[parent].default!r}. Pass `{parent}`, too: a value, or a list "
                "to choose from."
            )


def _never_counts(
    name: str, dimensions: Dimensions, narrowed: Dimensions, given: Mapping[str, Any]
) -> str:
    needed = {
        parent: dimensions[parent].values_in(wanted)
        for parent, wanted in dimensions[name].only_with.items()
    }
    conditions = " and ".join(_either(parent, wanted) for parent, wanted in needed.items())
    against = [
        parent
        for parent, wanted in dimensions[name].only_with.items()
        if not narrowed[parent].values_in(wanted)
    ]
    return (
        f"`{name}` must be left out where it never counts: it does where {conditions}. Received: "
        f"{name}={given[name]!r}"
        + "".join(f", {parent}={given[parent]!r}" for parent in against if parent in given)
        + f". Leave it out, or let {' and '.join(f'`{each}`' for each in needed)} have such a value."
    )


def _either(parent: str, wanted: Collection[Value]) -> str:
    return f"{parent} is {' or '.join(map(repr, wanted))}"
