"""ConvMixer (Trockman and Kolter 2022, Patches Are All You Need?)."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import checks
from ..blocks import add, batch_norm, block, conv_bn, default_of, matching
from ..blocks import depthwise as _depthwise
from ..blocks.tensors import channels
from ..blocks.types import Dense, Size, Tensor, Unit
from .constructor import Head, architecture, published

# Table 1 of the paper: channels, blocks, side of the kernels, side of a patch, activation.
CONVMIXER = {
    "1536_20": (1536, 20, 9, 7, "gelu"),
    "768_32": (768, 32, 7, 7, "relu"),
    "1024_20": (1024, 20, 9, 14, "gelu"),
}

# Norms of PyTorch, in which the authors' code is written.
convmixer_conv = partial(conv_bn, activation="gelu", norm=partial(batch_norm, momentum=0.9, epsilon=1e-5))
DIALECTS: dict[str, dict[str, Any]] = {"paper": {}, "timm": {"classifier_activation": None}}


@block
def activated_first(x: Tensor, filters: int, kernel_size: Size, *, unit: Unit, **options: Any) -> Tensor:
    """A unit whose activation stands before its norm.

    Shapes: as the unit.
    """
    bias, norm = default_of(unit, "use_bias"), default_of(unit, "norm")
    y = unit(x, filters, kernel_size, norm=None, use_bias=bias is not False, name="unit", **options)
    return y if norm is None else norm(y, name="norm")


@architecture(dialects=DIALECTS)
def convmixer(
    x: Tensor,
    head: Head,
    *,
    filters: int = 1536,
    repeats: int = 20,
    kernel_size: int = 9,
    patch_size: int = 7,
    conv: Unit = convmixer_conv,
    depthwise: Unit | None = None,
    dense: Dense | None = None,
) -> Tensor:
    """ConvMixer: patches, and blocks of a wide depthwise convolution and a 1×1 (Trockman and Kolter 2022, figure 2).

    Shapes: `batch height width channels` -> `batch classes`, for images of a patch on, None included. Sides that are no
    multiple of `patch_size` lose what is left over.

    Args:
        filters: channels of a patch.
        repeats: number of blocks.
        kernel_size: side of the depthwise kernels.
        patch_size: side of a patch.
        conv: unit of every convolution that is not depthwise; its activation stands before its norm.
        depthwise: unit of those; None for `depthwise` with the options of `conv`.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"timm"`, which gives logits.
    """
    own: Any = matching(_depthwise, conv) if depthwise is None else depthwise
    patches = {"strides": checks.integer("patch_size", patch_size), "padding": "valid"}
    x = activated_first(x, filters, patch_size, unit=conv, name="stem", **patches)
    for number in range(1, checks.integer("repeats", repeats) + 1):
        x = convmixer_block(x, kernel_size, conv=conv, depthwise=own, name=f"block{number}")
    return head(x, dense=dense) if head.include_top else head(x)


@block
def convmixer_block(x: Tensor, kernel_size: Size, *, conv: Unit, depthwise: Unit, name: str | None = None) -> Tensor:
    """A depthwise convolution with `x` added, then a 1×1 convolution (Trockman and Kolter 2022, section 2).

    Shapes: `batch height width channels` -> the same.
    """
    y = activated_first(x, channels(x), kernel_size, unit=depthwise, strides=1, name="depthwise")
    return activated_first(add([x, y], name="add"), channels(x), 1, unit=conv, strides=1, name="pointwise")


def _published(name: str) -> Any:
    words = ("filters", "repeats", "kernel_size", "patch_size")
    *sizes, activation = CONVMIXER[name]
    conv = partial(convmixer_conv, activation=activation)
    return published(convmixer, f"convmixer_{name}", conv=conv, **dict(zip(words, sizes, strict=True)))


convmixer_1536_20, convmixer_768_32, convmixer_1024_20 = map(_published, CONVMIXER)
