"""A wrapper that bounds the norms of a layer's weights, and the constraint that it installs."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from keras_recipes.checks import check_instance, check_number

# Layer -> the axes of its kernel that hold the incoming weights of one unit or filter.
INCOMING_AXES: dict[type[keras.Layer], tuple[int, ...]] = {
    layers.Dense: (0,),  # (inputs, units)
    layers.Conv1D: (0, 1),  # (..., inputs, filters)
    layers.Conv2D: (0, 1, 2),
    layers.Conv3D: (0, 1, 2, 3),
    layers.Conv1DTranspose: (0, 2),  # (..., filters, inputs)
    layers.Conv2DTranspose: (0, 1, 3),
    layers.Conv3DTranspose: (0, 1, 2, 4),
    layers.DepthwiseConv1D: (0,),  # (..., inputs, filters for each of them)
    layers.DepthwiseConv2D: (0, 1),
}


@keras.saving.register_keras_serializable(package="keras_recipes")
class MaxNorm(layers.Wrapper):
    """Bounds the norm of the weights that come into each unit or filter of a layer.

    A wrapper like `keras.layers.SpectralNormalization`. It knows which axes of the kernel belong to
    one unit, for which `keras.constraints.MaxNorm` has to be told (its default is right for
    `Dense` alone), and it is exact: weights within the bound are left as they are, whereas that
    constraint shrinks them by 1e-7 at each step, a tenth of a norm of 1 in a million steps. The
    initial weights are brought within the bound, and so are the updated ones at each step of the
    optimizer, inside its graph. It regularizes, and helps against unstable gradients.

    Args:
        layer: A `Dense`, `Conv1D`, `Conv2D`, `Conv3D`, `Conv1DTranspose`, `Conv2DTranspose`,
            `Conv3DTranspose`, `DepthwiseConv1D` or `DepthwiseConv2D` without a constraint on its
            kernel. One that is built already has its weights brought within the bound at once.
        max_value: Largest L2 norm of a unit's incoming weights, > 0. Defaults to 1.0.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`. `dtype` defaults to that of
            the layer.

    Input shape:
        That of the wrapped layer.

    Output shape:
        That of the wrapped layer.

    Raises:
        TypeError: If the layer is not one of these, or `max_value` is not a number.
        ValueError: If `max_value` is out of range, or the kernel cannot be constrained.

    Example:
        >>> dense = MaxNorm(keras.layers.Dense(3, kernel_initializer="ones"), max_value=2.0)
        >>> outputs = dense(keras.ops.ones((1, 16)))
        >>> [float(norm) for norm in keras.ops.norm(dense.layer.kernel, axis=0)]
        [2.0, 2.0, 2.0]

    Reference: Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from
    overfitting, section 5.1, jmlr.org/papers/v15/srivastava14a.html.
    """

    def __init__(self, layer: keras.Layer, max_value: float = 1.0, **kwargs: Any) -> None:
        names = ", ".join(kind.__name__ for kind in INCOMING_AXES)
        check_instance("layer", layer, tuple(INCOMING_AXES), f"one of {names}")
        super().__init__(layer, **{"dtype": layer.dtype_policy, **kwargs})
        self.max_value = check_number("max_value", max_value, "(0, inf)", "The book has 1.0.")
        self.supports_masking = layer.supports_masking
        axes = next(axes for kind, axes in INCOMING_AXES.items() if isinstance(layer, kind))
        self._constraint = ExactMaxNorm(self.max_value, axes)
        self._takes_mask = "mask" in inspect.signature(layer.call).parameters
        self._check_kernel()
        if layer.built:
            self.build_from_config(layer.get_build_config())

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            with self._bounded_from_birth():
                super().build(input_shape)
        else:
            self._check_kernel()  # it may have been built, or wrapped again, meanwhile
            self._bound_kernel()

    def call(self, inputs: Any, mask: Any = None) -> Any:
        # Keras hands `training` on by itself.
        outputs = self.layer(inputs, mask=mask) if self._takes_mask else self.layer(inputs)
        return ops.cast(outputs, self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return self.layer.compute_mask(inputs, previous_mask)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_value": self.max_value}

    def _prefix(self) -> str:
        return "depthwise" if hasattr(self.layer, "depthwise_constraint") else "kernel"

    @contextmanager
    def _bounded_from_birth(self) -> Iterator[None]:
        # The layer must create its kernel with the bound. To assign it afterwards is not enough:
        # a model that is built while it is traced creates the values of its variables later.
        names = [f"{self._prefix()}_{role}" for role in ("initializer", "constraint")]
        initializer, constraint = (getattr(self.layer, name) for name in names)
        setattr(self.layer, names[0], _Bounded(initializer, self._constraint))
        setattr(self.layer, names[1], self._constraint)
        try:
            yield
        finally:
            setattr(self.layer, names[0], initializer)
            setattr(self.layer, names[1], constraint)

    def _bound_kernel(self) -> None:
        kernel = self.layer.kernel
        if keras.backend.is_float_dtype(kernel.dtype):  # a quantized one is not trained
            kernel.assign(self._constraint(kernel))
            kernel.constraint = self._constraint

    def _check_kernel(self) -> None:
        layer, argument = self.layer, f"{self._prefix()}_constraint"
        if getattr(layer, "lora_rank", None):
            raise ValueError(
                "`layer` must train its kernel. Received: layer with "
                f"lora_rank={layer.lora_rank!r}. Leave out LoRA or the wrapper."
            )
        constraint = getattr(layer, argument)
        if constraint is None and layer.built:
            constraint = getattr(layer.kernel, "constraint", None)
        if constraint is not None and not self._constraint.equals(constraint):
            raise ValueError(
                "`layer` must have no constraint on its kernel. Received: layer with "
                f"{argument}={constraint!r}. Leave out one of the two."
            )


@keras.saving.register_keras_serializable(package="keras_recipes")
class ExactMaxNorm(keras.constraints.MaxNorm):
    """`keras.constraints.MaxNorm` that leaves weights within the bound as they are, bit for bit.

    Args:
        max_value: Largest L2 norm, > 0.
        axis: Axis or axes over which a norm is taken.
    """

    def __call__(self, w: Any) -> Any:
        w = ops.convert_to_tensor(w)
        # In half precision the squares overflow.
        wide = ops.cast(w, keras.backend.result_type(w.dtype, "float32"))
        norms = ops.sqrt(ops.sum(ops.square(wide), axis=self.axis, keepdims=True))
        bounded = wide * (self.max_value / ops.maximum(norms, self.max_value))
        return ops.where(norms > self.max_value, ops.cast(bounded, w.dtype), w)

    def equals(self, other: Any) -> bool:
        return isinstance(other, ExactMaxNorm) and other.get_config() == self.get_config()


@dataclass(frozen=True)
class _Bounded:
    """An initializer that draws as another one does, then applies a constraint."""

    initializer: Any
    constraint: keras.constraints.Constraint

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return self.constraint(self.initializer(shape, dtype=dtype))
