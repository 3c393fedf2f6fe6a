"""Each recipe as a command: what it prints and leaves, and how it fails."""

import functools
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from matplotlib import pyplot

import keras_recipes
from recipes import command, mc_dropout

ROOT = Path(__file__).parents[2]


REPORTS = [
    path.stem
    for path in sorted((ROOT / "recipes").glob("*.py"))
    if re.search(r"(Report|Comparison)\(\"", path.read_text())
]
BAD_REPORTS = [
    (["--seed", "-1"], "--seed: must be an integer in [0, 2**31). Received: '-1'"),
    (["--seed", str(2**31)], "--seed: must be"),
    (["--page", "none.md"], "none.md"),
    (["--page", "flowers.csv"], "must have the lines <!-- measured -->"),
    (["--run-dir", "flowers.csv"], "`--run-dir` must be a directory"),
    (["--run-dir", "flowers.csv/run"], "where flowers.csv is a file"),
]
TRAIN = [
    "self_normalizing_dnn", "--data", "flowers.csv", "--target", "kind",
    "--epochs", 10, "--run-dir", "runs/flowers", "--seed", 3,
]  # fmt: skip
DIAGNOSE = ["--model", "runs/flowers/model.keras", "--data", "flowers.csv", "--target", "kind"]
PREDICT = ["--run-dir", "runs/flowers", "--data", "flowers.csv"]


def run_process(cwd, module, *arguments):
    return subprocess.run(
        [sys.executable, "-m", f"recipes.{module}", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        text=True,
        capture_output=True,
    )


def flowers(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "height": rng.normal(50, 10, rows),
            "colour": rng.choice(["red", "white"], rows),
            "petals": rng.integers(3, 9, rows),
        }
    )
    frame["kind"] = np.where(frame["height"] + 10 * (frame["colour"] == "red") > 55, "rose", "lily")
    frame.loc[::17, "height"] = np.nan
    return frame


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("recipes")
    flowers().to_csv(place / "flowers.csv", index=False)
    result = run_process(place, *TRAIN)
    assert result.returncode == 0, result.stderr
    return place, result.stdout


@pytest.mark.parametrize(
    "name",
    [
        "activations",
        "book_exercise",
        "initialization",
        "mc_dropout",
        "regularization",
        "sparse_models",
    ],
)
def test_what_needs_tensorflow_is_said_before_any_training(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name])
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    monkeypatch.setattr(keras_recipes, "fit", None)
    with pytest.raises(RuntimeError, match=r"must run on TensorFlow\. Received: backend 'torch'"):
        importlib.import_module(f"recipes.{name}").main()
    assert not list(tmp_path.iterdir())


def test_training_ends_with_a_report(trained):
    place, printed = trained
    scores = dict(re.findall(r"(train|validation|test) accuracy\s*│\s*([0-9.]+)", printed))
    assert set(scores) == {"train", "validation", "test"}
    assert float(scores["train"]) > 0.8
    assert re.search(r"epochs run\s*│\s*10", printed)
    assert re.search(r"seconds\s*│\s*\d", printed)
    assert "epoch 10/10" in printed
    assert "run directory: runs/flowers" in printed
    for name in ("logs", "model.keras", "pipeline.keras", "checkpoints", "run.json"):
        assert (place / "runs" / "flowers" / name).exists()


def printed_command(printed, start):
    return shlex.split(re.search(rf"^{start} *(.*)$", printed, re.M)[1])


def test_the_commands_that_it_prints_run(trained):
    place, printed = trained
    flowers(5).to_csv(place / "NEW.csv", index=False)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run_here = functools.partial(
        subprocess.run, cwd=place, env=environment, text=True, capture_output=True, check=True
    )
    result = run_here(printed_command(printed, "Predict new rows:"))
    assert "5 predictions in predictions.csv" in result.stdout
    look = printed_command(printed, "Look at the run:")
    assert look[-2:] == ["--logdir", "runs"]
    assert "epoch/loss" in run_here([*look, "--inspect"]).stdout


def test_the_same_command_again_goes_on(trained, run):
    place, printed = trained
    again = run(*TRAIN, cwd=place)
    scores = re.findall(r"accuracy\s*│\s*([0-9.]+)", printed)
    assert re.findall(r"accuracy\s*│\s*([0-9.]+)", again) == scores


