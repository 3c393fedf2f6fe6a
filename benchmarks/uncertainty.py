"""Whether Monte Carlo dropout knows what it does not know, beside the plain prediction.

python -m benchmarks.uncertainty --mnist mnist.npz --housing housing.csv
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import rotate

import keras_recipes as kr
from benchmarks.report import markdown_table, write_result
from keras_recipes.uncertainty import calibration

SAMPLES = 100
ANGLES = (0, 15, 30, 45, 60, 90)
TARGET = "median_house_value"


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


def housing_rows(path, seed):
    data = kr.load_dataset(path, TARGET, validation_fraction=0.1, seed=seed)
    for dropout in (0.05, 0.1, 0.2):
        model = trained(data, dropout, seed, epochs=40, batch_size=128)
        test = kr.mc_predict(model, data.x_test, SAMPLES, seed=seed)
        of_validation = kr.mc_predict(model, data.x_val, SAMPLES, seed=seed)
        unit = data.target_scale / 100_000
        plain = kr.predict(model, data.x_test)
        rmse = [
            unit * np.sqrt(np.mean((np.ravel(mean) - np.ravel(data.y_test)) ** 2))
            for mean in (plain, test.mean)
        ]
        for name, validation in (("alone", None), ("with noise", (of_validation, data.y_val))):
            found = calibration(test, data.y_test, validation=validation)
            coverage = (f"{share:.1%}" for share in found.coverage.values())
            yield [
                dropout, name, *(f"{each:.4f}" for each in rmse), f"{found.log_likelihood:.3f}",
                *coverage,
            ]  # fmt: skip
        print(dropout, rmse, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", type=Path, required=True, help="MNIST as an NPZ file")
    parser.add_argument("--housing", type=Path, required=True, help="a CSV of California housing")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
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
                list(housing_rows(arguments.housing, arguments.seed)),
            ),
        ],
    )


if __name__ == "__main__":
    main()
