import keras
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import Perceptron

import keras_recipes as kr
from keras_recipes.linear import PerceptronLoss, SparsePerceptronLoss, build_perceptron

EPOCHS = 5


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def train(x, y, **keywords):
    model = build_perceptron(x.shape[1], n_classes=int(y.max()) + 1, **keywords)
    model.fit(x, y, batch_size=1, epochs=EPOCHS, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize("n_classes", [2, 3])
def test_has_the_weights_of_scikit_learns(iris, n_classes):
    x, y = iris[0], np.minimum(iris[1], n_classes - 1)
    kernel, bias = train(x, y).get_weights()
    reference = Perceptron(shuffle=False, tol=None, max_iter=EPOCHS).fit(x, y)
    np.testing.assert_allclose(kernel.T, reference.coef_, atol=1e-4)
    np.testing.assert_allclose(bias, reference.intercept_, atol=1e-4)


def test_the_rate_is_a_scale(iris):
    x, y = iris[0], np.minimum(iris[1], 1)
    ones, tenths = train(x, y).get_weights(), train(x, y, learning_rate=0.1).get_weights()
    for one, tenth in zip(ones, tenths, strict=True):
        np.testing.assert_allclose(tenth, one / 10, atol=1e-4)


def test_fit_and_evaluate_take_it(iris):
    x, y = iris
    model = build_perceptron(4, 3, adapt_to=x)
    kr.fit(model, x, y, epochs=5, batch_size=1, schedule=None, seed=0, verbose=0)
    assert kr.evaluate(model, x, y)["accuracy"] > 0.85


def test_save_and_load(iris, tmp_path):
    model = train(*iris)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(iris[0], verbose=0), model.predict(iris[0], verbose=0)
    )
    assert loaded.evaluate(*iris, verbose=0) == model.evaluate(*iris, verbose=0)


def test_losses_by_hand():
    loss = PerceptronLoss(reduction=None)
    values = loss(np.array([[1], [1], [0], [0]]), np.array([[2.0], [-2.0], [3.0], [0.0]]))
    np.testing.assert_array_equal(values, [0, 2, 3, 0])
    sparse = SparsePerceptronLoss(reduction=None)
    np.testing.assert_array_equal(
        sparse(np.array([0, 2]), np.array([[1.0, 2, -3], [-1, 2, -3]])), [2, 5]
    )


def test_targets_that_do_not_fit(iris):
    x, y = iris
    with pytest.raises(ValueError, match="must hold labels from 0 to 1"):
        kr.fit(build_perceptron(4), x, y, epochs=1, schedule=None)
    with pytest.raises(ValueError, match="must have the shape"):
        kr.fit(build_perceptron(4, 3), x, np.eye(3)[y], epochs=1, schedule=None)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [({"n_classes": 1}, "n_classes"), ({"learning_rate": 0}, "learning_rate")],
)
def test_errors(arguments, match):
    with pytest.raises(ValueError, match=match):
        build_perceptron(4, **arguments)
