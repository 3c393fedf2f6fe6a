import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_recipes.schedules import Delayed, OneCycle, OneCycleMomentum, PowerDecay, make_schedule


def values(schedule, steps):
    return np.array([float(ops.convert_to_numpy(schedule(step))) for step in steps])


def book_curve(max_rate, total):
    """The book's three phases, from its description: up, down, and a tail of a tenth."""
    tail = total // 10 + 1
    half = (total - tail) // 2
    start = max_rate / 10
    knots, rates = [0, half, 2 * half, total], [start, max_rate, start, start / 1000]
    return np.interp(np.arange(total), knots, rates)


@pytest.mark.parametrize("total", [10, 11, 97, 1000, 1001])
def test_one_cycle_is_the_books_curve_point_by_point(total):
    ours = values(OneCycle(0.05, total), range(total))
    np.testing.assert_allclose(ours, book_curve(0.05, total), rtol=1e-5)


# total steps -> (step, rate, momentum) of OneCycleLR(max_lr=0.05), as PyTorch 2.13 printed them
PYTORCH = {
    10: [
        (0, 0.002, 0.95),
        (1, 0.026, 0.9),
        (2, 0.05, 0.85),
        (3, 0.047524232, 0.854952),
        (7, 0.009412917, 0.931174),
        (9, 2e-7, 0.95),
    ],
    100: [
        (0, 0.002, 0.95),
        (10, 0.014758197, 0.92342),
        (29, 0.05, 0.85),
        (30, 0.049974827, 0.85005),
        (75, 0.013153431, 0.923693),
        (99, 2e-7, 0.95),
    ],
}


@pytest.mark.parametrize("total", PYTORCH)
def test_cosine_one_cycle_has_the_values_of_pytorchs(total):
    steps, rates, momenta = zip(*PYTORCH[total], strict=True)
    shape = {"warmup_fraction": 0.3, "anneal": "cosine"}
    ours = values(OneCycle(0.05, total, **shape), steps)
    np.testing.assert_allclose(ours, rates, atol=0.05 * 1e-5)
    np.testing.assert_allclose(values(OneCycleMomentum(total, **shape), steps), momenta, atol=1e-6)


@pytest.mark.parametrize("total", [20, 1000])
def test_cosine_one_cycle_and_its_momentum_are_pytorchs(total):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.05, total_steps=total)
    rates, momenta = [], []
    for step in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        if step < total - 1:
            theirs.step()
    shape = {"warmup_fraction": 0.3, "anneal": "cosine"}
    ours = values(OneCycle(0.05, total, **shape), range(total))
    np.testing.assert_allclose(ours, rates, atol=0.05 * 1e-5)
    ours = values(OneCycleMomentum(total, **shape), range(total))
    np.testing.assert_allclose(ours, momenta, atol=1e-6)


def test_momentum_mirrors_the_rate():
    total = 1000
    rate = values(OneCycle(1.0, total), range(total))
    momentum = values(OneCycleMomentum(total), range(total))
    assert momentum.argmin() == rate.argmax()
    assert momentum.min() == pytest.approx(0.85, abs=1e-6)
    np.testing.assert_allclose(momentum[[0, -1]], 0.95, rtol=1e-6)
    in_cycle = rate >= 0.1
    np.testing.assert_allclose(
        momentum[in_cycle], 0.95 - 0.1 * (rate[in_cycle] - 0.1) / 0.9, atol=1e-5
    )


@pytest.mark.parametrize("total", [1, 2, 3])
def test_the_shortest_cycles_are_finite_and_positive(total):
    for schedule in (OneCycle(0.1, total), OneCycle(0.1, total, warmup_fraction=0.3)):
        assert (values(schedule, range(total + 2)) > 0).all()


@pytest.mark.parametrize(("total", "final_fraction"), [(2, 0.1), (4, 0.5)])
def test_the_shortest_cycles_reach_the_maximum(total, final_fraction):
    schedule = OneCycle(0.1, total, final_fraction=final_fraction)
    np.testing.assert_allclose(values(schedule, [0, 1, total]), [0.01, 0.1, 1e-5], rtol=1e-5)
    momentum = values(OneCycleMomentum(total, final_fraction=final_fraction), [0, 1, total])
    np.testing.assert_allclose(momentum, [0.95, 0.85, 0.95], rtol=1e-5)


