"""The published networks, each assembled from blocks.

Names resolve when first used, so that `list_architectures` answers without importing Keras.

Example:
    >>> from layerblocks.architectures import build, list_architectures
    >>> "resnet50" in list_architectures()
    True
"""

from importlib import import_module
from typing import Any

import lazy_loader

from .catalogue import ENTRIES

_named_in_the_stub, _, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = sorted({*_names, *ENTRIES})


def __getattr__(name: str) -> Any:
    """Resolve a network by its line in the catalogue, anything else by the stub."""
    if name in ENTRIES:
        return getattr(import_module(f".{ENTRIES[name].module}", __name__), name)
    return _named_in_the_stub(name)


def __dir__() -> list[str]:
    return __all__
