"""What holds of every function in `layerblocks.models`: help with an example, a model that is one, and refusals.

A new function is in all of these tests by its line in `__init__.pyi`.
"""

from __future__ import annotations

import doctest
import inspect
import re
from typing import Any

import keras
import pytest

from layerblocks import models
from layerblocks.blocks import weightless

FUNCTIONS = [name for name in models.__all__ if inspect.isfunction(getattr(models, name))]
OF_MODELS = [name for name in FUNCTIONS if "model" in inspect.signature(getattr(models, name)).parameters]
MAKERS = [name for name in FUNCTIONS if inspect.signature(getattr(models, name)).return_annotation == "keras.Model"]


class Thing:
    """Nothing that Keras knows, with a name of several lines."""

    def __repr__(self) -> str:
        return "a\nthing \x1b[31m" + "x" * 10_000


def example(name: str) -> dict[str, Any]:
    """The names that the example in a function's help leaves behind."""
    test = doctest.DocTestFinder(recurse=False).find(getattr(models, name), name, globs={"keras": keras})[0]
    found = dict(test.globs)
    exec("\n".join(line.source for line in test.examples), vars(models) | found, found)
    return found


def described(model: keras.Model) -> list[Any]:
    return [
        [(layer.name, type(layer).__name__) for layer in model.layers],
        [(weight.path, tuple(weight.shape), weight.trainable) for weight in model.weights],
        keras.tree.map_structure(lambda tensor: tuple(tensor.shape), model.output),
    ]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_help(name):
    text = inspect.getdoc(getattr(models, name))
    assert "Example:" in text and ">>>" in text
    assert re.match(r"[A-Z][a-z]+ .*\.\n", text), "verb and object in the first line"


@pytest.mark.parametrize("name", OF_MODELS)
@pytest.mark.parametrize("model", [None, "resnet18", 3, Thing(), keras.Model])
def test_what_is_no_model_is_refused(name, model):
    function = getattr(models, name)
    needed = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty and p.kind < 3]
    named = {"batch": 1} if name == "tuning" else {}
    with pytest.raises(TypeError, match=rf"^{name}: model must be .*, got ") as caught:
        function(model, *("x" for p in needed[1:] if p.kind is not p.VAR_POSITIONAL), **named)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value) and len(str(caught.value)) <= 500


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_block_that_is_not_there_is_refused(name):
    """Whatever names a block says so in one line, with the function and the argument."""
    function = getattr(models, name)
    places = [word for word in ("at", "name", "after", "up_to") if word in inspect.signature(function).parameters][:1]
    for place in places:
        if name == "insert":
            place = "after"
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="only")])
        others = {"fn": lambda x: x, "head": 3}
        given = {word: value for word, value in others.items() if word in inspect.signature(function).parameters}
        start = f"^{name}: {place} must be the name of a layer or block"
        with pytest.raises(ValueError, match=f"{start} .*got 'nowhere'$"):
            function(model, **{place: "nowhere"}, **given)
        with pytest.raises(TypeError, match=f"{start}, got 3$"):
            function(model, **{place: 3}, **given)


@pytest.mark.parametrize("name", MAKERS)
def test_the_model_of_the_example_is_remade_from_its_configuration(name):
    """It has layers of its own names, and nothing in it that Keras could not save."""
    model = [value for value in example(name).values() if isinstance(value, keras.Model)][-1]
    with weightless():
        again = type(model).from_config(model.get_config())
    assert described(again) == described(model)
