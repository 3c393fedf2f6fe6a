"""Oracles without any training: what is suggested, what a kill and a lost worker leave."""

import json
import time

import keras_tuner
import pytest
from keras_tuner.engine.trial import Trial

from tuner import oracles
from tuner.algorithms import ALGORITHMS, make_oracle

COUNT = 14


def space():
    hp = keras_tuner.HyperParameters()
    hp.Int("units", 1, 9, default=5)
    hp.Float("rate", 0.0, 1.0, default=0.25)
    kind = hp.Choice("kind", ["a", "b"], default="b")
    with hp.conditional_scope("kind", ["a"]):
        if kind == "a":
            hp.Float("of_a", 0.0, 1.0, default=0.5)
    return hp


def make(directory, algorithm="random", seed=3, max_trials=COUNT, max_failures=3):
    oracle = make_oracle(algorithm, "val_loss", max_trials, 9, seed, max_failures)
    oracle._set_project_dir(str(directory), "search")
    oracle.update_space(space())
    return oracle


def reloaded(directory, *arguments, **keywords):
    oracle = make(directory, *arguments, **keywords)
    oracle.reload()
    return oracle


def score(values):
    return (values["units"] - 3) ** 2 + (values["rate"] - 0.37) ** 2


def run(oracle, tuner_id="tuner0", fails=False):
    """Runs a trial; returns it, or None where there are no more."""
    trial = oracle.create_trial(tuner_id)
    if trial.status == "STOPPED":
        return None
    end(oracle, trial, fails)
    return trial


def end(oracle, trial, fails=False):
    ended = Trial(trial.hyperparameters, trial.trial_id, "INVALID" if fails else "COMPLETED")
    if fails:
        ended.message = "no good"
    else:
        metrics = {"val_loss": score(trial.hyperparameters.values)}
        oracle.update_trial(trial.trial_id, metrics)
    oracle.end_trial(ended)


def all_values(oracle):
    return {name: each.hyperparameters.values for name, each in oracle.trials.items()}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_first_trial_is_the_default(tmp_path, algorithm):
    values = make(tmp_path, algorithm).create_trial("tuner0").hyperparameters.values
    expected = {"units": 5, "rate": 0.25, "kind": "b"}
    assert {name: value for name, value in values.items() if "/" not in name} == expected


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_that_is_read_back_after_each_trial_is_the_same(tmp_path, algorithm):
    whole = make(tmp_path / "whole", algorithm)
    while run(whole):
        pass
    assert len(whole.trials) == COUNT
    oracle = make(tmp_path / "parts", algorithm)
    oracle.save()
    while run(oracle):
        oracle = reloaded(tmp_path / "parts", algorithm)
    assert all_values(oracle) == all_values(whole)
    assert [each.score for each in oracle.trials.values()] == [
        each.score for each in whole.trials.values()
    ]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_trial_that_was_running_is_run_again_and_counts_once(tmp_path, algorithm):
    oracle = make(tmp_path, algorithm)
    run(oracle)
    cut = oracle.create_trial("tuner0")
    oracle.update_trial(cut.trial_id, {"val_loss": 0.0})  # killed between this and its end
    oracle = reloaded(tmp_path, algorithm)
    again = oracle.create_trial("tuner0")
    assert again.trial_id == cut.trial_id
    assert again.hyperparameters.values == cut.hyperparameters.values
    assert not again.metrics.exists("val_loss")
    end(oracle, again)
    while run(oracle):
        pass
    assert sorted(oracle.end_order) == sorted(oracle.trials)
    assert len(oracle.trials) == COUNT


@pytest.mark.parametrize("damage", [b"", b'{"trial_id": "0', None])
def test_a_torn_trial_is_done_again(tmp_path, damage):
    oracle = make(tmp_path)
    trials = [run(oracle) for _ in range(3)]
    before = all_values(oracle)
    path = tmp_path / "search" / f"trial_{trials[1].trial_id}" / "trial.json"
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    oracle = reloaded(tmp_path)
    assert all_values(oracle) == before
    assert run(oracle).trial_id == trials[1].trial_id
    assert int(run(oracle).trial_id) == 3


def test_a_trial_that_the_state_does_not_know_of_is_forgotten(tmp_path):
    oracle = make(tmp_path)
    first = run(oracle)
    state = (tmp_path / "search" / "oracle.json").read_bytes()
    second = run(oracle)
    (tmp_path / "search" / "oracle.json").write_bytes(state)
    oracle = reloaded(tmp_path)
    assert list(oracle.trials) == [first.trial_id]
    assert run(oracle).hyperparameters.values == second.hyperparameters.values


