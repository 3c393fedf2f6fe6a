"""TensorFlow's passes over a graph before its first run."""

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
