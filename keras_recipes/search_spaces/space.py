"""The base of the search spaces: a hypermodel whose dimensions are a table."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras
import keras_tuner

from keras_recipes.checks import check_integer
from keras_recipes.fit_callbacks import SCHEDULES
from keras_recipes.guide import LEARNING_RATES
from keras_recipes.optimizers.arguments import CLIPS
from keras_recipes.optimizers.factory import OPTIMIZERS
from keras_recipes.search_spaces.declaration import declare
from keras_recipes.search_spaces.dimensions import Dimension, Range
from keras_recipes.search_spaces.narrowing import narrow, vary
from keras_recipes.training import fit

WITH_MOMENTUM = tuple(name for name, (_, momentum, _) in OPTIMIZERS.items() if momentum)
SEARCHED = ("1cycle", "performance", "exponential", "power", "constant")
WITHOUT_CYCLE = tuple(name for name in SCHEDULES if name != "1cycle")

# What all spaces have in common: the optimizer, and how it is used.
TRAINING = {
    "optimizer": Dimension(tuple(LEARNING_RATES), "momentum"),
    "schedule": Dimension(SEARCHED, "1cycle", allowed=SCHEDULES),
    # "auto" is for 1cycle what `find_learning_rate` suggests, and else the default of the optimizer.
    "rate": Dimension(("auto", "chosen"), "auto"),
    "learning_rate": Dimension(
        Range(1e-4, 1.0, logarithmic=True), 0.01, "(0, inf)", only_with={"rate": ("chosen",)}
    ),
    "momentum": Dimension(
        Range(0.8, 0.99), 0.9, "[0, 1)",
        only_with={"optimizer": WITH_MOMENTUM, "schedule": WITHOUT_CYCLE},
    ),
    "clip": Dimension(("none", *CLIPS), "none"),
    "clip_threshold": Dimension(
        Range(0.1, 10.0, logarithmic=True), 1.0, "(0, inf)", only_with={"clip": CLIPS}
    ),
    "batch_size": Dimension((16, 32, 64, 128, 256), 32, "[1, inf)"),
}  # fmt: skip


class SearchSpace(keras_tuner.HyperModel):
    """A hypermodel of keras-tuner over dimensions that may be fixed or narrowed.

    Args:
        dimensions: Those of the subclass, by name.
        given: name -> a value, a list of values, or (low, high).
        input_shape: Shape of one example.
        n_outputs: As for the builders.
        task: As for the builders.
        adapt_to: As for the builders.
        metrics: As for the builders.
        seed: As for the builders; of shuffling and dropout too.
    """

    def __init__(
        self,
        dimensions: Mapping[str, Dimension],
        given: Mapping[str, Any],
        input_shape: int | Sequence[int],
        n_outputs: int,
        task: str,
        adapt_to: Any,
        metrics: Sequence[Any] | None,
        seed: int | None,
    ) -> None:
        super().__init__()
        self.dimensions = narrow({**dimensions, **TRAINING}, given)
        self.data = {"input_shape": input_shape, "n_outputs": n_outputs, "task": task}
        self.adapt_to = adapt_to
        self.metrics = metrics
        self.seed = seed if seed is None else check_integer("seed", seed, "[0, inf)")
        self.build(self.default_hyperparameters())  # what is wrong is told of here

    def vary(self, names: Collection[str]) -> None:
        """Has some dimensions searched alone; the others have their defaults.

        Args:
            names: Of those to search.

        Raises:
            ValueError: If a name is not that of a dimension, or one that never counts then.
        """
        self.dimensions = vary(self.dimensions, names)

    def declare_hyperparameters(self, hp: Any) -> None:
        """Has keras-tuner know every dimension, those that count in `fit` alone too.

        Args:
            hp: `keras_tuner.HyperParameters`.
        """
        declare(hp, self.dimensions)

    def build(self, hp: Any) -> keras.Model:
        """Returns the compiled model of these hyperparameters.

        Args:
            hp: `keras_tuner.HyperParameters`.
        """
        values = declare(hp, self.dimensions)
        clip = values["clip"]
        clipping = {} if clip == "none" else {str(clip): values["clip_threshold"]}
        return self._make_model(
            values,
            optimizer=values["optimizer"],
            momentum=values.get("momentum"),
            adapt_to=self.adapt_to,
            metrics=self.metrics,
            seed=self.seed,
            **clipping,
            **self.data,
        )

    def fit(
        self,
        hp: Any,
        model: keras.Model,
        *arguments: Any,
        epochs: int = 20,
        initial_epoch: int = 0,
        **keywords: Any,
    ) -> keras.callbacks.History:
        """Trains a model by `keras_recipes.fit`, with the batch size and schedule that `hp` has.

        A schedule is as long as this training is: where Hyperband goes on with a trial, from
        `initial_epoch` to `epochs`, that is a cycle of its own over the epochs between the two, as the
        one before it has ended.

        Args:
            hp: `keras_tuner.HyperParameters`.
            model: What `build` made of them.
            *arguments: x and y.
            epochs: Epoch after which to stop.
            initial_epoch: Epoch to go on from.
            **keywords: As for `keras_recipes.fit`.

        Returns:
            The History.

        Raises:
            ValueError: If a keyword is what the space has dimensions for.
        """
        if given := {"batch_size", "schedule", "max_learning_rate"} & set(keywords):
            name = min(given)
            raise keras_tuner.errors.FatalValueError(
                f"`{name}` must be left to the space. Received: {name}={keywords[name]!r}. Narrow the "
                f'space instead: {type(self).__name__}(..., batch_size=32, schedule="1cycle").'
            )
        values = declare(hp, self.dimensions)
        return fit(
            model,
            *arguments,
            epochs=epochs - initial_epoch,
            batch_size=int(values["batch_size"]),
            schedule=str(values["schedule"]),
            max_learning_rate=self._rate(values),
            **{"seed": self.seed, **keywords},
        )

    def default_hyperparameters(self) -> keras_tuner.HyperParameters:
        """Returns the book's default set-up, within what was narrowed.

        It is the first trial of `python -m tuner.search`; keras-tuner's own tuners begin at random.
        """
        hp = keras_tuner.HyperParameters()
        declare(hp, self.dimensions)
        return hp

    def _make_model(self, values: dict[str, Any], **arguments: Any) -> keras.Model:
        raise NotImplementedError

    @staticmethod
    def _rate(values: dict[str, Any]) -> float | None:
        return float(values["learning_rate"]) if values["rate"] == "chosen" else None
