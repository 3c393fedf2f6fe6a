"""What Monte Carlo dropout costs, beside the book's ways to do it.

python -m benchmarks.mc_prediction
"""

import argparse
import multiprocessing
import resource
import statistics
import time

import keras
import numpy as np
from keras import layers

import keras_recipes as kr
from benchmarks.report import device, markdown_table, write_result
from keras_recipes.layers import MCDropout

ROWS, SAMPLES, RATE = 5000, 40, 0.2


def network(place):
    """784-300-100-10 or 784-20x100-10 with dropout at one place."""
    deep = place == "before the output of 20x100"
    inputs = x = keras.Input((784,))
    if place == "on the input":
        x = MCDropout(RATE)(x)
    for number, units in enumerate([100] * 20 if deep else [300, 100]):
        x = layers.Dense(units, "elu", kernel_initializer="he_normal")(x)
        if place == "after the first hidden layer" and number == 0:
            x = MCDropout(RATE)(x)
    if deep:
        x = MCDropout(RATE)(x)
    return keras.Model(inputs, layers.Dense(10, "softmax")(x))


PLACES = ("on the input", "after the first hidden layer", "before the output of 20x100")


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def speed_rows(x, rounds):
    for place in PLACES:
        model = network(place)
        model(x[:10])
        model.predict(x[:10], verbose=0)
        contestants = {
            "eager": lambda: np.stack([model(x) for _ in range(SAMPLES)]).mean(axis=0),  # noqa: B023
            "predict": lambda: np.stack(
                [model.predict(x, verbose=0) for _ in range(SAMPLES)]  # noqa: B023
            ).mean(axis=0),
            "ours": lambda: kr.mc_predict(model, x, SAMPLES),  # noqa: B023
        }
        first = seconds(contestants["ours"])
        taken = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, call in contestants.items():
                taken[name].append(seconds(call))
        eager, predict, ours = (statistics.median(times) for times in taken.values())
        print(place, taken, flush=True)
        yield [
            f"dropout {place}", f"{eager:.2f}", f"{predict:.2f}", f"{ours:.2f}", f"{first:.2f}",
            f"{eager / ours:.1f}", f"{predict / ours:.1f}",
        ]  # fmt: skip


def peak_memory(n_samples, results):
    """Of a process of its own, in MiB."""
    model = network(PLACES[1])
    kr.mc_predict(model, np.random.default_rng(0).random((ROWS, 784), "float32"), n_samples)
    results.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def memory_rows(rounds):
    context = multiprocessing.get_context("spawn")
    for n_samples in (10, 1000):
        peaks = []
        for _ in range(rounds):
            results = context.Queue()
            process = context.Process(target=peak_memory, args=(n_samples, results))
            process.start()
            peaks.append(results.get())
            process.join()
        yield [n_samples, f"{statistics.median(peaks):.0f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    x = np.random.default_rng(0).random((ROWS, 784), "float32")
    header = [
        "", "eager stack, s", "predict loop, s", "mc_predict, s", "its first call, s",
        "eager / ours", "predict / ours",
    ]  # fmt: skip
    write_result(
        "mc_prediction",
        "Monte Carlo dropout",
        [
            f"{SAMPLES} samples of {ROWS:,} rows, 784-300-100-10 and 784-20x100-10, on {device()}; "
            f"medians of {arguments.rounds} rounds in which all took turns, warm. `mc_predict` traces its "
            "graph in the first call, whose time stands apart. The eager stack is "
            "`np.stack([model(x) for _ in range(40)])`, the loop the same with "
            "`model.predict(x)`, both of a model with MC dropout.",
            markdown_table(header, list(speed_rows(x, arguments.rounds))),
            "Peak memory of a process that predicts with dropout after the first hidden layer, "
            "medians of 3:",
            markdown_table(["samples", "MiB"], list(memory_rows(3))),
        ],
    )


if __name__ == "__main__":
    main()
