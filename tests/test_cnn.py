import keras
import numpy as np
import pytest

import keras_recipes as kr
from keras_recipes.cnn import build_cnn, image_shape, most_blocks


def test_blocks_and_shapes():
    model = build_cnn(
        (28, 28, 3), 10, "multiclass", filters=(8, 16), normalization="batch", dropout=0.1
    )
    assert [layer.name for layer in model.layers if "block_2" in layer.name] == [
        "block_2", "block_2_batch_norm", "block_2_elu", "block_2_dropout", "block_2_pooling",
    ]  # fmt: skip
    assert model.get_layer("block_1_pooling").output.shape == (None, 14, 14, 8)
    assert model.get_layer("block_2").use_bias is False
    assert type(model.get_layer("block_1").kernel_initializer).__name__ == "HeNormal"
    assert model.output_shape == (None, 10)


def test_after_selu_dropout_is_alpha_dropout():
    model = build_cnn((8, 8), filters=(4,), hidden_units=(5,), activation="selu", dropout=0.1)
    dropping = [layer for layer in model.layers if "dropout" in layer.name]
    assert [type(layer) for layer in dropping] == [keras.layers.AlphaDropout] * 2


def test_it_is_the_same_for_pixels_in_a_row():
    images = np.random.default_rng(0).normal(size=(20, 6, 6, 1)).astype("float32")
    flat, square = (build_cnn(shape, filters=(4,), seed=3) for shape in (36, (6, 6)))
    np.testing.assert_allclose(
        kr.predict(flat, images.reshape(20, 36)), kr.predict(square, images[..., 0]), rtol=1e-5
    )


def test_it_learns_digits(tmp_path):
    data = kr.load_dataset("digits")
    model = build_cnn(64, 10, "multiclass", filters=(8, 16), adapt_to=data.adapt_to, seed=1)
    kr.fit(model, data.x_train, data.y_train, epochs=4, max_learning_rate=0.05, seed=1, verbose=0)
    assert kr.evaluate(model, data.x_test, data.y_test)["accuracy"] > 0.9
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        kr.predict(loaded, data.x_test), kr.predict(model, data.x_test), rtol=1e-4, atol=1e-6
    )


def test_the_same_seed_gives_the_same_weights():
    one, two = (build_cnn((8, 8, 1), seed=5) for _ in range(2))
    for ours, theirs in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_batch_normalization_after_the_activation():
    model = build_cnn(
        (8, 8, 1), filters=(4,), normalization="batch", batch_norm_position="after",
        batch_norm_momentum=0.9,
    )  # fmt: skip
    assert [layer.name for layer in model.layers][1:4] == [
        "block_1", "block_1_batch_norm", "block_1_pooling",
    ]  # fmt: skip
    assert model.get_layer("block_1").use_bias is True
    assert model.get_layer("hidden_1_batch_norm").momentum == 0.9


def test_the_weights_of_each_filter_and_unit_are_bounded(tmp_path):
    rng = np.random.default_rng(0)
    images, targets = rng.normal(size=(64, 8, 8, 3)), rng.normal(size=64)
    build_cnn((8, 8, 3), filters=(4, 8), max_norm=0.5, seed=1).save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    kr.fit(model, images, targets, epochs=1, max_learning_rate=0.01, seed=1, verbose=0)
    for name in ("block_1", "block_2", "hidden_1"):
        kernel = model.get_layer(name).kernel.numpy()
        norms = np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), axis=0)
        np.testing.assert_array_less(norms, 0.5 + 1e-6)
        assert norms.max() > 0.49


@pytest.mark.parametrize(
    ("shape", "image", "blocks"),
    [((28, 28, 3), (28, 28, 3), 4), ((9, 30), (9, 30, 1), 3), ((64,), (8, 8, 1), 3)],
)
def test_images(shape, image, blocks):
    assert image_shape(shape) == image
    assert most_blocks(image) == blocks


@pytest.mark.parametrize(
    ("shape", "keywords", "message"),
    [
        (63, {}, "`input_shape` must be that of an image"),
        ((1, 1, 1), {}, "an image of 2 x 2 pixels or more"),
        ((8, 1), {}, "an image of 2 x 2 pixels or more"),
        ((8, 8, 1, 1), {}, "`input_shape` must be that of an image"),
        ((8, 8, 1), {"filters": (8, 8, 8, 8)}, "1 to 3 blocks"),
        ((8, 8, 1), {"filters": ()}, "1 to 3 blocks"),
        ((8, 8, 1), {"kernel_size": 0}, "`kernel_size` must be in"),
        ((8, 8, 1), {"pooling": "mean"}, "`pooling` must be one of 'max', 'average'"),
        ((8, 8, 1), {"normalization": "layer"}, "`normalization` must be one of 'batch'"),
        ((8, 8, 1), {"dropout": 1.0}, "`dropout` must be in"),
        ((8, 8, 1), {"batch_norm_position": "within"}, "must be one of 'before', 'after'"),
        ((8, 8, 1), {"batch_norm_momentum": 1.0}, "`batch_norm_momentum` must be in"),
        ((8, 8, 1), {"max_norm": 0.0}, "`max_norm` must be in"),
    ],
)
def test_errors(shape, keywords, message):
    with pytest.raises(ValueError, match=message):
        build_cnn(shape, **keywords)
