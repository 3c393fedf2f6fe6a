"""Monte Carlo predictions against draws of Keras's own, one for each row of a large batch."""

import copy
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_recipes as kr
from keras_recipes.layers import MCAlphaDropout, MCDropout

ROWS, DRAWS = 6, 2000
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 8)).astype("float32")
SERIES = RNG.normal(size=(ROWS, 5, 8)).astype("float32")
IMAGES = RNG.normal(size=(ROWS, 4, 4, 3)).astype("float32")


def stack(*middle, shape=(8,), units=12):
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Dense(units, "tanh"),
            *middle,
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]
    )


def nested():
    inner = keras.Sequential(
        [keras.Input((8,)), layers.Dense(6, "relu"), layers.Dropout(0.3), layers.Dense(6)]
    )
    x = keras.Input((8,))
    outer = keras.Model(x, layers.Dropout(0.2)(inner(layers.Dense(8)(x))))
    y = keras.Input((8,))
    return keras.Model(y, layers.Dense(2)(outer(y)))


def branches():
    x = keras.Input((8,))
    left = layers.Dropout(0.4)(layers.Dense(5, "relu")(x))
    right = layers.Dense(5, "relu")(x)
    return keras.Model(x, layers.Dense(2)(layers.Concatenate()([left + right, right])))


def shared():
    """Two draws of one layer, whose difference is 0 where the masks are the same."""
    x, drop = keras.Input((8,)), layers.Dropout(0.5)
    return keras.Model(x, drop(x) - drop(x))


class Block(layers.Layer):
    def __init__(self):
        super().__init__()
        self.dense, self.drop = layers.Dense(6, "relu"), layers.Dropout(0.3)

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, x):
        return self.drop(self.dense(x))


class BookMC(layers.Dropout):
    def call(self, inputs):
        return super().call(inputs, training=True)


class BookMCAlpha(layers.AlphaDropout):
    def call(self, inputs):
        return super().call(inputs, training=True)


class Faint(layers.Dropout):
    def call(self, inputs, training=False, *, share=1.0):
        return share * super().call(inputs, training) + (1 - share) * inputs


class OwnModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.block, self.out = Block(), layers.Dense(2)

    def call(self, x):
        return self.out(self.block(x))


def own_model():
    model = OwnModel()
    model(X)
    return model


def with_an_argument():
    x = keras.Input((8,))
    return keras.Model(x, Faint(0.4)(layers.Dense(6)(x), share=0.5))


def in_half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return stack(layers.Dropout(0.4))
    finally:
        keras.config.set_dtype_policy("float32")


MODELS = {
    "dropout": (lambda: stack(layers.Dropout(0.4)), X),
    "mc_dropout": (lambda: stack(MCDropout(0.4)), X),
    "on_the_input": (lambda: keras.Sequential([layers.Dropout(0.4), layers.Dense(2)]), X),
    "at_the_end": (lambda: keras.Sequential([layers.Dense(2), layers.Dropout(0.4)]), X),
    "alpha": (lambda: stack(layers.AlphaDropout(0.3)), X),
    "mc_alpha": (lambda: stack(MCAlphaDropout(0.3)), X),
    "gaussian": (lambda: stack(layers.GaussianDropout(0.3)), X),
    "book": (lambda: stack(BookMC(0.4)), X),
    "book_alpha": (lambda: stack(BookMCAlpha(0.3)), X),
    "own_argument": (with_an_argument, X),
    "noise_shape": (lambda: stack(layers.Dropout(0.4, noise_shape=(None, 1, None)), shape=(5, 8)), SERIES),
    "spatial_1d": (lambda: stack(layers.SpatialDropout1D(0.4), shape=(5, 8)), SERIES),
    "spatial_2d": (lambda: stack(layers.SpatialDropout2D(0.4), shape=(4, 4, 3)), IMAGES),
    "nested": (nested, X),
    "branches": (branches, X),
    "shared": (shared, X),
    "own_layer": (lambda: stack(Block()), X),
    "own_model": (own_model, X),
    "half_precision": (in_half_precision, X),
    "recipe": (lambda: kr.build_default_dnn(8, hidden_units=(9, 9), dropout=0.3, adapt_to=X), X),
}  # fmt: skip


