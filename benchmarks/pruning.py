"""What zeros cost, on MNIST: pruned networks, L1 with exact zeros, dense ones of as many weights.

python -m benchmarks.pruning --data mnist.npz
"""

import argparse
import itertools
from pathlib import Path

import numpy as np

import keras_recipes as kr
from benchmarks.report import markdown_table, write_result

SPARSITIES = (0.5, 0.8, 0.9, 0.95, 0.99)
EPOCHS, BATCH_SIZE = 20, 128
RAMP = (2, 14)  # epochs: after learning something, with time to recover
WIDTH = 100  # of each of the three hidden layers
PENALTIES = np.geomspace(1e-5, 1e-2, 8)  # tried once each, to find which gives how many zeros
HEADER = [
    "zeros", "pruned, whole model", "pruned, each layer", "L1, exact zeros", "its penalty",
    "its zeros", "dense of as many weights", "its width", "gzipped file, pruned",
    "gzipped file, L1", "gzipped file, dense",
]  # fmt: skip


def train(data, seed, width=WIDTH, sparsity=0.0, scope="model", l1=0.0):
    """Test accuracy of a network, the size of its file after gzip, and its share of zeros."""
    callbacks = []
    model = kr.build_default_dnn(
        data.input_shape, data.n_outputs, data.task, adapt_to=data.adapt_to, seed=seed,
        hidden_units=(width,) * 3, l1=l1, exact_zeros=l1 > 0,
    )  # fmt: skip
    if sparsity:
        steps = -(-len(data.x_train) // BATCH_SIZE)
        begin, end = (epoch * steps for epoch in RAMP)
        callbacks.append(kr.callbacks.MagnitudePruning(sparsity, begin, end, scope=scope))
    kr.fit(
        model,
        data.x_train,
        data.y_train,
        validation_data=(data.x_val, data.y_val),
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        max_learning_rate=0.05,
        callbacks=callbacks,
        seed=seed,
        verbose=0,
    )
    report = kr.sparsity(model)
    accuracy = kr.evaluate(model, data.x_test, data.y_test)["accuracy"]
    print(f"seed {seed} {width=} {sparsity=} {scope=} {l1=:.3g}: {accuracy:.4f}", flush=True)
    return accuracy, report.gzip_bytes, report.sparsity


def means(data, seeds, **variant):
    """Means over the seeds of what `train` returns."""
    return np.mean([train(data, seed, **variant) for seed in seeds], axis=0)


def penalties_for(data, sparsities, seed):
    """The L1 penalties that give as many zeros, interpolated between some that were tried."""
    zeros = [train(data, seed, l1=float(l1))[2] for l1 in PENALTIES]
    print("zeros by penalty:", dict(zip(PENALTIES, zeros, strict=True)), flush=True)
    return np.exp(np.interp(sparsities, zeros, np.log(PENALTIES)))


def same_size_width(data, sparsity):
    """The width of the largest dense network with no more weights than a pruned one has left."""

    def count(width):
        sizes = [int(np.prod(data.input_shape)), width, width, width, data.n_outputs]
        return sum(a * b for a, b in itertools.pairwise(sizes)), sum(sizes[1:])

    kernels, biases = count(WIDTH)
    left = round((1 - sparsity) * kernels) + biases
    return max(width for width in range(1, WIDTH + 1) if sum(count(width)) <= left)


def row(data, sparsity, penalty, seeds):
    """A line of the table: means over the seeds."""
    width = same_size_width(data, sparsity)
    whole = means(data, seeds, sparsity=sparsity)
    layered = means(data, seeds, sparsity=sparsity, scope="layer")
    lasso = means(data, seeds, l1=penalty)
    dense = means(data, seeds, width=width)
    return [
        f"{sparsity:.0%}", f"{whole[0]:.4f}", f"{layered[0]:.4f}", f"{lasso[0]:.4f}",
        f"{penalty:.2g}", f"{lasso[2]:.1%}", f"{dense[0]:.4f}", width, f"{whole[1]:,.0f}",
        f"{lasso[1]:,.0f}", f"{dense[1]:,.0f}",
    ]  # fmt: skip


def full_row(data, seeds):
    """The line of the network without zeros."""
    accuracy, size, _ = means(data, seeds)
    return [
        "0%",
        *[f"{accuracy:.4f}"] * 3,
        0,
        "0.0%",
        f"{accuracy:.4f}",
        WIDTH,
        *[f"{size:,.0f}"] * 3,
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as an NPZ file")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    data = kr.load_dataset(arguments.data, validation_fraction=0.1, seed=0)
    rows = [full_row(data, arguments.seeds)]
    penalties = penalties_for(data, SPARSITIES, arguments.seeds[0])
    for sparsity, penalty in zip(SPARSITIES, penalties.tolist(), strict=True):
        rows.append(row(data, sparsity, penalty, arguments.seeds))
        print(rows[-1], flush=True)
    intro = (
        f"MNIST, `build_default_dnn` with three hidden layers of {WIDTH}, {EPOCHS} epochs at batch "
        f"{BATCH_SIZE}, 1cycle with a peak of 0.05; `MagnitudePruning` from epoch {RAMP[0]} to epoch "
        f"{RAMP[1]}, the output layer too. Accuracies on the 10,000 test images, means over the seeds "
        f"{', '.join(map(str, arguments.seeds))}. L1 is `l1=..., exact_zeros=True` from the first step "
        "on, at a penalty that was found by interpolation to give about as many zeros. The dense network has three equal hidden layers and "
        "at most as many weights and biases as the pruned one has left. Files are without the "
        "optimizer, in bytes; before gzip a pruned one is as large as one without zeros. TensorFlow "
        "Model Optimization, which does not run on Keras 3, reports the same shape for large networks: "
        "next to nothing lost at 50% zeros (InceptionV3 on ImageNet 78.1% and 78.0%, "
        "tensorflow.org/model_optimization/guide/pruning)."
    )
    write_result("pruning", "What zeros cost", [intro, markdown_table(HEADER, rows)])


if __name__ == "__main__":
    main()
