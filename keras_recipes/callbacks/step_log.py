from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_recipes.callbacks.step_records import StepRecords
from keras_recipes.checks import check_tensorflow
from keras_recipes.in_step import hide, is_looked_into
from keras_recipes.model_state import build_from
from keras_recipes.optimizers.following import innermost, learning_rate_at, momentum_at

PREFIX = "step/"  # of its tags; their axis counts steps


class StepLog(StepRecords):
    """Records the loss, the metrics, the rates and the gradients of every so many steps.

    They are those of the step's own batch, not means over the epoch so far, and are computed in the
    compiled step, so that they hold under `steps_per_execution` and XLA. `keras_recipes.fit` with a
    `run_dir` has one by itself; to have it record more or fewer steps pass another. TensorFlow only,
    on one device.

    After the training `steps` has the steps and `values` has, by name, a list of what they had, NaN
    where they had none:
    `"loss"`, each metric, `"learning_rate"`, `"momentum"` where the optimizer has one,
    `"gradient_norm"`, the norm of all gradients together, and `"clipped_gradient_norm"` where they
    are clipped. TensorBoard shows them as `step/NAME`. Under gradient accumulation a step is a batch
    and the norm that of its own gradients. A `train_on_batch` of the model while it trains ends the
    records, as it does after a training that was interrupted.

    Args:
        every: Steps from one record to the next, at least 1. Those are recorded whose number, as the
            optimizer counts all its steps, is a multiple: the first one of a new model.
        log_dir: Directory for TensorBoard logs; None for those of `keras_recipes.fit` with a
            `run_dir`, or else for none.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If one is out of range.

    Example:
        >>> log = StepLog(every=10)
        >>> history = fit(model, x, y, callbacks=[log])
        >>> print(log.steps[-1], log.values["gradient_norm"][-1])
    """

    def __init__(self, every: int = 100, log_dir: str | Path | None = None) -> None:
        super().__init__(every, log_dir)
        self.values: dict[str, list[float]] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        check_tensorflow("`StepLog`")
        self._open()
        self._batch: tuple[Any, Any, Any, Any] | None = None
        self._grads: Any = None
        metrics = self.model._compile_metrics
        if metrics is None or metrics.built:
            self._prepare()  # a step that makes variables is traced twice
        hide(self, self.model, "compute_loss", self._compute_loss)
        hide(self, self.model.optimizer, "apply", self._apply)
        self.model.make_train_function(force=True)

    def _compute_loss(
        self,
        compute_loss: Any,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        **training: Any,
    ) -> Any:
        metrics = self.model._compile_metrics
        if self._tags is None and metrics is not None and not metrics.built and x is not None:
            import tensorflow as tf

            with tf.init_scope():  # some metrics make their variables when they are first updated
                build_from(self.model, (x, y, sample_weight))
        loss = compute_loss(x, y, y_pred, sample_weight, **training)
        # Of the step that is being traced.
        self._batch, self._grads = (loss, y, y_pred, sample_weight), None
        return loss

    def _apply(self, apply: Any, grads: Any, trainable_variables: Any = None) -> None:
        import tensorflow as tf

        metrics = self.model._compile_metrics
        if self._grads is not None and self._grads is not grads:
            self._batch = None  # of another step: this one computes its loss elsewhere
        self._grads = grads
        outer, optimizer = self.model.optimizer, innermost(self.model.optimizer)
        if not outer.built:
            outer.build(trainable_variables)
        step = tf.convert_to_tensor(optimizer._iterations)
        if self._tags is None:
            if self._batch is not None and not metrics.built:
                metrics.build(*self._batch[1:3])
            self._prepare()
        scale = getattr(outer, "dynamic_scale", optimizer.loss_scale_factor)
        scale = tf.convert_to_tensor(1.0 if scale is None else scale)
        due = step % self.every == 0

        def record() -> Any:
            gradients = [tf.cast(each, "float32") / scale for each in grads if each is not None]
            values = {**self._of_batch(), **self._of_update(step, gradients)}
            numbers = ops.stack([ops.cast(values[name], "float32") for name in self._names])
            # Mixed precision leaves a step out, and its number to the next, where a gradient
            # overflows.
            self._record(step, numbers, tf.convert_to_tensor(optimizer._iterations) > step)
            return step

        def update() -> Any:
            apply(grads, trainable_variables)
            return step

        looked_into = is_looked_into(self.model)
        if looked_into is False:
            update()
        elif looked_into or tf.distribute.has_strategy():  # which does not update in a condition
            update()
            tf.cond(due, record, lambda: step)
        else:
            # Gradients that a condition takes from outside XLA would lay out anew in every step.
            tf.cond(due, lambda: (update(), record())[1], update)

    def _prepare(self) -> None:
        """Makes what records need: names, and room for them."""
        import tensorflow as tf

        optimizer, metrics = innermost(self.model.optimizer), self.model._compile_metrics
        names = ["loss"]
        if metrics is not None and metrics.built:
            results = _flat(metrics.result())
            names += [name for name, value in results.items() if ops.shape(value) == ()]
        names.append("learning_rate")
        if momentum_at(optimizer, 0) is not None:
            names.append("momentum")
        names.append("gradient_norm")
        if _clips(optimizer):
            names.append("clipped_gradient_norm")
        self._names = names = list(dict.fromkeys(names))
        for name in names:  # those that are new had none before
            self.values.setdefault(name, [np.nan] * len(self.steps))
        with tf.init_scope():
            self._make_room([f"{PREFIX}{name}" for name in names], (len(names),))

    def _of_batch(self) -> dict[str, Any]:
        """The loss and the metrics of the step's own batch."""
        if self._batch is None:  # a train_step of the model's own that computes them elsewhere
            return dict.fromkeys(self._names, np.nan)
        loss, y, y_pred, sample_weight = self._batch
        metrics = self.model._compile_metrics
        if metrics is None:
            return {"loss": loss}
        with keras.StatelessScope():  # the means over the epoch stay as they are
            metrics.reset_state()
            metrics.update_state(y, y_pred, sample_weight)
            return {"loss": loss, **_flat(metrics.result())}

    def _of_update(self, step: Any, gradients: list[Any]) -> dict[str, Any]:
        """The rates of a step, and the norms of its gradients."""

        optimizer = innermost(self.model.optimizer)
        return {
            "learning_rate": learning_rate_at(optimizer, step),
            "momentum": momentum_at(optimizer, step),
            "gradient_norm": _norm(gradients),
            "clipped_gradient_norm": _norm(optimizer._clip_gradients(gradients)),
        }

    def _taken(self, record: np.ndarray) -> None:
        numbers = dict(zip(self._names, record.tolist(), strict=True))
        for name, values in self.values.items():
            values.append(numbers.get(name, np.nan))


def _flat(results: dict[str, Any]) -> dict[str, Any]:
    """The results of metrics, of which one may have several by name, as an epoch's logs have them."""
    flat: dict[str, Any] = {}
    for name, value in results.items():
        flat |= _flat(value) if isinstance(value, dict) else {name: value}
    return flat


def _norm(gradients: list[Any]) -> Any:
    """Of all together. XLA has products of matrices ready, and takes long to compile a sum."""
    import tensorflow as tf

    rows = [tf.reshape(each, [1, -1]) for each in gradients]
    return tf.sqrt(tf.add_n([tf.matmul(row, row, transpose_b=True)[0, 0] for row in rows]))


def _clips(optimizer: keras.Optimizer) -> bool:
    """Whether each step's own gradients are clipped: not where they are accumulated before."""
    limits = (optimizer.clipnorm, optimizer.global_clipnorm, optimizer.clipvalue)
    return any(limits) and not optimizer.gradient_accumulation_steps
