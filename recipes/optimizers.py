"""Train one network with each of the nine optimizers, at a constant rate and with 1cycle."""

import functools
import statistics
import warnings
from collections.abc import Mapping, Sequence

import keras
import numpy as np

import keras_recipes as kr
from recipes.columns import multiples, of, rate, step_time
from recipes.command import comparison_parser, run
from recipes.comparison import Comparison, Outcome, Variant

OPTIMIZERS = tuple(kr.guide.LEARNING_RATES)
QUICK = ("sgd", "nadam")


def main() -> None:
    # Those without a momentum are compared on purpose: of them 1cycle moves the rate alone.
    warnings.filterwarnings("ignore", "The momentum of .* cannot be cycled")
    comparison = Comparison("optimizers", comparison_parser(__doc__).parse_args())

    def build(name: str, seed: int) -> keras.Model:
        return kr.build_default_dnn(**comparison.inputs(), optimizer=name, seed=seed)

    def variants(**fit: object) -> list[Variant]:
        return [Variant(name, functools.partial(build, name), fit) for name in OPTIMIZERS]

    constant = comparison.run(variants(schedule="constant"), QUICK, search_rate=True)
    cycled = comparison.run(variants(schedule="1cycle"), QUICK, search_rate=True)
    target = _reached_by_all(constant)

    def speed(outcomes: Sequence[Outcome]) -> str:
        return f"{statistics.mean(_epochs_to(target, each.history) for each in outcomes):.1f}"

    comparison.table(
        "A constant rate",
        constant,
        {
            f"test {comparison.measure}": of("test"),
            "rate": rate,
            "of the suggestion": multiples,
            f"epochs to a validation loss of {target:.3f}": speed,
            "µs a step": step_time,
            "values kept a weight": _kept,
        },
    )
    comparison.table(
        "1cycle",
        cycled,
        {
            f"test {comparison.measure}": of("test"),
            "peak": rate,
            "of the suggestion": multiples,
            "test loss": of("test_loss"),
        },
    )
    comparison.plot_losses(constant, name="constant", legend="constant rate")
    comparison.plot_losses(cycled, name="1cycle", legend="1cycle")
    comparison.report.close()


def _reached_by_all(outcomes: Mapping[str, Sequence[Outcome]]) -> float:
    """The lowest validation loss that every training came to."""
    return max(each.val_loss for several in outcomes.values() for each in several if each.history)


def _epochs_to(target: float, history: Mapping[str, Sequence[float]]) -> float:
    if not history:
        return float("nan")
    return 1 + int(np.argmax(np.array(history["val_loss"]) <= target))


def _kept(outcomes: Sequence[Outcome]) -> str:
    """How many numbers the optimizer keeps for each weight."""
    model = outcomes[0].model
    slots = sum(int(np.prod(each.shape)) for each in model.optimizer.variables)
    return f"{slots / sum(int(np.prod(each.shape)) for each in model.trainable_weights):.0f}"


if __name__ == "__main__":
    run(main)
