"""The curves and histograms of a run, and how many there are of them."""

from collections import defaultdict

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_recipes as kr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 6)).astype("float32")
Y = RNG.normal(size=(160, 1)).astype("float32")  # nothing to learn


def steps_by_tag(run_dir):
    found = defaultdict(list)
    for path in (run_dir / "logs").glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found[value.tag].append(event.step)
    return found


def fit(run_dir, **keywords):
    model = kr.build_default_dnn(6, hidden_units=(8,), seed=1)
    keywords = {"max_learning_rate": 0.01, "verbose": 0, "seed": 1, **keywords}
    return kr.fit(model, X, Y, run_dir=run_dir, **keywords)


def test_histograms_come_ever_more_rarely_and_at_the_end(tmp_path):
    fit(tmp_path, epochs=11)
    assert steps_by_tag(tmp_path)["weights/hidden_1/kernel"] == [0, 1, 3, 7, 10]


def test_a_training_that_stops_early_has_records_too(tmp_path):
    history = fit(
        tmp_path, epochs=1000, early_stopping=5, schedule="constant", max_learning_rate=0.05,
        validation_split=0.2,
    )  # fmt: skip
    assert len(history.epoch) < 20
    found = steps_by_tag(tmp_path)
    assert len(found["step/loss"]) >= 10
    assert found["weights/hidden_1/kernel"][:3] == [0, 1, 3]
    assert found["weights/hidden_1/kernel"][-1] == history.epoch[-1]


def test_a_run_that_goes_on_leaves_the_curves_of_others(tmp_path):
    class Own(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.writer = tf.summary.create_file_writer(str(tmp_path / "logs"))

        def on_epoch_end(self, epoch, logs=None):
            with self.writer.as_default(100 * epoch):
                tf.summary.scalar("mine", 1.0)
            self.writer.flush()

        def on_train_end(self, logs=None):
            self.writer.close()

    fit(tmp_path, epochs=3, callbacks=[Own()])
    fit(tmp_path, epochs=3)
    found = steps_by_tag(tmp_path)
    assert found["mine"] == [0, 100, 200]
    assert found["epoch/loss"] == [0, 1, 2]


@pytest.mark.parametrize("schedule", [None, "exponential", "1cycle"])
def test_each_epoch_has_rate_and_momentum(tmp_path, schedule):
    rate = {"max_learning_rate": 0.01 if schedule else None}
    fit(tmp_path, epochs=2, schedule=schedule, **rate)
    found = steps_by_tag(tmp_path)
    assert found["epoch/learning_rate"] == found["epoch/momentum"] == [0, 1]


def test_layers_of_one_name_have_histograms_of_their_own(tmp_path):
    def tower(name):
        return keras.Sequential([keras.Input((6,)), layers.Dense(3, name="hidden")], name=name)

    x = keras.Input((6,))
    parts = [tower("left")(x), tower("right")(x)]
    model = keras.Sequential([keras.Model(x, layers.Add()(parts), name="both"), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.layers[-1].name = "last"
    kr.fit(model, X, Y, epochs=1, verbose=0, schedule=None, run_dir=tmp_path)
    found = {tag for tag in steps_by_tag(tmp_path) if tag.startswith("weights/")}
    ways = ("both/left/hidden", "both/right/hidden", "last")
    assert found == {f"weights/{way}/{name}" for way in ways for name in ("kernel", "bias")}
