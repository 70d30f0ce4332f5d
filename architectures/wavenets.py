"""WaveNet (van den Oord et al. 2016, A Generative Model for Raw Audio)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import checks
from ..blocks import activate, add, block, default_of, gate, pixel_predictions
from ..blocks import conv as _conv
from ..blocks.tensors import channels
from ..blocks.types import Tensor, Unit
from ..blocks.units import without_norm
from .constructor import Head, architecture

# Section 2.1 of the paper: doubled for every layer up to a limit, and then repeated.
DILATIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


@block
def gated(
    x: Tensor, filters: int, kernel_size: int, *, dilation_rate: int, conv: Unit, name: str | None = None
) -> Tensor:
    """A causal convolution times the gate of another (van den Oord et al. 2016, eq. 2).

    Shapes: `batch length channels` -> `batch length filters`.
    """
    causal = partial(conv, strides=1, dilation_rate=dilation_rate, padding="causal")
    content = causal(x, filters, kernel_size, activation="tanh", name="content")
    return gate(content, causal(x, filters, kernel_size, activation="sigmoid", name="gate"), name="product")


@block
def wavenet_stack(
    x: Tensor,
    filters: int,
    skip_filters: int,
    *,
    dilations: Sequence[int],
    kernel_size: int,
    last: bool,
    conv: Unit,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """Gated layers, each with a 1×1 convolution to the next and one to the output (van den Oord et al. 2016, figure 4).

    Shapes: `batch length channels` -> the same, and `batch length skip_filters`. What the last layer of the last stack
    would give to a next one is not made.
    """
    skips, linear = [], partial(conv, strides=1, activation=None)
    for number, rate in enumerate(dilations, 1):
        y = gated(x, filters, kernel_size, dilation_rate=rate, conv=conv, name=f"layer{number}")
        skips.append(linear(y, skip_filters, 1, name=f"skip{number}"))
        if not last or number < len(dilations):
            x = add([x, linear(y, channels(x), 1, name=f"residual{number}")], name=f"add{number}")
    return x, add(skips, name="skips") if len(skips) > 1 else skips[0]


@architecture(input_shape=(16_000, 256), classes=256)
def wavenet(
    x: Tensor,
    head: Head,
    *,
    filters: int = 32,
    skip_filters: int = 512,
    dilations: Sequence[int] = DILATIONS,
    stacks: int = 5,
    kernel_size: int = 2,
    conv: Unit = _conv,
) -> Tensor:
    """WaveNet: the next sample of a signal by those before it, through gated dilated convolutions and skips.

    (van den Oord et al. 2016, figure 4.) Each sample comes as one of `classes` levels, one-hot.

    Shapes: `batch length channels` -> `batch length classes`, for any length, None included: a place of the output
    is of the sample after it. Without a top `batch length skip_filters`. In images and volumes each pixel is seen after
    those before it on every axis.

    Args:
        filters: of the gated convolutions, and between the layers.
        skip_filters: of what each layer gives to the output.
        dilations: rates of the layers of a stack.
        stacks: how often these are repeated.
        kernel_size: of the causal convolutions.
        conv: unit of every convolution; its activation is that of the output, not of the gates.
    """
    filters, stacks = checks.integer("filters", filters), checks.integer("stacks", stacks)
    dilations = checks.several("dilations", dilations)
    options: dict[str, Any] = {"dilations": dilations, "kernel_size": kernel_size, "conv": conv}
    x, skips = conv(x, filters, kernel_size, strides=1, padding="causal", activation=None, name="stem"), []
    for number in range(1, stacks + 1):
        x, skip = wavenet_stack(x, filters, skip_filters, last=number == stacks, name=f"stack{number}", **options)
        skips.append(skip)
    x = activate(add(skips, name="sum") if stacks > 1 else skips[0], default_of(conv, "activation"), name="activation")
    x = conv(x, skip_filters, 1, strides=1, name="mix")
    if not head.include_top:
        return head(x)
    x = without_norm(conv)(x, head.classes, 1, strides=1, activation=None, name="score")
    return pixel_predictions(x, head.activation, name="predictions")
