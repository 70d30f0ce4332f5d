"""The published networks, each assembled from blocks, and what is done to a finished model.

Names resolve when first used, so that `list_architectures` answers without importing Keras.

Example:
    >>> from layerblocks.architectures import build, list_architectures
    >>> "resnet50" in list_architectures()
    True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .catalogue import ENTRIES, build, list_architectures

if TYPE_CHECKING:
    from .googlenets import googlenet, googlenet_bn
    from .network import architecture, variant
    from .resnets import resnet, resnet18, resnet50
    from .training import compile_args, inference_model, label_every_output, loss_weights, quickest_jit
    from .vggs import vgg, vgg16

_MODULES = {name: entry.module for name, entry in ENTRIES.items()} | {
    "architecture": "network",
    "compile_args": "training",
    "inference_model": "training",
    "label_every_output": "training",
    "loss_weights": "training",
    "quickest_jit": "training",
    "resnet": "resnets",
    "variant": "network",
    "vgg": "vggs",
}

__all__ = [
    "architecture",
    "build",
    "compile_args",
    "googlenet",
    "googlenet_bn",
    "inference_model",
    "label_every_output",
    "list_architectures",
    "loss_weights",
    "quickest_jit",
    "resnet",
    "resnet18",
    "resnet50",
    "variant",
    "vgg",
    "vgg16",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
