"""Networks as strangers write them: plain Keras, automatic names, the way examples and courses do.

None of them knows this library. `ZOO` has every network by name; each is a function without arguments that gives a
built Keras model.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import keras

from layerblocks.blocks import weightless

from .registry import ZOO

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)

__all__ = ["A_FEW", "ZOO", "Network", "build"]

Network = Callable[[], Any]
RUNS = {"untraceable", "perceiver"}
"""Those that compute numbers to be built."""
A_FEW = (
    *("unet", "pix2pix", "residual_unet", "attention_unet", "rgbd_unet", "feature_pyramid_detector", "gated_tabular"),
    *("mixture_of_experts", "siamese", "seq2seq_lstm", "wavenet", "split_heads"),
)
"""One of each kind, for tests that each commit runs."""


def build(name: str, *, weights: bool = False) -> Any:
    """The model of that name, with the names that Keras gives in a session of its own; without weights unless told."""
    keras.backend.clear_session()
    with contextlib.nullcontext() if weights or name in RUNS else weightless():
        return ZOO[name]()
