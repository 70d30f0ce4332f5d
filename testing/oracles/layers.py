"""What single layers must give, in closed form and plain Python: of signals, images and volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any, Literal

from ...graphs.window_arithmetic import Side, conv_out, extent, pool_out, transposed_out
from .registry import FEW, OMITTED, oracle

Shape = tuple[Side, ...]
Size = int | tuple[int, ...]
Padding = Literal["same", "valid"] | Size | tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Expected:
    """Shape without the batch, number of parameters, and multiply-adds of one example.

    Two are equal if shape and parameters are; multiply-adds are None where a size is unknown.

    Example:
        >>> Expected((28, 28, 192)).then(conv, 64, 1).then(conv, 32, 3, strides=2)
        Expected(shape=(14, 14, 32), parameters=30816, multiply_adds=13246464)
    """

    shape: Shape
    parameters: int = 0
    multiply_adds: int | None = field(default=0, compare=False)

    def then(self, oracle: Oracle, *args: Any, **options: Any) -> Expected:
        """This, followed by what `oracle` says of its shape."""
        after = oracle(self.shape, *args, **options)
        work = added([self.multiply_adds, after.multiply_adds])
        return Expected(after.shape, self.parameters + after.parameters, work)


Oracle = Callable[..., Expected]


def added(counts: Iterable[int | None]) -> int | None:
    """Their sum; None if one of them is unknown.

    Example:
        >>> added([1, 2]), added([1, None])
        (3, None)
    """
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


def _times(each: int, sides: Sequence[Side]) -> int | None:
    """So many products at each pixel."""
    return None if None in sides else each * prod(side or 0 for side in sides)


def each(value: Any, shape: Shape) -> tuple[Any, ...]:
    """One value for every axis of a shape but the channels, or one for each.

    Example:
        >>> each(3, (28, 28, 1)), each((1, 2), (28, 28, 1)), each(3, (1000, 12))
        ((3, 3), (1, 2), (3,))
    """
    if not isinstance(value, tuple | list):
        return (value,) * (len(shape) - 1)
    if len(value) != len(shape) - 1:
        raise ValueError("one value for each axis")
    return tuple(value)


def axes(shape: Shape, side: Callable[..., Side], *arguments: Any) -> tuple[Side, ...]:
    """The sides after `side(n, *arguments)`, whose arguments have one value, or one an axis."""
    return tuple(
        side(n, *axis) for n, *axis in zip(shape[:-1], *(each(argument, shape) for argument in arguments), strict=True)
    )


def _not_both(shape: Shape, strides: Size, dilation_rate: Size) -> None:
    if max(each(strides, shape)) > 1 and max(each(dilation_rate, shape)) > 1:
        raise ValueError("strides or dilation, not both")


def _windowed(
    shape: Shape,
    filters: int,
    weights: int,
    kernel_size: Size,
    *,
    strides: Size = 1,
    dilation_rate: Size = 1,
    padding: Any = "same",
    side: Callable[..., Side] = conv_out,
    more: Sequence[Any] = (),
    **norm: Any,
) -> Expected:
    """What slides a kernel of so many `weights` over the image: the layer, its bias and its norm."""
    if padding == "symmetric":
        kernels, holes = each(kernel_size, shape), each(dilation_rate, shape)
        extents = [extent(k, d) for k, d in zip(kernels, holes, strict=True)]
        same = {*each(strides, shape)} == {1} and all(pixels % 2 for pixels in extents)
        padding = "same" if same else tuple((pixels - 1) // 2 for pixels in extents)
    if padding == "causal":
        pairs = zip(each(kernel_size, shape), each(dilation_rate, shape), strict=True)
        padding = tuple((extent(k, d) - 1, 0) for k, d in pairs)
    size = axes(shape, side, kernel_size, strides, dilation_rate, padding, *more)
    work = _times(weights, shape[:-1] if side is transposed_out else size)
    return Expected((*size, filters), weights + _after(filters, **norm), work)


def _after(filters: int, norm_parameters: int | None = None, use_bias: bool | None = None) -> int:
    """Parameters of bias (exactly where there is no norm, unless given) and norm."""
    bias = norm_parameters is None if use_bias is None else use_bias
    return filters * (bias + (norm_parameters or 0))


def channels_of(shape: Shape) -> int:
    """The last of a shape; of images it has to be known."""
    assert shape[-1] is not None
    return shape[-1]


@oracle("conv", draws={"filters": FEW, "groups": [1, 2], "layer": OMITTED})
def conv(
    shape: Shape,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 1,
    dilation_rate: Size = 1,
    groups: int = 1,
    **options: Any,
) -> Expected:
    """A convolution, of some `padding`, and `norm_parameters` for each filter (4 for BatchNorm), None for no norm.

    Example:
        >>> conv((224, 224, 3), 64, 7, strides=2)
        Expected(shape=(112, 112, 64), parameters=9472, multiply_adds=118013952)
    """
    _not_both(shape, strides, dilation_rate)
    if channels_of(shape) % groups or filters % groups:
        raise ValueError("groups do not divide")
    weights = prod(each(kernel_size, shape)) * channels_of(shape) // groups * filters
    return _windowed(shape, filters, weights, kernel_size, strides=strides, dilation_rate=dilation_rate, **options)


conv_bn = oracle("conv_bn")(partial(conv, norm_parameters=4))


@oracle("dilated")
def dilated(shape: Shape, filters: int, kernel_size: Size = 3, *, dilation_rate: Size = 2, **options: Any) -> Expected:
    """A convolution with holes.

    Example:
        >>> dilated((7, 7, 1), 1, padding="valid")
        Expected(shape=(3, 3, 1), parameters=10, multiply_adds=81)
    """
    return conv(shape, filters, kernel_size, dilation_rate=dilation_rate, **options)


@oracle("separable")
def separable(
    shape: Shape, filters: int, kernel_size: Size = 3, *, depth_multiplier: int = 1, **options: Any
) -> Expected:
    """A depthwise and a 1×1 convolution.

    Example:
        >>> separable((28, 28, 3), 4)
        Expected(shape=(28, 28, 4), parameters=43, multiply_adds=30576)
    """
    _one_stride(shape, options)
    between = channels_of(shape) * depth_multiplier
    weights = prod(each(kernel_size, shape)) * between + between * filters
    return _windowed(shape, filters, weights, kernel_size, **options)


def _one_stride(shape: Shape, options: Mapping[str, Any]) -> None:
    strides, holes = (each(options.get(word, 1), shape) for word in ("strides", "dilation_rate"))
    if len(strides) == 2 and len({*strides}) > 1:
        raise ValueError("one stride for both axes")
    if len(strides) == 3:  # of volumes it is a convolution of many groups
        _not_both(shape, strides, holes)


@oracle("depthwise", draws={"filters": None})
def depthwise(shape: Shape, filters: int | None = None, kernel_size: Size = 3, **options: Any) -> Expected:
    """A convolution of every channel by itself; None for as many filters as channels.

    Example:
        >>> depthwise((28, 28, 32), strides=2, use_bias=False)
        Expected(shape=(14, 14, 32), parameters=288, multiply_adds=56448)
    """
    _one_stride(shape, options)
    filters = channels_of(shape) if filters is None else filters
    if filters % channels_of(shape):
        raise ValueError("filters are no multiple of the channels")
    return _windowed(shape, filters, prod(each(kernel_size, shape)) * filters, kernel_size, **options)


@oracle("transposed", draws={"filters": FEW, "strides": [1, 2, (1, 2)], "output_size": OMITTED})
def transposed(
    shape: Shape,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 2,
    dilation_rate: Size = 1,
    padding: Any = "same",
    output_padding: Size | None = None,
    **options: Any,
) -> Expected:
    """A transposed convolution, which has no other padding than a word or pixels alike on both sides.

    Example:
        >>> transposed((2, 2, 1), 1, padding="valid", output_padding=1)
        Expected(shape=(6, 6, 1), parameters=10, multiply_adds=36)
    """
    _not_both(shape, strides, dilation_rate)
    if padding in ("symmetric", "causal") or isinstance(each(padding, shape)[0], tuple):
        raise ValueError("no such padding of a transposed convolution")
    weights = prod(each(kernel_size, shape)) * channels_of(shape) * filters
    options |= {"strides": strides, "dilation_rate": dilation_rate, "padding": padding}
    return _windowed(shape, filters, weights, kernel_size, side=transposed_out, more=[output_padding], **options)


@oracle("max_pool", "avg_pool")
def pool(
    shape: Shape, pool_size: Size = 2, *, strides: Size | None = None, dilation_rate: Size = 1, padding: Any = "same"
) -> Expected:
    """A maximum or mean over windows, with holes only where it keeps the size.

    Example:
        >>> pool((7, 9, 3), 3, strides=2)
        Expected(shape=(4, 5, 3), parameters=0, multiply_adds=0)
    """
    steps, holes = each(pool_size if strides is None else strides, shape), each(dilation_rate, shape)
    if padding in ("symmetric", "causal") or (max(holes) > 1 and (max(steps) > 1 or padding != "same")):
        raise ValueError("holes only with strides 1 and 'same'")
    return Expected((*axes(shape, pool_out, pool_size, strides, padding), shape[-1]))


@oracle("global_avg_pool", "global_max_pool", chain=False)
def global_pool(shape: Shape, *, keepdims: bool = False) -> Expected:
    """A maximum or mean over all pixels.

    Example:
        >>> global_pool((None, 7, 64)).shape
        (64,)
    """
    return Expected((*each(1, shape), shape[-1]) if keepdims else (shape[-1],))


def upsample(shape: Shape, size: Size = 2) -> Expected:
    """Every pixel `size` times.

    Example:
        >>> upsample((7, None, 3), (2, 3)).shape
        (14, None, 3)
    """
    return Expected((*axes(shape, lambda n, times: None if n is None else n * times, size), shape[-1]))


@oracle("batch_norm")
@oracle("fused_batch_norm", chain=False)
def batch_norm(shape: Shape, *, center: bool = True, scale: bool = True) -> Expected:
    """Mean and variance of each channel, and its offset and factor where they are trained.

    Example:
        >>> batch_norm((7, 7, 64)).parameters, batch_norm((7, 7, 64), scale=False).parameters
        (256, 192)
    """
    return Expected(shape, (shape[-1] or 0) * (2 + center + scale))


@oracle("dense", chain=False)
def dense(shape: Shape, units: int, *, use_bias: bool = True) -> Expected:
    """A fully connected layer.

    Example:
        >>> dense((1024,), 10)
        Expected(shape=(10,), parameters=10250, multiply_adds=10240)
    """
    features = shape[-1]
    if features is None:
        raise ValueError("an unknown number of features")
    weights = features * units
    return Expected((*shape[:-1], units), weights + units * use_bias, _times(weights, shape[:-1]))


@oracle("flatten", chain=False)
def flatten(shape: Shape) -> Expected:
    """All values in one row.

    Example:
        >>> flatten((7, 7, 512)).shape
        (25088,)
    """
    if None in shape:
        raise ValueError("cannot flatten an unknown size")
    return Expected((prod(side or 0 for side in shape),))


def concat(branches: Sequence[Expected]) -> Expected:
    """Branches side by side; they must be of one size.

    Example:
        >>> concat([Expected((8, 8, 3), 1), Expected((8, 8, 5), 2)])
        Expected(shape=(8, 8, 8), parameters=3, multiply_adds=0)
    """
    if len({branch.shape[:-1] for branch in branches}) > 1:
        raise ValueError("branches of different sizes")
    channels = sum(branch.shape[-1] or 0 for branch in branches)
    return Expected((*branches[0].shape[:-1], channels), *_together(branches))


def add(branches: Sequence[Expected]) -> Expected:
    """The sum of branches of exactly one shape.

    Example:
        >>> add([Expected((8, 8, 3), 1), Expected((8, 8, 3), 2)])
        Expected(shape=(8, 8, 3), parameters=3, multiply_adds=0)
    """
    if len({branch.shape for branch in branches}) > 1:
        raise ValueError("branches of different shapes")
    return Expected(branches[0].shape, *_together(branches))


def _together(branches: Sequence[Expected]) -> tuple[int, int | None]:
    """Parameters and multiply-adds of all."""
    return sum(branch.parameters for branch in branches), added(branch.multiply_adds for branch in branches)
