"""The last step of the builders: a model gets its optimizer, its loss and its metrics."""

from collections.abc import Callable
from typing import Any

import keras

from keras_recipes.architecture import TASKS
from keras_recipes.checks import check_choice, check_instance, check_sequence
from keras_recipes.optimizers import make_optimizer
from keras_recipes.optimizers.factory import OPTIMIZERS


def compile_model(
    model: keras.Model, task: str, metrics: Any, optimizer: Any, **arguments: Any
) -> keras.Model:
    """Returns the model, compiled for a task, with its optimizer built.

    Args:
        model: The model.
        task: A key of `TASKS`.
        metrics: A list of names, functions and metrics; None for those of the task.
        optimizer: A name of `make_optimizer`, or a Keras optimizer.
        **arguments: Those of `make_optimizer`, None where they were not given.
    """
    chosen = _choose_optimizer(optimizer, arguments)
    loss_scaled = isinstance(chosen, keras.optimizers.LossScaleOptimizer)
    if model.dtype_policy.name == "mixed_float16" and not loss_scaled:
        # Keras would wrap it by itself, but not save that it did: loaded, its state would not fit.
        chosen = keras.optimizers.LossScaleOptimizer(chosen)
    metrics = TASKS[task].metrics if metrics is None else _check_metrics(metrics)
    model.compile(chosen, TASKS[task].loss, metrics=metrics)
    # An optimizer without its variables cannot be loaded from a model that was saved untrained.
    model.optimizer.build(model.trainable_variables)
    return model


def _choose_optimizer(optimizer: Any, arguments: dict[str, Any]) -> keras.Optimizer:
    if isinstance(optimizer, str):
        return make_optimizer(check_choice("optimizer", optimizer, OPTIMIZERS), **arguments)
    check_instance("optimizer", optimizer, keras.Optimizer, "a name or a Keras optimizer")
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        raise ValueError(
            f"`{given[0]}` must be None where the optimizer is an object. Received: "
            f"{', '.join(f'{name}={arguments[name]}' for name in given)}. Set it in the optimizer, "
            "or pass the optimizer's name."
        )
    if optimizer.built:
        raise ValueError(
            "`optimizer` must be new. Received: one that has the variables of another model. Make "
            "one for each model, or pass the optimizer's name."
        )
    return optimizer


def _check_metrics(metrics: Any) -> list[Any]:
    hint = 'For the mean absolute error pass metrics=["mae"], for those of the task None.'
    expected = "a list of names, functions and keras.metrics.Metric"
    listed = check_sequence("metrics", metrics, expected, hint)
    for metric in listed:
        check_instance("metrics", metric, (str, Callable), expected, hint)
        _check_known(metric, hint)
    return listed


def _check_known(metric: Any, hint: str) -> None:
    if metric in ("accuracy", "acc"):  # Keras chooses among three by the shapes
        return
    try:
        keras.metrics.get(metric)
    except (TypeError, ValueError) as error:  # not known, or made only with arguments
        raise ValueError(
            f"`metrics` must have names of Keras metrics. Received: {metric!r}. {hint}"
        ) from error
