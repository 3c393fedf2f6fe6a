import math
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_recipes.arrays import Examples
from keras_recipes.optimizers.following import innermost, learning_rate_at, steps_taken

LARGE = 100.0  # standardized inputs are a tenth of it at most


class DivergenceGuard(keras.callbacks.Callback):
    """Stops a training with an error as soon as its loss is NaN or infinite.

    Args:
        examples: What is trained on, to see whether the inputs are the cause.

    Raises:
        FloatingPointError: From `fit`; it says the step, the learning rate and the likely cause.
    """

    def __init__(self, examples: Examples) -> None:
        super().__init__()
        self._examples = examples

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if math.isfinite(loss):
            return
        step = steps_taken(self.model.optimizer) - 1
        rate = self._rate(step)
        raise FloatingPointError(
            f"The loss must be finite. Received: {loss} at step {batch} of epoch {self._epoch + 1}, "
            f"where the learning rate was {rate:.3g}. {self._likely_cause(step, rate)} The weights "
            "are of no use any more; the last checkpoint, if there is a run_dir, is good."
        )

    def _rate(self, step: int) -> float:
        rate = learning_rate_at(innermost(self.model.optimizer), step)
        return float(ops.convert_to_numpy(rate))

    def _likely_cause(self, step: int, rate: float) -> str:
        largest = self._largest_input()
        if largest > LARGE:
            return (
                f"Likely cause: the inputs go up to {largest:.3g}. Standardize them: build the "
                "model with adapt_to=x_train."
            )
        if step == 0:
            return "Likely cause: the data or the loss, as it was the first step. Look at y."
        if not self._examples.batch_size:
            return (
                "Likely cause: the rate is too high, or NaN in the dataset, which is not checked. "
                "Try a third of the rate, and look at the batches."
            )
        optimizer = innermost(self.model.optimizer)
        limits = (optimizer.clipnorm, optimizer.clipvalue, optimizer.global_clipnorm)
        clip = "" if any(limits) else ", or clip the gradients: clipnorm=1.0"
        return f"Likely cause: the rate is too high. Try a third of it{clip}."

    def _largest_input(self) -> float:
        """The largest size of an input that no layer standardizes; 0 where it is not known."""
        layers = self.model._flatten_layers()
        if any(isinstance(layer, keras.layers.Normalization) for layer in layers):
            return 0.0
        if not self._examples.batch_size:
            return 0.0
        return max(float(np.abs(array).max()) for array in tree.flatten(self._examples.x))
