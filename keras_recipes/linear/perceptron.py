"""Rosenblatt's perceptron: threshold units that learn from their mistakes."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_recipes.adaptation import full_precision
from keras_recipes.architecture import build_features, check_shape
from keras_recipes.checks import check_integer, check_text
from keras_recipes.optimizers import make_optimizer


@keras.saving.register_keras_serializable(package="keras_recipes")
class PerceptronLoss(keras.losses.Loss):
    """The loss whose gradient descent is the perceptron rule: how far mistakes are off.

    For each threshold unit, with the weighted sum z, it is `max(0, -z)` where the target is 1 and
    `max(0, z)` where it is 0: no loss, and so no change, where the unit is right. A sum of exactly 0
    counts as a mistake, so that weights of zero learn. Over the units it is summed. Targets have the
    shape of the outputs.

    Args:
        reduction: As for every Keras loss.
        name: Its name.
        dtype: As for every Keras loss.

    Example:
        >>> float(PerceptronLoss()([[1], [0]], [[-2.0], [-3.0]]))
        1.0

    Reference: Rosenblatt (1958), The perceptron; Geron, *Hands-On Machine Learning*, 2nd ed. (2019),
    chapter 10.
    """

    def __init__(
        self,
        reduction: str = "sum_over_batch_size",
        name: str = "perceptron_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true = ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))
        margin = (2 * y_true - 1) * y_pred
        return ops.sum(ops.where(margin <= 0, -margin, ops.zeros_like(margin)), axis=-1)


@keras.saving.register_keras_serializable(package="keras_recipes")
class SparsePerceptronLoss(PerceptronLoss):
    """`PerceptronLoss` of integer labels, for a unit for each class.

    Args:
        reduction: As for every Keras loss.
        name: Its name.
        dtype: As for every Keras loss.

    Example:
        >>> float(SparsePerceptronLoss()([2], [[-2.0, -3.0, -1.0]]))
        1.0
    """

    def __init__(
        self,
        reduction: str = "sum_over_batch_size",
        name: str = "sparse_perceptron_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        return super().call(ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype), y_pred)


def build_perceptron(
    input_shape: int | Sequence[int],
    n_classes: int = 2,
    *,
    adapt_to: Any = None,
    learning_rate: float = 1.0,
    name: str = "perceptron",
) -> keras.Model:
    """Builds and compiles a perceptron: a layer of threshold units with the perceptron rule.

    It outputs the weighted sums: a unit fires where its own is above 0. There is one unit for two
    classes, and else one for each class against the rest, of which the largest sum wins. Trained
    with batches of one example it follows Rosenblatt's rule, and where the examples come in their
    order, as with `model.fit(x, y, batch_size=1, shuffle=False)`, it has the weights of
    scikit-learn's `Perceptron(shuffle=False, tol=None)` after as many epochs. It stops changing only
    where a line (a hyperplane) parts the classes; `build_logistic_regression` gives probabilities
    and takes all data.

    Args:
        input_shape: Shape of one example, a tuple or an int; more than one axis is flattened.
        n_classes: Number of classes, at least 2. Labels are integers from 0.
        adapt_to: Inputs, an array or a `tf.data.Dataset`, from which a `Normalization` layer in
            the model learns each feature's mean and variance; None for inputs as they come.
        learning_rate: A number > 0. From weights of zero it changes their scale and no decision.
        name: Name of the model.

    Returns:
        A compiled `keras.Model` from (batch, *input_shape) to (batch, 1) for two classes, else to
        (batch, n_classes). Its weights start at zero.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range.

    Example:
        >>> model = build_perceptron(2)
        >>> history = model.fit(x, y, batch_size=1, epochs=20)  # doctest: +SKIP

    Reference: Rosenblatt (1958), The perceptron; Geron, *Hands-On Machine Learning*, 2nd ed. (2019),
    chapter 10.
    """
    classes = check_integer("n_classes", n_classes, "[2, inf)", "It is the number of classes.")
    inputs, features = build_features(check_shape(input_shape), adapt_to)
    outputs = keras.layers.Dense(
        1 if classes == 2 else classes,
        kernel_initializer="zeros",
        dtype=full_precision(),
        name="output",
    )(features)
    model = keras.Model(
        inputs, outputs, name=check_text("name", name, "a string that is not empty")
    )
    loss, accuracy = PerceptronLoss(), keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)
    if classes > 2:
        loss = SparsePerceptronLoss()
        accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")
    model.compile(make_optimizer("sgd", learning_rate), loss, metrics=[accuracy])
    model.optimizer.build(model.trainable_variables)
    return model
