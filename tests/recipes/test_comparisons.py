"""The recipes that train several networks: what their numbers must say, even of short trainings."""

import sys
import warnings

import keras
import numpy as np
import pytest
from keras.callbacks import LambdaCallback
from keras.layers import AlphaDropout
from matplotlib.figure import Figure

import keras_recipes
from keras_recipes import build_default_dnn, build_self_normalizing_dnn, load_dataset
from recipes import book_exercise, cnn, command, regularization
from recipes import comparison as comparison_module
from recipes import report as report_module
from recipes.columns import last_rate, mean_and_deviation
from recipes.comparison import (
    FARTHEST,
    QUICK_EPOCHS,
    Comparison,
    Outcome,
    Variant,
    lowest,
    score,
)
from recipes.loss_figure import draw_losses
from recipes.sparse_models import penalties_for


def column(table, head):
    return {name: float(row[head]) for name, row in table.items()}


def test_each_initializer_keeps_the_variance_of_its_activation(report):
    table, narrowing = report("initialization", "--depth", 10, figures=["variance"])
    assert [row["the book's"] for row in table.values()] == ["Glorot", "He", "LeCun"]
    kept = [
        (table["relu"], "He"),
        (table["selu"], "LeCun"),
    ]
    for row, name in kept:
        for way in ("signal", "gradient"):
            assert float(row[f"{name}: {way}"]) == pytest.approx(1, abs=0.1)
    # Half of the units are 0, so that half of the variance is lost in each layer.
    assert float(table["relu"]["LeCun: signal"]) == pytest.approx(0.5, abs=0.05)
    assert float(table["relu"]["LeCun: gradient"]) == pytest.approx(0.5, abs=0.05)
    assert "LeCun" in table["selu"]["measured"]
    # A gradient on its way back goes through as many weights as a layer has units, of 1 / inputs each.
    narrower = 10 ** (-1 / 9)
    assert float(narrowing["selu"]["LeCun: signal"]) == pytest.approx(1, abs=0.1)
    assert float(narrowing["selu"]["LeCun: gradient"]) == pytest.approx(narrower, abs=0.1)
    # Glorot's variance, 2 / (inputs + units), is between what the two ask for.
    assert float(narrowing["tanh"]["Glorot: gradient"]) > float(
        narrowing["tanh"]["LeCun: gradient"]
    )


def test_a_signal_that_has_died_out_is_kept_by_none(report):
    for table in report("initialization", "--depth", 3, "--width", 1):
        assert table["relu"]["measured"] == "none"
        assert table["selu"]["measured"] != "none"


def test_activations_that_do_not_saturate_learn_faster(report):
    [table] = report("activations", figures=["val_loss"])
    accuracy = column(table, "test accuracy")
    assert list(accuracy) == ["elu", "relu", "sigmoid"]
    assert min(accuracy["elu"], accuracy["relu"]) > 0.8 > accuracy["sigmoid"]
    assert table["elu"]["dead units"] == table["sigmoid"]["dead units"] == "0.0%"
    assert all(float(row["µs a step"]) > 0 for row in table.values())


def test_batch_normalization_of_a_slow_momentum_lags_behind(report):
    [table] = report("batch_norm")
    first = column(table, "validation loss after epoch 1")
    assert 1.3 * first["before, momentum 0.9"] < first["after, momentum 0.999"]
    assert column(table, "test accuracy")["none"] > 0.8


def test_clipping_keeps_a_training_that_would_diverge(report):
    [table] = report("gradient_clipping")
    assert table["none"]["test accuracy"] == "diverged 1 of 1 times"
    clipped = [row for name, row in table.items() if name != "none"]
    assert all(float(row["test accuracy"]) > 0.3 for row in clipped)
    norms = column(table, "norm of the first gradient")
    assert norms["global_clipnorm=10"] == pytest.approx(10)
    assert max(norms, key=norms.get) == "none"
    turned = column(table, "turned by, degrees")
    assert turned["none"] == turned["global_clipnorm=10"] == 0
    assert turned["clipvalue=0.1"] > 10


