"""`recipes.diagnose`: the data that it shows a model, and what it says."""

import importlib
import re
import sys
import warnings
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest

import keras_recipes
from recipes import command


def diagnose_here(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["diagnose", *map(str, arguments)])
    with warnings.catch_warnings():
        command.run(importlib.import_module("recipes.diagnose").main)


@pytest.mark.parametrize(
    "loss", ["categorical_crossentropy", "mse", keras.losses.CategoricalHinge()]
)
def test_diagnose_fits_the_data_to_what_the_model_takes(loss, tmp_path, monkeypatch, capsys):
    x = keras.Input((8, 8, 1))
    hidden = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="elu", name="filters")(x))
    model = keras.Model(x, keras.layers.Dense(10, "softmax")(hidden))
    model.compile("sgd", loss)
    model.save(tmp_path / "model.keras")
    diagnose_here(monkeypatch, "--model", tmp_path / "model.keras")
    assert re.search(r"filters +elu .*\n.*\nloss \d", capsys.readouterr().out)


def two_inputs():
    a, b = keras.Input((64,)), keras.Input((64,))
    return keras.Model([a, b], keras.layers.Dense(10, "softmax")(a + b))


def too_small():
    return keras.Sequential([keras.Input((64,)), keras.layers.Dense(4, "softmax")])


def other_features():
    return keras.Sequential([keras.Input((30,)), keras.layers.Dense(10, "softmax")])


@pytest.mark.parametrize(
    ("build", "loss", "match"),
    [
        (two_inputs, "mse", "must have one input of a known shape"),
        (too_small, "categorical_crossentropy", "`y` must have the shape (n, 4)"),
        (other_features, "mse", "`x` must have the shape (n, 30)"),
        (too_small, None, "`y` must hold labels from 0 to 3"),
        (None, None, "must be a model that Keras can load"),
    ],
)
def test_diagnose_says_what_does_not_fit(build, loss, match, tmp_path, monkeypatch, capsys):
    path = tmp_path / "model.keras"
    if build is None:
        path.write_text("not a model")
    else:
        model = build()
        if loss:
            model.compile("sgd", loss)
        model.save(path)
    with pytest.raises(SystemExit, match="2"):
        diagnose_here(monkeypatch, "--model", path)
    [line] = capsys.readouterr().err.splitlines()
    assert match in line


def test_diagnose_says_that_an_archive_holds_no_model(tmp_path, monkeypatch, capsys):
    zipfile.ZipFile(tmp_path / "model.keras", "w").close()
    with pytest.raises(SystemExit, match="2"):
        diagnose_here(monkeypatch, "--model", tmp_path / "model.keras")
    assert "must be a model that Keras can load" in capsys.readouterr().err


def test_diagnose_says_how_to_install_what_draws(tmp_path, monkeypatch, capsys):
    keras_recipes.build_default_dnn(64, 10, "multiclass").save(tmp_path / "model.keras")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    arguments = ["--model", tmp_path / "model.keras", "--plot", tmp_path / "layers.png"]
    with pytest.raises(SystemExit, match="2"):
        diagnose_here(monkeypatch, *arguments)
    assert "pip install 'keras-recipes[plot]'" in capsys.readouterr().err


def loss_in(printed):
    return float(re.search(r"^loss (\S+)", printed, re.MULTILINE)[1])


