"""Maps as rows of tokens and back, and what tokens begin with."""

from __future__ import annotations

from math import prod
from typing import Literal

import keras

from .. import checks
from ..checks import piece
from . import arguments
from .core import block
from .map_layers import ClassToken, FirstToken, PositionEmbedding
from .norms import layer_norm
from .resizing import pixel_unshuffle
from .tensors import channel_axis, channels, dividing, known_sides, layer, rank
from .types import Norm, Size, Tensor, Unit
from .units import conv as _conv


@piece
def tokens(x: Tensor, *, name: str | None = None) -> Tensor:
    """All places of a map in one row: `batch *sides channels` -> `batch prod(sides) channels`.

    Example:
        >>> tokens(keras.Input((14, 14, 384))).shape
        (None, 196, 384)
    """
    depth = channels(x)
    shape = (-1, depth) if channel_axis() == -1 else (depth, -1)
    return x if rank(x) == 1 else layer(keras.layers.Reshape, x, "tokens", name, target_shape=shape)


@piece
def to_map(x: Tensor, sides: tuple[int, ...], *, name: str | None = None) -> Tensor:
    """A row of tokens as a map: `batch prod(sides) channels` -> `batch *sides channels`.

    Raises:
        ValueError: there are not as many tokens as places.

    Example:
        >>> to_map(keras.Input((196, 384)), (14, 14)).shape
        (None, 14, 14, 384)
    """
    arguments.image(x, ranks=[1])
    if not checks.is_sequence(sides) or not 1 <= len(sides) <= 3:
        raise checks.refuse("sides", sides, "one to three integers", TypeError)
    sizes, depth = checks.integers("sides", sides, len(sides)), channels(x)
    (length,) = known_sides(x, "where its tokens become a map")
    if prod(sizes) != length:
        raise checks.refuse("sides", sides, f"integers whose product is the {length} tokens of x")
    shape = (*sizes, depth) if channel_axis() == -1 else (depth, *sizes)
    return layer(keras.layers.Reshape, x, "to_map", name, target_shape=shape)


@piece
def class_token(x: Tensor, *, name: str | None = None) -> Tensor:
    """A trained token before the others (Dosovitskiy et al. 2021, eq. 1): `batch n channels` -> `batch n+1 channels`.

    Example:
        >>> class_token(keras.Input((196, 384))).shape
        (None, 197, 384)
    """
    arguments.image(x, ranks=[1])
    channels(x)
    return layer(ClassToken, x, "class_token", name)


@piece
def position_embedding(x: Tensor, *, name: str | None = None) -> Tensor:
    """A trained number added to each channel of each place; of one size only (Dosovitskiy et al. 2021, eq. 1).

    Shapes: `batch *sides channels` -> the same.

    Example:
        >>> model = keras.Model(x := keras.Input((197, 384)), position_embedding(x))
        >>> model.count_params()
        75648
    """
    known_sides(x, "of which each place has its own embedding")
    channels(x)
    return layer(PositionEmbedding, x, "position_embedding", name)


@block
def patch_embedding(
    x: Tensor,
    filters: int,
    patch_size: Size = 16,
    *,
    norm: Norm | None = None,
    conv: Unit = _conv,
    name: str | None = None,
) -> Tensor:
    """One vector for each patch of a map, a strided linear convolution (Dosovitskiy et al. 2021, section 3.1).

    Shapes: `batch *sides channels` -> `batch *floor(sides/patch_size) filters`; `tokens` makes a row of it.

    Args:
        patch_size: an integer, or one a side.
        norm: function `(x, *, name)` after the convolution; None for none.
        conv: unit; its norm and activation are left out.

    Example:
        >>> patch_embedding(keras.Input((224, 224, 3)), 384).shape
        (None, 14, 14, 384)
    """
    arguments.functions(conv=conv)
    size = arguments.sizes("patch_size", patch_size, rank(x))
    linear = {"norm": None, "activation": None, "use_bias": True}
    y = conv(x, filters, size, strides=size, padding="valid", name="projection", **linear)
    return y if norm is None else checks.function("norm", norm, "name")(y, name="norm")


@block
def patch_merging(
    x: Tensor,
    filters: int,
    patch_size: Size = 2,
    *,
    norm: Norm = layer_norm,
    norm_at: Literal["start", "end"] = "start",
    conv: Unit = _conv,
    name: str | None = None,
) -> Tensor:
    """The vectors of a patch in a row, a norm, and a linear convolution without bias (Liu et al. 2021, section 3.1).

    Shapes: `batch *sides channels` -> `batch *sides/patch_size filters`.

    Args:
        patch_size: an integer that divides the sides, or one a side.
        norm: function `(x, *, name)` before the convolution.
        norm_at: `"start"`; `"end"` for the norm after the convolution (Liu et al. 2022b).
        conv: unit; its norm and activation are left out.

    Example:
        >>> model = keras.Model(x := keras.Input((56, 56, 96)), patch_merging(x, 192))
        >>> model.output_shape, model.count_params()
        ((None, 28, 28, 192), 74496)
    """
    arguments.functions(conv=conv)
    norm = checks.function("norm", norm, "name")
    size = dividing("patch_size", patch_size, x, "which patches divide")
    at_end = checks.choice("norm_at", norm_at, ("start", "end")) == "end"
    y = pixel_unshuffle(x, size, order="pixels", name="patches")
    y = y if at_end else norm(y, name="norm")
    y = conv(y, filters, 1, strides=1, norm=None, activation=None, use_bias=False, name="reduction")
    return norm(y, name="norm") if at_end else y


@piece
def first_token(x: Tensor, *, name: str | None = None) -> Tensor:
    """The first of a row of tokens, such as the class token: `batch n channels` -> `batch channels`.

    Example:
        >>> first_token(keras.Input((197, 384))).shape
        (None, 384)
    """
    arguments.image(x, ranks=[1])
    return layer(FirstToken, x, "first_token", name)
