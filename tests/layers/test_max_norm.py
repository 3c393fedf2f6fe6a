import warnings
from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

from keras_recipes.layers import MaxNorm
from keras_recipes.layers.max_norm import ExactMaxNorm

BOUND = 0.7

# Name -> layer, input shape, and which weights come into each unit: an einsum of the kernel's
# squares, written from the layers' documentation.
CASES: dict[str, tuple[Callable[..., keras.Layer], tuple[int, ...], str]] = {
    "dense": (lambda **kw: layers.Dense(5, **kw), (6,), "iu->u"),
    "dense_on_steps": (lambda **kw: layers.Dense(5, **kw), (4, 6), "iu->u"),
    "conv1d": (lambda **kw: layers.Conv1D(4, 3, **kw), (7, 3), "xiu->u"),
    "conv2d": (lambda **kw: layers.Conv2D(4, (2, 3), **kw), (6, 6, 3), "xyiu->u"),
    "conv2d_groups": (lambda **kw: layers.Conv2D(4, 3, groups=2, **kw), (6, 6, 4), "xyiu->u"),
    "conv3d": (lambda **kw: layers.Conv3D(4, 2, **kw), (4, 4, 4, 3), "xyziu->u"),
    "depthwise_conv1d": (
        lambda **kw: layers.DepthwiseConv1D(3, depth_multiplier=2, **kw),
        (7, 3),
        "xcm->cm",
    ),
    "depthwise_conv2d": (
        lambda **kw: layers.DepthwiseConv2D(3, depth_multiplier=2, **kw),
        (6, 6, 3),
        "xycm->cm",
    ),
    "conv1d_transpose": (lambda **kw: layers.Conv1DTranspose(4, 3, **kw), (5, 3), "xui->u"),
    "conv2d_transpose": (lambda **kw: layers.Conv2DTranspose(4, 3, **kw), (5, 5, 3), "xyui->u"),
    "conv3d_transpose": (lambda **kw: layers.Conv3DTranspose(4, 2, **kw), (3, 3, 3, 3), "xyzui->u"),
}

every_layer = pytest.mark.parametrize("case", CASES)


def norms_of(kernel: np.ndarray, units: str) -> np.ndarray:
    """The norm of each unit's incoming weights, shaped to broadcast against the kernel."""
    inputs, outputs = units.split("->")
    norms = np.sqrt(np.einsum(units, np.asarray(kernel, "float64") ** 2))
    axes = [axis for axis, name in enumerate(inputs) if name not in outputs]
    return np.expand_dims(norms, axes)


def project(kernel: np.ndarray, units: str) -> np.ndarray:
    norms = norms_of(kernel, units)
    return np.where(norms > BOUND, kernel * BOUND / np.maximum(norms, BOUND), kernel)


def make_model(layer: keras.Layer, input_shape: tuple[int, ...], **compile_options) -> keras.Model:
    model = keras.Sequential([keras.Input(input_shape), layer])
    model.compile(keras.optimizers.SGD(2.0), "mse", **compile_options)
    return model


