import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_recipes as kr
from keras_recipes.callbacks import LayerHealth, MagnitudePruning, OneCycle

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 6)).astype("float32")
Y = (X[:, :1] - X[:, 1:2] * X[:, 2:3]).astype("float32")
STEPS = 10  # an epoch, at batch 16
FIT = {"batch_size": 16, "epochs": 4, "max_learning_rate": 0.02, "seed": 1, "verbose": 0}


def build(**keywords):
    return kr.build_default_dnn(6, **{"hidden_units": (16, 12), "seed": 1, **keywords})


def kernels(model):
    return {weight.path: np.array(weight) for weight in model.weights if weight.name == "kernel"}


def zeros(model):
    return [int((kernel == 0).sum()) for kernel in kernels(model).values()]


def weights(model):
    return [np.array(each) for each in model.variables]


class AtEachStep(keras.callbacks.Callback):
    """Keeps the kernels as they are after each execution."""

    def on_train_begin(self, logs=None):
        self.seen = {0: kernels(self.model)}

    def on_train_batch_end(self, batch, logs=None):
        self.seen[int(self.model.optimizer.iterations)] = kernels(self.model)


def ramp(step, final, begin, end):
    return final * (1 - (1 - min(max((step - begin) / (end - begin), 0), 1)) ** 3)


@pytest.mark.parametrize("optimizer", ["momentum", "nadam"])
def test_zeros_follow_the_ramp_and_stay_under_1cycle(optimizer):
    model, steps = build(optimizer=optimizer), AtEachStep()
    callbacks = [MagnitudePruning(0.8, 5, 25, every=4, scope="layer"), OneCycle(0.01), steps]
    model.fit(X, Y, batch_size=16, epochs=4, shuffle=False, callbacks=callbacks, verbose=0)
    due = [0, 5, 9, 13, 17, 21, 25]
    for step, seen in steps.seen.items():
        last = max(each for each in due if each <= step)
        for kernel in seen.values():
            assert (kernel == 0).sum() == round(ramp(last, 0.8, 5, 25) * kernel.size)
    for earlier in range(40):
        for before, after in zip(
            steps.seen[earlier].values(), steps.seen[earlier + 1].values(), strict=True
        ):
            assert not after[before == 0].any()
    assert "train_step" not in vars(model)


def reference_masks(model, share, scope):
    values = {path: np.abs(kernel) for path, kernel in kernels(model).items()}
    if scope == "layer":
        return [
            each > np.sort(each, None)[round(share * each.size) - 1] for each in values.values()
        ]
    every = np.sort(np.concatenate([each.ravel() for each in values.values()]))
    return [each > every[round(share * len(every)) - 1] for each in values.values()]


