"""What a run says of itself in TensorBoard: its settings, diagnosis, learning rates and results."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import keras
from keras import layers

from keras_recipes.arrays import Examples
from keras_recipes.board import (
    figure_value,
    hparams_value,
    scalar_value,
    session_end_value,
    text_value,
    write_board,
)
from keras_recipes.diagnostics import Diagnosis
from keras_recipes.diagnostics.diagnosis import a_batch, diagnose_batch
from keras_recipes.diagnostics.findings import as_table
from keras_recipes.diagnostics.observed_layers import ObservedLayer, observed_layers
from keras_recipes.extras import import_extra
from keras_recipes.graph_loops import steps_in_one_graph
from keras_recipes.lr_finder import LearningRateCurve
from keras_recipes.model_state import build_from
from keras_recipes.optimizers.following import innermost, momentum_at
from keras_recipes.run_directory import RunDirectory

RESULT = "result/"  # of the tags of the end, which are the metrics of HParams
OF_FIT = ("epochs", "batch_size", "schedule", "max_learning_rate", "early_stopping", "seed")
CLIPPING = ("clipvalue", "clipnorm", "global_clipnorm")
NONE = "none"
SHOWN = ("activation", "batch_size", "max_learning_rate", "optimizer", "units")
DROPOUT = (layers.Dropout, layers.AlphaDropout, layers.GaussianDropout)


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
    write_board(run.logs, "settings", _of_settings(run, model, settings, ["loss"]))


def report_divergence(run: RunDirectory, error: FloatingPointError) -> None:
    """Shows why a run ended before its time.

    Args:
        run: The run.
        error: What `fit` raises.

    Raises:
        OSError: If it cannot be written.
    """
    _write_diagnosis(run, "after_training", str(error))


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
        for name, of_epochs in sorted(history.history.items(), reverse=True)  # `val_` first
        if name not in ("learning_rate", "momentum")
    }
    _report_diagnosis(run, model, examples, "after_training")
    write_board(run.logs, "settings", _of_settings(run, model, settings, list(results)))
    scalars = [scalar_value(f"{RESULT}{name}", value) for name, value in results.items()]
    write_board(run.logs, "result", [*scalars, session_end_value()])


def hyperparameters(model: keras.Model) -> dict[str, Any]:
    """Returns what tells a model from others, by name: its layers, their activations, its optimizer.

    Args:
        model: A compiled and built model.
    """
    hidden = {each.layer: each for each in _observed(model) if each.hidden}.values()
    inside = model._flatten_layers()
    rates = [layer.rate for layer in inside if isinstance(layer, DROPOUT)]
    optimizer = innermost(model.optimizer)
    limits = {name: getattr(optimizer, name) for name in CLIPPING}
    return {
        "model": model.name,
        "units": "-".join(str(_units(each.layer)) for each in hidden),
        "activation": _joined(each.activation for each in hidden),
        "initializer": _joined(_initializer(each.layer) for each in hidden),
        "batch_normalization": any(isinstance(each, layers.BatchNormalization) for each in inside),
        "dropout": float(max(rates, default=0.0)),
        "parameters": model.count_params() if model.built else 0,
        "optimizer": type(optimizer).__name__,
        "momentum": float(momentum_at(optimizer, 0) or 0.0),
        "clipping": _joined(f"{name} {limit:g}" for name, limit in limits.items() if limit),
    }


def _report_diagnosis(run: RunDirectory, model: keras.Model, examples: Examples, when: str) -> None:
    if steps_in_one_graph(model) and (text := _diagnosis_of(model, examples)):
        _write_diagnosis(run, when, text)


def _write_diagnosis(run: RunDirectory, when: str, text: str) -> None:
    write_board(run.logs, f"diagnosis_{when}", [text_value(f"diagnosis/{when}", text)])


def _diagnosis_of(model: keras.Model, examples: Examples) -> str | None:
    """What `diagnose` says, or why it could not; None for a model that has nothing to look at."""
    try:
        batch = a_batch(examples)
        build_from(model, batch)
        if not observed_layers(model):
            return None
        return _as_markdown(diagnose_batch(model, batch))
    except Exception as error:  # whatever it is, a report must not end a training
        reason = f"The network could not be diagnosed: {type(error).__name__}: {error}"
        warnings.warn(f"{reason}. The training goes on.", stacklevel=2)
        return reason


def _observed(model: keras.Model) -> list[ObservedLayer]:
    try:
        return observed_layers(model) if model.built else []
    except Exception:  # the diagnosis has warned of it
        return []


def _units(layer: keras.Layer) -> int:
    return getattr(layer, "units", layer.kernel.shape[-1])  # a cell has several kernels in one


def _as_markdown(found: Diagnosis) -> str:
    table = f"```\n{as_table(found.layers, found.statistics)}\nloss {found.loss:.4g}\n```"
    findings = [
        f"- **{each.name}** at `{each.layer}`: {each.evidence}. {each.advice}"
        for each in found.findings
    ]
    return "\n".join([table, "", *(findings or ["Nothing wrong was found."])])


def _joined(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or NONE


def _initializer(layer: keras.Layer) -> str:
    made = getattr(layer, "kernel_initializer", None)
    return NONE if made is None else type(made).__name__


def _of_curve(curve: LearningRateCurve) -> Any:
    try:
        # Not of pyplot, which would choose a backend for the whole process.
        figure = import_extra("matplotlib.figure", "plot").Figure(layout="constrained")
    except ImportError as error:
        return text_value("learning_rate_finder", str(error))
    curve.plot(figure.subplots())
    return figure_value("learning_rate_finder", figure)


def _of_settings(
    run: RunDirectory, model: keras.Model, settings: dict[str, Any], metrics: Sequence[str]
) -> list[Any]:
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    shown = {**{name: settings[name] for name in OF_FIT}, **hyperparameters(model)}
    shown = {name: NONE if value is None else value for name, value in shown.items()}
    started = run.settings.stat().st_mtime  # written once, when the run began
    names = [api_pb2.MetricName(tag=f"{RESULT}{name}") for name in metrics]
    experiment = api_pb2.Experiment(
        # It shows five, those first that are said to differ.
        hparam_infos=[api_pb2.HParamInfo(name=name, differs=name in SHOWN) for name in shown],
        metric_infos=[
            api_pb2.MetricInfo(name=name, display_name=metric)
            for name, metric in zip(names, metrics, strict=True)
        ],
        time_created_secs=started,
    )
    data = plugin_data_pb2.HParamsPluginData(experiment=experiment)
    return [
        hparams_value(metadata.EXPERIMENT_TAG, data),
        *hparams_pb(shown, "", started).value,  # without a name each run is a row
    ]
