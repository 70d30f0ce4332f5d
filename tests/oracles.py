"""What the blocks must give, in closed form and plain Python: output shapes and numbers of parameters.

An oracle mirrors the piece of its name: where `inception(x, 64, (96, 128), (16, 32), 32, conv=separable)` makes a
tensor, `oracles.inception(shape, 64, (96, 128), (16, 32), 32, conv=oracles.separable)` says its shape and parameters
from `shape = (height, width, channels)`; a height or width of None is unknown and stays so. Where the piece has to
refuse, the oracle raises ValueError. Nothing here imports Keras or the pieces themselves.

Example:
    >>> inception((28, 28, 192), 64, (96, 128), (16, 32), 32)
    Expected(shape=(28, 28, 256), parameters=163696)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

Side = int | None
Shape = tuple[Side, ...]
Size = int | tuple[int, int]
Padding = Literal["same", "valid"] | Size | tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Expected:
    """Shape without the batch, and number of parameters."""

    shape: Shape
    parameters: int = 0

    def then(self, oracle: Oracle, *args: Any, **options: Any) -> Expected:
        """This, followed by what `oracle` says of its shape."""
        after = oracle(self.shape, *args, **options)
        return Expected(after.shape, self.parameters + after.parameters)


Oracle = Callable[..., Expected]


# Sizes along one axis.


def extent(kernel: int, dilation: int = 1) -> int:
    """Pixels that a dilated kernel spans.

    Example:
        >>> extent(3, 2)
        5
    """
    return dilation * (kernel - 1) + 1


def conv_out(n: Side, kernel: int = 3, stride: int = 1, dilation: int = 1, padding: Any = "same") -> Side:
    """Side of a convolution's output; `padding` also zeros on both sides, or (before, after).

    Example:
        >>> conv_out(7, 3, dilation=2, padding="valid"), conv_out(5, 3, 2), conv_out(7, 3, 2, padding=1)
        (3, 3, 4)
    """
    if n is None:
        return None
    if padding == "same":
        return -(-n // stride)
    n += 0 if isinstance(padding, str) else sum(pair(padding))
    if n < extent(kernel, dilation):
        raise ValueError(f"a window of {extent(kernel, dilation)} does not fit into {n} pixels")
    return (n - extent(kernel, dilation)) // stride + 1


def pool_out(n: Side, window: int = 2, stride: int | None = None, padding: Any = "same") -> Side:
    """Side of a pooling's output; it steps by its window unless told.

    Example:
        >>> pool_out(14, 5, 3, "valid"), pool_out(7)
        (4, 4)
    """
    return conv_out(n, window, window if stride is None else stride, 1, padding)


def transposed_out(
    n: Side,
    kernel: int = 3,
    stride: int = 2,
    dilation: int = 1,
    padding: str | int = "same",
    output_padding: int | None = None,
) -> Side:
    """Side of a transposed convolution's output.

    Example:
        >>> transposed_out(2, padding="valid"), transposed_out(2, padding="valid", output_padding=1), transposed_out(7)
        (5, 6, 14)
    """
    e = extent(kernel, dilation)
    if output_padding is not None and output_padding >= stride:
        raise ValueError("output padding takes less than the stride")
    if padding == "same" and output_padding == 0 and e % 2 == 0:
        raise ValueError("Keras builds this and cannot run it")
    if n is None:
        return None
    if padding == "same":
        return n * stride if output_padding is None else (n - 1) * stride + e % 2 + output_padding
    if padding == "valid":
        return (n - 1) * stride + (max(e, stride) if output_padding is None else e + output_padding)
    assert isinstance(padding, int)
    made = (n - 1) * stride + e + (output_padding or 0) - 2 * padding
    if made < 1:
        raise ValueError("the padding takes all pixels away")
    return made


def windows(n: int, out: int) -> list[tuple[int, int]]:
    """Start and end of each window of an adaptive pooling, as torch has them.

    Example:
        >>> windows(5, 2)
        [(0, 3), (2, 5)]
    """
    return [(i * n // out, -(-(i + 1) * n // out)) for i in range(out)]


def least_input(chain: Iterable[tuple[int, int, str]], least: int = 1) -> int:
    """Smallest side from which a chain of (window, stride, padding) still gives `least` pixels.

    Example:
        >>> least_input([(2, 2, "valid")] * 5)
        32
    """
    for window, stride, padding in reversed(list(chain)):
        least = (least - 1) * stride + (window if padding == "valid" else 1)
    return least


# Pieces.


def pair(value: Any) -> tuple[Any, Any]:
    """One value for both axes, or one for each."""
    return tuple(value) if isinstance(value, tuple | list) else (value, value)  # type: ignore[return-value]


def _axes(shape: Shape, side: Callable[..., Side], *arguments: Any) -> tuple[Side, Side]:
    height, width = (
        side(n, *axis) for n, *axis in zip(shape[:2], *(pair(argument) for argument in arguments), strict=True)
    )
    return height, width


def _not_both(strides: Size, dilation_rate: Size) -> None:
    if max(pair(strides)) > 1 and max(pair(dilation_rate)) > 1:
        raise ValueError("strides or dilation, not both")


def _after(norm_parameters: int | None, use_bias: bool | None, filters: int) -> int:
    """Parameters of bias (exactly where there is no norm, unless told) and norm."""
    bias = norm_parameters is None if use_bias is None else use_bias
    return filters * (bias + (norm_parameters or 0))


def conv(
    shape: Shape,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 1,
    dilation_rate: Size = 1,
    groups: int = 1,
    padding: Padding = "same",
    use_bias: bool | None = None,
    norm_parameters: int | None = None,
) -> Expected:
    """A convolution; `norm_parameters` for each filter (4 for BatchNorm), None for no norm.

    Example:
        >>> conv((224, 224, 3), 64, 7, strides=2)
        Expected(shape=(112, 112, 64), parameters=9472)
    """
    channels = shape[2]
    assert channels is not None
    _not_both(strides, dilation_rate)
    if channels % groups or filters % groups:
        raise ValueError("groups do not divide")
    size = _axes(shape, conv_out, kernel_size, strides, dilation_rate, padding)
    weights = prod(pair(kernel_size)) * channels // groups * filters
    return Expected((*size, filters), weights + _after(norm_parameters, use_bias, filters))


def dilated(shape: Shape, filters: int, kernel_size: Size = 3, *, dilation_rate: Size = 2, **options: Any) -> Expected:
    """A convolution with holes.

    Example:
        >>> dilated((7, 7, 1), 1, padding="valid")
        Expected(shape=(3, 3, 1), parameters=10)
    """
    return conv(shape, filters, kernel_size, dilation_rate=dilation_rate, **options)


def separable(
    shape: Shape,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 1,
    dilation_rate: Size = 1,
    depth_multiplier: int = 1,
    padding: Padding = "same",
    use_bias: bool | None = None,
    norm_parameters: int | None = None,
) -> Expected:
    """A depthwise and a 1×1 convolution.

    Example:
        >>> separable((28, 28, 3), 4)
        Expected(shape=(28, 28, 4), parameters=43)
    """
    if len({*pair(strides)}) > 1:
        raise ValueError("one stride for both axes")
    assert shape[2] is not None
    between = shape[2] * depth_multiplier
    size = _axes(shape, conv_out, kernel_size, strides, dilation_rate, padding)
    weights = prod(pair(kernel_size)) * between + between * filters
    return Expected((*size, filters), weights + _after(norm_parameters, use_bias, filters))


def transposed(
    shape: Shape,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 2,
    dilation_rate: Size = 1,
    padding: Padding = "same",
    output_padding: Size | None = None,
    use_bias: bool | None = None,
    norm_parameters: int | None = None,
) -> Expected:
    """A transposed convolution.

    Example:
        >>> transposed((2, 2, 1), 1, padding="valid", output_padding=1)
        Expected(shape=(6, 6, 1), parameters=10)
    """
    assert shape[2] is not None
    _not_both(strides, dilation_rate)
    size = _axes(shape, transposed_out, kernel_size, strides, dilation_rate, padding, output_padding)
    weights = prod(pair(kernel_size)) * shape[2] * filters
    return Expected((*size, filters), weights + _after(norm_parameters, use_bias, filters))


def pool(shape: Shape, pool_size: Size = 2, *, strides: Size | None = None, padding: Padding = "same") -> Expected:
    """A maximum or mean over windows.

    Example:
        >>> pool((7, 9, 3), 3, strides=2)
        Expected(shape=(4, 5, 3), parameters=0)
    """
    return Expected((*_axes(shape, pool_out, pool_size, strides, padding), shape[2]))


# Blocks.


def concat(branches: Sequence[Expected]) -> Expected:
    """Branches side by side; they must be of one size.

    Example:
        >>> concat([Expected((8, 8, 3), 1), Expected((8, 8, 5), 2)])
        Expected(shape=(8, 8, 8), parameters=3)
    """
    if len({branch.shape[:2] for branch in branches}) > 1:
        raise ValueError("branches of different sizes")
    channels = sum(branch.shape[2] or 0 for branch in branches)
    return Expected((*branches[0].shape[:2], channels), sum(branch.parameters for branch in branches))


def vgg_block(
    shape: Shape, filters: int, convs: int = 2, *, kernel_size: Size | list[Size] = 3, conv: Oracle = conv
) -> Expected:
    """A chain of convolutions and a 2×2 pool that drops an odd row.

    Example:
        >>> vgg_block((7, 9, 3), 64)
        Expected(shape=(3, 4, 64), parameters=38720)
    """
    y = Expected(shape)
    for kernel in kernel_size if isinstance(kernel_size, list) else [kernel_size] * convs:
        y = y.then(conv, filters, kernel, strides=1)
    return y.then(pool, 2, padding="valid")


def inception(
    shape: Shape, c1: int, c3: tuple[int, int], c5: tuple[int, int], pool_proj: int, *, conv: Oracle = conv
) -> Expected:
    """Four branches that keep the size.

    Example:
        >>> inception((28, 28, 256), 128, (128, 192), (32, 96), 64)
        Expected(shape=(28, 28, 480), parameters=388736)
    """
    x = Expected(shape)
    return concat(
        [
            x.then(conv, c1, 1, strides=1),
            x.then(conv, c3[0], 1, strides=1).then(conv, c3[1], 3, strides=1),
            x.then(conv, c5[0], 1, strides=1).then(conv, c5[1], 5, strides=1),
            x.then(pool, 3, strides=1).then(conv, pool_proj, 1, strides=1),
        ]
    )


def _merge(shape: Shape, branch: Expected, strides: Size, shortcut: str, conv: Oracle) -> Expected:
    """`branch` plus a shortcut, which must have its shape."""
    x, filters = Expected(shape), branch.shape[2]
    unchanged = shape[2] == filters and pair(strides) == (1, 1)
    if shortcut == "identity" or (unchanged and shortcut != "all_projections"):
        side = x
    elif shortcut == "pad":
        if (shape[2] or 0) > (filters or 0):
            raise ValueError("cannot pad to fewer channels")
        side = Expected((*_axes(shape, conv_out, 1, strides), filters))
    else:
        side = x.then(conv, filters, 1, strides=strides)
    if side.shape != branch.shape:
        raise ValueError("shortcut and branch differ")
    return Expected(branch.shape, branch.parameters + side.parameters)


def basic_residual(
    shape: Shape, filters: int, *, strides: Size = 1, shortcut: str = "projection", conv: Oracle = conv
) -> Expected:
    """Two convolutions and a shortcut, a projection exactly where the shape changes.

    Example:
        >>> basic_residual((7, 9, 64), 64)
        Expected(shape=(7, 9, 64), parameters=73856)
    """
    branch = Expected(shape).then(conv, filters, 3, strides=strides).then(conv, filters, 3, strides=1)
    return _merge(shape, branch, strides, shortcut, conv)


def bottleneck(
    shape: Shape,
    filters: int,
    *,
    strides: Size = 1,
    reduction: int = 4,
    stride_on: str = "1x1",
    shortcut: str = "projection",
    conv: Oracle = conv,
) -> Expected:
    """1×1, 3×3, 1×1 and a shortcut.

    Example:
        >>> bottleneck((8, 8, 256), 256)
        Expected(shape=(8, 8, 256), parameters=70016)
    """
    if filters % reduction:
        raise ValueError("reduction does not divide")
    first, second = (strides, 1) if stride_on == "1x1" else (1, strides)
    branch = Expected(shape).then(conv, filters // reduction, 1, strides=first)
    branch = branch.then(conv, filters // reduction, 3, strides=second).then(conv, filters, 1, strides=1)
    return _merge(shape, branch, strides, shortcut, conv)


def classifier(shape: Shape, classes: int, *, pooling: str | None = "avg", units: Sequence[int] = ()) -> Expected:
    """Pool or flatten, and dense layers.

    Example:
        >>> classifier((7, 7, 512), 1000, pooling="flatten", units=(4096, 4096)).parameters
        123642856
    """
    features = shape[-1]
    if pooling == "flatten":
        if None in shape:
            raise ValueError("cannot flatten an unknown size")
        features = prod(side or 0 for side in shape)
    parameters = 0
    for width in (*units, classes):
        assert features is not None
        parameters, features = parameters + (features + 1) * width, width
    return Expected((classes,), parameters)


def aux_classifier(
    shape: Shape,
    classes: int,
    *,
    filters: int = 128,
    units: int = 1024,
    padding: Padding = "valid",
    output_size: Size | None = None,
    conv: Oracle = conv,
) -> Expected:
    """GoogLeNet's auxiliary classifier.

    Example:
        >>> aux_classifier((14, 14, 512), 1000)
        Expected(shape=(1000,), parameters=3188840)
    """
    if output_size is not None:
        pooled = Expected((*pair(output_size), shape[2]))
    else:
        pooled = pool(shape, 5, strides=3, padding=padding)
    return pooled.then(conv, filters, 1, strides=1).then(classifier, classes, pooling="flatten", units=(units,))
