"""The builders as scikit-learn estimators: what `keras.wrappers` calls with the data to fit.

The builders themselves are no models for the wrappers, which call theirs with `X` and `y`. Keras's
wrapper of a classifier has no `predict_proba`: `decision_function` gives the probabilities, a column
for each class, of two classes too. So scikit-learn's scorers `"roc_auc"`, `"roc_auc_ovr"` and
`"neg_log_loss"` fail; a function does it, such as
`scoring=lambda network, x, y: roc_auc_score(y, network.decision_function(x)[:, 1])` of two classes,
and `log_loss(y, network.decision_function(x))` of any number. `sklearn.base.clone`, and with it
cross-validation and `TransformedTargetRegressor`, loses its `fit_kwargs`: pass them to `fit`, or as
`params=`. To search keywords of the builder give `GridSearchCV` whole dictionaries:
`{"model_kwargs": [{"l2": 0.1}, {"l2": 0.01}]}`.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_recipes.checks import check_choice
from keras_recipes.cnn import build_cnn
from keras_recipes.linear import build_linear_regression, build_logistic_regression
from keras_recipes.models import build_default_dnn, build_self_normalizing_dnn

__all__ = ["classifier_for", "regressor_for"]


def _build_linear(n_features: int, n_outputs: int, task: str, **keywords: Any) -> keras.Model:
    if task == "regression":
        return build_linear_regression(n_features, n_outputs, **keywords)
    model = build_logistic_regression(n_features, n_outputs, **keywords)
    if n_outputs > 2:
        return model
    one = model.output  # the wrapper takes a probability for each class
    both = keras.Model(model.input, keras.ops.concatenate([1 - one, one], -1), name=model.name)
    both.compile(model.optimizer)
    return both


BUILDERS: dict[str, Callable[..., keras.Model]] = {
    "default": build_default_dnn,
    "self-normalizing": build_self_normalizing_dnn,
    "linear": _build_linear,
    "cnn": build_cnn,
}


def classifier_for(
    X: np.ndarray, y: np.ndarray, *, setup: str = "default", **keywords: Any
) -> keras.Model:
    """Builds the classifier for data: what `keras.wrappers.SKLearnClassifier` takes as its model.

    The wrapper passes the data when it is fitted. Inputs are standardized in the model, by the data
    that it is fitted on. It is a plain function, so that the estimator can be copied and pickled.

    Args:
        X: Inputs, (n, features).
        y: Targets as the wrapper encodes them, a column of 0 and 1 for each class.
        setup: Whose builder makes the model: `"default"`, `"self-normalizing"`, `"linear"` for
            logistic regression, or `"cnn"` for square images of one channel, a row each.
        **keywords: Any keyword of that builder, by the wrapper's `model_kwargs`.

    Returns:
        A compiled model with a probability for each class.

    Raises:
        ValueError: If `setup` is unknown.

    Example:
        >>> from keras.wrappers import SKLearnClassifier
        >>> network = SKLearnClassifier(classifier_for, model_kwargs={"optimizer": "nadam"})
        >>> network.fit(x_train, labels, epochs=20)  # doctest: +SKIP
    """
    model = _build(X, y.shape[1], "multiclass", setup, keywords)
    metrics = keywords.get("metrics") or ["accuracy"]
    model.compile(model.optimizer, "categorical_crossentropy", metrics=metrics)
    return model


def regressor_for(
    X: np.ndarray, y: np.ndarray, *, setup: str = "default", **keywords: Any
) -> keras.Model:
    """Builds the regressor for data: what `keras.wrappers.SKLearnRegressor` takes as its model.

    Put `sklearn.compose.TransformedTargetRegressor` around the wrapper where the targets are not
    about standardized, and pass the epochs to its `fit`: it trains a copy without `fit_kwargs`.

    Args:
        X: Inputs, (n, features).
        y: Targets, (n, 1): Keras's wrapper takes one.
        setup: Whose builder makes the model: `"default"`, `"self-normalizing"`, `"linear"` or
            `"cnn"`, as in `classifier_for`.
        **keywords: Any keyword of that builder, by the wrapper's `model_kwargs`.

    Returns:
        A compiled model.

    Raises:
        ValueError: If `setup` is unknown.

    Example:
        >>> from keras.wrappers import SKLearnRegressor
        >>> network = SKLearnRegressor(regressor_for)
        >>> network.fit(x_train, y_train, epochs=20)  # doctest: +SKIP
    """
    return _build(X, y.shape[1], "regression", setup, keywords)


def _build(
    X: np.ndarray, n_outputs: int, task: str, setup: str, keywords: dict[str, Any]
) -> keras.Model:
    build = BUILDERS[check_choice("setup", setup, BUILDERS)]
    return build(X.shape[1], n_outputs, task, **{"adapt_to": X, **keywords})
