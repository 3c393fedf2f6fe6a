import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from sklearn.preprocessing import QuantileTransformer

from keras_recipes.datasets.preprocessing import (
    OneHot,
    QuantileNormalizer,
    encode,
    feature_key,
    fit_preprocessing,
)

NUMBERS = np.float32([3, np.nan, 1, 10])
TEXTS = np.array(["b", "a", "", "b"], dtype=object)


def normalized(train, values):
    layer = QuantileNormalizer()
    layer.adapt(tf.data.Dataset.from_tensor_slices(np.float32(train)).batch(300))
    return ops.convert_to_numpy(layer(ops.convert_to_tensor(np.float32(values))))


@pytest.mark.parametrize("skew", [1, 10])
def test_numbers_become_normal_as_scikit_learn_has_it(skew):
    train = np.float32(np.random.default_rng(0).lognormal(0, skew, 3000))
    theirs = QuantileTransformer(output_distribution="normal", n_quantiles=3000)
    expected = theirs.fit(train[:, None]).transform(train[:, None])[:, 0]
    ours = normalized(train, train)
    inner = np.abs(expected) < 3  # at the ends scikit-learn goes on to 5.2
    np.testing.assert_allclose(ours[inner], expected[inner], atol=0.05)
    assert abs(ours.mean()) < 0.01
    assert ours.std() == pytest.approx(1, abs=0.01)


def test_outliers_and_unseen_numbers_stay_within_bounds():
    train = [*range(999), 1e30]
    scores = normalized(train, [-1e30, 0, 499.5, 998, 1e30, np.inf])
    assert scores[0] == scores[1] == -scores[-1] == -scores[-2]
    assert 3 < scores[-1] < 4
    assert scores[2] == pytest.approx(0, abs=0.01)
    rare = normalized([0] * 9999 + [1], [0, 0.5, 1])
    assert abs(rare[0]) < 0.01
    assert rare[0] < rare[1] < rare[2] < 4


def test_missing_numbers_become_the_median_and_ties_share_a_value():
    train = [np.nan, 1, 2, 2, 2, 3, np.nan]
    np.testing.assert_allclose(
        normalized(train, [np.nan, 1, 2, 3]), [0, -1.2816, 0, 1.2816], atol=1e-4
    )


def test_one_hot_puts_the_most_frequent_first():
    layer = OneHot(max_categories=2)
    layer.adapt([np.array(["c", "a", "b", "b", "a", "b"])])
    assert layer.vocabulary == ("b", "a")
    inputs = np.array([["a"], ["b"], ["c"], ["unseen"]])
    np.testing.assert_array_equal(layer(inputs), [[0, 1], [1, 0], [0, 0], [0, 0]])


@pytest.mark.parametrize(
    ("layer", "batch"),
    [
        (QuantileNormalizer([1.0, 2.0, 5.0], [-1.0, 0.0, 1.5]), NUMBERS),
        (OneHot(7, ["b", ""]), TEXTS[:, None]),
    ],
)
def test_config_round_trip(layer, batch):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert copy.get_config() == layer.get_config()
    np.testing.assert_array_equal(
        ops.convert_to_numpy(copy(ops.convert_to_tensor(batch))),
        ops.convert_to_numpy(layer(ops.convert_to_tensor(batch))),
    )
    spec = layer.compute_output_spec(keras.KerasTensor(batch.shape, dtype="float32"))
    assert (spec.shape, spec.dtype) == (copy(ops.convert_to_tensor(batch)).shape, "float32")


def test_columns_are_encoded_in_their_order():
    columns = {"z": NUMBERS, "a/b": TEXTS, "a%2Fb": NUMBERS[::-1]}
    encoded = encode(fit_preprocessing(columns), columns)
    # z; a/b is "b", "", "a"; a%2Fb
    third = 0.9674  # of three numbers the largest has the rank 5/6
    expected = [
        [0, 1, 0, 0, third],
        [0, 0, 0, 1, -third],
        [-third, 0, 1, 0, 0],
        [third, 1, 0, 0, 0],
    ]
    np.testing.assert_allclose(encoded, expected, atol=1e-4)


def test_an_identifier_has_at_most_100_columns():
    columns = {"id": np.array([f"row {row}" for row in range(500)], dtype=object)}
    assert encode(fit_preprocessing(columns), columns).shape == (500, 100)


def test_large_numbers_are_kept_under_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        columns = {"price": np.float32([450_000, 449_990, np.nan]), "place": TEXTS[:3]}
        encoded = ops.convert_to_numpy(encode(fit_preprocessing(columns), columns))
    finally:
        keras.config.set_dtype_policy(policy)
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(encoded[:, 0], [0.6745, -0.6745, 0], atol=1e-4)


def test_keys_are_names_that_keras_takes_and_distinct():
    names = ["a/b", "a%2Fb", "a b", "x.1", "ü"]
    keys = [feature_key(name) for name in names]
    assert not any("/" in key for key in keys)
    assert len(set(keys)) == len(names)


def test_other_backends_are_told(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"TensorFlow backend\. Received: 'jax'"):
        fit_preprocessing({"a": NUMBERS})
