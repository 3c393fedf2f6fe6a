"""Argument checks: what was expected, what was received, how to mend it."""

import difflib
import math
import numbers
from collections.abc import Collection, Sequence
from typing import Any

import keras
import numpy as np

BYTES_AND_TEXT = (str, bytes, bytearray, memoryview)


def check_number(name: str, value: Any, interval: str, hint: str = "") -> float:
    """Returns `value` as a float.

    Args:
        name: Name of the argument, for the message.
        value: A real number; a bool is not one.
        interval: Where it must lie, written as in mathematics: `"[0, 1)"`, `"(0, inf)"`.
        hint: How to mend it, a sentence.

    Raises:
        TypeError: If `value` is not a real number.
        ValueError: If it is NaN, outside `interval`, or beyond what a float holds.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(_message(name, f"a number in {interval}", value, hint))
    if not _contains(interval, value):
        raise ValueError(_message(name, f"in {interval}", value, hint))
    return float(value)


def check_integer(name: str, value: Any, interval: str, hint: str = "") -> int:
    """Returns `value` as an int; like `check_number`, and a float is refused."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(_message(name, f"an integer in {interval}", value, hint))
    if not _contains(interval, value):
        raise ValueError(_message(name, f"in {interval}", value, hint))
    return int(value)


def check_choice(name: str, value: Any, choices: Collection[str], hint: str = "") -> str:
    """Returns `value`, one of the names in `choices`; a near miss is suggested."""
    expected = "one of " + ", ".join(repr(choice) for choice in choices)
    if not isinstance(value, str):
        raise TypeError(_message(name, expected, value, hint))
    if value not in choices:
        near = difflib.get_close_matches(value.lower(), choices, n=1)
        hint = " ".join([f"Did you mean {near[0]!r}?" if near else "", hint]).strip()
        raise ValueError(_message(name, expected, value, hint))
    return value


def check_text(name: str, value: Any, expected: str, hint: str = "") -> str:
    """Returns `value`, a string that is not empty, which the message calls `expected`."""
    check_instance(name, value, str, expected, hint)
    if not value:
        raise ValueError(_message(name, expected, value, hint))
    return value


def check_sequence(name: str, value: Any, expected: str, hint: str = "") -> list[Any]:
    """Returns `value`, a sequence or an array of one axis, as a list; text and bytes are neither."""
    listed = isinstance(value, Sequence) and not isinstance(value, BYTES_AND_TEXT)
    if not listed and not (isinstance(value, np.ndarray) and value.ndim == 1):
        raise TypeError(_message(name, expected, value, hint))
    return list(value)


def check_flag(name: str, value: Any, hint: str = "") -> bool:
    """Returns `value`, which must be True or False."""
    if not isinstance(value, bool):
        raise TypeError(_message(name, "True or False", value, hint))
    return value


def check_instance(
    name: str, value: Any, kinds: type | tuple[Any, ...], expected: str, hint: str = ""
) -> Any:
    """Returns `value`, an instance of `kinds`, which the message calls `expected`."""
    if not isinstance(value, kinds):
        raise TypeError(_message(name, expected, value, hint))
    return value


def check_compiled(model: Any) -> keras.Model:
    """Returns `model`, a compiled `keras.Model`."""
    check_instance("model", model, keras.Model, "a keras.Model", "Build one: build_default_dnn(8).")
    if not model.compiled:
        raise ValueError("`model` must be compiled. Received: one that is not. Call compile().")
    return model


def check_tensorflow(subject: str) -> None:
    """Raises RuntimeError, which says that `subject` needs it, where Keras does not run on TensorFlow."""
    if keras.config.backend() != "tensorflow":
        raise RuntimeError(
            f"{subject} must run on TensorFlow. Received: backend {keras.config.backend()!r}. "
            "Set KERAS_BACKEND=tensorflow."
        )


def _contains(interval: str, value: Any) -> bool:
    try:
        value = float(value)
    except OverflowError:
        value = math.inf if value > 0 else -math.inf
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    above = value >= low if interval[0] == "[" else value > low
    below = value <= high if interval[-1] == "]" else value < high
    return above and below and not math.isnan(value)


def _message(name: str, expected: str, value: Any, hint: str) -> str:
    received = repr(value)
    if len(received) > 100:
        received = f"{received[:97]}..."
    return f"`{name}` must be {expected}. Received: {name}={received}. {hint}".rstrip()
