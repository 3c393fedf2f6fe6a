"""The book's tables as data: which initializer, which activation, which set-up, and why.

Reference: A. Geron, *Hands-On Machine Learning with Scikit-Learn, Keras & TensorFlow*, 2nd ed.,
chapter 11 (2019), tables 11-1, 11-3 and 11-4.
"""

import importlib
from dataclasses import asdict, dataclass
from typing import Any

import keras

from keras_recipes.checks import check_flag, check_integer

GLOROT, HE, LECUN = "glorot_uniform", "he_normal", "lecun_normal"

# Table 11-1, with the rectifiers that came later put beside ReLU.
INITIALIZERS = {
    "linear": GLOROT,
    "tanh": GLOROT,
    "sigmoid": GLOROT,
    "softmax": GLOROT,
    "relu": HE,
    "leaky_relu": HE,
    "prelu": HE,
    "rrelu": HE,
    "elu": HE,
    "gelu": HE,
    "silu": HE,
    "mish": HE,
    "selu": LECUN,
}

ALIASES = {"logistic": "sigmoid", "swish": "silu", "none": "linear"}

# Best first. The rectifiers between ELU and ReLU are variants that the book ranks as one.
PREFERENCE = ("selu", "elu", "leaky_relu", "prelu", "rrelu", "relu", "tanh", "sigmoid")

# What `learning_rate=None` means for a constant rate: Keras's own defaults.
LEARNING_RATES = {
    "sgd": 0.01,
    "momentum": 0.01,
    "nesterov": 0.01,
    "adagrad": 0.001,
    "rmsprop": 0.001,
    "adam": 0.001,
    "adamax": 0.001,
    "nadam": 0.001,
    "adamw": 0.001,
}

# `normalization="auto"` adds batch normalization from this many hidden layers on. Unnormalized
# networks were found hard to train from five hidden layers (Glorot & Bengio, 2010) with the
# initializers of their time; He's and ELU carry the signal further.
DEEP_FROM = 10


@dataclass(frozen=True)
class Setup:
    """One of the book's two default set-ups: what a builder uses where its caller is silent."""

    activation: str
    kernel_initializer: str
    normalization: str | None
    regularization: str
    dropout: float = 0.0
    optimizer: str = "momentum"
    schedule: str = "1cycle"


DEFAULT_SETUP = Setup("elu", HE, "auto", "early stopping, and l2 if needed")  # table 11-3
SELF_NORMALIZING_SETUP = Setup("selu", LECUN, None, "alpha dropout if needed")  # table 11-4

# condition -> activation, why; what stands first goes before what follows
ASKED_FOR = {
    "latency_critical": (
        "leaky_relu",
        "Leaky ReLU is the cheapest that cannot die: no exponential to compute.",
    ),
    "overfitting": (
        "rrelu",
        "RReLU draws its slopes at random in training, which regularizes.",
    ),
    "large_data": (
        "prelu",
        "PReLU learns its slopes; only very large data keep them from overfitting.",
    ),
}


def canonical_activation(activation: Any) -> str:
    """Returns the name that the tables have for an activation.

    Args:
        activation: A name (`"swish"` and `"silu"` are one), a function of `keras.activations`, or
            None for a linear unit.

    Raises:
        TypeError: If it is neither.
        ValueError: If the tables do not have it.
    """
    name = "linear" if activation is None else getattr(activation, "__name__", activation)
    if not isinstance(name, str):
        raise TypeError(
            "`activation` must be a name, a function of keras.activations or None. "
            f"Received: activation={activation!r}. Choose from {', '.join(INITIALIZERS)}."
        )
    name = ALIASES.get(name.lower(), name.lower())
    if name not in INITIALIZERS:
        raise ValueError(
            f"`activation` must be one of {', '.join([*INITIALIZERS, *ALIASES])}. "
            f"Received: activation={activation!r}. For another one, use keras.layers.Activation in "
            "a model of your own."
        )
    return name


def initializer_for(activation: Any) -> str:
    """Returns the name of the initializer that keeps the signal's variance for an activation.

    Args:
        activation: A name, a function of `keras.activations`, or None for a linear unit.

    Returns:
        `"glorot_uniform"`, `"he_normal"` or `"lecun_normal"`.

    Raises:
        TypeError: If `activation` is neither a name nor a function.
        ValueError: If the tables do not have it.

    Example:
        >>> initializer_for("elu")
        'he_normal'

    Reference: Glorot & Bengio (2010), He et al. (2015, arXiv:1502.01852), Klambauer et al. (2017,
    arXiv:1706.02515).
    """
    return INITIALIZERS[canonical_activation(activation)]


