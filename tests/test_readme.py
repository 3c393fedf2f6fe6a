"""Every code block of the README runs."""

import re
import shlex
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
PYTHON = [block for language, block in BLOCKS if language == "python"]
COMMANDS = [
    line for language, block in BLOCKS if language == "bash" for line in block.splitlines() if line
]


def without_setup(command):
    """The arguments of what a line runs in the end, with this interpreter and its scripts."""
    arguments = shlex.split(command.split("&&")[-1])
    program = Path(arguments[0]).name
    here = [sys.executable] if program == "python" else [sys.executable, "-m", program + ".main"]
    return [*here, *arguments[1:]]


def run(command, cwd, *more):
    with tempfile.TemporaryDirectory() as home:  # for what Keras and matplotlib keep there
        return subprocess.run(
            [*without_setup(command), *more],
            cwd=cwd,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": home},
            text=True,
            capture_output=True,
            check=True,
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with the files that the README's commands name."""
    place = tmp_path_factory.mktemp("readme")
    rng = np.random.default_rng(0)
    houses = pd.DataFrame(
        {
            "rooms": rng.integers(1, 9, 300),
            "area": np.where(rng.random(300) < 0.1, np.nan, rng.normal(100, 30, 300)),
            "town": rng.choice(["north", "south"], 300),
        }
    )
    houses["price"] = 50_000 * houses["rooms"] + 1000.0 * (houses["town"] == "south")
    houses.to_csv(place / "houses.csv", index=False)
    houses.drop(columns="price").head(7).to_csv(place / "new_houses.csv", index=False)
    return place


def test_no_block_is_left_out():
    assert {language for language, _ in BLOCKS} == {"python", "bash", "text"}
    assert len(COMMANDS) == 6


def test_the_python_blocks_run_one_after_the_other(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("\n".join(PYTHON))
    result = run(f"python {script}", tmp_path)
    assert "accuracy" in result.stdout
    assert float(result.stdout.split()[-1]) > 0.6  # of the regressor, the last of them to print
    assert (tmp_path / "runs" / "digits" / "model.keras").is_file()


def test_the_main_command_trains_on_real_data(place):
    printed = run(COMMANDS[0], place).stdout
    accuracy = float(re.search(r"test accuracy\s*│\s*([0-9.]+)", printed)[1])
    assert accuracy > 0.95
    assert "-m tensorboard.main --logdir runs" in printed
    assert (place / "runs" / "default_dnn-1" / "model.keras").is_file()


def test_the_test_command_finds_the_tests(place):
    assert COMMANDS[1].endswith(".venv/bin/python -m pytest -n auto")
    printed = run(COMMANDS[1], ROOT, "--collect-only", "-q", "tests/test_guide.py").stdout
    assert "test_guide" in printed


def test_a_csv_is_trained_on_and_predicted(place):
    assert "test RMSE" in run(COMMANDS[2], place, "--epochs", "3").stdout
    assert "7 predictions in predictions.csv" in run(COMMANDS[3], place).stdout
    predictions = pd.read_csv(place / "predictions.csv")["prediction"]
    assert predictions.between(-1e6, 1e6).all()
    assert predictions.std() > 1000


def test_a_search_says_what_it_found(place):
    printed = run(COMMANDS[5], place, "--max-trials", "2", "--epochs", "1").stdout
    assert "trials 2/2" in printed
    report = (place / "runs" / "search-1" / "report.md").read_text()
    assert "boosting" in report.lower()


def test_tensorboard_shows_the_runs(place):
    command = without_setup(COMMANDS[4])
    board = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", "0"],
        cwd=place,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        for line in board.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
                break
        with urllib.request.urlopen(f"{found[0]}data/environment", timeout=30) as answer:
            assert answer.status == 200
    finally:
        board.kill()
        board.stdout.close()
        board.wait()
