import zipfile

import keras
import numpy as np
import pandas as pd
import pytest

from keras_recipes.datasets import load_dataset
from keras_recipes.datasets.prediction import load_pipeline, predict_csv

PLACES = ["INLAND", "ISLAND", "NEAR BAY"]


@pytest.fixture
def frame():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "a/b": rng.normal(size=60).round(3),
            "median income": rng.normal(size=60).round(3),
            "place": rng.choice(PLACES, 60),
            "zone": rng.choice(["01", "02", "A"], 60),
            "price": rng.normal(2e5, 5e4, 60).round(2),
        }
    )


def write(frame, path):
    frame.to_csv(path, index=False)
    return path


def pipeline_for(source, target=None, activation=None, **options):
    data = load_dataset(source, target, **options)
    dense = keras.layers.Dense(data.n_outputs, activation, bias_initializer="glorot_uniform")
    return data.pipeline(keras.Sequential([keras.Input(data.input_shape), dense]))


@pytest.fixture
def prices(frame, tmp_path):
    """A pipeline trained on the frame, and where to write new files."""
    return pipeline_for(write(frame, tmp_path / "train.csv"), "price"), tmp_path / "new.csv"


def test_a_number_in_the_units_of_the_target(frame, prices):
    pipeline, path = prices
    answers = predict_csv(pipeline, write(frame, path))
    assert list(answers.columns) == ["prediction"]
    expected = pipeline.predict(dict(frame), verbose=0)[:, 0]
    np.testing.assert_allclose(answers["prediction"], expected, rtol=1e-6)
    assert answers["prediction"].abs().mean() > 1e5


def test_columns_may_come_in_any_order_with_others_between(frame, prices):
    pipeline, path = prices
    expected = predict_csv(pipeline, write(frame, path))
    shuffled = frame.drop(columns="price").assign(note="x")[
        ["zone", "note", "median income", "a/b", "place"]
    ]
    pd.testing.assert_frame_equal(predict_csv(pipeline, write(shuffled, path)), expected)


def test_the_separator_may_be_another(frame, prices):
    pipeline, path = prices
    expected = predict_csv(pipeline, write(frame, path))
    frame.to_csv(path, index=False, sep=";")
    pd.testing.assert_frame_equal(predict_csv(pipeline, path), expected)


def test_gaps_and_unseen_categories_are_answered(frame, prices):
    pipeline, path = prices
    new = frame.head(3).assign(place=["MOON", None, "INLAND"])
    new.loc[0, "a/b"] = np.nan
    answers = predict_csv(pipeline, write(new, path))
    assert np.isfinite(answers["prediction"]).all()
    assert len(answers) == 3


def test_a_category_is_the_same_in_a_file_where_it_looks_like_a_number(frame, prices):
    pipeline, path = prices
    expected = predict_csv(pipeline, write(frame, path))[frame["zone"] == "01"]
    alone = predict_csv(pipeline, write(frame[frame["zone"] == "01"], path))
    np.testing.assert_allclose(alone["prediction"], expected["prediction"])


def test_a_missing_column_is_named(frame, prices):
    pipeline, path = prices
    with pytest.raises(ValueError, match=r"Received: .* without \['median income'\]"):
        predict_csv(pipeline, write(frame.drop(columns="median income"), path))


def test_a_text_where_training_had_numbers_is_named(frame, prices):
    pipeline, path = prices
    new = frame.astype({"a/b": object})
    new.loc[1, "a/b"] = "high"
    with pytest.raises(
        ValueError, match=r"'a/b' must hold finite numbers, .*Received: 'high' in row 1"
    ):
        predict_csv(pipeline, write(new, path))
    new.loc[1, "a/b"] = np.inf
    with pytest.raises(
        ValueError, match=r"'a/b' must hold finite numbers, .*Received: 'inf' in row 1"
    ):
        predict_csv(pipeline, write(new, path))


def test_classes_are_named_with_their_probabilities(frame, tmp_path):
    path = write(frame, tmp_path / "train.csv")
    pipeline = pipeline_for(path, "place", "softmax")
    answers = predict_csv(pipeline, path)
    assert list(answers.columns) == ["prediction", *(f"probability_{place}" for place in PLACES)]
    probabilities = answers.drop(columns="prediction").to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert list(answers["prediction"]) == [PLACES[index] for index in probabilities.argmax(axis=1)]


def test_of_two_classes_the_likelier_is_named(frame, tmp_path):
    path = write(frame.assign(sold=frame["price"] > 2e5), tmp_path / "train.csv")
    pipeline = pipeline_for(path, "sold", "sigmoid")
    answers = predict_csv(pipeline, path)
    assert list(answers.columns) == ["prediction", "probability_False", "probability_True"]
    probability = pipeline.predict(dict(frame), verbose=0)[:, 0]
    np.testing.assert_allclose(answers["probability_True"], probability, rtol=1e-6)
    np.testing.assert_allclose(answers["probability_False"], 1 - probability, atol=1e-6)
    assert list(answers["prediction"]) == ["True" if p > 0.5 else "False" for p in probability]


@pytest.fixture
def arrays(tmp_path):
    def save(y):
        np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).normal(size=(40, 2)), y=y)
        return tmp_path / "data.npz"

    return save


