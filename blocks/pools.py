"""Pooling: over windows, to a fixed size, over everything."""

from __future__ import annotations

from collections.abc import Sequence

import keras  # noqa: F401  (the doctests use it)

from .. import checks
from ..checks import piece
from . import arguments
from .layers import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    DilatedAveragePooling1D,
    DilatedAveragePooling2D,
    DilatedAveragePooling3D,
    DilatedMaxPooling1D,
    DilatedMaxPooling2D,
    DilatedMaxPooling3D,
)
from .sizes import pad
from .tensors import fits, layer, of_rank, rank
from .types import Padding, Size, Tensor
from .words import register


def _pool(
    kinds: tuple[str, Sequence[type]],
    x: Tensor,
    base: str,
    name: str | None,
    pool_size: Size,
    strides: Size | None,
    dilation_rate: Size,
    padding: Padding,
) -> Tensor:
    """Pool by the first kind of layer, or by one of the second, for each rank, where it is dilated."""
    window = arguments.sizes("pool_size", pool_size, rank(x))
    steps = window if strides is None else arguments.sizes("strides", strides, rank(x))
    kind, dilated = kinds
    if max(rates := arguments.sizes("dilation_rate", dilation_rate, rank(x))) > 1:
        if max(steps) > 1 or padding != "same":
            raise checks.refuse("dilation_rate", dilation_rate, "1, or more with strides=1 and padding='same'")
        return layer(dilated[rank(x) - 1], x, base, name, pool_size=window, dilation_rate=rates)
    x, kind_of_padding = pad(x, padding, None if name is None else f"{name}_pad")
    x = fits(x, window, kind_of_padding, "pool_size", name)
    return layer(of_rank(kind, x), x, base, name, pool_size=window, strides=steps, padding=kind_of_padding)


@register("pool")
@piece
def max_pool(
    x: Tensor,
    pool_size: Size = 2,
    *,
    strides: Size | None = None,
    dilation_rate: Size = 1,
    padding: Padding = "same",
    name: str | None = None,
) -> Tensor:
    """Maximum over windows.

    Shapes: `batch height width channels` -> `batch ceil(height/s) ceil(width/s) channels` with `"same"`,
    `floor((side-k)/s)+1` with `"valid"`.

    Args:
        pool_size: side k of the window, or one for each axis.
        strides: step s; None for the side of the window.
        dilation_rate: distance of the pixels of a window; above 1 only with `strides=1` and `"same"`.
        padding: `"same"`, `"valid"`, or so many zeros on every side (right for values from a ReLU on).

    Raises:
        ValueError: the window is larger than the image under `"valid"`.

    Example:
        >>> max_pool(keras.Input((7, 9, 3)), 3, strides=2).shape
        (None, 4, 5, 3)
    """
    kinds = ("MaxPooling", (DilatedMaxPooling1D, DilatedMaxPooling2D, DilatedMaxPooling3D))
    return _pool(kinds, x, "max_pool", name, pool_size, strides, dilation_rate, padding)


@register("pool")
@piece
def avg_pool(
    x: Tensor,
    pool_size: Size = 2,
    *,
    strides: Size | None = None,
    dilation_rate: Size = 1,
    padding: Padding = "same",
    name: str | None = None,
) -> Tensor:
    """Mean over windows; `"same"` leaves the padding out of the mean. Arguments and shapes as `max_pool`.

    Example:
        >>> avg_pool(keras.Input((14, 14, 512)), 5, strides=3, padding="valid").shape
        (None, 4, 4, 512)
    """
    kinds = ("AveragePooling", (DilatedAveragePooling1D, DilatedAveragePooling2D, DilatedAveragePooling3D))
    return _pool(kinds, x, "avg_pool", name, pool_size, strides, dilation_rate, padding)


@piece
def adaptive_avg_pool(x: Tensor, output_size: Size, *, name: str | None = None) -> Tensor:
    """Mean over as many nearly equal windows as the output has pixels, for any input size, None included.

    Shapes: `batch height width channels` -> `batch output_size output_size channels`.

    Example:
        >>> adaptive_avg_pool(keras.Input((None, None, 8)), 4).shape
        (None, 4, 4, 8)
    """
    size = arguments.sizes("output_size", output_size, rank(x))
    kinds = (AdaptiveAveragePooling1D, AdaptiveAveragePooling2D, AdaptiveAveragePooling3D)
    return layer(kinds[rank(x) - 1], x, "adaptive_avg_pool", name, output_size=size)


@piece
def global_avg_pool(x: Tensor, *, keepdims: bool = False, name: str | None = None) -> Tensor:
    """Mean over all pixels: `batch height width channels` -> `batch channels`, or with `keepdims` `batch 1 1 channels`.

    Example:
        >>> global_avg_pool(keras.Input((None, 7, 64))).shape
        (None, 64)
    """
    kind = of_rank("GlobalAveragePooling", x)
    keepdims = checks.choice("keepdims", keepdims, (True, False))
    return layer(kind, x, "global_avg_pool", name, keepdims=keepdims)


@piece
def global_max_pool(x: Tensor, *, name: str | None = None) -> Tensor:
    """Maximum over all pixels: `batch height width channels` -> `batch channels`.

    Example:
        >>> global_max_pool(keras.Input((None, 7, 64))).shape
        (None, 64)
    """
    return layer(of_rank("GlobalMaxPooling", x), x, "global_max_pool", name)
