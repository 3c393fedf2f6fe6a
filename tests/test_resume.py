"""A training that was killed ends as the one that never was: bit for bit."""

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_recipes as kr
from keras_recipes.optimizers.following import steps_taken

RNG = np.random.default_rng(0)
X = RNG.normal(size=(500, 6)).astype("float32")
Y = X[:, 0] * 2 + np.abs(X[:, 1]) + RNG.normal(size=500).astype("float32")


def fit(run_dir=None, build=None, **keywords):
    build = {name: each() if callable(each) else each for name, each in (build or {}).items()}
    model = kr.build_default_dnn(6, hidden_units=(16, 16), seed=1, **build)
    keywords = {
        "validation_split": 0.2, "epochs": 12, "verbose": 0, "seed": 1, "run_dir": run_dir,
        "max_learning_rate": 0.02, **keywords,
    }  # fmt: skip
    return model, kr.fit(model, X, Y, **keywords)


class InterruptAt(keras.callbacks.Callback):
    """Ends a training at a step, as Ctrl-C does."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if steps_taken(self.model.optimizer) >= self.step:
            raise KeyboardInterrupt


def points(run_dir):
    """What TensorBoard shows: value by tag and step, and how many there are."""
    found = []
    for path in Path(run_dir).rglob("events*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                number = value.simple_value
                if value.HasField("tensor"):
                    number = tf.make_ndarray(value.tensor).tolist()
                found.append((path.parent.name, value.tag, event.step, str(number)))
    return sorted(found)


def state(model, history, run_dir):
    variables = [*model.variables, *model.optimizer.variables]
    return {
        "weights": [np.array(variable) for variable in variables],
        "history": history.history,
        "epochs": history.epoch,
        "points": points(run_dir),
    }


def assert_same(one, other):
    for a, b in zip(one.pop("weights"), other.pop("weights"), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one == other


VARIANTS = {
    "momentum": {},
    "dropout": {"build": {"dropout": 0.3, "normalization": "batch"}},
    "nadam": {"build": {"optimizer": "nadam"}},
    "accumulation": {
        "build": {
            "optimizer": lambda: kr.optimizers.SGD(momentum=0.9, gradient_accumulation_steps=4)
        }
    },
    "early stopping": {"early_stopping": 1, "schedule": "constant"},
    "plateau": {"schedule": "performance", "early_stopping": None, "epochs": 25},
    "compiled": {"epochs": 240, "early_stopping": None},
    "weights": {"validation_split": 0, "sample_weight": np.linspace(0, 1, 500)},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_goes_on_inside_an_epoch_bit_for_bit(tmp_path, variant):
    arguments = VARIANTS[variant]
    whole = fit(tmp_path / "whole", **arguments)
    for step in (5, 40, 72, 73, 120):
        interrupted = {"checkpoint_every": 3, "steps_per_execution": 4, **arguments}
        try:
            fit(tmp_path / "run", callbacks=[InterruptAt(step)], **interrupted)
        except KeyboardInterrupt:
            continue
    resumed = fit(tmp_path / "run", **arguments)
    assert_same(state(*whole, tmp_path / "whole"), state(*resumed, tmp_path / "run"))


def test_a_new_cycle_begins_where_a_model_was_trained_before(tmp_path):
    def trained_before():
        model = kr.build_default_dnn(6, hidden_units=(16, 16), seed=1)
        model.fit(X, Y, shuffle=False, verbose=0)
        return model

    arguments = {"epochs": 4, "seed": 1, "verbose": 0, "max_learning_rate": 0.02}
    whole = trained_before()
    history = kr.fit(whole, X, Y, run_dir=tmp_path / "whole", **arguments)
    with pytest.raises(KeyboardInterrupt):
        kr.fit(
            trained_before(), X, Y, run_dir=tmp_path / "run", callbacks=[InterruptAt(44)],
            checkpoint_every=2, **arguments,
        )  # fmt: skip
    resumed = trained_before()
    again = kr.fit(resumed, X, Y, run_dir=tmp_path / "run", **arguments)
    assert_same(state(whole, history, tmp_path / "whole"), state(resumed, again, tmp_path / "run"))


def test_a_metric_of_each_class_is_in_the_history_as_it_was(tmp_path):
    def train(run_dir, **keywords):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, "softmax")])
        model.compile("sgd", "categorical_crossentropy", metrics=[keras.metrics.F1Score()])
        labels = np.eye(2)[(Y > 0).astype(int)]
        keywords |= {"epochs": 3, "schedule": None, "seed": 1, "verbose": 0, "run_dir": run_dir}
        return kr.fit(model, X, labels, validation_split=0.2, **keywords).history

    whole = train(tmp_path / "whole")
    assert np.shape(whole["val_f1_score"]) == (3, 2)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", callbacks=[InterruptAt(30)], checkpoint_every=2)
    resumed = train(tmp_path / "run")
    for name, values in whole.items():
        np.testing.assert_array_equal(resumed[name], values, err_msg=name)
        assert [type(each) for each in resumed[name]] == [type(each) for each in values]


SCRIPT = """
import sys, json, hashlib
import keras, numpy as np, keras_recipes as kr
class Ready(keras.callbacks.Callback):
    told = False
    def on_train_batch_end(self, batch, logs=None):
        if not self.told:
            self.told = True
            print("ready", flush=True)
