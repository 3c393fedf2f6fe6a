"""Lists the recipes: `python -m recipes`."""

import ast
from pathlib import Path


def recipes() -> dict[str, str]:
    """Returns what each recipe is for, by its name, without importing it."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
        if "main" in names:
            found[path.stem] = (ast.get_docstring(module) or "").splitlines()[0]
    return found


def main() -> None:
    listed = recipes()
    width = max(map(len, listed))
    for name, purpose in listed.items():
        print(f"{name:<{width}}  {purpose}")
    print("\nRun one: python -m recipes.NAME. Its flags: --help")


if __name__ == "__main__":
    main()
