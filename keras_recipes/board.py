"""Texts, figures and numbers that TensorBoard shows beside a run's curves."""

import contextlib
import errno
import hashlib
import io
import os
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_recipes.checkpoints import not_written, write_atomically
from keras_recipes.checks import check_instance, check_text
from keras_recipes.extras import import_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["log_figure", "log_text"]

BINS = 30  # of a histogram, as TensorBoard's own have
GROWING = "events.out.tfevents."  # begins the names of files that grow
WHOLE = f"{GROWING}board."  # of those that are replaced as a whole


def log_text(run_dir: str | Path, tag: str, text: str) -> None:
    """Shows a text under TensorBoard's tab "Text" of a run.

    A text that the run has under the same tag is replaced; a TensorBoard that has shown it shows the
    new one after a restart.

    Args:
        run_dir: Directory of a run of `fit`.
        tag: Its name in TensorBoard; what is before a slash is its group.
        text: Markdown.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If one is empty, or `run_dir` has no run.
        OSError: If the directory cannot be written; what was there stays.

    Example:
        >>> log_text("runs/first", "notes", "The first one with **batch norm**.")
    """
    logs = _logs(run_dir)
    check_text("tag", tag, "a name, such as 'notes'")
    check_text("text", text, "a text, in Markdown")
    write_board(logs, _name(tag), [text_value(tag, text)])


def log_figure(run_dir: str | Path, tag: str, figure: "Figure") -> None:
    """Shows a figure under TensorBoard's tab "Images" of a run.

    A figure that the run has under the same tag is replaced; a TensorBoard that has shown it shows
    the new one after a restart. Needs the extra `plot`.

    Args:
        run_dir: Directory of a run of `fit`.
        tag: Its name in TensorBoard; what is before a slash is its group.
        figure: A matplotlib figure.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the tag is empty, or `run_dir` has no run.
        ImportError: If matplotlib is not installed; the message says how to install it.
        OSError: If the directory cannot be written; what was there stays.

    Example:
        >>> log_figure("runs/first", "calibration", found.plot().figure)
    """
    logs = _logs(run_dir)
    check_text("tag", tag, "a name, such as 'calibration'")
    kind = import_extra("matplotlib.figure", "plot").Figure
    hint = "Axes have theirs as `.figure`."
    check_instance("figure", figure, kind, "a matplotlib figure", hint)
    write_board(logs, _name(tag), [figure_value(tag, figure)])


def write_board(logs: Path, name: str, values: Sequence[Any], steps: Sequence[int] = ()) -> None:
    """Writes summaries into a file of their own, in place of what it had before.

    Args:
        logs: The directory that TensorBoard takes for the run.
        name: Of the file, tells it from others there.
        values: `Summary.Value`s.
        steps: Of each of them; all 0 if not given.

    Raises:
        OSError: If the file cannot be written; what was there stays.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    content, now = io.BytesIO(), time.time()
    events = [Event(wall_time=now, file_version="brain.Event:2")]
    events += [
        Event(wall_time=now, step=step, summary=Summary(value=[value]))
        for step, value in zip(steps or [0] * len(values), values, strict=True)
    ]
    writer = RecordWriter(content)
    for event in events:
        writer.write(event.SerializeToString())
    write_atomically(logs / f"{WHOLE}{name}", content.getvalue())


def scalar_value(tag: str, number: float) -> Any:
    """Returns the summary of a number."""
    return scalar_values([tag], [number])[0]


def scalar_values(tags: Sequence[str], numbers: Sequence[float]) -> list[Any]:
    """Returns the summaries of numbers, each under its tag: thirty in a tenth of a millisecond."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    make = Summary.Value
    return [make(tag=tag, simple_value=each) for tag, each in zip(tags, numbers, strict=True)]


def text_value(tag: str, text: str) -> Any:
    """Returns the summary of a text in Markdown."""
    from tensorboard.plugins.text.summary_v2 import text_pb

    return text_pb(tag, text).value[0]


