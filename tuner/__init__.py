"""The search runner: keras-tuner's engine over the library's search spaces, from one command."""

import recipes  # noqa: F401  # what it does before TensorFlow is imported is for these commands, too
