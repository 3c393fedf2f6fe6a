"""Trainings that differ in one thing: each over several seeds, in one table and one figure."""

import argparse
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import keras
import numpy as np

import keras_recipes as kr
from keras_recipes.datasets import Dataset
from recipes.loss_figure import draw_losses
from recipes.report import Report

QUICK_EPOCHS, QUICK_ROWS = 3, 2000
RATE_STEP = 3.0  # between the rates that are tried, around what `find_learning_rate` suggests
FARTHEST = 6  # such steps from there at most

Result = TypeVar("Result")
Predict = Callable[[keras.Model, np.ndarray], np.ndarray]
Columns = Mapping[str, Callable[[Sequence["Outcome"]], object]]


@dataclass(frozen=True)
class Variant:
    """One of the trainings that are compared.

    Args:
        name: What it is called in the table.
        build: Makes the compiled model for a seed.
        fit: Keywords of `keras_recipes.fit` that are its own.
    """

    name: str
    build: Callable[[int], keras.Model]
    fit: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Args:
        model: The trained model.
        history: Losses and metrics by epoch; empty where the loss became infinite or NaN.
        step_seconds: Time of a step, the median over the epochs but the first, which compiles.
        train: Accuracy, or RMSE in the target's units, on what was trained on.
        test: The same on the test set.
        test_loss: The loss of the task on the test set, without penalties.
        rate: The learning rate, or its peak or start, where several were tried: that of the lowest
            validation loss.
        multiple: How many times the suggested rate it is.
    """

    model: keras.Model
    history: Mapping[str, Sequence[float]]
    step_seconds: float = math.nan
    train: float = math.nan
    test: float = math.nan
    test_loss: float = math.nan
    rate: float = math.nan
    multiple: float = math.nan

    @property
    def val_loss(self) -> float:
        """The lowest validation loss; infinite where there is none."""
        return min(self.history.get("val_loss", [math.inf]))


class Comparison:
    """Trains variants on the data that the flags name, and reports on them.

    Args:
        name: Name of the recipe.
        arguments: The flags of `comparison_parser`.
    """

    def __init__(self, name: str, arguments: argparse.Namespace) -> None:
        self.report = Report(name, arguments)
        self.data = kr.load_dataset(
            arguments.data, arguments.target, task=arguments.task, seed=arguments.seed
        )
        self.quick = arguments.quick
        if self.quick:
            self.data = _first_rows(self.data, QUICK_ROWS)
        self.epochs = min(arguments.epochs, QUICK_EPOCHS) if self.quick else arguments.epochs
        self.batch_size = arguments.batch_size
        seeds = 1 if self.quick else arguments.seeds
        self.seeds = range(arguments.seed, arguments.seed + seeds)

    @property
    def measure(self) -> str:
        """What tells good from bad on these data."""
        return "RMSE" if self.data.task == "regression" else "accuracy"

    def inputs(self) -> dict[str, Any]:
        """The arguments of the builders that the data give."""
        data = self.data
        return {
            "input_shape": data.input_shape,
            "n_outputs": data.n_outputs,
            "task": data.task,
            "adapt_to": data.adapt_to,
        }

    def run(
        self,
        variants: Sequence[Variant],
        quick: Sequence[str] | None = None,
        search_rate: bool = False,
        **fit: Any,
    ) -> dict[str, list[Outcome]]:
        """Returns the outcomes of each variant, one a seed.

        Args:
            variants: What to train.
            quick: The names of those that `--quick` trains; None for all.
            search_rate: Whether each training has the rate that is best on the validation data,
                of those around the suggested one; else `keras_recipes.fit` is left to choose.
            **fit: Keywords of `keras_recipes.fit` for all of them.
        """
        if self.quick and quick is not None:
            variants = [variant for variant in variants if variant.name in quick]
        outcomes: dict[str, list[Outcome]] = {variant.name: [] for variant in variants}
        with self.report.console.status("") as status:
            for seed in self.seeds:  # in turn, so that a slow minute of the machine is in all
                for variant in variants:
                    status.update(f"{variant.name}, seed {seed}")
                    outcomes[variant.name].append(self._best(variant, seed, search_rate, fit))
        return outcomes

    def predicted_by(self, predict: Predict, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Returns outcomes whose scores are those of another way to predict.

        Args:
            predict: Takes a model and inputs.
            outcomes: What has been trained.
        """
        return [self._scored(each, predict) if each.history else each for each in outcomes]

    def table(
        self, title: str, outcomes: Mapping[str, Sequence[Outcome]], columns: Columns
    ) -> None:
        """Adds the table of the outcomes, a line for each variant.

        Args:
            title: What was compared; the data and the length of the training are added.
            outcomes: What `run` returned.
            columns: What is shown of a variant, by the head of its column.
        """
        rows = [
            [name, *(cell(each) for cell in columns.values())] for name, each in outcomes.items()
        ]
        self.report.table(self.title(title), ["", *columns], rows)

    def title(self, what: str) -> str:
        """Returns the title of a table: what was compared, on what data and in what trainings."""
        several = f"{len(self.seeds)} seeds" if len(self.seeds) > 1 else "one seed"
        trained = f"up to {self.epochs} epochs at batch {self.batch_size}, {several}"
        return f"{what} on {self.data.name}: {trained}"

    def plot_losses(
        self,
        outcomes: Mapping[str, Sequence[Outcome]],
        key: str = "val_loss",
        name: str | None = None,
        legend: str = "",
    ) -> None:
        """Adds the figure of a loss by epoch, the median of the seeds.

        Args:
            outcomes: What `run` returned.
            key: The loss, as the history calls it.
            name: Of the figure; without it that of the loss.
            legend: What it is by which the trainings differ.
        """
        axes = self.report.axes()
        if axes is not None:
            histories = {
                name: [each.history for each in several] for name, several in outcomes.items()
            }
            draw_losses(axes, histories, key, legend)
            self.report.figure(name or key, axes.figure)

    def _best(
        self, variant: Variant, seed: int, search_rate: bool, fit: Mapping[str, Any]
    ) -> Outcome:
        if not search_rate:
            return self._train(variant, seed, fit)
        suggestion = kr.find_learning_rate(
            variant.build(seed), self.data.x_train, self.data.y_train, batch_size=self.batch_size
        ).suggestion

        def train(step: int) -> Outcome:
            multiple = RATE_STEP**step
            rate = multiple * suggestion
            outcome = self._train(variant, seed, {**fit, "max_learning_rate": rate})
            return replace(outcome, rate=rate, multiple=multiple)

        return lowest(train, lambda outcome: outcome.val_loss)

    def _train(self, variant: Variant, seed: int, fit: Mapping[str, Any]) -> Outcome:
        data, model, times = self.data, variant.build(seed), EpochTimes()
        keywords = {"validation_data": (data.x_val, data.y_val), **fit, **variant.fit}
        try:
            history = kr.fit(
                model,
                data.x_train,
                data.y_train,
                epochs=self.epochs,
                batch_size=self.batch_size,
                seed=seed,
                verbose=0,
                callbacks=[*keywords.pop("callbacks", ()), times],
                **keywords,
            ).history
        except FloatingPointError:
            return Outcome(model, {})
        seconds = times.median() / math.ceil(len(data.x_train) / self.batch_size)
        return self._scored(Outcome(model, history, seconds), kr.predict)

    def _scored(self, outcome: Outcome, predict: Predict) -> Outcome:
        data, model = self.data, outcome.model
        predicted = predict(model, data.x_test)
        return replace(
            outcome,
            train=score(data, predict(model, data.x_train), data.y_train),
            test=score(data, predicted, data.y_test),
            test_loss=loss(model, predicted, data.y_test),
        )