@pytest.mark.parametrize("scope", ["layer", "model"])
def test_the_smallest_weights_go(scope):
    model = build()
    expected = reference_masks(model, 0.7, scope)
    pruning = MagnitudePruning(0.7, 0, 0, scope=scope)
    model.fit(X, Y, batch_size=16, callbacks=[pruning], verbose=0)
    for kernel, mask in zip(kernels(model).values(), expected, strict=True):
        np.testing.assert_array_equal(kernel != 0, mask)
    assert pruning.sparsity == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize(
    "compiled",
    [{"steps_per_execution": 10}, {"steps_per_execution": 7, "jit_compile": True}],
)
def test_executions_of_any_length_prune_alike(compiled):
    results = []
    for keywords in ({"jit_compile": False}, compiled):
        model = build()
        model.compile(model.optimizer, "mean_squared_error", **keywords)
        pruning = MagnitudePruning(0.9, 3, 33, every=5, scope="layer")
        callbacks = [OneCycle(0.02), pruning]
        history = model.fit(
            X, Y, batch_size=16, epochs=4, shuffle=False, callbacks=callbacks, verbose=0
        )
        results.append((weights(model), history.history["sparsity"], zeros(model)))
    for one, other in zip(results[0][0], results[1][0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert results[0][1:] == results[1][1:]
    assert results[0][2] == [round(0.9 * size) for size in (96, 192, 12)]


@pytest.mark.parametrize(("scope", "compiled_from"), [("layer", 1), ("model", 1), ("layer", 10**9)])
def test_it_reaches_its_sparsity_in_fit(scope, compiled_from, monkeypatch):
    monkeypatch.setattr("keras_recipes.graph_loops.LONG", compiled_from)
    model = build(normalization="batch")
    pruning = MagnitudePruning(0.9, 2, 40, every=30, scope=scope)
    history = kr.fit(model, X, Y, **FIT, callbacks=[pruning])
    if scope == "layer":
        assert zeros(model) == [round(0.9 * size) for size in (96, 192, 12)]
    assert sum(zeros(model)) == 270
    assert history.history["sparsity"][-1] == pytest.approx(0.9)
    assert history.history["sparsity"] == sorted(history.history["sparsity"])
    assert "train_step" not in vars(model)
    others = [weight for weight in model.trainable_weights if weight.name != "kernel"]
    assert {weight.name for weight in others} == {"gamma", "beta", "bias"}
    assert all(np.array(weight).all() for weight in others)


@pytest.mark.parametrize("name", ["bounded", "inside", "block"])
def test_a_layer_is_excluded_by_the_name_of_what_it_is_in(name):
    inside = keras.layers.Dense(16, "elu", name="inside")
    block = keras.Sequential([kr.layers.MaxNorm(inside, 1.0, name="bounded")], name="block")
    model = keras.Sequential([keras.Input((6,)), block, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=3, callbacks=[MagnitudePruning(0.5, 0, 10, exclude=[name])], verbose=0)
    assert zeros(model) == [0, 8]


def test_layers_can_be_excluded():
    model = build()
    pruning = MagnitudePruning(0.5, 0, 10, exclude=["output"])
    kr.fit(model, X, Y, **FIT, callbacks=[pruning])
    assert zeros(model)[2] == 0
    assert sum(zeros(model)) == 144
    assert pruning.sparsity == 0.5


@pytest.mark.parametrize("as_wrapper", [False, True])
def test_with_max_norm_both_hold(as_wrapper):
    if as_wrapper:
        dense = [keras.layers.Dense(units, activation="elu") for units in (16, 12)]
        wrapped = [kr.layers.MaxNorm(each, 0.5) for each in dense]
        model = keras.Sequential([keras.Input((6,)), *wrapped, keras.layers.Dense(1)])
        model.compile(kr.make_optimizer("nadam"), "mse")
    else:
        model = build(max_norm=0.5)
    kr.fit(model, X, Y, **FIT, callbacks=[MagnitudePruning(0.8, 0, 30)])
    assert sum(zeros(model)) == 240
    for kernel in list(kernels(model).values())[:2]:
        assert np.linalg.norm(kernel, axis=0).max() <= 0.5 + 1e-6


class InterruptAt(keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) >= self.step:
            raise KeyboardInterrupt


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path):
    x = X.copy()
    x[1:, 5] = 0  # one example alone moves the weights of this input

    def train(run_dir, *stop, **keywords):
        model, pruning = build(dropout=0.1), MagnitudePruning(0.5, 12, 32, every=5)
        # Zero throughout it is not pruned; those of this input stay zero until then.
        kernel = model.get_layer("hidden_1").kernel
        kernel.assign(np.zeros(kernel.shape))
        history = kr.fit(
            model, x, Y, **FIT, callbacks=[pruning, *stop], run_dir=run_dir, **keywords
        )
        return model, history.history, pruning.get_state()

    whole = train(tmp_path / "whole")
    for step in (4, 24, 37):  # the checkpoint is that of the execution before
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "run", InterruptAt(step), checkpoint_every=1, steps_per_execution=3)
    resumed = train(tmp_path / "run")
    for one, other in zip(weights(whole[0]), weights(resumed[0]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole[1:] == resumed[1:]
    assert sum(zeros(resumed[0])) == 150
    assert "train_step" not in vars(resumed[0])


def test_its_state_is_json_and_a_bit_a_weight():
    model, pruning = build(hidden_units=(100, 100)), MagnitudePruning(0.75, 0, 20)
    kr.fit(model, X, Y, **FIT, callbacks=[pruning])
    text = json.dumps(pruning.get_state())
    assert len(text) < 10_700 / 8 * 4 / 3 + 200
    before = [np.array(mask) for mask in pruning._masks]
    for mask in pruning._masks:
        mask.assign(np.ones(mask.shape, bool))
    pruning.set_state(json.loads(text))
    for mask, expected in zip(pruning._masks, before, strict=True):
        np.testing.assert_array_equal(mask, expected)


def test_an_initial_epoch_goes_on_in_the_ramp():
    model, pruning = build(), MagnitudePruning(0.8, 5, 40)
    keywords = {"batch_size": 16, "shuffle": False, "verbose": 0}
    model.fit(X, Y, epochs=4, initial_epoch=0, callbacks=[pruning], **keywords)
    model.fit(X, Y, epochs=6, initial_epoch=4, callbacks=[pruning], **keywords)
    assert sum(zeros(model)) == 240


def test_a_pruned_model_can_be_trained_on():
    model = build()
    kr.fit(model, X, Y, **FIT, callbacks=[MagnitudePruning(0.5, 0, 20, scope="layer")])
    assert zeros(model) == [48, 96, 6]
    before = kernels(model)
    kr.fit(model, X, Y, **FIT, callbacks=[MagnitudePruning(0.5, 0, 0)])
    for one, other in zip(before.values(), kernels(model).values(), strict=True):
        np.testing.assert_array_equal(one == 0, other == 0)
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("scope", ["layer", "model"])
@pytest.mark.parametrize("begin", [0, 8])
def test_a_saved_pruned_model_goes_on_to_more_zeros_and_never_to_fewer(tmp_path, begin, scope):
    model = build()
    kr.fit(model, X, Y, **FIT, callbacks=[MagnitudePruning(0.5, 0, 20)])
    kr.strip(model).save(tmp_path / "pruned.keras")
    again = keras.models.load_model(tmp_path / "pruned.keras")
    again.compile(kr.make_optimizer("nadam", 0.01), "mse")
    steps, pruning = AtEachStep(), MagnitudePruning(0.8, begin, 30, every=4, scope=scope)
    callbacks = [pruning, steps]
    history = again.fit(X, Y, batch_size=16, epochs=4, callbacks=callbacks, verbose=0).history
    for earlier in range(40):
        for before, after in zip(
            steps.seen[earlier].values(), steps.seen[earlier + 1].values(), strict=True
        ):
            assert not after[before == 0].any()
    assert sum(zeros(again)) >= 240  # a layer may have had more than its 80% before
    assert history["sparsity"][0] >= 0.5
    assert pruning.sparsity == pytest.approx(sum(zeros(again)) / 300)


def test_fewer_zeros_than_there_are_leave_them_as_they_are():
    model = build()
    kr.fit(model, X, Y, **FIT, callbacks=[MagnitudePruning(0.6, 0, 20)])
    before = kernels(model)
    kr.fit(model, X, Y, **FIT, callbacks=[MagnitudePruning(0.3, 0, 20)])
    for one, other in zip(before.values(), kernels(model).values(), strict=True):
        np.testing.assert_array_equal(one == 0, other == 0)


def test_a_linear_model_that_starts_at_zero_is_not_pruned_yet():
    model = kr.build_linear_regression(6, learning_rate=0.05)
    pruning = MagnitudePruning(0.5, 10, 20)
    model.fit(X, Y, batch_size=16, epochs=4, callbacks=[pruning], verbose=0)
    assert zeros(model) == [3]


def test_early_stopping_takes_no_denser_network():
    noise = np.random.default_rng(1).normal(
        size=Y.shape
    )  # nothing to learn: the first epochs are the best
    model, pruning = build(), MagnitudePruning(0.9, 0, 25, every=5)
    keywords = {**FIT, "epochs": 8, "schedule": "constant", "early_stopping": 1}
    history = kr.fit(model, X, noise, validation_split=0.25, callbacks=[pruning], **keywords)
    assert len(history.history["loss"]) >= 5  # steps 24 to 32 are of the fourth epoch
    assert history.history["sparsity"][3] == pytest.approx(0.9)
    assert sum(zeros(model)) == 270


def test_averaged_weights_are_pruned():
    model = build(optimizer=keras.optimizers.SGD(0.01, use_ema=True, ema_momentum=0.9))
    pruning = MagnitudePruning(0.8, 5, 25, every=5)
    model.fit(X, Y, batch_size=16, epochs=3, callbacks=[pruning], verbose=0)
    assert sum(zeros(model)) == 240


def test_the_best_weights_of_keras_early_stopping_are_pruned():
    stopping = keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True)
    model, pruning = build(), MagnitudePruning(0.8, 5, 30, every=5)
    model.fit(
        X, Y, batch_size=16, epochs=4, validation_data=(X, -5 * Y), shuffle=False, verbose=0,
        callbacks=[stopping, pruning],
    )  # fmt: skip
    assert stopping.best_epoch < 2  # before the ramp's end
    assert pruning.sparsity > 0.7
    assert sum(zeros(model)) == round(pruning.sparsity * 300)


def test_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build()
        kr.fit(model, X, Y, **FIT, callbacks=[MagnitudePruning(0.9, 2, 30, every=3)])
    finally:
        keras.config.set_dtype_policy("float32")
    assert sum(zeros(model)) == 270


def test_a_training_whose_steps_mixed_precision_leaves_out_says_that_zeros_are_missing():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), 2.0**40)
        model = build(optimizer=scaled)
        pruning = MagnitudePruning(0.9, 2, 30, every=3)
        with pytest.warns(UserWarning, match=r"for 90% zeros. Received: \d+ steps of 30, and \d+%"):
            kr.fit(model, X, Y, **FIT, schedule="constant", callbacks=[pruning])
    finally:
        keras.config.set_dtype_policy("float32")
    assert 0 < sum(zeros(model)) < 270


