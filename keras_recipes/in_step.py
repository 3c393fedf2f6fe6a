"""Which callbacks have changed the training step of a model, and which steps they look into.

The loops of steps are here, too, which take those that are looked into apart from the others.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_recipes.graph_passes import without_kept_gradients
from keras_recipes.optimizers.following import innermost

# In a model's own dictionary, where Keras tracks nothing.
KEY = "_callbacks_in_step"
TRACED = "_step_is_looked_into"
MAKE = "make_train_function"  # hides the method
HIDDEN = "_hidden_methods"  # also in an optimizer's, and in a callback's
# By these a model can say itself what its steps log, which only Keras reads then.
TELLING = (
    "train_step", "test_step", "make_train_function", "make_test_function", "compute_metrics",
)  # fmt: skip


def enter(callback: Any, every: int | None = None) -> list[keras.callbacks.Callback]:
    """Notes a callback that is about to change the step of its model, until it leaves.

    Args:
        callback: Has a `restore`, which leaves.
        every: Steps from one that it looks into to the next, the first being one; None if it takes
            part in all.

    Returns:
        The others that have entered.
    """
    _show(callback)  # those of a model in whose training it was interrupted
    present = vars(callback.model).get(KEY, [])
    vars(callback.model)[KEY] = [*present, (callback, every)]
    vars(callback.model)[MAKE] = functools.partial(_make_train_function, callback.model)
    return [each for each, _ in present]


def hide(callback: Any, owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
    """Has an object use `wrapper(method, ...)` for its method, until the callback leaves."""
    hidden = vars(owner).setdefault(HIDDEN, {})
    own, wrappers = hidden.setdefault(name, (vars(owner).get(name), []))
    wrappers.append((callback, wrapper))
    vars(callback).setdefault(HIDDEN, []).append((owner, name))
    _wrap(owner, name, own, wrappers)


def _show(callback: Any) -> None:
    """Gives objects the methods back that a callback has hidden, but for what others hide."""
    for owner, name in vars(callback).pop(HIDDEN, []):
        hidden = vars(owner)[HIDDEN]
        own, wrappers = hidden[name]
        wrappers[:] = [each for each in wrappers if each[0] is not callback]
        _wrap(owner, name, own, wrappers)
        if not wrappers:
            del hidden[name]
        if not hidden:
            del vars(owner)[HIDDEN]


def _wrap(owner: Any, name: str, own: Any, wrappers: list[Any]) -> None:
    """Has an object use its class's method, or `own` where it has one, in all these wrappers."""
    vars(owner).pop(name, None)
    method = getattr(owner, name) if own is None else own
    for _, wrapper in wrappers:
        method = functools.partial(wrapper, method)
    if own is not None or wrappers:
        vars(owner)[name] = method


def leave(callback: Any) -> None:
    """Undoes what a callback has hidden, and forgets it."""
    _show(callback)
    if callback.model is None:
        return
    present = vars(callback.model).pop(KEY, [])
    if staying := [entry for entry in present if entry[0] is not callback]:
        vars(callback.model)[KEY] = staying
    else:
        vars(callback.model).pop(MAKE, None)
    if len(staying) < len(present):
        callback.model.make_train_function(force=True)


def undo_interrupted(model: keras.Model) -> None:
    """Undoes what callbacks left in a model whose training was interrupted, and has told them nothing.

    Keras's `fit` and `train_on_batch` do so when they begin.
    """
    for each, _ in vars(model).get(KEY, []):
        if each.model is model:  # and has not gone to another
            each.restore()
    for name in (KEY, MAKE):
        vars(model).pop(name, None)


def looks(model: keras.Model) -> list[int]:
    """Returns how many steps lie between looks into the steps of a model, for each who looks."""
    return [every for _, every in vars(model).get(KEY, []) if every is not None]


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