def drawn_by_keras(model, x):
    """Shape (draws, rows, ...)."""
    many = model(np.repeat(x, DRAWS, axis=0), training=True).numpy()
    return np.moveaxis(many.reshape(len(x), DRAWS, *many.shape[1:]), 0, 1).astype("float64")


def assert_alike(prediction, draws):
    """Within five standard errors, of the deviation by the fourth moment."""
    mean, std = draws.mean(axis=0), draws.std(axis=0)
    error = 5 * std * np.sqrt(1 / len(draws) + 1 / prediction.n_samples) + 1e-3
    assert (np.abs(prediction.mean - mean) < error).all()
    fourth = ((draws - mean) ** 4).mean(axis=0)
    of_std = np.sqrt(np.maximum(fourth - std**4, 0) / (4 * np.maximum(std, 1e-6) ** 2))
    error = 5 * of_std * np.sqrt(1 / len(draws) + 1 / prediction.n_samples) + 1e-3
    assert (np.abs(prediction.std - std) < error).all()


@pytest.mark.parametrize("name", MODELS)
def test_draws_are_distributed_as_keras_has_them(name):
    keras.utils.set_random_seed(1)
    build, x = MODELS[name]
    model = build()
    model(x[:1])
    draws = drawn_by_keras(model, x)
    prediction = kr.mc_predict(model, x, 2001, seed=3)
    assert prediction.std.max() > 0.01
    assert_alike(prediction, draws)
    # One draw at a time, and a last batch that is smaller.
    assert_alike(kr.mc_predict(model, x, 301, batch_size=4, seed=3), draws)


def test_batch_normalization_stays_as_at_inference():
    model = stack(layers.BatchNormalization(), layers.Dropout(0.4))
    model.layers[1].set_weights(np.random.default_rng(1).uniform(0.5, 2, (4, 12)))
    same = stack(layers.BatchNormalization(), MCDropout(0.4))
    same.set_weights(model.get_weights())
    many = same(np.repeat(X, DRAWS, axis=0)).numpy()  # at inference, dropout aside
    draws = np.moveaxis(many.reshape(ROWS, DRAWS, 3), 0, 1)
    assert_alike(kr.mc_predict(model, X, 2000, seed=1), draws)


