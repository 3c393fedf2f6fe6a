"""The encoding of a table's columns: numbers by their rank, categories as one-hot."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.utils import FeatureSpace

Columns = Mapping[str, np.ndarray]

MAX_CATEGORIES = 100
MAX_KNOTS = 200  # a step of some 0.04 in the normal distribution
MISSING = ""  # a missing text; no text of a CSV is empty


@keras.saving.register_keras_serializable(package="keras_recipes")
class QuantileNormalizer(keras.layers.Layer):
    """Maps a number to the normal distribution's value of the same rank.

    The ranks are those of the data that the layer was adapted to. Its outputs have about mean 0 and
    variance 1 whatever the units, the skew and the outliers of the inputs, and lie within some
    four: no single row can throw a training off. Between the ranks it knows it interpolates;
    numbers beyond the smallest and the largest become these. NaN becomes 0, the median.

    Args:
        knots: Inputs, in increasing order, whose outputs are known; none, the default, until
            `adapt` has found them.
        scores: Their outputs.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Input shape:
        Any; numbers.

    Output shape:
        That of the inputs; float32.

    Example:
        >>> layer = QuantileNormalizer()
        >>> layer.adapt([np.array([1.0, 10.0, 1e9])])
        >>> [round(float(score), 2) for score in layer(np.array([1.0, 10.0, 1e12, np.nan]))]
        [-0.97, 0.0, 0.97, 0.0]

    Reference: Gorishniy et al. (2021), Revisiting deep learning models for tabular data,
    arXiv:2106.11959, which prepares its data so; scikit-learn's `QuantileTransformer`.
    """

    def __init__(
        self, knots: Sequence[float] = (), scores: Sequence[float] = (), **kwargs: Any
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})  # float16 overflows at 65504
        self.knots = tuple(knots)
        self.scores = tuple(scores)

    def adapt(self, data: Iterable[Any]) -> None:
        """Learns the ranks of `data`, an iterable of batches such as a `tf.data.Dataset`."""
        numbers = np.concatenate([np.asarray(batch).ravel() for batch in data])
        values, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
        ranks = (np.cumsum(counts) - counts / 2) / counts.sum()  # ties share their middle rank
        scores = np.array([NormalDist().inv_cdf(rank) for rank in ranks])
        even = np.linspace(scores[0], scores[-1], MAX_KNOTS)
        kept = np.unique(np.searchsorted(scores, even))
        self.knots = tuple(values[kept].tolist())
        self.scores = tuple(scores[kept].tolist())

    def call(self, inputs: Any) -> Any:
        numbers = ops.cast(inputs, "float32")
        knots = ops.convert_to_tensor(self.knots, "float32")
        scores = ops.convert_to_tensor(self.scores, "float32")
        above = ops.clip(ops.searchsorted(knots, ops.ravel(numbers)), 1, len(self.knots) - 1)
        above = ops.reshape(above, ops.shape(numbers))
        low, high = ops.take(knots, above - 1), ops.take(knots, above)
        passed = ops.clip((numbers - low) / (high - low), 0.0, 1.0)
        score = ops.take(scores, above - 1) * (1 - passed) + ops.take(scores, above) * passed
        return ops.where(ops.isnan(numbers), 0.0, score)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = {"knots": list(self.knots), "scores": list(self.scores)}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="keras_recipes")
class OneHot(keras.layers.Layer):
    """A one-hot column for each of the most frequent texts; zeros for every other text.

    `keras.layers.StringLookup` gives a column to the texts that it does not know. That column
    is constant in training, and a `keras.layers.Normalization` behind it would turn the first
    unknown text into a number in the millions. So it is left out here.

    Args:
        max_categories: How many columns at most, an integer >= 1. Defaults to 100.
        vocabulary: The texts that have a column, in order; none, the default, until `adapt`
            has found them: the most frequent first, ties in alphabetical order.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Input shape:
        `(batch, 1)`; strings.

    Output shape:
        `(batch, len(vocabulary))`; float32.

    Example:
        >>> layer = OneHot()
        >>> layer.adapt([np.array([["inland"], ["island"], ["inland"]])])
        >>> keras.ops.convert_to_numpy(layer(np.array([["island"], ["coast"]]))).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """

    def __init__(
        self, max_categories: int = MAX_CATEGORIES, vocabulary: Sequence[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.max_categories = max_categories
        self._learn(vocabulary)

    def adapt(self, data: Iterable[Any]) -> None:
        """Learns the categories of `data`, an iterable of batches such as a `tf.data.Dataset`."""
        texts = np.concatenate([np.asarray(batch).ravel() for batch in data])
        values, counts = np.unique(texts, return_counts=True)
        most_frequent = np.argsort(-counts, kind="stable")[: self.max_categories]
        self._learn([_as_text(values[index]) for index in most_frequent])

    def build(self, input_shape: tuple) -> None:
        self._lookup.build(input_shape)

    def call(self, inputs: Any) -> Any:
        indices = ops.squeeze(self._lookup(inputs), axis=-1) - 1  # an unknown text becomes -1
        return ops.one_hot(indices, len(self.vocabulary), dtype="float32")

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        return keras.KerasTensor((inputs.shape[0], len(self.vocabulary)), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        config = {"max_categories": self.max_categories, "vocabulary": list(self.vocabulary)}
        return {**super().get_config(), **config}

    def _learn(self, vocabulary: Sequence[str]) -> None:
        self.vocabulary = tuple(vocabulary)
        self._lookup = keras.layers.StringLookup(vocabulary=list(vocabulary) or None)


def fit_preprocessing(columns: Columns) -> FeatureSpace:
    """Returns a `keras.utils.FeatureSpace` fitted on `columns`, the training rows.

    Numbers become the normal value of their rank, missing ones 0. Texts become one-hot columns: a
    missing text is a category of its own; beyond the 100 most frequent, texts become zeros, as unseen ones do.

    Args:
        columns: Name -> array, one value a row: float32 with NaN for what is missing, or
            objects that are str, `""` for what is missing.

    Raises:
        ValueError: If Keras does not run on TensorFlow, which strings need.
    """
    import tensorflow as tf  # on other backends nothing here needs it

    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "A CSV must be encoded on the TensorFlow backend. Received: "
            f"{keras.backend.backend()!r}. Set KERAS_BACKEND=tensorflow, or pass an NPZ file of "
            "numbers."
        )
    features = {feature_key(name): _feature(column) for name, column in columns.items()}
    space = FeatureSpace(features, output_mode="dict")
    space.adapt(tf.data.Dataset.from_tensors(_keyed(columns)))
    return space


def encode(space: FeatureSpace, columns: Mapping[str, Any]) -> Any:
    """Returns what a network takes for `columns`: a row for each of theirs, float32.

    The encoded columns stand in the order of `columns`. FeatureSpace would sort them by name, and
    join them in float16 under that policy, which overflows at 65504.
    """
    encoded = space(_keyed(columns))
    return ops.concatenate([encoded[feature_key(name)] for name in columns], axis=-1)


def encoded_names(space: FeatureSpace, columns: Iterable[str]) -> tuple[str, ...]:
    """Returns the name of each number that `encode` returns for `columns`, in order."""
    names: list[str] = []
    for name in columns:
        layer = space.preprocessors[feature_key(name)]
        texts = layer.vocabulary if isinstance(layer, OneHot) else None
        names += [name] if texts is None else [f"{name}={text or '(missing)'}" for text in texts]
    return tuple(names)


def feature_key(column: str) -> str:
    """Returns the name of `column` in the FeatureSpace: Keras refuses a `/` in names."""
    return column.replace("%", "%25").replace("/", "%2F")


def _keyed(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {feature_key(name): column for name, column in columns.items()}


def _feature(column: np.ndarray) -> Any:
    if column.dtype == object:
        return FeatureSpace.feature("string", OneHot(), "float")
    return FeatureSpace.feature("float32", QuantileNormalizer(), "float")


def _as_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
