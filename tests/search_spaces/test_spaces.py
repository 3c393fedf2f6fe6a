import json
import warnings

import keras_tuner
import numpy as np
import pytest

import keras_recipes as kr
from keras_recipes.search_spaces import CNN, DefaultDNN, SelfNormalizingDNN

X = np.random.default_rng(0).normal(size=(96, 4)).astype("float32")
Y = X[:, 0] * 2
IMAGES = np.random.default_rng(1).normal(size=(40, 8, 8, 1)).astype("float32")

SPACES = {
    "default": (lambda **keywords: DefaultDNN(4, **keywords)),
    "selu": (lambda **keywords: SelfNormalizingDNN(4, **keywords)),
    "cnn": (lambda **keywords: CNN((8, 8, 1), **keywords)),
}


def random_hyperparameters(space, seed):
    oracle = keras_tuner.oracles.RandomSearchOracle("val_loss", max_trials=100, seed=seed)
    hp = oracle.get_space()
    space.declare_hyperparameters(hp)
    oracle.update_space(hp)
    for _ in range(15):
        values = oracle.populate_space("0")["values"]
        drawn = hp.copy()
        drawn.values = values
        yield drawn


def layers_of(model):
    """What the layers are, without the names."""
    text = json.dumps([layer.get_config() for layer in model.layers], default=str)
    return text.replace(model.name, "")


@pytest.mark.parametrize(
    ("name", "build"),
    [("default", kr.build_default_dnn), ("selu", kr.build_self_normalizing_dnn)],
)
def test_the_first_trial_is_the_books_set_up(name, build):
    space = SPACES[name](adapt_to=X, seed=7)
    model = space.build(space.default_hyperparameters())
    expected = build(4, adapt_to=X, seed=7)
    assert layers_of(model) == layers_of(expected)
    for ours, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert {**model.optimizer.get_config(), "name": ""} == {
        **expected.optimizer.get_config(),
        "name": "",
    }
    history = space.fit(space.default_hyperparameters(), model, X, Y, epochs=2, verbose=0)
    by_hand = kr.fit(expected, X, Y, epochs=2, verbose=0, seed=7)
    assert history.history == by_hand.history


def test_deep_ones_have_batch_normalization_by_default():
    hp = DefaultDNN(4, n_hidden=10).default_hyperparameters()
    assert hp["normalization"] == "batch"


@pytest.mark.parametrize("name", SPACES)
def test_every_draw_builds(name):
    space = SPACES[name]()
    built = [space.build(hp) for hp in random_hyperparameters(space, 3)]
    assert len({layers_of(model) for model in built}) > 10


def test_the_initializer_goes_with_the_activation():
    space = DefaultDNN(4, activation=["tanh", "elu"], n_hidden=(1, 2))
    for hp in random_hyperparameters(space, 1):
        layer = space.build(hp).get_layer("hidden_1")
        expected = {"tanh": "GlorotUniform", "elu": "HeNormal"}[hp["activation"]]
        assert type(layer.kernel_initializer).__name__ == expected


def test_the_dimensions_reach_model_and_training():
    space = DefaultDNN(
        4, n_hidden=2, n_units=20, activation="relu", normalization="batch",
        batch_norm_position="after", dropout=0.25, penalty="l2", l2=1e-3, max_norm=2.0,
        optimizer="nadam", schedule="exponential", rate="chosen", learning_rate=0.02, momentum=0.85,
        clip="clipnorm", clip_threshold=0.5, batch_size=16,
    )  # fmt: skip
    hp = space.default_hyperparameters()
    model = space.build(hp)
    assert [layer.name for layer in model.layers] == [
        "input", "hidden_1", "hidden_1_batch_norm", "hidden_1_dropout", "hidden_2",
        "hidden_2_batch_norm", "hidden_2_dropout", "output",
    ]  # fmt: skip
    assert model.get_layer("hidden_2").units == 20
    assert model.get_layer("hidden_2_dropout").rate == 0.25
    assert float(model.get_layer("hidden_1").kernel_regularizer.l2) == pytest.approx(1e-3)
    assert model.get_layer("hidden_1").kernel_constraint is not None
    assert type(model.optimizer).__name__ == "Nadam"
    assert (model.optimizer.beta_1, model.optimizer.clipnorm) == (0.85, 0.5)
    history = space.fit(hp, model, X, Y, epochs=3, verbose=0)
    assert int(model.optimizer.iterations) == 18  # 96 rows in batches of 16
    assert history.history["learning_rate"][0] > history.history["learning_rate"][-1]
    assert history.history["learning_rate"][0] < 0.02


def test_a_trial_that_goes_on_has_a_cycle_of_its_own():
    space = DefaultDNN(4, n_units=16, n_hidden=1, rate="chosen", learning_rate=0.1)
    hp = space.default_hyperparameters()
    model = space.build(hp)
    space.fit(hp, model, X, Y, epochs=2, verbose=0)
    history = space.fit(hp, model, X, Y, epochs=6, initial_epoch=2, verbose=0)
    rates = history.history["learning_rate"]
    assert len(rates) == 4
    assert max(rates) > 0.05
    assert rates[-1] < 0.01


def test_momentum_is_searched_only_where_it_counts():
    space = DefaultDNN(4, rate="chosen")
    for hp in random_hyperparameters(space, 2):
        assert ("momentum" in hp) is (hp["optimizer"] not in ("sgd", "adagrad", "rmsprop"))
        assert ("clip_threshold" in hp) is (hp["clip"] != "none")
        assert ("batch_norm_position" in hp) is (hp["normalization"] == "batch")


def test_a_search_by_keras_tuner(tmp_path):
    space = DefaultDNN(4, n_hidden=[1, 2], n_units=16, batch_size=[32, 64], seed=1)
    tuner = keras_tuner.RandomSearch(
        space, "val_loss", max_trials=3, seed=1, directory=tmp_path,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # keras-tuner calls what Python has deprecated
        tuner.search(X, Y, validation_data=(X, Y), epochs=2, verbose=0)
    trials = [tuner.oracle.trials[number] for number in sorted(tuner.oracle.trials)]
    assert [trial.status for trial in trials] == ["COMPLETED"] * 3
    assert trials[1].hyperparameters.values != trials[2].hyperparameters.values


def test_the_cnn_searches_what_the_image_allows():
    assert CNN((8, 8)).dimensions["n_blocks"].domain == (1, 2, 3)
    with pytest.raises(ValueError, match="must be one of 1, 2, 3"):
        CNN((8, 8), n_blocks=4)
    with pytest.raises(ValueError, match="must be that of an image"):
        CNN(63)


def test_errors_come_when_the_space_is_made():
    with pytest.raises(ValueError, match="`n_outputs` must be"):
        DefaultDNN(4, n_outputs=3, task="binary")
    with pytest.raises(TypeError, match="`layers` must be a dimension"):
        SelfNormalizingDNN(4, layers=3)
    with pytest.raises(TypeError, match="`activation` must be a dimension"):
        SelfNormalizingDNN(4, activation="relu")
