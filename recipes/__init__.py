"""One runnable script a recipe: `python -m recipes.default_dnn`."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes
