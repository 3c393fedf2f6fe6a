"""How well the two default networks do beside scikit-learn, on California housing and MNIST.

python -m benchmarks.accuracy --housing housing.csv --mnist mnist.npz
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import keras_recipes as kr
from benchmarks.report import markdown_table, write_result
from keras_recipes.datasets.splits import split_rows
from keras_recipes.datasets.targets import encode_target

TARGET = "median_house_value"
UNIT = 100_000  # dollars
BUILDERS = (kr.build_default_dnn, kr.build_self_normalizing_dnn)
TEXTS = make_column_selector(dtype_exclude="number")
NUMBERS = make_column_selector(dtype_include="number")


def scaled(model):
    """A scikit-learn model behind its usual preparation: impute, standardize, one-hot."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore")
    return make_pipeline(make_column_transformer((numbers, NUMBERS), (texts, TEXTS)), model)


def boosted(seed):
    """Histogram gradient boosting takes missing values and categories as they are."""
    encode = make_column_transformer((OrdinalEncoder(), TEXTS), remainder="passthrough")
    return make_pipeline(encode, HistGradientBoostingRegressor(random_state=seed))


def housing_rows(path, seed):
    """Test RMSE in 100,000 dollars of each model, on one and the same split."""
    data = kr.load_dataset(path, TARGET, validation_fraction=0.1, seed=seed)
    frame = pd.read_csv(path)
    test = test_rows(frame, seed)
    x, y = frame.drop(columns=TARGET), frame[TARGET] / UNIT
    sklearn_models = {
        "LinearRegression": scaled(LinearRegression()),
        "MLPRegressor, 3x100, early stopping": scaled(
            MLPRegressor(
                hidden_layer_sizes=(100, 100, 100),
                early_stopping=True,
                max_iter=500,
                random_state=seed,
            )
        ),
        "HistGradientBoostingRegressor": boosted(seed),
    }
    for name, model in sklearn_models.items():
        start = time.perf_counter()
        model.fit(x[~test], y[~test])
        yield name, rmse(model.predict(x[test]), y[test]), time.perf_counter() - start
    for build in BUILDERS:
        predicted, seconds = prices(build, data, x[test], seed=seed)
        yield build.__name__, rmse(predicted, y[test]), seconds
    several = [
        prices(kr.build_default_dnn, data, x[test], seed=10 * seed + each, optimizer="nadam")
        for each in range(1, 6)
    ]
    predicted, seconds = zip(*several, strict=True)
    name = 'build_default_dnn(optimizer="nadam")'
    yield name, rmse(predicted[0], y[test]), seconds[0]
    yield f"mean of five {name}", rmse(np.mean(predicted, axis=0), y[test]), sum(seconds)


def prices(build, data, x, *, seed, **keywords):
    """What a trained network predicts, in units of 100,000 dollars, and its seconds."""
    model, seconds = trained(build, data, epochs=40, batch_size=128, seed=seed, **keywords)
    predicted = data.pipeline(model).predict(dict(x), batch_size=4096, verbose=0)
    return predicted[:, 0] / UNIT, seconds


def test_rows(frame, seed):
    """Which rows of the file `load_dataset` draws for the test set."""
    target = encode_target(frame[TARGET].to_numpy(), None, "the target")
    test = np.zeros(len(frame), bool)
    test[split_rows(target, 0, 0.2, 0.1, seed).test] = True
    return test


def rmse(predicted, y):
    return float(np.sqrt(np.mean((np.asarray(predicted) - np.asarray(y)) ** 2)))


def trained(build, data, *, epochs, batch_size, seed, **keywords):
    """A network trained with the defaults, and the seconds that it took."""
    adapt_to = data.adapt_to
    if build is kr.build_self_normalizing_dnn and data.preprocessing is None:
        adapt_to = data.x_train  # mean 0 and variance 1, which pixels do not have
    model = build(
        data.input_shape, data.n_outputs, data.task, adapt_to=adapt_to, seed=seed, **keywords
    )
    start = time.perf_counter()
    kr.fit(
        model,
        data.x_train,
        data.y_train,
        validation_data=(data.x_val, data.y_val),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        verbose=0,
    )
    return model, time.perf_counter() - start


def mnist_rows(path, seed):
    """Test accuracy of each network."""
    data = kr.load_dataset(path, validation_fraction=0.1, seed=seed)
    for build in BUILDERS:
        model, seconds = trained(build, data, epochs=20, batch_size=32, seed=seed)
        accuracy = model.evaluate(data.x_test, data.y_test, batch_size=4096, verbose=0)[1]
        yield build.__name__, accuracy, seconds


def table(measure, seeds, score):
    """A Markdown table: mean over the seeds, each seed, median seconds."""
    found = {}
    for seed in seeds:
        for name, value, seconds in measure(seed):
            print(f"seed {seed}: {name} {value:.4f} in {seconds:.1f} s", flush=True)
            found.setdefault(name, []).append((value, seconds))
    rows = []
    for name, results in found.items():
        values, seconds = zip(*results, strict=True)
        each = ", ".join(f"{value:.4f}" for value in values)
        rows.append([f"`{name}`", f"{np.mean(values):.4f}", each, f"{np.median(seconds):.1f}"])
    return markdown_table(["model", score, "each seed", "seconds"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--housing", type=Path, help="CSV with median_house_value")
    parser.add_argument("--mnist", type=Path, help="NPZ with x_train, y_train, x_test, y_test")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    parts = []
    if arguments.housing and arguments.housing.exists():
        measured = table(
            lambda seed: housing_rows(arguments.housing, seed), arguments.seeds, "test RMSE"
        )
        parts += [
            "California housing, RMSE in 100,000 dollars on the same 20% of the rows. The networks "
            "train for 40 epochs at batch 128, on nine tenths of the rest, with all defaults. The "
            "last two rows say what closes most of their distance to boosting: Nadam, and the mean "
            "of several networks.",
            measured,
        ]
    else:
        parts.append(f"California housing: left out, no file at {arguments.housing}.")
    if arguments.mnist and arguments.mnist.exists():
        measured = table(
            lambda seed: mnist_rows(arguments.mnist, seed), arguments.seeds, "test accuracy"
        )
        parts += ["MNIST, accuracy on its 10,000 test images, 20 epochs at batch 32.", measured]
    else:
        parts.append(f"MNIST: left out, no file at {arguments.mnist}.")
    write_result(
        "accuracy",
        "The default networks beside scikit-learn",
        parts,
    )


if __name__ == "__main__":
    main()
