"""Training on more than one device; in a process of its own, as it needs two of them."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import keras_recipes as kr
from keras_recipes.callbacks import LayerHealth, StepLog
from keras_recipes.diagnostics.statistics import STATISTICS

SCRIPT = """
import json, sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
import keras_recipes as kr

rng = np.random.default_rng(0)
x = rng.normal(size=(480, 4)).astype("float32")
y = x[:, 0] * 2 + np.abs(x[:, 1])
data = tf.data.Dataset.from_tensor_slices((x, y)).batch(48)

def train(strategy, kind, optimizer):
    pruning = [kr.callbacks.MagnitudePruning(0.5, 0, 30, every=10)] if optimizer == "nadam" else []
    with strategy.scope():
        keywords = {"l1": 0.05, "exact_zeros": True} if optimizer == "nesterov" else {}
        model = kr.build_default_dnn(4, hidden_units=(8,), optimizer=optimizer, seed=1, **keywords)
    history = kr.fit(
        model, *((data,) if kind == "dataset" else (x, y)), validation_data=data, epochs=4, seed=1,
        batch_size=48, max_learning_rate=0.02, verbose=0, early_stopping=None,
        callbacks=pruning,
    )
    weights = np.concatenate([np.ravel(weight) for weight in model.get_weights()]).tolist()
    return history.history, weights

one, mirrored = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert mirrored.num_replicas_in_sync == 2
with mirrored.scope():
    model = kr.build_default_dnn(4, hidden_units=(8,), seed=1)
before = model.get_weights()
found = kr.find_learning_rate(model, x, y).suggestion
assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
results = [
    train(strategy, "dataset", optimizer)
    for optimizer in ("momentum", "nadam", "nesterov") for strategy in (one, mirrored)
]
print(json.dumps([results, train(mirrored, "arrays", "momentum"), found]))
"""


@pytest.fixture(scope="module")
def results():
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT], text=True, capture_output=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


@pytest.mark.parametrize(("optimizer", "first"), [("momentum", 0), ("nadam", 2), ("nesterov", 4)])
def test_two_devices_train_as_one_does(results, optimizer, first):
    (one, one_weights), (two, two_weights) = results[0][first : first + 2]
    np.testing.assert_allclose(two_weights, one_weights, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(two["val_loss"], one["val_loss"], rtol=1e-3)
    assert two["learning_rate"] == one["learning_rate"]
    assert two.get("sparsity") == one.get("sparsity")
    assert two["momentum"] == one["momentum"]
    assert len(set(one["learning_rate"])) == len(set(one["momentum"])) == 4


def test_two_devices_prune_as_one_does(results):
    (one, one_weights), (_, two_weights) = results[0][2:4]
    assert one["sparsity"][-1] == 0.5
    assert np.count_nonzero(one_weights) == 20 + 8 + 1  # half of the kernels, the biases
    np.testing.assert_array_equal(np.equal(one_weights, 0), np.equal(two_weights, 0))


def test_exact_zeros_on_two_devices(results):
    for _, weights in results[0][4:6]:
        assert 0 < np.count_nonzero(np.array(weights) == 0) < len(weights) - 9


def test_arrays_train_on_two_devices(results):
    history, _ = results[1]
    assert history["val_loss"][-1] < 0.5 * history["val_loss"][0]


def test_a_rate_is_found_on_two_devices(results):
    assert 1e-3 < results[2] < 0.3


def test_steps_and_layers_are_recorded_by_a_strategy_of_one_device(tmp_path):
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = kr.build_default_dnn(4, hidden_units=(8,), seed=1)
    x = np.random.default_rng(0).normal(size=(96, 4)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((x, x[:, 0])).batch(16)
    log, health = StepLog(every=2), LayerHealth(every=3)
    kr.fit(
        model, data, epochs=2, max_learning_rate=0.02, early_stopping=None, verbose=0,
        run_dir=tmp_path / "run", callbacks=[log, health],
    )  # fmt: skip
    assert log.steps == [0, 2, 4, 6, 8, 10]
    assert np.isfinite(list(log.values.values())).all()
    assert health.steps == [0, 3, 6, 9]
    ratios = np.stack(health.statistics)[:, :, STATISTICS.index("update_ratio")]
    assert (ratios > 0).all()
