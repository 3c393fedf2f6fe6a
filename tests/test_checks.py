import math

import numpy as np
import pytest

from keras_recipes.checks import (
    check_choice,
    check_flag,
    check_instance,
    check_integer,
    check_number,
    check_sequence,
    check_text,
)


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        ("[0, 1)", [0, 0.5, np.float32(0.25), np.int64(0)], [-1e-9, 1, math.nan, math.inf]),
        ("(0, 1]", [1, 1e-300], [0, 1.0000001]),
        ("(0, inf)", [1e300], [0, math.inf, -math.inf]),
        ("(-inf, inf)", [-5], [math.nan]),
    ],
)
def test_numbers_lie_in_their_interval(interval, inside, outside):
    for value in inside:
        assert check_number("rate", value, interval) == value
    for value in outside:
        with pytest.raises(ValueError, match=r"`rate` must be in"):
            check_number("rate", value, interval)


@pytest.mark.parametrize("value", ["0.5", None, True, 1j, [0.5], np.array([0.5])])
def test_what_is_not_a_number_is_refused(value):
    with pytest.raises(TypeError, match=r"`rate` must be a number in \[0, 1\)\. Received: rate="):
        check_number("rate", value, "[0, 1)")


def test_message_says_what_was_expected_received_and_how_to_mend_it():
    with pytest.raises(ValueError, match="rate") as raised:
        check_number("rate", 1.5, "[0, 1)", "For 50% dropout pass rate=0.5.")
    assert str(raised.value) == (
        "`rate` must be in [0, 1). Received: rate=1.5. For 50% dropout pass rate=0.5."
    )


@pytest.mark.parametrize("value", [1.0, True, "1", None])
def test_integers_are_integers(value):
    with pytest.raises(TypeError, match=r"`epochs` must be an integer in \[1, inf\)"):
        check_integer("epochs", value, "[1, inf)")
    assert check_integer("epochs", np.int32(3), "[1, inf)") == 3


def test_integers_lie_in_their_interval():
    with pytest.raises(ValueError, match="Received: epochs=0"):
        check_integer("epochs", 0, "[1, inf)")


@pytest.mark.parametrize("value", [10**400, -(10**400)])
@pytest.mark.parametrize("check", [check_number, check_integer])
def test_integers_beyond_all_floats_are_out_of_range(check, value):
    with pytest.raises(ValueError, match=r"`steps` must be in \(-inf, inf\)"):
        check("steps", value, "(-inf, inf)")


def test_text_is_not_empty():
    assert check_text("monitor", "val_loss", "a name") == "val_loss"
    with pytest.raises(ValueError, match=r"`monitor` must be a name\. Received: monitor=''"):
        check_text("monitor", "", "a name")
    with pytest.raises(TypeError, match="`monitor` must be a name"):
        check_text("monitor", 3, "a name")


@pytest.mark.parametrize("value", [(3, 4), [3, 4], range(3, 5), np.array([3, 4])])
def test_sequences_become_lists(value):
    assert check_sequence("widths", value, "a sequence of widths") == [3, 4]


@pytest.mark.parametrize("value", ["34", b"34", 34, {3, 4}, np.array(3), np.ones((2, 2)), None])
def test_what_is_not_a_sequence_is_refused(value):
    with pytest.raises(TypeError, match="`widths` must be a sequence of widths"):
        check_sequence("widths", value, "a sequence of widths")


def test_choices_suggest_the_near_one():
    assert check_choice("task", "binary", ("binary", "regression")) == "binary"
    with pytest.raises(ValueError, match="Did you mean 'regression'"):
        check_choice("task", "Regresion", ("binary", "regression"))
    with pytest.raises(TypeError, match="one of 'binary', 'regression'"):
        check_choice("task", 3, ("binary", "regression"))


def test_flags_and_instances():
    assert check_flag("sequential", False) is False
    with pytest.raises(TypeError, match="`sequential` must be True or False"):
        check_flag("sequential", 1)
    assert check_instance("name", "x", str, "a string") == "x"
    with pytest.raises(TypeError, match="`name` must be a string"):
        check_instance("name", 3, str, "a string")


def test_long_values_are_cut():
    with pytest.raises(TypeError, match=r"\.\.\.") as raised:
        check_flag("flag", "x" * 1000)
    assert len(str(raised.value)) < 200