def make_data(model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = [(16, *shape[1:]) for shape in (model.input_shape, model.output_shape)]
    return tuple(rng.normal(size=shape).astype("float32") for shape in shapes)


def dense(bias: bool = True, **kwargs) -> keras.Layer:
    return layers.Dense(3, use_bias=bias, **kwargs)


def large() -> keras.Initializer:
    return keras.initializers.RandomNormal(stddev=5.0, seed=1)


@every_layer
def test_keras_harness(run_layer_test, case):
    make_layer, input_shape, _ = CASES[case]
    run_layer_test(
        MaxNorm,
        {"layer": make_layer(), "max_value": 0.5},
        input_shape=(2, *input_shape),
        expected_num_trainable_weights=2,
        expected_num_non_trainable_weights=0,
        expected_num_seed_generators=0,
    )


@every_layer
def test_each_step_is_the_plain_one_projected(case):
    make_layer, input_shape, units = CASES[case]
    bounded = make_model(MaxNorm(make_layer(), BOUND), input_shape)
    plain = make_model(make_layer(), input_shape)
    x, y = make_data(bounded)
    for _ in range(4):
        plain.set_weights(bounded.get_weights())
        for model in (bounded, plain):
            model.train_on_batch(x, 20 * y)
        free, kept = plain.get_weights()[0], bounded.get_weights()[0]
        assert norms_of(free, units).max() > 1.1 * BOUND
        assert norms_of(kept, units).max() == pytest.approx(BOUND, rel=1e-6)
        np.testing.assert_allclose(kept, project(free, units), rtol=2e-6, atol=1e-7)


@every_layer
def test_initial_weights_are_projected(case):
    make_layer, input_shape, units = CASES[case]
    initializer = "depthwise_initializer" if "depthwise" in case else "kernel_initializer"
    free = make_layer(**{initializer: large()})
    free.build((None, *input_shape))
    bounded = MaxNorm(make_layer(**{initializer: large()}), BOUND)
    bounded.build((None, *input_shape))
    expected = project(free.kernel.numpy(), units)
    np.testing.assert_allclose(bounded.layer.kernel, expected, rtol=2e-6)


@pytest.mark.parametrize("options", [{"jit_compile": True}, {"steps_per_execution": 4}])
def test_holds_in_compiled_steps(options):
    model = make_model(MaxNorm(dense(), BOUND), (6,), **options)
    x, y = make_data(model)
    model.fit(x, 20 * y, batch_size=2, epochs=2, verbose=0)
    assert norms_of(model.get_weights()[0], "iu->u").max() == pytest.approx(BOUND, rel=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "adamw"])
def test_holds_with_every_optimizer(optimizer):
    model = make_model(MaxNorm(dense(), BOUND), (6,))
    model.compile(
        keras.optimizers.get({"class_name": optimizer, "config": {"learning_rate": 1.0}}), "mse"
    )
    x, y = make_data(model)
    model.fit(x, 20 * y, epochs=2, verbose=0)
    assert norms_of(model.get_weights()[0], "iu->u").max() == pytest.approx(BOUND, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_model_that_is_built_while_traced(dtype):
    class Lazy(keras.Model):
        def __init__(self) -> None:
            super().__init__(dtype=dtype)
            self.hidden = MaxNorm(dense(kernel_initializer=large(), dtype=dtype), BOUND)

        def call(self, inputs):
            return self.hidden(inputs)

    x = np.ones((8, 6), "float32")
    model = Lazy()
    model.compile(keras.optimizers.SGD(10.0), "mse")
    model.predict(x, verbose=0)
    kernel = model.hidden.layer.kernel
    expected = project(large()((6, 3)), "iu->u")
    np.testing.assert_allclose(kernel.numpy(), expected, rtol=2e-6)
    model.fit(x, np.full((8, 3), 50.0), verbose=0)
    assert norms_of(kernel.numpy(), "iu->u").max() == pytest.approx(BOUND, rel=1e-6)


def test_layer_that_is_built_already_is_bounded_at_once():
    layer = dense(kernel_initializer=large())
    layer.build((None, 6))
    free = layer.kernel.numpy()
    wrapper = MaxNorm(layer, BOUND)
    assert wrapper.built
    np.testing.assert_allclose(layer.kernel, project(free, "iu->u"), rtol=2e-6)
    model = make_model(wrapper, (6,))
    x, y = make_data(model)
    model.fit(x, 20 * y, verbose=0)
    assert norms_of(layer.kernel, "iu->u").max() == pytest.approx(BOUND, rel=1e-6)


def test_layer_that_is_built_after_it_was_wrapped():
    layer = dense(kernel_initializer=large())
    wrapper = MaxNorm(layer, BOUND)
    layer.build((None, 6))
    wrapper(np.ones((1, 6)))
    assert norms_of(layer.kernel, "iu->u").max() == pytest.approx(BOUND, rel=1e-6)


def test_weights_within_the_bound_stay_bit_for_bit():
    free = dense(kernel_initializer=keras.initializers.GlorotUniform(seed=1))
    free.build((None, 6))
    model = make_model(
        MaxNorm(dense(kernel_initializer=keras.initializers.GlorotUniform(seed=1)), 10), (6,)
    )
    np.testing.assert_array_equal(model.get_weights()[0], free.kernel)
    x, y = make_data(model)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x, y, batch_size=1, epochs=20, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], free.kernel)


