"""Train the book's default dense network (He, ELU, momentum, 1cycle, early stopping)."""

import keras_recipes as kr
from recipes.command import new_run_directory, run, training_parser
from recipes.train import train


def main() -> None:
    arguments = training_parser(__doc__).parse_args()
    run_dir = arguments.run_dir or new_run_directory("default_dnn")
    train(kr.build_default_dnn, arguments, run_dir)


if __name__ == "__main__":
    run(main)
