"""A training step whose layers, gradients and updates are looked at, inside the graph."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
from keras import ops, tree

from keras_recipes.diagnostics.activations import KNOWN
from keras_recipes.diagnostics.observed_layers import ObservedLayer
from keras_recipes.diagnostics.statistics import layer_statistics


class Observation:
    """What a training step did to some layers, as tensors of the graph that takes it.

    What the step computes in a graph of its own, such as the body of a loop, is not seen.

    Args:
        model: A compiled model.
        observed: Some of its layers.
    """

    def __init__(self, model: keras.Model, observed: Sequence[ObservedLayer]) -> None:
        self._model = model
        self._observed = observed
        # Each by what was called, and the number of the call.
        self._activations: dict[tuple[Any, int], Any] = {}
        self._signals: dict[tuple[Any, int], Any] = {}  # gradients by the activations
        self._inputs: dict[tuple[Any, int], Any] = {}  # activation functions, and what they took
        self._gradients: dict[int, Any] = {}  # by the weights
        self._scale: Any = 1.0  # of the loss, in mixed precision
        self.updated = False  # whether the step was taken by the model's optimizer

    def step(
        self,
        train_step: Callable[[Any], Any],
        data: Any,
        take: Callable[[Any], None],
        when: Any = True,
        mostly: bool = False,
    ) -> Any:
        """Takes a training step.

        Args:
            train_step: That of the model.
            data: The batch.
            take: Called with the statistics, of shape (layers, len(STATISTICS)), as part of the step.
            when: Whether to look at this step, True or a tensor: another one costs next to nothing.
            mostly: Whether this step is mostly looked at, so that one that is not may cost as much.

        Returns:
            The logs of the step.
        """
        self._graph, self._take, self._when, self._mostly = _current_graph(), take, when, mostly
        functions = {each.function: each.calls for each in self._observed if each.function}
        outputs = {each.output: each.calls for each in self._observed}
        with contextlib.ExitStack() as stack:
            for (owner, name), calls in functions.items():
                recording = self._recording_inputs(owner, getattr(owner, name), calls)
                stack.enter_context(_replaced(owner, name, recording))
            for operation, calls in outputs.items():
                recording = self._recording(operation, operation.call, calls)
                stack.enter_context(_replaced(operation, "call", recording))
            apply = self._recording_apply(self._model.optimizer)
            stack.enter_context(_replaced(self._model.optimizer, "apply", apply))
            logs = train_step(data)
        if not self.updated:  # where it could be seen
            self._look(lambda: None)
        return logs

    def _look(self, update: Callable[[], None]) -> None:
        """Updates the weights, and takes the statistics if it is time to."""
        import tensorflow as tf

        def kernels() -> dict[int, Any]:
            return {id(each.kernel): ops.copy(each.kernel) for each in self._observed}

        def look(before: dict[int, Any]) -> Any:
            self._take(ops.stack([self._statistics(each, before) for each in self._observed]))
            return tf.constant(0)

        def looking() -> Any:
            before = kernels()
            update()
            return look(before)

        def updated() -> Any:
            update()
            return tf.constant(0)

        if self._when is True:
            looking()
        elif self._mostly or tf.distribute.has_strategy():  # which does not update in a condition
            before = kernels()
            update()
            tf.cond(self._when, lambda: look(before), lambda: tf.constant(0))
        else:
            tf.cond(self._when, looking, updated)

    def _statistics(self, each: ObservedLayer, before: dict[int, Any]) -> Any:
        seen, kernel = (each.output, each.number), id(each.kernel)
        signals, gradient = self._signals.get(seen), self._gradients.get(kernel)
        return layer_statistics(
            each.activation,
            self._activations.get(seen),
            self._passed(each),
            None if signals is None else self._unscaled(signals),
            each.kernel,
            None if gradient is None else self._unscaled(gradient),
            each.kernel - before[kernel],
        )

    def _unscaled(self, gradient: Any) -> Any:
        return ops.cast(gradient, "float32") / ops.cast(self._scale, "float32")

    def _passed(self, each: ObservedLayer) -> tuple[Any, Any] | None:
        """What an activation function gave, and its slopes there."""
        import tensorflow as tf

        called = self._inputs.get((each.function[0], each.number)) if each.function else None
        if called is None:
            return None
        function, inputs = called
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            outputs = function(inputs)
        slopes = tape.gradient(outputs, inputs)  # of the sum: each unit has its own input
        if slopes is None or outputs.shape != inputs.shape:
            return None
        if each.activation not in KNOWN:  # unless it mixes units, where the signs do not come back
            signs = tf.random.stateless_uniform(tf.shape(outputs), (0, 0), 0, 2, tf.int32)
            signs = tf.cast(2 * signs - 1, outputs.dtype)
            signed = tape.gradient(outputs, inputs, output_gradients=signs)
            slopes = tf.where(signed == signs * slopes, slopes, tf.ones_like(slopes))
        return outputs, slopes

    def _recording(self, operation: Any, call: Any, calls: int) -> Callable[..., Any]:
        """Calls an operation and keeps its first output and the gradient that comes back to it."""
        numbers = itertools.count()

        def recording(*args: Any, **kwargs: Any) -> Any:
            outputs = call(*args, **kwargs)
            key = (operation, next(numbers) % calls)  # of several passes the last one
            first, *others = tree.flatten(outputs)
            if not self._can_see(first):
                return outputs
            self._activations[key] = first
            return tree.pack_sequence_as(outputs, [self._watched(key, first), *others])

        return recording

    def _watched(self, key: tuple[Any, int], output: Any) -> Any:
        watched = self._with_signal(key, output)
        if hasattr(output, "_keras_mask"):
            watched._keras_mask = output._keras_mask
        if hasattr(output, "_keras_logits"):  # from which the loss is computed, past the output
            watched._keras_logits = self._with_signal(key, output._keras_logits)
        return watched

    def _with_signal(self, key: tuple[Any, int], output: Any) -> Any:
        import tensorflow as tf

        @tf.custom_gradient
        def identity(tensor: Any) -> Any:
            def gradient(signal: Any) -> Any:
                self._signals[key] = signal
                return signal

            return tf.identity(tensor), gradient

        return identity(output)

    def _recording_inputs(self, owner: Any, function: Any, calls: int) -> Callable[..., Any]:
        """Calls an activation function and keeps what it takes."""
        numbers = itertools.count()

        def recording(*args: Any, **kwargs: Any) -> Any:
            number = next(numbers) % calls
            structure = args, kwargs
            first, *others = tree.flatten(structure)
            if self._can_see(first):

                def again(inputs: Any) -> Any:
                    args, kwargs = tree.pack_sequence_as(structure, [inputs, *others])
                    return function(*args, **kwargs)

                self._inputs[owner, number] = again, first
            return function(*args, **kwargs)

        return recording

    def _can_see(self, tensor: Any) -> bool:
        import tensorflow as tf

        numbers = isinstance(tensor, tf.Tensor) and tensor.dtype.is_floating
        return numbers and _current_graph() == self._graph

    def _recording_apply(self, optimizer: Any) -> Callable[..., None]:
        apply = optimizer.apply

        def recording(grads: Any, trainable_variables: Any = None) -> None:
            if _current_graph() != self._graph:
                return apply(grads, trainable_variables)
            if not optimizer.built:  # outside of a condition
                optimizer.build(trainable_variables)
            variables = trainable_variables or optimizer._trainable_variables
            self._gradients = {id(v): g for v, g in zip(variables, grads, strict=True)}
            self._scale = ops.copy(getattr(optimizer, "dynamic_scale", 1.0))  # before it adapts
            self.updated = True
            return self._look(lambda: apply(grads, trainable_variables))

        return recording


def _current_graph() -> Any:
    """What tells the graph that is being traced from others; None where nothing is."""
    import tensorflow as tf

    return None if tf.executing_eagerly() else id(tf.compat.v1.get_default_graph())


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
