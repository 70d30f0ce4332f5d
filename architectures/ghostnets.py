"""GhostNet (Han et al. 2020, GhostNet: More Features from Cheap Operations)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import checks
from ..blocks import add, block, default_of, ghost_conv, matching, squeeze_excite
from ..blocks import depthwise as _depthwise
from ..blocks.tensors import channels
from ..blocks.types import Dense, Size, Tensor, Unit
from .constructor import Head, architecture, published
from .resnets import resnet_conv

# Table 1 of the paper, the blocks of each resolution: kernel, expanded and output channels, squeeze-and-excite, stride.
GHOSTNET = (
    ((3, 16, 16, False, 1),),
    ((3, 48, 24, False, 2), (3, 72, 24, False, 1)),
    ((5, 72, 40, True, 2), (5, 120, 40, True, 1)),
    (
        *((3, 240, 80, False, 2), (3, 200, 80, False, 1), (3, 184, 80, False, 1), (3, 184, 80, False, 1)),
        *((3, 480, 112, True, 1), (3, 672, 112, True, 1)),
    ),
    (
        *((5, 672, 160, True, 2), (5, 960, 160, False, 1), (5, 960, 160, True, 1)),
        *((5, 960, 160, False, 1), (5, 960, 160, True, 1)),
    ),
)

DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "timm": {"conv": partial(resnet_conv, padding="symmetric"), "classifier_activation": None},
}


@block
def ghost_bottleneck(
    x: Tensor,
    filters: int,
    expanded: int,
    kernel_size: Size,
    *,
    strides: Size,
    squeezes: bool,
    conv: Unit,
    name: str | None = None,
) -> Tensor:
    """Two ghost convolutions, a strided depthwise one between them, and a shortcut around them (figure 3).

    Shapes: `batch height width channels` -> `batch ceil(height/strides) ceil(width/strides) filters`.
    """
    linear: Any = partial(conv, activation=None)
    depthwise = partial(matching(_depthwise, conv), activation=None)
    y = ghost_conv(x, expanded, conv=conv, name="expand")
    if strides != 1:
        y = depthwise(y, channels(y), kernel_size, strides=strides, name="depthwise")
    if squeezes:
        narrow = 4 * max(1, (expanded + 8) // 16)  # a quarter, in whole fours
        y = squeeze_excite(y, filters=narrow, gate="hard_sigmoid", conv=conv, name="squeeze_excite")
    y = ghost_conv(y, filters, conv=linear, name="project")
    if strides != 1 or channels(x) != filters:
        x = depthwise(x, channels(x), kernel_size, strides=strides, name="shortcut_depthwise")
        x = linear(x, filters, 1, strides=1, name="shortcut")
    return add([y, x], name="add")


@architecture(dialects=DIALECTS)
def ghostnet(
    x: Tensor,
    head: Head,
    *,
    stages: Sequence[Sequence[tuple[int, int, int, bool, int]]] = GHOSTNET,
    dropout: float = 0.2,
    conv: Unit = resnet_conv,
    dense: Dense | None = None,
) -> Tensor:
    """GhostNet: bottlenecks of convolutions whose half is made of the other (Han et al. 2020, table 1).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        stages: the blocks of each: kernel size, expanded and output channels, squeeze-and-excite or not, stride.
        dropout: rate before the last layer.
        conv: unit of every convolution that is not depthwise.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"timm"`: as many zeros on every side, logits.
    """
    if not checks.is_sequence(stages) or not stages:
        raise checks.refuse("stages", stages, "one stage at least")
    x = conv(x, 16, 3, strides=2, name="stem")
    expanded = 0
    for number, rows in enumerate(stages, 1):
        for place, (kernel, expanded, filters, squeezes, strides) in enumerate(rows, 1):
            options: dict[str, Any] = {"squeezes": squeezes, "conv": conv}
            name = f"stage{number}.block{place}"
            x = ghost_bottleneck(x, filters, expanded, kernel, strides=strides, name=name, **options)
    x = conv(x, expanded, 1, strides=1, name="last")
    hidden = {"units": (1280,), "hidden_activation": default_of(conv, "activation", "relu")}
    return head(x, dropout=dropout, dense=dense, **hidden) if head.include_top else head(x)


ghostnet_1_0 = published(ghostnet, "ghostnet_1_0")
