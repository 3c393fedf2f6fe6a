"""Write the predictions of a trained run for the rows of a CSV file."""

import argparse
from pathlib import Path

import keras

from keras_recipes.datasets.prediction import predict_csv
from recipes.command import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="the run of a training recipe")
    parser.add_argument("--data", type=Path, required=True, help="a CSV with the same columns")
    parser.add_argument(
        "--output", type=Path, default=Path("predictions.csv"), help="the CSV to write"
    )
    arguments = parser.parse_args()
    predictions = predict_csv(_load(arguments.run_dir), arguments.data)
    beside = arguments.output.with_name(f".{arguments.output.name}")
    predictions.to_csv(beside, index=False)
    beside.replace(arguments.output)
    print(f"{len(predictions)} predictions in {arguments.output}")


def _load(run_dir: Path) -> keras.Model:
    path = run_dir / "pipeline.keras"
    if not path.is_file():
        raise FileNotFoundError(
            f"--run-dir must be that of a finished training. Received: {run_dir}, without "
            f"{path.name}. Run python -m recipes.default_dnn --run-dir {run_dir} to its end first."
        )
    return keras.models.load_model(path)


if __name__ == "__main__":
    run(main)
