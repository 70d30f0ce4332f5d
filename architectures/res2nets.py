"""Res2Net (Gao et al. 2021, Res2Net: A New Multi-scale Backbone Architecture)."""

from __future__ import annotations

from functools import partial

from ..blocks import bottleneck, hierarchical_conv
from .constructor import published
from .resnets import DIALECTS, TIMM_DIALECT, resnet

# Section 4.1 of the paper: 26 channels in each of 4 parts where ResNet has 64.
_PARTS = partial(bottleneck, reduction=64 / 26, wide=partial(hierarchical_conv, scale=4))
_DIALECTS = {"paper": DIALECTS["v1.5"], "timm": TIMM_DIALECT}

res2net50 = published(resnet, "res2net50", dialects=_DIALECTS, depth=50, residual=_PARTS)
res2net101 = published(resnet, "res2net101", dialects=_DIALECTS, depth=101, residual=_PARTS)
