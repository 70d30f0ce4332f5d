"""Shapes and parameters of units as blocks are given them: any padding, any norm, partials.

As in `oracles`: `(height, width, channels)` of the input, then the unit's own arguments; ValueError where the unit has
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

from ..graphs.window_sizes import extent, pair
from . import layer_oracles as layers
from .layer_oracles import Expected, Oracle, Shape, Size


def default(oracle: Callable[..., Any], argument: str) -> Any:
    """What an oracle takes where `argument` is not given, partials seen through; None without such an argument."""
    while isinstance(oracle, partial):
        if argument in oracle.keywords:
            return oracle.keywords[argument]
        oracle = oracle.func
    parameter = inspect.signature(oracle).parameters.get(argument)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def _any_padding(oracle: Oracle) -> Oracle:
    """An oracle of a convolution that knows `"symmetric"`, too."""

    @functools.wraps(oracle)
    def wrapper(shape: Shape, filters: int | None = None, kernel_size: Size = 3, **options: Any) -> Expected:
        if options.get("padding") == "symmetric":
            rate = options.get("dilation_rate", default(oracle, "dilation_rate") or 1)
            sides = [extent(k, d) for k, d in zip(pair(kernel_size), pair(rate), strict=True)]
            unstrided = pair(options.get("strides", 1)) == (1, 1)
            same = unstrided and all(side % 2 for side in sides)
            options["padding"] = "same" if same else tuple((side - 1) // 2 for side in sides)
        return oracle(shape, filters, kernel_size, **options)

    return wrapper


conv = _any_padding(layers.conv)
dilated = _any_padding(layers.dilated)
separable = _any_padding(layers.separable)
depthwise = _any_padding(layers.depthwise)
transposed = layers.transposed
conv_bn = partial(conv, norm_parameters=4)
separable_bn = partial(separable, norm_parameters=4)
plain_conv = conv


def same(shape: Shape) -> Expected:
    """What neither changes the shape nor has parameters."""
    return Expected(shape)


def norm(shape: Shape, parameters: int) -> Expected:
    """So many `parameters` for each channel."""
    return Expected(shape, parameters * channels_of(shape))


def channels_of(shape: Shape) -> int:
    channels = shape[-1]
    assert channels is not None
    return channels


# Units.


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


def preact_conv(
    shape: Shape,
    filters: int,
    kernel_size: Size = 3,
    *,
    norm_parameters: int | None = 4,
    use_bias: bool = False,
    **geometry: Any,
) -> Expected:
    """A norm of the input and the convolution behind it, without bias unless told.

    Example:
        >>> preact_conv((32, 32, 16), 16)
        Expected(shape=(32, 32, 16), parameters=2368, multiply_adds=2359296)
    """
    return norm(shape, norm_parameters or 0).then(plain_conv, filters, kernel_size, use_bias=use_bias, **geometry)


def norm_activation(shape: Shape, *, conv: Oracle = conv_bn) -> Expected:
    """The norm of a unit.

    Example:
        >>> norm_activation((32, 32, 16))
        Expected(shape=(32, 32, 16), parameters=64, multiply_adds=0)
    """
    return norm(shape, default(conv, "norm_parameters") or 0)


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
