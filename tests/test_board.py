import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure

import keras_recipes as kr
from keras_recipes.board import EventFile, histogram_value, scalar_value, text_value, write_board


@pytest.fixture
def run_dir(tmp_path):
    (tmp_path / "logs").mkdir()
    return tmp_path


def logged(run_dir):
    """(tag, plugin, array) of all summaries."""
    return [
        (value.tag, value.metadata.plugin_data.plugin_name, tf.make_ndarray(value.tensor))
        for path in sorted((run_dir / "logs").glob("*tfevents*"))
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]


def figure(size=(4, 2)):
    drawn = Figure(figsize=size, dpi=100)
    drawn.subplots().plot([1, 2])
    return drawn


def test_a_text_is_logged_and_replaced_by_the_next(run_dir):
    kr.log_text(run_dir, "notes/first", "**one**")
    kr.log_text(str(run_dir), "notes/first", "two, ü")
    kr.log_text(run_dir, "notes-first", "three")  # another tag
    found = {tag: (plugin, array.item().decode()) for tag, plugin, array in logged(run_dir)}
    assert found == {"notes/first": ("text", "two, ü"), "notes-first": ("text", "three")}
    assert len(logged(run_dir)) == 2


def test_a_text_of_any_tag_takes_no_file_of_the_library(run_dir):
    write_board(run_dir / "logs", "settings", [text_value("ours", "stays")])
    long = "заметки " * 30
    for tag in ("settings", long):
        kr.log_text(run_dir, tag, "theirs")
    assert {tag for tag, *_ in logged(run_dir)} == {"settings", long, "ours"}


def test_a_figure_is_logged_as_the_image_that_it_is(run_dir):
    kr.log_figure(run_dir, "calibration", figure((3, 3)))
    kr.log_figure(run_dir, "calibration", figure())
    [(tag, plugin, [width, height, png])] = logged(run_dir)
    assert (tag, plugin, width, height) == ("calibration", "images", b"400", b"200")
    assert tf.io.decode_png(png).shape[:2] == (200, 400)
    [length] = struct.unpack(">I", png[8:12])
    assert struct.unpack(">I", png[16 + length : 20 + length])[0] == zlib.crc32(
        png[12 : 16 + length]
    )


def test_histograms_have_the_shape_that_tensorboard_reads(run_dir):
    numbers = np.concatenate([np.random.default_rng(0).normal(size=1000), [np.nan, np.inf]])
    write_board(run_dir / "logs", "all", [histogram_value("b", numbers)])
    [(_, kind, buckets)] = logged(run_dir)
    assert (kind, buckets.shape) == ("histograms", (30, 3))
    finite = numbers[:1000]
    assert buckets[:, 2].sum() == 1000
    assert (buckets[0, 0], buckets[-1, 1]) == pytest.approx((finite.min(), finite.max()))
    middle = (finite >= buckets[10, 0]) & (finite < buckets[10, 1])
    assert buckets[10, 2] == middle.sum()


def test_values_have_the_steps_that_are_given(run_dir):
    values = [scalar_value("a", 1.0), scalar_value("a", 2.0)]
    write_board(run_dir / "logs", "all", values, [3, 7])
    [path] = (run_dir / "logs").glob("*tfevents*")
    events = [*tf.compat.v1.train.summary_iterator(str(path))][1:]
    assert [event.step for event in events] == [3, 7]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda run: kr.log_text(3, "a", "b"), TypeError, "`run_dir`"),
        (lambda run: kr.log_text(run / "none", "a", "b"), ValueError, "Call fit with"),
        (lambda run: kr.log_text(run, "", "b"), ValueError, "`tag`"),
        (lambda run: kr.log_text(run, "a", ""), ValueError, "`text`"),
        (lambda run: kr.log_text(run, "a", 3), TypeError, "`text`"),
        (lambda run: kr.log_figure(run, 3, figure()), TypeError, "`tag`"),
        (lambda run: kr.log_figure(run, "a", figure().axes[0]), TypeError, r"`\.figure`"),
        (lambda run: kr.log_figure(run / "none", "a", figure()), ValueError, "Call fit with"),
    ],
)
def test_bad_arguments_are_refused(run_dir, call, error, match):
    with pytest.raises(error, match=match):
        call(run_dir)
    assert not logged(run_dir)


def test_without_matplotlib_the_error_says_how_to_install_it(run_dir, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-recipes\[plot\]'"):
        kr.log_figure(run_dir, "a", None)


def test_a_full_disk_is_told_of(tmp_path):
    file = EventFile(tmp_path / "board")
    file._file = Full()
    for act in (file.flush, file.close, lambda: file.write([scalar_value("loss", 1.0)], 0)):
        with pytest.raises(
            OSError, match=r"board could not be written \(No space left on device\)"
        ):
            act()


class Full:
    """What TensorFlow raises where a disk is full."""

    def write(self, _=None):
        raise tf.errors.OutOfRangeError(None, None, "Not written; No space left on device")

    flush = close = write
