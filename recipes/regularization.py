"""Train a network on few examples with each way to regularize it, and with none."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import keras_recipes as kr
from keras_recipes.checks import check_tensorflow
from keras_recipes.datasets import Dataset
from recipes.columns import epochs_run, of
from recipes.command import comparison_parser, count, run
from recipes.comparison import Comparison, Variant, loss

QUICK = ("none", "early stopping", "dropout=0.3")


def main() -> None:
    parser = comparison_parser(__doc__, epochs=50)
    parser.add_argument("--rows", type=count, default=500, metavar="N", help="to train on")
    parser.add_argument("--samples", type=count, default=100, metavar="N", help="of MC dropout")
    arguments = parser.parse_args()
    check_tensorflow("The Monte Carlo predictions of `recipes.regularization`")
    comparison = Comparison("regularization", arguments)
    data, rows = comparison.data, arguments.rows
    comparison.data = dataclasses.replace(
        data, x_train=data.x_train[:rows], y_train=data.y_train[:rows]
    )

    to_the_end = {"validation_data": None, "callbacks": [Watched(data)]}

    def variant(name: str, builder: Callable = kr.build_default_dnn, **keywords: Any) -> Variant:
        def build(seed: int) -> keras.Model:
            return builder(**comparison.inputs(), seed=seed, **keywords)

        return Variant(name, build, to_the_end)

    selu = kr.build_self_normalizing_dnn
    stopped = dataclasses.replace(variant("early stopping"), fit={})
    outcomes = comparison.run(
        [
            variant("none"),
            stopped,
            variant("l1=1e-4", l1=1e-4),
            variant("l2=1e-3", l2=1e-3),
            variant("max_norm=1", max_norm=1.0),
            variant("dropout=0.3", dropout=0.3),
            variant("SELU", selu),
            variant("SELU, alpha dropout=0.1", selu, dropout=0.1),
        ],
        QUICK,
        schedule=None,  # a constant rate, as in the book: 1cycle leaves little to stop early
    )

    def mc_predict(model: keras.Model, x: np.ndarray) -> np.ndarray:
        return kr.mc_predict(model, x, arguments.samples, seed=arguments.seed).mean

    comparison.plot_losses(outcomes)
    outcomes["MC dropout=0.3"] = comparison.predicted_by(mc_predict, outcomes["dropout=0.3"])
    comparison.table(
        f"Regularization with {len(comparison.data.x_train)} examples",
        outcomes,
        {
            f"training {comparison.measure}": of("train"),
            f"test {comparison.measure}": of("test"),
            "test loss": of("test_loss"),
            "epochs": epochs_run,
        },
    )
    comparison.report.close()


class Watched(keras.callbacks.Callback):
    """Logs the validation loss, without penalties; `fit`, given the data, would go by it.

    Args:
        data: What has the examples to validate on.
    """

    def __init__(self, data: Dataset) -> None:
        super().__init__()
        self.data = data

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            predicted = kr.predict(self.model, self.data.x_val)
            logs["val_loss"] = loss(self.model, predicted, self.data.y_val)


if __name__ == "__main__":
    run(main)