def figure_value(tag: str, figure: "Figure") -> Any:
    """Returns the summary of a matplotlib figure, as a PNG image."""
    from tensorboard.plugins.image.metadata import create_summary_metadata

    image = io.BytesIO()
    figure.savefig(image, format="png")
    png = image.getvalue()
    width, height = struct.unpack(">II", png[16:24])  # where each PNG has them
    parts = np.array([str(width).encode(), str(height).encode(), png], object)
    return _value(tag, parts, create_summary_metadata(None, None))


def histogram_value(tag: str, numbers: np.ndarray) -> Any:
    """Returns the summary of how numbers are distributed; of those that are finite."""
    from tensorboard.plugins.histogram.metadata import create_summary_metadata

    finite = numbers[np.isfinite(numbers)].astype("float64")
    counts, edges = np.histogram(finite, BINS)
    buckets = np.stack([edges[:-1], edges[1:], counts], axis=1)
    return _value(tag, buckets, create_summary_metadata(None, None))


def session_end_value(completed: bool = True) -> Any:
    """Returns the summary that says that what a row of HParams is of has ended, and how."""
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_SUCCESS if completed else api_pb2.STATUS_FAILURE
    ended = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    data = plugin_data_pb2.HParamsPluginData(session_end_info=ended)
    return hparams_value(metadata.SESSION_END_INFO_TAG, data)


def hparams_value(tag: str, data: Any) -> Any:
    """Returns the summary of what TensorBoard's plugin HParams knows under a tag."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata

    about = metadata.create_summary_metadata(data)
    return Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)


class EventFile:
    """A file of summaries that grows; by `tf.summary` each would take half a millisecond.

    Args:
        directory: Where it is; made if need be.

    Raises:
        OSError: If it cannot be written, from its methods too.
    """

    def __init__(self, directory: Path) -> None:
        import tensorflow as tf

        directory.mkdir(parents=True, exist_ok=True)
        name = f"{GROWING}{time.time_ns()}.{os.getpid()}"
        self._directory, self._file = directory, tf.io.TFRecordWriter(os.fspath(directory / name))
        self._write(file_version="brain.Event:2")

    def write(self, values: Sequence[Any], step: int) -> None:
        """Appends summaries.

        Args:
            values: `Summary.Value`s.
            step: Where they are on the axis.
        """
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._write(step=step, summary=Summary(value=values))

    def write_graph(self, graph: Any) -> None:
        """Appends a graph, a `GraphDef`."""
        self._write(graph_def=graph.SerializeToString())

    def flush(self) -> None:
        """Gives to the system what it has not yet."""
        with self._told():
            self._file.flush()

    def close(self) -> None:
        """Ends the file."""
        with self._told():
            self._file.close()

    def _write(self, **event: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        with self._told():
            self._file.write(Event(wall_time=time.time(), **event).SerializeToString())

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        import tensorflow as tf

        try:
            yield
        except tf.errors.OpError as error:  # what TensorFlow makes of a full disk
            reason = error.message.partition("; ")[2].partition("\n")[0]
            raise not_written(self._directory, errno.EIO, reason) from error


def _value(tag: str, array: np.ndarray, metadata: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.util.tensor_util import make_tensor_proto

    return Summary.Value(tag=tag, metadata=metadata, tensor=make_tensor_proto(array))


def _name(tag: str) -> str:
    """The name of a user's file, which none of the library's own has, of any tag."""
    return f"tag.{hashlib.sha256(tag.encode()).hexdigest()[:16]}"


def _logs(run_dir: Any) -> Path:
    check_instance("run_dir", run_dir, (str, os.PathLike), "a path")
    logs = Path(run_dir) / "logs"
    if not logs.is_dir():
        raise ValueError(
            f"`run_dir` must have a run. Received: run_dir={str(run_dir)!r}, where there is none. "
            "Call fit with this run_dir first."
        )
    return logs
