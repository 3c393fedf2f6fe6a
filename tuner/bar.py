"""How far a search is, on the terminal."""

import math
import time
from collections import Counter
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from tuner.oracles import STOPPED, Dependable
from tuner.study import OBJECTIVE


class Bar:
    """A bar of the trials, with the best score so far and the time that is left.

    Args:
        console: Where to draw it.
        oracle: What knows the trials.
    """

    def __init__(self, console: Console, oracle: Dependable) -> None:
        self._oracle = oracle
        # keras-tuner prints to the standard output, which is kept from it: the console has its own.
        self._progress = Progress(
            TextColumn("trials {task.completed}/{task.total}"),
            BarColumn(),
            TimeElapsedColumn(),
            _TimeLeft(oracle),
            TextColumn("{task.description}"),
            console=Console(file=console.file),
            redirect_stdout=False,
            get_time=time.monotonic,
            speed_estimate_period=math.inf,  # a trial may take longer than any other
        )
        self._task = self._progress.add_task("starting", total=int(oracle.max_trials))

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        self._progress.console.print(text, soft_wrap=True, markup=False, highlight=False)

    def update(self) -> None:
        """Shows where the search is."""
        scores = [each.score for each in self._oracle.trials.values() if each.score is not None]
        best = [f"best {OBJECTIVE} {min(scores):.5g}"] if scores else []
        counts = Counter(each.status for each in self._oracle.trials.values())
        ends = [f"{counts[each]} {each.lower()}" for each in (STOPPED, "FAILED") if counts[each]]
        self._progress.update(
            self._task,
            completed=len(self._oracle.end_order),
            description="  ".join(best + ends),
        )


class _TimeLeft(ProgressColumn):
    """The time that is left at the speed so far, or until the deadline of the search if that is less."""

    max_refresh = 0.5  # seconds

    def __init__(self, oracle: Dependable) -> None:
        super().__init__()
        self._oracle = oracle

    def render(self, task: Task) -> Text:
        at_this_speed = math.inf if task.time_remaining is None else task.time_remaining
        left = min(at_this_speed, max(0, self._oracle.deadline - time.monotonic()))
        text = "-:--:--" if math.isinf(left) else str(timedelta(seconds=round(left)))
        return Text(text, style="progress.remaining")
