"""Draws from a model with dropout: what is random is drawn again, what is not is computed once."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_recipes.layer_calls import LayerCalls
from keras_recipes.layers import MCAlphaDropout, MCDropout

KINDS = (
    layers.Dropout,  # the spatial ones are of this kind
    layers.GaussianDropout,
    layers.AlphaDropout,
    MCDropout,
    MCAlphaDropout,
)
BYTE = 256  # values of the random byte that decides whether a number is dropped
COARSE = (
    16  # of them: below it the rate of a unit in a call, which is a whole number, says too little
)


class Sampler:
    """A model taken apart into what comes before the first random layer and what after it.

    Args:
        model: A built model with dropout.
    """

    def __init__(self, model: keras.Model) -> None:
        self._layers = random_layers(model)
        self.graph = LayerCalls(model)
        self._before, self._after = [], []
        random: set[int] = set()
        for call in self.graph.calls:
            if not random.isdisjoint(call.inputs) or random_layers(call.operation):
                random.update(call.outputs)
                self._after.append(call)
            else:
                self._before.append(call)
        taken = {number for call in self._after for number in call.inputs}
        given = {slot.number for slot in self.graph.outputs}
        self._kept = sorted((taken | given) - random)
        self._widths = [_width(self.graph.shapes[number]) for number in (*self._kept, *random)]

    @property
    def operations(self) -> list[Any]:
        """What is called in each draw, in this order: layers, and operations of `keras.ops`."""
        called = (call.operation for call in self._after)
        return [each for each in called if isinstance(each, keras.Operation)]

    @property
    def wiring(self) -> list[Any]:
        """What tells how they are called: from what to what, and what is given in the end."""
        calls = [(call.inputs, call.outputs) for call in self._after]
        return [self._kept, calls, self.graph.outputs, self.output_shapes]

    @property
    def output_layers(self) -> list[Any]:
        """What gives each output: a layer, a model with a `call` of its own, an operation."""
        giver = {number: call.operation for call in self.graph.calls for number in call.outputs}
        return [giver.get(slot.number) for slot in self.graph.outputs]

    @property
    def output_shapes(self) -> list[Any]:
        """The shape of each output, with the batch axis, None where it is not known."""
        return [self.graph.shapes[slot.number] for slot in self.graph.outputs]

    @property
    def widest(self) -> int:
        """Numbers an example in the largest tensor of a draw, as far as the model tells."""
        return max(self._widths)

    @property
    def widest_before(self) -> float:
        """The same of what is computed once; infinite where the model does not tell."""
        numbers = {each for call in self._before for each in (*call.inputs, *call.outputs)}
        shapes = [self.graph.shapes[number] for number in numbers]
        known = all(shape is not None and None not in shape[1:] for shape in shapes)
        return max(map(_width, shapes), default=1) if known else math.inf

    def deterministic_part(self, inputs: Any) -> list[Any]:
        """Returns what is the same in every draw, as far as a draw needs it, with masks if any."""
        values = self.graph.values_of(inputs)
        with keras.StatelessScope():  # a layer that is always in training keeps its statistics
            for call in self._before:
                call.run(values)
        kept = [values[number] for number in self._kept]
        masks = [getattr(value, "_keras_mask", None) for value in kept]
        return [
            (value,) if mask is None else (value, mask)
            for value, mask in zip(kept, masks, strict=True)
        ]

    def new_seeds(self, seed: int | None) -> np.ndarray:
        """Returns a seed for each random layer, the same ones for the same `seed`."""
        size = len(self._layers)
        return np.random.default_rng(seed).integers(2**31, size=size, dtype=np.int32)

    def draw(self, kept: list[Any], number: Any, seeds: Any) -> list[Any]:
        """Returns the outputs of the model in one draw, in a flat list.

        Args:
            kept: What `deterministic_part` returned.
            number: An integer tensor that tells this draw from the others.
            seeds: What `new_seeds` returned, or a tensor of it.
        """
        values = {}
        for slot, (value, *mask) in zip(self._kept, kept, strict=True):
            values[slot] = value
            if mask:
                value._keras_mask = mask[0]
        with self._dropping(number, seeds), keras.StatelessScope():
            for call in self._after:
                call.run(values)
        return [values[slot.number] for slot in self.graph.outputs]

    def may_repeat_rows(self) -> bool:
        """Whether the rows of several draws may go together: they share no mask, and may be more."""
        shapes = [getattr(layer, "noise_shape", None) for layer in self._layers]
        shapes += [self.graph.shapes[slot.number] for slot in self.graph.inputs]
        return all(not shape or shape[0] is None for shape in shapes)

    @contextlib.contextmanager
    def _dropping(self, number: Any, seeds: Any) -> Iterator[None]:
        """Has the random layers drop as in training, by seeds that are not the model's."""
        own_seeds = [layer.seed_generator for layer in self._layers]
        for index, layer in enumerate(self._layers):
            # In the object's own dictionary, where it hides the method and Keras tracks nothing.
            generator = _Seeds(seeds[index], number)
            vars(layer).update(call=_dropping_call(layer), seed_generator=generator)
        try:
            yield
        finally:
            for layer, generator in zip(self._layers, own_seeds, strict=True):
                vars(layer)["seed_generator"] = generator
                del vars(layer)["call"]