def test_constraint_settles_at_the_bound():
    constraint = ExactMaxNorm(BOUND, axis=0)
    w = large()((50, 20))
    for _ in range(3):
        w = constraint(w)
    once = np.array(w)
    for _ in range(300):
        w = constraint(w)
    np.testing.assert_array_equal(w, once)
    np.testing.assert_allclose(norms_of(once, "iu->u"), BOUND, rtol=3e-7)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_constraint_in_other_precisions(dtype):
    w = keras.ops.cast(large()((500, 3)) * 20, dtype)  # norms of 2000 whose squares float16 lacks
    kept = ExactMaxNorm(BOUND, axis=0)(w)
    assert keras.backend.standardize_dtype(kept.dtype) == dtype
    norms = norms_of(keras.ops.cast(kept, "float64"), "iu->u")
    rtol = {"float16": 1e-3, "bfloat16": 4e-3, "float64": 1e-14}[dtype]
    np.testing.assert_allclose(norms, BOUND, rtol=rtol)


def test_constraint_leaves_dead_units_alone():
    np.testing.assert_array_equal(ExactMaxNorm(BOUND)(np.zeros((4, 2), "float32")), 0)


@every_layer
def test_still_binds_after_save_and_load(case, tmp_path):
    make_layer, input_shape, units = CASES[case]
    model = make_model(MaxNorm(make_layer(), BOUND), input_shape)
    x, y = make_data(model)
    model.fit(x, 20 * y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].max_value == BOUND
    assert loaded.layers[0].layer.get_config() == model.layers[0].layer.get_config()
    for weight, saved in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, saved)
    loaded.fit(x, -20 * y, verbose=0)
    assert (loaded.get_weights()[0] != model.get_weights()[0]).any()
    assert norms_of(loaded.get_weights()[0], units).max() == pytest.approx(BOUND, rel=1e-6)


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_quantized_model_reloads(mode, tmp_path):
    model = keras.Sequential([keras.Input((6,)), MaxNorm(layers.Dense(4), BOUND)])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Layer InputLayer does not have a `quantize` method")
        model.quantize(mode)
    model.save(tmp_path / "model.keras")
    loaded, x = keras.saving.load_model(tmp_path / "model.keras"), np.ones((2, 6), "float32")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_config_of_the_wrapped_layer_is_its_own():
    layer = dense(bias=False, activation="elu", kernel_initializer=large(), name="inner")
    config = layer.get_config()
    wrapper = MaxNorm(layer, BOUND)
    wrapper.build((None, 6))
    assert layer.get_config() == config
    copy = MaxNorm.from_config(wrapper.get_config())
    assert copy.layer.get_config() == config
    assert copy.max_value == BOUND


def test_layer_is_as_it_was_where_building_fails():
    layer = layers.Conv1D(4, 3, groups=2)
    initializer = layer.kernel_initializer
    with pytest.raises(ValueError, match="evenly divisible"):
        MaxNorm(layer, BOUND).build((None, 7, 3))
    assert layer.kernel_initializer is initializer
    assert layer.kernel_constraint is None


class Recorder(layers.Dense):
    def call(self, inputs, training=None, mask=None):
        self.received = {"training": training, "mask": mask}
        return super().call(inputs)


