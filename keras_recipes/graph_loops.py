"""Loops over batches inside one graph, on data that lie in memory as tensors.

No iterator of batches, no call from Python for each step: a step costs its arithmetic. TensorFlow
only.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops, tree

from keras_recipes.arrays import Examples
from keras_recipes.graph_passes import without_kept_gradients, without_passes
from keras_recipes.in_step import is_read_by_keras_alone, take_steps
from keras_recipes.model_state import build_from

LARGEST = 8 * 2**30  # bytes of arrays that are copied into tensors; more goes through an iterator
LONG = 3000  # steps: XLA saves half a millisecond a small step, to trace or compile takes a second
# Steps: a condition takes 10 to 60 microseconds of each, under XLA, which copies the weights into it,
# as without; to trace those that are looked into apart from the others takes most of a second.
LONG_WITH_LOOKS = 15_000


def steps_in_one_graph(model: keras.Model) -> bool:
    """Whether TensorFlow takes the steps of a model, on one device: only there they are looked into."""
    return (
        keras.config.backend() == "tensorflow"
        and model.distribute_strategy.num_replicas_in_sync == 1
    )


def can_loop(model: keras.Model, *examples: Examples | None) -> bool:
    """Whether a model and its data can go the way of this module.

    They cannot on another backend than TensorFlow, over several devices, eagerly, from a dataset,
    or with a `train_step` or the like of the model's own, whose results only Keras can read.
    """
    return (
        steps_in_one_graph(model)
        and not model.run_eagerly
        and not is_read_by_keras_alone(model)
        and all(each is None or each.batch_size for each in examples)
        and sum(each.nbytes for each in examples if each is not None) <= LARGEST
    )


class TrainingLoop:
    """Training steps over batches that are gathered in the graph, in any order.

    It is traced at the first `run`: what the optimizer follows then, it follows.

    Args:
        model: A compiled model that `can_loop`.
        examples: Arrays to train on.
        total_steps: Length of the training, which says whether it pays to trace the last, smaller
            batch of an epoch apart, to compile the others by XLA, and to trace those that callbacks
            look into apart.
    """

    def __init__(self, model: keras.Model, examples: Examples, total_steps: int) -> None:
        self._data = _prepare(model, examples)
        self._size = min(examples.batch_size, examples.count)
        self._whole, self._rest = divmod(examples.count, self._size)
        self._model = model
        self._long = total_steps >= LONG
        self._compiles = self._long and _xla_pays(model)
        steps = (_train, model, examples.batch_size)
        apart = total_steps >= LONG_WITH_LOOKS
        self._whole_batches = _function(*steps, apart, compiled=self._compiles)
        # The smaller batch runs once an epoch: not worth another compilation.
        self._last_batch = _function(*steps, False)

    def run(self, order: Any, first: int, last: int) -> tuple[int, dict[str, Any]]:
        """Takes the steps of an epoch from `first` up to `last`.

        Args:
            order: Tensor of the indices of all examples, in the order of this epoch.
            first: Step of the epoch, from 0, to begin with.
            last: Step to stop before.

        Returns:
            The step that comes next, and the metrics of the epoch so far. After a loss that is not
            finite no step is taken.
        """
        if self._compiles:
            self._compile(order)
        parts: tuple[Any, ...] = ((self._whole_batches, first, last, None),)
        if self._long:
            parts = (
                (self._whole_batches, first, min(last, self._whole), self._size),
                (self._last_batch, max(first, self._whole), last, self._rest),
            )
        for function, begin, end, size in parts:
            if begin < end:
                bounds = ops.convert_to_tensor([begin, end], "int32")
                with without_passes(self._model):
                    first, finite, logs = function(self._data, order, bounds, size)
                if not finite:
                    break
                self._model.train_function = function  # where callbacks look for the graph
        return int(first), logs

    def _compile(self, order: Any) -> None:
        """Compiles without taking a step; what XLA cannot compile goes without it."""
        import tensorflow as tf

        self._compiles = False
        try:
            with without_passes(self._model):
                self._whole_batches(self._data, order, ops.zeros(2, "int32"), self._size)
        except tf.errors.InvalidArgumentError:
            self._whole_batches = self._last_batch


class RecordingLoop:
    """Training steps that tell the loss of each, which `TrainingLoop` averages over the epoch.

    Args:
        model: A compiled model that `can_loop`.
        examples: Arrays to train on.
    """

    def __init__(self, model: keras.Model, examples: Examples) -> None:
        self._data = _prepare(model, examples)
        self._model = model
        self._function = _function(_train_and_record, model)

    def run(self, batches: Any) -> Any:
        """Takes a step for each row of `batches`, the indices of its examples.

        Returns:
            The losses of the steps; after one that is not finite no step is taken.
        """
        with without_passes(self._model):
            losses, taken = self._function(self._data, ops.convert_to_tensor(batches, "int32"))
        return ops.convert_to_numpy(losses)[: int(taken)]


class EvaluationLoop:
    """Evaluation in one call of a graph.

    Args:
        model: A compiled model that `can_loop`.
        examples: Arrays to evaluate on; their batch size changes the speed alone.
    """

    def __init__(self, model: keras.Model, examples: Examples) -> None:
        self.steps = examples.steps
        self._data = _prepare(model, examples)
        self._model = model
        self._function = _function(_evaluate, model, examples.batch_size, examples.steps)

    def run(self) -> dict[str, Any]:
        """Returns the metrics."""
        with without_passes(self._model):
            return self._function(self._data)


def _function(steps: Callable[..., Any], *arguments: Any, compiled: bool = False) -> Any:
    """Returns a `tf.function` of what is left of `steps` after its first arguments."""
    import tensorflow as tf

    # Loops are made anew for each training. A partial function is told from the one before, which
    # keeps TensorFlow from warning of one that is traced again and again.
    traced = functools.partial(without_kept_gradients()(steps), *arguments)
    return tf.function(traced, jit_compile=compiled, autograph=False)


def _train(
    model: keras.Model,
    batch_size: int,
    apart: bool,
    data: Any,
    order: Any,
    bounds: Any,
    size: int | None,
) -> tuple[Any, Any, dict[str, Any]]:
    import tensorflow as tf

    first, last = tf.unstack(bounds)

    def step(index: Any, finite: Any) -> Any:
        begin = index * batch_size
        if size is None:  # not known before it runs
            rows = order[begin : begin + batch_size]
        else:
            rows = tf.ensure_shape(tf.slice(order, [begin], [size]), [size])
        logs = model.train_step(tree.map_structure(lambda each: tf.gather(each, rows), data))
        return index + 1, tf.math.is_finite(logs["loss"])

    reached, finite = take_steps(model, step, first, last, apart, tf.constant(True))
    return reached, finite, model.get_metrics_result()


def _train_and_record(model: keras.Model, data: Any, batches: Any) -> tuple[Any, Any]:
    import tensorflow as tf

    def step(index: Any, finite: Any, losses: Any) -> Any:
        rows = batches[index]
        model.reset_metrics()
        logs = model.train_step(tree.map_structure(lambda each: tf.gather(each, rows), data))
        return index + 1, tf.math.is_finite(logs["loss"]), losses.write(index, logs["loss"])

    count = batches.shape[0]
    taken, _, losses = tf.while_loop(
        lambda index, finite, losses: (index < count) & finite,
        step,
        (0, tf.constant(True), tf.TensorArray(tf.float32, count)),
        parallel_iterations=1,
    )
    return losses.stack(), taken


def _evaluate(model: keras.Model, batch_size: int, steps: int, data: Any) -> dict[str, Any]:
    import tensorflow as tf

    def step(index: Any) -> Any:
        rows = slice(index * batch_size, (index + 1) * batch_size)
        model.test_step(tree.map_structure(lambda each: each[rows], data))
        return index + 1

    model.reset_metrics()
    tf.while_loop(lambda index: index < steps, step, (0,), parallel_iterations=1)
    return model.get_metrics_result()


def _prepare(model: keras.Model, examples: Examples) -> Any:
    """Builds a model, and returns the data as tensors."""
    data = tree.map_structure(ops.convert_to_tensor, examples.data)
    build_from(model, tree.map_structure(lambda each: each[:1], data))
    return data


def _xla_pays(model: keras.Model) -> bool:
    """Whether XLA can compile a model and speeds it up: on a CPU its random numbers are slow."""
    import tensorflow as tf

    random = any("seed_generator" in variable.path for variable in model.variables)
    if random and not tf.config.list_logical_devices("GPU"):
        return False
    return all(layer.supports_jit for layer in model._flatten_layers())
