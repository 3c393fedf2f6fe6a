"""Where data come from: scikit-learn's sets, those that Keras downloads, NPZ and CSV files."""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_recipes.checks import check_instance
from keras_recipes.datasets.downloads import DOWNLOADS, Download, download
from keras_recipes.datasets.npz import Arrays, join, load_npz
from keras_recipes.datasets.preprocessing import Columns
from keras_recipes.datasets.tables import (
    as_numbers,
    as_texts,
    check_file,
    check_uniform,
    is_numeric,
    read_csv,
    typed_columns,
)
from keras_recipes.extras import import_extra

if TYPE_CHECKING:
    import pandas as pd

ALIKE = 0.7  # of 1; a name less alike than this is another one, not a slip of the pen

# name -> what the target is called
BUNDLED = {
    "digits": "digit",
    "breast_cancer": "diagnosis",
    "wine": "cultivar",
    "diabetes": "disease_progression",
}


@dataclass(frozen=True)
class Source:
    """Data as they came, checked and not yet split.

    Args:
        name: What the data are called.
        x: An array with a batch axis, or the columns of a CSV.
        y: The target, `(rows,)` or `(rows, columns)`.
        where: What messages call the target.
        target_name: The name of the target; several are numbered.
        feature_names: The name of each column of x; none for images.
        class_names: The names of classes 0, 1, ...; none where the labels in y are the names.
        n_test: How many of the last rows are the source's own test set.
    """

    name: str
    x: np.ndarray | Columns
    y: np.ndarray
    where: str
    target_name: str
    feature_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    n_test: int = 0

    @property
    def columns(self) -> Columns:
        """The columns of x by name; none of images."""
        if isinstance(self.x, np.ndarray):
            return {name: self.x[:, index] for index, name in enumerate(self.feature_names)}
        return self.x


def read_source(source: str | os.PathLike[str], target: str | None) -> Source:
    """Returns the data that `source` and `target`, as `load_dataset` takes them, stand for."""
    check_instance(
        "source",
        source,
        (str, os.PathLike),
        "a name or a path",
        "Save arrays with np.savez(path, x=x, y=y) and pass the path.",
    )
    path = Path(source).expanduser()
    if source not in (*BUNDLED, *DOWNLOADS) and path.suffix.lower() == ".csv":
        return _read_csv(path, target)
    if target is not None:
        raise ValueError(
            f"`target` must be None unless `source` is a CSV. Received: target={target!r}, "
            f"source={str(source)!r}. Leave it out: the source names its own target."
        )
    if source in BUNDLED:
        return _read_bundled(str(source))
    if source in DOWNLOADS:
        return _from_arrays(str(source), download(str(source)), DOWNLOADS[str(source)])
    return _read_npz(path)


def _read_bundled(name: str) -> Source:
    bunch = getattr(import_extra("sklearn.datasets"), f"load_{name}")()
    return Source(
        name=name,
        x=bunch.data,
        y=bunch.target,
        where="`y`",
        target_name=BUNDLED[name],
        feature_names=tuple(str(feature) for feature in bunch.feature_names),
        class_names=tuple(str(label) for label in bunch.get("target_names", ())),
    )


def _read_npz(path: Path) -> Source:
    if path.suffix.lower() != ".npz" and not path.is_dir():
        names = [*BUNDLED, *DOWNLOADS]
        near = difflib.get_close_matches(str(path).lower(), names, n=1, cutoff=ALIKE)
        raise ValueError(
            f"`source` must be one of {names}, or a path that ends in .csv or .npz. Received: "
            f"source={str(path)!r}. {f'Did you mean {near[0]!r}?' if near else ''}".rstrip()
        )
    check_file("source", path)
    return _from_arrays(path.stem, join(load_npz(path)), Download("y"))


def _from_arrays(name: str, arrays: Arrays, about: Download) -> Source:
    x = arrays.x
    features = tuple(f"x{index}" for index in range(x.shape[1])) if x.ndim == 2 else ()
    return Source(
        name=name,
        x=x,
        y=arrays.y,
        where="`y`",
        target_name=about.target_name,
        feature_names=about.feature_names or features,
        class_names=about.class_names,
        n_test=arrays.n_test,
    )


def _read_csv(path: Path, target: str | None) -> Source:
    frame = read_csv("source", path)
    target = _check_target(target, path, list(frame.columns))
    check_uniform(frame)
    texts = frame.pop(target)
    if texts.isna().any():
        raise ValueError(
            f"The column {target!r} must have a value in each row. Received: {texts.isna().sum()} "
            f"of {len(texts)} rows without; NA, None, null and the like count as missing. Leave "
            "these rows out of the file, or write a class that is called so by another name."
        )
    columns = typed_columns(frame)
    return Source(
        name=path.stem,
        x=columns,
        y=_as_target(texts),
        where=f"the column {target!r}",
        target_name=target,
        feature_names=tuple(columns),
    )


def _as_target(column: "pd.Series") -> np.ndarray:
    if not is_numeric(column):
        return as_texts(column).astype(str)
    if column.dtype.kind in "iu":
        return column.to_numpy()  # float64 does not tell 2**53 from 2**53 + 1
    return as_numbers(column, np.float64, mend="Leave these rows out of the file.")


def _check_target(target: Any, path: Path, columns: list[str]) -> str:
    if target is not None:
        check_instance("target", target, str, "the name of a column")
    if target not in columns:
        near = difflib.get_close_matches(str(target), columns, n=1, cutoff=ALIKE)
        raise ValueError(
            f"`target` must be a column of {str(path)!r}. Received: target={target!r}, columns "
            f"{columns}. {f'Did you mean {near[0]!r}?' if near else 'Choose one of them.'}"
        )
    if len(columns) == 1:
        raise ValueError(
            f"{str(path)!r} must have columns beside the target. Received: only {target!r}. "
            "Add columns, separated by commas, semicolons or tabs, to predict it from."
        )
    return target
