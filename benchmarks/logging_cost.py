"""What the logs of a run add to its training: to each epoch, and once to all of it.

python -m benchmarks.logging_cost --data mnist.npz
"""

import argparse
import datetime
import statistics
import tempfile
import threading
import time
import warnings
from pathlib import Path

import keras

import keras_recipes as kr
from benchmarks.report import device, markdown_table, write_result
from benchmarks.speed import RATE, build, mnist
from keras_recipes.callbacks import LayerHealth, StepLog

PLAIN, KERAS = "fit", "Keras's fit, 50 steps an execution"
AT_THE_END = datetime.timedelta(days=1)
# name -> what it is compared with, keywords of kr.fit, callbacks that log into a directory
CASES = {
    PLAIN: (PLAIN, {}, lambda logs: []),
    "fit once more": (PLAIN, {}, lambda logs: []),
    "fit with run_dir, no checkpoints but the last": (
        PLAIN, {"run_dir": "run", "checkpoint_every": AT_THE_END}, lambda logs: [],
    ),
    "fit with run_dir": (PLAIN, {"run_dir": "run"}, lambda logs: []),
    "fit with StepLog(100)": (PLAIN, {}, lambda logs: [StepLog(100, logs)]),
    "fit with LayerHealth(100)": (PLAIN, {}, lambda logs: [LayerHealth(100, logs)]),
    KERAS: (KERAS, {}, lambda logs: []),
    "the same once more": (KERAS, {}, lambda logs: []),
    "the same with LayerHealth(100)": (KERAS, {}, lambda logs: [LayerHealth(100, logs)]),
}  # fmt: skip


class Turns:
    """Trainings that take turns epoch by epoch, so that each meets the same moods of the machine."""

    def __init__(self, names):
        self._names = list(names)
        self._changed = threading.Condition()
        self.seconds = {name: [] for name in names}

    def begin(self, name):
        with self._changed:
            self._changed.wait_for(lambda: self._names[0] == name)
        self._start = time.perf_counter()

    def end(self, name, last=False):
        self.seconds[name].append(time.perf_counter() - self._start)
        with self._changed:
            self._names.remove(name)
            # None always comes after the same other one.
            place = len(self._names) - len(self.seconds[name]) % 2 if self._names else 0
            if not last:
                self._names.insert(max(place, 0), name)
            self._changed.notify_all()


class Turn(keras.callbacks.Callback):
    """A turn is an epoch, to the next one's begin; the first has what comes before, too."""

    def __init__(self, turns, name):
        super().__init__()
        self.turns, self.name = turns, name

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            self.turns.end(self.name)
            self.turns.begin(self.name)


def train(x, y, epochs, batch, name, turns):
    base, keywords, make_callbacks = CASES[name]
    turns.begin(name)
    model = build(x, 10)
    with tempfile.TemporaryDirectory() as place:
        callbacks = [Turn(turns, name), *make_callbacks(str(Path(place) / "logs"))]
        common = {"epochs": epochs, "batch_size": batch, "verbose": 0, "callbacks": callbacks}
        if base == KERAS:
            model.steps_per_execution = 50
            model.fit(x, y, **common)
        else:
            if "run_dir" in keywords:
                keywords = keywords | {"run_dir": Path(place) / "run"}
            kr.fit(model, x, y, max_learning_rate=RATE, **common, **keywords)
        turns.end(name, last=True)


def measure(x, y, epochs, batch, names):
    """Seconds of each turn, by name."""
    turns = Turns(names)
    threads = [
        threading.Thread(target=train, args=(x, y, epochs, batch, name, turns)) for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return turns.seconds


def table(x, y, epochs, batch, rounds):
    names = list(CASES)
    measure(x, y, 2, batch, names)  # warms up
    epoch, once = {name: [] for name in names}, {name: [] for name in names}
    for _ in range(rounds):
        for name, seconds in measure(x, y, epochs, batch, names).items():
            middle = seconds[1:-1]
            epoch[name].append(middle)
            once[name].append(seconds[0] + seconds[-1] - 2 * statistics.median(middle))
        names.append(names.pop(0))
    rows = []
    for name, (base, *_) in CASES.items():
        pairs = [
            (ours, theirs)
            for several in zip(epoch[name], epoch[base], strict=True)
            for ours, theirs in zip(*several, strict=True)
        ]
        ours, theirs = (statistics.median(each) for each in (once[name], once[base]))
        rows.append([
            name,
            f"{statistics.median(ours for ours, _ in pairs):.3f}",
            f"{statistics.median(ours / theirs - 1 for ours, theirs in pairs):+.1%}",
            f"{ours:.2f}",
            f"{ours - theirs:+.2f}",
        ])  # fmt: skip
        print(rows[-1], flush=True)
    header = ["", "an epoch, s", "cost", "once, s", "cost, s"]
    return markdown_table(header, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as an NPZ file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    x, y = mnist(arguments.data)
    parts = [
        f"{arguments.epochs} epochs of MNIST, 3 x 100 units, 1cycle, on {device()}. "
        f"{arguments.rounds} rounds, in which the trainings took turns epoch by epoch. An epoch is the "
        "median of all but the first and the last, with what is done between two; the cost is the "
        "median of what it takes more than the plain training's epoch of the same turn. Once: what "
        "the first and the last epoch take more, for tracing, compilation, the first diagnosis, the "
        "saved model.",
    ]
    for batch in arguments.batches:
        found = table(x, y, arguments.epochs, batch, arguments.rounds)
        parts.append(f"## Batch {batch}\n\n{found}")
    write_result("logging_cost", "What logging costs", parts)


if __name__ == "__main__":
    main()
