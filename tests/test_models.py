import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_recipes as kr
from keras_recipes import guide, layers

X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
BUILDERS = [kr.build_default_dnn, kr.build_self_normalizing_dnn]


def names(model):
    return [layer.name for layer in model.layers]


def weights(model):
    return np.concatenate([np.ravel(weight) for weight in model.get_weights()])


def test_the_default_dnn_is_the_books():
    model = kr.build_default_dnn(5)
    assert names(model) == ["input", "hidden_1", "hidden_2", "hidden_3", "output"]
    for layer in model.layers[1:4]:
        assert (layer.units, layer.activation.__name__, layer.use_bias) == (100, "elu", True)
        assert type(layer.kernel_initializer).__name__ == "HeNormal"
    assert type(model.optimizer).__name__ == "SGD"
    assert model.optimizer.momentum == 0.9


def test_the_self_normalizing_dnn_is_the_books():
    model = kr.build_self_normalizing_dnn(5, dropout=0.1)
    assert names(model)[:3] == ["input", "hidden_1", "hidden_1_alpha_dropout"]
    assert isinstance(model.get_layer("hidden_1_alpha_dropout"), keras.layers.AlphaDropout)
    for index in (1, 2, 3):
        layer = model.get_layer(f"hidden_{index}")
        assert layer.activation.__name__ == "selu"
        assert type(layer.kernel_initializer).__name__ == "LecunNormal"


