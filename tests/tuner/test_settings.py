"""What the flags of a search leave to vary."""

import pytest

import keras_recipes as kr
from tuner.settings import Settings

DIGITS = kr.load_dataset("digits")


def space(vary, kind="default"):
    settings = Settings(
        data="digits", target=None, task=None, space=kind, vary=vary, algorithm="random", epochs=1,
        folds=1, stop_early=False, seed=0,
    )  # fmt: skip
    return settings.make_space(DIGITS)


def test_what_is_not_varied_has_its_default():
    made = space(["n_units", "optimizer"])
    everything = space(None)
    for name in ("n_units", "optimizer"):
        assert made.dimensions[name] == everything.dimensions[name]
    for name, each in made.dimensions.items():
        if name not in ("n_units", "optimizer"):
            assert each.domain == (everything.dimensions[name].default,)
    # Those of the others that could never count are gone.
    assert {"l1", "l2", "clip_threshold", "learning_rate"}.isdisjoint(made.dimensions)
    assert made.dimensions["momentum"].only_with == everything.dimensions["momentum"].only_with
    assert (
        made.default_hyperparameters().values.items()
        <= everything.default_hyperparameters().values.items()
    )


@pytest.mark.parametrize("kind", ["default", "selu"])
def test_what_depends_on_another_is_varied_with_it(kind):
    made = space(["clip", "clip_threshold"], kind)
    everything = space(None, kind)
    for name in ("clip", "clip_threshold"):
        assert made.dimensions[name] == everything.dimensions[name]


@pytest.mark.parametrize("vary", [["width"], ["clip_threshold"], ["n_units", "l1"]])
def test_what_never_counts_is_an_error(vary):
    with pytest.raises(ValueError, match=f"{vary[-1]}. Choose among n_hidden, n_units"):
        space(vary)
