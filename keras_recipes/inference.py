"""Evaluation and prediction in large batches, without an iterator of batches between them."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import tree

from keras_recipes.arrays import (
    VALIDATION_BATCH_SIZE,
    Examples,
    as_inputs,
    check_no_dataset,
    prepare,
    rows_of,
)
from keras_recipes.checks import check_compiled, check_instance, check_integer
from keras_recipes.model_state import build_from

NO_DATASET = "Pass a dataset to the model's own evaluate or predict."

__all__ = ["evaluate", "predict"]


def evaluate(
    model: keras.Model,
    x: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    batch_size: int = VALIDATION_BATCH_SIZE,
) -> dict[str, float]:
    """Returns the loss and the metrics of a model on arrays, as `keras.Model.evaluate` does.

    For a small network it takes a fraction of the time: it has no iterator of batches.

    Args:
        model: A compiled `keras.Model`.
        x: Inputs, an array, or several as the model takes them.
        y: Targets.
        sample_weight: A weight for each example, or None.
        batch_size: Examples at a time, at least 1: it changes the speed, not the result.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the data do not fit the model or are not finite.

    Example:
        >>> evaluate(model, x_test, y_test)["loss"]
        0.21
    """
    check_compiled(model)
    check_integer("batch_size", batch_size, "[1, inf)")
    check_no_dataset(x, NO_DATASET)
    examples, _ = prepare(model, x, y, sample_weight, None, 0.0, batch_size)
    if keras.config.backend() == "tensorflow":
        logs = _run_test_function(model, examples)
    else:
        logs = model.evaluate(
            examples.x,
            examples.y,
            batch_size,
            sample_weight=examples.sample_weight,
            verbose=0,
            return_dict=True,
        )
    return {name: float(value) for name, value in logs.items()}


def predict(model: keras.Model, x: Any, *, batch_size: int = VALIDATION_BATCH_SIZE) -> Any:
    """Returns what a model says of arrays, as `keras.Model.predict` does.

    For a small network it takes a fraction of the time: it has no iterator of batches.

    Args:
        model: A `keras.Model`.
        x: Inputs, an array of shape (n, ...), or several as the model takes them. They are numbers:
            text the model's own predict takes.
        batch_size: Examples at a time, at least 1.

    Returns:
        The outputs, an array of shape (n, ...), or several as the model gives them.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If there is no example, or the inputs do not fit the model or are not finite.

    Example:
        >>> predict(model, x_test).shape
        (500, 10)
    """
    check_instance("model", model, keras.Model, "a keras.Model")
    check_integer("batch_size", batch_size, "[1, inf)")
    check_no_dataset(x, NO_DATASET)
    x = as_inputs(model, x)
    count = len(tree.flatten(x)[0])
    if not count:
        raise ValueError("`x` must have at least 1 example. Received: none. Pass some.")
    outputs = [model.predict_on_batch(batch) for batch in _batches(x, count, batch_size)]
    return tree.map_structure(lambda *parts: np.concatenate(parts), *outputs)


def _run_test_function(model: keras.Model, examples: Examples) -> dict[str, Any]:
    # `test_on_batch` forgets the batches before; the function that it calls does not.
    parts = (examples.x, examples.y, examples.sample_weight)
    build_from(model, next(_batches(parts, 1, 1)))
    model.make_test_function()
    model.reset_metrics()
    logs: dict[str, Any] = {}
    for batch in _batches(parts, examples.count, examples.batch_size):
        logs = model.test_function(iter([batch]))
    return logs


def _batches(data: Any, count: int, size: int) -> Iterator[Any]:
    for start in range(0, count, size):
        yield rows_of(data, start, start + size)
