"""What the recipes have in common as commands: their flags and how they fail."""

import argparse
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_recipes

OURS = (Path(keras_recipes.__file__).parent, Path(__file__).parent)


def training_parser(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser of the flags that every training recipe has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--data", default="digits", metavar="NAME|PATH", help="a data set's name, or a CSV or NPZ"
    )
    parser.add_argument("--target", metavar="COLUMN", help="the column of a CSV to predict")
    parser.add_argument("--epochs", type=int, default=20, metavar="N", help="passes over the data")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="rows a step")
    parser.add_argument(
        "--run-dir",
        type=Path,
        metavar="DIR",
        help="where logs, checkpoints and the model go; a run that was stopped goes on (default: a "
        "new directory in runs/)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of splits and training")
    return parser


def new_run_directory(name: str) -> Path:
    """Returns the first of `runs/name-1`, `runs/name-2`, ... that is free."""
    number = 1
    while (path := Path("runs") / f"{name}-{number}").exists():
        number += 1
    return path


def run(main: Callable[[], Any]) -> None:
    """Runs a recipe; what the user can mend ends it with one line and exit status 2."""
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted. The same command with the same --run-dir goes on.")
    except (ValueError, TypeError, OSError, ImportError) as error:
        raised_in = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        if not any(raised_in.is_relative_to(ours) for ours in OURS):
            raise  # not a check of ours: the traceback says more than a line
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
