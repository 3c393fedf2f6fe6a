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


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_trains_alike(backend, tmp_path):
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    result = subprocess.run(
        [sys.executable, "-m", "tests.backend_suite", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr
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
