"""Callbacks for `keras.Model.fit`."""

from keras_recipes.callbacks.early_stopping import EarlyStopping
from keras_recipes.callbacks.layer_health import LayerHealth
from keras_recipes.callbacks.magnitude_pruning import MagnitudePruning
from keras_recipes.callbacks.one_cycle import OneCycle
from keras_recipes.callbacks.performance_scheduling import PerformanceScheduling
from keras_recipes.callbacks.schedule import Schedule
from keras_recipes.callbacks.step_log import StepLog

__all__ = [
    "EarlyStopping",
    "LayerHealth",
    "MagnitudePruning",
    "OneCycle",
    "PerformanceScheduling",
    "Schedule",
    "StepLog",
]