@pytest.mark.parametrize("depth", [3, 20])
def test_self_normalizing_layers_keep_mean_zero_and_variance_one(depth):
    x = np.random.default_rng(0).normal(size=(2000, 50)) * 7 + 3
    model = kr.build_self_normalizing_dnn(50, hidden_units=(100,) * depth, adapt_to=x, seed=1)
    last = keras.Model(model.inputs, model.get_layer(f"hidden_{depth}").output)
    activations = last.predict(x, verbose=0)
    assert abs(activations.mean()) < 0.1
    assert activations.std() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize(
    ("task", "n_outputs", "activation", "loss", "y"),
    [
        ("regression", 1, "linear", "mean_squared_error", X[:, 0]),
        ("regression", 2, "linear", "mean_squared_error", X[:, :2]),
        ("binary", 1, "sigmoid", "binary_crossentropy", (X[:, 0] > 0).astype(int)),
        ("multiclass", 3, "softmax", "sparse_categorical_crossentropy", np.arange(64) % 3),
        ("multilabel", 2, "sigmoid", "binary_crossentropy", (X[:, :2] > 0).astype("float32")),
    ],
)
def test_the_task_sets_output_loss_and_metrics(build, task, n_outputs, activation, loss, y):
    model = build(5, n_outputs, task, hidden_units=(8,), seed=1)
    output = model.get_layer("output")
    assert (output.units, output.activation.__name__, model.loss) == (n_outputs, activation, loss)
    assert type(output.kernel_initializer).__name__ == "GlorotUniform"
    history = model.fit(X, y, epochs=3, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert len(history) == 2


@pytest.mark.parametrize("activation", [*guide.INITIALIZERS, "swish", keras.activations.gelu])
@pytest.mark.parametrize("normalization", [None, "batch"])
def test_every_activation_is_accepted_by_name(activation, normalization):
    model = kr.build_default_dnn(
        5, hidden_units=(8,), activation=activation, normalization=normalization
    )
    name = guide.canonical_activation(activation)
    kind = guide.INITIALIZERS[name].title().replace("_", "")
    assert type(model.get_layer("hidden_1").kernel_initializer).__name__ == kind
    if name in ("leaky_relu", "prelu", "rrelu"):
        expected = {"leaky_relu": "LeakyReLU", "prelu": "PReLU", "rrelu": "RReLU"}[name]
        assert type(model.get_layer(f"hidden_1_{name}")).__name__ == expected
    elif normalization is None:
        assert model.get_layer("hidden_1").activation.__name__ == name
    else:
        assert model.get_layer(f"hidden_1_{name}").activation.__name__ == name
    model.fit(X, X[:, 0], verbose=0)


def test_batch_norm_before_the_activation_drops_the_bias():
    model = kr.build_default_dnn(5, hidden_units=(8,), normalization="batch")
    assert names(model) == ["input", "hidden_1", "hidden_1_batch_norm", "hidden_1_elu", "output"]
    assert not model.get_layer("hidden_1").use_bias
    assert model.get_layer("hidden_1").activation.__name__ == "linear"


def test_batch_norm_after_the_activation_keeps_it():
    model = kr.build_default_dnn(
        5, hidden_units=(8,), normalization="batch", batch_norm_position="after",
        batch_norm_momentum=0.9,
    )  # fmt: skip
    assert names(model) == ["input", "hidden_1", "hidden_1_batch_norm", "output"]
    assert model.get_layer("hidden_1").use_bias
    assert model.get_layer("hidden_1_batch_norm").momentum == 0.9


def test_auto_normalization_joins_where_the_network_is_deep():
    for depth, joined in ((guide.DEEP_FROM - 1, False), (guide.DEEP_FROM, True)):
        model = kr.build_default_dnn(5, hidden_units=(4,) * depth)
        assert ("hidden_1_batch_norm" in names(model)) is joined


@pytest.mark.parametrize(
    ("build", "mc", "kind"),
    [
        (BUILDERS[0], False, keras.layers.Dropout),
        (BUILDERS[0], True, layers.MCDropout),
        (BUILDERS[1], False, keras.layers.AlphaDropout),
        (BUILDERS[1], True, layers.MCAlphaDropout),
    ],
)
def test_dropout_follows_each_hidden_layer(build, mc, kind):
    model = build(5, hidden_units=(8, 8), dropout=0.2, mc_dropout=mc)
    found = [layer for layer in model.layers if isinstance(layer, kind)]
    assert [layer.rate for layer in found] == [0.2, 0.2]
    differs = (model.predict(X, verbose=0) != model.predict(X, verbose=0)).any()
    assert differs == mc


@pytest.mark.parametrize("normalization", [None, "batch"])
@pytest.mark.parametrize(
    ("mc", "kind"), [(False, keras.layers.AlphaDropout), (True, layers.MCAlphaDropout)]
)
def test_after_selu_dropout_is_alpha_dropout(normalization, mc, kind):
    model = kr.build_default_dnn(
        5, activation="selu", normalization=normalization, dropout=0.2, mc_dropout=mc
    )
    dropping = [layer for layer in model.layers if "dropout" in layer.name]
    assert [type(layer) for layer in dropping] == [kind] * 3


def test_penalties_and_bounds():
    model = kr.build_default_dnn(5, hidden_units=(8,), l1=0.01, l2=0.1, max_norm=0.5)
    for name in ("hidden_1", "output"):
        regularizer = model.get_layer(name).kernel_regularizer
        assert (float(regularizer.l1), float(regularizer.l2)) == pytest.approx((0.01, 0.1))
    model.fit(X, 10 * X[:, 0], epochs=3, verbose=0)
    norms = np.linalg.norm(model.get_layer("hidden_1").kernel.numpy(), axis=0)
    assert norms.max() <= 0.5 + 1e-6
    assert (norms > 0.499).any()
    assert np.linalg.norm(model.get_layer("output").kernel.numpy(), axis=0).max() > 0.5


def test_exact_zeros_are_those_of_the_proximal_step():
    y = 2 * X[:, 0]
    keywords = {"hidden_units": (8,), "l1": 0.05, "l2": 0.001, "learning_rate": 0.05, "seed": 1}
    for exact_zeros in (True, False):
        model = kr.build_default_dnn(5, **keywords, exact_zeros=exact_zeros)
        model.fit(X, y, epochs=20, verbose=0)
        kernels = [model.get_layer(name).kernel.numpy() for name in ("hidden_1", "output")]
        for kernel in kernels:
            assert bool((kernel == 0).any()) is exact_zeros
        in_loss = float(model.get_layer("hidden_1").kernel_regularizer.l1)
        assert in_loss == pytest.approx(0 if exact_zeros else 0.05)
        assert kr.evaluate(model, X, y)["root_mean_squared_error"] < 0.3
    assert (model.get_layer("output").bias.numpy() != 0).all()


def test_exact_zeros_keep_a_bound_on_the_norms():
    model = kr.build_default_dnn(5, l1=0.01, exact_zeros=True, max_norm=0.3, seed=1)
    model.fit(X, 10 * X[:, 0], epochs=5, verbose=0)
    for index in (1, 2, 3):
        kernel = model.get_layer(f"hidden_{index}").kernel.numpy()
        assert np.linalg.norm(kernel, axis=0).max() <= 0.3 + 1e-6
        assert (kernel == 0).any()


def test_exact_zeros_of_the_self_normalizing_dnn():
    with pytest.warns(UserWarning, match="l1=0.01 shrinks the weights"):
        model = kr.build_self_normalizing_dnn(5, l1=0.01, exact_zeros=True, clipnorm=1.0)
    assert type(model.optimizer) is kr.optimizers.ProximalSGD
    assert (model.optimizer.l1, model.optimizer.clipnorm) == (0.01, 1.0)
    assert model.get_layer("hidden_1").kernel_regularizer is None


@pytest.mark.parametrize("as_dataset", [False, True])
def test_adapt_to_learns_mean_and_variance(as_dataset):
    data = X * [1, 10, 100, 0, 1] + [0, 5, 0, 7, 0]
    adapt_to = tf.data.Dataset.from_tensor_slices(data).batch(10) if as_dataset else data
    model = kr.build_default_dnn(5, hidden_units=(8,), adapt_to=adapt_to)
    out = keras.Model(model.inputs, model.get_layer("normalization").output)
    normalized = out.predict(data, verbose=0)
    np.testing.assert_allclose(normalized.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(normalized.std(axis=0), [1, 1, 1, 0, 1], atol=1e-4)
    # The constant feature keeps its scale instead of blowing up.
    np.testing.assert_allclose(out.predict(data + 1, verbose=0)[:, 3], 1, rtol=1e-3)


def test_images_are_flattened_after_normalization():
    images = np.random.default_rng(0).uniform(size=(20, 6, 6, 1))
    model = kr.build_default_dnn((6, 6, 1), hidden_units=(8,), adapt_to=images)
    assert names(model) == ["input", "normalization", "flatten", "hidden_1", "output"]
    assert model.predict(images, verbose=0).shape == (20, 1)


@pytest.mark.parametrize("build", BUILDERS)
def test_same_seed_same_weights_and_same_dropout(build):
    def predictions(seed):
        model = build(5, hidden_units=(8, 8), dropout=0.3, mc_dropout=True, seed=seed)
        return weights(model), model.predict(X, verbose=0)

    for ours, theirs in zip(predictions(7), predictions(7), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (predictions(7)[0] != predictions(8)[0]).any()
    assert (predictions(None)[0] != predictions(None)[0]).any()


def test_layers_of_one_shape_start_from_different_weights():
    model = kr.build_default_dnn(8, hidden_units=(8, 8), seed=1)
    kernels = [model.get_layer(f"hidden_{index}").kernel.numpy() for index in (1, 2)]
    assert (kernels[0] != kernels[1]).any()
    initializer = keras.initializers.Orthogonal(seed=3)
    model = kr.build_default_dnn(8, hidden_units=(8, 8), kernel_initializer=initializer, seed=1)
    kernels = [model.get_layer(f"hidden_{index}").kernel.numpy() for index in (1, 2)]
    assert (kernels[0] != kernels[1]).any()


def test_a_seeded_initializer_seeds_each_layer_otherwise():
    def kernels(make, **keywords):
        model = kr.build_default_dnn(
            5, hidden_units=(5, 5, 5), kernel_initializer=make(), **keywords
        )
        return [model.get_layer(f"hidden_{index}").kernel.numpy() for index in (1, 2, 3)]

    for make in (
        lambda: keras.initializers.HeNormal(seed=5),
        lambda: keras.initializers.HeNormal(seed=keras.random.SeedGenerator(5)),
    ):
        first, second, third = kernels(make)
        assert (first != second).any()
        assert (second != third).any()
        np.testing.assert_array_equal(kernels(make), [first, second, third])
        assert (kernels(make, seed=1)[0] != first).any()
    first = kernels(lambda: keras.initializers.HeNormal(seed=5))[0]
    np.testing.assert_array_equal(first, keras.initializers.HeNormal(seed=5)((5, 5)))


def test_widths_may_be_an_array():
    model = kr.build_default_dnn(5, hidden_units=np.array([3, 4]))
    assert [model.get_layer(name).units for name in ("hidden_1", "hidden_2")] == [3, 4]


def test_an_optimizer_of_another_model_is_refused():
    optimizer = keras.optimizers.Adam()
    kr.build_default_dnn(5, optimizer=optimizer)
    with pytest.raises(ValueError, match="`optimizer` must be new"):
        kr.build_default_dnn(5, optimizer=optimizer)


def test_optimizer_and_metrics_as_given():
    optimizer = keras.optimizers.Lion(0.003)
    model = kr.build_default_dnn(5, optimizer=optimizer, metrics=["mae"], name="mine")
    assert model.optimizer is optimizer
    assert model.name == "mine"
    assert set(model.evaluate(X, X[:, 0], verbose=0, return_dict=True)) == {"loss", "mae"}
    model = kr.build_default_dnn(
        5, optimizer="nadam", learning_rate=0.01, momentum=0.8, global_clipnorm=2.0
    )
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    assert (model.optimizer.beta_1, model.optimizer.global_clipnorm) == (0.8, 2.0)


def test_mixed_precision_keeps_input_and_output_in_float32():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = kr.build_default_dnn(5, adapt_to=1e6 * X, seed=1)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("hidden_1").compute_dtype == "float16"
    assert model.output.dtype == "float32"
    assert np.isfinite(model.predict(1e6 * X, verbose=0)).all()


def test_the_summary_says_what_layers_are(capsys):
    kr.build_default_dnn(
        5, hidden_units=(8,), normalization="batch", dropout=0.1, mc_dropout=True, adapt_to=X
    ).summary()
    printed = capsys.readouterr().out
    for name in ("normalization", "hidden_1_batch_norm", "hidden_1_elu", "hidden_1_mc_dropout"):
        assert name in printed


@pytest.mark.parametrize(
    ("keywords", "error", "match"),
    [
        ({"input_shape": 0}, ValueError, "without the batch axis"),
        ({"input_shape": (None, 5)}, TypeError, "`input_shape`"),
        ({"input_shape": ()}, ValueError, "at least one axis"),
        ({"input_shape": "5"}, TypeError, "an integer or a tuple of integers"),
        ({"input_shape": b"x"}, TypeError, "an integer or a tuple of integers"),
        ({"input_shape": 5.0}, TypeError, "an integer or a tuple of integers"),
        ({"input_shape": True}, TypeError, "`input_shape`"),
        ({"input_shape": 10**400}, ValueError, "`input_shape`"),
        ({"n_outputs": 0}, ValueError, "`n_outputs`"),
        ({"n_outputs": 2, "task": "binary"}, ValueError, 'choose task="multiclass"'),
        ({"task": "multiclass"}, ValueError, "number of classes"),
        ({"task": "classification"}, ValueError, "`task` must be one of"),
        ({"hidden_units": ()}, ValueError, "at least one width"),
        ({"hidden_units": 100}, TypeError, "a sequence of widths"),
        ({"hidden_units": b"x"}, TypeError, "a sequence of widths"),
        ({"hidden_units": np.array([3.0])}, TypeError, "`hidden_units`"),
        ({"hidden_units": (100, 0)}, ValueError, "`hidden_units`"),
        ({"hidden_units": (10.5,)}, TypeError, "`hidden_units`"),
        ({"activation": "softplus"}, ValueError, "`activation`"),
        ({"kernel_initializer": "he_normall"}, ValueError, "he_normall"),
        ({"kernel_initializer": ""}, ValueError, "`kernel_initializer` must be"),
        *(
            ({"kernel_initializer": value}, TypeError, "`kernel_initializer` must be")
            for value in (0, (), {}, True, np.nan, np.ones(3))
        ),
        (
            {"kernel_initializer": lambda shape, dtype: 3},
            ValueError,
            "`kernel_initializer` must be",
        ),
        ({"kernel_initializer": lambda shape: shape}, ValueError, "`kernel_initializer` must be"),
        ({"normalization": "layer"}, ValueError, "`normalization`"),
        ({"batch_norm_position": "inside"}, ValueError, "`batch_norm_position`"),
        ({"batch_norm_momentum": 1.0}, ValueError, "`batch_norm_momentum`"),
        ({"dropout": 1.0}, ValueError, "`dropout` must be in"),
        ({"dropout": "half"}, TypeError, "`dropout`"),
        ({"mc_dropout": True}, ValueError, "must go with a dropout rate"),
        ({"mc_dropout": 1, "dropout": 0.1}, TypeError, "`mc_dropout`"),
        ({"l1": -0.1}, ValueError, "`l1`"),
        ({"l2": np.inf}, ValueError, "`l2`"),
        ({"exact_zeros": True}, ValueError, "must go with an L1 penalty"),
        ({"exact_zeros": "yes"}, TypeError, "`exact_zeros` must be True or False"),
        (
            {"exact_zeros": True, "l1": 0.1, "optimizer": "nadam"},
            ValueError,
            "`l1` must be None for 'nadam', .*exact_zeros=False",
        ),
        (
            {"exact_zeros": True, "l1": 0.1, "optimizer": keras.optimizers.SGD()},
            ValueError,
            "`l1` must be None where the optimizer is an object",
        ),
        ({"max_norm": 0}, ValueError, "`max_norm`"),
        ({"adapt_to": X[:, :4]}, ValueError, r"shape \(n, 5\)"),
        ({"adapt_to": X[:0]}, ValueError, "n > 0"),
        ({"adapt_to": X.astype(str)}, ValueError, "must be numbers"),
        ({"adapt_to": np.where(X > 2, np.nan, X)}, ValueError, "must be finite"),
        ({"optimizer": "momentun"}, ValueError, "`optimizer` must be .* Did you mean 'momentum'"),
        ({"optimizer": 3}, TypeError, "a name or a Keras optimizer"),
        (
            {"optimizer": keras.optimizers.SGD(), "learning_rate": 0.1},
            ValueError,
            "`learning_rate` must be None where the optimizer is an object",
        ),
        ({"learning_rate": -1}, ValueError, "`learning_rate`"),
        ({"momentum": 1.0}, ValueError, "`momentum`"),
        ({"clipvalue": 0}, ValueError, "`clipvalue`"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, ValueError, "At most one"),
        ({"global_clipnorm": -1}, ValueError, "`global_clipnorm`"),
        *(
            ({"metrics": value}, TypeError, "`metrics` must be")
            for value in ("", 0, {}, [1], "mae")
        ),
        ({"metrics": ["nope"]}, ValueError, "`metrics` must have names"),
        ({"metrics": ["MeanIoU"]}, ValueError, "`metrics` must have names"),
        ({"seed": -1}, ValueError, "`seed`"),
        ({"seed": 1.5}, TypeError, "`seed`"),
        ({"name": 3}, TypeError, "`name`"),
        ({"name": ""}, ValueError, "`name`"),
    ],
)
def test_bad_arguments_are_refused(keywords, error, match):
    with pytest.raises(error, match=match):
        kr.build_default_dnn(**{"input_shape": 5, **keywords})


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"activation": "elu"}, "No other one has the fixed point"),
        ({"kernel_initializer": "he_normal"}, "variance 1 / fan-in"),
        ({"kernel_initializer": np.ones(3)}, "variance 1 / fan-in"),
        ({"normalization": "batch"}, "fights self-normalization"),
        ({"dropout": 1.0}, "`dropout`"),
        ({"hidden_units": ()}, "`hidden_units`"),
    ],
)
def test_what_breaks_self_normalization_is_refused(keywords, match):
    with pytest.raises(ValueError, match=match):
        kr.build_self_normalizing_dnn(5, **keywords)