def a_table(path, texts=False):
    """A CSV whose columns and target are far from standardized."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform((0, 1000), (1, 5000), (400, 2)), columns=["age", "rooms"])
    frame["price"] = 100_000 + 50 * frame["rooms"]
    if texts:
        frame["place"] = rng.choice(["inland", "island", "bay"], 400, p=[0.34, 0.33, 0.33])
    frame.to_csv(path, index=False)
    return frame


def an_epoch_of_it(data, run_dir, seed=0):
    model = keras_recipes.build_default_dnn(data.input_shape, data.n_outputs, data.task, seed=seed)
    keras_recipes.fit(model, data.x_train, data.y_train, epochs=1, run_dir=run_dir, verbose=0)
    data.pipeline(model).save(run_dir / "pipeline.keras")
    return model


def test_another_model_gets_the_columns_and_the_target_of_the_file(tmp_path, monkeypatch, capsys):
    frame = a_table(tmp_path / "houses.csv")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.save(tmp_path / "model.keras")
    diagnose_here(
        monkeypatch,
        *("--model", tmp_path / "model.keras", "--data", tmp_path / "houses.csv"),
        *("--target", "price"),
    )
    true = model.evaluate(frame[["age", "rooms"]].to_numpy(), frame["price"].to_numpy(), verbose=0)
    printed = capsys.readouterr().out
    assert "Data: the numbers as they are in the file" in printed
    assert loss_in(printed) == pytest.approx(true, rel=0.1)


def test_another_model_gets_the_pixels_and_the_labels_of_the_file(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (100, 4, 4)).astype("uint8"), np.arange(100) % 3 + 1
    np.savez(tmp_path / "images.npz", x=x, y=y)
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(4, "softmax", kernel_initializer="he_normal"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.save(tmp_path / "model.keras")
    rows = keras_recipes.load_dataset(tmp_path / "images.npz").splits.train
    true = model.evaluate(x[rows].reshape(-1, 4, 4, 1), y[rows], verbose=0)
    diagnose_here(
        monkeypatch, "--model", tmp_path / "model.keras", "--data", tmp_path / "images.npz"
    )
    assert loss_in(capsys.readouterr().out) == pytest.approx(true, rel=1e-3)


def test_the_model_of_a_run_gets_the_data_as_that_run_prepared_them(tmp_path, monkeypatch, capsys):
    a_table(tmp_path / "houses.csv", texts=True)
    of_run = keras_recipes.load_dataset(tmp_path / "houses.csv", "price", seed=3)
    model = an_epoch_of_it(of_run, tmp_path / "run")
    shown = {}
    monkeypatch.setattr(keras_recipes, "diagnose", lambda _, x, y: shown.update(x=x, y=y))
    diagnose_here(
        monkeypatch,
        *("--model", tmp_path / "run" / "model.keras", "--data", tmp_path / "houses.csv"),
        *("--target", "price", "--seed", 4),
    )
    assert f"prepared as for the run of the model, by {tmp_path}" in capsys.readouterr().out
    rows = keras_recipes.load_dataset(tmp_path / "houses.csv", "price", seed=4).splits.train
    both = np.intersect1d(rows, of_run.splits.train)
    for name, expected in (("x", of_run.x_train), ("y", of_run.y_train)):
        here = shown[name][[list(rows).index(row) for row in both]]
        there = expected[[list(of_run.splits.train).index(row) for row in both]]
        np.testing.assert_allclose(here, there, atol=1e-5)
    assert model.input_shape[1:] == shown["x"].shape[1:]


def test_data_of_another_kind_than_the_run_are_refused(tmp_path, monkeypatch, capsys):
    a_table(tmp_path / "houses.csv")
    an_epoch_of_it(keras_recipes.load_dataset(tmp_path / "houses.csv", "price"), tmp_path / "run")
    with pytest.raises(SystemExit, match="2"):
        diagnose_here(monkeypatch, "--model", tmp_path / "run" / "model.keras", "--data", "wine")
    error = capsys.readouterr().err
    assert "the run's, ('regression', (), 'a CSV'). Received: ('multiclass'" in error


def test_texts_without_the_pipeline_of_a_run_are_refused(tmp_path, monkeypatch, capsys):
    a_table(tmp_path / "houses.csv", texts=True)
    keras_recipes.build_default_dnn(5).save(tmp_path / "model.keras")
    with pytest.raises(SystemExit, match="2"):
        diagnose_here(
            monkeypatch,
            *("--model", tmp_path / "model.keras", "--data", tmp_path / "houses.csv"),
            *("--target", "price"),
        )
    error = capsys.readouterr().err
    assert "columns of numbers alone" in error
    assert "texts in ['place']" in error


@pytest.mark.parametrize(
    ("data", "outputs", "loss"),
    [
        ("digits", (10, "softmax"), "sparse_categorical_crossentropy"),
        ("breast_cancer", (1, "sigmoid"), "binary_crossentropy"),
        ("breast_cancer", (2, "softmax"), "sparse_categorical_crossentropy"),
        ("diabetes", (1, None), "mean_squared_error"),
    ],
)
def test_an_uncompiled_model_is_compiled_for_the_task(
    data, outputs, loss, tmp_path, monkeypatch, capsys
):
    shape = keras_recipes.load_dataset(data).input_shape
    keras.Sequential([keras.Input(shape), keras.layers.Dense(*outputs)]).save(
        tmp_path / "model.keras"
    )
    diagnose_here(monkeypatch, "--model", tmp_path / "model.keras", "--data", data)
    printed = capsys.readouterr().out
    assert re.search(rf"saved uncompiled; compiled here for \w+, with {loss}", printed)
    assert re.search(r"^loss \d", printed, re.MULTILINE)
