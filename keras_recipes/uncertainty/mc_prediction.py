"""Monte Carlo dropout: predictions with their uncertainty, from many draws in one pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_recipes.arrays import as_inputs, check_no_dataset, rows_of
from keras_recipes.checks import check_instance, check_integer
from keras_recipes.graph_passes import without_kept_gradients, without_passes
from keras_recipes.uncertainty.links import KINDS, Link, links_of
from keras_recipes.uncertainty.moments import start, summary, update
from keras_recipes.uncertainty.sampling import Sampler, random_layers

AT_ONCE = (
    5 * 2**18
)  # numbers in the largest tensor of a draw: several draws of few rows go together
MOST = 256  # draws that go together at most: they share how a dropout rate is rounded
SIDE_BY_SIDE = 8  # draws in the making: one takes random bits while another multiplies
BLOCK = 8  # batches that go together through the deterministic part, which is called eagerly


@dataclass(frozen=True)
class MCPrediction:
    """What many draws from a model with dropout say together.

    For a model with several outputs each attribute but `n_samples` is as the model's outputs are: a
    list or a dict of what stands here.

    A classifier is what ends in a softmax or in sigmoids, or was compiled with a cross-entropy; with
    `from_logits=True` the softmax or the sigmoid is applied to each draw. What was compiled with a
    loss of regressions, such as the mean squared error, is none, whatever it ends in.

    Args:
        mean: Mean over the draws, shape (n, ...), as the model's outputs. For a classifier these
            are its probabilities.
        std: Standard deviation over the draws, shape (n, ...): what the model does not know.
        entropy: Of the mean, in nats: the uncertainty of the class, noise included. Shape (n,) after
            a softmax, (n, ...) after sigmoids, of each; None for other outputs.
        mutual_information: In nats, of the class and the weights: the part of `entropy` that more
            data could take away. None for other outputs.
        n_samples: Number of draws.

    Reference: Gal & Ghahramani (2016), arXiv:1506.02142; Smith & Gal (2018), arXiv:1803.08533, for
    the two entropies.
    """

    mean: Any
    std: Any
    entropy: Any
    mutual_information: Any
    n_samples: int


def mc_predict(
    model: keras.Model,
    x: Any,
    n_samples: int = 100,
    *,
    batch_size: int = 1024,
    seed: int | None = None,
) -> MCPrediction:
    """Predicts with dropout on, many times, and says how much the predictions vary.

    Dropout, spatial, Gaussian and alpha dropout and the MC layers are drawn anew for each example
    and sample, however deep in the model; all else is as at inference, batch normalization too.
    What comes before the first of them is computed once. Mean and deviation are kept up to date
    sample by sample, so that memory does not grow with `n_samples`. The model, its random seeds
    among it, stays as it is. TensorFlow only.

    Args:
        model: A built `keras.Model` with dropout, compiled or not.
        x: Inputs, an array of shape (n, ...), or several as the model takes them.
        n_samples: Number of draws, at least 1.
        batch_size: Examples at a time, at least 1: it changes the speed and which masks are drawn.
        seed: The same one gives the same draws; None for random ones.

    Returns:
        An `MCPrediction`.

    Raises:
        TypeError: If an argument is of the wrong kind: a dataset, say.
        ValueError: If an argument is out of range, the inputs do not fit the model or are not
            finite, or the model has no dropout or gives no row for each example.
        RuntimeError: On another backend than TensorFlow.

    Example:
        >>> prediction = mc_predict(model, x_test, n_samples=100, seed=42)
        >>> prediction.std.shape
        (500, 10)

    Reference: Gal & Ghahramani (2016), Dropout as a Bayesian Approximation, arXiv:1506.02142;
    Welford (1962) and Chan et al. (1983) for the running moments.
    """
    check_instance("model", model, keras.Model, "a keras.Model")
    check_integer("n_samples", n_samples, "[1, inf)")
    check_integer("batch_size", batch_size, "[1, inf)")
    if seed is not None:
        check_integer("seed", seed, "[0, inf)", "For other draws each time pass None.")
    _check_model(model)
    check_no_dataset(x, "Pass its inputs as one array, or a batch at a time.")
    x = as_inputs(model, x)
    if not _count(x):
        raise ValueError("`x` must have at least 1 example. Received: none. Pass some.")
    sampler = Sampler(model, seed)
    links = links_of(model, sampler.output_layers)
    loop = _Loop(sampler, links, min(batch_size, _count(x)), n_samples)
    with without_passes(model):
        parts = [loop.run(kept, rows) for kept, rows in _batches(sampler, x, batch_size)]
    outputs = tree.map_structure(_join, *parts)
    mean, std, entropy, information = (
        tree.pack_sequence_as(_structure(model), kind) for kind in zip(*outputs, strict=True)
    )
    return MCPrediction(mean, std, entropy, information, n_samples)


class _Loop:
    """The draws of a batch and their moments, in one call of a graph.

    Args:
        sampler: What draws.
        links: How each output gives probabilities, None where its operation does not tell.
        rows: Examples in a whole batch.
        n_samples: Number of draws.
    """

    def __init__(
        self, sampler: Sampler, links: list[Link | None], rows: int, n_samples: int
    ) -> None:
        self._sampler = sampler
        self._links = links
        self._n_samples = n_samples
        self._copies = 1
        if sampler.has_masks_of_each_row():
            self._copies = min(n_samples, MOST, max(1, AT_ONCE // (rows * sampler.widest)))
        self._steps = -(-n_samples // self._copies)
        self._begun = 0
        self._function: Any = None

    def run(self, kept: list[Any], rows: int) -> list[tuple[Any, ...]]:
        """Returns for each output its mean, deviation, entropy and mutual information.

        Args:
            kept: The deterministic part of a batch.
            rows: Its number of examples.
        """
        import tensorflow as tf

        try:
            if self._function is None:
                self._function = self._traced(kept)
            summaries = self._function(kept, *map(tf.constant, (rows, self._begun)))
        except Exception:  # TensorFlow's own say nothing of what is wrong
            self._check_rows(kept, rows)
            raise
        self._begun += self._steps
        return tree.map_structure(_as_numpy, summaries)

    def _check_rows(self, kept: list[Any], rows: int) -> None:
        for output in self._sampler.draw(kept, 0):
            if output.shape[:1] != (rows,):
                raise ValueError(
                    "`model` must give a row for each example. Received: an output of shape "
                    f"{tuple(output.shape)} for {rows} examples. Reshape and reduce all axes but the "
                    "first, that of the batch."
                ) from None

    def _traced(self, kept: list[Any]) -> Any:
        import tensorflow as tf

        def any_rows(each: Any) -> Any:
            return tf.TensorSpec([None, *each.shape[1:]], each.dtype)

        number = tf.TensorSpec([], tf.int32)
        signature = [tree.map_structure(any_rows, kept), number, number]
        # A concrete one, as TensorFlow warns of functions that are traced often: each call has its own.
        function = tf.function(self._summaries, input_signature=signature, autograph=False)
        return function.get_concrete_function()

    @without_kept_gradients()
    def _summaries(self, kept: list[Any], rows: Any, first: Any) -> list[Any]:
        import tensorflow as tf

        repeated = tree.map_structure(self._repeat, kept)
        shapes, links = self._first_look(kept)

        def step(number: Any, moments: list[Any]) -> Any:
            count = number * self._copies
            wanted = tf.minimum(self._copies, self._n_samples - count)
            outputs = self._sampler.draw(repeated, first + number)
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

    def _first_look(self, kept: list[Any]) -> tuple[list[Any], list[Link]]:
        """The shapes and the links of the outputs, from a draw where the model does not tell."""
        shapes = self._sampler.output_shapes
        known = [link for link in self._links if link is not None]
        if len(known) == len(shapes) and all(each and None not in each[1:] for each in shapes):
            return shapes, known
        outputs = self._sampler.draw(kept, 0)
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


def _batches(sampler: Sampler, x: Any, size: int) -> Iterator[tuple[list[Any], int]]:
    """The deterministic parts of batches, and how many examples are in each."""
    count = _count(x)
    for start_of_block in range(0, count, BLOCK * size):
        block = rows_of(x, start_of_block, start_of_block + BLOCK * size)
        kept, length = sampler.deterministic_part(block), _count(block)
        # A layer may have moved another axis into that of the batch, which then stays whole.
        step = size if all(len(value) == length for value, *_ in kept) else length
        for first in range(0, length, step):
            yield rows_of(kept, first, first + step), min(step, length - first)


def _count(x: Any) -> int:
    return len(tree.flatten(x)[0])


def _as_numpy(each: Any) -> Any:
    return None if each is None else ops.convert_to_numpy(each)


def _join(*parts: Any) -> Any:
    return None if parts[0] is None else np.concatenate(parts)


def _structure(model: keras.Model) -> Any:
    return getattr(model, "_outputs_struct", 0)  # of one output, where it is not known


def _check_model(model: keras.Model) -> None:
    if keras.config.backend() != "tensorflow":
        raise RuntimeError(
            f"`mc_predict` must run on TensorFlow. Received: backend {keras.config.backend()!r}. "
            "Set KERAS_BACKEND=tensorflow."
        )
    if not model.built:
        raise ValueError(
            "`model` must be built. Received: one that is not. Call it once on some inputs."
        )
    if not random_layers(model):
        raise ValueError(
            f"`model` must have dropout. Received: {model.name!r}, where nothing is random. Build "
            "one with dropout=0.2, say, or add keras.layers.Dropout or MCDropout."
        )
