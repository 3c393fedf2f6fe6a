import pytest

from keras_recipes.search_spaces.dimensions import Dimension, Range
from keras_recipes.search_spaces.narrowing import narrow, vary

SOME = range(1, 1000)
DIMENSIONS = {
    "kind": Dimension(("plain", "fancy", "odd"), "plain"),
    "mode": Dimension(("slow", "fast"), "slow", allowed=("slow", "fast", "steady")),
    "depth": Dimension(Range(0, 10), 3, "[0, inf)"),
    "width": Dimension(Range(1, 9), 5, "[1, inf)", only_with={"depth": SOME}),
    "rate": Dimension(Range(0.0, 1.0), 0.5, "[0, 1]", only_with={"kind": ("fancy",)}),
    "oddity": Dimension(Range(0.0, 1.0), 0.5, "[0, 1]", only_with={"kind": ("odd",)}),
    "both": Dimension(
        (1, 2), 1, "[1, 9]", only_with={"kind": ("plain", "odd"), "mode": ("fast", "steady")}
    ),
}


def defaults(dimensions):
    return {name: each.default for name, each in dimensions.items()}


def test_nothing_given():
    dimensions = narrow(DIMENSIONS, {})
    assert list(dimensions) == list(DIMENSIONS)
    assert defaults(dimensions) == defaults(DIMENSIONS)
    # Of the conditions, what is searched is left.
    assert dimensions["both"].only_with == {"kind": ("plain", "odd"), "mode": ("fast",)}
    assert dimensions["width"].only_with == {"depth": tuple(range(1, 11))}


@pytest.mark.parametrize(
    ("given", "gone"),
    [
        ({"kind": "plain"}, {"rate", "oddity"}),
        ({"kind": "fancy"}, {"oddity", "both"}),
        ({"mode": "slow"}, {"both"}),
        ({"mode": "steady"}, set()),
        ({"depth": 0}, {"width"}),
        ({"depth": 500}, set()),
    ],
)
def test_what_can_never_count_is_left_out(given, gone):
    assert set(DIMENSIONS) - set(narrow(DIMENSIONS, given)) == gone


@pytest.mark.parametrize(
    ("given", "steered"),
    [
        ({"rate": 0.1}, {"kind": "fancy"}),
        ({"rate": [0.1]}, {"kind": "fancy"}),
        ({"rate": (0.1, 0.2)}, {"kind": "plain"}),  # not fixed: the first trial is the book's
        ({"rate": [0.1, 0.2]}, {"kind": "plain"}),
        ({"both": 2}, {"kind": "plain", "mode": "fast"}),
        ({"both": 2, "mode": ["slow", "steady"]}, {"kind": "plain", "mode": "steady"}),
        ({"both": 2, "oddity": 0.2}, {"kind": "odd", "mode": "fast"}),  # with which both count
        ({"both": 2, "kind": ["fancy", "odd"]}, {"kind": "odd", "mode": "fast"}),
        ({"rate": 0.1, "oddity": 0.2, "kind": ["odd", "fancy"]}, {"kind": "odd"}),
        ({"width": 7}, {"depth": 3}),
        ({"width": 7, "depth": [0, 1]}, {"depth": 1}),
        ({"width": 7, "depth": (0, 2)}, {"depth": 2}),
    ],
)
def test_what_is_fixed_counts_in_the_first_trial(given, steered):
    dimensions = narrow(DIMENSIONS, given)
    assert defaults(dimensions).items() >= steered.items()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"deepth": 3}, TypeError, "`deepth` must be a dimension of this space"),
        ({"depth": -1}, ValueError, "`depth` must be in"),
        (
            {"kind": "plain", "rate": 0.1},
            ValueError,
            "it does where kind is 'fancy'. Received: rate=0.1, kind='plain'. Leave it out, or let "
            "`kind` have such a value",
        ),
        (
            {"mode": "slow", "both": [1, 2]},
            ValueError,
            r"does where kind is 'plain' or 'odd' and mode is 'fast'. Received: both=\[1, 2\], mode='",
        ),
        ({"depth": 0, "width": 2}, ValueError, "it does where depth is 1 or 2"),
        (
            {"rate": 0.1, "oddity": 0.2},
            ValueError,
            "`oddity` must count together with what else is fixed. Received: oddity=0.2, which does "
            "where kind is 'odd', where others need kind='fancy'. Pass `kind`",
        ),
    ],
)
def test_errors(given, error, message):
    with pytest.raises(error, match=message):
        narrow(DIMENSIONS, given)


def test_what_is_not_varied_has_its_default():
    dimensions = vary(narrow(DIMENSIONS, {"depth": [6, 7]}), ["mode", "both"])
    assert {name: each.domain for name, each in dimensions.items()} == {
        "kind": ("plain",), "mode": ("slow", "fast"), "depth": (6,), "width": (5,), "both": (1, 2),
    }  # fmt: skip
    assert defaults(dimensions)["mode"] == "slow"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["width", "deepth"], "Received: deepth. Choose among kind, mode, .*, both.$"),
        (["both"], "Received: both. Choose among .*; with both vary kind and mode too.$"),
    ],
)
def test_errors_of_what_varies(names, message):
    with pytest.raises(ValueError, match=message):
        vary(DIMENSIONS, names)