def test_predictions_for_a_new_csv(trained, run):
    place, _ = trained
    new = flowers(30, seed=1)
    new.loc[0, "colour"] = "green"
    new[["petals", "kind", "colour", "height"]].to_csv(place / "new.csv", index=False)
    run("predict", "--run-dir", "runs/flowers", "--data", "new.csv", cwd=place)
    predictions = pd.read_csv(place / "predictions.csv")
    assert (predictions["prediction"] == new["kind"]).mean() > 0.7
    assert list(predictions.columns) == ["prediction", "probability_lily", "probability_rose"]


def test_each_run_has_a_directory_of_its_own(tmp_path, run):
    for number in (1, 2):
        assert "RMSE" in run("default_dnn", "--data", "diabetes", "--epochs", 1)
        model = keras.models.load_model(tmp_path / "runs" / f"default_dnn-{number}" / "model.keras")
        assert model.name == "default_dnn"


@pytest.mark.parametrize(
    ("module", "arguments", "match"),
    [
        ("default_dnn", ["--data", "digit"], "Did you mean 'digits'"),
        ("default_dnn", ["--data", "none.csv", "--target", "x"], "none.csv"),
        ("default_dnn", ["--data", "flowers.csv"], "`target` must be a column"),
        ("default_dnn", ["--data", "flowers.csv", "--target", "kinds"], "Did you mean 'kind'"),
        ("default_dnn", ["--epochs", "0"], "--epochs: must be an integer in"),
        ("default_dnn", ["--batch-size", "-1"], "--batch-size: must be an integer in"),
        ("default_dnn", ["--epochs", "many"], "Received: 'many'"),
        ("default_dnn", ["--seed", "-1"], "--seed: must be an integer in [0, 2**31)"),
        ("cnn", ["--data", "digit"], "Did you mean 'digits'"),
        ("schedules", ["--task", "binry"], "Did you mean 'binary'"),
        ("initialization", ["--depth", "2"], "--depth: must be at least 3"),
        *((recipe, *each) for recipe in REPORTS for each in BAD_REPORTS),
        ("default_dnn", ["--data", "one.csv", "--target", "kind"], "kind"),
        ("default_dnn", ["--data", "text.npz"], "text.npz"),
        ("self_normalizing_dnn", ["--data", "wine", "--target", "x"], "`target` must be None"),
        ("default_dnn", ["--task", "binry"], "Did you mean 'binary'"),
        ("default_dnn", ["--nonsense", "1"], "All flags: --help"),
        ("mc_dropout", ["--dropout", "1"], "--dropout: must be in (0, 1)"),
        ("diagnose", ["--model", "none.keras"], "--model: must be a file"),
        ("diagnose", ["--model", "flowers.csv"], "--model: must end in .keras"),
        ("diagnose", [*DIAGNOSE, "--seed", "-1"], "--seed: must be an integer in [0, 2**31)"),
        ("diagnose", [*DIAGNOSE, "--plot", "none/layers.png"], "--plot: must be in a directory"),
        (
            "diagnose",
            [*DIAGNOSE, "--plot", "layers.xyz"],
            "must be a file that ends in one of .png",
        ),
        ("diagnose", [*DIAGNOSE, "--plot", "layers"], "must be a file that ends in one of .png"),
        (
            "diagnose",
            [*DIAGNOSE, "--plot", "folder.png"],
            "must be a file that ends in one of .png",
        ),
        ("predict", [*PREDICT, "--output", "none/out.csv"], "--output must be a file"),
        ("predict", [*PREDICT, "--output", "runs"], "--output must be a file"),
        ("predict", ["--run-dir", "runs/plain", "--data", "flowers.csv"], "pipeline"),
        ("predict", ["--run-dir", "runs/none", "--data", "flowers.csv"], "finished training"),
        ("predict", ["--run-dir", "runs/flowers", "--data", "none.csv"], "none.csv"),
        ("predict", ["--run-dir", "runs/flowers", "--data", "less.csv"], "height"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_status_2(
    trained, module, arguments, match, monkeypatch, capsys
):
    place, _ = trained
    flowers().assign(kind="rose").to_csv(place / "one.csv", index=False)
    flowers().drop(columns="height").to_csv(place / "less.csv", index=False)
    (place / "text.npz").write_text("not an archive")
    (place / "runs" / "plain").mkdir(exist_ok=True)
    (place / "folder.png").mkdir(exist_ok=True)
    shutil.copy(place / "runs" / "flowers" / "model.keras", place / "runs" / "plain")
    before = sorted(place.rglob("*"))
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    with pytest.raises(SystemExit, match="2"), warnings.catch_warnings():
        command.run(importlib.import_module(f"recipes.{module}").main)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert match in line
    assert sorted(place.rglob("*")) == before


def test_every_recipe_with_a_report_is_tried():
    assert len(REPORTS) == 18
    assert {"gradient_descent", "initialization", "book_exercise", "sparse_models"} <= set(REPORTS)


@pytest.mark.parametrize("name", ["default_dnn", "self_normalizing_dnn"])
def test_quick_is_of_few_epochs(name, tmp_path, run):
    for arguments, epochs in (([], 3), (["--epochs", 2], 2)):
        printed = run(name, "--quick", *arguments)
        assert re.search(rf"epochs run\s*│\s*{epochs}\b", printed)
    [report, _] = sorted(tmp_path.glob("runs/*/report.md"))
    assert f"|  | {name} |" in report.read_text()
    assert "| epochs run | 3 |" in report.read_text()
    assert "![loss](loss.png)" in report.read_text()
    assert report.with_name("loss.png").stat().st_size > 1000


def test_mc_dropout_lists_and_draws_what_is_least_certain(tmp_path, run):
    printed = run("mc_dropout", "--quick", "--show", 25)
    assert re.search(r"epochs run\s*│\s*3", printed)
    assert "10 draws on the test set" in printed
    assert re.search(r"log loss\s*│\s*[0-9.]+\s*│\s*[0-9.]+", printed)
    table = printed.partition("Least certain test examples")[2]
    entropies = [float(found) for found in re.findall(r"│\s*([0-9.]+) │$", table, re.M)]
    assert len(entropies) == 25
    assert entropies == sorted(entropies, reverse=True)
    run_dir = tmp_path / "runs" / "mc_dropout-1"
    names = {"calibration", "least_certain"}
    assert all((run_dir / f"{name}.png").stat().st_size > 1000 for name in names)
    logged = {
        value.tag
        for path in (run_dir / "logs").glob("*tfevents.board.tag*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert logged == {f"uncertainty/{name}" for name in names}
    height, width = pyplot.imread(run_dir / "least_certain.png").shape[:2]
    assert height / width == pytest.approx(5 * 2.7 / 10, rel=0.01)  # 20 of them, four a line


def test_mc_dropout_of_a_regression_fits_the_noise(run):
    printed = run("mc_dropout", "--data", "diabetes", "--epochs", 3, "--show", 2)
    shares = re.search(
        r"targets in the 90% interval\s*│\s*([0-9.]+)% │\s*([0-9.]+)% │\s*([0-9.]+)%", printed
    )
    noise, dropout, both = map(float, shares.groups())
    assert dropout < min(noise, both)


def test_mc_dropout_reports_without_what_draws_that_do_not_differ_cannot_say(tmp_path, report):
    scores, examples = report("mc_dropout", "--data", "diabetes", "--samples", 1)[:2]
    assert list(scores["log likelihood in target units"]) == ["", "noise alone", "both"]
    assert all(float(example["std of the draws"]) == 0 for example in examples.values())
    told = (tmp_path / "run" / "report.md").read_text()
    assert "Dropout alone is left out" in told
    assert "Take more --samples" in told


def test_mc_dropout_shows_an_example_as_it_is_in_the_file(tmp_path, report):
    frame = flowers()
    frame["price"] = 300_000 + 1000 * frame["petals"] + 100 * np.arange(len(frame))
    frame.to_csv(tmp_path / "flowers.csv", index=False)
    arguments = ("--data", "flowers.csv", "--target", "price", "--show", 6)
    scores, examples, *values = report("mc_dropout", *arguments, figures=["calibration"])
    likelihood = scores["log likelihood in target units"]
    assert all(float(likelihood[name]) < -5 for name in ("noise alone", "both"))
    assert len(examples) == 6
    for row, example in examples.items():
        assert float(example["truth"]) == frame["price"][int(row)]
        assert 10 < float(example["std of the draws"]) < 100_000
    for table in values:
        for column, cells in table.items():
            for row, cell in list(cells.items())[1:]:
                expected = frame[column][int(row)]
                if pd.isna(expected):
                    assert cell == "missing"
                elif isinstance(expected, str):
                    assert cell == expected
                else:
                    assert float(cell) == pytest.approx(expected, rel=1e-6)
    shown = [row for table in values for row in list(table["petals"])[1:]]
    assert shown == list(examples)


@pytest.mark.parametrize(
    ("shape", "images"),
    [
        ((8, 6), (8, 6)),  # of fractions, as MNIST may be saved
        ((8, 6, 1), (8, 6)),
        ((8, 6, 2), None),
        ((8, 6, 3), (8, 6, 3)),
        ((8, 6, 4), (8, 6, 4)),
        ((8, 6, 5), None),
        ((64,), (8, 8)),
        ((63,), None),
        ((49,), None),
    ],
)
def test_mc_dropout_takes_for_images_what_can_be_drawn(shape, images, tmp_path):
    x, y = np.random.default_rng(0).random((60, *shape)), np.arange(60) % 3
    np.savez(tmp_path / "some.npz", x=x, y=y)
    data = keras_recipes.load_dataset(tmp_path / "some.npz")
    found = mc_dropout.images_of(data)
    assert (None if found is None else found.shape[1:]) == images
    if found is not None:
        np.testing.assert_array_equal(found.ravel(), data.x_test.ravel())


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_mc_dropout_takes_no_columns_for_images(kind, tmp_path, report):
    x, y = np.random.default_rng(0).normal(size=(100, 64)), np.arange(100) % 3
    frame = pd.DataFrame(x, columns=[f"x{index}" for index in range(64)]).assign(kind=y)
    frame.to_csv(tmp_path / "wide.csv", index=False)
    np.savez(tmp_path / "wide.npz", x=x, y=y)
    target = ("--target", "kind") if kind == "csv" else ()
    _, _, values = report("mc_dropout", "--data", f"wide.{kind}", *target, "--show", 4)
    assert list(values) == [f"x{index}" for index in range(12)]
    assert not (tmp_path / "run" / "least_certain.png").exists()


def test_mc_dropout_counts_the_rows_of_a_test_set_of_the_file(tmp_path, report):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(120, 14)).astype("float32"), np.arange(120) % 3
    np.savez(tmp_path / "own.npz", x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:])
    _, examples, values = report("mc_dropout", "--data", "own.npz", "--show", 4)
    assert list(values) == [f"x{index}" for index in range(12)]
    for row, example in examples.items():
        assert example["truth"] == str(y[80 + int(row)])
        assert float(values["x3"][row]) == pytest.approx(x[80 + int(row), 3], rel=1e-6)


def test_diagnose_tells_of_a_saved_model(trained, tmp_path, run):
    place, _ = trained
    healthy = run(
        "diagnose", "--model", "runs/flowers/model.keras", "--data", "flowers.csv",
        "--target", "kind", "--seed", 3, "--plot", tmp_path / "layers.png", cwd=place,
    )  # fmt: skip
    assert "hidden_1" in healthy
    assert (tmp_path / "layers.png").stat().st_size > 1000
    sick = keras_recipes.build_default_dnn(
        64, 10, "multiclass", activation="sigmoid", hidden_units=(50,) * 10, normalization=None
    )
    sick.save(tmp_path / "sick.keras")
    assert "vanishing gradients at hidden_1" in run("diagnose", "--model", "sick.keras")


def test_a_command_ends_with_status_2_and_without_a_traceback(tmp_path):
    result = run_process(tmp_path, "default_dnn", "--data", "digit")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("error", [OSError, ImportError, FloatingPointError])
def test_what_stops_a_training_is_one_line_wherever_it_was_raised(error, capsys):
    def fail():
        raise error("no space\nleft")

    with pytest.raises(SystemExit, match="2"), warnings.catch_warnings():
        command.run(fail)
    assert capsys.readouterr().err == "error: no space left\n"


def test_a_fault_of_the_program_keeps_its_traceback():
    with pytest.raises(ValueError, match="Expecting value"), warnings.catch_warnings():
        command.run(lambda: json.loads("x"))


def test_a_warning_is_one_line(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        command.run(lambda: warnings.warn("all are equal", stacklevel=1))
    assert capsys.readouterr().err == "warning: all are equal\n"


def test_the_task_can_be_set(run):
    assert "test RMSE" in run("default_dnn", "--task", "regression", "--epochs", 1)
