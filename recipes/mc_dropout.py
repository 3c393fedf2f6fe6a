"""Train with dropout, predict with its uncertainty, and list the examples that are least certain."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

import keras_recipes as kr
from keras_recipes.checks import check_tensorflow
from keras_recipes.datasets import Dataset
from keras_recipes.datasets.images import are_fractions
from keras_recipes.datasets.sources import Source, read_source
from keras_recipes.uncertainty import Calibration, MCPrediction, calibration
from recipes.command import add_page_flag, count, run, training_parser
from recipes.report import Report
from recipes.train import train

SCORES = {
    "expected_calibration_error": "expected calibration error",
    "brier_score": "brier score",
    "log_loss": "log loss",
    "log_likelihood": "log likelihood in target units",
}
QUICK_SAMPLES = 10
COLUMNS, EXAMPLES = 12, 4  # of a table of values, which a terminal has room for
CHANNELS = (1, 3, 4)  # of images
SIDE = 8  # of the smallest image; a row of fewer pixels than SIDE x SIDE is taken for a table
DRAWN = 20  # images at most: each of them takes a twentieth of a second or more


def main() -> None:
    parser = training_parser(__doc__)
    add_page_flag(parser)
    parser.add_argument(
        "--dropout", type=float, default=0.2, metavar="RATE", help="rate, in (0, 1)"
    )
    parser.add_argument("--samples", type=count, default=100, metavar="N", help="draws an example")
    parser.add_argument(
        "--show",
        type=count,
        default=8,
        metavar="N",
        help=f"examples to list; of images the first {DRAWN} are drawn",
    )
    arguments = parser.parse_args()
    check_tensorflow("`recipes.mc_dropout`")
    if not 0 < arguments.dropout < 1:
        parser.error(f"argument --dropout: must be in (0, 1). Received: {arguments.dropout}")
    samples = min(arguments.samples, QUICK_SAMPLES) if arguments.quick else arguments.samples
    report = Report("mc_dropout", arguments)

    def build(data: Dataset) -> keras.Model:
        return kr.build_default_dnn(
            data.input_shape,
            data.n_outputs,
            data.task,
            adapt_to=data.adapt_to,
            dropout=arguments.dropout,
            seed=arguments.seed,
        )

    model, data = train(build, arguments, report.directory)
    source = read_source(arguments.data, arguments.target)
    validation, test = (
        _in_units(kr.mc_predict(model, x, samples, seed=arguments.seed), data)
        for x in (data.x_val, data.x_test)
    )
    compared = _compare(model, data, validation, test)
    title = f"{samples} draws on the test set of {data.name}, dropout {arguments.dropout:g}"
    report.table(title, ["", *compared], _rows(list(compared.values())))
    if data.task == "regression" and "dropout alone" not in compared:
        report.say(
            "Dropout alone is left out: some test example has draws that do not differ, and no "
            "interval. Take more --samples or a higher --dropout."
        )
    uncertain = _most_uncertain(test, data, arguments.show)
    _list(report, test, data, source, uncertain)
    _draw(report, list(compared.values())[-1], test, data, uncertain, report.directory)
    report.close()


def _compare(
    model: keras.Model, data: Dataset, validation: MCPrediction, test: MCPrediction
) -> dict[str, Calibration]:
    plain = kr.predict(model, data.x_test)
    if data.task != "regression":
        return {
            "without dropout": calibration(plain, data.y_test),
            "Monte Carlo": calibration(test, data.y_test),
        }
    plain, of_validation, y_val, y_test = (
        _of_target(each, data)
        for each in (plain, kr.predict(model, data.x_val), data.y_val, data.y_test)
    )
    compared = {"noise alone": calibration(plain, y_test, validation=(of_validation, y_val))}
    if test.std.all():
        compared["dropout alone"] = calibration(test, y_test)
    compared["both"] = calibration(test, y_test, validation=(validation, y_val))
    return compared


def _in_units(prediction: MCPrediction, data: Dataset) -> MCPrediction:
    """A prediction of standardized targets in units of the target; probabilities stay."""
    mean, std = _of_target(prediction.mean, data), prediction.std * data.target_scale
    return replace(prediction, mean=mean, std=std)


def _of_target(standardized: np.ndarray, data: Dataset) -> np.ndarray:
    return standardized * data.target_scale + data.target_mean


def _rows(compared: Sequence[Calibration]) -> list[list[str]]:
    rows = []
    for name, told in SCORES.items():
        values = [getattr(each, name) for each in compared]
        if values[0] is not None:
            rows.append([told, *(f"{value:.4f}" for value in values)])
    for level in compared[0].coverage or ():
        shares = [(each.coverage or {})[level] for each in compared]
        rows.append([f"targets in the {level:.0%} interval", *(f"{share:.1%}" for share in shares)])
    return rows


def _most_uncertain(prediction: MCPrediction, data: Dataset, n_examples: int) -> np.ndarray:
    """The test rows of the largest entropy, or of the largest deviation of a standardized target."""
    relative = prediction.std / data.target_scale
    measure = relative if prediction.entropy is None else prediction.entropy
    return np.argsort(-measure.reshape(len(measure), -1).max(axis=1), kind="stable")[:n_examples]


def _list(
    report: Report, prediction: MCPrediction, data: Dataset, source: Source, rows: np.ndarray
) -> None:
    """Lists test rows by their number in the source, or in the test set that it brings."""
    numbers = np.arange(source.n_test) if source.n_test else data.splits.test
    measure = "std of the draws" if prediction.entropy is None else "entropy, nats"
    report.table(
        "Least certain test examples, by their row in "
        f"{'x_test' if source.n_test else data.name} from 0",
        ["row", "truth", "prediction", measure],
        [[numbers[row], *_example(prediction, data, row)] for row in rows],
    )
    if not data.feature_names or images_of(data) is not None:
        return
    names, columns = data.feature_names[:COLUMNS], source.columns
    of = f", the first {COLUMNS} of {len(data.feature_names)} columns"
    for start in range(0, len(rows), EXAMPLES):
        few = rows[start : start + EXAMPLES]
        report.table(
            f"Their values as they came{'' if names == data.feature_names else of}",
            ["row", *map(str, numbers[few])],
            [[name, *map(_cell, columns[name][data.splits.test[few]])] for name in names],
        )


def _example(prediction: MCPrediction, data: Dataset, row: int) -> list[str]:
    std, entropy = prediction.std[row], prediction.entropy
    measure = _numbers(std) if entropy is None else f"{entropy[row].max():.3f}"
    return [_truth(data, row), _said(prediction, data, row), measure]


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return value or "missing"
    return "missing" if np.isnan(value) else f"{float(value):.7g}"


def _truth(data: Dataset, row: int) -> str:
    y = data.y_test[row]
    if data.task in ("binary", "multiclass"):
        return data.class_names[int(y)]
    if data.task == "multilabel":
        return ", ".join(np.array(data.class_names)[y == 1]) or "none"
    return _numbers(_of_target(y, data))


def _said(prediction: MCPrediction, data: Dataset, row: int) -> str:
    mean = prediction.mean[row]
    if data.task == "binary":
        mean = np.array([1 - mean[0], mean[0]])
    if data.task in ("binary", "multiclass"):
        return f"{data.class_names[int(mean.argmax())]} ({mean.max():.0%})"
    if data.task == "multilabel":
        return ", ".join(f"{n} ({p:.0%})" for n, p in zip(data.class_names, mean, strict=True))
    return _numbers(mean)


def _numbers(values: np.ndarray) -> str:
    return ", ".join(f"{value:.6g}" for value in np.atleast_1d(values))


def _draw(
    report: Report,
    found: Calibration,
    prediction: MCPrediction,
    data: Dataset,
    rows: np.ndarray,
    run_dir: Path,
) -> None:
    diagram = report.axes(size=(6.4, 4.8))
    if diagram is None:
        return
    found.plot(diagram)
    figures = {"calibration": diagram.figure}
    images = images_of(data)
    if images is not None:
        rows = rows[:DRAWN]
        columns = min(len(rows), 4)
        lines = math.ceil(len(rows) / columns)
        axes = np.ravel(report.axes(lines, columns, size=(2.5 * columns, 2.7 * lines)))
        for each in axes:
            each.axis("off")
        for each, row in zip(axes, rows, strict=False):
            each.imshow(images[row], cmap="gray")
            each.set_title(f"{_truth(data, row)}: {_said(prediction, data, row)}", fontsize=9)
        figures["least_certain"] = axes[0].figure
    for name, drawn in figures.items():
        report.figure(name, drawn)
        kr.log_figure(run_dir, f"uncertainty/{name}", drawn)


def images_of(data: Dataset) -> np.ndarray | None:
    """The test set as `imshow` takes images, None where it has none."""
    x = data.x_test
    if x.ndim == 4 and x.shape[-1] in CHANNELS:
        return x.squeeze(-1) if x.shape[-1] == 1 else x
    if x.ndim == 3 and are_fractions(x):
        return x
    if x.ndim != 2 or data.preprocessing is not None or x.min() < 0:
        return None
    side = math.isqrt(x.shape[1])
    return x.reshape(-1, side, side) if side >= SIDE and side**2 == x.shape[1] else None


if __name__ == "__main__":
    run(main)
