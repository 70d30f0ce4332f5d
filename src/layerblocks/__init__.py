"""Compose convolutional networks in Keras from plain functions, draw them, test their shapes.

Seven subpackages, each loaded when first used:

- `layerblocks.blocks`: tensor -> tensor functions, everything a network is made of;
- `layerblocks.graphs`: what a network is, any Keras model read into plain data;
- `layerblocks.architectures`: the published networks, assembled from blocks;
- `layerblocks.models`: what is done to a finished model, from surgery to export;
- `layerblocks.viz`: figures and tables of any Keras model;
- `layerblocks.training`: losses by output, many devices, pictures of a training;
- `layerblocks.testing`: property-based tests of what a net makes of any image.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from . import architectures, blocks, graphs, models, testing, training, viz

__all__ = ["__version__", "architectures", "blocks", "graphs", "models", "testing", "training", "viz"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
