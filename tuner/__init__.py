"""The search runner: keras-tuner's engine over the library's search spaces, from one command."""
