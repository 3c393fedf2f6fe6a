"""A model as the calls of its layers, one after the other, those of models inside it among them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops, tree
from keras.src.models.functional import Functional  # Keras has no public name for it


@dataclass(frozen=True)
class Slot:
    """Where a call finds its argument: the number of a value."""

    number: int


@dataclass(frozen=True)
class LayerCall:
    """A call of a layer, or of an operation of `keras.ops`.

    Args:
        operation: What is called.
        arguments: (args, kwargs), with slots in the place of tensors.
        outputs: The numbers of the values that it gives.
        path: The names of the models that it stands in, from the outermost; without the whole one.
    """

    operation: Any
    arguments: Any
    outputs: tuple[int, ...]
    path: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[int, ...]:
        """The numbers of the values that it takes."""
        return tuple(each.number for each in tree.flatten(self.arguments) if isinstance(each, Slot))

    def run(self, values: dict[int, Any]) -> None:
        """Calls the operation on its inputs in `values` and puts its outputs there."""
        args, kwargs = tree.map_structure(
            lambda each: values[each.number] if isinstance(each, Slot) else each, self.arguments
        )
        results = tree.flatten(self.operation(*args, **kwargs))
        if len(results) != len(self.outputs):  # of a `call` of one's own, one is known of
            raise ValueError(
                "`model` must be Sequential or functional where it has several outputs. Received: "
                f"{self.operation.name!r}, whose `call` gives {len(results)}. Build it by "
                "keras.Model(inputs, outputs), or one model for each output."
            )
        values.update(zip(self.outputs, results, strict=True))


class LayerCalls:
    """The calls that a model makes, in an order in which they can be made.

    Models inside it are taken apart, except those with a `call` of their own, which are one call; a
    model that is no Sequential or functional one is one call altogether.

    Args:
        model: A built `keras.Model`.
    """

    def __init__(self, model: keras.Model) -> None:
        self.calls: list[LayerCall] = []
        self.shapes: list[Any] = []  # of each value by its number, with the batch axis; or None
        self._graph = _graph_of(model)
        if self._graph is None:
            self.inputs, self.outputs = [self._new_slot()], [self._new_slot()]
            arguments: Any = ((self.inputs[0],), {})
            self.calls.append(LayerCall(model, arguments, (self.outputs[0].number,)))
        else:
            self.inputs = [self._new_slot(each.shape) for each in self._graph.inputs]
            self.outputs = self._take_apart(self._graph, self.inputs)

    def values_of(self, inputs: Any) -> dict[int, Any]:
        """Returns the values that calls begin with: the inputs of the model, as it takes them."""
        if self._graph is None:
            return {self.inputs[0].number: tree.map_structure(ops.convert_to_tensor, inputs)}
        inputs = self._graph._standardize_inputs(inputs)
        return {slot.number: value for slot, value in zip(self.inputs, inputs, strict=True)}

    def _new_slot(self, shape: Any = None) -> Slot:
        self.shapes.append(shape)
        return Slot(len(self.shapes) - 1)

    def _take_apart(
        self, graph: Any, inputs: Sequence[Slot], path: tuple[str, ...] = ()
    ) -> list[Slot]:
        slots = {id(tensor): slot for tensor, slot in zip(graph.inputs, inputs, strict=True)}
        for node in _nodes(graph):
            arguments = node.arguments.convert(
                lambda each: slots[id(each)] if isinstance(each, keras.KerasTensor) else each
            )
            inner = _graph_of(node.operation)
            if inner is None:
                outputs = self._add(node.operation, arguments, node.outputs, path)
            else:
                within = self._add(_taking_inputs(inner), arguments, inner.inputs, path)
                outputs = self._take_apart(inner, within, (*path, node.operation.name))
            slots.update(zip(map(id, node.outputs), outputs, strict=True))
        return [slots[id(tensor)] for tensor in graph.outputs]

    def _add(
        self, operation: Any, arguments: Any, outputs: Sequence[Any], path: tuple[str, ...]
    ) -> list[Slot]:
        slots = [self._new_slot(each.shape) for each in outputs]
        numbers = tuple(slot.number for slot in slots)
        self.calls.append(LayerCall(operation, arguments, numbers, path))
        return slots


def _taking_inputs(graph: Any) -> Callable[..., Any]:
    """What a model does first with its arguments: it matches them to its inputs, by name or order."""

    def take(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        taken = graph._standardize_inputs(inputs)
        for each, its_mask in zip(taken, tree.flatten(mask), strict=False):  # None is one mask
            if its_mask is not None:
                each._keras_mask = its_mask
        return taken

    return take


def _graph_of(operation: Any) -> Any:
    """The graph of layers that a model runs; None for what runs otherwise."""
    if isinstance(operation, keras.Sequential) and type(operation).call is keras.Sequential.call:
        operation = operation._functional  # None where its inputs are a structure
    functional = isinstance(operation, Functional)
    return operation if functional and type(operation).call is Functional.call else None


def _nodes(graph: Any) -> Iterator[Any]:
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        yield from (node for node in graph._nodes_by_depth[depth] if not node.is_input)
