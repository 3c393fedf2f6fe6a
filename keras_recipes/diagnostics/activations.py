"""What is known of activations: their names, and which of them flatten out."""

from typing import Any

import keras
from keras import layers

LINEAR = "linear"
CUSTOM = "custom"  # a function without a name

# activation -> its steepest slope, of those that flatten out at values other than 0
SATURATING = {
    "sigmoid": 1 / 4,
    "hard_sigmoid": 1 / 6,
    "sparse_sigmoid": 1 / 2,
    "log_sigmoid": 1.0,
    "tanh": 1.0,
    "hard_tanh": 1.0,
    "softsign": 1.0,
    "elu": 1.0,
    "celu": 1.0,
    "selu": 1.0507009873554805 * 1.6732632423543772,
}
# Of these a unit's output depends on the inputs of others: there is no slope of its own.
MIXING = ("softmax", "log_softmax", "sparsemax", "glu")

OF_KERAS = [name for name in dir(keras.activations) if name[0] != "_" and name != LINEAR]
# `ReLU`, `LeakyReLU`, `HardSigmoid`: classes of layers and of operations, as one word
BY_CLASS = {name.replace("_", ""): name for name in (*OF_KERAS, "prelu", "rrelu")}
KNOWN = frozenset((LINEAR, *OF_KERAS, *BY_CLASS.values()))  # of others their slopes have to tell


def activation_name(activation: Any) -> str:
    """Returns the name of what a layer has for its activation: None, a function or a layer."""
    if activation is None:
        return LINEAR
    if isinstance(activation, keras.Operation):
        return name_of_operation(activation) or CUSTOM
    name = getattr(activation, "__name__", CUSTOM)
    return CUSTOM if name == "<lambda>" else name


def name_of_operation(operation: Any) -> str | None:
    """Returns the name of an activation that stands apart, as a layer or an operation; None for others."""
    if isinstance(operation, layers.Activation):
        return activation_name(operation.activation)
    for kind in type(operation).__mro__:
        if name := BY_CLASS.get(kind.__name__.lower()):
            leaky = name == "relu" and getattr(operation, "negative_slope", 0.0) != 0
            return "leaky_relu" if leaky else name
    return None
