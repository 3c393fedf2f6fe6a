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


def data(classes=2):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 8)).astype("float32")
    return x, ((x[:, 0] * x[:, 1] > 0) + (classes - 2) * (x[:, 2] > 0)).astype("int32")


def with_weights(built):
    """Gives a model weights that are the same on each backend."""
    rng = np.random.default_rng(1)
    built.set_weights([rng.normal(size=each.shape) * 0.3 for each in built.get_weights()])
    return built


def model(**keywords):
    return with_weights(
        kr.build_default_dnn(8, 1, "binary", hidden_units=(16, 16), seed=0, **keywords)
    )


def fit(built, x=None, y=None, **keywords):
    """Trains with all rows in a batch: in whichever order they come the steps are the same."""
    x, y = data() if x is None else (x, y)
    return kr.fit(
        built, x, y, batch_size=ROWS, epochs=EPOCHS, max_learning_rate=0.3, seed=0, verbose=0,
        checkpoint_every=1, **keywords,
    )  # fmt: skip


def convolutional():
    return with_weights(kr.build_cnn((4, 2, 1), 3, "multiclass", filters=(4,), hidden_units=(8,)))


# Most are trained by 1cycle, which moves the rate and the momentum, or beta_1, in each step.
MODELS = {
    "nesterov": lambda: model(optimizer="nesterov"),
    "adam": lambda: model(optimizer="adam"),
    "nadam": lambda: model(optimizer="nadam"),
    "proximal": lambda: model(l1=0.02, exact_zeros=True),
    "logistic": lambda: with_weights(kr.build_logistic_regression(8, l1=0.02)),
    "softmax": lambda: with_weights(kr.build_logistic_regression(8, 3, l2=0.01)),
    "perceptron": lambda: with_weights(kr.linear.build_perceptron(8, 3)),
    "convolutional": convolutional,
}


def trained_weights(name):
    built = MODELS[name]()
    x, y = data(3 if built.output_shape[-1] == 3 else 2)
    # The optimizer of a perceptron has no momentum to cycle.
    schedule = "constant" if name == "perceptron" else "1cycle"
    fit(built, x.reshape(-1, *built.input_shape[1:]), y, schedule=schedule)
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


def says_what_needs_tensorflow(directory):
    built = model(dropout=0.2)
    pruning = kr.callbacks.MagnitudePruning(0.5, 0, 2)
    for needs in (
        lambda: kr.diagnose(built, *data()),
        lambda: kr.mc_predict(built, data()[0]),
        lambda: fit(built, callbacks=[pruning]),
        lambda: fit(built, callbacks=[kr.callbacks.LayerHealth()]),
        lambda: fit(built, callbacks=[kr.callbacks.StepLog()]),
    ):
        with pytest.raises(RuntimeError, match="must run on TensorFlow"):
            needs()
    table = directory / "table.csv"
    table.write_text("a,y\n" + "1,2\n3,4\n" * 20)
    with pytest.raises(ValueError, match="must be encoded on the TensorFlow backend"):
        kr.load_dataset(table, "y")


def main():
    directory = Path(sys.argv[1])
    for name in MODELS:
        np.savez(directory / f"{name}.npz", *trained_weights(name))
    goes_on_after_an_interruption(directory, trained_weights("nesterov"))
    finds_a_rate_and_leaves_the_model()
    trains_with_every_layer_of_ours()
    says_what_needs_tensorflow(directory)
    run_dir = directory / "recipe"
    sys.argv = ["default_dnn", "--epochs", "2", "--batch-size", "128", "--run-dir", str(run_dir)]
    default_dnn.main()
    print(keras.config.backend())


if __name__ == "__main__":
    main()
