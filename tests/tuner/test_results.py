"""What a run directory tells of its search: the table, the report, with few trials or none."""

import dataclasses
import shutil
import sys
import traceback

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras_tuner.engine.hyperparameters import HyperParameters
from keras_tuner.engine.trial import Trial

from tuner import report
from tuner.figures import draw_scores
from tuner.json_files import write_json
from tuner.report import write_report
from tuner.results import Results, keep


def end(run_dir, name, values, score=None, epochs=2, message=None, status=None):
    """Has a trial in the run directory as keras-tuner and a `Study` leave it."""
    directory = run_dir / "search" / f"trial_{name}"
    directory.mkdir(parents=True)
    hp = HyperParameters()
    hp.values = values
    trial = Trial(hp, name, status or ("FAILED" if message else "COMPLETED"), message)
    if score is not None:
        for metric, value in (("val_accuracy", 1 - score), ("val_loss", score)):
            trial.metrics.register(metric, "min" if metric == "val_loss" else "max")
            trial.metrics.update(metric, value)
        curve = [score] * (epochs - values.get("tuner/initial_epoch", 0))
        write_json(directory / "history.json", {"history": {"loss": curve, "val_loss": curve}})
    write_json(directory / "trial.json", trial.get_state())


def begin(run_dir, *names, **flags):
    (run_dir / "search").mkdir(parents=True, exist_ok=True)
    write_json(run_dir / "search" / "oracle.json", {"start_order": list(names)})
    write_json(run_dir / "run.json", {"data": "small.csv", "task": None, "seed": 3, **flags})


@pytest.fixture
def run_dir(tmp_path):
    """Of a search of twelve trials, whose tenth failed, its identifiers of any width."""
    names = [str(number) for number in range(12)]
    begin(tmp_path, *names, vary=["units", "kind"], stop_early=False)
    for number, name in enumerate(names):
        values = {"units": 5 + number, "kind": "ab"[number % 2], "fixed": 1}
        failed = "Traceback (most recent call last):\n  File\nMemoryError: 5 | 6" * (number == 9)
        end(tmp_path, name, values, None if failed else 1 - number / 20, message=failed or None)
    return tmp_path


def test_trials_are_in_the_order_in_which_they_began(run_dir):
    results = write_report(run_dir)
    table = pd.read_csv(run_dir / "results.csv")
    assert list(table["trial"]) == list(range(12))
    assert list(table) == [
        "trial", "status", "val_loss", "val_accuracy", "epochs", "seconds", "units", "kind", "fixed",
        "reason",
    ]  # fmt: skip
    assert results.hyperparameters == ("kind", "units")
    _, ax = plt.subplots()
    draw_scores(ax, results.completed)
    best = ax.lines[1].get_ydata()
    plt.close()
    np.testing.assert_allclose(best, [1 - n / 20 for n in range(12) if n != 9])


def test_the_report_says_what_was_searched_how_and_what_failed(run_dir):
    keep(run_dir, search={"task": "binary", "max_trials": 12, "max_minutes": None})
    keep(run_dir, metric="accuracy", remarks=["Stopped: the time is over."], kept="trial 11")
    keep(run_dir, scores={"trial 11": "0.9"})
    keep(run_dir, scores={"a linear model": "0.8"})
    write_report(run_dir)
    text = (run_dir / "report.md").read_text()
    assert text.startswith(
        "# Search\n\n|  |  |\n| --- | --- |\n| data | small.csv |\n| task | binary |\n| seed | 3 |\n"
        "| vary | units, kind |\n| max trials | 12 |\n| trials | 12: 11 completed, 1 failed |\n\n"
        "Stopped: the time is over.\n\n"
        "| tested on rows that no trial saw | accuracy |\n| --- | --- |\n"
        "| trial 11 | 0.9 |\n| a linear model | 0.8 |\n\n"
        "`model.keras` and `pipeline.keras`: trial 11.\n\n## The best 5\n\n"
        "| trial | val_loss | val_accuracy | epochs | hyperparameters |\n"
    )
    assert "| 11 | 0.45 | 0.55 | 2 | kind b, units 16 |" in text
    assert "![scores](scores.png)\n\n![importances](importances.png)" in text
    assert text.endswith("| trial | reason |\n| --- | --- |\n| 9 | MemoryError: 5 \\| 6 |\n")


