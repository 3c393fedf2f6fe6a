import gzip
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_recipes as kr
from keras_recipes.callbacks import MagnitudePruning

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(160, 6)) * 3 + 1).astype("float32")
Y = (X[:, :1] - X[:, 1:2]).astype("float32")


def pruned(share=0.9, **keywords):
    keywords = {"hidden_units": (64, 48), "adapt_to": X, "seed": 1, **keywords}
    model = kr.build_default_dnn(6, **keywords)
    callbacks = [MagnitudePruning(share, 0, 15, every=5, scope="layer")]
    kr.fit(model, X, Y, epochs=2, batch_size=16, max_learning_rate=0.01, callbacks=callbacks,
           seed=1, verbose=0)  # fmt: skip
    return model


@pytest.fixture(scope="module")
def model():
    return pruned()


def test_it_counts_the_zeros_of_each_layer(model):
    report = kr.sparsity(model)
    assert [(each.name, each.weights, each.zeros) for each in report.layers] == [
        ("hidden_1", 384, 346), ("hidden_2", 3072, 2765), ("output", 48, 43),
    ]  # fmt: skip
    assert report.sparsity == pytest.approx((346 + 2765 + 43) / (384 + 3072 + 48))
    assert 0 < report.latency < 1


def test_its_bytes_are_those_of_the_file_without_the_optimizer(model, tmp_path):
    dense = kr.sparsity(kr.build_default_dnn(6, hidden_units=(64, 48), adapt_to=X))
    report = kr.sparsity(model)
    kr.strip(model).save(tmp_path / "stripped.keras")
    saved = (tmp_path / "stripped.keras").read_bytes()
    assert report.file_bytes == pytest.approx(len(saved), rel=0.01)
    assert report.gzip_bytes == pytest.approx(len(gzip.compress(saved)), rel=0.02)
    assert report.file_bytes == pytest.approx(dense.file_bytes, rel=0.01)
    assert report.gzip_bytes < dense.gzip_bytes - 0.6 * 3504 * 4
    model.save(tmp_path / "whole.keras")
    assert (tmp_path / "whole.keras").stat().st_size > report.file_bytes + 3504 * 4


def test_the_model_is_as_it_was(model):
    before, optimizer = model.get_weights(), model.optimizer
    kr.sparsity(model)
    kr.strip(model)
    assert model.optimizer is optimizer
    assert model.compiled
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_prints_as_a_table(model):
    lines = str(kr.sparsity(model)).splitlines()
    assert [line.split() for line in lines[:5]] == [
        ["layer", "weights", "zeros", "sparsity"],
        ["hidden_1", "384", "346", "90.1%"],
        ["hidden_2", "3,072", "2,765", "90.0%"],
        ["output", "48", "43", "89.6%"],
        ["all", "3,504", "3,154", "90.0%"],
    ]
    assert len({len(line) for line in lines[:5]}) == 1
    assert lines[5].startswith("file ")
    assert lines[6].startswith("latency ")


SCRIPT = """
import sys
import keras, numpy as np
for path in sys.argv[2:]:
    model = keras.models.load_model(path)
    np.save(f"{path}.npy", model.predict(np.load(sys.argv[1]), verbose=0))
    kernels = [np.array(weight) for weight in model.weights if weight.name == "kernel"]
    assert all((kernel == 0).mean() > 0.85 for kernel in kernels), path
assert not any(name.startswith("keras_recipes") for name in sys.modules)
"""


def stacked(wrap, optimizer):
    layers = [keras.layers.Dense(units, activation="elu") for units in (64, 48)]
    model = keras.Sequential([keras.Input((6,)), *map(wrap, layers), keras.layers.Dense(10)])
    model.compile(optimizer, "mse")
    callbacks = [MagnitudePruning(0.9, 0, 8, scope="layer")]
    model.fit(X, Y, batch_size=16, callbacks=callbacks, verbose=0)
    return model


