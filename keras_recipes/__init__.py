"""Training recipes for dense networks on Keras 3."""

import importlib
from typing import Any

from keras_recipes import (
    callbacks,
    diagnostics,
    guide,
    layers,
    linear,
    optimizers,
    schedules,
    scikit_learn,
    uncertainty,
)
from keras_recipes.board import log_figure, log_text
from keras_recipes.cnn import build_cnn
from keras_recipes.datasets import load_dataset
from keras_recipes.diagnostics import diagnose
from keras_recipes.guide import recommend
from keras_recipes.inference import evaluate, predict
from keras_recipes.linear import (
    build_linear_regression,
    build_logistic_regression,
    solve_normal_equation,
)
from keras_recipes.lr_finder import LearningRateCurve, find_learning_rate
from keras_recipes.models import build_default_dnn, build_self_normalizing_dnn
from keras_recipes.optimizers import make_optimizer
from keras_recipes.schedules import make_schedule
from keras_recipes.sparsity import SparsityReport, sparsity, strip
from keras_recipes.training import fit
from keras_recipes.uncertainty import mc_predict
from keras_recipes.version import __version__

__all__ = [
    "LearningRateCurve",
    "SparsityReport",
    "__version__",
    "build_cnn",
    "build_default_dnn",
    "build_linear_regression",
    "build_logistic_regression",
    "build_self_normalizing_dnn",
    "callbacks",
    "diagnose",
    "diagnostics",
    "evaluate",
    "find_learning_rate",
    "fit",
    "guide",
    "layers",
    "linear",
    "load_dataset",
    "log_figure",
    "log_text",
    "make_optimizer",
    "make_schedule",
    "mc_predict",
    "optimizers",
    "predict",
    "recommend",
    "schedules",
    "scikit_learn",
    "solve_normal_equation",
    "sparsity",
    "strip",
    "uncertainty",
]


def __getattr__(name: str) -> Any:
    """Brings `search_spaces` when it is asked for: it takes keras-tuner, which takes a second."""
    if name == "search_spaces":
        return importlib.import_module("keras_recipes.search_spaces")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
