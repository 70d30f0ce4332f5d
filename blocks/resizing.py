"""Longer and shorter sides: interpolation, pixel shuffle, blurred pooling, unpooling, and units that enlarge."""

from __future__ import annotations

from math import prod
from typing import Any, Literal, Unpack

import keras  # noqa: F401  (the doctests use it)

from .. import checks
from ..checks import piece
from . import arguments
from .core import block, register
from .map_layers import BlurPooling, MaxUnpooling, PatchMerging, PixelShuffle, PixelUnshuffle, Resize
from .tensors import channels, dividing, layer, rank, sides
from .types import Padding, PointwiseOptions, Size, Tensor, Unit
from .units import conv as _conv

Interpolation = Literal["nearest", "linear"]


def _interpolation(value: Any) -> str:
    return checks.choice("interpolation", value, ("nearest", "linear"))


@piece
def resize(x: Tensor, factor: Size = 2, *, interpolation: Interpolation = "nearest", name: str | None = None) -> Tensor:
    """Sides `factor` times as long, by the nearest pixel or linear interpolation, without parameters.

    Shapes: `batch *sides channels` -> `batch *sides·factor channels`, for signals, images and volumes.

    Args:
        factor: an integer, or one a side.
        interpolation: `"nearest"`, or `"linear"` (bilinear, trilinear) between the middles of the pixels.

    Example:
        >>> resize(keras.Input((7, 9, 3)), 2, interpolation="linear").shape
        (None, 14, 18, 3)
    """
    factors, interpolation = arguments.sizes("factor", factor, rank(x)), _interpolation(interpolation)  # type: ignore[assignment]
    return layer(Resize, x, "resize", name, factors=factors, interpolation=interpolation)


@piece
def resize_like(x: Tensor, like: Tensor, *, interpolation: Interpolation = "linear", name: str | None = None) -> Tensor:
    """`x` with the sides of `like`, by interpolation, also where they are known only at run time.

    Shapes: `batch *sides channels`, `batch *sides2 channels2` -> `batch *sides2 channels`. No layer is made where the
    sides are known to be equal.

    Args:
        interpolation: `"nearest"`, or `"linear"` between the middles of the pixels.

    Example:
        >>> resize_like(keras.Input((1, 1, 8)), keras.Input((33, 65, 3))).shape
        (None, 33, 65, 8)
    """
    interpolation = _interpolation(interpolation)  # type: ignore[assignment]
    if len(arguments.image(like, "like")) != len(arguments.image(x)):
        raise checks.refuse("like", tuple(like.shape), f"a map with as many sides as x, {rank(x)}")
    if None not in sides(x) and sides(x) == sides(like):
        return x
    return layer(Resize, [x, like], "resize", name, interpolation=interpolation)


@piece
def pixel_shuffle(x: Tensor, factor: Size = 2, *, name: str | None = None) -> Tensor:
    """Channels rearranged into pixels, which makes sides `factor` times as long (Shi et al. 2016, eq. 4).

    Shapes: `batch *sides channels` -> `batch *sides·factor channels/prod(factor)`. Order of the channels as in torch.

    Raises:
        ValueError: the channels are not a multiple of what goes into a pixel.

    Example:
        >>> pixel_shuffle(keras.Input((7, 9, 12)), 2).shape
        (None, 14, 18, 3)
    """
    factors = arguments.sizes("factor", factor, rank(x))
    if channels(x) % prod(factors):
        raise checks.refuse("factor", factor, f"one whose product over the sides divides the {channels(x)} channels")
    return layer(PixelShuffle, x, "pixel_shuffle", name, factors=factors)


@piece
def pixel_unshuffle(
    x: Tensor, factor: Size = 2, *, order: Literal["channels", "pixels"] = "channels", name: str | None = None
) -> Tensor:
    """Pixels rearranged into channels: the inverse of `pixel_shuffle`, also called space to depth.

    Shapes: `batch *sides channels` -> `batch *sides/factor channels·prod(factor)`.

    Args:
        order: `"channels"`: one channel of all pixels of a patch, then the next; `"pixels"`: all channels of a pixel,
            then those of the one below it (Liu et al. 2021, patch merging).

    Raises:
        ValueError: a side is unknown, or no multiple of its factor.

    Example:
        >>> pixel_unshuffle(keras.Input((8, 6, 3)), 2).shape
        (None, 4, 3, 12)
    """
    channels(x)
    factors = dividing("factor", factor, x, "where its pixels become channels")
    kind = {"channels": PixelUnshuffle, "pixels": PatchMerging}[checks.choice("order", order, ("channels", "pixels"))]
    return layer(kind, x, "pixel_unshuffle", name, factors=factors)


