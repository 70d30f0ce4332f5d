"""Shapes and parameters of units as blocks are given them: any padding, any norm, partials.

As in `layers`: `(height, width, channels)` of the input, or what signals and volumes have, then the unit's own
arguments; ValueError where the unit has to refuse. Nothing here imports Keras.

Example:
    >>> conv((9, 9, 3), 4, 7, strides=2, padding="symmetric").shape
    (5, 5, 4)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

from .layers import Expected, Oracle, Shape, Size, channels_of, conv, conv_bn, each, separable
from .registry import oracle


def default(oracle: Callable[..., Any], argument: str) -> Any:
    """The value of `argument` of an oracle where it is not given, seen through partials; None where there is none."""
    while isinstance(oracle, partial):
        if argument in oracle.keywords:
            return oracle.keywords[argument]
        oracle = oracle.func
    parameter = inspect.signature(oracle).parameters.get(argument)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


separable_bn = partial(separable, norm_parameters=4)
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


@oracle("scale", chain=False)
def scale(shape: Shape, weights: Shape) -> Expected:
    """A product with one number a channel, or an example."""
    return Expected(shape)


@oracle("adaptive_avg_pool")
def adaptive(shape: Shape, output_size: Any) -> Expected:
    """So many pixels from any size."""
    return Expected((*each(output_size, shape), shape[-1]))


def _framed(shape: Shape, margins: Any, sign: int) -> Expected:
    if isinstance(margins, tuple) and len(margins) == 1 and isinstance(margins[0], tuple):
        margins *= len(shape) - 1  # of every axis
    of_a_signal = len(shape) == 2 and isinstance(margins, tuple) and len(margins) == 2
    pairs = [each(margin, (0, 0, 0)) for margin in each((margins,) if of_a_signal else margins, shape)]
    sides = [None if n is None else n + sign * sum(margin) for n, margin in zip(shape[:-1], pairs, strict=True)]
    if any(n is not None and n < 1 for n in sides):
        raise ValueError("nothing is left")
    return Expected((*sides, shape[-1]))


@oracle("zero_pad")
def padded(shape: Shape, padding: Any) -> Expected:
    """Zeros around."""
    return _framed(shape, padding, 1)


@oracle("crop")
def cropped(shape: Shape, cropping: Any) -> Expected:
    """Rows and columns off."""
    return _framed(shape, cropping, -1)


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
    rest: dict[str, Any] = {"use_bias": use_bias, "norm_parameters": norm_parameters}
    dense = plain_conv(shape, filters, kernel_size, **rest, **geometry)
    missing = prod(each(kernel_size, shape)) * (channels_of(shape) * filters - sum(map(len, connections)))
    work = None if dense.multiply_adds is None else dense.multiply_adds - missing * prod(dense.shape[:-1])  # type: ignore[arg-type]
    return Expected(dense.shape, dense.parameters - missing, work)


def without_norm(unit: Oracle) -> Oracle:
    """`unit` with a bias instead of its norm."""
    return partial(unit, norm_parameters=None, use_bias=None) if default(unit, "norm_parameters") is not None else unit


def matching(unit: Oracle, other: Oracle) -> Oracle:
    """`unit` with the padding, norm and bias of `other`."""
    words = ("padding", "norm_parameters", "use_bias")
    return partial(unit, **{word: default(other, word) for word in words if default(other, word) is not None})