def test_after_its_end_a_cycle_stays_at_its_final_value():
    schedule = OneCycle(0.1, 100, final_learning_rate=1e-7)
    np.testing.assert_allclose(values(schedule, [100, 101, 10**9]), 1e-7, rtol=1e-5)


def test_power_decay_is_keras_inverse_time_decay_at_power_one():
    steps = [0, 1, 7, 100, 12345]
    theirs = keras.optimizers.schedules.InverseTimeDecay(0.1, decay_steps=20, decay_rate=1.0)
    np.testing.assert_allclose(values(PowerDecay(0.1, 20), steps), values(theirs, steps), rtol=1e-6)
    np.testing.assert_allclose(
        values(PowerDecay(0.1, 20, power=2.0), steps), 0.1 / (1 + np.array(steps) / 20) ** 2, 1e-6
    )


def test_delayed_moves_a_schedule():
    inner = PowerDecay(0.1, 20)
    later, earlier = Delayed(inner, 50), Delayed(inner, -5)
    np.testing.assert_allclose(values(later, [0, 50, 60]), values(inner, [0, 0, 10]))
    np.testing.assert_allclose(values(earlier, [0, 10]), values(inner, [5, 15]))


@pytest.mark.parametrize(
    "schedule",
    [
        OneCycle(0.1, 100, start_learning_rate=0.02, final_fraction=0.2, anneal="cosine"),
        OneCycle(0.1, 100, warmup_fraction=0.3),
        OneCycleMomentum(100, 0.9, 0.8, warmup_fraction=0.25, anneal="cosine"),
        PowerDecay(0.1, 20, 0.5),
        Delayed(OneCycle(0.1, 100), 7),
    ],
)
def test_schedules_survive_serialization(schedule):
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    np.testing.assert_array_equal(
        values(again, range(0, 120, 7)), values(schedule, range(0, 120, 7))
    )


ON_PYTORCH = """
import keras
from keras_recipes.schedules import Delayed, OneCycle, OneCycleMomentum, PowerDecay
assert keras.backend.backend() == "torch"
for schedule in {schedules}:
    print(*(float(keras.ops.convert_to_numpy(schedule(step))) for step in range(0, 12, 3)))
"""


def test_schedules_run_on_pytorch():
    pytest.importorskip("torch")
    schedules = (
        "(OneCycle(0.1, 8), OneCycle(0.1, 8, warmup_fraction=0.3, anneal='cosine'), "
        "OneCycleMomentum(8), PowerDecay(0.1, 3, 2.0), Delayed(OneCycle(0.1, 8), 2))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", ON_PYTORCH.format(schedules=schedules)],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        check=True,
        capture_output=True,
        text=True,
    )
    theirs = np.array([line.split() for line in ran.stdout.splitlines()], dtype=float)
    ours = [values(schedule, range(0, 12, 3)) for schedule in eval(schedules)]
    np.testing.assert_allclose(theirs, ours, rtol=1e-4)


def test_make_schedule_uses_what_keras_has():
    kinds = keras.optimizers.schedules
    assert isinstance(make_schedule("exponential", 0.1, 100), kinds.ExponentialDecay)
    assert isinstance(make_schedule("piecewise", 0.1, 100), kinds.PiecewiseConstantDecay)
    assert isinstance(make_schedule("constant", 0.1, 100), kinds.ExponentialDecay)


@pytest.mark.parametrize(
    ("name", "options", "steps", "expected"),
    [
        ("constant", {}, [0, 99, 1000], [0.1, 0.1, 0.1]),
        ("power", {}, [0, 10, 30], [0.1, 0.05, 0.025]),
        ("power", {"decay_steps": 50, "power": 2.0}, [50], [0.025]),
        ("exponential", {}, [0, 50, 100], [0.1, 0.01, 0.001]),
        ("exponential", {"decay_steps": 10, "staircase": True}, [9, 10], [0.1, 0.01]),
        ("piecewise", {}, [50, 51, 75, 76], [0.1, 0.01, 0.01, 0.001]),
        ("piecewise", {"boundaries": [30], "factors": [1, 0.5]}, [30, 31], [0.1, 0.05]),
        ("piecewise", {"boundaries": np.array([30]), "factors": np.array([1, 0.5])}, [31], [0.05]),
        ("1cycle", {"final_fraction": 0.0}, [49], [0.1]),
    ],
)
def test_make_schedule_by_name(name, options, steps, expected):
    schedule = make_schedule(name, 0.1, 100, **options)
    np.testing.assert_allclose(values(schedule, steps), expected, rtol=1e-5)