def test_pruned_models_load_without_the_library(tmp_path):
    builder = pruned(max_norm=1.0, normalization="batch", dropout=0.1)
    wrapped = stacked(kr.layers.MaxNorm, kr.make_optimizer("momentum"))
    plain = stacked(lambda layer: layer, keras.optimizers.SGD(0.01, momentum=0.9))
    # A model of Keras's own parts is one already, optimizer and all.
    saved = {"builder": kr.strip(builder), "wrapped": kr.strip(wrapped), "plain": plain}
    paths = [str(tmp_path / f"{name}.keras") for name in saved]
    for path, model in zip(paths, saved.values(), strict=True):
        model.save(path)
    np.save(tmp_path / "x.npy", X)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "x.npy"), *paths]
    subprocess.run(command, check=True, cwd=tmp_path)
    for path, model in zip(paths, (builder, wrapped, plain), strict=True):
        expected = model.predict(X, verbose=0)
        np.testing.assert_allclose(np.load(f"{path}.npy"), expected, rtol=1e-5, atol=1e-5)


def test_a_stripped_model_predicts_the_same(model):
    stripped = kr.strip(model)
    assert not stripped.compiled
    np.testing.assert_allclose(
        stripped.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5
    )


def test_rrelu_and_monte_carlo_dropout_become_what_keras_has():
    model = kr.build_default_dnn(6, dropout=0.2, mc_dropout=True, activation="rrelu", seed=1)
    assert len(kr.sparsity(model).layers) == 4
    stripped = kr.strip(model)
    kinds = {type(layer) for layer in stripped.layers}
    assert {keras.layers.Dropout, keras.layers.LeakyReLU} <= kinds
    assert not any(kind.__module__.startswith("keras_recipes") for kind in kinds)
    assert not np.array_equal(model.predict(X, verbose=0), model.predict(X, verbose=0))
    dry = kr.build_default_dnn(6, activation="rrelu", seed=1)
    dry.set_weights(model.get_weights())
    expected = dry.predict(X, verbose=0)
    np.testing.assert_allclose(stripped.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-6)
    drawn = kr.mc_predict(stripped, X, 50, seed=0).std
    np.testing.assert_allclose(
        drawn.mean(), kr.mc_predict(model, X, 50, seed=0).std.mean(), rtol=0.2
    )


def test_monte_carlo_alpha_dropout_becomes_alpha_dropout():
    model = kr.build_self_normalizing_dnn(6, dropout=0.1, mc_dropout=True, adapt_to=X)
    kinds = [type(layer) for layer in kr.strip(model).layers]
    assert keras.layers.AlphaDropout in kinds
    assert kr.layers.MCAlphaDropout not in kinds


def test_what_is_inside_a_wrapper_is_not_stripped():
    dropout = keras.layers.TimeDistributed(kr.layers.MCDropout(0.1))
    model = keras.Sequential([keras.Input((4, 3)), dropout, keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"not inside a wrapper\. Received: one with MCDropout"):
        kr.strip(model)


class OwnModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)

    def call(self, inputs):
        return self.dense(inputs)


@pytest.mark.parametrize("function", [kr.sparsity, kr.strip])
def test_other_models_are_refused(function):
    with pytest.raises(TypeError, match=r"`model` must be a keras\.Model"):
        function("model")
    with pytest.raises(ValueError, match="must be Sequential or functional"):
        function(OwnModel())


def test_a_model_without_kernels_has_no_report():
    model = keras.Sequential([keras.Input((6,)), keras.layers.ReLU()])
    with pytest.raises(ValueError, match="must have a layer with a kernel"):
        kr.sparsity(model)


def test_models_of_several_inputs_and_nested_ones():
    inputs = {name: keras.Input((3,), name=name) for name in ("a", "b")}
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), kr.layers.MaxNorm(
        keras.layers.Dense(4))], name="inner")  # fmt: skip
    outputs = keras.layers.Add()([inner(inputs["a"]), inner(inputs["b"])])
    model = keras.Model(inputs, {"y": keras.layers.Dense(1, name="y")(outputs)})
    assert [each.weights for each in kr.sparsity(model).layers] == [12, 16, 4]
    x = {name: X[:, :3] * sign for name, sign in (("a", 1), ("b", -1))}
    found = kr.strip(model).predict(x, verbose=0)["y"]
    np.testing.assert_allclose(found, model.predict(x, verbose=0)["y"], rtol=1e-5)
