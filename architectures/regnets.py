"""RegNetX and RegNetY (Radosavovic et al. 2020, Designing Network Design Spaces)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import checks
from ..blocks import bottleneck, squeeze_excite
from ..blocks import dense as _dense
from ..blocks.tensors import channels
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture, published
from .initial_values import KAIMING_FAN_OUT, normal
from .resnets import block_strides, resnet_conv, stage

# Figures 14 and 15 of the paper: blocks and width of each stage; and the width of a group.
REGNET_X = {
    "400mf": (((1, 32), (2, 64), (7, 160), (12, 400)), 16),
    "800mf": (((1, 64), (3, 128), (7, 288), (5, 672)), 16),
    "1_6gf": (((2, 72), (4, 168), (10, 408), (2, 912)), 24),
    "3_2gf": (((2, 96), (6, 192), (15, 432), (2, 1008)), 48),
    "8gf": (((2, 80), (5, 240), (15, 720), (1, 1920)), 120),
    "16gf": (((2, 256), (6, 512), (13, 896), (1, 2048)), 128),
    "32gf": (((2, 336), (7, 672), (13, 1344), (1, 2520)), 168),
}
REGNET_Y = {
    "400mf": (((1, 48), (3, 104), (6, 208), (6, 440)), 8),
    "800mf": (((1, 64), (3, 144), (8, 320), (2, 784)), 16),
    "1_6gf": (((2, 48), (6, 120), (17, 336), (2, 888)), 24),
    "3_2gf": (((2, 72), (5, 216), (13, 576), (1, 1512)), 24),
    "8gf": (((2, 224), (4, 448), (10, 896), (1, 2016)), 56),
    "16gf": (((2, 224), (4, 448), (11, 1232), (1, 3024)), 112),
    "32gf": (((2, 232), (5, 696), (12, 1392), (1, 3712)), 232),
}

regnet_conv = partial(resnet_conv, kernel_initializer=KAIMING_FAN_OUT)
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "torchvision": {
        "conv": partial(regnet_conv, padding="symmetric"),
        "dense": partial(_dense, kernel_initializer=normal(0.01)),
        "classifier_activation": None,
    },
}


@architecture(dialects=DIALECTS, table="stages")
def regnet(
    x: Tensor,
    head: Head,
    *,
    stages: Sequence[tuple[int, int]] = REGNET_X["400mf"][0],
    group_width: int = 16,
    se_ratio: float = 0.0,
    stem_filters: int = 32,
    output_stride: int | None = None,
    conv: Unit = regnet_conv,
    dense: Dense | None = None,
) -> Tensor:
    """RegNet: stages of grouped bottlenecks that are as wide inside as outside (Radosavovic et al. 2020, figure 3).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        stages: blocks and width of each stage.
        group_width: channels of a group of the 3×3 convolutions; those of the stage where it has fewer.
        se_ratio: the narrow part of squeeze-and-excite has so many times the channels that enter the block; 0 for none
            (RegNetX). It stands after the 3×3 convolution (RegNetY).
        stem_filters: of the first convolution.
        output_stride: stride of the last feature map, as of `resnet`.
        conv: unit of every convolution.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"torchvision"`: as many zeros on every side, logits.
    """
    if not checks.is_sequence(stages) or not stages:
        raise checks.refuse("stages", stages, "one stage at least")
    rows = [checks.integers(f"stages[{place}]", row, 2) for place, row in enumerate(stages)]
    group_width = checks.integer("group_width", group_width)
    se_ratio = checks.number("se_ratio", se_ratio, at_least=0)
    repeats = [count for count, _ in rows]
    places = iter(block_strides(2, repeats, [2] * len(rows), "first", output_stride))
    x = conv(x, stem_filters, 3, strides=2, name="stem")
    for number, (count, width) in enumerate(rows, 1):
        blocks: list[dict[str, Any]] = [next(places) | {} for _ in range(count)]
        if se_ratio:
            for block, entering in zip(blocks, [channels(x), *[width] * (count - 1)], strict=True):
                block["inner"] = [partial(squeeze_excite, filters=max(1, round(se_ratio * entering)))]
        groups, rest = divmod(width, min(group_width, width))
        if rest:
            raise checks.refuse("group_width", group_width, f"a divisor of the width of every stage, such as {width}")
        residual = partial(bottleneck, reduction=1, groups=groups, stride_on="3x3")
        x = stage(x, width, blocks, residual=residual, conv=conv, name=f"stage{number}")
    return head(x, dense=dense)


def _published(kind: str, size: str, **options: Any) -> Any:
    stages, group_width = (REGNET_X if kind == "x" else REGNET_Y)[size]
    return published(regnet, f"regnet_{kind}_{size}", stages=stages, group_width=group_width, **options)


regnet_x_400mf, regnet_x_800mf, regnet_x_1_6gf, regnet_x_3_2gf, regnet_x_8gf, regnet_x_16gf, regnet_x_32gf = (
    _published("x", size) for size in REGNET_X
)
regnet_y_400mf, regnet_y_800mf, regnet_y_1_6gf, regnet_y_3_2gf, regnet_y_8gf, regnet_y_16gf, regnet_y_32gf = (
    _published("y", size, se_ratio=0.25) for size in REGNET_Y
)
