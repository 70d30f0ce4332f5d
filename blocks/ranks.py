"""Axes of a map of any rank: signals, images and volumes."""

from __future__ import annotations

from typing import Any

import keras

from .. import checks
from . import arguments
from .types import Tensor


def shape(x: Any, argument: str = "x") -> tuple[int | None, ...]:
    """The shape of a symbolic batch of signals, images or volumes, or an error."""
    must_be = "a symbolic Keras tensor of rank 3, 4 or 5"
    arguments.symbolic(x, must_be, argument)
    if not 3 <= len(x.shape) <= 5:
        raise checks.refuse(argument, tuple(x.shape), f"{must_be}: batch, one to three sides, and channels")
    return tuple(x.shape)


def rank(x: Tensor) -> int:
    """Number of sides: 1 for signals, 2 for images, 3 for volumes."""
    return len(shape(x)) - 2


def channel_axis() -> int:
    """Axis of the channels under Keras's `image_data_format`."""
    return -1 if keras.config.image_data_format() == "channels_last" else 1


def side_axes(x: Tensor) -> tuple[int, ...]:
    """The axes of the sides of `x`."""
    first = 1 if channel_axis() == -1 else 2
    return tuple(range(first, first + rank(x)))


def sides(x: Tensor, argument: str = "x") -> tuple[int | None, ...]:
    """Sides of `x`, None where unknown."""
    sizes = shape(x, argument)
    return sizes[1:-1] if channel_axis() == -1 else sizes[2:]


def channels(x: Tensor, argument: str = "x") -> int:
    """Number of channels of `x`, which must be known."""
    number = shape(x, argument)[channel_axis()]
    if number is None:
        raise checks.refuse(argument, tuple(x.shape), "a tensor whose number of channels is known")
    return number


def known_sides(x: Tensor, why: str) -> tuple[int, ...]:
    """Sides of `x`, all of which must be known."""
    found = sides(x)
    if None in found:
        raise checks.refuse("x", tuple(x.shape), f"a tensor of known sides {why}")
    return tuple(side for side in found if side is not None)


def sizes(argument: str, value: Any, number: int, at_least: int = 1) -> tuple[int, ...]:
    """One integer for every side, or one a side."""
    if checks.is_sequence(value):
        return checks.integers(argument, value, number, at_least)
    return (checks.integer(argument, value, at_least),) * number
