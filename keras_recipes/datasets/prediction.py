"""Predictions for the rows of a CSV file."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from keras_recipes.checks import check_instance
from keras_recipes.datasets.pipeline import Pipeline, Predictions
from keras_recipes.datasets.tables import as_numbers, as_texts, read_csv
from keras_recipes.extras import import_extra

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_pipeline", "predict_csv"]

BATCH_SIZE = 1024  # it changes the speed, not the result


def load_pipeline(run_dir: str | os.PathLike[str]) -> Pipeline:
    """Returns the pipeline that a finished training left in its directory.

    Args:
        run_dir: The directory, in which the pipeline was saved as `pipeline.keras`.

    Raises:
        TypeError: If `run_dir` is not a path.
        FileNotFoundError: If it is not a directory.
        ValueError: If `pipeline.keras` is missing, damaged or another thing.
    """
    check_instance(
        "run_dir", run_dir, (str, os.PathLike), "a path", "Pass a str or a pathlib.Path."
    )
    directory = Path(run_dir)
    if not directory.is_dir():
        raise FileNotFoundError(
            f"`run_dir` must be the directory of a finished training. Received: "
            f"run_dir={str(run_dir)!r}, which is none. Check the path."
        )
    path = directory / "pipeline.keras"
    if not path.is_file():
        raise _no_pipeline(directory)
    return _load(path)


def predict_csv(pipeline: Pipeline, path: str | os.PathLike[str]) -> "pd.DataFrame":
    """Returns the predictions of a pipeline for each row of a CSV file.

    The file's columns may come in any order, and columns that the pipeline does not know, such as
    the target, are ignored. Where the pipeline was trained on a CSV, missing values and unseen
    categories are allowed. Where it was trained on an array and the file has none of the array's
    column names, but as many columns, these are taken in their order.

    Args:
        pipeline: What `Dataset.pipeline` returned, or the same loaded from its file.
        path: The CSV file.

    Returns:
        A `pandas.DataFrame`, a row for each of the file's. For regression its column `prediction`
        is in the target's units; several targets have a column `prediction_<target>` each. For
        classes `prediction` is the name of the most likely one, and `probability_<class>` the
        probability of each. For "multilabel" each label has `prediction_<label>`, 0 or 1, and
        `probability_<label>`.

    Raises:
        TypeError: If `pipeline` is not one, or `path` is not a path.
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a CSV, or its columns do not fit the pipeline.
        ImportError: If pandas is not installed.
    """
    check_instance(
        "pipeline", pipeline, Pipeline, "a pipeline", "Make one with Dataset.pipeline(model)."
    )
    frame = read_csv("path", path, pipeline.text_columns)
    inputs = _array(pipeline, frame) if pipeline.preprocessing is None else _raw(pipeline, frame)
    outputs = pipeline.predict(inputs, batch_size=BATCH_SIZE, verbose=0)
    return import_extra("pandas").DataFrame(_answers(pipeline.predictions, outputs))


def _load(path: Path) -> Pipeline:
    try:
        model = keras.models.load_model(path)
    except Exception as error:  # zipfile, h5py, json and Keras each have their own
        raise ValueError(
            f"{path} must be a saved pipeline. Received: a file that is damaged or another thing "
            f"({type(error).__name__}). Train there again with the same arguments: a run that has "
            "ended only writes it anew."
        ) from error
    if not isinstance(model, Pipeline):
        raise ValueError(
            f"{path} must be a saved pipeline. Received: a {type(model).__name__}. Save there what "
            "Dataset.pipeline(model) returns."
        )
    return model


def _no_pipeline(directory: Path) -> ValueError:
    """The error for a directory without a pipeline, which `run.json` tells the reason of."""
    settings = directory / "run.json"
    expected = f"`run_dir` must be the directory of a finished training. Received: {directory}"
    if not settings.is_file():
        return ValueError(
            f"{expected}, which has neither run.json nor pipeline.keras. Train there, and save "
            "data.pipeline(model) as pipeline.keras, as the recipes do."
        )
    if not _is_json_object(settings):
        return ValueError(
            f"{expected}, without pipeline.keras and with a {settings} that is not a JSON object. "
            "Train in another directory, or remove this one and train there anew."
        )
    return ValueError(
        f"{expected}, without pipeline.keras. Train there to the end with the same arguments; after "
        "a training of your own save data.pipeline(model) as pipeline.keras."
    )


def _is_json_object(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except ValueError:
        return False


def _raw(pipeline: Pipeline, frame: "pd.DataFrame") -> dict[str, np.ndarray]:
    """The columns of `frame` that go in, of the kinds that they had in training."""
    _check_columns(pipeline.feature_names, frame)
    return {
        name: as_texts(frame[name]) if name in pipeline.text_columns else as_numbers(frame[name])
        for name in pipeline.feature_names
    }


def _array(pipeline: Pipeline, frame: "pd.DataFrame") -> np.ndarray:
    """The columns of `frame` that go in, side by side."""
    names = pipeline.feature_names
    if not names:
        raise ValueError(
            "`pipeline` must have been trained on a table. Received: one that takes images. "
            "Pass it an array: pipeline.predict(x)."
        )
    if len(frame.columns) == len(names) and set(names).isdisjoint(frame.columns):
        names = tuple(frame.columns)
    _check_columns(names, frame)
    return np.stack([_complete(as_numbers(frame[name]), name) for name in names], axis=1)


def _complete(column: np.ndarray, name: str) -> np.ndarray:
    missing = np.isnan(column).sum()
    if missing:
        raise ValueError(
            f"The column {name!r} must have a value in each row. Received: {missing} of {len(column)} "
            "rows without. Fill them: the model was trained on data without gaps."
        )
    return column


def _check_columns(names: Sequence[str], frame: "pd.DataFrame") -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise ValueError(
            f"The file must have the columns that the model was trained on, {list(names)}. "
            f"Received: {list(frame.columns)}, without {missing}. Add them."
        )


def _answers(predictions: Predictions, outputs: np.ndarray) -> dict[str, np.ndarray]:
    """Name -> column of the frame that `predict_csv` returns."""
    names = predictions.class_names
    if predictions.task == "regression" and outputs.shape[1] == 1:
        return {"prediction": outputs[:, 0]}
    if predictions.task == "regression":
        return _named("prediction", predictions.target_names, outputs)
    if predictions.task == "multilabel":
        labels = _named("prediction", names, (outputs > 0.5).astype(int))
        return {**labels, **_named("probability", names, outputs)}
    if predictions.task == "binary":
        outputs = np.concatenate([1 - outputs, outputs], axis=1)
    likeliest = np.array(names, dtype=object)[outputs.argmax(axis=1)]
    return {"prediction": likeliest, **_named("probability", names, outputs)}


def _named(prefix: str, names: Sequence[str], outputs: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{prefix}_{name}": outputs[:, index] for index, name in enumerate(names)}
