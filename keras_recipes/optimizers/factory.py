"""An optimizer by its name in the book."""

from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from keras_recipes.checks import check_choice, check_number
from keras_recipes.guide import LEARNING_RATES
from keras_recipes.optimizers.arguments import check_arguments, check_momentum, check_rate
from keras_recipes.optimizers.momentum import SGD, Adam, AdamW, Nadam, ScheduledMomentum
from keras_recipes.optimizers.proximal import ProximalSGD

# name -> class, the argument that is its momentum (None: it has none), fixed arguments
OPTIMIZERS: dict[str, tuple[type, str | None, dict[str, Any]]] = {
    "sgd": (SGD, None, {}),
    "momentum": (SGD, "momentum", {"momentum": 0.9}),
    "nesterov": (SGD, "momentum", {"momentum": 0.9, "nesterov": True}),
    "adagrad": (keras.optimizers.Adagrad, None, {}),
    "rmsprop": (keras.optimizers.RMSprop, None, {}),
    "adam": (Adam, "beta_1", {}),
    "adamax": (keras.optimizers.Adamax, "beta_1", {}),
    "nadam": (Nadam, "beta_1", {}),
    "adamw": (AdamW, "beta_1", {}),
}


def make_optimizer(
    name: str,
    learning_rate: Any = None,
    *,
    momentum: Any = None,
    clipvalue: float | None = None,
    clipnorm: float | None = None,
    global_clipnorm: float | None = None,
    weight_decay: float | None = None,
    l1: float | None = None,
) -> keras.Optimizer:
    """Returns an optimizer by its name in the book, with its gradients clipped if asked.

    Args:
        name: `"sgd"`, `"momentum"`, `"nesterov"`, `"adagrad"`, `"rmsprop"`, `"adam"`, `"adamax"`,
            `"nadam"` or `"adamw"`.
        learning_rate: A number > 0 or a schedule; None for Keras's default.
        momentum: A number in [0, 1), or a schedule, for SGD's momentum or the `beta_1` of the Adam
            family; None for 0.9. Adamax takes no schedule; sgd, adagrad and rmsprop no momentum.
        clipvalue: Bound, > 0, on each component of the gradient, which may turn it.
        clipnorm: Bound, > 0, on the norm of each variable's gradient, which keeps its direction.
        global_clipnorm: Bound, > 0, on the norm of all gradients together. At most one of the three.
        weight_decay: Decoupled weight decay, >= 0, times the learning rate, a step; None for the
            optimizer's own: 0.004 for adamw, else 0.
        l1: L1 penalty on the kernels, >= 0, by the proximal step of `optimizers.ProximalSGD`, which
            gives exact zeros; None for none. For sgd, momentum and nesterov.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range, or the optimizer does not have it.

    Example:
        >>> optimizer = make_optimizer("nesterov", 0.02, momentum=0.95, clipnorm=1.0)

    Reference: Geron, *Hands-On Machine Learning*, 2nd ed., chapter 11 (2019), Faster Optimizers.
    """
    check_choice("name", name, OPTIMIZERS)
    optimizer, momentum_argument, fixed = OPTIMIZERS[name]
    given = {
        "clipvalue": clipvalue,
        "clipnorm": clipnorm,
        "global_clipnorm": global_clipnorm,
    }
    if weight_decay is not None:  # None is not what AdamW takes for its own
        given["weight_decay"] = weight_decay
    rate = LEARNING_RATES[name] if learning_rate is None else learning_rate
    arguments = {**fixed, **check_arguments(given), "learning_rate": check_rate(rate)}
    momentum = _check_momentum(name, momentum)
    if momentum is not None and momentum_argument is not None:
        arguments[momentum_argument] = momentum
    if l1 is not None:
        optimizer, arguments["l1"] = ProximalSGD, _check_l1(name, l1)
    return optimizer(**arguments)


def _check_momentum(name: str, momentum: Any) -> Any:
    optimizer, momentum_argument, _ = OPTIMIZERS[name]
    if momentum is None:
        return None
    if momentum_argument is None:
        able = ", ".join(repr(key) for key, (_, argument, _) in OPTIMIZERS.items() if argument)
        raise ValueError(
            f"`momentum` must be None for {name!r}, which has none. Received: momentum={momentum!r}. "
            f"Optimizers with momentum are {able}."
        )
    if isinstance(momentum, LearningRateSchedule) and not issubclass(optimizer, ScheduledMomentum):
        raise ValueError(
            f"`momentum` must be a number for {name!r}. Received: momentum={momentum!r}. "
            "For a schedule choose adam, nadam or adamw."
        )
    return check_momentum("momentum", momentum)


def _check_l1(name: str, l1: float) -> float:
    if OPTIMIZERS[name][0] is not SGD:
        able = ", ".join(repr(key) for key, (kind, _, _) in OPTIMIZERS.items() if kind is SGD)
        raise ValueError(
            f"`l1` must be None for {name!r}, which scales the step of each weight by itself, so "
            f"that no proximal step gives exact zeros. Received: l1={l1!r}. Choose one of {able}, "
            "or put the penalty into the loss: exact_zeros=False in a builder."
        )
    return check_number("l1", l1, "[0, inf)", "For no penalty pass None.")
