"""A trained model together with what comes before and after it: raw columns in, answers out."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.utils import FeatureSpace

from keras_recipes.datasets.preprocessing import MISSING, encode, feature_key


@keras.saving.register_keras_serializable(package="keras_recipes")
class Predictions(keras.layers.Layer):
    """Turns the output of a model back into the units of the target.

    For regression: times `scale` plus `mean`. Probabilities of classes stay as they are.

    Args:
        task: `"regression"`, `"binary"`, `"multiclass"` or `"multilabel"`.
        class_names: The names of the classes in the order of their indices, of the columns
            for `"multilabel"`, and none for `"regression"`.
        target_names: The names of the targets.
        mean: Float, or one for each target. Defaults to 0.
        scale: Float, or one for each target. Defaults to 1.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Input shape:
        `(batch, n_outputs)`.

    Output shape:
        That of the inputs; float32.
    """

    def __init__(
        self,
        task: str,
        class_names: Sequence[str] = (),
        target_names: Sequence[str] = ("y",),
        mean: float | Sequence[float] | np.ndarray = 0.0,
        scale: float | Sequence[float] | np.ndarray = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})  # float16 overflows at 65504
        self.task = task
        self.class_names = tuple(class_names)
        self.target_names = tuple(target_names)
        self.mean = np.asarray(mean).tolist()
        self.scale = np.asarray(scale).tolist()

    def call(self, inputs: Any) -> Any:
        if self.task != "regression":
            return inputs
        return inputs * ops.convert_to_tensor(self.scale, "float32") + self.mean

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = {
            "task": self.task,
            "class_names": list(self.class_names),
            "target_names": list(self.target_names),
            "mean": self.mean,
            "scale": self.scale,
        }
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="keras_recipes")
class Pipeline(keras.Model):
    """A model that takes the raw columns of a table and answers in the units of the target.

    `Dataset.pipeline` makes it. Saved, it is all that a prediction on new data needs. With
    `preprocessing` it runs on the TensorFlow backend only, which its strings need.

    Args:
        model: A trained `keras.Model` that takes the encoded data.
        predictions: A `Predictions` layer.
        feature_names: The columns that go in, in order; none for images.
        preprocessing: A fitted `keras.utils.FeatureSpace`, or None, the default, where the
            model takes the data as it is.

    Input shape:
        With `preprocessing` a dict of column name -> array `(batch,)`: numbers with NaN for what is
        missing, texts with `""`. Without, the array that `model` takes.

    Output shape:
        `(batch, n_outputs)`.
    """

    def __init__(
        self,
        model: keras.Model,
        predictions: Predictions,
        feature_names: Sequence[str] = (),
        preprocessing: FeatureSpace | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.feature_names = tuple(feature_names)
        self.preprocessing: Any = preprocessing
        self.model = model
        self.predictions = predictions
        self.built = True  # its parts are

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.predictions(self.model(self.prepare(inputs), training=training))

    def prepare(self, inputs: Any) -> Any:
        """Returns what `model` takes for raw inputs, encoded as in training.

        Raises:
            ValueError: If a column is missing.
        """
        return inputs if self.preprocessing is None else self._encode(inputs)

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """Returns the predictions for x, as `keras.Model.predict` does; missing texts may be None."""
        if self.preprocessing is not None and isinstance(x, Mapping):
            x = {name: self._as_array(name, x[name]) for name in self.feature_names if name in x}
        return super().predict(x, **kwargs)

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True, **kwargs: Any) -> None:
        """Saves as `keras.Model.save` does, in one move: a kill leaves no torn `.keras` file."""
        path = Path(filepath)
        if path.suffix != ".keras" or not path.parent.is_dir() or not overwrite:
            return super().save(filepath, overwrite=overwrite, **kwargs)
        beside = path.with_name(f".{path.name}")  # Keras goes by the ending
        try:
            super().save(beside, **kwargs)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns that held texts in training."""
        if self.preprocessing is None:
            return ()
        kinds = {
            name: self.preprocessing.features[feature_key(name)] for name in self.feature_names
        }
        return tuple(name for name, kind in kinds.items() if kind.dtype == "string")

    def get_config(self) -> dict[str, Any]:
        config = {
            "model": keras.saving.serialize_keras_object(self.model),
            "predictions": keras.saving.serialize_keras_object(self.predictions),
            "feature_names": list(self.feature_names),
            "preprocessing": keras.saving.serialize_keras_object(self.preprocessing),
        }
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Pipeline":
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("model", "predictions", "preprocessing")
        }
        return cls(**{**config, **parts})

    def _encode(self, columns: Any) -> Any:
        missing = [name for name in self.feature_names if name not in columns]
        if missing:
            raise ValueError(
                f"`inputs` must have the columns {list(self.feature_names)}. Received: "
                f"{list(columns)}. Add {missing}; a value that is not known may be NaN, or '' "
                "for a text."
            )
        return encode(self.preprocessing, {name: columns[name] for name in self.feature_names})

    def _as_array(self, name: str, column: Any) -> np.ndarray:
        """A column as Keras reads it: it refuses arrays of texts that are not of objects."""
        if name not in self.text_columns:
            return np.asarray(column, dtype=np.float32)
        values = np.ravel(np.asarray(column, dtype=object))
        texts = [MISSING if value is None or value != value else str(value) for value in values]
        return np.array(texts, dtype=object)
