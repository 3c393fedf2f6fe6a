"""Optimizers whose momentum may be a schedule, computed inside the step like the learning rate.

Keras traces a `momentum` or `beta_1` into the step as a constant, so that setting it from a
callback changes nothing. Here it may be a schedule, evaluated once a step from the iteration
counter: no state of its own, right under `steps_per_execution`, `jit_compile` and resume.
"""

from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_recipes.optimizers.arguments import check_arguments, check_momentum, check_rate


class ScheduledMomentum(keras.optimizers.Optimizer):
    """Mixed into a Keras optimizer: its momentum is a number or a schedule.

    Read from outside it is the value at the current step, as `learning_rate` is.
    """

    momentum_argument = "beta_1"

    def __init__(self, learning_rate: Any, **arguments: Any) -> None:
        super().__init__(check_rate(learning_rate), **check_arguments(arguments))

    @property
    def momentum(self) -> Any:
        if self._momentum_of_step is not None:
            return self._momentum_of_step
        if isinstance(self._momentum, LearningRateSchedule):
            return self._momentum(self._iterations)
        return self._momentum

    @momentum.setter
    def momentum(self, value: Any) -> None:
        value = check_momentum(self.momentum_argument, value)
        if value != 0 and not self._has_slots():
            raise ValueError(
                f"`{self.momentum_argument}` must stay 0 in an optimizer that was built with 0, "
                f"without velocities. Received: {self.momentum_argument}={value!r}. Compile with an "
                'optimizer that has a momentum from the start: make_optimizer("momentum").'
            )
        self._momentum_of_step = None
        self._momentum = value

    beta_1 = momentum  # the name under which Keras's adaptive optimizers read and set it

    def _has_slots(self) -> bool:
        """Whether there are, or will be, variables for a momentum other than 0."""
        return True

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        self._momentum_of_step = self.momentum  # evaluated once for all variables
        try:
            super().apply(grads, trainable_variables)
        finally:
            self._momentum_of_step = None

    def get_config(self) -> dict[str, Any]:
        momentum = self._momentum
        if isinstance(momentum, LearningRateSchedule):
            momentum = keras.optimizers.schedules.serialize(momentum)
        return {**super().get_config(), self.momentum_argument: momentum}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        if isinstance(config.get(cls.momentum_argument), dict):
            config[cls.momentum_argument] = keras.optimizers.schedules.deserialize(
                config[cls.momentum_argument], custom_objects
            )
        return super().from_config(config, custom_objects)


@keras.saving.register_keras_serializable(package="keras_recipes")
class SGD(ScheduledMomentum, keras.optimizers.SGD):
    """`keras.optimizers.SGD` whose momentum may be a schedule.

    Args:
        learning_rate: A number > 0 or a schedule. Defaults to 0.01.
        momentum: A number in [0, 1) or a schedule. Defaults to 0, which needs no slots; once built
            without them the optimizer takes no other.
        nesterov: Whether to look ahead (Nesterov, 1983).
        **kwargs: As for every Keras optimizer: `clipvalue`, `clipnorm`, `weight_decay`, ...

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range.

    Example:
        >>> optimizer = SGD(OneCycle(0.05, 1000), momentum=OneCycleMomentum(1000))
    """

    momentum_argument = "momentum"

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: Any = 0.0,
        nesterov: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, momentum=0.0, nesterov=nesterov, **kwargs)
        self.momentum = momentum

    def build(self, variables: Any) -> None:
        if self.built:
            return
        keras.optimizers.Optimizer.build(self, variables)
        self.momentums = (
            [] if self._momentum == 0 else self.add_optimizer_variables(variables, "momentum")
        )

    def _has_slots(self) -> bool:
        return not self.built or bool(self.momentums)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        step = ops.multiply(
            ops.cast(gradient, variable.dtype), ops.cast(learning_rate, variable.dtype)
        )
        if not self.momentums:
            self.assign_sub(variable, step)
            return
        velocity = self.momentums[self._get_variable_index(variable)]
        momentum = ops.cast(self.momentum, variable.dtype)
        self.assign(velocity, ops.subtract(ops.multiply(velocity, momentum), step))
        if self.nesterov:
            self.assign_add(variable, ops.subtract(ops.multiply(velocity, momentum), step))
        else:
            self.assign_add(variable, velocity)


@keras.saving.register_keras_serializable(package="keras_recipes")
class Adam(ScheduledMomentum, keras.optimizers.Adam):
    """`keras.optimizers.Adam` whose `beta_1` may be a schedule.

    The bias correction uses the `beta_1` of the current step, as other frameworks do that cycle it.

    Args:
        learning_rate: A number > 0 or a schedule. Defaults to 0.001.
        beta_1: A number in [0, 1) or a schedule: Adam's momentum. Defaults to 0.9.
        **kwargs: Those of `keras.optimizers.Adam`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range.

    Example:
        >>> optimizer = Adam(OneCycle(0.005, 1000), beta_1=OneCycleMomentum(1000))
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: Any = 0.9, **kwargs: Any) -> None:
        super().__init__(learning_rate, beta_1=beta_1, **kwargs)


@keras.saving.register_keras_serializable(package="keras_recipes")
class AdamW(ScheduledMomentum, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` whose `beta_1` may be a schedule; see `Adam`.

    Args:
        learning_rate: A number > 0 or a schedule. Defaults to 0.001.
        weight_decay: Decoupled weight decay, times the learning rate, a step. Defaults to 0.004.
        beta_1: A number in [0, 1) or a schedule. Defaults to 0.9.
        **kwargs: Those of `keras.optimizers.AdamW`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range.

    Example:
        >>> optimizer = AdamW(OneCycle(0.005, 1000), beta_1=OneCycleMomentum(1000))
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: Any = 0.9,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, beta_1=beta_1, **kwargs)


@keras.saving.register_keras_serializable(package="keras_recipes")
class Nadam(ScheduledMomentum, keras.optimizers.Nadam):
    """`keras.optimizers.Nadam` whose `beta_1` may be a schedule.

    Args:
        learning_rate: A number > 0 or a schedule. Defaults to 0.001.
        beta_1: A number in [0, 1) or a schedule. Defaults to 0.9.
        **kwargs: Those of `keras.optimizers.Nadam`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range.

    Example:
        >>> optimizer = Nadam(OneCycle(0.005, 1000), beta_1=OneCycleMomentum(1000))
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: Any = 0.9, **kwargs: Any) -> None:
        super().__init__(learning_rate, beta_1=beta_1, **kwargs)
