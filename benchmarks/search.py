"""A search's time, against keras-tuner's own on the same trials and epochs; memory over trials.

python -m benchmarks.search --rounds 3
"""

import argparse
import gc
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import markdown_table, write_result

TRIALS, EPOCHS, MANY = 24, 3, 200
SEARCH = [
    sys.executable, "-m", "tuner.search", "--max-trials", str(TRIALS), "--epochs", str(EPOCHS),
    "--max-failures", str(TRIALS), "--no-stop-early", "--run-dir",
]  # fmt: skip
WAYS = {
    "keras-tuner's Tuner": [sys.executable, "-m", "benchmarks.search", "--plain"],
    "tuner.search": SEARCH,
    "tuner.search --workers 2": [*SEARCH[:-1], "--workers", "2", SEARCH[-1]],
}


def plain(directory):
    """keras-tuner's Tuner with Keras's own fit, on the very trials of tuner.search."""
    import keras_tuner

    import keras_recipes as kr
    from keras_recipes.search_spaces import DefaultDNN
    from tuner.algorithms import make_oracle

    data = kr.load_dataset("digits")
    space = DefaultDNN(data.input_shape, data.n_outputs, data.task, adapt_to=data.adapt_to)

    class Plain(keras_tuner.HyperModel):
        def declare_hyperparameters(self, hp):
            space.declare_hyperparameters(hp)

        def build(self, hp):
            return space.build(hp)

        def fit(self, hp, model, *arguments, **keywords):
            return model.fit(*arguments, batch_size=hp.get("batch_size"), **keywords)

    oracle = make_oracle("random", "val_loss", TRIALS, EPOCHS, 0, TRIALS)
    tuner = keras_tuner.Tuner(oracle, Plain(), directory=directory, project_name="search")
    tuner.search(
        data.x_train, data.y_train, validation_data=(data.x_val, data.y_val), epochs=EPOCHS,
        verbose=0,
    )  # fmt: skip


def timed(command):
    """Seconds that a command takes, and those of them before its first trial."""
    with tempfile.TemporaryDirectory() as directory:
        start = time.perf_counter()
        process = subprocess.Popen(
            [*command, directory], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and not list(Path(directory).glob("search/trial_*")):
            time.sleep(0.05)
        began = time.perf_counter() - start
        if process.wait():
            raise RuntimeError(f"{command} failed.")
        return time.perf_counter() - start, began


def memory():
    """MiB in use after each of many trials of one network, in one process."""
    import keras_recipes as kr
    from keras_recipes.search_spaces import DefaultDNN
    from tuner.algorithms import make_oracle
    from tuner.study import Study

    data = kr.load_dataset("digits")
    space = DefaultDNN(
        data.input_shape, data.n_outputs, data.task, adapt_to=data.adapt_to, n_hidden=2,
        normalization="none", penalty="none", schedule="constant",
    )  # fmt: skip
    used = []

    def look():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        used.append(pages * resource.getpagesize() / 2**20)

    gc.freeze()
    with tempfile.TemporaryDirectory() as directory:
        oracle = make_oracle("random", "val_loss", MANY, 1, 0, MANY)
        Study(oracle, space, Path(directory), seed=0, tell=look).search(data, 1)
    return used


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", metavar="DIR", help="run keras-tuner's own there, and no more")
    arguments = parser.parse_args()
    if arguments.plain:
        plain(arguments.plain)
        return
    found = {name: [] for name in WAYS}
    for _ in range(arguments.rounds):
        for name, command in WAYS.items():
            found[name].append(timed(command))
            print(name, found[name][-1], flush=True)
    medians = {
        name: [statistics.median(column) for column in zip(*times, strict=True)]
        for name, times in found.items()
    }
    reference = medians["keras-tuner's Tuner"][0]
    rows = [
        [name, f"{total:.1f}", f"{start:.1f}", f"{reference / total:.2f}"]
        for name, (total, start) in medians.items()
    ]
    used = memory()
    write_result(
        "search",
        "A search of 24 trials",
        [
            f"Digits, {TRIALS} trials of {EPOCHS} epochs over all that `DefaultDNN` varies, the whole "
            f"command; medians of {arguments.rounds} interleaved rounds. All run the same trials. keras-tuner's "
            "trains them by Keras's own `fit` at the default rate; the others end no trial early, and also find learning rates, "
            "follow schedules, test the best model and write the report.",
            markdown_table(
                ["", "seconds", "of them before the first trial", "times as fast"], rows
            ),
            f"Memory of one process over {MANY} trials of two hidden layers: {used[9]:.0f} MiB after 10, "
            f"{used[MANY // 2 - 1]:.0f} after {MANY // 2}, {used[-1]:.0f} after {MANY}: "
            f"{(used[-1] - used[9]) / (MANY - 10):.2f} MiB a trial.",
        ],
    )


if __name__ == "__main__":
    main()
