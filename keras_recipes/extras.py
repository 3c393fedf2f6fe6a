"""Packages that only the recipes need, imported when they are used."""

import importlib
from typing import Any


def import_extra(module: str) -> Any:
    """Returns the module called `module`, of a package in `keras-recipes[recipes]`.

    Raises:
        ImportError: If the package is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"`{module}` could not be imported ({error}). "
            "Data sets need pandas and scikit-learn: pip install 'keras-recipes[recipes]'"
        ) from error
