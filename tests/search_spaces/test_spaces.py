import json
import warnings

import keras_tuner
import numpy as np
import pytest

import keras_recipes as kr
from keras_recipes.cnn import build_cnn
from keras_recipes.search_spaces import CNN, DefaultDNN, SelfNormalizingDNN
from keras_recipes.search_spaces.dimensions import Range

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


def test_the_first_cnn_is_the_builders():
    space = CNN((8, 8, 1), seed=7)
    model = space.build(space.default_hyperparameters())
    assert layers_of(model) == layers_of(build_cnn((8, 8, 1), seed=7))


@pytest.mark.parametrize(
    ("n_hidden", "normalization"),
    [
        (9, "none"), (10, "batch"), (np.int64(10), "batch"), (np.array([10, 11]), "batch"),
        ([12, 5], "batch"), ([12, 3], "none"), ((2, 12), "none"), ((10, 12), "batch"),
    ],
)  # fmt: skip
def test_where_the_default_is_deep_it_has_batch_normalization(n_hidden, normalization):
    hp = DefaultDNN(4, n_hidden=n_hidden, n_units=4).default_hyperparameters()
    assert hp["normalization"] == normalization  # as the builder's "auto" has it


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


def test_dropout_goes_with_the_activation():
    space = DefaultDNN(
        4, activation=["selu", "elu"], n_hidden=1, normalization="none",
        dropout=(0.3, 0.5), alpha_dropout=(0.05, 0.1),
    )  # fmt: skip
    found = set()
    for hp in random_hyperparameters(space, 1):
        drop = space.build(hp).layers[-2]
        rate = {"selu": "alpha_dropout", "elu": "dropout"}[hp["activation"]]
        assert {"dropout", "alpha_dropout"} & set(hp.values) == {rate}
        assert drop.rate == hp[rate]
        found.add((hp["activation"], type(drop).__name__))
    assert found == {("selu", "AlphaDropout"), ("elu", "Dropout")}


@pytest.mark.parametrize("space", [DefaultDNN(4), CNN((8, 8, 1))], ids=["default", "cnn"])
def test_the_rate_of_alpha_dropout_is_searched_with_selu_alone(space):
    assert "alpha_dropout" not in space.default_hyperparameters().values
    assert "dropout" in space.default_hyperparameters().values


def test_a_space_of_selu_takes_the_rate_of_alpha_dropout():
    space = CNN((8, 8, 1), activation="selu", alpha_dropout=0.1, n_blocks=1)
    drop = space.build(space.default_hyperparameters()).get_layer("block_1_alpha_dropout")
    assert (type(drop).__name__, drop.rate) == ("AlphaDropout", 0.1)
    with pytest.raises(ValueError, match=r"`dropout` must be left out .*activation='selu'"):
        DefaultDNN(4, activation="selu", dropout=0.1)


def test_the_dimensions_reach_model_and_training():
    space = DefaultDNN(
        4, n_hidden=2, n_units=20, activation="relu", normalization="batch",
        batch_norm_position="after", batch_norm_momentum=0.9, dropout=0.25, penalty="l2", l2=1e-3, max_norm=2.0,
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
    assert model.get_layer("hidden_2_batch_norm").momentum == 0.9
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


def test_what_does_nothing_is_not_searched():
    space = DefaultDNN(4, rate="chosen")
    for hp in random_hyperparameters(space, 2):
        able = hp["optimizer"] not in ("sgd", "adagrad", "rmsprop")
        assert ("momentum" in hp) is (able and hp["schedule"] != "1cycle")
        assert ("clip_threshold" in hp) is (hp["clip"] != "none")
        assert ("batch_norm_position" in hp) is (hp["normalization"] == "batch")
        assert ("batch_norm_momentum" in hp) is (hp["normalization"] == "batch")
    for hp in random_hyperparameters(CNN((8, 8)), 2):
        assert ("n_units" in hp) is (hp["n_hidden"] > 0)


def test_momentum_that_is_fixed_is_the_one_of_the_training():
    space = DefaultDNN(4, n_hidden=1, momentum=0.5, rate="chosen")
    hp = space.default_hyperparameters()
    assert (hp["schedule"], hp["momentum"]) == ("performance", 0.5)
    model = space.build(hp)
    history = space.fit(hp, model, X, Y, validation_split=0.2, epochs=1, verbose=0)
    assert model.optimizer.momentum == 0.5
    assert "momentum" not in history.history  # nothing cycles it
    with pytest.raises(ValueError, match=r"momentum=0.5, schedule='1cycle'. Leave it out"):
        DefaultDNN(4, momentum=0.5, schedule="1cycle")
    with pytest.raises(ValueError, match=r"momentum=0.5, optimizer='sgd'. Leave it out"):
        DefaultDNN(4, momentum=0.5, optimizer="sgd")


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({"learning_rate": 0.1}, {"rate": "chosen", "learning_rate": 0.1}),
        ({"l2": 1e-3}, {"penalty": "l2", "l2": 1e-3}),
        ({"clip_threshold": 2.0}, {"clip": "clipvalue", "clip_threshold": 2.0}),
        ({"batch_norm_momentum": 0.999}, {"normalization": "batch", "batch_norm_momentum": 0.999}),
        ({"momentum": 0.8, "optimizer": ["sgd", "adam"]}, {"optimizer": "adam", "momentum": 0.8}),
        ({"penalty": "l1_l2", "l1": 1e-3}, {"penalty": "l1_l2", "l1": 1e-3, "l2": 1e-4}),
    ],
)
def test_what_is_fixed_is_in_the_first_trial(given, first):
    hp = DefaultDNN(4, **given).default_hyperparameters()
    assert hp.values.items() >= first.items()


