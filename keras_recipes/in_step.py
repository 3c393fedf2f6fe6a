"""Which callbacks have changed the training step of a model, and which steps they look into."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

# In a model's own dictionary, where Keras tracks nothing.
KEY = "_callbacks_in_step"
TRACED = "_step_is_looked_into"


def enter(callback: Any, every: int | None = None) -> list[keras.callbacks.Callback]:
    """Notes a callback that is about to change the step of its model, until it leaves.

    What callbacks of a training left there that was interrupted, and has told them nothing, they
    undo first.

    Args:
        callback: Has a `restore`, which leaves.
        every: Steps from one that it looks into to the next, the first being one; None if it takes
            part in all.

    Returns:
        The others of this training that have entered.
    """
    present = vars(callback.model).get(KEY, [])
    if any(
        params is not each.params or params is not callback.params for each, params, _ in present
    ):
        for each, *_ in present:
            each.restore()
        present = []
    vars(callback.model)[KEY] = [*present, (callback, callback.params, every)]
    return [each for each, *_ in present]


def leave(callback: Any) -> None:
    """Forgets a callback that has undone what it changed, or had changed nothing."""
    if callback.model is not None:
        present = vars(callback.model).pop(KEY, [])
        if staying := [entry for entry in present if entry[0] is not callback]:
            vars(callback.model)[KEY] = staying


def looks(model: keras.Model) -> list[int]:
    """Returns how many steps lie between looks into the steps of a model, for each who looks."""
    return [every for *_, every in vars(model).get(KEY, []) if every is not None]


@contextlib.contextmanager
def traced(model: keras.Model, looked_into: bool | None) -> Iterator[None]:
    """Says of a step that is traced within what `is_looked_into` is to return."""
    vars(model)[TRACED] = looked_into
    try:
        yield
    finally:
        del vars(model)[TRACED]


def is_looked_into(model: keras.Model) -> bool | None:
    """Whether the step that is being traced is looked into; None where each run of it has to ask."""
    return vars(model).get(TRACED)
