"""Sums of what is known of layers, and what they leave out.

Multiply-adds are the products that convolutions, dense layers and products of matrices need; bias, normalization,
pooling and activations are not counted, as is usual. What a layer needs is in its entry (`rules`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from . import rules
from .rules import Call, Shape

_MOST_NAMES = 4


@dataclass(frozen=True, slots=True)
class Total:
    """A sum, and the names of what it leaves out because nobody knows it. It prints as `≥ 3.1 G` then.

    >>> str(Total(3_100_000_000, ("lambda",))), str(Total(786_432)), Total(2) + Total(3, ("a",))
    ('≥ 3.1 G', '786.43 k', Total(known=5, uncounted=('a',)))
    """

    known: int = 0
    uncounted: tuple[str, ...] = ()

    @property
    def exact(self) -> int | None:
        """The sum, or None if anything is left out."""
        return None if self.uncounted else self.known

    def __add__(self, other: Total) -> Total:
        return Total(self.known + other.known, tuple(dict.fromkeys(self.uncounted + other.uncounted)))

    def __str__(self) -> str:
        return ("≥ " if self.uncounted else "") + short(self.known)

    @property
    def explanation(self) -> str:
        """`3,100,000,000, not counting lambda and 2 others`: all digits, and what is left out."""
        if not self.uncounted:
            return f"{self.known:,}"
        names, more = self.uncounted[:_MOST_NAMES], len(self.uncounted) - _MOST_NAMES
        others = f" and {more} other{'s' * (more > 1)}" if more > 0 else ""
        return f"at least {self.known:,}, not counting {', '.join(names)}{others}"


def short(number: int) -> str:
    """A number with at most five digits and k, M, G or T.

    >>> short(999), short(1_000), short(3_858_000_000)
    ('999', '1 k', '3.86 G')
    """
    for power, letter in ((12, " T"), (9, " G"), (6, " M"), (3, " k")):
        if number >= 10**power:
            return f"{number / 10**power:.2f}".rstrip("0").rstrip(".") + letter
    return str(number)


def total(named: Iterable[tuple[str, int | None]]) -> Total:
    """The sum of what is known of some layers, each with its name.

    >>> total([("conv", 12), ("lambda", None)])
    Total(known=12, uncounted=('lambda',))
    """
    known, uncounted = 0, dict[str, None]()
    for name, number in named:
        if number is None:
            uncounted[name] = None
        else:
            known += number
    return Total(known, tuple(uncounted))


def multiply_adds(layer: Any, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int | None:
    """Multiply-adds of one call without arguments, for one example; None where they are not known.

    Args:
        layer: a Keras layer or operation.
        inputs: the shapes it was called on, batch first.
        outputs: the shapes it returned.

    >>> import keras
    >>> layer = keras.layers.Conv2D(64, 3)
    >>> layer.build((None, 224, 224, 3))
    >>> multiply_adds(layer, [(None, 226, 226, 3)], [(None, 224, 224, 64)])
    86704128
    """
    return rules.multiply_adds(Call(layer, tuple(inputs), tuple(outputs)))


# Bytes of one number. Types of less than a byte are stored in one.
_BYTES = {"bool": 1, "complex64": 8, "complex128": 16}


def bytes_of(dtype: str) -> int | None:
    """Bytes of one number of a dtype; None for text.

    >>> bytes_of("float32"), bytes_of("bfloat16"), bytes_of("float8_e4m3fn"), bytes_of("string")
    (4, 2, 1, None)
    """
    if dtype in _BYTES:
        return _BYTES[dtype]
    digits = "".join(c if c.isdigit() else " " for c in dtype).split()
    return max(1, int(digits[0]) // 8) if digits else None


def activation_bytes(shapes: Sequence[Shape], dtypes: Sequence[str]) -> int | None:
    """Bytes of what a call returns, for one example; None where a size is unknown.

    >>> activation_bytes([(None, 8, 8, 3)], ["float32"])
    768
    """
    total = 0
    for shape, dtype in zip(shapes, dtypes, strict=True):
        each = bytes_of(dtype)
        if each is None or None in shape[1:]:
            return None
        total += each * prod(size or 0 for size in shape[1:])
    return total


def parameter_bytes(layer: Any) -> int:
    """Bytes of the weights of a layer or model, as they are stored."""
    return sum(prod(weight.shape) * (bytes_of(str(weight.dtype)) or 0) for weight in layer.weights)
