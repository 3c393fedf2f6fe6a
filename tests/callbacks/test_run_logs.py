"""The curves and histograms of a run, and how many there are of them."""

from collections import defaultdict

import numpy as np
import tensorflow as tf

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
