"""Train the default dense network and convolutional networks, a tuned one too, on the same images."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

import keras_recipes as kr
from keras_recipes.cnn import image_shape
from recipes.columns import epochs_run, of, step_time
from recipes.command import comparison_parser, count, run
from recipes.comparison import Comparison, Outcome, Variant

FILTERS, NARROW = 32, 8  # of the first block; each next one has twice as many
WIDE = (150,) * 3  # on digits more parameters than the convolutions have
DROPOUT = 0.3
# The best of `python -m tuner.search --space cnn --vary filters kernel_size n_blocks n_units
# normalization dropout --max-trials 30 --epochs 20`, on digits.
TUNED: dict[str, Any] = {
    "filters": [32, 64],
    "kernel_size": 3,
    "hidden_units": [85],
    "normalization": "batch",
    "dropout": 0.036,
}
QUICK = ("dense", "convolutional, narrow", "convolutional, batch norm")


def main() -> None:
    parser = comparison_parser(__doc__)
    parser.add_argument(
        "--blocks", type=count, default=2, metavar="N", help="convolutions, with pooling after each"
    )
    arguments = parser.parse_args()
    comparison = Comparison("cnn", arguments)
    image = image_shape(comparison.data.input_shape)  # before anything is trained

    def variant(name: str, builder: Callable = kr.build_cnn, **keywords: Any) -> Variant:
        def build(seed: int) -> keras.Model:
            return builder(**comparison.inputs(), seed=seed, **keywords)

        return Variant(name, build)

    wide, narrow = (
        [first * 2**block for block in range(arguments.blocks)] for first in (FILTERS, NARROW)
    )
    outcomes = comparison.run(
        [
            variant("dense", kr.build_default_dnn),
            variant("dense, wide", kr.build_default_dnn, hidden_units=WIDE),
            variant("dense, batch norm", kr.build_default_dnn, normalization="batch"),
            variant("convolutional, narrow", filters=narrow),
            variant("convolutional", filters=wide),
            variant("convolutional, batch norm", filters=wide, normalization="batch"),
            variant(f"convolutional, dropout={DROPOUT}", filters=wide, dropout=DROPOUT),
            variant("convolutional, both", filters=wide, normalization="batch", dropout=DROPOUT),
            variant("convolutional, tuned", **TUNED),
        ],
        QUICK,
    )
    comparison.table(
        f"Dense and convolutional networks for images of {' x '.join(map(str, image))}",
        outcomes,
        {
            f"test {comparison.measure}": of("test"),
            "test loss": of("test_loss"),
            "parameters": _parameters,
            "epochs": epochs_run,
            "µs a step": step_time,
        },
    )
    comparison.plot_losses(outcomes)
    comparison.report.close()


def _parameters(outcomes: Sequence[Outcome]) -> str:
    """The column of how many numbers are trained."""
    weights = outcomes[0].model.trainable_weights
    return str(sum(math.prod(weight.shape) for weight in weights))


if __name__ == "__main__":
    run(main)