def test_beside_layer_health():
    model, health = build(), LayerHealth(every=4)
    kr.fit(model, X, Y, **FIT, callbacks=[MagnitudePruning(0.9, 0, 30), health])
    assert sum(zeros(model)) == 270
    assert health.steps == list(range(0, 40, 4))
    assert "train_step" not in vars(model)


def test_convolutions_and_eager_steps():
    layers = keras.layers
    inner = keras.Sequential([layers.Conv2D(4, 3), layers.DepthwiseConv2D(2)])
    parts = [keras.Input((8, 8, 1)), inner, layers.Flatten(), layers.Dense(1)]
    model = keras.Sequential(parts)
    model.compile("adam", "mse", run_eagerly=True)
    x = np.random.default_rng(1).normal(size=(32, 8, 8, 1)).astype("float32")
    model.fit(
        x, x[:, 0, 0], epochs=5, callbacks=[MagnitudePruning(0.5, 0, 5, scope="layer")], verbose=0
    )
    found = kernels(model)
    assert len(found) == 3
    assert [int((kernel == 0).sum()) * 2 for kernel in found.values()] == [
        kernel.size for kernel in found.values()
    ]


@pytest.mark.parametrize("scope", ["layer", "model"])
def test_separable_convolutions_and_recurrent_layers(scope):
    layers = keras.layers
    parts = [layers.SeparableConv1D(6, 3), layers.LSTM(5, name="lstm"), layers.Dense(1)]
    model = keras.Sequential([keras.Input((8, 4)), *parts])
    model.compile("adam", "mse")
    x = np.random.default_rng(1).normal(size=(32, 8, 4)).astype("float32")
    pruning = MagnitudePruning(0.5, 0, 4, scope=scope, exclude=[parts[2].name])
    model.fit(x, x[:, 0, :1], epochs=5, callbacks=[pruning], verbose=0)
    found = {each.name: np.array(each) for each in model.weights[:-2] if "kernel" in each.name}
    assert list(found) == ["depthwise_kernel", "pointwise_kernel", "kernel", "recurrent_kernel"]
    shares = {name: (kernel == 0).mean() for name, kernel in found.items()}
    if scope == "layer":
        assert set(shares.values()) == {0.5}
    total = sum(kernel.size for kernel in found.values())
    assert sum((kernel == 0).sum() for kernel in found.values()) == total / 2
    report = kr.sparsity(model)
    assert [(each.name, each.weights) for each in report.layers] == [
        (parts[0].name, 12 + 24), ("lstm", 120 + 100), (parts[2].name, 5),
    ]  # fmt: skip
    assert sum(each.zeros for each in report.layers) == total / 2


