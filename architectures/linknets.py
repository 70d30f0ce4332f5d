"""LinkNet (Chaurasia and Culurciello 2017, LinkNet: Exploiting Encoder Representations)."""

from __future__ import annotations

import keras  # noqa: F401  (the doctest uses it)

from .. import checks
from ..blocks import add, block, conv_bn, match_size, matching, pixel_predictions, transposed
from ..blocks.tensors import channels
from ..blocks.types import Tensor, Unit
from ..blocks.units import without_norm
from .constructor import Head, architecture, published
from .dilated_segmentations import decoder_unit, maps_by_stride


@block
def linknet_decoder(
    x: Tensor,
    filters: int,
    *,
    strides: int = 2,
    reduction: int = 4,
    up: Unit | None = None,
    conv: Unit = conv_bn,
    name: str | None = None,
) -> Tensor:
    """A transposed convolution between two 1×1 (Chaurasia and Culurciello 2017, figure 3).

    Shapes: `batch *sides channels` -> `batch *sides·strides filters`.

    Args:
        reduction: the transposed convolution has `channels // reduction` filters.
        up: its unit; None for `transposed` with norm, activation and options of `conv`.

    Example:
        >>> linknet_decoder(keras.Input((8, 8, 512)), 256).shape
        (None, 16, 16, 256)
    """
    width = max(1, channels(x) // checks.integer("reduction", reduction))
    y = conv(x, width, 1, strides=1, name="reduce")
    y = (matching(transposed, conv) if up is None else up)(y, width, 3, strides=strides, padding="same", name="up")
    return conv(y, filters, 1, strides=1, name="expand")


@architecture(input_shape=(512, 512, 3), classes=20)
def linknet(
    x: Tensor,
    head: Head,
    *,
    backbone: str = "resnet18",
    filters: int = 32,
    up: Unit | None = None,
    conv: Unit | None = None,
    use_bias: bool | None = None,
) -> Tensor:
    """LinkNet: a classifier, and a decoder to which the maps of the classifier are added at each resolution.

    (Chaurasia and Culurciello 2017, figure 1.)

    Shapes: `batch height width channels` -> `batch height width classes`, for any size that the backbone accepts.
    Without a top the last feature map of the backbone.

    Args:
        backbone: the name of any network in the catalogue with feature maps of stride 4, 8, 16 and 32, as torchvision
            computes it where that has it; its layers have the names that they have in that network.
        filters: of the two convolutions before the scores.
        up: unit that enlarges; None for `transposed` with norm, activation and options of `conv`.
        conv: unit of every other convolution; None for those of the backbone, and a normalised one with ReLU after it.
    """
    image, unit = x, decoder_unit(conv, use_bias)
    last, maps = maps_by_stride(x, backbone, (4, 8, 16, 32), conv=conv, use_bias=use_bias)
    if not head.include_top:
        return head(last)
    enlarge = matching(transposed, unit) if up is None else up
    *skips, x = maps
    for number, skip in reversed([*enumerate(skips, 2)]):
        x = linknet_decoder(x, channels(skip), up=enlarge, conv=unit, name=f"decoder{number}")
        x = add([match_size(x, skip, name=f"crop{number}"), skip], name=f"add{number}")
    x = linknet_decoder(x, channels(x), strides=1, up=enlarge, conv=unit, name="decoder1")
    x = last_steps(x, filters, head.classes, up=enlarge, conv=unit, name="score")
    return pixel_predictions(match_size(x, image, name="crop"), head.activation, name="predictions")


@block
def last_steps(x: Tensor, filters: int, classes: int, *, up: Unit, conv: Unit, name: str | None = None) -> Tensor:
    """Scores of four times the sides, by transposed convolutions.

    Shapes: `batch *sides channels` -> `batch *sides·4 classes`.
    """
    x = up(x, filters, 3, strides=2, padding="same", name="up1")
    x = conv(x, filters, 3, strides=1, name="conv")
    return without_norm(up)(x, classes, 2, strides=2, padding="same", activation=None, name="up2")


linknet_resnet18 = published(linknet, "linknet_resnet18")
