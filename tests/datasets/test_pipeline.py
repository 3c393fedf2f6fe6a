import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_recipes.datasets.pipeline import Pipeline, Predictions
from keras_recipes.datasets.preprocessing import encode, fit_preprocessing

# Names that a layer cannot have, or that another part of the model has.
COLUMNS = {
    "median income": np.float32([1, 2, np.nan, 4]),
    "a/b": np.float32([5, 6, 7, 8]),
    "x.1": np.array(["in\nland", "", "bay", "bay"], dtype=object),
    "50%": np.float32([1, 2, 3, 5]),
    "model": np.array(["é", "[UNK]", "é", "[UNK]"], dtype=object),
    "predictions": np.float32([1, 2, 3, 5]),
}
FRESH = """
import sys
import keras
import numpy as np
import keras_recipes

pipeline = keras.models.load_model(sys.argv[1])
columns = dict(np.load(sys.argv[2], allow_pickle=True))
np.save(sys.argv[3], pipeline.predict(columns, verbose=0))
last = pipeline.layers[-1]
print(last.task, last.class_names, last.target_names, last.mean, last.scale, pipeline.feature_names)
"""


def pipeline_of(n_outputs, predictions):
    space = fit_preprocessing(COLUMNS)
    model = keras.Sequential(
        [keras.Input(encode(space, COLUMNS).shape[1:]), keras.layers.Dense(n_outputs)], name="model"
    )
    return Pipeline(model, predictions, tuple(COLUMNS), space)


def test_a_saved_pipeline_needs_nothing_else(tmp_path):
    predictions = Predictions("regression", target_names=["price"], mean=2e5, scale=5e4)
    pipeline = pipeline_of(1, predictions)
    expected = pipeline.predict(COLUMNS, verbose=0)
    paths = [str(tmp_path / name) for name in ("pipeline.keras", "columns.npz", "answers.npy")]
    pipeline.save(paths[0])
    np.savez(paths[1], **COLUMNS)
    command = [sys.executable, "-c", FRESH, *paths]
    fresh = subprocess.run(command, check=True, capture_output=True, text=True)
    np.testing.assert_array_equal(np.load(paths[2]), expected)
    assert fresh.stdout.strip() == (f"regression () ('price',) 200000.0 50000.0 {tuple(COLUMNS)}")


def test_a_saved_classifier_knows_its_classes(tmp_path):
    predictions = Predictions("multiclass", class_names=["a", "b", "c"], target_names=["kind"])
    pipeline_of(3, predictions).save(tmp_path / "pipeline.keras")  # before it was ever called
    loaded = keras.models.load_model(tmp_path / "pipeline.keras")
    assert loaded.layers[-1].get_config() == predictions.get_config()
    assert loaded.layers[-1].class_names == ("a", "b", "c")
    assert loaded.predict(COLUMNS, verbose=0).shape == (4, 3)


def test_a_save_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    pipeline = pipeline_of(1, Predictions("regression"))
    path = tmp_path / "pipeline.keras"
    pipeline.save(path)
    before = path.read_bytes()

    def fail(self, path, **kwargs):
        Path(path).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(keras.Model, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        pipeline.save(str(path))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_save_is_that_of_keras_otherwise(tmp_path, monkeypatch):
    pipeline = pipeline_of(1, Predictions("regression"))
    with pytest.raises(ValueError, match=r"Invalid filepath extension"):
        pipeline.save(tmp_path / "pipeline")
    with pytest.raises(OSError, match="No such file"):
        pipeline.save(tmp_path / "none" / "pipeline.keras")
    (tmp_path / "pipeline.keras").write_bytes(b"mine")
    monkeypatch.setattr("builtins.input", lambda _: "n")
    pipeline.save(tmp_path / "pipeline.keras", overwrite=False)
    assert (tmp_path / "pipeline.keras").read_bytes() == b"mine"


def test_predictions_are_turned_back():
    outputs = np.float32([[0, 1], [2, -1]])
    layer = Predictions("regression", mean=np.array([10, 100]), scale=np.array([1, 20]))
    np.testing.assert_array_equal(layer(outputs), [[10, 120], [12, 80]])
    np.testing.assert_array_equal(Predictions("multilabel")(outputs), outputs)


def test_large_numbers_are_kept_under_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = Predictions("regression", mean=450_000.0)
    finally:
        keras.config.set_dtype_policy(policy)
    assert layer(np.float16([[1]]))[0, 0] == 450_001


def test_columns_may_be_lists_of_texts_with_none():
    pipeline = pipeline_of(1, Predictions("regression"))
    changed = {**COLUMNS, "x.1": ["in\nland", None, "bay", np.nan], "50%": [1, None, 3, 5]}
    same = {**COLUMNS, "x.1": np.array(["in\nland", "", "bay", ""])}
    same["50%"] = np.float32([1, np.nan, 3, 5])
    np.testing.assert_array_equal(
        pipeline.predict(changed, verbose=0), pipeline.predict(same, verbose=0)
    )


def test_it_prepares_what_its_model_takes():
    pipeline = pipeline_of(1, Predictions("regression"))
    expected = encode(pipeline.preprocessing, COLUMNS)
    np.testing.assert_array_equal(pipeline.prepare(COLUMNS), expected)
    x = np.ones((2, 3), "float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    assert Pipeline(model, Predictions("regression")).prepare(x) is x


def test_a_missing_column_is_named():
    pipeline = pipeline_of(1, Predictions("regression"))
    columns = {name: column for name, column in COLUMNS.items() if name != "a/b"}
    with pytest.raises(ValueError, match=r"must have the columns .* Add \['a/b'\]"):
        pipeline.predict(columns, verbose=0)


def test_unseen_categories_stay_moderate_behind_a_normalization():
    space = fit_preprocessing(COLUMNS)
    x = encode(space, COLUMNS)
    normalization = keras.layers.Normalization()
    normalization.adapt(x)
    unseen = {**COLUMNS, "x.1": ["never"] * 4, "model": ["seen"] * 4}
    encoded = encode(space, {name: np.asarray(column) for name, column in unseen.items()})
    assert np.abs(normalization(encoded)).max() < 3
