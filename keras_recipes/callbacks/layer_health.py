import functools
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_recipes.checks import check_flag, check_instance, check_integer
from keras_recipes.diagnostics import Diagnosis
from keras_recipes.diagnostics.diagnosis import check_backend
from keras_recipes.diagnostics.findings import find
from keras_recipes.diagnostics.observation import Observation
from keras_recipes.diagnostics.observed_layers import observed_layers
from keras_recipes.diagnostics.statistics import STATISTICS
from keras_recipes.optimizers.following import innermost, steps_taken

KEPT = 256  # looks that wait in the graph until Python takes them
PREFIX = "health/"  # of its tags; their axis counts steps


class LayerHealth(keras.callbacks.Callback):
    """Looks at each layer every so many steps while a model trains.

    The statistics are those of `diagnose`, of the training's own batch, gradients and update, and
    are computed in the compiled step, so that they hold under `steps_per_execution` and XLA. The
    steps between cost nothing. In a small batch more units look dead than are. TensorFlow only, on
    one device.

    After the training, or in another callback, `diagnosis` has the last look, `steps` and
    `statistics` have all of them. TensorBoard shows them as `health/LAYER/STATISTIC` by step.

    Args:
        every: Steps from one look to the next, at least 1; the first step is looked at.
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
        super().__init__()
        self.every = check_integer("every", every, "[1, inf)")
        if log_dir is not None:
            check_instance("log_dir", log_dir, (str, os.PathLike), "a path")
        self.log_dir = log_dir
        self.verbose = check_flag("verbose", verbose)
        self.steps: list[int] = []
        self.statistics: list[np.ndarray] = []
        self._loss = np.nan
        self._log_into: str | Path | None = None
        self._writer: Any = None

    @property
    def diagnosis(self) -> Diagnosis:
        """The last look; an error before the first."""
        if not self.statistics:
            raise ValueError(
                "There must have been a look at the layers. Received: none. Train first."
            )
        last = self.statistics[-1]
        return Diagnosis(self._layers, last, self._loss, tuple(find(self._layers, last)))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        check_backend("LayerHealth")
        self._layers = tuple(observed_layers(self.model))
        if not self._layers:
            raise ValueError(
                f"The model must have a layer with a kernel that trains. Received: {self.model.name!r}, "
                "where there is none. Leave LayerHealth out."
            )
        shape = (KEPT, len(self._layers), len(STATISTICS))
        self._looks = keras.Variable(np.zeros(shape), trainable=False, dtype="float32")
        self._at = keras.Variable(np.zeros(KEPT), trainable=False, dtype="int64")
        self._count = keras.Variable(0, trainable=False, dtype="int32")
        self._read = 0
        self._taken = steps_taken(self.model.optimizer)
        # In the object's own dictionary, where it hides the method and Keras tracks nothing.
        self.model.__dict__["train_step"] = functools.partial(self._step, self.model.train_step)
        self.model.make_train_function(force=True)
        log_dir = self._log_into if self.log_dir is None else self.log_dir
        if log_dir is not None:
            import tensorflow as tf

            self._writer = tf.summary.create_file_writer(os.fspath(log_dir))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._taken_before = steps_taken(self.model.optimizer)
        self._first_batch: int | None = None

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._first_batch is None:  # not 0 where training goes on inside an epoch
            self._first_batch = batch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        taken = self._taken_before + batch + 1 - (self._first_batch or 0)
        if (taken - 1) // self.every > (self._taken - 1) // self.every:
            self._loss = float(logs["loss"]) if logs else np.nan
            self._take_looks()
        self._taken = taken

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._take_looks()
        self.restore()
        if self.verbose:
            print(self.diagnosis)

    def log_into(self, directory: Path) -> None:
        """Has the next training logged, where no `log_dir` was given; `keras_recipes.fit` does so.

        Args:
            directory: Where the event files go.
        """
        self._log_into = directory

    def restore(self) -> None:
        """Gives the model its own training step back; `keras_recipes.fit` does so at its end.

        After a `keras.Model.fit` that was interrupted it is for the caller to do.
        """
        self._log_into = self._writer = None
        if self.model is not None and self.model.__dict__.pop("train_step", None) is not None:
            self.model.make_train_function(force=True)

    def _step(self, train_step: Any, data: Any) -> Any:
        import tensorflow as tf

        step = tf.convert_to_tensor(innermost(self.model.optimizer)._iterations)

        def look() -> Any:
            logs, statistics = Observation(self.model, self._layers).step(train_step, data)
            slot = self._count % KEPT
            self._looks.assign(ops.slice_update(self._looks, [slot, 0, 0], statistics[None]))
            self._at.assign(ops.slice_update(self._at, [slot], ops.cast(step, "int64")[None]))
            self._count.assign(self._count + 1)
            return logs

        return tf.cond(step % self.every == 0, look, lambda: train_step(data))

    def _take_looks(self) -> None:
        count = int(ops.convert_to_numpy(self._count))
        looks, at = ops.convert_to_numpy(self._looks), ops.convert_to_numpy(self._at)
        for number in range(max(self._read, count - KEPT), count):
            self.steps.append(int(at[number % KEPT]))
            self.statistics.append(looks[number % KEPT].copy())
            if self._writer is not None:
                self._write(self.steps[-1], self.statistics[-1])
        self._read = count
        if self._writer is not None:
            self._writer.flush()

    def _write(self, step: int, statistics: np.ndarray) -> None:
        import tensorflow as tf
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=f"{PREFIX}{layer.name}/{name}", simple_value=value)
            for layer, row in zip(self._layers, statistics, strict=True)
            for name, value in zip(STATISTICS, row, strict=True)
        ]
        with self._writer.as_default():
            tf.summary.experimental.write_raw_pb(Summary(value=values).SerializeToString(), step)
