"""A class for every pixel from a dilated classifier: FCN and DeepLabV3 as torchvision has them, and LR-ASPP.

(Long et al. 2015; Chen et al. 2017, Rethinking Atrous Convolution for Semantic Image Segmentation; Howard et al. 2019.)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras

from .. import checks
from ..blocks import (
    add,
    aspp,
    batch_norm,
    block,
    conv_bn,
    dropout,
    gate,
    global_avg_pool,
    pixel_predictions,
    resize_like,
    words,
)
from ..blocks.tensors import channels
from ..blocks.types import Activation, Tensor, Unit
from ..blocks.units import without_norm
from ..graphs.calls import calls, trunk
from ..graphs.receptive_fields import strides
from ..models.feature_maps import PREPARE
from . import catalogue
from .constructor import Head, architecture, published
from .initial_values import torch_conv

DIALECTS: dict[str, dict[str, Any]] = {"torchvision": {"classifier_activation": None}}
decoder_conv = partial(torch_conv, norm=partial(batch_norm, momentum=0.9, epsilon=1e-5), activation="relu")


@block
def fcn_decoder(
    x: Tensor, *, reduction: int = 4, rate: float = 0.1, conv: Unit = conv_bn, name: str | None = None
) -> Tensor:
    """A 3×3 convolution to a fraction of the channels, and dropout.

    Shapes: `batch *sides channels` -> `batch *sides channels//reduction`.

    Example:
        >>> import keras
        >>> fcn_decoder(keras.Input((65, 65, 2048))).shape
        (None, 65, 65, 512)
    """
    filters = max(1, channels(x) // checks.integer("reduction", reduction))
    return dropout(conv(x, filters, 3, strides=1, name="conv"), rate, name="dropout")


@block
def deeplab_decoder(
    x: Tensor,
    *,
    filters: int = 256,
    rates: Sequence[int] = (12, 24, 36),
    rate: float = 0.5,
    conv: Unit = conv_bn,
    name: str | None = None,
) -> Tensor:
    """Atrous spatial pyramid pooling, dropout and a 3×3 convolution (Chen et al. 2017, figure 5).

    Shapes: `batch *sides channels` -> `batch *sides filters`.

    Example:
        >>> import keras
        >>> deeplab_decoder(keras.Input((65, 65, 2048))).shape
        (None, 65, 65, 256)
    """
    x = dropout(aspp(x, filters, rates, conv=conv, name="aspp"), rate, name="dropout")
    return conv(x, filters, 3, strides=1, name="conv")


def pixel_scores(
    x: Tensor, like: Tensor, classes: int, *, decoder: Callable[..., Tensor], activation: Activation, conv: Unit
) -> Tensor:
    """What a decoder makes of a map, scored by a 1×1 convolution and enlarged to the sides of `like`."""
    x = decoder(x, conv=conv, name="decoder")
    x = without_norm(conv)(x, classes, 1, strides=1, activation=None, name="score")
    return pixel_predictions(resize_like(x, like, name="resize"), activation, name="predictions")


aux_pixel_scores: Callable[..., Tensor] = block(pixel_scores)


def _backbone(x: Tensor, backbone: str, **options: Any) -> Tensor:
    """The last feature map of a network of the catalogue."""
    if not isinstance(backbone, str) or backbone not in catalogue.ENTRIES:
        said = checks.nearest(backbone, catalogue.ENTRIES) if isinstance(backbone, str) else ""
        raise checks.refuse("backbone", backbone, f"one of the names in list_architectures(){said}")
    made: Any = catalogue.constructor(backbone)
    given = {argument: value for argument, value in options.items() if value is not None}
    if "output_stride" in given and "output_stride" not in inspect.signature(made).parameters:
        raise checks.refuse("output_stride", given["output_stride"], f"None with a backbone without it, {backbone}")
    given |= {"dialect": "torchvision"} if "torchvision" in made.dialects else {}
    return made.trunk(x, **given)


def _trunk(x: Tensor, backbone: str, word: str, at: str | None, **options: Any) -> tuple[Tensor, Tensor]:
    """The last feature map of a network of the catalogue, and what leaves a block of it, by default the same."""
    y = _backbone(x, backbone, **options)
    if at is None:
        return y, y
    found = [call for call in calls([y]) if f".{at}." in f".{call.operation.name}."]
    if not found:
        raise checks.refuse(word, at, f"the name of a block of {backbone}, such as 'stage3'")
    return y, found[-1].outputs[0]


def maps_by_stride(x: Tensor, backbone: str, wanted: Sequence[int], **options: Any) -> tuple[Tensor, list[Tensor]]:
    """The last feature map of a network of the catalogue, and those of some strides, as `features` finds them."""
    y = _backbone(x, backbone, **options)
    entries = [call.outputs[0] for call in calls([y]) if call.is_input]
    seen = strides(keras.Model(entries, y))
    whole = seen[id(x)][0] or 1
    found: dict[Any, Tensor] = {}
    for call in trunk(y):
        steps = {None if step is None else step / whole for step in seen.get(id(call.outputs[0]), ())}
        if len(steps) == 1 and not isinstance(call.operation, PREPARE):
            found[steps.pop()] = call.outputs[0]
    missing = [stride for stride in wanted if stride not in found]
    if missing:
        has = ", ".join(str(stride) for stride in found if stride is not None)
        must_be = f"a network that has feature maps of stride {', '.join(map(str, wanted))}; {backbone} has {has}"
        raise checks.refuse("backbone", backbone, must_be)
    return y, [found[stride] for stride in wanted]


@architecture(dialects=DIALECTS, aux_weight=0.5, input_shape=(520, 520, 3), classes=21)
def dilated_segmentation(
    x: Tensor,
    head: Head,
    *,
    backbone: str = "resnet50",
    output_stride: int | None = 8,
    decoder: Callable[..., Tensor] = fcn_decoder,
    aux: bool = True,
    aux_at: str = "stage3",
    conv: Unit | None = None,
    use_bias: bool | None = None,
) -> Tensor | dict[str, Tensor]:
    """A classifier whose last stages are dilated, a decoder, and its scores enlarged to the image (Chen et al. 2017).

    Shapes: `batch height width channels` -> `{"main": …, "aux1": …}`, each `batch height width classes`, for any size
    that the backbone accepts; a single tensor with `aux=False`. Without a top the last feature map of the backbone.

    Args:
        backbone: the name of any network in the catalogue, as torchvision computes it where that has it; its layers
            have the names that they have in that network, so that its weights load here with `missing="keep"`.
        output_stride: of the backbone; None for its own.
        decoder: function `(x, *, conv, name)`: `fcn_decoder`, or
            `partial(deeplab_decoder, rates=(6, 12, 18))`, the rates of the paper at an output stride of 16.
        aux: whether there is an auxiliary head of an `fcn_decoder`.
        aux_at: block of the backbone that it sits on.
        conv: unit of every convolution; None for those of the backbone, and a normalised one with ReLU after it.
        dialect: `"torchvision"`, which gives logits.
    """
    aux, image, decoder = checks.flag("aux", aux), x, words.resolved("block", "decoder", decoder)
    checks.function("decoder", decoder, "name")
    at = aux_at if aux and head.include_top else None
    x, tapped = _trunk(x, backbone, "aux_at", at, output_stride=output_stride, conv=conv, use_bias=use_bias)
    if not head.include_top:
        return head(x)
    options: dict[str, Any] = {"activation": head.activation, "conv": decoder_unit(conv, use_bias)}
    main = pixel_scores(x, image, head.classes, decoder=decoder, **options)
    if not aux:
        return main
    return {
        "main": main,
        "aux1": aux_pixel_scores(tapped, image, head.classes, decoder=fcn_decoder, **options, name="aux1"),
    }


def decoder_unit(conv: Unit | None, use_bias: bool | None, usual: Unit = decoder_conv) -> Unit:
    """The unit of what stands on a backbone."""
    conv = usual if conv is None else conv
    return conv if use_bias is None else partial(conv, use_bias=use_bias)


@architecture(dialects=DIALECTS, input_shape=(520, 520, 3), classes=21)
def lraspp(
    x: Tensor,
    head: Head,
    *,
    backbone: str = "mobilenet_v3_large",
    output_stride: int | None = 16,
    low_at: str = "stage3.block1",
    filters: int = 128,
    conv: Unit | None = None,
    use_bias: bool | None = None,
) -> Tensor:
    """MobileNetV3 with the decoder LR-ASPP: a map, its channels gated by their means, and a finer one beside it.

    (Howard et al. 2019, figure 10.)

    Shapes: `batch height width channels` -> `batch height width classes`, for any size that the backbone accepts.
    Without a top the last feature map of the backbone.

    Args:
        backbone, output_stride, conv: as in `dilated_segmentation`.
        low_at: block of the backbone that the finer map leaves.
        filters: of the coarser map in the decoder.
        dialect: `"torchvision"`, which gives logits.
    """
    image, filters = x, checks.integer("filters", filters)
    x, low = _trunk(x, backbone, "low_at", low_at, output_stride=output_stride, conv=conv, use_bias=use_bias)
    if not head.include_top:
        return head(x)
    unit = decoder_unit(conv, use_bias)
    score = partial(without_norm(unit), filters=head.classes, kernel_size=1, strides=1, activation=None)
    means = global_avg_pool(x, keepdims=True, name="scale_pool")
    scale = without_norm(unit)(means, filters, 1, strides=1, activation="sigmoid", use_bias=False, name="scale")
    y = gate(unit(x, filters, 1, strides=1, name="reduce"), scale, name="gate")
    high = score(resize_like(y, low, name="up"), name="high_score")
    x = add([score(low, name="low_score"), high], name="add")
    return pixel_predictions(resize_like(x, image, name="resize"), head.activation, name="predictions")


_DEEPLAB: dict[str, Any] = {"decoder": deeplab_decoder}
_MOBILE = {"backbone": "mobilenet_v3_large", "output_stride": 16}

fcn_resnet50 = published(dilated_segmentation, "fcn_resnet50", backbone="resnet50")
fcn_resnet101 = published(dilated_segmentation, "fcn_resnet101", backbone="resnet101")
deeplabv3_resnet50 = published(dilated_segmentation, "deeplabv3_resnet50", backbone="resnet50", **_DEEPLAB)
deeplabv3_resnet101 = published(dilated_segmentation, "deeplabv3_resnet101", backbone="resnet101", **_DEEPLAB)
deeplabv3_mobilenet_v3_large = published(
    dilated_segmentation, "deeplabv3_mobilenet_v3_large", aux_at="stage3.block1", **_DEEPLAB, **_MOBILE
)
lraspp_mobilenet_v3_large = published(lraspp, "lraspp_mobilenet_v3_large")
