"""What a search found, as its run directory has it: all trials, how it was run, what was tested."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from keras_tuner.engine.trial import Trial
from rich import box
from rich.table import Table

from tuner.json_files import read_json, write_json
from tuner.oracles import MEASURED, STOPPED
from tuner.reasons import reason_of
from tuner.study import HISTORY, OBJECTIVE, PROJECT

FINDINGS = "results.json"  # beside the trials: what was tested, how, and what was remarked
OF_HYPERBAND = "tuner/"  # begins what it keeps among the hyperparameters for itself
ENOUGH = 10  # trained trials from which on importances say something
REPEATS = 20  # of each shuffled column


@dataclass(frozen=True)
class Results:
    """The trials of a search, a row each, in the order in which they began.

    Args:
        table: `trial`, `status`, `val_...`, `epochs`, `seconds`, with several folds the `deviation` of
            their `val_loss`, with Hyperband `continues`, the trial that it went on with, the
            hyperparameters, and the `reason` of a failure.
        hyperparameters: The names of the hyperparameters that vary.
        flags: What the search was started with.
        findings: What `keep` kept.
    """

    table: pd.DataFrame
    hyperparameters: tuple[str, ...]
    flags: dict[str, Any] = field(default_factory=dict)
    findings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, run_dir: Path) -> "Results":
        """Returns those of a run directory, of a search that still runs too."""
        project = run_dir / PROJECT
        began = (read_json(project / "oracle.json") or {}).get("start_order", [])
        directories = [project / f"trial_{name}" for name in began]
        states = [(each, read_json(each / "trial.json")) for each in directories]
        table, names = _table([_row(Trial.from_state(state), at) for at, state in states if state])
        varied = sorted(name for name in names if table[name].nunique(dropna=False) > 1)
        flags, findings = (read_json(run_dir / name) or {} for name in ("run.json", FINDINGS))
        return cls(table, tuple(varied), flags, findings)

    @property
    def completed(self) -> pd.DataFrame:
        """The rows of the trials that ended with a score."""
        return self.table[self.table["status"] == "COMPLETED"]

    @property
    def trained(self) -> pd.DataFrame:
        """The rows of the trials that were completed or stopped early."""
        return self.table[self.table["status"].isin(MEASURED)]

    @property
    def failed(self) -> pd.DataFrame:
        """The rows of the trials that ended without one."""
        return self.table[self.table["status"] == "FAILED"]

    @property
    def metrics(self) -> list[str]:
        """The names of the columns that judge a trial."""
        return [name for name in self.table if name.startswith("val_")]

    def best(self, count: int = 5) -> pd.DataFrame:
        """Returns the best trials, the best first, as text: metrics, epochs, hyperparameters."""
        rows = self.completed.sort_values(OBJECTIVE, kind="stable").head(count)
        columns = ["trial", *self.metrics, *(["epochs"] if rows["epochs"].notna().any() else [])]
        shown = rows[columns].map(_text)
        return shown.assign(hyperparameters=[self._values(row) for _, row in rows.iterrows()])

    def rich_table(self, count: int = 5) -> Table:
        """Returns the best trials for the terminal."""
        rows = self.best(count)
        table = Table(title=f"The best {len(rows)}", box=box.ROUNDED)
        for name in rows:
            table.add_column(
                name, justify="left" if name in ("trial", "hyperparameters") else "right"
            )
        for row in rows.to_numpy():
            table.add_row(*row)
        return table

    def importances(self) -> dict[str, float]:
        """How much each hyperparameter has to do with the score: shares that sum to 1.

        Permutation importances of a random forest over the trained trials, those that were stopped
        early ranking last; none for a few.
        """
        from sklearn.ensemble import RandomForestRegressor

        rows = self.trained
        if len(rows) < ENOUGH or not self.hyperparameters:
            return {}
        x = np.column_stack([_codes(rows[name]) for name in self.hyperparameters])
        scores = rows[OBJECTIVE].where(rows["status"] != STOPPED)
        # A trial that diverged is one bad trial, and no more.
        y = scores.rank(na_option="bottom").to_numpy()
        forest = RandomForestRegressor(200, random_state=0).fit(x, y)
        found = np.maximum(_permutation_importances(forest, x, y), 0)
        shares = found / max(found.sum(), 1e-12)
        pairs = zip(self.hyperparameters, map(float, shares), strict=True)
        return dict(sorted(pairs, key=lambda pair: -pair[1]))

    def _values(self, row: pd.Series) -> str:
        pairs = [(name, row[name]) for name in self.hyperparameters if pd.notna(row[name])]
        return ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in pairs
        )


def _permutation_importances(forest: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What the error grows by where a column is shuffled. scikit-learn predicts once for each time."""
    columns = x.shape[1]
    shuffled = np.tile(x, (columns, REPEATS, 1, 1))  # of each column some tables
    numbers = np.random.default_rng(0)
    for column in range(columns):
        values = shuffled[column, :, :, column]
        shuffled[column, :, :, column] = numbers.permuted(values, axis=1)
    found = forest.predict(shuffled.reshape(-1, columns)).reshape(columns, -1, len(y))
    return ((found - y) ** 2).mean((1, 2)) - ((forest.predict(x) - y) ** 2).mean()


