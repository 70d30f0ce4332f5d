"""Channels apart and mixed: split and shuffle."""

from __future__ import annotations

from collections.abc import Sequence

import keras  # noqa: F401  (the doctests use it)
import numpy as np
from keras import ops

from .. import checks
from .core import block
from .ranks import channel_axis, channels
from .types import Tensor


@block
def split(x: Tensor, parts: int | Sequence[int] = 2, *, name: str | None = None) -> list[Tensor]:
    """The channels in several parts, as tensors.

    Shapes: `batch *sides channels` -> a list of `batch *sides part`.

    Args:
        parts: number of equal parts, or the channels of each; together all of them.

    Raises:
        ValueError: the parts are not the channels of `x`.

    Example:
        >>> [part.shape for part in split(keras.Input((8, 8, 6)), (2, 4))]
        [(None, 8, 8, 2), (None, 8, 8, 4)]
    """
    depth = channels(x)
    if checks.is_sequence(parts):
        widths = checks.integers("parts", parts, len(parts))  # type: ignore[arg-type]
        if sum(widths) != depth:
            raise checks.refuse("parts", parts, f"numbers that sum up to the {depth} channels of x")
    else:
        number = checks.integer("parts", parts)
        if depth % number:
            raise checks.refuse("parts", parts, f"a divisor of the {depth} channels of x, or the channels of each part")
        widths = (depth // number,) * number
    if len(widths) == 1:
        return [x]
    ends = [int(end) for end in np.cumsum(widths)[:-1]]
    return list(ops.split(x, ends, axis=channel_axis()))


@block
def channel_shuffle(x: Tensor, groups: int = 2, *, name: str | None = None) -> Tensor:
    """Channels of `groups` groups in turn, so that the next grouped convolution sees all (Zhang et al. 2018, figure 1).

    Shapes: `batch *sides channels` -> the same.

    Raises:
        ValueError: `groups` does not divide the channels.

    Example:
        >>> channel_shuffle(keras.Input((8, 8, 6)), 3).shape
        (None, 8, 8, 6)
    """
    depth, groups = channels(x), checks.integer("groups", groups)
    if depth % groups:
        raise checks.refuse("groups", groups, f"a divisor of the {depth} channels of x")
    order = np.arange(depth).reshape(groups, -1).T.reshape(-1)
    return ops.take(x, order, axis=channel_axis())
