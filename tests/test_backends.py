"""The same suite and the default recipe on PyTorch and on JAX, beside TensorFlow's numbers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests import backend_suite

ROOT = Path(__file__).parents[1]
WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None  # as where it is not installed
from tests import backend_suite
backend_suite.fit(backend_suite.model(), validation_split=0.25)
"""


@pytest.fixture(params=["torch", "jax"])
def backend(request):
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return request.param


def run(backend, *arguments):
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr
    return result


def test_trains_without_tensorflow(backend):
    run(backend, "-c", WITHOUT_TENSORFLOW)


def test_trains_alike(backend, tmp_path):
    result = run(backend, "-m", "tests.backend_suite", str(tmp_path))
    assert result.stdout.splitlines()[-1] == backend
    accuracy = float(re.search(r"test accuracy\s*│\s*([0-9.]+)", result.stdout)[1])
    assert accuracy > 0.8
    for name in backend_suite.MODELS:
        with np.load(tmp_path / f"{name}.npz") as theirs:
            _check_alike(backend_suite.trained_weights(name), theirs.values())
    loaded = keras.models.load_model(tmp_path / "run" / "model.keras")  # saved by the other backend
    _check_alike(backend_suite.trained_weights("nesterov"), loaded.get_weights())


def _check_alike(ours, theirs):
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(other, mine, atol=1e-4)
        np.testing.assert_array_equal(other == 0, mine == 0)
