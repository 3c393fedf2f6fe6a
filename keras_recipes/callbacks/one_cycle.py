import warnings
from typing import Any

from keras.optimizers.schedules import LearningRateSchedule

from keras_recipes import schedules
from keras_recipes.callbacks.schedule import Schedule
from keras_recipes.checks import check_flag, check_number
from keras_recipes.optimizers import can_follow_momentum


class OneCycle(Schedule):
    """The 1cycle policy as long as the training: the learning rate up and down, momentum mirrored.

    Both are computed inside the step. While `fit` runs, the optimizer follows them; afterwards it
    is again what it was compiled with. Each `fit` starts a new cycle, or, with `initial_epoch`,
    goes on in it from that epoch; a dataset of unknown length does not tell how far in that is, and
    starts a new one. Each epoch's logs get its last `learning_rate` and `momentum`.

    Args:
        max_learning_rate: Rate at the peak, > 0.
        cycle_momentum: Whether the momentum goes down while the rate goes up. It takes an optimizer
            of `keras_recipes.optimizers`; with another one a warning says so.
        total_steps: Length of the cycle in steps (batches). Defaults to epochs x steps per epoch,
            as `fit` has them; needed for a dataset of unknown length.
        max_momentum: Momentum at both ends, in [0, 1).
        min_momentum: Momentum at the peak of the rate, in [0, `max_momentum`].
        **curve: Those of `keras_recipes.schedules.OneCycle`: `start_learning_rate`,
            `final_learning_rate`, `final_fraction`, `warmup_fraction`, `anneal`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If one is out of range; from `fit`, if the number of steps is not known.

    Example:
        >>> model.fit(x, y, epochs=20, callbacks=[OneCycle(max_learning_rate=0.05)])

    Reference: L. Smith (2018), A disciplined approach to neural network hyper-parameters: Part 1,
    arXiv:1803.09820.
    """

    def __init__(
        self,
        max_learning_rate: float,
        *,
        cycle_momentum: bool = True,
        total_steps: int | None = None,
        max_momentum: float = 0.95,
        min_momentum: float = 0.85,
        **curve: Any,
    ) -> None:
        self.cycle_momentum = check_flag("cycle_momentum", cycle_momentum)
        self.max_momentum = max_momentum
        self.min_momentum = min_momentum
        check_number("max_learning_rate", max_learning_rate, "(0, inf)")
        super().__init__("1cycle", max_learning_rate, total_steps=total_steps, **curve)

    def make_schedules(self, total_steps: int) -> dict[str, LearningRateSchedule]:
        """Returns the schedules of `learning_rate` and, if it is cycled, of `momentum`.

        Args:
            total_steps: Length of the cycle in steps.
        """
        result = super().make_schedules(total_steps)
        phases = ("final_fraction", "warmup_fraction", "anneal")
        momentum = schedules.OneCycleMomentum(
            total_steps,
            self.max_momentum,
            self.min_momentum,
            **{option: self.options[option] for option in phases if option in self.options},
        )
        if self.cycle_momentum and self._model_can_cycle():
            result["momentum"] = momentum
        return result

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        if self.cycle_momentum and not self._model_can_cycle():
            optimizer = type(self.model.optimizer)
            warnings.warn(
                f"The momentum of {optimizer.__module__}.{optimizer.__name__} cannot be cycled: "
                "only the learning rate follows the 1cycle policy. To cycle both, compile with "
                'keras_recipes.make_optimizer("momentum") or "nesterov", "adam", "nadam", "adamw"; '
                "to train like this, pass cycle_momentum=False.",
                stacklevel=2,
            )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that training depends on, as JSON can hold them."""
        config = super().get_config()
        del config["name"]
        return {
            "max_learning_rate": config.pop("learning_rate"),
            "cycle_momentum": self.cycle_momentum,
            "max_momentum": self.max_momentum,
            "min_momentum": self.min_momentum,
            **config,
        }

    def _model_can_cycle(self) -> bool:
        return self._model is None or can_follow_momentum(self._model.optimizer)
