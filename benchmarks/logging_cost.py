"""What the logs of a run add to its training: to each epoch, and once to all of it.

python -m benchmarks.logging_cost --data mnist.npz
"""

import argparse
import random
import tempfile
import threading
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import scipy.stats
import tensorflow as tf

import keras_recipes as kr
from benchmarks.report import device, markdown_table, write_result
from benchmarks.speed import RATE, build, mnist
from keras_recipes.callbacks import LayerHealth, StepLog, saved_state, step_records

PLAIN, DATASET = "fit", "fit on a dataset"
KERAS = "Keras's fit, 50 steps an execution"
# name -> what it is compared with, keywords of kr.fit, callbacks that log into a directory
CASES = {
    "fit once more": (PLAIN, {}, lambda logs: []),
    "fit with run_dir": (PLAIN, {"run_dir": "run"}, lambda logs: []),
    "fit with StepLog(100)": (PLAIN, {}, lambda logs: [StepLog(100, logs)]),
    "fit with LayerHealth(100)": (PLAIN, {}, lambda logs: [LayerHealth(100, logs)]),
    "fit on a dataset with run_dir": (DATASET, {"run_dir": "run"}, lambda logs: []),
    "Keras's fit once more": (KERAS, {}, lambda logs: []),
    "Keras's fit with StepLog(100)": (KERAS, {}, lambda logs: [StepLog(100, logs)]),
    "Keras's fit with LayerHealth(100)": (KERAS, {}, lambda logs: [LayerHealth(100, logs)]),
}  # fmt: skip


class Turns:
    """Trainings that take turns execution by execution, so that each meets the machine's moods.

    Who comes first in a turn is drawn.
    """

    def __init__(self, names):
        self._names, self._order = list(names), list(names)
        self._changed = threading.Condition()
        self.seconds = {name: [0.0] for name in names}  # of each epoch

    def begin(self, name):
        with self._changed:
            self._changed.wait_for(lambda: self._order[0] == name)
        self._start = time.perf_counter()

    def end(self, name):
        self.seconds[name][-1] += time.perf_counter() - self._start
        with self._changed:
            self._order.pop(0)
            self._order = self._order or random.sample(self._names, len(self._names))
            self._changed.notify_all()

    def perf_counter(self):
        """The seconds that the training of this thread has had, by which it does what it does in time."""
        own = sum(self.seconds[threading.current_thread().name])
        return own + time.perf_counter() - self._start


class Turn(keras.callbacks.Callback):
    """Ends a turn after each execution, and an epoch when the next one begins."""

    def __init__(self, turns, name):
        super().__init__()
        self.turns, self.name = turns, name

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            self.turns.end(self.name)
            self.turns.seconds[self.name].append(0.0)
            self.turns.begin(self.name)

    def on_train_batch_end(self, batch, logs=None):
        self.turns.end(self.name)
        self.turns.begin(self.name)


def train(x, y, epochs, batch, name, turns):
    base, keywords, make_callbacks = CASES.get(name, (name, {}, lambda logs: []))
    turns.begin(name)
    model = build(x, 10)
    with tempfile.TemporaryDirectory() as place:
        callbacks = [Turn(turns, name), *make_callbacks(str(Path(place) / "logs"))]
        common = {"epochs": epochs, "verbose": 0, "callbacks": callbacks}
        if "run_dir" in keywords:
            keywords = keywords | {"run_dir": Path(place) / "run"}
        if base == KERAS:
            model.steps_per_execution = 50
            model.fit(x, y, batch_size=batch, **common)
        elif base == DATASET:
            data = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch)
            kr.fit(model, data, max_learning_rate=RATE, **common, **keywords)
        else:
            common |= {"batch_size": batch, "steps_per_execution": 200}
            kr.fit(model, x, y, max_learning_rate=RATE, **common, **keywords)
        turns.end(name)


def measure(x, y, epochs, batch, names):
    """Seconds of each epoch, by name."""
    turns = saved_state.time = step_records.time = Turns(names)
    threads = [
        threading.Thread(target=train, args=(x, y, epochs, batch, name, turns), name=name)
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return turns.seconds


def compare(x, y, epochs, batch, rounds, name):
    """The row of a training."""
    base = CASES[name][0]
    measure(x, y, 2, batch, [base, name])  # warms up
    costs, epoch, once = [], [], []
    for _ in range(rounds):
        seconds = measure(x, y, epochs, batch, [base, name])
        plain, logged = (np.array(seconds[each]) for each in (base, name))
        costs.append(np.median(logged[1:-1] / plain[1:-1]) - 1)
        epoch.append(np.median(logged[1:-1]))
        once.append(_once(logged) - _once(plain))
    likely = scipy.stats.ttest_1samp(costs, 0).confidence_interval(0.95)
    return [
        name,
        f"{np.median(epoch):.3f}",
        f"{np.median(costs):+.1%}",
        f"{likely.low:+.1%} to {likely.high:+.1%}",
        f"{np.median(once):+.2f}",
    ]


def _once(epochs):
    return epochs[0] + epochs[-1] - 2 * np.median(epochs[1:-1])


def table(x, y, epochs, batch, rounds, names):
    rows = []
    for name in names:
        rows.append(compare(x, y, epochs, batch, rounds, name))
        print(rows[-1], flush=True)
    header = ["", "an epoch, s", "cost", "95%", "once, s"]
    return markdown_table(header, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as an NPZ file")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batches", type=int, nargs="+", default=[32])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    x, y = mnist(arguments.data)
    parts = [
        f"{arguments.epochs} epochs of MNIST, 3 x 100 units, 1cycle, on {device()}. "
        f"{arguments.rounds} rounds, in which each training and a plain one took turns, execution by "
        "execution: of 200 steps of arrays, 50 of a dataset or in Keras's fit. "
        "An epoch is one between the first and the last, with what is done before the next; its "
        "cost is what it takes more than the plain training's of the same turns. Both are the "
        "medians of a round, then of the rounds, with the 95% interval of the mean round by "
        "Student's t. Once: what the first and the last epoch take more, for tracing, compilation, "
        "the first diagnosis, the saved model.",
    ]
    for batch in arguments.batches:
        found = table(x, y, arguments.epochs, batch, arguments.rounds, arguments.cases)
        parts.append(f"## Batch {batch}\n\n{found}")
    write_result("logging_cost", "What logging costs", parts)


if __name__ == "__main__":
    main()
