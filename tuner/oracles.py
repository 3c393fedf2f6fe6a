"""An oracle of keras-tuner, made such that a search starts with the default and loses nothing."""

import functools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial
from keras_tuner.src.engine.oracle import LOCKS, THREADS

from tuner.json_files import read_json, write_json

STOPPED = "STOPPED"  # the status of a trial that ended early, whose metrics are no score
MEASURED = ("COMPLETED", STOPPED)
FINISHED = (*MEASURED, "FAILED")
GIVEN_BACK = "IDLE"  # the status with which a worker hands a trial back that it did not finish
DEATHS = 10  # of processes that ran a trial, after which it is not tried again
LEASE = 60.0  # seconds without a sign of life, after which another worker runs a trial
COPY = ".copy.json"  # ends the name of a second file of the state, should the first be damaged
FAILURE = (
    "failure.json"  # in a trial's directory: its reason, which keras-tuner's protocol leaves out
)


def _synchronized(method: Callable[..., Any]) -> Callable[..., Any]:
    """keras-tuner's own, whose lock stays held after an error, and all who ask then wait for good."""
    locking = keras_tuner.synchronized(method)

    @functools.wraps(method)
    def wrapped(self: "Dependable", *arguments: Any, **keywords: Any) -> Any:
        within_another = THREADS[self] == threading.current_thread().name
        try:
            return locking(self, *arguments, **keywords)
        except Exception as error:
            if not within_another:
                self.broken_by = error
                THREADS[self] = None
                LOCKS[self].release()
            raise

    return wrapped


