"""Train a deep network without batch normalization, and with it before and after the activation."""

import statistics
from collections.abc import Sequence
from typing import Any

import keras

import keras_recipes as kr
from recipes.columns import epochs_run, of, step_time
from recipes.command import comparison_parser, count, run
from recipes.comparison import Comparison, Outcome, Variant

MOMENTA = (0.9, 0.99, 0.999)
QUICK, QUICK_DEPTH = ("none", "before, momentum 0.9", "after, momentum 0.999"), 3


def main() -> None:
    parser = comparison_parser(__doc__)
    parser.add_argument("--depth", type=count, default=20, metavar="N", help="hidden layers of 100")
    arguments = parser.parse_args()
    comparison = Comparison("batch_norm", arguments)
    depth = min(arguments.depth, QUICK_DEPTH) if comparison.quick else arguments.depth

    def variant(name: str, **keywords: Any) -> Variant:
        def build(seed: int) -> keras.Model:
            return kr.build_default_dnn(
                **comparison.inputs(),
                hidden_units=(100,) * depth,
                seed=seed,
                **keywords,
            )

        return Variant(name, build)

    variants = [variant("none", normalization=None)]
    for position in ("before", "after"):
        for momentum in MOMENTA:
            variants.append(
                variant(
                    f"{position}, momentum {momentum}",
                    normalization="batch",
                    batch_norm_position=position,
                    batch_norm_momentum=momentum,
                )
            )
    outcomes = comparison.run(variants, QUICK)
    comparison.table(
        f"Batch normalization, {depth} hidden layers of 100 with ELU",
        outcomes,
        {
            f"test {comparison.measure}": of("test"),
            "test loss": of("test_loss"),
            "validation loss after epoch 1": _first_epoch,
            "epochs": epochs_run,
            "µs a step": step_time,
        },
    )
    comparison.plot_losses(outcomes)
    comparison.report.close()


def _first_epoch(outcomes: Sequence[Outcome]) -> str:
    losses = [each.history["val_loss"][0] for each in outcomes if each.history]
    return f"{statistics.median(losses):.3f}" if losses else ""


if __name__ == "__main__":
    run(main)
