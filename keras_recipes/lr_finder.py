"""The learning-rate range test: at which rates a model learns, and from which on it diverges."""

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops, tree
from keras.optimizers.schedules import ExponentialDecay

from keras_recipes.arrays import Examples, prepare
from keras_recipes.checks import check_compiled, check_integer, check_number
from keras_recipes.extras import import_extra
from keras_recipes.graph_loops import RecordingLoop, can_loop
from keras_recipes.in_step import undo_interrupted
from keras_recipes.model_state import as_it_was
from keras_recipes.optimizers import SGD
from keras_recipes.optimizers.following import (
    can_follow_momentum,
    follow,
    innermost,
    steps_taken,
)
from keras_recipes.schedules import Delayed, OneCycleMomentum

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LearningRateCurve", "find_learning_rate"]

PER_LOOK = 10  # steps, after which it looks whether the loss has diverged
SMOOTHING = 0.9  # weight of the past in the moving average of the losses
DIVERGED = 4.0  # times the lowest average so far; Smith's and fastai's tests stop there, too
LEARNED = 0.01  # times the highest average: with so little left to learn no rate makes it diverge
MARGIN = 10.0  # between the rate that diverged and one to train with, as Geron has it


@dataclass(frozen=True)
class LearningRateCurve:
    """What a learning-rate range test saw.

    Args:
        learning_rates: The rate of each step, shape (steps,).
        losses: The loss of each step's batch before its update, shape (steps,).
        suggestion: A peak for 1cycle, from the rate at which the loss diverged, or vanished.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    suggestion: float

    @property
    def smoothed_losses(self) -> np.ndarray:
        """The moving average of the losses over ten steps or so, shape (steps,)."""
        return _smooth(self.losses)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws the losses over the rates, with the suggestion; needs the extra `plot`.

        Args:
            ax: Matplotlib axes to draw on; None for new ones.

        Returns:
            The axes.
        """
        if ax is None:
            ax = import_extra("matplotlib.pyplot", "plot").subplots()[1]
        ax.plot(self.learning_rates, self.losses, color="C0", alpha=0.3, label="each step")
        ax.plot(self.learning_rates, self.smoothed_losses, color="C0", label="moving average")
        ax.axvline(
            self.suggestion, color="C1", linestyle="--", label=f"suggestion: {self.suggestion:.2g}"
        )
        ax.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="loss")
        ax.legend()
        return ax


def find_learning_rate(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    batch_size: int = 32,
    min_rate: float = 1e-5,
    max_rate: float = 10.0,
    steps: int = 300,
) -> LearningRateCurve:
    """Trains for some steps with a rate that grows, and says what peak 1cycle can take.

    The rate grows exponentially from `min_rate` to `max_rate`, until the moving average of the
    losses is four times its lowest value or a loss is not finite. A tenth of the rate there is
    suggested; where 1cycle will lower a momentum of m to 0.85 at its peak, (1 - 0.85) / (1 - m)
    times as much, as the steps of SGD grow with rate / (1 - momentum). Where the average falls below
    1% of its highest value first, the network has learned small data by heart, and would not diverge
    at any rate: the rate there is suggested, which has trained it well. At more or fewer steps for
    each decade of rates than the default's 50 the loss diverges at a lower or a higher rate.
    Afterwards the weights, the optimizer and the random seeds are as they were.

    Args:
        model: A compiled `keras.Model`.
        x: Inputs: an array, a `tf.data.Dataset` or a `PyDataset` that yields batches of (x, y).
        y: Targets, where x is an array.
        sample_weight: A weight for each example, where x is an array.
        batch_size: Examples a step, at least 1, where x is an array: that of the training.
        min_rate: Rate of the first step, > 0.
        max_rate: Rate of the last step, > `min_rate`.
        steps: Steps in all, at least 20.

    Returns:
        A `LearningRateCurve`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If one is out of range, or the data do not fit the model or are not finite.
        FloatingPointError: If the loss is not finite at the lowest rate already.

    Example:
        >>> curve = find_learning_rate(model, x_train, y_train)
        >>> history = fit(model, x_train, y_train, max_learning_rate=curve.suggestion)

    Reference: Smith, *Cyclical Learning Rates for Training Neural Networks* (2017),
    https://arxiv.org/abs/1506.01186; Geron, *Hands-On Machine Learning*, 2nd ed. (2019), chapter 11,
    for the tenth.
    """
    check_compiled(model)
    undo_interrupted(model)
    check_integer("batch_size", batch_size, "[1, inf)")
    check_number("min_rate", min_rate, "(0, inf)")
    check_number("max_rate", max_rate, f"({min_rate}, inf)")
    check_integer("steps", steps, "[20, inf)")
    examples, _ = prepare(model, x, y, sample_weight, None, 0.0, batch_size)
    growth = max_rate / min_rate
    with as_it_was(model, next(_batches(examples))):
        sweep = ExponentialDecay(min_rate, steps - 1, growth)
        losses = _losses_until_divergence(model, examples, sweep, steps)
    rates = min_rate * growth ** (np.arange(len(losses)) / (steps - 1))
    return LearningRateCurve(rates, losses, _suggestion(model, rates, losses))


