"""Algorithms: what each of them suggests."""

import json

import numpy as np
import pytest
from keras_tuner.engine.trial import Trial

from tests.tuner.test_oracles import all_values, make, reloaded, run, score
from tuner.algorithms import RANDOM_FIRST


def test_a_gaussian_process_goes_by_the_scores(tmp_path):
    def suggested(directory, algorithm, sign):
        oracle = make(tmp_path / directory, algorithm, max_trials=12)
        while (trial := oracle.create_trial("tuner0")).status != "STOPPED":
            metrics = {"val_loss": sign * score(trial.hyperparameters.values)}
            oracle.update_trial(trial.trial_id, metrics)
            oracle.end_trial(Trial(trial.hyperparameters, trial.trial_id, "COMPLETED"))
        return [each.hyperparameters.values for each in oracle.trials.values()]

    ours, other = suggested("one", "bayesian", 1), suggested("other", "bayesian", -1)
    first = RANDOM_FIRST
    assert ours[:first] == other[:first] == suggested("random", "random", 1)[:first]
    assert all(one != another for one, another in zip(ours[first:], other[first:], strict=True))
    middle = [np.mean([score(each) for each in part]) for part in (ours[:first], ours[first:])]
    assert middle[1] < middle[0]


def test_to_a_gaussian_process_what_was_stopped_is_no_better_than_the_median(tmp_path):
    def suggested(directory, status, loss):
        """The trial after six, the last of which ended so."""
        oracle = make(tmp_path / directory, "bayesian")
        for number in range(RANDOM_FIRST):
            trial = oracle.create_trial("tuner0")
            last = number == RANDOM_FIRST - 1
            oracle.update_trial(trial.trial_id, {"val_loss": loss if last else float(number)})
            oracle.end_trial(
                Trial(trial.hyperparameters, trial.trial_id, status if last else "COMPLETED")
            )
        oracle = reloaded(tmp_path / directory, "bayesian")
        return oracle.create_trial("tuner0").hyperparameters.values

    good = suggested("good", "STOPPED", -9.0)
    assert good == suggested("median", "COMPLETED", 2.0) != suggested("best", "COMPLETED", -9.0)
    assert suggested("bad", "STOPPED", 9.0) == suggested("worst", "COMPLETED", 9.0) != good


def test_a_larger_grid_goes_on_where_the_smaller_ended(tmp_path):
    small = make(tmp_path, "grid", max_trials=4)
    while run(small):
        pass
    larger = reloaded(tmp_path, "grid", max_trials=9)
    while run(larger):
        pass
    assert len(larger.trials) == 9
    values = [json.dumps(each) for each in all_values(larger).values()]
    assert len(set(values)) == 9


def test_hyperband_trains_the_default_to_its_end(tmp_path):
    oracle = make(tmp_path, "hyperband", max_trials=None)
    values = oracle.create_trial("tuner0").hyperparameters.values
    assert (values["units"], values["tuner/epochs"], values["tuner/initial_epoch"]) == (5, 9, 0)


@pytest.mark.parametrize("algorithm", ["random", "hyperband", "bayesian"])
def test_seeds_share_no_trial_but_the_default(tmp_path, algorithm):
    found = []
    for seed in range(4):
        oracle = make(tmp_path / str(seed), algorithm, seed=seed, max_trials=RANDOM_FIRST)
        while run(oracle):
            pass
        found.append({each["rate"] for each in all_values(oracle).values()})
    for number, rates in enumerate(found):
        assert all(rates & others == {0.25} for others in found[:number])


def test_hyperband_has_as_many_trials_as_one_round_of_it(tmp_path):
    oracle = make(tmp_path, "hyperband", max_trials=None)
    while run(oracle):
        pass
    epochs = [each["tuner/epochs"] for each in all_values(oracle).values()]
    assert len(epochs) == oracle.max_trials
    assert epochs.count(9) >= 3  # each bracket has ended with its longest
