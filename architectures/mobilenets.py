"""MobileNet (Howard et al. 2017) and MobileNetV2 (Sandler et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from .. import checks
from ..blocks import batch_norm, conv_bn, depthwise_separable, inverted_residual, matching
from ..blocks import dense as _dense
from ..blocks import depthwise as _depthwise
from ..blocks.types import Dense, Padding, Tensor, Unit
from .constructor import Head, architecture
from .initial_values import KAIMING_FAN_IN, KAIMING_FAN_OUT, normal
from .resnets import stage

# Table 1 of the MobileNet paper: filters, blocks and stride of what stands between two reductions.
MOBILENET = ((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2))
# Table 2 of the MobileNetV2 paper: expansion, filters, blocks and stride.
MOBILENET_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)

# 0.09 in the code that the authors released.
mobilenet_conv = partial(conv_bn, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.09))
mobilenet_v2_conv = partial(mobilenet_conv, activation="relu6")
relu6_conv = partial(conv_bn, activation="relu6")


def multiple_of_8(width: float) -> int:
    """The nearest multiple of 8 that is not more than a tenth below, and 8 at least."""
    nearest = max(8, int(width + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * width else nearest + 8


def _multiple_of_8_of_the_integer(width: float) -> int:
    return multiple_of_8(int(width))


_torch_conv = partial(
    relu6_conv,
    norm=partial(batch_norm, momentum=0.9, epsilon=1e-5),
    padding="symmetric",
    kernel_initializer=KAIMING_FAN_OUT,
)

DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "keras": {"conv": relu6_conv, "padding": ((0, 1),)},
    "timm": {
        "conv": _torch_conv,
        # Up to ±1/sqrt(classes).
        "dense": partial(
            _dense, kernel_initializer=keras.initializers.VarianceScaling(1 / 3, mode="fan_out", distribution="uniform")
        ),
        "dropout": 0.0,
        "classifier_activation": None,
    },
}
V2_DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "keras": {
        "conv": partial(relu6_conv, norm=partial(batch_norm, momentum=0.999)),
        "round_filters": _multiple_of_8_of_the_integer,
    },
    "torchvision": {
        "conv": _torch_conv,
        # All channels count in torch's fan-out of a depthwise kernel, as in Keras's fan-in.
        "depthwise": partial(matching(_depthwise, _torch_conv), kernel_initializer=KAIMING_FAN_IN),
        "dense": partial(_dense, kernel_initializer=normal(0.01)),
        "dropout": 0.2,
        "classifier_activation": None,
    },
}


@architecture(dialects=DIALECTS)
def mobilenet(
    x: Tensor,
    head: Head,
    *,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 0.001,
    padding: Padding | None = None,
    conv: Unit = mobilenet_conv,
    depthwise: Unit | None = None,
    dense: Dense | None = None,
) -> Tensor:
    """MobileNet: a convolution and thirteen depthwise separable ones (Howard et al. 2017, table 1).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        alpha: width multiplier; the filters of every layer are `int(alpha·filters)`.
        depth_multiplier: depthwise filters for each channel.
        dropout: rate before the classifier.
        padding: of the depthwise convolutions that have a stride; None for that of `conv`.
        conv: unit of every convolution that is not depthwise.
        depthwise: unit of those; None for `depthwise` with padding, norm, activation and options of `conv`.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"keras"`: ReLU6, and zeros only below and on the right where there is a stride; `"timm"`:
            ReLU6, as many zeros on every side, logits.
    """
    alpha = checks.number("alpha", alpha, "a positive number", above=0)
    units = {"depth_multiplier": depth_multiplier, "conv": conv, "depthwise": depthwise}
    options: dict[str, Any] = {"residual": depthwise_separable, **units}
    x = conv(x, int(32 * alpha), 3, strides=2, name="stem")
    for number, (filters, repeats, strides) in enumerate(MOBILENET, 1):
        blocks = [{"strides": strides, "padding": padding}] if strides > 1 else [{}]
        x = stage(x, int(filters * alpha), [*blocks, *[{}] * (repeats - 1)], name=f"stage{number}", **options)
    return head(x, dropout=dropout, dense=dense)


@architecture(dialects=V2_DIALECTS)
def mobilenet_v2(
    x: Tensor,
    head: Head,
    *,
    alpha: float = 1.0,
    dropout: float = 0.0,
    round_filters: Callable[[float], int] = multiple_of_8,
    conv: Unit = mobilenet_v2_conv,
    depthwise: Unit | None = None,
    dense: Dense | None = None,
) -> Tensor:
    """MobileNetV2: seventeen inverted residuals with linear bottlenecks (Sandler et al. 2018, table 2).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        alpha: width multiplier; the last convolution keeps its 1280 filters where it is below 1.
        dropout: rate before the classifier.
        round_filters: function from `alpha·filters` to the filters of a bottleneck.
        conv: unit of every convolution that is not depthwise.
        depthwise: unit of those; None for `depthwise` with padding, norm, activation and options of `conv`.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"keras"`: rounds `alpha·filters` down before it rounds to a multiple of 8, which differs
            at unusual values of `alpha` only; `"torchvision"`, and timm: as many zeros on every side, dropout, logits.
    """
    alpha = checks.number("alpha", alpha, "a positive number", above=0)
    units = {"conv": conv, "depthwise": depthwise}
    x = conv(x, multiple_of_8(32 * alpha), 3, strides=2, name="stem")
    for number, (expansion, filters, repeats, strides) in enumerate(MOBILENET_V2, 1):
        blocks, width = [{"strides": strides}, *[{}] * (repeats - 1)], round_filters(filters * alpha)
        options: dict[str, Any] = {"residual": inverted_residual, "expansion": expansion, **units}
        x = stage(x, width, blocks, name=f"stage{number}", **options)
    x = conv(x, multiple_of_8(1280 * max(alpha, 1.0)), 1, strides=1, name="last")
    return head(x, dropout=dropout, dense=dense)
