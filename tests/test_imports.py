"""Imports go one way: a module imports only what stands further up in `ORDER`, never back."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "keras_recipes"  # as a name in the tables below: its `__init__`

# Names on one line know nothing of each other. A subpackage is one name: inside it imports are free.
ORDER = (
    ("checks", "extras", "version", "array_checks", "kernels", "graph_passes"),
    ("datasets",),  # for who has a path in hand: the rest of the library takes arrays
    ("guide", "arrays", "checkpoints"),
    ("run_directory", "board"),
    ("layers", "schedules", "optimizers", "adaptation"),
    ("architecture", "model_copies", "model_state", "layer_calls", "layer_graph", "pruning"),
    ("compilation", "in_step"),
    ("models", "cnn", "linear", "diagnostics", "sparsity"),
    ("scikit_learn", "hparams"),
    ("callbacks", "graph_loops"),
    ("epochs", "fit_callbacks", "inference", "lr_finder", "uncertainty"),
    ("run_report",),
    ("training",),
    ("search_spaces",),
    (PACKAGE,),
    ("recipes",),
    ("tuner",),
)
SCRIPTS = ("recipes", "tuner")
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
USERS_OF_DATA = {PACKAGE, *SCRIPTS}


def name_of_file(path: Path) -> str:
    folder, *rest = path.relative_to(ROOT).with_suffix("").parts
    return rest[0] if folder == PACKAGE and rest != ["__init__"] else folder


def name_of_import(dotted: str) -> str | None:
    top, *rest = dotted.split(".")
    if top == PACKAGE and rest:
        module = ROOT / PACKAGE / rest[0]
        return rest[0] if module.is_dir() or module.with_suffix(".py").exists() else PACKAGE
    return top if top in (PACKAGE, *SCRIPTS) else None


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Yields the line and the dotted name of each import, those inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


FILES = sorted(path for top in (PACKAGE, *SCRIPTS) for path in (ROOT / top).rglob("*.py"))


def test_every_module_is_ranked():
    unranked = sorted({name_of_file(path) for path in FILES} - set(RANK))
    assert not unranked, f"Put {', '.join(unranked)} on its line of ORDER in {Path(__file__).name}."


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_one_way(path):
    importer = name_of_file(path)
    for line, dotted in imports(path.read_text(encoding="utf-8")):
        where = f"{path.relative_to(ROOT)}:{line}"
        assert not dotted.startswith("."), f"{where}: write the import out from `{PACKAGE}` on."
        imported = name_of_import(dotted)
        if not {imported, importer} <= set(RANK) or imported == importer:
            continue
        assert RANK[imported] < RANK[importer], (
            f"{where}: `{importer}` must not import `{imported}`, which is not above it in ORDER. "
            "Move what both need further up."
        )
        assert imported != "datasets" or importer in USERS_OF_DATA, (
            f"{where}: `{importer}` must not import `{imported}`, which is for the recipes and the "
            "tuner. Take arrays."
        )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import keras_recipes.checks as c", ["checks"]),
        ("from keras_recipes import checks, fit", ["checks", PACKAGE]),
        ("def f():\n    from keras_recipes.layers.rrelu import RReLU", ["layers"]),
        ("import recipes.default_dnn, keras", ["recipes", None]),
    ],
)
def test_reads_imports(source, expected):
    assert [name_of_import(dotted) for _, dotted in imports(source)] == expected
