"""What TensorBoard has of a trial."""

import tensorflow as tf
from tensorboard.plugins.hparams import api_pb2, metadata

from tuner.board import write_trial

VALUES = {"units": 5, "kind": "a", "tuner/epochs": 3}


def logged(directory):
    """(tag, step) -> value of all summaries; each comes once."""
    found = [
        ((value.tag, event.step), value)
        for path in directory.glob("*tfevents*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]
    assert len(found) == len(dict(found))
    return dict(found)


def row(directory):
    """The hyperparameters, and how the trial ended."""
    start, end = (
        logged(directory)[tag, 0].metadata.plugin_data.content
        for tag in (metadata.SESSION_START_INFO_TAG, metadata.SESSION_END_INFO_TAG)
    )
    started = metadata.parse_session_start_info_plugin_data(start)
    values = {
        name: getattr(value, value.WhichOneof("kind")) for name, value in started.hparams.items()
    }
    return started.group_name, values, metadata.parse_session_end_info_plugin_data(end).status


def test_a_trial_has_curves_and_a_row(tmp_path):
    directory = tmp_path / "logs" / "0003"
    write_trial(directory, VALUES, {"loss": [9.0]}, {"val_loss": 9.0})
    write_trial(directory, VALUES, {"loss": [3.0, 2.0]}, {"val_loss": 2.5})  # it is run again
    numbers = {
        at: value.simple_value
        for at, value in logged(directory).items()
        if value.HasField("simple_value")
    }
    assert numbers == {("epoch/loss", 0): 3.0, ("epoch/loss", 1): 2.0, ("best/val_loss", 0): 2.5}
    expected = {"units": 5, "kind": "a"}
    assert row(directory) == ("0003", expected, api_pb2.STATUS_SUCCESS)


def test_a_trial_that_was_stopped_has_curves_alone(tmp_path):
    write_trial(tmp_path / "0004", VALUES, {"loss": [9.0]}, {})
    assert row(tmp_path / "0004")[2] == api_pb2.STATUS_SUCCESS
    assert ("epoch/loss", 0) in logged(tmp_path / "0004")


def test_a_trial_that_failed_has_a_row(tmp_path):
    write_trial(tmp_path / "0004", VALUES, {}, None)
    expected = {"units": 5, "kind": "a"}
    assert row(tmp_path / "0004") == ("0004", expected, api_pb2.STATUS_FAILURE)
