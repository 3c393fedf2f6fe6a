"""What is wrong with a network, by the book's names: the thresholds, the rules and the advice."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_recipes.diagnostics.activations import SATURATING
from keras_recipes.diagnostics.observed_layers import ObservedLayer
from keras_recipes.diagnostics.statistics import STATISTICS

COLUMN = {name: column for column, name in enumerate(STATISTICS)}


@dataclass(frozen=True)
class Threshold:
    """A number from which on something is wrong, and why it is this one."""

    value: float
    reason: str


# Healthy here: ELU or ReLU with He, SELU with LeCun, and batch-normalized networks of 2 to 50 layers
# as they are initialized, ten of each; benchmarks/results/diagnosis.md has what they show.
THRESHOLDS = {
    "vanishing rate": Threshold(
        0.75, "Factor a layer. Sigmoids have at most 0.25 (their slope); healthy networks over 0.9."
    ),
    "vanishing factor": Threshold(
        1e-2, "From the last hidden layer to the first: less is no obstacle to learning."
    ),
    "exploding rate": Threshold(
        1.5,
        "Factor a layer. Batch-normalized ReLU has 1.21 by nature (Yang et al., 2019, "
        "arXiv:1902.08129), which it bears; weights of twice He's deviation have 2.",
    ),
    "exploding factor": Threshold(
        1e2, "From the last hidden layer to the first, or of the activations forward."
    ),
    "dead": Threshold(
        0.8,
        "Share of a layer's units. In healthy ReLU networks of 50 layers it comes to over half by "
        "chance, as their signals grow alike.",
    ),
    "saturated": Threshold(
        0.5, "Share of a layer's activations: most of them hardly pass a gradient."
    ),
    "mean": Threshold(
        0.5,
        "SELU's fixed point is at 0, the theorem's domain within 0.1 (Klambauer et al., 2017, "
        "arXiv:1706.02515); trained networks come to 0.2.",
    ),
    "deviation": Threshold(
        1.25,
        "Factor from 1, SELU's fixed point, in the first layer: the theorem's domain ends at a "
        "variance of 1.5. He's weights give 1.3, inputs that are not scaled far more.",
    ),
    "later deviation": Threshold(1.7, "Factor from 1 in later layers, in a network's first step."),
    "trained mean": Threshold(
        1.5, "After the first step: those of networks trained well, with dropout too, come to 0.9."
    ),
    "trained deviation": Threshold(
        4.0, "The same, factor from 1: those of networks trained well come to 3.2."
    ),
    "update": Threshold(
        0.5,
        "Of a kernel's norm, in one step: it keeps little of what was learned. A thousandth is "
        "usual, and networks trained well come to 0.05.",
    ),
}
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
    observed: Sequence[ObservedLayer], statistics: np.ndarray, trained: bool = False
) -> list[Finding]:
    """Returns what is wrong.

    Args:
        observed: The layers.
        statistics: Theirs, shape (layers, len(STATISTICS)).
        trained: Whether the network has taken steps, which lead away from SELU's fixed point.
    """
    rows = [
        (each, dict(zip(STATISTICS, map(float, row), strict=True)))
        for each, row in zip(observed, statistics, strict=True)
    ]
    # A layer that took no part in the step has nothing to say.
    hidden = [(each, row) for each, row in rows if each.hidden and any(row.values())]
    found = [
        *_not_finite(rows), *_flow(hidden), *_too_fast(hidden), *_dying(hidden), *_saturated(hidden),
        *_selu(hidden, trained),
    ] or list(_blocked(rows))  # fmt: skip
    return [
        Finding(name, layer.name, evidence, _advice(name, layer)) for name, layer, evidence in found
    ]


Rows = list[tuple[ObservedLayer, dict[str, float]]]
Found = Iterator[tuple[str, ObservedLayer, str]]


def _advice(name: str, layer: ObservedLayer) -> str:
    return ADVICE[name if layer.hidden or name == "exploding gradients" else "output"]


def _limit(name: str) -> float:
    return THRESHOLDS[name].value


def _not_finite(rows: Rows) -> Found:
    for layer, row in rows:
        bad = [name for name, value in row.items() if not np.isfinite(value)]
        if bad:
            yield "exploding gradients", layer, f"{', '.join(bad)} not finite"
            return


def _flow(hidden: Rows) -> Found:
    """How the gradient changes on its way back, and the signal on its way forward."""
    gradient = _Way(hidden[::-1], "signal_norm")
    spread = _Way(hidden, "activation_std")
    for kind, way, pooled in (
        ("vanishing gradients", gradient, max(1.0, gradient.pooled)),
        ("exploding gradients", gradient, min(1.0, gradient.pooled)),
        ("exploding gradients", spread, 1.0),
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


class _Way:
    """A number on its way through the layers that have it.

    What comes behind a layer of dead units is left out, for they explain it.
    """

    def __init__(self, rows: Rows, name: str) -> None:
        self.title = {"signal_norm": "gradient", "activation_std": "spread of the activations"}[
            name
        ]
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
    layer, row = max(hidden, key=lambda each: each[1]["update_ratio"], default=(None, {}))
    if layer and _limit("update") < row["update_ratio"] < np.inf:
        share = f"a step that changes its kernel by {row['update_ratio']:.2g} of its norm"
        yield "exploding gradients", layer, f"{share}, above {_limit('update'):g}"


def _dying(hidden: Rows) -> Found:
    limit = _limit("dead")
    for layer, row in hidden:
        if row["dead"] > limit:
            yield "dying ReLU", layer, f"{row['dead']:.0%} of its units dead, above {limit:.0%}"


def _saturated(hidden: Rows) -> Found:
    limit = _limit("saturated")
    for layer, row in hidden:
        if row["saturated"] > limit:
            share = f"{row['saturated']:.0%} of its activations saturated, above {limit:.0%}"
            yield "saturated", layer, share


def _selu(hidden: Rows, trained: bool) -> Found:
    """The first layer that leaves the neighbourhood of SELU's fixed point."""
    limit = _limit("trained mean" if trained else "mean")
    for number, (layer, row) in enumerate(hidden):
        mean, deviation = row["activation_mean"], row["activation_std"]
        name = "later deviation" if number else "deviation"
        high = _limit("trained deviation" if trained else name)
        low = 1 / high
        if layer.activation != "selu" or (low <= deviation <= high and abs(mean) <= limit):
            continue
        yield (
            "not self-normalizing",
            layer,
            f"mean {mean:.2f} and deviation {deviation:.2f} of its activations, outside of "
            f"+-{limit:g} and [{low:.2g}, {high:g}]",
        )
        return


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
