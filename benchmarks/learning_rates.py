"""Whether the rate that `find_learning_rate` suggests is a good one, beside nine fixed rates.

python -m benchmarks.learning_rates --housing housing.csv --data mnist.npz
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np

import keras_recipes as kr
from benchmarks.report import markdown_table, write_result

RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
BUILDERS = (kr.build_default_dnn, kr.build_self_normalizing_dnn)
SEED = 0


def build(builder, optimizer, data):
    keras.backend.clear_session()
    return builder(
        data.input_shape,
        data.n_outputs,
        data.task,
        adapt_to=data.adapt_to,
        optimizer=optimizer,
        seed=SEED,
    )


def validation_loss(model, data, rate, epochs):
    """The lowest after the cycle's peak: that of the weights that `fit` ends with."""
    try:
        history = kr.fit(
            model,
            data.x_train,
            data.y_train,
            validation_data=(data.x_val, data.y_val),
            epochs=epochs,
            max_learning_rate=rate,
            early_stopping=None,
            seed=SEED,
            verbose=0,
        )
    except FloatingPointError:
        return np.inf
    return min(history.history["val_loss"][int(epochs * 0.45) :])


def row(name, data, epochs, builder, optimizer):
    start = time.perf_counter()
    model = build(builder, optimizer, data)
    found = kr.find_learning_rate(model, data.x_train, data.y_train).suggestion
    seconds = time.perf_counter() - start
    losses = {
        rate: validation_loss(build(builder, optimizer, data), data, rate, epochs)
        for rate in (*RATES, found)
    }
    reached = losses.pop(found)
    best = min(losses, key=losses.get)
    cells = [f"{loss:.3f}" if loss < 10 else "-" for loss in losses.values()]
    cells[RATES.index(best)] = f"**{cells[RATES.index(best)]}**"
    more = f"{(reached / losses[best] - 1) * 100:+.1f}%"
    print(name, builder.__name__, optimizer, found, reached, more, flush=True)
    return [
        name, builder.__name__.removeprefix("build_"), optimizer, *cells,
        f"{found:.2g}", f"{reached:.3f}", more, f"{seconds:.1f}",
    ]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as an NPZ file")
    parser.add_argument("--housing", type=Path, required=True, help="California housing as a CSV")
    arguments = parser.parse_args()
    datasets = {
        "digits": (kr.load_dataset("digits", seed=SEED), 20),
        "housing": (kr.load_dataset(arguments.housing, "median_house_value", seed=SEED), 20),
        "MNIST": (kr.load_dataset(arguments.data, seed=SEED), 5),
    }
    rows = [
        row(name, data, epochs, builder, optimizer)
        for name, (data, epochs) in datasets.items()
        for builder in BUILDERS
        for optimizer in ("momentum", "nadam")
    ]
    header = [
        "data", "builder", "optimizer", *(f"{rate:g}" for rate in RATES),
        "found", "its loss", "over the best", "seconds to find",
    ]  # fmt: skip
    intro = (
        "Validation loss by the peak of 1cycle, batch 32, 20 epochs (MNIST: 5), one seed; a dash is "
        "a training that diverged, bold the best of the nine."
    )
    write_result(
        "learning_rates", "The suggested rate beside nine others",
        [intro, markdown_table(header, rows)],
    )  # fmt: skip


if __name__ == "__main__":
    main()
