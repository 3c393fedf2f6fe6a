"""Where benchmark tables go, and what they say of the machine."""

from collections.abc import Sequence
from pathlib import Path

from recipes.report import markdown_table, provenance

__all__ = ["device", "markdown_table", "write_result"]

RESULTS = Path(__file__).parent / "results"


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
    page = "\n\n".join([f"# {title}", *parts, provenance(f"benchmarks.{name}")]) + "\n"
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    path.write_text(page)
    print(page)
    return path
