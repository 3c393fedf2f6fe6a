"""Callbacks for `keras.Model.fit`."""

from keras_recipes.callbacks.early_stopping import EarlyStopping
from keras_recipes.callbacks.layer_health import LayerHealth
from keras_recipes.callbacks.one_cycle import OneCycle
from keras_recipes.callbacks.performance_scheduling import PerformanceScheduling
from keras_recipes.callbacks.schedule import Schedule

__all__ = ["EarlyStopping", "LayerHealth", "OneCycle", "PerformanceScheduling", "Schedule"]
