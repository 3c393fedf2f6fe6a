"""The layers of a model as TensorBoard draws them."""

import json
from collections.abc import Iterator
from typing import Any

import keras


def layer_graph(model: keras.Model) -> Any:
    """Returns the graph of the layers, a `GraphDef`; None for a model that does not tell of them.

    Args:
        model: Sequential or functional, nested too; one of its own kind has no graph.
    """
    from tensorboard.plugins.graph.keras_util import keras_model_to_graph_def

    try:
        config = _as_expected(json.loads(model.to_json()))
        graph = keras_model_to_graph_def(config) if "layers" in config["config"] else None
    except Exception:  # a layer of somebody's own may not tell its settings, or tell strange ones
        return None
    for node in graph.node if graph else ():
        # Or else all is folded into one node, the model.
        node.name = node.name.removeprefix(f"{model.name}/")
        node.input[:] = [each.removeprefix(f"{model.name}/") for each in node.input]
    return graph


def _as_expected(layer: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a layer as TensorBoard expects it, which knows a part of Keras 3's."""
    config = layer["config"]
    if "input_layers" in config:
        config["input_layers"] = [name for name, *_ in _ends(config["input_layers"])]
        config["output_layers"] = list(_ends(config["output_layers"]))
    if isinstance(config.get("dtype"), dict):
        policy = keras.dtype_policies.deserialize(config["dtype"])
        config["dtype"] = policy.compute_dtype
    for each in config.get("layers", ()):
        _as_expected(each)
    return layer


def _ends(structure: Any) -> Iterator[list[Any]]:
    """The [layer, node, output] of inputs or outputs in any structure."""
    if isinstance(structure, list) and structure and isinstance(structure[0], str):
        yield structure
    else:
        for each in structure.values() if isinstance(structure, dict) else structure:
            yield from _ends(each)