class Dependable(keras_tuner.Oracle):
    """What all four algorithms get: atomic files, an exact resume, leases, a budget of time.

    The first trial has each hyperparameter's default. Files are written in one move, so that a kill
    leaves none torn. A search that is read back runs the trials again that were running, and no
    other. A trial whose worker is not heard of is run again, and counts once, whoever ends it first.
    Failures in a row end the search without an exception. After an error of its own, such as a full
    disk, `broken_by` is that error, and what it says of the search is no longer to be trusted.
    `on_failure` is called with each trial that failed, whoever ended it.

    Args:
        **keywords: Those of keras-tuner's oracle.
    """

    trials: dict[str, Trial]
    _retry_queue: list[str]

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.deadline = math.inf
        self.stopped_by = ""
        self.broken_by: Exception | None = None
        self.on_failure: Callable[[Trial], None] = lambda trial: None
        self._over = False
        self._seen: dict[str, float] = {}  # trial -> when its worker was heard of
        self._lost: Counter[str] = Counter()  # trial -> processes that ended before it did

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if self.stopped_by:
            return {"status": "STOPPED", "values": None}
        # keras-tuner does not save where its generator is.
        self._random_state = np.random.RandomState(self.seed + len(self.trials))
        return super().populate_space(trial_id)

    def _random_values(self) -> dict[str, Any] | None:
        if self.trials:
            return super()._random_values()
        space = self.get_space()
        return {each.name: each.default for each in space.space if space.is_active(each)}

    @_synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        if tuner_id in self.ongoing_trials:  # which asks anew
            self._lost[self.ongoing_trials[tuner_id].trial_id] += 1
        waiting = self._retry_queue
        if self.is_late():
            self._retry_queue = []
        trial = super().create_trial(tuner_id)
        if self.stopped_by:
            self._retry_queue = waiting
        name = trial.trial_id
        if trial.status == "STOPPED" and self.ongoing_trials:
            trial.status = "IDLE"  # one of those may have to be run again
            self.tuner_ids.add(tuner_id)
        elif trial.status == "STOPPED" and len(self.trials) < self.max_trials:
            count = f"{len(self.trials)} of {self.max_trials:d}"
            self.stopped_by = self.stopped_by or f"nothing more was suggested after {count} trials"
        self._seen[name] = time.monotonic()
        if trial.status == "RUNNING" and self._lost[name] >= DEATHS:
            self.end_of(tuner_id, f"{DEATHS} processes that ran it ended before it did")
            return self.create_trial(tuner_id)
        return trial

    def is_late(self) -> bool:
        """Whether the time is over, so that no trial begins any more."""
        if time.monotonic() > self.deadline:
            self.stopped_by = "the time is over"
        return bool(self.stopped_by)

    def get_trial(self, trial_id: str) -> Trial:
        self._seen[trial_id] = time.monotonic()  # a worker's sign of life
        return super().get_trial(trial_id)

    @_synchronized
    def update_trial(self, trial_id: str, metrics: dict[str, Any], step: int = 0) -> Trial:
        if self._is_open(trial_id):
            super().update_trial(trial_id, metrics, step)
        return self.trials[trial_id]

    @_synchronized
    def end_trial(self, trial: Trial) -> None:
        name = trial.trial_id
        if not self._is_open(name):
            return  # another worker was faster
        told = self.trials[name].metrics.exists(self.objective.name)
        # Else a chief was told that was killed before the end.
        if trial.status == GIVEN_BACK or (trial.status in MEASURED and not told):
            return self._have_run_again(name)
        if name in self._retry_queue:  # its worker is back, or the chief is
            self._retry_queue.remove(name)
        if not trial.message:
            kept = read_json(Path(self._get_trial_dir(name)) / FAILURE) or {}
            trial.message = kept.get("message")
        super().end_trial(trial)
        if self.trials[name].status == "FAILED":
            self.on_failure(self.trials[name])

    @_synchronized
    def end_of(self, tuner_id: str, reason: str) -> None:
        """Ends the trial that a worker runs as failed.

        Args:
            tuner_id: The worker.
            reason: What is recorded.
        """
        trial = self.ongoing_trials[tuner_id]
        self.end_trial(Trial(trial.hyperparameters, trial.trial_id, "FAILED", reason))

    @_synchronized
    def expire(self) -> None:
        """Has the trials run again whose workers were not heard of for the time of a lease."""
        for name in [trial.trial_id for trial in self.ongoing_trials.values()]:
            if time.monotonic() - self._seen[name] > LEASE:
                self._have_run_again(name)
                self._lost[name] += 1

    def _have_run_again(self, name: str) -> None:
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if trial.trial_id == name:
                self.ongoing_trials.pop(tuner_id)
                self.tuner_ids.discard(tuner_id)
                trial.metrics = Trial(trial.hyperparameters).metrics  # empty
                self._retry_queue.append(name)

    @_synchronized
    def close(self) -> None:
        """Notes that the search is over, which `is_over` tells those who no longer hear of it."""
        self._over = True
        self.save()

    def _check_consecutive_failures(self) -> None:
        last = self.end_order[-self.max_consecutive_failed_trials :]
        failed = [each for each in last if self.trials[each].status == "FAILED"]
        if len(failed) == self.max_consecutive_failed_trials:
            self.stopped_by = f"{len(failed)} trials in a row failed"

    def save(self) -> None:
        path, state = Path(self._get_oracle_fname()), self.get_state()
        write_json(path, state)
        write_json(path.with_suffix(COPY), state)

    def _save_trial(self, trial: Trial) -> None:
        write_json(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())

    def get_state(self) -> dict[str, Any]:
        values = {name: trial.hyperparameters.values for name, trial in self.trials.items()}
        return {**super().get_state(), "values": values, "over": self._over, "lost": self._lost}

    def reload(self) -> None:
        """Reads the search back, and puts right what a kill or a damaged file left behind."""
        file = Path(self._get_oracle_fname())
        state = read_json(file)
        if state is None and (state := read_json(file.with_suffix(COPY))):
            write_json(file, state)  # which keras-tuner reads once more
        if state is None:
            raise ValueError(
                f"The state of the search must be JSON. Received: {file}, which is not, nor is its "
                "copy. Choose another --run-dir."
            )
        space = keras_tuner.HyperParameters.from_config(state["hyperparameters"])
        for name, values in state["values"].items():
            path = Path(self._get_trial_dir(name)) / "trial.json"
            trial = read_json(path)
            # Damaged, or killed before it was written, or between its score and its end.
            if trial is None or trial.get("status") not in FINISHED:
                space.values = values
                self._save_trial(Trial(space, name))
        super().reload()
        # A trial that the state does not know of will be suggested again.
        self.trials = {name: self.trials[name] for name in self.start_order}
        ended = [name for name in self.start_order if self.trials[name].status in FINISHED]
        before = [name for name in state["end_order"] if name in ended]
        self.end_order = before + [name for name in ended if name not in before]
        self._retry_queue = [name for name in reversed(self.start_order) if name not in ended]
        self._lost = Counter(state.get("lost")) + Counter(self._retry_queue)
        self._check_consecutive_failures()

    def _is_open(self, name: str) -> bool:
        return name in self.trials and name not in self.end_order
