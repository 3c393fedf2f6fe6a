"""Searches as commands: from the first trial to the report, and what a kill leaves."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from keras_recipes.search_spaces import DefaultDNN
from recipes.command import run
from tuner.json_files import read_json
from tuner.search import main
from tuner.settings import SPACES

ROOT = Path(__file__).parents[2]
SECONDS = 300  # that a search may take on a busy machine
TRIALS = 4
# Not by Popen's preexec_fn: it forks this process, which the threads of gRPC here do not bear.
SET_UP = """
import os, resource, signal, sys
_, size, *command = sys.argv
signal.signal(signal.SIGINT, signal.SIG_DFL)
if size != "None":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))
os.execvp(command[0], command)
"""


@pytest.fixture
def command(tmp_path):
    """What runs a small search; more flags may follow."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    table = pd.DataFrame(x, columns=["a", "b", "c"]).assign(y=x[:, 0] * 2 + rng.normal(size=120))
    table.to_csv(tmp_path / "small.csv", index=False)
    flags = ["--data", "small.csv", "--target", "y", "--max-trials", TRIALS, "--epochs", 1]
    return [sys.executable, "-m", "tuner.search", "--run-dir", "run", *map(str, flags)]


def start(command, directory, file_size=None):
    """Starts a command, which hears Ctrl-C, even if this process was told not to."""
    return subprocess.Popen(
        [sys.executable, "-c", SET_UP, *map(str, [file_size, *command])], cwd=directory, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
    )  # fmt: skip


def end(process):
    try:
        return process.communicate(timeout=SECONDS)
    finally:
        process.kill()


def finish(command, directory):
    process = start(command, directory)
    out, err = end(process)
    assert process.returncode == 0, err
    return out


def statuses(directory):
    paths = sorted((directory / "run" / "search").glob("trial_*/trial.json"))
    return [state["status"] for state in map(read_json, paths) if state]


def trials_for(kills):
    """So many that the search still runs at the last of the kills."""
    return 4 * kills + 1


def start_searching(command, directory):
    """Returns the process when it is past its imports, and has read what the one before left."""
    state = directory / "run" / "search" / "oracle.json"
    before = state.stat().st_mtime_ns if state.exists() else 0
    process = start(command, directory)
    wait_for(lambda: state.exists() and state.stat().st_mtime_ns > before)
    return process


def kill_at_a_moment(process, number, directory):
    if number % 2:  # after a trial has ended: one that meets ten kills in a row would be given up
        ended = statuses(directory).count("COMPLETED")
        wait_for(lambda: statuses(directory).count("COMPLETED") > ended)
    time.sleep(np.random.default_rng(number).uniform(0, 1.5))
    assert process.poll() is None, process.communicate()
    process.kill()
    end(process)


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "It did not come about."
        time.sleep(0.05)


