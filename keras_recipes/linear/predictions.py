"""What a logistic regression says of each class: probabilities, odds and their logarithms."""

from typing import Any

import keras
import numpy as np

from keras_recipes.arrays import as_inputs
from keras_recipes.linear.affine import read
from keras_recipes.linear.batches import ROWS


def predict_probabilities(model: keras.Model, x: Any) -> np.ndarray:
    """Returns the probability of each class, a column for each, also where there are two.

    Those of `model.predict` in double precision: for two classes that has the column of class 1.

    Args:
        model: A logistic regression, of `build_logistic_regression` or like it.
        x: Inputs, an array.

    Returns:
        An array of shape (n, classes) whose rows sum to 1.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the model is not a logistic regression, or the inputs do not fit it.

    Example:
        >>> predict_probabilities(model, x_test)[:, 1]
    """
    return np.exp(_log_probabilities(_logits(model, x)))


def predict_log_odds(model: keras.Model, x: Any) -> np.ndarray:
    """Returns the log-odds of each class against all others: log(p / (1 - p)).

    They keep their digits where p is so near to 0 or 1 that the probability has none left. For two
    classes column 1 is the linear predictor itself, scikit-learn's `decision_function`, and column
    0 its negative.

    Args:
        model: A logistic regression, of `build_logistic_regression` or like it.
        x: Inputs, an array.

    Returns:
        An array of shape (n, classes).

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the model is not a logistic regression, or the inputs do not fit it.

    Example:
        >>> predict_log_odds(model, x_test)[:, 1] > 0  # where class 1 is the likelier
    """
    logits = _logits(model, x)
    chosen = _log_probabilities(logits)
    with np.errstate(divide="ignore"):  # the top one, which is replaced
        rest = np.log1p(-np.exp(chosen))
    # 1 - p has no digits left for the likeliest class: the others are summed.
    rows, top = np.arange(len(logits)), logits.argmax(axis=1)
    others = logits.copy()
    others[rows, top] = -np.inf
    rest[rows, top] = (_log_sum(others) - _log_sum(logits))[:, 0]
    return chosen - rest


def predict_odds(model: keras.Model, x: Any) -> np.ndarray:
    """Returns the odds of each class against all others: p / (1 - p).

    Args:
        model: A logistic regression, of `build_logistic_regression` or like it.
        x: Inputs, an array.

    Returns:
        An array of shape (n, classes), infinite where the log-odds pass 709.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the model is not a logistic regression, or the inputs do not fit it.

    Example:
        >>> predict_odds(model, x_test)[:, 1]  # 3.0: three to one for class 1
    """
    with np.errstate(over="ignore"):
        return np.exp(predict_log_odds(model, x))


def _logits(model: keras.Model, x: Any) -> np.ndarray:
    """One column a class, of which two classes have 0 and the linear predictor."""
    parts = read(model, "sigmoid", "softmax")
    as_inputs(model, x)
    x = np.asarray(x)
    found = [parts.outputs(x[row : row + ROWS]) for row in range(0, len(x), ROWS)]
    logits = np.concatenate([np.empty((0, parts.dense.units)), *found])
    return logits if parts.dense.units > 1 else np.hstack([np.zeros_like(logits), logits])


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    return logits - _log_sum(logits)


def _log_sum(logits: np.ndarray) -> np.ndarray:
    """log(sum(exp)) over the columns, kept."""
    largest = logits.max(axis=1, keepdims=True)
    return largest + np.log(np.exp(logits - largest).sum(axis=1, keepdims=True))