def test_optimizers_with_momentum_are_faster(report, monkeypatch):
    told = []
    monkeypatch.setattr(command, "_show_warning", lambda message, *_, **__: told.append(message))
    constant, cycled = report("optimizers", figures=["constant", "1cycle"])
    assert not told  # of plain SGD, which has no momentum to cycle
    epochs = next(head for head in constant["sgd"] if head.startswith("epochs to"))
    assert float(constant["nadam"][epochs]) <= float(constant["sgd"][epochs])
    kept = column(constant, "values kept a weight")
    assert kept == {"sgd": 0, "nadam": 2}
    assert min(column(cycled, "test accuracy").values()) > 0.8
    for row in (*constant.values(), *cycled.values()):
        steps = np.log(float(row["of the suggestion"])) / np.log(3)
        assert steps == pytest.approx(round(steps), abs=0.02)


def test_schedules_go_as_they_are_called(report):
    [table] = report("schedules", figures=["val_loss", "learning_rate"])
    assert min(column(table, "test accuracy").values()) > 0.8
    rates, last = column(table, "rate"), column(table, "last rate")
    # At the end of a training of which each half divides it by ten.
    assert last["exponential"] == pytest.approx(rates["exponential"] / 100, rel=0.1)
    assert last["1cycle"] < rates["1cycle"] / 100


def test_each_training_has_the_best_of_the_rates(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = command.comparison_parser("").parse_args(["--data", "wine", "--seeds", "2"])
    comparison = Comparison("rates", arguments)

    def build(seed):
        return build_default_dnn(**comparison.inputs(), hidden_units=(20,), seed=seed)

    variants = [Variant("constant", build, {"schedule": "constant"})]
    monkeypatch.setattr(comparison_module, "RATE_STEP", 1e4)
    [outcomes] = comparison.run(variants, (), search_rate=True).values()
    suggestions = [each.rate / each.multiple for each in outcomes]
    assert [each.multiple for each in outcomes] == [1, 1]
    assert all(0 < suggestion < 10 for suggestion in suggestions)
    for each in outcomes:
        assert each.history["learning_rate"][0] == pytest.approx(each.rate)
        assert each.val_loss == min(each.history["val_loss"])


@pytest.mark.parametrize("best", [-4, -1, 0, 1, 3])
def test_a_search_goes_on_until_the_best_is_not_at_its_edge(best):
    tried = []
    assert lowest(lambda step: tried.append(step) or step, lambda step: abs(step - best)) == best
    assert set(tried) == set(range(min(best, 0) - 1, max(best, 0) + 2))
    assert len(tried) == len(set(tried))


def test_a_search_ends_where_nothing_is_best():
    assert lowest(lambda step: step, lambda step: -step) == FARTHEST
    assert lowest(lambda step: step, lambda step: np.inf) == -FARTHEST


def test_a_figure_names_what_it_does_not_draw():
    axes = Figure().subplots()
    histories = {
        "a": [{"val_loss": [1.0, 0.5, 0.3]}, {"val_loss": [1.2, 0.7]}],
        "b": [{"val_loss": [0.9, 0.4]}],
        "same as b": [{"val_loss": [0.9, 0.4]}],
        "high": [{"val_loss": [50.0, 40.0]}],
        "none": [{}],
    }
    draw_losses(axes, histories, "val_loss", "these")
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["a", "b, same as b", "high: from 40 up", "none: diverged"]
    assert axes.get_legend().get_title().get_text() == "these"
    assert axes.lines[0].get_ydata() == pytest.approx([1.1, 0.6])
    assert axes.get_ylim()[1] < 5


def test_regularization_costs_training_accuracy(report):
    [table] = report("regularization", "--samples", 10)
    assert list(table) == ["none", "early stopping", "dropout=0.3", "MC dropout=0.3"]
    train = column(table, "training accuracy")
    assert train["dropout=0.3"] < train["none"]
    assert min(column(table, "test accuracy").values()) > 0.6
    dropped = (table["dropout=0.3"], table["MC dropout=0.3"])
    assert dropped[0]["test loss"] != dropped[1]["test loss"]


def test_regularization_is_compared_at_a_constant_rate(monkeypatch, tmp_path):
    rates, fit = [], keras_recipes.fit

    def watched(model, *data, callbacks, **keywords):
        watch = LambdaCallback(
            on_epoch_end=lambda epoch, logs: rates.append(float(model.optimizer.learning_rate))
        )
        return fit(model, *data, callbacks=[*callbacks, watch], **keywords)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["regularization", "--quick", "--rows", "100"])
    monkeypatch.setattr(keras_recipes, "fit", watched)
    regularization.main()
    assert rates == pytest.approx([0.01] * 3 * QUICK_EPOCHS)


