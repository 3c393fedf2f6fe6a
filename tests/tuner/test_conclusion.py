"""The end of a search: what is kept, tested and told of, and what a failure leaves."""

import argparse
import dataclasses
import io
import json

import keras
import pandas as pd
import pytest
from rich.console import Console

import keras_recipes as kr
from keras_recipes.search_spaces import DefaultDNN
from recipes.train import score
from tuner import conclusion
from tuner.algorithms import make_oracle
from tuner.averaging import mean_of, validation_loss
from tuner.conclusion import conclude
from tuner.folds import split
from tuner.results import Results
from tuner.study import Study
from tuner.weights import save_weights

DIGITS = kr.load_dataset("digits")
DATA = dataclasses.replace(
    DIGITS, x_train=DIGITS.x_train[:320], y_train=DIGITS.y_train[:320],
    x_val=DIGITS.x_val[:96], y_val=DIGITS.y_val[:96],
)  # fmt: skip
FIXED = {
    "n_hidden": 1, "n_units": (16, 64), "activation": "elu", "normalization": "none",
    "penalty": "l2", "optimizer": "momentum", "schedule": "constant", "rate": "chosen",
    "learning_rate": (0.01, 0.1), "clip": "none", "batch_size": 32,
}  # fmt: skip


class Fails(Study):
    """Its second trial has no memory."""

    def run_trial(self, trial, *arguments):
        if len(self.oracle.trials) == 2:
            raise MemoryError("no room")
        return super().run_trial(trial, *arguments)


def search(directory, trials=3, epochs=2, kind=Study, algorithm="random", minutes=None, **study):
    space = DefaultDNN(
        DATA.input_shape, DATA.n_outputs, DATA.task, adapt_to=DATA.adapt_to, seed=0, **FIXED
    )
    oracle = make_oracle(algorithm, "val_loss", trials, epochs, 0, 3)
    if minutes is not None:
        oracle.deadline = 0
    made = kind(oracle, space, directory, seed=0, **study)
    made.search(DATA, epochs)
    return made


def end(study, **flags):
    """Concludes a search; returns what was told, and what was kept."""
    given = {
        "epochs": 2, "folds": 1, "seed": 0, "average": 1, "retrain": False, "baseline": False,
        "max_minutes": None, **flags,
    }  # fmt: skip
    console = Console(file=io.StringIO(), width=200)
    conclude(console, study, DATA, argparse.Namespace(**given))
    findings = json.loads((study.run_dir / "results.json").read_text())
    return console.file.getvalue(), findings


def best_first(study):
    return sorted(study.oracle.trials.values(), key=lambda trial: trial.score)


def first(study):
    return next(iter(study.oracle.trials.values()))


def spoil(study, trial, factor=-9.0, tilt=0.0):
    """Changes the output layer that a trial left: its weights, and the odds of the first classes."""
    model = study.load_model(trial)
    kernel, bias = model.get_layer("output").get_weights()
    bias[:5] += tilt
    model.get_layer("output").set_weights([factor * kernel, factor * bias])
    save_weights(weights(study, trial), model)


def weights(study, trial):
    return study.run_dir / "search" / f"trial_{trial.trial_id}" / "fold-0.weights.npz"


def kept_model(study):
    return keras.models.load_model(study.run_dir / "model.keras")


def test_the_best_is_kept_and_the_default_is_tested_beside_it(tmp_path):
    study = search(tmp_path)
    best, default = best_first(study)[0], first(study)
    assert best is not default
    told, findings = end(study)
    tested = {
        f"trial {best.trial_id}": score(study.load_model(best), DATA, DATA.x_test, DATA.y_test),
        f"the default set-up (trial {default.trial_id})": score(
            study.load_model(default), DATA, DATA.x_test, DATA.y_test
        ),
    }
    assert findings["scores"] == tested
    assert findings["kept"] == f"trial {best.trial_id}"
    assert (
        f"Test accuracy of the default set-up (trial {default.trial_id}): {tested.popitem()[1]}"
        in told
    )
    assert validation_loss(kept_model(study), DATA) == pytest.approx(best.score, rel=1e-4)
    assert findings["search"] == {"task": "multiclass", "max_trials": 3, "max_minutes": None}


