import keras_tuner
import pytest

from keras_recipes.search_spaces.declaration import declare
from keras_recipes.search_spaces.dimensions import Dimension, Range
from keras_recipes.search_spaces.narrowing import narrow

DIMENSIONS = {
    "kind": Dimension(("plain", "fancy"), "plain"),
    "mode": Dimension(("slow", "fast"), "slow"),
    "depth": Dimension(Range(1, 10), 3, "[1, inf)"),
    "rate": Dimension(
        Range(1e-4, 1.0, logarithmic=True), 0.01, "(0, inf)", only_with={"kind": ("fancy",)}
    ),
    "both": Dimension((1.0, 2.0), 1.0, "[0, 9]", only_with={"kind": ("fancy",), "mode": ("fast",)}),
}


def declared(dimensions, **values):
    hp = keras_tuner.HyperParameters()
    hp.values.update(values)
    return declare(hp, dimensions), {each.name: each for each in hp.space}


def test_defaults():
    values, space = declared(DIMENSIONS)
    assert values == {"kind": "plain", "mode": "slow", "depth": 3}
    assert list(space) == list(DIMENSIONS)
    assert isinstance(space["depth"], keras_tuner.engine.hyperparameters.Int)
    assert (space["rate"].min_value, space["rate"].max_value) == (1e-4, 1.0)
    assert space["rate"].sampling == "log"
    assert space["both"].values == [1.0, 2.0]


def test_fixed():
    values, space = declared(narrow(DIMENSIONS, {"depth": 50}))
    assert values["depth"] == 50
    assert isinstance(space["depth"], keras_tuner.engine.hyperparameters.Fixed)


@pytest.mark.parametrize("kind", ["plain", "fancy"])
@pytest.mark.parametrize("mode", ["slow", "fast"])
def test_a_condition_on_two_others(kind, mode):
    values, space = declared(DIMENSIONS, kind=kind, mode=mode)
    assert ("rate" in values) is (kind == "fancy")
    assert ("both" in values) is (kind == "fancy" and mode == "fast")
    assert [each.name for each in space["both"].conditions] == ["kind", "mode"]


def test_declared_again_it_is_the_same():
    hp = keras_tuner.HyperParameters()
    first = declare(hp, DIMENSIONS)
    assert declare(hp, DIMENSIONS) == first
    assert len(hp.space) == len(DIMENSIONS)


@pytest.mark.parametrize("copied", [False, True])
def test_every_draw_has_what_counts(copied):
    oracle = keras_tuner.oracles.RandomSearchOracle("val_loss", max_trials=100, seed=1)
    hp = oracle.get_space()
    declare(hp, DIMENSIONS)
    if copied:  # as in the files of a search
        hp = keras_tuner.HyperParameters.from_config(hp.get_config())
    oracle.update_space(hp)
    seen = set()
    for _ in range(60):
        drawn = hp.copy()
        drawn.values = oracle.populate_space("0")["values"]
        assert declare(drawn, DIMENSIONS) == drawn.values
        assert len(drawn.space) == len(DIMENSIONS)
        seen.add(frozenset(drawn.values))
    assert len(seen) == 3


def test_a_space_inside_of_another():
    hp = keras_tuner.HyperParameters()
    hp.Choice("family", ["dense", "other"])
    with hp.conditional_scope("family", ["dense"]), hp.name_scope("dense"):
        assert declare(hp, DIMENSIONS)["depth"] == 3
    both = next(each for each in hp.space if each.name == "dense/both")
    assert [each.name for each in both.conditions] == ["family", "dense/kind", "dense/mode"]
    with hp.conditional_scope("family", ["other"]):
        assert hp.Int("alone", 1, 2) is None
    assert hp.Int("outside", 1, 2) == 1


def test_it_declares_all_that_building_models_would_find(tmp_path):
    """keras-tuner builds until each condition was met; `tuner.study` trusts the declaration."""

    class Space(keras_tuner.HyperModel):
        def build(self, hp):
            declare(hp, DIMENSIONS)

    oracle = keras_tuner.oracles.RandomSearchOracle("val_loss")
    keras_tuner.Tuner(oracle, Space(), directory=tmp_path)
    _, space = declared(DIMENSIONS)
    found = {each.name: each.get_config() for each in oracle.get_space().space}
    assert found == {name: each.get_config() for name, each in space.items()}
