"""What is wrong with a network, by the book's names: the rules and the advice."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import layers

from keras_recipes.diagnostics.activations import SATURATING
from keras_recipes.diagnostics.observed_layers import ObservedLayer
from keras_recipes.diagnostics.statistics import STATISTICS
from keras_recipes.diagnostics.thresholds import THRESHOLDS

ADDING = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D)  # all that a unit takes
ENOUGH = 128  # weights, of which the mean of squares hardly is a matter of chance
COLUMN = {name: column for column, name in enumerate(STATISTICS)}
ADVICE = {
    "vanishing gradients": 'Build with activation="elu" and kernel_initializer=None, which takes the '
    'one that goes with it, or with normalization="batch".',
    "exploding gradients": "Build with kernel_initializer=None, which takes the one that goes with "
    'the activation, with normalization="batch" or clipnorm=1.0; or lower learning_rate.',
    "dying ReLU": 'Build with activation="elu" or "leaky_relu", and lower learning_rate.',
    "saturated": 'Build with kernel_initializer=None and activation="elu", and with adapt_to=x_train '
    "or inputs of mean 0 and deviation 1.",
    "not self-normalizing": "Build with build_self_normalizing_dnn, kernel_initializer=None (LeCun) "
    "and adapt_to=x_train, or with inputs of mean 0 and deviation 1.",
    "output": "Build with the task of the targets, whose output fits them: that of "
    'task="regression" is linear.',
}


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a network.

    Args:
        name: `"vanishing gradients"`, `"exploding gradients"`, `"dying ReLU"`, `"saturated"` or
            `"not self-normalizing"`.
        layer: Name of the layer where it shows most.
        evidence: The number that was measured, against its threshold.
        advice: What mends it, by keywords of the builders.
    """

    name: str
    layer: str
    evidence: str
    advice: str

    def __str__(self) -> str:
        return f"{self.name} at {self.layer}: {self.evidence}. {self.advice}"


def find(
    observed: Sequence[ObservedLayer],
    statistics: np.ndarray,
    trained: bool = False,
    updated: bool = True,
) -> list[Finding]:
    """Returns what is wrong.

    Args:
        observed: The layers.
        statistics: Theirs, shape (layers, len(STATISTICS)).
        trained: Whether its weights are no longer as they were initialized, from where on SELU's
            fixed point and the size of the activations are left.
        updated: Whether the step was taken by the optimizer that the model was compiled with: of
            others the gradients by the kernels are not seen.
    """
    rows = [
        (each, dict(zip(STATISTICS, map(float, row), strict=True)))
        for each, row in zip(observed, statistics, strict=True)
    ]
    # A layer that took no part in the step has nothing to say.
    hidden = [
        (each, {**row, "size": math.hypot(row["activation_mean"], row["activation_std"])})
        for each, row in rows
        if each.hidden and any(row.values())
    ]
    found = [
        *_not_finite(rows), *_flow(hidden, trained), *_too_fast(hidden), *_dying(rows),
        *_saturated(hidden), *_selu(hidden, trained),
    ] or list(_blocked(rows) if updated else ())  # fmt: skip
    return [
        Finding(name, layer.name, evidence, _advice(name, layer)) for name, layer, evidence in found
    ]


Rows = list[tuple[ObservedLayer, dict[str, float]]]
Found = Iterator[tuple[str, ObservedLayer, str]]


def _advice(name: str, layer: ObservedLayer) -> str:
    return ADVICE[name if layer.hidden or name == "exploding gradients" else "output"]


def _limit(name: str) -> float:
    return float(np.float32(THRESHOLDS[name].value))  # as the statistics are: 0.8 is not above it


def _not_finite(rows: Rows) -> Found:
    for layer, row in rows:
        bad = [name for name, value in row.items() if not np.isfinite(value)]
        if bad:
            yield "exploding gradients", layer, f"{', '.join(bad)} not finite"
            return


def _flow(hidden: Rows, trained: bool) -> Found:
    """How the gradient changes on its way back, and the signal on its way forward."""
    passed = [each for each in hidden if not each[0].weighs]
    gradient = _Way(passed[::-1], "signal_norm")
    size = _Way(passed, "size")
    for kind, way, pooled in (
        ("vanishing gradients", gradient, max(1.0, gradient.pooled)),
        ("exploding gradients", gradient, min(1.0, gradient.pooled)),
        ("exploding gradients", size, 1.0),
    ):
        vanishes = kind == "vanishing gradients"
        word, sign = ("vanishing", "below") if vanishes else ("exploding", "above")
        rate, total = _limit(f"{word} rate"), _limit(f"{word} factor")
        factor = way.factor * pooled
        each = factor ** (1 / max(1, way.steps))
        if (each < rate and factor < total) if vanishes else (each > rate and factor > total):
            yield (
                kind,
                way.end,
                f"{way.title} times {each:.3g} a layer, {factor:.2g} in all, {sign} {rate:g} and "
                f"{total:g}",
            )
            return
    if not trained:
        yield from _growth(hidden)


