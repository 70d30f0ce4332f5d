"""VGG (Simonyan and Zisserman 2015, Very Deep Convolutional Networks for Large-Scale Image Recognition)."""

from __future__ import annotations

from ..blocks import conv as _conv
from ..blocks import vgg_block
from ..blocks.types import Tensor, Unit
from .network import Head, architecture, variant

# Table 1 of the paper: convolutions in each of the five blocks.
CONVS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
FILTERS = (64, 128, 256, 512, 512)


@architecture()
def vgg(
    x: Tensor,
    head: Head,
    *,
    convs: tuple[int, ...] = CONVS[16],
    filters: tuple[int, ...] = FILTERS,
    units: tuple[int, ...] = (4096, 4096),
    dropout: float = 0.5,
    conv: Unit = _conv,
) -> Tensor:
    """VGG: blocks of 3×3 convolutions and 2×2 pools, and three dense layers (Simonyan and Zisserman 2015, table 1).

    Shapes: `batch height width channels` -> `batch classes`; the dense layers need a known input size.

    Args:
        convs: convolutions in each block.
        filters: of each block.
        units: of the hidden dense layers.
        dropout: rate behind each of them.
        conv: unit of every convolution.
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name: as in
            `keras.applications`; `weights` is None or a weights file.

    Raises:
        ValueError: an image below 32×32, or another argument out of range.
        TypeError: an unknown argument, or one of the wrong type.
    """
    for number, (repeats, width) in enumerate(zip(convs, filters, strict=True), 1):
        x = vgg_block(x, width, repeats, conv=conv, name=f"block{number}")
    return head(x, pooling="flatten", units=units, dropout=dropout)


vgg16 = variant(
    vgg,
    "vgg16",
    """VGG-16, configuration D. Arguments and errors as `vgg`.

    Example:
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = vgg16()
        >>> model.count_params()
        138357544
    """,
    convs=CONVS[16],
)
