import keras
import pytest


def pytest_addoption(parser):
    parser.addoption(
        "--kills",
        type=int,
        default=4,
        help="times that a training process is killed before it may end; 20 is the full count",
    )
    parser.addoption(
        "--screenshots",
        metavar="DIR",
        help="where the screenshots of TensorBoard are kept; without it in pytest's own directory",
    )


@pytest.fixture(autouse=True)
def seeded():
    """What a test draws does not depend on the tests before it, nor on the worker that runs it."""
    keras.utils.set_random_seed(0)
