"""Say what is wrong with a saved model: vanishing or exploding gradients, dead or saturated units."""

from pathlib import Path

import keras

import keras_recipes as kr
from recipes.command import Parser, add_data_flags, run


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument(
        "--model", type=Path, required=True, help="a compiled model, as .keras file"
    )
    add_data_flags(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the split")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draws the layers into an image")
    arguments = parser.parse_args()
    if not arguments.model.is_file():
        parser.error(f"argument --model: must be a file. Received: {arguments.model}")
    if arguments.plot and not arguments.plot.parent.is_dir():
        parser.error(f"argument --plot: must be in a directory. Received: {arguments.plot}")
    data = kr.load_dataset(
        arguments.data, arguments.target, task=arguments.task, seed=arguments.seed
    )
    model = keras.models.load_model(arguments.model)
    diagnosis = kr.diagnose(model, data.x_train, data.y_train)
    print(diagnosis)
    if arguments.plot:
        import matplotlib as mpl

        mpl.use("agg")
        diagnosis.plot().savefig(arguments.plot)
        print(f"Figure: {arguments.plot}")


if __name__ == "__main__":
    run(main)
