"""How convolutions and poolings change the side of an image, in closed form and plain Python.

Nothing here imports Keras: a side is an integer, or None where it is unknown, and then stays so.

Example:
    >>> conv_out(224, 7, stride=2), pool_out(112, 3, 2), transposed_out(7)
    (112, 56, 14)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .. import checks

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


def _size(argument: str, value: Any) -> Side:
    """A side as an int, None if it is unknown."""
    return None if value is None else checks.integer(argument, value, 0)


def _margins(value: Any) -> Any:
    """`"same"`, `"valid"`, or the sum of the zeros before and after."""
    if isinstance(value, str):
        return checks.choice("padding", value, ("same", "valid"))
    one_each = isinstance(value, tuple | list) and len(value) == 2
    return sum(checks.integer("padding", side, 0, _PADDING) for side in (value if one_each else (value, value)))


_PADDING = "'same', 'valid', an integer of at least 0, or two of them"


@checks.public
def conv_out(n: Side, kernel: int = 3, stride: int = 1, dilation: int = 1, padding: Any = "same") -> Side:
    """Compute the side of a convolution's output.

    Args:
        n: side of the input in pixels, None if unknown.
        kernel, stride, dilation: positive integers.
        padding: `"same"`, `"valid"`, or zeros on both sides, or (before, after).

    Raises:
        ValueError, TypeError: an argument is none of these, or the window does not fit.

    Example:
        >>> conv_out(7, 3, dilation=2, padding="valid"), conv_out(5, 3, 2), conv_out(7, 3, 2, padding=1)
        (3, 3, 4)
    """
    n, stride = _size("n", n), checks.integer("stride", stride)
    window = extent(checks.integer("kernel", kernel), checks.integer("dilation", dilation))
    return _slid(n, window, stride, _margins(padding))


def _slid(n: Side, window: int, stride: int, margins: Any) -> Side:
    if n is None:
        return None
    if margins == "same":
        return -(-n // stride)
    padded = n + (0 if margins == "valid" else margins)
    if padded < window:
        raise checks.refuse("n", padded, f"at least {window} pixels with the padding, for the window to fit")
    return (padded - window) // stride + 1


@checks.public
def pool_out(n: Side, window: int = 2, stride: int | None = None, padding: Any = "same") -> Side:
    """Compute the side of a pooling's output; it steps by its window where no stride is given.

    Example:
        >>> pool_out(14, 5, 3, "valid"), pool_out(7)
        (4, 4)
    """
    n, window = _size("n", n), checks.integer("window", window)
    return _slid(n, window, window if stride is None else checks.integer("stride", stride), _margins(padding))


@checks.public
def transposed_out(
    n: Side,
    kernel: int = 3,
    stride: int = 2,
    dilation: int = 1,
    padding: str | int = "same",
    output_padding: int | None = None,
) -> Side:
    """Compute the side of a transposed convolution's output.

    Args:
        n: side of the input in pixels, None if unknown.
        kernel, stride, dilation: positive integers.
        padding: `"same"`, `"valid"`, or pixels taken off on both sides.
        output_padding: pixels added at the end, fewer than the stride.

    Raises:
        ValueError, TypeError: an argument is none of these, or nothing is left.

    Example:
        >>> transposed_out(2, padding="valid"), transposed_out(2, padding="valid", output_padding=1), transposed_out(7)
        (5, 6, 14)
    """
    n, stride = _size("n", n), checks.integer("stride", stride)
    e = extent(checks.integer("kernel", kernel), checks.integer("dilation", dilation))
    if isinstance(padding, str):
        checks.choice("padding", padding, ("same", "valid"))
    else:
        padding = checks.integer("padding", padding, 0, "'same', 'valid' or an integer of at least 0")
    if output_padding is not None:
        output_padding = checks.integer("output_padding", output_padding, 0)
        if output_padding >= stride:
            raise checks.refuse("output_padding", output_padding, f"less than the stride, which is {stride}")
    if padding == "same" and output_padding == 0 and e % 2 == 0:
        raise checks.refuse("output_padding", 0, "None or above 0 for an even window and 'same': Keras cannot run it")
    if n is None:
        return None
    if padding == "same":
        return n * stride if output_padding is None else (n - 1) * stride + e % 2 + output_padding
    if padding == "valid":
        return (n - 1) * stride + (max(e, stride) if output_padding is None else e + output_padding)
    made = (n - 1) * stride + e + (output_padding or 0) - 2 * int(padding)
    if made < 1:
        raise checks.refuse("padding", padding, f"less: {made + 2 * int(padding)} pixels are there to take off")
    return made


def windows(n: int, out: int) -> list[tuple[int, int]]:
    """Start and end of each window of an adaptive pooling, as torch has them.

    Example:
        >>> windows(5, 2)
        [(0, 3), (2, 5)]
    """
    return [(i * n // out, -(-(i + 1) * n // out)) for i in range(out)]


def _links(chain: Iterable[Any], length: int) -> list[tuple[Any, ...]]:
    """A chain as a list of (window, stride) or (window, stride, padding), each as it must be."""
    must_be = "pairs (window, stride)" if length == 2 else "triples (window, stride, 'same' or 'valid')"
    links = []
    for number, link in enumerate(chain):
        if not isinstance(link, tuple | list) or len(link) != length:
            raise checks.refuse(f"model[{number}]", link, f"one of a chain of {must_be}", TypeError)
        window, stride = (checks.integer(f"model[{number}][{n}]", link[n]) for n in (0, 1))
        padding = [checks.choice(f"model[{number}][2]", link[2], ("same", "valid"))] if length == 3 else []
        links.append((window, stride, *padding))
    return links


def least_input(chain: Iterable[tuple[int, int, str]], least: int = 1) -> int:
    """Smallest side from which a chain of (window, stride, padding) still gives `least` pixels.

    Example:
        >>> least_input([(2, 2, "valid")] * 5)
        32
    """
    for window, stride, padding in reversed(_links(chain, 3)):
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
    return least_input((window, stride, "valid") for window, stride in _links(chain, 2))


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
