"""Temporal convolutional network (Bai et al. 2018, An Empirical Evaluation of Generic Convolutional Networks)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import checks
from ..blocks import block, default_of, merge_residual, projection_shortcut, weight_normalized
from ..blocks import conv as _conv
from ..blocks import dropout as _dropout
from ..blocks.tensors import side_axes
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture

tcn_conv = partial(_conv, layer=weight_normalized)


@block
def temporal_block(
    x: Tensor,
    filters: int,
    kernel_size: int,
    *,
    dilation_rate: int,
    dropout: float,
    conv: Unit,
    name: str | None = None,
) -> Tensor:
    """Two causal convolutions with dropout and a shortcut around them (Bai et al. 2018, figure 1b).

    Shapes: `batch length channels` -> `batch length filters`.
    """
    y, options = x, {"strides": 1, "dilation_rate": dilation_rate, "padding": "causal"}
    for number in (1, 2):
        y = conv(y, filters, kernel_size, name=f"conv{number}", **options)
        y = _dropout(y, dropout, name=f"dropout{number}")
    plain: dict[str, Any] = (
        {} if default_of(conv, "layer") is None else {"layer": None}
    )  # no normalised kernel in the shortcut
    return merge_residual(x, y, strides=1, shortcut=partial(projection_shortcut, **plain), conv=conv)


@block
def last_step(x: Tensor, *, name: str | None = None) -> Tensor:
    """What has seen all: `batch length channels` -> `batch channels`."""
    index = [slice(None)] * len(x.shape)
    for axis in side_axes(x):
        index[axis] = -1  # type: ignore[call-overload]
    return x[tuple(index)]


@architecture(input_shape=(784, 1), classes=10)
def tcn(
    x: Tensor,
    head: Head,
    *,
    filters: Sequence[int] = (25,) * 8,
    kernel_size: int = 7,
    dropout: float = 0.05,
    conv: Unit = tcn_conv,
    dense: Dense | None = None,
) -> Tensor:
    """TCN: residual blocks of causal convolutions, each of twice the dilation of the one before (Bai et al. 2018).

    That of the authors for MNIST, a pixel at a time.

    Shapes: `batch length channels` -> `batch classes`, for any length, None included; without a top
    `batch length filters[-1]`. In images and volumes each pixel is seen after those before it on every axis.

    Args:
        filters: of each block; that of number n has a dilation of 2^n, from 0 on.
        kernel_size: of the causal convolutions.
        dropout: rate after each of them.
        conv: unit of every convolution; the kernels of its own are normalized but in the shortcut.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
    """
    filters = checks.several("filters", filters)
    rate = checks.fraction("dropout", dropout)
    for number, width in enumerate(filters):
        options = {"dilation_rate": 2**number, "dropout": rate, "conv": conv, "name": f"block{number + 1}"}
        x = temporal_block(x, width, kernel_size, **options)
    return head(last_step(x, name="last"), pooling=None, dense=dense) if head.include_top else head(x)