def test_a_default_that_tests_better_than_what_is_kept_is_remarked_on(tmp_path):
    study = search(tmp_path)
    best, default = best_first(study)[0], first(study)
    spoil(study, best)
    told, findings = end(study)
    found = list(findings["scores"].values())
    remark = (
        f"Kept is trial {best.trial_id}, which validated best, though the default set-up (trial "
        f"{default.trial_id}) tested better: {found[1]} against {found[0]}."
    )
    assert findings["remarks"] == [remark]
    assert remark in told
    assert remark in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    ("metric", "kept", "default", "remarked"),
    [
        ("accuracy", "0.9", "0.95", True), ("accuracy", "0.9", "0.9", False),
        ("accuracy", "0.95", "0.9", False), ("RMSE", "9.5", "10.1", False),
        ("RMSE", "10.1", "9.5", True), ("RMSE", "3, 0.2", "2, 0.1", True),
        ("RMSE", "3, 0.1", "2, 0.2", False),  # which is better is for the reader to say
    ],
)  # fmt: skip
def test_what_is_better_goes_by_the_metric(metric, kept, default, remarked):
    tested = {"trial 1": kept, "the default set-up (trial 0)": default}
    assert bool(conclusion._beside_the_default("trial 1", tested, metric)) == remarked
    of_itself = {"the default set-up (trial 0)": kept}
    assert not conclusion._beside_the_default(*of_itself, of_itself, metric)


def test_a_mean_is_kept_that_validates_better_than_the_best(tmp_path):
    study = search(tmp_path)
    best, second, _ = best_first(study)
    spoil(study, best, 1.0, tilt=3.0)  # each is right where the other is not
    spoil(study, second, 1.0, tilt=-3.0)
    expected = validation_loss(mean_of([study.load_model(each) for each in (best, second)]), DATA)
    assert expected < validation_loss(study.load_model(best), DATA)
    _, findings = end(study, average=2)
    name = f"the mean of trials {best.trial_id}, {second.trial_id}"
    assert findings["kept"] == name
    assert list(findings["scores"])[2] == name
    assert validation_loss(kept_model(study), DATA) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("retrain", [False, True])
def test_a_mean_is_not_kept_that_validates_worse_than_the_best(tmp_path, retrain):
    study = search(tmp_path)
    best, second, _ = best_first(study)
    spoil(study, second)
    told, findings = end(study, average=2, retrain=retrain)
    assert findings["kept"] == f"trial {best.trial_id}" + ", retrained" * retrain
    assert not any("mean" in name for name in findings["scores"])
    assert f"Kept: trial {best.trial_id}." in told
    [remark] = findings["remarks"]
    assert remark in (tmp_path / "report.md").read_text()
    if not retrain:
        assert validation_loss(kept_model(study), DATA) == pytest.approx(best.score, rel=1e-4)


@pytest.mark.parametrize("average", [1, 2])
def test_a_trial_whose_weights_are_damaged_is_trained_again_and_kept(tmp_path, average):
    study = search(tmp_path)
    best, second, _ = best_first(study)
    _, expected = end(study, average=average)
    table = (tmp_path / "results.csv").read_bytes()
    weights(study, best).write_bytes(weights(study, best).read_bytes()[:-100])
    weights(study, second).unlink()
    told, findings = end(study, average=average)
    needed = [*best_first(study)[:average], first(study)]  # the default is tested beside the best
    names = ", ".join(each.trial_id for each in (best, second) if each in needed)
    remark = f"Damaged or missing weights, trained again: trial {names}."
    assert findings["remarks"] == [remark, *expected["remarks"]]
    assert {**findings, "remarks": []} == {**expected, "remarks": []}
    assert remark in told
    assert remark in (tmp_path / "report.md").read_text()
    assert (tmp_path / "results.csv").read_bytes() == table
    assert end(study, average=average)[1] == expected


