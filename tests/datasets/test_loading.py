import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest

from keras_recipes import build_default_dnn
from keras_recipes.datasets import load_dataset
from keras_recipes.datasets.preprocessing import QuantileNormalizer, encode
from keras_recipes.datasets.tables import read_csv, typed_columns

ROWS = 200


@pytest.fixture
def houses(tmp_path):
    """A CSV with gaps, texts and awkward names; `row` tells which row is which."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "row": np.arange(ROWS),
            "median income": rng.lognormal(3, 1, ROWS).round(3),
            "place": rng.choice(["INLAND", "NEAR BAY", "A, B\nC"], ROWS),
            "price": rng.normal(2e5, 5e4, ROWS).round(1),
        }
    )
    frame.loc[::7, "median income"] = np.nan
    frame.loc[::9, "place"] = np.nan
    path = tmp_path / "houses.csv"
    frame.to_csv(path, index=False)
    return path


def save(tmp_path, **arrays):
    np.savez(tmp_path / "data.npz", **arrays)
    return tmp_path / "data.npz"


def linear(data):
    return keras.Sequential([keras.Input(data.input_shape), keras.layers.Dense(data.n_outputs)])


def normalized(column, train):
    """A column by its rank in the training rows, as the library's layer has it."""
    layer = QuantileNormalizer()
    layer.adapt([train.to_numpy(np.float32)])
    return keras.ops.convert_to_numpy(layer(column.to_numpy(np.float32)))


def rows_of(data, frame):
    """The row numbers of each split, told by the target that is different in each row."""
    prices = frame["price"].to_numpy()
    for y in parts(data, "y"):
        of_split = y * data.target_scale + data.target_mean
        yield np.abs(prices[:, None] - of_split).argmin(axis=0)


def parts(data, axis):
    return [getattr(data, f"{axis}_{name}") for name in ("train", "val", "test")]


def test_digits():
    data = load_dataset("digits")
    assert (data.name, data.task) == ("digits", "multiclass")
    assert (data.input_shape, data.n_outputs) == ((64,), 10)
    assert [x.shape for x in parts(data, "x")] == [(1149, 64), (288, 64), (360, 64)]
    assert data.class_names == tuple("0123456789")
    assert (data.x_train.dtype, data.y_train.dtype.kind) == (np.float32, "i")
    assert (data.target_mean, data.target_scale, data.preprocessing) == (0, 1, None)
    assert data.x_train.max() == 16  # as scikit-learn has them


def test_regression_targets_are_standardized_with_the_training_rows():
    data = load_dataset("diabetes")
    assert (data.task, data.n_outputs, data.class_names) == ("regression", 1, ())
    assert data.y_train.dtype == np.float32
    assert data.y_train.mean() == pytest.approx(0, abs=1e-6)
    assert data.y_train.std() == pytest.approx(1, abs=1e-6)
    raw = np.concatenate(parts(data, "y")) * data.target_scale + data.target_mean
    from sklearn.datasets import load_diabetes

    np.testing.assert_allclose(sorted(raw), sorted(load_diabetes().target), rtol=1e-5)


def test_binary_has_one_output():
    data = load_dataset("breast_cancer")
    assert (data.task, data.n_outputs, data.class_names) == ("binary", 1, ("malignant", "benign"))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16, np.float16, np.float32, float])
def test_images_of_bytes_become_fractions_with_a_channel(tmp_path, dtype):
    images = np.random.default_rng(0).integers(0, 256, (40, 5, 6)).astype(dtype)
    labels = np.arange(40) % 4
    path = save(
        tmp_path, x_train=images[:30], y_train=labels[:30], x_test=images[30:], y_test=labels[30:]
    )
    data = load_dataset(path)
    assert (data.input_shape, data.feature_names, data.input_names) == ((5, 6, 1), (), ())
    np.testing.assert_array_equal(data.x_test[..., 0], images[30:].astype(np.float32) / 255)
    np.testing.assert_array_equal(data.y_test, labels[30:])
    assert data.adapt_to is None


