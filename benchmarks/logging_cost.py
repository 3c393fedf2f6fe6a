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

# name -> whether there is a run_dir, and which callbacks beside, given where they may log
CASES = {
    "without run_dir": (False, lambda logs: []),
    "run_dir": (True, lambda logs: []),
    "StepLog(100) alone": (False, lambda logs: [StepLog(100, logs)]),
    "StepLog(10) alone": (False, lambda logs: [StepLog(10, logs)]),
    "LayerHealth(100) alone": (False, lambda logs: [LayerHealth(100, logs)]),
}


def measure(x, y, epochs, batch, in_run, make_callbacks):
    """Seconds on the clock, of the processor, and on the clock without the first epoch."""
    keras.backend.clear_session()
    model, times = build(x, 10), EpochTimes()
    with tempfile.TemporaryDirectory() as place:
        callbacks = [times, *make_callbacks(str(Path(place) / "logs"))]
        start, processor = time.perf_counter(), time.process_time()
        kr.fit(
            model, x, y, epochs=epochs, batch_size=batch, max_learning_rate=RATE, verbose=0,
            callbacks=callbacks, run_dir=Path(place) / "run" if in_run else None,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        return seconds, time.process_time() - processor, sum(times.seconds[1:])


def table(x, y, epochs, batch, rounds):
    taken = {name: [] for name in CASES}
    for number in range(rounds + 1):  # the first warms up
        for name, case in CASES.items():
            found = measure(x, y, epochs, batch, *case)
            print(number, name, *(f"{each:.2f}" for each in found), flush=True)
            if number:
                taken[name].append(found)
    rows = []
    for name, all_found in taken.items():
        row = [name]
        for kind in range(3):
            times = [found[kind] for found in all_found]
            base = [found[kind] for found in taken["without run_dir"]]
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
        "of that to the same round without run_dir.",
    ]
    for batch in arguments.batches:
        found = table(x, y, arguments.epochs, batch, arguments.rounds)
        parts.append(f"## Batch {batch}\n\n{found}")
    write_result("logging_cost", "What logging costs", parts)


if __name__ == "__main__":
    main()
