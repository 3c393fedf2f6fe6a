import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_recipes.layers import RReLU

LOWER, UPPER, N_DRAWS = 0.1, 0.4, 200_000


def draw_slopes(seed: int = 1) -> np.ndarray:
    layer = RReLU(LOWER, UPPER, seed=seed)
    return -np.array(layer(-np.ones(N_DRAWS, "float32"), training=True), "float64")


@pytest.mark.parametrize("training", [False, True])
def test_keras_harness(run_layer_test, training):
    run_layer_test(
        RReLU,
        {"lower": 0.1, "upper": 0.2, "seed": 3},
        input_shape=(2, 3),
        call_kwargs={"training": training},
        expected_output_shape=(2, 3),
        expected_num_seed_generators=1,
        expected_num_trainable_weights=0,
        supports_masking=True,
    )


@pytest.mark.parametrize("bounds", [(1 / 8, 1 / 3), (0.0, 1.0), (0.2, 0.2), (0.5, 2.0)])
def test_inference_agrees_with_torch(bounds):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(100, 10)).astype("float32")
    expected = torch.nn.RReLU(*bounds).eval()(torch.tensor(x)).numpy()
    np.testing.assert_array_max_ulp(np.array(RReLU(*bounds)(x)), expected, maxulp=1)


def test_inference_multiplies_negatives_by_the_mean_slope():
    x = np.array([-4.0, -1.0, 0.0, 2.0], "float32")
    np.testing.assert_allclose(RReLU(0.1, 0.3)(x), [-0.8, -0.2, 0.0, 2.0], rtol=1e-6)


def test_training_leaves_positives_and_draws_for_each_negative():
    x = np.random.default_rng(0).normal(size=(1000, 20)).astype("float32")
    y = np.array(RReLU(LOWER, UPPER, seed=1)(x, training=True))
    np.testing.assert_array_equal(y[x > 0], x[x > 0])
    slopes = y[x < 0] / x[x < 0]
    assert LOWER - 1e-6 <= slopes.min() < slopes.max() <= UPPER + 1e-6
    assert len(np.unique(slopes)) > 0.9 * slopes.size


def test_slopes_are_uniform():
    slopes, width = draw_slopes(), UPPER - LOWER
    assert LOWER - 1e-7 <= slopes.min() < LOWER + 20 * width / N_DRAWS
    assert UPPER - 20 * width / N_DRAWS < slopes.max() <= UPPER + 1e-7
    assert abs(slopes.mean() - 0.25) < 4 * width / np.sqrt(12 * N_DRAWS)
    # The fourth central moment of a uniform distribution is width**4 / 80.
    assert abs(slopes.var() - width**2 / 12) < 4 * width**2 * np.sqrt(1 / 180 / N_DRAWS)
    assert kolmogorov_smirnov(slopes, (np.arange(N_DRAWS) + 0.5) / N_DRAWS * width + LOWER) < 1.63


def test_slopes_are_distributed_as_in_torch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = -torch.nn.RReLU(LOWER, UPPER)(-torch.ones(N_DRAWS)).numpy()
    assert kolmogorov_smirnov(draw_slopes(), theirs) < 1.63


def kolmogorov_smirnov(first: np.ndarray, second: np.ndarray) -> float:
    """The scaled two-sample statistic; above 1.63 with probability 1% for equal distributions."""
    pooled = np.sort(np.concatenate([first, second]))
    shares = [
        np.searchsorted(np.sort(sample), pooled, "right") / sample.size
        for sample in (first, second)
    ]
    size = first.size * second.size / (first.size + second.size)
    return float(np.abs(shares[0] - shares[1]).max() * np.sqrt(size))