def _first_rows(data: Dataset, count: int) -> Dataset:
    parts = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")
    return replace(data, **{name: getattr(data, name)[:count] for name in parts})


class EpochTimes(keras.callbacks.Callback):
    """Seconds of each epoch, from its first step to the next one's."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.starts: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.starts.append(time.perf_counter())

    def on_train_end(self, logs: Any = None) -> None:
        self.starts.append(time.perf_counter())

    def median(self) -> float:
        """The median of all epochs but the first, which compiles."""
        seconds = np.diff(self.starts)
        return float(np.median(seconds[1:] if len(seconds) > 1 else seconds))


def lowest(result_of: Callable[[int], Result], cost: Callable[[Result], float]) -> Result:
    """Returns the best result around 0: of -1, 0 and 1, and outwards while the best is at an edge.

    Args:
        result_of: Returns the result at a number.
        cost: What is to be low.
    """
    results = {step: result_of(step) for step in (-1, 0, 1)}
    while True:
        # Where all diverge, downwards.
        best = min(results, key=lambda step: (cost(results[step]), step))
        further = {best - 1, best + 1} - set(results)
        if not further or abs(best) == FARTHEST:
            return results[best]
        results |= {step: result_of(step) for step in further}


def score(data: Dataset, predicted: np.ndarray, y: np.ndarray) -> float:
    """Returns the accuracy of predictions, or their RMSE in the target's units.

    Args:
        data: What says the task, and the scale of the target.
        predicted: What a model of the data says.
        y: The truth.
    """
    if data.task == "multiclass":
        return float((predicted.argmax(axis=1) == y).mean())
    predicted = predicted.reshape(y.shape)
    if data.task == "regression":
        return float(np.sqrt(np.mean(((predicted - y) * data.target_scale) ** 2)))
    return float(((predicted > 0.5) == y).mean())


def loss(model: keras.Model, predicted: np.ndarray, y: np.ndarray) -> float:
    """Returns the loss that a model was compiled with, without penalties, of predictions."""
    function = keras.losses.get(model.loss)
    values = function(y.reshape(len(y), -1), predicted)
    return float(np.mean(keras.ops.convert_to_numpy(values)))
