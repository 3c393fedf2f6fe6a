"""`diagnose`: what is wrong with a network, from one training step that is undone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import initializers, ops, tree

from keras_recipes.arrays import Examples, first_batch, is_dataset, prepare
from keras_recipes.checks import check_compiled, check_tensorflow
from keras_recipes.diagnostics.findings import COLUMN, Finding, as_table, find
from keras_recipes.diagnostics.observation import Observation
from keras_recipes.diagnostics.observed_layers import ObservedLayer, observed_layers
from keras_recipes.extras import import_extra
from keras_recipes.model_state import as_it_was, build_from
from keras_recipes.optimizers.following import steps_taken

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXAMPLES = 1024  # enough for each share to be right to some percent
FEWEST = 32  # of large activations, such as those of images: each has them at many positions
ACTIVATIONS = 2**23  # in all layers: a step keeps them, and several times as much beside them
CONSTANT = (initializers.Zeros, initializers.Ones, initializers.Constant)
NAMED = 30  # layers, at most, whose names have room below a plot


@dataclass(frozen=True)
class Diagnosis:
    """What a training step shows of each layer, and what is wrong; print it.

    Args:
        layers: The layers with a kernel, in the order of their calls; one that is called twice comes
            twice. Where names are equal, those of the models around them tell them apart.
        statistics: Those of each layer, shape (layers, 8): the mean and the standard deviation of
            the activations; the share of dead units, which pass no gradient for any example, and of
            saturated activations, which hardly pass any; the root mean square of the gradient by the
            activations, of images and series its norm over the positions; the norm of the gradient
            by the kernel; the norm of the step's change of the kernel by that of the kernel; and the
            norm of a unit's weights, as root mean square over the units. Zeros where a layer takes no
            part in the step.
        loss: The loss of the step.
        findings: What is wrong; empty for a healthy network.
    """

    layers: tuple[ObservedLayer, ...]
    statistics: np.ndarray
    loss: float
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        found = [f"- {finding}" for finding in self.findings] or ["Nothing wrong was found."]
        table = as_table(self.layers, self.statistics)
        return "\n".join([table, f"loss {self.loss:.4g}", *found])

    def plot(self) -> "Figure":
        """Draws the spread of the activations and the norms of the gradients by depth.

        Needs the extra `plot`.

        Returns:
            A figure with two axes.
        """
        pyplot = import_extra("matplotlib.pyplot", "plot")
        figure, (above, below) = pyplot.subplots(2, 1, sharex=True, layout="constrained")
        depth = np.arange(1, len(self.layers) + 1)
        mean, std = (self.statistics[:, COLUMN[f"activation_{kind}"]] for kind in ("mean", "std"))
        above.fill_between(depth, mean - std, mean + std, alpha=0.3, label="mean ± deviation")
        above.plot(depth, mean, marker=".", label="mean")
        above.set(ylabel="activations")
        above.legend()
        for name, label in (
            ("gradient_norm", "by the kernel"),
            ("signal_norm", "by the activations"),
        ):
            below.plot(depth, self.statistics[:, COLUMN[name]], marker=".", label=label)
        below.set(yscale="log", xlabel="layer", ylabel="norm of the gradient")
        if len(depth) <= NAMED:
            below.set_xticks(depth, [layer.name for layer in self.layers], rotation=90)
        else:
            below.locator_params(axis="x", integer=True)
        below.legend()
        for finding in self.findings:
            number = [layer.name for layer in self.layers].index(finding.layer) + 1
            for axes in (above, below):
                axes.axvline(number, color="C3", linestyle=":")
            below.annotate(
                finding.name, (number, 0.02), xycoords=("data", "axes fraction"), color="C3",
                rotation=90, va="bottom", ha="right",
            )  # fmt: skip
        return figure


def diagnose(model: keras.Model, x: Any, y: Any = None) -> Diagnosis:
    """Looks at every layer in one training step, and says what is wrong with the network.

    The step is that of the compiled model: its loss, gradients, clipping and optimizer. Afterwards
    the weights, the optimizer and the random seeds are as they were. Under gradient accumulation the
    step is a part of one, and `update` mostly 0. TensorFlow only.

    Layers with a kernel are looked at, in any model, where it branches in the order of their calls:
    dense and convolutional ones, with the activation that they have or that comes after them, Keras's
    or a function or layer of your own, which its slopes tell, and recurrent ones, from outside of
    their loop. In a model or layer with a `call` of its own the activations that come after them are
    not known, and its last layer counts as the output.

    Args:
        model: A compiled `keras.Model`.
        x: Inputs: an array, of which up to 1,024 examples are taken at random, fewer but at least 32
            where their activations are large, or a dataset, of which the first batch is.
        y: Targets, where x is an array.

    Returns:
        A `Diagnosis`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the data do not fit the model or are not finite, or no layer has a kernel.
        RuntimeError: On another backend than TensorFlow.

    Example:
        >>> print(diagnose(model, x_train, y_train))

    Reference: Geron, *Hands-On Machine Learning*, 2nd ed. (2019), chapter 11; Glorot & Bengio (2010)
    for looking at activations and gradients by depth.
    """
    check_compiled(model)
    check_tensorflow("`diagnose`")
    if is_dataset(x) and y is None:  # of any length
        return diagnose_batch(model, first_batch(model, x))
    examples, _ = prepare(model, x, y, None, None, 0.0, EXAMPLES)
    return diagnose_batch(model, a_batch(model, examples))


def a_batch(model: keras.Model, examples: Examples) -> Any:
    """Returns what `diagnose` looks at: some examples taken at random; the first batch of a dataset.

    Args:
        model: A compiled model; it is built.
        examples: Of which it is.
    """
    if examples.first_batch is not None:
        build_from(model, examples.first_batch)
        return examples.first_batch
    order = np.random.default_rng(0).permutation(examples.count)

    def of(rows: np.ndarray) -> Any:
        return tree.map_structure(lambda each: each[rows], examples.data)

    inputs = getattr(model, "inputs", None)
    fixed = inputs[0].shape[0] if inputs else None  # as a recurrent layer with a state has it
    build_from(model, of(order[: fixed or 1]))
    # Of each example.
    numbers = sum(each.positions * each.kernel.shape[-1] for each in observed_layers(model))
    return of(order[: fixed or min(EXAMPLES, max(FEWEST, ACTIVATIONS // max(1, numbers)))])


def diagnose_batch(model: keras.Model, batch: Any) -> Diagnosis:
    """Looks at every layer in a training step of one batch; see `diagnose`.

    Args:
        model: A compiled model.
        batch: As its `train_step` takes it.

    Raises:
        ValueError: If no layer has a kernel.
    """
    batch = tree.map_structure(ops.convert_to_tensor, batch)
    trained = is_trained(model)
    with as_it_was(model, batch):
        observed = observed_layers(model)
        if not observed:
            raise ValueError(
                f"`model` must have a layer with a kernel that trains. Received: {model.name!r}, "
                "where there is none. Look at a model with dense or convolutional layers."
            )
        if hasattr(model.optimizer, "dynamic_scale"):  # in which half precision may overflow
            model.optimizer.dynamic_scale.assign(1.0)
        model.reset_metrics()
        seen: list[Any] = []
        observation = Observation(model, observed)
        logs = observation.step(model.train_step, batch, seen.append)
        loss = float(ops.convert_to_numpy(logs["loss"]))
    found = ops.convert_to_numpy(seen[0])
    findings = find(observed, found, trained, observation.updated)
    return Diagnosis(tuple(observed), found, loss, tuple(findings))


def is_trained(model: keras.Model) -> bool:
    """Whether a compiled model has taken steps, by its optimizer or, before it was compiled anew, its biases."""
    biases = (
        layer.bias
        for layer in model._flatten_layers()
        if isinstance(getattr(layer, "bias_initializer", None), CONSTANT)
        and not getattr(layer, "unit_forget_bias", False)
        and getattr(layer, "bias", None) is not None
        and layer.bias.trainable
    )
    return steps_taken(model.optimizer) > 0 or any(np.ptp(each) > 0 for each in biases)
