from typing import Any

import keras
from keras import ops

from keras_recipes.checks import check_choice, check_integer, check_number, check_text

ARGUMENTS = ("factor", "patience", "monitor", "mode", "min_delta", "cooldown")
STATE = ("best", "wait", "cooldown_counter")


class PerformanceScheduling(keras.callbacks.ReduceLROnPlateau):
    """Keras's `ReduceLROnPlateau` that goes on where it was when training goes on.

    Keras's own forgets its best value and its counters at the start of each `fit`. This one keeps
    them when `fit` starts at a later `initial_epoch`, and `get_state` and `set_state` carry them
    into another process; `keras_recipes.fit` does so.

    Args:
        factor: What the learning rate is multiplied by, in (0, 1).
        patience: Epochs without improvement before that, at least 1.
        monitor: Name of the quantity in the epoch's logs.
        mode: `"min"`, `"max"` or `"auto"`, which goes by the metric.
        min_delta: Smallest change, >= 0, that counts as an improvement.
        cooldown: Epochs to wait after a reduction before counting again.
        min_learning_rate: Lower bound of the learning rate, >= 0.
        verbose: 0, or 1 to print a line at each reduction.

    Raises:
        TypeError: If an argument is of the wrong kind, or, from `fit`, if the optimizer's learning
            rate is a schedule, which cannot be reduced.
        ValueError: If an argument is out of range.

    Example:
        >>> model.fit(x, y, validation_data=(x_val, y_val), callbacks=[PerformanceScheduling()])

    Reference: Geron, *Hands-On Machine Learning*, 2nd ed., chapter 11 (2019).
    """

    def __init__(
        self,
        factor: float = 0.5,
        patience: int = 5,
        *,
        monitor: str = "val_loss",
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_learning_rate: float = 0.0,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            monitor=check_text("monitor", monitor, "the name of a quantity in the epoch's logs"),
            factor=check_number("factor", factor, "(0, 1)", "0.5 halves the rate."),
            patience=check_integer("patience", patience, "[1, inf)"),
            verbose=check_integer("verbose", verbose, "[0, 1]"),
            mode=check_choice("mode", mode, ("auto", "min", "max")),
            min_delta=check_number("min_delta", min_delta, "[0, inf)"),
            cooldown=check_integer("cooldown", cooldown, "[0, inf)"),
            min_lr=check_number("min_learning_rate", min_learning_rate, "[0, inf)"),
        )
        self._reset()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        rate = getattr(self.model.optimizer, "_learning_rate", None)
        if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            raise TypeError(
                "PerformanceScheduling must have an optimizer whose learning rate is a number. "
                f"Received: learning_rate={rate!r}. Compile with a number, or leave the schedule "
                "to do its work without this callback."
            )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch == 0:
            self._reset()
            self.best = None  # Keras 3.12 leaves it

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that training depends on, as JSON can hold them."""
        return {
            **{name: getattr(self, name) for name in ARGUMENTS},
            "min_learning_rate": self.min_lr,
        }

    def get_state(self) -> dict[str, Any]:
        """Returns the best value, the counters and the learning rate, as JSON can hold them."""
        state = {name: getattr(self, name) for name in STATE}
        rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        return {**state, "best": None if self.best is None else float(self.best), "rate": rate}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on from what `get_state` returned, with the learning rate of that time.

        Args:
            state: What `get_state` returned.
        """
        for name in STATE:
            setattr(self, name, state[name])
        self.model.optimizer.learning_rate = state["rate"]
