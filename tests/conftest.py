def pytest_addoption(parser):
    parser.addoption(
        "--kills",
        type=int,
        default=4,
        help="times that a training process is killed before it may end; 20 is the full count",
    )
