"""Which layers of a model are looked at: those with a kernel, and where their activations come out."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import layers

from keras_recipes.diagnostics.activations import (
    KNOWN,
    LINEAR,
    MIXING,
    activation_name,
    name_of_operation,
)
from keras_recipes.kernels import kernel_of
from keras_recipes.layer_calls import LayerCall, LayerCalls
from keras_recipes.layers import MCAlphaDropout, MCDropout

NORMALIZING = (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization)

# Between a kernel and its activation these may stand.
PASSED = (
    *NORMALIZING,
    layers.Dropout,
    layers.AlphaDropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    MCDropout,
    MCAlphaDropout,
)

ATTENTION = (layers.MultiHeadAttention, layers.GroupQueryAttention)
WEIGHING = ("query", "key")  # names of layers in it

# These leave what they take as it is.
RESHAPING = (layers.Flatten, layers.Reshape, layers.Permute)


@dataclass(frozen=True)
class ObservedLayer:
    """A call of a layer with a kernel, and what it activates.

    Args:
        name: Its name, one of its own in the model: that of the layer, with the models that it stands
            in where others have the same, and the number of the call from the second on.
        layer: The layer with the kernel.
        kernel: The weights by which it mixes its inputs into its units.
        output: The layer or operation whose output are its activations: itself, a wrapper or the
            recurrent layer around it, or an activation after it.
        number: Which call of `output` it is, from 0.
        calls: How often a step calls `output`.
        function: Where its activation function is called, as an object and the name of its attribute;
            None where it has no slope of its own.
        activation: Name of the activation, such as `"relu"`; `"linear"` for none.
        hidden: Whether other layers with a kernel come after it.
        positions: Number of positions at which it has activations, in an image or a series; else 1.
        source: Name of the one that gives all that it takes; None where there is none, or several.
        direct: Whether it takes them as they are, and gives them by kernel and activation alone.
        normalized: Whether its outputs are normalized, for which the scale of its kernel is all one.
        weighs: Whether it makes the queries or keys of attention, which weigh what others pass on: a
            new network's all alike, so that hardly a gradient comes to them.
    """

    name: str
    layer: keras.Layer
    kernel: keras.Variable
    output: Any
    number: int
    calls: int
    function: tuple[Any, str] | None
    activation: str
    hidden: bool
    positions: int
    source: str | None
    direct: bool
    normalized: bool
    weighs: bool = False


def observed_layers(model: keras.Model) -> list[ObservedLayer]:
    """Returns the layers with a kernel that train, in the order in which the model calls them.

    Args:
        model: A built model.
    """
    graph = _Graph(LayerCalls(model))
    kernels = [(call, each) for call in graph.calls for each in graph.kernels_of(call)]
    names = _names([(*call.path, *each.path) for call, each in kernels])
    return [
        graph.observed(name, call, each)
        for name, (call, each) in zip(names, kernels, strict=True)
        if each.kernel.trainable
    ]


@dataclass(frozen=True)
class _Kernel:
    """A layer with a kernel, in a call.

    Args:
        layer: The layer.
        kernel: Its kernel.
        seen: What shows its output: the recurrent layer around a cell, or itself.
        path: Names of the layers around it in the call, and its own.
        weighs: Whether it makes the queries or keys of attention.
    """

    layer: keras.Layer
    kernel: keras.Variable
    seen: keras.Layer
    path: tuple[str, ...]
    weighs: bool


class _Graph:
    """The calls of a model, and what comes after each."""

    def __init__(self, graph: LayerCalls) -> None:
        self.calls = graph.calls
        self._shapes = graph.shapes
        self._kernels = {id(call.operation): _kernels_in(call.operation) for call in self.calls}
        self._takers: dict[int, list[LayerCall]] = {}  # of each value
        self._givers: dict[int, LayerCall] = {}  # of each value that a call has for its only one
        self._seen: dict[int, str] = {}  # calls whose outputs are activations, by name
        self._numbers: dict[int, int] = {}  # of each call, among those of its operation
        self._counts: Counter[int] = Counter()  # of the calls of an operation
        for call in self.calls:
            self._numbers[id(call)] = self._counts[id(call.operation)]
            self._counts[id(call.operation)] += 1
            for number in call.inputs:
                self._takers.setdefault(number, []).append(call)
            if len(call.outputs) == 1:
                self._givers[call.outputs[0]] = call
        self._before_kernels: set[int] = set()  # values that come to a kernel
        for call in reversed(self.calls):
            if self.kernels_of(call) or self._comes_to_kernel(call):
                self._before_kernels.update(call.inputs)

    def kernels_of(self, call: LayerCall) -> list[_Kernel]:
        """Returns the layers with a kernel in a call, in their order."""
        return self._kernels[id(call.operation)]

    def observed(self, name: str, call: LayerCall, kernel: _Kernel) -> ObservedLayer:
        """Returns how a layer with a kernel is looked at."""
        kernels = self.kernels_of(call)
        hidden = kernel is not kernels[-1] or self._comes_to_kernel(call)
        activation = activation_name(getattr(kernel.layer, "activation", None))
        function: tuple[Any, str] = (kernel.layer, "activation")
        output, shape, source, direct = kernel.seen, None, None, False
        normalized = self._is_normalized(call)
        if len(kernels) == 1:
            source, direct = self._source(call)
            direct = direct and call.operation is kernel.layer
            if activation == LINEAR and (after := self._activation_after(call)):
                between = itertools.takewhile(lambda each: each is not call, self._way_back(after))
                direct = direct and all(map(_leaves_as_it_is, between))
                call, activation = after, activation_name(after.operation)
                function = (call.operation, "call")
            output, shape = call.operation, self._shapes[call.outputs[0]]
            self._seen[id(call)] = name
        has_slopes = activation not in (LINEAR, *MIXING) and kernel.seen is kernel.layer
        return ObservedLayer(
            name=name,
            layer=kernel.layer,
            kernel=kernel.kernel,
            output=output,
            number=self._numbers[id(call)],
            calls=self._counts[id(call.operation)],
            function=function if has_slopes and (hidden or activation not in KNOWN) else None,
            activation=activation,
            hidden=hidden,
            positions=_positions(shape or _built_shape(kernel.layer)),
            source=source,
            direct=direct,
            normalized=normalized,
            weighs=kernel.weighs,
        )

    def _is_normalized(self, call: LayerCall) -> bool:
        for after in self._way_on(call):
            if isinstance(after.operation, NORMALIZING):
                return True
            if self.kernels_of(after):
                break
        return False

    def _comes_to_kernel(self, call: LayerCall) -> bool:
        return not self._before_kernels.isdisjoint(call.outputs)

    def _source(self, call: LayerCall) -> tuple[str | None, bool]:
        """The name of what gives all that a call takes, and whether that comes as it is."""
        direct = True
        for before in self._way_back(call):
            if id(before) in self._seen:
                return self._seen[id(before)], direct
            if self.kernels_of(before):
                break
            direct = direct and _leaves_as_it_is(before)
        return None, False

    def _way_back(self, call: LayerCall) -> Iterator[LayerCall]:
        """The calls before a call, up to one that takes or gives several values."""
        while len(call.inputs) == 1 and (before := self._givers.get(call.inputs[0])):
            yield (call := before)

    def _way_on(self, call: LayerCall) -> Iterator[LayerCall]:
        """The calls after a call, up to one whose output several take, or none."""
        while len(next_calls := self._takers.get(call.outputs[0], [])) == 1:
            [call] = next_calls
            yield call

    def _activation_after(self, call: LayerCall) -> LayerCall | None:
        """The activation after a call: one that Keras has, or else the first of the user's own."""
        own = None
        for after in self._way_on(call):
            name = name_of_operation(after.operation)
            if name not in (None, LINEAR):
                return after
            if name == LINEAR or _into_model(after) or isinstance(after.operation, PASSED):
                continue
            if not self._may_be_activation(after):
                break
            own = own or after
        return own

    def _may_be_activation(self, call: LayerCall) -> bool:
        """Whether it is a layer of the user's own that keeps the shape, without weights or seeds."""
        layer = call.operation
        of_keras = type(layer).__module__.startswith("keras.") and type(layer) is not layers.Lambda
        if of_keras or not isinstance(layer, keras.Layer) or layer.variables:
            return False
        shapes = [self._shapes[each] for each in (*call.inputs, *call.outputs)]
        return len(shapes) == 2 and shapes[0] == shapes[1]


