"""What healthy networks show of the numbers that `diagnose` judges by, and what a look costs.

python -m benchmarks.diagnosis --data mnist.npz
"""

import argparse
import statistics
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import layers

import keras_recipes as kr
from benchmarks.report import device, markdown_table, write_result
from benchmarks.timing import EpochTimes
from keras_recipes.callbacks import LayerHealth
from keras_recipes.diagnostics.findings import COLUMN, THRESHOLDS

SEEDS = range(10)
HEALTHY = {
    "ELU, He": ("elu", "he_normal", False),
    "ReLU, He": ("relu", "he_normal", False),
    "SELU, LeCun": ("selu", "lecun_normal", False),
    "ELU, He, batch norm": ("elu", "he_normal", True),
    "ReLU, He, batch norm": ("relu", "he_normal", True),
}


def network(depth, activation, initializer, norm):
    x = inputs = keras.Input((20,))
    for _ in range(depth):
        x = layers.Dense(100, None if norm else activation, kernel_initializer=initializer)(x)
        if norm:
            x = layers.Activation(activation)(layers.BatchNormalization()(x))
    model = keras.Model(inputs, layers.Dense(1)(x))
    model.compile("sgd", "mse")
    return model


def pooled(kind, depth):
    """Convolutions that end in a mean over all positions, which is no vanishing gradient."""
    activation, initializer, norm = kind
    x = inputs = keras.Input((32, 32, 3))
    for number in range(depth):
        x = layers.Conv2D(16, 3, padding="same", kernel_initializer=initializer)(x)
        x = layers.BatchNormalization()(x) if norm else x
        x = layers.Activation(activation)(x)
        if number < 2:
            x = layers.AveragePooling2D(2)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(32, activation, kernel_initializer=initializer)(x)
    model = keras.Model(inputs, layers.Dense(1)(x))
    model.compile("sgd", "mse")
    return model


def convolutional_rows(depths):
    """How many of the convolutional networks are accused."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(32, 32, 32, 3)).astype("float32")
    y = rng.normal(size=(32, 1)).astype("float32")
    for name, kind in HEALTHY.items():
        if kind[0] == "selu":  # whose deviation does not survive a mean over positions
            continue
        for depth in depths:
            accused = 0
            for seed in SEEDS:
                keras.backend.clear_session()
                keras.utils.set_random_seed(seed)
                accused += bool(kr.diagnose(pooled(kind, depth), x, y).findings)
            yield [name, depth, accused]
            print("convolutions", name, depth, accused, flush=True)


def healthy_rows(depths):
    x = np.random.default_rng(0).normal(size=(256, 20)).astype("float32")
    y = x[:, :1] * x[:, 1:2]
    for name, kind in HEALTHY.items():
        for depth in depths:
            accused, rates, dead, saturated, deviations = 0, [], [], [], []
            for seed in SEEDS:
                keras.backend.clear_session()
                keras.utils.set_random_seed(seed)
                diagnosis = kr.diagnose(network(depth, *kind), x, y)
                accused += bool(diagnosis.findings)
                rows = diagnosis.statistics[:-1]
                signals = rows[:, COLUMN["signal_norm"]]
                rates.append((signals[0] / signals[-1]) ** (1 / (depth - 1)))
                dead.append(rows[:, COLUMN["dead"]].max())
                saturated.append(rows[:, COLUMN["saturated"]].max())
                deviations += list(rows[:, COLUMN["activation_std"]])
            yield [
                name, depth, accused, f"{min(rates):.2f}-{max(rates):.2f}", f"{max(dead):.0%}",
                f"{max(saturated):.0%}", f"{min(deviations):.2f}-{max(deviations):.2f}",
            ]  # fmt: skip
            print(name, depth, accused, flush=True)


def cost_rows(path, rounds):
    """Seconds of three epochs of MNIST, the first aside, with and without the callback."""
    with np.load(path) as file:
        images = file["x_train"]
        x = (images.reshape(len(images), -1) / 255).astype("float32")
        y = file["y_train"].astype("int32")

    def seconds(callbacks, in_fit, run_dir=None):
        keras.backend.clear_session()
        model = kr.build_default_dnn(784, 10, "multiclass", seed=1)
        times = EpochTimes()
        callbacks = [times, *callbacks]
        if in_fit:
            kr.fit(
                model, x, y, epochs=4, max_learning_rate=0.03, callbacks=callbacks, verbose=0,
                run_dir=run_dir,
            )  # fmt: skip
        else:
            model.compile(model.optimizer, model.loss, steps_per_execution=50, jit_compile=False)
            model.fit(x, y, batch_size=32, epochs=4, callbacks=callbacks, verbose=0)
        return sum(times.seconds[1:])

    for name, in_fit in (("keras_recipes.fit", True), ("Keras fit, 50 steps an execution", False)):
        plain, watched = [], []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as place:
                plain.append(seconds([], in_fit))
                logs = Path(place) / "logs"
                watched.append(seconds([LayerHealth(log_dir=logs)], in_fit))
        ratios = [b / a - 1 for a, b in zip(plain, watched, strict=True)]
        print(name, plain, watched, flush=True)
        yield [
            name, f"{statistics.median(plain):.2f}", f"{statistics.median(watched):.2f}",
            f"{statistics.median(ratios):+.1%}", f"{min(ratios):+.1%} to {max(ratios):+.1%}",
        ]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as an NPZ file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--depths", type=int, nargs="+", default=[2, 5, 10, 20, 50])
    parser.add_argument("--convolutions", type=int, nargs="+", default=[2, 4, 8])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    cost = markdown_table(
        ["", "without, s", "every 100 steps, s", "cost", "range"],
        list(cost_rows(arguments.data, arguments.rounds)),
    )
    healthy = markdown_table(
        [
            "network", "layers", "accused", "gradient a layer", "most dead", "most saturated",
            "deviations",
        ],
        list(healthy_rows(arguments.depths)),
    )  # fmt: skip
    convolutional = markdown_table(
        ["convolutions", "layers", "accused"], list(convolutional_rows(arguments.convolutions))
    )
    thresholds = markdown_table(
        ["threshold", "value", "reason"],
        [[name, each.value, each.reason] for name, each in THRESHOLDS.items()],
    )
    write_result(
        "diagnosis",
        "What `diagnose` judges by",
        [
            f"Networks as they are initialized, {len(SEEDS)} of each, 100 units a layer, one step on "
            "256 examples; the widest range over all of them.",
            healthy,
            "Convolutions of 16 filters on images of 32x32, with average pooling after the first two, "
            "global average pooling and a dense layer:",
            convolutional,
            "The thresholds:",
            thresholds,
            f"`LayerHealth` every 100 steps, with TensorBoard logs: three epochs of MNIST at batch 32, "
            f"3 x 100 units, on {device()}, medians of {arguments.rounds} rounds that take turns.",
            cost,
        ],
    )


if __name__ == "__main__":
    main()
