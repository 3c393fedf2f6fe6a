import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_recipes import build_default_dnn
from keras_recipes.arrays import prepare

X = np.random.default_rng(0).normal(size=(50, 3))
Y = X.sum(axis=1)
REGRESSION = build_default_dnn(3, hidden_units=(4,))
MULTICLASS = build_default_dnn(3, 4, "multiclass", hidden_units=(4,))
BINARY = build_default_dnn(3, 1, "binary", hidden_units=(4,))


def ready(x=X, y=Y, weight=None, validation_data=None, split=0.0, batch_size=8, model=REGRESSION):
    return prepare(model, x, y, weight, validation_data, split, batch_size)


def broken(value, row):
    x = X.copy()
    x[row, 1] = value
    return x


def test_arrays_are_made_ready():
    examples, validation = ready(X.tolist(), pd.Series(Y), np.ones(50), (X[:5], Y[:5]))
    assert examples.x.dtype == examples.y.dtype == "float32"
    assert (examples.steps, examples.batch_size) == (7, 8)
    assert validation.steps == 1
    assert len(validation.data) == 2
    assert ready(pd.DataFrame(X))[0].x.shape == (50, 3)
    assert ready(validation_data=(X, Y, np.ones(50)))[1].sample_weight is not None


def test_a_split_takes_the_last_examples():
    examples, validation = ready(split=0.2, weight=np.arange(50.0))
    np.testing.assert_allclose(examples.y, Y[:40], rtol=1e-6)
    np.testing.assert_allclose(validation.y, Y[40:], rtol=1e-6)
    np.testing.assert_array_equal(validation.sample_weight, np.arange(40, 50))
    assert (examples.steps, validation.steps) == (5, 1)  # validation goes in large batches


def test_datasets_pass_as_they_are():
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return X[:8], Y[:8]

    assert ready(data, None)[0].x is data
    assert ready(data, None)[0].steps == 7
    assert ready(Batches(), None, validation_data=data)[0].steps == 3
    assert ready(data, None, validation_data=data)[1].data is data


def test_several_inputs_go_by_their_names():
    inputs = {name: keras.Input((1,), name=name) for name in "ab"}
    model = keras.Model(
        inputs, keras.layers.Dense(1)(keras.layers.concatenate(list(inputs.values())))
    )
    model.compile("sgd", "mse")
    examples, _ = ready({"a": X[:, :1], "b": X[:, 1:2]}, model=model)
    assert set(examples.x) == {"a", "b"}
    with pytest.raises(ValueError, match=r"len\(x\)=49"):
        ready({"a": X[:, :1], "b": X[:49, 1:2]}, model=model)


def test_no_length_of_several_targets_hides_another():
    x = keras.Input((3,))
    model = keras.Model(x, [keras.layers.Dense(1)(x), keras.layers.Dense(1)(x)])
    model.compile("sgd", ["mse", "mse"])
    assert len(ready(y=[Y, Y], model=model)[0].y) == 2
    with pytest.raises(ValueError, match=r"len\(y\)=49, len\(y\)=50"):
        ready(y=[Y[:49], Y], model=model)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"x": broken(np.nan, 7)}, ValueError, r"`x` must be finite.*row 7.*of 1 .*of 50\."),
        ({"x": broken(np.inf, 0)}, ValueError, "`x` must be finite"),
        ({"y": np.where(Y > 0, Y, np.nan)}, ValueError, "`y` must be finite"),
        ({"weight": np.full(50, np.nan)}, ValueError, "`sample_weight` must be finite"),
        ({"y": Y[:49]}, ValueError, r"Received: len\(x\)=50, len\(y\)=49"),
        ({"weight": np.ones(3)}, ValueError, r"len\(sample_weight\)=3"),
        ({"x": X[:0], "y": Y[:0]}, ValueError, "at least 1"),
        ({"y": None}, ValueError, "`y` must be given"),
        ({"x": X[:, :2]}, ValueError, r"\(n, 3\) that the model takes.*\(50, 2\)"),
        ({"x": X[:, 0]}, ValueError, r"Received: x of shape \(50,\)"),
        ({"x": X.astype(str)}, TypeError, "`x` must hold numbers"),
        ({"x": 3.0}, ValueError, "a scalar"),
        ({"y": np.full(50, 4), "model": MULTICLASS}, ValueError, "labels from 0 to 3"),
        ({"y": np.full(50, -1), "model": MULTICLASS}, ValueError, "Number the classes from 0"),
        ({"y": np.full(50, 1.5), "model": MULTICLASS}, ValueError, "whole numbers"),
        ({"y": np.full(50, 2), "model": BINARY}, ValueError, "labels from 0 to 1"),
        ({"x": X.astype("float64") * 1e300}, ValueError, "`x` must be finite in float32.*e[+]299"),
        ({"y": np.full(50, 1e39)}, ValueError, r"`y` must be finite in float32.*1e[+]39 in row 0"),
        ({"x": [[1.0, 2.0, 3.0], [1.0]]}, ValueError, "`x` must be a full array.*inhomogeneous"),
        ({"x": (row for row in X)}, TypeError, "from_generator"),
        ({"y": np.ones((50, 3))}, ValueError, r"\(n, 1\) for the loss .*\(50, 3\)"),
        ({"y": np.eye(50, 4), "model": MULTICLASS}, ValueError, r"One-hot\? Pass y.argmax"),
        ({"y": np.ones((50, 2)), "model": BINARY}, ValueError, r"`y` must have the shape"),
        ({"weight": np.ones((50, 2))}, ValueError, r"shape \(n,\).*\(50, 2\)"),
        ({"weight": -np.ones(50)}, ValueError, "no value below 0.*smallest -1"),
        ({"validation_data": 3}, TypeError, "`validation_data` must be .*=3"),
        ({"validation_data": "x"}, TypeError, "`validation_data` must be .*='x'"),
        ({"validation_data": {"x": X}}, TypeError, "`validation_data` must be"),
        ({"split": 1.0}, ValueError, "`validation_split`"),
        ({"split": 0.5, "x": X[:1], "y": Y[:1]}, ValueError, "examples on both sides"),
        ({"split": 0.2, "validation_data": (X, Y)}, ValueError, "At most one"),
        ({"validation_data": ()}, ValueError, "0 parts"),
        ({"validation_data": (X[:, :2], Y)}, ValueError, "validation `x` must have the shape"),
        ({"validation_data": (X, Y[:3])}, ValueError, "validation `x` and `y`"),
    ],
)
def test_bad_data_is_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        ready(**arguments)


