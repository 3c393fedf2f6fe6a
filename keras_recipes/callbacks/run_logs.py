import io
from pathlib import Path
from typing import Any

import keras
from keras import ops

from keras_recipes.board import histogram_value, written
from keras_recipes.callbacks import layer_health, step_log
from keras_recipes.checkpoints import write_atomically

BY_STEP = (layer_health.PREFIX, step_log.PREFIX)  # of tags that have the step on their axis
AFTER_STEP = "_vs_iterations"  # ends those that have the steps taken by then
OF_THE_MODEL = "keras"  # the tag of its layers, written when training begins
HISTOGRAMS = 10  # of each weight in a training


class RunLogs(keras.callbacks.TensorBoard):
    """Keras's `TensorBoard` for a run that may be killed: no point is lost, none comes twice.

    What an epoch logged is in the files before the epoch is in a checkpoint; what they hold of
    epochs after it goes when training goes on from there. Some ten times in a training there are
    histograms of the weights, as `weights/LAYER/NAME`.

    Args:
        directory: Where the event files are.
        first_epoch: The epoch with which training starts or goes on.
        first_iteration: The optimizer's step by then.
    """

    def __init__(self, directory: Path, first_epoch: int, first_iteration: int) -> None:
        super().__init__(directory, write_graph=first_iteration == 0)
        for path in directory.glob("*/events.out.tfevents.*"):
            _prune(path, first_epoch, first_iteration)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        with written(Path(self.log_dir)):
            super().on_epoch_end(epoch, logs)
            if (epoch + 1) % -(-self.params["epochs"] // HISTOGRAMS) == 0:
                self._write_histograms(epoch)
            for writer in self._writers.values():
                writer.flush()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_train_batch_end(batch)  # which makes summaries of logs that go nowhere

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        with written(Path(self.log_dir)):
            super().on_test_end(logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        with written(Path(self.log_dir)):
            super().on_train_end(logs)

    def _write_histograms(self, epoch: int) -> None:
        import tensorflow as tf
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [
            histogram_value(f"weights/{variable.path}", ops.convert_to_numpy(variable))
            for variable in self.model.trainable_variables
        ]
        with self._train_writer.as_default():
            tf.summary.experimental.write_raw_pb(Summary(value=values).SerializeToString(), epoch)


def _prune(path: Path, first_epoch: int, first_iteration: int) -> None:
    import tensorflow as tf
    from tensorboard.summary.writer.record_writer import RecordWriter

    def stays(record: bytes) -> bool:
        event = tf.compat.v1.Event.FromString(record)
        tags = [value.tag for value in event.summary.value]
        if OF_THE_MODEL in tags:
            return first_iteration > 0
        if any(tag.endswith(AFTER_STEP) for tag in tags):
            return event.step <= first_iteration
        if any(tag.startswith(BY_STEP) for tag in tags):
            return event.step < first_iteration
        return event.step < first_epoch or not tags

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