def test_zeros_cost_less_than_a_smaller_network(report):
    accuracy, file, made = report("sparse_models", figures=["accuracy"])
    assert list(accuracy) == list(file) == ["0%", "80%"]
    assert min(float(row["pruned"]) for row in accuracy.values()) > 0.8
    assert float(file["80%"]["pruned"]) < 0.4 * float(file["0%"]["pruned"])
    assert float(made["80%"]["its zeros"][:-1]) == pytest.approx(80, abs=5)
    width = int(made["80%"]["width of the dense network"])
    weights = 64 * 100 + 2 * 100 * 100 + 100 * 10
    assert 64 * width + 2 * width**2 + 10 * width == pytest.approx(weights * 0.2, rel=0.1)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_penalty_of_a_share_of_zeros(scale):
    tried = []

    def zeros_of(penalty):
        tried.append(penalty)
        return 1 / (1 + (3e-4 * scale / penalty) ** 1.5)

    shares = (0.5, 0.8, 0.99)
    found = penalties_for(shares, zeros_of, 0.005)
    assert list(found) == list(shares)
    assert [zeros_of(found[share]) for share in shares] == pytest.approx(shares, abs=0.005)
    assert len(tried) < 30


def test_max_norm_keeps_its_bounds(report):
    [table] = report("max_norm", "--data", "wine")
    norms = column(table, "largest norm")
    assert list(norms) == ["none", "0.5", "2"]
    assert norms["0.5"] < 0.5 + 1e-3 < norms["none"]
    assert norms["2"] < 2 + 1e-3


def test_the_exercise_goes_through_its_steps(report):
    [table] = report("book_exercise", "--data", "digits", "--samples", 5, "--batch-size", 64)
    dropped = ["SELU, alpha dropout", "SELU, alpha dropout once"]
    predicted = [name.replace("alpha", "MC alpha") for name in dropped]
    assert list(table) == ["ELU, He, Nadam", *dropped, *predicted]
    assert min(column(table, "test accuracy").values()) > 0.8
    for plain, drawn in zip(dropped, predicted, strict=True):
        assert table[plain]["test loss"] != table[drawn]["test loss"]


def test_alpha_dropout_once_is_before_the_output():
    whole = build_self_normalizing_dnn(4, 3, "multiclass", hidden_units=(5, 5), optimizer="nadam")
    dropped = book_exercise.dropped_once(whole, seed=0)
    last = dropped.layers[-2]
    assert [each for each in dropped.layers if isinstance(each, AlphaDropout)] == [last]
    x = np.ones((6, 4), "float32")
    np.testing.assert_array_equal(dropped(x), whole(x))
    before = dropped.get_weights()
    keras_recipes.fit(dropped, x, np.arange(6) % 3, epochs=1, max_learning_rate=0.01, verbose=0)
    assert all((a != b).any() for a, b in zip(before, dropped.get_weights(), strict=True))


class Opened(Exception):
    """Ends a recipe where it would train."""


