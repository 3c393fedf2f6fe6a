"""Which outputs are probabilities, of what kind, and which are logits of them."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import losses, ops, tree

KINDS = ("softmax", "sigmoid")
OF_CLASSES = {
    losses.sparse_categorical_crossentropy: "softmax",
    losses.categorical_crossentropy: "softmax",
    losses.categorical_focal_crossentropy: "softmax",
    losses.binary_crossentropy: "sigmoid",
    losses.binary_focal_crossentropy: "sigmoid",
}
OF_NUMBERS = (
    losses.mean_squared_error,
    losses.mean_absolute_error,
    losses.mean_absolute_percentage_error,
    losses.mean_squared_logarithmic_error,
    losses.huber,
    losses.log_cosh,
    losses.poisson,
    losses.cosine_similarity,
)


@dataclass(frozen=True)
class Link:
    """How an output gives probabilities.

    Args:
        kind: `"softmax"`, `"sigmoid"`, or None for an output that gives none.
        of_logits: Whether the model leaves it to its loss, so that the output is logits.
    """

    kind: str | None
    of_logits: bool = False

    def applied(self, output: Any) -> Any:
        """Returns the probabilities, or the output of a model that gives none."""
        if not self.of_logits:
            return output
        return getattr(ops, str(self.kind))(ops.cast(output, "float32"))


def links_of(model: keras.Model, operations: list[Any], shapes: list[Any]) -> list[Link | None]:
    """Returns how each output of a model gives probabilities, by its loss and by its operation.

    A loss of regressions means that it gives none, and so does a softmax of another axis than the
    last. Else a softmax or a sigmoid at the end is one; without it a cross-entropy says what the
    output is.

    Args:
        model: A `keras.Model`, compiled or not.
        operations: What gives each output: a layer, a model with a `call` of its own, an operation
            of `keras.ops`.
        shapes: Of each output, None where it is not known.

    Returns:
        A list, with None where neither tells: what is not a layer of Keras may end in anything.
    """
    losses = _losses_of(model, len(operations))
    return [_link_of(*each) for each in zip(operations, shapes, losses, strict=True)]


def _link_of(operation: Any, shape: Any, loss: Any) -> Link | None:
    loss = keras.losses.get(loss)
    function = getattr(loss, "fn", loss)
    if function in OF_NUMBERS:
        return Link(None)
    while isinstance(operation, keras.layers.Wrapper):
        operation = operation.layer
    activation = getattr(operation, "activation", None)
    end = operation if activation is None else activation  # a function, or a layer
    kind = getattr(end, "__name__", type(end).__name__).lower()
    if kind in KINDS:
        of_each = getattr(end, "axis", -1) in (-1, len(shape or ()) - 1)
        return Link(kind if of_each else None)
    if function in OF_CLASSES:
        return Link(OF_CLASSES[function], getattr(loss, "from_logits", False))
    return None if activation is None else Link(None)


def _losses_of(model: keras.Model, n_outputs: int) -> list[Any]:
    loss = getattr(model, "loss", None)
    if isinstance(loss, dict):
        outputs = getattr(model, "_outputs_struct", None)
        by_key = isinstance(outputs, dict) and set(loss) <= set(outputs)
        names = sorted(outputs or ()) if by_key else getattr(model, "output_names", ())
        loss = [loss.get(name) for name in names]
    each = list(loss) if isinstance(loss, list | tuple) else [loss] * n_outputs
    known = len(each) == n_outputs and not any(map(tree.is_nested, each))
    return each if known else [None] * n_outputs
