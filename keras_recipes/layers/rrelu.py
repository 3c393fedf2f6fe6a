"""The randomized leaky ReLU."""

from typing import Any

import keras
from keras import ops

from keras_recipes.checks import check_number
from keras_recipes.layers.mc_dropout import check_seed


@keras.saving.register_keras_serializable(package="keras_recipes")
class RReLU(keras.layers.Layer):
    """Leaky ReLU whose slope for negative inputs is random in training, which regularizes.

    In training each negative input is multiplied by a slope of its own, drawn uniformly between
    `lower` and `upper`; in inference by the mean of the two. Positive inputs are left as they are.
    Use it in place of leaky ReLU where the network overfits.

    Args:
        lower: Least slope, >= 0. Defaults to 1/8.
        upper: Largest slope, >= `lower`. Defaults to 1/3. Where it equals `lower` nothing is
            random: the layer is leaky ReLU with that slope.
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
        >>> layer = RReLU(lower=0.1, upper=0.3)
        >>> [round(float(value), 2) for value in layer(keras.ops.array([-2.0, 0.0, 3.0]))]
        [-0.4, 0.0, 3.0]

    Reference: Xu et al. (2015), Empirical evaluation of rectified activations in convolutional
    network, arXiv:1505.00853.
    """

    def __init__(
        self,
        lower: float = 1 / 8,
        upper: float = 1 / 3,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.lower = check_number("lower", lower, "[0, inf)", "It is the least slope.")
        self.upper = check_number(
            "upper", upper, f"[{self.lower}, inf)", "It must not be less than `lower`."
        )
        self.seed = check_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.supports_masking = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = ops.cast(inputs, self.compute_dtype)
        slopes = self._draw_slopes(ops.shape(x)) if training else (self.lower + self.upper) / 2
        return ops.where(x > 0, x, x * slopes)

    def _draw_slopes(self, shape: Any) -> Any:
        # In single precision: uniform numbers are so coarse in half that their mean is off.
        slopes = keras.random.uniform(
            shape, self.lower, self.upper, dtype="float32", seed=self.seed_generator
        )
        return ops.cast(slopes, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "lower": self.lower,
            "upper": self.upper,
            "seed": self.seed,
        }
