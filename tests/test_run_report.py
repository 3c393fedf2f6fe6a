"""What a run shows in TensorBoard beside its curves."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.plugins.hparams import api_pb2, metadata

import keras_recipes as kr
from keras_recipes.hparams import hyperparameters

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 6)).astype("float32")
Y = (X[:, 0] > X[:, 1]).astype("int32")


def fit(run_dir, build=None, **keywords):
    keywords = {"validation_split": 0.2, "epochs": 4, "verbose": 0, "seed": 1, **keywords}
    build = {"hidden_units": (16, 8), "seed": 1, **(build or {})}
    model = kr.build_default_dnn(6, 2, "multiclass", **build)
    return kr.fit(model, X, Y, run_dir=run_dir, **keywords)


def logged(run_dir):
    """The summaries of the run itself, by tag; each comes once."""
    found = [
        value
        for path in (run_dir / "logs").glob("*tfevents.board*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]
    assert len(found) == len({value.tag for value in found})
    return {value.tag: value for value in found}


def settings(run_dir):
    content = logged(run_dir)[metadata.SESSION_START_INFO_TAG].metadata.plugin_data.content
    started = metadata.parse_session_start_info_plugin_data(content)
    return {
        name: getattr(value, value.WhichOneof("kind")) for name, value in started.hparams.items()
    }


def columns(run_dir):
    content = logged(run_dir)[metadata.EXPERIMENT_TAG].metadata.plugin_data.content
    infos = metadata.parse_experiment_plugin_data(content).metric_infos
    return {each.display_name: each.name.tag for each in infos}


def test_hparams_have_the_settings_of_fit_and_of_the_model(tmp_path):
    build = {"activation": "selu", "optimizer": "nadam", "clipnorm": 0.5, "dropout": 0.1}
    fit(tmp_path, build, max_learning_rate=0.01, batch_size=16)
    assert settings(tmp_path) == {
        "epochs": 4, "batch_size": 16, "schedule": "1cycle", "max_learning_rate": 0.01,
        "early_stopping": 10, "seed": 1, "model": "default_dnn", "units": "16-8",
        "activation": "selu", "initializer": "LecunNormal", "batch_normalization": "none",
        "dropout": pytest.approx(0.1), "mc_dropout": False, "l1": 0, "l2": 0, "max_norm": 0,
        "parameters": 6 * 16 + 16 + 16 * 8 + 8 + 8 * 2 + 2,
        "optimizer": "Nadam", "momentum": pytest.approx(0.9), "clipping": "clipnorm 0.5",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("build", "shown"),
    [
        ({"l1": 0.001, "l2": 0.01}, {"l1": 0.001, "l2": 0.01}),
        ({"l1": 0.001, "exact_zeros": True}, {"l1": 0.001}),
        (
            {"max_norm": 1.5, "dropout": 0.2, "mc_dropout": True},
            {"max_norm": 1.5, "mc_dropout": True},
        ),
        ({"normalization": "batch"}, {"batch_normalization": "before"}),
        (
            {"normalization": "batch", "batch_norm_position": "after"},
            {"batch_normalization": "after"},
        ),
    ],
)
def test_models_that_are_built_in_another_way_have_other_settings(build, shown):
    model = kr.build_default_dnn(6, 2, "multiclass", **build)
    plain = hyperparameters(kr.build_default_dnn(6, 2, "multiclass"))
    found = {name: each for name, each in hyperparameters(model).items() if each != plain[name]}
    assert shown == {name: pytest.approx(found[name]) for name in shown}


def test_hparams_have_the_metrics_of_the_epoch_whose_weights_the_model_has(tmp_path):
    history = fit(tmp_path, epochs=12, max_learning_rate=0.5, schedule="constant").history
    best = int(np.argmin(history["val_loss"]))
    assert best < 11  # or else it says little
    for name, tag in columns(tmp_path).items():
        assert logged(tmp_path)[tag].simple_value == pytest.approx(history[name][best])
    assert metadata.SESSION_END_INFO_TAG in logged(tmp_path)


def test_each_run_has_the_columns_that_its_neighbours_need(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "killed", max_learning_rate=0.01, callbacks=[Stop()])
    fit(tmp_path / "alone", max_learning_rate=0.01, validation_split=0.0)
    for name in ("killed", "alone"):
        assert list(columns(tmp_path / name)) == ["val_loss", "val_accuracy", "loss", "accuracy"]


def test_the_diagnosis_is_of_the_network_before_training(tmp_path):
    build = {"hidden_units": (20,) * 10, "activation": "sigmoid", "normalization": None}
    model = kr.build_default_dnn(6, 2, "multiclass", seed=1, **build)
    expected = kr.diagnose(model, X[:128], Y[:128])
    fit(tmp_path, build, max_learning_rate=0.01)
    text = tf.make_ndarray(logged(tmp_path)["diagnosis/before_training"].tensor).item().decode()
    assert "- **vanishing gradients** at `hidden_1`: " in text
    assert f"loss {expected.loss:.4g}" in text


def text(run_dir, tag):
    return tf.make_ndarray(logged(run_dir)[tag].tensor).item().decode()


def test_the_diagnosis_of_the_network_after_training_stands_beside_it(tmp_path):
    fit(tmp_path, max_learning_rate=0.01)
    before, after = (text(tmp_path, f"diagnosis/{when}_training") for when in ("before", "after"))
    assert "Nothing wrong was found" in before
    assert before != after
    assert "hidden_1" in after


@pytest.mark.parametrize("kind", [tf.data.Dataset, keras.utils.PyDataset])
def test_a_run_on_a_dataset_has_the_diagnosis_of_its_first_batch(tmp_path, kind):
    class Batches(keras.utils.PyDataset):
        num_batches = 10

        def __getitem__(self, index):
            return X[16 * index :][:16], Y[16 * index :][:16]

    slices = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)
    data = slices if kind is tf.data.Dataset else Batches()
    model = kr.build_default_dnn(6, 2, "multiclass", hidden_units=(16, 8), seed=1)
    expected = kr.diagnose(model, X[:16], Y[:16])
    kr.fit(model, data, epochs=2, max_learning_rate=0.01, run_dir=tmp_path, verbose=0)
    assert f"loss {expected.loss:.4g}" in text(tmp_path, "diagnosis/before_training")
    assert "hidden_1" in text(tmp_path, "diagnosis/after_training")


def test_a_run_that_diverges_says_so(tmp_path):
    with pytest.raises(FloatingPointError) as raised:
        fit(tmp_path, {"activation": "relu"}, max_learning_rate=1e20)
    assert text(tmp_path, "diagnosis/after_training") == str(raised.value)
    content = logged(tmp_path)[metadata.SESSION_END_INFO_TAG].metadata.plugin_data.content
    ended = metadata.parse_session_end_info_plugin_data(content)
    assert ended.status == api_pb2.STATUS_FAILURE


def test_a_diagnosis_that_fails_does_not_end_the_training(tmp_path, monkeypatch):
    def fail(*_):
        raise TypeError("no such model")

    monkeypatch.setattr("keras_recipes.run_report.diagnose_batch", fail)
    with pytest.warns(UserWarning, match="TypeError: no such model. The training goes on"):
        history = fit(tmp_path, max_learning_rate=0.01)
    assert len(history.epoch) == 4
    text = tf.make_ndarray(logged(tmp_path)["diagnosis/before_training"].tensor).item().decode()
    assert text == "The network could not be diagnosed: TypeError: no such model"


def test_a_model_that_cannot_be_taken_apart_has_settings(tmp_path, monkeypatch):
    def fail(*_):
        raise TypeError("no such model")

    for module in ("run_report", "hparams"):
        monkeypatch.setattr(f"keras_recipes.{module}.observed_layers", fail)
    with pytest.warns(UserWarning, match="could not be diagnosed"):
        fit(tmp_path, max_learning_rate=0.01)
    assert settings(tmp_path)["optimizer"] == "SGD"
    assert settings(tmp_path)["units"] == ""


def test_a_recurrent_network_that_is_shared_has_settings_and_a_diagnosis(tmp_path):
    x = keras.Input((6, 1))
    shared = keras.layers.Bidirectional(keras.layers.GRU(4, return_sequences=True))
    hidden = keras.layers.Dense(3)(keras.layers.Flatten()(shared(shared(keras.layers.Dense(8)(x)))))
    model = keras.Model(x, keras.layers.Dense(2, "softmax")(hidden))
    model.compile("sgd", "sparse_categorical_crossentropy")
    kr.fit(model, X[..., None], Y, epochs=2, verbose=0, schedule=None, run_dir=tmp_path)
    assert settings(tmp_path)["units"] == "8-4-4-3"
    assert settings(tmp_path)["activation"] == "linear, tanh"
    text = tf.make_ndarray(logged(tmp_path)["diagnosis/before_training"].tensor).item().decode()
    assert f"{shared.forward_layer.name}:2" in text


@pytest.mark.parametrize("build", [{}, {"dropout": 0.2}])
def test_it_leaves_the_training_as_it_is(tmp_path, build):
    logged_run = fit(tmp_path, build, max_learning_rate=0.05).history
    assert fit(None, build, max_learning_rate=0.05).history == logged_run


def test_the_search_for_the_rate_is_a_figure(tmp_path):
    fit(tmp_path / "searched")
    [width, height, png] = tf.make_ndarray(
        logged(tmp_path / "searched")["learning_rate_finder"].tensor
    )
    assert tf.io.decode_png(png).shape[:2] == (int(height), int(width))
    assert 1e-5 < settings(tmp_path / "searched")["max_learning_rate"] < 10
    fit(tmp_path / "given", max_learning_rate=0.01)
    assert "learning_rate_finder" not in logged(tmp_path / "given")


def test_without_matplotlib_a_text_stands_for_the_figure(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    fit(tmp_path)
    text = tf.make_ndarray(logged(tmp_path)["learning_rate_finder"].tensor).item().decode()
    assert "pip install 'keras-recipes[plot]'" in text


def test_a_run_that_goes_on_shows_each_thing_once(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, callbacks=[Stop()], checkpoint_every=1)
    before = logged(tmp_path)
    assert metadata.SESSION_END_INFO_TAG not in before
    rate = settings(tmp_path)["max_learning_rate"]
    for _ in range(2):  # the second time it has ended already
        fit(tmp_path)
        after = logged(tmp_path)
        assert after["learning_rate_finder"] == before["learning_rate_finder"]
        assert after["diagnosis/before_training"] == before["diagnosis/before_training"]
        assert settings(tmp_path)["max_learning_rate"] == rate
        assert metadata.SESSION_END_INFO_TAG in after


class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2, "softmax")

    def call(self, inputs):
        return self.dense(inputs)


@pytest.mark.parametrize("as_dataset", [False, True])
def test_models_and_data_of_all_kinds_have_settings(tmp_path, as_dataset):
    model = Subclass()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    data = (tf.data.Dataset.from_tensor_slices((X, Y)).batch(32),) if as_dataset else (X, Y)
    kr.fit(model, *data, epochs=2, verbose=0, schedule=None, run_dir=tmp_path)
    assert settings(tmp_path)["optimizer"] == "SGD"
    assert settings(tmp_path)["max_learning_rate"] == pytest.approx(0.01)  # the optimizer's own
    assert settings(tmp_path)["batch_size"] == 32
    assert {"diagnosis/before_training", "result/accuracy"} <= set(logged(tmp_path))


class Half(keras.regularizers.Regularizer):
    l1 = None

    def __call__(self, weights):
        return 0.5 * keras.ops.sum(weights**2)

    def get_config(self):
        return {}


def test_layers_whose_kernel_has_another_name_and_regularizers_of_ones_own_have_settings(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Reshape((6, 1)),
            keras.layers.SeparableConv1D(5, 3, activation="relu", pointwise_regularizer=Half()),
            keras.layers.Flatten(),
            keras.layers.Dense(4, "relu", kernel_regularizer=Half()),
            keras.layers.Dense(2, "softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    kr.fit(model, X, Y, epochs=1, verbose=0, schedule=None, run_dir=tmp_path)
    found = settings(tmp_path)
    assert (found["units"], found["l1"]) == ("5-4", 0)
