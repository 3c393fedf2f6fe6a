"""Batch, stochastic and mini-batch gradient descent on a line, and the normal equation beside them."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from sklearn.linear_model import LinearRegression

import keras_recipes as kr
from recipes.command import report_parser, run
from recipes.report import Report

EXAMPLES, NOISE = 100, 1.0
BATCHES = {"batch": EXAMPLES, "mini-batch": 20, "stochastic": 1}
SHARES = {"too low": 0.01, "well chosen": 0.25, "too high": 1.05}  # of the rate where steps blow up
EPOCHS = 20
ROWS, FEATURES, QUICK_FEATURES = 4000, (10, 100, 1000, 2000), (10,)


def main() -> None:
    arguments = report_parser(__doc__).parse_args()
    report = Report("gradient_descent", arguments)
    rng = np.random.default_rng(arguments.seed)
    x = rng.uniform(0, 2, (EXAMPLES, 1)).astype("float32")
    y = (4 + 3 * x + NOISE * rng.normal(size=x.shape)).astype("float32")
    best = _solved(x, y)
    limit = largest_rate(x)
    paths = {name: descend(x, y, SHARES["well chosen"] * limit, size)
             for name, size in BATCHES.items()}  # fmt: skip
    rates = {name: descend(x, y, share * limit, EXAMPLES) for name, share in SHARES.items()}
    header = ["", "batch", "rate", "steps", "intercept", "slope", "from the optimum"]
    rows = [_row(name, BATCHES[name], SHARES["well chosen"] * limit, path, best)
            for name, path in paths.items()]  # fmt: skip
    report.table(f"{EPOCHS} epochs on {EXAMPLES} examples of y = 4 + 3x + noise", header, [
        *rows, ["normal equation", EXAMPLES, "", 1, *(f"{each:.4f}" for each in best), "0"],
    ])  # fmt: skip
    rows = [_row(name, EXAMPLES, SHARES[name] * limit, path, best) for name, path in rates.items()]
    report.table(f"Batch gradient descent; above {limit:.3f} it diverges", header, rows)
    _plot(report, paths, rates, best)
    features = QUICK_FEATURES if arguments.quick else FEATURES
    header = ["features", "normal equation, s", "RMSE", "gradient descent, s", "RMSE",
              "LinearRegression, s", "RMSE"]  # fmt: skip
    rows = [_timed(count, arguments.seed) for count in features]
    report.table(f"Time by number of features, {ROWS} examples", header, rows)
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


def _timed(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, count)).astype("float32")
    y = (x @ rng.normal(size=(count, 1)) + rng.normal(size=(ROWS, 1))).astype("float32")

    def solve() -> Callable[[np.ndarray], np.ndarray]:
        model = kr.build_linear_regression(count)
        kr.solve_normal_equation(model, x, y)
        return lambda inputs: kr.predict(model, inputs)

    def train() -> Callable[[np.ndarray], np.ndarray]:
        model = kr.build_linear_regression(count)
        rate = 0.5 / (count + 32)  # the curvature of a batch of 32 goes with its features
        kr.fit(model, x, y, epochs=EPOCHS, max_learning_rate=rate, seed=seed, verbose=0)
        return lambda inputs: kr.predict(model, inputs)

    def scikit_learn() -> Callable[[np.ndarray], np.ndarray]:
        return LinearRegression().fit(x, y).predict

    cells = [str(count)]
    for fit in (solve, train, scikit_learn):
        start = time.perf_counter()
        predict = fit()
        seconds = time.perf_counter() - start
        cells += [f"{seconds:.2f}", f"{np.sqrt(np.mean((predict(x) - y) ** 2)):.3f}"]
    return cells


def _plot(
    report: Report,
    paths: dict[str, np.ndarray],
    rates: dict[str, np.ndarray],
    best: tuple[float, float],
) -> None:
    axes = report.axes(1, 2, size=(9, 4))
    if axes is None:
        return
    panels = ((reversed(paths.items()), 300), (rates.items(), 8))  # the first steps of each
    for each, (lines, shown) in zip(axes, panels, strict=True):
        for name, path in lines:
            each.plot(*path[:shown].T, marker=".", markersize=3, linewidth=0.8, label=name)
        each.plot(*best, "k*", markersize=12, label="optimum")
        each.set(xlabel="intercept", ylabel="slope")
        each.legend(fontsize="small")
    axes[0].set(title="batches of all, 20 and 1")
    axes[1].set(title="rates, batches of all")
    report.figure("paths", axes[0].figure)


if __name__ == "__main__":
    run(main)
