"""Load, build, fit, report: what the recipes of both set-ups do."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

import keras_recipes as kr
from keras_recipes.datasets import Dataset
from recipes.command import command_line
from recipes.progress import EpochBar

QUICK_EPOCHS = 3


def train(
    build: Callable[[Dataset], keras.Model], arguments: argparse.Namespace, run_dir: Path
) -> tuple[keras.Model, Dataset]:
    """Trains a model on the data that the flags name, and prints the report.

    Args:
        build: Makes the compiled model for the data.
        arguments: The flags of `training_parser`.
        run_dir: Where the run is kept.

    Returns:
        The trained model and the data.
    """
    console = Console()
    data = kr.load_dataset(
        arguments.data, arguments.target, task=arguments.task, seed=arguments.seed
    )
    console.print(f"{data.name}: {data.task}, {_sizes(data)}")
    console.print(f"run directory: {run_dir}", soft_wrap=True)
    model = build(data)
    start = time.perf_counter()
    history = kr.fit(
        model,
        data.x_train,
        data.y_train,
        validation_data=(data.x_val, data.y_val),
        epochs=min(arguments.epochs, QUICK_EPOCHS) if arguments.quick else arguments.epochs,
        batch_size=arguments.batch_size,
        run_dir=run_dir,
        seed=arguments.seed,
        callbacks=[EpochBar(console)],
        verbose=0,
    )
    seconds = time.perf_counter() - start
    pipeline = run_dir / "pipeline.keras"
    data.pipeline(model).save(pipeline)
    console.print(_report(model, data, history, seconds, run_dir))
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


def _report(
    model: keras.Model,
    data: Dataset,
    history: keras.callbacks.History,
    seconds: float,
    run_dir: Path,
) -> Table:
    name = "RMSE" if data.task == "regression" else "accuracy"
    table = Table(title=f"{model.name} on {data.name}", show_header=False)
    for part, x, y in (
        ("train", data.x_train, data.y_train),
        ("validation", data.x_val, data.y_val),
        ("test", data.x_test, data.y_test),
    ):
        table.add_row(f"{part} {name}", score(model, data, x, y))
    table.add_row("epochs run", str(len(history.history["loss"])))
    table.add_row("seconds", f"{seconds:.1f}")
    table.add_row("logs", str(run_dir / "logs"))
    table.add_row("model", str(run_dir / "model.keras"))
    table.add_row("with its preprocessing", str(run_dir / "pipeline.keras"))
    return table


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
