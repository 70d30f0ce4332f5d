"""ResNet, with its activations after the convolutions (v1, He et al. 2016) or before them (v2, He et al. 2016b)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice, pairwise
from math import prod
from typing import Any, Literal

from .. import checks
from ..blocks import (
    basic_residual,
    batch_norm,
    block,
    bottleneck,
    chain,
    conv_bn,
    default_of,
    eca,
    max_pool,
    norm_activation,
    projection_shortcut,
    squeeze_excite,
    words,
)
from ..blocks import dense as _dense
from ..blocks import stochastic_depth as _stochastic_depth
from ..blocks.types import Dense, Shortcut, Size, Tensor, Unit
from .constructor import Head, architecture, dilate_stages, published, variant
from .initial_values import KAIMING_FAN_OUT, normal, torch_dense

# Table 1 of the paper: block, its number in each of the four stages, output filters of the first stage.
CONFIGS: dict[int, tuple[Callable[..., Tensor], tuple[int, ...], int]] = {
    18: (basic_residual, (2, 2, 2, 2), 64),
    34: (basic_residual, (3, 4, 6, 3), 64),
    50: (bottleneck, (3, 4, 6, 3), 256),
    101: (bottleneck, (3, 4, 23, 3), 256),
    152: (bottleneck, (3, 8, 36, 3), 256),
}


@block
def symmetric_pool(x: Tensor, pool_size: Size = 3, *, strides: Size | None = 2, name: str | None = None) -> Tensor:
    """The maximum over windows of an odd side that stand on every `strides`-th pixel from the first on.

    What PyTorch computes with `padding=pool_size // 2`; Keras's `"same"` begins elsewhere on images of some sizes.

    Shapes: `batch height width channels` -> `batch ceil(height/s) ceil(width/s) channels`.

    Example:
        >>> import keras
        >>> symmetric_pool(keras.Input((8, 9, 3))).shape
        (None, 4, 5, 3)
    """
    x = max_pool(x, pool_size, strides=1, padding="same", name="pool")
    return max_pool(x, 1, strides=strides, padding="valid", name="subsample")


_FIRST = {"filters": 64, "kernel_size": 7, "strides": 2}
_POOL = partial(max_pool, pool_size=3, strides=2)
STEM = {"stem": _FIRST, "pool": _POOL}
PADDED_STEM = {"stem": _FIRST, "pool": partial(_POOL, padding=1)}
BARE_STEM = {"stem": {**_FIRST, "norm": None, "activation": None}, "pool": partial(_POOL, padding=1)}
VALID_STEM = {"stem": {**_FIRST, "padding": "valid"}, "pool": partial(_POOL, padding="valid")}
SMALL_VALID_STEM = {
    "stem": {"filters": 64, "kernel_size": 3, "padding": "valid"},
    "pool": partial(max_pool, pool_size=2, strides=1),
}
DEEP_STEM = {
    "stem1": {"filters": 32, "kernel_size": 3, "strides": 2},
    "stem2": {"filters": 32, "kernel_size": 3},
    "stem3": {"filters": 64, "kernel_size": 3},
    "pool": _POOL,
}
CIFAR_STEM = {"stem": {"filters": 16, "kernel_size": 3}}

resnet_conv = partial(conv_bn, norm=partial(batch_norm, momentum=0.9, epsilon=1e-5), kernel_initializer="he_normal")
_keras_conv = partial(conv_bn, norm=partial(batch_norm, epsilon=1.001e-5), padding="symmetric")
_torch_conv = partial(resnet_conv, padding="symmetric", kernel_initializer=KAIMING_FAN_OUT)
_biased_conv = partial(conv_bn, use_bias=True)
_bare_projection = partial(projection_shortcut, norm=None, use_bias=True)

_TORCH: dict[str, Any] = {
    "conv": _torch_conv,
    "dense": torch_dense,
    "stem": PADDED_STEM,
    "stride_on": "3x3",
    "classifier_activation": None,
}

DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "v1.5": {"stride_on": "3x3"},
    "keras": {"conv": partial(_keras_conv, use_bias=True), "stem": PADDED_STEM},
    "torchvision": _TORCH,
    "notes": {"conv": _biased_conv, "shortcut": _bare_projection},
    "notes_valid": {"conv": _biased_conv, "stem": VALID_STEM},
    "notes_cifar": {
        "conv": _biased_conv,
        "shortcut": _bare_projection,
        "stem": SMALL_VALID_STEM,
        "input_shape": (32, 32, 3),
        "classes": 100,
        "classifier_activation": None,
    },
}
V2_DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {"conv": partial(resnet_conv, use_bias=False)},
    "keras": {
        "conv": _keras_conv,
        "stem": BARE_STEM,
        "strides": (2, 2, 2, 1),
        "strided_block": "last",
        "stride_on": "3x3",
        "shortcut": "channel_projection",
    },
    "timm": {
        **_TORCH,
        "conv": partial(_torch_conv, use_bias=False),
        "dense": partial(_dense, kernel_initializer=normal(0.01)),
        "stem": {**BARE_STEM, "pool": partial(symmetric_pool, strides=2)},
    },
}


@block
def stage(
    x: Tensor, filters: int, blocks: Sequence[Mapping[str, Any]], *, residual: Callable[..., Tensor], **options: Any
) -> Tensor:
    """One residual block after another; `blocks` holds what is each one's own, `options` what they share.

    Shapes: `batch height width channels` -> `batch ceil(height/s) ceil(width/s) filters`, s the product of the strides.
    """
    for number, own in enumerate(blocks, 1):
        x = residual(x, filters, name=f"block{number}", **options, **own)
    return x


@architecture(dialects=DIALECTS, table="repeats")
def resnet(
    x: Tensor,
    head: Head,
    *,
    depth: int | None = None,
    residual: Callable[..., Tensor] | None = None,
    repeats: tuple[int, ...] | None = None,
    filters: int | None = None,
    strides: tuple[int, ...] = (1, 2, 2, 2),
    stem: Mapping[str, Any] = STEM,
    shortcut: str | Shortcut = "projection",
    stride_on: str | None = None,
    strided_block: Literal["first", "last"] = "first",
    preactivation: bool = False,
    zero_init: bool = False,
    transforms: Sequence[Callable[[Tensor], Tensor]] = (),
    stochastic_depth: float = 0.0,
    output_stride: int | None = None,
    conv: Unit = resnet_conv,
    dense: Dense | None = None,
) -> Tensor:
    """ResNet: a stem, stages of residual blocks of twice the filters each, a mean over the image (He et al. 2016).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        depth: 18 or 34 (basic blocks), 50, 101 or 152 (bottlenecks); None for 50, or where all of the next three say
            what it would.
        residual: block of every stage, such as a partial of `bottleneck` (`reduction`, `groups`); None for that of
            the depth, as for the next two.
        repeats: number of blocks in each stage.
        filters: output channels of the first stage.
        strides: of each stage.
        stem: what comes before the stages, layers of `chain`.
        shortcut: `"pad"` (option A), `"projection"` (B), `"all_projections"` (C), `"channel_projection"`, or a function
            `(x, filters, *, strides, conv)`.
        stride_on: the convolution of a block that has the stride: None for the first (v1), `"3x3"` (v1.5).
        strided_block: the block of a stage that has the stride.
        preactivation: norm and activation before the branch of each block instead of after the sum (v2).
        zero_init: every block begins as its shortcut.
        transforms: functions of every branch before the sum, such as `squeeze_excite`; one that has an argument `conv`
            is given that of the network.
        stochastic_depth: rate at which the last block is skipped in training; growing evenly from the first block on
            (Huang et al. 2016).
        output_stride: stride of the last feature map; what the stages would go beyond it is traded for dilation. A
            block that gives up its stride is dilated as the one before, so that the weights of the strided network
            see the same through the dilated one where that stride is on the 3×3 convolution.
        conv: unit of every convolution.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"v1.5"`; `"keras"`, what `keras.applications` computes; `"torchvision"`, which gives
            logits; `"notes"`: biased convolutions and bare projections; `"notes_valid"`: biased convolutions, a stem
            without padding; `"notes_cifar"`: those of `"notes"` after a small stem, logits of 100 classes for 32×32
            images.

    Raises:
        ValueError: an unknown shortcut or dialect, an output stride that no block reaches.
    """
    if depth is not None and None not in (residual, repeats, filters):
        raise checks.refuse("depth", depth, "None where residual, repeats and filters are given")
    usual, times, width = CONFIGS[50 if depth is None else checks.choice("depth", depth, tuple(CONFIGS))]
    residual = usual if residual is None else checks.function("residual", residual, "name")
    repeats = times if repeats is None else checks.integers("repeats", repeats, _length(repeats))
    filters = width if filters is None else filters
    checks.choice("strided_block", strided_block, ("first", "last"))
    stochastic_depth = checks.fraction("stochastic_depth", stochastic_depth)
    strides = checks.integers("strides", strides, len(repeats))
    x = chain(x, stem, conv=conv)
    places = block_strides(_stride(stem), repeats, strides, strided_block, output_stride)
    own: list[dict[str, Any]] = [
        {
            **place,
            "activation_at": "start" if preactivation else "end",
            "transforms": [*transforms, partial(_stochastic_depth, rate=stochastic_depth * number / len(places))],
        }
        for number, place in enumerate(places, 1)
    ]
    if preactivation and _ends_active(stem, conv):
        own[0]["activation_at"] = None
    blocks = iter(own)
    for number, count in enumerate(repeats, 1):
        x = stage(
            x,
            filters,
            list(islice(blocks, count)),
            residual=residual,
            stride_on=stride_on,
            zero_init=zero_init,
            shortcut=words.resolved("shortcut", "shortcut", shortcut),
            conv=conv,
            name=f"stage{number}",
        )
        filters *= 2
    if preactivation:
        x = norm_activation(x, conv=conv, name="postactivation")
    return head(x, dense=dense)


def block_strides(
    stem: int,
    repeats: Sequence[int],
    strides: Sequence[int],
    strided_block: str,
    output_stride: int | None,
    strided_dilation: str = "before",
) -> list[dict[str, int]]:
    """Stride of each block, or its dilation where there is one.

    A block that gives up its stride is itself dilated as the one before it, or as the one after it.
    """
    steps = [stem]
    for times, stride in zip(repeats, strides, strict=True):
        others = [1] * (times - 1)
        steps += [stride, *others] if strided_block == "first" else [*others, stride]
    after = checks.choice("strided_dilation", strided_dilation, ("before", "after")) == "after"
    pairs = [
        (stride, own if after else before)
        for (_, before), (stride, own) in pairwise(dilate_stages(steps, output_stride))
    ]
    return [
        {"strides": stride} if dilation == 1 else {"strides": stride, "dilation_rate": dilation}
        for stride, dilation in pairs
    ]


def _length(value: Any) -> int:
    return max(1, len(value)) if isinstance(value, Sequence) else 1


def _stride(stem: Mapping[str, Any]) -> int:
    return prod(
        step.get("strides", 1)
        if isinstance(step, Mapping)
        else default_of(step, "strides") or default_of(step, "pool_size", 1)
        for step in stem.values()
    )


def _ends_active(stem: Mapping[str, Any], conv: Unit) -> bool:
    """Whether an activation follows the last convolution of the stem."""
    convs = [step for step in stem.values() if isinstance(step, Mapping)]
    own = {"activation": default_of(conv, "activation", "relu"), **convs[-1]} if convs else {}
    return own.get("activation") is not None


resnet_v2 = variant(
    resnet,
    "resnet_v2",
    """ResNet with norm and activation before each convolution (He et al. 2016b, figure 4e and appendix).

    Arguments and errors as `resnet`, with the dialects `"paper"`; `"keras"`, what the V2 networks of
    `keras.applications` compute: a bare stem, and strides in the last block of a stage; `"timm"`: a bare stem, strides
    on the 3×3 convolutions, logits.
    """,
    dialects=V2_DIALECTS,
    preactivation=True,
)
cifar_resnet = variant(
    resnet,
    "cifar_resnet",
    """ResNet for 32×32 images: three stages from 16 filters on, shortcuts without parameters (He et al. 2016, 4.2).

    Arguments and errors as `resnet`.
    """,
    dialects={},
    residual=basic_residual,
    repeats=(3, 3, 3),
    filters=16,
    strides=(1, 2, 2),
    stem=CIFAR_STEM,
    shortcut="pad",
    input_shape=(32, 32, 3),
    classes=10,
)

# Keras has no networks of basic blocks, and these have no 1×1 convolution to take a stride from.
_BASIC = [dialect for dialect in DIALECTS if dialect not in ("v1.5", "keras")]
_NO_KERAS = ("paper", "timm")

resnet18 = published(resnet, "resnet18", depth=18, dialects=_BASIC)
resnet34 = published(resnet, "resnet34", depth=34, dialects=_BASIC)
resnet50 = published(resnet, "resnet50", depth=50)
resnet101 = published(resnet, "resnet101", depth=101)
resnet152 = published(resnet, "resnet152", depth=152)
TIMM_DIALECT = {**_TORCH, "zero_init": True}
se_resnet50 = published(
    resnet,
    "se_resnet50",
    dialects={"paper": {}, "timm": TIMM_DIALECT},
    depth=50,
    transforms=(squeeze_excite,),
)

_D = {"stem": DEEP_STEM, "shortcut": "avg_pool", "stride_on": "3x3"}
# He et al. 2019, figure 2: a deeper stem, strides on the 3×3 convolutions and in means of the shortcuts.
RESNET_D = {
    "paper": {**_D, "zero_init": True},
    "timm": {**TIMM_DIALECT, **_D, "stem": {**DEEP_STEM, "pool": partial(_POOL, padding=1)}},
}
resnet50d = published(resnet, "resnet50d", dialects=RESNET_D, depth=50)
resnet101d = published(resnet, "resnet101d", dialects=RESNET_D, depth=101)
resnet152d = published(resnet, "resnet152d", dialects=RESNET_D, depth=152)
resnet200d = published(resnet, "resnet200d", dialects=RESNET_D, repeats=(3, 24, 36, 3))
eca_resnet50 = published(
    resnet, "eca_resnet50", dialects={"paper": {"stride_on": "3x3"}, "timm": TIMM_DIALECT}, depth=50, transforms=(eca,)
)
eca_resnet50d = published(resnet, "eca_resnet50d", dialects=RESNET_D, depth=50, transforms=(eca,))
eca_resnet101d = published(resnet, "eca_resnet101d", dialects=RESNET_D, depth=101, transforms=(eca,))

_LATER = {"paper": DIALECTS["v1.5"], "torchvision": _TORCH}
resnext50_32x4d = published(
    resnet, "resnext50_32x4d", dialects=_LATER, depth=50, residual=partial(bottleneck, reduction=2, groups=32)
)
resnext101_32x8d = published(
    resnet, "resnext101_32x8d", dialects=_LATER, depth=101, residual=partial(bottleneck, reduction=1, groups=32)
)
resnext101_64x4d = published(
    resnet, "resnext101_64x4d", dialects=_LATER, depth=101, residual=partial(bottleneck, reduction=1, groups=64)
)
wide_resnet50_2 = published(
    resnet, "wide_resnet50_2", dialects=_LATER, depth=50, residual=partial(bottleneck, reduction=2)
)
wide_resnet101_2 = published(
    resnet, "wide_resnet101_2", dialects=_LATER, depth=101, residual=partial(bottleneck, reduction=2)
)

resnet18_v2 = published(resnet_v2, "resnet18_v2", depth=18, dialects=_NO_KERAS)
resnet34_v2 = published(resnet_v2, "resnet34_v2", depth=34, dialects=_NO_KERAS)
resnet50_v2 = published(resnet_v2, "resnet50_v2", depth=50)
resnet101_v2 = published(resnet_v2, "resnet101_v2", depth=101)
resnet152_v2 = published(resnet_v2, "resnet152_v2", depth=152)
resnet200_v2 = published(resnet_v2, "resnet200_v2", repeats=(3, 24, 36, 3), dialects=_NO_KERAS)

cifar_resnet20 = published(cifar_resnet, "cifar_resnet20", repeats=(3, 3, 3))
cifar_resnet32 = published(cifar_resnet, "cifar_resnet32", repeats=(5, 5, 5))
cifar_resnet44 = published(cifar_resnet, "cifar_resnet44", repeats=(7, 7, 7))
cifar_resnet56 = published(cifar_resnet, "cifar_resnet56", repeats=(9, 9, 9))
cifar_resnet110 = published(cifar_resnet, "cifar_resnet110", repeats=(18, 18, 18))
cifar_resnet1202 = variant(
    cifar_resnet,
    "cifar_resnet1202",
    """ResNet-1202 for CIFAR, built, saved and loaded like any other. Arguments and errors as `cifar_resnet`.

    Example:
        >>> from layerblocks.architectures.catalogue import ENTRIES  # built in some seconds
        >>> ENTRIES["cifar_resnet1202"].parameters
        19510906
    """,
    repeats=(200, 200, 200),
)
cifar_resnet164_v2 = published(
    cifar_resnet,
    "cifar_resnet164_v2",
    residual=bottleneck,
    repeats=(18, 18, 18),
    filters=64,
    shortcut="projection",
    preactivation=True,
    conv=partial(resnet_conv, use_bias=False),
)
