from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras

from keras_recipes.guide import (
    ALIASES,
    DEEP_FROM,
    DEFAULT_SETUP,
    INITIALIZERS,
    SELF_NORMALIZING_SETUP,
)
from keras_recipes.models import build_default_dnn
from keras_recipes.search_spaces.dimensions import Dimension, Range
from keras_recipes.search_spaces.space import SearchSpace

ACTIVATIONS = tuple(name for name in INITIALIZERS if name not in ("linear", "softmax", "selu"))
PENALTY = Range(1e-6, 1e-2, logarithmic=True)
BATCH = {"normalization": ("batch",)}
SELU = {"activation": ("selu",)}
NOT_SELU = {"activation": tuple(name for name in (*INITIALIZERS, *ALIASES) if name != "selu")}
ALPHA_DROPOUT = Dimension(Range(0.0, 0.2), SELF_NORMALIZING_SETUP.dropout, "[0, 1)")

DIMENSIONS = {
    "n_hidden": Dimension(Range(1, 10), 3, "[1, inf)"),
    "n_units": Dimension(Range(16, 512, logarithmic=True), 100, "[1, inf)"),
    "activation": Dimension(
        ACTIVATIONS, DEFAULT_SETUP.activation, allowed=(*INITIALIZERS, *ALIASES)
    ),
    "normalization": Dimension(("none", "batch"), "none"),
    "batch_norm_position": Dimension(("before", "after"), "before", only_with=BATCH),
    "batch_norm_momentum": Dimension((0.9, 0.99), 0.99, "[0, 1)", only_with=BATCH),
    "dropout": Dimension(Range(0.0, 0.5), DEFAULT_SETUP.dropout, "[0, 1)", only_with=NOT_SELU),
    "alpha_dropout": replace(ALPHA_DROPOUT, only_with=SELU),
    "penalty": Dimension(("none", "l1", "l2"), "none", allowed=("none", "l1", "l2", "l1_l2")),
    "l1": Dimension(PENALTY, 1e-5, "(0, inf)", only_with={"penalty": ("l1", "l1_l2")}),
    "l2": Dimension(PENALTY, 1e-4, "(0, inf)", only_with={"penalty": ("l2", "l1_l2")}),
    "max_norm": Dimension((0.0, 1.0, 2.0, 3.0, 4.0), 0.0, "[0, inf)"),  # 0 for no bound
}


def layer_arguments(values: dict[str, Any]) -> dict[str, Any]:
    """Returns what the builders take of these dimensions, but for depth and width.

    Args:
        values: Of the dimensions that count.
    """
    same = ("activation", "batch_norm_position", "batch_norm_momentum", "l1", "l2")
    return {
        **{name: values[name] for name in same if name in values},
        "dropout": values.get("dropout", values.get("alpha_dropout")),
        "normalization": "batch" if values["normalization"] == "batch" else None,
        "max_norm": values["max_norm"] or None,
    }


class DefaultDNN(SearchSpace):
    """A search space around the book's default network, for keras-tuner.

    Each dimension may be fixed by its name as a keyword, `n_hidden=3`, or narrowed: a list has
    values to choose from, `batch_size=[32, 64]`, and a tuple the bounds of a range,
    `n_units=(50, 200)`. They may lie outside of what is searched by default, wherever the builder
    takes them. The initializer goes with the activation. What counts only with another dimension's
    value, such as the position of batch normalization, is searched only there; where it is fixed,
    the first trial has such a value: `l2=1e-3` goes with `penalty="l2"`.

    Args:
        input_shape: Shape of one example, as for `build_default_dnn`.
        n_outputs: Number of targets, of labels, or of classes.
        task: As for `build_default_dnn`.
        adapt_to: As for `build_default_dnn`.
        metrics: As for `build_default_dnn`.
        seed: The same one gives the same weights, dropout and order of the data in each trial.
        **dimensions: `n_hidden`, `n_units` (a hidden layer), `activation`, `normalization` ("none" or
            "batch") with `batch_norm_position` and `batch_norm_momentum`, `dropout`, or
            `alpha_dropout` where the activation is SELU, `penalty` ("none", "l1", "l2", or, if asked
            for, "l1_l2") with `l1` and `l2`, `max_norm` (0 for none), `optimizer`, `schedule`, `rate`
            ("auto", or "chosen" with `learning_rate`), `momentum` (where the optimizer has one, and
            the schedule is not 1cycle, which cycles it by itself), `clip` with `clip_threshold`,
            `batch_size`.

    Raises:
        TypeError: If a keyword is not a dimension, or an argument is of the wrong kind.
        ValueError: If a value is out of range, or never counts with the others.

    Example:
        >>> space = DefaultDNN(8, adapt_to=x_train, n_hidden=(2, 5), activation="elu")
        >>> tuner = keras_tuner.RandomSearch(space, "val_loss", max_trials=20)
        >>> tuner.search(x_train, y_train, validation_data=(x_val, y_val), epochs=10)

    Reference: Geron, *Hands-On Machine Learning*, 2nd ed. (2019), chapters 10 and 11.
    """

    def __init__(
        self,
        input_shape: int | Sequence[int],
        n_outputs: int = 1,
        task: str = "regression",
        *,
        adapt_to: Any = None,
        metrics: Sequence[Any] | None = None,
        seed: int | None = None,
        **dimensions: Any,
    ) -> None:
        super().__init__(
            _around(dimensions), dimensions, input_shape, n_outputs, task, adapt_to, metrics, seed
        )

    def _make_model(self, values: dict[str, Any], **arguments: Any) -> keras.Model:
        return build_default_dnn(
            hidden_units=[int(values["n_units"])] * int(values["n_hidden"]),
            **layer_arguments(values),
            **arguments,
        )


def _around(given: dict[str, Any]) -> dict[str, Dimension]:
    """The dimensions, with batch normalization as the default where the default is deep."""
    depth, normalization = DIMENSIONS["n_hidden"], DIMENSIONS["normalization"]
    if "n_hidden" in given:
        depth = depth.narrowed("n_hidden", given["n_hidden"])
    default = "batch" if int(depth.default) >= DEEP_FROM else "none"
    return {**DIMENSIONS, "normalization": replace(normalization, default=default)}