@pytest.mark.parametrize("keywords", [{"l1": 0.01}, {"l2": 0.01}, {"max_norm": 1.0}])
def test_what_weakens_self_normalization_is_warned_about(keywords):
    with pytest.warns(UserWarning, match=f"{next(iter(keywords))}=.* self-normalizes less"):
        kr.build_self_normalizing_dnn(5, **keywords)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kr.build_self_normalizing_dnn(5, kernel_initializer="lecun_uniform", dropout=0.1)


VARIANTS = {
    "default": {},
    "batch_norm": {"normalization": "batch", "activation": "leaky_relu"},
    "after": {"normalization": "batch", "batch_norm_position": "after", "activation": "prelu"},
    "rrelu": {"activation": "rrelu", "dropout": 0.1, "l1": 1e-4, "max_norm": 1.0},
    "exact": {"l1": 1e-3, "exact_zeros": True, "optimizer": "nesterov"},
    "mc": {"dropout": 0.2, "mc_dropout": True, "optimizer": "nadam"},
    "adapted": {"adapt_to": 5 * X, "optimizer": "adamw", "clipnorm": 1.0},
    "scheduled": {
        "learning_rate": kr.schedules.OneCycle(0.05, 100),
        "momentum": kr.schedules.OneCycleMomentum(100),
    },
    "selu": {"build": kr.build_self_normalizing_dnn, "dropout": 0.1},
    "mc_selu": {"build": kr.build_self_normalizing_dnn, "dropout": 0.1, "mc_dropout": True},
    "multiclass": {"n_outputs": 3, "task": "multiclass"},
    "binary": {"task": "binary", "optimizer": "rmsprop"},
    "multilabel": {"n_outputs": 2, "task": "multilabel", "optimizer": "adagrad"},
    "image": {"input_shape": (5, 1), "adapt_to": 5 * X[..., None]},
    "mixed": {"policy": "mixed_float16", "normalization": "batch", "adapt_to": 5 * X},
    **{
        f"{activation} {optimizer}": {"activation": activation, "optimizer": optimizer}
        for activation, optimizer in (
            ("relu", "sgd"), ("gelu", "nesterov"), ("mish", "adamax"), ("tanh", "adam"),
        )
    },
}  # fmt: skip

