"""What a network remembers: the constructor that made it, the dialect and the arguments, also in a file and a clone."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import keras

from ..checks import instance, public
from .catalogue import ENTRIES
from .computed import difference

_CONSTRUCTORS: dict[str, Callable[..., keras.Model]] = {}
_living: WeakSet[Network] = WeakSet()
_numbers = itertools.count()


@dataclass(frozen=True)
class Origin:
    """How a network was built.

    Args:
        network: name of the constructor.
        dialect: None where the network has no dialects.
        arguments: those that the constructor was given, `input_shape` always among them.
        unsaved: arguments that no file holds, such as functions, where the network comes from a file.
        alone: whether the model is that network and nothing else.
    """

    network: str
    dialect: str | None
    arguments: Mapping[str, Any]
    unsaved: tuple[str, ...] = ()
    alone: bool = True


@keras.saving.register_keras_serializable("layerblocks", "Network")
class Network(keras.Model):
    """A functional model that remembers its origin.

    Its file says `Functional` of Keras: a process without this package opens it as that, and leaves the origin unread,
    which stands beside the configuration of the first layer.
    """

    origin: Origin | None = None

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.origin is not None:
            config["layers"][0]["origin"] = _written(self.origin)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Network:
        told = config["layers"][0].get("origin") if config.get("layers") else None
        made = super().from_config(config, custom_objects=custom_objects)
        if isinstance(told, dict):
            remember(made, _read(told))
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        unpickle, arguments = super().__reduce__()  # its class is looked up by its name, which is that of Keras's
        return _unpickled, (unpickle.__name__, arguments)


# As which a process that has only Keras finds it.
_functional = type(keras.Model(x := keras.Input((1,)), x))
Network.__module__, Network.__name__, Network.__qualname__ = _functional.__module__, "Functional", "Functional"


def _unpickled(how: str, arguments: tuple[Any, ...]) -> keras.Model:
    return getattr(Network, how)(*arguments)


def remember(model: Any, origin: Origin) -> None:
    """Let a network know its origin."""
    model.origin = origin
    model.number = next(_numbers)
    _living.add(model)


@public
def origin(model: keras.Model) -> Origin | None:
    """Tell how a network was built: by which constructor, in which dialect, with which arguments.

    A network remembers it, through saving and loading too; a copy that computes the same as one that remembers, as
    `keras.models.clone_model` makes it, has the origin of that one.

    Returns:
        None where nothing is known: a model of somebody else's, or one that was changed since.

    Raises:
        TypeError: not a Keras model.

    Example:
        >>> from layerblocks.architectures import resnet18
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     origin(resnet18(dialect="torchvision", classes=10))
        Origin(network='resnet18', dialect='torchvision', arguments={'classes': 10, 'input_shape': (224, 224, 3)})
    """
    model = instance("model", model, keras.Model, "a Keras model")
    known = getattr(model, "origin", None)
    if isinstance(known, Origin):
        return known
    names = [layer.name for layer in model.layers]
    for other in sorted(_living, key=lambda network: network.number):
        if [layer.name for layer in other.layers] == names and difference(model, other) is None:
            if isinstance(model, Network) and other.origin is not None:
                remember(model, other.origin)
            return other.origin
    return None


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


# -- in a file --------------------------------------------------------------------------------------------------------


def _written(origin: Origin) -> dict[str, Any]:
    """The same as what JSON can hold."""
    kept = {word: value for word, value in origin.arguments.items() if _is_plain(value)}
    unsaved = sorted({*origin.unsaved, *(word for word in origin.arguments if word not in kept)})
    return {
        "network": origin.network,
        "dialect": origin.dialect,
        "arguments": kept,
        "unsaved": unsaved,
        "alone": origin.alone,
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(word, str) and _is_plain(item) for word, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _read(told: Mapping[str, Any]) -> Origin:
    arguments = told.get("arguments")
    arguments = {str(word): _tuples(value) for word, value in arguments.items()} if isinstance(arguments, dict) else {}
    dialect, unsaved = told.get("dialect"), told.get("unsaved")
    return Origin(
        str(told.get("network")),
        dialect if isinstance(dialect, str) else None,
        arguments,
        tuple(map(str, unsaved)) if isinstance(unsaved, list) else (),
        bool(told.get("alone")),
    )


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
