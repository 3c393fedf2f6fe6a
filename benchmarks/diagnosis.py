"""What healthy networks show of the numbers that `diagnose` judges by.

python -m benchmarks.diagnosis --mnist mnist.npz --housing housing.csv
"""

import argparse
import warnings
from collections import Counter
from pathlib import Path

import keras
import numpy as np
from keras import layers

import keras_recipes as kr
from benchmarks.report import markdown_table, write_result
from keras_recipes.diagnostics.findings import COLUMN
from keras_recipes.diagnostics.thresholds import THRESHOLDS

SEEDS = range(10)
RATE = 0.001
HEALTHY = {
    "ELU, He": ("elu", "he_normal", False),
    "ReLU, He": ("relu", "he_normal", False),
    "SELU, LeCun": ("selu", "lecun_normal", False),
    "ELU, He, batch norm": ("elu", "he_normal", True),
    "ReLU, He, batch norm": ("relu", "he_normal", True),
}


PAIRS = {  # of activation and initializer that go together
    "linear": "glorot_uniform",
    "sigmoid": "glorot_uniform",
    "tanh": "glorot_uniform",
    "relu": "he_normal",
    "leaky_relu": "he_normal",
    "elu": "he_normal",
    "gelu": "he_normal",
    "softplus": "he_normal",
    "selu": "lecun_normal",
}
WIDTHS = [(300, 100), (100, 10, 100), (1000, 10), (20, 20, 20), (8, 8, 8), (5, 5, 5), (8, 4, 2)]
TRAINED = {
    "ReLU, 300-100": {"activation": "relu", "hidden_units": (300, 100)},
    "ReLU, 100-10-100": {"activation": "relu", "hidden_units": (100, 10, 100)},
    "ReLU, dropout 0.5, 100-100": {
        "activation": "relu", "hidden_units": (100, 100), "dropout": 0.5,
    },
    "ReLU, batch norm, 5 of 100": {
        "activation": "relu", "hidden_units": (100,) * 5, "normalization": "batch",
    },
    "ELU, 3 of 100": {"hidden_units": (100,) * 3},
    "tanh, 100-100": {"activation": "tanh", "hidden_units": (100, 100)},
    "SELU, 3 of 100": {"hidden_units": (100,) * 3},
    "convolutions of 16 and 32, 100": {"activation": "relu", "filters": (16, 32)},
}  # fmt: skip
OPTIMIZERS = [("momentum", 0.01), ("adam", 1e-3), ("rmsprop", 1e-3), ("adam", 1e-2)]
X = np.random.default_rng(0).normal(size=(256, 20)).astype("float32")
Y = X[:, :1] * X[:, 1:2]


def dense(units, activation, initializer, norm=False):
    x = inputs = keras.Input((20,))
    for each in units:
        x = layers.Dense(each, None if norm else activation, kernel_initializer=initializer)(x)
        if norm:
            x = layers.Activation(activation)(layers.BatchNormalization()(x))
    model = keras.Model(inputs, layers.Dense(1)(x))
    model.compile(keras.optimizers.SGD(RATE), "mse")
    return model


def network(depth, activation, initializer, norm):
    return dense((100,) * depth, activation, initializer, norm)


def seeded(seed):
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)


def growth(diagnosis):
    """The most that the size of the activations grows by from one hidden layer to the next."""
    rows = diagnosis.statistics[[layer.hidden for layer in diagnosis.layers]]
    sizes = np.hypot(rows[:, COLUMN["activation_mean"]], rows[:, COLUMN["activation_std"]])
    return (sizes[1:] / sizes[:-1]).max()


def width_rows():
    """Other widths and activations, half of the seeds on pixels from 0 to 255."""
    pixels = np.random.default_rng(1).uniform(0, 255, X.shape).astype("float32")
    for units in WIDTHS:
        accused, factors = 0, []
        for activation, initializer in PAIRS.items():
            for seed in SEEDS:
                seeded(seed)
                model = dense(units, activation, initializer)
                model.optimizer.learning_rate = 0.0  # whose step on pixels would be too large
                diagnosis = kr.diagnose(model, pixels if seed % 2 else X, Y)
                accused += exploding(diagnosis)
                factors.append(growth(diagnosis))
        name = "-".join(map(str, units))
        yield [name, len(factors), accused, f"{np.median(factors):.2f}", f"{max(factors):.2f}"]
        print("widths", name, accused, flush=True)


def exploding(diagnosis):
    return "exploding gradients" in {finding.name for finding in diagnosis.findings}


def fault_rows():
    """Weights that are too large, in shallow networks."""
    for activation in ("linear", "relu", "elu"):
        for deviation in (0.3, 0.5, 1.0):
            for depth in (2, 3):
                found, factors = 0, []
                for seed in SEEDS:
                    seeded(seed)
                    initializer = keras.initializers.RandomNormal(stddev=deviation)
                    diagnosis = kr.diagnose(network(depth, activation, initializer, False), X, Y)
                    found += exploding(diagnosis)
                    factors.append(growth(diagnosis))
                span = f"{min(factors):.2f}-{max(factors):.2f}"
                yield [activation, deviation, depth, f"{found} of {len(SEEDS)}", span]
                print("too large", activation, deviation, depth, found, flush=True)


