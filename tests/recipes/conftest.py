import runpy
import sys
import warnings

import pytest
from matplotlib import pyplot


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
def run(tmp_path, monkeypatch, capsys):
    """Runs a recipe as its command, without the seconds that a process of its own takes to start."""

    def run(name, *arguments, cwd=tmp_path):
        monkeypatch.chdir(cwd)
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        monkeypatch.delitem(sys.modules, f"recipes.{name}", raising=False)  # runpy warns of it
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)  # what a recipe tells of
            runpy.run_module(f"recipes.{name}", run_name="__main__")
        pyplot.close("all")  # as the end of its process would
        return capsys.readouterr().out

    return run


@pytest.fixture
def report(run, tmp_path):
    """Runs a recipe quickly, and returns the tables of its report."""

    def report(name, *arguments, figures=()):
        run(name, "--quick", "--run-dir", "run", *arguments)
        for figure in figures:
            assert (tmp_path / "run" / f"{figure}.png").stat().st_size > 1000
        return tables((tmp_path / "run" / "report.md").read_text())

    return report