@dataclass(frozen=True)
class Recommendation:
    """What `recommend` advises, and why; `build` makes the model.

    Args:
        setup: Name of the set-up, `"default"` or `"self-normalizing"`.
        hidden_layers: Number of hidden layers.
        activation: Name of the hidden activation.
        kernel_initializer: Name of the initializer that goes with it.
        normalization: `"batch"` or None.
        clipnorm: Bound on the norm of each gradient, or None. `build` leaves it out where its
            caller clips otherwise, or passes an optimizer that is an object: clip there.
        reasons: One sentence for each choice.
    """

    setup: str
    hidden_layers: int
    activation: str
    kernel_initializer: str
    normalization: str | None
    clipnorm: float | None
    reasons: tuple[str, ...]

    def build(
        self, input_shape: Any, n_outputs: int = 1, task: str = "regression", **keywords: Any
    ) -> keras.Model:
        """Returns the compiled model, `keywords` going to the builder before the advice.

        An optimizer that is an object clips by its own settings, not as advised.

        Args:
            input_shape: Shape of one example, a tuple or an int.
            n_outputs: Number of outputs, or of classes.
            task: `"regression"`, `"binary"`, `"multiclass"` or `"multilabel"`.
            **keywords: Any keyword of the builder.
        """
        # The guide lies below the builders: it finds the one it names when it is asked to build.
        package = importlib.import_module("keras_recipes")
        build = {
            "default": package.build_default_dnn,
            "self-normalizing": package.build_self_normalizing_dnn,
        }[self.setup]
        advice = asdict(self)
        for field in ("setup", "hidden_layers", "reasons"):
            del advice[field]
        by_name = isinstance(keywords.get("optimizer", ""), str)
        if not by_name or keywords.keys() & {"clipvalue", "global_clipnorm"}:
            del advice["clipnorm"]
        advice["hidden_units"] = (100,) * self.hidden_layers
        return build(input_shape, n_outputs, task, **{**advice, **keywords})

    def __str__(self) -> str:
        head = f"{self.setup} set-up, {self.activation} with {self.kernel_initializer}"
        return "\n".join([head, *(f"  - {reason}" for reason in self.reasons)])


def recommend(
    *,
    depth: int,
    sequential: bool = True,
    latency_critical: bool = False,
    overfitting: bool = False,
    large_data: bool = False,
    recurrent: bool = False,
) -> Recommendation:
    """Returns the book's advice for a network, with the reason for each choice.

    Args:
        depth: Number of hidden layers, at least 1.
        sequential: Whether the network is a plain stack of dense layers. Skip connections and
            recurrent layers keep it from self-normalizing.
        latency_critical: Whether the time of a prediction matters most.
        overfitting: Whether an earlier network of yours overfits.
        large_data: Whether the training set is very large.
        recurrent: Whether the network has recurrent layers.

    Returns:
        A `Recommendation`. Where several conditions ask for different activations, latency goes
        before overfitting, and overfitting before large data.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If `depth` is less than 1.

    Example:
        >>> recommend(depth=3, sequential=False).activation
        'elu'
    """
    check_integer("depth", depth, "[1, inf)", "Count the hidden layers, without the output.")
    check_flag("sequential", sequential)
    check_flag("recurrent", recurrent)
    given = (latency_critical, overfitting, large_data)
    asked = [name for name, flag in zip(ASKED_FOR, given, strict=True) if check_flag(name, flag)]
    activation, reasons = _choose_activation(sequential and not recurrent, asked)
    if activation == "selu":
        setup, normalization, tables = "self-normalizing", None, SELF_NORMALIZING_SETUP
        reasons.append(
            "SELU keeps the scale of the signal by itself, so nothing else normalizes it."
        )
    else:
        setup, tables = "default", DEFAULT_SETUP
        normalization = "batch" if depth >= DEEP_FROM else None
        side = "deep: batch normalization" if normalization else "shallow: no normalization"
        reasons.append(f"{depth} hidden layers against {DEEP_FROM} count as {side}.")
    if recurrent:
        reasons.append(
            "Recurrent layers multiply by the same weights at each time step, where gradients "
            "explode and batch normalization is awkward: clip the norm of the gradients."
        )
    reasons.append(f"Regularization: {tables.regularization}.")
    return Recommendation(
        setup=setup,
        hidden_layers=depth,
        activation=activation,
        kernel_initializer=initializer_for(activation),
        normalization=normalization,
        clipnorm=1.0 if recurrent else None,
        reasons=tuple(reasons),
    )


def _choose_activation(stack: bool, asked: list[str]) -> tuple[str, list[str]]:
    if asked:
        activation, why = ASKED_FOR[asked[0]]
        others = (
            f"`{name}` asks for {ASKED_FOR[name][0]}, but `{asked[0]}` goes before it."
            for name in asked[1:]
        )
        return activation, [why, *others]
    if not stack:
        why = "Not a plain stack of dense layers, so SELU cannot self-normalize: ELU."
        return "elu", [why]
    return PREFERENCE[0], ["A plain stack of dense layers can self-normalize: SELU."]
