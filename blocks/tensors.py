"""What every block does with its tensors: axes and sizes, a layer under its dotted name, padding, a guard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras

from .. import checks
from . import arguments
from .core import full_name
from .layers import MinimumSize
from .types import Tensor


def channel_axis() -> int:
    """Axis of the channels under Keras's `image_data_format`."""
    return -1 if keras.config.image_data_format() == "channels_last" else 1


def channels(x: Tensor) -> int:
    """Number of channels of `x`, which must be known."""
    number = arguments.image(x)[channel_axis()]
    if number is None:
        raise checks.refuse("x", tuple(x.shape), "a tensor whose number of channels is known")
    return number


def rank(x: Tensor) -> int:
    """Number of axes beside batch and channels: 1 of a signal, 2 of an image, 3 of a volume."""
    return len(arguments.image(x)) - 2


def sides(x: Tensor) -> tuple[int | None, ...]:
    """Length, height and width, or depth, height and width of `x`; None where unknown."""
    shape = arguments.image(x)
    return shape[1:-1] if channel_axis() == -1 else shape[2:]


def side_axes(x: Tensor) -> tuple[int, ...]:
    """The axes of the sides of `x`."""
    first = 1 if channel_axis() == -1 else 2
    return tuple(range(first, first + rank(x)))


def known_sides(x: Tensor, why: str) -> tuple[int, ...]:
    """Sides of `x`, all of which must be known."""
    found = sides(x)
    if None in found:
        raise checks.refuse("x", tuple(x.shape), f"a tensor of known sides {why}")
    return tuple(side for side in found if side is not None)


def dividing(argument: str, value: Any, x: Tensor, why: str) -> tuple[int, ...]:
    """An integer for each side of `x` that divides it; all sides must be known."""
    sizes = arguments.sizes(argument, value, rank(x))
    lengths = known_sides(x, why)
    if any(length % size for length, size in zip(lengths, sizes, strict=True)):
        raise checks.refuse(argument, value, f"a divisor of the sides {lengths}")
    return sizes


def of_rank(kind: str, x: Tensor) -> type[keras.Layer]:
    """Keras's layer for the axes of `x`: `Conv` is `keras.layers.Conv2D` for images."""
    name = f"Conv{rank(x)}DTranspose" if kind == "ConvTranspose" else f"{kind}{rank(x)}D"
    found: type[keras.Layer] = getattr(keras.layers, name)
    return found


def layer(kind: Callable[..., keras.Layer], x: Tensor, base: str, name: str | None = None, **options: Any) -> Tensor:
    """Call a Keras layer under its dotted name; what Keras refuses is said with the name of the block."""
    for tensor in x if isinstance(x, list) and x else [x]:
        arguments.symbolic(tensor)
    for word, option in options.items():
        arguments.identifier(word, option)
    name, options = full_name(base, name), {word: _unshared(option) for word, option in options.items()}
    try:
        return kind(name=name, **options)(x)
    except (TypeError, ValueError) as error:
        kind_of_error = TypeError if isinstance(error, TypeError) else ValueError
        raise checks.complaint(str(error), kind_of_error) from error


def _unshared(option: Any) -> Any:
    """An initialiser without a seed as another of its kind: one of them gives all equal shapes equal numbers."""
    unseeded = isinstance(option, keras.initializers.Initializer) and option.get_config().get("seed", 0) is None
    return option.clone() if unseeded else option


def head_dtype() -> str:
    """What a head is computed in: float32 under mixed precision, which is too coarse for it, else as all the rest."""
    dtype = keras.config.dtype_policy().compute_dtype
    return "float32" if dtype in ("float16", "bfloat16") else dtype


_guarded: ContextVar[bool] = ContextVar("layerblocks_guarded", default=False)


@contextmanager
def guarded() -> Iterator[None]:
    """Inside, images of unknown size are known to be large enough: a guard at the input of the network sees to it."""
    token = _guarded.set(True)
    try:
        yield
    finally:
        _guarded.reset(token)


def fits(x: Tensor, window: tuple[int, ...], padding: str, word: str, name: str | None = None) -> Tensor:
    """`x`, if a window that has to lie within the image does; of an unknown size a guard asks when images come.

    TensorFlow on the CPU returns uninitialised memory from a convolution that is larger than its image, and a pooling
    may end the process.
    """
    if padding != "valid":
        return x
    for side, extent in zip(sides(x), window, strict=True):
        if side is not None and side < extent:
            least = f"a {arguments.RANKS[len(window)]} of at least {'×'.join(map(str, window))}"
            raise checks.refuse("x", sides(x), f"{least} under padding='valid' with this {word}")
    least_sides = [extent if n is None else 1 for n, extent in zip(sides(x), window, strict=True)]
    if _guarded.get() or max(least_sides) == 1:
        return x
    return at_least(x, least_sides, None if name is None else f"{name}_minimum_size")


def at_least(x: Tensor, least: Sequence[int], name: str | None) -> Tensor:
    """`x`, with a guard that refuses what is smaller when it comes."""
    words = arguments.RANKS[len(least)].replace(" and ", ", ").split(", ")
    return layer(MinimumSize, x, "minimum_size", name, **dict(zip(words, least, strict=True)))
