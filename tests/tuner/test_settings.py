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
    gone = {"l1", "l2", "clip_threshold", "learning_rate", "momentum", "batch_norm_position"}
    assert gone.isdisjoint(made.dimensions)
    assert (
        made.default_hyperparameters().values.items()
        <= everything.default_hyperparameters().values.items()
    )


@pytest.mark.parametrize("kind", ["default", "selu"])
@pytest.mark.parametrize("vary", [["clip", "clip_threshold"], ["schedule", "momentum"]])
def test_what_depends_on_others_is_varied_with_them(kind, vary):
    made = space(vary, kind)
    everything = space(None, kind)
    for name in vary:
        assert made.dimensions[name].domain == everything.dimensions[name].domain
    # What counts with a value that is varied keeps its default, and does not change the first trial.
    assert (
        made.default_hyperparameters().values.items()
        <= everything.default_hyperparameters().values.items()
    )


@pytest.mark.parametrize("vary", [["width"], ["clip_threshold"], ["n_units", "l1"], ["momentum"]])
def test_what_never_counts_is_an_error(vary):
    with pytest.raises(ValueError, match=f"{vary[-1]}. Choose among n_hidden, n_units"):
        space(vary)
