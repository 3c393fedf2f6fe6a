"""What a search found: the best trials, a CSV of all, a Markdown report with its plots."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table

from keras_recipes.checkpoints import write_atomically
from keras_recipes.extras import import_extra

SCORE = "val_loss"
ENOUGH = 10  # completed trials from which on importances say something
SHOWN = 8  # hyperparameters in the plot of importances


@dataclass(frozen=True)
class Results:
    """The trials of a search, a row each: `trial`, `status`, `val_...`, `reason`, hyperparameters.

    Args:
        table: The rows, in the order of the trials.
        hyperparameters: The names of the hyperparameters that vary.
        notes: Lines of the report: what was tested, and beside what.
    """

    table: pd.DataFrame
    hyperparameters: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, trials: Sequence[Any], notes: Sequence[str] = ()) -> "Results":
        """Returns those of keras-tuner's trials."""
        rows = [_row(trial) for trial in sorted(trials, key=lambda each: each.trial_id)]
        table = pd.DataFrame(rows)
        names = {name for trial in trials for name in trial.hyperparameters.values}
        varied = sorted(name for name in names if table[name].nunique(dropna=False) > 1)
        return cls(table, tuple(varied), tuple(notes))

    @property
    def completed(self) -> pd.DataFrame:
        """The rows of the trials that ended with a score."""
        return self.table[self.table["status"] == "COMPLETED"]

    def best(self, count: int) -> pd.DataFrame:
        """Returns the rows of the best trials, the best first."""
        return self.completed.sort_values(SCORE, kind="stable").head(count)

    def rich_table(self, count: int = 5) -> Table:
        """Returns the best trials for the terminal."""
        table = Table(title=f"The best {min(count, len(self.completed))}", box=box.ROUNDED)
        table.add_column("trial")
        metrics = self._metrics()
        for name in metrics:
            table.add_column(name, justify="right")
        table.add_column("hyperparameters that were searched")
        for _, row in self.best(count).iterrows():
            table.add_row(
                row["trial"], *(f"{row[name]:.5g}" for name in metrics), self._values(row)
            )
        return table

    def importances(self) -> dict[str, float]:
        """How much each hyperparameter has to do with the score: shares that sum to 1.

        Permutation importances of a random forest over the completed trials; none for a few.
        """
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.inspection import permutation_importance

        rows = self.completed
        if len(rows) < ENOUGH or not self.hyperparameters:
            return {}
        x = np.column_stack([_codes(rows[name]) for name in self.hyperparameters])
        y = rows[SCORE].rank().to_numpy()  # a trial that diverged is one bad trial, and no more
        forest = RandomForestRegressor(200, random_state=0).fit(x, y)
        found = permutation_importance(forest, x, y, n_repeats=20, random_state=0).importances_mean
        shares = np.maximum(found, 0) / max(np.maximum(found, 0).sum(), 1e-12)
        pairs = zip(self.hyperparameters, map(float, shares), strict=True)
        return dict(sorted(pairs, key=lambda pair: -pair[1]))

    def write(self, run_dir: Path) -> Path:
        """Writes `results.csv`, `report.md` and, with the extra `plot`, its figures.

        Returns:
            The path of the report.
        """
        write_atomically(run_dir / "results.csv", self.table.to_csv(index=False).encode())
        parts = ["# Search", *self.notes, _markdown(self._best_for_markdown())]
        parts += [f"![{name}]({name}.png)" for name in self._draw(run_dir)]
        failed = self.table[self.table["status"] == "FAILED"]
        if len(failed):
            parts += ["## Trials that failed", _markdown(failed[["trial", "reason"]])]
        path = run_dir / "report.md"
        write_atomically(path, ("\n\n".join(parts) + "\n").encode())
        return path

    def _best_for_markdown(self) -> pd.DataFrame:
        best = self.best(5)
        shown = best[["trial", *self._metrics()]].map(
            lambda cell: f"{cell:.5g}" if isinstance(cell, float) else cell
        )
        return shown.assign(hyperparameters=[self._values(row) for _, row in best.iterrows()])

    def _metrics(self) -> list[str]:
        return [name for name in self.table if name.startswith("val_")]

    def _values(self, row: pd.Series) -> str:
        pairs = [(name, row[name]) for name in self.hyperparameters if pd.notna(row[name])]
        return ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in pairs
        )

    def _draw(self, run_dir: Path) -> list[str]:
        try:
            pyplot = import_extra("matplotlib.pyplot", "plot")
        except ImportError:
            return []
        pyplot.switch_backend("agg")
        drawn = []
        if len(self.completed):
            _, ax = pyplot.subplots(figsize=(7, 4), layout="constrained")
            draw_scores(ax, self.completed)
            drawn.append("scores")
            ax.figure.savefig(run_dir / "scores.png", dpi=80)
        if shares := self.importances():
            _, ax = pyplot.subplots(figsize=(7, 4), layout="constrained")
            top = dict(list(shares.items())[:SHOWN])
            ax.barh(list(top)[::-1], list(top.values())[::-1])
            ax.set(xlabel="share of importance", title="What the score depends on")
            drawn.append("importances")
            ax.figure.savefig(run_dir / "importances.png", dpi=80)
        pyplot.close("all")
        return drawn


def draw_scores(ax: Any, rows: pd.DataFrame) -> None:
    """Draws the score of each trial, and the best one so far."""
    numbers = np.arange(1, len(rows) + 1)
    ax.plot(numbers, rows[SCORE], "o", color="C0", alpha=0.5, label="a trial")
    ax.plot(numbers, np.minimum.accumulate(rows[SCORE]), color="C1", label="the best so far")
    ax.set(xlabel="trials", ylabel=SCORE, title="Search", yscale="log")
    ax.grid(alpha=0.3)
    ax.legend()


def _row(trial: Any) -> dict[str, Any]:
    metrics = {name: trial.metrics.get_best_value(name) for name in trial.metrics.metrics}
    lines = (trial.message or "").strip().splitlines()
    return {
        "trial": trial.trial_id,
        "status": trial.status,
        **metrics,
        **trial.hyperparameters.values,
        "reason": lines[-1] if lines else "",
    }


def _codes(column: pd.Series) -> np.ndarray:
    """Numbers as they are, names as their places; -1 for none."""
    if pd.api.types.is_numeric_dtype(column):
        return column.fillna(-1).to_numpy(float)
    return pd.Categorical(column).codes.astype(float)


def _markdown(rows: pd.DataFrame) -> str:
    lines = [list(rows), ["---"] * len(rows.columns), *rows.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
