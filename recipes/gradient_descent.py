"""Batch, stochastic and mini-batch gradient descent on a line, and the normal equation beside them."""

import functools
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from sklearn.linear_model import LinearRegression

import keras_recipes as kr
from recipes.command import report_parser, run
from recipes.report import Report

EXAMPLES, NOISE = 100, 1.0
BATCHES = {"batch": EXAMPLES, "mini-batch": 20, "stochastic": 1}
# Of the rate above which batch gradient descent diverges. Single examples bear less than all do.
FOR_ALL_BATCHES = 0.25
SHARES = {"too low": 0.01, "well chosen": 0.9, "too high": 1.05}
EPOCHS = 20
TIMES = 3  # that each way is timed
NEAR, MOST = 1.01, 2000  # times the RMSE of the optimum that is near enough; epochs at most
SHOWN = {"stochastic": 80, "too high": 6}  # steps that are drawn; of the others all
ROWS, FEATURES, QUICK_FEATURES = 4000, (10, 100, 1000, 2000), (10,)

Predict = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    arguments = report_parser(__doc__).parse_args()
    report = Report("gradient_descent", arguments)
    rng = np.random.default_rng(arguments.seed)
    x = rng.uniform(0, 2, (EXAMPLES, 1)).astype("float32")
    y = (4 + 3 * x + NOISE * rng.normal(size=x.shape)).astype("float32")
    best = _solved(x, y)
    limit = largest_rate(x)
    shared = FOR_ALL_BATCHES * limit
    paths = {name: descend(x, y, shared, size) for name, size in BATCHES.items()}
    rates = {name: descend(x, y, share * limit, EXAMPLES) for name, share in SHARES.items()}
    header = ["", "batch", "rate", "steps", "intercept", "slope", "from the optimum"]
    rows = [_row(name, BATCHES[name], shared, path, best) for name, path in paths.items()]
    report.table(f"{EPOCHS} epochs on {EXAMPLES} examples of y = 4 + 3x + noise", header, [
        *rows, ["normal equation", EXAMPLES, "", 1, *(f"{each:.4f}" for each in best), "0"],
    ])  # fmt: skip
    rows = [_row(name, EXAMPLES, SHARES[name] * limit, path, best) for name, path in rates.items()]
    report.table(f"Batch gradient descent; above {limit:.3f} it diverges", header, rows)
    _plot_paths(report, paths, rates, best)
    _time(report, QUICK_FEATURES if arguments.quick else FEATURES, arguments.seed)
    report.close()


def descend(x: np.ndarray, y: np.ndarray, rate: float, batch_size: int) -> np.ndarray:
    """Returns the intercept and the slope before and after each step, (steps + 1, 2)."""
    model = kr.build_linear_regression(1, optimizer="sgd", learning_rate=float(rate))
    path = Path(model)
    keras.utils.set_random_seed(0)
    model.fit(x, y, batch_size=batch_size, epochs=EPOCHS, verbose=0, callbacks=[path])
    return np.array(path.points)


