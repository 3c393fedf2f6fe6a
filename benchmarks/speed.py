"""Microseconds a training step: fit beside Keras, PyTorch, scikit-learn and a bare graph loop.

python -m benchmarks.speed --data mnist.npz --housing housing.csv
"""

import argparse
import itertools
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from sklearn.neural_network import MLPClassifier, MLPRegressor

import keras_recipes as kr
from benchmarks.report import device, markdown_table, write_result
from benchmarks.timing import EpochTimes

RATE = 0.03
WIDTHS = (100, 100, 100)


class BookOneCycle(keras.callbacks.Callback):
    """1cycle as notebooks have it: Python sets the rate before each batch."""

    def __init__(self, iterations):
        super().__init__()
        self.iterations = iterations
        self.half = (iterations - iterations // 10 - 1) // 2
        self.iteration = 0

    def on_train_batch_begin(self, batch, logs=None):
        points = [0, self.half, 2 * self.half, self.iterations]
        rates = [RATE / 10, RATE, RATE / 10, RATE / 10_000]
        self.model.optimizer.learning_rate = float(np.interp(self.iteration, points, rates))
        self.iteration += 1


def build(x, classes):
    task = "multiclass" if classes else "regression"
    return kr.build_default_dnn(x.shape[1], classes or 1, task, hidden_units=WIDTHS, seed=1)


def keras_fit(x, y, batch, classes, callbacks=()):
    times = EpochTimes()
    build(x, classes).fit(
        x, y, batch_size=batch, epochs=2, verbose=0, callbacks=[*callbacks, times]
    )
    return times.seconds


def keras_fit_with_book_callback(x, y, batch, classes):
    steps = 2 * -(-len(x) // batch)
    return keras_fit(x, y, batch, classes, [BookOneCycle(steps)])


def kr_fit(x, y, batch, classes):
    times = EpochTimes()
    start = time.perf_counter()
    kr.fit(
        build(x, classes), x, y, batch_size=batch, epochs=4, max_learning_rate=RATE,
        verbose=0, callbacks=[times],
    )  # fmt: skip
    whole = time.perf_counter() - start
    steady = statistics.median(times.seconds[2:])
    return [whole - sum(times.seconds[1:]), steady]


def pytorch_loop(x, y, batch, classes):
    import torch

    sizes = [x.shape[1], *WIDTHS, classes or 1]
    parts = []
    for inputs, outputs in itertools.pairwise(sizes):
        parts += [torch.nn.Linear(inputs, outputs), torch.nn.ELU()]
    model = torch.nn.Sequential(*parts[:-1])
    loss_of = torch.nn.CrossEntropyLoss() if classes else torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    steps = -(-len(x) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=2 * steps)
    data = torch.from_numpy(x)
    targets = torch.from_numpy(y.astype("int64") if classes else y[:, None])
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        order = torch.randperm(len(x))
        total = torch.zeros(())
        for rows in order.split(batch):
            loss = loss_of(model(data[rows]), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach()
        seconds.append(time.perf_counter() - start)
    return seconds


def scikit_learn(x, y, batch, classes):
    kind = MLPClassifier if classes else MLPRegressor
    model = kind(
        hidden_layer_sizes=WIDTHS,
        solver="sgd",
        momentum=0.9,
        batch_size=batch,
        learning_rate_init=0.01,
    )
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        model.partial_fit(x, y, **({"classes": np.unique(y)} if classes else {}))
        seconds.append(time.perf_counter() - start)
    return seconds


def graph_loop(x, y, batch, classes, compiled=False):
    """An epoch in one graph: bare variables, one fused update each, no metrics, no schedule."""
    sizes = [x.shape[1], *WIDTHS, classes or 1]
    draw = keras.initializers.HeNormal(seed=1)
    kernels = [tf.Variable(draw(shape)) for shape in itertools.pairwise(sizes)]
    weights = kernels + [tf.Variable(tf.zeros(size)) for size in sizes[1:]]
    velocities = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
    data, targets = tf.constant(x), tf.constant(y if classes else y[:, None])
    steps = len(x) // batch

    def loss_of(outputs, targets):
        if classes:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)
            return tf.reduce_mean(losses)
        return tf.reduce_mean((outputs - targets) ** 2)

    def step(index, order, data, targets):
        rows = tf.ensure_shape(tf.slice(order, [index * batch], [batch]), [batch])
        outputs, wanted = tf.gather(data, rows), tf.gather(targets, rows)
        with tf.GradientTape() as tape:
            for layer, (kernel, bias) in enumerate(zip(kernels, weights[4:], strict=True)):
                outputs = tf.nn.bias_add(outputs @ kernel, bias)
                outputs = tf.nn.elu(outputs) if layer < 3 else outputs
            loss = loss_of(outputs, wanted)
        gradients = tape.gradient(loss, weights)
        for weight, velocity, gradient in zip(weights, velocities, gradients, strict=True):
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=weight.handle, accum=velocity.handle, lr=0.01, grad=gradient, momentum=0.9
            )
        return index + 1

    @tf.function(jit_compile=compiled)
    def epoch(order, data, targets):
        body = lambda index: step(index, order, data, targets)  # noqa: E731
        tf.while_loop(lambda index: index < steps, body, [0], parallel_iterations=1)

    seconds = []
    for seed in range(2):
        start = time.perf_counter()
        order = np.random.default_rng(seed).permutation(len(x)).astype("int32")
        epoch(tf.constant(order), data, targets)
        kernels[0].numpy()  # an accelerator may still be at work
        seconds.append(time.perf_counter() - start)
    return seconds


def graph_loop_compiled(x, y, batch, classes):
    return graph_loop(x, y, batch, classes, compiled=True)


CONTESTANTS = {
    "Keras fit, the book's callback": keras_fit_with_book_callback,
    "Keras fit": keras_fit,
    "PyTorch loop, OneCycleLR": pytorch_loop,
    "scikit-learn MLP (ReLU)": scikit_learn,
    "graph loop (floor)": graph_loop,
    "graph loop, XLA": graph_loop_compiled,
    "keras_recipes.fit": kr_fit,
}


def case(title, x, y, batch, classes, rounds):
    """Rows of a table: what each contestant takes, in rounds that take turns."""
    steps = -(-len(x) // batch)
    first, steady = {}, {name: [] for name in CONTESTANTS}
    for _ in range(rounds):
        for name, contestant in CONTESTANTS.items():
            keras.backend.clear_session()
            started, running = contestant(x, y, batch, classes)
            first.setdefault(name, []).append(started)
            steady[name].append(running / steps * 1e6)
    micros = {name: statistics.median(times) for name, times in steady.items()}
    ours = micros["keras_recipes.fit"]
    rows = [
        [
            name,
            f"{micro:.0f}",
            f"{min(steady[name]):.0f}-{max(steady[name]):.0f}",
            f"{micro / ours:.2f}",
            f"{statistics.median(first[name]):.2f}",
        ]
        for name, micro in micros.items()
    ]
    header = ["", "µs a step", "range", "of fit's", "first epoch, s"]
    return f"## {title}\n\n{markdown_table(header, rows)}"


def evaluation_case(x, y, rounds):
    """Rows of a table: evaluation and prediction of a trained network."""
    model = build(x, 10)
    contestants = {
        "keras evaluate": lambda: model.evaluate(x, y, verbose=0),
        "keras evaluate, batch 1024": lambda: model.evaluate(x, y, batch_size=1024, verbose=0),
        "keras_recipes.evaluate": lambda: kr.evaluate(model, x, y),
        "keras predict": lambda: model.predict(x, verbose=0),
        "keras predict, batch 1024": lambda: model.predict(x, batch_size=1024, verbose=0),
        "keras_recipes.predict": lambda: kr.predict(model, x),
    }
    seconds = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, call in contestants.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    rows = [
        [name, f"{statistics.median(times[1:]) * 1e3:.0f}", f"{times[0] * 1e3:.0f}"]
        for name, times in seconds.items()
    ]
    header = ["", "ms a call", "first call, ms"]
    return f"## Evaluation of {len(x)} examples\n\n{markdown_table(header, rows)}"


def run_directory_case(x, y, rounds):
    """Rows of a table: what checkpoints and logs add to a training, its first epoch aside."""

    def seconds(run_dir):
        times = EpochTimes()
        kr.fit(
            build(x, 10), x, y, epochs=10, max_learning_rate=RATE, verbose=0, callbacks=[times],
            run_dir=run_dir,
        )  # fmt: skip
        return time.perf_counter() - times.ended + sum(times.seconds[1:])

    measured = {"without run_dir": [], "with run_dir": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            measured["without run_dir"].append(seconds(None))
            measured["with run_dir"].append(seconds(place))
    base = statistics.median(measured["without run_dir"])
    rows = [
        [name, f"{statistics.median(times):.2f}", f"{min(times):.2f}-{max(times):.2f}",
         f"{(statistics.median(times) / base - 1) * 100:+.1f}%"]
        for name, times in measured.items()
    ]  # fmt: skip
    header = ["10 epochs of MNIST, batch 32", "seconds", "range", ""]
    return f"## Checkpoints and logs\n\n{markdown_table(header, rows)}"


def mnist(path):
    with np.load(path) as file:
        x = (file["x_train"].reshape(len(file["x_train"]), -1) / 255).astype("float32")
        return x, file["y_train"].astype("int32")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as an NPZ file")
    parser.add_argument("--housing", type=Path, help="California housing as a CSV file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128, 512])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    x, y = mnist(arguments.data)
    parts = [
        case(f"MNIST, batch {batch}", x, y, batch, 10, arguments.rounds)
        for batch in arguments.batches
    ]
    if arguments.housing:
        data = kr.load_dataset(arguments.housing, "median_house_value", seed=0)
        x_train, y_train = data.x_train, np.ravel(ops.convert_to_numpy(data.y_train))
        title = f"Housing, {x_train.shape[1]} inputs, batch 32"
        parts.append(case(title, x_train, y_train.astype("float32"), 32, 0, arguments.rounds))
    parts.append(evaluation_case(x[:10_000], y[:10_000], arguments.rounds))
    parts.append(run_directory_case(x, y, arguments.rounds))
    intro = (
        f"3 x 100 units, ELU, momentum, 1cycle, on {device()}; medians of {arguments.rounds} rounds "
        "in which all took turns. The first epoch has tracing and compilation in it."
    )
    write_result("speed", "Microseconds a training step", [intro, *parts])


if __name__ == "__main__":
    main()
