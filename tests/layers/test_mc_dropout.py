"""`MCDropout`, and what `MCAlphaDropout` has in common with it."""

import keras
import numpy as np
import pytest

from keras_recipes.layers import MCAlphaDropout, MCDropout

ORDINARY = {MCDropout: keras.layers.Dropout, MCAlphaDropout: keras.layers.AlphaDropout}

both = pytest.mark.parametrize("layer_class", ORDINARY)


def make_model(layer: keras.Layer, width: int = 20) -> keras.Model:
    return keras.Sequential([keras.Input((width,)), layer])


@both
@pytest.mark.parametrize(
    ("config", "shape"),
    [
        ({"rate": 0.3}, (2, 3)),
        ({"rate": 0.3, "seed": 7}, (2, 3)),
        ({"rate": 0.3, "noise_shape": (None, 1, 4)}, (2, 3, 4)),
    ],
)
def test_keras_harness(run_layer_test, layer_class, config, shape):
    run_layer_test(
        layer_class,
        config,
        input_shape=shape,
        expected_output_shape=shape,
        expected_num_seed_generators=1,
        expected_num_trainable_weights=0,
        supports_masking=True,
        assert_built_after_instantiation=True,
    )


@both
def test_predict_draws_anew_each_time(layer_class):
    model, x = make_model(layer_class(0.5)), np.ones((8, 20), "float32")
    first, second = (model.predict(x, verbose=0) for _ in range(2))
    assert np.mean(first != second) > 0.2


@both
@pytest.mark.parametrize("training", [None, False, True])
def test_agrees_with_ordinary_dropout_in_training(layer_class, training):
    x = keras.random.normal((50, 20), seed=1)
    expected = ORDINARY[layer_class](0.3, seed=5)(x, training=True)
    np.testing.assert_array_equal(layer_class(0.3, seed=5)(x, training=training), expected)


@both
def test_same_seed_gives_same_draws(layer_class):
    x = np.ones((8, 20), "float32")
    draws = [make_model(layer_class(0.5, seed=seed)).predict(x, verbose=0) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


@both
def test_rate_zero_is_the_identity(layer_class):
    x = np.random.default_rng(0).normal(size=(8, 20)).astype("float32")
    np.testing.assert_array_equal(make_model(layer_class(0)).predict(x, verbose=0), x)


@both
def test_noise_shape_drops_a_whole_axis(layer_class):
    x = np.ones((6, 5, 40), "float32")
    y = np.array(layer_class(0.5, noise_shape=[None, 1, None], seed=1)(x))
    assert (y == y[:, :1]).all()
    assert len(np.unique(y[:, 0])) == 2


@both
def test_compiles_with_xla(layer_class):
    model, x = make_model(layer_class(0.5), width=4), np.ones((64, 4), "float32")
    model.compile("sgd", "mse", jit_compile=True)
    first, second = (model.predict(x, verbose=0, batch_size=64) for _ in range(2))
    assert (first != second).any()


@both
def test_stays_random_after_save_and_load(layer_class, tmp_path):
    layer = layer_class(0.5, noise_shape=(None, 20), seed=3, name="mc")
    make_model(layer).save(tmp_path / "model.keras")
    model, x = keras.saving.load_model(tmp_path / "model.keras"), np.ones((8, 20), "float32")
    assert type(model.layers[0]) is layer_class
    assert model.layers[0].get_config() == layer.get_config()
    assert (model.predict(x, verbose=0) != model.predict(x, verbose=0)).any()


@both
def test_keeps_half_precision_and_masks(layer_class):
    layer = layer_class(0.5, dtype="mixed_float16")
    assert keras.backend.standardize_dtype(layer(np.ones((2, 3), "float32")).dtype) == "float16"
    steps = keras.Input((3, 2))
    masked = keras.layers.Masking()(steps)
    assert layer_class(0.5)(masked)._keras_mask is masked._keras_mask


def test_drops_the_rate_and_scales_the_rest():
    x = np.random.default_rng(0).uniform(1, 2, 100_000).astype("float32")
    y = np.array(MCDropout(0.3, seed=1)(x))
    kept = y != 0
    assert kept.mean() == pytest.approx(0.7, abs=5 * np.sqrt(0.3 * 0.7 / x.size))
    np.testing.assert_allclose(y[kept], x[kept] / 0.7, rtol=1e-6)


@both
def test_expected_value_is_the_input(layer_class):
    x = np.random.default_rng(0).normal(size=50).astype("float32")
    n_draws, rate = 40_000, 0.2
    draws = np.array(layer_class(rate, seed=1)(np.tile(x, (n_draws, 1))))
    mean = draws.mean(axis=0, dtype="float64")
    # Alpha dropout is affine in the mean of the masked inputs, and keeps a mean of 0 only.
    assert np.abs(mean - expected_value(layer_class, x, rate)).max() < 5 * 1.5 / np.sqrt(n_draws)


def expected_value(layer_class: type, x: np.ndarray, rate: float) -> np.ndarray:
    if layer_class is MCDropout:
        return x
    saturation = -1.0507009873554805 * 1.6732632423543772  # of SELU
    a = ((1 - rate) * (1 + rate * saturation**2)) ** -0.5
    return a * ((1 - rate) * x + rate * saturation) - a * saturation * rate


@both
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"rate": 1.5},
            ValueError,
            r"^`rate` must be in \[0, 1\). Received: rate=1.5. For 50% dropout pass rate=0.5.$",
        ),
        ({"rate": 1}, ValueError, r"in \[0, 1\). Received: rate=1\. For"),
        ({"rate": -0.1}, ValueError, "rate=-0.1"),
        ({"rate": float("nan")}, ValueError, "rate=nan"),
        ({"rate": "0.5"}, TypeError, "rate='0.5'"),
        ({"rate": None}, TypeError, "rate=None"),
        ({"rate": 0.5, "noise_shape": "a"}, TypeError, "a tuple of integers and None.*='a'.*pass"),
        ({"rate": 0.5, "noise_shape": 3}, TypeError, "noise_shape=3"),
        ({"rate": 0.5, "noise_shape": (None, 0)}, ValueError, r"`noise_shape\[1\]` must be in \[1"),
        ({"rate": 0.5, "noise_shape": (2.0,)}, TypeError, r"noise_shape\[0\]=2.0"),
        ({"rate": 0.5, "seed": 1.5}, TypeError, "`seed` must be an integer.*seed=1.5.*pass None"),
        ({"rate": 0.5, "seed": True}, TypeError, "seed=True"),
        ({"rate": 0.5, "seed": -1}, ValueError, "seed=-1"),
        ({"rate": 0.5, "seed": 2**31}, ValueError, "seed=2147483648"),
    ],
)
def test_bad_arguments_are_refused(layer_class, arguments, error, message):
    with pytest.raises(error, match=message):
        layer_class(**arguments)
