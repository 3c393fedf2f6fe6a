"""Copies of models, some of whose layers are others."""

from collections.abc import Callable
from typing import Any

import keras

from keras_recipes.checks import check_instance

LOOKUPS = (keras.layers.IntegerLookup, keras.layers.StringLookup, keras.layers.TextVectorization)


def copy_of(model: Any, clone_layer: Callable[[keras.Layer], keras.Layer]) -> keras.Model:
    """Returns a copy for inference, with the same weights and vocabularies, and no optimizer.

    Args:
        model: A Sequential or functional `keras.Model`, built.
        clone_layer: What makes a layer of the copy of one of the model.

    Raises:
        TypeError: If it is no `keras.Model`.
        ValueError: If it is neither Sequential nor functional.
    """
    check_instance("model", model, keras.Model, "a keras.Model")
    if not getattr(model, "inputs", None):
        raise ValueError(
            "`model` must be Sequential or functional, and built. Received: "
            f"{type(model).__name__} {model.name!r}. Make it keras.Model(inputs, outputs)."
        )

    def with_vocabulary(layer: keras.Layer) -> keras.Layer:
        copy = clone_layer(layer)
        if isinstance(layer, LOOKUPS):
            _take_vocabulary(copy, layer)
        return copy

    clone = keras.models.clone_model(model, clone_function=with_vocabulary, recursive=True)
    clone.set_weights(model.get_weights())
    for layer in clone._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    # A clone is compiled; made anew of its layers it is not.
    if isinstance(clone, keras.Sequential):
        return keras.Sequential([clone.inputs[0], *clone.layers], name=model.name)
    return keras.Model(clone.input, clone.output, name=model.name)


def _take_vocabulary(copy: keras.Layer, layer: keras.Layer) -> None:
    """Gives the copy what `adapt` has learned, which is neither in the config nor in the weights."""
    vocabulary = layer.get_vocabulary()
    kept: dict[str, Any] = {}
    layer.save_own_variables(kept)
    weights = kept.get("idf_weights")
    copy.set_vocabulary(vocabulary, None if weights is None else weights[: len(vocabulary)])
