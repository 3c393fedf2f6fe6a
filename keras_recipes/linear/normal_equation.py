"""The weights of a linear regression in closed form, from one pass over the data."""

import warnings
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from keras_recipes.checks import check_number
from keras_recipes.linear.affine import Affine, read
from keras_recipes.linear.batches import batches
from keras_recipes.optimizers.following import innermost

# Share of a feature's variance that the others leave over, and rounding: of a feature that they give,
# in single precision too, up to 1e-14 was left, with 10 to 1,000 features.
DEPENDENT = 1e-13
ROUNDING = 1e-10  # of an entry of a direction that changes no prediction
CONSTANT = 1e-12  # deviation of a feature against its mean, and rounding


def solve_normal_equation(
    model: keras.Model, x: Any, y: Any = None, l2: float = 0.0, *, sample_weight: Any = None
) -> None:
    """Sets the weights of a linear regression to those of least loss, without gradient descent.

    X'X and X'y are summed in double precision, batch by batch, in one pass over the data: memory
    goes with the square of the number of features, not with that of examples. Arrays are checked
    as a whole before: that takes up to two thirds of their size once more. Both are taken about
    the means (Chan et al., 1979), which keeps their digits and leaves the bias out of the penalty.
    Then X'X is factorized (Cholesky). Where it is numerically singular, as with more features than
    examples or a feature of which the others leave over no more than rounding, a warning says so,
    and of the weights of least loss those of the smallest norm are set, which the pseudo-inverse
    gives, in the units of each feature. A `Normalization` layer in the model is kept: the weights,
    and the penalty, are those of the standardized inputs. Build with one (`adapt_to`) where some
    features are copies, others nearly so, and scales a million apart: there the single precision
    of the weights loses the prediction.

    Args:
        model: A linear regression, of `build_linear_regression` or like it: Normalization and
            Flatten if any, then one Dense layer without an activation. It need not be compiled.
        x: Inputs: an array, or a `tf.data.Dataset` or `PyDataset` that yields batches of (x, y)
            and comes to an end.
        y: Targets, where x is an array: (n,) or (n, outputs).
        l2: L2 penalty on the weights, >= 0, as `build_linear_regression` has it: that of
            `Ridge(alpha=n * k * l2)` for n examples and k outputs. The same as the model's own.
        sample_weight: A weight for each example, where x is an array.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the model is not linear or has another penalty, or the data do not fit it or
            are not finite.

    Example:
        >>> model = build_linear_regression(8, adapt_to=x_train)
        >>> solve_normal_equation(model, x_train, y_train)

    Reference: Geron, *Hands-On Machine Learning*, 2nd ed. (2019), chapter 4; Chan, Golub & LeVeque
    (1979), Updating formulae and a pairwise algorithm for computing sample variances.
    """
    l2 = check_number("l2", l2, "[0, inf)", "For no penalty pass 0.")
    parts = read(model, "linear")
    _check_penalty(model, parts, l2)
    n_outputs = parts.dense.units
    data = batches(model, n_outputs, x, y, sample_weight)
    moments = Moments.of(parts, data)
    gram, moment = moments.about_means() if parts.dense.use_bias else moments.about_zero()
    ridge = l2 * moments.examples * n_outputs
    kernel, rank = solve(gram + ridge * np.eye(len(gram)), moment)
    if rank < len(gram):
        warnings.warn(
            f"X'X is numerically singular: the {len(gram)} features have rank {rank} in {moments.examples} "
            "examples. The weights were set to those of the smallest norm, by the pseudo-inverse. "
            "For weights that are unique pass l2=1e-6, say, or leave out features that others give.",
            stacklevel=2,
        )
    parts.dense.kernel.assign(kernel)
    if parts.dense.use_bias:
        inputs, targets = np.split(moments.mean, [len(gram)])
        parts.dense.bias.assign(targets - inputs @ kernel)


