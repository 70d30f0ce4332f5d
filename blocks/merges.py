"""Several tensors made one: concatenation, sum, product."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from .. import checks
from ..checks import piece
from . import arguments
from .layers import Add
from .tensors import channel_axis, channels, layer, rank, sides
from .types import Tensor


@piece
def concat(xs: Sequence[Tensor], *, name: str | None = None) -> Tensor:
    """Channels side by side: `batch height width c1`, `… c2`, … -> `batch height width c1+c2+…`.

    Raises:
        ValueError: heights or widths differ (Keras itself does not look at unknown ones).
        TypeError: not a list of at least two symbolic tensors.

    Example:
        >>> concat([keras.Input((8, 8, 3)), keras.Input((8, 8, 5))]).shape
        (None, 8, 8, 8)
    """
    arguments.same_shapes(xs, skip=channel_axis())
    return layer(keras.layers.Concatenate, list(xs), "concat", name, axis=channel_axis())


@piece
def add(xs: Sequence[Tensor], *, name: str | None = None) -> Tensor:
    """Sum of tensors of exactly one shape; nothing is broadcast, nor when it runs where sizes are unknown.

    Raises:
        ValueError: the shapes differ.
        TypeError: not a list of at least two symbolic tensors.

    Example:
        >>> add([keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]).shape
        (None, 8, 8, 3)
    """
    arguments.same_shapes(xs)
    known = None not in xs[0].shape[1:]
    return layer(keras.layers.Add if known else Add, list(xs), "add", name)


@piece
def scale(x: Tensor, weights: Tensor, *, name: str | None = None) -> Tensor:
    """Every channel of `x` times its weight: `batch height width channels`, `batch 1 1 channels` -> as `x`.

    Raises:
        ValueError: `weights` is not one number a channel.
        TypeError: one of them is no symbolic tensor.

    Example:
        >>> scale(keras.Input((8, 8, 64)), keras.Input((1, 1, 64))).shape
        (None, 8, 8, 64)
    """
    arguments.image(weights, "weights", [rank(x)])
    if channels(x) != channels(weights) or {*sides(weights)} != {1}:
        raise checks.refuse("weights", tuple(weights.shape), f"one pixel of {channels(x)} channels")
    return layer(keras.layers.Multiply, [x, weights], "scale", name)
