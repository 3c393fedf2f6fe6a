"""The bar: what it says of a search that runs."""

import io
import time
import types

import pytest
from keras_tuner.engine.trial import Trial
from rich.console import Console

from tests.tuner.test_oracles import make, run
from tuner import bar


@pytest.fixture
def clock(monkeypatch):
    made = types.SimpleNamespace(now=int(time.monotonic()))  # so that nothing is rounded up
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


def test_what_failed_and_what_was_stopped_is_counted(tmp_path):
    oracle = make(tmp_path, max_trials=5)
    made = bar.Bar(Console(file=io.StringIO()), oracle)
    run(oracle)
    made.update()
    assert "trials 1/5" in shown(made)
    assert not {"stopped", "failed"} & set(shown(made).split())
    run(oracle, fails=True)
    stopped = oracle.create_trial("tuner0")
    oracle.update_trial(stopped.trial_id, {"val_loss": -9.0})
    oracle.end_trial(Trial(stopped.hyperparameters, stopped.trial_id, "STOPPED"))
    made.update()
    assert "trials 3/5" in shown(made)
    assert "1 stopped  1 failed" in shown(made)
    assert "-9" not in shown(made)
