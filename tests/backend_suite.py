"""What must come out alike on every backend; `python -m tests.backend_suite DIRECTORY` runs it."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_recipes as kr
from recipes import default_dnn

ROWS, EPOCHS = 64, 6


class Interrupt(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == EPOCHS // 2:
            raise KeyboardInterrupt


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 8)).astype("float32")
    return x, (x[:, 0] * x[:, 1] > 0).astype("int32")


def model(**keywords):
    """A small one whose weights are the same on each backend."""
    built = kr.build_default_dnn(8, 1, "binary", hidden_units=(16, 16), seed=0, **keywords)
    rng = np.random.default_rng(1)
    built.set_weights([rng.normal(size=each.shape) * 0.3 for each in built.get_weights()])
    return built


def fit(built, **keywords):
    """Trains with all rows in a batch: in whichever order they come the steps are the same."""
    return kr.fit(
        built, *data(), batch_size=ROWS, epochs=EPOCHS, max_learning_rate=0.3, seed=0, verbose=0,
        checkpoint_every=1, **keywords,
    )  # fmt: skip


def trained_weights(optimizer):
    """Weights after 1cycle, which moves the rate and the momentum in each step."""
    built = model(optimizer=optimizer)
    fit(built)
    return built.get_weights()


def goes_on_after_an_interruption(directory, whole):
    part, again = model(optimizer="nesterov"), model(optimizer="nesterov")
    with pytest.raises(KeyboardInterrupt):
        fit(part, run_dir=directory / "run", callbacks=[Interrupt()])
    history = fit(again, run_dir=directory / "run", resume="must")
    assert len(history.history["loss"]) == EPOCHS
    for a, b in zip(whole, again.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    loaded = keras.models.load_model(directory / "run" / "model.keras")
    np.testing.assert_allclose(
        kr.predict(loaded, data()[0]), kr.predict(again, data()[0]), atol=1e-6
    )


def finds_a_rate_and_leaves_the_model():
    built = model()
    before = built.get_weights()
    curve = kr.find_learning_rate(built, *data(), batch_size=16, steps=60)
    assert 1e-3 < curve.suggestion < 10
    for a, b in zip(before, built.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def trains_with_every_layer_of_ours():
    x, y = data()
    keywords = {"epochs": 2, "max_learning_rate": 0.01, "seed": 0, "verbose": 0}
    built = model(activation="rrelu", dropout=0.2, mc_dropout=True, max_norm=1.0)
    history = kr.fit(built, x, y, validation_split=0.25, schedule="performance", **keywords)
    assert np.isfinite(history.history["val_loss"]).all()
    norms = np.linalg.norm(built.get_layer("hidden_1").get_weights()[0], axis=0)
    assert norms.max() < 1 + 1e-4
    built = kr.build_self_normalizing_dnn(8, 1, "binary", adapt_to=x, dropout=0.1, seed=0)
    assert np.isfinite(kr.fit(built, x, y, **keywords).history["loss"]).all()
    linear = kr.build_linear_regression(8, adapt_to=x)
    kr.solve_normal_equation(linear, x, x[:, :1])
    np.testing.assert_allclose(kr.predict(linear, x), x[:, :1], atol=1e-4)


def says_what_needs_tensorflow():
    built = model(dropout=0.2)
    pruning = kr.callbacks.MagnitudePruning(0.5, 0, 2)
    for needs in (
        lambda: kr.diagnose(built, *data()),
        lambda: kr.mc_predict(built, data()[0]),
        lambda: fit(built, callbacks=[pruning]),
        lambda: fit(built, callbacks=[kr.callbacks.LayerHealth()]),
    ):
        with pytest.raises(RuntimeError, match="must run on TensorFlow"):
            needs()


def main():
    directory = Path(sys.argv[1])
    weights = trained_weights("nesterov")
    np.savez(directory / "weights.npz", *weights)
    goes_on_after_an_interruption(directory, weights)
    finds_a_rate_and_leaves_the_model()
    trains_with_every_layer_of_ours()
    says_what_needs_tensorflow()
    run_dir = directory / "recipe"
    sys.argv = ["default_dnn", "--epochs", "2", "--batch-size", "128", "--run-dir", str(run_dir)]
    default_dnn.main()
    print(keras.config.backend())


if __name__ == "__main__":
    main()