@pytest.mark.parametrize(
    ("values", "wants_scaling"),
    [
        ([0, 0.5, 1], False),
        ([0, 1, 1], False),
        ([-1, 0, 1], True),
        ([0, 127.5, 255], True),
        ([0, 128, 256], True),
        ([-1, 0, 255], True),
    ],
)
@pytest.mark.parametrize("shape", [(40, 6, 3), (40, 2, 3, 3)])
def test_what_does_not_lie_in_0_to_1_wants_scaling(tmp_path, values, wants_scaling, shape):
    x = np.resize(values, shape)
    data = load_dataset(save(tmp_path, x=x, y=np.arange(40) % 2))
    assert data.input_shape == shape[1:]
    assert data.x_train.max() == max(values)
    assert (data.adapt_to is data.x_train) is wants_scaling


def test_images_of_floats_are_learned(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    images = np.round(rng.uniform(0, 155, (200, 8, 8)) + 100 * labels[:, None, None])
    data = load_dataset(save(tmp_path, x=images, y=labels))
    model = build_default_dnn(
        data.input_shape, 1, data.task, hidden_units=(10,), adapt_to=data.adapt_to, seed=0
    )
    history = model.fit(data.x_train, data.y_train, batch_size=8, epochs=10, verbose=0).history
    assert history["loss"][-1] < 0.3


def test_masks_of_bytes_stay_0_and_1(tmp_path):
    masks = np.resize(np.uint8([0, 1, 1]), (40, 5, 6))
    data = load_dataset(save(tmp_path, x=masks, y=np.arange(40) % 2))
    assert (data.input_shape, data.x_train.max(), data.scaled) == ((5, 6, 1), 1, True)


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (np.full((40, 5, 6, 3), 255, np.uint8), (5, 6, 3)),
        (np.ones((40, 5, 6)), (5, 6)),
        (np.ones((40, 5), np.uint8), (5,)),
        (np.ones((40, 5), bool), (5,)),
    ],
)
def test_other_arrays_keep_their_shape(tmp_path, x, shape):
    data = load_dataset(save(tmp_path, x=x, y=np.arange(40) % 2))
    assert (data.input_shape, data.x_train.dtype) == (shape, np.float32)
    assert data.x_train.max() == 1


def test_several_targets(tmp_path):
    y = np.random.default_rng(0).normal([1, 100], [1, 20], (50, 2))
    data = load_dataset(save(tmp_path, x=np.ones((50, 3)), y=y))
    assert (data.task, data.n_outputs, data.target_names) == ("regression", 2, ("y0", "y1"))
    np.testing.assert_allclose(data.y_train.std(axis=0), 1, rtol=1e-5)
    assert data.target_mean[1] == pytest.approx(100, rel=0.1)


def test_labels_that_do_not_exclude_each_other(tmp_path):
    y = np.random.default_rng(0).integers(0, 2, (50, 3))
    data = load_dataset(save(tmp_path, x=np.ones((50, 3)), y=y))
    assert (data.task, data.n_outputs, data.y_train.dtype) == ("multilabel", 3, np.float32)
    assert data.class_names == ("y0", "y1", "y2")


def test_one_hot_rows_are_one_target(tmp_path):
    labels = np.arange(40) % 3
    data = load_dataset(save(tmp_path, x=np.ones((40, 3)), y=np.eye(3)[labels]))
    assert (data.task, data.n_outputs, data.target_names) == ("multiclass", 3, ("y",))
    assert (data.class_names, data.y_train.ndim) == (("0", "1", "2"), 1)


def test_the_task_can_be_given():
    data = load_dataset("wine", task="regression")
    assert (data.task, data.n_outputs, data.class_names) == ("regression", 1, ())


def test_names_of_classes_follow_the_labels_that_are_there(monkeypatch):
    images = np.zeros((20, 4, 4), np.uint8), np.array([9, 3] * 10)
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", lambda: (images, images))
    assert load_dataset("fashion_mnist").class_names == ("Dress", "Ankle boot")


