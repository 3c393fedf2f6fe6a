"""The parts that the builders put together: input, hidden layers, output."""

import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_recipes.adaptation import full_precision, standardize
from keras_recipes.checks import (
    check_choice,
    check_flag,
    check_instance,
    check_integer,
    check_number,
    check_sequence,
    check_text,
)
from keras_recipes.guide import initializer_for
from keras_recipes.layers import MCAlphaDropout, MCDropout, RReLU
from keras_recipes.layers.max_norm import INCOMING_AXES, ExactMaxNorm


@dataclass(frozen=True)
class Task:
    """What the kind of a task sets: the output's activation, the loss and the metrics."""

    activation: str
    loss: str
    metrics: list[str]


TASKS = {
    "regression": Task("linear", "mean_squared_error", ["root_mean_squared_error"]),
    "binary": Task("sigmoid", "binary_crossentropy", ["accuracy"]),
    "multiclass": Task("softmax", "sparse_categorical_crossentropy", ["accuracy"]),
    "multilabel": Task("sigmoid", "binary_crossentropy", ["binary_accuracy"]),
}

ACTIVATION_LAYERS = {"leaky_relu": layers.LeakyReLU, "prelu": layers.PReLU, "rrelu": RReLU}

# (after SELU, stays on at inference) -> layer
DROPOUT_LAYERS = {
    (False, False): ("dropout", layers.Dropout),
    (False, True): ("mc_dropout", MCDropout),
    (True, False): ("alpha_dropout", layers.AlphaDropout),
    (True, True): ("mc_alpha_dropout", MCAlphaDropout),
}


class Seeds:
    """Independent seeds for the parts of a model, drawn from one; None for None."""

    def __init__(self, seed: int | None) -> None:
        if seed is not None:
            check_integer("seed", seed, "[0, inf)", "For weights that differ each time pass None.")
        self._generator = None if seed is None else np.random.default_rng(seed)
        self._counted = 0

    def draw(self) -> int | None:
        return None if self._generator is None else int(self._generator.integers(2**31))

    def initializer(self, identifier: Any) -> Any:
        """An initializer whose draws are its own, though others were made from `identifier`.

        Where no seed was given they go by that of `identifier`: the first by it, the next by one
        more.
        """
        initializer = keras.initializers.get(identifier)
        config = initializer.get_config() if isinstance(initializer, keras.Initializer) else {}
        seed = config.get("seed")
        if "seed" not in config or (self._generator is None and isinstance(seed, dict)):
            return initializer  # a function, nothing random, or a generator that moves on by itself
        if self._generator is not None:
            seed = self.draw()
        elif seed is not None:
            seed, self._counted = (seed + self._counted) % 2**32, self._counted + 1
        return type(initializer).from_config({**config, "seed": seed})


@dataclass(frozen=True)
class Hidden:
    """What all hidden layers of a network have in common."""

    activation: str
    kernel_initializer: Any
    batch_norm: bool
    batch_norm_position: str
    batch_norm_momentum: float
    dropout: float
    mc_dropout: bool
    regularizer: keras.Regularizer | None
    constraint: keras.constraints.Constraint | None

    def __call__(
        self, x: Any, name: str, units: int, seeds: Seeds, layer: Callable[..., Any] = layers.Dense
    ) -> Any:
        norm_first = self.batch_norm and self.batch_norm_position == "before"
        inline = not norm_first and self.activation not in ACTIVATION_LAYERS
        x = layer(
            units,
            activation=self.activation if inline else None,
            use_bias=not norm_first,  # the shift of batch normalization takes its place
            kernel_initializer=seeds.initializer(self.kernel_initializer),
            kernel_regularizer=self.regularizer,
            kernel_constraint=self.constraint,
            name=name,
        )(x)
        if norm_first:
            x = self._batch_norm(name)(x)
        if not inline:
            x = self._activation(name, seeds)(x)
        if self.batch_norm and not norm_first:
            x = self._batch_norm(name)(x)
        if self.dropout > 0:
            kind, dropout = DROPOUT_LAYERS[self.activation == "selu", self.mc_dropout]
            x = dropout(self.dropout, seed=seeds.draw(), name=f"{name}_{kind}")(x)
        return x

    def _batch_norm(self, name: str) -> keras.Layer:
        return layers.BatchNormalization(
            momentum=self.batch_norm_momentum, name=f"{name}_batch_norm"
        )

    def _activation(self, name: str, seeds: Seeds) -> keras.Layer:
        name = f"{name}_{self.activation}"
        layer = ACTIVATION_LAYERS.get(self.activation)
        if layer is None:
            return layers.Activation(self.activation, name=name)
        return layer(seed=seeds.draw(), name=name) if layer is RReLU else layer(name=name)


def build_stack(
    input_shape: Any,
    n_outputs: int,
    task: str,
    hidden_units: Sequence[int],
    hidden: Hidden,
    adapt_to: Any,
    seed: int | None,
    name: str,
) -> keras.Model:
    """Returns the model, not compiled: input, hidden layers, output."""
    inputs, x = build_features(check_shape(input_shape), adapt_to)
    return build_head(inputs, x, n_outputs, task, hidden_units, hidden, Seeds(seed), name)