def _leaves_as_it_is(call: LayerCall) -> bool:
    return _into_model(call) or isinstance(call.operation, RESHAPING)


def _into_model(call: LayerCall) -> bool:
    return not isinstance(call.operation, keras.Operation) and len(call.outputs) == 1


def _kernels_in(operation: Any) -> list[_Kernel]:
    """The layers with a kernel in an operation: itself, or those deep inside it."""
    if not isinstance(operation, keras.Layer):
        return []
    # Once, though `SpectralNormalization` has the kernel of its layer for an attribute.
    return list({id(each.kernel): each for each in _flatten(operation, ())}.values())


def _flatten(
    layer: keras.Layer, around: tuple[str, ...], weighs: bool = False
) -> Iterator[_Kernel]:
    path = (*around, layer.name)
    if isinstance(layer, layers.RNN):  # its cells run in a loop, which cannot be seen into
        cells = [each for inner in layer._layers for each in _flatten(inner, ())]
        for cell in cells:
            yield replace(
                cell, seen=layer, path=path if len(cells) == 1 else (*path, cell.layer.name)
            )
        return
    if (kernel := kernel_of(layer)) is not None:
        yield _Kernel(layer, kernel, layer, path, weighs)
    for inner in layer._layers:
        of_attention = isinstance(layer, ATTENTION) and inner.name in WEIGHING
        yield from _flatten(inner, path, weighs or of_attention)


def _names(paths: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """A name of its own for each call: the layer's, or where others have the same, its path."""
    same = Counter(path[-1] for path in set(paths))
    return numbered(path[-1] if same[path[-1]] == 1 else "/".join(path) for path in paths)


def numbered(names: Iterable[str]) -> Iterator[str]:
    """Yields the names, those that have come before with the number of the time."""
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}:{seen[name]}"


def _positions(shape: Any) -> int:
    return math.prod(size or 1 for size in shape[1:-1]) if shape else 1


def _built_shape(layer: keras.Layer) -> Any:
    """The shape of the outputs of a layer inside another one; None where it does not tell."""
    try:
        return layer.compute_output_shape(layer.get_build_config()["input_shape"])
    except (AttributeError, KeyError, NotImplementedError, TypeError, ValueError):
        return None