@piece
def blur_pool(x: Tensor, pool_size: Size = 3, *, strides: Size = 2, name: str | None = None) -> Tensor:
    """Every `strides`-th pixel of a blurred map: subsampling without aliasing (Zhang 2019, section 3).

    `blur_pool(max_pool(x, strides=1))` for a max-pool. The weights are binomial and not trained; what lies outside the
    map has none.

    Shapes: `batch *sides channels` -> `batch *ceil(sides/strides) channels`.

    Args:
        pool_size: side of the kernel.

    Example:
        >>> blur_pool(keras.Input((7, 9, 3))).shape
        (None, 4, 5, 3)
    """
    window, steps = arguments.sizes("pool_size", pool_size, rank(x)), arguments.sizes("strides", strides, rank(x))
    return layer(BlurPooling, x, "blur_pool", name, pool_size=window, strides=steps)


@piece
def unpool(x: Tensor, before: Tensor, pool_size: Size = 2, *, name: str | None = None) -> Tensor:
    """Each value back to where the maximum of its window was, zeros elsewhere (Badrinarayanan et al. 2017, figure 3).

    Shapes: `batch *ceil(sides/pool_size) channels`, `batch *sides channels` -> `batch *sides channels`.

    Args:
        before: the map that `max_pool(before, pool_size)` was taken of.

    Raises:
        ValueError: `x` has not the shape of the pooled map.

    Example:
        >>> unpool(keras.Input((4, 5, 8)), keras.Input((7, 9, 8))).shape
        (None, 7, 9, 8)
    """
    if len(arguments.image(before, "before")) != len(arguments.image(x)):
        raise checks.refuse("before", tuple(before.shape), f"a map with as many sides as x, {rank(x)}")
    window = arguments.sizes("pool_size", pool_size, rank(x))
    pooled = tuple(None if n is None else -(-n // k) for n, k in zip(sides(before), window, strict=True))
    if channels(before) != channels(x) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(pooled, sides(x), strict=True)
    ):
        must_be = f"of the sides {pooled} and {channels(before)} channels, as before with pool_size={window}"
        raise checks.refuse("x", tuple(x.shape), must_be)
    return layer(MaxUnpooling, [x, before], "unpool", name, pool_size=window)


@register("unit")
@block
def resize_conv(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 2,
    interpolation: Interpolation = "nearest",
    padding: Padding | None = None,
    conv: Unit = _conv,
    name: str | None = None,
    **options: Unpack[PointwiseOptions],
) -> Tensor:
    """Interpolation and a convolution after it, a unit that enlarges by `strides` without a checkerboard.

    (Odena et al. 2016.) For the `up=` of a decoder: `decoder_block(x, skip, 64, up=resize_conv)`.

    Shapes: `batch *sides channels` -> `batch *sides·strides filters`.

    Args:
        strides: enlargement.
        interpolation: as in `resize`.
        padding: of no effect, so that a decoder may give it: the convolution has the padding of `conv`.
        conv: unit.
        options: further arguments of `conv`.

    Example:
        >>> model = keras.Model(x := keras.Input((7, 9, 8)), resize_conv(x, 4))
        >>> model.output_shape, model.count_params()
        ((None, 14, 18, 4), 292)
    """
    arguments.functions(conv=conv)
    filters = checks.integer("filters", filters)
    factors: Any = arguments.sizes("strides", strides, rank(x))
    x = resize(x, factors, interpolation=interpolation, name="resize")
    return conv(x, filters, kernel_size, strides=1, name="conv", **options)


@register("unit")
@block
def subpixel_conv(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 2,
    padding: Padding | None = None,
    conv: Unit = _conv,
    name: str | None = None,
    **options: Unpack[PointwiseOptions],
) -> Tensor:
    """A convolution whose channels become pixels, a unit that enlarges by `strides` (Shi et al. 2016, section 3.2).

    Shapes: `batch *sides channels` -> `batch *sides·strides filters`.

    Args:
        strides: enlargement.
        padding: of no effect, so that a decoder may give it: the convolution has the padding of `conv`.
        conv: unit.
        options: further arguments of `conv`.

    Example:
        >>> model = keras.Model(x := keras.Input((7, 9, 8)), subpixel_conv(x, 4))
        >>> model.output_shape, model.count_params()
        ((None, 14, 18, 4), 1168)
    """
    arguments.functions(conv=conv)
    filters = checks.integer("filters", filters)
    factors: Any = arguments.sizes("strides", strides, rank(x))
    x = conv(x, filters * prod(factors), kernel_size, strides=1, name="conv", **options)
    return pixel_shuffle(x, factors, name="shuffle")
