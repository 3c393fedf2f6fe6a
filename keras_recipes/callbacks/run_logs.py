import contextlib
import errno
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from keras_recipes.callbacks.layer_health import PREFIX
from keras_recipes.checkpoints import not_written, write_atomically

PER_STEP = "_vs_iterations"  # tags that have the step on their axis, not the epoch


class RunLogs(keras.callbacks.TensorBoard):
    """Keras's `TensorBoard` for a run that may be killed: no point is lost, none comes twice.

    What an epoch logged is in the files before the epoch is in a checkpoint; what they hold of
    epochs after it goes when training goes on from there.

    Args:
        directory: Where the event files are.
        first_epoch: The epoch with which training starts or goes on.
        first_iteration: The optimizer's step by then.
    """

    def __init__(self, directory: Path, first_epoch: int, first_iteration: int) -> None:
        super().__init__(directory, write_graph=first_iteration == 0)
        for path in directory.rglob("events.out.tfevents.*"):
            _prune(path, first_epoch, first_iteration)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        with self._written():
            super().on_epoch_end(epoch, logs)
            for writer in self._writers.values():
                writer.flush()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        with self._written():
            super().on_test_end(logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        with self._written():
            super().on_train_end(logs)

    @contextlib.contextmanager
    def _written(self) -> Iterator[None]:
        import tensorflow as tf

        try:
            yield
        except tf.errors.OpError as error:  # what TensorFlow makes of a full disk
            reason = error.message.partition("; ")[2].partition("\n")[0]
            raise not_written(Path(self.log_dir), errno.EIO, reason) from error


def _prune(path: Path, first_epoch: int, first_iteration: int) -> None:
    import tensorflow as tf
    from tensorboard.summary.writer.record_writer import RecordWriter

    def stays(record: bytes) -> bool:
        event = tf.compat.v1.Event.FromString(record)
        tags = [value.tag for value in event.summary.value]
        if any(tag.endswith(PER_STEP) for tag in tags):
            return event.step <= first_iteration
        if any(tag.startswith(PREFIX) for tag in tags):
            return event.step < first_iteration
        return event.step < first_epoch or not event.summary.value

    kept = io.BytesIO()
    writer = RecordWriter(kept)
    for record in _records(path):
        if stays(record):
            writer.write(record)
    if len(kept.getvalue()) < path.stat().st_size:
        write_atomically(path, kept.getvalue())


def _records(path: Path) -> list[bytes]:
    """The whole records of a file; a kill can leave a torn one at its end."""
    import tensorflow as tf

    records: list[bytes] = []
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            records.append(record.numpy())
    except tf.errors.DataLossError:
        pass
    return records
