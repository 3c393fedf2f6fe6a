"""Which callbacks have changed the training step of a model."""

from typing import Any

import keras

KEY = "_callbacks_in_step"  # in a model's own dictionary, where Keras tracks nothing


def enter(callback: Any) -> list[keras.callbacks.Callback]:
    """Notes a callback that is about to change the step of its model, until it leaves.

    What callbacks of a training left there that was interrupted, and has told them nothing, they
    undo first.

    Args:
        callback: Has a `restore`, which leaves.

    Returns:
        The others of this training that have entered.
    """
    present = vars(callback.model).get(KEY, [])
    if any(params is not each.params or params is not callback.params for each, params in present):
        for each, _ in present:
            each.restore()
        present = []
    vars(callback.model)[KEY] = [*present, (callback, callback.params)]
    return [each for each, _ in present]


def leave(callback: Any) -> None:
    """Forgets a callback that has undone what it changed, or had changed nothing."""
    if callback.model is not None:
        present = vars(callback.model).pop(KEY, [])
        if staying := [pair for pair in present if pair[0] is not callback]:
            vars(callback.model)[KEY] = staying
