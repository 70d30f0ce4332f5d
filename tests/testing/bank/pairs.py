"""What the bank is made of: a net with a switch that puts one bug into it, its spec, and what the bug shrinks to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
from keras import layers, ops

from layerblocks.testing import check_net


@dataclass(frozen=True)
class Pair:
    """A right net and a wrong one."""

    net: Callable[..., Any]
    spec: str
    smallest: str
    check: Callable[..., Any]
    options: dict[str, Any]

    def tried(self, bug: bool, **options: Any) -> Any:
        """What the check makes of one of them; a CheckError if it finds something."""
        return self.check(partial(self.net, bug=bug), self.spec, **self.options | options)


PAIRS: dict[str, Pair] = {}
FEW = {"sides": (1, 6)}


def pair(
    spec: str, smallest: str = "input (None, 1, 1, 1)", check: Callable[..., Any] = check_net, **options: Any
) -> Callable[[Any], Any]:
    """Put a function of tensors and `bug` into the bank."""

    def put(net: Any) -> Any:
        PAIRS[net.__name__] = Pair(net, spec, smallest, check, options)
        return net

    return put


def conv(x: Any, filters: int, size: Any = 3, strides: Any = 1, **options: Any) -> Any:
    return layers.Conv2D(filters, size, strides, **{"padding": "same", **options})(x)


def pool(x: Any, size: Any = 2, **options: Any) -> Any:
    return layers.MaxPooling2D(size, **{"padding": "same", **options})(x)


def up(x: Any, size: Any = 2) -> Any:
    return layers.UpSampling2D(size)(x)


def mean(x: Any) -> Any:
    return layers.GlobalAveragePooling2D()(x)


@keras.saving.register_keras_serializable("tests")
class CropTo(keras.Layer):
    """The upper left of one map, as large as another."""

    def call(self, x, like):
        _, height, width, _ = ops.shape(like)
        return x[:, :height, :width]

    def compute_output_shape(self, x_shape, like_shape):
        return *like_shape[:3], x_shape[3]


def crop(x: Any, like: Any) -> Any:
    return CropTo()(x, like)
