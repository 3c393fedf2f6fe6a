"""Alpha dropout for Monte Carlo predictions."""

from typing import Any

import keras

from keras_recipes.layers.mc_dropout import check_noise_shape, check_rate, check_seed


@keras.saving.register_keras_serializable(package="keras_recipes")
class MCAlphaDropout(keras.layers.AlphaDropout):
    """Alpha dropout that stays on at inference: `MCDropout` for self-normalizing networks.

    Alpha dropout sets inputs to the value at which SELU saturates, then scales and shifts all of
    them so that mean 0 and variance 1 are kept. Use it after a layer with the activation SELU.
    `predict` is a single draw then; `uncertainty.deterministic` gives a copy of the model whose
    predictions are plain ones, as those with `keras.layers.AlphaDropout` are.

    Args:
        rate: Fraction of the inputs to drop, in [0, 1). 0 turns the layer off.
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
        >>> layer = MCAlphaDropout(0.1, seed=1)
        >>> x = keras.random.normal((1000, 1000), seed=2)
        >>> round(float(keras.ops.var(layer(x, training=False))), 1)
        1.0

    Reference: Klambauer et al. (2017), Self-normalizing neural networks, arXiv:1706.02515;
    Gal & Ghahramani (2016), arXiv:1506.02142.
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
