"""How the cost of a step grows with width, depth and batch, and memory with the size of the data.

python -m benchmarks.scaling
"""

import multiprocessing
import re
import statistics
import tempfile
from pathlib import Path

import keras
import numpy as np

import keras_recipes as kr
from benchmarks.report import RESULTS, device, markdown_table, write_result
from benchmarks.timing import EpochTimes

WIDTHS = (32, 64, 128, 256, 512, 1024, 2048)
DEPTHS = (1, 3, 10, 30, 100)
BATCHES = (8, 32, 128, 512, 2048)
FEATURES = 100
STEPS = 800  # an epoch
EPOCHS = 4  # 3200 steps: a training that XLA compiles
ROWS = (100_000, 300_000, 1_000_000)
STREAMED_BATCH = 500


def step_times(width=100, depth=3, batch=32):
    """Microseconds a step of `fit` and of Keras's, and the seconds of `fit`'s first epoch."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(STEPS * batch, FEATURES)).astype("float32")
    y = x[:, 0]
    arguments = {"hidden_units": (width,) * depth, "normalization": None}

    def build():
        keras.backend.clear_session()
        return kr.build_default_dnn(FEATURES, **arguments)

    ours, theirs = EpochTimes(), EpochTimes()
    kr.fit(
        build(), x, y, batch_size=batch, epochs=EPOCHS, max_learning_rate=1e-4, verbose=0,
        callbacks=[ours],
    )  # fmt: skip
    some = slice(STEPS // 4 * batch)
    build().fit(x[some], y[some], batch_size=batch, epochs=3, verbose=0, callbacks=[theirs])
    our_step = statistics.median(ours.seconds[1:]) / STEPS * 1e6
    their_step = statistics.median(theirs.seconds[1:]) / (STEPS // 4) * 1e6
    return our_step, their_step, ours.seconds[0] - statistics.median(ours.seconds[1:])


def growth(name, values):
    rows, points = [], []
    for value in values:
        ours, theirs, start = step_times(**{name: value})
        rows.append([value, f"{ours:.0f}", f"{theirs:.0f}", f"{theirs / ours:.1f}", f"{start:.1f}"])
        points.append((value, ours, theirs))
        print(name, rows[-1], flush=True)
    header = [name, "fit, µs a step", "Keras fit, µs a step", "ratio", "to trace and compile, s"]
    return f"## By {name}\n\n{markdown_table(header, rows)}", points


class Stored(keras.utils.PyDataset):
    """Batches from a file that is never read as a whole."""

    def __init__(self, path, rows):
        super().__init__()
        self._path = path
        self._rows = rows

    def __len__(self):
        return self._rows // STREAMED_BATCH

    def __getitem__(self, index):
        count = STREAMED_BATCH * FEATURES  # a memory map would count what it has read
        x = np.fromfile(self._path, "float32", count, offset=4 * count * index)
        x = x.reshape(STREAMED_BATCH, FEATURES)
        return x, x[:, 0]


def megabytes(name):
    """What Linux says of this process's memory: `VmRSS` now, `VmHWM` at most."""
    line = re.search(rf"{name}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(line[1]) / 1024


def memory(path, rows, streamed, queue):
    """In a process of its own: microseconds a step, and the growth of its memory in MB."""
    model = kr.build_default_dnn(FEATURES)
    model.predict_on_batch(np.zeros((1, FEATURES), "float32"))
    before = megabytes("VmRSS")
    arguments = {"epochs": 2, "max_learning_rate": 1e-3, "verbose": 0}
    times = EpochTimes()
    if streamed:
        kr.fit(model, Stored(path, rows), callbacks=[times], **arguments)
    else:
        x = np.fromfile(path, "float32", rows * FEATURES).reshape(rows, FEATURES)
        kr.fit(model, x, x[:, 0].copy(), batch_size=STREAMED_BATCH, callbacks=[times], **arguments)
    micros = times.seconds[1] / (rows / STREAMED_BATCH) * 1e6
    queue.put((micros, megabytes("VmHWM") - before))


def data_size():
    context, rows = multiprocessing.get_context("spawn"), []
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "x.bin"
        with path.open("wb") as file:
            for seed in range(max(ROWS) // 100_000):
                part = np.random.default_rng(seed).normal(size=(100_000, FEATURES))
                part.astype("float32").tofile(file)
        for count in ROWS:
            row = [f"{count:,}", f"{count * FEATURES * 4 / 2**20:.0f}"]
            for streamed in (False, True):
                queue = context.Queue()
                process = context.Process(target=memory, args=(path, count, streamed, queue))
                process.start()
                micros, grown = queue.get()
                process.join()
                row += [f"{micros:.0f}", f"{grown:.0f}"]
            rows.append(row)
            print(row, flush=True)
    header = ["examples", "MB", "arrays, µs a step", "memory grown by, MB", "streamed, µs a step",
              "memory grown by, MB"]  # fmt: skip
    return (
        f"## By size of the data, batch {STREAMED_BATCH}\n\n{markdown_table(header, rows)}\n\n"
        "Streamed is a `PyDataset` over a file of which one batch at a time is read; memory is the "
        "peak of the process over what it was before `fit`. Arrays are in memory three times: NumPy's, "
        "TensorFlow's and the shuffled ones of an epoch."
    )


def plot(curves):
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(12, 3.6), layout="constrained")
    for ax, (name, points) in zip(axes, curves.items(), strict=True):
        values, ours, theirs = zip(*points, strict=True)
        ax.loglog(values, theirs, "o-", color="C1", label="keras.Model.fit")
        ax.loglog(values, ours, "o-", color="C0", label="keras_recipes.fit")
        ax.set(xlabel=name, ylabel="µs a step")
        ax.grid(alpha=0.3)
    axes[0].legend()
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "scaling.png", dpi=110)


def main():
    tables, curves = [], {}
    for name, values in (("width", WIDTHS), ("depth", DEPTHS), ("batch", BATCHES)):
        table, curves[name] = growth(name, values)
        tables.append(table)
    plot(curves)
    intro = (
        f"{FEATURES} inputs, 3 hidden layers of 100 ELU units, momentum, 1cycle, batch 32 where "
        f"nothing else is said, on {device()}."
    )
    picture = "![µs a step by width, depth and batch](scaling.png)"
    write_result(
        "scaling",
        "How the cost of training grows",
        [intro, picture, *tables, data_size()],
    )


if __name__ == "__main__":
    main()