def _growth(hidden: Rows) -> Found:
    """The layer that multiplies the size of what it takes by most, where that is too much."""
    sizes: dict[str | None, float] = {layer.name: row["size"] for layer, row in hidden}
    # Below 1 it may be that of a bias, or the 0.5 of a sigmoid.
    factors = [
        (row["size"] / before, layer)
        for layer, row in hidden
        if layer.direct and 1 < row["size"] < np.inf and (before := sizes.get(layer.source))
    ]
    factor, layer = max(factors, key=lambda each: each[0], default=(0.0, None))
    if layer and factor > _limit("growth"):
        share = f"size of the activations times {factor:.3g} in one layer"
        yield "exploding gradients", layer, f"{share}, above {_limit('growth'):g}"


class _Way:
    """A number on its way through the layers that have it.

    What comes behind a layer of dead units is left out, for they explain it.
    """

    def __init__(self, rows: Rows, name: str) -> None:
        self.title = {"signal_norm": "gradient", "size": "size of the activations"}[name]
        rows = [(each, row) for each, row in rows if 0 < row[name] < np.inf]
        ratios = [
            after[name] / before[name]
            for (_, before), (_, after) in itertools.pairwise(rows)
            if before["dead"] <= _limit("dead")
        ]
        self.factor = math.prod(ratios)
        self.steps = len(ratios)
        self.pooled = 1.0
        if rows:
            start, self.end = rows[0][0], rows[-1][0]
            # A mean over positions divides the norm by up to the root of their number, and where
            # positions are repeated it grows by as much: neither is a fault.
            self.pooled = math.sqrt(self.end.positions / start.positions)


def _too_fast(hidden: Rows) -> Found:
    scaled = [each for each in hidden if not each[0].normalized]
    layer, row = max(scaled, key=lambda each: each[1]["update_ratio"], default=(None, {}))
    if layer and _limit("update") < row["update_ratio"] < np.inf:
        share = f"a step that changes its kernel by {row['update_ratio']:.2g} of its norm"
        yield "exploding gradients", layer, f"{share}, above {_limit('update'):g}"


def _dying(rows: Rows) -> Found:
    """The layers with dead units, but for those that take the same of every example from a dead one."""
    limit = _limit("dead")
    still: set[str | None] = set()  # layers that give the same for every example
    for layer, row in rows:
        if layer.source in still or row["dead"] == 1:
            still.add(layer.name)
        if layer.hidden and layer.source not in still and row["dead"] > limit:
            yield "dying ReLU", layer, f"{row['dead']:.0%} of its units dead, above {limit:.0%}"


def _saturated(hidden: Rows) -> Found:
    limit = _limit("saturated")
    for layer, row in hidden:
        if row["saturated"] > limit:
            share = f"{row['saturated']:.0%} of its activations saturated, above {limit:.0%}"
            yield "saturated", layer, share


def _selu(hidden: Rows, trained: bool) -> Found:
    """The first layer that leaves the neighbourhood of SELU's fixed point, or whose weights do."""
    limit, norm = _limit("trained mean" if trained else "mean"), _limit("weight norm")
    for number, (layer, row) in enumerate(hidden):
        if layer.activation != "selu":
            continue
        mean, deviation = row["activation_mean"], row["activation_std"]
        if not np.isfinite(mean + deviation):
            return  # an explosion explains it
        name = "later deviation" if number else "deviation"
        high = _limit("trained deviation" if trained else name)
        low = 1 / high
        evidence = None
        if not (low <= deviation <= high and abs(mean) <= limit):
            evidence = (
                f"mean {mean:.2f} and deviation {deviation:.2f} of its activations, outside of "
                f"+-{limit:g} and [{low:.2g}, {high:g}]"
            )
        elif not trained and _adds(layer) and row["weight_norm"] > norm:
            evidence = f"norm {row['weight_norm']:.3g} of its units' weights, above {norm:g}"
        if evidence:
            yield "not self-normalizing", layer, evidence
            return


def _adds(layer: ObservedLayer) -> bool:
    """Whether the norm of a unit's weights is what it multiplies by, and not a matter of chance."""
    return isinstance(layer.layer, ADDING) and math.prod(layer.kernel.shape) >= ENOUGH


def _blocked(rows: Rows) -> Found:
    """The last layer past which no gradient comes, such as an output; others explain it by more."""
    for layer, row in reversed(rows):
        if row["signal_norm"] > 0 and row["gradient_norm"] == 0:
            dead = "relu" in layer.activation or row["dead"] > _limit("dead")
            flat = layer.activation in SATURATING or row["saturated"] > _limit("saturated")
            name = "saturated" if flat else "dying ReLU" if dead else "vanishing gradients"
            yield (
                name,
                layer,
                f"a gradient of {row['signal_norm']:.2g} at its activations and none at its kernel",
            )
            return


def as_table(observed: Sequence[ObservedLayer], statistics: Any) -> str:
    """Returns the statistics as a table of text, a line for each layer."""
    header = [
        "layer", "activation", "mean", "std", "dead", "saturated", "signal", "gradient", "update",
    ]  # fmt: skip
    lines = [header] + [
        [
            each.name, each.activation, f"{row[0]:.3g}", f"{row[1]:.3g}", f"{row[2]:.0%}",
            f"{row[3]:.0%}", f"{row[4]:.2g}", f"{row[5]:.2g}", f"{row[6]:.2g}",
        ]
        for each, row in zip(observed, np.asarray(statistics), strict=True)
    ]  # fmt: skip
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
