"""Trials: how they are trained, scored, ended early, and what of them is kept."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from tensorboard.plugins.hparams import api_pb2

import keras_recipes as kr
from keras_recipes.search_spaces import DefaultDNN
from tests.tuner.test_board import logged, row
from tuner.algorithms import make_oracle
from tuner.averaging import best_trials
from tuner.json_files import read_json
from tuner.results import Results
from tuner.study import MedianRule, Study
from tuner.weights import load_weights

DIGITS = kr.load_dataset("digits")
DATA = dataclasses.replace(
    DIGITS, x_train=DIGITS.x_train[:96], y_train=DIGITS.y_train[:96],
    x_val=DIGITS.x_val[:48], y_val=DIGITS.y_val[:48],
)  # fmt: skip
FIXED = {
    "n_hidden": 1, "n_units": (16, 64), "activation": ["elu", "relu"], "normalization": "none",
    "penalty": "l2", "l2": 0.01, "optimizer": "momentum", "schedule": ["constant", "1cycle"], "rate": "chosen",
    "learning_rate": (0.01, 0.1), "clip": "none", "batch_size": 32,
}  # fmt: skip


def search(
    directory,
    trials=3,
    epochs=3,
    algorithm="random",
    max_failures=3,
    kind=Study,
    data=DATA,
    **study,
):
    seed = study.pop("seed", 0)
    space = study.pop("space", None) or DefaultDNN(
        DATA.input_shape, DATA.n_outputs, DATA.task, adapt_to=DATA.adapt_to, **FIXED
    )
    oracle = make_oracle(algorithm, "val_loss", trials, epochs, seed, max_failures)
    made = kind(oracle, space, directory, seed=seed, **study)
    made.search(data, epochs)
    return made


def results(study):
    return {
        name: (trial.status, trial.score, trial.hyperparameters.values)
        for name, trial in study.oracle.trials.items()
    }


def test_the_score_is_the_loss_of_the_kept_weights_without_penalties(tmp_path):
    study = search(tmp_path, trials=2)
    for trial in study.oracle.trials.values():
        model = study.load_model(trial)
        found = model.predict(DATA.x_val, verbose=0)
        loss = keras.losses.SparseCategoricalCrossentropy()(DATA.y_val, found)
        assert trial.score == pytest.approx(float(loss), rel=1e-4)
        assert float(sum(model.losses)) > 1e-3 * trial.score
        accuracy = np.mean(np.argmax(found, 1) == DATA.y_val)
        assert trial.metrics.get_best_value("val_accuracy") == pytest.approx(accuracy)


def test_the_same_seed_is_the_same_search(tmp_path):
    first = results(search(tmp_path / "first", trials=2))
    assert results(search(tmp_path / "second", trials=2)) == first
    assert results(search(tmp_path / "other", trials=1, seed=1))["0000"] != first["0000"]


def test_a_search_that_is_cut_off_ends_as_if_it_were_not(tmp_path):
    whole = results(search(tmp_path / "whole", epochs=1))

    class Cut(Study):
        def run_trial(self, trial, *arguments):
            metrics = super().run_trial(trial, *arguments)
            if int(trial.trial_id) == 1:
                raise KeyboardInterrupt
            return metrics

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "cut", epochs=1, kind=Cut)
    assert results(search(tmp_path / "cut", epochs=1)) == whole


def test_what_fails_is_recorded_with_its_reason_and_the_search_goes_on(tmp_path):
    class Fails(DefaultDNN):
        trained = 0

        def fit(self, hp, model, *arguments, **keywords):
            self.trained += 1
            if self.trained == 1:
                raise MemoryError("no room for it")
            history = super().fit(hp, model, *arguments, **keywords)
            if self.trained == 2:
                history.history["val_loss"] = [np.nan] * len(history.epoch)
            return history

    space = Fails(DATA.input_shape, DATA.n_outputs, DATA.task, adapt_to=DATA.adapt_to, **FIXED)
    study = search(tmp_path, trials=3, epochs=1, space=space)
    ended = {
        (t.status, (t.message or "").strip().split("\n")[-1]) for t in study.oracle.trials.values()
    }
    assert len(study.oracle.trials) == 3
    assert ("FAILED", "MemoryError: no room for it") in ended
    assert any("val_loss is nan" in message for _, message in ended)
    assert ("COMPLETED", "") in ended
    for name, trial in study.oracle.trials.items():
        status = {"COMPLETED": api_pb2.STATUS_SUCCESS, "FAILED": api_pb2.STATUS_FAILURE}
        values = trial.hyperparameters.values
        assert row(tmp_path / "logs" / name) == (name, values, status[trial.status])


def test_hyperband_goes_on_with_the_weights_of_the_round_before(tmp_path):
    study = search(tmp_path, trials=None, epochs=3, algorithm="hyperband")
    later = [
        trial for trial in study.oracle.trials.values()
        if trial.hyperparameters.values["tuner/round"]
    ]  # fmt: skip
    assert later
    for trial in later:
        first, second = (
            json.loads((tmp_path / f"search/trial_{name}/history.json").read_text())["history"]
            for name in (trial.hyperparameters.values["tuner/trial_id"], trial.trial_id)
        )
        assert second["loss"][0] < first["loss"][0]


def test_the_score_of_folds_is_their_mean_and_their_deviation_is_kept(tmp_path, monkeypatch):
    scores = iter([1.0, 2.0, 6.0])
    monkeypatch.setattr(Study, "_run_fold", lambda *_: {"val_loss": next(scores)})
    assert results(search(tmp_path, trials=1, folds=3))["0000"][1] == 3.0
    kept = read_json(tmp_path / "search/trial_0000/history.json")
    assert kept["deviation"] == pytest.approx(7**0.5)
    assert 0 < kept["seconds"] < 60


@pytest.mark.parametrize("scale", [50.0, np.array([50.0, 3.0])])
def test_the_error_of_one_target_is_in_its_units(tmp_path, scale):
    y = np.tile(DATA.x_train[:, 20:21] / 16, np.size(scale)).astype("float32")
    data = dataclasses.replace(
        DATA, task="regression", y_train=y, x_val=DATA.x_train, y_val=y, target_scale=scale
    )
    given = {**FIXED, "learning_rate": 0.01}
    space = DefaultDNN(data.input_shape, np.size(scale), data.task, adapt_to=data.x_train, **given)
    study = search(tmp_path, trials=1, epochs=2, space=space, data=data)
    trial = study.oracle.trials["0000"]
    rmse = trial.metrics.get_best_value("val_root_mean_squared_error")
    factor = scale if np.ndim(scale) == 0 else 1.0  # several have no unit in common
    assert rmse == pytest.approx(factor * trial.score**0.5, rel=1e-4)
    written = logged(tmp_path / "logs" / "0000")
    curve = read_json(tmp_path / "search/trial_0000/history.json")["history"]
    for tag, value in (
        ("epoch/root_mean_squared_error", factor * curve["root_mean_squared_error"][0]),
        ("epoch/val_loss", curve["val_loss"][0]),
        ("best/val_root_mean_squared_error", rmse),
    ):
        assert written[tag, 0].simple_value == pytest.approx(value)


def test_folds_train_a_model_each(tmp_path):
    study = search(tmp_path, trials=1, epochs=1, folds=2)
    kept = [
        keras.models.clone_model(study.load_model(study.oracle.trials["0000"])) for _ in range(2)
    ]
    for fold, model in enumerate(kept):
        load_weights(tmp_path / f"search/trial_0000/fold-{fold}.weights.npz", model)
    first, second = (model.get_layer("output").get_weights()[0] for model in kept)
    assert np.abs(first - second).max() > 0.01


@pytest.mark.parametrize(
    ("losses", "stopped_after"),
    [
        ([5.0, 5.0, 5.0, 5.0, 5.0, 5.0], 3),  # from the middle on
        ([5.0, 5.0, 0.1, 5.0, 5.0, 5.0], 6),  # once it was good
        ([1.0, 1.0, 1.0, 1.0, 5.0, 5.0], 6),
    ],
)
def test_the_median_rule_ends_what_is_worse_than_half_of_the_others(losses, stopped_after):
    rule = MedianRule([[3.0, 2.0, 2.0, 2.0, 2.0, 2.0]] * 3 + [[9.0] * 6] * 2)
    rule.set_model(keras.Sequential())
    rule.set_params({"epochs": 6})
    for epoch, loss in enumerate(losses):
        rule.on_epoch_end(epoch, {"val_loss": loss})
        if rule.stopped:
            break
    assert epoch + 1 == stopped_after


def test_the_median_rule_leaves_penalties_out():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_regularizer="l2")])
    model.layers[0].kernel.assign([[20.0]])  # a penalty of 4
    rule = MedianRule([[3.0] * 6] * 5)
    rule.set_model(model)
    rule.set_params({"epochs": 6})
    rule.on_epoch_end(3, {"val_loss": 6.0})
    assert not rule.stopped
    assert rule.curve == pytest.approx([2.0])


def test_the_median_rule_needs_five_others():
    rule = MedianRule([[1.0] * 6] * 4)
    rule.set_model(keras.Sequential())
    rule.set_params({"epochs": 6})
    rule.on_epoch_end(3, {"val_loss": 9.0})
    assert not rule.stopped


def test_stopping_early_saves_epochs_of_bad_trials(tmp_path):
    study = search(tmp_path, trials=9, epochs=6, stop_early=True)
    epochs = {
        path: len(json.loads(path.read_text())["history"]["loss"])
        for path in sorted((tmp_path / "search").glob("trial_*/history.json"))
    }
    assert min(epochs.values()) < 6 == next(iter(epochs.values()))
    few = [path.parent.name for path, count in epochs.items() if count < 6]
    stopped = [t for t in study.oracle.trials.values() if t.status == "STOPPED"]
    assert [f"trial_{trial.trial_id}" for trial in stopped] == few
    assert all(trial.score is None for trial in stopped)
    completed = {t.trial_id for t in study.oracle.trials.values() if t.status == "COMPLETED"}
    assert {each.trial_id for each in best_trials(study.oracle.trials.values(), 9)} == completed
    for trial in stopped:
        tags = {tag for tag, _ in logged(tmp_path / "logs" / trial.trial_id)}
        assert "epoch/val_loss" in tags
        assert "best/val_loss" not in tags


def test_one_fold_alone_wins_no_search(tmp_path, monkeypatch):
    """Of each trial fold 0 is the easy one; who is stopped there has the least of all means."""

    def run_fold(study, trial, fold, data, epochs, rule):
        number = int(trial.trial_id)
        study._keep(trial, curve=[])
        rule.stopped = fold == 0 and number == 6
        return {"val_loss": [0.3 + number / 10, 2.0 + number, 3.0 - number / 10][fold]}

    monkeypatch.setattr(Study, "_run_fold", run_fold)
    found = results(search(tmp_path, trials=8, folds=3, stop_early=True))
    assert found["0006"][:2] == ("STOPPED", None)
    assert min(score for _, score, _ in found.values() if score is not None) > 1
    table = Results.read(tmp_path)
    assert list(table.best(1)["trial"]) == ["0000"]
    assert list(table.table["status"]).count("STOPPED") == 1


def test_the_default_is_not_stopped(tmp_path, monkeypatch):
    """It may be run again after others have ended, where its worker was lost."""
    monkeypatch.setattr(Study, "_curves_but", lambda *_: [[0.0] * 6] * 5)
    study = search(tmp_path, trials=2, epochs=6, stop_early=True)
    assert [t.status for t in study.oracle.trials.values()] == ["COMPLETED", "STOPPED"]
