"""The nursery forks its maker: these are fresh processes, as pytest's have threads by now."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNREAD = """
import sys, time
from pathlib import Path
from tuner.nursery import Nursery

nursery = Nursery(lambda: None)
nursery.start("worker-0", [], Path(sys.argv[1], "log"))
while not nursery._pipe.poll():
    time.sleep(0.01)
nursery.stop()
print(nursery._process.exitcode)
"""
ENDED = """
import sys, time
from pathlib import Path
from tuner.nursery import Nursery

def work():
    if sys.argv[1] == "fail":
        sys.exit(3)
    time.sleep(100)

directory = Path(sys.argv[1])
with Nursery(work) as nursery:
    nursery.start("stays", ["stay"], directory / "stays")
    nursery.start("fails", ["fail"], directory / "fails")
    while not (ended := list(nursery.ended())):
        time.sleep(0.01)
print(ended, nursery._process.exitcode)
"""


def said_by(script, directory):
    command = [sys.executable, "-c", script, str(directory)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


def test_it_ends_in_peace_where_nobody_has_read_of_a_worker_that_ended(tmp_path):
    assert said_by(UNREAD, tmp_path) == "0"


def test_it_tells_of_those_that_ended_and_ends_the_others(tmp_path):
    assert said_by(ENDED, tmp_path) == "[('fails', 3)] 0"
