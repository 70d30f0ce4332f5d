"""How convolutions and poolings change the side of an image, in closed form and plain Python.

Nothing here imports Keras: a side is an integer, or None where it is unknown, and then stays so.

Example:
    >>> conv_out(224, 7, stride=2), pool_out(112, 3, 2), transposed_out(7)
    (112, 56, 14)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Side = int | None


def pair(value: Any) -> tuple[Any, Any]:
    """One value for both axes, or one for each.

    Example:
        >>> pair(3), pair([1, 2])
        ((3, 3), (1, 2))
    """
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


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


def transposed_in(out: int, kernel: int = 3, stride: int = 2, dilation: int = 1, padding: str = "same") -> int:
    """Smallest side from which a transposed convolution makes at least `out` pixels.

    Example:
        >>> transposed_in(13), transposed_in(5, padding="valid"), transposed_in(6, padding="valid")
        (7, 2, 3)
    """
    if padding == "same":
        return max(1, -(-out // stride))
    return max(1, -(-(out - max(extent(kernel, dilation), stride)) // stride) + 1)


def receptive_field_of(chain: Iterable[tuple[int, int]]) -> int:
    """Pixels that one output of a chain of (window, stride) sees along an axis.

    Example:
        >>> receptive_field_of([(7, 2), (3, 2), (3, 1), (3, 1)])
        27
    """
    return least_input((window, stride, "valid") for window, stride in chain)


LARGEST_MINIMUM = 1024


def least_side(works: Callable[[int], bool]) -> int | None:
    """The least number of pixels that works, where every larger one does; None if none up to a limit."""
    high = 1
    while not works(high):
        high *= 2
        if high > LARGEST_MINIMUM:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle) else (middle, high)
    return high