def test_several_targets_have_a_column_each(arrays, tmp_path):
    pipeline = pipeline_for(arrays(np.random.default_rng(0).normal(size=(40, 2))))
    (tmp_path / "new.csv").write_text("x1,x0\n2,1\n")
    answers = predict_csv(pipeline, tmp_path / "new.csv")
    expected = pipeline.predict(np.float32([[1, 2]]), verbose=0)
    assert list(answers.columns) == ["prediction_y0", "prediction_y1"]
    np.testing.assert_allclose(answers.to_numpy(), expected, rtol=1e-6)


def test_labels_have_a_prediction_and_a_probability_each(arrays, tmp_path):
    labels = np.random.default_rng(0).integers(0, 2, (40, 2))
    pipeline = pipeline_for(arrays(labels), activation="sigmoid")
    (tmp_path / "new.csv").write_text("x0,x1\n1,2\n-5,7\n")
    answers = predict_csv(pipeline, tmp_path / "new.csv")
    assert list(answers) == ["prediction_y0", "prediction_y1", "probability_y0", "probability_y1"]
    assert (answers["prediction_y1"] == (answers["probability_y1"] > 0.5)).all()


def test_columns_of_other_names_are_taken_in_their_order(arrays, tmp_path):
    pipeline = pipeline_for(arrays(np.arange(40) % 2), activation="sigmoid")
    (tmp_path / "new.csv").write_text("width,height\n1,2\n")
    answers = predict_csv(pipeline, tmp_path / "new.csv")
    expected = pipeline.predict(np.float32([[1, 2]]), verbose=0)[:, 0]
    np.testing.assert_allclose(answers["probability_1"], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("width,height,depth\n1,2,3\n", r"without \['x0', 'x1'\]"),
        ("x0,height\n1,2\n", r"without \['x1'\]"),
        ("x0,x1\n1,\n", r"column 'x1' must have a value in each row. Received: 1 of 1 rows"),
        ("x0,x1\n1,a\n", r"column 'x1' must hold finite numbers, .*Received: 'a'"),
        ("x0,x1\n", "no rows"),
    ],
)
def test_files_that_do_not_fit_the_array_are_refused(arrays, tmp_path, text, match):
    pipeline = pipeline_for(arrays(np.arange(40) % 2))
    (tmp_path / "new.csv").write_text(text)
    with pytest.raises(ValueError, match=match):
        predict_csv(pipeline, tmp_path / "new.csv")


def test_images_are_not_a_table(tmp_path):
    np.savez(tmp_path / "data.npz", x=np.ones((40, 4, 4)), y=np.arange(40) % 2)
    data = load_dataset(tmp_path / "data.npz")
    model = keras.Sequential([keras.Input((4, 4)), keras.layers.Flatten(), keras.layers.Dense(1)])
    (tmp_path / "new.csv").write_text("x0\n1\n")
    with pytest.raises(ValueError, match=r"one that takes images. Pass it an array"):
        predict_csv(data.pipeline(model), tmp_path / "new.csv")


@pytest.fixture
def run_dir(prices, tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    prices[0].save(directory / "pipeline.keras")
    (directory / "run.json").write_text("{}")
    return directory


def test_the_pipeline_of_a_run_answers_as_before(frame, prices, run_dir):
    pipeline, path = prices
    expected = predict_csv(pipeline, write(frame, path))
    pd.testing.assert_frame_equal(predict_csv(load_pipeline(str(run_dir)), path), expected)


def test_a_damaged_pipeline_is_named(run_dir):
    path = run_dir / "pipeline.keras"
    good = path.read_bytes()
    with zipfile.ZipFile(run_dir / "other.zip", "w") as archive:
        archive.writestr("config.json", "[]")
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 255
    for content in (
        *(b"", b"garbage", good[: len(good) // 2], good[:-1], bytes(flipped)),
        (run_dir / "other.zip").read_bytes(),
    ):
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"pipeline\.keras must be a saved.* Train there again"
        ):
            load_pipeline(run_dir)


def test_a_model_is_not_a_pipeline(run_dir):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(run_dir / "pipeline.keras")
    with pytest.raises(
        ValueError, match=r"Received: a Sequential\. Save there what Dataset\.pipel"
    ):
        load_pipeline(run_dir)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        (None, r"neither run\.json nor pipeline\.keras\. Train there"),
        ("{", r"a .*run\.json that is not a JSON object\. .* remove this one"),
        ("[1]", r"a .*run\.json that is not a JSON object"),
        ("{}", r"without pipeline\.keras\. Train there to the end"),
    ],
)
def test_a_directory_without_a_pipeline_tells_what_is_missing(tmp_path, settings, match):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "model.keras")
    if settings is not None:
        (tmp_path / "run.json").write_text(settings)
    with pytest.raises(ValueError, match=match):
        load_pipeline(tmp_path)


def test_a_run_is_a_directory(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"`run_dir` must be the directory .* which is none"
    ):
        load_pipeline(tmp_path / "none")
    with pytest.raises(TypeError, match="`run_dir` must be a path"):
        load_pipeline(None)


def test_arguments(prices, tmp_path):
    with pytest.raises(TypeError, match=r"`pipeline` must be a pipeline.*Dataset\.pipeline"):
        predict_csv(keras.Sequential(), tmp_path / "train.csv")
    with pytest.raises(FileNotFoundError, match="`path` must be a file that exists"):
        predict_csv(prices[0], tmp_path / "no.csv")
