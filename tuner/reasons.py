"""Why a trial failed, in a line: what keras-tuner keeps is a traceback."""

import itertools
import re

TRACEBACK = "Traceback (most recent call last):\n"
# What TensorFlow and Keras put around what happened: where in the graph, hints, arguments.
AROUND = re.compile(
    r'Graph execution error|Detected at node|\s*File "|\s{4}|\s*\[\[|\d+ root error|Hint:'
    r"|Exception encountered when calling|Stack trace|$"
)
MARKS = re.compile(r"\x1b\[\d+m|\{\{function_node .*?\}\} | ?\[Op:.*$")


def reason_of(message: str | None) -> str:
    """Returns the type of the exception and the first line that says what happened.

    Args:
        message: A trial's; a text that is no traceback gives its first line.
    """
    _, is_traceback, text = (message or "").rpartition(TRACEBACK)
    lines = text.strip("\n").splitlines()
    kind = ""
    if is_traceback:
        lines = list(itertools.dropwhile(lambda line: line.startswith(" "), lines))
        name, _, lines[0] = lines[0].partition(": ")
        kind = name.rpartition(".")[2]
    told = next((line for line in lines if not AROUND.match(MARKS.sub("", line))), "")
    return ": ".join(filter(None, [kind, MARKS.sub("", told).strip()]))