class _Seeds(keras.random.SeedGenerator):
    """Seeds that go by the number of the draw: no state, so that draws may run side by side.

    Args:
        seed: Of the layer, an int32 of NumPy or a tensor of it.
        draw: The number of the draw.
    """

    def __init__(self, seed: Any, draw: Any) -> None:  # Keras's own makes a variable
        self._seed, self._draw, self._calls = seed, draw, 0

    def next(self, ordered: bool = True) -> Any:
        self._calls += 1  # of a layer that the model calls more than once
        mixed = ops.bitwise_xor(self._seed, (0x9E3779B1 * self._calls) % 2**31)
        return ops.stack([mixed, ops.cast(self._draw, "int32")])


def random_layers(operation: Any) -> list[keras.Layer]:
    """Returns the layers that drop something: the operation itself, or those deep inside it."""
    if not isinstance(operation, keras.Layer):
        return []
    found = (layer for layer in operation._flatten_layers() if isinstance(layer, KINDS))
    return [layer for layer in found if layer.rate > 0]


def _width(shape: Any) -> int:
    return math.prod(size or 1 for size in (shape or ())[1:])


def _dropping_call(layer: keras.Layer) -> Any:
    plain = type(layer) in (layers.Dropout, MCDropout) and layer.noise_shape is None
    if plain and COARSE <= layer.rate * BYTE < BYTE - 1:
        return lambda inputs, *_, **__: _drop(inputs, layer.rate, layer.seed_generator)
    call = layer.call
    if not layer._call_has_training_arg:  # the book's own MC layers decide by themselves
        return call
    return lambda inputs, *_, **others: call(inputs, **(others | {"training": True}))


def _drop(x: Any, rate: float, seeds: Any) -> Any:
    """Dropout by a random byte a number, where Keras takes four: they are most of its cost.

    What is dropped is below a threshold. Where that is no whole number it is rounded down or up at
    random, for each unit and call anew, so that the rate is exact.
    """
    import tensorflow as tf

    size, shape = tf.size(x), tf.shape(x)
    words = tf.random.stateless_uniform([(size + 3) // 4], seeds.next(), None, None, tf.uint32)
    values = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:size], shape)
    threshold = rate * BYTE
    if threshold % 1:
        threshold += tf.random.stateless_uniform(shape[1:], seeds.next())
    kept = values >= tf.cast(threshold, tf.uint8)
    return tf.where(kept, x * tf.cast(1 / (1 - rate), x.dtype), tf.zeros([], x.dtype))
