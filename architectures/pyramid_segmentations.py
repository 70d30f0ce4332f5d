"""A class for every pixel from what a classifier sees at several scales: PSPNet, DeepLabV3+ and the semantic FPN.

(Zhao et al. 2017; Chen et al. 2018, Encoder-Decoder with Atrous Separable Convolution; Kirillov et al. 2019, Panoptic
Feature Pyramid Networks.)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras  # noqa: F401  (the doctests use it)

from .. import checks
from ..blocks import (
    add,
    aspp,
    block,
    concat,
    conv_bn,
    dropout,
    feature_pyramid,
    group_norm,
    pixel_predictions,
    pyramid_pooling,
    resize_like,
)
from ..blocks.types import Tensor, Unit
from ..blocks.units import without_norm
from .constructor import Head, architecture, published
from .dilated_segmentations import decoder_unit, dilated_segmentation, maps_by_stride
from .initial_values import torch_conv

group_conv = partial(torch_conv, norm=partial(group_norm, groups=32), activation="relu")
PSP_DIALECTS: dict[str, dict[str, Any]] = {"paper": {}}


@block
def psp_decoder(
    x: Tensor,
    *,
    sizes: Sequence[int] = (1, 2, 3, 6),
    filters: int = 512,
    rate: float = 0.1,
    conv: Unit = conv_bn,
    name: str | None = None,
) -> Tensor:
    """Means over grids of several sizes beside the map, a 3×3 convolution and dropout (Zhao et al. 2017, figure 3).

    Shapes: `batch *sides channels` -> `batch *sides filters`.

    Example:
        >>> psp_decoder(keras.Input((60, 60, 2048))).shape
        (None, 60, 60, 512)
    """
    x = conv(pyramid_pooling(x, sizes, conv=conv, name="pyramid"), filters, 3, strides=1, name="conv")
    return dropout(x, rate, name="dropout")


_PSP: dict[str, Any] = {"decoder": psp_decoder, "dialects": PSP_DIALECTS, "input_shape": (473, 473, 3)}
pspnet_resnet50 = published(dilated_segmentation, "pspnet_resnet50", backbone="resnet50", **_PSP)
pspnet_resnet101 = published(dilated_segmentation, "pspnet_resnet101", backbone="resnet101", **_PSP)


@architecture(input_shape=(513, 513, 3), classes=21)
def deeplab_v3_plus(
    x: Tensor,
    head: Head,
    *,
    backbone: str = "resnet101",
    output_stride: int | None = 16,
    rates: Sequence[int] = (6, 12, 18),
    filters: int = 256,
    low_filters: int = 48,
    rate: float = 0.1,
    conv: Unit | None = None,
    use_bias: bool | None = None,
) -> Tensor:
    """DeepLabV3+: atrous spatial pyramid pooling, and a decoder that sees a finer map too (Chen et al. 2018, figure 2).

    Shapes: `batch height width channels` -> `batch height width classes`, for any size that the backbone accepts.
    Without a top the last feature map of the backbone.

    Args:
        backbone: the name of any network in the catalogue with a feature map of stride 4, as torchvision computes it
            where that has it; its layers have the names that they have in that network.
        output_stride: of the backbone; None for its own.
        rates: dilation of the 3×3 convolutions side by side: (12, 24, 36) at an output stride of 8.
        filters: of every convolution of the decoder but one.
        low_filters: of that, a 1×1 convolution of the finer map.
        rate: of the dropout after the pyramid.
        conv: unit of every convolution; None for those of the backbone, and a normalised one with ReLU after it.
    """
    image, unit = x, decoder_unit(conv, use_bias)
    x, (low,) = maps_by_stride(x, backbone, (4,), output_stride=output_stride, conv=conv, use_bias=use_bias)
    if not head.include_top:
        return head(x)
    x = dropout(aspp(x, filters, rates, conv=unit, name="aspp"), rate, name="dropout")
    low = unit(low, low_filters, 1, strides=1, name="low")
    x = concat([resize_like(x, low, name="up"), low], name="concat")
    for number in (1, 2):
        x = unit(x, filters, 3, strides=1, name=f"conv{number}")
    return pixels_of(x, image, head, unit)


def pixels_of(x: Tensor, image: Tensor, head: Head, conv: Unit) -> Tensor:
    """Scores of a map, enlarged to the sides of the image, and their activation."""
    x = without_norm(conv)(x, head.classes, 1, strides=1, activation=None, name="score")
    return pixel_predictions(resize_like(x, image, name="resize"), head.activation, name="predictions")


deeplab_v3_plus_resnet101 = published(deeplab_v3_plus, "deeplab_v3_plus_resnet101", backbone="resnet101")


@block
def finest(
    x: Tensor, finer: Sequence[Tensor], filters: int = 128, *, conv: Unit = conv_bn, name: str | None = None
) -> Tensor:
    """A 3×3 convolution and twice the sides as often as there are finer maps, at least one convolution.

    (Kirillov et al. 2019, figure 3.)

    Shapes: `batch *sides channels`, a list of `batch *sides2 channels2`, the finest first -> the sides of the first, or
    those of `x`; `filters` channels.
    """
    for number, like in enumerate(reversed(finer), 1):
        x = resize_like(conv(x, filters, 3, strides=1, name=f"conv{number}"), like, name=f"up{number}")
    return x if finer else conv(x, filters, 3, strides=1, name="conv1")


@block
def fpn_decoder(
    xs: Sequence[Tensor],
    pyramid_filters: int = 256,
    filters: int = 128,
    *,
    conv: Unit = conv_bn,
    name: str | None = None,
) -> Tensor:
    """A feature pyramid, all levels of which are enlarged to the finest and added (Kirillov et al. 2019, figure 3).

    Shapes: a list of `batch *sides channels`, the finest first -> the sides of the first, `filters` channels.

    Args:
        pyramid_filters: of the levels, whose convolutions are linear and have no norm.
        filters: of the convolutions that enlarge them.

    Example:
        >>> fpn_decoder([keras.Input((56, 56, 256)), keras.Input((28, 28, 512))]).shape
        (None, 56, 56, 128)
    """
    levels = feature_pyramid(xs, pyramid_filters, conv=partial(without_norm(conv), activation=None), name="pyramid")
    ends = [finest(y, levels[:place], filters, conv=conv, name=f"level{place + 1}") for place, y in enumerate(levels)]
    return add(ends, name="add")


@architecture(input_shape=(512, 512, 3), classes=19)
def semantic_fpn(
    x: Tensor,
    head: Head,
    *,
    backbone: str = "resnet50",
    pyramid_filters: int = 256,
    filters: int = 128,
    conv: Unit | None = None,
    use_bias: bool | None = None,
) -> Tensor:
    """Semantic FPN: a feature pyramid, all levels of which are enlarged to the finest and added (Kirillov et al. 2019).

    (Section 3 and figure 3.)

    Shapes: `batch height width channels` -> `batch height width classes`, for any size that the backbone accepts.
    Without a top the last feature map of the backbone.

    Args:
        backbone: the name of any network in the catalogue with feature maps of stride 4, 8, 16 and 32, as torchvision
            computes it where that has it; its layers have the names that they have in that network.
        pyramid_filters: of the levels, whose convolutions are linear and have no norm.
        filters: of the convolutions that enlarge them.
        conv: unit of every convolution; None for those of the backbone, and one with a group norm and ReLU after it.
    """
    image, unit = x, decoder_unit(conv, use_bias, group_conv)
    filters = checks.integer("filters", filters)
    last, maps = maps_by_stride(x, backbone, (4, 8, 16, 32), conv=conv, use_bias=use_bias)
    if not head.include_top:
        return head(last)
    x = fpn_decoder(maps, pyramid_filters, filters, conv=unit, name="decoder")
    return pixels_of(x, image, head, unit)


semantic_fpn_resnet50 = published(semantic_fpn, "semantic_fpn_resnet50", backbone="resnet50")
semantic_fpn_resnet101 = published(semantic_fpn, "semantic_fpn_resnet101", backbone="resnet101")
