"""The kernels of a model: the weights that multiply, which are bounded, pruned and looked at."""

from collections.abc import Iterator
from typing import Any

import keras


def has_kernel(operation: Any) -> bool:
    """Whether something is a layer with a kernel of its own."""
    return isinstance(operation, keras.Layer) and isinstance(
        getattr(operation, "kernel", None), keras.Variable
    )


def layers_with_kernels(model: keras.Model) -> list[keras.Layer]:
    """Returns the layers with a kernel, those inside wrappers and models among them, in order.

    Args:
        model: A built model.
    """
    found = {id(layer): layer for layer in _flatten(model) if has_kernel(layer)}
    return list(found.values())  # a layer that is used twice comes once


def _flatten(layer: keras.Layer) -> Iterator[keras.Layer]:
    yield layer
    for inner in layer._layers:
        yield from _flatten(inner)