@pytest.mark.parametrize(
    "given",
    [
        {"batch_size": 512}, {"n_units": 10}, {"n_units": (2, 8)}, {"n_hidden": (1, 12)},
        {"schedule": "piecewise", "momentum": 0.5}, {"activation": "swish"}, {"activation": "selu"},
        {"dropout": 0.8}, {"max_norm": 0.5}, {"learning_rate": (1e-6, 1e-3)}, {"l1": 1.0},
        {"clip_threshold": 100}, {"batch_size": [8, 1024]}, {"batch_norm_momentum": [0.5, 0.9]},
    ],
)  # fmt: skip
def test_what_is_given_may_lie_outside_of_what_is_searched(given):
    space = DefaultDNN(4, **{"n_hidden": 1, "n_units": 4, **given})
    hp = space.default_hyperparameters()
    space.fit(hp, space.build(hp), X, Y, validation_split=0.2, epochs=1, verbose=0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: DefaultDNN(4, n_units=0), ValueError, "`n_units` must be in"),
        (lambda: DefaultDNN(4, momentum=1.0), ValueError, "`momentum` must be in"),
        (lambda: DefaultDNN(4, dropout=1), ValueError, "`dropout` must be in"),
        (lambda: DefaultDNN(4, learning_rate=0), ValueError, "`learning_rate` must be in"),
        (lambda: DefaultDNN(4, l2=(0, 1e-3)), ValueError, "`l2` must be in"),
        (lambda: DefaultDNN(4, batch_size=0), ValueError, "`batch_size` must be in"),
        (lambda: DefaultDNN(4, batch_size=(16, 64)), ValueError, r"pass \[16, 64\]"),
        (lambda: DefaultDNN(4, schedule=None), TypeError, "`schedule` must be one of"),
        (lambda: DefaultDNN(4, n_hidden=("a", 3)), TypeError, "`n_hidden` must be an integer"),
        (lambda: CNN((1, 1, 1)), ValueError, "an image of 2 x 2 pixels or more"),
        (lambda: CNN((8, 8), kernel_size=0), ValueError, "`kernel_size` must be in"),
    ],
)
def test_absurd_values(make, error, message):
    with pytest.raises(error, match=message):
        make()


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


@pytest.mark.parametrize("name", ["batch_size", "schedule", "max_learning_rate"])
def test_what_the_space_has_is_not_given_to_fit(name):
    space = DefaultDNN(4, seed=1)
    hp = space.default_hyperparameters()
    with pytest.raises(keras_tuner.errors.FatalError, match=f"`{name}` must be left to the space"):
        space.fit(hp, space.build(hp), X, Y, **{name: 1})


def test_the_cnn_searches_what_the_image_allows():
    assert CNN((8, 8)).dimensions["n_blocks"].domain == Range(1, 3)
    assert CNN((2, 2)).default_hyperparameters()["n_blocks"] == 1
    assert CNN((64, 64), n_blocks=6, filters=2).default_hyperparameters()["n_blocks"] == 6
    with pytest.raises(ValueError, match=r"`n_blocks` must be in \[1, 3\]"):
        CNN((8, 8), n_blocks=4)
    with pytest.raises(ValueError, match="must be that of an image"):
        CNN(63)


def test_the_dimensions_reach_the_cnn():
    space = CNN(
        (8, 8, 1), n_blocks=1, filters=6, kernel_size=2, pooling="average", n_hidden=3, n_units=5,
        activation="relu", normalization="batch", batch_norm_position="after",
        batch_norm_momentum=0.9, dropout=0.25, penalty="l1", l1=1e-3, max_norm=2.0,
    )  # fmt: skip
    model = space.build(space.default_hyperparameters())
    assert [layer.name for layer in model.layers][1:5] == [
        "block_1", "block_1_batch_norm", "block_1_dropout", "block_1_pooling",
    ]  # fmt: skip
    assert model.get_layer("block_1").kernel.shape == (2, 2, 1, 6)
    assert type(model.get_layer("block_1_pooling")).__name__ == "AveragePooling2D"
    assert model.get_layer("hidden_3").units == 5
    for name in ("block_1", "hidden_1"):
        layer = model.get_layer(name)
        assert float(layer.kernel_regularizer.l1) == pytest.approx(1e-3)
        assert layer.kernel_constraint.max_value == 2.0
        assert model.get_layer(f"{name}_batch_norm").momentum == 0.9


def test_errors_come_when_the_space_is_made():
    with pytest.raises(ValueError, match="`n_outputs` must be"):
        DefaultDNN(4, n_outputs=3, task="binary")
    with pytest.raises(TypeError, match="`layers` must be a dimension"):
        SelfNormalizingDNN(4, layers=3)
    with pytest.raises(TypeError, match="`activation` must be a dimension"):
        SelfNormalizingDNN(4, activation="relu")
