"""What a network with Monte Carlo layers predicts without them."""

import keras

from keras_recipes.model_copies import copy_of
from keras_recipes.uncertainty.sampling import KINDS


def deterministic(model: keras.Model) -> keras.Model:
    """Returns a copy whose dropout is off at inference, that of the MC layers too.

    `MCDropout`, `MCAlphaDropout` and layers of one's own that are derived from a dropout of Keras
    become that dropout. What the copy predicts is the usual approximation of the mean over the
    draws: all units, none scaled, in one pass.

    Args:
        model: A Sequential or functional `keras.Model`, built.

    Returns:
        A model that is not compiled, with the same weights.

    Raises:
        TypeError: If it is no `keras.Model`.
        ValueError: If it is neither Sequential nor functional, or has dropout of one's own deep
            inside another layer.

    Example:
        >>> predict(deterministic(model), x_test).shape  # the same each time
        (500, 10)
    """
    copy = copy_of(model, _plain)
    left = [layer for layer in copy._flatten_layers() if isinstance(layer, KINDS)]
    names = [layer.name for layer in left if type(layer) is not _kind(layer)]
    if names:
        raise ValueError(
            "`model` must have its dropout between its layers. Received: one with "
            f"{', '.join(names)} inside another layer. Build it with keras.layers.Dropout: "
            "`mc_predict` draws from that as well."
        )
    return copy


def _plain(layer: keras.Layer) -> keras.Layer:
    kind = _kind(layer) if isinstance(layer, KINDS) else type(layer)
    return kind.from_config(kind.get_config(layer))


def _kind(layer: keras.Layer) -> type[keras.Layer]:
    """The class of Keras that a layer is of, or is derived from."""
    return next(kind for kind in type(layer).__mro__ if kind.__module__.startswith("keras."))
