"""The book's two default set-ups as factory functions for compiled models."""

import warnings
from collections.abc import Sequence
from typing import Any

import keras

from keras_recipes.architecture import (
    Hidden,
    bound,
    build_stack,
    check_initializer,
    check_mc_dropout,
    check_widths,
    penalty,
    split_l1,
)
from keras_recipes.checks import check_choice, check_number
from keras_recipes.compilation import compile_model
from keras_recipes.guide import (
    DEEP_FROM,
    DEFAULT_SETUP,
    SELF_NORMALIZING_SETUP,
    canonical_activation,
    initializer_for,
)

__all__ = ["build_default_dnn", "build_self_normalizing_dnn"]


def build_default_dnn(
    input_shape: int | Sequence[int],
    n_outputs: int = 1,
    task: str = "regression",
    *,
    hidden_units: Sequence[int] = (100, 100, 100),
    activation: Any = DEFAULT_SETUP.activation,
    kernel_initializer: Any = None,
    normalization: str | None = DEFAULT_SETUP.normalization,
    batch_norm_position: str = "before",
    batch_norm_momentum: float = 0.99,
    dropout: float = DEFAULT_SETUP.dropout,
    mc_dropout: bool = False,
    l1: float = 0.0,
    l2: float = 0.0,
    exact_zeros: bool = False,
    max_norm: float | None = None,
    adapt_to: Any = None,
    optimizer: Any = DEFAULT_SETUP.optimizer,
    learning_rate: Any = None,
    momentum: Any = None,
    clipvalue: float | None = None,
    clipnorm: float | None = None,
    global_clipnorm: float | None = None,
    metrics: Sequence[Any] | None = None,
    seed: int | None = None,
    name: str = "default_dnn",
) -> keras.Model:
    """Builds and compiles the book's default dense network: He initialization, ELU, momentum.

    Batch normalization joins where the network is deep. Train it with `keras_recipes.fit`, which
    adds the 1cycle policy and early stopping.

    Args:
        input_shape: Shape of one example, a tuple or an int; more than one axis is flattened.
        n_outputs: Number of targets, of labels, or of classes; 1 for `"binary"`.
        task: `"regression"` (mean squared error), `"binary"` (one probability), `"multiclass"`
            (integer labels) or `"multilabel"` (a column of 0 and 1 for each label).
        hidden_units: Width of each hidden layer.
        activation: Name of the hidden activation, any of `keras_recipes.guide.INITIALIZERS`.
        kernel_initializer: A Keras initializer or its name; None for the one of the activation.
        normalization: `"batch"`, None, or `"auto"`: batch normalization from ten hidden layers on.
        batch_norm_position: `"before"` the activation (the dense layer then has no bias) or
            `"after"` it.
        batch_norm_momentum: Momentum of the moving averages, in [0, 1).
        dropout: Fraction of each hidden layer's outputs to drop, in [0, 1). After SELU it is alpha
            dropout, which keeps their mean and variance.
        mc_dropout: Whether dropout stays on at inference; `mc_predict` does not need it.
        l1: L1 penalty on the kernels, >= 0.
        l2: L2 penalty on the kernels, >= 0.
        exact_zeros: Whether `l1` makes weights exactly zero, by the proximal step of
            `optimizers.ProximalSGD`, instead of small: for sgd, momentum and nesterov. The penalty
            is then in the step and not in the loss.
        max_norm: Bound, > 0, on the norm of each hidden unit's incoming weights.
        adapt_to: Inputs, an array or a `tf.data.Dataset`, from which a `Normalization` layer in
            the model learns each feature's mean and variance; None for inputs scaled already.
        optimizer: A name of `keras_recipes.make_optimizer`, or a new Keras optimizer.
        learning_rate: A number > 0 or a schedule; None for the optimizer's default.
        momentum: A number in [0, 1) or a schedule; None for 0.9.
        clipvalue: Bound, > 0, on each component of the gradients.
        clipnorm: Bound, > 0, on the norm of each variable's gradient.
        global_clipnorm: Bound, > 0, on the norm of all gradients. At most one of the three.
        metrics: A list of names, functions and `keras.metrics.Metric`; None for RMSE or accuracy,
            whichever fits the task.
        seed: The same one gives the same weights and the same dropout; None for random ones.
        name: Name of the model.

    Returns:
        A compiled `keras.Model` from (batch, *input_shape) to (batch, n_outputs).

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range or two of them exclude each other.

    Example:
        >>> model = build_default_dnn(8, n_outputs=3, task="multiclass", seed=1)
        >>> model.output_shape
        (None, 3)

    Reference: Geron, *Hands-On Machine Learning*, 2nd ed. (2019), table 11-3.
    """
    hidden_units = check_widths(hidden_units)
    l1_in_loss, l1_in_step = _split_l1(l1, exact_zeros)
    hidden = Hidden(
        activation=canonical_activation(activation),
        kernel_initializer=check_initializer(kernel_initializer, initializer_for(activation)),
        batch_norm=_uses_batch_norm(normalization, len(hidden_units)),
        batch_norm_position=check_choice(
            "batch_norm_position", batch_norm_position, ("before", "after")
        ),
        batch_norm_momentum=check_number("batch_norm_momentum", batch_norm_momentum, "[0, 1)"),
        dropout=check_number("dropout", dropout, "[0, 1)", "For 50% dropout pass dropout=0.5."),
        mc_dropout=check_mc_dropout(mc_dropout, dropout),
        regularizer=penalty(l1_in_loss, l2),
        constraint=bound(max_norm),
    )
    model = build_stack(input_shape, n_outputs, task, hidden_units, hidden, adapt_to, seed, name)
    return compile_model(
        model,
        task,
        metrics,
        optimizer,
        learning_rate=learning_rate,
        momentum=momentum,
        clipvalue=clipvalue,
        clipnorm=clipnorm,
        global_clipnorm=global_clipnorm,
        l1=l1_in_step,
    )


