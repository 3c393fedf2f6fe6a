"""Dropout for Monte Carlo predictions, and the checks that all random layers share."""

from typing import Any

import keras

from keras_recipes.checks import check_instance, check_integer, check_number


@keras.saving.register_keras_serializable(package="keras_recipes")
class MCDropout(keras.layers.Dropout):
    """Dropout that stays on at inference: each prediction is a draw.

    The spread of many predictions tells how sure the model is, and their mean gives probabilities
    that are nearer the truth where the data have shifted. In training it is `keras.layers.Dropout`.
    Where the layer precedes a self-normalizing network's dense layers, use `MCAlphaDropout`.

    `predict`, `evaluate` and the validation of `fit` are a single draw then, each a different one.
    `uncertainty.deterministic` gives a copy of the model whose predictions are plain ones. With
    `keras.layers.Dropout` in its place they are so from the start, and `mc_predict` draws from both
    alike.

    Args:
        rate: Fraction of the inputs to set to zero, in [0, 1); the others are scaled up by
            `1 / (1 - rate)`, so that their expected value is kept. 0 turns the layer off.
        noise_shape: Shape of the mask, a tuple of integers >= 1 and None (as the inputs have
            it); an axis of 1 is dropped as a whole. Defaults to None, the shape of the inputs.
        seed: Integer in [0, 2**31); the same one gives the same draws. None (the default) for
            others each time.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Input shape:
        Any.

    Output shape:
        That of the inputs.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range.

    Example:
        >>> layer = MCDropout(0.5, seed=1)
        >>> draws = layer(keras.ops.ones((1000, 10)), training=False)
        >>> sorted({float(value) for value in keras.ops.reshape(draws, (-1,))})
        [0.0, 2.0]

    Reference: Gal & Ghahramani (2016), Dropout as a Bayesian approximation, arXiv:1506.02142.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: tuple[int | None, ...] | list[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            check_rate(rate), check_noise_shape(noise_shape), check_seed(seed), **kwargs
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Drops inputs, whatever `training` says."""
        return super().call(inputs, training=True)


def check_rate(rate: Any) -> float:
    """Returns `rate` as a float in [0, 1)."""
    return check_number("rate", rate, "[0, 1)", "For 50% dropout pass rate=0.5.")


def check_noise_shape(noise_shape: Any) -> tuple[int | None, ...] | None:
    """Returns `noise_shape` as a tuple of integers >= 1 and None, or None."""
    if noise_shape is None:
        return None
    hint = "To drop whole features of (batch, time, features) pass noise_shape=(None, 1, None)."
    check_instance("noise_shape", noise_shape, (list, tuple), "a tuple of integers and None", hint)
    return tuple(
        size if size is None else check_integer(f"noise_shape[{axis}]", size, "[1, inf)", hint)
        for axis, size in enumerate(noise_shape)
    )


def check_seed(seed: Any) -> int | None:
    """Returns `seed` as an int that every backend takes, or None."""
    if seed is None:
        return None
    hint = "For other draws each time pass None."
    return check_integer("seed", seed, f"[0, {2**31})", hint)
