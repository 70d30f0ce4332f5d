"""VGG (Simonyan and Zisserman 2015, Very Deep Convolutional Networks for Large-Scale Image Recognition)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from .. import checks
from ..blocks import batch_norm, conv_bn, default_of, local_response_norm, vgg_block
from ..blocks import conv as _conv
from ..blocks import dense as _dense
from ..blocks.types import Dense, Size, Tensor, Unit
from .constructor import Head, architecture, dilate_stages, published
from .initial_values import KAIMING_FAN_OUT, normal

VGG16_CONVS = (2, 2, 3, 3, 3)
# Table 1 of the paper: for each of the five blocks the number of its 3×3 convolutions, or their kernel sizes.
CONVS: dict[str, tuple[int | tuple[int, ...], ...]] = {
    "A": (1, 1, 2, 2, 2),
    "B": (2, 2, 2, 2, 2),
    "C": (2, 2, (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": VGG16_CONVS,
    "E": (2, 2, 4, 4, 4),
}
FILTERS = (64, 128, 256, 512, 512)

# Not in the paper: torchvision's networks with BatchNorm, whose convolutions keep their biases.
vgg_conv_bn = partial(conv_bn, use_bias=True, norm=partial(batch_norm, momentum=0.9, epsilon=1e-5))

# "gaussian, std 0.005, bias 0.1": the table of VGG-16 in the notes.
narrow_dense = partial(
    _dense,
    kernel_initializer={"class_name": "RandomNormal", "config": {"stddev": 0.005}},
    bias_initializer={"class_name": "Constant", "config": {"value": 0.1}},
)
_TORCH: dict[str, Any] = {
    "output_size": 7,
    "dense": partial(_dense, kernel_initializer=normal(0.01)),
    "classifier_activation": None,
}

DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "keras": {"dropout": 0.0},
    "torchvision": {**_TORCH, "conv": partial(_conv, kernel_initializer=KAIMING_FAN_OUT)},
    "notes": {"dense": narrow_dense},
    "notes_bn": {
        "conv": partial(conv_bn, use_bias=True),
        "block_dropout": 0.2,
        "units": (4096, 1024),
        "dropout": 0.2,
        "classes": 10,
    },
    "notes_cifar": {
        "padding": "same",
        "units": (256, 128),
        "dropout": 0.0,
        "input_shape": (32, 32, 3),
        "classes": 10,
        "classifier_activation": None,
    },
}


@architecture(dialects=DIALECTS, table="convs")
def vgg(
    x: Tensor,
    head: Head,
    *,
    convs: Sequence[int | tuple[int, ...]] = CONVS["D"],
    filters: Sequence[int] = FILTERS,
    lrn: bool = False,
    output_stride: int | None = None,
    padding: Literal["same", "valid"] = "valid",
    block_dropout: float = 0.0,
    output_size: Size | None = None,
    units: tuple[int, ...] = (4096, 4096),
    dropout: float | Sequence[float] = 0.5,
    dense: Dense | None = None,
    output: Dense | None = None,
    conv: Unit = _conv,
) -> Tensor:
    """VGG: blocks of 3×3 convolutions and 2×2 pools, and three dense layers (Simonyan and Zisserman 2015, table 1).

    Shapes: `batch height width channels` -> `batch classes`; the dense layers need a known input size unless there is
    an `output_size`, or `fully_convolutional` makes convolutions of them.

    Args:
        convs: for each block the number of its 3×3 convolutions, or their kernel sizes.
        filters: of each block.
        lrn: local response normalization after the convolutions of the first block (configuration A-LRN).
        output_stride: 8 or 16 keeps the resolution of the last blocks by dilation, with the same weights; meant for
            `include_top=False` or an `output_size`. None for 32.
        padding: of the poolings; `"same"` rounds halves up.
        block_dropout: rate after each block.
        output_size: average the last feature map to this size; with 7, images of any size fit.
        units: of the hidden dense layers, which have the activation of `conv`.
        dropout: rate after each of them, or a list of the rates before each dense layer, the last one included.
        dense: unit of the dense layers, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        output: unit of the last of them; None for `dense`.
        conv: unit of every convolution.
        dialect: `"paper"`; `"keras"`: no dropout; `"torchvision"`: averaged to 7×7 before the dense layers, logits
            (timm's networks compute the same up to 224×224); `"notes"`: the notes' table of layers, with its
            initialisers of these; `"notes_bn"`: BatchNorm, dropout after the blocks and a 4096-1024 head;
            `"notes_cifar"`: a 256-128 head that gives logits, for 32×32×3.

    Raises:
        ValueError: an image below 32×32.
    """
    if len(convs) != len(filters):
        raise checks.refuse("filters", filters, f"one number for each of the {len(convs)} blocks of convs")
    block_dropout = checks.fraction("block_dropout", block_dropout)
    stages = dilate_stages((2,) * len(convs), output_stride)
    rates = [1, *(rate for _, rate in stages[:-1])]  # a block strides at its end, all of it has the rate before
    for number, (kernels, width, (strides, _), rate) in enumerate(zip(convs, filters, stages, rates, strict=True), 1):
        x = vgg_block(
            x,
            width,
            kernels if isinstance(kernels, int) else len(kernels),
            kernel_size=3 if isinstance(kernels, int) else list(kernels),
            norm=local_response_norm if lrn and number == 1 else None,
            strides=strides,
            dilation_rate=rate,
            padding=padding,
            dropout=block_dropout,
            conv=conv,
            name=f"block{number}",
        )
    return head(
        x,
        pooling="flatten",
        output_size=output_size,
        units=units,
        dropout=dropout,
        hidden_activation=default_of(conv, "activation", "relu"),
        dense=dense,
        output=output,
    )


_A, _B, _C, _D, _E = ({"convs": convs} for convs in CONVS.values())
_A_LRN, _BN = {**_A, "lrn": True}, {"conv": vgg_conv_bn}
# Which sources have the network: Keras two of them, torchvision the plain ones and those with BatchNorm.
_PAPER: dict[str, Any] = {"dialects": ("paper",)}
_NO_KERAS: dict[str, Any] = {"dialects": [dialect for dialect in DIALECTS if dialect != "keras"]}
_BN_TORCH: dict[str, Any] = {
    "dialects": {
        "paper": {},
        "torchvision": {**_TORCH, "conv": partial(vgg_conv_bn, kernel_initializer=KAIMING_FAN_OUT)},
    },
    **_BN,
}

vgg11 = published(vgg, "vgg11", **_A, **_NO_KERAS)
vgg11_lrn = published(vgg, "vgg11_lrn", **_A_LRN, **_PAPER)
vgg13 = published(vgg, "vgg13", **_B, **_NO_KERAS)
vgg16c = published(vgg, "vgg16c", **_C, **_PAPER)
vgg16 = published(vgg, "vgg16", **_D)
vgg19 = published(vgg, "vgg19", **_E)
vgg11_bn = published(vgg, "vgg11_bn", **_A, **_BN_TORCH)
vgg11_lrn_bn = published(vgg, "vgg11_lrn_bn", **_A_LRN, **_BN, **_PAPER)
vgg13_bn = published(vgg, "vgg13_bn", **_B, **_BN_TORCH)
vgg16c_bn = published(vgg, "vgg16c_bn", **_C, **_BN, **_PAPER)
vgg16_bn = published(vgg, "vgg16_bn", **_D, **_BN_TORCH)
vgg19_bn = published(vgg, "vgg19_bn", **_E, **_BN_TORCH)
