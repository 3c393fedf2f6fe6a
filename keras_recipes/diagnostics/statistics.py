"""The numbers that tell a healthy layer from a sick one."""

from typing import Any

from keras import ops

from keras_recipes.diagnostics.activations import KNOWN, SATURATING

STATISTICS = (
    "activation_mean",
    "activation_std",
    "dead",  # share of the units that pass no gradient, or hardly one and give nothing, for every example
    "saturated",  # share of the activations where the slope is flat, below 1% of its maximum
    "signal_norm",  # gradient of the loss by the activations: see `signal_norm`
    "gradient_norm",  # of the loss by the kernel
    "update_ratio",  # norm of the step's change of the kernel, by that of the kernel; 0 if it was 0
    "weight_norm",  # of a unit's part of the kernel: root mean square over the units
)

FLAT = 0.01  # of the steepest slope: less hardly passes a gradient
OFF = 1e-3  # activations that are nearer to 0 are nothing


def layer_statistics(
    activation: str,
    activations: Any,
    passed: tuple[Any, Any] | None,
    signals: Any,
    kernel: Any,
    gradient: Any,
    update: Any,
) -> Any:
    """Returns the `STATISTICS` of a layer, a tensor of shape (len(STATISTICS),).

    Args:
        activation: Its name.
        activations: Shape (batch, ..., units); None where the step did not come by.
        passed: What the activation function gave and its slopes there; None where it has none.
        signals: The gradient of the loss by the activations; None where there is none.
        kernel: The weights.
        gradient: The gradient of the loss by them; None where there is none.
        update: What the step added to them.
    """
    nothing = ops.zeros((), "float32")
    mean, deviation, dead, saturated = (nothing,) * 4
    if activations is not None:
        activations = ops.cast(activations, "float32")
        mean = _mean(activations)
        deviation = _norm(activations - mean) / ops.sqrt(_size(activations))
    if passed is not None:
        dead, saturated = _dead_and_saturated(
            activation, *(ops.cast(each, "float32") for each in passed)
        )
    size = _norm(kernel)
    return ops.stack(
        [
            mean,
            deviation,
            dead,
            saturated,
            nothing if signals is None else signal_norm(signals),
            nothing if gradient is None else _norm(gradient),
            ops.where(size == 0, 0.0, _norm(update) / size),
            nothing if activations is None else size / kernel.shape[-1] ** 0.5,
        ]
    )


def _dead_and_saturated(activation: str, outputs: Any, slopes: Any) -> tuple[Any, Any]:
    flat = ops.abs(slopes) < FLAT * SATURATING.get(activation, 1.0)
    if activation in SATURATING:
        return ops.zeros((), "float32"), _mean(flat)
    off, saturated = flat & (ops.abs(outputs) < OFF), ops.zeros((), "float32")
    finite = ops.isfinite(outputs)  # what is not a number may have a slope of 0
    if activation in KNOWN:
        off |= (slopes == 0) & finite  # at a ceiling too
    else:  # of those that are not off, as it may be flat at 0 on one side
        saturated = _mean(flat & finite & ~off) / ops.maximum(_mean(~off), 1e-7)
    lively = ops.reshape(ops.cast(~off, "float32"), (-1, outputs.shape[-1]))
    return _mean(ops.matmul(ops.ones_like(lively[None, :, 0]), lively) == 0), saturated


def signal_norm(signals: Any) -> Any:
    """The norm over the positions of an image or a series, as root mean square over examples and units.

    In a dense layer it is the root mean square.
    """
    shape = ops.shape(signals)
    return _norm(signals) / ops.sqrt(ops.cast(shape[0] * shape[-1], "float32"))


def _norm(tensor: Any) -> Any:
    row = _row(tensor)
    return ops.sqrt(ops.matmul(row, ops.transpose(row))[0, 0])


def _mean(tensor: Any) -> Any:
    row = _row(tensor)
    return ops.matmul(row, ops.ones_like(ops.transpose(row)))[0, 0] / _size(tensor)


def _size(tensor: Any) -> Any:
    return ops.cast(ops.size(tensor), "float32")


def _row(tensor: Any) -> Any:
    """One row: XLA has products of matrices ready, and takes long to compile a sum."""
    return ops.reshape(ops.cast(tensor, "float32"), (1, -1))
