"""Data split, encoded and ready, and what a model of them needs."""

from dataclasses import dataclass, field

import keras
import numpy as np
from keras.utils import FeatureSpace

from keras_recipes.checks import check_instance
from keras_recipes.datasets.images import are_fractions
from keras_recipes.datasets.pipeline import Pipeline, Predictions
from keras_recipes.datasets.preprocessing import encoded_names
from keras_recipes.datasets.splits import Splits


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data for a network, split in three; `load_dataset` makes it.

    Args:
        name: What the data are called.
        task: "regression", "binary", "multiclass" or "multilabel", as the builders take it.
        x_train: Inputs to train on, float32. Images of whole numbers in [0, 255] are divided by 255
            and have a channel, `(rows, height, width, channels)`; the columns of a CSV are scaled;
            all else is as it came, see `adapt_to`.
        y_train: Targets to train on: float32 and standardized for "regression", class indices for
            "binary" and "multiclass", float32 0 and 1 for "multilabel".
        x_val: Inputs to validate on.
        y_val: Targets to validate on.
        x_test: Inputs to test on.
        y_test: Targets to test on.
        feature_names: The columns that go in, in order; none for images.
        target_names: The name of each target.
        splits: The number of each row in the source, from 0, as `load_dataset` shared them out; a
            test set that the source brings comes behind its training set.
        class_names: The names of the classes in the order of their indices; the labels for
            "multilabel"; none for "regression".
        target_mean: Mean of the training rows' target, an array for several; 0 for classes.
        target_scale: Their standard deviation: a prediction times it plus the mean is in the
            target's units; 1 for classes.
        preprocessing: What made x of a CSV's columns, fitted on the training rows; else None.
    """

    name: str
    task: str
    x_train: np.ndarray = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    x_val: np.ndarray = field(repr=False)
    y_val: np.ndarray = field(repr=False)
    x_test: np.ndarray = field(repr=False)
    y_test: np.ndarray = field(repr=False)
    feature_names: tuple[str, ...] = field(repr=False)
    target_names: tuple[str, ...]
    splits: Splits = field(repr=False)
    class_names: tuple[str, ...] = ()
    target_mean: float | np.ndarray = 0.0
    target_scale: float | np.ndarray = 1.0
    preprocessing: FeatureSpace | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of an input, as the builders take it."""
        return self.x_train.shape[1:]

    @property
    def input_names(self) -> tuple[str, ...]:
        """The name of each input: a column, or `column=text` for each text of one; none for images."""
        if self.preprocessing is None:
            return self.feature_names
        return encoded_names(self.preprocessing, self.feature_names)

    @property
    def scaled(self) -> bool:
        """Whether the inputs are scaled: a CSV's columns, and images and sequences in [0, 1]."""
        return self.preprocessing is not None or are_fractions(self.x_train)

    @property
    def adapt_to(self) -> np.ndarray | None:
        """What `adapt_to` of a builder takes: the inputs that want scaling, else None."""
        return None if self.scaled else self.x_train

    @property
    def n_outputs(self) -> int:
        """Number of outputs, as the builders take it."""
        if self.task == "multiclass":
            return len(self.class_names)
        return 1 if self.y_train.ndim == 1 else self.y_train.shape[1]

    def pipeline(self, model: keras.Model) -> Pipeline:
        """Returns a trained model that takes raw data and answers in the units of the target.

        Saved with `save`, it is all that predictions on new data need: `keras.models.load_model`
        brings back the preprocessing and the names of the classes, and `predict_csv` uses them.

        Args:
            model: A trained model that takes `x_train`. The pipeline shares its weights.

        Raises:
            TypeError: If `model` is not a Keras model.
            ValueError: If its inputs or outputs are not those of the data.
        """
        check_instance("model", model, keras.Model, "a keras.Model")
        outputs = model(keras.Input(self.input_shape))
        if outputs.shape[1:] != (self.n_outputs,):
            raise ValueError(
                f"`model` must have {self.n_outputs} outputs. Received: outputs of shape "
                f"{outputs.shape}. Build it with n_outputs={self.n_outputs}, task={self.task!r}."
            )
        predictions = Predictions(
            task=self.task,
            class_names=self.class_names,
            target_names=self.target_names,
            mean=self.target_mean,
            scale=self.target_scale,
        )
        return Pipeline(model, predictions, self.feature_names, self.preprocessing)
