"""Shapes and parameters of units as blocks are given them: any padding, any norm, partials.

As in `layers`: `(height, width, channels)` of the input, then the unit's own arguments; ValueError where the unit has
to refuse. Nothing here imports Keras.

Example:
    >>> conv((9, 9, 3), 4, 7, strides=2, padding="symmetric").shape
    (5, 5, 4)
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

from ...graphs.window_arithmetic import extent, pair
from . import layers
from .layers import Expected, Oracle, Shape, Size
from .registry import OMITTED, oracle

FEW = range(1, 9)


def default(oracle: Callable[..., Any], argument: str) -> Any:
    """The value of `argument` of an oracle where it is not given, seen through partials; None where there is none."""
    while isinstance(oracle, partial):
        if argument in oracle.keywords:
            return oracle.keywords[argument]
        oracle = oracle.func
    parameter = inspect.signature(oracle).parameters.get(argument)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def _any_padding(known: Oracle) -> Oracle:
    """An oracle of a convolution that knows `"symmetric"`, too."""

    @functools.wraps(known)
    def wrapper(shape: Shape, filters: int | None = None, kernel_size: Size = 3, **options: Any) -> Expected:
        if options.get("padding") == "symmetric":
            rate = options.get("dilation_rate", default(known, "dilation_rate") or 1)
            sides = [extent(k, d) for k, d in zip(pair(kernel_size), pair(rate), strict=True)]
            unstrided = pair(options.get("strides", 1)) == (1, 1)
            same = unstrided and all(side % 2 for side in sides)
            options["padding"] = "same" if same else tuple((side - 1) // 2 for side in sides)
        return known(shape, filters, kernel_size, **options)

    return wrapper


conv = oracle("conv", draws={"filters": FEW, "groups": [1, 2]})(_any_padding(layers.conv))
conv_bn = oracle("conv_bn")(partial(conv, norm_parameters=4))
dilated = oracle("dilated")(_any_padding(layers.dilated))
separable = oracle("separable")(_any_padding(layers.separable))
separable_bn = partial(separable, norm_parameters=4)
depthwise = oracle("depthwise", draws={"filters": None})(_any_padding(layers.depthwise))
plain_conv = conv


@oracle("activate", draws={"activation": ["relu", "gelu"]})
@oracle("dropout", "stochastic_depth", draws={"rate": [0.5, 0.25]})
@oracle("local_response_norm")
@oracle("pixel_predictions", chain=False)
def same(shape: Shape) -> Expected:
    """What neither changes the shape nor has parameters."""
    return Expected(shape)


def norm(shape: Shape, parameters: int) -> Expected:
    """So many `parameters` for each channel."""
    return Expected(shape, parameters * channels_of(shape))


def channels_of(shape: Shape) -> int:
    """The last of a shape; of images it has to be known."""
    channels = shape[-1]
    assert channels is not None
    return channels


oracle("batch_norm")(layers.batch_norm)
oracle("fused_batch_norm", chain=False)(layers.batch_norm)


@oracle("group_norm", draws={"groups": 1})
def group_norm(shape: Shape, *, groups: int = 32, center: bool = True, scale: bool = True) -> Expected:
    """An offset and a factor of each channel, in groups that divide them."""
    if channels_of(shape) % groups:
        raise ValueError("groups do not divide")
    return norm(shape, center + scale)


@oracle("layer_norm")
def layer_norm(shape: Shape, *, center: bool = True, scale: bool = True) -> Expected:
    """An offset and a factor of each channel."""
    return norm(shape, center + scale)


@oracle("dense", chain=False)
def dense(shape: Shape, units: int, *, use_bias: bool = True) -> Expected:
    """A fully connected layer."""
    return layers.dense(shape, units, use_bias=use_bias)


oracle("flatten", chain=False)(layers.flatten)


@oracle("global_avg_pool", "global_max_pool", chain=False)
def global_pool(shape: Shape, *, keepdims: bool = False) -> Expected:
    """A maximum or mean over all pixels."""
    return Expected((1, 1, shape[2])) if keepdims else layers.global_pool(shape)


@oracle("scale", chain=False)
def scale(shape: Shape, weights: Shape) -> Expected:
    """A product with one number a channel, or an example."""
    return Expected(shape)


@oracle("adaptive_avg_pool")
def adaptive(shape: Shape, output_size: Any) -> Expected:
    """So many pixels from any size."""
    return Expected((*pair(output_size), shape[2]))


def _framed(shape: Shape, margins: Any, sign: int) -> Expected:
    added = [sign * sum(pair(margin)) for margin in pair(margins)]
    sides = [None if n is None else n + more for n, more in zip(shape[:2], added, strict=True)]
    if any(n is not None and n < 1 for n in sides):
        raise ValueError("nothing is left")
    return Expected((*sides, shape[2]))


@oracle("zero_pad")
def padded(shape: Shape, padding: Any) -> Expected:
    """Zeros around."""
    return _framed(shape, padding, 1)


@oracle("crop")
def cropped(shape: Shape, cropping: Any) -> Expected:
    """Rows and columns off."""
    return _framed(shape, cropping, -1)


@oracle("transposed", draws={"filters": FEW, "strides": [1, 2, (1, 2)], "output_size": OMITTED})
def transposed(shape: Shape, *args: Any, **options: Any) -> Expected:
    """A transposed convolution, which has no other padding than a word or pixels alike on both sides."""
    if options.get("padding") == "symmetric" or isinstance(pair(options.get("padding", "same"))[0], tuple):
        raise ValueError("no such padding of a transposed convolution")
    return layers.transposed(shape, *args, **options)


# Units.


@oracle("max_pool", "avg_pool")
def pool(
    shape: Shape, pool_size: Size = 2, *, strides: Size | None = None, dilation_rate: Size = 1, padding: Any = "same"
) -> Expected:
    """A pooling, with holes only where it keeps the size.

    Example:
        >>> pool((7, 9, 3), 3, strides=1, dilation_rate=2).shape
        (7, 9, 3)
    """
    steps = pair(pool_size if strides is None else strides)
    if padding == "symmetric" or (pair(dilation_rate) != (1, 1) and (steps != (1, 1) or padding != "same")):
        raise ValueError("holes only with strides 1 and 'same'")
    return layers.pool(shape, pool_size, strides=strides, padding=padding)


@oracle("preact_conv")
def preact_conv(
    shape: Shape,
    filters: int,
    kernel_size: Size = 3,
    *,
    norm_parameters: int | None = 4,
    use_bias: bool = False,
    **geometry: Any,
) -> Expected:
    """A norm of the input and the convolution after it, without bias unless asked for.

    Example:
        >>> preact_conv((32, 32, 16), 16)
        Expected(shape=(32, 32, 16), parameters=2368, multiply_adds=2359296)
    """
    return norm(shape, norm_parameters or 0).then(plain_conv, filters, kernel_size, use_bias=use_bias, **geometry)


@oracle("norm_activation")
def norm_activation(shape: Shape, *, conv: Oracle = conv_bn) -> Expected:
    """The norm of a unit.

    Example:
        >>> norm_activation((32, 32, 16))
        Expected(shape=(32, 32, 16), parameters=64, multiply_adds=0)
    """
    return norm(shape, default(conv, "norm_parameters") or 0)


@oracle("sparse", chain=False)
def sparse(
    shape: Shape,
    filters: int,
    kernel_size: Size = 3,
    *,
    connections: Sequence[Sequence[int]],
    use_bias: bool | None = None,
    norm_parameters: int | None = None,
    **geometry: Any,
) -> Expected:
    """Weights for what is connected alone.

    Example:
        >>> sparse((14, 14, 3), 2, 5, connections=[[0, 1], [2]])
        Expected(shape=(14, 14, 2), parameters=77, multiply_adds=14700)
    """
    rest = {"use_bias": use_bias, "norm_parameters": norm_parameters}
    dense = plain_conv(shape, filters, kernel_size, **rest, **geometry)
    missing = prod(pair(kernel_size)) * (channels_of(shape) * filters - sum(map(len, connections)))
    work = None if dense.multiply_adds is None else dense.multiply_adds - missing * prod(dense.shape[:2])  # type: ignore[arg-type]
    return Expected(dense.shape, dense.parameters - missing, work)


def matching(unit: Oracle, other: Oracle) -> Oracle:
    """`unit` with the padding, norm and bias of `other`."""
    words = ("padding", "norm_parameters", "use_bias")
    return partial(unit, **{word: default(other, word) for word in words if default(other, word) is not None})