@pytest.mark.parametrize(("flags", "name"), [([], "digits"), (["--data", "wine"], "wine")])
def test_the_exercise_is_on_digits_where_cifar10_is_not_to_be_had(flags, name, monkeypatch, capsys):
    def load_data():
        raise OSError("no connection")

    def run(comparison, *_, **__):
        raise Opened(comparison.data.name)

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", load_data)
    monkeypatch.setattr(Comparison, "run", run)
    monkeypatch.setattr(sys, "argv", ["book_exercise", *flags])
    with pytest.raises(Opened, match=name):
        book_exercise.main()
    told = "CIFAR-10 is not to be had, digits instead" in capsys.readouterr().out
    assert told == (not flags)


def test_convolutions_and_dense_layers_on_the_same_images(report):
    [table] = report("cnn", figures=["val_loss"])
    assert list(table) == ["dense", "convolutional, narrow", "convolutional, batch norm"]
    assert min(column(table, "test accuracy").values()) > 0.7
    filters = {"convolutional, narrow": (8, 16), "convolutional, batch norm": (32, 64)}
    for name, (one, two) in filters.items():
        kernels = 9 * one + 9 * one * two + 4 * two * 100 + 100 * 10
        others = 10 + (one + two + 100) * (2 if "norm" in name else 1)  # scales and offsets
        assert int(table[name]["parameters"]) == kernels + others
    assert int(table["dense"]["parameters"]) == 65 * 100 + 2 * 101 * 100 + 101 * 10
    assert all(float(row["µs a step"]) > 0 for row in table.values())


def test_convolutions_on_colour_images_of_a_file(report, tmp_path):
    y = np.arange(120) % 3
    x = np.random.default_rng(0).integers(0, 100, (120, 6, 5, 3))
    x[np.arange(120), :, :, y] += 100  # the brightest channel is the class
    np.savez(tmp_path / "images.npz", x=x.astype("uint8"), y=y)
    [table] = report("cnn", "--data", "images.npz", "--blocks", 1)
    assert column(table, "test accuracy")["convolutional, narrow"] > 0.9


def test_convolutions_want_images(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cnn", "--data", "wine"])
    with pytest.raises(SystemExit, match="2"), warnings.catch_warnings():
        command.run(cnn.main)
    assert "`input_shape` must be that of an image" in capsys.readouterr().err


def test_scores_are_in_the_units_of_the_target():
    data = load_dataset("diabetes")
    assert score(data, data.y_test[:, np.newaxis], data.y_test) == 0
    error = score(data, np.zeros((len(data.y_test), 1)), data.y_test)
    assert error == pytest.approx(np.sqrt(np.mean(data.y_test**2)) * data.target_scale)
    digits = load_dataset("digits")
    assert score(digits, np.eye(10)[digits.y_test], digits.y_test) == 1


def test_a_training_that_diverged_is_told_of():
    assert mean_and_deviation([1.0, 2.0, 3.0], digits=1) == "2.0 ± 1.0"
    assert mean_and_deviation([0.5]) == "0.5000"
    assert mean_and_deviation([0.5, float("nan")]) == "diverged 1 of 2 times"
    trained = [{"learning_rate": [0.2, 0.1]}, {"learning_rate": [0.2, 0.3]}]
    outcomes = [Outcome(keras.Model(), history) for history in ({}, *trained)]
    assert last_rate(outcomes) == "0.1"
    assert last_rate(outcomes[:1]) == "nan"


def test_a_page_without_a_place_for_the_report(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# By hand\n")
    with pytest.raises(ValueError, match="must have the lines <!-- measured -->"):
        report_module.read_page(page)
    with pytest.raises(FileNotFoundError):
        report_module.read_page(tmp_path / "none.md")


def test_quick_is_of_few_rows(tmp_path):
    np.savez(tmp_path / "many.npz", x=np.zeros((5000, 3)), y=np.arange(5000) % 2)
    parser = command.comparison_parser("", epochs=1)
    arguments = parser.parse_args(["--data", str(tmp_path / "many.npz"), "--quick"])
    data = Comparison("quick", arguments).data
    assert len(data.x_train) == len(data.y_train) == comparison_module.QUICK_ROWS
    assert len(data.x_val) == len(data.y_val) < comparison_module.QUICK_ROWS
