"""Monte Carlo dropout: predictions with their uncertainty, from many draws in one pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import tree

from keras_recipes.arrays import as_inputs, check_no_dataset, rows_of
from keras_recipes.checks import check_instance, check_integer, check_tensorflow
from keras_recipes.graph_passes import without_passes
from keras_recipes.uncertainty.draws import draws_of
from keras_recipes.uncertainty.sampling import Sampler, random_layers

BLOCK = 8  # batches that go together through the deterministic part, which is called eagerly
WIDE = 2**23  # numbers in its largest tensor, from which on fewer of them do


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
    and sample, however deep in the model; all else is as at inference, batch normalization,
    `GaussianNoise` and the `dropout` of a recurrent layer too.
    What comes before the first of them is computed once. Mean and deviation are kept up to date
    sample by sample, so that memory does not grow with `n_samples`. The weights of the model and its
    random seeds stay as they are. The graph of the draws is kept with the model, and is traced again
    where a layer has been given another rate, say, for another `n_samples`, or for a number of rows
    so different that another number of draws goes together. TensorFlow only.

    An operation over the axis of the batch, such as its mean, goes over several draws at once. In the
    cell of a `keras.layers.RNN` dropout has one mask for all time steps.

    Args:
        model: A built `keras.Model` with dropout, compiled or not; with several outputs a functional
            one.
        x: Inputs, an array of shape (n, ...), or several as the model takes them. They are numbers: of
            a model that takes text, predict by its layers after the one that encodes it.
        n_samples: Number of draws, at least 1.
        batch_size: Examples at a time, at least 1: it changes the speed and which masks are drawn.
            Several such batches go together through a narrow network before dropout.
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
    sampler = Sampler(model)
    draws = draws_of(model, sampler, min(batch_size, _count(x)), n_samples)
    batches = _batches(sampler, x, batch_size)
    with without_passes(model):
        parts = list(draws.run(batches, sampler.new_seeds(seed)))
    outputs = tree.map_structure(_join, *parts)
    mean, std, entropy, information = (
        tree.pack_sequence_as(_structure(model), kind) for kind in zip(*outputs, strict=True)
    )
    return MCPrediction(mean, std, entropy, information, n_samples)


def _batches(sampler: Sampler, x: Any, size: int) -> Iterator[tuple[list[Any], int]]:
    """The deterministic parts of batches, and how many examples are in each."""
    together = size * min(BLOCK, max(1, int(WIDE // (size * sampler.widest_before))))
    for start_of_block in range(0, _count(x), together):
        block = rows_of(x, start_of_block, start_of_block + together)
        kept, length = sampler.deterministic_part(block), _count(block)
        # A layer may have moved another axis into that of the batch, which then stays whole.
        step = size if all(len(value) == length for value, *_ in kept) else length
        for first in range(0, length, step):
            yield rows_of(kept, first, first + step), min(step, length - first)


def _count(x: Any) -> int:
    return len(tree.flatten(x)[0])


def _join(*parts: Any) -> Any:
    return None if parts[0] is None else np.concatenate(parts)


def _structure(model: keras.Model) -> Any:
    return getattr(model, "_outputs_struct", 0)  # of one output, where it is not known


def _check_model(model: keras.Model) -> None:
    check_tensorflow("`mc_predict`")
    if not model.built:
        raise ValueError(
            "`model` must be built. Received: one that is not. Call it once on some inputs."
        )
    if not random_layers(model):
        raise ValueError(
            f"`model` must have dropout. Received: {model.name!r}, which has none of a rate above 0; "
            "other noise is off, as at inference. Build one with dropout=0.2, say, or add "
            "keras.layers.Dropout or MCDropout."
        )