def test_a_torn_state_is_read_from_its_copy_or_told_of(tmp_path):
    oracle = make(tmp_path)
    first = run(oracle)
    (tmp_path / "search" / "oracle.json").write_bytes(b'{"ongoing')
    oracle = reloaded(tmp_path)
    assert oracle.end_order == [first.trial_id]
    for name in ("oracle.json", "oracle.copy.json"):
        (tmp_path / "search" / name).write_bytes(b'{"ongoing')
    with pytest.raises(ValueError, match="must be JSON"):
        reloaded(tmp_path)


def test_no_file_is_torn_where_a_write_fails(tmp_path, monkeypatch):
    oracle = make(tmp_path)
    run(oracle)
    before = (tmp_path / "search" / "oracle.json").read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space")))
    with pytest.raises(OSError, match="No space"):
        oracle.save()
    assert (tmp_path / "search" / "oracle.json").read_bytes() == before


def test_failures_in_a_row_end_a_search_and_others_do_not(tmp_path):
    oracle = make(tmp_path)
    for fails in (True, True, False, True, True):
        run(oracle, fails=fails)
    assert not oracle.stopped_by
    run(oracle, fails=True)
    assert oracle.stopped_by == "3 trials in a row failed"
    assert run(oracle) is None
    assert reloaded(tmp_path).stopped_by == "3 trials in a row failed"
    assert run(reloaded(tmp_path, max_failures=5)) is not None


def test_a_failure_keeps_its_reason_also_from_another_process(tmp_path):
    oracle = make(tmp_path)
    assert run(oracle, fails=True).message == "no good"
    trial = oracle.create_trial("worker-0")
    path = tmp_path / "search" / f"trial_{trial.trial_id}" / oracles.FAILURE
    path.write_text(json.dumps({"message": "out of memory"}))
    oracle.end_trial(Trial(trial.hyperparameters, trial.trial_id, "INVALID"))
    assert oracle.trials[trial.trial_id].message == "out of memory"
    assert oracle.trials[trial.trial_id].status == "FAILED"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_trial_that_was_stopped_has_ended(tmp_path, algorithm):
    oracle = make(tmp_path, algorithm)
    stopped = oracle.create_trial("tuner0")
    oracle.update_trial(stopped.trial_id, {"val_loss": 0.0})
    oracle.end_trial(Trial(stopped.hyperparameters, stopped.trial_id, "STOPPED"))
    oracle = reloaded(tmp_path, algorithm)
    assert run(oracle).trial_id != stopped.trial_id
    kept = oracle.trials[stopped.trial_id]
    assert (kept.status, kept.score, kept.metrics.get_best_value("val_loss")) == (
        "STOPPED",
        None,
        0,
    )


def test_after_the_deadline_no_trial_begins(tmp_path):
    oracle = make(tmp_path)
    run(oracle)
    oracle.deadline = time.monotonic()
    assert run(oracle) is None
    assert oracle.stopped_by == "the time is over"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_space_that_is_exhausted_is_told_of(tmp_path, algorithm):
    oracle = make_oracle(algorithm, "val_loss", 40, 9, 0, 3)
    oracle._set_project_dir(str(tmp_path), "search")
    hp = keras_tuner.HyperParameters()
    hp.Choice("units", [5, 6], default=5)
    hp.Fixed("rate", 0.5)
    oracle.update_space(hp)
    oracle.create_trial("worker-0")
    while (trial := oracle.create_trial("worker-1")).status == "RUNNING":
        end(oracle, trial)
    assert trial.status == "IDLE"  # the other may have to be run again
    assert not oracle.stopped_by
    end(oracle, next(iter(oracle.trials.values())))
    while run(oracle):
        pass
    count = len(oracle.trials)
    assert count < 40
    assert oracle.stopped_by == f"nothing more was suggested after {count} of 40 trials"


def test_a_search_that_had_all_its_trials_was_not_stopped(tmp_path):
    oracle = make(tmp_path, max_trials=2)
    while run(oracle):
        pass
    assert not oracle.stopped_by


