"""The chapter's last exercise: twenty layers of 100, from ELU and Nadam to 1cycle, on CIFAR-10."""

import argparse

import keras
import numpy as np

import keras_recipes as kr
from keras_recipes.checks import check_tensorflow
from recipes.columns import epochs_run, multiples, of, step_time
from recipes.command import comparison_parser, count, run
from recipes.comparison import Comparison, Variant

DROPOUT = 0.1
FALLBACK = "digits"
DROPPED = ("SELU, alpha dropout", "SELU, alpha dropout once")
QUICK, QUICK_DEPTH = ("ELU, He, Nadam", *DROPPED), 3


def main() -> None:
    parser = comparison_parser(__doc__, epochs=30)
    parser.set_defaults(data="cifar10")  # where it cannot be had, digits
    parser.add_argument("--depth", type=count, default=20, metavar="N", help="hidden layers of 100")
    parser.add_argument("--samples", type=count, default=20, metavar="N", help="of MC dropout")
    arguments = parser.parse_args()
    check_tensorflow("The Monte Carlo predictions of `recipes.book_exercise`")
    comparison = _open(arguments)
    data = comparison.data
    depth = min(arguments.depth, QUICK_DEPTH) if comparison.quick else arguments.depth
    hidden = (100,) * depth

    def elu(seed: int, normalization: str | None) -> keras.Model:
        return kr.build_default_dnn(
            **comparison.inputs(), hidden_units=hidden, normalization=normalization,
            optimizer="nadam", seed=seed,
        )  # fmt: skip

    def selu(seed: int, dropout: float) -> keras.Model:
        inputs = {**comparison.inputs(), "adapt_to": data.x_train}
        return kr.build_self_normalizing_dnn(
            **inputs, hidden_units=hidden, dropout=dropout, optimizer="nadam", seed=seed
        )

    constant, cycle = {"schedule": "constant"}, {"schedule": "1cycle"}
    outcomes = comparison.run(
        [
            Variant("ELU, He, Nadam", lambda seed: elu(seed, None), constant),
            Variant("ELU, batch normalization", lambda seed: elu(seed, "batch"), constant),
            Variant("SELU, LeCun", lambda seed: selu(seed, 0.0), constant),
            Variant(DROPPED[0], lambda seed: selu(seed, DROPOUT), constant),
            Variant(DROPPED[1], lambda seed: dropped_once(selu(seed, 0.0), seed), constant),
            Variant("SELU, 1cycle", lambda seed: selu(seed, 0.0), cycle),
        ],
        QUICK,
        search_rate=True,
    )
    comparison.plot_losses(outcomes)

    def mc_predict(model: keras.Model, x: np.ndarray) -> np.ndarray:
        return kr.mc_predict(model, x, arguments.samples, seed=arguments.seed).mean

    for name in DROPPED:
        predicted = comparison.predicted_by(mc_predict, outcomes[name])
        outcomes[name.replace("alpha", "MC alpha")] = predicted
    comparison.table(
        f"{depth} hidden layers of 100",
        outcomes,
        {
            f"test {comparison.measure}": of("test"),
            "test loss": of("test_loss"),
            "of the suggested rate": multiples,
            "epochs": epochs_run,
            "µs a step": step_time,
        },
    )
    comparison.report.close()


def dropped_once(model: keras.Model, seed: int) -> keras.Model:
    """Returns a model with the same layers and alpha dropout before its output."""
    output = model.layers[-1]
    hidden = keras.layers.AlphaDropout(DROPOUT, seed=seed)(output.input)
    dropped = keras.Model(model.input, output(hidden))
    dropped.compile(model.optimizer, model.loss)
    return dropped


def _open(arguments: argparse.Namespace) -> Comparison:
    try:
        return Comparison("book_exercise", arguments)
    except FileNotFoundError as error:
        if arguments.data != "cifar10":
            raise
        print(f"CIFAR-10 is not to be had, {FALLBACK} instead. {error}")
        arguments.data = FALLBACK
        return Comparison("book_exercise", arguments)


if __name__ == "__main__":
    run(main)
