"""Train the default network with several bounds on its weights' norms, and without one."""

import functools
from collections.abc import Sequence

import keras
import numpy as np

import keras_recipes as kr
from recipes.columns import epochs_run, of
from recipes.command import comparison_parser, run
from recipes.comparison import Comparison, Outcome, Variant

BOUNDS = {"none": None, "0.5": 0.5, "1": 1.0, "2": 2.0, "4": 4.0}
QUICK = ("none", "0.5", "2")


def main() -> None:
    comparison = Comparison("max_norm", comparison_parser(__doc__).parse_args())

    def build(seed: int, bound: float | None) -> keras.Model:
        return kr.build_default_dnn(**comparison.inputs(), max_norm=bound, seed=seed)

    variants = [
        Variant(name, functools.partial(build, bound=bound)) for name, bound in BOUNDS.items()
    ]
    outcomes = comparison.run(variants, QUICK)
    comparison.table(
        "Bounds on the norm of a unit's incoming weights",
        outcomes,
        {
            "largest norm": _largest_norm,
            f"training {comparison.measure}": of("train"),
            f"test {comparison.measure}": of("test"),
            "test loss": of("test_loss"),
            "epochs": epochs_run,
        },
    )
    comparison.plot_losses(outcomes, legend="bound")
    comparison.report.close()


def _largest_norm(outcomes: Sequence[Outcome]) -> str:
    """Of the hidden units of all networks."""
    kernels = [
        layer.get_weights()[0]
        for each in outcomes
        for layer in each.model.layers
        if layer.name.startswith("hidden_") and isinstance(layer, keras.layers.Dense)
    ]
    return f"{max(float(np.linalg.norm(kernel, axis=0).max()) for kernel in kernels):.3f}"


if __name__ == "__main__":
    run(main)
