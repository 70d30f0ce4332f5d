"""DarkNet-53 (Redmon and Farhadi 2018, YOLOv3) and its cross-stage form (Bochkovskiy et al. 2020, YOLOv4)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .. import checks
from ..blocks import add, batch_norm, block, concat, conv_bn, split
from ..blocks.tensors import channels
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture, published

# Table 1 of the paper: blocks and channels of each stage.
DARKNET53 = ((1, 2, 8, 8, 4), (64, 128, 256, 512, 1024))

_LEAKY: dict[str, Any] = {"activation": ("leaky_relu", {"negative_slope": 0.1})}
darknet_conv = partial(conv_bn, norm=partial(batch_norm, epsilon=1e-5), **_LEAKY)
TIMM: dict[str, Any] = {
    "conv": partial(darknet_conv, padding="symmetric", activation=("leaky_relu", {"negative_slope": 0.01})),
    "classifier_activation": None,
}
DIALECTS: dict[str, dict[str, Any]] = {"paper": {}, "timm": TIMM}


@block
def dark_residual(x: Tensor, filters: int, *, conv: Unit, name: str | None = None) -> Tensor:
    """1×1 down, 3×3 up, and `x` added to what is activated already (Redmon and Farhadi 2018, table 1).

    Shapes: `batch height width channels` -> the same.
    """
    y = conv(x, filters, 1, strides=1, name="conv1")
    return add([conv(y, channels(x), 3, strides=1, name="conv2"), x], name="add")


def crossed(
    x: Tensor, filters: int, expanded: int, inner: Callable[[Tensor], Tensor], *, conv: Unit, expand: Unit
) -> Tensor:
    """Half of `expanded` channels goes past `inner`, then both into `filters` (Wang et al. 2020b, figure 3b)."""
    past, x = split(expand(x, expanded, 1, strides=1, name="expand"), 2, name="split")
    x = conv(inner(x), expanded // 2, 1, strides=1, name="branch")
    return conv(concat([past, x], name="concat"), filters, 1, strides=1, name="transition")


@block
def darknet_stage(
    x: Tensor, filters: int, repeats: int, *, cross_stage: bool, whole: bool, conv: Unit, name: str | None = None
) -> Tensor:
    """A convolution that halves the sides, and residuals, of half of the channels where they cross the stage.

    Shapes: `batch height width channels` -> `batch ceil(height/2) ceil(width/2) filters`.

    Args:
        cross_stage: the other half goes past the residuals (Wang et al. 2020b, figure 3b).
        whole: the halves are of twice the channels.
    """
    x = conv(x, filters, 3, strides=2, name="downsample")

    def inner(y: Tensor) -> Tensor:
        width = channels(y) // (1 if cross_stage and not whole else 2)
        for number in range(1, repeats + 1):
            y = dark_residual(y, width, conv=conv, name=f"block{number}")
        return y

    return crossed(x, filters, (1 + whole) * filters, inner, conv=conv, expand=conv) if cross_stage else inner(x)


@architecture(dialects=DIALECTS)
def darknet(
    x: Tensor,
    head: Head,
    *,
    repeats: tuple[int, ...] = DARKNET53[0],
    filters: tuple[int, ...] = DARKNET53[1],
    cross_stage: bool = False,
    conv: Unit = darknet_conv,
    dense: Dense | None = None,
) -> Tensor:
    """DarkNet: stages of 1×1 and 3×3 residuals, each after a convolution that halves the sides (figure and table 1).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        repeats: number of residuals in each stage.
        filters: channels of each stage; the first convolution has half of the first, even numbers all of them.
        cross_stage: half of the channels goes past the residuals of a stage, in the first stage of twice as many.
        conv: unit of every convolution.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"timm"`: a hundredth of what is negative, as many zeros on every side, logits.
    """
    filters = checks.integers("filters", filters, max(1, len(filters)))
    repeats = checks.integers("repeats", repeats, len(filters))
    cross_stage = checks.flag("cross_stage", cross_stage)
    odd = next((width for width in filters if width % 2), None)
    if odd is not None:
        raise checks.refuse("filters", odd, "even")
    x = conv(x, filters[0] // 2, 3, strides=1, name="stem")
    for number, (count, width) in enumerate(zip(repeats, filters, strict=True), 1):
        options: dict[str, Any] = {"cross_stage": cross_stage, "whole": number == 1, "conv": conv}
        x = darknet_stage(x, width, count, name=f"stage{number}", **options)
    return head(x, dense=dense)


_MISH = {"paper": {"conv": partial(darknet_conv, activation="mish")}, "timm": TIMM}
darknet53 = published(darknet, "darknet53")
cspdarknet53 = published(darknet, "cspdarknet53", dialects=_MISH, cross_stage=True)
