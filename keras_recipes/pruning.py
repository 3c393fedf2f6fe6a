"""The arithmetic of magnitude pruning: how much goes at a step, and which weights that are."""

import math
from collections.abc import Sequence
from typing import Any

from keras import ops

INFINITY = 0x7F800000  # as the bits of a float32


def cubic_sparsity(step: Any, initial: float, final: float, begin: int, end: int) -> Any:
    """Returns the share of weights that are zero after a step, on the ramp of Zhu & Gupta.

    Many go at first, where most are redundant, and ever fewer towards the end.

    Args:
        step: Integer tensor, or an int.
        initial: Share at `begin`, in [0, 1].
        final: Share from `end` on, in [0, 1].
        begin: Step at which the ramp begins; before it the share is `initial`.
        end: Step at which it ends, at least `begin`.

    Reference: Zhu & Gupta (2017), To prune, or not to prune, arXiv:1710.01878.
    """
    progress = ops.cast(step - begin, "float32") / max(end - begin, 1)
    ramp = final + (initial - final) * (1 - ops.clip(progress, 0.0, 1.0)) ** 3
    return ops.where(step >= end, final, ramp)


def prune(kernels: Sequence[Any], masks: Sequence[Any], share: Any) -> list[Any]:
    """Returns new masks of kernels that lose their smallest weights, wherever these are.

    Args:
        kernels: Tensors of any shapes.
        masks: Bool tensors of the same shapes: what has not gone yet.
        share: Float tensor, in [0, 1]: how many of all weights are to be zero.
    """
    magnitudes = [ops.abs(ops.cast(ops.ravel(kernel), "float32")) for kernel in kernels]
    before = [ops.ravel(mask) for mask in masks]
    kept = keep_largest(ops.concatenate(magnitudes), ops.concatenate(before), share)
    result = []
    for mask in masks:
        size = math.prod(mask.shape)
        result.append(ops.reshape(kept[:size], mask.shape))
        kept = kept[size:]
    return result


def keep_largest(magnitudes: Any, kept: Any, share: Any) -> Any:
    """Returns which weights stay where the smallest `share` of all is to be zero.

    Exactly as many go as are to; of equal ones the first. What has gone before stays away, and
    counts. TensorFlow only.

    Args:
        magnitudes: Float32 tensor of one axis, >= 0.
        kept: Bool tensor of the same shape: what has not gone yet.
        share: Float tensor, in [0, 1].
    """
    import tensorflow as tf

    count = ops.cast(ops.round(share * magnitudes.shape[0]), "int32")
    # The bits of floats >= 0 are in the order of the floats.
    bits = ops.where(kept, tf.bitcast(magnitudes, tf.int32), -1)
    threshold = _smallest(bits, count)
    ties = bits == threshold
    left = count - ops.count_nonzero(bits < threshold)
    goes = (bits < threshold) | (ties & (ops.cumsum(ops.cast(ties, "int32")) <= left))
    return kept & ~goes


def _smallest(bits: Any, count: Any) -> Any:
    """The `count`-th smallest of integers from -1 on: by bisection, a fifth of the time of a sort."""

    def halve(low: Any, high: Any) -> tuple[Any, Any]:
        middle = low + (high - low) // 2
        enough = ops.count_nonzero(bits <= middle) >= count
        return ops.where(enough, low, middle + 1), ops.where(enough, middle, high)

    bounds = ops.convert_to_tensor(-1, "int32"), ops.convert_to_tensor(INFINITY, "int32")
    return ops.while_loop(lambda low, high: low < high, halve, bounds)[0]
