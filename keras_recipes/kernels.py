"""The kernels of a model: the weights that multiply, which are penalized, pruned and looked at."""

from collections.abc import Iterator
from typing import Any

import keras


def is_kernel(variable: Any) -> bool:
    """Whether a variable has a kernel's name in Keras: `"kernel"`, or `"recurrent_kernel"` and such."""
    return variable.name.split("_")[-1] == "kernel"


def kernels_of(layer: keras.Layer) -> list[keras.Variable]:
    """Returns the kernels of a layer, without those of layers inside it; of an RNN those of its cell.

    Args:
        layer: A built layer.
    """
    # By what is inside, as `SpectralNormalization` has the kernel of its layer for an attribute.
    inside = {id(weight) for part in _parts(layer) for weight in part.weights}
    return [each for each in layer.weights if is_kernel(each) and id(each) not in inside]


def layers_with_kernels(model: keras.Model) -> list[keras.Layer]:
    """Returns the layers with kernels, those inside wrappers and models among them, in order.

    Args:
        model: A built model.
    """
    found = {id(layer): layer for layer in _flatten(model) if kernels_of(layer)}
    return list(found.values())  # a layer that is used twice comes once


def kernel_of(layer: keras.Layer) -> keras.Variable | None:
    """Returns the kernel by which a layer mixes its inputs into its units; None where it has none.

    Args:
        layer: A built layer. Of a separable convolution it is the pointwise kernel.
    """
    kernels = (getattr(layer, name, None) for name in ("kernel", "pointwise_kernel"))
    return next((each for each in kernels if isinstance(each, keras.Variable)), None)


def _flatten(layer: keras.Layer) -> Iterator[keras.Layer]:
    yield layer
    for part in _parts(layer):
        yield from _flatten(part)


def _parts(layer: keras.Layer) -> list[keras.Layer]:
    """The layers inside, but for an RNN's cell: Keras calls that of each LSTM `lstm_cell`."""
    return [] if isinstance(layer, keras.layers.RNN) else layer._layers