def build_head(
    inputs: Any,
    x: Any,
    n_outputs: int,
    task: str,
    hidden_units: Sequence[int],
    hidden: Hidden,
    seeds: Seeds,
    name: str,
) -> keras.Model:
    """Returns the model of `inputs` that goes on from the flat features `x`, not compiled."""
    n_outputs = _check_outputs(n_outputs, check_choice("task", task, TASKS))
    for index, units in enumerate(hidden_units, start=1):
        x = hidden(x, f"hidden_{index}", units, seeds)
    output = TASKS[task].activation
    x = layers.Dense(
        n_outputs,
        activation=output,
        kernel_initializer=seeds.initializer(initializer_for(output)),
        kernel_regularizer=hidden.regularizer,
        dtype=full_precision(),
        name="output",
    )(x)
    return keras.Model(inputs, x, name=check_text("name", name, "a string that is not empty"))


def build_features(shape: tuple[int, ...], adapt_to: Any) -> tuple[Any, Any]:
    """Returns a model's input, and the features made of it: standardized if asked, and flat."""
    x = inputs = keras.Input(shape, name="input")
    if adapt_to is not None:
        x = standardize(adapt_to, shape)(x)
    if len(shape) != 1:
        x = layers.Flatten(name="flatten")(x)
    return inputs, x


def penalty(l1: float, l2: float) -> keras.Regularizer | None:
    """Returns the penalty on kernels that is part of the loss, None where both are 0."""
    l1, l2 = check_number("l1", l1, "[0, inf)"), check_number("l2", l2, "[0, inf)")
    return keras.regularizers.L1L2(l1, l2) if l1 or l2 else None


def bound(
    max_norm: float | None, layer: type[keras.Layer] = layers.Dense
) -> keras.constraints.Constraint | None:
    """Returns the constraint on the norms of a layer's units or filters, None for none."""
    if max_norm is None:
        return None
    limit = check_number("max_norm", max_norm, "(0, inf)", "For no bound pass None.")
    return ExactMaxNorm(limit, INCOMING_AXES[layer])


def split_l1(l1: float, exact_zeros: bool) -> tuple[float, float | None]:
    """Returns the L1 penalty of the loss, and that of the optimizer's step, one of them none."""
    l1 = check_number("l1", l1, "[0, inf)")
    check_flag("exact_zeros", exact_zeros)
    return (0.0, l1) if exact_zeros and l1 else (l1, None)


def check_shape(input_shape: Any) -> tuple[int, ...]:
    """Returns the shape of one example as a tuple."""
    hint = "Pass the shape of one example, without the batch axis: (8,), or 8."
    shape = [input_shape]
    if not isinstance(input_shape, numbers.Integral):
        expected = "an integer or a tuple of integers"
        shape = check_sequence("input_shape", input_shape, expected, hint)
    if not shape:
        raise ValueError(
            f"`input_shape` must have at least one axis. Received: input_shape={input_shape!r}. {hint}"
        )
    return tuple(check_integer("input_shape", axis, "[1, inf)", hint) for axis in shape)


def _check_outputs(n_outputs: int, task: str) -> int:
    interval = {"binary": "[1, 1]", "multiclass": "[2, inf)"}.get(task, "[1, inf)")
    hint = {
        "binary": 'It is one probability; for a column for each class choose task="multiclass".',
        "multiclass": "It is the number of classes.",
    }.get(task, "")
    return check_integer("n_outputs", n_outputs, interval, hint)


def check_widths(hidden_units: Any) -> list[int]:
    """Returns the widths of the hidden layers as a list."""
    hint = "For three layers of 100 units pass (100, 100, 100)."
    widths = check_sequence("hidden_units", hidden_units, "a sequence of widths", hint)
    if not widths:
        raise ValueError(
            "`hidden_units` must have at least one width. Received: "
            f"hidden_units={hidden_units!r}. {hint}"
        )
    return [check_integer("hidden_units", units, "[1, inf)", hint) for units in widths]


def check_mc_dropout(mc_dropout: bool, dropout: float) -> bool:
    """Returns whether dropout stays on at inference, which takes some dropout."""
    if check_flag("mc_dropout", mc_dropout) and dropout == 0:
        raise ValueError(
            "`mc_dropout` must go with a dropout rate. Received: mc_dropout=True, dropout=0. "
            "Pass dropout=0.2, say."
        )
    return mc_dropout


def check_initializer(kernel_initializer: Any, matched: str) -> Any:
    """Returns what is to initialize the hidden layers, `matched` for None."""
    if kernel_initializer is None:
        return matched
    hint = "For the one that goes with the activation pass None."
    expected = "a Keras initializer, its name or None"
    check_instance("kernel_initializer", kernel_initializer, (str, Callable), expected, hint)
    try:
        initializer = keras.initializers.get(kernel_initializer)
        if not isinstance(initializer, keras.Initializer):
            _check_draw(initializer)
        return initializer
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"`kernel_initializer` must be {expected}. Received: "
            f"kernel_initializer={kernel_initializer!r}. {hint}"
        ) from error


def _check_draw(initializer: Callable[..., Any]) -> None:
    shape = getattr(initializer((2, 3), dtype=keras.config.floatx()), "shape", None)
    if shape is None or tuple(shape) != (2, 3):
        raise ValueError(f"Weights of shape (2, 3) were asked for. Received: shape {shape}.")
