"""What became of U-Net: gated, residual and nested skips, and volumes.

Attention U-Net (Oktay et al. 2018), ResUNet (Zhang et al. 2018, Road Extraction by Deep Residual U-Net), V-Net
(Milletari et al. 2016) and U-Net++ (Zhou et al. 2020, UNet++: Redesigning Skip Connections).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
from keras import ops

from .. import checks
from ..blocks import (
    activate,
    add,
    attention_gate,
    batch_norm,
    block,
    conv_bn,
    decoder_block,
    default_of,
    gate,
    max_pool,
    pixel_predictions,
    projection_shortcut,
    register,
    residual,
    resize,
    resize_conv,
    transposed,
    vgg_block,
)
from ..blocks import conv as _conv
from ..blocks.resizing import Interpolation
from ..blocks.tensors import channel_axis, channels, layer, side_axes
from ..blocks.types import Padding, Size, Tensor, Unit
from ..blocks.units import without_norm
from .constructor import Head, architecture, published
from .segmentations import unet, unet_conv

_residual = inspect.unwrap(residual)  # named into the block that calls it
_SAME: dict[str, Any] = {"padding": "same", "dropout": 0.0}
_OF_A_MASK: dict[str, Any] = {"classes": 1, "classifier_activation": "sigmoid"}


@register("unit")
@block
def resized(
    x: Tensor,
    filters: int,
    kernel_size: Size = 2,
    *,
    strides: Size = 2,
    interpolation: Interpolation = "nearest",
    padding: Padding | None = None,
    name: str | None = None,
) -> Tensor:
    """Interpolation alone, in the place of a unit that enlarges: filters, kernel and padding are of no effect.

    Shapes: `batch *sides channels` -> `batch *sides·strides channels`.

    Example:
        >>> resized(keras.Input((8, 8, 6)), 3).shape
        (None, 16, 16, 6)
    """
    return resize(x, strides, interpolation=interpolation)


@block
def same_size_gate(x: Tensor, signal: Tensor, *, conv: Unit = conv_bn, name: str | None = None) -> Tensor:
    """`attention_gate` by a signal that is as large as `x`, with norms: that of the usual code of Attention U-Net.

    Shapes: `batch *sides channels`, `batch *sides channels2` -> as `x`.

    Example:
        >>> same_size_gate(keras.Input((28, 28, 64)), keras.Input((28, 28, 32))).shape
        (None, 28, 28, 64)
    """
    filters, linear = max(1, channels(x) // 2), partial(conv, strides=1, activation=None)
    both = [linear(signal, filters, 1, name="of_signal"), linear(x, filters, 1, name="of_skip")]
    weights = activate(add(both, name="add"), default_of(conv, "activation", "relu"), name="activation")
    return gate(x, conv(weights, 1, 1, strides=1, activation="sigmoid", name="weights"), name="gate")


@block
def residual_convs(
    x: Tensor,
    filters: int,
    convs: int = 2,
    *,
    kernel_size: int = 3,
    conv: Unit = conv_bn,
    name: str | None = None,
    **options: Any,
) -> Tensor:
    """A residual block of so many convolutions of one width; options as of `residual`.

    Shapes: `batch *sides channels` -> `batch *ceil(sides/strides) filters`.

    Example:
        >>> residual_convs(keras.Input((28, 28, 64)), 128, 3, strides=2).shape
        (None, 14, 14, 128)
    """
    return _residual(x, [(filters, kernel_size)] * checks.integer("convs", convs), conv=conv, **options)


@block
def prelu(x: Tensor, *, name: str | None = None) -> Tensor:
    """A ReLU whose slope below zero is trained, one for each channel (He et al. 2015, eq. 1).

    Shapes: `batch *sides channels` -> the same.

    Example:
        >>> keras.Model(x := keras.Input((8, 8, 6)), prelu(x)).count_params()
        6
    """
    return layer(keras.layers.PReLU, x, "prelu", "prelu", shared_axes=side_axes(x))


@register("shortcut")
def repeat_shortcut(x: Tensor, filters: int, *, strides: Size, conv: Unit) -> Tensor:
    """Each channel so often that there are `filters`, a projection where they are no multiple."""
    times, rest = divmod(filters, channels(x))
    if rest or not times:
        return projection_shortcut(x, filters, strides=strides, conv=conv)
    return x if times == 1 else ops.repeat(x, times, axis=channel_axis())


@block
def vnet_block(
    x: Tensor, filters: int, convs: int = 2, *, kernel_size: int = 5, conv: Unit = _conv, name: str | None = None
) -> Tensor:
    """Convolutions as wide as `x`, of at least `filters`, and `x` added (Milletari et al. 2016, figure 2).

    Shapes: `batch *sides channels` -> `batch *sides max(channels, filters)`.

    Example:
        >>> vnet_block(keras.Input((16, 16, 16, 32)), 16).shape
        (None, 16, 16, 16, 32)
    """
    width = max(channels(x), checks.integer("filters", filters))
    units = [(width, kernel_size)] * checks.integer("convs", convs)
    return _residual(x, units, shortcut=repeat_shortcut, conv=conv)


@block
def doubling_conv(
    x: Tensor, pool_size: Size = 2, *, padding: Padding = "same", conv: Unit = _conv, name: str | None = None
) -> Tensor:
    """A convolution in the place of a pool, to twice the channels (Milletari et al. 2016, section 2).

    Shapes: `batch *sides channels` -> `batch *ceil(sides/pool_size) 2·channels`.

    Example:
        >>> doubling_conv(keras.Input((16, 16, 16, 32))).shape
        (None, 8, 8, 8, 64)
    """
    return conv(x, 2 * channels(x), pool_size, strides=pool_size, padding=padding, name="conv")


_TORCH_NORM = partial(batch_norm, momentum=0.9, epsilon=1e-5)
attention_conv = partial(conv_bn, norm=_TORCH_NORM, use_bias=True, kernel_initializer="he_normal")
resunet_conv = partial(conv_bn, use_bias=True, kernel_initializer="he_normal")
vnet_conv = partial(unet_conv, activation=prelu)
linear_up = partial(transposed, activation=None, kernel_initializer="he_normal")

ATTENTION_DIALECTS: dict[str, dict[str, Any]] = {
    "pytorch": {
        "up": partial(resize_conv, kernel_size=3, norm=_TORCH_NORM, use_bias=True, kernel_initializer="he_normal"),
        "gate": same_size_gate,
        "gated_by": "up",
    },
    "paper": {
        "filters": (16, 32, 64, 128, 256),
        "up": partial(resized, interpolation="linear"),
        "gate": attention_gate,
        "input_shape": (160, 160, 96, 1),
    },
}

attention_unet = published(
    unet,
    "attention_unet",
    dialects=ATTENTION_DIALECTS,
    conv=attention_conv,
    **_SAME,
    **_OF_A_MASK,
    input_shape=(256, 256, 3),
)
resunet = published(
    unet,
    "resunet",
    dialects={},
    filters=(64, 128, 256, 512),
    block=partial(residual_convs, activation_at="start"),
    stem=partial(residual_convs, activation_at=None),
    pool=None,
    up=resized,
    conv=resunet_conv,
    **_SAME,
    **_OF_A_MASK,
    input_shape=(224, 224, 3),
)
vnet = published(
    unet,
    "vnet",
    dialects={},
    filters=(16, 32, 64, 128, 256),
    convs=(1, 2, 3, 3, 3),
    block=vnet_block,
    pool=doubling_conv,
    conv=vnet_conv,
    **_SAME,
    input_shape=(128, 128, 64, 1),
)


@architecture(aux_weight=1.0, **_OF_A_MASK, input_shape=(96, 96, 3))
def unet_plus_plus(
    x: Tensor,
    head: Head,
    *,
    filters: Sequence[int] = (32, 64, 128, 256, 512),
    convs: int = 2,
    deep_supervision: bool = False,
    dropout: float = 0.0,
    up: Unit = linear_up,
    conv: Unit = unet_conv,
) -> Tensor | dict[str, Tensor]:
    """U-Net++: every skip is a chain of nodes, each of which sees all before it and the enlarged one below.

    (Zhou et al. 2020, figure 1.)

    Shapes: `batch height width channels` -> `batch height width classes`, for any input size, None included; with
    `deep_supervision` a dict of as many of them as there are nodes above the first. Without a top the last feature map.

    Args:
        filters: at each resolution, the finest first.
        convs: number of convolutions of a node.
        deep_supervision: whether the other nodes of the finest resolution have scores too, with the same weight in
            training; their mean is the paper's accurate mode, a single one of them its fast mode.
        dropout: rate after each node on the way down.
        up: unit that doubles the sides; linear in the authors' code.
        conv: unit of every other convolution; that of the scores is linear and has no norm.
    """
    filters, supervised = (
        checks.integers("filters", filters, max(2, len(filters))),
        checks.flag("deep_supervision", deep_supervision),
    )
    nodes: dict[tuple[int, int], Tensor] = {}
    for level, width in enumerate(filters):
        y = max_pool(nodes[level - 1, 0], 2, padding="same", name=f"pool{level}") if level else x
        nodes[level, 0] = vgg_block(y, width, convs, dropout=dropout, pool=None, conv=conv, name=f"node{level + 1}_0")
    for column in range(1, len(filters)):
        for level, width in enumerate(filters[: len(filters) - column]):
            skips = [nodes[level, before] for before in range(column)]
            below, name = nodes[level + 1, column - 1], f"node{level + 1}_{column}"
            nodes[level, column] = decoder_block(below, skips, width, convs, up=up, conv=conv, name=name)
    last = len(filters) - 1
    if not head.include_top:
        return head(nodes[0, last])
    score = partial(without_norm(conv), filters=head.classes, kernel_size=1, strides=1, activation=None)
    main = pixel_predictions(score(nodes[0, last], name="score"), head.activation, name="predictions")
    if not supervised or last < 2:
        return main
    outputs = {"main": main}
    for column in range(1, last):
        y = score(nodes[0, column], name=f"aux{column}_score")
        outputs[f"aux{column}"] = pixel_predictions(y, head.activation, name=f"aux{column}_predictions")
    return outputs
