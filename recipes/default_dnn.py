"""Train the book's default dense network (He, ELU, momentum, 1cycle, early stopping)."""

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
    report = Report("default_dnn", arguments)

    def build(data: Dataset) -> keras.Model:
        return kr.build_default_dnn(
            data.input_shape,
            data.n_outputs,
            data.task,
            adapt_to=data.adapt_to,
            seed=arguments.seed,
        )

    train(build, arguments, report.directory, report)
    report.close()


if __name__ == "__main__":
    run(main)
