"""The figure of a loss by epoch: a line for each of the trainings that are compared."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

COLOURS = 10  # after which Matplotlib's repeat
ROOM = 4.0  # how many times as high as the median of its lines a figure of losses is at most


def draw_losses(
    axes: Any, histories: Mapping[str, Sequence[Mapping]], key: str, title: str
) -> None:
    """Draws the median over the seeds; lines that are one are drawn and named as one.

    What diverged, and what lies far above the others, is named and not drawn.

    Args:
        axes: Matplotlib axes.
        histories: What was trained, a history for each seed.
        key: The loss or the learning rate, as the histories call it.
        title: Of the legend.
    """
    lines = {name: median(several, key) for name, several in histories.items()}
    highest = [line.max() for line in lines.values() if line.size]
    top = ROOM * float(np.median(highest)) if key.endswith("loss") else math.inf
    for index, (name, line) in enumerate(merged(lines).items()):
        if not line.size:
            name = f"{name}: diverged"
        elif line.min() > top:
            name, line = f"{name}: from {line.min():.2g} up", line[:0]
        style = ("-", "--", ":")[index // COLOURS % 3]
        axes.plot(range(1, len(line) + 1), line, style, label=name)
    axes.set(xlabel="epoch", ylabel=key.replace("val_", "validation ").replace("_", " "))
    _scale(axes, top)
    axes.legend(
        title=title, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5)
    )  # beside the lines


def median(histories: Sequence[Mapping], key: str) -> np.ndarray:
    """Returns the median by epoch, as far as all have come; empty where none has any."""
    losses = [history[key] for history in histories if key in history]
    shortest = min(map(len, losses), default=0)
    return np.median([loss[:shortest] for loss in losses], axis=0) if shortest else np.array([])


def merged(lines: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the lines without repetition, named by all whose line it is."""
    names: dict[bytes, list[str]] = {}
    for name, line in lines.items():
        names.setdefault(line.tobytes(), []).append(name)
    return {", ".join(several): lines[several[0]] for several in names.values()}


def _scale(axes: Any, top: float) -> None:
    """A logarithmic scale with ticks that are numbers, however small its range."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.set(yscale="log")
    axes.set_ylim(top=min(axes.get_ylim()[1], top))
    low, high = axes.get_ylim()
    steps = (1.0, 2.0, 5.0) if high > 10 * low else tuple(np.arange(1.0, 10.0))
    locator = LogLocator(subs=steps, numticks=20)
    ticks = [tick for tick in locator.tick_values(low, high) if low <= tick <= high]
    axes.yaxis.set_major_locator(locator if len(ticks) > 1 else MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.get_major_locator().set_params(integer=True)
