"""Train one network with each of the six learning-rate schedules."""

import keras

import keras_recipes as kr
from recipes.columns import epochs_run, last_rate, multiples, of, rate
from recipes.command import comparison_parser, run
from recipes.comparison import Comparison, Variant

QUICK = ("1cycle", "exponential")
PATIENCE = 1  # epochs: five, the default, are most of the page's training
SCHEDULES = ("1cycle", "performance", "exponential", "piecewise", "power", "constant")


def main() -> None:
    comparison = Comparison("schedules", comparison_parser(__doc__).parse_args())

    def build(seed: int) -> keras.Model:
        return kr.build_default_dnn(**comparison.inputs(), seed=seed)

    patient = {"callbacks": [kr.callbacks.PerformanceScheduling(patience=PATIENCE)]}
    variants = [
        Variant(name, build, {"schedule": name, **(patient if name == "performance" else {})})
        for name in SCHEDULES
    ]
    outcomes = comparison.run(variants, QUICK, search_rate=True)
    comparison.table(
        "Schedules of the learning rate",
        outcomes,
        {
            f"test {comparison.measure}": of("test"),
            "test loss": of("test_loss"),
            "epochs": epochs_run,
            "rate": rate,
            "of the suggestion": multiples,
            "last rate": last_rate,
        },
    )
    comparison.plot_losses(outcomes, legend="schedule")
    comparison.plot_losses(outcomes, "learning_rate", legend="schedule")
    comparison.report.close()


if __name__ == "__main__":
    run(main)
