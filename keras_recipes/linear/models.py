"""Linear and logistic regression as factory functions for compiled models."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_recipes.adaptation import full_precision
from keras_recipes.architecture import TASKS, build_features, check_shape, penalty, split_l1
from keras_recipes.checks import check_integer, check_text
from keras_recipes.compilation import compile_model
from keras_recipes.guide import DEFAULT_SETUP


def build_linear_regression(
    input_shape: int | Sequence[int],
    n_outputs: int = 1,
    *,
    l1: float = 0.0,
    l2: float = 0.0,
    exact_zeros: bool = True,
    adapt_to: Any = None,
    optimizer: Any = DEFAULT_SETUP.optimizer,
    learning_rate: Any = None,
    momentum: Any = None,
    clipvalue: float | None = None,
    clipnorm: float | None = None,
    global_clipnorm: float | None = None,
    metrics: Sequence[Any] | None = None,
    name: str = "linear_regression",
) -> keras.Model:
    """Builds and compiles a linear regression: least squares, ridge, lasso or elastic net.

    Train it with `keras_recipes.fit`, where the batch size says by which gradient descent: 1 for
    the stochastic one, the LMS rule (whose rate is twice the learning rate, as the loss is the
    squared error and not half of it), the number of examples for batch gradient descent, and what
    lies between for mini-batches. `optimizer="sgd"` is the textbook's, without momentum. Small data
    take more than the 20 epochs that `fit` has by default: on diabetes, standardized, the largest
    error of a weight is 36% of the largest weight after 20 epochs and 2% after `epochs=200`. There a
    learning rate of 0.1 with `fit(..., batch_size=len(x), epochs=1000, schedule=None)` reaches the
    optimum. Without an L1 penalty `solve_normal_equation` finds the weights in closed form.

    What is minimized is `mean((y - prediction) ** 2) + l1 * sum(|w|) + l2 * sum(w ** 2)`, the mean
    over the n examples and the k outputs, the sums over the weights without the biases; w are the
    weights of the standardized inputs where `adapt_to` is given. In scikit-learn's terms it is

    - `LinearRegression()` for l1 = l2 = 0,
    - `Ridge(alpha=n * k * l2)` for l1 = 0,
    - `Lasso(alpha=k * l1 / 2)` for l2 = 0,
    - `ElasticNet(alpha=k * (l1 / 2 + l2), l1_ratio=l1 / (l1 + 2 * l2))` for both.

    Args:
        input_shape: Shape of one example, a tuple or an int; more than one axis is flattened.
        n_outputs: Number of targets.
        l1: L1 penalty on the weights, >= 0.
        l2: L2 penalty on the weights, >= 0.
        exact_zeros: Whether `l1` makes weights exactly zero, as the lasso does, by the proximal
            step of `optimizers.ProximalSGD`: for sgd, momentum and nesterov. The L1 penalty is then
            in the step and not in the loss that is reported. False puts it into the loss, where it
            makes weights small.
        adapt_to: Inputs, an array or a `tf.data.Dataset`, from which a `Normalization` layer in
            the model learns each feature's mean and variance; None for inputs scaled already.
        optimizer: A name of `keras_recipes.make_optimizer`, or a new Keras optimizer.
        learning_rate: A number > 0 or a schedule; None for the optimizer's default.
        momentum: A number in [0, 1) or a schedule; None for 0.9.
        clipvalue: Bound, > 0, on each component of the gradients.
        clipnorm: Bound, > 0, on the norm of each variable's gradient.
        global_clipnorm: Bound, > 0, on the norm of all gradients. At most one of the three.
        metrics: A list of names, functions and `keras.metrics.Metric`; None for RMSE.
        name: Name of the model.

    Returns:
        A compiled `keras.Model` from (batch, *input_shape) to (batch, n_outputs). Its weights start
        at zero.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range or two of them exclude each other.

    Example:
        >>> model = build_linear_regression(8, l1=0.01)
        >>> model.output_shape
        (None, 1)

    Reference: Tibshirani (1996), Regression shrinkage and selection via the lasso; Geron, *Hands-On
    Machine Learning*, 2nd ed. (2019), chapter 4.
    """
    outputs = check_integer("n_outputs", n_outputs, "[1, inf)", "It is the number of targets.")
    l1_in_loss, l1_in_step = split_l1(l1, exact_zeros)
    model = _build(input_shape, outputs, "regression", penalty(l1_in_loss, l2), adapt_to, name)
    return compile_model(
        model,
        "regression",
        metrics,
        optimizer,
        learning_rate=learning_rate,
        momentum=momentum,
        clipvalue=clipvalue,
        clipnorm=clipnorm,
        global_clipnorm=global_clipnorm,
        l1=l1_in_step,
    )


def build_logistic_regression(
    input_shape: int | Sequence[int],
    n_classes: int = 2,
    *,
    l1: float = 0.0,
    l2: float = 0.0,
    exact_zeros: bool = True,
    adapt_to: Any = None,
    optimizer: Any = DEFAULT_SETUP.optimizer,
    learning_rate: Any = None,
    momentum: Any = None,
    clipvalue: float | None = None,
    clipnorm: float | None = None,
    global_clipnorm: float | None = None,
    metrics: Sequence[Any] | None = None,
    name: str = "logistic_regression",
) -> keras.Model:
    """Builds and compiles a logistic regression: binary, or softmax for several classes.

    Train it with `keras_recipes.fit`; small data take more than its default of 20 epochs. On iris,
    wine and breast_cancer, standardized, at scikit-learn's default penalty, what is minimized ends
    up to 20% above its minimum with 20 epochs, and within 0.1% with `epochs=200`. For weaker
    penalties, and for weights that L1 makes zero, take a learning rate of 0.5 and `fit(...,
    batch_size=len(x), epochs=2000, schedule=None)`: with `l2` from 1e-4 on it is within 0.2%, and a
    tenth of the penalty takes ten times the epochs. Without any, classes that a plane separates have
    no optimum: the weights grow for ever. `linear.predict_probabilities`, `linear.predict_log_odds`
    and `linear.predict_odds` give what the model says of each class, `linear.coefficient_table` why.

    What is minimized is `mean(log loss) + l1 * sum(|w|) + l2 * sum(w ** 2)`, the mean over the n
    examples, the sums over the weights without the biases; w are the weights of the standardized
    inputs where `adapt_to` is given. In scikit-learn's terms it is

    - `LogisticRegression(C=inf)` for l1 = l2 = 0,
    - `LogisticRegression(C=1 / (2 * n * l2))` for l1 = 0,
    - the same with the L1 penalty, `l1_ratio=1`, and `C=1 / (n * l1)` for l2 = 0,
    - with `l1_ratio=l1 / (l1 + 2 * l2)` and `C=1 / (n * (l1 + 2 * l2))` for both.

    Args:
        input_shape: Shape of one example, a tuple or an int; more than one axis is flattened.
        n_classes: Number of classes, at least 2. Labels are integers from 0.
        l1: L1 penalty on the weights, >= 0.
        l2: L2 penalty on the weights, >= 0.
        exact_zeros: Whether `l1` makes weights exactly zero, by the proximal step of
            `optimizers.ProximalSGD`: for sgd, momentum and nesterov. The L1 penalty is then in the
            step and not in the loss that is reported. False puts it into the loss, where it makes
            weights small.
        adapt_to: Inputs, an array or a `tf.data.Dataset`, from which a `Normalization` layer in
            the model learns each feature's mean and variance; None for inputs scaled already.
        optimizer: A name of `keras_recipes.make_optimizer`, or a new Keras optimizer.
        learning_rate: A number > 0 or a schedule; None for the optimizer's default.
        momentum: A number in [0, 1) or a schedule; None for 0.9.
        clipvalue: Bound, > 0, on each component of the gradients.
        clipnorm: Bound, > 0, on the norm of each variable's gradient.
        global_clipnorm: Bound, > 0, on the norm of all gradients. At most one of the three.
        metrics: A list of names, functions and `keras.metrics.Metric`; None for accuracy.
        name: Name of the model.

    Returns:
        A compiled `keras.Model` from (batch, *input_shape) to the probability of class 1, (batch,
        1), where there are two classes, and else to those of all, (batch, n_classes). Its weights
        start at zero.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of range or two of them exclude each other.

    Example:
        >>> model = build_logistic_regression(8, n_classes=3, l2=1e-3)
        >>> model.output_shape
        (None, 3)

    Reference: Geron, *Hands-On Machine Learning*, 2nd ed. (2019), chapter 4.
    """
    classes = check_integer(
        "n_classes", n_classes, "[2, inf)", "For one class against the rest pass 2."
    )
    task, outputs = ("binary", 1) if classes == 2 else ("multiclass", classes)
    l1_in_loss, l1_in_step = split_l1(l1, exact_zeros)
    model = _build(input_shape, outputs, task, penalty(l1_in_loss, l2), adapt_to, name)
    return compile_model(
        model,
        task,
        metrics,
        optimizer,
        learning_rate=learning_rate,
        momentum=momentum,
        clipvalue=clipvalue,
        clipnorm=clipnorm,
        global_clipnorm=global_clipnorm,
        l1=l1_in_step,
    )


def _build(
    input_shape: Any,
    n_outputs: int,
    task: str,
    regularizer: keras.Regularizer | None,
    adapt_to: Any,
    name: str,
) -> keras.Model:
    inputs, features = build_features(check_shape(input_shape), adapt_to)
    outputs = keras.layers.Dense(
        n_outputs,
        activation=TASKS[task].activation,
        kernel_initializer="zeros",  # the loss is convex: no symmetry has to be broken
        kernel_regularizer=regularizer,
        dtype=full_precision(),
        name="output",
    )(features)
    return keras.Model(inputs, outputs, name=check_text("name", name, "a string that is not empty"))
