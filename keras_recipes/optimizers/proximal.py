"""Gradient descent whose L1 penalty makes weights exactly zero."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_recipes.checks import check_number
from keras_recipes.kernels import is_kernel
from keras_recipes.optimizers.momentum import SGD


@keras.saving.register_keras_serializable(package="keras_recipes")
class ProximalSGD(SGD):
    """`SGD` that takes an L1 penalty on the kernels by its proximal step, which gives exact zeros.

    The gradient of |w| has the same size however small w is, so that gradient descent steps over
    zero for ever and never stops on it. The proximal step moves each weight by the gradient of the
    loss alone, then towards zero by `l1` times the step size, and no further than zero: the
    soft threshold. The penalty is in the step, as weight decay is, and not in the loss that is
    reported; take it out of the layers' regularizers.

    The step size is the learning rate of the step, a schedule's too. With momentum, a step goes by
    a weighted sum of the gradients so far, and the step size is the sum of those weights, which is
    kept beside the velocities: the step is the proximal one for the mean gradient, and where no
    weight changes its sign it is that of SGD with the penalty in the loss. It is right under
    Nesterov momentum, scheduled momentum, gradient accumulation and loss scaling.

    Clipping bounds the gradient of the loss, and shortens the threshold with it: what is left of a
    gradient is taken as a shorter step, by a common factor where norms are bounded, by one for each
    weight with `clipvalue`. So the minimum stays where it was. On several devices the factor is
    that of one of them. With `use_ema` the averages of weights that have come to zero are zero.

    There is none for adaptive optimizers: they scale the step of each weight by themselves, and a
    threshold that ignores it solves another problem.

    Args:
        learning_rate: A number > 0 or a schedule. Defaults to 0.01.
        momentum: A number in [0, 1) or a schedule. Defaults to 0.
        nesterov: Whether to look ahead (Nesterov, 1983).
        l1: L1 penalty, >= 0, on the kernels: variables that are called "kernel", or end so as
            "recurrent_kernel" does, not biases or the parameters of normalization. Defaults to 0.
        **kwargs: As for every Keras optimizer: `clipvalue`, `clipnorm`, `weight_decay`, ...

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range; where the optimizer is built, if there is no
            kernel to penalize.

    Example:
        >>> model.compile(ProximalSGD(0.05, momentum=0.9, l1=0.01), "mean_squared_error")

    Reference: Parikh & Boyd (2014), Proximal algorithms, section 4.2; Yun, Lozano & Yang (2021),
    Adaptive proximal gradient methods for structured neural networks, for momentum.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: Any = 0.0,
        nesterov: bool = False,
        l1: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, momentum, nesterov, **kwargs)
        self.l1 = check_number("l1", l1, "[0, inf)", "For no penalty pass 0.")

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        self._penalized = [is_kernel(variable) for variable in variables]
        if self.l1 and not any(self._penalized):
            names = ", ".join(variable.name for variable in variables)
            raise ValueError(
                '`l1` must have a kernel to penalize, a variable whose name ends in "kernel". Received: '
                f"l1={self.l1} and {names}. Pass l1=0, or give the layer a regularizer."
            )
        # One for each variable: it changes in the step of that variable. `clipvalue` shortens the
        # step of each weight by itself.
        self._step_sizes = [
            self.add_variable(
                variable.shape if self.clipvalue else (), dtype=variable.dtype, name="step_size"
            )
            if penalized and self.momentums
            else None
            for variable, penalized in zip(variables, self._penalized, strict=True)
        ]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        super().update_step(gradient, variable, learning_rate)
        index = self._get_variable_index(variable)
        if self._penalized[index]:
            share = ops.cast(self._shares[index], variable.dtype)
            size = self._step_size(index, share * ops.cast(learning_rate, variable.dtype))
            self.assign(variable, soft_threshold(variable, size * self.l1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "l1": self.l1}

    def _clip_gradients(self, grads: Any) -> Any:
        self._shares_in_order = self._shares_left(grads)
        return super()._clip_gradients(grads)

    def _backend_update_step(
        self, grads: Any, trainable_variables: Any, learning_rate: Any
    ) -> None:
        indices = map(self._get_variable_index, trainable_variables)
        self._shares = dict(zip(indices, self._shares_in_order, strict=True))
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        self._shares, self._shares_in_order = {}, []  # tensors of the graph

    def _shares_left(self, gradients: Sequence[Any]) -> list[Any]:
        """What clipping multiplies each gradient by."""
        if self.clipvalue:
            return [_share(self.clipvalue, ops.abs(each)) for each in gradients]
        if not self.clipnorm and not self.global_clipnorm:
            return [1.0] * len(gradients)
        squares = [ops.sum(ops.square(each)) for each in gradients]
        if self.clipnorm:
            return [_share(self.clipnorm, ops.sqrt(each)) for each in squares]
        return [_share(self.global_clipnorm, ops.sqrt(sum(squares)))] * len(gradients)

    def _overwrite_model_variables_with_average_value(self, trainable_variables: Any) -> None:
        penalized = [
            variable
            for variable in trainable_variables
            if self._penalized[self._get_variable_index(variable)]
        ]
        kept = [ops.not_equal(variable, 0) for variable in penalized]
        super()._overwrite_model_variables_with_average_value(trainable_variables)
        for variable, mask in zip(penalized, kept, strict=True):
            self.assign(variable, variable * ops.cast(mask, variable.dtype))

    def _step_size(self, index: int, rate: Any) -> Any:
        """The sum of what the gradients so far were multiplied by in the step just taken."""
        summed = self._step_sizes[index]
        if summed is None:
            return rate
        momentum = ops.cast(self.momentum, summed.dtype)
        size = summed * momentum + rate
        self.assign(summed, size)
        return size * momentum + rate if self.nesterov else size


def _share(bound: float, size: Any) -> Any:
    return bound / ops.maximum(size, bound)


def soft_threshold(weights: Any, threshold: Any) -> Any:
    """Returns the weights, each nearer to zero by `threshold`, those within it exactly zero."""
    weights = ops.convert_to_tensor(weights)
    return weights - ops.clip(weights, -threshold, threshold)
