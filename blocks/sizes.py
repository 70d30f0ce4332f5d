"""Padding, cropping and matching of heights and widths."""

from __future__ import annotations

from typing import Any

import keras

from .. import checks
from ..checks import piece
from . import arguments
from .layers import MatchSize
from .tensors import channel_axis, layer, of_rank, rank, sides
from .types import Margins, Size, Tensor


@piece
def zero_pad(x: Tensor, padding: Size | Margins, *, name: str | None = None) -> Tensor:
    """Zeros around the image, as `keras.layers.ZeroPadding2D` and its like have them.

    Shapes: `batch height width channels` -> `batch height+top+bottom width+left+right channels`.

    Example:
        >>> zero_pad(keras.Input((5, 7, 3)), ((0, 1), (2, 2))).shape
        (None, 6, 11, 3)
    """
    margins = arguments.margins("padding", padding, rank(x))
    return layer(of_rank("ZeroPadding", x), x, "pad", name, padding=_of_layer(margins))


@piece
def crop(x: Tensor, cropping: Size | Margins, *, name: str | None = None) -> Tensor:
    """Rows and columns taken off, as `keras.layers.Cropping2D` and its like have them.

    Shapes: `batch height width channels` -> `batch height-top-bottom width-left-right channels`.

    Example:
        >>> crop(keras.Input((5, 7, 3)), ((0, 1), (2, 2))).shape
        (None, 4, 3, 3)
    """
    off = arguments.margins("cropping", cropping, rank(x))
    if any(side is not None and sum(margin) >= side for side, margin in zip(sides(x), off, strict=True)):
        raise checks.refuse("cropping", cropping, f"less than the {arguments.RANKS[rank(x)]} of x, {sides(x)}")
    if rank(x) == 1 and channel_axis() == 1:  # Keras's Cropping1D knows of no channels before the length
        before, after = (None if name is None else f"{name}_{word}" for word in ("turned", "turned_back"))
        x = layer(keras.layers.Permute, x, "permute", before, dims=(2, 1))
        x = layer(keras.layers.Cropping1D, x, "crop", name, cropping=_of_layer(off))
        return layer(keras.layers.Permute, x, "permute", after, dims=(2, 1))
    return layer(of_rank("Cropping", x), x, "crop", name, cropping=_of_layer(off))


def _of_layer(margins: Margins) -> Any:
    """As Keras's layers have them: those of a signal without a tuple around."""
    first, *others = margins
    return margins if others else first


@piece
def match_size(x: Tensor, like: Tensor, *, offset: Any = 0, name: str | None = None) -> Tensor:
    """`x` with the height and width of `like`, cropped or padded with zeros: row i of it is row i + `offset` of `x`.

    Shapes: `batch height width channels`, `batch height2 width2 channels2` -> `batch height2 width2 channels`. Unknown
    sizes are looked up at run time; nothing is done, not even by a layer, where the sizes are known to be equal.

    Args:
        offset: pixels of `x` before the first that is kept, an integer or one for each axis.

    Example:
        >>> match_size(keras.Input((392, 392, 64)), keras.Input((388, 388, 2)), offset=2).shape
        (None, 388, 388, 64)
    """
    offset = arguments.sizes("offset", offset, rank(x), at_least=0)
    arguments.image(like, "like", [rank(x)])
    known = None not in (*sides(x), *sides(like))
    if known and sides(x) == sides(like) and not any(offset):
        return x
    return layer(MatchSize, [x, like], "match_size", name, offset=offset)


def pad(x: Tensor, padding: Any, name: str | None = "pad") -> tuple[Any, str]:
    """`"same"`, `"valid"`, or so many zero rows and columns around and then `"valid"`."""
    if isinstance(padding, str):
        return x, checks.choice("padding", padding.lower(), ("same", "valid"))
    margins = arguments.margins("padding", padding, rank(x))
    return zero_pad(x, margins, name=name) if any(map(any, margins)) else x, "valid"
