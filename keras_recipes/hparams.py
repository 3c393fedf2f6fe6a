"""Runs in TensorBoard's table of hyperparameters: a row for each, and columns that go for all."""

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import keras
from keras import layers

from keras_recipes.board import hparams_value
from keras_recipes.diagnostics.observed_layers import ObservedLayer, observed_layers
from keras_recipes.layers import MCAlphaDropout, MCDropout
from keras_recipes.optimizers.following import innermost, momentum_at
from keras_recipes.run_directory import RunDirectory

RESULT = "result/"  # of the tags of the end, which are the metrics of the table
VALIDATION = "val_"  # of the names of what is validated
NOT_METRICS = ("learning_rate", "momentum")  # of what an epoch logs
OF_FIT = ("epochs", "batch_size", "schedule", "max_learning_rate", "early_stopping", "seed")
CLIPPING = ("clipvalue", "clipnorm", "global_clipnorm")
NONE = "none"
SHOWN = ("activation", "batch_size", "max_learning_rate", "optimizer", "units")
DROPOUT = (layers.Dropout, layers.AlphaDropout, layers.GaussianDropout)


def row(run: RunDirectory, model: keras.Model, settings: dict[str, Any]) -> Sequence[Any]:
    """Returns the summaries that make a row of a run.

    Args:
        run: The run.
        model: What it trains.
        settings: The arguments of `fit` by name.
    """
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    shown = {**{name: settings[name] for name in OF_FIT}, **hyperparameters(model)}
    shown = {name: NONE if value is None else value for name, value in shown.items()}
    started = run.settings.stat().st_mtime  # written once, when the run began
    return hparams_pb(shown, "", started).value  # without a name each run is a row


def columns(model: keras.Model, logs: Iterable[str]) -> Any:
    """Returns the summary of the columns of the table.

    Of several runs TensorBoard takes the columns of one for all: so each of them has those of
    validation too.

    Args:
        model: What the run trains.
        logs: Names of what an epoch logged.
    """
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    names = {name.removeprefix(VALIDATION) for name in logs if name not in NOT_METRICS}
    ordered = sorted(names, key=lambda name: (name != "loss", name))
    experiment = api_pb2.Experiment(
        # It shows five, those first that are said to differ.
        hparam_infos=[
            api_pb2.HParamInfo(name=name, differs=name in SHOWN)
            for name in (*OF_FIT, *hyperparameters(model))
        ],
        metric_infos=[
            api_pb2.MetricInfo(name=api_pb2.MetricName(tag=f"{RESULT}{name}"), display_name=name)
            for name in (*(f"{VALIDATION}{name}" for name in ordered), *ordered)
        ],
    )
    data = plugin_data_pb2.HParamsPluginData(experiment=experiment)
    return hparams_value(metadata.EXPERIMENT_TAG, data)


def hyperparameters(model: keras.Model) -> dict[str, Any]:
    """Returns what tells a model from others, by name: its layers, their activations, its optimizer.

    Args:
        model: A compiled and built model.
    """
    hidden = {each.layer: each for each in _observed(model) if each.hidden}.values()
    inside = model._flatten_layers()
    rates = [layer.rate for layer in inside if isinstance(layer, DROPOUT)]
    normalized = any(isinstance(each, layers.BatchNormalization) for each in inside)
    before = any(each.output is not each.layer for each in hidden)  # an activation behind it
    optimizer = innermost(model.optimizer)
    limits = {name: getattr(optimizer, name) for name in CLIPPING}
    return {
        "model": model.name,
        "units": "-".join(map(str, map(_units, hidden))),
        "activation": _joined(each.activation for each in hidden),
        "initializer": _joined(_initializer(each.layer) for each in hidden),
        "batch_normalization": ("before" if before else "after") if normalized else NONE,
        "dropout": float(max(rates, default=0.0)),
        "mc_dropout": any(isinstance(each, MCDropout | MCAlphaDropout) for each in inside),
        "l1": max(_largest(inside, "kernel_regularizer", "l1"), float(getattr(optimizer, "l1", 0))),
        "l2": _largest(inside, "kernel_regularizer", "l2"),
        "max_norm": _largest(inside, "kernel_constraint", "max_value"),
        "parameters": model.count_params() if model.built else 0,
        "optimizer": type(optimizer).__name__,
        "momentum": float(momentum_at(optimizer, 0) or 0.0),
        "clipping": _joined(f"{name} {limit:g}" for name, limit in limits.items() if limit),
    }


def _observed(model: keras.Model) -> list[ObservedLayer]:
    try:
        return observed_layers(model) if model.built else []
    except Exception:  # the diagnosis has warned of it
        return []


def _units(observed: ObservedLayer) -> int:
    # A cell has several kernels in one.
    return getattr(observed.layer, "units", observed.kernel.shape[-1])


def _largest(inside: Iterable[keras.Layer], part: str, name: str) -> float:
    """The largest of a number that a part of the layers has; 0 where none has it."""
    found = (getattr(getattr(layer, part, None), name, None) for layer in inside)
    return float(max((each for each in found if isinstance(each, numbers.Real)), default=0.0))


def _joined(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or NONE


def _initializer(layer: keras.Layer) -> str:
    made = getattr(layer, "kernel_initializer", None)
    return NONE if made is None else type(made).__name__
