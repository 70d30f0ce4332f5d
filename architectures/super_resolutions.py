"""Larger images by few convolutions: SRCNN (Dong et al. 2016) and ESPCN (Shi et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import checks
from ..blocks import arguments, pixel_predictions, subpixel_conv
from ..blocks import conv as _conv
from ..blocks.tensors import rank
from ..blocks.types import Size, Tensor, Unit
from ..blocks.units import without_norm
from .constructor import Head, architecture
from .initial_values import normal

srcnn_conv = partial(_conv, padding="valid", kernel_initializer=normal(0.001))
espcn_conv = partial(_conv, activation="tanh")


def features(x: Tensor, filters: Sequence[int], kernel_size: Sequence[int], conv: Unit) -> Tensor:
    """A convolution for each but the last kernel."""
    filters = checks.several("filters", filters)
    *others, _ = checks.integers("kernel_size", kernel_size, len(filters) + 1)
    for number, (width, side) in enumerate(zip(filters, others, strict=True), 1):
        x = conv(x, width, side, strides=1, name=f"conv{number}")
    return x


@architecture(input_shape=(33, 33, 1), classes=1, classifier_activation=None)
def srcnn(
    x: Tensor,
    head: Head,
    *,
    filters: Sequence[int] = (64, 32),
    kernel_size: Sequence[int] = (9, 1, 5),
    conv: Unit = srcnn_conv,
) -> Tensor:
    """SRCNN: a sharper image of one that was enlarged before (Dong et al. 2016, section 3).

    Shapes: `batch height width channels` -> `batch height-12 width-12 classes`, for any input size, None included;
    `conv=partial(conv, padding="same")` keeps the size. Without a top the last feature map. `classes` are the channels
    of the image made.

    Args:
        filters: of each convolution but the last.
        kernel_size: side of each kernel: `(9, 1, 5)` of section 4.1, `(9, 5, 5)` of section 4.3.2.
        conv: unit of every convolution; the last is linear and has no norm.
    """
    x = features(x, filters, kernel_size, conv)
    if not head.include_top:
        return head(x)
    x = without_norm(conv)(x, head.classes, kernel_size[-1], strides=1, activation=None, name="image")
    return pixel_predictions(x, head.activation, name="predictions")


@architecture(input_shape=(17, 17, 1), classes=1, classifier_activation=None)
def espcn(
    x: Tensor,
    head: Head,
    *,
    scale: Size = 3,
    filters: Sequence[int] = (64, 32),
    kernel_size: Sequence[int] = (5, 3, 3),
    conv: Unit = espcn_conv,
) -> Tensor:
    """ESPCN: convolutions of a small image, the last of which makes the pixels of a larger one (Shi et al. 2016).

    Shapes: `batch height width channels` -> `batch height·scale width·scale classes`, for any size, None included.
    Without a top the last feature map. `classes` are the channels of the image made.

    Args:
        scale: enlargement.
        filters: of each convolution but the last.
        kernel_size: side of each kernel.
        conv: unit of every convolution; the last is linear and has no norm.
    """
    factors: Any = arguments.sizes("scale", scale, rank(x))
    x = features(x, filters, kernel_size, conv)
    if not head.include_top:
        return head(x)
    linear = partial(without_norm(conv), activation=None)
    x = subpixel_conv(x, head.classes, kernel_size[-1], strides=factors, conv=linear, name="image")
    return pixel_predictions(x, head.activation, name="predictions")
