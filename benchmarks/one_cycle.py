"""Does 1cycle earn its name? Against a constant rate and the other schedules, on MNIST and housing.

python -m benchmarks.one_cycle --data mnist.npz --housing housing.csv
"""

import argparse
import statistics
import time
from pathlib import Path

import keras
import numpy as np

import keras_recipes as kr
from benchmarks.report import markdown_table, write_result

SEEDS = (0, 1, 2)
RATES = (0.003, 0.01, 0.03, 0.1)
CONSTANT_EPOCHS = 25
LENGTHS = (3, 5, 8, 10, 15, 20, 25)
EPOCHS = 10  # of the schedules side by side
SCHEDULES = ("1cycle", "1cycle, momentum fixed", "constant", "power", "exponential", "piecewise",
             "performance")  # fmt: skip


def train(data, schedule, rate, epochs, seed):
    """The best validation score of a training, higher is better, and its seconds."""
    keras.backend.clear_session()
    model = kr.build_default_dnn(
        data.input_shape, data.n_outputs, data.task, adapt_to=data.adapt_to, seed=seed
    )
    arguments = {"schedule": schedule, "max_learning_rate": rate}
    if schedule == "1cycle, momentum fixed":
        cycle = kr.callbacks.OneCycle(rate, cycle_momentum=False)
        arguments = {"schedule": None, "callbacks": [cycle]}
    start = time.perf_counter()
    try:
        history = kr.fit(
            model, data.x_train, data.y_train, validation_data=(data.x_val, data.y_val),
            epochs=epochs, early_stopping=None, seed=seed, verbose=0, **arguments,
        )  # fmt: skip
    except FloatingPointError:
        return -np.inf, np.nan
    seconds = time.perf_counter() - start
    scores = history.history
    best = (
        max(scores["val_accuracy"])
        if "val_accuracy" in scores
        else -min(scores["val_root_mean_squared_error"])
    )
    return best, seconds


def best_rate(data, schedule, epochs):
    """The rate, of those tried with the first seed, that does best."""
    return max(RATES, key=lambda rate: train(data, schedule, rate, epochs, SEEDS[0])[0])


def race(data, name):
    """Rows: how soon 1cycle is where a constant rate gets in 25 epochs."""
    rate = best_rate(data, "constant", CONSTANT_EPOCHS)
    runs = [train(data, "constant", rate, CONSTANT_EPOCHS, seed) for seed in SEEDS]
    target = statistics.mean(score for score, _ in runs)
    constant_seconds = statistics.mean(seconds for _, seconds in runs)
    rows = [[f"constant {rate:g}", CONSTANT_EPOCHS, *shown(runs), ""]]
    for schedule in ("1cycle", "1cycle, momentum fixed"):
        rate = best_rate(data, schedule, EPOCHS)
        for epochs in LENGTHS:
            runs = [train(data, schedule, rate, epochs, seed) for seed in SEEDS]
            reached = statistics.mean(score for score, _ in runs) >= target
            seconds = statistics.mean(seconds for _, seconds in runs)
            faster = f"{constant_seconds / seconds:.1f} x as fast" if reached else "not reached"
            rows.append([f"{schedule}, {rate:g}", epochs, *shown(runs), faster])
            if reached:
                break
    print(name, rows, flush=True)
    header = ["schedule and rate", "epochs", "best validation score", "each seed", "seconds", ""]
    return f"## {name}: to the score of a constant rate\n\n{markdown_table(header, rows)}"


def side_by_side(data, name):
    rows = []
    for schedule in SCHEDULES:
        rate = best_rate(data, schedule, EPOCHS)
        runs = [train(data, schedule, rate, EPOCHS, seed) for seed in SEEDS]
        rows.append([schedule, f"{rate:g}", *shown(runs)])
        print(name, rows[-1], flush=True)
    header = ["schedule", "rate", "best validation score", "each seed", "seconds"]
    return f"## {name}: the schedules, {EPOCHS} epochs each\n\n{markdown_table(header, rows)}"


def shown(runs):
    scores = [abs(score) for score, _ in runs]
    each = ", ".join(f"{score:.4f}" for score in scores)
    return [f"{statistics.mean(scores):.4f}", each, f"{statistics.mean(s for _, s in runs):.1f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as an NPZ file")
    parser.add_argument("--housing", type=Path, required=True, help="California housing as a CSV")
    arguments = parser.parse_args()
    housing = kr.load_dataset(arguments.housing, "median_house_value", seed=0)
    datasets = {
        "housing (RMSE of the standardized target)": housing,
        "MNIST (accuracy)": kr.load_dataset(arguments.data, seed=0),
    }
    parts = [part(data, name) for name, data in datasets.items() for part in (race, side_by_side)]
    intro = (
        "`build_default_dnn`, momentum, batch 32, means of three seeds; each schedule with the best "
        f"of the rates {', '.join(f'{rate:g}' for rate in RATES)} as tried with the first seed. "
        "Scores are those of the best epoch."
    )
    write_result("one_cycle", "Does 1cycle earn its name?", [intro, *parts])


if __name__ == "__main__":
    main()
