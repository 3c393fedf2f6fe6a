"""Which layers of a model are looked at: those with a kernel, and where their activations come out."""

from collections.abc import Iterator
from dataclasses import dataclass

import keras
from keras import layers

from keras_recipes.kernels import has_kernel
from keras_recipes.layer_calls import LayerCall, LayerCalls

# Between a kernel and its activation these may stand.
PASSED = (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization)
ACTIVATIONS = (
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.PReLU,
    layers.ELU,
    layers.Softmax,
)


@dataclass(frozen=True)
class ObservedLayer:
    """A layer with a kernel and what it activates.

    Args:
        layer: The layer with the kernel.
        output: The layer whose output are its activations: itself, or an activation after it.
        activation: Name of the activation, such as `"relu"`; `"linear"` for none.
        hidden: Whether other layers with a kernel come after it.
    """

    layer: keras.Layer
    output: keras.Layer
    activation: str
    hidden: bool

    @property
    def name(self) -> str:
        """The name of the layer with the kernel."""
        return self.layer.name


def observed_layers(model: keras.Model) -> list[ObservedLayer]:
    """Returns the layers with a kernel that train, in the order in which the model calls them.

    Args:
        model: A built model.
    """
    outputs = dict(_outputs(LayerCalls(model).calls))
    found = [layer for layer in outputs if layer.kernel.trainable]
    return [
        ObservedLayer(layer, outputs[layer], _activation_of(outputs[layer]), layer is not found[-1])
        for layer in found
    ]


def _outputs(calls: list[LayerCall]) -> Iterator[tuple[keras.Layer, keras.Layer]]:
    """Each layer with a kernel, and the layer whose output are its activations."""
    takers: dict[int, list[LayerCall]] = {}
    for call in calls:
        for number in call.inputs:
            takers.setdefault(number, []).append(call)
    for call in calls:
        if not isinstance(call.operation, keras.Layer):
            continue
        inside = [layer for layer in call.operation._flatten_layers() if has_kernel(layer)]
        for layer in inside:
            yield layer, _activating(call, takers) if len(inside) == 1 else layer


def _activating(call: LayerCall, takers: dict[int, list[LayerCall]]) -> keras.Layer:
    layer = call.operation
    if _activation_of(layer) != "linear":
        return layer
    while len(next_calls := takers.get(call.outputs[0], [])) == 1:
        [call] = next_calls
        if isinstance(call.operation, ACTIVATIONS):
            return call.operation
        if not isinstance(call.operation, PASSED):
            break
    return layer


def _activation_of(layer: keras.Layer) -> str:
    if isinstance(layer, keras.layers.Wrapper):
        return _activation_of(layer.layer)
    kinds = {layers.ReLU: "relu", layers.LeakyReLU: "leaky_relu", layers.PReLU: "prelu"}
    kinds |= {layers.ELU: "elu", layers.Softmax: "softmax"}
    for kind, name in kinds.items():
        if isinstance(layer, kind):
            return name
    return getattr(getattr(layer, "activation", None), "__name__", "linear")
