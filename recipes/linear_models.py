"""Ridge, lasso, elastic net and logistic regression beside scikit-learn's, at the same penalties."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    lasso_path,
)
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

import keras_recipes as kr
from keras_recipes.datasets import Dataset
from recipes.command import add_data_flags, count, report_parser, run
from recipes.report import Report

DATA = ("diabetes", "breast_cancer", "wine")
EPOCHS, QUICK_EPOCHS = 1000, 300
RATES = {"regression": 0.5, "classes": 4.0}  # by the largest variance in any direction
L1, L2 = 0.05, 0.1  # of the standardized target
LOGISTIC_L2 = 1e-3
PATH, QUICK_PATH = np.geomspace(0.01, 1, 13), np.geomspace(0.1, 0.5, 2)


def main() -> None:
    parser = report_parser(__doc__)
    add_data_flags(parser)
    parser.set_defaults(data=None)  # of each kind a bundled one
    parser.add_argument("--epochs", type=count, default=EPOCHS, metavar="N", help="steps of each")
    arguments = parser.parse_args()
    report = Report("linear_models", arguments)
    epochs = min(arguments.epochs, QUICK_EPOCHS) if arguments.quick else arguments.epochs
    for name in [arguments.data] if arguments.data else DATA:
        data = kr.load_dataset(name, arguments.target, task=arguments.task, seed=arguments.seed)
        models = Models(data, epochs)
        regression = data.task == "regression"
        measure = "R²" if regression else "accuracy"
        title = (
            f"{data.name}, {data.task}: {measure} after {epochs} epochs of batch gradient descent"
        )
        header = ["", "test", "scikit-learn", "zeros", "difference"]
        report.table(title, header, models.regressions() if regression else models.logistic())
        if regression:
            _plot(report, models, QUICK_PATH if arguments.quick else PATH)
    report.close()


class Models:
    """Linear models of some data, each beside scikit-learn's.

    Args:
        data: Of one target; the features are standardized.
        epochs: Steps to the optimum: every one sees all examples, at one rate.

    Raises:
        ValueError: If there are several targets.
    """

    def __init__(self, data: Dataset, epochs: int) -> None:
        if data.y_train.ndim > 1:
            raise ValueError(
                f"`--data` must have one target. Received: {data.name}, {data.task} with "
                f"{data.n_outputs}. Name one by --target."
            )
        flat = [x.reshape(len(x), -1).astype("float64") for x in (data.x_train, data.x_test)]
        scaler = StandardScaler().fit(flat[0])
        self.x, self.x_test = map(scaler.transform, flat)
        self.data, self.epochs = data, epochs
        self.variance = np.linalg.eigvalsh(self.x.T @ self.x / len(self.x))[-1]

    def regressions(self) -> Iterator[list[str]]:
        """Yields a row of each: the penalties, converted as the docstring of the builder has it."""
        mixed = ElasticNet(alpha=L1 / 2 + L2, l1_ratio=L1 / (L1 + 2 * L2), tol=1e-8)
        for name, l1, l2, reference in (
            ("least squares", 0.0, 0.0, LinearRegression()),
            (f"ridge, l2 = {L2:g}", 0.0, L2, Ridge(alpha=len(self.x) * L2)),
            (f"lasso, l1 = {L1:g}", L1, 0.0, Lasso(alpha=L1 / 2, tol=1e-8)),
            ("elastic net of both", L1, L2, mixed),
        ):
            yield self._row(name, self.regression(l1, l2), reference)

    def regression(self, l1: float, l2: float) -> keras.Model:
        """Returns a linear regression with these penalties."""
        rate = RATES["regression"] / self.variance
        model = kr.build_linear_regression(self.x.shape[1], l1=l1, l2=l2, learning_rate=rate)
        return self._trained(model)

    def logistic(self) -> Iterator[list[str]]:
        """Yields a row of logistic regression."""
        model = kr.build_logistic_regression(
            self.x.shape[1],
            len(self.data.class_names),
            l2=LOGISTIC_L2,
            learning_rate=RATES["classes"] / self.variance,
        )
        reference = LogisticRegression(C=1 / (2 * len(self.x) * LOGISTIC_L2), max_iter=10_000)
        name = f"logistic, l2 = {LOGISTIC_L2:g}"
        yield self._row(name, self._trained(model), reference)

    def _trained(self, model: keras.Model) -> keras.Model:
        y = self.data.y_train
        kr.fit(model, self.x, y, batch_size=len(y), epochs=self.epochs, schedule=None, verbose=0)
        return model

    def _row(self, name: str, model: keras.Model, reference: Any) -> list[str]:
        reference.fit(self.x, self.data.y_train)
        ours, theirs = weights(model).T, np.atleast_2d(reference.coef_)
        return [
            name,
            f"{self._score(model):.4f}",
            f"{reference.score(self.x_test, self.data.y_test):.4f}",
            f"{(ours == 0).sum()} and {(theirs == 0).sum()}",
            f"{np.abs(ours - theirs).max() / np.abs(theirs).max():.0e}",
        ]

    def _score(self, model: keras.Model) -> float:
        if self.data.task == "regression":
            return r2_score(self.data.y_test, kr.predict(model, self.x_test))
        return kr.evaluate(model, self.x_test, self.data.y_test)["accuracy"]


def weights(model: keras.Model) -> np.ndarray:
    """Returns the weights of a linear model, (features, outputs)."""
    return model.get_layer("output").get_weights()[0]


def _plot(report: Report, models: Models, strengths: np.ndarray) -> None:
    axes = report.axes(size=(7, 4))
    if axes is None:
        return
    path = [weights(models.regression(l1, 0.0))[:, 0] for l1 in strengths]
    alphas = np.geomspace(strengths[0], strengths[-1], 100) / 2
    _, theirs, _ = lasso_path(models.x, models.data.y_train, alphas=alphas)
    names = models.data.input_names or [None] * len(theirs)  # images have none
    for index in range(len(theirs)):
        axes.plot(2 * alphas[::-1], theirs[index], color=f"C{index}", linewidth=0.8)
        ours = [each[index] for each in path]
        axes.plot(strengths, ours, "o", color=f"C{index}", markersize=4, label=names[index])
    axes.set(xscale="log", xlabel="l1", ylabel="weight", title="points: fit, lines: lasso_path")
    if models.data.input_names:
        axes.figure.legend(loc="outside right upper")
    report.figure("lasso_path", axes.figure)


if __name__ == "__main__":
    run(main)
