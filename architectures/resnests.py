"""ResNeSt (Zhang et al. 2020, ResNeSt: Split-Attention Networks)."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..blocks import bottleneck, split_attention
from .constructor import published
from .resnets import RESNET_D, resnet


def _deep(stem: Any, width: int) -> dict[str, Any]:
    """The stem of three convolutions, the first two of so many filters and the third of twice as many."""
    widths = {"stem1": width, "stem2": width, "stem3": 2 * width}
    return {name: {**step, "filters": widths[name]} if name in widths else step for name, step in stem.items()}


# Table 12 of the paper: 2 splits of 64 filters, and a wider stem from 101 layers on.
_WIDE = {dialect: {**options, "stem": _deep(options["stem"], 64)} for dialect, options in RESNET_D.items()}
_SPLIT: dict[str, Any] = {"residual": partial(bottleneck, wide=split_attention)}

resnest50 = published(resnet, "resnest50", dialects=RESNET_D, depth=50, **_SPLIT)
resnest101 = published(resnet, "resnest101", dialects=_WIDE, depth=101, **_SPLIT)
