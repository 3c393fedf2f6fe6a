"""Whether Monte Carlo dropout knows what it does not know, beside the plain prediction.

python -m benchmarks.uncertainty --mnist mnist.npz --housing housing.csv
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from scipy.ndimage import rotate

import keras_recipes as kr
from benchmarks.report import markdown_table, write_result
from keras_recipes.uncertainty import calibration

SAMPLES = 100
ANGLES = (0, 15, 30, 45, 60, 90)
TARGET = "median_house_value"
NOISES = (0, 0.25, 0.5, 1)  # in standard deviations of a column
NUMBERS, LATITUDE = slice(8), 1  # columns of housing
NORTH = 0.6  # of the rows lie further south


def trained(data, dropout, seed, epochs, batch_size):
    model = kr.build_default_dnn(
        data.input_shape,
        data.n_outputs,
        data.task,
        adapt_to=data.adapt_to,
        dropout=dropout,
        seed=seed,
    )
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
    return model


def mnist_rows(path, seed):
    data = kr.load_dataset(path, validation_fraction=0.1, seed=seed)
    model = trained(data, 0.2, seed, epochs=10, batch_size=32)
    for angle in ANGLES:
        x = rotate(data.x_test, angle, axes=(1, 2), reshape=False, order=1).astype("float32")
        x = np.clip(x, 0, 1)
        monte_carlo = kr.mc_predict(model, x, SAMPLES, seed=seed)
        plain = kr.predict(model, x)
        cells = [f"{angle}°"]
        for prediction, mean in ((plain, plain), (monte_carlo, monte_carlo.mean)):
            found = calibration(prediction, data.y_test)
            accuracy = np.mean(mean.argmax(axis=1) == data.y_test)
            cells += [
                f"{accuracy:.4f}", f"{found.expected_calibration_error:.3f}",
                f"{found.brier_score:.3f}", f"{found.log_loss:.3f}",
            ]  # fmt: skip
        print(cells, flush=True)
        yield [*cells, f"{np.mean(monte_carlo.mutual_information):.3f}"]


def housing_rows(data, seed):
    for dropout in (0.05, 0.1, 0.2):
        model = trained(data, dropout, seed, epochs=40, batch_size=128)
        test = kr.mc_predict(model, data.x_test, SAMPLES, seed=seed)
        of_validation = kr.mc_predict(model, data.x_val, SAMPLES, seed=seed)
        rmse = [error(data, mean) for mean in (kr.predict(model, data.x_test), test.mean)]
        for name, validation in (("alone", None), ("with noise", (of_validation, data.y_val))):
            found = calibration(test, data.y_test, validation=validation)
            coverage = (f"{share:.1%}" for share in found.coverage.values())
            yield [dropout, name, *rmse, f"{found.log_likelihood:.3f}", *coverage]
        print(dropout, rmse, flush=True)


def shifted_rows(data, seed):
    """The test rows with noise in their numbers; then the north, of which the model knows nothing."""
    model = trained(data, 0.1, seed, epochs=40, batch_size=128)
    rng = np.random.default_rng(seed)
    for noise in NOISES:
        x = data.x_test.copy()
        x[:, NUMBERS] += noise * rng.normal(size=x[:, NUMBERS].shape)
        yield shifted_row(f"noise of {noise:g}", model, dataclasses.replace(data, x_test=x), seed)
    border = np.quantile(data.x_train[:, LATITUDE], NORTH)
    known = rows_where(data, lambda x: x[:, LATITUDE] < border)
    model = trained(known, 0.1, seed, epochs=40, batch_size=128)
    yield shifted_row("trained on the south: south", model, known, seed)
    north = rows_where(data, lambda x: x[:, LATITUDE] >= border)
    unknown = dataclasses.replace(known, x_test=north.x_test, y_test=north.y_test)
    yield shifted_row("the north", model, unknown, seed)


def rows_where(data, chosen):
    parts = {}
    for part in ("train", "val", "test"):
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        parts |= {f"x_{part}": x[chosen(x)], f"y_{part}": y[chosen(x)]}
    return dataclasses.replace(data, **parts)


def shifted_row(name, model, data, seed):
    plain = kr.predict(model, data.x_test), kr.predict(model, data.x_val)
    drawn = [kr.mc_predict(model, x, SAMPLES, seed=seed) for x in (data.x_test, data.x_val)]
    cells = []
    for mean, (test, validation) in ((plain[0], plain), (drawn[0].mean, drawn)):
        found = calibration(test, data.y_test, validation=(validation, data.y_val))
        shares = (f"{found.coverage[level]:.1%}" for level in (0.5, 0.9))
        cells += [error(data, mean), f"{found.log_likelihood:.3f}", *shares]
    print(name, cells, flush=True)
    return [name, *cells, f"{drawn[0].std.mean() * data.target_scale / 100_000:.3f}"]


def error(data, mean):
    """Root mean squared, in 100,000 dollars."""
    squares = (np.ravel(mean) - np.ravel(data.y_test)) ** 2
    return f"{np.sqrt(squares.mean()) * data.target_scale / 100_000:.4f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", type=Path, required=True, help="MNIST as an NPZ file")
    parser.add_argument("--housing", type=Path, required=True, help="a CSV of California housing")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    housing = kr.load_dataset(
        arguments.housing, TARGET, validation_fraction=0.1, seed=arguments.seed
    )
    of_numbers = ["RMSE", "log likelihood", "in 50%", "in 90%"]
    scores = ["accuracy", "ECE", "Brier", "log loss"]
    write_result(
        "uncertainty",
        "Is the uncertainty right?",
        [
            f"MNIST's test images, turned: the plain prediction, then the mean of {SAMPLES} draws with "
            "dropout of 20% after each hidden layer, 10 epochs; the mutual information in nats, means "
            "over the images.",
            markdown_table(
                ["turned by", *scores, *(f"{score}, MC" for score in scores), "mutual information"],
                list(mnist_rows(arguments.mnist, arguments.seed)),
            ),
            f"California housing, 40 epochs at batch 128, {SAMPLES} draws: RMSE in 100,000 dollars of "
            "the plain prediction and of the mean; log likelihood of the standardized target and the "
            "share of targets in the intervals, by the draws alone and with a noise that was fitted on "
            "the validation rows.",
            markdown_table(
                ["dropout", "", "RMSE", "RMSE, MC", "log likelihood", "in 50%", "in 90%", "in 95%"],
                list(housing_rows(housing, arguments.seed)),
            ),
            "The same with a dropout of 10%, where the data have shifted: noise in all numbers of the "
            "test rows, in their standard deviations; and the 40% of the rows that lie furthest north, "
            "by a network that was trained on the others. The plain prediction with a noise alone, then "
            "the mean of the draws, with their variance and a noise; both noises fitted on validation "
            "rows that have not shifted. Last the mean standard deviation of the draws, in 100,000 "
            "dollars.",
            markdown_table(
                [
                    "",
                    *of_numbers,
                    *(f"{score}, MC" for score in of_numbers),
                    "deviation of the draws",
                ],
                list(shifted_rows(housing, arguments.seed)),
            ),
        ],
    )


if __name__ == "__main__":
    main()
