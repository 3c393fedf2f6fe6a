"""Load, build, fit, report: what the recipes of both set-ups do."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from rich.console import Console

import keras_recipes as kr
from keras_recipes.datasets import Dataset
from recipes.command import command_line
from recipes.loss_figure import draw_losses
from recipes.progress import EpochBar
from recipes.report import Report, terminal_table

QUICK_EPOCHS = 3


def train(
    build: Callable[[Dataset], keras.Model],
    arguments: argparse.Namespace,
    run_dir: Path,
    report: Report | None = None,
) -> tuple[keras.Model, Dataset]:
    """Trains a model on the data that the flags name, and prints how good it is.

    Args:
        build: Makes the compiled model for the data.
        arguments: The flags of `training_parser`.
        run_dir: Where the run is kept.
        report: Gets the table of the scores and the figure of the losses, too.

    Returns:
        The trained model and the data.
    """
    console = report.console if report else Console()
    data = kr.load_dataset(
        arguments.data, arguments.target, task=arguments.task, seed=arguments.seed
    )
    console.print(f"{data.name}: {data.task}, {_sizes(data)}")
    console.print(f"run directory: {run_dir}", soft_wrap=True)
    model = build(data)
    epochs = min(arguments.epochs, QUICK_EPOCHS) if arguments.quick else arguments.epochs
    start = time.perf_counter()
    history = kr.fit(
        model,
        data.x_train,
        data.y_train,
        validation_data=(data.x_val, data.y_val),
        epochs=epochs,
        batch_size=arguments.batch_size,
        run_dir=run_dir,
        seed=arguments.seed,
        callbacks=[EpochBar(console)],
        verbose=0,
    )
    seconds = time.perf_counter() - start
    pipeline = run_dir / "pipeline.keras"
    data.pipeline(model).save(pipeline)
    title = f"{data.name}: up to {epochs} epochs at batch {arguments.batch_size}"
    header, rows = ["", model.name], _rows(model, data, history, seconds)
    if report is None:
        console.print(terminal_table(title, header, rows))
    else:
        report.table(title, header, rows)
        _plot(report, history)
    console.print(f"Model: {run_dir / 'model.keras'}", soft_wrap=True, markup=False)
    console.print(f"With its preprocessing: {pipeline}", soft_wrap=True, markup=False)
    logs = run_dir if run_dir.parent == Path() else run_dir.parent  # beside the other runs
    look = command_line("tensorboard.main", "--logdir", logs)
    console.print(f"Look at the run:  {look}", soft_wrap=True, markup=False)
    if data.feature_names:
        predict = command_line("recipes.predict", "--run-dir", run_dir, "--data", "NEW.csv")
        console.print(f"Predict new rows: {predict}", soft_wrap=True, markup=False)
    return model, data


def _sizes(data: Dataset) -> str:
    rows = ", ".join(
        f"{len(x)} {name}"
        for name, x in (("train", data.x_train), ("validation", data.x_val), ("test", data.x_test))
    )
    return f"{rows} rows, inputs {data.input_shape}"


def _rows(
    model: keras.Model, data: Dataset, history: keras.callbacks.History, seconds: float
) -> list[list[str]]:
    name = "RMSE" if data.task == "regression" else "accuracy"
    parts = {
        "train": (data.x_train, data.y_train),
        "validation": (data.x_val, data.y_val),
        "test": (data.x_test, data.y_test),
    }
    rows = [[f"{part} {name}", score(model, data, *pair)] for part, pair in parts.items()]
    run, best = len(history.history["loss"]), history.best_epoch + 1
    return [
        *rows,
        ["epochs run", f"{run}"],
        ["best epoch", f"{best}"],
        ["seconds", f"{seconds:.1f}"],
    ]


def _plot(report: Report, history: keras.callbacks.History) -> None:
    axes = report.axes()
    if axes is not None:
        names = {"training": "loss", "validation": "val_loss"}
        losses = {name: [{"loss": history.history[key]}] for name, key in names.items()}
        draw_losses(axes, losses, "loss", "loss in")
        report.figure("loss", axes.figure)


def score(model: keras.Model, data: Dataset, x: np.ndarray, y: np.ndarray) -> str:
    """Returns the accuracy, or the RMSE of each target in its units, as text.

    Args:
        model: A trained model.
        data: What it was trained on.
        x: Inputs.
        y: Their targets.
    """
    scores = kr.evaluate(model, x, y)
    if data.task != "regression":
        return f"{next(value for name, value in scores.items() if 'accuracy' in name):.4f}"
    # Over all targets: each one's share in its own units.
    predicted = kr.predict(model, x).reshape(y.shape)
    errors = np.sqrt(np.mean((predicted - y) ** 2, axis=0)) * data.target_scale
    return ", ".join(f"{error:.5g}" for error in np.atleast_1d(errors))
