from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_recipes.checks import check_instance, check_integer


@keras.saving.register_keras_serializable(package="keras_recipes")
class Delayed(LearningRateSchedule):
    """Another schedule, moved to begin at a later step: training that goes on has a new cycle.

    Args:
        schedule: A `keras.optimizers.schedules.LearningRateSchedule`.
        first_step: Step, an integer, at which `schedule` is at its step 0. Before it the value is
            that of step 0; a negative one begins inside `schedule`.

    Raises:
        TypeError: If an argument is of the wrong kind.

    Example:
        >>> float(Delayed(PowerDecay(0.1, 100), first_step=1000)(1100))
        0.05000000074505806
    """

    def __init__(self, schedule: LearningRateSchedule, first_step: int) -> None:
        super().__init__()
        self.schedule = check_instance(
            "schedule", schedule, LearningRateSchedule, "a learning-rate schedule"
        )
        self.first_step = check_integer("first_step", first_step, "(-inf, inf)")

    def __call__(self, step: Any) -> Any:
        return self.schedule(ops.maximum(ops.cast(step, "int32") - self.first_step, 0))

    def get_config(self) -> dict[str, Any]:
        return {
            "schedule": keras.optimizers.schedules.serialize(self.schedule),
            "first_step": self.first_step,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Delayed":
        schedule = keras.optimizers.schedules.deserialize(config["schedule"])
        return cls(schedule, config["first_step"])
