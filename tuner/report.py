"""Makes the report of a search anew, of one that still runs too.

python -m tuner.report --run-dir runs/search-1
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from keras_recipes.checkpoints import write_atomically
from recipes.command import Parser, run
from recipes.report import markdown_table
from tuner.figures import FIGURES, draw
from tuner.results import Results
from tuner.study import PROJECT


def write_report(run_dir: Path, *, figures: bool = True) -> Results:
    """Writes `results.csv`, `report.md` and, with the extra `plot`, its figures.

    Args:
        run_dir: Of the search.
        figures: Whether to draw them; otherwise those that were drawn before are shown.

    Returns:
        What was found by now.
    """
    results = Results.read(run_dir)
    write_atomically(run_dir / "results.csv", results.table.to_csv(index=False).encode())
    if figures:
        draw(results, run_dir)
    parts = ["# Search", *_parts(results, [name for name in FIGURES if _shown(run_dir, name)])]
    write_atomically(run_dir / "report.md", ("\n\n".join(parts) + "\n").encode())
    return results


def _parts(results: Results, figures: Sequence[str]) -> Iterable[str]:
    findings = results.findings
    yield _markdown(["", ""], _header(results))
    yield from findings.get("remarks", [])
    if scores := findings.get("scores"):
        yield _markdown(["tested on rows that no trial saw", findings["metric"]], scores.items())
    if kept := findings.get("kept"):
        yield f"`model.keras` and `pipeline.keras`: {kept}."
    best = results.best()
    yield f"## The best {len(best)}" if len(best) else "No trial is completed."
    if len(best):
        yield _markdown(list(best), best.to_numpy())
    for name in figures:
        yield f"![{name}]({name}.png)"
    if len(results.failed):
        yield "## Trials that failed"
        yield _markdown(["trial", "reason"], results.failed[["trial", "reason"]].to_numpy())


def _header(results: Results) -> Iterable[tuple[str, object]]:
    flags = {**results.flags, **results.findings.get("search", {})}
    for name, value in flags.items():
        if value is not None and value is not False:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            yield name.replace("_", " "), shown
    counts = results.table["status"].value_counts().items()
    told = ", ".join(f"{count} {status.lower()}" for status, count in counts)
    yield "trials", f"{len(results.table)}: {told}" if told else "none"


def _shown(run_dir: Path, name: str) -> bool:
    return (run_dir / f"{name}.png").exists()


def _markdown(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    return markdown_table(header, [[str(cell).replace("|", "\\|") for cell in row] for row in rows])


def main() -> None:
    """Reads the trials of `--run-dir` and writes its report."""
    parser: argparse.ArgumentParser = Parser(__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, metavar="DIR", help="of a search")
    run_dir = parser.parse_args().run_dir
    if not (run_dir / PROJECT).is_dir():
        raise ValueError(
            f"`--run-dir` must be that of a search. Received: {run_dir}, where no search is. Pass the "
            "directory that python -m tuner.search named."
        )
    console = Console()
    console.print(write_report(run_dir).rich_table())
    console.print(f"Report: {run_dir / 'report.md'}", soft_wrap=True, markup=False)


if __name__ == "__main__":
    run(main)