def test_neighbouring_slopes_and_successive_calls_are_independent():
    layer, x = RReLU(LOWER, UPPER, seed=1), -np.ones(N_DRAWS, "float32")
    first, second = (np.array(layer(x, training=True)) for _ in range(2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(N_DRAWS)
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 5 / np.sqrt(N_DRAWS)


def test_gradient_is_the_drawn_slope():
    x = tf.constant(np.random.default_rng(0).normal(size=1000).astype("float32"))
    layer = RReLU(LOWER, UPPER, seed=1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    gradient = tape.gradient(y, x).numpy()
    np.testing.assert_allclose(gradient, y / x, rtol=1e-6)
    assert (gradient[x.numpy() > 0] == 1).all()


@pytest.mark.parametrize("training", [False, True])
def test_gradient_agrees_with_torch_at_every_kind_of_input(training):
    torch = pytest.importorskip("torch")
    values = np.array([-np.inf, -2.0, -0.0, 0.0, 3.0, np.inf], "float32")
    theirs = torch.tensor(values, requires_grad=True)
    torch.nn.RReLU(0.25, 0.25).train(training)(theirs).sum().backward()
    ours = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(ours)
        y = RReLU(0.25, 0.25)(ours, training=training)
    np.testing.assert_array_equal(tape.gradient(y, ours), theirs.grad.numpy())


def test_equal_bounds_make_leaky_relu():
    x = np.random.default_rng(0).normal(size=1000).astype("float32")
    expected = keras.layers.LeakyReLU(negative_slope=0.2)(x)
    for training in (False, True):
        np.testing.assert_array_equal(RReLU(0.2, 0.2)(x, training=training), expected)


def test_nan_stays_nan():
    for training in (False, True):
        assert np.isnan(RReLU()(np.array([np.nan], "float32"), training=training)).all()


def test_same_seed_gives_same_draws():
    np.testing.assert_array_equal(draw_slopes(seed=5), draw_slopes(seed=5))
    assert (draw_slopes(seed=5) != draw_slopes(seed=6)).any()


@pytest.mark.parametrize(
    ("dtype", "resolution"), [("mixed_float16", 2e-4), ("mixed_bfloat16", 2e-3)]
)
def test_half_precision_draws_the_same_distribution(dtype, resolution):
    x = -np.ones(4_000_000, "float32")
    slopes = -np.array(RReLU(LOWER, UPPER, seed=1, dtype=dtype)(x, training=True), "float64")
    # Drawn in half precision, the mean would be off by 3e-4 or 7e-4.
    assert slopes.mean() == pytest.approx(0.25, abs=1.5e-4)
    assert LOWER - resolution <= slopes.min() < slopes.max() <= UPPER + resolution
    outputs = RReLU(dtype=dtype)(np.ones(3, "float32"))
    assert keras.backend.standardize_dtype(outputs.dtype) == dtype.removeprefix("mixed_")


def test_integers_become_floats():
    np.testing.assert_allclose(RReLU(0.1, 0.3)(np.array([-10, 10])), [-2.0, 10.0], rtol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_trains_and_reloads(tmp_path, jit_compile):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype("float32")
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8), RReLU(seed=2), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.05), "mse", jit_compile=jit_compile)
    losses = model.fit(x, x.sum(axis=1), epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[1].get_config() == model.layers[1].get_config()
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_defaults_are_those_of_the_paper():
    config = RReLU().get_config()
    assert (config["lower"], config["upper"], config["seed"]) == (1 / 8, 1 / 3, None)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"lower": 0.5, "upper": 0.1},
            ValueError,
            r"^`upper` must be in \[0.5, inf\). Received: upper=0.1. It must not be less than `lower`.$",
        ),
        ({"lower": -0.1}, ValueError, "lower=-0.1"),
        ({"upper": float("inf")}, ValueError, "upper=inf"),
        ({"lower": float("nan")}, ValueError, "lower=nan"),
        ({"lower": "a"}, TypeError, "lower='a'"),
        ({"upper": None}, TypeError, "upper=None"),
        ({"seed": 0.5}, TypeError, "seed=0.5"),
        ({"seed": -1}, ValueError, "seed=-1"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        RReLU(**arguments)