@pytest.mark.parametrize("total", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["constant", "power", "exponential", "piecewise", "1cycle"])
def test_the_shortest_trainings_have_every_schedule(name, total):
    rates = values(make_schedule(name, 0.1, total), range(total))
    assert ((rates > 0) & (rates <= 0.1 + 1e-6)).all()


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        *(
            (name, {"decay_steps": value}, error)
            for name in ("power", "exponential")
            for value, error in (
                (0, ValueError),
                ("", TypeError),
                ((), TypeError),
                (np.array([5, 6]), TypeError),
                (10**400, ValueError),
            )
        ),
        ("exponential", {"staircase": "no"}, TypeError),
        ("piecewise", {"boundaries": 5}, TypeError),
        ("piecewise", {"boundaries": "x"}, TypeError),
        ("piecewise", {"boundaries": (-1,)}, ValueError),
        ("piecewise", {"boundaries": (2.5,)}, TypeError),
        ("piecewise", {"boundaries": (5, 5)}, ValueError),
        ("piecewise", {"factors": 1}, TypeError),
        ("piecewise", {"factors": (1, 0.5, "x")}, TypeError),
        ("piecewise", {"factors": (1, 0.5, 0)}, ValueError),
    ],
)
def test_bad_options_are_refused_by_name(name, options, error):
    with pytest.raises(error, match=f"`{next(iter(options))}` must be"):
        make_schedule(name, 0.1, 10, **options)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: OneCycle(0.0, 10), ValueError, "`max_learning_rate`"),
        (lambda: OneCycle("0.1", 10), TypeError, "`max_learning_rate`"),
        (lambda: OneCycle(0.1, 0), ValueError, "epochs \\* steps per epoch"),
        (lambda: OneCycle(0.1, 10.0), TypeError, "`total_steps`"),
        (lambda: OneCycle(0.1, 10, start_learning_rate=0.2), ValueError, "`start_learning_rate`"),
        (lambda: OneCycle(0.1, 10, final_learning_rate=0.02), ValueError, "`final_learning_rate`"),
        (lambda: OneCycle(0.1, 10, final_fraction=1.0), ValueError, "`final_fraction`"),
        (lambda: OneCycle(0.1, 10, warmup_fraction=0), ValueError, "`warmup_fraction`"),
        (lambda: OneCycle(0.1, 10, anneal="cos"), ValueError, "Did you mean 'cosine'"),
        (lambda: OneCycleMomentum(10, 1.0), ValueError, "`max_momentum`"),
        (lambda: OneCycleMomentum(10, 0.8, 0.9), ValueError, "`min_momentum`"),
        (lambda: PowerDecay(-1.0, 10), ValueError, "`initial_learning_rate`"),
        (lambda: PowerDecay(0.1, 0), ValueError, "`decay_steps`"),
        (lambda: PowerDecay(0.1, 10, power=0), ValueError, "`power`"),
        (lambda: Delayed(0.1, 10), TypeError, "`schedule`"),
        (lambda: Delayed(PowerDecay(0.1, 10), 0.5), TypeError, "`first_step`"),
        (lambda: make_schedule("onecycle", 0.1, 10), ValueError, "Did you mean '1cycle'"),
        (lambda: make_schedule("power", 0.1, 10, decay_rate=2), TypeError, "decay_steps, power"),
        (lambda: make_schedule("constant", 0.1, 10, power=2), TypeError, "none"),
        (lambda: make_schedule("exponential", 0.1, 10, decay_rate=2), ValueError, "`decay_rate`"),
        (lambda: make_schedule("piecewise", 0.1, 10, factors=(1, 2)), ValueError, "one more"),
        (lambda: make_schedule("1cycle", math_nan(), 10), ValueError, "`learning_rate`"),
    ],
)
def test_bad_arguments_are_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()


def math_nan():
    return float("nan")
