"""The figures of a search's report."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from keras_recipes.extras import import_extra
from tuner.results import Results
from tuner.study import OBJECTIVE

FIGURES = ("scores", "importances")
SHOWN = 8  # hyperparameters in the plot of importances
DPI = 80


def draw(results: Results, run_dir: Path) -> None:
    """Draws the scores and, of enough trials, the importances; warns without the extra `plot`.

    Args:
        results: Of a search.
        run_dir: Where the figures go.
    """
    try:
        pyplot = import_extra("matplotlib.pyplot", "plot")
    except ImportError as error:
        warnings.warn(f"The report is without figures: {error}.", stacklevel=2)
        return
    pyplot.switch_backend("agg")
    drawings = {}
    if len(results.completed):
        drawings["scores"] = lambda ax: draw_scores(ax, results.completed)
    if shares := results.importances():
        drawings["importances"] = lambda ax: draw_importances(ax, shares)
    for name, drawing in drawings.items():
        figure, ax = pyplot.subplots(figsize=(7, 4), layout="constrained")
        drawing(ax)
        figure.savefig(run_dir / f"{name}.png", dpi=DPI)
        pyplot.close(figure)


def draw_scores(ax: Any, rows: pd.DataFrame) -> None:
    """Draws the score of each trial, and the best one so far."""
    numbers = np.arange(1, len(rows) + 1)
    ax.plot(numbers, rows[OBJECTIVE], "o", color="C0", alpha=0.5, label="a trial")
    ax.plot(numbers, np.minimum.accumulate(rows[OBJECTIVE]), color="C1", label="the best so far")
    ax.set(xlabel="completed trials, in the order in which they began", ylabel=OBJECTIVE)
    ax.set(title="Search", yscale="log")
    ax.grid(alpha=0.3)
    ax.legend()


def draw_importances(ax: Any, shares: dict[str, float]) -> None:
    """Draws the share of each hyperparameter, the largest on top."""
    top = dict(list(shares.items())[:SHOWN])
    ax.barh(list(top)[::-1], list(top.values())[::-1])
    ax.set(xlabel="share of importance", title="What the score depends on")
