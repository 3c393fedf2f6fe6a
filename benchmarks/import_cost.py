"""What `import keras_recipes` adds to `import keras`: `python -m benchmarks.import_cost`."""

import argparse
import statistics
import subprocess
import sys

CASES = ("import keras", "import keras, keras_recipes")
TIMED = """
import time
begin = time.perf_counter()
{statement}
print(time.perf_counter() - begin)
"""


def seconds(statement: str) -> float:
    """Returns the time that an import takes in a fresh process, without Python's own start."""
    command = [sys.executable, "-c", TIMED.format(statement=statement)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return float(done.stdout)


def measure(repeats: int) -> dict[str, list[float]]:
    """Returns the times of each case, taken in turns so that a busy machine slows both."""
    times: dict[str, list[float]] = {case: [] for case in CASES}
    for turn in range(repeats + 1):
        for case in CASES:
            taken = seconds(case)
            if turn:  # the first turn only fills the caches of the disk
                times[case].append(taken)
    return times


def table(times: dict[str, list[float]]) -> str:
    """Returns the medians and their ratios to the first case, as Markdown."""
    medians = {case: statistics.median(taken) for case, taken in times.items()}
    lines = ["| statement | median, s | fastest, s | ratio |", "|---|---|---|---|"]
    for case, median in medians.items():
        ratio = median / medians[CASES[0]]
        lines.append(f"| `{case}` | {median:.2f} | {min(times[case]):.2f} | {ratio:.3f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.import_cost", description=__doc__)
    parser.add_argument("--repeats", type=int, default=9, help="processes a case (default: 9)")
    print(table(measure(parser.parse_args().repeats)))


if __name__ == "__main__":
    main()
