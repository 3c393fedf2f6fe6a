"""The bar: what it says of a search that runs."""

import io
import time
import types

import pytest
from rich.console import Console

from tests.tuner.test_oracles import make, run
from tuner import bar


@pytest.fixture
def clock(monkeypatch):
    made = types.SimpleNamespace(now=time.monotonic())
    monkeypatch.setattr(bar, "time", types.SimpleNamespace(monotonic=lambda: made.now))
    return made


def shown(made):
    console = Console(file=io.StringIO(), width=120)
    console.print(made._progress.get_renderable())
    return console.file.getvalue()


def searching(oracle, clock, trials, seconds):
    """What is shown after that many trials, each of that many seconds."""
    made = bar.Bar(Console(file=io.StringIO()), oracle)
    made.update()
    for _ in range(trials):
        for _ in range(5):  # a search by workers is looked at all the time
            clock.now += seconds / 5
            made.update()
        run(oracle)
        made.update()
    return shown(made)


@pytest.mark.parametrize("seconds", [10, 45, 600])
def test_the_time_that_is_left_goes_by_the_trials_that_have_ended(tmp_path, clock, seconds):
    oracle = make(tmp_path, max_trials=5)
    hours, rest = divmod(2 * seconds, 3600)
    assert f"{hours}:{rest // 60:02d}:{rest % 60:02d} best" in searching(oracle, clock, 3, seconds)


def test_no_more_time_is_left_than_until_the_deadline(tmp_path, clock):
    oracle = make(tmp_path, max_trials=5)
    assert "-:--:--" in searching(oracle, clock, 0, 0)
    oracle.deadline = clock.now + 70
    assert "0:01:10" in searching(oracle, clock, 0, 0)
    oracle.deadline = clock.now + 3 * 45 + 30
    assert "0:00:30 best" in searching(oracle, clock, 3, 45)


def test_the_bar_counts_what_failed_and_what_was_stopped(tmp_path):
    oracle = make(tmp_path, max_trials=5, max_failures=5)
    assert "trials 1/5" in shown(searched(oracle, False))
    assert "failed" not in shown(searched(oracle, False))
    text = shown(searched(oracle, True))
    assert "trials 3/5" in text
    assert "1 failed" in text


def searched(oracle, fails):
    made = bar.Bar(Console(file=io.StringIO()), oracle)
    run(oracle, fails=fails)
    made.update()
    return made