def keep(run_dir: Path, **findings: Any) -> dict[str, Any]:
    """Keeps what was found out beside the trials; what was kept under other names stays.

    Args:
        run_dir: Of the search.
        **findings: As JSON; a dictionary is added to the one before.

    Returns:
        All that is kept now.
    """
    kept = read_json(run_dir / FINDINGS) or {}
    for name, value in findings.items():
        kept[name] = {**kept.get(name, {}), **value} if isinstance(value, dict) else value
    write_json(run_dir / FINDINGS, kept)
    return kept


def hyperparameters_of(trial: Trial) -> dict[str, Any]:
    """Returns the hyperparameters of a trial, without what Hyperband keeps among them."""
    values = trial.hyperparameters.values
    return {name: each for name, each in values.items() if not name.startswith(OF_HYPERBAND)}


def _row(trial: Trial, directory: Path) -> dict[str, dict[str, Any]]:
    values = trial.hyperparameters.values
    kept = read_json(directory / HISTORY) or {}
    told: dict[str, Any] = {n: kept[n] for n in ("seconds", "deviation") if n in kept}
    if "history" in kept:
        told["epochs"] = values.get("tuner/initial_epoch", 0) + len(kept["history"]["loss"])
    if values.get("tuner/trial_id"):
        told["continues"] = values["tuner/trial_id"]
    metrics = {name: trial.metrics.get_best_value(name) for name in trial.metrics.metrics}
    return {
        "trial": {"trial": trial.trial_id, "status": trial.status},
        "metrics": metrics,
        "training": told,
        "hyperparameters": hyperparameters_of(trial),
        "failure": {"reason": reason_of(trial.message)},
    }


def _table(rows: Sequence[dict[str, dict[str, Any]]]) -> tuple[pd.DataFrame, list[str]]:
    """Returns a table with the columns of each kind together, and the names of hyperparameters."""
    names = {
        "trial": ["trial", "status"], "metrics": [OBJECTIVE], "training": ["epochs", "seconds"],
        "hyperparameters": [], "failure": ["reason"],
    }  # fmt: skip
    columns = [
        name
        for kind, first in names.items()
        for name in dict.fromkeys([*first, *(each for row in rows for each in row[kind])])
    ]
    cells = [{name: value for part in row.values() for name, value in part.items()} for row in rows]
    table = pd.DataFrame(cells, columns=columns).astype({"epochs": "Int64"})
    return table, list(dict.fromkeys(name for row in rows for name in row["hyperparameters"]))


def _text(cell: Any) -> str:
    return f"{cell:.5g}" if isinstance(cell, float) else str(cell)


def _codes(column: pd.Series) -> np.ndarray:
    """Numbers as they are, names as their places; -1 for none."""
    if pd.api.types.is_numeric_dtype(column):
        return column.fillna(-1).to_numpy(float)
    return pd.Categorical(column).codes.astype(float)
