"""Training recipes for dense networks on Keras 3."""

from keras_recipes import callbacks, diagnostics, guide, layers, optimizers, schedules, uncertainty
from keras_recipes.datasets import load_dataset
from keras_recipes.diagnostics import diagnose
from keras_recipes.guide import recommend
from keras_recipes.inference import evaluate, predict
from keras_recipes.lr_finder import LearningRateCurve, find_learning_rate
from keras_recipes.models import build_default_dnn, build_self_normalizing_dnn
from keras_recipes.optimizers import make_optimizer
from keras_recipes.schedules import make_schedule
from keras_recipes.training import fit
from keras_recipes.uncertainty import mc_predict
from keras_recipes.version import __version__

__all__ = [
    "LearningRateCurve",
    "__version__",
    "build_default_dnn",
    "build_self_normalizing_dnn",
    "callbacks",
    "diagnose",
    "diagnostics",
    "evaluate",
    "find_learning_rate",
    "fit",
    "guide",
    "layers",
    "load_dataset",
    "make_optimizer",
    "make_schedule",
    "mc_predict",
    "optimizers",
    "predict",
    "recommend",
    "schedules",
    "uncertainty",
]
