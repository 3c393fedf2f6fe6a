"""The wheel holds the package and nothing else, works where only it is installed, and is light."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import keras_recipes

ROOT = Path(__file__).parents[1]
NOT_SOURCE = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "venv*"
)

# With no extra installed: keras looks for these too, and does without them.
IMPORT_ALL = """
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys(("matplotlib", "pandas", "scipy", "sklearn")))
import keras_recipes
for module in pkgutil.walk_packages(keras_recipes.__path__, "keras_recipes."):
    importlib.import_module(module.name)
print(keras_recipes.__file__)
"""

LIST_NEW_PACKAGES = """
import json, sys
import keras
before = {name.partition(".")[0] for name in sys.modules}
import keras_recipes
after = {name.partition(".")[0] for name in sys.modules}
print(json.dumps(sorted(after - before)))
"""


def run(*arguments: str | Path, cwd: Path, path: Path | None = None) -> str:
    """Runs this interpreter in `cwd` and returns what it printed, without what it logged."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if path:
        env["PYTHONPATH"] = str(path)
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Builds the wheel from a copy of the tree, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "tree", ignore=NOT_SOURCE)
    run("-m", "build", "--wheel", "--no-isolation", "-o", folder, folder / "tree", cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """Installs the wheel, alone, into a directory."""
    folder = tmp_path_factory.mktemp("site")
    options = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    run("-m", "pip", "install", *options, "--target", folder, wheel, cwd=folder)
    return folder


def test_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = (ROOT / "keras_recipes").rglob("*")
    source = {path.relative_to(ROOT).as_posix() for path in package if path.is_file()}
    assert names == {name for name in source if "__pycache__" not in name}
    assert "keras_recipes/py.typed" in names


def test_metadata(site):
    (distribution,) = importlib.metadata.distributions(path=[str(site)])
    metadata = distribution.metadata
    assert metadata["Name"].replace("_", "-") == "keras-recipes"
    assert metadata["Version"] == keras_recipes.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra")) == {"plot", "recipes", "test"}
    assert metadata["Description"], "It should be the README."
    (license_file,) = (file for file in distribution.files if file.name == "LICENSE")
    assert license_file.read_text() == (ROOT / "LICENSE").read_text()


def test_each_lower_bound_is_one_that_was_tried(site):
    (distribution,) = importlib.metadata.distributions(path=[str(site)])
    allowed = {}
    for line in distribution.requires:
        requirement = Requirement(line)
        [bound] = [each.version for each in requirement.specifier if each.operator == ">="]
        allowed[requirement.name] = bound
    text = (ROOT / "tests" / "lower_bounds.txt").read_text()
    tried = dict(line.split("==") for line in text.splitlines() if not line.startswith("#"))
    versions = {name: Version(version) for name, version in tried.items()}
    assert {name: Version(bound) for name, bound in allowed.items()} == {
        name: versions[name] for name in allowed
    }


def test_works_where_only_the_wheel_is_installed(site, tmp_path):
    imported = run("-c", IMPORT_ALL, cwd=tmp_path, path=site)
    assert Path(imported).is_relative_to(site)


def test_importing_it_imports_nothing_else(site, tmp_path):
    new = set(json.loads(run("-c", LIST_NEW_PACKAGES, cwd=tmp_path, path=site)))
    heavy = new - {"keras_recipes"} - sys.stdlib_module_names
    assert not heavy, f"Import {', '.join(sorted(heavy))} in the function that needs it."
