"""What a run says of itself in TensorBoard: its settings, diagnosis, learning rates and results."""

import warnings
from typing import Any

import keras
import numpy as np

from keras_recipes.arrays import Examples
from keras_recipes.board import (
    figure_value,
    scalar_value,
    session_end_value,
    text_value,
    write_board,
)
from keras_recipes.diagnostics import Diagnosis
from keras_recipes.diagnostics.diagnosis import a_batch, diagnose_batch
from keras_recipes.diagnostics.findings import as_table
from keras_recipes.diagnostics.observed_layers import observed_layers
from keras_recipes.extras import import_extra
from keras_recipes.graph_loops import steps_in_one_graph
from keras_recipes.hparams import NOT_METRICS, RESULT, row
from keras_recipes.lr_finder import LearningRateCurve
from keras_recipes.run_directory import RunDirectory


def report_start(
    run: RunDirectory,
    model: keras.Model,
    examples: Examples,
    settings: dict[str, Any],
    curve: LearningRateCurve | None,
) -> None:
    """Shows the settings of a run, the diagnosis of its network and how its rate was found.

    Args:
        run: The run.
        model: What it is to train; untouched.
        examples: What it trains on.
        settings: The arguments of `fit` by name, with the rate that the training begins from.
        curve: What the search for the learning rate saw; None if there was none.

    Raises:
        OSError: If it cannot be written.
    """
    _report_diagnosis(run, model, examples, "before_training")
    if curve is not None:
        write_board(run.logs, "learning_rates", [_of_curve(curve)])
    write_board(run.logs, "settings", row(run, model, settings))


def report_divergence(run: RunDirectory, error: FloatingPointError) -> None:
    """Shows why a run ended before its time.

    Args:
        run: The run.
        error: What `fit` raises.

    Raises:
        OSError: If it cannot be written.
    """
    _write_diagnosis(run, "after_training", str(error))
    write_board(run.logs, "result", [session_end_value(completed=False)])


def report_end(
    run: RunDirectory,
    model: keras.Model,
    examples: Examples,
    settings: dict[str, Any],
    history: keras.callbacks.History,
) -> None:
    """Shows how a run ended: the metrics of the epoch whose weights the model has, and its diagnosis.

    Args:
        run: The run.
        model: What it trained; untouched.
        examples: What it trained on.
        settings: As for `report_start`.
        history: Of all its epochs, with the one that was the best.

    Raises:
        OSError: If it cannot be written.
    """
    results = {
        name: float(of_epochs[history.best_epoch])
        for name, of_epochs in history.history.items()
        if name not in NOT_METRICS and np.ndim(of_epochs[history.best_epoch]) == 0
    }
    _report_diagnosis(run, model, examples, "after_training")
    write_board(run.logs, "settings", row(run, model, settings))
    scalars = [scalar_value(f"{RESULT}{name}", value) for name, value in results.items()]
    write_board(run.logs, "result", [*scalars, session_end_value()])


def _report_diagnosis(run: RunDirectory, model: keras.Model, examples: Examples, when: str) -> None:
    if steps_in_one_graph(model) and (text := _diagnosis_of(model, examples)):
        _write_diagnosis(run, when, text)


def _write_diagnosis(run: RunDirectory, when: str, text: str) -> None:
    write_board(run.logs, f"diagnosis_{when}", [text_value(f"diagnosis/{when}", text)])


def _diagnosis_of(model: keras.Model, examples: Examples) -> str | None:
    """What `diagnose` says, or why it could not; None for a model that has nothing to look at."""
    try:
        batch = a_batch(model, examples)
        if not observed_layers(model):
            return None
        return _as_markdown(diagnose_batch(model, batch))
    except Exception as error:  # whatever it is, a report must not end a training
        reason = f"The network could not be diagnosed: {type(error).__name__}: {error}"
        warnings.warn(f"{reason}. The training goes on.", stacklevel=2)
        return reason


def _as_markdown(found: Diagnosis) -> str:
    table = f"```\n{as_table(found.layers, found.statistics)}\nloss {found.loss:.4g}\n```"
    findings = [
        f"- **{each.name}** at `{each.layer}`: {each.evidence}. {each.advice}"
        for each in found.findings
    ]
    return "\n".join([table, "", *(findings or ["Nothing wrong was found."])])


def _of_curve(curve: LearningRateCurve) -> Any:
    try:
        # Not of pyplot, which would choose a backend for the whole process.
        figure = import_extra("matplotlib.figure", "plot").Figure(layout="constrained")
    except ImportError as error:
        return text_value("learning_rate_finder", str(error))
    curve.plot(figure.subplots())
    return figure_value("learning_rate_finder", figure)