def test_a_csv_is_encoded_by_what_the_training_rows_hold(houses):
    data = load_dataset(houses, "price")
    frame = pd.read_csv(houses)
    rows = dict(zip("tve", rows_of(data, frame), strict=True))
    assert sorted(np.concatenate(list(rows.values()))) == list(range(ROWS))
    train = frame.loc[rows["t"]]
    income = pd.Series(normalized(frame["median income"], train["median income"]))
    assert abs(income - normalized(frame["median income"], frame["median income"])).max() > 0.1
    places = train["place"].fillna("").value_counts()
    for axis, x, y in zip("tve", parts(data, "x"), parts(data, "y"), strict=True):
        np.testing.assert_allclose(x[:, 1], income[rows[axis]], atol=1e-6)
        for column, place in enumerate(data.preprocessing.preprocessors["place"].vocabulary):
            expected = frame["place"].fillna("")[rows[axis]] == place
            np.testing.assert_array_equal(x[:, 2 + column], expected)
        expected = (frame["price"][rows[axis]] - train["price"].mean()) / train["price"].std(ddof=0)
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-6)
    assert data.x_train.shape[1] == 2 + len(places)
    assert data.feature_names == ("row", "median income", "place")
    texts = [f"place={place or '(missing)'}" for place in places.index]
    assert data.input_names[:2] == ("row", "median income")
    assert sorted(data.input_names[2:]) == sorted(texts)
    last = texts.index(data.input_names[-1])
    expected = (frame["place"].fillna("")[rows["t"]] == places.index[last]).sum()
    assert data.x_train[:, -1].sum() == expected
    assert data.target_names == ("price",)


def test_the_seed_makes_the_split(houses):
    first, same, other = (load_dataset(houses, "price", seed=seed) for seed in (4, 4, 5))
    for one, two in zip(parts(first, "x"), parts(same, "x"), strict=True):
        np.testing.assert_array_equal(one, two)
    assert set(first.x_test[:, 0]) != set(other.x_test[:, 0])


def test_the_splits_tell_which_row_of_the_source_is_which(houses):
    data, frame = load_dataset(houses, "price"), pd.read_csv(houses)
    for name, rows in vars(data.splits).items():
        y = getattr(data, f"y_{name}") * data.target_scale + data.target_mean
        np.testing.assert_allclose(y, frame["price"][rows], rtol=1e-5)
    assert sorted(np.concatenate([*vars(data.splits).values()])) == list(range(ROWS))


def test_fractions_are_of_all_rows_and_of_the_others(houses):
    data = load_dataset(houses, "price", test_fraction=0.5, validation_fraction=0.1)
    assert [len(x) for x in parts(data, "x")] == [90, 10, 100]


def test_a_text_target_is_classes(houses):
    frame = pd.read_csv(houses).dropna(subset="place")
    frame.to_csv(houses, index=False)
    data = load_dataset(houses, "place")
    assert (data.task, data.class_names) == ("multiclass", ("A, B\nC", "INLAND", "NEAR BAY"))
    classes = frame["place"].map(data.class_names.index).to_numpy()
    raw = read_csv("source", houses).drop(columns="place")
    inputs = encode(data.preprocessing, typed_columns(raw))
    for x, y in zip(parts(data, "x"), parts(data, "y"), strict=True):
        rows = np.abs(np.asarray(inputs)[None] - x[:, None]).sum(axis=2).argmin(axis=1)
        np.testing.assert_array_equal(y, classes[rows])


def test_columns_that_do_not_vary_are_left_out_with_a_warning(houses):
    pd.read_csv(houses).assign(empty=np.nan, same=1).to_csv(houses, index=False)
    with pytest.warns(UserWarning, match=r"\['empty', 'same'\] are left out") as caught:
        data = load_dataset(houses, "price")
    assert caught[0].filename == __file__
    assert data.feature_names == ("row", "median income", "place")