def _losses_until_divergence(
    model: keras.Model, examples: Examples, sweep: Any, steps: int
) -> np.ndarray:
    undo = follow(model.optimizer, Delayed(sweep, steps_taken(model.optimizer)))
    losses = np.empty(0)
    run = _losses_in_graph if can_loop(model, examples) else _losses_by_batch
    try:
        for more in run(model, examples, steps):
            losses = np.append(losses, more)
            if (_diverged(losses) | _learned(losses)).any():
                break
    finally:
        undo()
    return losses


def _losses_in_graph(model: keras.Model, examples: Examples, steps: int) -> Iterator[np.ndarray]:
    loop = RecordingLoop(model, examples)
    batches = _batches_of_rows(examples)
    for start in range(0, steps, PER_LOOK):
        count = min(PER_LOOK, steps - start)
        yield loop.run(np.stack(list(itertools.islice(batches, count))))


def _losses_by_batch(model: keras.Model, examples: Examples, steps: int) -> Iterator[float]:
    model.make_train_function(force=True)  # one with the rate that grows
    for batch in itertools.islice(_batches(examples), steps):
        model.reset_metrics()
        yield model.train_on_batch(*batch, return_dict=True)["loss"]
    model.make_train_function(force=True)


def _batches(examples: Examples) -> Iterator[Any]:
    """Batches without end."""
    if examples.batch_size:
        yield from (_take(examples, rows) for rows in _batches_of_rows(examples))
    while isinstance(examples.x, keras.utils.PyDataset):
        yield from (examples.x[i] for i in range(examples.steps))
    while True:
        yield from examples.x


def _batches_of_rows(examples: Examples) -> Iterator[np.ndarray]:
    """Indices of whole batches, shuffled in each pass, without end."""
    rng = np.random.default_rng(0)
    size = min(examples.batch_size, examples.count)
    whole = examples.count // size
    while True:
        yield from rng.permutation(examples.count)[: whole * size].reshape(whole, size)


def _take(examples: Examples, rows: np.ndarray) -> Any:
    parts = (examples.x, examples.y, examples.sample_weight)
    return tree.map_structure(lambda each: None if each is None else each[rows], parts)


def _suggestion(model: keras.Model, rates: np.ndarray, losses: np.ndarray) -> float:
    if _learned(losses).any() and not _diverged(losses).any():
        return float(rates[_learned(losses).argmax()])
    return _diverging_rate(rates, losses) / MARGIN * _gain_at_peak(model.optimizer)


def _diverging_rate(rates: np.ndarray, losses: np.ndarray) -> float:
    diverged = np.flatnonzero(_diverged(losses))
    if not diverged.size:
        warnings.warn(
            f"The loss did not diverge up to the rate {rates[-1]:.3g}, which is taken for the one "
            "where it does. Pass a larger max_rate.",
            stacklevel=3,
        )
        return float(rates[-1])
    if diverged[0] == 0:
        raise FloatingPointError(
            f"The loss must be finite at the lowest rate. Received: {losses[0]} in the first step. "
            "Look at the data, or standardize them: build the model with adapt_to=x_train."
        )
    return float(rates[diverged[0]])


def _gain_at_peak(optimizer: keras.Optimizer) -> float:
    """How many times smaller the steps are at the peak of 1cycle, by its lower momentum."""
    optimizer = innermost(optimizer)
    if not isinstance(optimizer, SGD) or not can_follow_momentum(optimizer):
        return 1.0  # the steps of Adam and its kin do not grow with their momentum
    momentum = ops.convert_to_numpy(optimizer.momentum)
    return float((1 - OneCycleMomentum(1).min_momentum) / (1 - momentum))


def _diverged(losses: np.ndarray) -> np.ndarray:
    """For each step, whether the loss has diverged by then."""
    smoothed = _smooth(losses)
    lowest = np.minimum.accumulate(smoothed)
    return ~np.isfinite(smoothed) | (smoothed > DIVERGED * lowest)


def _learned(losses: np.ndarray) -> np.ndarray:
    """For each step, whether next to nothing is left of the loss."""
    smoothed = _smooth(losses)
    return smoothed < LEARNED * np.maximum.accumulate(smoothed)


def _smooth(losses: np.ndarray) -> np.ndarray:
    average, smoothed = 0.0, np.empty(len(losses))
    for step, loss in enumerate(losses):
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        smoothed[step] = average / (1 - SMOOTHING ** (step + 1))  # it began at 0
    return smoothed
