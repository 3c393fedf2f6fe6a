"""A training step whose layers, gradients and updates are looked at, inside the graph."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
from keras import ops

from keras_recipes.diagnostics.observed_layers import ObservedLayer
from keras_recipes.diagnostics.statistics import layer_statistics


class Observation:
    """What a training step did to some layers, as tensors of the graph that takes it.

    Args:
        model: A compiled model.
        observed: Some of its layers.
    """

    def __init__(self, model: keras.Model, observed: Sequence[ObservedLayer]) -> None:
        self._model = model
        self._observed = observed
        self._activations: dict[int, Any] = {}
        self._signals: dict[int, Any] = {}  # gradients with respect to the activations
        self._gradients: dict[int, Any] = {}
        self._updates: dict[int, Any] = {}

    def step(self, train_step: Callable[[Any], Any], data: Any) -> tuple[Any, Any]:
        """Takes a training step.

        Args:
            train_step: That of the model.
            data: The batch.

        Returns:
            The logs of the step, and statistics of shape (layers, len(STATISTICS)).
        """
        with contextlib.ExitStack() as stack:
            for layer in {id(each.output): each.output for each in self._observed}.values():
                stack.enter_context(_replaced(layer, "call", self._recording(layer)))
            apply = self._recording_apply(self._model.optimizer)
            stack.enter_context(_replaced(self._model.optimizer, "apply", apply))
            logs = train_step(data)
        return logs, ops.stack([self._statistics(each) for each in self._observed])

    def _statistics(self, each: ObservedLayer) -> Any:
        return layer_statistics(
            each.activation if each.hidden else "linear",
            self._activations[id(each.output)],
            self._signals[id(each.output)],
            each.layer.kernel,
            self._gradients[id(each.layer)],
            self._updates[id(each.layer)],
        )

    def _recording(self, layer: keras.Layer) -> Callable[..., Any]:
        import tensorflow as tf

        call = layer.call

        @tf.custom_gradient
        def recorded(output: Any) -> Any:
            def gradient(signal: Any) -> Any:
                self._signals[id(layer)] = signal
                return signal

            self._activations[id(layer)] = output
            return tf.identity(output), gradient

        return lambda *args, **kwargs: recorded(call(*args, **kwargs))

    def _recording_apply(self, optimizer: Any) -> Callable[..., None]:
        apply = optimizer.apply
        scale = getattr(optimizer, "dynamic_scale", 1.0)  # of the loss, in mixed precision

        def recording(grads: Any, trainable_variables: Any = None) -> None:
            variables = trainable_variables or optimizer._trainable_variables
            by_variable = {id(v): g for v, g in zip(variables, grads, strict=True)}
            kernels = {id(each.layer): each.layer.kernel for each in self._observed}
            before = {key: ops.copy(kernel) for key, kernel in kernels.items()}
            apply(grads, trainable_variables)
            for key, kernel in kernels.items():
                self._gradients[key] = by_variable[id(kernel)] / scale
                self._updates[key] = kernel - before[key]

        return recording


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Has an object use `value` for its method; in its dictionary, where Keras tracks nothing."""
    before = dict(vars(owner))  # another one may have replaced it already
    vars(owner)[name] = value
    try:
        yield
    finally:
        if name in before:
            vars(owner)[name] = before[name]
        else:
            del vars(owner)[name]
