"""What a search has to be better than: a linear model, and boosted trees."""

from collections.abc import Iterator

import numpy as np

from keras_recipes.datasets import Dataset
from tuner.study import together


def baseline_scores(data: Dataset) -> Iterator[tuple[str, str]]:
    """Yields the name of each baseline, and its accuracy, or RMSE in the target's units, on the test.

    They train on the training and the validation rows.

    Args:
        data: One target or class a row.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = together(data)
    x, x_test = _flat(x), _flat(data.x_test)
    several = y.ndim > 1
    if data.task == "regression":
        boosting, wrap = HistGradientBoostingRegressor(random_state=0), MultiOutputRegressor
        linear = LinearRegression()
    else:
        boosting, wrap = HistGradientBoostingClassifier(random_state=0), MultiOutputClassifier
        linear = LogisticRegression(max_iter=1000)
        linear = MultiOutputClassifier(linear) if several else linear
    models = {
        "a linear model": make_pipeline(StandardScaler(), linear),
        "HistGradientBoosting": wrap(boosting) if several else boosting,
    }
    for name, model in models.items():
        predicted = model.fit(x, y).predict(x_test)
        if data.task == "regression":
            errors = np.sqrt(np.mean((predicted - data.y_test) ** 2, axis=0)) * data.target_scale
            yield name, ", ".join(f"{error:.5g}" for error in np.atleast_1d(errors))
        else:
            yield name, f"{np.mean(predicted == data.y_test):.4f}"


def _flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1)
