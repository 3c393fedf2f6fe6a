"""Where benchmark tables go, and what they say of the machine."""

import datetime
import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def device() -> str:
    """Returns the name of what TensorFlow computes on."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0])["device_name"] if gpus else "the CPU"


def write_result(name: str, title: str, parts: Sequence[str]) -> Path:
    """Writes a result page under benchmarks/results, and prints it.

    Args:
        name: Name of the page.
        title: Its heading.
        parts: Paragraphs and tables.
    """
    versions = [
        f"{package} {importlib.metadata.version(package)}"
        for package in ("keras", "tensorflow", "scikit-learn", "numpy")
    ]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    arguments = (Path(each).name for each in sys.argv[1:])  # files by their names alone
    command = " ".join(["python -m", f"benchmarks.{name}", *arguments])
    made = f"`{command}`, {datetime.date.today()}; {machine}; {', '.join(versions)}."
    page = "\n\n".join([f"# {title}", *parts, made]) + "\n"
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    path.write_text(page)
    print(page)
    return path
