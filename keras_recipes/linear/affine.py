"""What a linear model computes, in double precision: features, weights, biases."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_recipes.checks import check_instance

HINT = "Build one: build_linear_regression(8) or build_logistic_regression(8)."


@dataclass(frozen=True)
class Affine:
    """The parts of a linear model.

    Args:
        steps: The layers before the last: `Normalization` and `Flatten`, if any.
        dense: The last one.
        input_shape: Shape of one example.
    """

    steps: tuple[keras.Layer, ...]
    dense: layers.Dense
    input_shape: tuple[int, ...]

    @property
    def kernel(self) -> np.ndarray:
        """The weights, (features, outputs)."""
        return _double(self.dense.kernel)

    @property
    def bias(self) -> np.ndarray:
        """The bias of each output, 0 where it has none."""
        return np.zeros(self.dense.units) if self.dense.bias is None else _double(self.dense.bias)

    @property
    def standardizes(self) -> bool:
        """Whether there is a `Normalization` layer."""
        return any(isinstance(step, layers.Normalization) for step in self.steps)

    def features(self, x: Any) -> np.ndarray:
        """Returns what the last layer gets for inputs, (n, features), in double precision."""
        x = np.asarray(x, "float64")
        for step in self.steps:
            if isinstance(step, layers.Flatten):
                x = x.reshape(len(x), -1)
            else:
                deviation = np.sqrt(_double(step.variance))
                x = (x - _double(step.mean)) / np.maximum(deviation, keras.config.epsilon())
        return x

    def outputs(self, x: Any) -> np.ndarray:
        """Returns what the last layer makes of inputs before its activation, (n, outputs)."""
        return self.features(x) @ self.kernel + self.bias

    def in_units_of_inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the weights and biases that would give the same from inputs as they come."""
        origin, ones = np.zeros((1, *self.input_shape)), np.ones((1, *self.input_shape))
        offset = self.features(origin)
        scale = self.features(ones) - offset
        return scale.T * self.kernel, self.bias + (offset @ self.kernel)[0]


def read(model: Any, *activations: str) -> Affine:
    """Returns the parts of a linear model whose last layer has one of `activations`.

    Raises:
        TypeError: If `model` is not a Keras model.
        ValueError: If it is not built, or not linear.
    """
    check_instance("model", model, keras.Model, "a keras.Model", HINT)
    found = [each for each in getattr(model, "layers", []) if type(each) is not layers.InputLayer]
    *steps, dense = found or [None]
    single = model.built and isinstance(getattr(model, "input_shape", None), tuple)
    if not single or not _are_steps(steps) or not _is_output(dense, activations):
        names = ", ".join(f"{type(each).__name__} {each.name!r}" for each in found) or "no layer"
        raise ValueError(
            "`model` must have an input of a known shape, then Normalization and Flatten if any, and "
            f"one Dense layer with the activation {' or '.join(map(repr, activations))}. Received: "
            f"{names}. {HINT}"
        )
    return Affine(tuple(steps), dense, tuple(model.input_shape[1:]))


def _are_steps(steps: list[Any]) -> bool:
    kinds = [type(step) for step in steps]
    return (
        len(set(kinds)) == len(kinds)
        and set(kinds) <= {layers.Normalization, layers.Flatten}
        and not any(getattr(step, "invert", False) for step in steps)
    )


def _is_output(dense: Any, activations: tuple[str, ...]) -> bool:
    if not isinstance(dense, layers.Dense) or len(dense.input.shape) != 2:
        return False
    name = getattr(dense.activation, "__name__", "")
    return name in activations and (name != "sigmoid" or dense.units == 1)


def _double(values: Any) -> np.ndarray:
    return ops.convert_to_numpy(values).astype("float64")