def trained_rows(source, target, epochs, seeds):
    """Networks as they are after a training; those of each row with each of the optimizers."""
    data = kr.load_dataset(source, target, seed=0)
    for name, keywords in TRAINED.items():
        if "filters" in keywords and len(data.input_shape) < 3:
            continue
        accused, factors, scores = [], [], []
        for seed in seeds:
            seeded(seed)
            model = build(name, data, OPTIMIZERS[seed % len(OPTIMIZERS)])
            model.fit(
                data.x_train[:10_000],
                data.y_train[:10_000],
                epochs=epochs,
                batch_size=64,
                verbose=0,
            )
            diagnosis = kr.diagnose(model, data.x_train, data.y_train)
            name_and_rate = " at ".join(map(str, OPTIMIZERS[seed % len(OPTIMIZERS)]))
            accused += [f"{each.name} ({name_and_rate})" for each in diagnosis.findings]
            factors.append(growth(diagnosis))
            scores.append(score(model, data))
        yield [
            data.name, name, len(factors),
            ", ".join(f"{each}: {count}" for each, count in Counter(accused).items()) or 0,
            f"{np.median(factors):.2f}", f"{max(factors):.2f}", f"{min(scores):.3f}-{max(scores):.3f}",
        ]  # fmt: skip
        print("trained", data.name, name, accused, f"{max(factors):.2f}", flush=True)


def build(name, data, optimizer):
    keywords = {**TRAINED[name], "adapt_to": data.adapt_to}
    keywords["optimizer"], keywords["learning_rate"] = optimizer
    builder = kr.build_cnn if "filters" in keywords else kr.build_default_dnn
    builder = kr.build_self_normalizing_dnn if "SELU" in name else builder
    return builder(data.input_shape, data.n_outputs, data.task, **keywords)


def score(model, data):
    """Accuracy, or the share of the variance that is explained, on rows to validate on."""
    predictions = model.predict(data.x_val, verbose=0)
    if data.task == "multiclass":
        return np.mean(predictions.argmax(axis=1) == data.y_val)
    return 1 - np.mean((predictions[:, 0] - data.y_val) ** 2) / np.var(data.y_val)


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
                seeded(seed)
                accused += bool(kr.diagnose(pooled(kind, depth), x, y).findings)
            yield [name, depth, accused]
            print("convolutions", name, depth, accused, flush=True)


def healthy_rows(depths):
    for name, kind in HEALTHY.items():
        for depth in depths:
            accused, rates, factors, dead, saturated, deviations = 0, [], [], [], [], []
            for seed in SEEDS:
                seeded(seed)
                diagnosis = kr.diagnose(network(depth, *kind), X, Y)
                accused += bool(diagnosis.findings)
                rows = diagnosis.statistics[:-1]
                signals = rows[:, COLUMN["signal_norm"]]
                factors.append(growth(diagnosis))
                rates.append((signals[0] / signals[-1]) ** (1 / (depth - 1)))
                dead.append(rows[:, COLUMN["dead"]].max())
                saturated.append(rows[:, COLUMN["saturated"]].max())
                deviations += list(rows[:, COLUMN["activation_std"]])
            yield [
                name, depth, accused, f"{min(rates):.2f}-{max(rates):.2f}", f"{max(factors):.2f}",
                f"{max(dead):.0%}", f"{max(saturated):.0%}",
                f"{min(deviations):.2f}-{max(deviations):.2f}",
            ]  # fmt: skip
            print(name, depth, accused, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depths", type=int, nargs="+", default=[2, 5, 10, 20, 50])
    parser.add_argument("--convolutions", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--mnist", type=Path, help="NPZ with x_train, y_train, x_test, y_test")
    parser.add_argument("--housing", type=Path, help="CSV with median_house_value")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    healthy = markdown_table(
        [
            "network", "layers", "accused", "gradient a layer", "most growth", "most dead",
            "most saturated", "deviations",
        ],
        list(healthy_rows(arguments.depths)),
    )  # fmt: skip
    convolutional = markdown_table(
        ["convolutions", "layers", "accused"], list(convolutional_rows(arguments.convolutions))
    )
    widths = markdown_table(
        ["units", "networks", "accused of exploding", "median growth", "most growth"],
        list(width_rows()),
    )
    faults = markdown_table(
        ["activation", "deviation of the weights", "layers", "found exploding", "growth"],
        list(fault_rows()),
    )
    runs = [("digits", None, 20, SEEDS), ("diabetes", None, 20, SEEDS)]
    for path, target in ((arguments.mnist, None), (arguments.housing, "median_house_value")):
        if path and path.exists():
            runs.append((path, target, 5, SEEDS[: len(OPTIMIZERS)]))
        else:
            print(f"Left out: no file at {path}.")
    trained = markdown_table(
        ["data", "network", "trained", "accused", "median growth", "most growth", "scores"],
        [row for run in runs for row in trained_rows(*run)],
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
            f"256 examples; the widest range over all of them. The rate is {RATE}: at 0.01 all of ELU's "
            "of 50 layers diverge within five steps, and one shows it in its first.",
            healthy,
            "Convolutions of 16 filters on images of 32x32, with average pooling after the first two, "
            "global average pooling and a dense layer:",
            convolutional,
            "Growth is the most that the size (root mean square) of the activations is multiplied by "
            "from one hidden layer to the next. In other networks as they are initialized, with "
            f"{len(PAIRS)} activations each and {len(SEEDS)} of each of these, half of them on inputs "
            "from 0 to 255:",
            widths,
            f"In shallow ones of 100 units whose weights are too large, {len(SEEDS)} of each:",
            faults,
            "In networks after a training, on at most 10,000 rows at batch 64, for 20 epochs or, of "
            "MNIST and California housing, 5; in turn with "
            + ", ".join(f"{name} at {rate}" for name, rate in OPTIMIZERS)
            + ". Adam's last rate is ten times its default, which is too much for some. The scores are "
            'accuracy, or the share of the variance that is explained. The threshold "growth" is '
            "not asked of them.",
            trained,
            "The thresholds:",
            thresholds,
        ],
    )


if __name__ == "__main__":
    main()
