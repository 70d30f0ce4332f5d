"""How a network was built, and the constructors by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import keras

from ..checks import instance, public
from ..models.origins import Origin, known_origin
from .catalogue import ENTRIES

_CONSTRUCTORS: dict[str, Callable[..., keras.Model]] = {}


@public
def origin(model: keras.Model) -> Origin | None:
    """Tell how a network was built: by which constructor, in which dialect, with which arguments.

    A network remembers it, through saving and loading too; a copy that computes the same as one that remembers, as
    `keras.models.clone_model` makes it, has the origin of that one. What a function of `layerblocks.models` makes of it
    has its origin, and that function among the `changes`.

    Returns:
        None where nothing is known: a model of somebody else's, or one that others changed since.

    Raises:
        TypeError: not a Keras model.

    Example:
        >>> from layerblocks.architectures import resnet18
        >>> from layerblocks.blocks import weightless
        >>> from layerblocks.models import with_new_head
        >>> with weightless():
        ...     model = resnet18(dialect="torchvision", classes=10)
        ...     changed = with_new_head(model, 5)
        >>> known = origin(model)
        >>> known.network, known.dialect, known.arguments
        ('resnet18', 'torchvision', {'classes': 10, 'input_shape': (224, 224, 3)})
        >>> origin(changed).changes
        ('with_new_head',)
    """
    return known_origin(instance("model", model, keras.Model, "a Keras model"))


def add_constructor(name: str, construct: Callable[..., keras.Model]) -> None:
    _CONSTRUCTORS[name] = construct


def constructor_of(origin: Origin) -> Callable[..., keras.Model] | None:
    """The function that built the network, None where there is none of that name here."""
    if origin.network in ENTRIES:
        importlib.import_module(f".{ENTRIES[origin.network].module}", __package__)
    elif origin.network not in _CONSTRUCTORS:  # of a family, whose modules are few
        for module in sorted({entry.module for entry in ENTRIES.values()}):
            importlib.import_module(f".{module}", __package__)
    return _CONSTRUCTORS.get(origin.network)
