"""Train the book's self-normalizing network (LeCun, SELU, momentum, 1cycle, early stopping)."""

import keras

import keras_recipes as kr
from keras_recipes.datasets import Dataset
from recipes.command import add_page_flag, run, training_parser
from recipes.report import Report
from recipes.train import train


def main() -> None:
    parser = training_parser(__doc__)
    add_page_flag(parser)
    arguments = parser.parse_args()
    report = Report("self_normalizing_dnn", arguments)

    def build(data: Dataset) -> keras.Model:
        return kr.build_self_normalizing_dnn(
            data.input_shape,
            data.n_outputs,
            data.task,
            # Its inputs must have mean 0 and variance 1: numbers of a CSV have, pixels have not.
            adapt_to=data.x_train if data.preprocessing is None else None,
            seed=arguments.seed,
        )

    train(build, arguments, report.directory, report)
    report.close()


if __name__ == "__main__":
    run(main)