def build_self_normalizing_dnn(
    input_shape: int | Sequence[int],
    n_outputs: int = 1,
    task: str = "regression",
    *,
    hidden_units: Sequence[int] = (100, 100, 100),
    activation: Any = SELF_NORMALIZING_SETUP.activation,
    kernel_initializer: Any = None,
    normalization: str | None = SELF_NORMALIZING_SETUP.normalization,
    dropout: float = SELF_NORMALIZING_SETUP.dropout,
    mc_dropout: bool = False,
    l1: float = 0.0,
    l2: float = 0.0,
    exact_zeros: bool = False,
    max_norm: float | None = None,
    adapt_to: Any = None,
    optimizer: Any = SELF_NORMALIZING_SETUP.optimizer,
    learning_rate: Any = None,
    momentum: Any = None,
    clipvalue: float | None = None,
    clipnorm: float | None = None,
    global_clipnorm: float | None = None,
    metrics: Sequence[Any] | None = None,
    seed: int | None = None,
    name: str = "self_normalizing_dnn",
) -> keras.Model:
    """Builds and compiles the book's self-normalizing network: LeCun initialization, SELU.

    Each layer's outputs keep mean 0 and variance 1 without batch normalization, as long as the
    inputs have them too: pass `adapt_to`, or standardize the inputs yourself. What breaks the
    property is refused; penalties and bounds on the weights, which weaken it, are warned about.

    Args:
        input_shape: Shape of one example, a tuple or an int; more than one axis is flattened.
        n_outputs: Number of targets, of labels, or of classes; 1 for `"binary"`.
        task: `"regression"`, `"binary"`, `"multiclass"` or `"multilabel"`, as for
            `build_default_dnn`.
        hidden_units: Width of each hidden layer.
        activation: `"selu"`.
        kernel_initializer: None, `"lecun_normal"` or `"lecun_uniform"`.
        normalization: None.
        dropout: Rate of the alpha dropout after each hidden layer, in [0, 1).
        mc_dropout: Whether it stays on at inference; `mc_predict` does not need it.
        l1: L1 penalty on the kernels, >= 0.
        l2: L2 penalty on the kernels, >= 0.
        exact_zeros: Whether `l1` makes weights exactly zero, by the proximal step of
            `optimizers.ProximalSGD`, instead of small: for sgd, momentum and nesterov. The penalty
            is then in the step and not in the loss.
        max_norm: Bound, > 0, on the norm of each hidden unit's incoming weights.
        adapt_to: Inputs, an array or a `tf.data.Dataset`, from which a `Normalization` layer in
            the model learns each feature's mean and variance; None for standardized inputs.
        optimizer: A name of `keras_recipes.make_optimizer`, or a new Keras optimizer.
        learning_rate: A number > 0 or a schedule; None for the optimizer's default.
        momentum: A number in [0, 1) or a schedule; None for 0.9.
        clipvalue: Bound, > 0, on each component of the gradients.
        clipnorm: Bound, > 0, on the norm of each variable's gradient.
        global_clipnorm: Bound, > 0, on the norm of all gradients. At most one of the three.
        metrics: A list of names, functions and `keras.metrics.Metric`; None for RMSE or accuracy,
            whichever fits the task.
        seed: The same one gives the same weights and the same dropout; None for random ones.
        name: Name of the model.

    Returns:
        A compiled `keras.Model` from (batch, *input_shape) to (batch, n_outputs).

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range or breaks self-normalization.

    Example:
        >>> model = build_self_normalizing_dnn(8, adapt_to=x_train)  # doctest: +SKIP

    Reference: Klambauer et al. (2017), Self-Normalizing Neural Networks, arXiv:1706.02515;
    Geron, *Hands-On Machine Learning*, 2nd ed. (2019), table 11-4.
    """
    _check_self_normalizing(activation, kernel_initializer, normalization)
    hidden_units = check_widths(hidden_units)
    l1_in_loss, l1_in_step = _split_l1(l1, exact_zeros)
    _warn_of_weakened({"l1": l1, "l2": l2, "max_norm": max_norm})
    hidden = Hidden(
        activation="selu",
        kernel_initializer=check_initializer(
            kernel_initializer, SELF_NORMALIZING_SETUP.kernel_initializer
        ),
        batch_norm=False,
        batch_norm_position="before",
        batch_norm_momentum=0.0,
        dropout=check_number("dropout", dropout, "[0, 1)", "The paper has 0.05 to 0.1."),
        mc_dropout=check_mc_dropout(mc_dropout, dropout),
        regularizer=penalty(l1_in_loss, l2),
        constraint=bound(max_norm),
    )
    model = build_stack(input_shape, n_outputs, task, hidden_units, hidden, adapt_to, seed, name)
    return compile_model(
        model,
        task,
        metrics,
        optimizer,
        learning_rate=learning_rate,
        momentum=momentum,
        clipvalue=clipvalue,
        clipnorm=clipnorm,
        global_clipnorm=global_clipnorm,
        l1=l1_in_step,
    )