class Path(keras.callbacks.Callback):
    """The weights of a line after each step."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.points = [_line(model)]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.points.append(_line(self.model))


def largest_rate(x: np.ndarray) -> float:
    """Returns the rate above which batch gradient descent diverges: 2 by the largest curvature."""
    inputs = np.hstack([np.ones_like(x), x])
    return float(2 / np.linalg.eigvalsh(2 * inputs.T @ inputs / len(x))[-1])


def _line(model: keras.Model) -> tuple[float, float]:
    kernel, bias = model.get_weights()
    return float(bias[0]), float(kernel[0, 0])


def _solved(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    model = kr.build_linear_regression(1)
    kr.solve_normal_equation(model, x, y)
    return _line(model)


def _row(name: str, size: int, rate: float, path: np.ndarray, best: tuple[float, float]) -> list:
    apart = np.linalg.norm(path[-1] - best)
    numbers = [f"{each:.4g}" for each in path[-1]]
    return [name, size, f"{rate:.3f}", len(path) - 1, *numbers, f"{apart:.2g}"]


def _time(report: Report, features: Sequence[int], seed: int) -> None:
    timed = {count: _timed(count, seed) for count in features}
    names = list(timed[features[0]])
    header = [cell for name in names for cell in (f"{name}, s", "RMSE")]
    rows = [
        [
            count,
            *(cell for way in found.values() for cell in (f"{way[0]:.2f}", f"{way[1]:.3f}")),
            found["gradient descent"][2],
        ]
        for count, found in timed.items()
    ]
    title = f"Time by number of features, {ROWS} examples"
    report.table(title, ["features", *header, "epochs of gradient descent"], rows)
    axes = report.axes(size=(6, 3.5))
    if axes is None:
        return
    for name in names:
        axes.plot(features, [timed[count][name][0] for count in features], marker="o", label=name)
    axes.set(xlabel="features", ylabel="seconds", xscale="log", yscale="log")
    axes.legend(fontsize="small")
    report.figure("time", axes.figure)


def _timed(count: int, seed: int) -> dict[str, tuple[float, float, int]]:
    """Returns the seconds that each way takes, the median of some times, its RMSE and its epochs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, count)).astype("float32")
    y = (x @ rng.normal(size=(count, 1)) + rng.normal(size=(ROWS, 1))).astype("float32")

    def rmse(predict: Predict) -> float:
        return float(np.sqrt(np.mean((predict(x) - y) ** 2)))

    def solve() -> tuple[Predict, int]:
        model = kr.build_linear_regression(count)
        kr.solve_normal_equation(model, x, y)
        return functools.partial(kr.predict, model), 1

    def train() -> tuple[Predict, int]:
        model = kr.build_linear_regression(count)
        rate = 0.04 / (count + 32)  # the curvature of a batch of 32 goes with its features
        history = kr.fit(
            model, x, y, validation_data=(x, y), early_stopping=None, epochs=MOST, seed=seed,
            max_learning_rate=rate, schedule="constant", verbose=0,
            callbacks=[Until((NEAR * found["normal equation"][1]) ** 2)],
        )  # fmt: skip
        return functools.partial(kr.predict, model), len(history.epoch)

    def scikit_learn() -> tuple[Predict, int]:
        return LinearRegression().fit(x, y).predict, 1

    found: dict[str, tuple[float, float, int]] = {}
    ways = {"normal equation": solve, "gradient descent": train, "LinearRegression": scikit_learn}
    for name, fit in ways.items():
        seconds = []
        for _ in range(1 + TIMES):  # the first warms up
            start = time.perf_counter()
            predict, epochs = fit()
            seconds.append(time.perf_counter() - start)
        found[name] = statistics.median(seconds[1:]), rmse(predict), epochs
    return found


class Until(keras.callbacks.Callback):
    """Ends a training at a loss on all examples after an epoch."""

    def __init__(self, loss: float) -> None:
        super().__init__()
        self.loss = loss

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training = logs["val_loss"] <= self.loss


def _plot_paths(
    report: Report,
    paths: dict[str, np.ndarray],
    rates: dict[str, np.ndarray],
    best: tuple[float, float],
) -> None:
    axes = report.axes(1, 2, size=(9, 4))
    if axes is None:
        return
    titles = ("batches of all, 20 and 1, at one rate", "rates, batches of all")
    for each, title, lines in zip(axes, titles, (paths, rates), strict=True):
        for name, path in reversed(lines.items()):  # the wildest below the others
            each.plot(
                *path[: SHOWN.get(name)].T, marker=".", markersize=4, linewidth=0.7, label=name
            )
        each.plot(
            *best,
            "*",
            color="gold",
            markersize=14,
            markeredgecolor="black",
            zorder=9,
            label="optimum",
        )
        each.set(title=title, xlabel="intercept", ylabel="slope")
        each.legend(fontsize="small")
    around = np.ptp(rates["well chosen"], axis=0) / 2
    middle = rates["well chosen"].min(axis=0) + around
    for axis, center, half in zip("xy", middle, 1.8 * around, strict=True):
        axes[1].set(**{f"{axis}lim": (center - half, center + half)})
    report.figure("paths", axes[0].figure)


if __name__ == "__main__":
    run(main)