rng = np.random.default_rng(0)
x = rng.normal(size=(1000, 6)).astype("float32")
y = x[:, 0] * 2 + np.abs(x[:, 1])
model = kr.build_default_dnn(6, hidden_units=(64, 64), dropout=0.1, seed=1)
# A checkpoint after every step: most kills come while one is written.
often = {"checkpoint_every": 1, "steps_per_execution": 1} if sys.argv[2] == "often" else {}
history = kr.fit(model, x, y, validation_split=0.2, epochs=30, seed=1, verbose=0,
                 max_learning_rate=0.02, run_dir=sys.argv[1], callbacks=[Ready()], **often)
weights = b"".join(np.array(v).tobytes() for v in [*model.variables, *model.optimizer.variables])
print(json.dumps([hashlib.sha256(weights).hexdigest(), history.history, history.epoch]))
"""


def start(run_dir, checkpoints="as usual"):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(run_dir), checkpoints],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_process_killed_again_and_again_ends_as_one_never_killed(tmp_path, pytestconfig):
    output, errors = start(tmp_path / "whole").communicate()
    expected = json.loads(output.splitlines()[-1])
    moments = random.Random(0)
    kills = pytestconfig.getoption("kills")
    for _ in range(kills):
        process = start(tmp_path / "run", "often")
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
        with pytest.raises(subprocess.TimeoutExpired):  # it has not come to its end
            process.wait(moments.uniform(0, 6 / kills))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    output, errors = start(tmp_path / "run").communicate()
    assert json.loads(output.splitlines()[-1]) == expected, errors
    assert points(tmp_path / "run") == points(tmp_path / "whole")
    assert len(os.listdir(tmp_path / "run" / "checkpoints")) <= 2


def checkpoints(run_dir):
    return sorted((Path(run_dir) / "checkpoints").glob("*.ckpt"))


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty"])
def test_a_damaged_checkpoint_is_told_of_and_the_one_before_used(tmp_path, damage):
    whole = fit(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", callbacks=[InterruptAt(60)], checkpoint_every=5)
    last = checkpoints(tmp_path / "run")[-1]
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    last.write_bytes({"torn": content[:-100], "flipped": content, "empty": b""}[damage])
    with pytest.warns(UserWarning, match=f"{last.name} is torn or corrupt"):
        resumed = fit(tmp_path / "run")
    assert_same(state(*whole, tmp_path / "whole"), state(*resumed, tmp_path / "run"))


@contextlib.contextmanager
def full_disk(size):
    """No file can grow beyond `size` bytes."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    ("size", "named"), [(1200, "logs"), (5000, r"step-\d+.ckpt"), (25_000, "model.keras")]
)
def test_a_full_disk_is_told_of_and_leaves_the_last_checkpoint(tmp_path, size, named):
    few = kr.callbacks.StepLog(1000)  # or else the logs are larger than the checkpoints
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, callbacks=[few, InterruptAt(60)], checkpoint_every=5)
    before = {path.name: path.read_bytes() for path in checkpoints(tmp_path)}
    every = {r"step-\d+.ckpt": 5}.get(named, 10_000)
    with (
        full_disk(size),
        pytest.raises(OSError, match=rf"{named} could not be written .*Free space"),
    ):
        fit(tmp_path, callbacks=[few], checkpoint_every=every)
    if named != "model.keras":  # which is written after the last checkpoint
        assert {path.name: path.read_bytes() for path in checkpoints(tmp_path)} == before
    assert len(os.listdir(tmp_path / "checkpoints")) == 2
    assert not (tmp_path / ".model.keras").exists()
    fit(tmp_path)
    assert (tmp_path / "model.keras").exists()


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == 30:
                self.model.get_layer("output").bias.assign([np.nan])

    with pytest.raises(FloatingPointError):
        fit(tmp_path, callbacks=[Spoil()], checkpoint_every=1, steps_per_execution=1)
    assert checkpoints(tmp_path)[-1].name == "step-000000000029.ckpt"