def processes(directory):
    """All that run there, of whatever kind."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            if (path / "cwd").readlink() == directory:
                found.append(int(path.name))
    return found


def workers(directory):
    """The processes of workers, by their names."""
    running, found = processes(directory), {}
    for log in directory.glob("run/workers/*.log"):
        told = re.findall(r"^process (\d+) works", log.read_text(), re.MULTILINE)
        if told and int(told[-1]) in running:
            found[log.stem] = int(told[-1])
    return found


def test_a_search_ends_with_a_table_a_tested_model_and_a_report(command, tmp_path):
    out = finish([*command, "--baseline", "--retrain", "--average", 2], tmp_path)
    for text in (
        "The best 4",
        "Test RMSE of the default set-up (trial",
        "of the mean of trials",
        "HistGradientBoosting",
        "a linear model",
    ):
        assert text in out
    run = tmp_path / "run"
    table = pd.read_csv(run / "results.csv")
    assert list(table["status"]) == ["COMPLETED"] * TRIALS
    assert (table["optimizer"][0], table["schedule"][0]) == ("momentum", "1cycle")
    assert "![scores](scores.png)" in (run / "report.md").read_text()
    keras.models.load_model(run / "model.keras")
    events = list(run.glob("logs/*/events.out.tfevents.*"))
    assert len(events) == TRIALS
    before = (run / "report.md").read_text()
    (run / "report.md").unlink()
    report = [sys.executable, "-m", "tuner.report", "--run-dir", "run"]
    assert "The best 4" in finish(report, tmp_path)
    assert (run / "report.md").read_text() == before

    process = start([*command, "--seed", 1], tmp_path)
    _, err = end(process)
    assert process.returncode == 2
    last = err.strip().splitlines()[-1]
    assert "seed: 0 before, 1 now" in last
    assert "resume" not in last  # of which the command knows nothing

    more = [*command, "--max-trials", TRIALS + 1]
    finish(more, tmp_path)
    after = pd.read_csv(run / "results.csv")
    pd.testing.assert_series_equal(after["val_loss"][:TRIALS], table["val_loss"])
    assert len(after) == TRIALS + 1
    assert "HistGradientBoosting" in (run / "report.md").read_text()


def test_a_trial_that_fails_is_recorded_and_leaves_the_terminal_as_it_is(
    command, tmp_path, monkeypatch, capfd
):
    class Fails(DefaultDNN):
        def fit(self, hp, *arguments, **keywords):
            if hp.values["dropout"] != 0:
                raise MemoryError("no room")
            return super().fit(hp, *arguments, **keywords)

    monkeypatch.setitem(SPACES, "default", Fails)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [*command[2:], "--vary", "dropout"])
    main()
    table = pd.read_csv(tmp_path / "run" / "results.csv")
    assert list(table["status"]) == ["COMPLETED"] + ["FAILED"] * (TRIALS - 1)
    assert set(table["reason"][1:]) == {"MemoryError: no room"}
    printed = capfd.readouterr()
    assert "Traceback" not in printed.out + printed.err
    assert "3 failed" in printed.out


def test_a_search_that_was_killed_goes_on(command, tmp_path, pytestconfig):
    kills = pytestconfig.getoption("kills") // 2
    command += ["--max-trials", trials_for(kills)]
    for number in range(kills):
        kill_at_a_moment(start_searching(command, tmp_path), number, tmp_path)
    assert "The best 5" in finish(command, tmp_path)
    assert statuses(tmp_path) == ["COMPLETED"] * trials_for(kills)


def test_workers_that_are_killed_lose_no_trial(command, tmp_path, pytestconfig):
    kills = pytestconfig.getoption("kills") // 2
    command += ["--workers", 2, "--max-trials", trials_for(kills)]
    process = start_searching(command, tmp_path)
    killed = {None}
    for number in range(kills):
        name = f"worker-{number % 2}"
        wait_for(lambda: workers(tmp_path).get(name) not in killed)  # noqa: B023
        time.sleep(np.random.default_rng(number).uniform(0, 1.5))
        killed.add(workers(tmp_path)[name])
        os.kill(workers(tmp_path)[name], signal.SIGKILL)
    out, err = end(process)
    assert process.returncode == 0, err
    assert "The best 5" in out
    assert statuses(tmp_path) == ["COMPLETED"] * trials_for(kills)
    assert not processes(tmp_path)


def test_no_worker_outlives_its_chief_and_the_search_goes_on(command, tmp_path, pytestconfig):
    kills = pytestconfig.getoption("kills") // 2
    command += ["--workers", 2, "--max-trials", trials_for(kills)]
    for number in range(kills):
        kill_at_a_moment(start_searching(command, tmp_path), number, tmp_path)
        wait_for(lambda: not processes(tmp_path))
    finish(command, tmp_path)
    assert statuses(tmp_path) == ["COMPLETED"] * trials_for(kills)


def test_ctrl_c_ends_all_workers_and_the_search_goes_on(command, tmp_path):
    process = start([*command, "--workers", 2], tmp_path)
    wait_for(lambda: statuses(tmp_path))
    process.send_signal(signal.SIGINT)
    _, err = end(process)
    wait_for(lambda: not processes(tmp_path))
    assert err.strip().endswith("Interrupted. The same command with the same --run-dir goes on.")
    finish([*command, "--workers", 2], tmp_path)
    assert statuses(tmp_path) == ["COMPLETED"] * TRIALS


@pytest.mark.parametrize("module", ["tuner.search", "recipes.default_dnn"])
def test_ctrl_c_while_tensorflow_is_imported_leaves_no_traceback(tmp_path, module):
    process = start([sys.executable, "-m", module], tmp_path)
    loaded = Path(f"/proc/{process.pid}/maps")
    wait_for(lambda: "tensorflow" in loaded.read_text())
    process.send_signal(signal.SIGINT)
    _, err = end(process)
    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in err


@pytest.mark.parametrize("workers", [[], ["--workers", 2]], ids=["alone", "workers"])
def test_a_full_disk_ends_a_search_and_none_of_its_trials(command, tmp_path, workers):
    """Full for weights; a file of JSON has room."""
    process = start([*command, *workers], tmp_path, file_size=50_000)
    _, err = end(process)
    assert process.returncode == 2
    last = err.strip().splitlines()[-1]
    assert "File too large" in last
    assert "Free space" in last
    assert set(statuses(tmp_path)) == {"RUNNING"}
    finish([*command, *workers], tmp_path)
    assert statuses(tmp_path) == ["COMPLETED"] * TRIALS


def test_a_chief_that_cannot_write_ends_with_the_reason(command, tmp_path):
    process = start_searching([*command, "--workers", 2], tmp_path)
    in_its_place = tmp_path / "run" / "search" / ".unfinished"
    while not in_its_place.is_dir():
        with contextlib.suppress(FileExistsError):
            in_its_place.mkdir()
    _, err = end(process)
    assert process.returncode == 2
    assert "could not be written" in err.strip().splitlines()[-1]
    wait_for(lambda: not processes(tmp_path))
    in_its_place.rmdir()
    finish([*command, "--workers", 2], tmp_path)
    assert statuses(tmp_path) == ["COMPLETED"] * TRIALS


def test_workers_that_are_killed_before_their_first_trial_are_started_again(command, tmp_path):
    process = start([*command, "--workers", 1], tmp_path)
    for _ in range(4):
        wait_for(lambda: workers(tmp_path) or process.poll() is not None)
        for worker in workers(tmp_path).values():
            os.kill(worker, signal.SIGKILL)
            wait_for(lambda: worker not in processes(tmp_path))  # noqa: B023
    _, err = end(process)
    assert process.returncode == 0, err
    assert statuses(tmp_path) == ["COMPLETED"] * TRIALS


def test_a_chief_that_comes_back_finds_its_workers(command, tmp_path, pytestconfig):
    kills = pytestconfig.getoption("kills") // 2
    command += ["--max-trials", trials_for(kills)]
    chief = [*command, "--workers", 0, "--chief", f"127.0.0.1:{free_port()}"]
    worker = [
        sys.executable,
        "-m",
        "tuner.search",
        "--worker",
        "--run-dir",
        "run",
        "--chief",
        chief[-1],
    ]
    others = []
    for number in range(kills):
        process = start_searching(chief, tmp_path)
        others = others or [start([*worker, "--name", name], tmp_path) for name in ("one", "other")]
        wait_for(lambda: statuses(tmp_path))
        kill_at_a_moment(process, number, tmp_path)
    assert "The best 5" in finish(chief, tmp_path)
    for each in others:
        _, err = end(each)
        assert each.returncode == 0, err
    assert statuses(tmp_path) == ["COMPLETED"] * trials_for(kills)


def test_a_chief_at_a_port_that_is_free_says_how_workers_join(command, tmp_path):
    out = finish([*command, "--workers", 1, "--chief", "127.0.0.1:0"], tmp_path)
    told = re.search(r"^Workers join by: .* --worker --chief (\S+) --run-dir (\S+)$", out, re.M)
    log = (tmp_path / "run" / "workers" / "worker-0.log").read_text()
    assert f"works for {told[1]}\n" in log
    assert told[2] == str(tmp_path / "run")


def test_workers_end_with_the_nursery_and_the_search_says_so(command, tmp_path):
    process = start([*command, "--workers", 2], tmp_path)
    wait_for(lambda: len(workers(tmp_path)) == 2)
    [nursery] = {parent(pid) for pid in workers(tmp_path).values()}
    os.kill(nursery, signal.SIGKILL)
    _, err = end(process)
    assert process.returncode == 2
    assert "The process that starts workers must run" in err
    wait_for(lambda: not processes(tmp_path))


def parent(pid):
    return int(re.search(r"^PPid:\s*(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def free_port():
    import socket

    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


def test_a_search_goes_on_without_the_settings_that_were_torn(command, tmp_path):
    finish(command, tmp_path)
    table = pd.read_csv(tmp_path / "run" / "results.csv")
    settings = tmp_path / "run" / "run.json"
    settings.write_text("{")
    process = start(command, tmp_path)
    _, err = end(process)
    assert process.returncode == 2
    assert "Remove it to go on" in err.strip().splitlines()[-1]
    settings.unlink()
    finish(command, tmp_path)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "run" / "results.csv"), table)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--stop-early", "--algorithm", "hyperband"], "`--stop-early` must be left out of hyper"),
        (["--max-minutes", "0"], "`--max-minutes` must be in (0, inf)"),
        (["--max-minutes", "nan"], "`--max-minutes` must be in (0, inf)"),
        (
            ["--folds", "1000"],
            "`--folds` must be at most the number of training and validation rows, 96",
        ),
        (["--vary", "nothing"], "must name dimensions of the space"),
        (["--chief", "localhost"], "must be HOST:PORT"),
        (["--worker", "--chief", "nonsense"], "must be HOST:PORT"),
        (["--workers", "0"], "`--workers` must be 1 or more"),
        (["--data", "nothing.csv"], "nothing.csv"),
    ],
)
def test_bad_flags_are_told_of_in_a_line(command, tmp_path, flags, message, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [*command[2:], *flags])
    with pytest.raises(SystemExit, match="2"), warnings.catch_warnings():
        run(main)
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_an_address_of_another_machine_is_told_of(command, tmp_path):
    process = start([*command, "--workers", "1", "--chief", "203.0.113.1:7000"], tmp_path)
    _, err = end(process)
    assert process.returncode == 2
    assert "address of this machine" in err.strip().splitlines()[-1]


def test_a_worker_without_a_search_says_what_to_share(tmp_path):
    process = start(
        [
            sys.executable,
            "-m",
            "tuner.search",
            "--worker",
            "--run-dir",
            "none",
            "--chief",
            "127.0.0.1:1",
        ],
        tmp_path,
    )
    _, err = end(process)
    assert "Share the chief's directory" in err
