"""The numbers that tell a healthy layer from a sick one."""

import math
from typing import Any

from keras import ops

STATISTICS = (
    "activation_mean",
    "activation_std",
    "dead",  # share of the units that are 0 for every example
    "saturated",  # share of the activations where the slope is below 1% of its maximum
    "signal_norm",  # root mean square of the gradient of the loss by the activations
    "gradient_norm",  # of the loss by the kernel
    "update_ratio",  # norm of the step's change of the kernel, by the norm of the kernel
)

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
# activation -> outputs below the first and above the second have a slope below 1% of the maximum
FLAT = {
    "sigmoid": (0.0025, 0.9975),  # the slope is y (1 - y), at most 1/4
    "tanh": (-math.sqrt(0.99), math.sqrt(0.99)),  # 1 - y^2
    "elu": (-0.99, math.inf),  # y + 1
    "selu": (-0.99 * SELU_SCALE * SELU_ALPHA, math.inf),
}
DYING = ("relu", "relu6")


def layer_statistics(
    activation: str, activations: Any, signals: Any, kernel: Any, gradient: Any, update: Any
) -> Any:
    """Returns the `STATISTICS` of a layer, a tensor of shape (len(STATISTICS),).

    Args:
        activation: Its name; one that cannot be dead or saturated is neither.
        activations: Shape (batch, ..., units).
        signals: The gradient of the loss by them.
        kernel: The weights.
        gradient: The gradient of the loss by them.
        update: What the step added to them.
    """
    activations = ops.cast(activations, "float32")
    nothing = ops.zeros(())
    dead, saturated = nothing, nothing
    if activation in DYING:
        highest = ops.max(activations, axis=tuple(range(len(activations.shape) - 1)))
        dead = _share(highest <= 0)
    if activation in FLAT:
        low, high = FLAT[activation]
        saturated = _share((activations < low) | (activations > high))
    return ops.stack(
        [
            ops.mean(activations),
            ops.std(activations),
            dead,
            saturated,
            ops.sqrt(ops.mean(ops.square(ops.cast(signals, "float32")))),
            _norm(gradient),
            _norm(update) / _norm(kernel),
        ]
    )


def _norm(tensor: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(ops.cast(tensor, "float32"))))


def _share(flags: Any) -> Any:
    return ops.mean(ops.cast(flags, "float32"))
