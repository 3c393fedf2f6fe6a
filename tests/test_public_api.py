"""One sweep over all that is public: documented, each argument by name, and registered."""

import importlib
import inspect
import pkgutil
import re
from itertools import takewhile

import keras
import pytest

import keras_recipes

MODULES = (
    "",
    ".layers",
    ".schedules",
    ".optimizers",
    ".linear",
    ".scikit_learn",
    ".callbacks",
    ".uncertainty",
    ".diagnostics",
    ".search_spaces",
)
SAVED = (
    keras.Layer,
    keras.constraints.Constraint,
    keras.initializers.Initializer,
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.optimizers.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.regularizers.Regularizer,
)


PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (importlib.import_module(f"keras_recipes{name}") for name in MODULES)
    for name in module.__all__
    if not name.startswith("__")
}
CALLABLES = {name: value for name, value in PUBLIC.items() if callable(value)}


def documented_arguments(docstring):
    lines = inspect.cleandoc(docstring).splitlines()
    start = lines.index("Args:") + 1 if "Args:" in lines else len(lines)
    section = takewhile(lambda line: not line or line.startswith(" "), lines[start:])
    heads = (line.partition(":")[0] for line in section if re.match(r" {4}\S", line))
    return {name.strip(" *`") for head in heads for name in head.split(",")}


@pytest.mark.parametrize("value", PUBLIC.values(), ids=PUBLIC)
def test_has_a_docstring(value):
    assert value.__doc__, "Write a docstring: one useful line, then Args:, Raises:, Example:."
    assert value.__doc__.splitlines()[0].strip(), "Begin the docstring on its first line."


@pytest.mark.parametrize("value", CALLABLES.values(), ids=CALLABLES)
def test_documents_each_argument(value):
    parameters = inspect.signature(value).parameters
    documented = documented_arguments(value.__doc__ or "")
    missing = [name for name in parameters if name not in documented]
    assert not missing, f"Say under `Args:` what {', '.join(missing)} may be."
    if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        unknown = sorted(documented - set(parameters))
        assert not unknown, f"`Args:` has what the signature has not: {', '.join(unknown)}."


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("One line.", set()),
        ("A.\n\n    Args:\n        x: An\n            array: y.\n        **z: More.\n", {"x", "z"}),
        ("A.\n\n    Args:\n        l1, l2: Two.\n\n    Returns:\n        w: One.", {"l1", "l2"}),
    ],
)
def test_reads_docstrings(docstring, expected):
    assert documented_arguments(docstring) == expected


def saved_classes():
    """Returns the classes of the package that a saved model may hold, without their bases."""
    found = pkgutil.walk_packages(keras_recipes.__path__, "keras_recipes.")
    modules = [importlib.import_module(module.name) for module in found]
    classes = {
        value for module in modules for value in vars(module).values() if isinstance(value, type)
    }
    own = {each for each in classes if each.__module__.startswith("keras_recipes.")}
    shown = {each for each in own if not each.__name__.startswith("_") and issubclass(each, SAVED)}
    return {each for each in shown if each in PUBLIC.values() or not each.__subclasses__()}


def test_what_a_saved_model_holds_is_registered():
    classes = saved_classes()
    assert classes, "Found no class to look at."
    names = {each: keras.saving.get_registered_name(each) for each in classes}
    unregistered = sorted(
        each.__name__ for each, name in names.items() if not name.startswith("keras_recipes>")
    )
    assert not unregistered, (
        f"Decorate {', '.join(unregistered)} with "
        '@keras.saving.register_keras_serializable(package="keras_recipes").'
    )
    assert all(keras.saving.get_registered_object(name) is each for each, name in names.items())
