"""What TensorFlow does with a graph before its first run, and what it keeps after the last."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def without_passes(model: keras.Model) -> Iterator[None]:
    """Runs the graphs of a dense network as they were traced.

    Before the first run the passes take half of a second for ten layers, and a step takes as long
    without them. With convolutions they save 2 to 10% of the time, and stay; so they do where the user
    has set options of theirs. The option holds in the whole process while the context lasts.

    Args:
        model: Whose graphs they are; kernels of more than two axes tell of convolutions.
    """
    import tensorflow as tf

    optimizer = tf.config.optimizer
    dense = all(len(weight.shape) <= 2 for weight in model.trainable_weights)
    if not dense or any(optimizer.get_experimental_options().values()):
        yield
        return
    optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        optimizer.set_experimental_options({"disable_meta_optimizer": False})


@contextlib.contextmanager
def without_kept_gradients() -> Iterator[None]:
    """Has TensorFlow forget the custom gradients of what is traced while the context lasts.

    It keeps each for the life of the process and with it the whole graph, 13 MiB for a network of two
    layers with swish. A tape inside the trace has used them by then.
    """
    if keras.config.backend() != "tensorflow":
        yield
        return
    from tensorflow.python.framework import ops

    registered = ops.gradient_registry._registry  # no function takes one out again
    before = set(registered)
    try:
        yield
    finally:
        for name in registered.keys() - before:
            del registered[name]
