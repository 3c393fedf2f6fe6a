import warnings
from collections.abc import Callable
from typing import Any

import pytest
from keras.src.testing import TestCase

# What Keras's own harness brings about by the way it trains a layer.
HARNESS_WARNINGS = (
    "`shuffle=True` was passed, but will be ignored",  # it trains on a generator
    "The model does not have any trainable weights",  # it trains layers that have none
)


@pytest.fixture
def run_layer_test() -> Callable[..., None]:
    """Keras's private test of a layer: serialization, shapes, seeds, training, mixed precision."""

    def run(*args: Any, **kwargs: Any) -> None:
        with warnings.catch_warnings():
            for message in HARNESS_WARNINGS:
                warnings.filterwarnings("ignore", message)
            TestCase().run_layer_test(*args, **kwargs)

    return run
