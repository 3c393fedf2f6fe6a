"""How the variance of the signal and of the gradient goes with depth, by initializer and activation."""

import argparse
import math
from collections.abc import Sequence

import numpy as np

import keras_recipes as kr
from keras_recipes.diagnostics import Diagnosis
from recipes.command import count, report_parser, run
from recipes.report import Report

INITIALIZERS = {"Glorot": "glorot_normal", "He": "he_normal", "LeCun": "lecun_normal"}
ACTIVATIONS = [name for name in kr.guide.INITIALIZERS if name != "softmax"]  # of outputs
QUICK = ("tanh", "relu", "selu")
DRAWN = ("tanh", "sigmoid", "relu", "elu", "selu")
SHOWN = {"Glorot": "Glorot, LeCun", "He": "He"}  # in layers of one width two are the same
EXAMPLES = 512
LIMITS = 1e-10, 1e4  # of the figure: the sigmoid's gradient falls further


def main() -> None:
    parser = report_parser(__doc__)
    parser.add_argument("--depth", type=count, default=20, metavar="N", help="hidden layers")
    parser.add_argument("--width", type=count, default=100, metavar="N", help="units of each")
    parser.add_argument("--seeds", type=count, default=3, metavar="N", help="networks of each")
    arguments = parser.parse_args()
    if arguments.depth < 3:
        parser.error(f"argument --depth: must be at least 3. Received: {arguments.depth}")
    report = Report("initialization", arguments)
    depth, width = arguments.depth, arguments.width
    equal = _compare(report, arguments, [width] * depth, f"{depth} layers of {width} units")
    narrow = [round(units) for units in np.geomspace(width, max(1, width // 10), depth)]
    _compare(report, arguments, narrow, f"{depth} layers that narrow to {narrow[-1]} units")
    _plot(report, equal)
    report.close()


def _compare(
    report: Report, arguments: argparse.Namespace, units: list[int], shape: str
) -> dict[tuple[str, str], np.ndarray]:
    """Reports what each initializer does with each activation in layers of so many units."""
    variances = {}
    several = 1 if arguments.quick else arguments.seeds
    with report.console.status("") as status:
        for activation in QUICK if arguments.quick else ACTIVATIONS:
            status.update(activation)
            for name, initializer in INITIALIZERS.items():
                found = [
                    _diagnose(activation, initializer, units, arguments.seed + index)
                    for index in range(several)
                ]
                with np.errstate(divide="ignore"):  # of a signal that has died out
                    logs = [np.log(by_depth(each)) for each in found]
                variances[activation, name] = np.exp(np.mean(logs, axis=0))
    rows = [_row(activation, variances) for activation in dict.fromkeys(a for a, _ in variances)]
    header = ["", *(f"{name}: {way}" for name in INITIALIZERS for way in ("signal", "gradient")),
              "the book's", "measured"]  # fmt: skip
    seeds = f"{several} seeds" if several > 1 else "one seed"
    report.table(f"What a layer multiplies variance by, {shape}, {seeds}", header, rows)
    return variances


def _diagnose(activation: str, initializer: str, units: list[int], seed: int) -> Diagnosis:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(EXAMPLES, units[0])).astype("float32")
    y = rng.normal(size=(EXAMPLES, 1)).astype("float32")
    model = kr.build_default_dnn(
        units[0],
        hidden_units=units,
        activation=activation,
        kernel_initializer=initializer,
        normalization=None,
        seed=seed,
    )
    return kr.diagnose(model, x, y)


def by_depth(diagnosis: Diagnosis) -> np.ndarray:
    """Returns the variance of the activations and that of their gradient in each hidden layer."""
    deviations = diagnosis.statistics[:-1, [1, 4]].astype("float64")  # without the output layer
    return deviations**2


def factors(variances: np.ndarray) -> tuple[float, float]:
    """Returns what a layer multiplies the signal's variance by, and the gradient's going back.

    Over the layers from the second on: before the first one the signal has had no activation.
    """
    layers = len(variances) - 2
    with np.errstate(divide="ignore", invalid="ignore"):  # few units may all be dead
        forward, backward = (variances[-1] / variances[1]) ** (1 / layers)
        return forward, 1 / backward


def _row(activation: str, variances: dict[tuple[str, str], np.ndarray]) -> list[str]:
    found = {name: factors(variances[activation, name]) for name in INITIALIZERS}
    least = min(map(_off, found.values()))
    best = ", ".join(name for name, pair in found.items() if math.isclose(_off(pair), least))
    best = best if math.isfinite(least) else "none"
    book = kr.guide.initializer_for(activation).split("_")[0]
    names = {"glorot": "Glorot", "he": "He", "lecun": "LeCun"}
    cells = [f"{factor:.3f}" for pair in found.values() for factor in pair]
    return [activation, *cells, names[book], best]


def _off(pair: Sequence[float]) -> float:
    """How far the worse of both factors is from keeping the variance."""
    return max(abs(math.log(factor)) if 0 < factor < math.inf else math.inf for factor in pair)


def _plot(report: Report, variances: dict[tuple[str, str], np.ndarray]) -> None:
    axes = report.axes(2, len(SHOWN), size=(8, 5))
    if axes is None:
        return
    for column, (name, title) in enumerate(SHOWN.items()):
        for activation in DRAWN:
            if (activation, name) not in variances:
                continue
            forward, backward = variances[activation, name].T
            depth = range(1, len(forward) + 1)
            axes[0, column].plot(depth, forward / forward[0], label=activation)
            axes[1, column].plot(depth, backward / backward[-1], label=activation)
        axes[0, column].set(title=title)
        axes[1, column].set(xlabel="layer")
        for each in axes[:, column]:
            each.set(yscale="log", ylim=LIMITS)
            each.axhline(1, color="grey", linewidth=0.5)
    axes[0, 0].set(ylabel="variance of the signal,\nfirst layer's = 1")
    axes[1, 0].set(ylabel="variance of the gradient,\nlast layer's = 1")
    axes[0, 0].legend(fontsize="small")
    report.figure("variance", axes[0, 0].figure)


if __name__ == "__main__":
    run(main)
