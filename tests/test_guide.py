import keras
import pytest

import keras_recipes as kr
from keras_recipes import guide


@pytest.mark.parametrize(
    ("activations", "initializer"),
    [
        (["linear", None, "none", "tanh", "sigmoid", "logistic", "softmax"], "glorot_uniform"),
        (
            ["relu", "leaky_relu", "prelu", "rrelu", "elu", "gelu", "swish", "silu", "mish"],
            "he_normal",
        ),
        (["selu", "SELU", keras.activations.selu], "lecun_normal"),
    ],
)
def test_initializer_follows_the_activation(activations, initializer):
    for activation in activations:
        assert guide.initializer_for(activation) == initializer
        keras.initializers.get(initializer)


def test_every_activation_in_the_order_of_preference_has_an_initializer():
    assert guide.PREFERENCE[:2] == ("selu", "elu")
    assert guide.PREFERENCE[-3:] == ("relu", "tanh", "sigmoid")
    assert set(guide.PREFERENCE) <= set(guide.INITIALIZERS)


def test_unknown_activations_are_refused():
    with pytest.raises(ValueError, match="Received: activation='softplus2'"):
        guide.initializer_for("softplus2")
    with pytest.raises(TypeError, match="`activation` must be a name"):
        guide.initializer_for(3)


def test_the_two_setups_are_the_books():
    assert guide.DEFAULT_SETUP == guide.Setup(
        "elu", "he_normal", "auto", "early stopping, and l2 if needed", 0.0, "momentum", "1cycle"
    )
    assert guide.SELF_NORMALIZING_SETUP == guide.Setup(
        "selu", "lecun_normal", None, "alpha dropout if needed", 0.0, "momentum", "1cycle"
    )


@pytest.mark.parametrize(
    ("conditions", "activation", "reason"),
    [
        ({}, "selu", "plain stack"),
        ({"sequential": False}, "elu", "SELU cannot self-normalize"),
        ({"latency_critical": True}, "leaky_relu", "cheapest"),
        ({"overfitting": True}, "rrelu", "regularizes"),
        ({"large_data": True}, "prelu", "very large data"),
        ({"recurrent": True}, "elu", "clip"),
        ({"latency_critical": True, "overfitting": True}, "leaky_relu", "cheapest"),
        ({"overfitting": True, "large_data": True}, "rrelu", "regularizes"),
    ],
)
def test_recommend_gives_the_books_advice_with_its_reason(conditions, activation, reason):
    advice = guide.recommend(depth=3, **conditions)
    assert advice.activation == activation
    assert advice.kernel_initializer == guide.initializer_for(activation)
    assert any(reason in sentence for sentence in advice.reasons)
    assert all(sentence in str(advice) for sentence in advice.reasons)
    assert (advice.clipnorm is not None) == conditions.get("recurrent", False)


def test_recommend_says_which_conditions_it_passes_over():
    advice = guide.recommend(depth=3, latency_critical=True, overfitting=True, large_data=True)
    assert advice.activation == "leaky_relu"
    for name, activation in (("overfitting", "rrelu"), ("large_data", "prelu")):
        sentence = f"`{name}` asks for {activation}, but `latency_critical` goes before it."
        assert sentence in advice.reasons


def test_depth_decides_on_batch_normalization():
    shallow = guide.recommend(depth=guide.DEEP_FROM - 1, sequential=False)
    deep = guide.recommend(depth=guide.DEEP_FROM, sequential=False)
    assert (shallow.normalization, deep.normalization) == (None, "batch")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, {"activation": "selu", "initializer": "LecunNormal", "clipnorm": None}),
        ({"recurrent": True}, {"activation": "elu", "initializer": "HeNormal", "clipnorm": 1.0}),
    ],
)
def test_a_recommendation_builds_its_model(conditions, expected):
    model = guide.recommend(depth=2, **conditions).build(4, n_outputs=3, task="multiclass", seed=1)
    hidden = model.get_layer("hidden_2")
    assert model.output_shape == (None, 3)
    assert hidden.activation.__name__ == expected["activation"]
    assert type(hidden.kernel_initializer).__name__ == expected["initializer"]
    assert model.optimizer.clipnorm == expected["clipnorm"]


@pytest.mark.parametrize("own", [{"clipvalue": 0.5}, {"global_clipnorm": 2.0}, {"clipnorm": 3.0}])
def test_a_recommendation_to_clip_yields_to_its_callers_clipping(own):
    optimizer = guide.recommend(depth=2, recurrent=True).build(4, **own).optimizer
    clips = {
        name: getattr(optimizer, name) for name in ("clipvalue", "clipnorm", "global_clipnorm")
    }
    assert {name: bound for name, bound in clips.items() if bound is not None} == own


def test_a_recommendation_to_clip_leaves_an_optimizer_as_it_is():
    model = guide.recommend(depth=2, recurrent=True).build(4, optimizer=keras.optimizers.Adam())
    assert model.optimizer.clipnorm is None


def test_a_recommendation_yields_to_its_caller():
    model = guide.recommend(depth=2).build(4, hidden_units=(7,))
    assert model.get_layer("hidden_1").units == 7
    with pytest.raises(ValueError, match="hidden_2"):
        model.get_layer("hidden_2")


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"depth": 0}, ValueError, "`depth`"),
        ({"depth": 2.5}, TypeError, "`depth`"),
        ({"depth": 2, "recurrent": "yes"}, TypeError, "`recurrent`"),
        ({"depth": 2, "large_data": 1}, TypeError, "`large_data`"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        kr.recommend(**arguments)
