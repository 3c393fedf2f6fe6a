"""Makes the report of a search anew, of one that still runs too.

python -m tuner.report --run-dir runs/search-1
"""

import argparse
from pathlib import Path

import keras_tuner
from rich.console import Console

from recipes.command import Parser, run
from tuner.oracles import read_json
from tuner.results import Results
from tuner.study import PROJECT


def main() -> None:
    """Reads the trials of `--run-dir` and writes its report."""
    parser: argparse.ArgumentParser = Parser(__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, metavar="DIR", help="of a search")
    run_dir = parser.parse_args().run_dir
    paths = sorted((run_dir / PROJECT).glob("trial_*/trial.json"))
    states = [state for state in map(read_json, paths) if state]
    if not states:
        raise ValueError(
            f"`--run-dir` must be that of a search. Received: {run_dir}, where no trial is. Pass the "
            "directory that python -m tuner.search named."
        )
    results = Results.of([keras_tuner.engine.trial.Trial.from_state(state) for state in states])
    console = Console()
    console.print(results.rich_table())
    console.print(f"Report: {results.write(run_dir)}", soft_wrap=True, markup=False)


if __name__ == "__main__":
    run(main)
