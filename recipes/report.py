"""What a recipe found: printed, kept in its run directory, and put into its page of docs/."""

import argparse
import datetime
import importlib.metadata
import logging
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from keras_recipes.extras import import_extra
from recipes.command import new_run_directory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEGIN, END = "<!-- measured -->", "<!-- end -->"  # of a page: between them is a recipe's report
DPI = 80  # a page's figures are some tens of kilobytes


class Report:
    """The tables and figures of a recipe, in the order in which they are added.

    Args:
        name: Name of the recipe, its module without the package.
        arguments: The flags of a recipe, `run_dir` and `page` among them.

    Raises:
        ValueError: If the page has no place for the report, or the run directory is none.
    """

    def __init__(self, name: str, arguments: argparse.Namespace) -> None:
        self.console = Console()
        # It warns of graphs that are traced anew, as those of many models must be.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        self._name = name
        self._page = arguments.page
        if self._page is not None:
            read_page(self._page)  # before anything is trained
        self.directory = arguments.run_dir or new_run_directory(name)
        check_directory(self.directory)
        self._parts: list[str] = []
        self._figures: list[Path] = []

    def say(self, text: str) -> None:
        """Adds a paragraph."""
        self.console.print(text, markup=False, soft_wrap=True)
        self._parts.append(text)

    def table(self, title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Adds a table, its first column of names, the others of numbers."""
        texts = [[str(cell) for cell in row] for row in rows]
        self.console.print(terminal_table(title, header, texts))
        self._parts.append(f"**{title}**\n\n{markdown_table(header, texts)}")

    def axes(self, *shape: int, size: tuple[float, float] = (8, 4)) -> Any:
        """Returns Matplotlib axes to draw on, as `pyplot.subplots`; None without the extra `plot`.

        Args:
            *shape: Rows and columns of axes, of which none is shared.
            size: Width and height in inches.
        """
        try:
            pyplot = import_extra("matplotlib.pyplot", "plot")
        except ImportError as error:
            self.console.print(f"No figures: {error}", markup=False)
            return None
        pyplot.switch_backend("agg")
        return pyplot.subplots(*shape, figsize=size, layout="constrained")[1]

    def figure(self, name: str, figure: "Figure") -> None:
        """Adds a figure.

        Args:
            name: What it shows, in a word, for the file's name.
            figure: The figure, as `axes.figure` has it.
        """
        path = self._place(f"{name}.png")
        figure.savefig(path, dpi=DPI, pil_kwargs={"optimize": True})
        self._figures.append(path)
        self._parts.append(f"![{name}]({path.name})")

    def close(self) -> None:
        """Writes the report, and the page if one was named."""
        text = "\n\n".join([*self._parts, provenance(f"recipes.{self._name}")]) + "\n"
        path = self._place("report.md")
        path.write_text(text, encoding="utf-8")
        self.console.print(f"Report: {path}", markup=False, soft_wrap=True)
        if self._page is not None:
            self._write_page(text)

    def _place(self, name: str) -> Path:
        """Where a file goes; the directory is made with the first one, so that no error leaves it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        return self.directory / name

    def _write_page(self, text: str) -> None:
        figures = self._page.parent / "figures"
        for path in self._figures:
            figures.mkdir(exist_ok=True)
            target = figures / f"{self._name}-{path.name}"
            target.write_bytes(path.read_bytes())
            text = text.replace(f"]({path.name})", f"](figures/{target.name})")
        above, below = read_page(self._page)
        page = f"{above}{BEGIN}\n\n{text}\n{END}{below}"
        self._page.write_text(page, encoding="utf-8")
        self.console.print(f"Page: {self._page}", markup=False, soft_wrap=True)


def terminal_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Returns a table for the terminal, its first column of names, the others of numbers."""
    table = Table(title=title, box=box.ROUNDED)
    for index, column in enumerate(header):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    return table


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def provenance(module: str) -> str:
    """Returns the command of this process, the day, the machine and the versions, in a line.

    Args:
        module: What was run, such as `"recipes.optimizers"`.
    """
    versions = [
        f"{package} {importlib.metadata.version(package)}"
        for package in ("keras", "tensorflow", "scikit-learn", "numpy")
    ]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    command = " ".join(["python -m", module, *_shown(sys.argv[1:])])
    return f"`{command}`, {datetime.date.today()}; {machine}; {', '.join(versions)}."


def _shown(arguments: Sequence[str]) -> list[str]:
    """Flags without where things were written, files by their names alone."""
    kept, skipped = [], False
    for each in arguments:
        if not skipped and each not in ("--run-dir", "--page"):
            kept.append(Path(each).name)
        skipped = each in ("--run-dir", "--page")
    return kept


def check_directory(path: Path) -> None:
    """Refuses what is no directory and cannot be made one, before anything is trained.

    Raises:
        ValueError: If there is a file in its place, or in that of a directory above.
    """
    nearest = next(each for each in (path, *path.parents) if each.exists())
    if not nearest.is_dir():
        raise ValueError(
            f"`--run-dir` must be a directory. Received: {path}, where {nearest} is a file. Name one "
            "that is new."
        )


def read_page(page: Path) -> tuple[str, str]:
    """Returns what a page has before and after the place of the report.

    Raises:
        ValueError: If it has no such place.
        FileNotFoundError: If there is no such page.
    """
    text = page.read_text(encoding="utf-8")
    above, begin, rest = text.partition(BEGIN)
    _, end, below = rest.partition(END)
    if not begin or not end:
        raise ValueError(
            f"`--page` must have the lines {BEGIN} and {END}. Received: {page} without them. Put "
            "them where the report is to stand."
        )
    return above, below
