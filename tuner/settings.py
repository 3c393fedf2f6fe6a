"""What a search is: the same for all its processes, and when it goes on."""

import logging
from dataclasses import asdict, dataclass, fields
from typing import Any

import keras_recipes as kr
from keras_recipes.datasets import Dataset
from keras_recipes.search_spaces import CNN, DefaultDNN, SelfNormalizingDNN
from keras_recipes.search_spaces.space import SearchSpace
from tuner.algorithms import make_oracle
from tuner.oracles import Dependable
from tuner.study import OBJECTIVE

SPACES: dict[str, Any] = {"default": DefaultDNN, "selu": SelfNormalizingDNN, "cnn": CNN}


@dataclass(frozen=True)
class Settings:
    """The flags of a search that its run directory keeps, as `python -m tuner.search` has them."""

    data: str
    target: str | None
    task: str | None
    space: str
    vary: list[str] | None
    algorithm: str
    epochs: int
    folds: int
    stop_early: bool
    seed: int

    @classmethod
    def of(cls, flags: Any) -> "Settings":
        """Returns those among the flags."""
        return cls(**{each.name: getattr(flags, each.name) for each in fields(cls)})

    def as_dict(self) -> dict[str, Any]:
        """Returns them by name."""
        return asdict(self)

    def load_data(self) -> Dataset:
        """Returns the data."""
        # It warns of graphs that are traced anew, as those of many models must be.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        return kr.load_dataset(self.data, self.target, task=self.task, seed=self.seed)

    def make_space(self, data: Dataset) -> SearchSpace:
        """Returns what is searched: all, or what `vary` names.

        Raises:
            ValueError: If `vary` names what is not a dimension, or never counts.
        """

        space: SearchSpace = SPACES[self.space](
            data.input_shape, data.n_outputs, data.task, adapt_to=data.adapt_to
        )
        if self.vary is not None:
            space.vary(self.vary)
        return space

    def make_oracle(self, max_trials: int | None = None, max_failures: int = 5) -> Dependable:
        """Returns what suggests the trials; the arguments may change when a search goes on."""
        return make_oracle(
            self.algorithm, OBJECTIVE, max_trials, self.epochs, self.seed, max_failures
        )

    def of_study(self) -> dict[str, Any]:
        """Returns the keywords of a `Study`."""
        return {"seed": self.seed, "folds": self.folds, "stop_early": self.stop_early}
