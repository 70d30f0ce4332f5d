"""SqueezeNet (Iandola et al. 2016, AlexNet-level accuracy with 50x fewer parameters)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import keras

from .. import checks
from ..blocks import block, concat, global_avg_pool, max_pool
from ..blocks import conv as _conv
from ..blocks import dropout as _dropout
from ..blocks.tensors import head_dtype, layer
from ..blocks.types import Activation, Tensor, Unit
from .constructor import Head, architecture, published

# Table 1 of the paper: squeeze and expand filters of each fire module, None for a pool.
SQUEEZENET_1_0 = ((16, 64), (16, 64), (32, 128), None, (32, 128), (48, 192), (48, 192), (64, 256), None, (64, 256))
# Of the authors' later code.
SQUEEZENET_1_1 = ((16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192), (64, 256), (64, 256))

# Windows that begin inside the image count also where they end outside.
_POOL = partial(max_pool, pool_size=3, strides=2, padding=((0, 1),))
squeezenet_conv = partial(_conv, activation="relu")
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "torchvision": {
        "conv": partial(squeezenet_conv, kernel_initializer="he_uniform"),
        "classifier_activation": None,
    },
}


@block
def fire(x: Tensor, filters: int, expand: int, *, conv: Unit = squeezenet_conv, name: str | None = None) -> Tensor:
    """A 1×1 convolution to few channels, and from these a 1×1 and a 3×3 one side by side (figure 1).

    Shapes: `batch height width channels` -> `batch height width 2·expand`.

    Args:
        filters: of the first convolution.
        expand: of each of the other two.
    """
    x = conv(x, filters, 1, strides=1, name="squeeze")
    sides = [conv(x, expand, side, strides=1, name=f"expand{side}x{side}") for side in (1, 3)]
    return concat(sides, name="concat")


@block
def map_classifier(
    x: Tensor,
    classes: int,
    *,
    dropout: float = 0.5,
    activation: Activation = "softmax",
    conv: Unit = squeezenet_conv,
    name: str | None = None,
) -> Tensor:
    """A map for each class, and the mean of each (Lin et al. 2014, section 3.2); float32 also in mixed precision.

    Shapes: `batch height width channels` -> `batch classes`.
    """
    x = conv(_dropout(x, dropout, name="dropout"), classes, 1, strides=1, name="maps")
    function = "linear" if activation is None else activation
    x = global_avg_pool(x, name="pool")
    return layer(keras.layers.Activation, x, "predictions", "predictions", activation=function, dtype=head_dtype())


@architecture(dialects=DIALECTS, table="modules")
def squeezenet(
    x: Tensor,
    head: Head,
    *,
    modules: Sequence[tuple[int, int] | None] = SQUEEZENET_1_0,
    stem: Mapping[str, Any] = {"filters": 96, "kernel_size": 7},
    dropout: float = 0.5,
    conv: Unit = squeezenet_conv,
) -> Tensor:
    """SqueezeNet: fire modules, pools between them, and a mean over maps of classes (Iandola et al. 2016, table 1).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        modules: squeeze and expand filters of each fire module; None for a pool.
        stem: arguments of the first convolution.
        dropout: rate after the last module.
        conv: unit of every convolution.
        dialect: `"paper"`; `"torchvision"`, which gives logits.
    """
    if not checks.is_sequence(modules):
        raise checks.refuse(
            "modules", modules, "a list of (squeeze filters, expand filters), None for a pool", TypeError
        )
    x = conv(x, **{"strides": 2, "padding": "valid", "name": "conv1", **stem})
    x = _POOL(x, name="pool1")
    pools, fires = 1, 1
    for place, row in enumerate(modules):
        if row is None:
            pools += 1
            x = _POOL(x, name=f"pool{pools}")
        else:
            fires += 1
            x = fire(x, *checks.integers(f"modules[{place}]", row, 2), conv=conv, name=f"fire{fires}")
    if not head.include_top:
        return head(x)
    return map_classifier(x, head.classes, dropout=dropout, activation=head.activation, conv=conv, name="classifier")


squeezenet1_0 = published(squeezenet, "squeezenet1_0")
squeezenet1_1 = published(squeezenet, "squeezenet1_1", modules=SQUEEZENET_1_1, stem={"filters": 64, "kernel_size": 3})