def test_identifiers_are_left_out_with_a_warning(houses):
    pd.read_csv(houses).assign(id=[f"H-{row}" for row in range(ROWS)]).to_csv(houses, index=False)
    with pytest.warns(UserWarning, match=r"\['id'\] are left out") as caught:
        data = load_dataset(houses, "price")
    assert caught[0].filename == __file__
    assert data.feature_names == ("row", "median income", "place")


def test_a_csv_where_nothing_varies_is_refused(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,y\n" + "".join(f"1,{row / 3}\n" for row in range(30)))
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(ValueError, match="must have a column beside the target that varies"),
    ):
        load_dataset(path, "y")


def test_one_class_only_is_refused(houses):
    pd.read_csv(houses).assign(place="INLAND").to_csv(houses, index=False)
    with pytest.raises(
        ValueError, match=r"^the column 'place' must have at least two classes\. Received: 1"
    ):
        load_dataset(houses, "place")


def test_a_target_constant_in_the_training_rows_is_refused(tmp_path):
    path = save(tmp_path, x=np.ones((3, 2)), y=np.array([1.5, 1.5, 2.5]))
    with pytest.raises(ValueError, match=r"`y` must vary in the 1 training rows"):
        load_dataset(path)


@pytest.mark.parametrize("name", ["test_fraction", "validation_fraction"])
def test_fractions_lie_between_0_and_1(name):
    for value in (0, 1, -0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=rf"`{name}` must be in \(0, 1\)"):
            load_dataset("wine", **{name: value})
    with pytest.raises(TypeError, match=f"`{name}` must be a number"):
        load_dataset("wine", **{name: "0.2"})


@pytest.mark.parametrize(
    ("seed", "error"), [(-1, ValueError), (2**32, ValueError), (None, TypeError)]
)
def test_seeds_are_integers(seed, error):
    with pytest.raises(error, match="`seed` must be"):
        load_dataset("wine", seed=seed)


def test_a_pipeline_answers_in_the_units_of_the_target():
    data = load_dataset("diabetes")
    model = linear(data)
    expected = model.predict(data.x_test, verbose=0) * data.target_scale + data.target_mean
    np.testing.assert_allclose(
        data.pipeline(model).predict(data.x_test, verbose=0), expected, rtol=1e-5
    )


def test_a_pipeline_leaves_probabilities_as_they_are():
    data = load_dataset("wine")
    model = linear(data)
    np.testing.assert_array_equal(
        data.pipeline(model).predict(data.x_test, verbose=0), model.predict(data.x_test, verbose=0)
    )


def test_a_pipeline_takes_the_columns_of_a_csv(houses):
    data = load_dataset(houses, "price")
    model = linear(data)
    frame = pd.read_csv(houses)
    _, validation, _ = rows_of(data, frame)
    frame = frame.loc[validation]
    np.testing.assert_allclose(
        data.pipeline(model).predict(dict(frame), verbose=0),
        model.predict(data.x_val, verbose=0) * data.target_scale + data.target_mean,
        rtol=1e-5,
    )


def test_a_model_that_does_not_fit_is_refused():
    data = load_dataset("wine")
    with pytest.raises(ValueError, match=r"`model` must have 3 outputs\. .*n_outputs=3"):
        data.pipeline(keras.Sequential([keras.Input((13,)), keras.layers.Dense(1)]))
    with pytest.raises(ValueError, match="incompatible with the layer"):
        data.pipeline(keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]))
    with pytest.raises(TypeError, match=r"`model` must be a keras\.Model"):
        data.pipeline("model")


def test_importing_needs_neither_pandas_nor_scikit_learn():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['pandas', 'sklearn']));"
        "import keras_recipes.datasets, keras_recipes.datasets.prediction"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_wants_scaling_is_what_builders_adapt_to(houses, tmp_path):
    wine = load_dataset("wine")
    assert wine.adapt_to is wine.x_train
    assert load_dataset(houses, "price").adapt_to is None
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 4), np.uint8)
    assert load_dataset(save(tmp_path, x=images, y=np.arange(30) % 2)).adapt_to is None