def test_an_interrupted_fit_gives_the_model_its_step_back():
    model = build()
    callbacks = [MagnitudePruning(0.5, 0, 20), InterruptAt(15)]
    assert callbacks[0].sparsity == 0
    with pytest.raises(KeyboardInterrupt):
        kr.fit(model, X, Y, **FIT, callbacks=callbacks)
    assert "train_step" not in vars(model)


def test_a_keras_fit_that_was_interrupted_leaves_nothing_to_the_next_one():
    model, keywords = build(), {"batch_size": 16, "epochs": 4, "verbose": 0}
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, callbacks=[MagnitudePruning(0.9, 0, 10), InterruptAt(15)], **keywords)
    model.set_weights(build().get_weights())  # without zeros
    after = MagnitudePruning(0.1, 0, 10)
    model.fit(X, Y, callbacks=[after], **keywords)
    assert after.sparsity == pytest.approx(0.1, abs=0.01)
    assert sum(zeros(model)) == pytest.approx(
        0.1 * sum(k.size for k in kernels(model).values()), abs=2
    )
    assert "train_step" not in vars(model)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((1.0, 0, 10), ValueError, r"`final_sparsity` must be in \[0, 1\)"),
        (("0.9", 0, 10), TypeError, "`final_sparsity`"),
        ((0.9, -1, 10), ValueError, "`begin_step`"),
        ((0.9, 0.5, 10), TypeError, "`begin_step`"),
        ((0.9, 20, 10), ValueError, r"`end_step` must be in \[20, inf\)"),
        ((0.9, 0, 10, {"initial_sparsity": 0.95}), ValueError, r"in \[0, 0.9\]"),
        ((0.9, 0, 10, {"every": 0}), ValueError, "`every`"),
        ((0.9, 0, 10, {"scope": "layers"}), ValueError, "Did you mean 'layer'"),
        ((0.9, 0, 10, {"exclude": "output"}), TypeError, "`exclude` must be a list of names"),
        ((0.9, 0, 10, {"exclude": [3]}), TypeError, r"Pass layer\.name"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    *positional, keywords = arguments if isinstance(arguments[-1], dict) else (*arguments, {})
    with pytest.raises(error, match=match):
        MagnitudePruning(*positional, **keywords)


@pytest.mark.parametrize(
    ("pruning", "match"),
    [
        (MagnitudePruning(0.9, 0, 41), "within the training, of 40 steps"),
        (MagnitudePruning(0.9, 0, 9, exclude=["outptu"]), "Did you mean 'output'"),
        (
            MagnitudePruning(0.9, 0, 9, exclude=["hidden_1", "hidden_2", "output"]),
            re.escape("must have a layer with a kernel that trains and is not excluded"),
        ),
    ],
)
def test_what_does_not_fit_the_training_is_refused(pruning, match):
    with pytest.raises(ValueError, match=match):
        kr.fit(build(), X, Y, **FIT, callbacks=[pruning])


def test_it_needs_no_length_of_the_dataset():
    data = tf.data.Dataset.from_tensor_slices((X, Y)).filter(lambda x, y: True).batch(16)
    model = build()
    with pytest.warns(UserWarning, match="ran out of data"):  # Keras, at the first epoch's end
        model.fit(
            data, epochs=2, callbacks=[MagnitudePruning(0.5, 0, 10)], shuffle=False, verbose=0
        )
    assert sum(zeros(model)) == 150


@pytest.mark.parametrize(("steps", "every"), [(18, 1), (500, 10), (20_000, 100), (0, 1)])
def test_a_short_ramp_is_no_single_cut(steps, every):
    assert MagnitudePruning(0.9, 7, 7 + steps).every == every
