"""One runnable script a recipe: `python -m recipes.default_dnn`."""

import os
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes

# Python looks for the command still, and will import for seconds: Ctrl-C is to leave no traceback.
if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until `command.run`
