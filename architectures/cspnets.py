"""CSPResNet-50 and CSPResNeXt-50 (Wang et al. 2020b, CSPNet: A New Backbone that can Enhance Learning Capability)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from .. import checks
from ..blocks import block, bottleneck, chain, max_pool
from ..blocks import dense as _dense
from ..blocks.tensors import channels
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture, published
from .darknets import TIMM, crossed, darknet_conv
from .initial_values import KAIMING_FAN_OUT, normal
from .resnets import symmetric_pool

# Of the authors' configurations.
STEM = {
    "stem": {"filters": 64, "kernel_size": 7, "strides": 2},
    "pool": partial(max_pool, pool_size=2, strides=2),
}
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "timm": {
        "conv": partial(TIMM["conv"], kernel_initializer=KAIMING_FAN_OUT),
        "stem": {**STEM, "pool": partial(symmetric_pool, strides=2)},  # zeros would be larger than what is negative
        "activated_ends": False,
        "zero_init": True,
        "dense": partial(_dense, kernel_initializer=normal(0.01)),
        "classifier_activation": None,
    },
}


@block
def csp_stage(
    x: Tensor,
    filters: int,
    expanded: int,
    repeats: int,
    *,
    strides: int,
    groups: int,
    linear: bool,
    conv: Unit,
    name: str | None = None,
    **options: Any,
) -> Tensor:
    """A convolution that halves the sides, and bottlenecks of half of the channels where they cross the stage.

    Shapes: `batch height width channels` -> `batch ceil(height/strides) ceil(width/strides) filters`.
    """
    grouped: dict[str, Any] = {"groups": groups} if groups > 1 else {}
    if strides != 1:
        x = conv(x, channels(x), 3, strides=strides, name="downsample", **grouped)

    def inner(y: Tensor) -> Tensor:
        for number in range(1, repeats + 1):
            y = bottleneck(y, channels(y), conv=conv, name=f"block{number}", **grouped, **options)
        return y

    expand = partial(conv, activation=None) if linear else conv
    return crossed(x, filters, expanded, inner, conv=conv, expand=expand)


@architecture(dialects=DIALECTS)
def cspnet(
    x: Tensor,
    head: Head,
    *,
    repeats: tuple[int, ...] = (3, 3, 5, 2),
    filters: tuple[int, ...] = (128, 256, 512, 1024),
    expansion: float = 2,
    reduction: float = 2,
    groups: int = 1,
    stem: Mapping[str, Any] = STEM,
    activated_ends: bool = True,
    zero_init: bool = False,
    conv: Unit = darknet_conv,
    dense: Dense | None = None,
) -> Tensor:
    """ResNet whose stages half of the channels go past (Wang et al. 2020b, figure 3b).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        repeats: number of bottlenecks in each stage.
        filters: channels that each stage ends with.
        expansion: a stage begins with so many times as many; half of these pass its bottlenecks.
        reduction, zero_init: of the bottlenecks.
        groups: of every convolution of 3×3, that which halves the sides too.
        stem: what comes before the stages, layers of `chain`.
        activated_ends: the first stage and the last begin with an activation; the others never do.
        conv: unit of every convolution.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`, as in the authors' configurations; `"timm"`: a hundredth of what is negative, no stage that
            begins with an activation, a 3×3 pool, as many zeros on every side, blocks that begin as their shortcut,
            logits.
    """
    filters = checks.integers("filters", filters, max(1, len(filters)))
    repeats = checks.integers("repeats", repeats, len(filters))
    expansion, groups = checks.number("expansion", expansion, above=0), checks.integer("groups", groups)
    activated_ends = checks.flag("activated_ends", activated_ends)
    options: dict[str, Any] = {"reduction": reduction, "zero_init": zero_init, "groups": groups, "conv": conv}
    x = chain(x, stem, conv=conv)
    for number, (count, width) in enumerate(zip(repeats, filters, strict=True), 1):
        expanded = round(expansion * width)
        if expanded % 2 or not expanded:
            raise checks.refuse("expansion", expansion, f"one that makes an even number of channels of {width}")
        linear = not activated_ends or number not in (1, len(filters))
        own: dict[str, Any] = {"strides": 1 if number == 1 else 2, "linear": linear, "name": f"stage{number}"}
        x = csp_stage(x, width, expanded, count, **own, **options)
    return head(x, dense=dense)


_RESNEXT: dict[str, Any] = {"filters": (256, 512, 1024, 2048), "expansion": 1, "reduction": 1, "groups": 32}
cspresnet50 = published(cspnet, "cspresnet50")
cspresnext50 = published(cspnet, "cspresnext50", **_RESNEXT)
