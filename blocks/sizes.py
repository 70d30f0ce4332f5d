"""Padding, cropping and matching of heights and widths."""

from __future__ import annotations

from typing import Any

import keras

from .. import checks
from ..checks import piece
from . import arguments
from .layers import MatchSize
from .tensors import layer, sides
from .types import Margins, Size, Tensor


@piece
def zero_pad(x: Tensor, padding: Size | Margins, *, name: str | None = None) -> Tensor:
    """Zeros around the image, as `keras.layers.ZeroPadding2D` has them.

    Shapes: `batch height width channels` -> `batch height+top+bottom width+left+right channels`.

    Example:
        >>> zero_pad(keras.Input((5, 7, 3)), ((0, 1), (2, 2))).shape
        (None, 6, 11, 3)
    """
    arguments.image(x)
    return layer(keras.layers.ZeroPadding2D, x, "pad", name, padding=arguments.margins("padding", padding))


@piece
def crop(x: Tensor, cropping: Size | Margins, *, name: str | None = None) -> Tensor:
    """Rows and columns taken off, as `keras.layers.Cropping2D` has them.

    Shapes: `batch height width channels` -> `batch height-top-bottom width-left-right channels`.

    Example:
        >>> crop(keras.Input((5, 7, 3)), ((0, 1), (2, 2))).shape
        (None, 4, 3, 3)
    """
    off = arguments.margins("cropping", cropping)
    if any(side is not None and sum(margin) >= side for side, margin in zip(sides(x), off, strict=True)):
        raise checks.refuse("cropping", cropping, f"less than the {sides(x)} rows and columns of x")
    return layer(keras.layers.Cropping2D, x, "crop", name, cropping=off)


@piece
def match_size(x: Tensor, like: Tensor, *, offset: Any = 0, name: str | None = None) -> Tensor:
    """`x` with the height and width of `like`, cropped or padded with zeros: row i of it is row i + `offset` of `x`.

    Shapes: `batch height width channels`, `batch height2 width2 channels2` -> `batch height2 width2 channels`. Unknown
    sizes are looked up at run time; nothing is done, not even by a layer, where the sizes are known to be equal.

    Args:
        offset: rows and columns of `x` before the first that is kept, an integer or (rows, columns).

    Example:
        >>> match_size(keras.Input((392, 392, 64)), keras.Input((388, 388, 2)), offset=2).shape
        (None, 388, 388, 64)
    """
    arguments.image(x)
    arguments.image(like, "like")
    offset, known = arguments.pair("offset", offset, at_least=0), None not in (*sides(x), *sides(like))
    if known and sides(x) == sides(like) and offset == (0, 0):
        return x
    return layer(MatchSize, [x, like], "match_size", name, offset=offset)


def pad(x: Tensor, padding: Any, name: str | None = "pad") -> tuple[Any, str]:
    """`"same"`, `"valid"`, or so many zero rows and columns around and then `"valid"`."""
    if isinstance(padding, str):
        return x, checks.choice("padding", padding.lower(), ("same", "valid"))
    margins = arguments.margins("padding", padding)
    return zero_pad(x, margins, name=name) if any(map(any, margins)) else x, "valid"
