"""The end of a search: its best model, or the mean of several, trained anew, saved and tested."""

import argparse
import operator
from collections.abc import Iterator
from typing import Any

import keras
from keras_tuner.engine.trial import Trial
from rich.console import Console

from keras_recipes.datasets import Dataset
from keras_recipes.run_directory import RunDirectory
from recipes.command import command_line
from recipes.train import score
from tuner.averaging import best_trials, mean_of, set_up, validation_loss
from tuner.baselines import baseline_scores
from tuner.folds import split
from tuner.report import write_report
from tuner.results import Results, keep
from tuner.study import OBJECTIVE, Study

DEFAULT = "the default set-up"


def conclude(console: Console, study: Study, data: Dataset, arguments: argparse.Namespace) -> None:
    """Reports on the trials, then saves and tests what they led to.

    The report is written before any model is made, so that no failure takes the trials with it, and
    written again with what was tested until then, however that ends.

    Args:
        console: What it is told to.
        study: The search.
        data: Has the rows to test on.
        arguments: The flags of `tuner.search`.

    Raises:
        ValueError: If no trial was completed.
    """
    oracle, run_dir = study.oracle, study.run_dir
    metric = "RMSE" if data.task == "regression" else "accuracy"
    budget = {"max_trials": oracle.max_trials, "max_minutes": arguments.max_minutes}
    remarks = [f"Stopped: {oracle.stopped_by}."] if oracle.stopped_by else []
    keep(run_dir, search={"task": data.task, **budget}, metric=metric, remarks=remarks)
    results = write_report(run_dir)
    if not len(results.completed):
        raise ValueError(_why_none(results, study))
    console.print(results.rich_table())

    def tell(new: list[str]) -> None:
        for remark in new:
            console.print(remark, markup=False)
        remarks.extend(new)
        keep(run_dir, remarks=remarks)

    try:
        tell(_mend(study, data, arguments))
        trials, choice = _choose(study, data, arguments)
        tell(choice)
        tested: dict[str, str] = {}
        for name, found in _scores(study, data, arguments, trials):
            console.print(f"Test {metric} of {name}: {found}", markup=False)
            tested[name] = found
            findings = keep(run_dir, scores=tested)
        tell(_beside_the_default(findings["kept"], tested, metric))
    finally:
        write_report(run_dir, figures=False)
    console.print(f"Report: {run_dir / 'report.md'}", soft_wrap=True, markup=False)
    look = command_line("tensorboard.main", "--logdir", run_dir / "logs")
    console.print(f"Look at it: {look}", soft_wrap=True, markup=False)


def _why_none(results: Results, study: Study) -> str:
    reasons = [*results.failed["reason"].unique(), study.oracle.stopped_by]
    return (
        f"At least one trial must be completed. Received: {len(results.table)} trials, "
        f"{len(results.failed)} of which failed: {'; '.join(filter(None, reasons)) or 'no reason'}. "
        f"Narrow the space with --vary, or allow more with --max-minutes or --max-failures; see "
        f"{study.run_dir / 'results.csv'}."
    )


def _mend(study: Study, data: Dataset, arguments: argparse.Namespace) -> list[str]:
    """Has trials trained again whose weights are damaged; returns a remark that names them."""
    needed = [*best_trials(study.oracle.trials.values(), arguments.average), *_default(study)]
    again = [each.trial_id for each in needed if study.mend(each, data, arguments.epochs)]
    return (
        [f"Damaged or missing weights, trained again: trial {', '.join(again)}."] if again else []
    )


def _default(study: Study) -> list[Trial]:
    """Returns the best trial of the set-up of the first; none if all of them failed."""
    started = list(study.oracle.trials.values())
    return best_trials([each for each in started if set_up(each) == set_up(started[0])], 1)


def _choose(
    study: Study, data: Dataset, arguments: argparse.Namespace
) -> tuple[list[Trial], list[str]]:
    """Returns the trials to take the mean of, or the best alone, and why.

    Judged are the models as the trials left them, on rows that none of them was trained on: a model
    that is trained anew has seen the validation rows.
    """
    trials = best_trials(study.oracle.trials.values(), arguments.average)
    remarks = []
    if len(trials) < arguments.average:
        remarks.append(
            f"To average: {len(trials)} of {arguments.average}, as no more were completed."
        )
    if len(trials) == 1:
        return trials, remarks
    held = next(split(data, arguments.folds, arguments.seed))
    models = [study.load_model(trial) for trial in trials]
    best, mean = validation_loss(models[0], held), validation_loss(mean_of(models), held)
    kept = "the mean" if mean < best else f"trial {trials[0].trial_id}"
    remarks.append(
        f"{OBJECTIVE} of {_name_of_mean(trials)}: {mean:.5g}, of trial {trials[0].trial_id} alone: "
        f"{best:.5g}. Kept: {kept}."
    )
    return trials if mean < best else trials[:1], remarks


def _scores(
    study: Study, data: Dataset, arguments: argparse.Namespace, trials: list[Trial]
) -> Iterator[tuple[str, str]]:
    """Saves the model of the trials; yields what is tested by name, and its score on the test rows."""
    anew = arguments.retrain or arguments.folds > 1  # a model of one fold has not seen the others
    how = ", retrained" if anew else ""

    def make(trial: Trial) -> keras.Model:
        return study.train_anew(trial, data, arguments.epochs) if anew else study.load_model(trial)

    def test(model: Any) -> str:
        return score(model, data, data.x_test, data.y_test)

    default = _default(study)
    names = {each.trial_id: f"trial {each.trial_id}{how}" for each in trials}
    names |= {each.trial_id: _name_of_default(each, arguments.epochs) + how for each in default}
    models = {names[trial.trial_id]: make(trial) for trial in trials}
    if len(trials) > 1:
        models[_name_of_mean(trials) + how] = mean_of(list(models.values()))
    kept, model = list(models.items())[-1]
    RunDirectory(study.run_dir).save_model(model)
    data.pipeline(model).save(study.run_dir / "pipeline.keras")
    keep(study.run_dir, kept=kept)
    for name, model in models.items():
        yield name, test(model)
    for trial in default:
        if names[trial.trial_id] not in models:
            yield names[trial.trial_id], test(make(trial))
    if arguments.baseline:
        yield from baseline_scores(data)


def _beside_the_default(kept: str, tested: dict[str, str], metric: str) -> list[str]:
    """Returns a remark where the default set-up tested better than what is kept, in each target."""
    default = next((name for name in tested if name.startswith(DEFAULT)), kept)
    better = operator.lt if metric == "RMSE" else operator.gt
    pairs = zip(tested[default].split(", "), tested[kept].split(", "), strict=True)
    if not all(better(float(one), float(other)) for one, other in pairs):
        return []
    return [
        f"Kept is {kept}, which validated best, though {default} tested better: {tested[default]} "
        f"against {tested[kept]}."
    ]


def _name_of_mean(trials: list[Trial]) -> str:
    return f"the mean of trials {', '.join(trial.trial_id for trial in trials)}"


def _name_of_default(trial: Trial, epochs: int) -> str:
    """Hyperband may have trained it for a few epochs only."""
    own = trial.hyperparameters.values.get("tuner/epochs", epochs)
    few = f", {own} epochs" if own < epochs else ""
    return f"{DEFAULT} (trial {trial.trial_id}{few})"
