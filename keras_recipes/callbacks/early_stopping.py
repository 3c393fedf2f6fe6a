from typing import Any

import keras

from keras_recipes.checks import check_integer

STATE = ("best", "wait", "best_epoch", "stopped_epoch")


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras's `EarlyStopping` that lets a schedule play out, and that can be carried on.

    The best weights are kept from the first epoch on, but epochs without improvement count only
    from `count_from_epoch` on: while a 1cycle learning rate is high the validation loss often
    stands still, and falls when the rate does.

    Args:
        patience: Epochs without improvement after which training stops, at least 1.
        monitor: Name of the quantity in the epoch's logs.
        count_from_epoch: First epoch, from 0, that counts towards `patience`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range.

    Example:
        >>> model.fit(x, y, validation_split=0.2, epochs=20,
        ...           callbacks=[OneCycle(0.05), EarlyStopping(5, count_from_epoch=10)])
    """

    def __init__(
        self, patience: int = 10, *, monitor: str = "val_loss", count_from_epoch: int = 0
    ) -> None:
        check_integer("patience", patience, "[1, inf)", "To train to the end leave it out.")
        check_integer("count_from_epoch", count_from_epoch, "[0, inf)")
        super().__init__(monitor=monitor, patience=patience, restore_best_weights=True)
        self.count_from_epoch = count_from_epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch < self.count_from_epoch:
            self.wait = -1  # Keras adds one and compares
        super().on_epoch_end(epoch, logs)

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
