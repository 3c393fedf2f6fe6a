"""What the recipes have in common as commands: their flags and how they fail."""

import argparse
import shlex
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import keras_recipes

OURS = (Path(keras_recipes.__file__).parent, Path(__file__).parent)


class Parser(argparse.ArgumentParser):
    """A parser whose help shows the defaults, and whose errors are one line."""

    def __init__(self, description: str | None) -> None:
        super().__init__(
            description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}. All flags: --help\n")


def training_parser(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser of the flags that every training recipe has."""
    parser = Parser(description)
    add_data_flags(parser)
    parser.add_argument(
        "--epochs", type=count, default=20, metavar="N", help="passes over the data"
    )
    parser.add_argument("--batch-size", type=count, default=32, metavar="N", help="rows a step")
    parser.add_argument(
        "--run-dir",
        type=Path,
        metavar="DIR",
        help="where logs, checkpoints and the model go; a run that was stopped goes on; without it "
        "a new directory in runs/",
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of splits and training")
    add_quick_flag(parser)
    return parser


def report_parser(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser of the flags that every recipe with a report has."""
    parser = Parser(description)
    parser.add_argument(
        "--run-dir",
        type=Path,
        metavar="DIR",
        help="where the report and its figures go; without it a new directory in runs/",
    )
    add_page_flag(parser)
    add_quick_flag(parser)
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="the first one")
    return parser


def comparison_parser(description: str | None, epochs: int = 20) -> argparse.ArgumentParser:
    """Returns a parser of the flags that every recipe has that compares trainings.

    Args:
        description: What the recipe is for.
        epochs: The default.
    """
    parser = report_parser(description)
    add_data_flags(parser)
    parser.add_argument(
        "--epochs", type=count, default=epochs, metavar="N", help="passes over the data"
    )
    parser.add_argument("--batch-size", type=count, default=32, metavar="N", help="rows a step")
    parser.add_argument("--seeds", type=count, default=3, metavar="N", help="trainings of each")
    return parser


def add_data_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that name the data."""
    parser.add_argument(
        "--data", default="digits", metavar="NAME|PATH", help="a data set's name, or a CSV or NPZ"
    )
    parser.add_argument("--target", metavar="COLUMN", help="the column of a CSV to predict")
    parser.add_argument(
        "--task",
        metavar="TASK",
        help="regression, binary, multiclass or multilabel, if not inferred",
    )


def add_page_flag(parser: argparse.ArgumentParser) -> None:
    """Adds the flag that names the page of a report."""
    parser.add_argument(
        "--page",
        type=Path,
        metavar="FILE",
        help="a Markdown page to put the report into, between its lines <!-- measured --> and "
        "<!-- end -->",
    )


def add_quick_flag(parser: argparse.ArgumentParser) -> None:
    """Adds the flag by which a recipe does little."""
    parser.add_argument("--quick", action="store_true", help="less of all, to see that it runs")


def count(text: str) -> int:
    """Returns the number that a flag has, at least 1."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be an integer in [1, inf). Received: {text!r}")
    return int(text)


def seed(text: str) -> int:
    """Returns the seed that a flag has, one that NumPy, Keras and scikit-learn all take."""
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"must be an integer in [0, 2**31). Received: {text!r}")
    return int(text)


def new_run_directory(name: str) -> Path:
    """Returns the first of `runs/name-1`, `runs/name-2`, ... that is free."""
    number = 1
    while (path := Path("runs") / f"{name}-{number}").exists():
        number += 1
    return path


def run(main: Callable[[], Any]) -> None:
    """Runs a recipe; what the user can mend ends it with one line and exit status 2."""
    warnings.showwarning = _show_warning
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # while all was imported
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted. The same command with the same --run-dir goes on.")
    except (OSError, ImportError, FloatingPointError) as error:
        _fail(error)
    except (ValueError, TypeError, RuntimeError) as error:
        raised_in = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        command = Path(main.__code__.co_filename).parent
        if not any(raised_in.is_relative_to(ours) for ours in (*OURS, command)):
            raise  # not a check of ours: the traceback says more than a line
        _fail(error)


def command_line(module: str, *arguments: object) -> str:
    """Returns what runs a module in a shell, with this interpreter and from this directory."""
    interpreter = Path(sys.executable)
    if interpreter.is_relative_to(Path.cwd()):
        interpreter = interpreter.relative_to(Path.cwd())
    return shlex.join([str(interpreter), "-m", module, *map(str, arguments)])


def _fail(error: Exception) -> NoReturn:
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(2)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)
