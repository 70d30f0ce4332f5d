"""MnasNet (Tan et al. 2019, Platform-Aware Neural Architecture Search for Mobile)."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras

from .. import checks
from ..blocks import batch_norm, conv_bn, inverted_residual, matching
from ..blocks import dense as _dense
from ..blocks import depthwise as _depthwise
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture, published
from .initial_values import KAIMING_FAN_IN, KAIMING_FAN_OUT
from .mobilenets import multiple_of_8
from .resnets import stage

# MnasNet-B1: expansion, filters, blocks, stride and side of the kernel.
MNASNET_B1 = (
    *((1, 16, 1, 1, 3), (3, 24, 3, 2, 3), (3, 40, 3, 2, 5), (6, 80, 3, 2, 5)),
    *((6, 96, 2, 1, 3), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
)

mnasnet_conv = partial(conv_bn, kernel_initializer=KAIMING_FAN_OUT)
_torch_conv = partial(mnasnet_conv, norm=partial(batch_norm, momentum=0.9997, epsilon=1e-5), padding="symmetric")
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "torchvision": {
        "conv": _torch_conv,
        # All channels count in torch's fan-out of a depthwise kernel, as in Keras's fan-in.
        "depthwise": partial(matching(_depthwise, _torch_conv), kernel_initializer=KAIMING_FAN_IN),
        "dense": partial(_dense, kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_out", "uniform")),
        "classifier_activation": None,
    },
}


@architecture(dialects=DIALECTS)
def mnasnet(
    x: Tensor,
    head: Head,
    *,
    alpha: float = 1.0,
    dropout: float = 0.2,
    conv: Unit = mnasnet_conv,
    depthwise: Unit | None = None,
    dense: Dense | None = None,
) -> Tensor:
    """MnasNet-B1: inverted residuals of 3×3 and 5×5 kernels, found by a search for latency (Tan et al. 2019).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        alpha: width multiplier; the last convolution keeps its 1280 filters.
        dropout: rate before the classifier.
        conv: unit of every convolution that is not depthwise.
        depthwise: unit of those; None for `depthwise` with padding, norm, activation and options of `conv`.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"torchvision"`: as many zeros on every side, logits.
    """
    alpha = checks.number("alpha", alpha, "a positive number", above=0)
    options: dict[str, Any] = {"residual": inverted_residual, "conv": conv, "depthwise": depthwise}
    x = conv(x, multiple_of_8(32 * alpha), 3, strides=2, name="stem")
    for number, (expansion, filters, repeats, strides, side) in enumerate(MNASNET_B1, 1):
        blocks: list[dict[str, Any]] = [{"strides": strides}, *[{}] * (repeats - 1)]
        options |= {"expansion": expansion, "kernel_size": side}
        x = stage(x, multiple_of_8(filters * alpha), blocks, name=f"stage{number}", **options)
    x = conv(x, 1280, 1, strides=1, name="last")
    return head(x, dropout=dropout, dense=dense)


mnasnet0_5 = published(mnasnet, "mnasnet0_5", alpha=0.5)
mnasnet0_75 = published(mnasnet, "mnasnet0_75", alpha=0.75)
mnasnet1_0 = published(mnasnet, "mnasnet1_0")
mnasnet1_3 = published(mnasnet, "mnasnet1_3", alpha=1.3)
