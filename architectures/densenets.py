"""DenseNet (Huang et al. 2017, Densely Connected Convolutional Networks)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import checks
from ..blocks import batch_norm, dense_block, max_pool, norm_activation, preact_conv, transition
from ..blocks import dense as _dense
from ..blocks.tensors import channels
from ..blocks.types import Dense, Padding, Tensor, Unit
from ..blocks.units import leading
from .constructor import Head, architecture, dilate_stages, published
from .initial_values import KAIMING_FAN_IN, TORCH_DEFAULT

# Table 1 of the paper: layers in each of the four dense blocks.
LAYERS = {121: (6, 12, 24, 16), 161: (6, 12, 36, 24), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32), 264: (6, 12, 64, 48)}
IMAGENET_STRIDES, CIFAR_STRIDES = (4, 2, 2, 2), (1, 2, 2)
BC: dict[str, Any] = {"bottleneck": 4, "compression": 0.5, "stem_filters": None}

densenet_conv = partial(
    preact_conv, norm=partial(batch_norm, momentum=0.9, epsilon=1e-5), kernel_initializer="he_normal"
)

DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "keras": {"conv": partial(preact_conv, norm=partial(batch_norm, epsilon=1.001e-5)), "stem_padding": (3, 1)},
    "torchvision": {
        "conv": partial(densenet_conv, kernel_initializer=KAIMING_FAN_IN),
        "dense": partial(_dense, kernel_initializer=TORCH_DEFAULT),
        "stem_padding": (3, 1),
        "classifier_activation": None,
    },
}


def _dense_stages(
    x: Tensor,
    layers: Sequence[int],
    stages: Sequence[tuple[Any, int]],
    *,
    growth_rate: int,
    compression: float,
    conv: Unit,
    dropout: float,
    bottleneck: int,
) -> Tensor:
    """Dense blocks with transitions between them, and the norm and activation that close the last one."""
    compression = checks.number("compression", compression, "a number above 0 and up to 1", above=0, at_most=1)
    options: dict[str, Any] = {"dropout": dropout, "conv": conv}
    before = 1
    for number, (count, (strides, rate)) in enumerate(zip(layers, stages, strict=True), 1):
        if number > 1:
            name, filters = f"transition{number - 1}", int(channels(x) * compression)
            x = transition(x, filters, strides=strides, dilation_rate=before, name=name, **options)
        x = dense_block(
            x, count, growth_rate, bottleneck=bottleneck, dilation_rate=rate, name=f"block{number}", **options
        )
        before = rate
    return norm_activation(x, conv=conv, name="postactivation")


@architecture(dialects=DIALECTS, table="layers")
def densenet(
    x: Tensor,
    head: Head,
    *,
    layers: tuple[int, ...] = LAYERS[121],
    growth_rate: int = 32,
    bottleneck: int = 4,
    compression: float = 0.5,
    dropout: float = 0.0,
    stem_padding: tuple[Padding, Padding] = ("same", "same"),
    output_stride: int = 32,
    conv: Unit = densenet_conv,
    dense: Dense | None = None,
) -> Tensor:
    """DenseNet-BC: a 7×7 convolution, a pool and four dense blocks (Huang et al. 2017, table 1).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        layers: in each dense block.
        growth_rate: channels that each layer adds (k).
        bottleneck: the 1×1 convolution of a layer has so many times `growth_rate` filters; 0 for none.
        compression: share of the channels that a transition keeps (θ).
        dropout: rate after every convolution in the dense blocks and transitions.
        stem_padding: of the first convolution and of the pool after it.
        output_stride: 32; 16 or 8 keeps the resolution of the last blocks by dilation, with the same weights.
        conv: unit of every convolution; norm and activation stand before it, and after it in the stem.
        dialect: `"paper"`; `"keras"` and `"torchvision"`: as many zeros on every side of the stem, Keras with its own
            constants of the norm and initialisers, torchvision with logits.

    """
    stages = dilate_stages(IMAGENET_STRIDES, output_stride)
    layers = checks.integers("layers", layers, len(stages))
    growth_rate = checks.integer("growth_rate", growth_rate)
    x = leading(conv)(x, 2 * growth_rate, 7, strides=2, padding=stem_padding[0], name="stem")
    x = max_pool(x, 3, strides=2, padding=stem_padding[1], name="pool")
    options: dict[str, Any] = {"growth_rate": growth_rate, "compression": compression, "dropout": dropout, "conv": conv}
    return head(_dense_stages(x, layers, stages, bottleneck=bottleneck, **options), dense=dense)


@architecture(input_shape=(32, 32, 3), classes=10)
def cifar_densenet(
    x: Tensor,
    head: Head,
    *,
    depth: int = 40,
    growth_rate: int = 12,
    bottleneck: int = 0,
    compression: float = 1.0,
    dropout: float = 0.0,
    stem_filters: int | None = 16,
    output_stride: int = 4,
    conv: Unit = densenet_conv,
    dense: Dense | None = None,
) -> Tensor:
    """DenseNet for 32×32 images: a 3×3 convolution and three dense blocks alike (Huang et al. 2017, section 3).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        depth: layers with weights (L): 4 more than a multiple of 3, or of 6 with a bottleneck.
        bottleneck, compression: 0 and 1 for the plain net, 4 and 0.5 for DenseNet-BC.
        dropout: rate after every convolution in the dense blocks and transitions; 0.2 in the paper where the images
            are not augmented.
        stem_filters: of the first convolution; None for twice the growth rate.
        output_stride: 4; 2 or 1 keeps the resolution of the last blocks by dilation.

    The other arguments and the errors are those of `densenet`.

    Example:
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = cifar_densenet(depth=100, growth_rate=24)
        >>> import math
        >>> sum(math.prod(weight.shape) for weight in model.trainable_weights)
        27249082
    """
    convs = 2 if bottleneck else 1
    layers, rest = divmod(checks.integer("depth", depth, at_least=7) - 4, 3 * convs)
    if rest or not layers:
        raise checks.refuse("depth", depth, f"4 more than a multiple of {3 * convs}")
    growth_rate = checks.integer("growth_rate", growth_rate)
    filters = 2 * growth_rate if stem_filters is None else stem_filters
    x = leading(conv)(x, filters, 3, strides=1, norm=None, activation=None, name="stem")
    options: dict[str, Any] = {"growth_rate": growth_rate, "compression": compression, "dropout": dropout, "conv": conv}
    stages = dilate_stages(CIFAR_STRIDES, output_stride)
    return head(_dense_stages(x, (layers,) * 3, stages, bottleneck=bottleneck, **options), dense=dense)


densenet121 = published(densenet, "densenet121", layers=LAYERS[121])
densenet161 = published(densenet, "densenet161", layers=LAYERS[161], growth_rate=48, dialects=("paper", "torchvision"))
densenet169 = published(densenet, "densenet169", layers=LAYERS[169])
densenet201 = published(densenet, "densenet201", layers=LAYERS[201])
densenet264 = published(densenet, "densenet264", layers=LAYERS[264], dialects=("paper",))
cifar_densenet40 = published(cifar_densenet, "cifar_densenet40", depth=40)
cifar_densenet_bc100 = published(cifar_densenet, "cifar_densenet_bc100", depth=100, **BC)
