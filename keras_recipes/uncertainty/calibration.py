"""Whether the uncertainty of predictions is right: scores, coverage and a reliability diagram."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_recipes.checks import check_instance
from keras_recipes.extras import import_extra
from keras_recipes.uncertainty.mc_prediction import MCPrediction
from keras_recipes.uncertainty.predicted import as_labels, as_targets, kind_of_probabilities, parts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 15  # of confidence, as Guo et al. have them
LEVELS = (0.5, 0.9, 0.95)
CURVE = np.linspace(0.05, 0.95, 19)  # levels of the diagram of a regression
LEAST = np.finfo(np.float32).eps / 2  # 1 - p of a float32, where it is not 0
GRID = np.append(0, np.geomspace(1e-12, 1, 61))  # of variances, the largest square being 1
HALVINGS = 100  # of an interval of variances: down to the last bit


@dataclass(frozen=True)
class Calibration:
    """How well predicted probabilities, or intervals, agree with what happened.

    Args:
        predicted: What was predicted, shape (points,): the mean confidence of the examples in a bin,
            or the level of an interval.
        observed: What happened, shape (points,): after a softmax the share of them that were right,
            after sigmoids the share of ones, or the share of targets in the interval. A calibrated
            prediction has the same as in `predicted`.
        counts: Number of examples at each point, shape (points,); after sigmoids of examples times
            labels.
        expected_calibration_error: Mean distance of `observed` from `predicted`, weighted by
            `counts`; of classes, else None.
        brier_score: Mean squared distance of the probabilities from what happened, in a softmax
            summed over the classes; of classes, else None. Lower is better.
        log_loss: Mean negative log probability of what happened, in nats; of classes, else None.
            After sigmoids a probability counts as 6e-8 at least: a float32 has no 1 - p below it.
        log_likelihood: Mean log density of the targets, in nats; of a regression, else None.
        coverage: Share of the targets in the central intervals of 50%, 90% and 95%, by level; of a
            regression, else None.
        noise_std: Standard deviation of the noise that was added to the model's own, in units of
            the target, of the shape of one example's targets, such as (n_outputs,); without
            `validation` 0, of shape (1,). Of a regression, else None.

    Reference: Guo et al. (2017), On Calibration of Modern Neural Networks, arXiv:1706.04599.
    """

    predicted: np.ndarray
    observed: np.ndarray
    counts: np.ndarray
    expected_calibration_error: float | None = None
    brier_score: float | None = None
    log_loss: float | None = None
    log_likelihood: float | None = None
    coverage: dict[float, float] | None = None
    noise_std: np.ndarray | None = None

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws the reliability diagram: what happened over what was predicted.

        Needs the extra `plot`.

        Args:
            ax: Matplotlib axes to draw on; None for new ones.

        Returns:
            The axes.
        """
        if ax is None:
            ax = import_extra("matplotlib.pyplot", "plot").subplots()[1]
        ax.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="calibrated")
        classes = self.coverage is None
        if classes:
            sizes = 15 + 185 * self.counts / self.counts.max()
            ax.scatter(self.predicted, self.observed, sizes, color="C0", alpha=0.4, clip_on=False)
        ax.plot(self.predicted, self.observed, ".-", color="C0", label="observed", clip_on=False)
        if classes:
            ax.set(xlabel="predicted probability", ylabel="share that came true")
            ax.set_title(f"expected calibration error {self.expected_calibration_error:.3f}")
        else:
            ax.set(xlabel="level of the interval", ylabel="share of targets in it")
            ax.set_title(f"log likelihood {self.log_likelihood:.3f}")
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        ax.legend()
        return ax


def calibration(
    prediction: MCPrediction | np.ndarray,
    y: Any,
    *,
    validation: tuple[MCPrediction | np.ndarray, Any] | None = None,
) -> Calibration:
    """Compares the uncertainty of predictions with the truth.

    Of a classifier it looks at the mean probabilities: after a softmax at that of the most probable
    class, after sigmoids at each. Of a regression it takes the targets for normal around the mean,
    with the variance of the draws and that of a noise: dropout alone knows nothing of the noise in
    the data, so that its intervals are too narrow. The noise is what makes the targets in
    `validation` most likely.

    The log likelihood of a regression is that of this one normal. Gal & Ghahramani's is of the
    mixture, log-mean-exp over the draws, each with the noise around it: it needs all draws, and
    `mc_predict` keeps none. The two are the same where the draws are normal.

    Args:
        prediction: What `mc_predict` returned for one output; or, to compare, the array that
            `predict` returns: probabilities, or with `validation` the numbers of a regression.
        y: The targets, of shape (n,) or (n, n_outputs); integer labels after a softmax.
        validation: A prediction of the same kind for other data, and their targets, to fit the
            noise of a regression to; None for no noise.

    Returns:
        A `Calibration`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If there is no example, the targets or the validation do not fit the prediction,
            or a regression has neither draws that differ nor noise.

    Example:
        >>> calibration(mc_predict(model, x_test), y_test).expected_calibration_error
        0.012
        >>> calibration(predict(model, x_test), y_test).expected_calibration_error
        0.035

    Reference: Gal & Ghahramani (2016), arXiv:1506.02142, for the noise; Guo et al. (2017),
    arXiv:1706.04599, for the error of calibration.
    """
    mean, std, kind = parts(prediction, "prediction")
    if kind == "array" and validation is None:
        kind = kind_of_probabilities(mean, y)
    if kind in ("draws", "array"):
        noise = np.zeros(1)
        if validation is not None:
            noise = _fitted_noise(*_fitting(validation, mean, kind))
        return _of_regression(mean, std, as_targets(mean, y), noise)
    if validation is not None:
        raise ValueError(
            "`validation` must be None for a classifier, which has no noise to fit. Received: "
            f"validation={type(validation).__name__}. Leave it out."
        )
    if kind == "sigmoid":
        return _of_sigmoids(mean, as_targets(mean, y))
    return _of_softmax(mean, as_labels(mean, y))


