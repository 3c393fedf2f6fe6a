from pathlib import Path
from typing import Any

import numpy as np

from keras_recipes.callbacks.step_records import StepRecords
from keras_recipes.checks import check_flag, check_tensorflow
from keras_recipes.diagnostics import Diagnosis
from keras_recipes.diagnostics.diagnosis import is_trained
from keras_recipes.diagnostics.findings import find
from keras_recipes.diagnostics.observation import Observation
from keras_recipes.diagnostics.observed_layers import ObservedLayer, observed_layers
from keras_recipes.diagnostics.statistics import STATISTICS
from keras_recipes.in_step import hide, is_looked_into
from keras_recipes.model_state import build_from, is_built
from keras_recipes.optimizers.following import innermost

PREFIX = "health/"  # of its tags; their axis counts steps


class LayerHealth(StepRecords):
    """Looks at each layer every so many steps while a model trains.

    The statistics are those of `diagnose`, of the training's own batch, gradients and update, and
    are computed in the compiled step, so that they hold under `steps_per_execution` and XLA. The
    steps between are asked at most whether it is time. In a small batch more units look dead than are;
    under gradient accumulation a step is a batch, and `update_ratio` 0 where it does not update: of 4
    accumulated steps no look falls on an update with `every=100`, each fourth does with 101. A
    `train_on_batch` of the model while it trains ends the looks, as it does after a training that was
    interrupted. TensorFlow only, on one device.

    After the training, or in another callback, `diagnosis` has the last look, with the mean loss of
    its epoch so far, `steps` and `statistics` have all of them. TensorBoard shows them as
    `health/LAYER/STATISTIC` by step.

    Args:
        every: Steps from one look to the next, at least 1. Those are looked at whose number, as the
            optimizer counts all its steps, is a multiple: the first one of a new model.
        log_dir: Directory for TensorBoard logs; None for those of `keras_recipes.fit` with a
            `run_dir`, or else for none.
        verbose: Whether to print the last look when training ends.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If one is out of range; from `fit`, if no layer has a kernel that trains.

    Example:
        >>> health = LayerHealth(every=100)
        >>> history = fit(model, x, y, callbacks=[health])
        >>> print(health.diagnosis)
    """

    def __init__(
        self, every: int = 100, log_dir: str | Path | None = None, verbose: bool = False
    ) -> None:
        super().__init__(every, log_dir)
        self.verbose = check_flag("verbose", verbose)
        self.statistics: list[np.ndarray] = []
        self._loss = np.nan

    @property
    def diagnosis(self) -> Diagnosis:
        """The last look; an error before the first."""
        self.take()
        if not self.statistics:
            raise ValueError(
                "There must have been a look at the layers. Received: none. Train first."
            )
        last = self.statistics[-1]
        findings = find(self._layers, last, trained=self._trained or self.steps[-1] > 0)
        return Diagnosis(self._layers, last, float(self._loss), tuple(findings))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        check_tensorflow("`LayerHealth`")
        self._trained = is_trained(self.model)
        self._layers: tuple[ObservedLayer, ...] = ()
        if is_built(self.model):
            self._find_layers()
        self._open()
        if self._layers:
            self._prepare()
        hide(self, self.model, "train_step", self._step)
        self.model.make_train_function(force=True)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_train_batch_end(batch, logs)
        self._loss = (logs or {}).get("loss", np.nan)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_end(logs)
        if self.verbose:
            print(self.diagnosis if self.statistics else f"No step was a multiple of {self.every}.")

    def _step(self, train_step: Any, data: Any) -> Any:
        import tensorflow as tf

        if (looked_into := is_looked_into(self.model)) is False:
            return train_step(data)
        if not self._layers:  # Keras's fit builds a model in its first step
            with tf.init_scope():
                build_from(self.model, data)
                self._find_layers()
                self._prepare()
        optimizer = innermost(self.model.optimizer)
        step = tf.convert_to_tensor(optimizer._iterations)

        def take(statistics: Any) -> None:
            # Mixed precision leaves a step out where a gradient overflows.
            taken = tf.convert_to_tensor(optimizer._iterations) > step
            self._record(step, statistics, taken)

        return Observation(self.model, self._layers).step(
            train_step,
            data,
            take=take,
            when=step % self.every == 0,
            mostly=looked_into is True,
        )

    def _find_layers(self) -> None:
        self._layers = tuple(observed_layers(self.model))
        if not self._layers:
            raise ValueError(
                f"The model must have a layer with a kernel that trains. Received: {self.model.name!r}, "
                "where there is none. Leave LayerHealth out."
            )

    def _prepare(self) -> None:
        """Makes what records need: names, and room for them."""
        tags = [f"{PREFIX}{layer.name}/{name}" for layer in self._layers for name in STATISTICS]
        self._make_room(tags, (len(self._layers), len(STATISTICS)))

    def _taken(self, record: np.ndarray) -> None:
        self.statistics.append(record)
