"""Searches hyperparameters, from the default set-up on, and ends with a tested model.

python -m tuner.search --data housing.csv --target median_house_value --max-trials 30 --workers 2
"""

import argparse
import contextlib
import gc
import io
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from keras_tuner.src import config
from rich.console import Console

from keras_recipes.datasets import Dataset
from keras_recipes.run_directory import RunDirectory
from keras_recipes.search_spaces.space import SearchSpace
from recipes.command import Parser, add_data_flags, count, new_run_directory, run
from tuner.algorithms import ALGORITHMS, TRIALS
from tuner.bar import Bar
from tuner.chief import lead
from tuner.conclusion import conclude
from tuner.folds import check_folds
from tuner.nursery import Nursery
from tuner.settings import SPACES, Settings
from tuner.study import Study
from tuner.worker import address
from tuner.worker import main as work


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the flags."""
    made = Parser(__doc__)
    add_data_flags(made)
    made.add_argument("--space", choices=SPACES, default="default", help="what is searched")
    made.add_argument(
        "--vary",
        nargs="+",
        metavar="NAME",
        help="hyperparameters to search, the others having their defaults; all if not given",
    )
    made.add_argument(
        "--algorithm", choices=ALGORITHMS, default="random", help="what suggests the trials"
    )
    made.add_argument(
        "--max-trials",
        type=count,
        metavar="N",
        help=f"trials at most; {TRIALS} if not given, for hyperband all of one round",
    )
    made.add_argument("--epochs", type=count, default=10, metavar="N", help="epochs of a trial")
    made.add_argument(
        "--folds", type=count, default=1, metavar="K", help="of cross-validation; 1 for none"
    )
    made.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes on this machine that share its cores; without it trials run in this one",
    )
    made.add_argument(
        "--chief",
        type=address,
        metavar="HOST:PORT",
        help="listen there for workers on other machines; anyone who reaches the port can read and "
        "end the search",
    )
    made.add_argument(
        "--worker",
        action="store_true",
        help="run trials of the search that listens at --chief; its flags: --worker --help",
    )
    made.add_argument(
        "--max-minutes", type=float, metavar="M", help="begin no trial after that many minutes"
    )
    made.add_argument(
        "--max-failures", type=count, default=5, metavar="N", help="failures in a row that end it"
    )
    made.add_argument(
        "--stop-early",
        action=argparse.BooleanOptionalAction,
        help="end trials worse than the median of the others; if not given, of random and bayesian",
    )
    made.add_argument(
        "--retrain", action="store_true", help="train the best anew on training and validation rows"
    )
    made.add_argument(
        "--average",
        type=count,
        default=1,
        metavar="K",
        help="end with the mean of the best K models",
    )
    made.add_argument(
        "--baseline", action="store_true", help="put a linear model and boosting beside it"
    )
    made.add_argument(
        "--run-dir", type=Path, metavar="DIR", help="where it is kept; one that was stopped goes on"
    )
    made.add_argument("--seed", type=int, default=0, metavar="N", help="of splits and trials")
    return made


def main() -> None:
    """Searches as the flags say, and reports; or runs the trials of a search elsewhere."""
    if "--worker" in sys.argv:
        sys.argv.remove("--worker")
        return work()
    arguments = parser().parse_args()
    if arguments.stop_early and arguments.algorithm == "hyperband":
        raise ValueError(
            "`--stop-early` must be left out of hyperband, which ends trials by itself. Received: "
            "--algorithm hyperband --stop-early. Leave one of them out."
        )
    if arguments.stop_early is None:
        arguments.stop_early = arguments.algorithm in ("random", "bayesian")
    minutes = arguments.max_minutes
    if minutes is not None and not 0 < minutes < math.inf:
        raise ValueError(
            f"`--max-minutes` must be in (0, inf). Received: {minutes}. For no limit leave it out."
        )
    if (arguments.workers or 0) < 0 or (arguments.workers == 0 and not arguments.chief):
        raise ValueError(
            "`--workers` must be 1 or more, or 0 with --chief, for workers that come from elsewhere. "
            f"Received: --workers {arguments.workers}. Leave it out to run trials in this process."
        )
    run_dir = arguments.run_dir or new_run_directory("search")
    settings = Settings.of(arguments)
    if arguments.chief and arguments.workers is None:
        arguments.workers = 1
    # Before there is a lock, which a process that is forked would hold, too.
    with contextlib.ExitStack() as stack:
        nursery = stack.enter_context(Nursery(lambda: run(work))) if arguments.workers else None
        # Flags that are wrong leave nothing in the run directory.
        data = settings.load_data()
        check_folds(data, settings.folds)
        space = settings.make_space(data)
        stack.enter_context(RunDirectory(run_dir).opened(settings.as_dict(), "auto"))
        search(settings, arguments, run_dir, data, space, nursery)


def search(
    settings: Settings,
    arguments: argparse.Namespace,
    run_dir: Path,
    data: Dataset,
    space: SearchSpace,
    nursery: Nursery | None,
) -> None:
    """Runs or goes on with a search, tests its best model and saves it."""
    console = Console()
    console.print(f"{data.name}: {data.task}, inputs {data.input_shape}", markup=False)
    console.print(f"run directory: {run_dir}", soft_wrap=True, markup=False)
    oracle = settings.make_oracle(arguments.max_trials, arguments.max_failures)
    with Bar(console, oracle) as bar, _silent():
        study = Study(oracle, space, run_dir, tell=bar.update, **settings.of_study())
        if arguments.max_minutes is not None:
            oracle.deadline = time.monotonic() + 60 * arguments.max_minutes
        bar.update()
        if arguments.workers is None:
            gc.freeze()
            study.search(data, settings.epochs)
        else:
            study.save()
            oracle.save()
            at, workers = arguments.chief, arguments.workers
            lead(oracle, nursery, at, workers, run_dir, bar.update, bar.say)
    if oracle.stopped_by:
        console.print(f"Stopped: {oracle.stopped_by}.")
    conclude(console, study, data, arguments)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keeps from the terminal what keras-tuner prints, tracebacks of trials too: they are recorded."""
    before, config.DEBUG = config.DEBUG, False
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        config.DEBUG = before


if __name__ == "__main__":
    run(main)
