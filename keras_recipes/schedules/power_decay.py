from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_recipes.checks import check_integer, check_number


@keras.saving.register_keras_serializable(package="keras_recipes")
class PowerDecay(LearningRateSchedule):
    """Power scheduling: the rate falls as `initial / (1 + step / decay_steps) ** power`.

    Args:
        initial_learning_rate: Rate of step 0, > 0.
        decay_steps: Steps after which the rate has fallen to `initial / 2 ** power`, at least 1.
        power: Exponent, > 0. At 1 this is Keras's `InverseTimeDecay` with a decay rate of 1.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range.

    Example:
        >>> float(PowerDecay(0.1, decay_steps=100)(100))
        0.05000000074505806

    Reference: Geron, *Hands-On Machine Learning*, 2nd ed., chapter 11 (2019).
    """

    def __init__(self, initial_learning_rate: float, decay_steps: int, power: float = 1.0) -> None:
        super().__init__()
        self.initial_learning_rate = check_number(
            "initial_learning_rate", initial_learning_rate, "(0, inf)"
        )
        self.decay_steps = check_integer("decay_steps", decay_steps, "[1, inf)")
        self.power = check_number("power", power, "(0, inf)")

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        return self.initial_learning_rate / ops.power(1.0 + step / self.decay_steps, self.power)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "power": self.power,
        }
