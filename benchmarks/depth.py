"""From how many hidden layers on batch normalization pays: the reason of `guide.DEEP_FROM`.

python -m benchmarks.depth --data mnist.npz
"""

import argparse
from pathlib import Path

import keras
import numpy as np

import keras_recipes as kr
from benchmarks.report import markdown_table, write_result

DEPTHS = (3, 5, 7, 10, 14, 20, 30)
ROWS = 10_000  # of the training images
EPOCHS = 10


def accuracy(data, depth, normalization, seed):
    """On the test set, after a 1cycle at the rate that `fit` finds."""
    keras.backend.clear_session()
    model = kr.build_default_dnn(
        data.input_shape,
        data.n_outputs,
        data.task,
        hidden_units=(100,) * depth,
        normalization=normalization,
        adapt_to=data.adapt_to,
        seed=seed,
    )
    try:
        kr.fit(
            model,
            data.x_train[:ROWS],
            data.y_train[:ROWS],
            validation_data=(data.x_val, data.y_val),
            epochs=EPOCHS,
            batch_size=64,
            early_stopping=None,
            seed=seed,
            verbose=0,
        )
    except FloatingPointError:
        return np.nan
    return kr.evaluate(model, data.x_test, data.y_test)["accuracy"]


def row(data, depth, seeds):
    cells = [depth]
    for normalization in (None, "batch"):
        reached = [accuracy(data, depth, normalization, seed) for seed in seeds]
        print(depth, normalization, reached, flush=True)
        cells += [f"{np.mean(reached):.4f}", ", ".join(f"{each:.4f}" for each in reached)]
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as an NPZ")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    data = kr.load_dataset(arguments.data, seed=0)
    header = ["hidden layers", "no normalization", "each seed", "batch normalization", "each seed"]
    write_result(
        "depth",
        "Batch normalization by depth",
        [
            f"Test accuracy on MNIST of `build_default_dnn` with layers of 100 units, trained on "
            f"{ROWS:,} images for {EPOCHS} epochs at batch 64 with 1cycle.",
            markdown_table(header, [row(data, depth, arguments.seeds) for depth in DEPTHS]),
        ],
    )


if __name__ == "__main__":
    main()
