"""Train the default network with several bounds on its weights' norms, and without one."""

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

import keras_recipes as kr
from keras_recipes.datasets import Dataset
from recipes.command import new_run_directory, run, training_parser
from recipes.train import score

BOUNDS = (None, 0.5, 1.0, 2.0, 4.0)


def main() -> None:
    arguments = training_parser(__doc__).parse_args()
    root = arguments.run_dir or new_run_directory("max_norm")
    data = kr.load_dataset(
        arguments.data, arguments.target, task=arguments.task, seed=arguments.seed
    )
    table = Table(title=f"max-norm on {data.name}")
    for column in ("bound", "largest norm", "train", "validation", "test", "epochs"):
        table.add_column(column, justify="right")
    console = Console()
    for bound in BOUNDS:
        name = "none" if bound is None else f"{bound:g}"
        with console.status(f"bound {name}"):
            model = _build(data, bound, arguments.seed)
            history = kr.fit(
                model,
                data.x_train,
                data.y_train,
                validation_data=(data.x_val, data.y_val),
                epochs=arguments.epochs,
                batch_size=arguments.batch_size,
                run_dir=root / name,
                seed=arguments.seed,
                verbose=0,
            )
        scores = (
            score(model, data, x, y)
            for x, y in (
                (data.x_train, data.y_train), (data.x_val, data.y_val), (data.x_test, data.y_test),
            )
        )  # fmt: skip
        epochs = str(len(history.history["loss"]))
        table.add_row(name, f"{_largest_norm(model):.3f}", *scores, epochs)
    console.print(table)
    console.print(f"Runs: {root}", soft_wrap=True)


def _build(data: Dataset, bound: float | None, seed: int) -> keras.Model:
    return kr.build_default_dnn(
        data.input_shape,
        data.n_outputs,
        data.task,
        max_norm=bound,
        adapt_to=data.adapt_to,
        seed=seed,
    )


def _largest_norm(model: keras.Model) -> float:
    hidden = [layer for layer in model.layers if layer.name.startswith("hidden_")]
    kernels = [layer.get_weights()[0] for layer in hidden if isinstance(layer, keras.layers.Dense)]
    return max(float(np.linalg.norm(kernel, axis=0).max()) for kernel in kernels)


if __name__ == "__main__":
    run(main)