@pytest.mark.parametrize("training", [False, True])
def test_passes_on_training_and_mask(training):
    x, mask = np.ones((2, 3, 4), "float32"), np.array([[True, True, False]] * 2)
    recorder = Recorder(5)
    MaxNorm(recorder)(x, training=training, mask=mask)
    assert recorder.received["training"] is training
    np.testing.assert_array_equal(recorder.received["mask"], mask)
    masked = layers.Masking()(x * mask[..., None])
    output = MaxNorm(recorder)(masked, training=training)
    np.testing.assert_array_equal(recorder.received["mask"], mask)
    np.testing.assert_array_equal(output._keras_mask, mask)


def test_masks_pass_through_dense_and_end_at_a_convolution():
    masked = layers.Masking()(keras.Input((3, 4)))
    assert MaxNorm(layers.Dense(5))(masked)._keras_mask is not None
    assert not MaxNorm(layers.Conv1D(5, 2)).supports_masking


def test_takes_the_precision_of_the_layer():
    outputs = MaxNorm(dense(dtype="mixed_float16"))(np.ones((2, 6), "float32"))
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    wrapper = MaxNorm(dense(dtype="mixed_float16"))
    assert wrapper.compute_dtype == "float16"
    assert wrapper.variable_dtype == "float32"


def test_same_bound_twice_is_allowed():
    layer = dense()
    wrappers = [MaxNorm(layer, BOUND), MaxNorm(layer, BOUND)]
    for wrapper in wrappers:
        wrapper(np.ones((1, 6)))


def test_other_bound_on_the_same_layer_is_refused():
    layer = dense()
    first, second = MaxNorm(layer, BOUND), MaxNorm(layer, 2 * BOUND)
    first.build((None, 6))
    with pytest.raises(ValueError, match="must have no constraint on its kernel"):
        second.build((None, 6))


@pytest.mark.parametrize(
    ("make_layer", "error", "message"),
    [
        (lambda: "dense", TypeError, "`layer` must be one of Dense, .*Received: layer='dense'"),
        (lambda: layers.Embedding(3, 2), TypeError, "Embedding"),
        (lambda: layers.SeparableConv2D(3, 2), TypeError, "SeparableConv2D"),
        (lambda: layers.LSTM(3), TypeError, "LSTM"),
        (lambda: MaxNorm(dense()), TypeError, "MaxNorm"),
        (
            lambda: dense(kernel_constraint=keras.constraints.NonNeg()),
            ValueError,
            "must have no constraint.*kernel_constraint=<.*NonNeg.*Leave out one",
        ),
        (
            lambda: layers.DepthwiseConv2D(3, depthwise_constraint="unit_norm"),
            ValueError,
            "depthwise_constraint=<.*UnitNorm",
        ),
        (lambda: built(kernel_constraint="unit_norm"), ValueError, "UnitNorm"),
        (lambda: dense(lora_rank=2), ValueError, "must train its kernel.*lora_rank=2"),
        (lambda: built(lora_rank=2), ValueError, "lora_rank=2"),
    ],
)
def test_unfit_layers_are_refused(make_layer, error, message):
    layer = make_layer()
    with pytest.raises(error, match=message):
        MaxNorm(layer)


def built(**kwargs) -> keras.Layer:
    layer = dense(**kwargs)
    layer.build((None, 6))
    return layer


@pytest.mark.parametrize(
    ("max_value", "error", "message"),
    [
        (
            0,
            ValueError,
            r"^`max_value` must be in \(0, inf\). Received: max_value=0. The book has 1.0.$",
        ),
        (-1.0, ValueError, "max_value=-1.0"),
        (float("inf"), ValueError, "max_value=inf"),
        ("1", TypeError, "max_value='1'"),
        (None, TypeError, "max_value=None"),
    ],
)
def test_bad_bounds_are_refused(max_value, error, message):
    with pytest.raises(error, match=message):
        MaxNorm(dense(), max_value)
