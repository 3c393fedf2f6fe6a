"""Mean, deviation and entropy of samples that come in chunks and are not kept."""

from typing import Any

from keras import ops

TINY = 1e-30  # where a probability is 0 its logarithm is not needed, and must be finite


def entropy(probabilities: Any, link: str) -> Any:
    """Returns the entropy in nats: after a softmax of the last axis, after sigmoids of each.

    Args:
        probabilities: A tensor.
        link: `"softmax"` or `"sigmoid"`.
    """
    summands = -probabilities * ops.log(ops.maximum(probabilities, TINY))
    if link == "softmax":
        return ops.sum(summands, axis=-1)
    rest = 1 - probabilities
    return summands - rest * ops.log(ops.maximum(rest, TINY))


def start(shape: Any, link: str | None) -> dict[str, Any]:
    """Returns the moments of no samples yet.

    Args:
        shape: Of a sample.
        link: `"softmax"`, `"sigmoid"`, or None for what are no probabilities.
    """
    zeros = ops.zeros(shape, "float32")
    moments = {"mean": zeros, "squares": zeros}
    return moments | ({"entropy": entropy(zeros, link)} if link else {})


def update(moments: dict[str, Any], count: Any, samples: Any, link: str | None) -> dict[str, Any]:
    """Returns the moments with more samples in them.

    Args:
        moments: Those of `count` samples.
        count: How many there were.
        samples: A tensor, one sample a row.
        link: As for `start`.

    Reference: Chan, Golub & LeVeque (1983), Algorithms for Computing the Sample Variance.
    """
    samples = ops.cast(samples, "float32")
    more = ops.cast(ops.shape(samples)[0], "float32")
    count = ops.cast(count, "float32")
    mean = _mean(samples)
    apart = mean - moments["mean"]
    share = more / (count + more)
    squares = ops.sum(ops.square(samples - mean), axis=0) + apart * (apart * count * share)
    updated = {"mean": moments["mean"] + apart * share, "squares": moments["squares"] + squares}
    if link:
        of_each = _mean(entropy(samples, link))
        updated["entropy"] = moments["entropy"] + (of_each - moments["entropy"]) * share
    return updated


def _mean(samples: Any) -> Any:
    """The mean over the rows, exact where all are the same."""
    return samples[0] + ops.mean(samples - samples[0], axis=0)


def summary(moments: dict[str, Any], count: int, link: str | None) -> tuple[Any, Any, Any, Any]:
    """Returns the mean, the standard deviation, the entropy and the mutual information.

    Args:
        moments: Those of all samples.
        count: How many there were.
        link: As for `start`; without one there are no entropies.
    """
    mean, std = moments["mean"], ops.sqrt(moments["squares"] / count)
    if not link:
        return mean, std, None, None
    of_mean = entropy(mean, link)
    return mean, std, of_mean, ops.maximum(of_mean - moments["entropy"], 0.0)
