from typing import Any

import keras

from keras_recipes.checks import check_integer, check_text

ARGUMENTS = ("patience", "monitor", "start_from_epoch")
STATE = ("best", "wait", "best_epoch", "stopped_epoch")


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras's `EarlyStopping`, with the best weights restored, that can be carried on elsewhere.

    Args:
        patience: Epochs without improvement after which training stops, at least 1.
        monitor: Name of the quantity in the epoch's logs.
        start_from_epoch: First epoch, from 0, that is looked at. Under 1cycle that is where the
            rate falls from its peak: before it the validation loss goes up and down with the
            rate, and says little of where the training leads.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range.

    Example:
        >>> model.fit(x, y, validation_split=0.2, epochs=20,
        ...           callbacks=[OneCycle(0.05), EarlyStopping(5, start_from_epoch=9)])
    """

    def __init__(
        self, patience: int = 10, *, monitor: str = "val_loss", start_from_epoch: int = 0
    ) -> None:
        super().__init__(
            monitor=check_text("monitor", monitor, "the name of a quantity in the epoch's logs"),
            patience=check_integer("patience", patience, "[1, inf)", "Or leave it out."),
            restore_best_weights=True,
            start_from_epoch=check_integer("start_from_epoch", start_from_epoch, "[0, inf)"),
        )

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self.best = None  # Keras 3.12 leaves it

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that training depends on, as JSON can hold them."""
        return {name: getattr(self, name) for name in ARGUMENTS}

    def get_state(self) -> dict[str, Any]:
        """Returns the best value and the counters, as JSON can hold them."""
        state = {name: getattr(self, name) for name in STATE}
        return {**state, "best": None if self.best is None else float(self.best)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on from what `get_state` returned; set `best_weights` beside it.

        Args:
            state: What `get_state` returned.
        """
        for name in STATE:
            setattr(self, name, state[name])
