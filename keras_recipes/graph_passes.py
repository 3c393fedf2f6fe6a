"""TensorFlow's passes over a graph before its first run."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def without_passes() -> Iterator[None]:
    """Runs graphs as they were traced; also a decorator.

    The passes take half of a second for ten layers, and save nothing: the steps of dense networks,
    of 100 units or of 1,000, take as long without them.
    """
    import tensorflow as tf

    optimizer = tf.config.optimizer
    before = optimizer.get_experimental_options().get("disable_meta_optimizer", False)
    optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        optimizer.set_experimental_options({"disable_meta_optimizer": before})
