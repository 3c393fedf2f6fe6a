"""What healthy networks show of the numbers that `diagnose` judges by.

python -m benchmarks.diagnosis
"""

import argparse
import warnings

import keras
import numpy as np
from keras import layers

import keras_recipes as kr
from benchmarks.report import markdown_table, write_result
from keras_recipes.diagnostics.findings import COLUMN
from keras_recipes.diagnostics.thresholds import THRESHOLDS

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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depths", type=int, nargs="+", default=[2, 5, 10, 20, 50])
    parser.add_argument("--convolutions", type=int, nargs="+", default=[2, 4, 8])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
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
        ],
    )


if __name__ == "__main__":
    main()
