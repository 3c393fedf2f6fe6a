"""Train the book's self-normalizing network (LeCun, SELU, momentum, 1cycle, early stopping)."""

import keras_recipes as kr
from recipes.command import new_run_directory, run, training_parser
from recipes.train import train


def main() -> None:
    arguments = training_parser(__doc__).parse_args()
    run_dir = arguments.run_dir or new_run_directory("self_normalizing_dnn")
    train(kr.build_self_normalizing_dnn, arguments, run_dir)


if __name__ == "__main__":
    run(main)