def _uses_batch_norm(normalization: str | None, depth: int) -> bool:
    if normalization is None:
        return False
    check_choice("normalization", normalization, ("auto", "batch"), "For none pass None.")
    return normalization == "batch" or depth >= DEEP_FROM


def _split_l1(l1: float, exact_zeros: bool) -> tuple[float, float | None]:
    parts = split_l1(l1, exact_zeros)
    if exact_zeros and not l1:
        raise ValueError(
            "`exact_zeros` must go with an L1 penalty. Received: exact_zeros=True, l1=0. Pass "
            "l1=1e-4, say."
        )
    return parts


def _check_self_normalizing(activation: Any, kernel_initializer: Any, normalization: Any) -> None:
    if canonical_activation(activation) != "selu":
        raise ValueError(
            f"`activation` must be 'selu'. Received: activation={activation!r}. No other one has "
            "the fixed point at mean 0 and variance 1; for it use build_default_dnn."
        )
    name = kernel_initializer
    if not isinstance(name, str | None):
        name = type(name).__name__
    if name not in (None, "lecun_normal", "lecun_uniform", "LecunNormal", "LecunUniform"):
        raise ValueError(
            "`kernel_initializer` must be None, 'lecun_normal' or 'lecun_uniform'. Received: "
            f"kernel_initializer={kernel_initializer!r}. Only weights of variance 1 / fan-in keep "
            "the variance of SELU's outputs at 1."
        )
    if normalization is not None:
        raise ValueError(
            f"`normalization` must be None. Received: normalization={normalization!r}. Batch "
            "normalization fights self-normalization; for it use build_default_dnn."
        )


def _warn_of_weakened(keywords: dict[str, Any]) -> None:
    given = [f"{name}={value}" for name, value in keywords.items() if value]
    if given:
        warnings.warn(
            f"{', '.join(given)} shrinks the weights, and with them the variance that SELU keeps at "
            "1: the network self-normalizes less. Prefer dropout, which is alpha dropout here.",
            stacklevel=3,
        )
