"""RepVGG (Ding et al. 2021, RepVGG: Making VGG-style ConvNets Great Again)."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import checks
from ..blocks import block, parallel_conv
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture, published
from .resnets import resnet_conv

# Tables 2 and 3 of the paper: blocks and channels of each stage.
REPVGG = {
    "a0": ((2, 4, 14, 1), (48, 96, 192, 1280)),
    "a1": ((2, 4, 14, 1), (64, 128, 256, 1280)),
    "a2": ((2, 4, 14, 1), (96, 192, 384, 1408)),
    "b0": ((4, 6, 16, 1), (64, 128, 256, 1280)),
    "b1": ((4, 6, 16, 1), (128, 256, 512, 2048)),
}

DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "timm": {"conv": partial(resnet_conv, padding="symmetric"), "classifier_activation": None},
}


@block
def repvgg_stage(x: Tensor, filters: int, repeats: int, *, conv: Unit, name: str | None = None) -> Tensor:
    """Sums of a 3×3 and a 1×1 convolution and a norm, the first of which halves the sides.

    Shapes: `batch height width channels` -> `batch ceil(height/2) ceil(width/2) filters`.
    """
    for number in range(1, repeats + 1):
        x = parallel_conv(x, filters, strides=2 if number == 1 else 1, conv=conv, name=f"block{number}")
    return x


@architecture(dialects=DIALECTS)
def repvgg(
    x: Tensor,
    head: Head,
    *,
    repeats: tuple[int, ...] = REPVGG["a0"][0],
    filters: tuple[int, ...] = REPVGG["a0"][1],
    conv: Unit = resnet_conv,
    dense: Dense | None = None,
) -> Tensor:
    """RepVGG: 3×3 convolutions, each with a 1×1 one and a norm beside it to train (Ding et al. 2021, figure 2).

    `inference_model` makes one convolution of the three. Training it on a CPU by TensorFlow needs
    `TF_ENABLE_ONEDNN_OPTS=0`: the gradient of its first 1×1 convolution may end the process (docs/upstream-bugs.md).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        repeats: number of blocks in each stage, after a first one.
        filters: channels of each stage.
        conv: unit of every convolution.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"timm"`: as many zeros on every side, logits.
    """
    filters = checks.integers("filters", filters, max(1, len(filters)))
    repeats = checks.integers("repeats", repeats, len(filters))
    x = parallel_conv(x, min(64, filters[0]), strides=2, conv=conv, name="stem")
    for number, (count, width) in enumerate(zip(repeats, filters, strict=True), 1):
        x = repvgg_stage(x, width, count, conv=conv, name=f"stage{number}")
    return head(x, dense=dense)


def _published(name: str) -> Any:
    repeats, filters = REPVGG[name]
    return published(repvgg, f"repvgg_{name}", repeats=repeats, filters=filters)


repvgg_a0, repvgg_a1, repvgg_a2, repvgg_b0, repvgg_b1 = map(_published, REPVGG)
