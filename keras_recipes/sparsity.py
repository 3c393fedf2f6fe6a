"""What pruning has brought: zeros by layer, the size of the file, and the plain model to ship."""

import gzip
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_recipes.kernels import kernels_of, layers_with_kernels
from keras_recipes.layers import MaxNorm, MCAlphaDropout, MCDropout, RReLU
from keras_recipes.layers.max_norm import ExactMaxNorm
from keras_recipes.model_copies import copy_of

__all__ = ["LayerSparsity", "SparsityReport", "sparsity", "strip"]

TIMED = 30  # predictions, of which the median counts
PLAIN = {MCDropout: keras.layers.Dropout, MCAlphaDropout: keras.layers.AlphaDropout}


@dataclass(frozen=True)
class LayerSparsity:
    """The zeros of a layer.

    Args:
        name: The name of the layer.
        weights: How many weights its kernel has, or its kernels, as of a separable convolution.
        zeros: How many of them are zero.
    """

    name: str
    weights: int
    zeros: int


@dataclass(frozen=True)
class SparsityReport:
    """The zeros of a model and what they bring; print it.

    Args:
        layers: The layers with a kernel.
        file_bytes: Size of the model's `.keras` file without the optimizer.
        gzip_bytes: Size of that file after gzip, which zeros shrink.
        latency: Seconds that a prediction for one example takes, a median. Keras multiplies by zeros
            as by other numbers, so that they make it no faster.
    """

    layers: tuple[LayerSparsity, ...]
    file_bytes: int
    gzip_bytes: int
    latency: float

    @property
    def sparsity(self) -> float:
        """The share of zeros in all kernels."""
        return sum(each.zeros for each in self.layers) / sum(each.weights for each in self.layers)

    def __str__(self) -> str:
        total = sum(each.weights for each in self.layers), sum(each.zeros for each in self.layers)
        lines = [("layer", "weights", "zeros", "sparsity")]
        lines += [
            (each.name, f"{each.weights:,}", f"{each.zeros:,}", f"{each.zeros / each.weights:.1%}")
            for each in (*self.layers, LayerSparsity("all", *total))
        ]
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        table = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
            for line in lines
        ]
        file = f"file {self.file_bytes:,} bytes, gzipped {self.gzip_bytes:,}"
        return "\n".join([*table, file, f"latency {self.latency * 1e3:.2f} ms, dense"])


def sparsity(model: keras.Model) -> SparsityReport:
    """Says how many weights of each layer are zero, and what file and latency that makes.

    The model is not changed.

    Args:
        model: A Sequential or functional `keras.Model`, built.

    Raises:
        TypeError: If it is no `keras.Model`.
        ValueError: If it is neither Sequential nor functional, or no layer has a kernel.

    Example:
        >>> fit(model, x, y, epochs=20, callbacks=[MagnitudePruning(0.9, 500, 5000)])
        >>> print(sparsity(model))
    """
    copy = copy_of(model, lambda layer: type(layer).from_config(layer.get_config()))
    layers = tuple(map(_count, layers_with_kernels(copy)))
    if not layers:
        raise ValueError(
            f"`model` must have a layer with a kernel. Received: {model.name!r}, where there is "
            "none. Look at a model with dense or convolutional layers."
        )
    saved = _saved(copy)
    compressed = gzip.compress(saved, mtime=0)
    return SparsityReport(layers, len(saved), len(compressed), _latency(copy))


def strip(model: keras.Model) -> keras.Model:
    """Returns a copy for inference alone, of Keras's own layers: it loads without this library.

    The optimizer, whose state is as large as the weights or twice that, stays behind, and so do
    the bounds of max-norm, which have done their work. `RReLU` becomes `LeakyReLU` of its mean slope,
    which is what it computes at inference. `MCDropout` and `MCAlphaDropout` become Keras's `Dropout`
    and `AlphaDropout`, which are off at inference: the copy predicts the same each time, without
    draws. `mc_predict` draws from the copy as from the model.

    Args:
        model: A Sequential or functional `keras.Model`, built.

    Returns:
        A model that is not compiled, with the same weights, and but for Monte Carlo dropout the same
        predictions.

    Raises:
        TypeError: If it is no `keras.Model`.
        ValueError: If it is neither Sequential nor functional, or has layers of this library inside
            a wrapper such as `TimeDistributed`.

    Example:
        >>> strip(model).save("small.keras")
    """
    copy = copy_of(model, _plain)
    config = json.dumps(keras.saving.serialize_keras_object(copy), default=str)
    if "keras_recipes>" in config:
        own = sorted({text.split('"')[0] for text in config.split("keras_recipes>")[1:]})
        raise ValueError(
            "`model` must have layers of keras_recipes in its own place, not inside a wrapper. "
            f"Received: one with {', '.join(own)}. Save it as it is, and import keras_recipes where "
            "it is loaded."
        )
    return copy


def _count(layer: keras.Layer) -> LayerSparsity:
    kernels = [ops.convert_to_numpy(kernel) for kernel in kernels_of(layer)]
    size, left = (sum(map(count, kernels)) for count in (np.size, np.count_nonzero))
    return LayerSparsity(layer.name, size, int(size - left))


def _plain(layer: keras.Layer) -> keras.Layer:
    inner = layer.layer if isinstance(layer, MaxNorm) else layer
    config = inner.get_config() | {"name": layer.name}
    if isinstance(inner, RReLU):
        slope = (config.pop("lower") + config.pop("upper")) / 2
        del config["seed"]
        return keras.layers.LeakyReLU.from_config(config | {"negative_slope": slope})
    for name in ("kernel_constraint", "depthwise_constraint"):
        if isinstance(getattr(inner, name, None), ExactMaxNorm):
            config[name] = None
    return PLAIN.get(type(inner), type(inner)).from_config(config)


def _saved(model: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.keras"
        model.save(path)
        return path.read_bytes()


def _latency(model: keras.Model) -> float:
    example = keras.tree.map_structure(
        lambda each: np.zeros([size or 1 for size in each.shape], each.dtype),
        model.inputs[0] if isinstance(model, keras.Sequential) else model.input,
    )
    times = []
    for _ in range(TIMED + 1):  # the first one traces
        start = time.perf_counter()
        model.predict_on_batch(example)
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))
