"""SegNet (Badrinarayanan et al. 2017, SegNet: A Deep Convolutional Encoder-Decoder Architecture)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import keras  # noqa: F401  (the doctest uses it)

from .. import checks
from ..blocks import block, conv_bn, max_pool, pixel_predictions, unpool, vgg_block
from ..blocks.types import Tensor, Unit
from ..blocks.units import without_norm
from .constructor import Head, architecture
from .vggs import FILTERS, VGG16_CONVS

segnet_conv = partial(conv_bn, use_bias=True, kernel_initializer="he_normal")


@block
def unpooling_decoder(
    x: Tensor, before: Tensor, filters: Sequence[int], *, conv: Unit = conv_bn, name: str | None = None
) -> Tensor:
    """Values back to where the maxima were, and convolutions (Badrinarayanan et al. 2017, figure 3).

    Shapes: `batch *ceil(sides/2) channels`, `batch *sides channels` -> `batch *sides filters[-1]`.

    Args:
        before: the map that `max_pool` was taken of.
        filters: of each convolution.

    Example:
        >>> unpooling_decoder(keras.Input((4, 5, 8)), keras.Input((7, 9, 8)), (8, 4)).shape
        (None, 7, 9, 4)
    """
    x = unpool(x, before, name="unpool")
    for number, width in enumerate(filters, 1):
        x = conv(x, width, 3, strides=1, name=f"conv{number}")
    return x


@architecture(input_shape=(360, 480, 3), classes=11)
def segnet(
    x: Tensor,
    head: Head,
    *,
    filters: Sequence[int] = FILTERS,
    convs: Sequence[int] = VGG16_CONVS,
    conv: Unit = segnet_conv,
) -> Tensor:
    """SegNet: the convolutions of VGG-16, and their mirror image, which knows where the maxima of the pools were.

    (Badrinarayanan et al. 2017, section 3.)

    Shapes: `batch height width channels` -> `batch height width classes`, for any input size, None included. Without
    a top the last feature map.

    Args:
        filters: of the convolutions at each resolution, the finest first.
        convs: their number at each resolution, down and up.
        conv: unit of every convolution; that of the scores is linear and has no norm.
    """
    filters = checks.integers("filters", filters, max(1, len(filters)))
    convs, before = checks.integers("convs", convs, len(filters)), []
    for number, (width, count) in enumerate(zip(filters, convs, strict=True), 1):
        x = vgg_block(x, width, count, pool=None, conv=conv, name=f"encoder{number}")
        before.append(x)
        x = max_pool(x, 2, padding="same", name=f"pool{number}")
    for number, (width, count) in reversed([*enumerate(zip(filters, convs, strict=True), 1)]):
        widths = [width] * (count - 1) + [*filters[number - 2 : number - 1]]  # of the finest the scores are the last
        x = unpooling_decoder(x, before[number - 1], widths, conv=conv, name=f"decoder{number}")
    if not head.include_top:
        return head(x)
    x = without_norm(conv)(x, head.classes, 3, strides=1, activation=None, name="score")
    return pixel_predictions(x, head.activation, name="predictions")
