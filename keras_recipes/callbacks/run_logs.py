import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_recipes.board import (
    GROWING,
    WHOLE,
    EventFile,
    histogram_value,
    scalar_value,
    write_board,
)
from keras_recipes.callbacks import layer_health, step_log
from keras_recipes.checkpoints import write_atomically
from keras_recipes.diagnostics.observed_layers import numbered
from keras_recipes.hparams import VALIDATION, columns
from keras_recipes.layer_graph import layer_graph
from keras_recipes.optimizers.following import (
    innermost,
    learning_rate_at,
    momentum_at,
    steps_taken,
)

PREFIX = "epoch/"  # of its tags; their axis counts epochs
WEIGHTS = "weights/"
BY_EPOCH = (PREFIX, WEIGHTS)
BY_STEP = (layer_health.PREFIX, step_log.PREFIX)  # of tags that have the step on their axis


class RunLogs(keras.callbacks.Callback):
    """The curves of a run that may be killed: no point is lost, none comes twice.

    What an epoch logged is in the files before the epoch is in a checkpoint; what they hold of
    epochs after it goes when training goes on from there, but for tags of others. After 1, 2, 4, 8,
    ... epochs and the last there are histograms of the weights, as `weights/LAYER/NAME`. The graph of
    the layers is there once, and the columns of HParams, and charts of training and validation, after
    the first epoch.

    Args:
        directory: Where the event files are.
        first_epoch: The epoch with which training starts or goes on.
        first_iteration: The optimizer's step by then.
    """

    def __init__(self, directory: Path, first_epoch: int, first_iteration: int) -> None:
        super().__init__()
        self._directory, self._first_iteration = directory, first_iteration
        for path in directory.glob(f"{GROWING}*"):
            if not path.name.startswith(WHOLE):
                _prune(path, first_epoch, first_iteration)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._file = EventFile(self._directory)
        if self._first_iteration == 0 and (graph := layer_graph(self.model)) is not None:
            self._file.write_graph(graph)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        numbers = {name: each for name, each in (logs or {}).items() if np.ndim(each) == 0}
        optimizer = innermost(self.model.optimizer)
        for name, at in (("learning_rate", learning_rate_at), ("momentum", momentum_at)):
            if name not in numbers:  # no schedule has told it
                numbers[name] = at(optimizer, steps_taken(optimizer) - 1)
        values = [
            scalar_value(f"{PREFIX}{name}", float(each))
            for name, each in numbers.items()
            if each is not None
        ]
        last = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if last or (epoch + 1).bit_count() == 1:  # after 1, 2, 4, 8, ...
            values += [
                histogram_value(f"{WEIGHTS}{name}", ops.convert_to_numpy(variable))
                for name, variable in _named_weights(self.model)
            ]
        self._file.write(values, epoch)
        self._file.flush()
        if epoch == 0:  # from which on the names are known
            shown = [columns(self.model, numbers)]
            if any(name.startswith(VALIDATION) for name in numbers):
                shown.append(_charts(numbers))
            write_board(self._directory, "names", shown)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._file.close()


def _named_weights(model: keras.Model) -> Iterator[tuple[str, keras.Variable]]:
    """The weights that train, each by a name of its own, of the layers in which it stands."""
    paths: dict[int, str] = {}

    def walk(layer: keras.Layer, *around: str) -> None:
        for variable in (*layer._trainable_variables, *layer._non_trainable_variables):
            paths.setdefault(id(variable), "/".join((*around, variable.name)))
        for inner in layer._layers:
            walk(inner, *around, inner.name)

    walk(model)
    weights = model.trainable_variables
    # A layer of one's own may name others as its variables.
    names = numbered(paths.get(id(each), each.path) for each in weights)
    return zip(names, weights, strict=True)


def _charts(names: Iterable[str]) -> Any:
    """Has the loss and each metric of training and validation drawn into one chart."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.custom_scalar import layout_pb2
    from tensorboard.plugins.custom_scalar.summary import pb

    charts = [
        layout_pb2.Chart(
            title=name,
            multiline=layout_pb2.MultilineChartContent(
                tag=[f"^{PREFIX}{re.escape(each)}$" for each in (name, VALIDATION + name)]
            ),
        )
        for name in names
        if VALIDATION + name in names
    ]
    category = layout_pb2.Category(title="training and validation", chart=charts)
    made = pb(layout_pb2.Layout(category=[category]))  # of TensorFlow's own class
    return Summary.FromString(made.SerializeToString()).value[0]


def _prune(path: Path, first_epoch: int, first_iteration: int) -> None:
    import tensorflow as tf
    from tensorboard.summary.writer.record_writer import RecordWriter

    def stays(record: bytes) -> bool:
        event = tf.compat.v1.Event.FromString(record)
        tags = [value.tag for value in event.summary.value]
        if not tags:  # how the file begins, and the graph
            return first_iteration > 0 or not event.graph_def
        if any(tag.startswith(BY_STEP) for tag in tags):
            return event.step < first_iteration
        return event.step < first_epoch or not any(tag.startswith(BY_EPOCH) for tag in tags)

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
