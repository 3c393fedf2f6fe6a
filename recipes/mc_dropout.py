"""Train with dropout, predict with its uncertainty, and list the examples that are least certain."""

import argparse
import math
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

import keras_recipes as kr
from keras_recipes.checks import check_tensorflow
from keras_recipes.datasets import Dataset
from keras_recipes.extras import import_extra
from keras_recipes.uncertainty import Calibration, MCPrediction, calibration
from recipes.command import add_quick_flag, count, new_run_directory, run, training_parser
from recipes.train import train

SCORES = ("expected_calibration_error", "brier_score", "log_loss", "log_likelihood")
QUICK_EPOCHS, QUICK_SAMPLES = 3, 10


def main() -> None:
    parser = training_parser(__doc__)
    parser.add_argument(
        "--dropout", type=float, default=0.2, metavar="RATE", help="rate, in (0, 1)"
    )
    parser.add_argument("--samples", type=count, default=100, metavar="N", help="draws an example")
    parser.add_argument("--show", type=count, default=8, metavar="N", help="examples to list")
    add_quick_flag(parser)
    arguments = parser.parse_args()
    check_tensorflow("`recipes.mc_dropout`")
    if not 0 < arguments.dropout < 1:
        parser.error(f"argument --dropout: must be in (0, 1). Received: {arguments.dropout}")
    if arguments.quick:
        arguments.epochs = min(arguments.epochs, QUICK_EPOCHS)
        arguments.samples = min(arguments.samples, QUICK_SAMPLES)

    def build(data: Dataset) -> keras.Model:
        return kr.build_default_dnn(
            data.input_shape,
            data.n_outputs,
            data.task,
            adapt_to=data.adapt_to,
            dropout=arguments.dropout,
            seed=arguments.seed,
        )

    run_dir = arguments.run_dir or new_run_directory("mc_dropout")
    model, data = train(build, arguments, run_dir)
    predictions = {
        "validation": _mc_predict(model, data.x_val, arguments),
        "test": _mc_predict(model, data.x_test, arguments),
    }
    console = Console()
    found = _calibrate(predictions, data, console, model)
    uncertain = _most_uncertain(predictions["test"], arguments.show)
    console.print(_examples(predictions["test"], data, uncertain))
    _draw(found, predictions["test"], data, uncertain, run_dir, console)


def _mc_predict(model: keras.Model, x: np.ndarray, arguments: argparse.Namespace) -> MCPrediction:
    return kr.mc_predict(model, x, arguments.samples, seed=arguments.seed)


def _calibrate(
    predictions: dict[str, MCPrediction], data: Dataset, console: Console, model: keras.Model
) -> Calibration:
    test = predictions["test"]
    table = Table(title=f"{test.n_samples} draws on the test set")
    table.add_column("")
    plain = kr.predict(model, data.x_test)
    if data.task == "regression":
        of_plain = (kr.predict(model, data.x_val), data.y_val)
        of_test = (predictions["validation"], data.y_val)
        compared = {
            "noise alone": calibration(plain, data.y_test, validation=of_plain),
            "dropout alone": calibration(test, data.y_test),
            "both": calibration(test, data.y_test, validation=of_test),
        }
    else:
        compared = {
            "without dropout": calibration(plain, data.y_test),
            "Monte Carlo": calibration(test, data.y_test),
        }
    for column in compared:
        table.add_column(column, justify="right")
    for name in SCORES:
        values = [getattr(each, name) for each in compared.values()]
        if values[0] is not None:
            table.add_row(name.replace("_", " "), *(f"{value:.4f}" for value in values))
    for level in next(iter(compared.values())).coverage or ():
        shares = [(each.coverage or {})[level] for each in compared.values()]
        table.add_row(f"targets in the {level:.0%} interval", *(f"{share:.1%}" for share in shares))
    console.print(table)
    return list(compared.values())[-1]


def _uncertainty(prediction: MCPrediction) -> np.ndarray:
    measure = prediction.std if prediction.entropy is None else prediction.entropy
    return measure.reshape(len(measure), -1).max(axis=1)


def _most_uncertain(prediction: MCPrediction, n_examples: int) -> np.ndarray:
    return np.argsort(-_uncertainty(prediction), kind="stable")[:n_examples]


def _examples(prediction: MCPrediction, data: Dataset, rows: np.ndarray) -> Table:
    table = Table(title="Least certain test examples")
    measure = "std" if prediction.entropy is None else "entropy, nats"
    for column in ("row", "truth", "prediction", measure):
        table.add_column(column, justify="right")
    for row in rows:
        truth, said = _truth(data, row), _said(prediction, data, row)
        table.add_row(str(row), truth, said, f"{_uncertainty(prediction)[row]:.3f}")
    return table


def _truth(data: Dataset, row: int) -> str:
    y = data.y_test[row]
    if data.task in ("binary", "multiclass"):
        return data.class_names[int(y)]
    if data.task == "multilabel":
        return ", ".join(np.array(data.class_names)[y == 1]) or "none"
    return _numbers(y * data.target_scale + data.target_mean)


def _said(prediction: MCPrediction, data: Dataset, row: int) -> str:
    mean = prediction.mean[row]
    if data.task == "binary":
        mean = np.array([1 - mean[0], mean[0]])
    if data.task in ("binary", "multiclass"):
        return f"{data.class_names[int(mean.argmax())]} ({mean.max():.0%})"
    if data.task == "multilabel":
        return ", ".join(f"{n} ({p:.0%})" for n, p in zip(data.class_names, mean, strict=True))
    return _numbers(mean * data.target_scale + data.target_mean)


def _numbers(values: np.ndarray) -> str:
    return ", ".join(f"{value:.4g}" for value in np.atleast_1d(values))


def _draw(
    found: Calibration,
    prediction: MCPrediction,
    data: Dataset,
    rows: np.ndarray,
    run_dir: Path,
    console: Console,
) -> None:
    try:
        pyplot = import_extra("matplotlib.pyplot", "plot")
    except ImportError as error:
        console.print(f"No figures: {error}")
        return
    pyplot.switch_backend("agg")
    diagram, axes = pyplot.subplots()
    found.plot(axes)
    figures = {"calibration": diagram}
    images = _as_images(data.x_test[rows])
    if images is not None:
        columns = min(len(rows), 4)
        lines = math.ceil(len(rows) / columns)
        figure, axes = pyplot.subplots(
            lines,
            columns,
            figsize=(2.5 * columns, 2.7 * lines),
            squeeze=False,
            layout="constrained",
        )
        for each in axes.flat:
            each.axis("off")
        for each, image, row in zip(axes.flat, images, rows, strict=False):
            each.imshow(image, cmap="gray")
            each.set_title(f"{_truth(data, row)}: {_said(prediction, data, row)}", fontsize=9)
        figures["least_certain"] = figure
    for name, drawn in figures.items():
        drawn.savefig(run_dir / f"{name}.png")
        kr.log_figure(run_dir, f"uncertainty/{name}", drawn)
    pyplot.close("all")
    files = ", ".join(str(run_dir / f"{name}.png") for name in figures)
    console.print(f"Figures, in TensorBoard too: {files}", soft_wrap=True)


def _as_images(x: np.ndarray) -> np.ndarray | None:
    if x.ndim == 4:
        return x.squeeze(-1) if x.shape[-1] == 1 else x
    side = math.isqrt(x.shape[1])
    return (
        x.reshape(-1, side, side) if x.ndim == 2 and side >= 8 and side**2 == x.shape[1] else None
    )


if __name__ == "__main__":
    run(main)
