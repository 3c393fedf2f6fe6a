"""Train one network with each activation: accuracy, time of a step and of a prediction, dead units."""

import statistics
import time
from collections.abc import Sequence

import keras
import numpy as np

import keras_recipes as kr
from keras_recipes.checks import check_tensorflow
from recipes.columns import mean_and_deviation, of, step_time
from recipes.command import comparison_parser, run
from recipes.comparison import Comparison, Outcome, Variant

# As the notes order them, best first, and then what came later.
ACTIVATIONS = (*kr.guide.PREFERENCE, "gelu", "silu", "mish")
QUICK = ("elu", "relu", "sigmoid")
PREDICTED, TIMED = 10_000, 7  # examples; predictions, of which the median counts


def main() -> None:
    arguments = comparison_parser(__doc__).parse_args()
    check_tensorflow("The column of dead units of `recipes.activations`")
    comparison = Comparison("activations", arguments)
    outcomes = comparison.run([_variant(name, comparison) for name in ACTIVATIONS], QUICK)
    data = comparison.data

    rows = np.resize(data.x_test, (PREDICTED, *data.input_shape))

    def inference(outcomes: Sequence[Outcome]) -> str:
        return f"{statistics.median(_seconds(each.model, rows) for each in outcomes) * 1e3:.0f}"

    def dead(outcomes: Sequence[Outcome]) -> str:
        shares = [_dead(each.model, data.x_train, data.y_train) for each in outcomes]
        return f"{statistics.mean(shares):.1%}"

    comparison.table(
        "Five hidden layers of 100 with each activation, best first in the notes",
        outcomes,
        {
            f"test {comparison.measure}": of("test"),
            "test loss": of("test_loss"),
            "µs a step": step_time,
            f"ms to predict {PREDICTED:,}": inference,
            "dead units": dead,
        },
    )
    best = min if data.task == "regression" else max
    means = {name: statistics.mean(each.test for each in out) for name, out in outcomes.items()}
    first = best(means, key=means.__getitem__)
    comparison.report.say(
        f"Best here: {first}, {mean_and_deviation([each.test for each in outcomes[first]])}."
    )
    comparison.plot_losses(outcomes, legend="activation")
    comparison.report.close()


def _variant(activation: str, comparison: Comparison) -> Variant:
    def build(seed: int) -> keras.Model:
        return kr.build_default_dnn(
            **comparison.inputs(),
            hidden_units=(100,) * 5,
            activation=activation,
            normalization=None,
            seed=seed,
        )

    return Variant(activation, build)


def _seconds(model: keras.Model, x: np.ndarray) -> float:
    kr.predict(model, x)  # which traces it
    taken = []
    for _ in range(TIMED):
        start = time.perf_counter()
        kr.predict(model, x)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _dead(model: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    """The share of hidden units that are 0 for all of 1,024 examples."""
    found = kr.diagnose(model, x, y)
    return float(found.statistics[:-1, 2].mean())


if __name__ == "__main__":
    run(main)
