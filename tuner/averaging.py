"""The mean of several models as one, and which models it is of."""

from collections.abc import Iterable

import keras
from keras_tuner.engine.trial import Trial

import keras_recipes as kr
from keras_recipes.datasets import Dataset
from tuner.results import hyperparameters_of
from tuner.study import penalty_of


def best_trials(trials: Iterable[Trial], count: int) -> list[Trial]:
    """Returns the best trials that were completed, the best first, and of each set-up one.

    A trial that Hyperband goes on with and the one that it becomes are one network.

    Args:
        trials: keras-tuner's.
        count: How many; fewer if there are no more.
    """
    completed = [trial for trial in trials if trial.status == "COMPLETED"]
    of_set_ups: dict[str, Trial] = {}
    for trial in sorted(completed, key=lambda each: each.score):
        of_set_ups.setdefault(set_up(trial), trial)
    return list(of_set_ups.values())[:count]


def set_up(trial: Trial) -> str:
    """Returns what is the same text for the same hyperparameters."""
    return repr(sorted(hyperparameters_of(trial).items()))


def validation_loss(model: keras.Model, data: Dataset) -> float:
    """Returns the loss on the validation rows, without the penalties on weights, as of a trial."""
    return kr.evaluate(model, data.x_val, data.y_val)["loss"] - penalty_of(model)


def mean_of(models: list[keras.Model]) -> keras.Model:
    """Returns one model that predicts the mean of several: of probabilities, or of values.

    Args:
        models: Compiled alike, with inputs of one shape.

    Reference: Lakshminarayanan et al. (2017), Simple and Scalable Predictive Uncertainty Estimation
    using Deep Ensembles.
    """
    for number, model in enumerate(models, 1):
        model.name = f"{model.name}_{number}"  # two of a name cannot be parts of one model
    inputs = keras.Input(models[0].input_shape[1:])
    outputs = keras.layers.Average()([model(inputs) for model in models])
    mean = keras.Model(inputs, outputs, name=f"mean_of_{len(models)}")
    mean.compile_from_config({**models[0].get_compile_config(), "optimizer": "sgd"})
    return mean
