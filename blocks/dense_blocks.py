"""Blocks in which every layer sees all the earlier ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Unpack

import keras  # noqa: F401  (the doctests use it)

from .. import checks
from . import arguments
from .activations import dropout as _dropout
from .core import block
from .merges import concat
from .pools import avg_pool
from .tensors import rank
from .types import DenseLayerOptions, Pool, Size, Tensor, Unit
from .units import preact_conv


@block
def dense_layer(
    x: Tensor,
    growth_rate: int,
    *,
    bottleneck: int = 4,
    dropout: float = 0.0,
    dilation_rate: Size = 1,
    conv: Unit = preact_conv,
    name: str | None = None,
) -> Tensor:
    """`x`, and beside it `growth_rate` new channels made of it (Huang et al. 2017, section 3).

    ```
        x ─┬─ 1×1 ── 3×3 ─┬─ concat
           └──────────────┘
    ```

    Shapes: `batch height width channels` -> `batch height width channels+growth_rate`.

    Args:
        growth_rate: new channels.
        bottleneck: the 1×1 convolution has `bottleneck` times `growth_rate` filters (the B of DenseNet-B); 0 for none.
        dropout: rate after each convolution.
        dilation_rate: of the 3×3 convolution.
        conv: unit; in the paper norm and activation stand before the convolution.

    Example:
        >>> dense_layer(keras.Input((56, 56, 64)), 32).shape
        (None, 56, 56, 96)
    """
    y = _new_channels(x, growth_rate, bottleneck=bottleneck, dropout=dropout, dilation_rate=dilation_rate, conv=conv)
    return concat([x, y], name="concat")


def _new_channels(
    x: Tensor,
    growth_rate: int,
    *,
    bottleneck: int = 4,
    dropout: float = 0.0,
    dilation_rate: Size = 1,
    conv: Unit = preact_conv,
) -> Tensor:
    """What a dense layer makes of `x`."""
    arguments.functions(conv=conv)
    growth_rate, y = checks.integer("growth_rate", growth_rate), x
    bottleneck = checks.integer("bottleneck", bottleneck, at_least=0)
    if bottleneck:
        y = conv(y, bottleneck * growth_rate, 1, strides=1, name="1x1")
        y = _dropout(y, dropout, name="1x1_dropout")
    y = conv(y, growth_rate, 3, strides=1, name="3x3", **arguments.holes(dilation_rate, rank(x)))
    return _dropout(y, dropout, name="3x3_dropout")


_new: Callable[..., Tensor] = block(_new_channels)


@block
def dense_block(
    x: Tensor,
    layers: int,
    growth_rate: int = 32,
    *,
    with_input: bool = True,
    name: str | None = None,
    **options: Unpack[DenseLayerOptions],
) -> Tensor:
    """`layers` dense layers, each of which sees the outputs of all before it (Huang et al. 2017, figure 1).

    Shapes: `batch height width channels` -> `batch height width channels+layers·growth_rate`, without `channels` where
    the output does not have the input.

    Args:
        layers: their number.
        growth_rate: channels that each of them adds.
        with_input: whether `x` is part of the output; not so on the way up of FC-DenseNet (Jégou et al. 2017).
        options: those of `dense_layer`: `bottleneck`, `dropout`, `dilation_rate`, `conv`.

    Example:
        >>> dense_block(keras.Input((56, 56, 64)), 6, 32).shape
        (None, 56, 56, 256)
    """
    layers = checks.integer("layers", layers)
    if checks.flag("with_input", with_input):
        for number in range(1, layers + 1):
            x = dense_layer(x, growth_rate, name=f"layer{number}", **options)
        return x
    made: list[Tensor] = []
    for number in range(1, layers + 1):
        seen = concat([x, *made], name=f"seen{number}") if made else x
        made.append(_new(seen, growth_rate, name=f"layer{number}", **options))
    return concat(made, name="concat") if layers > 1 else made[0]


@block
def transition(
    x: Tensor,
    filters: int,
    *,
    strides: Literal[1, 2] = 2,
    dilation_rate: int = 1,
    dropout: float = 0.0,
    pool: Pool = avg_pool,
    conv: Unit = preact_conv,
    name: str | None = None,
) -> Tensor:
    """A 1×1 convolution and a pool between two dense blocks (Huang et al. 2017, section 3).

    Shapes: `batch height width channels` -> `batch floor(height/2) floor(width/2) filters`;
    `batch height width filters` with `strides=1`.

    Args:
        filters: output channels; DenseNet-C has half of the channels of `x`.
        strides: of the pool; 1 keeps the resolution, to the same values at every other pixel.
        dilation_rate: of the pool, after a block that was dilated itself.
        dropout: rate after the convolution.
        pool: function `(x, pool_size, *, strides, padding, name)`, and `dilation_rate` where it is above 1.
        conv: unit.

    Raises:
        ValueError: a number out of range, an image too small to pool, or `dilation_rate` with a stride.

    Example:
        >>> transition(keras.Input((56, 56, 256)), 128).shape
        (None, 28, 28, 128)
    """
    arguments.functions(pool=pool, conv=conv)
    strides, holes = arguments.halving(strides, dilation_rate, rank(x))
    padding = "same" if strides == 1 else "valid"
    y = conv(x, filters, 1, strides=1, name="conv")
    y = _dropout(y, dropout, name="dropout")
    return pool(y, 2, strides=strides, padding=padding, name="pool", **holes)