def test_the_model_stays_as_it_is():
    model = kr.build_default_dnn(8, dropout=0.3, normalization="batch", adapt_to=X, seed=1)
    twin = kr.build_default_dnn(8, dropout=0.3, normalization="batch", adapt_to=X, seed=1)
    kr.mc_predict(model, X, 50)
    for ours, theirs in zip(model.variables, twin.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(model(X), twin(X))
    np.testing.assert_array_equal(model(X, training=True), twin(X, training=True))
    assert all("call" not in vars(layer) for layer in model._flatten_layers())


def test_layers_that_are_always_in_training_keep_their_state():
    x = keras.Input((8,))
    hidden = layers.BatchNormalization()(layers.Dense(6)(x), training=True)
    hidden = layers.GaussianNoise(0.1)(hidden, training=True)
    hidden = layers.BatchNormalization()(layers.Dropout(0.5)(hidden), training=True)
    model = keras.Model(x, hidden)
    before = [np.array(each) for each in model.variables]
    prediction = kr.mc_predict(model, X, 20, batch_size=4)
    assert prediction.std.min() > 0
    for ours, theirs in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_seed_repeats_exactly():
    model = stack(layers.Dropout(0.4), layers.GaussianDropout(0.1))
    first, again, other = (kr.mc_predict(model, X, 20, seed=seed) for seed in (5, 5, 6))
    for name in ("mean", "std", "entropy", "mutual_information"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.mean != other.mean).any()
    assert (kr.mc_predict(model, X, 20).mean != kr.mc_predict(model, X, 20).mean).any()


def test_one_draw_has_no_deviation():
    prediction = kr.mc_predict(stack(layers.Dropout(0.4)), X, 1, seed=1)
    assert (prediction.std == 0).all()
    np.testing.assert_allclose(prediction.mutual_information, 0, atol=1e-6)


@pytest.mark.parametrize("kind", [layers.Dropout, BookMC, layers.SpatialDropout1D])
def test_all_may_be_dropped(kind):
    prediction = kr.mc_predict(keras.Sequential([keras.Input((5, 8)), kind(1.0)]), SERIES, 10)
    assert not prediction.mean.any()
    assert not prediction.std.any()


@pytest.mark.parametrize("rate", [0.001, 0.25, 0.3, 0.994, 0.999])
def test_the_rate_is_exact(rate):
    model = keras.Sequential([keras.Input((64,)), layers.Dropout(rate)])
    x = np.ones((1000, 64), "float32")
    kept = kr.mc_predict(model, x, 100, seed=1).mean * (1 - rate)
    of_masks = rate * (1 - rate) / (100 * x.size)
    of_rounding = 1 / 256**2 / 4 / (64 * 5)  # each unit's, in five groups of draws
    assert abs(kept.mean() - (1 - rate)) < 5 * np.sqrt(of_masks + of_rounding)


@pytest.mark.parametrize("rate", [0.002, 0.01, 0.07, 0.2])
def test_a_unit_has_the_spread_of_its_rate_in_each_call(rate):
    model = keras.Sequential([keras.Input((1,)), layers.Dropout(rate)])
    x = np.ones((64, 1), "float32")
    found = [kr.mc_predict(model, x, 200, seed=seed).std for seed in range(8)]
    variances = np.square(found).mean(axis=(1, 2)) * (1 - rate) / rate  # 1 is right
    assert np.abs(variances - 1).max() < 5 / np.sqrt(64 * 200 * rate) + 0.04


def test_batches_keep_the_order_of_the_rows():
    model = keras.Sequential([keras.Input((1,)), layers.Dropout(0.5)])
    x = np.arange(1, 1001, dtype="float32")[:, None]
    prediction = kr.mc_predict(model, x, 400, batch_size=64, seed=1)
    np.testing.assert_allclose(prediction.mean / x, 1, atol=0.3)
    np.testing.assert_allclose(prediction.std / x, 1, atol=0.1)
    # Masks of different batches are not the same.
    assert (prediction.mean[:64] / x[:64] != prediction.mean[64:128] / x[64:128]).any()


class Counting(layers.Dense):
    def call(self, x):
        self.calls = [*getattr(self, "calls", []), len(x)]
        return super().call(x)


@pytest.mark.parametrize(
    ("shape", "units", "calls"),
    [((1, 8), 4, [90]), ((1, 8), 2**17, [40, 40, 10]), ((None, 8), 4, [40, 40, 10])],
    ids=["narrow", "wide", "unknown"],
)
def test_what_comes_before_dropout_is_computed_once(shape, units, calls):
    counting = Counting(units)
    model = keras.Sequential(
        [
            keras.Input(shape), counting, layers.Reshape((-1, 1)), layers.GlobalMaxPooling1D(),
            layers.Dropout(0.5), layers.Dense(1),
        ]
    )  # fmt: skip
    counting.calls = []
    kr.mc_predict(model, np.zeros((90, 1, 8), "float32"), 100, batch_size=40)
    assert counting.calls == calls


class Scaling(layers.Layer):
    scale, traces = 1.0, 0

    def call(self, x):
        Scaling.traces += 1
        return self.scale * x


def traces_of(model, *arguments, **keywords):
    """How often a prediction calls the layer in each draw; and the prediction."""
    before = Scaling.traces
    prediction = kr.mc_predict(model, *arguments, **keywords)
    return Scaling.traces - before, prediction


def test_a_prediction_goes_by_the_graph_of_the_one_before():
    model = stack(layers.Dropout(0.5), Scaling())
    model.compile("sgd", "mse")
    assert traces_of(model, X, 5, seed=1)[0] == 1
    repeated, first = traces_of(model, X, 5, seed=1)
    assert repeated == 0
    model.fit(X, np.zeros((ROWS, 3)), verbose=0)
    again, trained = traces_of(model, X[:5], 5, batch_size=4, seed=1)
    assert again == 0
    assert (trained.mean != first.mean[:5]).any()
    fresh = keras.models.clone_model(model)
    fresh.set_weights(model.get_weights())
    same = kr.mc_predict(fresh, X[:5], 5, batch_size=4, seed=1)
    np.testing.assert_array_equal(trained.mean, same.mean)


def test_predictions_of_nearly_as_many_rows_go_by_the_same_graph():
    model = stack(layers.Dropout(0.5), Scaling(), units=1200)
    x = np.zeros((1000, 8), "float32")
    traces = [traces_of(model, x[:rows], 40)[0] for rows in (100, 111, 123, 120, 600, 1000)]
    assert traces == [1, 0, 0, 0, 1, 0]


def test_models_of_a_fixed_batch_size_are_drawn_from():
    x = keras.Input(batch_shape=(ROWS, 5, 8))
    hidden = layers.LSTM(4, stateful=True)(layers.Dropout(0.3)(x))
    model = keras.Model(x, keras.ops.reshape(hidden, (ROWS, 2, 2)))
    state = [np.array(each) for each in model.variables]
    free = keras.Sequential([keras.Input((5, 8)), layers.Dropout(0.3), layers.LSTM(4)])
    free.set_weights(model.get_weights()[:3])
    prediction = kr.mc_predict(model, SERIES, 2000, seed=1)
    assert_alike(prediction, drawn_by_keras(free, SERIES).reshape(DRAWS, ROWS, 2, 2))
    for ours, theirs in zip(model.variables, state, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def change_the_rate(model):
    model.layers[0].rate = 0.9


def change_what_a_layer_goes_by(model):
    model.layers[1].scale = 2.0


def change_an_activation(model):
    model.layers[2].activation = keras.activations.relu


def change_the_loss(model):
    model.compile(loss="mse")


def change_the_layers(model):
    output = model.layers[-1]
    model.pop()
    model.pop()
    model.add(output)


@pytest.mark.parametrize(
    "change",
    [
        change_the_rate,
        change_what_a_layer_goes_by,
        change_an_activation,
        change_the_loss,
        change_the_layers,
    ],
)
def test_what_is_changed_in_a_model_changes_its_prediction(change):
    model = keras.Sequential(
        [
            keras.Input((5,)), layers.Dropout(0.5), Scaling(), layers.Activation("tanh"),
            layers.Dense(3, "softmax"),
        ]
    )  # fmt: skip
    x = SERIES[:, :, 0]
    before = kr.mc_predict(model, x, 5, seed=1)
    change(model)
    changed = kr.mc_predict(model, x, 5, seed=1)
    del vars(model)["_keras_recipes_draws"]
    expected = kr.mc_predict(model, x, 5, seed=1)
    np.testing.assert_array_equal(changed.mean, expected.mean)
    assert (changed.entropy is None) == (expected.entropy is None)
    assert changed.entropy is None or (changed.mean != before.mean).any()


def base_alone():
    model = keras.Sequential([keras.Input((8,)), layers.Dense(5)])
    return model, model


def base_inside():
    base, x = keras.Sequential([keras.Input((8,)), layers.Dense(5)]), keras.Input((8,))
    return base, keras.Model(x, layers.Dense(2)(layers.Dropout(0.5)(base(x))))


@pytest.mark.parametrize("build", [base_alone, base_inside])
def test_what_is_changed_before_dropout_changes_the_prediction(build):
    base, model = build()
    after = [layers.Dropout(0.5), layers.Dense(2)] if model is base else []
    for layer in after:
        model.add(layer)
    kr.mc_predict(model, X, 5, seed=1)
    for _ in range(len(after) + 1):
        base.pop()
    for layer in [layers.Dense(5), *after]:
        base.add(layer)
    changed = kr.mc_predict(model, X, 5, seed=1)
    del vars(model)["_keras_recipes_draws"]
    expected = kr.mc_predict(model, X, 5, seed=1)
    np.testing.assert_array_equal(changed.mean, expected.mean)


def test_another_type_of_inputs_is_traced_again():
    model = own_model()
    single, double = (kr.mc_predict(model, X.astype(kind), 9, seed=1) for kind in ("f4", "i4"))
    assert single.mean.shape == double.mean.shape
    np.testing.assert_array_equal(kr.mc_predict(model, X, 9, seed=1).mean, single.mean)


@pytest.mark.parametrize("build", [nested, branches, own_model])
def test_graphs_are_kept_for_all_kinds_of_models(build):
    model = build()
    kr.mc_predict(model, X, 3)
    kept = vars(model)["_keras_recipes_draws"]
    kr.mc_predict(model, X, 3)
    assert vars(model)["_keras_recipes_draws"] is kept


@pytest.mark.parametrize("build", [nested, own_model])
def test_a_model_and_its_graphs_are_let_go(build):
    model = build()
    for samples in (2, 3, 2):
        kr.mc_predict(model, X, samples)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_a_model_that_has_predicted_is_saved_as_before(tmp_path):
    model = stack(layers.Dropout(0.5))
    prediction = kr.mc_predict(model, X, 5, seed=1)
    model.save(tmp_path / "model.keras")
    copies = [keras.models.load_model(tmp_path / "model.keras"), copy.deepcopy(model)]
    for each in copies:
        np.testing.assert_array_equal(kr.mc_predict(each, X, 5, seed=1).mean, prediction.mean)
        assert each.layers[1] is not model.layers[1]


def test_many_predictions_are_nothing_to_warn_of(caplog):
    logger = tf.get_logger()
    logger.addHandler(caplog.handler)
    try:
        for _ in range(8):
            kr.mc_predict(stack(layers.Dropout(0.5)), X, 2)
    finally:
        logger.removeHandler(caplog.handler)
    assert "retracing" not in caplog.text


def test_entropies_of_classes():
    keras.utils.set_random_seed(0)
    model = stack(layers.Dropout(0.5))
    draws = drawn_by_keras(model, X)
    prediction = kr.mc_predict(model, X, 4000, seed=1)
    mean = draws.mean(axis=0)
    entropy = -(mean * np.log(mean)).sum(axis=-1)
    expected = -(draws * np.log(draws)).sum(axis=-1).mean(axis=0)
    np.testing.assert_allclose(prediction.entropy, entropy, atol=0.02)
    np.testing.assert_allclose(prediction.mutual_information, entropy - expected, atol=0.02)
    assert prediction.mutual_information.max() > 0.05


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_entropies_of_labels(n_outputs):
    task = "binary" if n_outputs == 1 else "multilabel"
    model = kr.build_default_dnn(8, n_outputs, task, hidden_units=(9,), dropout=0.4, seed=1)
    draws = drawn_by_keras(model, X)
    prediction = kr.mc_predict(model, X, 4000, seed=1)
    mean = draws.mean(axis=0)
    entropy = -(mean * np.log(mean)) - (1 - mean) * np.log(1 - mean)
    np.testing.assert_allclose(prediction.entropy, entropy, atol=0.02)
    assert prediction.mutual_information.shape == (ROWS, n_outputs)


def test_regression_has_no_entropy():
    prediction = kr.mc_predict(kr.build_default_dnn(8, dropout=0.2), X, 5)
    assert prediction.entropy is None
    assert prediction.mutual_information is None


def test_several_inputs_and_outputs():
    a, b = keras.Input((8,), name="a"), keras.Input((2,), name="b")
    hidden = layers.Dropout(0.5)(layers.Dense(6, "relu")(layers.Concatenate()([a, b])))
    outputs = {"kind": layers.Dense(3, "softmax")(hidden), "sum": layers.Dense(1)(b)}
    model = keras.Model({"a": a, "b": b}, outputs)
    x = {"a": X, "b": X[:, :2]}
    prediction = kr.mc_predict(model, x, 200, seed=1)
    assert prediction.std["kind"].max() > 0.01
    np.testing.assert_allclose(prediction.mean["sum"], model(x)["sum"], rtol=1e-5)
    np.testing.assert_allclose(prediction.std["sum"], 0, atol=1e-5)
    assert (prediction.entropy["kind"].shape, prediction.entropy["sum"]) == ((ROWS,), None)


class TwoOutputs(OwnModel):
    def call(self, x):
        hidden = self.block(x)
        return {"out": self.out(hidden), "hidden": hidden}


def test_several_outputs_of_a_call_of_ones_own_are_refused():
    model = TwoOutputs()
    model(X)
    with pytest.raises(ValueError, match="must be Sequential or functional"):
        kr.mc_predict(model, X, 5)


def test_masks_of_embeddings_are_kept():
    tokens = np.array([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0]])
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Embedding(6, 4, mask_zero=True),
            layers.Dropout(0.3),
            layers.GlobalAveragePooling1D(),
        ]
    )
    prediction = kr.mc_predict(model, tokens, 5000, batch_size=2, seed=1)
    np.testing.assert_allclose(prediction.mean, model(tokens), atol=0.01)


