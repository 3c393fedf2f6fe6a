"""Write the predictions of a trained run for the rows of a CSV file."""

from pathlib import Path

from keras_recipes.datasets.prediction import load_pipeline, predict_csv
from recipes.command import Parser, run


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="the run of a training recipe")
    parser.add_argument("--data", type=Path, required=True, help="a CSV with the same columns")
    parser.add_argument(
        "--output", type=Path, default=Path("predictions.csv"), help="the CSV to write"
    )
    arguments = parser.parse_args()
    output = arguments.output
    if output.is_dir() or not output.parent.is_dir():
        parser.error(f"--output must be a file in a directory that exists. Received: {output}")
    predictions = predict_csv(load_pipeline(arguments.run_dir), arguments.data)
    beside = output.with_name(f".{output.name}")
    predictions.to_csv(beside, index=False)
    beside.replace(output)
    print(f"{len(predictions)} predictions in {output}")


if __name__ == "__main__":
    run(main)
