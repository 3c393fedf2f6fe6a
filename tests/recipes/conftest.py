import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def tables(markdown):
    """The tables of a report, each as {name of a row: {head of a column: cell}}."""
    found = []
    for block in markdown.split("\n\n"):
        if block.startswith("| "):
            lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.split("\n")]
            header, _, *rows = lines
            found.append({row[0]: dict(zip(header, row, strict=True)) for row in rows})
    return found


@pytest.fixture
def report(tmp_path):
    """Runs a recipe in a process of its own, quickly, and returns the tables of its report."""

    def run(name, *arguments, figures=()):
        command = [sys.executable, "-m", f"recipes.{name}", "--quick", "--run-dir", "run"]
        result = subprocess.run(
            [*command, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            text=True,
            capture_output=True,
        )
        assert result.returncode == 0, result.stderr
        for figure in figures:
            assert (tmp_path / "run" / f"{figure}.png").stat().st_size > 1000
        return tables((tmp_path / "run" / "report.md").read_text())

    return run