def take_steps(
    model: keras.Model, step: Callable[..., Any], begin: Any, end: Any, apart: bool, *carried: Any
) -> Any:
    """Takes training steps in a loop of the graph.

    Args:
        model: Whose steps they are.
        step: Takes the one of a number, whether to go on, and what is carried; returns the next
            number, whether to go on, and what is carried to it, all tensors.
        begin: Number of the first, a tensor.
        end: Number to stop before.
        apart: Whether to trace those that are looked into apart from the others, which then ask
            nothing: in a condition each step costs 2 to 10% more, under XLA as without it.
        carried: Whether to take the first step, and what is carried to it.

    Returns:
        What the last step returned.
    """
    import tensorflow as tf

    def loop(body: Callable[..., Any], end: Any, number: Any, *carried: Any) -> Any:
        return tf.while_loop(
            lambda number, going, *_: (number < end) & going,
            body,
            (number, *carried),
            parallel_iterations=1,
        )

    def tracing(looked_into: bool | None) -> Callable[..., Any]:
        def body(*state: Any) -> Any:
            with traced(model, looked_into):
                return step(*state)

        return body

    def taken() -> Any:
        return tf.cast(tf.convert_to_tensor(innermost(model.optimizer)._iterations), "int32")

    def to_next_look(number: Any, *carried: Any) -> Any:
        """A step that is looked into, if it is time to, and those up to the next, which are not."""
        is_time = tf.reduce_any([taken() % every == 0 for every in intervals])
        looked = loop(tracing(True), number + tf.cast(is_time, "int32"), number, *carried)
        # None where that step was left out, as mixed precision does: the next is looked into.
        wait = tf.reduce_min([-taken() % every for every in intervals])
        return loop(tracing(False), tf.minimum(looked[0] + wait, end), *looked)

    intervals = looks(model) if apart else []
    return loop(to_next_look if intervals else tracing(None), end, begin, *carried)


def is_read_by_keras_alone(model: keras.Model) -> bool:
    """Whether a model has methods of its own in place of those that tell what steps log."""
    hidden = vars(model).get(HIDDEN, {})
    given = {name: hidden[name][0] if name in hidden else vars(model).get(name) for name in TELLING}
    given[MAKE] = None  # callbacks' own
    return any(
        given[name] or getattr(type(model), name) is not getattr(keras.Model, name)
        for name in TELLING
    )


def _make_train_function(model: keras.Model, force: bool = False) -> None:
    """Makes the function with which Keras trains, one that takes steps that are looked into apart."""
    if not force:  # callbacks do: it is a training that begins
        undo_interrupted(model)
        model.make_train_function()
        return
    type(model).make_train_function(model, force=True)
    if not looks(model) or model.run_eagerly or is_read_by_keras_alone(model):
        return
    import tensorflow as tf

    if not tf.distribute.has_strategy() and model._distribute_strategy is None:
        model.train_function = _execution(model, model.train_function)


def _execution(model: keras.Model, by_keras: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Returns a function that takes `steps_per_execution` steps, of batches from an iterator."""
    import tensorflow as tf

    def compiled() -> Callable[[Any], Any]:
        step = model.train_step
        if model.jit_compile:
            step = tf.function(step, jit_compile=True, reduce_retracing=True, autograph=False)
        return model._autoconvert_optionals(step)

    steps = {looked_into: compiled() for looked_into in (True, False)}

    @tf.function(reduce_retracing=True, autograph=False)
    @without_kept_gradients()
    def execution(iterator: Any) -> tuple[Any, dict[str, Any]]:
        def step(number: Any, going: Any, batch: Any) -> Any:
            steps[bool(is_looked_into(model))](batch.get_value())
            # The next batch is fetched while the step is taken.
            batch = tf.cond(
                number + 1 < end,
                iterator.get_next_as_optional,
                lambda: tf.experimental.Optional.empty(iterator.element_spec),
            )
            return number + 1, batch.has_value(), batch

        end, first = model.steps_per_execution, iterator.get_next_as_optional()
        state = first.has_value(), first
        count, *_ = take_steps(model, step, tf.constant(0), end, True, *state)
        return count, model.get_metrics_result()

    def function(iterator: Any) -> dict[str, Any]:
        if not isinstance(iterator, tf.data.Iterator):
            return by_keras(iterator)
        count, logs = execution(iterator)
        if not count:
            raise StopIteration
        return logs

    return function