def test_an_error_in_a_layer_leaves_the_model_as_it_was():
    class Failing(layers.Layer):
        fails = False

        def call(self, x):
            if self.fails:
                raise RuntimeError("no")
            return x

    model = keras.Sequential([keras.Input((8,)), layers.Dropout(0.5), Failing()])
    seeds = model.layers[0].seed_generator
    Failing.fails = True
    with pytest.raises(RuntimeError, match="no"):
        kr.mc_predict(model, X, 5)
    assert "call" not in vars(model.layers[0])
    assert model.layers[0].seed_generator is seeds


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[2 * index : 2 * index + 2]


@pytest.mark.parametrize("n_samples", [1, 5])
@pytest.mark.parametrize("rows", [1, 6])
@pytest.mark.parametrize(
    "end",
    [
        lambda x: keras.ops.reshape(x, (-1, 4)),
        lambda x: keras.ops.concatenate([x, x], axis=0),
        lambda x: keras.ops.concatenate([keras.ops.mean(x, axis=0, keepdims=True)] * 2, axis=0),
    ],
    ids=["reshaped", "doubled", "reduced"],
)
def test_models_without_a_row_for_each_example_are_refused(end, rows, n_samples):
    x = keras.Input((8,))
    model = keras.Model(x, end(layers.Dropout(0.5)(x)))
    with pytest.raises(ValueError, match="`model` must give a row for each example"):
        kr.mc_predict(model, X[:rows], n_samples)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"x": tf.data.Dataset.from_tensor_slices(X).batch(2)}, TypeError, "`x` must be arrays"),
        ({"x": Batches()}, TypeError, "`x` must be arrays. Received: Batches"),
        ({"x": iter(X)}, TypeError, "`x` must be arrays"),
        ({"n_samples": 0}, ValueError, "`n_samples`"),
        ({"n_samples": 2.5}, TypeError, "`n_samples`"),
        ({"batch_size": 0}, ValueError, "`batch_size`"),
        ({"seed": -1}, ValueError, "`seed`"),
        ({"model": "x"}, TypeError, "`model` must be a keras.Model"),
        ({"model": kr.build_default_dnn(8)}, ValueError, "`model` must have dropout"),
        ({"model": stack(layers.GaussianNoise(0.5))}, ValueError, "other noise is off"),
        ({"model": keras.Sequential([layers.Dropout(0.5)])}, ValueError, "`model` must be built"),
        ({"x": X[:, :7]}, ValueError, "`x`"),
        ({"x": X[:0]}, ValueError, "`x`"),
        ({"x": np.full((2, 8), np.nan)}, ValueError, "`x`"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    given = {"model": stack(layers.Dropout(0.5)), "x": X, **arguments}
    with pytest.raises(error, match=match):
        kr.mc_predict(**given)


def test_several_threads_may_ask_one_model():
    model = stack(layers.Dropout(0.3))
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(kr.mc_predict, model, X, 20, seed=3) for _ in range(6)]
    expected = kr.mc_predict(model, X, 20, seed=3).mean
    for each in asked:
        np.testing.assert_array_equal(each.result().mean, expected)
