"""Shapes and parameters of blocks.

As in `layers`: `(height, width, channels)` of the input, or what signals and volumes have, then the block's own
arguments; ValueError where the block has to refuse. Nothing here imports Keras.

Example:
    >>> depthwise_separable((56, 56, 64), 128, strides=2)
    Expected(shape=(28, 28, 128), parameters=9536, multiply_adds=6874112)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from .layers import (
    Expected,
    Oracle,
    Padding,
    Shape,
    Size,
    add,
    channels_of,
    concat,
    conv_bn,
    dense,
    depthwise,
    each,
    flatten,
    global_pool,
    pool,
    transposed,
)
from .registry import FEW, OMITTED, oracle
from .units import adaptive, matching, norm, norm_activation, plain_conv, preact_conv, separable_bn, without_norm


@oracle(
    "vgg_block",
    draws={
        "kernel_size": lambda st: st.integers(1, 3) | st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "dilation_rate": OMITTED,
    },
)
def vgg_block(
    shape: Shape,
    filters: int,
    convs: int = 2,
    *,
    kernel_size: Size | list[Size] = 3,
    norm_parameters: int | None = None,
    strides: int = 2,
    dilation_rate: int = 1,
    padding: Any = "valid",
    pool: Oracle | None = pool,
    conv: Oracle = plain_conv,
) -> Expected:
    """A chain of convolutions, a norm and a 2×2 pool.

    Example:
        >>> vgg_block((7, 9, 3), 64, strides=1).shape
        (7, 9, 64)
    """
    kernels = kernel_size if isinstance(kernel_size, list) else [kernel_size] * convs
    if len(kernels) != convs or (dilation_rate > 1 and strides > 1):
        raise ValueError("one kernel for each convolution; strides or dilation")
    holes, y = {} if dilation_rate == 1 else {"dilation_rate": dilation_rate}, Expected(shape)
    for kernel in kernels:
        y = y.then(conv, filters, kernel, strides=1, **holes)
    y = y.then(norm, norm_parameters or 0)
    if pool is None:
        return y
    return y.then(pool, 2, strides=strides, padding="same" if strides == 1 else padding, **holes)


@oracle("subsample")
def subsample(shape: Shape, pool_size: Size = 2, *, strides: Size | None = None, padding: Any = "valid") -> Expected:
    """A pooling with a coefficient and a bias for each channel.

    Example:
        >>> subsample((28, 28, 6))
        Expected(shape=(14, 14, 6), parameters=12, multiply_adds=1176)
    """
    return pool(shape, pool_size, strides=strides, padding=padding).then(depthwise, None, 1)


@oracle("depthwise_separable", draws={"depthwise": OMITTED})
def depthwise_separable(
    shape: Shape,
    filters: int,
    kernel_size: Size = 3,
    *,
    depth_multiplier: int = 1,
    conv: Oracle = conv_bn,
    strides: Size = 1,
    dilation_rate: Size = 1,
    padding: Any = None,
    **options: Any,
) -> Expected:
    """A depthwise and a 1×1 unit."""
    own = {"strides": strides, "dilation_rate": dilation_rate, **({} if padding is None else {"padding": padding})}
    y = Expected(shape).then(matching(depthwise, conv), channels_of(shape) * depth_multiplier, kernel_size, **own)
    return y.then(conv, filters, 1, strides=1, **options)


@oracle(
    "inverted_residual",
    draws={
        "expansion": [1, 2, 3, 1.5],
        "depthwise": OMITTED,
        "inner": OMITTED,
        "transforms": OMITTED,
    },
)
def inverted_residual(
    shape: Shape,
    filters: int,
    *,
    strides: Size = 1,
    expansion: float = 6,
    kernel_size: Size = 3,
    dilation_rate: Size = 1,
    fused: bool = False,
    conv: Oracle = conv_bn,
) -> Expected:
    """1×1 up, depthwise, 1×1 down; a sum only where nothing changes.

    Example:
        >>> inverted_residual((56, 56, 24), 24).shape
        (56, 56, 24)
    """
    x = Expected(shape)
    width = round(channels_of(shape) * expansion)
    own = {} if {*each(dilation_rate, shape)} == {1} else {"dilation_rate": dilation_rate}
    if fused:
        widens = width != channels_of(shape)
        y = x.then(conv, width if widens else filters, kernel_size, strides=strides, **own)
        y = y.then(conv, filters, 1, strides=1) if widens else y
    else:
        y = x.then(conv, width, 1, strides=1) if width != channels_of(shape) else x
        y = y.then(matching(depthwise, conv), width, kernel_size, strides=strides, **own)
        y = y.then(conv, filters, 1, strides=1)
    return add([x, y]) if shape[-1] == filters and {*each(strides, shape)} == {1} else y


def merge(shape: Shape, branch: Expected, *, strides: Size, shortcut: Oracle, conv: Oracle) -> Expected:
    """`branch` plus a shortcut, which must have its shape."""
    return add([branch, shortcut(shape, branch.shape[-1], strides=strides, conv=conv)])


@oracle("identity_shortcut", chain=False)
def identity_shortcut(shape: Shape, filters: Any, *, strides: Size, conv: Oracle) -> Expected:
    return Expected(shape)


@oracle("projection_shortcut", chain=False)
def projection_shortcut(shape: Shape, filters: Any, *, strides: Size, conv: Oracle, always: bool = False) -> Expected:
    if shape[-1] == filters and {*each(strides, shape)} == {1} and not always:
        return Expected(shape)
    return conv(shape, filters, 1, strides=strides)


@oracle("pad_shortcut", chain=False)
def pad_shortcut(shape: Shape, filters: Any, *, strides: Size, conv: Oracle) -> Expected:
    if channels_of(shape) > filters:
        raise ValueError("cannot pad to fewer channels")
    return pool((*shape[:-1], filters), strides)


@oracle("channel_projection_shortcut", chain=False)
def channel_projection_shortcut(shape: Shape, filters: Any, *, strides: Size, conv: Oracle) -> Expected:
    shortcut = pad_shortcut if shape[-1] == filters else projection_shortcut
    return shortcut(shape, filters, strides=strides, conv=conv)


@oracle("residual", chain=False)
def residual(
    shape: Shape,
    convs: Sequence[tuple[int, int]],
    *,
    strides: Size = 1,
    stride_on: str | None = None,
    activation_at: str | None = "end",
    wide: Oracle | None = None,
    shortcut: Oracle = projection_shortcut,
    conv: Oracle = conv_bn,
) -> Expected:
    """A chain of convolutions and a shortcut; without a norm at the end where it stands at the start.

    Example:
        >>> residual((56, 56, 64), [(64, 3), (128, 1)], strides=2).shape
        (28, 28, 128)
    """
    ending = conv if activation_at == "end" else partial(conv, norm_parameters=None)
    kernels = [kernel for _, kernel in convs]
    strided = 0 if stride_on is None else [f"{kernel}x{kernel}" for kernel in kernels].index(stride_on)
    y = Expected(shape).then(norm_activation, conv=conv) if activation_at == "start" else Expected(shape)
    for number, (filters, kernel) in enumerate(convs):
        unit = ending if number == len(convs) - 1 else conv
        if wide is not None and kernel != 1:
            unit = partial(wide, conv=unit)
        y = y.then(unit, filters, kernel, strides=strides if number == strided else 1)
    return merge(shape, y, strides=strides, shortcut=shortcut, conv=ending)


@oracle("basic_residual")
def basic_residual(shape: Shape, filters: int, **options: Any) -> Expected:
    """Two 3×3 convolutions and a shortcut."""
    return residual(shape, [(filters, 3), (filters, 3)], **options)


@oracle("bottleneck", draws={"filters": [4, 8], "reduction": [4, 2]})
def bottleneck(shape: Shape, filters: int, *, reduction: float = 4, **options: Any) -> Expected:
    """1×1, 3×3, 1×1 and a shortcut.

    Example:
        >>> bottleneck((8, 8, 256), 256).parameters
        71168
    """
    if filters % reduction:
        raise ValueError("reduction does not divide")
    width = int(filters // reduction)
    return residual(shape, [(width, 1), (width, 3), (filters, 1)], **options)


@oracle("xception_module", draws={"shortcut": OMITTED, "plain": OMITTED})
def xception_module(
    shape: Shape,
    filters: Sequence[int],
    *,
    strides: Size = 1,
    shortcut: Oracle = projection_shortcut,
    conv: Oracle = separable_bn,
    pool: Oracle = pool,
) -> Expected:
    """Separable convolutions, a pool, and a shortcut around them.

    Example:
        >>> xception_module((147, 147, 64), (128, 128), strides=2).shape
        (74, 74, 128)
    """
    y = Expected(shape)
    for width in filters:
        y = y.then(conv, width, 3, strides=1)
    if {*each(strides, shape)} != {1}:
        y = y.then(pool, 3, strides=strides)
    return merge(shape, y, strides=strides, shortcut=shortcut, conv=matching(plain_conv, conv))


def _branch(x: Expected, filters: Sequence[int], kernels: Sequence[Any], conv: Oracle) -> list[Expected]:
    """A reduction and the kernels after it; those of a list at the end stand side by side."""
    y = x.then(conv, filters[0], 1, strides=1)
    for width, kernel in zip(filters[1:], kernels, strict=True):
        if isinstance(kernel, list):  # what is before them counts once
            return [
                start.then(conv, width, side, strides=1)
                for start, side in zip([y, Expected(y.shape)], kernel, strict=True)
            ]
        y = y.then(conv, width, kernel, strides=1)
    return [y]


def _inception(
    shape: Shape,
    c1: int,
    branches: Sequence[tuple[Sequence[int], Sequence[Any]]],
    pool_proj: int,
    *,
    conv: Oracle = plain_conv,
    pool: Oracle = pool,
) -> Expected:
    x = Expected(shape)
    ends = [x.then(conv, c1, 1, strides=1)]
    for filters, kernels in branches:
        ends += _branch(x, filters, kernels, conv)
    return concat([*ends, x.then(pool, 3, strides=1).then(conv, pool_proj, 1, strides=1)])


@oracle("inception")
def inception(
    shape: Shape, c1: int, c3: Any, c5: Any, pool_proj: int, *, kernel_size: Size = 5, **units: Oracle
) -> Expected:
    """Inception v1, whose large kernel has any side.

    Example:
        >>> inception((28, 28, 192), 64, (96, 128), (16, 32), 32)
        Expected(shape=(28, 28, 256), parameters=163696, multiply_adds=128049152)
    """
    return _inception(shape, c1, [(c3, [3]), (c5, [kernel_size])], pool_proj, **units)


@oracle("inception_stacked")
def inception_stacked(
    shape: Shape, c1: int, single: Any, double: Any, pool_proj: int, *, kernel_size: Size = 3, **units: Oracle
) -> Expected:
    """Inception whose 5×5 convolution is two 3×3."""
    return _inception(shape, c1, [(single, [kernel_size]), (double, [3, 3])], pool_proj, **units)


@oracle("inception_asymmetric", draws={"n": [3, 2, 5, 7]})
def inception_asymmetric(
    shape: Shape, c1: int, single: Any, double: Any, pool_proj: int, *, n: int = 7, **units: Oracle
) -> Expected:
    """Inception whose n×n convolutions are 1×n and n×1, of images alone."""
    _of_images(shape)
    row, column = (1, n), (n, 1)
    return _inception(shape, c1, [(single, [row, column]), (double, [column, row, column, row])], pool_proj, **units)


@oracle("inception_expanded")
def inception_expanded(shape: Shape, c1: int, single: Any, double: Any, pool_proj: int, **units: Oracle) -> Expected:
    """Inception whose last 1×3 and 3×1 stand side by side, of images alone."""
    _of_images(shape)
    ends = [(1, 3), (3, 1)]
    return _inception(shape, c1, [(single, [ends]), (double, [3, ends])], pool_proj, **units)


def _of_images(shape: Shape) -> None:
    if len(shape) != 3:
        raise ValueError("only images have two sides to factorise")


def _widths(st: Any, count: int) -> Any:
    return st.tuples(*[st.integers(1, 8)] * count)


@oracle(
    "inception_reduction",
    draws={"single": lambda st: _widths(st, 1) | _widths(st, 2), "double": lambda st: _widths(st, 3), "n": None},
)
def inception_reduction(
    shape: Shape,
    single: Any,
    double: Any,
    *,
    n: int | None = None,
    strides: Size = 2,
    padding: Any = "valid",
    conv: Oracle = plain_conv,
    pool: Oracle = pool,
) -> Expected:
    """Strided convolutions and a pool side by side.

    Example:
        >>> inception_reduction((35, 35, 288), (384,), (64, 96, 96)).shape
        (17, 17, 768)
    """
    if n is not None:
        _of_images(shape)
    ends = []
    for filters, kernels in ((single, []), (double, [3] if n is None else [(1, n), (n, 1)])):
        *inner, width = filters
        y = _branch(Expected(shape), inner, kernels, conv)[0] if inner else Expected(shape)
        ends.append(y.then(conv, width, 3, strides=strides, padding=padding))
    return concat([*ends, pool(shape, 3, strides=strides, padding=padding)])


@oracle("dense_layer", draws={"bottleneck": range(3), "growth_rate": range(1, 5)})
def dense_layer(
    shape: Shape, growth_rate: int, *, bottleneck: int = 4, dilation_rate: Size = 1, conv: Oracle = preact_conv
) -> Expected:
    """The input, and beside it `growth_rate` new channels.

    Example:
        >>> dense_layer((56, 56, 64), 32).parameters == 4 * 64 + 4 * 64 * 32 + 16 * 32 + 36 * 32**2
        True
    """
    y = Expected(shape)
    if bottleneck:
        y = y.then(conv, bottleneck * growth_rate, 1, strides=1)
    holes = {} if {*each(dilation_rate, shape)} == {1} else {"dilation_rate": dilation_rate}
    return concat([Expected(shape), y.then(conv, growth_rate, 3, strides=1, **holes)])


@oracle("dense_block", draws={"layers": range(1, 4), "growth_rate": range(1, 5), "with_input": OMITTED})
def dense_block(shape: Shape, layers: int, growth_rate: int = 32, **options: Any) -> Expected:
    """So many dense layers."""
    y = Expected(shape)
    for _ in range(layers):
        y = y.then(dense_layer, growth_rate, **options)
    return y


@oracle("transition", draws={"dilation_rate": OMITTED})
def transition(
    shape: Shape, filters: int, *, strides: int = 2, conv: Oracle = preact_conv, pool: Oracle = pool
) -> Expected:
    """A 1×1 convolution and a 2×2 pool.

    Example:
        >>> transition((57, 56, 256), 128).shape
        (28, 28, 128)
    """
    y = Expected(shape).then(conv, filters, 1, strides=1)
    return y.then(pool, 2, strides=strides, padding="same" if strides == 1 else "valid")


@oracle("squeeze_excite", draws={"gate": OMITTED})
def squeeze_excite(shape: Shape, *, ratio: int = 16, filters: int | None = None, conv: Oracle = plain_conv) -> Expected:
    """Two 1×1 convolutions of one pixel.

    Example:
        >>> squeeze_excite((56, 56, 256)).parameters
        8464
    """
    channels, conv = channels_of(shape), without_norm(conv)
    weights = Expected((*each(1, shape), channels)).then(conv, filters or max(1, channels // ratio), 1, strides=1)
    weights = weights.then(conv, channels, 1, strides=1)
    if {*weights.shape[:-1]} != {1}:
        raise ValueError("the unit changes the size of one pixel")
    return replace(weights, shape=shape)


# Of two tensors.


@oracle("bilinear_up")
def bilinear_up(shape: Shape, factor: int = 2) -> Expected:
    """A transposed convolution of side 2·factor without bias.

    Example:
        >>> bilinear_up((16, 16, 21), 32).shape
        (544, 544, 21)
    """
    return transposed(shape, channels_of(shape), 2 * factor, strides=factor, padding="valid", use_bias=False)


@oracle("match_size", chain=False)
def match_size(shape: Shape, like: Shape) -> Expected:
    """The channels of the first and the sides of the second."""
    return Expected((*like[:-1], shape[-1]))


@oracle("fuse_scores", draws={"up": OMITTED, "score": OMITTED, "offset": range(-2, 3)}, chain=False)
def fuse_scores(shape: Shape, skip: Shape, *, offset: int = -1) -> Expected:
    """Scores twice enlarged, and those of a finer map.

    Example:
        >>> fuse_scores((7, 7, 21), (13, 13, 512)).shape
        (13, 13, 21)
    """
    y, scores = bilinear_up(shape), plain_conv(skip, channels_of(shape), 1)
    size = (y if offset > 0 else scores).shape
    return add([replace(y, shape=size), replace(scores, shape=size)])


_LEFT_OUT = dict.fromkeys(("up", "gate", "gated_by", "block"), OMITTED)


@oracle("decoder_block", draws={**_LEFT_OUT, "offset": range(-1, 3), "convs": range(1, 3)}, chain=False)
def decoder_block(
    shape: Shape,
    skip: Shape,
    filters: int,
    convs: int = 2,
    *,
    offset: int = 0,
    up: Oracle | None = None,
    conv: Oracle = plain_conv,
) -> Expected:
    """Up by two, the skip beside it, and convolutions.

    Example:
        >>> decoder_block((28, 28, 1024), (64, 64, 512), 512, offset=4).shape
        (56, 56, 512)
    """
    up = matching(transposed, conv) if up is None else up
    y = up(shape, filters, 2, strides=2, padding="valid")
    size = y.shape[:-1] if offset > 0 else skip[:-1]
    y = replace(y, shape=(*size, filters + channels_of(skip)))
    for _ in range(convs):
        y = y.then(conv, filters, 3, strides=1)
    return y


@oracle("concat", chain=False)
def joined(*shapes: Shape) -> Expected:
    """Tensors side by side."""
    return concat([Expected(shape) for shape in shapes])


@oracle("add", chain=False)
def summed(*shapes: Shape) -> Expected:
    """The sum of tensors."""
    return add([Expected(shape) for shape in shapes])


@oracle("merge_residual", chain=False)
def merged(shape: Shape, branch: Shape, *, strides: Size, shortcut: Oracle, conv: Oracle) -> Expected:
    """A branch plus a shortcut of what came before it."""
    return merge(shape, Expected(branch), strides=strides, shortcut=shortcut, conv=conv)


# Heads.


@oracle(
    "classifier",
    draws={
        "classes": FEW,
        "pooling": ["avg", "max", "flatten"],
        "units": lambda st: st.lists(st.integers(1, 8), max_size=2).map(tuple),
        "dropout": [0.0, 0.5],
        "dense": OMITTED,
        "output": OMITTED,
    },
    chain=False,
)
def classifier(
    shape: Shape, classes: int, *, pooling: str | None = "avg", units: Sequence[int] = (), output_size: Any = None
) -> Expected:
    """Pool or flatten, and dense layers.

    Example:
        >>> classifier((7, 7, 512), 1000, pooling="flatten", units=(4096, 4096)).parameters
        123642856
    """
    y = Expected(shape) if output_size is None else adaptive(shape, output_size)
    if pooling is not None:
        y = y.then(flatten if pooling == "flatten" else global_pool)
    for width in (*units, classes):
        y = y.then(dense, width)
    return y


@oracle("aux_classifier", draws={"classes": FEW, "dropout": [0.5, 0.25], "dense": OMITTED}, chain=False)
def aux_classifier(
    shape: Shape,
    classes: int,
    *,
    filters: int = 128,
    units: int = 1024,
    padding: Padding = "valid",
    output_size: Size | None = None,
    conv: Oracle = plain_conv,
) -> Expected:
    """GoogLeNet's auxiliary classifier.

    Example:
        >>> aux_classifier((14, 14, 512), 1000)
        Expected(shape=(1000,), parameters=3188840, multiply_adds=4169728)
    """
    pooled = pool(shape, 5, strides=3, padding=padding) if output_size is None else adaptive(shape, output_size)
    return pooled.then(conv, filters, 1, strides=1).then(classifier, classes, pooling="flatten", units=(units,))
