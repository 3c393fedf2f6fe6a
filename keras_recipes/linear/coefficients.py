"""The coefficients of a linear model by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_recipes.checks import check_instance, check_sequence
from keras_recipes.linear.affine import read


@dataclass(frozen=True, eq=False)
class CoefficientTable:
    """The coefficients of a linear model; `print` shows them as a table.

    Args:
        feature_names: The name of each feature.
        output_names: The name of each output.
        coefficients: (features, outputs): what a prediction, or its log-odds, gains for one unit
            more of a feature as the model takes it. A CSV's columns and a regression's targets are
            scaled by `load_dataset`: there a unit of either is about a standard deviation.
        standardized: The same for one standard deviation more, as the model's `Normalization` layer
            has it: what the penalties act on, and what compares features. As `coefficients` where
            the model has no such layer.
        intercepts: What a prediction, or its log-odds, is where all features are 0.
        odds_ratios: (features, 1): by what the odds of class 1 are multiplied for one unit more of
            a feature, for a binary logistic regression; else None.
    """

    feature_names: tuple[str, ...]
    output_names: tuple[str, ...]
    coefficients: np.ndarray
    standardized: np.ndarray
    intercepts: np.ndarray
    odds_ratios: np.ndarray | None

    @property
    def selected(self) -> tuple[str, ...]:
        """The features with a coefficient other than 0 for some output: what the lasso keeps."""
        kept = (self.coefficients != 0).any(axis=1)
        return tuple(name for name, keep in zip(self.feature_names, kept, strict=True) if keep)

    def __str__(self) -> str:
        several = len(self.output_names) > 1
        columns = self._columns()
        heads = [f"{name}: {head}" if several else head for name, head, _, _ in columns]
        body = [[_number(values[row]) for *_, values in columns] for row in range(len(self))]
        last = [_number(intercept) for _, _, intercept, _ in columns]
        rows = [["feature", *heads]]
        rows += [[name, *cells] for name, cells in zip(self.feature_names, body, strict=True)]
        return _aligned([*rows, ["(intercept)", *last]])

    def __len__(self) -> int:
        return len(self.feature_names)

    def _columns(self) -> list[tuple[str, str, Any, np.ndarray]]:
        """Of the printed table: output, head, intercept, values."""
        columns: list[tuple[str, str, Any, np.ndarray]] = []
        for index, name in enumerate(self.output_names):
            values = self.coefficients[:, index]
            columns.append((name, "coefficient", self.intercepts[index], values))
            if (self.standardized != self.coefficients).any():
                columns.append((name, "per deviation", None, self.standardized[:, index]))
            if self.odds_ratios is not None:
                columns.append((name, "odds ratio", None, self.odds_ratios[:, index]))
        return columns


def coefficient_table(
    model: keras.Model,
    feature_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> CoefficientTable:
    """Returns the coefficients of a linear or logistic regression, each feature by its name.

    Args:
        model: A model of `build_linear_regression` or `build_logistic_regression`, or like it.
        feature_names: A name for each feature, as `load_dataset(...).input_names` has them; None
            for x0, x1, ...
        output_names: A name for each output: the targets, or the classes; None for y0, y1, ... For a
            binary logistic regression one, that of class 1.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the model is not linear, or there are more or fewer names than it has
            features or outputs.

    Example:
        >>> print(coefficient_table(model, data.input_names))
    """
    parts = read(model, "linear", "sigmoid", "softmax")
    coefficients, intercepts = parts.in_units_of_inputs()
    n_features, n_outputs = coefficients.shape
    return CoefficientTable(
        feature_names=_names("feature_names", feature_names, n_features, "x"),
        output_names=_names("output_names", output_names, n_outputs, "y"),
        coefficients=coefficients,
        standardized=parts.kernel if parts.standardizes else coefficients,
        intercepts=intercepts,
        odds_ratios=_odds_ratios(parts.dense.activation.__name__, coefficients),
    )


def _odds_ratios(activation: str, coefficients: np.ndarray) -> np.ndarray | None:
    with np.errstate(over="ignore"):
        return np.exp(coefficients) if activation == "sigmoid" else None


def _names(argument: str, names: Any, count: int, letter: str) -> tuple[str, ...]:
    if names is None:
        return tuple(f"{letter}{index}" for index in range(count))
    listed = check_sequence(argument, names, "a sequence of names")
    for name in listed:
        check_instance(argument, name, str, "a sequence of names")
    if len(listed) != count:
        raise ValueError(
            f"`{argument}` must have {count} names. Received: {len(listed)}. Pass one for each, in "
            "their order."
        )
    return tuple(map(str, listed))


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.5g}"


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
