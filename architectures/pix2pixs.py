"""pix2pix (Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from .. import checks
from ..blocks import activate, block, concat, default_of, match_size, matching, pixel_predictions, transposed
from ..blocks import dropout as _dropout
from ..blocks.types import Tensor, Unit
from ..blocks.units import without_norm
from .constructor import Head, architecture
from .dcgans import bare, leaky_conv

# Appendix 6.1 of the paper, and how many of the widest have dropout on the way up.
ENCODER = (64, 128, 256, 512, 512, 512, 512, 512)
DROPPED = 3


@block
def skip_up(x: Tensor, skip: Tensor, filters: int, *, dropout: float, up: Unit, name: str | None = None) -> Tensor:
    """A transposed convolution, the skip beside it, and the activation of both (Isola et al. 2017, section 3.2.1).

    Shapes: `batch height width channels`, `batch height2 width2 channels2` -> `batch height2 width2 filters+channels2`,
    where height2 is twice the height or one less.
    """
    y = _dropout(up(x, filters, 4, strides=2, activation=None, name="up"), dropout, name="dropout")
    y = concat([skip, match_size(y, skip, name="crop")], name="concat")
    return activate(y, default_of(up, "activation", "relu"), name="activation")


@architecture(input_shape=(256, 256, 3), classes=3, classifier_activation="tanh")
def pix2pix_generator(
    x: Tensor,
    head: Head,
    *,
    filters: Sequence[int] = ENCODER,
    dropout: float = 0.5,
    up: Unit | None = None,
    conv: Unit = leaky_conv,
) -> Tensor:
    """The generator of pix2pix: a U-Net of strided convolutions from one image to another of its size.

    (Isola et al. 2017, section 3.2.1 and appendix 6.1.)

    Shapes: `batch height width channels` -> `batch height width classes`, for any input size, None included. Without a
    top the last feature map, of half as many pixels a side. `classes` are the channels of the image made.

    Args:
        filters: of each convolution on the way down; those on the way up have as many as the skip beside them.
        dropout: rate after the first three on the way up, also when images are made, by which these differ.
        up: unit of the way up; None for `transposed` with norm, activation and options of `conv`, a leak left out.
        conv: unit of the way down.
    """
    filters = checks.several("filters", filters, 2)
    given, dropout, activation = x, checks.fraction("dropout", dropout), default_of(conv, "activation")
    plain = partial(conv, activation="relu" if activation == "leaky_relu" else activation)
    enlarge, skips = matching(transposed, plain) if up is None else up, []
    for number, width in enumerate(filters, 1):
        unit = bare(conv) if number == 1 else bare(plain) if number == len(filters) else conv
        x = unit(x, width, 4, strides=2, name=f"down{number}")
        skips.append(x)
    for number, skip in enumerate(reversed(skips[:-1]), 1):
        rate = dropout if number <= DROPPED else 0.0
        x = skip_up(x, skip, filters[-1 - number], dropout=rate, up=enlarge, name=f"up{number}")
    if not head.include_top:
        return head(x)
    x = without_norm(enlarge)(x, head.classes, 4, strides=2, activation=None, name="image")
    return pixel_predictions(match_size(x, given, name="crop"), head.activation, name="predictions")


@architecture(input_shape=(256, 256, 6), classes=1, classifier_activation="sigmoid")
def pix2pix_discriminator(
    x: Tensor,
    head: Head,
    *,
    filters: Sequence[int] = (64, 128, 256, 512),
    conv: Unit = leaky_conv,
) -> Tensor:
    """The discriminator of pix2pix: how likely each patch of 70×70 pixels is of a true image.

    (Isola et al. 2017, section 3.2.2 and appendix 6.1.2.) Its image has the channels of the one given and after these
    the channels of the one made of it.

    Shapes: `batch height width channels` -> `batch height//8-2 width//8-2 classes`, for known and unknown sides of at
    least 24. Without a top the last feature map.

    Args:
        filters: of each convolution but the last; the first has no norm, and all but the last stride.
        conv: unit of every convolution.
    """
    first, *others = checks.several("filters", filters, 2)
    x = without_norm(conv)(x, first, 4, strides=2, padding=1, name="conv1")
    for number, width in enumerate(others, 2):
        x = conv(x, width, 4, strides=2 if number <= len(others) else 1, padding=1, name=f"conv{number}")
    if not head.include_top:
        return head(x)
    x = without_norm(conv)(x, head.classes, 4, strides=1, padding=1, activation=None, name="score")
    return pixel_predictions(x, head.activation, name="predictions")
