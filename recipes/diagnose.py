"""Say what is wrong with a saved model: vanishing or exploding gradients, dead or saturated units."""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_recipes as kr
from keras_recipes.architecture import TASKS
from keras_recipes.array_checks import LABELS_LOSSES
from keras_recipes.compilation import compile_model
from keras_recipes.datasets import Dataset, load_pipeline
from keras_recipes.datasets.pipeline import Pipeline, Predictions
from keras_recipes.datasets.sources import Source, read_source
from keras_recipes.extras import import_extra
from recipes.command import Parser, add_data_flags, run, seed

PIPELINE = "pipeline.keras"  # what a run of a recipe leaves beside its model
IMAGES = (".png", ".svg", ".pdf")


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        help=f"a .keras file; with the {PIPELINE} of its run beside it the data are prepared as they "
        "were for the run, without it the numbers are taken as they are in the file",
    )
    add_data_flags(parser)
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the split")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draws the layers into a .png, .svg or .pdf"
    )
    arguments = parser.parse_args()
    _check_model(arguments.model, parser)
    if arguments.plot:
        _check_plot(arguments.plot, parser)
    data = kr.load_dataset(
        arguments.data, arguments.target, task=arguments.task, seed=arguments.seed
    )
    model = _load(arguments.model, parser)
    if not model.compiled:
        _compile(model, data)
    x, y = _examples(arguments.model, data, read_source(arguments.data, arguments.target))
    diagnosis = kr.diagnose(model, _inputs_for(model, x), _targets_for(model, data, y))
    print(diagnosis)
    if arguments.plot:
        diagnosis.plot().savefig(arguments.plot)
        print(f"Figure: {arguments.plot}")


def _check_model(path: Path, parser: Parser) -> None:
    if not path.is_file():
        parser.error(f"argument --model: must be a file. Received: {path}")
    if path.suffix != ".keras":
        parser.error(
            f"argument --model: must end in .keras. Received: {path}. Load it by "
            "keras.models.load_model, and save it as a .keras file"
        )


def _check_plot(path: Path, parser: Parser) -> None:
    """Refuses what no figure can be saved as, before the work is done."""
    if not path.parent.is_dir():
        parser.error(f"argument --plot: must be in a directory. Received: {path}")
    if path.suffix.lower() not in IMAGES or path.is_dir():
        parser.error(
            f"argument --plot: must be a file that ends in one of {', '.join(IMAGES)}. Received: {path}"
        )
    import_extra("matplotlib", "plot").use("agg")


def _load(path: Path, parser: Parser) -> keras.Model:
    try:
        return keras.models.load_model(path)
    except (ValueError, TypeError, KeyError, ImportError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        parser.error(
            f"argument --model: must be a model that Keras can load. Received: {path}: {reason}. "
            "Save it by model.save; with layers of your own, call kr.diagnose where they are defined"
        )


def _compile(model: keras.Model, data: Dataset) -> None:
    """Compiles for the task, with an optimizer whose steps do not grow with the gradients."""
    softmax = data.task == "binary" and _single(model, "output")[-1] == 2
    task = "multiclass" if softmax else data.task
    compile_model(model, task, metrics=None, optimizer="adam")
    of = "" if task == "regression" else " of probabilities"
    print(
        f"Model: saved uncompiled; compiled here for {task}, with {TASKS[task].loss}{of} and Adam. "
        "For another loss compile it before model.save."
    )


def _examples(path: Path, data: Dataset, source: Source) -> tuple[np.ndarray, np.ndarray]:
    """The training rows as the run beside the model prepared them, else as they are in the file."""
    pipeline = path.with_name(PIPELINE)
    if pipeline.is_file():
        print(f"Data: prepared as for the run of the model, by {pipeline}.")
        return _as_for_the_run(load_pipeline(path.parent), data, source)
    print(
        f"Data: the numbers as they are in the file, as there is no {pipeline}. Was the model trained "
        "on load_dataset's arrays? Save data.pipeline(model) there."
    )
    return _as_in_the_file(data, source)


def _as_for_the_run(
    pipeline: Pipeline, data: Dataset, source: Source
) -> tuple[np.ndarray, np.ndarray]:
    _check_alike(pipeline, data)
    rows, run_targets = data.splits.train, pipeline.predictions
    x, y = data.x_train, data.y_train
    if pipeline.preprocessing is not None:
        columns = {name: column[rows] for name, column in source.columns.items()}
        x = keras.ops.convert_to_numpy(pipeline.prepare(columns))
    if data.task == "regression":
        y = (source.y[rows] - run_targets.mean) / run_targets.scale
    return x, y


def _check_alike(pipeline: Pipeline, data: Dataset) -> None:
    expected = _kind(pipeline.predictions, pipeline.preprocessing)
    received = _kind(data, data.preprocessing)
    if expected != received:
        raise ValueError(
            f"--data must have the task, the classes and the kind of the run's, {expected}. "
            f"Received: {received}. Pass the data that the model was trained on, and its --task."
        )


def _kind(targets: Dataset | Predictions, preprocessing: Any) -> tuple[Any, ...]:
    return targets.task, targets.class_names, "arrays" if preprocessing is None else "a CSV"


def _as_in_the_file(data: Dataset, source: Source) -> tuple[np.ndarray, np.ndarray]:
    rows = data.splits.train
    texts = [name for name, column in source.columns.items() if column.dtype == object]
    if texts:
        raise ValueError(
            f"--data must have columns of numbers alone, as there is no {PIPELINE} that encodes "
            f"texts. Received: texts in {texts}. Save what the model was trained on with "
            "np.savez(path, x=x, y=y) and pass the path."
        )
    x = source.x if isinstance(source.x, np.ndarray) else np.stack([*source.x.values()], axis=1)
    numbers = source.y.dtype.kind in "iuf"
    one_hot = data.task == "multiclass" and source.y.ndim == 2
    y = source.y[rows] if numbers and not one_hot else data.y_train
    return x[rows].astype(np.float32), y


def _inputs_for(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """The inputs in the shape that the model takes, where they have as many numbers."""
    shape = _single(model, "input")[1:]
    if None not in shape and math.prod(shape) == math.prod(x.shape[1:]):
        return x.reshape(-1, *shape)
    return x


def _targets_for(model: keras.Model, data: Dataset, y: np.ndarray) -> np.ndarray:
    """The targets; classes as one-hot vectors, where the loss takes no indices."""
    loss = getattr(model, "loss", None)
    name = getattr(loss, "name", getattr(loss, "__name__", loss))
    classes = _single(model, "output")[-1]
    n_classes = len(data.class_names) if data.task in ("binary", "multiclass") else 0
    if n_classes and classes == n_classes and name not in LABELS_LOSSES:
        return np.eye(classes, dtype="float32")[data.y_train.reshape(-1).astype(int)]
    return y


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
