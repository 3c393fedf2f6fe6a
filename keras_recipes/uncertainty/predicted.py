"""What calibration takes: predictions of each kind, and the targets that fit them."""

from typing import Any

import numpy as np

from keras_recipes.array_checks import as_numbers
from keras_recipes.checks import check_instance
from keras_recipes.uncertainty.mc_prediction import MCPrediction

ROUNDING = 1e-3  # of the sum of a softmax, in half precision


def parts(prediction: Any, name: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Returns the mean, the deviation and the kind of a prediction.

    The kind is `"softmax"`, `"sigmoid"`, `"draws"` for a regression, or `"array"` for an array.

    Args:
        prediction: What `mc_predict` or `predict` returned for one output.
        name: What a message calls it.
    """
    kinds, expected = (MCPrediction, np.ndarray), "what mc_predict or predict returned"
    check_instance(name, prediction, kinds, expected, "Or pass an array.")
    if isinstance(prediction, np.ndarray):
        mean = prediction[:, None] if prediction.ndim == 1 else prediction
        std, kind = np.zeros(mean.shape), "array"
    else:
        mean, std, kind = prediction.mean, prediction.std, "draws"
        hint = "Of several outputs make an MCPrediction of one: MCPrediction(mean[0], std[0], ...)."
        check_instance(f"{name}.mean", mean, np.ndarray, "an array", hint)
        if prediction.entropy is not None:
            kind = "sigmoid" if np.ndim(prediction.entropy) == mean.ndim else "softmax"
    mean, std = as_numbers(mean, f"`{name}`"), as_numbers(std, f"`{name}.std`")
    if not mean.size:
        raise ValueError(
            f"`{name}` must have at least 1 example. Received: shape {mean.shape}. Predict some."
        )
    return mean, std, kind


def kind_of_probabilities(mean: np.ndarray, y: Any) -> str:
    """Returns `"softmax"` or `"sigmoid"`, by the shape of the targets and the sums of the rows.

    Args:
        mean: An array of probabilities, which is checked.
        y: The targets.
    """
    labels = np.shape(y) in (mean.shape[:-1], (*mean.shape[:-1], 1))
    add_up = (abs(mean.sum(axis=-1) - 1) <= ROUNDING).all()
    kind = "softmax" if mean.shape[-1] > 1 and (labels or add_up) else "sigmoid"
    if mean.min() < 0 or mean.max() > 1 or (kind == "softmax" and not add_up):
        raise ValueError(
            "`prediction` must be probabilities, after a softmax with a sum of 1, or have "
            f"`validation` beside it. Received: values from {mean.min():g} to {mean.max():g}. Apply "
            "the softmax to logits; to numbers of a regression fit the noise: "
            "validation=(predict(model, x_val), y_val)."
        )
    return kind


def as_targets(mean: np.ndarray, y: Any) -> np.ndarray:
    """Returns the targets, of the shape of the prediction."""
    y = as_numbers(y, "`y`")
    if y.ndim == mean.ndim - 1 and mean.shape[-1] == 1:
        y = y[..., None]
    if y.shape != mean.shape:
        raise ValueError(
            f"`y` must have the shape of the prediction, {mean.shape}. Received: shape {y.shape}."
        )
    return y


def as_labels(mean: np.ndarray, y: Any) -> np.ndarray:
    """Returns the targets as integer labels of classes, without the axis of the probabilities."""
    labels, expected = np.asarray(y), mean.shape[:-1]
    if labels.shape == (*expected, 1):
        labels = labels[..., 0]
    n_classes = mean.shape[-1]
    integers = labels.dtype.kind in "biu" or (
        labels.dtype.kind == "f" and (labels == np.floor(labels)).all()
    )
    if labels.shape != expected or not integers or not ((labels >= 0) & (labels < n_classes)).all():
        raise ValueError(
            f"`y` must be integer labels from 0 to {n_classes - 1}, of shape {expected}. Received: "
            f"{labels.dtype} of shape {labels.shape}. Undo a one-hot encoding by argmax."
        )
    return labels.astype(int)
