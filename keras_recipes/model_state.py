"""All that a training changes in a model: made before the first step, and put back."""

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops, tree
from keras.src.random.seed_generator import global_seed_generator  # Keras has no public name for it

from keras_recipes.graph_passes import without_kept_gradients
from keras_recipes.optimizers.following import innermost


def is_built(model: keras.Model) -> bool:
    """Whether all layers of a model have their weights."""
    return all(layer.built for layer in model._flatten_layers())


@without_kept_gradients()
def build_from(model: keras.Model, batch: Any) -> None:
    """Makes all variables of a model, its metrics and its optimizer, outside of any graph.

    Args:
        model: A compiled model.
        batch: A tuple (x, y) or (x, y, sample_weight), of any number of examples.
    """
    tensors = tree.map_structure(
        lambda each: each if each is None else ops.convert_to_tensor(each), batch
    )
    model._symbolic_build(data_batch=tensors)


@contextlib.contextmanager
def as_it_was(model: keras.Model, batch: Any) -> Iterator[None]:
    """Gives all variables back their values, of optimizers, seeds and states too.

    Args:
        model: A compiled model.
        batch: As for `build_from`.
    """
    build_from(model, batch)
    rate = innermost(model.optimizer)._learning_rate
    # A step of the model's own may take those of several.
    optimizers = (each for each in vars(model).values() if isinstance(each, keras.Optimizer))
    variables = [*model.variables, *model.metrics_variables, global_seed_generator().state]
    variables += itertools.chain.from_iterable(each.variables for each in optimizers)
    # Of recurrent layers that keep them from batch to batch; Keras does not track them.
    states = [getattr(each, "states", None) for each in model._flatten_layers()]
    variables += [each for each in tree.flatten(states) if isinstance(each, keras.Variable)]
    kept = [(each, ops.convert_to_numpy(each)) for each in variables if each is not rate]
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)
