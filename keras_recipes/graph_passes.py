"""TensorFlow's passes over a graph before its first run."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def without_passes() -> Iterator[None]:
    """Runs graphs as they were traced; also a decorator.

    Before the first run the passes take half of a second for ten layers, and they save nothing:
    dense and convolutional networks of the builders take as long a step without them. For its time
    the option holds in the whole process. Where the user has set options of these passes, they stay.
    """
    import tensorflow as tf

    optimizer = tf.config.optimizer
    if any(optimizer.get_experimental_options().values()):
        yield
        return
    optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        optimizer.set_experimental_options({"disable_meta_optimizer": False})
