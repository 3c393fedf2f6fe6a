"""The JSON files of a search, which a kill leaves whole, and which may be damaged all the same."""

import json
from pathlib import Path
from typing import Any

from keras_recipes.checkpoints import write_atomically


def is_over(project: Path) -> bool:
    """Returns whether the search in a directory of keras-tuner's has been closed."""
    return bool((read_json(project / "oracle.json") or {}).get("over"))


def write_json(path: Path, state: dict[str, Any], writer: str = "") -> None:
    """Writes JSON in one move; `writer` tells processes apart that do so in one directory."""
    write_atomically(path, json.dumps(state).encode(), writer)


def read_json(path: Path) -> dict[str, Any] | None:
    """Returns what a JSON file has; None where it is missing or damaged."""
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None
