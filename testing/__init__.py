"""Property-based shape tests for everyone: what a net should make of any image, checked without weights in seconds.

The shape language, the oracles and the assertions need neither Hypothesis nor, until they are given a model, Keras;
`check_net` and the strategies need Hypothesis, by `pip install layerblocks[testing]`. Names resolve when first used.

Example:
    >>> from layerblocks.testing import check_net, Spec
    >>> Spec.parse("b h w c -> b ceil(h/2) ceil(w/2) f").expected((None, 7, 9, 3), f=64)
    (None, 4, 5, 64)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .annotations import block_kwargs
    from .assertions import assert_shape
    from .backwards import min_input_size, receptive_field
    from .checks import check_net
    from .layer_oracles import Expected
    from .machine import network_machine
    from .random_networks import Call, Network, networks
    from .reports import CheckError, Report
    from .roundtrips import assert_roundtrip
    from .shapes import Spec, SpecError
    from .sizes import conv_out, pool_out, transposed_out
    from .strategies import image_shapes, tensors, units
    from .training import assert_learns, assert_trainable

_MODULES = {
    "Call": "drafts",
    "CheckError": "reports",
    "Expected": "layer_oracles",
    "Network": "random_networks",
    "Report": "reports",
    "Spec": "shapes",
    "SpecError": "shapes",
    "assert_learns": "training",
    "assert_roundtrip": "roundtrips",
    "assert_shape": "assertions",
    "assert_trainable": "training",
    "block_kwargs": "annotations",
    "check_net": "checks",
    "conv_out": "sizes",
    "image_shapes": "strategies",
    "min_input_size": "backwards",
    "network_machine": "machine",
    "networks": "random_networks",
    "pool_out": "sizes",
    "receptive_field": "backwards",
    "tensors": "strategies",
    "transposed_out": "sizes",
    "units": "strategies",
}

__all__ = [
    "Call",
    "CheckError",
    "Expected",
    "Network",
    "Report",
    "Spec",
    "SpecError",
    "assert_learns",
    "assert_roundtrip",
    "assert_shape",
    "assert_trainable",
    "block_kwargs",
    "check_net",
    "conv_out",
    "image_shapes",
    "min_input_size",
    "network_machine",
    "networks",
    "pool_out",
    "receptive_field",
    "tensors",
    "transposed_out",
    "units",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