class Moments:
    """Weighted means of features and targets, and sums of their products about the means.

    Args:
        n_features: Number of features.
        n_outputs: Number of targets.
    """

    def __init__(self, n_features: int, n_outputs: int) -> None:
        size = n_features + n_outputs
        self.n_features = n_features
        self.examples = 0
        self.weight = 0.0
        self.mean = np.zeros(size)
        self.products = np.zeros((size, size))

    @classmethod
    def of(cls, parts: Affine, data: Iterable[Any]) -> "Moments":
        """Returns those of data in batches."""
        moments = cls(*parts.dense.kernel.shape)
        for x, y, weight in data:
            moments.add(np.hstack([parts.features(x), y]), weight)
        if not moments.weight:
            raise ValueError(
                "`x` must hold examples whose weights are not all 0. Received: "
                f"{moments.examples} examples of weight 0. Pass the training data."
            )
        return moments

    def add(self, rows: np.ndarray, weight: np.ndarray) -> None:
        """Adds examples, features and targets side by side, each with its weight."""
        self.examples += len(rows)
        added = weight.sum()
        if not added:
            return
        mean = weight @ rows / added
        centred = rows - mean
        apart, total = mean - self.mean, self.weight + added
        self.products += (weight[:, np.newaxis] * centred).T @ centred
        self.products += np.outer(apart, apart) * (self.weight * added / total)
        self.mean += apart * (added / total)
        self.weight = total

    def about_means(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns X'X and X'y of features and targets without their means."""
        products = self.products.copy()
        deviation = np.sqrt(np.diag(products) / self.weight)
        constant = deviation <= CONSTANT * np.abs(self.mean)  # all that is left is rounding
        products[constant] = products[:, constant] = 0
        return self._split(products)

    def about_zero(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns X'X and X'y."""
        return self._split(self.products + self.weight * np.outer(self.mean, self.mean))

    def _split(self, products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features = products[: self.n_features]
        return features[:, : self.n_features], features[:, self.n_features :]


def solve(gram: np.ndarray, moment: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns the W of smallest norm with `gram @ W = moment`, and the rank of `gram`.

    Args:
        gram: Symmetric and positive semidefinite.
        moment: What it is to give, in its range.
    """
    scale = np.sqrt(np.diag(gram))
    scale[scale == 0] = 1.0
    correlation, target = gram / np.outer(scale, scale), moment / scale[:, np.newaxis]
    factor = _factorize(correlation)
    if factor is None:
        return _smallest(correlation, target, scale)
    # NumPy has no triangular solver; its own costs less than X'X did, of more examples than features.
    solution = np.linalg.solve(factor.T, np.linalg.solve(factor, target))
    return solution / scale[:, np.newaxis], len(gram)


def _factorize(correlation: np.ndarray) -> np.ndarray | None:
    """The Cholesky factor; None where a feature is a combination of those before it."""
    try:
        factor = np.linalg.cholesky(correlation)
    except np.linalg.LinAlgError:
        return None
    # The square of a diagonal element is the share of variance that the features before leave over.
    return factor if np.diag(factor).min() ** 2 > DEPENDENT else None


def _smallest(
    correlation: np.ndarray, target: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, int]:
    values, vectors = np.linalg.eigh(correlation)
    kept = values > DEPENDENT * max(values[-1], 1e-300)
    solution = vectors[:, kept] @ (vectors[:, kept].T @ target / values[kept, np.newaxis])
    solution /= scale[:, np.newaxis]
    # The smallest in the features' own units: without its part along what changes no prediction.
    free = np.where(np.abs(vectors) < ROUNDING, 0, vectors)[:, ~kept]  # a small scale magnifies it
    free, _ = np.linalg.qr(free / scale[:, np.newaxis])
    return solution - free @ (free.T @ solution), int(kept.sum())


def _check_penalty(model: keras.Model, parts: Affine, l2: float) -> None:
    regularizer = parts.dense.kernel_regularizer
    optimizer = innermost(model.optimizer) if model.compiled else None
    l1 = float(getattr(regularizer, "l1", 0)) or float(getattr(optimizer, "l1", 0))
    if l1:
        raise ValueError(
            f"`model` must have no L1 penalty, for which there is no closed form. Received: l1={l1}. "
            "Train it with fit, or build it with l1=0."
        )
    own = float(getattr(regularizer, "l2", 0))
    if own and not np.isclose(own, l2):
        raise ValueError(
            f"`l2` must be that of the model, {own:.6g}. Received: l2={l2}. Pass l2={own:.6g}, or "
            "build the model with l2=0."
        )
