"""The four algorithms of a search: keras-tuner's, made dependable."""

import copy
import functools
import statistics
import warnings
from typing import Any

import numpy as np
from keras_tuner.engine.trial import Trial
from keras_tuner.oracles import (
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
    RandomSearchOracle,
)
from sklearn.exceptions import ConvergenceWarning

from tuner.oracles import STOPPED, Dependable

TRIALS = 12  # of a search that says nothing else
RANDOM_FIRST = 6  # trials before a Gaussian process suggests any; keras-tuner: 3 a dimension


class _Limit(int):
    """A number of trials. keras-tuner pads their names to as many digits as its text has."""

    def __str__(self) -> str:
        return f"{int(self):04d}"


class _Random(Dependable, RandomSearchOracle):
    pass


class _Bayesian(Dependable, BayesianOptimizationOracle):
    def populate_space(self, trial_id: str) -> dict[str, Any]:
        self.num_initial_points = RANDOM_FIRST
        as_they_are, self.trials = self.trials, self._as_completed()
        try:
            with warnings.catch_warnings():  # of a process that has seen little
                warnings.simplefilter("ignore", ConvergenceWarning)
                return super().populate_space(trial_id)
        finally:
            self.trials = as_they_are

    def _as_completed(self) -> dict[str, Trial]:
        """The trials, those that were stopped with a score: the median, or their loss if it is worse."""
        scores = [each.score for each in self.trials.values() if each.status == "COMPLETED"]
        trials = dict(self.trials)
        for name, trial in self.trials.items():
            if trial.status == STOPPED:
                loss = trial.metrics.get_best_value(self.objective.name)
                trials[name] = copy.copy(trial)
                trials[name].status = "COMPLETED"
                trials[name].score = max(loss, statistics.median(scores or [loss]))
        return trials


class _Hyperband(Dependable, HyperbandOracle):
    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if self.trials:
            return super().populate_space(trial_id)
        # The default is trained to its end: what is left of the halving could be worse.
        whole = {"epochs": self.max_epochs, "initial_epoch": 0, "bracket": 0, "round": 0}
        values = (self._random_values() or {}) | {f"tuner/{key}": n for key, n in whole.items()}
        return {"status": "RUNNING", "values": values}

    def trials_of_an_iteration(self) -> int:
        """Returns how many there are with the default and all brackets once."""
        brackets = range(self._get_num_brackets())
        return 1 + sum(self._get_size(each, turn) for each in brackets for turn in range(each + 1))


class _Grid(Dependable, GridSearchOracle):
    def reload(self) -> None:
        super().reload()
        ordered = sorted(self.trials, key=functools.cmp_to_key(self._compare_trials))
        for before, name in zip([None, *ordered], ordered, strict=False):
            self._ordered_ids.insert(name, before)
        self._populate_next = list(self.start_order)

    def _compare_trials(self, one: str, other: str) -> int:
        values = [self.trials[name].hyperparameters.values for name in (one, other)]
        return self._compare(*values)


ALGORITHMS = {"random": _Random, "hyperband": _Hyperband, "bayesian": _Bayesian, "grid": _Grid}


def make_oracle(
    algorithm: str,
    objective: str,
    max_trials: int | None,
    epochs: int,
    seed: int,
    max_failures: int,
) -> Dependable:
    """Returns what suggests the trials of a search.

    Args:
        algorithm: A key of `ALGORITHMS`.
        objective: What to optimize, such as `"val_loss"`.
        max_trials: Trials at most; None for `TRIALS`, of Hyperband for all that it has once.
        epochs: Epochs of a trial, for Hyperband of the longest.
        seed: Of the suggestions.
        max_failures: Failures in a row that end the search.
    """
    own = {"max_epochs": epochs} if algorithm == "hyperband" else {"max_trials": TRIALS}
    oracle: Dependable = ALGORITHMS[algorithm](
        objective=objective,
        # keras-tuner counts on from a seed with each number that it draws, and takes 0 for none.
        seed=1 + int(np.random.SeedSequence(seed).generate_state(1)[0]) % 2**31,
        max_consecutive_failed_trials=max_failures,
        **own,
    )
    if isinstance(oracle, _Hyperband):  # which has no argument for it
        oracle.max_trials = oracle.trials_of_an_iteration()
    oracle.max_trials = _Limit(max_trials or oracle.max_trials)
    oracle.verbose = 0
    return oracle
