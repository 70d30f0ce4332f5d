"""Residual blocks and their shortcuts."""

from __future__ import annotations

from typing import Any, Literal

import keras  # noqa: F401  (the doctests use it)

from . import checks
from .core import block, default_of, piece
from .layers import PadChannels
from .pieces import activate, add, channels, layer
from .types import Shortcut, Size, Tensor, Unit
from .units import conv_bn


def identity_shortcut(x: Tensor, filters: int, *, strides: Size, conv: Unit) -> Tensor:
    """`x` itself; a block that changes the shape refuses it."""
    return x


def _unchanged(x: Tensor, filters: int, strides: Any) -> bool:
    return channels(x) == filters and checks.pair("strides", strides) == (1, 1)


def projection_shortcut(
    x: Tensor, filters: int, *, strides: Size, conv: Unit, always: bool = False, **options: Any
) -> Tensor:
    """Option B: `x` where the shape stays, a linear 1×1 convolution where it changes (He et al. 2016, eq. 2).

    With `always=True` option C: a projection in every block. `options` go to the convolution.

    Example:
        >>> x = keras.Input((56, 56, 64))
        >>> projection_shortcut(x, 64, strides=1, conv=conv_bn) is x
        True
    """
    if _unchanged(x, filters, strides) and not always:
        return x
    return conv(x, filters, 1, **{"strides": strides, "activation": None, "name": "shortcut", **options})


@piece
def pad_shortcut(x: Tensor, filters: int, *, strides: Size, conv: Unit) -> Tensor:
    """Option A: every `strides`-th pixel and zero channels, without parameters (He et al. 2016, section 3.3).

    Example:
        >>> pad_shortcut(keras.Input((32, 32, 16)), 32, strides=2, conv=None).shape
        (None, 16, 16, 32)
    """
    if _unchanged(x, filters, strides):
        return x
    if channels(x) > filters:
        raise checks.refuse("filters", filters, f"at least the {channels(x)} channels of x")
    return layer(PadChannels, x, "shortcut", "shortcut", filters=filters, strides=checks.pair("strides", strides))


def merge_residual(x: Tensor, branch: Tensor, *, strides: Size, shortcut: Shortcut, conv: Unit) -> Tensor:
    """Shortcut of `x` plus `branch`, then the activation that `conv` has: how every residual block ends.

    Raises:
        ValueError: the two sides differ in shape; nothing is broadcast.
    """
    checks.function("shortcut", shortcut)
    side = shortcut(x, channels(branch), strides=strides, conv=conv)
    if tuple(side.shape) != tuple(branch.shape):
        takes = f"a function that gives the shape of the branch, {tuple(branch.shape)}"
        raise checks.refuse("shortcut", tuple(side.shape), takes)
    return activate(add([branch, side], name="add"), default_of(conv, "activation", "relu"), name="activation")


@block
def basic_residual(
    x: Tensor, filters: int, *, strides: Size = 1, shortcut: Shortcut = projection_shortcut, conv: Unit = conv_bn
) -> Tensor:
    """Two 3×3 convolutions and a shortcut around them (He et al. 2016, figure 5 left).

    ```
        x ─┬─ 3×3, /s ── 3×3 ─┬─ add ── activation
           └──── shortcut ────┘
    ```

    Shapes: `batch height width channels` -> `batch ceil(height/strides) ceil(width/strides) filters`.

    Args:
        x: symbolic tensor.
        filters: output channels.
        strides: of the first convolution and the shortcut.
        shortcut: function `(x, filters, *, strides, conv)`: `projection_shortcut` (option B; C by `always=True`),
            `pad_shortcut` (option A) or `identity_shortcut`.
        conv: unit; its activation follows the sum as well.

    Raises:
        ValueError: the branch and the shortcut differ in shape, or a number is out of range.
        TypeError: an argument of the wrong type.

    Example:
        >>> basic_residual(keras.Input((56, 56, 64)), 128, strides=2).shape
        (None, 28, 28, 128)
    """
    filters = checks.integer("filters", filters)
    y = conv(x, filters, 3, strides=strides, name="conv1")
    y = conv(y, filters, 3, strides=1, activation=None, name="conv2")
    return merge_residual(x, y, strides=strides, shortcut=shortcut, conv=conv)


@block
def bottleneck(
    x: Tensor,
    filters: int,
    *,
    strides: Size = 1,
    reduction: int = 4,
    stride_on: Literal["1x1", "3x3"] = "1x1",
    shortcut: Shortcut = projection_shortcut,
    conv: Unit = conv_bn,
) -> Tensor:
    """1×1 down, 3×3, 1×1 up and a shortcut around them (He et al. 2016, figure 5 right).

    Shapes: `batch height width channels` -> `batch ceil(height/strides) ceil(width/strides) filters`.

    Args:
        x: symbolic tensor.
        filters: output channels; the inner convolutions have `filters // reduction`.
        strides: of the convolution that `stride_on` names, and of the shortcut.
        reduction: divides `filters`.
        stride_on: `"1x1"` as in the paper (v1), `"3x3"` as in torchvision (v1.5).
        shortcut, conv: as in `basic_residual`.

    Raises:
        ValueError: the branch and the shortcut differ in shape, or a number is out of range.
        TypeError: an argument of the wrong type.

    Example:
        >>> bottleneck(keras.Input((56, 56, 256)), 512, strides=2).shape
        (None, 28, 28, 512)
    """
    filters = checks.integer("filters", filters)
    if filters % checks.integer("reduction", reduction):
        raise checks.refuse("reduction", reduction, f"a divisor of filters={filters}")
    first, second = (strides, 1) if checks.choice("stride_on", stride_on, ("1x1", "3x3")) == "1x1" else (1, strides)
    y = conv(x, filters // reduction, 1, strides=first, name="conv1")
    y = conv(y, filters // reduction, 3, strides=second, name="conv2")
    y = conv(y, filters, 1, strides=1, activation=None, name="conv3")
    return merge_residual(x, y, strides=strides, shortcut=shortcut, conv=conv)
