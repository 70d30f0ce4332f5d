"""Compose convolutional networks in Keras from plain functions, draw them, test their shapes.

Four subpackages, each loaded when first used:

- `layerblocks.blocks`: tensor -> tensor functions, everything a network is made of;
- `layerblocks.architectures`: the published networks, assembled from them;
- `layerblocks.viz`: figures and tables of any Keras model;
- `layerblocks.testing`: property-based tests of what a net makes of any image.
"""

import importlib
from types import ModuleType

from ._version import __version__

__all__ = ["__version__", "architectures", "blocks", "testing", "viz"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
