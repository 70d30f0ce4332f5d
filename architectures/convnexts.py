"""ConvNeXt (Liu et al. 2022, A ConvNet for the 2020s) and its version 2 (Woo et al. 2023)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras

from .. import checks
from ..blocks import (
    block,
    convnext_block,
    global_avg_pool,
    global_response_norm,
    layer_norm,
    layer_scale,
    matching,
    preact_conv,
)
from ..blocks import conv as _conv
from ..blocks import stochastic_depth as _stochastic_depth
from ..blocks.tensors import channels
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture, published, variant
from .efficientnets import standardized

# Section 3.1 of the paper, blocks and channels of each stage; table 5, the rate of stochastic depth.
CONFIGS = {
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768), 0.1),
    "small": ((3, 3, 27, 3), (96, 192, 384, 768), 0.4),
    "base": ((3, 3, 27, 3), (128, 256, 512, 1024), 0.5),
    "large": ((3, 3, 27, 3), (192, 384, 768, 1536), 0.5),
    "xlarge": ((3, 3, 27, 3), (256, 512, 1024, 2048), 0.2),
}
# Table 13 of version 2, which begins without stochastic depth.
V2_CONFIGS = {
    "atto": ((2, 2, 6, 2), (40, 80, 160, 320)),
    "femto": ((2, 2, 6, 2), (48, 96, 192, 384)),
    "pico": ((2, 2, 6, 2), (64, 128, 256, 512)),
    "nano": ((2, 2, 8, 2), (80, 160, 320, 640)),
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "large": ((3, 3, 27, 3), (192, 384, 768, 1536)),
    "huge": ((3, 3, 27, 3), (352, 704, 1408, 2816)),
}

# Of the authors' code.
convnext_conv = partial(_conv, activation="gelu", kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02))
convnext_norm = partial(layer_norm, epsilon=1e-6)
_NORMED: dict[str, Any] = {"norm": convnext_norm, "activation": None, "use_bias": True, "padding": "valid"}


def standardized_colours(x: Tensor) -> Tensor:
    """Pixels from 0 to 255 normalised by the statistics of ImageNet; images without three channels as they are."""
    return standardized(x) if channels(x) == 3 else x


DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "keras": {"preprocess": standardized_colours, "stochastic_depth": 0.0},
    "torchvision": {"classifier_activation": None},
}
_OF_TIMM = {"timm": DIALECTS["torchvision"]}


@block
def convnext_stage(
    x: Tensor, filters: int, rates: Sequence[float], *, transforms: Any, downsample: Unit | None, **options: Any
) -> Tensor:
    """Blocks with these rates of stochastic depth, and before them a norm and a 2×2 convolution that halves the sides.

    Shapes: `batch height width channels` -> `batch height//2 width//2 filters`; without `downsample` the same.
    """
    x = x if downsample is None else downsample(x, filters, 2, strides=2, name="downsample")
    for number, rate in enumerate(rates, 1):
        transforms_and_depth = [*transforms, partial(_stochastic_depth, rate=rate)]
        x = convnext_block(x, transforms=transforms_and_depth, name=f"block{number}", **options)
    return x


@architecture(dialects=DIALECTS)
def convnext(
    x: Tensor,
    head: Head,
    *,
    repeats: tuple[int, ...] = (3, 3, 9, 3),
    filters: tuple[int, ...] = (96, 192, 384, 768),
    stochastic_depth: float = 0.1,
    inner: Sequence[Callable[[Tensor], Tensor]] = (),
    transforms: Sequence[Callable[[Tensor], Tensor]] = (layer_scale,),
    preprocess: Callable[[Tensor], Tensor] | None = None,
    conv: Unit = convnext_conv,
    depthwise: Unit | None = None,
    dense: Dense | None = None,
) -> Tensor:
    """ConvNeXt: 4×4 patches, and stages of a wide depthwise convolution and a 1×1 pair each (Liu et al. 2022).

    Shapes: `batch height width channels` -> `batch classes`, for images of 32×32 on, None included. Sides that are no
    multiple of 32 lose what is left over.

    Args:
        repeats: number of blocks in each stage.
        filters: channels of each stage.
        stochastic_depth: rate at which the last block is skipped in training; growing evenly from 0 for the first.
        inner: functions of the wide part of every block: `[global_response_norm]` for version 2.
        transforms: functions of every branch before the sum.
        preprocess: function of the image; None for none.
        conv: unit of every convolution that is not depthwise.
        depthwise: unit of those; None for `depthwise` with a layer norm and the options of `conv`.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"keras"`: pixels from 0 to 255, normalised in the network, no stochastic depth;
            `"torchvision"`, which gives logits.
    """
    filters = checks.integers("filters", filters, max(1, len(filters)))
    repeats = checks.integers("repeats", repeats, len(filters))
    rate, total = checks.fraction("stochastic_depth", stochastic_depth), max(1, sum(repeats) - 1)
    if preprocess is not None:
        x = checks.function("preprocess", preprocess)(x)
    x = conv(x, filters[0], 4, strides=4, name="stem", **_NORMED)
    halving, before = partial(matching(preact_conv, conv), **_NORMED), 0
    for number, (count, width) in enumerate(zip(repeats, filters, strict=True), 1):
        rates = [rate * place / total for place in range(before, before + count)]
        options: dict[str, Any] = {"inner": inner, "transforms": transforms, "conv": conv, "depthwise": depthwise}
        downsample = None if number == 1 else halving
        x = convnext_stage(x, width, rates, downsample=downsample, name=f"stage{number}", **options)
        before += count
    if not head.include_top:
        return convnext_norm(head(x), name="norm")
    x = convnext_norm(global_avg_pool(x, name="global_pool"), name="norm")
    return head(x, pooling=None, dense=dense)


convnext_v2 = variant(
    convnext,
    "convnext_v2",
    """ConvNeXt with a norm by the response of the whole map instead of a factor for each channel (Woo et al. 2023).

    Arguments and errors as `convnext`, with the dialects `"paper"`; `"timm"`, which gives logits.
    """,
    dialects={"paper": {}, **_OF_TIMM},
    inner=(global_response_norm,),
    transforms=(),
    stochastic_depth=0.0,
)


def _sized(name: str) -> Any:
    repeats, filters, rate = CONFIGS[name]
    lacking = {"dialects": {"paper": {}, "keras": DIALECTS["keras"], **_OF_TIMM}} if name == "xlarge" else {}
    options = {"repeats": repeats, "filters": filters, "stochastic_depth": rate}
    return published(convnext, f"convnext_{name}", **options, **lacking)


def _sized_v2(name: str) -> Any:
    repeats, filters = V2_CONFIGS[name]
    return published(convnext_v2, f"convnext_v2_{name}", repeats=repeats, filters=filters)


convnext_tiny, convnext_small, convnext_base, convnext_large, convnext_xlarge = map(_sized, CONFIGS)
convnext_v2_atto, convnext_v2_femto, convnext_v2_pico, convnext_v2_nano = map(_sized_v2, [*V2_CONFIGS][:4])
convnext_v2_tiny, convnext_v2_base, convnext_v2_large, convnext_v2_huge = map(_sized_v2, [*V2_CONFIGS][4:])