TARGETS = {
    "regression": X[:, 0],
    "binary": X[:, 0] > 0,
    "multiclass": np.argmax(X[:, :3], axis=1),
    "multilabel": (X[:, :2] > 0).astype("float32"),
}

LOADER = """
import sys, warnings, keras, numpy as np, keras_recipes
warnings.simplefilter("error")  # Keras warns where it leaves the optimizer's state out
warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
for path in sys.argv[1:]:
    model = keras.models.load_model(path, safe_mode=True)
    saved = np.load(path + ".npz")
    assert (model(saved["x"]).numpy() == saved["predicted"]).all(), path
    for i, variable in enumerate(model.optimizer.variables):
        assert (np.array(variable) == saved[f"arr_{i}"]).all(), path
    before = int(model.optimizer.iterations)
    model.run_eagerly = True  # sooner than it compiles
    model.fit(saved["x"], saved["y"], batch_size=len(saved["x"]), verbose=0)
    assert int(model.optimizer.iterations) == before + 1, path
"""


@pytest.mark.parametrize("trained", [False, True])
def test_every_variant_loads_in_a_fresh_process_and_goes_on(tmp_path, trained):
    paths = []
    for name, variant in VARIANTS.items():
        keywords = {"input_shape": 5, "hidden_units": (8, 8), "seed": 1, **variant}
        build = keywords.pop("build", kr.build_default_dnn)
        shape = np.atleast_1d(keywords["input_shape"])
        x, y = X.reshape(-1, *shape), TARGETS[keywords.get("task", "regression")]
        keras.config.set_dtype_policy(keywords.pop("policy", "float32"))
        try:
            model, twin = build(**keywords), build(**keywords)
        finally:
            keras.config.set_dtype_policy("float32")
        if trained:
            model.run_eagerly = True  # sooner than it compiles
            model.fit(x, y, verbose=0)
        path = str(tmp_path / f"{name}.keras")
        model.save(path)
        twin.set_weights(model.get_weights())  # Keras saves seeds, not their state
        state = [np.array(variable) for variable in model.optimizer.variables]
        np.savez(f"{path}.npz", *state, x=x, y=y, predicted=twin(x).numpy())
        paths.append(path)
    subprocess.run([sys.executable, "-c", LOADER, *paths], check=True)
