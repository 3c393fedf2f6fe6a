"""The trials of a search: each is built, trained, scored and kept."""

import statistics
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np

from keras_recipes.datasets import Dataset
from keras_recipes.search_spaces.space import SearchSpace
from tuner.board import write_trial
from tuner.folds import split, together
from tuner.json_files import read_json, write_json
from tuner.oracles import STOPPED, Dependable
from tuner.weights import are_whole, load_weights, save_weights

OBJECTIVE = "val_loss"
RMSE = "root_mean_squared_error"  # ends its name, of training and of validation
COMPARED = 5  # trials that a median is taken of, at least
PROJECT = "search"
HISTORY = "history.json"  # in a trial's directory: its epochs, and what else its training tells


class NotKept(OSError, keras_tuner.errors.FatalError):
    """What a trial leaves behind could not be written: no fault of the trial, which is run again."""


class Study(keras_tuner.Tuner):
    """keras-tuner's `Tuner` for a search that runs in one directory.

    A trial is scored by the metrics of the epoch whose weights the model ends with, its loss without
    the penalties on the weights. With several folds these are means over the folds. A trial that the
    median rule ends, in the first fold, has metrics of that fold, and no score. Losses are those of
    standardized targets, the RMSE of one target is in its units.

    Args:
        oracle: What suggests the trials.
        space: What they are of.
        run_dir: Where the search is kept.
        seed: Of the folds, and of the trials' weights and training.
        folds: Parts that training and validation rows are shared out into, each of which validates
            once; 1 to validate on the validation rows.
        stop_early: Whether a trial ends that is worse than the median of the others at its epoch; not
            the first, the default, which the others are measured by.
        tell: Called after each trial.
    """

    def __init__(
        self,
        oracle: Dependable,
        space: SearchSpace,
        run_dir: Path,
        *,
        seed: int,
        folds: int = 1,
        stop_early: bool = False,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self._seed, self._folds, self._stop_early, self._tell = seed, folds, stop_early, tell
        self.run_dir = run_dir
        self._stopped = False  # by the rule, the trial that ran last
        oracle.on_failure = lambda trial: self._show(trial, {}, None)
        super().__init__(oracle, space, directory=str(run_dir), project_name=PROJECT)

    def _populate_initial_space(self) -> None:
        # keras-tuner builds models until it has seen each condition; these spaces declare all at once.
        hp = self.oracle.get_space()
        self.hypermodel.declare_hyperparameters(hp)
        self.oracle.update_space(hp)

    def reload(self) -> None:
        if not self._is_worker():
            self.oracle.reload()  # it has all that there is to know

    def save(self) -> None:
        if not self._is_worker():
            write_json(Path(self._get_tuner_fname()), self.get_state())

    def run_trial(self, trial: Any, data: Dataset, epochs: int) -> dict[str, float]:
        """Returns the validation metrics of a trial.

        Args:
            trial: keras-tuner's.
            data: What to train and validate on.
            epochs: Epochs, where Hyperband does not say how many.

        Raises:
            NotKept: If something could not be written.
        """
        try:
            return self._score(trial, data, epochs)
        except OSError as error:
            raise NotKept(str(error)) from error

    def _score(self, trial: Any, data: Dataset, epochs: int) -> dict[str, float]:
        begin = time.monotonic()
        first = int(trial.trial_id) == 0
        rule = MedianRule(self._curves_but(trial) if self._stop_early and not first else [])
        scores: list[dict[str, float]] = []
        for fold, part in enumerate(split(data, self._folds, self._seed)):
            scores.append(self._run_fold(trial, fold, part, epochs, rule))
            if rule.stopped:
                break
        means = {name: float(np.mean([each[name] for each in scores])) for name in scores[0]}
        metrics = in_units(means, data)
        self._keep(trial, seconds=time.monotonic() - begin)
        if len(scores) > 1:
            deviation = np.std([each[OBJECTIVE] for each in scores], ddof=1)
            self._keep(trial, deviation=float(deviation))
        if not np.isfinite(metrics[OBJECTIVE]):
            raise keras_tuner.errors.FailedTrialError(f"{OBJECTIVE} is {metrics[OBJECTIVE]}")
        self._stopped = rule.stopped
        self._show(trial, in_units(rule.history, data), {} if rule.stopped else metrics)
        return metrics

    def load_model(self, trial: Any) -> keras.Model:
        """Returns the model of a trial as it was after its training, on the first of its folds."""
        model = self.hypermodel.build(trial.hyperparameters)
        load_weights(self._weights(trial.trial_id, 0), model)
        return model

    def mend(self, trial: Any, data: Dataset, epochs: int) -> bool:
        """Trains a trial as before, on the first of its folds, if its weights are damaged or missing.

        Args:
            trial: keras-tuner's; its score stays.
            data: As for `run_trial`.
            epochs: As for `run_trial`.

        Returns:
            Whether they were.
        """
        return self._mend(trial, 0, next(split(data, self._folds, self._seed)), epochs)

    def train_anew(self, trial: Any, data: Dataset, epochs: int) -> keras.Model:
        """Returns a model of a trial's hyperparameters, trained on all rows but the test's.

        Args:
            trial: keras-tuner's.
            data: Has the rows.
            epochs: Epochs, where Hyperband did not say how many.
        """
        keras.utils.set_random_seed(self._seed)
        model = self.hypermodel.build(trial.hyperparameters)
        epochs = trial.hyperparameters.values.get("tuner/epochs", epochs)
        self._fit(trial, model, *together(data), epochs=epochs, seed=self._seed)
        return model

    def on_trial_end(self, trial: Any) -> None:
        if self._stopped and trial.status == "COMPLETED":
            trial.status = STOPPED
        super().on_trial_end(trial)
        self._tell()

    def _run_fold(
        self, trial: Any, fold: int, data: Dataset, epochs: int, rule: "MedianRule"
    ) -> dict[str, float]:
        values = trial.hyperparameters.values
        before = values.get("tuner/trial_id")  # Hyperband goes on with this one
        if before:
            self._mend(self.oracle.get_trial(before), fold, data, epochs)
        keras.backend.clear_session(free_memory=False)  # a collection takes a quarter of a trial
        seed = zlib.crc32(f"{self._seed} {trial.trial_id} {fold}".encode())
        keras.utils.set_random_seed(seed)
        model = self.hypermodel.build(trial.hyperparameters)
        if before:
            load_weights(self._weights(before, fold), model)
        history = self._fit(
            trial,
            model,
            data.x_train,
            data.y_train,
            validation_data=(data.x_val, data.y_val),
            epochs=values.get("tuner/epochs", epochs),
            initial_epoch=values.get("tuner/initial_epoch", 0),
            callbacks=[rule] if fold == 0 else [],
            seed=seed,
        )
        save_weights(self._weights(trial.trial_id, fold), model, self.tuner_id)
        if fold == 0:
            self._keep(trial, history=history.history, curve=rule.curve)
            rule.history = history.history
        metrics = {
            name: float(curve[history.best_epoch])
            for name, curve in history.history.items()
            if name.startswith("val_")
        }
        metrics[OBJECTIVE] -= penalty_of(model)
        return metrics

    def _fit(self, trial: Any, *arguments: Any, **keywords: Any) -> Any:
        with warnings.catch_warnings():
            # A search tries what is not ideal, such as 1cycle with an optimizer without momentum.
            warnings.simplefilter("ignore", UserWarning)
            return self.hypermodel.fit(trial.hyperparameters, *arguments, verbose=0, **keywords)

    def _mend(self, trial: Any, fold: int, data: Dataset, epochs: int) -> bool:
        if are_whole(self._weights(trial.trial_id, fold)):
            return False
        self._run_fold(trial, fold, data, epochs, MedianRule([]))
        return True

    def _show(
        self, trial: Any, history: dict[str, list[float]], metrics: dict[str, float] | None
    ) -> None:
        directory = self.run_dir / "logs" / trial.trial_id
        write_trial(directory, trial.hyperparameters.values, history, metrics)

    def _keep(self, trial: Any, **told: Any) -> None:
        path = self._history(trial)
        # Two workers may have one trial, where a chief was away.
        write_json(path, (read_json(path) or {}) | told, self.tuner_id)

    def _history(self, trial: Any) -> Path:
        return Path(self.get_trial_dir(trial.trial_id)) / HISTORY

    def _weights(self, trial_id: str, fold: int) -> Path:
        return Path(self.get_trial_dir(trial_id)) / f"fold-{fold}.weights.npz"

    def _curves_but(self, trial: Any) -> list[list[float]]:
        """The objective after each epoch of the other trials that have ended."""
        found = Path(self.project_dir).glob(f"trial_*/{HISTORY}")
        read = [read_json(path) for path in sorted(found) if path != self._history(trial)]
        return [each["curve"] for each in read if each]


class MedianRule(keras.callbacks.Callback):
    """Ends a training whose best value so far is worse than the median of others' by then.

    Args:
        curves: The validation loss after each epoch of the others.

    Reference: Golovin et al. (2017), Google Vizier: A Service for Black-Box Optimization.
    """

    def __init__(self, curves: list[list[float]]) -> None:
        super().__init__()
        self.stopped = False
        self.history: dict[str, list[float]] = {}
        self.curve: list[float] = []  # of this training, without the penalties on the weights
        self._curves = curves

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.curve.append((logs or {})[OBJECTIVE] - penalty_of(self.model))
        others = [min(curve[: epoch + 1]) for curve in self._curves if len(curve) > epoch]
        if (
            len(others) >= COMPARED
            and min(self.curve) > statistics.median(others)
            # Before its middle the rate of 1cycle is still rising.
            and self.params["epochs"] > epoch + 1 >= self.params["epochs"] / 2
        ):
            self.stopped = self.model.stop_training = True


def penalty_of(model: keras.Model) -> float:
    """Returns what the penalties on the weights add to the loss."""
    return sum(float(penalty) for penalty in model.losses)


def in_units(metrics: dict[str, Any], data: Dataset) -> dict[str, Any]:
    """Returns metrics, or their curves, with the RMSE in the units of the target, if there is one.

    Args:
        metrics: Of standardized targets.
        data: What they are of; several targets have no unit in common.
    """
    if np.ndim(data.target_scale):
        return metrics
    errors = {
        name: (np.asarray(value) * data.target_scale).tolist()
        for name, value in metrics.items()
        if name.endswith(RMSE)
    }
    return metrics | errors