def _of_softmax(probabilities: np.ndarray, labels: np.ndarray) -> Calibration:
    happened = np.eye(probabilities.shape[-1])[labels]
    of_label = np.take_along_axis(probabilities, labels[..., None], axis=-1)
    right = probabilities.argmax(axis=-1) == labels
    return _binned(
        probabilities.max(axis=-1),
        right,
        brier_score=float(np.mean(np.sum((probabilities - happened) ** 2, axis=-1))),
        log_loss=_negative_log(of_label),
    )


def _of_sigmoids(probabilities: np.ndarray, happened: np.ndarray) -> Calibration:
    if not np.isin(happened, (0, 1)).all():
        raise ValueError(
            "`y` must be 0 and 1 for outputs of sigmoids. Received: values from "
            f"{happened.min():g} to {happened.max():g}. Encode them."
        )
    of_label = np.where(happened == 1, probabilities, 1 - probabilities)
    return _binned(
        probabilities,
        happened,
        brier_score=float(np.mean((probabilities - happened) ** 2)),
        log_loss=_negative_log(np.maximum(of_label, LEAST)),
    )


def _binned(confidence: np.ndarray, right: np.ndarray, **scores: Any) -> Calibration:
    confidence, right = confidence.ravel().astype(float), right.ravel().astype(float)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    some = counts > 0
    predicted = np.bincount(bins, confidence, BINS)[some] / counts[some]
    observed = np.bincount(bins, right, BINS)[some] / counts[some]
    error = np.average(np.abs(observed - predicted), weights=counts[some])
    return Calibration(
        predicted, observed, counts[some], expected_calibration_error=float(error), **scores
    )


def _negative_log(probabilities: np.ndarray) -> float:
    least = np.finfo(np.float32).tiny
    return float(-np.mean(np.log(np.maximum(probabilities, least, dtype=np.float64))))


def _of_regression(
    mean: np.ndarray, std: np.ndarray, y: np.ndarray, noise: np.ndarray
) -> Calibration:
    variance = std.astype(float) ** 2 + noise
    if (variance == 0).any():
        raise ValueError(
            "`prediction` must have draws that differ, or a noise. Received: examples with std=0, and "
            "no noise. Pass validation=(prediction, y) of data that the model does not know by heart."
        )
    distance = (y - mean) / np.sqrt(variance)
    density = -0.5 * (distance**2 + np.log(2 * np.pi * variance))

    def share_within(level: float) -> float:
        return float(np.mean(np.abs(distance) <= NormalDist().inv_cdf(0.5 + level / 2)))

    return Calibration(
        predicted=CURVE,
        observed=np.array([share_within(level) for level in CURVE]),
        counts=np.full(len(CURVE), len(y)),
        log_likelihood=float(density.reshape(len(y), -1).sum(axis=1).mean()),
        coverage={level: share_within(level) for level in LEVELS},
        noise_std=np.sqrt(noise),
    )


def _fitted_noise(mean: np.ndarray, std: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The variance, for each output, that makes the targets most likely.

    Several may be likelier than what is near them: a grid tells where the likeliest is, and bisection
    finds it there.
    """
    squares = (y - mean).astype(float) ** 2
    largest = squares.max(axis=0)
    unit = np.where(largest > 0, largest, 1)  # so that nothing overflows, however small it is
    squares, variances = squares / unit, std.astype(float) ** 2 / unit

    def with_noise(noise: Any) -> np.ndarray:
        return np.maximum(variances + noise, np.finfo(float).eps)

    unlikely = [np.mean(np.log(with_noise(n)) + squares / with_noise(n), axis=0) for n in GRID]
    best = np.argmin(unlikely, axis=0)
    low, high = GRID[np.maximum(best - 1, 0)], GRID[np.minimum(best + 1, len(GRID) - 1)]
    high = np.where(largest > 0, high, 0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        variance = with_noise(middle)
        likelier_above = np.mean((squares / variance - 1) / variance, axis=0) > 0
        low, high = np.where(likelier_above, middle, low), np.where(likelier_above, high, middle)
    return high * unit


def _fitting(
    validation: Any, mean: np.ndarray, kind: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean, the deviation and the targets of the validation, of the kind of the prediction."""
    check_instance("validation", validation, tuple, "a tuple (prediction, y)")
    if len(validation) != 2:
        raise ValueError(
            "`validation` must be a tuple (prediction, y). Received: a tuple of "
            f"{len(validation)}. Pass the targets beside the prediction."
        )
    prediction, y = validation
    other, std, its_kind = parts(prediction, "validation[0]")
    if its_kind != kind or other.shape[1:] != mean.shape[1:]:
        raise ValueError(
            "`validation` must have a prediction of the same kind as `prediction`, of shape "
            f"{('n', *mean.shape[1:])}. Received: {its_kind} of shape {other.shape}. Predict both by "
            "the same model, and in the same way."
        )
    return other, std, as_targets(other, y)
