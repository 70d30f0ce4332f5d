"""EDSR (Lim et al. 2017, Enhanced Deep Residual Networks for Single Image Super-Resolution)."""

from __future__ import annotations

from typing import Any

from .. import checks
from ..blocks import add, block, pixel_predictions, rescale, subpixel_conv
from ..blocks import conv as _conv
from ..blocks.tensors import channels
from ..blocks.types import Tensor, Unit
from ..blocks.units import without_norm
from .constructor import Head, architecture, published

# Table 1 of the paper: blocks, channels, and what a branch is multiplied by.
EDSR = {"edsr_baseline": (16, 64, 1.0), "edsr": (32, 256, 0.1)}
FACTORS = {2: (2,), 3: (3,), 4: (2, 2)}  # of the enlargements, one after the other (section 3.2)


@block
def edsr_block(x: Tensor, *, factor: float, conv: Unit, name: str | None = None) -> Tensor:
    """Two convolutions, a constant factor, and `x` added (Lim et al. 2017, figure 2c).

    Shapes: `batch height width channels` -> the same.
    """
    y = conv(x, channels(x), 3, strides=1, name="conv1")
    y = conv(y, channels(x), 3, strides=1, activation=None, name="conv2")
    return add([x, rescale(y, factor, name="rescale")], name="add")


@architecture(input_shape=(48, 48, 3), classes=3, classifier_activation=None)
def edsr(
    x: Tensor,
    head: Head,
    *,
    scale: int = 2,
    repeats: int = 32,
    filters: int = 256,
    branch_scale: float = 0.1,
    conv: Unit = _conv,
) -> Tensor:
    """EDSR: residual blocks without norms, and a convolution whose channels are pixels of a larger image.

    (Lim et al. 2017, figure 3.) For images less the mean colour of their set, which is to be added to what comes out.

    Shapes: `batch height width channels` -> `batch height·scale width·scale classes`, for any size, None included.
    Without a top the last map before it is enlarged. `classes` are the channels of the image made.

    Args:
        scale: enlargement, 2, 3 or 4.
        repeats: number of blocks.
        filters: of every convolution but the last.
        branch_scale: factor of the branch of each block.
        conv: unit of every convolution; its activation is that within the blocks. The last has no norm.
    """
    factors = FACTORS[checks.choice("scale", scale, tuple(FACTORS))]
    body = x = conv(x, filters, 3, strides=1, activation=None, name="stem")
    for number in range(1, checks.integer("repeats", repeats) + 1):
        body = edsr_block(body, factor=branch_scale, conv=conv, name=f"block{number}")
    x = add([x, conv(body, filters, 3, strides=1, activation=None, name="body")], name="add")
    if not head.include_top:
        return head(x)
    for number, factor in enumerate(factors, 1):
        x = subpixel_conv(x, filters, strides=factor, conv=conv, activation=None, name=f"up{number}")
    x = without_norm(conv)(x, head.classes, 3, strides=1, activation=None, name="image")
    return pixel_predictions(x, head.activation, name="predictions")


def _published(size: str, scale: int) -> Any:
    options = dict(zip(("repeats", "filters", "branch_scale"), EDSR[size], strict=True))
    return published(edsr, f"{size}_x{scale}", scale=scale, **options)


edsr_baseline_x2, edsr_baseline_x3, edsr_baseline_x4 = (_published("edsr_baseline", scale) for scale in FACTORS)
edsr_x2, edsr_x3, edsr_x4 = (_published("edsr", scale) for scale in FACTORS)
