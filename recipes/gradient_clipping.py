"""Train a network whose gradients explode, without clipping and with three kinds of it."""

import functools
from typing import Any

import keras
import numpy as np

import keras_recipes as kr
from recipes.backprop_by_hand import step_taken
from recipes.columns import of
from recipes.command import comparison_parser, run
from recipes.comparison import Comparison, Variant

CLIPPED: dict[str, dict[str, Any]] = {
    "none": {},
    "clipvalue=0.1": {"clipvalue": 0.1},
    "clipnorm=3": {"clipnorm": 3.0},
    "global_clipnorm=10": {"global_clipnorm": 10.0},
    "global_clipnorm=0.1": {"global_clipnorm": 0.1},
}
QUICK = ("none", "clipvalue=0.1", "global_clipnorm=10")
DEPTH = 10
VARIANCE = 4.0  # of the initial weights times fan-in, where He has 2
RATE = 0.03
EXAMPLES = 256  # for the first step


def main() -> None:
    comparison = Comparison("gradient_clipping", comparison_parser(__doc__).parse_args())
    data = comparison.data

    def build(seed: int, clipping: dict[str, Any], rate: float = RATE) -> keras.Model:
        return kr.build_default_dnn(
            **comparison.inputs(),
            hidden_units=(100,) * DEPTH,
            activation="relu",
            kernel_initializer=keras.initializers.VarianceScaling(VARIANCE),
            normalization=None,
            optimizer="sgd",
            learning_rate=rate,
            seed=seed,
            **clipping,
        )

    def first_step(clipping: dict[str, Any]) -> np.ndarray:
        model = build(comparison.seeds[0], clipping, rate=1.0)
        taken = step_taken(model, data.x_train[:EXAMPLES], data.y_train[:EXAMPLES])
        return np.concatenate([each.ravel() for each in taken]).astype("float64")

    variants = [
        Variant(name, functools.partial(build, clipping=clipping))
        for name, clipping in CLIPPED.items()
    ]
    outcomes = comparison.run(variants, QUICK, schedule=None)
    raw, steps = first_step({}), {name: first_step(each) for name, each in CLIPPED.items()}

    def norm(name: str) -> str:
        return f"{np.linalg.norm(steps[name]):.3g}"

    def angle(name: str) -> str:
        cosine = raw @ steps[name] / np.linalg.norm(raw) / np.linalg.norm(steps[name])
        return f"{np.degrees(np.arccos(np.clip(cosine, -1, 1))):.0f}"

    test = of("test")
    comparison.report.table(
        comparison.title(
            f"{DEPTH} layers of ReLU, weights {VARIANCE / 2:g} times He's variance, plain SGD of "
            f"rate {RATE}"
        ),
        ["", f"test {comparison.measure}", "norm of the first gradient", "turned by, degrees"],
        [[name, test(each), norm(name), angle(name)] for name, each in outcomes.items()],
    )
    comparison.plot_losses(outcomes)
    comparison.report.close()


if __name__ == "__main__":
    run(main)
