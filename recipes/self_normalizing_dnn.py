"""Train the book's self-normalizing network (LeCun, SELU, momentum, 1cycle, early stopping)."""

import keras

import keras_recipes as kr
from keras_recipes.datasets import Dataset
from recipes.command import new_run_directory, run, training_parser
from recipes.train import train


def main() -> None:
    arguments = training_parser(__doc__).parse_args()

    def build(data: Dataset) -> keras.Model:
        return kr.build_self_normalizing_dnn(
            data.input_shape,
            data.n_outputs,
            data.task,
            # Its inputs must have mean 0 and variance 1: numbers of a CSV have, pixels have not.
            adapt_to=data.x_train if data.preprocessing is None else None,
            seed=arguments.seed,
        )

    train(build, arguments, arguments.run_dir or new_run_directory("self_normalizing_dnn"))


if __name__ == "__main__":
    run(main)