def test_what_hyperband_goes_on_with_is_trained_again_where_its_weights_are_lost(tmp_path):
    class Loses(Study):
        def on_trial_end(self, trial):
            super().on_trial_end(trial)
            weights(self, trial).unlink()

    hyperband = {"trials": None, "epochs": 3, "algorithm": "hyperband"}
    whole = search(tmp_path / "whole", **hyperband)
    assert any("tuner/trial_id" in each.hyperparameters.values for each in best_first(whole))
    lossy = search(tmp_path / "lossy", kind=Loses, **hyperband)
    assert [each.score for each in best_first(lossy)] == [each.score for each in best_first(whole)]
    assert end(lossy, epochs=3)[1]["scores"] == end(whole, epochs=3)[1]["scores"]


def test_what_failed_is_in_no_mean(tmp_path):
    study = search(tmp_path, kind=Fails)
    [failed] = [each for each in study.oracle.trials.values() if each.status == "FAILED"]
    told, findings = end(study, average=3)
    assert "To average: 2 of 3" in told
    assert not any(f"trial {failed.trial_id}" in name for name in findings["scores"])
    table = pd.read_csv(tmp_path / "results.csv")
    assert list(table["status"]) == ["COMPLETED", "FAILED", "COMPLETED"]
    assert table["reason"][1] == "MemoryError: no room"


def test_a_trial_and_what_hyperband_made_of_it_are_one(tmp_path):
    study = search(tmp_path, trials=None, epochs=3, algorithm="hyperband")
    later = [
        trial.hyperparameters.values["tuner/trial_id"]
        for trial in study.oracle.trials.values()
        if "tuner/trial_id" in trial.hyperparameters.values
    ]
    assert later
    told, _ = end(study, average=99, epochs=3)
    assert f"To average: {len(study.oracle.trials) - len(later)} of 99" in told
    assert "tuner/" not in (tmp_path / "results.csv").read_text()


def test_with_folds_the_mean_is_judged_on_rows_that_were_held_out(tmp_path):
    study = search(tmp_path, trials=2, epochs=1, folds=2)
    best, second = best_first(study)
    spoil(study, second)
    _, findings = end(study, average=2, folds=2, epochs=1)
    assert findings["kept"].endswith(", retrained")
    assert "mean" not in findings["kept"]
    held = validation_loss(study.load_model(best), next(split(DATA, 2, 0)))
    assert f"alone: {held:.5g}." in findings["remarks"][0]


@pytest.mark.parametrize("part", ["mean_of", "score", "baseline_scores"])
def test_what_fails_at_the_end_loses_neither_trials_nor_what_was_tested(
    tmp_path, monkeypatch, part
):
    study = search(tmp_path, trials=2, epochs=1)

    def fail(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(conclusion, part, fail)
    with pytest.raises(MemoryError):
        end(study, average=2, baseline=True)
    assert list(pd.read_csv(tmp_path / "results.csv")["status"]) == ["COMPLETED"] * 2
    text = (tmp_path / "report.md").read_text()
    assert "## The best 2" in text
    assert (tmp_path / "scores.png").exists()
    assert ("the default set-up" in text) == (part == "baseline_scores")


def test_what_was_tested_before_stays(tmp_path):
    study = search(tmp_path, trials=1, epochs=1)
    _, before = end(study, baseline=True)
    assert len(before["scores"]) == 3
    assert end(study)[1] == before


def test_a_search_without_trials_says_why(tmp_path):
    with pytest.raises(ValueError, match=r"Received: 0 trials.*the time is over.*--max-minutes"):
        end(search(tmp_path, minutes=0), max_minutes=0.0)
    assert "No trial is completed." in (tmp_path / "report.md").read_text()


def test_a_search_whose_trials_failed_says_why(tmp_path):
    class AllFail(Study):
        def run_trial(self, *_):
            raise MemoryError("no room")

    with pytest.raises(
        ValueError, match=r"3 trials, 3 of which failed: MemoryError: no room; 3 trials in a row"
    ):
        end(search(tmp_path, kind=AllFail, trials=9))
    assert len(Results.read(tmp_path).failed) == 3
