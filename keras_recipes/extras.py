"""Packages of the extras, imported when they are used."""

import importlib
from typing import Any


def import_extra(module: str, extra: str = "recipes") -> Any:
    """Returns the module called `module`, of a package in `keras-recipes[extra]`.

    Raises:
        ImportError: If the package is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"`{module}` could not be imported ({error}). "
            f"Install it with this library: pip install 'keras-recipes[{extra}]'"
        ) from error
