import keras
import numpy as np
import pytest

from keras_recipes.optimizers import can_follow_momentum, follow, make_optimizer
from keras_recipes.schedules import OneCycle, OneCycleMomentum

RATE, MOMENTUM = OneCycle(0.1, 10), OneCycleMomentum(10)


def compiled(optimizer):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mean_squared_error")
    optimizer.build(model.trainable_variables)
    return model


@pytest.mark.parametrize("name", ["momentum", "adam", "rmsprop"])
def test_undoing_leaves_the_optimizer_as_it_was(name):
    optimizer = compiled(make_optimizer(name, 0.3)).optimizer
    before, config = [id(v) for v in optimizer.variables], optimizer.get_config()
    momentum = OneCycleMomentum(10) if can_follow_momentum(optimizer) else None
    undo = follow(optimizer, OneCycle(0.1, 10), momentum)
    assert float(optimizer.learning_rate) == pytest.approx(0.01)
    assert len(optimizer.variables) == len(before) - 1
    undo()
    assert [id(v) for v in optimizer.variables] == before
    assert optimizer.get_config() == config
    optimizer.learning_rate = 0.2
    assert float(optimizer.learning_rate) == pytest.approx(0.2)


def test_a_schedule_gives_way_to_another_and_comes_back():
    schedule = OneCycle(0.5, 10)
    optimizer = compiled(make_optimizer("nesterov", schedule)).optimizer
    before = [id(v) for v in optimizer.variables]
    undo = follow(optimizer, OneCycle(0.1, 10))
    assert float(optimizer.learning_rate) == pytest.approx(0.01)
    undo()
    assert float(optimizer.learning_rate) == pytest.approx(0.05)
    assert [id(v) for v in optimizer.variables] == before


def test_it_reaches_the_optimizer_inside_loss_scaling():
    inner = make_optimizer("momentum", 0.3)
    optimizer = keras.optimizers.LossScaleOptimizer(inner)
    compiled(optimizer)
    undo = follow(optimizer, OneCycle(0.1, 10), OneCycleMomentum(10))
    assert float(inner.learning_rate) == pytest.approx(0.01)
    assert float(inner.momentum) == pytest.approx(0.95)
    undo()
    assert float(optimizer.learning_rate) == pytest.approx(0.3)
    assert inner.momentum == 0.9


@pytest.mark.parametrize(
    ("optimizer", "able"),
    [
        (make_optimizer("momentum"), True),
        (make_optimizer("adamw"), True),
        (make_optimizer("sgd"), False),
        (make_optimizer("adamax"), False),
        (keras.optimizers.SGD(0.1, momentum=0.9), False),
        (keras.optimizers.Adam(), False),
    ],
)
def test_only_momentum_that_is_there_and_ours_can_follow(optimizer, able):
    compiled(optimizer)
    assert can_follow_momentum(optimizer) is able


def test_a_saved_optimizer_loads_after_undoing(tmp_path):
    model = compiled(make_optimizer("adam", 0.3))
    undo = follow(model.optimizer, OneCycle(0.1, 10), OneCycleMomentum(10))
    model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)
    undo()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize(
    ("make", "learning_rate", "momentum", "error", "match"),
    [
        (lambda: make_optimizer("sgd"), RATE, MOMENTUM, ValueError, "that can follow a schedule"),
        (keras.optimizers.Adam, RATE, MOMENTUM, ValueError, "or momentum=None"),
        (lambda: make_optimizer("adam"), 0.1, None, TypeError, "`learning_rate` must be"),
        (lambda: make_optimizer("adam"), RATE, 0.9, TypeError, "`momentum` must be"),
    ],
)
def test_what_cannot_be_followed_is_refused(make, learning_rate, momentum, error, match):
    optimizer = compiled(make()).optimizer
    config = optimizer.get_config()
    with pytest.raises(error, match=match):
        follow(optimizer, learning_rate, momentum)
    assert optimizer.get_config() == config


def test_what_is_not_an_optimizer_is_refused():
    with pytest.raises(TypeError, match="`optimizer` must be a Keras optimizer"):
        follow("adam", RATE)
    with pytest.raises(TypeError, match="`optimizer` must be a Keras optimizer"):
        can_follow_momentum("x")
