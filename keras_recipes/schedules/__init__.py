"""Step -> value, computed inside the compiled step from `optimizer.iterations`."""

from keras_recipes.schedules.delayed import Delayed
from keras_recipes.schedules.factory import make_schedule
from keras_recipes.schedules.one_cycle import OneCycle, OneCycleMomentum
from keras_recipes.schedules.power_decay import PowerDecay

__all__ = ["Delayed", "OneCycle", "OneCycleMomentum", "PowerDecay", "make_schedule"]