def test_a_report_without_matplotlib_says_how_to_get_its_figures(run_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.warns(UserWarning, match=r"without figures.*keras-recipes\[plot\]"):
        write_report(run_dir)
    assert "![" not in (run_dir / "report.md").read_text()


def test_the_command_makes_the_same_report_again(run_dir, monkeypatch, capsys):
    keep(run_dir, metric="accuracy", scores={"trial 11": "0.9"}, kept="trial 11")
    write_report(run_dir)
    before = {path.name: path.read_bytes() for path in run_dir.glob("r*.*")}
    for name in ("report.md", "results.csv", "scores.png", "importances.png"):
        (run_dir / name).unlink()
    monkeypatch.setattr(sys, "argv", ["report", "--run-dir", str(run_dir)])
    report.main()
    assert "The best 5" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in run_dir.glob("r*.*")} == before
    assert (run_dir / "importances.png").exists()


def test_what_hyperband_keeps_for_itself_is_no_hyperparameter(tmp_path):
    begin(tmp_path, "0", "1", "2")
    for name, before, first, epochs in (("0", None, 0, 2), ("1", None, 0, 2), ("2", "1", 2, 6)):
        own = {"initial_epoch": first, "epochs": epochs, "bracket": 1, "round": int(first > 0)}
        values = {"units": 5 + (name != "0"), **{f"tuner/{key}": own[key] for key in own}}
        values |= {"tuner/trial_id": before} if before else {}
        end(tmp_path, name, values, 0.5, epochs)
    results = Results.read(tmp_path)
    assert results.hyperparameters == ("units",)
    assert [name for name in results.table if "/" in name] == []
    assert list(results.table["epochs"]) == [2, 2, 6]
    assert list(results.table["continues"].fillna("")) == ["", "", "1"]
    assert list(results.best()["hyperparameters"]) == ["units 5", "units 6", "units 6"]


def without_trials(run_dir):
    begin(run_dir)


def before_the_first(run_dir):
    (run_dir / "search").mkdir()


def with_a_running_one(run_dir):
    begin(run_dir, "0")
    end(run_dir, "0", {"units": 5}, status="RUNNING")


def with_failed_ones(run_dir):
    begin(run_dir, "0", "1")
    for name in "01":
        end(run_dir, name, {"units": 5}, message="no room")


@pytest.mark.parametrize(
    ("make", "count"),
    [(without_trials, 0), (before_the_first, 0), (with_a_running_one, 1), (with_failed_ones, 2)],
)
def test_no_completed_trial_is_told_of(tmp_path, make, count):
    make(tmp_path)
    results = write_report(tmp_path)
    assert len(pd.read_csv(tmp_path / "results.csv")) == len(results.table) == count
    assert results.rich_table().row_count == 0
    assert results.importances() == {}
    assert "No trial is completed." in (tmp_path / "report.md").read_text()


def test_a_failure_for_memory_is_recorded_with_its_reason(tmp_path):
    begin(tmp_path, "0")
    try:
        raise tf.errors.ResourceExhaustedError(
            None,
            None,
            "OOM when allocating tensor with shape[4194304,16777216]\n\t [[{{node ones}}]]",
        )
    except tf.errors.ResourceExhaustedError:
        end(tmp_path, "0", {"units": 5}, message=traceback.format_exc())
    [reason] = Results.read(tmp_path).failed["reason"]
    assert reason.startswith("ResourceExhaustedError: OOM when allocating tensor with shape[")


def test_a_damaged_trial_is_left_out(run_dir):
    (run_dir / "search" / "trial_3" / "trial.json").write_text("{")
    assert "3" not in list(Results.read(run_dir).table["trial"])


def test_importances_see_what_the_score_depends_on(run_dir):
    results = Results.read(run_dir)
    shares = results.importances()
    assert next(iter(shares)) == "units"
    assert sum(shares.values()) == pytest.approx(1)
    few = dataclasses.replace(results, table=results.table.head(9))
    assert few.importances() == {}


def test_to_importances_what_was_stopped_is_worse_than_what_was_completed(run_dir):
    """Its loss, of one fold, is the least; by rank it ends last."""
    for name, units in (("0", 99), ("1", 98)):
        shutil.rmtree(run_dir / "search" / f"trial_{name}")
        end(run_dir, name, {"units": units, "kind": "a", "fixed": 1}, 0.01, status="STOPPED")
    results = write_report(run_dir)
    assert results.importances().keys() == {"units", "kind"}
    assert (
        "| trials | 12: 9 completed, 2 stopped, 1 failed |" in (run_dir / "report.md").read_text()
    )
    assert not {"0", "1"} & set(results.best(12)["trial"])
    unlike = dataclasses.replace(results, table=results.table.assign(status="COMPLETED"))
    assert results.importances() != unlike.importances()


def test_a_directory_without_a_search_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["report", "--run-dir", str(tmp_path)])
    with pytest.raises(ValueError, match="`--run-dir` must be that of a search"):
        report.main()
