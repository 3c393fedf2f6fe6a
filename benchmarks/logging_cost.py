"""What the logs of a run add to its training: all of them, and the steps by how often they are.

python -m benchmarks.logging_cost --data mnist.npz
"""

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import keras

import keras_recipes as kr
from benchmarks.report import device, markdown_table, write_result
from benchmarks.speed import RATE, build, mnist
from benchmarks.timing import EpochTimes
from keras_recipes.callbacks import LayerHealth, StepLog

PLAIN, KERAS = "fit", "Keras's fit, 50 steps an execution"
# name -> what it is compared with, whether there is a run_dir, and which callbacks beside
CASES = {
    PLAIN: (PLAIN, False, lambda logs: []),
    "fit with run_dir": (PLAIN, True, lambda logs: []),
    "fit with StepLog(100)": (PLAIN, False, lambda logs: [StepLog(100, logs)]),
    "fit with LayerHealth(100)": (PLAIN, False, lambda logs: [LayerHealth(100, logs)]),
    KERAS: (KERAS, False, lambda logs: []),
    "the same with LayerHealth(100)": (KERAS, False, lambda logs: [LayerHealth(100, logs)]),
}


def measure(x, y, epochs, batch, base, in_run, make_callbacks):
    """Seconds on the clock, of the processor, and on the clock without the first epoch."""
    keras.backend.clear_session()
    model, times = build(x, 10), EpochTimes()
    with tempfile.TemporaryDirectory() as place:
        callbacks = [times, *make_callbacks(str(Path(place) / "logs"))]
        keywords = {"epochs": epochs, "batch_size": batch, "verbose": 0, "callbacks": callbacks}
        start, processor = time.perf_counter(), time.process_time()
        if base == KERAS:
            model.steps_per_execution = 50
            model.fit(x, y, **keywords)
        else:
            run_dir = Path(place) / "run" if in_run else None
            kr.fit(model, x, y, max_learning_rate=RATE, run_dir=run_dir, **keywords)
        seconds = time.perf_counter() - start
        return seconds, time.process_time() - processor, sum(times.seconds[1:])


def table(x, y, epochs, batch, rounds):
    taken = {name: [] for name in CASES}
    names = list(CASES)
    for number in range(rounds + 1):  # the first warms up
        for name in names:
            found = measure(x, y, epochs, batch, *CASES[name])
            print(number, name, *(f"{each:.2f}" for each in found), flush=True)
            if number:
                taken[name].append(found)
        names.append(names.pop(0))  # none always comes after the same other one
    rows = []
    for name, all_found in taken.items():
        row = [name]
        for kind in range(3):
            times = [found[kind] for found in all_found]
            base = [found[kind] for found in taken[CASES[name][0]]]
            cost = statistics.median(a / b - 1 for a, b in zip(times, base, strict=True))
            row += [f"{statistics.median(times):.2f}", f"{cost:+.1%}"]
        rows.append(row)
    header = ["", "seconds", "cost", "of the processor", "cost", "after the first epoch", "cost"]
    return markdown_table(header, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as an NPZ file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    x, y = mnist(arguments.data)
    parts = [
        f"{arguments.epochs} epochs of MNIST, 3 x 100 units, 1cycle, on {device()}; tracing, "
        "compilation, checkpoints, the diagnosis and the saved model are in it. Medians of "
        f"{arguments.rounds} rounds in which all took turns; the cost is the median over the rounds "
        "of what it takes more than the plain training of the same round.",
    ]
    for batch in arguments.batches:
        found = table(x, y, arguments.epochs, batch, arguments.rounds)
        parts.append(f"## Batch {batch}\n\n{found}")
    write_result("logging_cost", "What logging costs", parts)


if __name__ == "__main__":
    main()
