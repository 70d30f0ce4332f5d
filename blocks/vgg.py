"""Plain chains of convolutions."""

from __future__ import annotations

import keras  # noqa: F401  (the doctests use it)

from . import checks
from .core import block
from .pieces import max_pool
from .types import Size, Tensor, Unit
from .units import conv as _conv


@block
def vgg_block(
    x: Tensor, filters: int, convs: int = 2, *, kernel_size: Size = 3, pool: Unit = max_pool, conv: Unit = _conv
) -> Tensor:
    """`convs` convolutions and a 2×2 pooling (Simonyan and Zisserman 2015, table 1).

    Shapes: `batch height width channels` -> `batch floor(height/2) floor(width/2) filters`.

    Args:
        x: symbolic tensor.
        filters: output channels of every convolution.
        convs: their number, at least 1.
        kernel_size: their side, or a list with one for each of them (configuration C ends in 1).
        pool: function `(x, pool_size, *, padding, name)`; None for no pooling.
        conv: unit.

    Raises:
        ValueError: a number out of range, or an image too small to pool.
        TypeError: an argument of the wrong type.

    Example:
        >>> vgg_block(keras.Input((224, 224, 3)), 64).shape
        (None, 112, 112, 64)
    """
    convs = checks.integer("convs", convs)
    kernels = kernel_size if isinstance(kernel_size, list) else [kernel_size] * convs
    if len(kernels) != convs:
        raise checks.refuse("kernel_size", kernel_size, f"one side, or a list of {convs}")
    for number, side in enumerate(kernels, 1):
        x = conv(x, filters, side, strides=1, name=f"conv{number}")
    return x if pool is None else pool(x, 2, padding="valid", name="pool")
