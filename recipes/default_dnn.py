"""Train the book's default dense network (He, ELU, momentum, 1cycle, early stopping)."""

import keras

import keras_recipes as kr
from keras_recipes.datasets import Dataset
from recipes.command import new_run_directory, run, training_parser
from recipes.train import train


def main() -> None:
    arguments = training_parser(__doc__).parse_args()

    def build(data: Dataset) -> keras.Model:
        return kr.build_default_dnn(
            data.input_shape,
            data.n_outputs,
            data.task,
            adapt_to=data.adapt_to,
            seed=arguments.seed,
        )

    train(build, arguments, arguments.run_dir or new_run_directory("default_dnn"))


if __name__ == "__main__":
    run(main)
