"""The mean of several models as one."""

import keras


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
