import base64
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_recipes.checks import (
    check_choice,
    check_integer,
    check_number,
    check_sequence,
    check_tensorflow,
)
from keras_recipes.in_step import enter, hide, leave
from keras_recipes.kernels import kernels_of, layers_with_kernels
from keras_recipes.optimizers.following import innermost, steps_taken
from keras_recipes.pruning import cubic_sparsity, prune

ARGUMENTS = (
    "final_sparsity", "begin_step", "end_step", "initial_sparsity", "every", "scope", "exclude"
)  # fmt: skip
CHOICES, MOST_BETWEEN = 50, 100  # of weights on a ramp; steps between two of them


class MagnitudePruning(keras.callbacks.Callback):
    """Prunes a model while it trains: ever more of its smallest weights become zero, and stay so.

    Kernels are pruned, those of separable convolutions and recurrent layers too; biases, batch
    normalization and embeddings are not. The share of zeros goes up on the cubic ramp of Zhu &
    Gupta. All of it is computed in the compiled step, so that the zeros hold after each single one,
    with momentum too, and under `steps_per_execution`, XLA and on several devices. The masks are the
    callback's: the model stays the Keras model that it was, and there is nothing to take off
    afterwards. Each epoch's logs get the `sparsity` of what is pruned. TensorFlow only.

    A model that has zeros when the training begins goes on from them, whether pruning has made them
    or an L1 penalty: they stay, and the share of zeros never falls. Only a kernel that is zero
    throughout, as that of an untrained linear model is, counts as dense.

    Steps are batches, counted from the first one of the training, with an `initial_epoch` from that
    of epoch 0. In `keras_recipes.fit` the masks are part of the checkpoint, and early stopping looks
    at no epoch before the ramp has ended, as the best one would be a denser network. Keras's own
    `EarlyStopping` needs a `start_from_epoch` for that, and its place before this callback.

    Args:
        final_sparsity: Share of the weights, in [0, 1), that are zero in the end.
        begin_step: Steps before the ramp begins, >= 0. A network that has learned something by then
            has magnitudes that mean something.
        end_step: Steps after which it has ended, at least `begin_step`, which prunes at once, and at
            most those of the training. Leave some to recover in.
        initial_sparsity: Share of zeros with which the ramp begins, in [0, `final_sparsity`].
        every: Steps from one choice of weights to the next, at least 1; None for fifty choices on
            the ramp, 100 steps apart at most.
        scope: `"model"`: the smallest weights of all kernels go, wherever they are, which costs the
            least accuracy; or `"layer"`: each kernel comes to the same sparsity.
        exclude: Names of layers that stay dense, in a list: often the output layer. That of a
            wrapper or a model stands for what is inside.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If one is out of range; from `fit`, if the training is shorter than the ramp or
            the model has no such layers.

    Example:
        >>> steps = -(-len(x) // 32)  # an epoch
        >>> pruning = MagnitudePruning(0.9, begin_step=2 * steps, end_step=15 * steps)
        >>> fit(model, x, y, epochs=20, batch_size=32, callbacks=[pruning])

    Reference: Zhu & Gupta (2017), To prune, or not to prune: exploring the efficacy of pruning for
    model compression, arXiv:1710.01878.
    """

    def __init__(
        self,
        final_sparsity: float,
        begin_step: int,
        end_step: int,
        *,
        initial_sparsity: float = 0.0,
        every: int | None = None,
        scope: str = "model",
        exclude: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.final_sparsity = check_number(
            "final_sparsity", final_sparsity, "[0, 1)", "For 90% zeros pass 0.9."
        )
        self.begin_step = check_integer("begin_step", begin_step, "[0, inf)")
        self.end_step = check_integer(
            "end_step", end_step, f"[{self.begin_step}, inf)", "The ramp begins at begin_step."
        )
        self.initial_sparsity = check_number(
            "initial_sparsity", initial_sparsity, f"[0, {self.final_sparsity}]"
        )
        if every is None:
            every = min(max((self.end_step - self.begin_step) // CHOICES, 1), MOST_BETWEEN)
        self.every = check_integer("every", every, "[1, inf)")
        self.scope = check_choice("scope", scope, ("model", "layer"))
        self.exclude = _check_names(exclude)
        self._first_step: int | None = None
        self._masks: list[keras.Variable] = []

    @property
    def sparsity(self) -> float:
        """The share of pruned weights in the kernels that are not excluded; 0 before training."""
        if not self._masks:
            return 0.0
        kept = np.concatenate([ops.convert_to_numpy(mask).ravel() for mask in self._masks])
        return 1 - float(kept.mean())

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        check_tensorflow("`MagnitudePruning`")
        self._check_length()
        enter(self)
        self._kernels = self._pruned_kernels()
        with self.model.distribute_strategy.scope():
            self._masks = [
                keras.Variable(_kept(kernel), trainable=False, dtype="bool")
                for kernel in self._kernels
            ]
        self._first_step = None
        hide(self, self.model, "train_step", self._step)
        self.model.make_train_function(force=True)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._first_step is not None:
            return
        before = epoch * (self.params.get("steps") or 0)
        self._first_step = steps_taken(self.model.optimizer) - before
        if before >= self.begin_step:
            self._choose()
            self._apply()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["sparsity"] = self.sparsity

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._apply()  # averaged or earlier weights may have been put in
        taken = steps_taken(self.model.optimizer) - (self._first_step or 0)
        self.restore()
        if taken < self.end_step:
            warnings.warn(
                f"The training must reach `end_step` for {self.final_sparsity:.0%} zeros. Received: "
                f"{taken} steps of {self.end_step}, and {self.sparsity:.0%} zeros: it stopped early, or "
                "mixed precision left steps out. Train longer, or end the ramp earlier.",
                stacklevel=2,
            )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that training depends on, as JSON can hold them."""
        return {name: getattr(self, name) for name in ARGUMENTS}

    def get_state(self) -> dict[str, Any]:
        """Returns where the ramp began and the masks, a bit a weight, as JSON can hold them."""
        packed = [np.packbits(ops.convert_to_numpy(mask)).tobytes() for mask in self._masks]
        masks = [base64.b64encode(each).decode() for each in packed]
        return {"first_step": self._first_step, "masks": masks}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on with the ramp and the masks that `get_state` told of.

        Args:
            state: What `get_state` returned.
        """
        self._first_step = state["first_step"]
        for mask, text in zip(self._masks, state["masks"], strict=True):
            packed = np.frombuffer(base64.b64decode(text), np.uint8)
            bits = np.unpackbits(packed, count=int(np.prod(mask.shape)))
            mask.assign(bits.reshape(mask.shape).astype(bool))

    def restore(self) -> None:
        """Gives the model its own training step back; `keras_recipes.fit` does so at its end.

        After a `keras.Model.fit` that was interrupted the model's next training does so.
        """
        leave(self)

    def _step(self, train_step: Any, data: Any) -> Any:
        logs = train_step(data)
        ops.cond(self._is_due(), self._choose, lambda: None)
        self._apply()
        return logs

    def _taken(self) -> Any:
        """Steps taken since the training began, a tensor."""
        iterations = ops.convert_to_tensor(innermost(self.model.optimizer)._iterations)
        return iterations - self._first_step

    def _is_due(self) -> Any:
        taken = self._taken()
        on_ramp = (taken >= self.begin_step) & (taken <= self.end_step)
        return on_ramp & (((taken - self.begin_step) % self.every == 0) | (taken == self.end_step))

    def _choose(self) -> None:
        """Has the masks drop the smallest weights, as many as this step asks for."""
        ramp = (self.initial_sparsity, self.final_sparsity, self.begin_step, self.end_step)
        share = cubic_sparsity(self._taken(), *ramp)
        pairs = list(zip(self._kernels, self._masks, strict=True))
        for group in [pairs] if self.scope == "model" else [[pair] for pair in pairs]:
            kernels, masks = zip(*group, strict=True)
            for mask, kept in zip(masks, prune(kernels, masks, share), strict=True):
                mask.assign(kept)

    def _apply(self) -> None:
        for kernel, mask in zip(self._kernels, self._masks, strict=True):
            kernel.assign(ops.where(mask, kernel, ops.zeros_like(kernel)))

    def _pruned_kernels(self) -> list[keras.Variable]:
        layers = layers_with_kernels(self.model)
        found = {id(each): each for layer in layers for each in kernels_of(layer) if each.trainable}
        inside = [  # of each layer, wrapper and model: two may have one name
            (layer.name, kernels)
            for layer in self.model._flatten_layers(include_self=False)
            if (kernels := {id(weight) for weight in layer.weights} & found.keys())
        ]
        for name in self.exclude:
            names = dict.fromkeys(layer for layer, _ in inside)
            check_choice("exclude", name, names, "These layers have kernels.")
        excluded = set().union(*(kernels for name, kernels in inside if name in self.exclude))
        pruned = [kernel for key, kernel in found.items() if key not in excluded]
        if not pruned:
            raise ValueError(
                "The model must have a layer with a kernel that trains and is not excluded. "
                f"Received: {self.model.name!r}, exclude={self.exclude}. Leave MagnitudePruning out."
            )
        return pruned

    def _check_length(self) -> None:
        steps = self.params.get("steps")
        if steps is not None and self.end_step > (total := self.params["epochs"] * steps):
            raise ValueError(
                f"`end_step` must be within the training, of {total} steps. Received: "
                f"end_step={self.end_step}. Train for more epochs, or end the ramp earlier."
            )


def _kept(kernel: keras.Variable) -> np.ndarray:
    """The weights that are not pruned yet: all of a kernel that starts at zero, as a linear model's."""
    nonzero = ops.convert_to_numpy(kernel) != 0
    return nonzero if nonzero.any() else ~nonzero


def _check_names(exclude: Any) -> list[str]:
    names = check_sequence(
        "exclude", exclude, "a list of names of layers", "Put one name into a list, too."
    )
    if not all(isinstance(name, str) for name in names):
        raise TypeError(
            f"`exclude` must be a list of names of layers. Received: exclude={exclude!r}. "
            "Pass layer.name."
        )
    return names
