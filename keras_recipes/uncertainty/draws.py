"""Many draws of a batch and their moments, in one call of a graph that is kept with the model."""

import operator
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_recipes.graph_passes import without_kept_gradients
from keras_recipes.uncertainty.links import KINDS, Link, links_of
from keras_recipes.uncertainty.moments import start, summary, update
from keras_recipes.uncertainty.sampling import Sampler

AT_ONCE = (
    5 * 2**18
)  # numbers in the largest tensor of a draw: several draws of few rows go together
MOST = 256  # draws that go together at most: they share how a dropout rate is rounded
SIDE_BY_SIDE = 8  # draws in the making: one takes random bits while another multiplies
TRACING = threading.Lock()  # layers that are traced draw otherwise than for other threads
KEPT = "_keras_recipes_draws"  # the attribute of a model that holds its draws


def draws_of(model: keras.Model, sampler: Sampler, rows: int, n_samples: int) -> "Draws":
    """Returns the draws from a model: those of the call before, traced already, if they would be alike.

    What comes before dropout is no part of them: it is the new sampler's to compute.

    Args:
        model: A built model with dropout.
        sampler: What draws, of the model as it is.
        rows: Examples in a whole batch.
        n_samples: Number of draws.
    """
    draws = Draws(sampler, model, rows, n_samples)
    before = vars(model).get(KEPT)
    if before is not None and before.is_like(draws):
        return before
    vars(model)[KEPT] = draws  # past Keras, which would track it
    return draws


class Draws:
    """The draws of a batch and their moments, in one call of a graph.

    Args:
        sampler: What draws.
        model: What it draws from.
        rows: Examples in a whole batch.
        n_samples: Number of draws.
    """

    def __init__(self, sampler: Sampler, model: keras.Model, rows: int, n_samples: int) -> None:
        self.sampler = sampler
        # How each output gives probabilities, None where its operation does not tell.
        self._links = links_of(model, sampler.output_layers, sampler.output_shapes)
        self._n_samples = n_samples
        at_once = AT_ONCE // (rows * sampler.widest) if sampler.may_repeat_rows() else 1
        # A power of two, so that predictions of nearly as many rows go by the same graph.
        self._steps = -(-n_samples // min(MOST, 2 ** max(0, at_once.bit_length() - 1)))
        self._copies = -(-n_samples // self._steps)
        self._attributes = list(_attributes(sampler.operations))
        self._signature: Any = None
        self._function: Any = None

    def is_like(self, other: "Draws") -> bool:
        """Whether the graphs of both are the same: no layer has been given anything new since."""
        ours, theirs = (
            (each._n_samples, each._copies, each._links, each.sampler.wiring, len(each._attributes))
            for each in (self, other)
        )
        return ours == theirs and all(map(operator.is_, self._attributes, other._attributes))

    def run(
        self, batches: Iterable[tuple[list[Any], int]], seeds: np.ndarray
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yields, batch by batch, each output's mean, deviation, entropy and mutual information.

        Args:
            batches: The deterministic part of each batch, and its number of examples.
            seeds: Of the draws, one for each random layer.
        """
        import tensorflow as tf

        for number, (kept, rows) in enumerate(batches):
            try:
                function = self._traced(kept, seeds)
                first = tf.constant(number * self._steps)
                summaries = function(kept, tf.constant(rows), first, tf.constant(seeds))
            except Exception:  # TensorFlow's own say nothing of what is wrong
                self._check_rows(kept, rows, seeds)
                raise
            yield tree.map_structure(_as_numpy, summaries)

    def _check_rows(self, kept: list[Any], rows: int, seeds: np.ndarray) -> None:
        for output in self.sampler.draw(kept, 0, seeds):
            if output.shape[:1] != (rows,):
                raise ValueError(
                    "`model` must give a row for each example. Received: an output of shape "
                    f"{tuple(output.shape)} for {rows} examples. Reshape and reduce all axes but the "
                    "first, that of the batch."
                ) from None

    def _traced(self, kept: list[Any], seeds: np.ndarray) -> Any:
        import tensorflow as tf

        def any_rows(each: Any) -> Any:
            return tf.TensorSpec([None, *each.shape[1:]], each.dtype)

        number = tf.TensorSpec([], tf.int32)
        signature = [
            tree.map_structure(any_rows, kept), number, number,
            tf.TensorSpec(seeds.shape, seeds.dtype),
        ]  # fmt: skip
        with TRACING:
            if signature != self._signature:
                # A concrete one, as TensorFlow warns of functions that are traced often: each model
                # has its own.
                function = tf.function(self._summaries, input_signature=signature, autograph=False)
                self._signature, self._function = signature, function.get_concrete_function()
            return self._function

    @without_kept_gradients()
    def _summaries(self, kept: list[Any], rows: Any, first: Any, seeds: Any) -> list[Any]:
        import tensorflow as tf

        repeated = tree.map_structure(self._repeat, kept)
        shapes, links = self._first_look(kept, seeds)

        def step(number: Any, moments: list[Any]) -> Any:
            count = number * self._copies
            wanted = tf.minimum(self._copies, self._n_samples - count)
            outputs = self.sampler.draw(repeated, first + number, seeds)
            return number + 1, [
                update(before, count, link.applied(self._split(output, rows)[:wanted]), link.kind)
                for before, output, link in zip(moments, outputs, links, strict=True)
            ]

        begun = [
            start((rows, *shape[1:]), link.kind) for shape, link in zip(shapes, links, strict=True)
        ]
        _, moments = tf.while_loop(
            lambda number, _: number < self._steps,
            step,
            (0, begun),
            parallel_iterations=SIDE_BY_SIDE,
        )
        return [
            summary(each, self._n_samples, link.kind)
            for each, link in zip(moments, links, strict=True)
        ]

    def _first_look(self, kept: list[Any], seeds: Any) -> tuple[list[Any], list[Link]]:
        """The shapes and the links of the outputs, from a draw where the model does not tell."""
        shapes = self.sampler.output_shapes
        known = [link for link in self._links if link is not None]
        if len(known) == len(shapes) and all(each and None not in each[1:] for each in shapes):
            return shapes, known
        outputs = self.sampler.draw(kept, 0, seeds)
        ends = [output.op.type.lower() for output in outputs]
        links = [
            link or Link(end if end in KINDS else None)
            for link, end in zip(self._links, ends, strict=True)
        ]
        return [ops.shape(output) for output in outputs], links

    def _repeat(self, each: Any) -> Any:
        import tensorflow as tf

        if self._copies == 1:
            return each
        return tf.tile(each, [self._copies] + [1] * (len(each.shape) - 1))

    def _split(self, output: Any, rows: Any) -> Any:
        return ops.reshape(output, (self._copies, rows, *ops.shape(output)[1:]))


def _attributes(operations: list[Any]) -> Iterator[Any]:
    """All that operations and the layers inside them have been given, their rates for one."""
    for operation in operations:
        layers = operation._flatten_layers() if isinstance(operation, keras.Layer) else [operation]
        for layer in layers:
            yield layer
            yield from (value for name, value in vars(layer).items() if name != KEPT)


def _as_numpy(each: Any) -> Any:
    return None if each is None else ops.convert_to_numpy(each)
