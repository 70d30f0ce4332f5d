"""Shapes and parameters of the pieces of networks since 2015: resampling, gates, branches, tokens, contexts.

As in `layers`: `(*sides, channels)` of every input, of one to three sides, then the piece's own arguments; ValueError
where the piece has to refuse. Nothing here imports Keras.

Example:
    >>> pixel_shuffle((7, 9, 12), 2).shape
    (14, 18, 3)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import log2, prod
from typing import Any

from .layers import Expected, Oracle, Shape, add, channels_of, concat, conv_bn, depthwise, each, global_pool, pool
from .registry import OMITTED, oracle
from .units import matching, norm, plain_conv, without_norm


def _times(shape: Shape, factors: Sequence[int]) -> tuple[int | None, ...]:
    return tuple(None if n is None else n * factor for n, factor in zip(shape[:-1], factors, strict=True))


@oracle("layer_scale", draws={"initial_value": OMITTED})
def layer_scale(shape: Shape) -> Expected:
    """A factor of each channel."""
    return norm(shape, 1)


@oracle("rescale", draws={"factor": [0.5, 2.0]})
def rescale(shape: Shape, factor: float) -> Expected:
    """A constant factor."""
    return Expected(shape)


@oracle("gate", chain=False)
def gate(shape: Shape, weights: Shape) -> Expected:
    """A product of what has one size, or 1."""
    return Expected(shape)


@oracle("resize", draws={"factor": [1, 2, 3]})
def resize(shape: Shape, factor: Any = 2, *, interpolation: str = "nearest") -> Expected:
    """Sides times their factors."""
    return Expected((*_times(shape, each(factor, shape)), shape[-1]))


@oracle("resize_like", chain=False)
def resize_like(shape: Shape, like: Shape, *, interpolation: str = "linear") -> Expected:
    """The sides of another."""
    return Expected((*like[:-1], shape[-1]))


@oracle("pixel_shuffle", draws={"factor": [1, 2]})
def pixel_shuffle(shape: Shape, factor: Any = 2) -> Expected:
    """Channels to pixels."""
    factors = each(factor, shape)
    depth, rest = divmod(channels_of(shape), prod(factors))
    if rest:
        raise ValueError("channels that go into no pixel")
    return Expected((*_times(shape, factors), depth))


@oracle("pixel_unshuffle", draws={"factor": [1, 2]})
def pixel_unshuffle(shape: Shape, factor: Any = 2, *, order: Any = "channels") -> Expected:
    """Pixels to channels."""
    factors = each(factor, shape)
    if any(n is None or n % f for n, f in zip(shape[:-1], factors, strict=True)):
        raise ValueError("factors do not divide the sides")
    sides = tuple(n // f for n, f in zip(shape[:-1], factors, strict=True))
    return Expected((*sides, channels_of(shape) * prod(factors)))


@oracle("blur_pool", draws={"pool_size": [1, 3, 4], "strides": [1, 2, 3]})
def blur_pool(shape: Shape, pool_size: Any = 3, *, strides: Any = 2) -> Expected:
    """Every so many pixels."""
    sides = tuple(None if n is None else -(-n // s) for n, s in zip(shape[:-1], each(strides, shape), strict=True))
    return Expected((*sides, shape[-1]))


@oracle("unpool", chain=False)
def unpool(shape: Shape, before: Shape, pool_size: Any = 2) -> Expected:
    """The map from before."""
    return Expected(before)


def _enlarging(unit: Oracle, shape: Shape, filters: int, kernel_size: Any, options: Any) -> Expected:
    return unit(shape, filters, kernel_size, strides=1, **options)


@oracle("resize_conv", draws={"strides": [1, 2]})
def resize_conv(
    shape: Shape,
    filters: int,
    kernel_size: Any = 3,
    *,
    strides: Any = 2,
    interpolation: str = "nearest",
    padding: Any = None,
    conv: Oracle = plain_conv,
    **options: Any,
) -> Expected:
    """A resize and a convolution."""
    return _enlarging(conv, resize(shape, strides).shape, filters, kernel_size, options)


@oracle("subpixel_conv", draws={"strides": [1, 2]})
def subpixel_conv(
    shape: Shape,
    filters: int,
    kernel_size: Any = 3,
    *,
    strides: Any = 2,
    padding: Any = None,
    conv: Oracle = plain_conv,
    **options: Any,
) -> Expected:
    """A convolution and a pixel shuffle."""
    factors = each(strides, shape)
    return _enlarging(conv, shape, filters * prod(factors), kernel_size, options).then(pixel_shuffle, factors)


@oracle("split", chain=False)
def split(shape: Shape, parts: Any = 2) -> list[Expected]:
    """Parts of the channels."""
    number = parts if isinstance(parts, int) else len(parts)
    widths = [channels_of(shape) // number] * number if isinstance(parts, int) else list(parts)
    if sum(widths) != channels_of(shape):
        raise ValueError("parts are not the channels")
    return [Expected((*shape[:-1], width)) for width in widths]


@oracle("channel_shuffle", draws={"groups": [1, 2]})
def channel_shuffle(shape: Shape, groups: int = 2) -> Expected:
    """Another order."""
    if channels_of(shape) % groups:
        raise ValueError("groups do not divide")
    return Expected(shape)


@oracle("eca", draws={"kernel_size": [None, 1, 3], "gate": OMITTED})
def eca(shape: Shape, kernel_size: int | None = None) -> Expected:
    """A kernel over the channels.

    Example:
        >>> eca((56, 56, 256)).parameters
        5
    """
    size = int((log2(channels_of(shape)) + 1) / 2) if kernel_size is None else kernel_size
    size += kernel_size is None and size % 2 == 0
    return Expected(shape, size, size * channels_of(shape))


@oracle("cbam", draws={"gate": OMITTED, "kernel_size": [3, 7]})
def cbam(shape: Shape, *, ratio: int = 16, kernel_size: Any = 7, conv: Oracle = plain_conv) -> Expected:
    """Two 1×1 convolutions of two pixels, and one of two channels.

    Example:
        >>> cbam((56, 56, 256)).parameters
        8563
    """
    depth, conv = channels_of(shape), without_norm(conv)
    pixels = (2, *[1] * (len(shape) - 2))
    of_channels = Expected((*pixels, depth)).then(conv, max(1, depth // ratio), 1, strides=1)
    of_channels = of_channels.then(conv, depth, 1, strides=1)
    places = conv((*shape[:-1], 2), 1, kernel_size, strides=1)
    if places.shape[:-1] != shape[:-1]:
        raise ValueError("the unit changes the sides")
    return replace(of_channels.then(lambda _: places), shape=shape)


_UNDILATED: dict[str, Any] = {"kernel_size": [1, 3], "strides": [1, 2], "conv": OMITTED}
_PATHS: dict[str, Any] = {"dilation_rate": OMITTED, **_UNDILATED}


@oracle("split_attention", draws={**_PATHS, "filters": [2, 4], "radix": [1, 2], "ratio": [1, 4]}, chain=False)
def split_attention(
    shape: Shape,
    filters: int,
    kernel_size: Any = 3,
    *,
    strides: Any = 1,
    radix: int = 2,
    ratio: int = 4,
    conv: Oracle = conv_bn,
) -> Expected:
    """A grouped convolution, two 1×1 of one pixel, and a pool of the sum.

    Example:
        >>> split_attention((56, 56, 64), 64).parameters
        43808
    """
    y = conv(shape, radix * filters, kernel_size, strides=1, **({} if radix == 1 else {"groups": radix}))
    narrow = max(32, radix * filters // ratio)
    weights = Expected((*y.shape[:-1], filters)).then(global_pool, keepdims=True)
    weights = weights.then(conv, narrow, 1, strides=1, use_bias=True)
    weights = weights.then(without_norm(conv), radix * filters, 1, strides=1)
    both = y.then(lambda _: replace(weights, shape=(*y.shape[:-1], filters)))
    return both if {*each(strides, shape)} == {1} else both.then(pool, 3, strides=strides)


@oracle("hierarchical_conv", draws={**_PATHS, "filters": 4, "scale": [1, 2, 4]}, chain=False)
def hierarchical_conv(
    shape: Shape,
    filters: int,
    kernel_size: Any = 3,
    *,
    strides: Any = 1,
    scale: int = 4,
    apart: bool | None = None,
    conv: Oracle = conv_bn,
) -> Expected:
    """A convolution of each part but the last.

    Example:
        >>> hierarchical_conv((56, 56, 104), 104).parameters
        18564
    """
    steps = {*each(strides, shape)}
    if channels_of(shape) != filters or filters % scale or (steps != {1} and apart is False):
        raise ValueError("channels that are not those of the parts, or parts of several sizes")
    part = conv((*shape[:-1], filters // scale), filters // scale, kernel_size, strides=strides)
    return part if scale == 1 else concat([*[part] * (scale - 1), replace(part, parameters=0, multiply_adds=0)])


@oracle(
    "ghost_conv", draws={**_UNDILATED, "filters": [2, 4], "ratio": [1, 2], "ghost_kernel_size": [1, 3]}, chain=False
)
def ghost_conv(
    shape: Shape,
    filters: int,
    kernel_size: Any = 1,
    *,
    strides: Any = 1,
    ratio: int = 2,
    ghost_kernel_size: Any = 3,
    conv: Oracle = conv_bn,
    depthwise: Oracle = depthwise,
) -> Expected:
    """A convolution to some channels, and a depthwise one of them.

    Example:
        >>> ghost_conv((56, 56, 24), 72).parameters
        1476
    """
    if filters % ratio:
        raise ValueError("ratio does not divide the filters")
    first = conv(shape, filters // ratio, kernel_size, strides=strides)
    if ratio == 1:
        return first
    ghosts = matching(depthwise, conv)(first.shape, filters - filters // ratio, ghost_kernel_size, strides=1)
    return replace(first.then(lambda _: ghosts), shape=(*first.shape[:-1], filters))


@oracle("parallel_conv", draws={**_UNDILATED, "filters": [2, 4]}, chain=False)
def parallel_conv(
    shape: Shape, filters: int, kernel_size: Any = 3, *, strides: Any = 1, conv: Oracle = conv_bn
) -> Expected:
    """Two convolutions, and a norm where the shape stays.

    Example:
        >>> parallel_conv((56, 56, 48), 48).parameters
        23616
    """
    ends = [conv(shape, filters, size, strides=strides) for size in (kernel_size, 1)]
    if channels_of(shape) == filters and {*each(strides, shape)} == {1}:
        ends.append(norm(shape, 4))
    return add(ends)


@oracle("attention_gate", chain=False)
def attention_gate(shape: Shape, signal: Shape, filters: int | None = None, *, conv: Oracle = plain_conv) -> Expected:
    """Two maps to one weight a place."""
    conv, width = without_norm(conv), filters or max(1, channels_of(shape) // 2)
    y = add([conv(shape, width, 2, strides=2, padding="same"), conv(signal, width, 1, strides=1)])
    return replace(y.then(conv, 1, 1, strides=1), shape=shape)


_TABLE = {"branches": lambda st: st.just([[(2, 1)], [(1, 1), (3, 3)]])}


@oracle("branches", draws=_TABLE)
def side_by_side(shape: Shape, branches: Any, *, conv: Oracle = plain_conv) -> Expected:
    """Branches of (filters, kernel), side by side.

    Example:
        >>> side_by_side((35, 35, 192), [[(96, 1)], [(48, 1), (64, 5)]]).shape
        (35, 35, 160)
    """
    ends = []
    for steps in branches.values() if isinstance(branches, dict) else branches:
        y = Expected(shape)
        for step in steps:
            y = y.then(conv, **step) if isinstance(step, dict) else y.then(conv, *step, strides=1)
        ends.append(y)
    return concat(ends) if len(ends) > 1 else ends[0]


@oracle(
    "inception_residual",
    draws={
        **_TABLE,
        "factor": [1.0, 0.1],
        "activation_at": ["end", None],
        "transforms": OMITTED,
    },
)
def inception_residual(
    shape: Shape, branches: Any, *, factor: float = 1.0, conv: Oracle = conv_bn, **silent: Any
) -> Expected:
    """Branches, a 1×1 convolution with bias, and the input added."""
    y = side_by_side(shape, branches, conv=conv)
    plain: dict[str, Any] = {"norm_parameters": None, "use_bias": None}
    y = y.then(partial(conv, **plain), channels_of(shape), 1, strides=1)
    if y.shape != shape:
        raise ValueError("the branches change the size")
    return y


@oracle(
    "convnext_block",
    draws={
        "kernel_size": [3, 7],
        "expansion": [1, 2, 1.5],
        "inner": OMITTED,
        "transforms": OMITTED,
        "depthwise": OMITTED,
    },
)
def convnext_block(shape: Shape, *, kernel_size: Any = 7, expansion: float = 4, conv: Oracle = plain_conv) -> Expected:
    """A depthwise convolution with layer norm, and two 1×1 convolutions.

    Example:
        >>> convnext_block((56, 56, 96)).parameters
        79296
    """
    depth = channels_of(shape)
    first = partial(matching(depthwise, conv), norm_parameters=2, use_bias=True)
    y = Expected(shape).then(first, depth, kernel_size, strides=1)
    y = y.then(conv, round(depth * expansion), 1, strides=1).then(conv, depth, 1, strides=1).then(norm, 1)
    if y.shape != shape:
        raise ValueError("a unit changes the size")
    return y


# Norms, tokens, attention.


@oracle("instance_norm")
def instance_norm(shape: Shape, *, center: bool = True, scale: bool = True) -> Expected:
    """An offset and a factor of each channel."""
    return norm(shape, center + scale)


@oracle("rms_norm", draws={"epsilon": OMITTED})
def rms_norm(shape: Shape) -> Expected:
    """A factor of each channel."""
    return norm(shape, 1)


@oracle("global_response_norm", draws={"epsilon": OMITTED})
def global_response_norm(shape: Shape) -> Expected:
    """An offset and a factor of each channel."""
    return norm(shape, 2)


@oracle("tokens", chain=False)
def tokens(shape: Shape) -> Expected:
    """All places in one row."""
    sides = shape[:-1]
    return Expected((None if None in sides else prod(sides), shape[-1]))  # type: ignore[arg-type]


@oracle("to_map", chain=False)
def to_map(shape: Shape, sides: Sequence[int]) -> Expected:
    """A row as a map."""
    return Expected((*sides, shape[-1]))


@oracle("class_token", chain=False)
def class_token(shape: Shape) -> Expected:
    """One more."""
    return Expected((None if shape[0] is None else shape[0] + 1, shape[-1]), channels_of(shape))


@oracle("position_embedding", chain=False)
def position_embedding(shape: Shape) -> Expected:
    """A number for each channel of each place."""
    return Expected(shape, prod(shape))  # type: ignore[arg-type]


@oracle("patch_embedding", chain=False)
def patch_embedding(shape: Shape, filters: int, patch_size: Any = 16, *, conv: Oracle = plain_conv) -> Expected:
    """A strided convolution."""
    size = each(patch_size, shape)
    linear: dict[str, Any] = {"norm_parameters": None, "use_bias": True}
    return conv(shape, filters, size, strides=size, padding="valid", **linear)


@oracle("patch_merging", chain=False)
def patch_merging(
    shape: Shape, filters: int, patch_size: Any = 2, *, norm_at: str = "start", conv: Oracle = plain_conv
) -> Expected:
    """The pixels of a patch in a row, a norm and a projection."""
    patches, bare = Expected(pixel_unshuffle(shape, patch_size).shape), {"norm_parameters": None, "use_bias": False}
    if norm_at == "end":
        return patches.then(conv, filters, 1, strides=1, **bare).then(norm, 2)
    return patches.then(norm, 2).then(conv, filters, 1, strides=1, **bare)


@oracle("first_token", chain=False)
def first_token(shape: Shape) -> Expected:
    """One of them."""
    return Expected((shape[-1],))


@oracle("self_attention", chain=False)
def self_attention(
    shape: Shape,
    heads: int = 8,
    *,
    key_dim: int | None = None,
    window: Any = None,
    shift: Any = 0,
    position_bias: bool = False,
    cosine: bool = False,
) -> Expected:
    """Query, key, value and output, and the products of each place with those that it asks.

    Example:
        >>> self_attention((14, 14, 64), 4).parameters
        16640
    """
    depth = channels_of(shape)
    if key_dim is None and depth % heads:
        raise ValueError("heads do not divide")
    width = heads * (depth // heads if key_dim is None else key_dim)
    places = tokens(shape).shape[0]
    sizes = shape[:-1] if window is None else each(window, shape)
    asked = places if window is None else prod(each(window, shape))
    biases = more = 0
    if window is not None or position_bias or cosine or any(each(shift, shape)):
        for n, w, s in zip(shape[:-1], sizes, each(shift, shape), strict=True):
            if n is None or w is None or n % w or s >= w:
                raise ValueError("no windows")
        offsets = prod(2 * w - 1 for w in sizes if w is not None) if position_bias else 0
        axes = len(sizes)
        biases = 512 * (axes + 1 + heads) * position_bias + heads if cosine else heads * offsets
        more = offsets * 512 * (axes + heads) if cosine else 0
    work = None if places is None or asked is None else places * (4 * depth * width + 2 * asked * width) + more
    return Expected(shape, 3 * (depth + 1) * width + (width + 1) * depth + biases, work)


@oracle("mlp", draws={"activation": OMITTED})
def mlp(shape: Shape, units: int, *, conv: Oracle = plain_conv) -> Expected:
    """Two 1×1 convolutions."""
    return Expected(shape).then(conv, units, 1, strides=1).then(conv, channels_of(shape), 1, strides=1)


@oracle("transformer_block", chain=False)
def transformer_block(
    shape: Shape,
    heads: int = 8,
    *,
    expansion: float = 4,
    window: Any = None,
    shift: Any = 0,
    position_bias: bool = False,
    cosine: bool = False,
    norm_at: str = "start",
    conv: Oracle = plain_conv,
) -> Expected:
    """Attention and a perceptron, each after a norm.

    Example:
        >>> transformer_block((197, 384), 6).parameters
        1774464
    """
    asked: dict[str, Any] = {"window": window, "shift": shift, "position_bias": position_bias, "cosine": cosine}
    y = norm(shape, 2).then(self_attention, heads, **asked).then(norm, 2)
    return y.then(mlp, round(channels_of(shape) * expansion), conv=conv)


@oracle("mixer_block", chain=False)
def mixer_block(shape: Shape, token_units: int, channel_units: int, *, conv: Oracle = plain_conv) -> Expected:
    """A perceptron over the places and one over the channels."""
    places = tokens(shape).shape[0]
    if places is None:
        raise ValueError("unknown sides")
    of_places = norm(shape, 2).then(lambda _: mlp((shape[-1], places), token_units, conv=conv))
    return replace(of_places, shape=shape).then(norm, 2).then(mlp, channel_units, conv=conv)


# Contexts.


@oracle("aspp", draws={"rates": lambda st: st.just((1, 2))})
def aspp(shape: Shape, filters: int = 256, rates: Sequence[int] = (6, 12, 18), *, conv: Oracle = conv_bn) -> Expected:
    """A 1×1 convolution, dilated ones, a mean and its 1×1 convolution, and a 1×1 convolution of all."""
    x = Expected(shape)
    ends = [x.then(conv, filters, 1, strides=1)]
    for rate in rates:
        ends.append(x.then(conv, filters, 3, strides=1, **({} if rate == 1 else {"dilation_rate": rate})))
    pixel = conv((*each(1, shape), channels_of(shape)), filters, 1, strides=1)
    ends.append(replace(pixel, shape=(*shape[:-1], filters)))
    return concat(ends).then(conv, filters, 1, strides=1)


@oracle("pyramid_pooling", draws={"sizes": lambda st: st.just((1, 2))})
def pyramid_pooling(
    shape: Shape, sizes: Sequence[int] = (1, 2, 3, 6), filters: int | None = None, *, conv: Oracle = conv_bn
) -> Expected:
    """The map, and a 1×1 convolution of each of its grids of means."""
    width = filters or max(1, channels_of(shape) // len(sizes))
    ends = [Expected(shape)]
    for size in sizes:
        y = conv((*each(size, shape), channels_of(shape)), width, 1, strides=1)
        ends.append(replace(y, shape=(*shape[:-1], width)))
    return concat(ends)


@oracle("feature_pyramid", chain=False)
def feature_pyramid(shapes: Sequence[Shape], filters: int = 256, *, conv: Oracle = plain_conv) -> list[Expected]:
    """A 1×1 and a 3×3 convolution of each."""
    return [Expected(s).then(conv, filters, 1, strides=1).then(conv, filters, 3, strides=1) for s in shapes]


@oracle("avg_pool_shortcut", chain=False)
def avg_pool_shortcut(shape: Shape, filters: Any, *, strides: Any, conv: Oracle) -> Expected:
    """A mean and a projection."""
    if {*each(strides, shape)} == {1}:
        return Expected(shape) if shape[-1] == filters else conv(shape, filters, 1, strides=1)
    return pool(shape, strides).then(conv, filters, 1, strides=1)
