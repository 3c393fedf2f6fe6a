import keras
import numpy as np
import pytest

from keras_recipes.guide import LEARNING_RATES
from keras_recipes.optimizers import SGD, Adam, AdamW, Nadam, make_optimizer
from keras_recipes.optimizers.factory import OPTIMIZERS
from keras_recipes.schedules import OneCycle, OneCycleMomentum


@pytest.mark.parametrize(
    ("name", "cls", "expected"),
    [
        ("sgd", SGD, {"momentum": 0.0, "nesterov": False}),
        ("momentum", SGD, {"momentum": 0.9, "nesterov": False}),
        ("nesterov", SGD, {"momentum": 0.9, "nesterov": True}),
        ("adagrad", keras.optimizers.Adagrad, {}),
        ("rmsprop", keras.optimizers.RMSprop, {"rho": 0.9}),
        ("adam", Adam, {"beta_1": 0.9}),
        ("adamax", keras.optimizers.Adamax, {"beta_1": 0.9}),
        ("nadam", Nadam, {"beta_1": 0.9}),
        ("adamw", AdamW, {"beta_1": 0.9, "weight_decay": 0.004}),
    ],
)
def test_the_nine_optimizers_and_their_defaults(name, cls, expected):
    optimizer = make_optimizer(name)
    assert type(optimizer) is cls
    assert float(optimizer.learning_rate) == pytest.approx(LEARNING_RATES[name])
    for attribute, value in expected.items():
        assert getattr(optimizer, attribute) == value
    assert set(OPTIMIZERS) == set(LEARNING_RATES)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_arguments_reach_the_optimizer(name):
    optimizer = make_optimizer(name, 1, clipnorm=2, weight_decay=0.1)
    assert float(optimizer.learning_rate) == 1.0
    assert (optimizer.clipnorm, optimizer.weight_decay) == (2.0, 0.1)
    again = type(optimizer).from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()


@pytest.mark.parametrize("name", ["momentum", "nesterov", "adam", "nadam", "adamw"])
def test_momentum_may_be_a_number_or_a_schedule(name):
    assert make_optimizer(name, momentum=0.5).momentum == 0.5
    optimizer = make_optimizer(name, OneCycle(0.1, 10), momentum=OneCycleMomentum(10))
    assert float(optimizer.momentum) == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("clip", "expected"),
    [
        ({"clipvalue": 1.0}, [0.9, 1.0]),
        ({"clipnorm": 1.0}, [0.00899964, 0.9999595]),
        ({"global_clipnorm": 1.0}, [0.00899964, 0.9999595]),
    ],
)
def test_clipping_gives_the_books_example(clip, expected):
    optimizer = make_optimizer("sgd", 1.0, **clip)
    weights = keras.Variable(np.zeros(2, "float32"))
    optimizer.apply([keras.ops.convert_to_tensor([0.9, 100.0])], [weights])
    np.testing.assert_allclose(-weights.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments", "error", "match"),
    [
        ("sdg", {}, ValueError, "Did you mean 'sgd'"),
        (keras.optimizers.SGD, {}, TypeError, "`name` must be one of"),
        ("sgd", {"learning_rate": 0}, ValueError, "`learning_rate` must be in"),
        ("sgd", {"learning_rate": "fast"}, TypeError, "Or pass a schedule"),
        ("sgd", {"momentum": 0.9}, ValueError, "Optimizers with momentum are 'momentum'"),
        ("momentum", {"momentum": 1.0}, ValueError, "`momentum` must be in"),
        ("adamax", {"momentum": OneCycleMomentum(9)}, ValueError, "choose adam, nadam or adamw"),
        ("adam", {"clipvalue": 0.0}, ValueError, "For no clipping pass None"),
        ("adam", {"clipnorm": -1.0}, ValueError, "`clipnorm` must be in"),
        ("adam", {"global_clipnorm": "1"}, TypeError, "`global_clipnorm`"),
        ("adam", {"clipnorm": 1.0, "clipvalue": 0.5}, ValueError, "clipvalue=0.5, clipnorm=1.0"),
        ("adamw", {"weight_decay": -0.1}, ValueError, "`weight_decay`"),
    ],
)
def test_bad_arguments_are_refused(name, arguments, error, match):
    with pytest.raises(error, match=match):
        make_optimizer(name, **arguments)
