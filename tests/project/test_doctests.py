"""The examples in the docstrings, run in the installed package."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

import layerblocks
from layerblocks import blocks

from ..helpers import needs_tensorflow


def modules() -> list[str]:
    """Every module under its installed name; in an editable install the folders lie apart from each other."""
    found, waiting = set(), ["layerblocks", *(f"layerblocks.{room}" for room in layerblocks.__all__ if room[0] != "_")]
    while waiting:
        package = waiting.pop()
        found.add(package)
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            if module.ispkg and module.name not in found:
                waiting.append(module.name)
            found.add(module.name)
    return sorted(found - {"layerblocks.__main__"})


def examples(module) -> list[doctest.DocTest]:
    """Those of the module, its functions and classes.

    `doctest` itself passes over a decorated function, as it takes it for one of the decorator's module.
    """
    finder = doctest.DocTestFinder()
    found = finder.find(module, module.__name__)
    seen = {test.name for test in found}
    for name, value in vars(module).items():
        if callable(value) and getattr(value, "__module__", None) == module.__name__:
            title = f"{module.__name__}.{name}"
            if title not in seen:
                found += finder.find(value, title, module=False, globs=dict(vars(module)))
    return [test for test in found if test.examples]


OF_TENSORFLOW = ("layerblocks.training.distributed",)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs_tensorflow if name in OF_TENSORFLOW else ()) for name in modules()]
)
def test_examples(name):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    failures: list[str] = []
    for test in examples(module):
        runner.run(test, out=failures.append)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("name", ["conv", "inception", "max_pool", "batch_norm", "block", "LocalResponseNormalization"])
def test_no_example_is_passed_over(name):
    """One of each kind: `@block`, `@piece`, plain function, class."""
    module = importlib.import_module(getattr(blocks, name).__module__)
    assert f"{module.__name__}.{name}" in {test.name for test in examples(module)}


@pytest.mark.parametrize("name", blocks.__all__)
def test_everything_public_is_documented(name):
    assert inspect.getdoc(getattr(blocks, name))