@pytest.mark.parametrize(
    ("change", "arguments", "error", "match"),
    [
        (lambda data: data.repeat(), {}, ValueError, "infinite"),
        (lambda data: data.filter(lambda x, y: True), {}, ValueError, "assert_cardinality"),
        (lambda data: data.take(0), {}, ValueError, "at least 1"),
        (lambda data: data, {"y": Y}, TypeError, "Let the dataset yield"),
        (lambda data: data, {"split": 0.2}, ValueError, "a dataset as validation_data"),
    ],
)
def test_bad_datasets_are_refused(change, arguments, error, match):
    data = change(tf.data.Dataset.from_tensor_slices((X, Y)).batch(8))
    with pytest.raises(error, match=match):
        ready(data, **{"y": None, **arguments})


@pytest.mark.parametrize("y", [Y, Y[:, np.newaxis], Y.tolist()])
def test_one_output_takes_targets_of_one_axis_or_two(y):
    assert ready(y=y)[0].count == 50


def test_a_loss_of_the_users_own_takes_any_targets():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", lambda y, predicted: predicted[:, 0] * y[:, 2])
    assert ready(y=X, model=model)[0].count == 50


def dataset(*parts, batched=True):
    data = tf.data.Dataset.from_tensor_slices(parts if len(parts) > 1 else parts[0])
    return data.batch(8) if batched else data


@pytest.mark.parametrize(
    ("data", "model", "match"),
    [
        (dataset(X[:, :2], Y), REGRESSION, r"In the first batch `x` must have the shape \(n, 3\)"),
        (dataset(X, Y, batched=False), REGRESSION, "In the first batch `x`|must have a batch axis"),
        (dataset(X, np.ones((50, 2))), REGRESSION, "In the first batch `y` must have the shape"),
        (dataset(X), REGRESSION, "there must be .x, y."),
        (dataset(broken(np.nan, 3), Y), REGRESSION, "In the first batch `x` must be finite"),
        (dataset(X, np.full(50, 4)), MULTICLASS, "In the first batch `y` must hold labels"),
        (dataset(X, Y, -np.ones(50)), REGRESSION, "In the first batch `sample_weight`"),
    ],
)
def test_the_first_batch_of_a_dataset_is_checked(data, model, match):
    with pytest.raises(ValueError, match=match):
        ready(data, None, model=model)


def test_a_validation_dataset_is_checked_too():
    with pytest.raises(ValueError, match="In the first validation batch `x` must have the shape"):
        ready(validation_data=dataset(X[:, :2], Y))


def test_a_step_of_the_users_own_takes_batches_of_its_own():
    class Own(keras.Model):
        def train_step(self, data):
            return {}

    inputs = keras.Input((3,))
    given = keras.Model(inputs, inputs)
    given.train_step = lambda data: {}
    for model in (Own(inputs, inputs), given):
        assert ready(dataset(X), None, model=model)[0].steps == 7
