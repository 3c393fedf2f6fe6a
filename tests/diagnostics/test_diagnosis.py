"""A diagnosis as a whole; which faults are found is tested in test_findings.py."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import initializers, layers

import keras_recipes as kr
from keras_recipes.diagnostics.diagnosis import is_trained
from keras_recipes.diagnostics.findings import COLUMN
from keras_recipes.diagnostics.observed_layers import observed_layers
from tests.diagnostics.planted import network

RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 20)).astype("float32")
Y = X[:, :1] * X[:, 1:2]


def small_sigmoids():
    return network(12, "sigmoid", initializers.RandomNormal(stddev=0.05))


def test_a_fault_is_found_and_a_healthy_network_is_not_accused():
    assert "vanishing gradients" in {
        each.name for each in kr.diagnose(small_sigmoids(), X, Y).findings
    }
    assert kr.diagnose(network(3, "elu", "he_normal"), X, Y).findings == ()


def test_the_first_step_of_a_deep_batch_normalized_network_is_no_explosion():
    model = network(50, "relu", "he_normal", norm=True)
    model.compile("sgd", "mse")
    assert kr.diagnose(model, X, Y).findings == ()


def test_trained_networks_are_not_accused():
    data = kr.load_dataset("digits", seed=0)
    for build in (kr.build_default_dnn, kr.build_self_normalizing_dnn):
        model = build(data.input_shape, data.n_outputs, data.task, adapt_to=data.adapt_to, seed=1)
        kr.fit(model, data.x_train, data.y_train, epochs=10, max_learning_rate=0.03, verbose=0)
        diagnosis = kr.diagnose(model, data.x_train, data.y_train)
        assert diagnosis.findings == (), diagnosis


def test_a_trained_network_that_is_compiled_anew_is_no_new_one():
    data = kr.load_dataset("digits", seed=0)
    model = kr.build_default_dnn(
        data.input_shape, 10, "multiclass", hidden_units=(100, 100), activation="relu", seed=1,
        optimizer="adam", learning_rate=5e-3,
    )  # fmt: skip
    assert not is_trained(model)
    x = data.x_train / 16
    model.fit(x, data.y_train, epochs=20, verbose=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    assert is_trained(model)
    diagnosis = kr.diagnose(model, x, data.y_train)
    first, second, _ = diagnosis.statistics[:, COLUMN["activation_std"]]
    assert second > 2.5 * first
    assert diagnosis.findings == ()


def test_the_statistics_are_those_of_the_step():
    """By NumPy, of a layer with its activation in it and one with it apart."""
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(7, "relu", name="first"),
            layers.Dense(5, name="second"),
            layers.Activation("tanh"),
            layers.Dense(1, name="last"),
        ]
    )
    model.compile(kr.optimizers.SGD(0.1, clipnorm=0.01), "mse")
    (w1, b1, w2, b2, w3, b3) = (w.astype("float64") for w in model.get_weights())
    a1 = np.maximum(X @ w1 + b1, 0)
    a2 = np.tanh(a1 @ w2 + b2)
    error = 2 * (a2 @ w3 + b3 - Y) / len(X)
    signal2 = error @ w3.T
    signal1 = (signal2 * (1 - a2**2)) @ w2.T
    gradient2 = a1.T @ (signal2 * (1 - a2**2))
    clipped = gradient2 * min(1, 0.01 / np.linalg.norm(gradient2))
    diagnosis = kr.diagnose(model, X, Y)
    assert [layer.name for layer in diagnosis.layers] == ["first", "second", "last"]
    assert [layer.activation for layer in diagnosis.layers] == ["relu", "tanh", "linear"]
    assert diagnosis.loss == pytest.approx(np.mean((a2 @ w3 + b3 - Y) ** 2), rel=1e-4)
    expected = {
        "activation_mean": (a1.mean(), a2.mean()),
        "activation_std": (a1.std(), a2.std()),
        "dead": ((a1.max(axis=0) == 0).mean(), 0),
        "saturated": (0, (np.abs(a2) > np.sqrt(0.99)).mean()),
        "signal_norm": (np.sqrt((signal1**2).mean()), np.sqrt((signal2**2).mean())),
        "gradient_norm": (None, np.linalg.norm(gradient2)),
        "update_ratio": (None, 0.1 * np.linalg.norm(clipped) / np.linalg.norm(w2)),
        "weight_norm": (None, np.sqrt((w2**2).sum(axis=0).mean())),
    }
    for name, values in expected.items():
        for row, value in enumerate(values):
            if value is not None:
                found = diagnosis.statistics[row, COLUMN[name]]
                assert found == pytest.approx(value, rel=1e-3, abs=1e-6), name


def test_what_is_not_a_number_is_not_dead():
    model = kr.build_default_dnn(20, activation="relu", seed=1)
    model.layers[1].kernel.assign(np.full(model.layers[1].kernel.shape, np.nan))
    diagnosis = kr.diagnose(model, X, Y)
    assert not diagnosis.statistics[:, COLUMN["dead"]].any()


def test_the_model_stays_as_it_was():
    model = kr.build_default_dnn(20, dropout=0.2, normalization="batch", adapt_to=X, seed=1)
    before = [np.array(v) for v in (*model.variables, *model.optimizer.variables)]
    kr.diagnose(model, X, Y)
    after = [*model.variables, *model.optimizer.variables]
    for ours, theirs in zip(before, after, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert "apply" not in vars(model.optimizer)
    assert all("call" not in vars(layer) for layer in model._flatten_layers())


def nested():
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(6, "relu", name="inside")])
    x = keras.Input((20,))
    left = inner(layers.Dense(8, name="before")(x))
    right = layers.LeakyReLU()(layers.Dense(6, name="beside")(x))
    return keras.Model(x, layers.Dense(1, name="after")(left + right))


def wrapped():
    x = keras.Input((20,))
    hidden = kr.layers.MaxNorm(layers.Dense(6, "tanh", name="bounded"))(x)
    return keras.Model(x, layers.Dense(1, name="after")(hidden))


def convolutional():
    x = keras.Input((20,))
    hidden = layers.Conv1D(4, 3, name="wide")(layers.Reshape((20, 1))(x))
    hidden = layers.ReLU()(layers.BatchNormalization()(hidden))
    return keras.Model(x, layers.Dense(1, name="after")(layers.Flatten()(hidden)))


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = layers.Dense(4, "elu", name="hidden"), layers.Dense(1, name="after")

    def call(self, x):
        return self.out(self.hidden(x))


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (nested, {"before": "linear", "inside": "relu", "beside": "leaky_relu", "after": "linear"}),
        (wrapped, {"bounded": "tanh", "after": "linear"}),
        (convolutional, {"wide": "relu", "after": "linear"}),
        (Own, {"hidden": "elu", "after": "linear"}),
        (
            lambda: kr.build_default_dnn(20, activation="prelu", hidden_units=(5,)),
            {"hidden_1": "prelu", "output": "linear"},
        ),
    ],
)
def test_every_kind_of_model_is_looked_into(build, expected):
    model = build()
    model.compile("sgd", "mse")
    diagnosis = kr.diagnose(model, X, Y)
    assert {layer.name: layer.activation for layer in diagnosis.layers} == expected
    assert np.isfinite(diagnosis.statistics).all()
    assert [layer.hidden for layer in diagnosis.layers][-1] is False


def test_layers_that_do_not_train_are_left_out():
    model = kr.build_default_dnn(20, hidden_units=(5, 5))
    model.get_layer("hidden_1").trainable = False
    model.compile("sgd", "mse")
    assert [layer.name for layer in observed_layers(model)] == ["hidden_2", "output"]
    assert len(kr.diagnose(model, X, Y).layers) == 2


def test_half_precision_does_not_look_like_an_explosion():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = kr.build_default_dnn(20, seed=1)
    finally:
        keras.config.set_dtype_policy("float32")
    diagnosis = kr.diagnose(model, X, Y)
    assert diagnosis.findings == ()
    reference = kr.diagnose(kr.build_default_dnn(20, seed=1), X, Y)
    np.testing.assert_allclose(diagnosis.statistics, reference.statistics, rtol=0.05, atol=0.02)


def test_a_loss_that_is_not_finite_is_an_explosion():
    model = network(3, "relu", initializers.RandomNormal(stddev=1e15))
    [finding] = kr.diagnose(model, X, Y).findings[:1]
    assert finding.name == "exploding gradients"
    assert "not finite" in finding.evidence


@pytest.mark.parametrize("length", ["infinite", "unknown"])
def test_a_dataset_may_have_any_length(length):
    model = kr.build_default_dnn(20, seed=1)
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(32)
    changed = dataset.repeat() if length == "infinite" else dataset.filter(lambda x, y: True)
    assert kr.diagnose(model, changed).loss == kr.diagnose(model, dataset).loss
    with pytest.raises(ValueError, match="that is empty"):
        kr.diagnose(model, dataset.take(0))


def test_a_dataset_gives_its_first_batch():
    model = kr.build_default_dnn(20, seed=1)
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(len(X))
    assert kr.diagnose(model, dataset).loss == pytest.approx(
        kr.diagnose(model, X, Y).loss, rel=1e-5
    )


def test_it_prints_and_plots():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    keras.utils.set_random_seed(1)
    diagnosis = kr.diagnose(small_sigmoids(), X, Y)
    lines = str(diagnosis).splitlines()
    assert len(lines) == 1 + 13 + 1 + len(diagnosis.findings)
    assert lines[-1].startswith("- vanishing gradients at dense")
    above, below = diagnosis.plot().axes
    np.testing.assert_allclose(
        below.get_lines()[0].get_ydata(), diagnosis.statistics[:, COLUMN["gradient_norm"]]
    )
    assert len(above.get_lines()[0].get_xdata()) == 13
    names = [label.get_text() for label in below.get_xticklabels()]
    assert names == [layer.name for layer in diagnosis.layers]
    pyplot.close("all")


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: kr.diagnose("x", X, Y), TypeError, "`model` must be a keras.Model"),
        (lambda: kr.diagnose(keras.Sequential([layers.Dense(1)]), X, Y), ValueError, "compiled"),
        (lambda: kr.diagnose(network(2, "elu", "he_normal"), X[:, :3], Y), ValueError, "`x`"),
        (lambda: kr.diagnose(network(2, "elu", "he_normal"), X), ValueError, "`y` must be given"),
    ],
)
def test_bad_arguments_are_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_a_model_without_kernels_is_refused():
    x = keras.Input((20,))
    model = keras.Model(x, layers.BatchNormalization()(x))
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="must have a layer with a kernel"):
        kr.diagnose(model, X, X)


@pytest.mark.parametrize("policy", ["float64", "bfloat16"])
def test_weights_of_any_precision_are_looked_at(policy):
    hidden = layers.Dense(8, "relu", kernel_initializer="he_normal", dtype=policy)
    model = keras.Sequential(
        [keras.Input((20,), dtype=policy), hidden, layers.Dense(1, dtype=policy)]
    )
    model.compile("sgd", "mse")
    found = kr.diagnose(model, X, Y)
    assert found.statistics.dtype == np.float32
    assert found.statistics[:, COLUMN["gradient_norm"]].min() > 0
    assert found.findings == ()


class Attending(layers.Layer):
    """Has attention inside it."""

    def __init__(self):
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, 16)

    def build(self, shape):
        self.attention.build(shape, shape)

    def call(self, x):
        return self.attention(x, x)


@pytest.mark.parametrize("inside", [False, True])
def test_the_queries_and_keys_of_attention_are_no_way_for_gradients(inside):
    tokens = RNG.integers(1, 50, (256, 12))
    inputs = keras.Input((12,), dtype="int32")
    x = layers.Embedding(50, 16)(inputs)
    for _ in range(2):
        attended = Attending()(x) if inside else layers.MultiHeadAttention(2, 16)(x, x)
        x = layers.LayerNormalization()(x + attended)
        hidden = layers.Dense(16, "relu", kernel_initializer="he_normal")(x)
        x = layers.LayerNormalization()(x + layers.Dense(16)(hidden))
    outputs = layers.Dense(2, "softmax")(layers.GlobalAveragePooling1D()(x))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy")
    found = kr.diagnose(model, tokens, (tokens == 3).any(axis=1).astype(int))
    assert sum(each.weighs for each in found.layers) == 4
    assert found.findings == ()


def test_of_large_activations_fewer_examples_are_looked_at():
    seen = []

    def count(y, outputs):
        seen.append(y.shape[0])
        return keras.ops.mean((y - outputs) ** 2)

    images = np.zeros((2000, 32, 32, 1), "float32")
    for filters, number in ((2, 1024), (64, 2**23 // (64 * 1024 + 1)), (512, 32)):
        model = keras.Sequential(
            [
                keras.Input((32, 32, 1)),
                layers.Conv2D(filters, 1),
                layers.GlobalAveragePooling2D(),
                layers.Dense(1),
            ]
        )
        model.compile("sgd", count)
        kr.diagnose(model, images, images[:, 0, 0])
        assert seen[-1] == number


def test_random_numbers_that_follow_are_those_without_a_diagnosis():
    def drawn(diagnosed):
        keras.utils.set_random_seed(0)
        noise = layers.Lambda(lambda x: x + keras.random.normal(keras.ops.shape(x)))
        model = keras.Sequential([keras.Input((20,)), noise, layers.Dense(1)])
        model.compile("sgd", "mse")
        model.predict(X, verbose=0)
        if diagnosed:
            kr.diagnose(model, X, Y)
        return np.array(keras.random.normal((3,)))

    np.testing.assert_array_equal(drawn(True), drawn(False))


def test_a_forget_gate_that_begins_open_is_not_trained():
    model = keras.Sequential([keras.Input((5, 4)), layers.LSTM(3), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert not is_trained(model)


def test_a_new_head_on_layers_that_do_not_train_is_not_trained():
    base = layers.Dense(3, "relu")
    model = keras.Sequential([keras.Input((20,)), base, layers.Dense(1)])
    base.bias.assign([1.0, 2.0, 3.0])
    model.compile("sgd", "mse")
    assert is_trained(model)
    base.trainable = False
    model.compile("sgd", "mse")
    assert not is_trained(model)


def test_a_model_of_a_fixed_batch_size_is_looked_at_with_as_many_examples():
    inputs = keras.Input(batch_shape=(32, 5, 4))
    lstm = layers.LSTM(3, stateful=True)
    model = keras.Model(inputs, layers.Dense(1)(lstm(inputs)))
    model.compile("sgd", "mse")
    series = X.reshape(256, 5, 4)
    model.predict(series[:32], verbose=0)
    before = [np.array(state) for state in lstm.states]
    assert np.ptp(before[0]) > 0
    assert kr.diagnose(model, series, Y).findings == ()
    for state, value in zip(lstm.states, before, strict=True):
        np.testing.assert_array_equal(state, value)
