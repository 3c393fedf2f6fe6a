"""The perceptron rule beside scikit-learn's, and XOR with one layer and with two."""

from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import Perceptron
from sklearn.preprocessing import StandardScaler

import keras_recipes as kr
from recipes.command import report_parser, run
from recipes.report import Report

EPOCHS, QUICK_EPOCHS = 50, 4
CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
XOR = np.array([0, 1, 1, 0])


def main() -> None:
    arguments = report_parser(__doc__).parse_args()
    report = Report("perceptron", arguments)
    epochs = QUICK_EPOCHS if arguments.quick else EPOCHS
    rows = [_beside_scikit_learn(*each, epochs) for each in _data_sets()]
    header = ["", "accuracy", "scikit-learn's", "largest weight", "largest difference"]
    report.table(f"The perceptron rule, {epochs} epochs in the same order", header, rows)
    networks = {
        "one layer": _one_layer(),
        "two layers by hand": _two_layers_by_hand(),
        "two layers, trained": _two_layers_trained(arguments.seed),
    }
    outputs = [_fires(network, CORNERS) for network in networks.values()]
    rows = [
        [f"{a:.0f} xor {b:.0f}", truth, *outputs]
        for (a, b), truth, *outputs in zip(CORNERS, XOR, *outputs, strict=True)
    ]
    rows.append(["right", "", *(f"{(output == XOR).sum()} of 4" for output in outputs)])
    report.table("XOR", ["", "truth", *networks], rows)
    _plot(report, networks)
    report.close()


def _data_sets() -> list[tuple[str, np.ndarray, np.ndarray]]:
    iris, cancer = load_iris(), load_breast_cancer()
    return [
        ("iris: setosa by its petals", iris.data[:, 2:], (iris.target == 0).astype(int)),
        ("iris: three species", iris.data, iris.target),
        ("breast_cancer, standardized", StandardScaler().fit_transform(cancer.data), cancer.target),
    ]


def _beside_scikit_learn(name: str, x: np.ndarray, y: np.ndarray, epochs: int) -> list[Any]:
    model = kr.linear.build_perceptron(x.shape[1], n_classes=int(y.max()) + 1)
    if keras.backend.backend() != "torch":  # which has to go step by step
        model.steps_per_execution = 50
    model.fit(x, y, batch_size=1, epochs=epochs, shuffle=False, verbose=0)
    reference = Perceptron(shuffle=False, tol=None, max_iter=epochs).fit(x, y)
    kernel = model.get_weights()[0].T
    difference = np.abs(kernel - reference.coef_).max()
    accuracy = kr.evaluate(model, x, y)["accuracy"]
    return [
        name, f"{accuracy:.4f}", f"{reference.score(x, y):.4f}", f"{np.abs(kernel).max():.2f}",
        f"{difference:.1e}",
    ]  # fmt: skip


def _one_layer() -> keras.Model:
    model = kr.linear.build_perceptron(2)
    model.fit(CORNERS, XOR, batch_size=1, epochs=20, shuffle=False, verbose=0)
    return model


def _two_layers_by_hand() -> keras.Model:
    """One hidden unit that fires for "and", one for "or"; XOR is "or, and not and"."""

    def step(z: Any) -> Any:
        return keras.ops.cast(z > 0, z.dtype)

    hidden, output = keras.layers.Dense(2, step), keras.layers.Dense(1)
    model = keras.Sequential([keras.Input((2,)), hidden, output])
    hidden.set_weights([np.ones((2, 2)), np.array([-1.5, -0.5])])
    output.set_weights([np.array([[-1.0], [1.0]]), np.array([-0.5])])
    return model


def _two_layers_trained(seed: int) -> keras.Model:
    model = kr.build_default_dnn(
        2, 1, "binary", hidden_units=(8,), activation="tanh", optimizer="adam", seed=seed
    )
    kr.fit(
        model, CORNERS, XOR, epochs=300, batch_size=4, max_learning_rate=0.05, seed=seed, verbose=0
    )
    # Its sum before the sigmoid, as the others have it.
    model.layers[-1].activation = keras.activations.linear
    return model


def _fires(network: keras.Model, x: np.ndarray) -> np.ndarray:
    return (keras.ops.convert_to_numpy(network(x))[:, 0] > 0).astype(int)


def _plot(report: Report, networks: dict[str, keras.Model]) -> None:
    axes = report.axes(1, len(networks), size=(9, 3.6))
    if axes is None:
        return
    side = np.linspace(-0.5, 1.5, 200, dtype="float32")
    grid = np.stack(np.meshgrid(side, side), axis=-1)
    for each, (name, network) in zip(axes, networks.items(), strict=True):
        fires = _fires(network, grid.reshape(-1, 2)).reshape(200, 200)
        each.contourf(side, side, fires, levels=[-0.5, 0.5, 1.5], colors=["#dbe9f6", "#fdd9b5"])
        for label, marker, color in ((0, "s", "C0"), (1, "^", "C1")):
            each.scatter(*CORNERS[label == XOR].T, s=80, marker=marker, color=color, label=label)
        each.set(title=name, xlabel="a", xticks=[0, 1], yticks=[0, 1], aspect="equal")
    axes[0].set(ylabel="b")
    axes[0].legend(title="a xor b", loc="center")
    report.figure("xor", axes[0].figure)


if __name__ == "__main__":
    run(main)
