"""Ridge, lasso, elastic net and logistic regression beside scikit-learn's, at the same penalties."""

from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    lasso_path,
)
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import keras_recipes as kr
from recipes.command import report_parser, run
from recipes.report import Report

EPOCHS, QUICK_EPOCHS = 1000, 300
RATES = {"regression": 0.1, "classification": 0.5}
L1, L2 = 4.0, 0.1
LOGISTIC_L2 = 1e-3
PATH, QUICK_PATH = np.geomspace(1, 100, 13), np.geomspace(5, 50, 2)
HEADER = ["", "test", "scikit-learn", "zeros", "difference"]


def main() -> None:
    arguments = report_parser(__doc__).parse_args()
    report = Report("linear_models", arguments)
    epochs = QUICK_EPOCHS if arguments.quick else EPOCHS
    data = load_diabetes()
    x, x_test, y, y_test = _split(data, arguments.seed)
    rows = [
        _row(name, _regression(l1, l2, epochs, x, y), reference.fit(x, y), x_test, y_test)
        for name, l1, l2, reference in _regressions(len(x))
    ]
    report.table(f"Regression, R² on diabetes; {epochs} epochs of batch gradient descent",
                 HEADER, rows)  # fmt: skip
    rows = [
        _classification(name, load(), epochs, arguments.seed)
        for name, load in (("breast_cancer", load_breast_cancer), ("iris", load_iris))
    ]
    report.table("Logistic regression, accuracy", HEADER, rows)
    strengths = QUICK_PATH if arguments.quick else PATH
    path = [_weights(_regression(l1, 0.0, epochs, x, y))[:, 0] for l1 in strengths]
    _plot(report, x, y, data.feature_names, strengths, np.array(path))
    report.close()


def _split(data: Any, seed: int) -> list[np.ndarray]:
    x, x_test, y, y_test = train_test_split(data.data, data.target, random_state=seed)
    scaler = StandardScaler().fit(x)
    return [scaler.transform(x), scaler.transform(x_test), y, y_test]


def _regressions(n: int) -> list[tuple[str, float, float, Any]]:
    """Names, penalties, and scikit-learn's estimators of the same by the docstring's conversion."""
    mixed = ElasticNet(alpha=L1 / 2 + L2, l1_ratio=L1 / (L1 + 2 * L2), tol=1e-8)
    return [
        ("least squares", 0.0, 0.0, LinearRegression()),
        (f"ridge, l2 = {L2:g}", 0.0, L2, Ridge(alpha=n * L2)),
        (f"lasso, l1 = {L1:g}", L1, 0.0, Lasso(alpha=L1 / 2, tol=1e-8)),
        ("elastic net of both", L1, L2, mixed),
    ]


def _regression(l1: float, l2: float, epochs: int, x: np.ndarray, y: np.ndarray) -> keras.Model:
    rate = RATES["regression"]
    model = kr.build_linear_regression(x.shape[1], l1=l1, l2=l2, learning_rate=rate)
    return _trained(model, x, y, epochs)


def _classification(name: str, data: Any, epochs: int, seed: int) -> list[str]:
    x, x_test, y, y_test = _split(data, seed)
    model = kr.build_logistic_regression(
        x.shape[1], len(data.target_names), l2=LOGISTIC_L2, learning_rate=RATES["classification"]
    )
    _trained(model, x, y, 2 * epochs)
    reference = LogisticRegression(C=1 / (2 * len(x) * LOGISTIC_L2), max_iter=10_000).fit(x, y)
    return _row(f"{name}, l2 = {LOGISTIC_L2:g}", model, reference, x_test, y_test)


def _trained(model: keras.Model, x: np.ndarray, y: np.ndarray, epochs: int) -> keras.Model:
    """To the optimum: every step sees all examples, at one rate."""
    kr.fit(model, x, y, batch_size=len(x), epochs=epochs, schedule=None, verbose=0)
    return model


def _weights(model: keras.Model) -> np.ndarray:
    return model.get_layer("output").get_weights()[0]


def _row(name: str, model: keras.Model, reference: Any, x: np.ndarray, y: np.ndarray) -> list[str]:
    weights, theirs = _weights(model).T, np.atleast_2d(reference.coef_)
    return [
        name, f"{_score(model, x, y):.4f}", f"{reference.score(x, y):.4f}",
        f"{(weights == 0).sum()} and {(theirs == 0).sum()}",
        f"{np.abs(weights - theirs).max() / np.abs(theirs).max():.0e}",
    ]  # fmt: skip


def _score(model: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    if model.name == "linear_regression":
        return r2_score(y, kr.predict(model, x))
    return kr.evaluate(model, x, y)["accuracy"]


def _plot(
    report: Report, x: np.ndarray, y: np.ndarray, names: list[str], strengths: np.ndarray,
    path: np.ndarray,
) -> None:  # fmt: skip
    axes = report.axes(size=(7, 4))
    if axes is None:
        return
    alphas, theirs, _ = lasso_path(x, y - y.mean(), alphas=np.geomspace(0.25, 60, 100))
    for index, name in enumerate(names):
        axes.plot(2 * alphas, theirs[index], color=f"C{index}", linewidth=0.8)
        axes.plot(strengths, path[:, index], "o", color=f"C{index}", markersize=4, label=name)
    axes.set(xscale="log", xlabel="l1", ylabel="weight", title="points: fit, lines: lasso_path")
    axes.figure.legend(loc="outside right upper")
    report.figure("lasso_path", axes.figure)


if __name__ == "__main__":
    run(main)
