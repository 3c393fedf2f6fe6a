"""Say what is wrong with a saved model: vanishing or exploding gradients, dead or saturated units."""

import argparse
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_recipes as kr
from keras_recipes.array_checks import LABELS_LOSSES
from keras_recipes.datasets import Dataset
from keras_recipes.extras import import_extra
from recipes.command import Parser, add_data_flags, run


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument(
        "--model", type=Path, required=True, help="a compiled model, as .keras file"
    )
    add_data_flags(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the split")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draws the layers into an image")
    arguments = parser.parse_args()
    if not arguments.model.is_file():
        parser.error(f"argument --model: must be a file. Received: {arguments.model}")
    if arguments.plot and not arguments.plot.parent.is_dir():
        parser.error(f"argument --plot: must be in a directory. Received: {arguments.plot}")
    data = kr.load_dataset(
        arguments.data, arguments.target, task=arguments.task, seed=arguments.seed
    )
    model = _load(arguments.model, parser)
    diagnosis = kr.diagnose(model, _inputs_for(model, data), _targets_for(model, data))
    print(diagnosis)
    if arguments.plot:
        import_extra("matplotlib", "plot").use("agg")
        diagnosis.plot().savefig(arguments.plot)
        print(f"Figure: {arguments.plot}")


def _load(path: Path, parser: argparse.ArgumentParser) -> keras.Model:
    try:
        return keras.models.load_model(path)
    except (ValueError, TypeError, ImportError) as error:
        reason = str(error).strip().split("\n")[0]
        parser.error(
            f"argument --model: must be a model that Keras can load. Received: {path}: {reason} "
            "Save it by model.save; with layers of your own, call kr.diagnose where they are defined"
        )


def _inputs_for(model: keras.Model, data: Dataset) -> np.ndarray:
    """The inputs in the shape that the model takes, where they have as many numbers."""
    shape = _single(model, "input")[1:]
    if None not in shape and math.prod(shape) == math.prod(data.input_shape):
        return data.x_train.reshape(-1, *shape)
    return data.x_train


def _targets_for(model: keras.Model, data: Dataset) -> np.ndarray:
    """The targets; class indices as one-hot vectors, where the loss takes no indices."""
    loss = getattr(model, "loss", None)
    name = getattr(loss, "name", getattr(loss, "__name__", loss))
    classes = _single(model, "output")[-1]
    n_classes = len(data.class_names) if data.task in ("binary", "multiclass") else 0
    if n_classes and classes == n_classes and name not in LABELS_LOSSES:
        return np.eye(classes, dtype="float32")[data.y_train.reshape(-1).astype(int)]
    return data.y_train


def _single(model: keras.Model, end: str) -> tuple[Any, ...]:
    shape = getattr(model, f"{end}_shape", None)
    if not isinstance(shape, tuple):
        raise ValueError(
            f"--model must have one {end} of a known shape. Received: {model.name!r}, where it is "
            f"{shape}. Call kr.diagnose(model, x, y) with arrays of your own."
        )
    return shape


if __name__ == "__main__":
    run(main)
