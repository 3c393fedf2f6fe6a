import contextlib

import numpy as np
import pytest

from keras_recipes import build_self_normalizing_dnn
from keras_recipes.array_checks import warn_unless_standardized

X = np.random.default_rng(0).normal(size=(50, 3))


@pytest.mark.parametrize(
    ("x", "build", "warned"),
    [
        (X * 100, {}, True),
        (X + 5, {}, True),
        (X, {}, False),
        (X * 100, {"adapt_to": X * 100}, False),
    ],
)
def test_it_warns_of_selu_on_inputs_that_are_not_standardized(x, build, warned):
    model = build_self_normalizing_dnn(3, hidden_units=(4,), **build)
    expected = pytest.warns(UserWarning, match="adapt_to") if warned else contextlib.nullcontext()
    with expected:
        warn_unless_standardized(model, x)
