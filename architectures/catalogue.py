"""What there is, as data: nothing here imports Keras, so that listing it is instant."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """A network by name: the module of its constructor, its paper, and its size at the default arguments."""

    name: str
    module: str
    title: str
    paper: str
    parameters: int
    multiply_adds: int


_GOING_DEEPER = "Szegedy et al. 2015"
_VERY_DEEP = "Simonyan and Zisserman 2015"
_RESIDUAL = "He et al. 2016"

ENTRIES = {
    entry.name: entry
    for entry in (
        Entry("googlenet", "googlenets", "GoogLeNet", _GOING_DEEPER, 13_378_280, 1_590_878_208),
        Entry("googlenet_bn", "googlenets", "GoogLeNet with BatchNorm", _GOING_DEEPER, 13_400_888, 1_590_878_208),
        Entry("vgg16", "vggs", "VGG-16 (D)", _VERY_DEEP, 138_357_544, 15_470_264_320),
        Entry("resnet18", "resnets", "ResNet-18", _RESIDUAL, 11_699_112, 1_814_073_344),
        Entry("resnet50", "resnets", "ResNet-50", _RESIDUAL, 25_610_152, 3_857_973_248),
    )
}


def list_architectures() -> list[str]:
    """The names that `build` takes.

    Example:
        >>> "googlenet" in list_architectures()
        True
    """
    return list(ENTRIES)


def constructor(name: str) -> Callable[..., Any]:
    """The function behind a name.

    Raises:
        ValueError: there is no such name; says the nearest.
        TypeError: not a string.
    """
    if not isinstance(name, str):
        raise TypeError(f"build: name takes a string, got {name!r}")
    if name not in ENTRIES:
        close = difflib.get_close_matches(name.lower().replace("-", ""), ENTRIES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"build: name takes one of {', '.join(ENTRIES)}, got {name!r}{hint}")
    module = importlib.import_module(f".{ENTRIES[name].module}", __package__)
    return getattr(module, name)


def build(name: str, **options: Any) -> Any:
    """The model of that name; `options` are the arguments of its constructor.

    Raises:
        ValueError: there is no such name, or an argument out of range.
        TypeError: an argument that the network does not take.

    Example:
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = build("resnet18", classes=10)
        >>> model.output_shape
        (None, 10)
    """
    return constructor(name)(**options)