def test_a_trial_whose_worker_is_lost_goes_to_another_and_counts_once(tmp_path, monkeypatch):
    monkeypatch.setattr(oracles, "LEASE", 0.0)
    oracle = make(tmp_path, max_trials=1)
    lost = oracle.create_trial("worker-0")
    assert oracle.create_trial("worker-1").status == "IDLE"  # it may be needed yet
    oracle.expire()
    again = oracle.create_trial("worker-1")
    assert again.trial_id == lost.trial_id
    end(oracle, again)
    best = oracle.trials[again.trial_id].score
    oracle.update_trial(lost.trial_id, {"val_loss": -1.0})  # it was only slow
    oracle.end_trial(Trial(lost.hyperparameters, lost.trial_id, "COMPLETED"))
    assert oracle.end_order == [again.trial_id]
    assert oracle.trials[again.trial_id].score == best
    assert oracle.create_trial("worker-1").status == "STOPPED"


def test_a_sign_of_life_keeps_a_trial(tmp_path, monkeypatch):
    monkeypatch.setattr(oracles, "LEASE", 0.2)
    oracle = make(tmp_path)
    trial = oracle.create_trial("worker-0")
    time.sleep(0.3)
    oracle.get_trial(trial.trial_id)
    oracle.expire()
    assert oracle.ongoing_trials
    time.sleep(0.3)
    oracle.expire()
    assert not oracle.ongoing_trials


def test_a_worker_that_ends_its_trial_after_the_chief_came_back_is_heard(tmp_path):
    trial = make(tmp_path).create_trial("worker-0")
    oracle = reloaded(tmp_path)
    end(oracle, trial)
    assert oracle.end_order == [trial.trial_id]
    assert int(oracle.create_trial("worker-0").trial_id) == 1


@pytest.mark.parametrize("status", ["COMPLETED", "STOPPED"])
def test_a_trial_whose_metrics_were_lost_with_a_chief_is_run_again(tmp_path, status):
    oracle = make(tmp_path)
    trial = oracle.create_trial("worker-0")
    oracle.update_trial(trial.trial_id, {"val_loss": 0.0})  # the chief is killed after it
    oracle = reloaded(tmp_path)
    oracle.end_trial(Trial(trial.hyperparameters, trial.trial_id, status))
    assert not oracle.end_order
    again = oracle.create_trial("worker-0")
    assert again.trial_id == trial.trial_id
    end(oracle, again)
    assert oracle.end_order == [trial.trial_id]
    assert int(oracle.create_trial("worker-0").trial_id) == 1


def test_a_trial_that_kills_its_workers_fails_with_that_reason(tmp_path):
    oracle = make(tmp_path)
    trial = oracle.create_trial("worker-0")
    oracle.end_of("worker-0", "3 processes died")
    kept = oracle.trials[trial.trial_id]
    assert (kept.status, kept.message) == ("FAILED", "3 processes died")
    assert not oracle.ongoing_trials


def test_a_trial_that_ends_each_process_is_given_up(tmp_path):
    oracle = make(tmp_path)
    oracle.save()
    for _ in range(oracles.DEATHS):
        trial = reloaded(tmp_path).create_trial("tuner0")
        assert int(trial.trial_id) == 0
    oracle, failed = reloaded(tmp_path), []
    oracle.on_failure = failed.append
    assert int(oracle.create_trial("tuner0").trial_id) == 1
    assert failed == [oracle.trials[trial.trial_id]]
    kept = oracle.trials[trial.trial_id]
    assert (kept.status, kept.message) == (
        "FAILED", "10 processes that ran it ended before it did",
    )  # fmt: skip


def test_to_ask_while_there_is_no_trial_counts_for_none(tmp_path):
    oracle = make(tmp_path, max_trials=2)
    last = [oracle.create_trial(f"worker-{number}") for number in range(2)][-1]
    for _ in range(oracles.DEATHS + 1):
        assert oracle.create_trial("worker-2").status == "IDLE"
    oracle.max_trials = 3
    assert oracle.create_trial("worker-2").status == "RUNNING"
    assert not any(each.status == "FAILED" for each in oracle.trials.values())
    assert last.status == "RUNNING"


def test_after_the_deadline_none_is_run_again(tmp_path, monkeypatch):
    monkeypatch.setattr(oracles, "LEASE", 0.0)
    oracle = make(tmp_path)
    lost = oracle.create_trial("worker-0")
    oracle.expire()
    oracle.deadline = time.monotonic()
    assert oracle.create_trial("worker-1").status == "STOPPED"
    oracle = reloaded(tmp_path)
    assert oracle.create_trial("worker-1").trial_id == lost.trial_id


def test_names_of_trials_have_their_order_in_a_longer_search_too(tmp_path):
    run(make(tmp_path, max_trials=3))
    oracle = reloaded(tmp_path, max_trials=12)
    while run(oracle):
        pass
    assert list(oracle.trials) == sorted(oracle.trials) == oracle.start_order
