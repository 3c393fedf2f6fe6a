"""One forward and one reverse step in NumPy, each value printed beside Keras's."""

from collections.abc import Mapping

import keras
import numpy as np

from recipes.command import report_parser, run
from recipes.report import Report

RATE = 0.5
SHOWN = 6  # numbers of an array

Arrays = dict[str, np.ndarray]


def main() -> None:
    arguments = report_parser(__doc__).parse_args()
    report = Report("backprop_by_hand", arguments)
    rng = np.random.default_rng(arguments.seed)
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(4, 1))
    model = _model(arguments.seed)
    W1, b1, W2, b2 = model.get_weights()
    forward = forward_pass(x, y, W1, b1, W2, b2)
    reverse = reverse_pass(x, y, W2, forward)
    kept = {name: forward[name] for name in ("z1", "a1", "z2", "loss")}
    keras_forward = _forward_of_keras(model, x, y)
    _table(report, "Forward", kept, keras_forward)
    gradients = {name: reverse[name] for name in ("dW1", "db1", "dW2", "db2")}
    signals = {name: each for name, each in reverse.items() if name not in gradients}
    _table(report, "Reverse: what arrives at each value", signals, {})
    _table(report, "Reverse: the gradients", gradients, _gradients_of_keras(model, x, y))
    stepped = [
        weights - RATE * gradient
        for weights, gradient in zip((W1, b1, W2, b2), gradients.values(), strict=True)
    ]
    after = forward_pass(x, y, *stepped)["loss"]
    report.say(f"A step of rate {RATE} takes the loss from {forward['loss']:.6f} to {after:.6f}.")
    report.close()


def forward_pass(
    x: np.ndarray, y: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray
) -> Arrays:
    """Returns the values of a network with one hidden layer of tanh, and its mean squared error."""
    z1 = x @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2 + b2
    return {"z1": z1, "a1": a1, "z2": z2, "loss": np.mean((z2 - y) ** 2)}


def reverse_pass(x: np.ndarray, y: np.ndarray, W2: np.ndarray, forward: Mapping) -> Arrays:
    """Returns the derivative of the loss by each value, from the output back to the weights."""
    dz2 = 2 * (forward["z2"] - y) / y.size
    da1 = dz2 @ W2.T  # through the weights, backwards
    dz1 = da1 * (1 - forward["a1"] ** 2)  # times the slope of tanh
    return {
        "dz2": dz2,
        "dW2": forward["a1"].T @ dz2,  # what came in, times what arrives
        "db2": dz2.sum(axis=0),
        "da1": da1,
        "dz1": dz1,
        "dW1": x.T @ dz1,
        "db1": dz1.sum(axis=0),
    }


def _model(seed: int) -> keras.Model:
    initializer = keras.initializers.GlorotNormal(seed)
    hidden = keras.layers.Dense(2, "tanh", kernel_initializer=initializer, dtype="float64")
    output = keras.layers.Dense(1, kernel_initializer=initializer, dtype="float64")
    model = keras.Sequential([keras.Input((3,), dtype="float64"), hidden, output])
    model.compile(keras.optimizers.SGD(1.0), "mean_squared_error")
    return model


def _forward_of_keras(model: keras.Model, x: np.ndarray, y: np.ndarray) -> Arrays:
    a1 = keras.ops.convert_to_numpy(model.layers[0](x))
    z2 = keras.ops.convert_to_numpy(model(x))
    return {"a1": a1, "z2": z2, "loss": keras.ops.convert_to_numpy(model.compute_loss(x, y, z2))}


def _gradients_of_keras(model: keras.Model, x: np.ndarray, y: np.ndarray) -> Arrays:
    return dict(zip(("dW1", "db1", "dW2", "db2"), step_taken(model, x, y), strict=True))


def step_taken(model: keras.Model, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Returns what a training step takes off the weights: with rate 1 their gradients.

    That is so on any backend, of a model compiled with SGD.
    """
    before = model.get_weights()
    model.train_on_batch(x, y)
    return [a - b for a, b in zip(before, model.get_weights(), strict=True)]


def _table(report: Report, title: str, ours: Arrays, theirs: Arrays) -> None:
    rows = []
    for name, values in ours.items():
        shape = " x ".join(map(str, np.shape(values))) or "number"
        difference = f"{np.abs(values - theirs[name]).max():.1e}" if name in theirs else ""
        numbers = " ".join(f"{value:.4f}" for value in np.ravel(values)[:SHOWN])
        more = " ..." if np.size(values) > SHOWN else ""
        rows.append([name, shape, numbers + more, *([difference] if theirs else [])])
    header = ["", "shape", "values", *(["from Keras's"] if theirs else [])]
    report.table(title, header, rows)


if __name__ == "__main__":
    run(main)
