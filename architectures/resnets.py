"""ResNet (He et al. 2016, Deep Residual Learning for Image Recognition)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..blocks import (
    basic_residual,
    batch_norm,
    block,
    bottleneck,
    checks,
    conv_bn,
    max_pool,
    pad_shortcut,
    projection_shortcut,
)
from ..blocks.types import Shortcut, Size, Tensor, Unit
from .network import Head, architecture, variant

# Table 1 of the paper: block, its number in each of the four stages, output filters of the first stage.
CONFIGS: dict[int, tuple[Callable[..., Tensor], tuple[int, ...], int]] = {
    18: (basic_residual, (2, 2, 2, 2), 64),
    34: (basic_residual, (3, 4, 6, 3), 64),
    50: (bottleneck, (3, 4, 6, 3), 256),
    101: (bottleneck, (3, 4, 23, 3), 256),
    152: (bottleneck, (3, 8, 36, 3), 256),
}
SHORTCUTS: dict[str, Shortcut] = {
    "pad": pad_shortcut,
    "projection": projection_shortcut,
    "all_projections": partial(projection_shortcut, always=True),
}

resnet_conv = partial(conv_bn, norm=partial(batch_norm, momentum=0.9, epsilon=1e-5), kernel_initializer="he_normal")

DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "v1.5": {"stride_on": "3x3"},
    "notes": {
        "conv": partial(conv_bn, use_bias=True),
        "shortcut": partial(projection_shortcut, norm=None, use_bias=True),
    },
}


@block
def stage(
    x: Tensor, filters: int, repeats: int, *, residual: Callable[..., Tensor], strides: Size = 1, **options: Any
) -> Tensor:
    """`repeats` residual blocks, the first of which takes the stride.

    Shapes: `batch height width channels` -> `batch ceil(height/strides) ceil(width/strides) filters`.
    """
    for number in range(1, checks.integer("repeats", repeats) + 1):
        x = residual(x, filters, strides=strides if number == 1 else 1, name=f"block{number}", **options)
    return x


@architecture(dialects=DIALECTS)
def resnet(
    x: Tensor,
    head: Head,
    *,
    depth: int = 50,
    shortcut: str | Shortcut = "projection",
    stride_on: str = "1x1",
    conv: Unit = resnet_conv,
) -> Tensor:
    """ResNet: a 7×7 convolution, a pool and four stages of residual blocks (He et al. 2016, table 1).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        depth: 18 or 34 (basic blocks), 50, 101 or 152 (bottlenecks).
        shortcut: `"pad"` (option A), `"projection"` (B), `"all_projections"` (C), or a function
            `(x, filters, *, strides, conv)`.
        stride_on: the convolution of a bottleneck that takes the stride, `"1x1"` (v1) or `"3x3"` (v1.5).
        conv: unit of every convolution.
        dialect: `"paper"`; `"v1.5"`, which torchvision has; `"notes"`: biased convolutions, bare projections.
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name: as in
            `keras.applications`; `weights` is None or a weights file.

    Raises:
        ValueError: an unknown depth, shortcut or dialect, or another argument out of range.
        TypeError: an unknown argument, or one of the wrong type.
    """
    residual, repeats, filters = CONFIGS[checks.choice("depth", depth, tuple(CONFIGS))]
    options: dict[str, Any] = {"conv": conv, "shortcut": _shortcut(shortcut)}
    if residual is bottleneck:
        options["stride_on"] = stride_on
    x = conv(x, 64, 7, strides=2, name="stem")
    x = max_pool(x, 3, strides=2, name="pool")
    for number, times in enumerate(repeats, 1):
        x = stage(
            x, filters, times, residual=residual, strides=1 if number == 1 else 2, name=f"stage{number}", **options
        )
        filters *= 2
    return head(x)


def _shortcut(shortcut: str | Shortcut) -> Shortcut:
    return SHORTCUTS[checks.choice("shortcut", shortcut, tuple(SHORTCUTS))] if isinstance(shortcut, str) else shortcut


def _example(depth: int, parameters: int) -> str:
    return f"""ResNet-{depth}. Arguments and errors as `resnet`.

    Example:
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = resnet{depth}()
        >>> model.count_params()
        {parameters}
    """


resnet18 = variant(resnet, "resnet18", _example(18, 11_699_112), depth=18)
resnet50 = variant(resnet, "resnet50", _example(50, 25_610_152), depth=50)
