from collections.abc import Callable
from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_recipes.checks import check_integer
from keras_recipes.in_step import enter, leave
from keras_recipes.optimizers import follow
from keras_recipes.optimizers.following import steps_taken
from keras_recipes.schedules import Delayed, make_schedule


class Schedule(keras.callbacks.Callback):
    """A learning-rate schedule as long as the training, computed inside the step.

    While `fit` runs, the optimizer's learning rate is the schedule; afterwards it is again what it
    was compiled with. Each `fit` starts the schedule anew, or, with `initial_epoch`, as far in as
    that epoch is; a dataset of unknown length does not tell how far, and starts it anew. Each
    epoch's logs get the rate of its last step as `learning_rate`. A step is a batch, under gradient
    accumulation too.

    Args:
        name: `"constant"`, `"power"`, `"exponential"`, `"piecewise"` or `"1cycle"`; the callback
            `OneCycle` cycles the momentum too.
        learning_rate: The rate that the schedule starts from, for 1cycle the one at its peak; > 0.
        total_steps: Length in steps (batches). Defaults to epochs x steps per epoch, as `fit` has
            them; needed for a dataset of unknown length.
        **options: Those of the schedule, see `keras_recipes.schedules.make_schedule`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If one is out of range; from `fit`, if the number of steps is not known.

    Example:
        >>> model.fit(x, y, epochs=20, callbacks=[Schedule("exponential", 0.05)])
    """

    def __init__(
        self, name: str, learning_rate: float, *, total_steps: int | None = None, **options: Any
    ) -> None:
        super().__init__()
        self.name = name
        self.learning_rate = learning_rate
        self.options = options
        if total_steps is not None:
            check_integer("total_steps", total_steps, "[1, inf)", "Pass epochs * steps per epoch.")
        self.total_steps = total_steps
        self._first_step: int | None = None
        self._undo: Callable[[], None] | None = None
        self._following: dict[str, LearningRateSchedule] = {}
        self.make_schedules(total_steps or 1)  # so that a wrong option shows here, not in `fit`

    def make_schedules(self, total_steps: int) -> dict[str, LearningRateSchedule]:
        """Returns the schedules of `learning_rate` and, if any, of `momentum`.

        Args:
            total_steps: Length in steps.
        """
        schedule = make_schedule(self.name, self.learning_rate, total_steps, **self.options)
        return {"learning_rate": schedule}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.total_steps is None and self.params.get("steps") is None:
            raise ValueError(
                "`total_steps` must be given where the dataset does not know its length. Received: "
                "total_steps=None. Pass total_steps=epochs * steps_per_epoch to "
                f"{type(self).__name__}, or steps_per_epoch to fit."
            )
        self._first_step = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._undo is not None:
            return
        optimizer = self.model.optimizer
        steps = self.params.get("steps") or 0
        if self._first_step is None:
            self._first_step = steps_taken(self.model.optimizer) - epoch * steps
        enter(self)
        schedules = self.make_schedules(self.total_steps or self.params["epochs"] * steps)
        if self._first_step != 0:
            schedules = {name: Delayed(each, self._first_step) for name, each in schedules.items()}
        self._undo = follow(optimizer, **schedules)
        self._following = schedules
        self.model.make_train_function(force=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            step = max(
                steps_taken(self.model.optimizer) - 1, 0
            )  # the counter is at the next step already
            for name, schedule in self._following.items():
                logs[name] = float(ops.convert_to_numpy(schedule(step)))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.restore()

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that training depends on, as JSON can hold them."""
        return {
            "name": self.name,
            "learning_rate": self.learning_rate,
            "total_steps": self.total_steps,
            **self.options,
        }

    def get_state(self) -> dict[str, Any]:
        """Returns the optimizer's step at which the schedule began, as JSON can hold it."""
        return {"first_step": self._first_step}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on with the schedule that `get_state` told of.

        Args:
            state: What `get_state` returned.
        """
        self._first_step = state["first_step"]

    def restore(self) -> None:
        """Gives the optimizer back what it was compiled with; `keras_recipes.fit` does so at its end.

        After a `keras.Model.fit` that was interrupted the model's next training does so.
        """
        if self._undo is not None:
            self._undo()
            self._undo = None
        leave(self)
