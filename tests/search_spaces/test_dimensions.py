import keras_tuner
import pytest

from keras_recipes.search_spaces.dimensions import Dimension, Range, declare, narrow

DIMENSIONS = {
    "kind": Dimension(("plain", "fancy"), "plain"),
    "depth": Dimension(Range(1, 10, integer=True), 3),
    "rate": Dimension(Range(1e-4, 1.0, logarithmic=True), 0.01, only_with=("kind", ("fancy",))),
    "bound": Dimension((0.0, 1.0, 2.0), 0.0),
}


def declared(dimensions, **values):
    hp = keras_tuner.HyperParameters()
    hp.values.update(values)
    return declare(hp, dimensions), {each.name: each for each in hp.space}


def test_defaults():
    values, space = declared(DIMENSIONS)
    assert values == {"kind": "plain", "depth": 3, "bound": 0.0}
    assert list(space) == ["kind", "depth", "rate", "bound"]
    assert space["rate"].sampling == "log"


def test_a_condition_that_holds():
    values, _ = declared(DIMENSIONS, kind="fancy")
    assert values["rate"] == 0.01


def test_fixed():
    dimensions = narrow(DIMENSIONS, {"depth": 5, "kind": "fancy", "rate": 0.5})
    values, space = declared(dimensions)
    assert values == {"kind": "fancy", "depth": 5, "rate": 0.5, "bound": 0.0}
    assert isinstance(space["depth"], keras_tuner.engine.hyperparameters.Fixed)


def test_narrowed_to_bounds_and_to_values():
    dimensions = narrow(DIMENSIONS, {"depth": (4, 6), "bound": [2.0, 1]})
    values, space = declared(dimensions)
    assert (values["depth"], values["bound"]) == (4, 2.0)  # the nearest, and the first
    assert (space["depth"].min_value, space["depth"].max_value) == (4, 6)
    assert space["bound"].values == [2.0, 1.0]


def test_what_can_never_count_is_left_out():
    assert "rate" not in narrow(DIMENSIONS, {"kind": "plain"})


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"deepth": 3}, TypeError, "`deepth` must be a dimension of this space"),
        ({"depth": 11}, ValueError, r"`depth` must be in \[1, 10\]. Received: depth=11"),
        ({"depth": 2.5}, TypeError, "must be an integer"),
        ({"depth": (1, 2, 3)}, ValueError, r"a tuple \(low, high\)"),
        ({"depth": (4, 4)}, ValueError, "must have low < high"),
        ({"depth": []}, ValueError, "at least one value"),
        ({"kind": "fency"}, ValueError, "Did you mean 'fancy'?"),
        ({"bound": 3.0}, ValueError, "must be one of 0.0, 1.0, 2.0"),
        ({"kind": "plain", "rate": 0.1}, ValueError, "it does where kind is 'fancy'"),
    ],
)
def test_errors(given, error, message):
    with pytest.raises(error, match=message):
        narrow(DIMENSIONS, given)
