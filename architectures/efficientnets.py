"""EfficientNet (Tan and Le 2019) and EfficientNetV2 (Tan and Le 2021)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Any, NamedTuple

import keras

from .. import checks
from ..blocks import batch_norm, conv_bn, inverted_residual, matching, rescale, squeeze_excite
from ..blocks import dense as _dense
from ..blocks import depthwise as _depthwise
from ..blocks import stochastic_depth as _stochastic_depth
from ..blocks.tensors import channel_axis, channels, layer
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture, published
from .initial_values import KAIMING_FAN_IN, KAIMING_FAN_OUT
from .mobilenets import multiple_of_8
from .resnets import stage


class Stage(NamedTuple):
    """A row of the tables: `fused` for blocks without a depthwise convolution, which have no squeeze-and-excite."""

    filters: int
    repeats: int
    strides: int
    expansion: int
    kernel_size: int = 3
    fused: bool = False


# Table 1 of the EfficientNet paper, without its first and last row.
B0 = (
    *(Stage(16, 1, 1, 1), Stage(24, 2, 2, 6), Stage(40, 2, 2, 6, 5), Stage(80, 3, 2, 6)),
    *(Stage(112, 3, 1, 6, 5), Stage(192, 4, 2, 6, 5), Stage(320, 1, 1, 6)),
)
# Width, depth, side of the images and dropout of B0 to B7, from the code that the authors released.
SCALES = (
    *((1.0, 1.0, 224, 0.2), (1.0, 1.1, 240, 0.2), (1.1, 1.2, 260, 0.3), (1.2, 1.4, 300, 0.3), (1.4, 1.8, 380, 0.4)),
    *((1.6, 2.2, 456, 0.4), (1.8, 2.6, 528, 0.5), (2.0, 3.1, 600, 0.5)),
)
# Of the authors' code; S is table 4 of the EfficientNetV2 paper.
V2_B0 = (
    *(Stage(16, 1, 1, 1, fused=True), Stage(32, 2, 2, 4, fused=True), Stage(48, 2, 2, 4, fused=True)),
    *(Stage(96, 3, 2, 4), Stage(112, 5, 1, 6), Stage(192, 8, 2, 6)),
)
V2_S = (
    *(Stage(24, 2, 1, 1, fused=True), Stage(48, 4, 2, 4, fused=True), Stage(64, 4, 2, 4, fused=True)),
    *(Stage(128, 6, 2, 4), Stage(160, 9, 1, 6), Stage(256, 15, 2, 6)),
)
V2_M = (
    *(Stage(24, 3, 1, 1, fused=True), Stage(48, 5, 2, 4, fused=True), Stage(80, 5, 2, 4, fused=True)),
    *(Stage(160, 7, 2, 4), Stage(176, 14, 1, 6), Stage(304, 18, 2, 6), Stage(512, 5, 1, 6)),
)
V2_L = (
    *(Stage(32, 4, 1, 1, fused=True), Stage(64, 7, 2, 4, fused=True), Stage(96, 7, 2, 4, fused=True)),
    *(Stage(192, 10, 2, 4), Stage(224, 19, 1, 6), Stage(384, 25, 2, 6), Stage(640, 7, 1, 6)),
)

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the red, green and blue of the pixels of ImageNet, between 0 and 1."""


def adapted(x: Tensor) -> Tensor:
    """Pixels from 0 to 255 divided by 255 and normalised by statistics that are weights, adapted or loaded."""
    x = rescale(x, 1 / 255, name="rescale")
    return layer(keras.layers.Normalization, x, "normalization", "normalization", axis=channel_axis())


def trained(x: Tensor) -> Tensor:
    """`adapted` as Keras's trained weights need it: their variance is a deviation, so that half a division is left."""
    scale = [deviation**-0.5 for deviation in DEVIATION]
    if channel_axis() == 1:
        scale = [[[one]] for one in scale]
    return layer(keras.layers.Rescaling, adapted(x), "rescale2", "rescale2", scale=scale)


def standardized(x: Tensor) -> Tensor:
    """Pixels from 0 to 255 normalised by the statistics of ImageNet; images without three channels from -1 to 1."""
    if channels(x) != 3:
        return centered(x)
    variance = [deviation**2 for deviation in DEVIATION]
    x = rescale(x, 1 / 255, name="rescale")
    return layer(
        keras.layers.Normalization, x, "normalization", None, axis=channel_axis(), mean=[*MEAN], variance=variance
    )


def centered(x: Tensor) -> Tensor:
    """Pixels from 0 to 255 between -1 and 1."""
    return layer(keras.layers.Rescaling, x, "rescale", "rescale", scale=1 / 128, offset=-1.0)


def nearest_multiple_of_8(width: float) -> int:
    """The nearest multiple of 8, and 8 at least."""
    return max(8, int(width + 4) // 8 * 8)


# Of the authors' code, for V1 and V2; the fan-out of a depthwise kernel is its size.
_INITIALIZER = keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")
_DENSE = partial(_dense, kernel_initializer=keras.initializers.VarianceScaling(1 / 3, "fan_out", "uniform"))
efficientnet_conv = partial(conv_bn, activation="silu", kernel_initializer=_INITIALIZER)
efficientnet_v2_conv = partial(efficientnet_conv, norm=partial(batch_norm, momentum=0.9))


def _torch(**norm: Any) -> dict[str, Any]:
    """torchvision's dialect with these options of the norms, in which its networks differ."""
    conv = partial(
        efficientnet_conv,
        norm=partial(batch_norm, **norm),
        padding="symmetric",
        kernel_initializer=KAIMING_FAN_OUT,
    )
    # All channels count in torch's fan-out of a depthwise kernel, as in Keras's fan-in.
    own = partial(matching(_depthwise, conv), kernel_initializer=KAIMING_FAN_IN)
    return {"conv": conv, "depthwise": own, "classifier_activation": None}


DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "keras": {"preprocess": adapted},
    "keras_imagenet": {"preprocess": trained},
    "torchvision": _torch(momentum=0.9, epsilon=1e-5),
}
# Of B5 to B7 in torchvision.
WIDE_DIALECTS = {**DIALECTS, "torchvision": _torch(momentum=0.99, epsilon=1e-3)}


@architecture(dialects=DIALECTS)
def efficientnet(
    x: Tensor,
    head: Head,
    *,
    width_coefficient: float = 1.0,
    depth_coefficient: float = 1.0,
    stages: Sequence[tuple[Any, ...]] = B0,
    stem_filters: int = 32,
    dropout: float = 0.2,
    stochastic_depth: float = 0.2,
    preprocess: Callable[[Tensor], Tensor] | None = None,
    round_filters: Callable[[float], int] = multiple_of_8,
    conv: Unit = efficientnet_conv,
    depthwise: Unit | None = None,
    dense: Dense = _DENSE,
) -> Tensor:
    """EfficientNet: inverted residuals with squeeze-and-excite, of one width and depth each (Tan and Le 2019, table 1).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        width_coefficient: all filters times this, rounded by `round_filters`.
        depth_coefficient: the blocks of each stage times this, rounded up.
        stages: of each stage filters, repeats, strides, expansion, kernel size, and whether its blocks are fused.
        stem_filters: of the first convolution.
        dropout: rate before the classifier.
        stochastic_depth: rate at which the last block is skipped in training; growing evenly from the first block on.
        preprocess: function of the image; None for none.
        round_filters: function from a width to a number of filters.
        conv: unit of every convolution that is not depthwise.
        depthwise: unit of those; None for `depthwise` with padding, norm, activation and options of `conv`.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`.
        dialect: `"paper"`; `"keras"`: pixels from 0 to 255, normalised in the network; `"keras_imagenet"`, of V1: with
            the constant that Keras adds for its trained weights; `"torchvision"`: as many zeros on every side, logits.
    """
    width = checks.number("width_coefficient", width_coefficient, "a positive number", above=0)
    depth = checks.number("depth_coefficient", depth_coefficient, "a positive number", above=0)
    rate = checks.fraction("stochastic_depth", stochastic_depth)
    rows = [_stage(f"stages[{place}]", row) for place, row in enumerate(stages)]
    if not rows:
        raise checks.refuse("stages", stages, "one stage at least")
    repeats = [ceil(depth * row.repeats) for row in rows]
    before, total = 0, sum(repeats)
    if preprocess is not None:
        x = checks.function("preprocess", preprocess)(x)
    x = conv(x, round_filters(width * checks.integer("stem_filters", stem_filters)), 3, strides=2, name="stem")
    for number, (row, count) in enumerate(zip(rows, repeats, strict=True), 1):
        inner = [] if row.fused else [partial(squeeze_excite, ratio=4 * row.expansion)]
        blocks = [
            {
                "strides": 1 if block else row.strides,
                "transforms": [partial(_stochastic_depth, rate=rate * (before + block) / total)],
            }
            for block in range(count)
        ]
        options: dict[str, Any] = {
            "expansion": row.expansion,
            "kernel_size": row.kernel_size,
            "fused": row.fused,
            "inner": inner,
        }
        units: dict[str, Any] = {"residual": inverted_residual, "conv": conv, "depthwise": depthwise}
        x = stage(x, round_filters(width * row.filters), blocks, name=f"stage{number}", **options, **units)
        before += count
    x = conv(x, round_filters(width * 1280), 1, strides=1, name="top")
    return head(x, dropout=dropout, dense=dense)


def _stage(argument: str, row: Any) -> Stage:
    """A row, checked; what is left out has its default."""
    if not checks.is_sequence(row) or not 4 <= len(row) <= len(Stage._fields):
        raise checks.refuse(argument, row, f"({', '.join(Stage._fields)}), of which the last two may be left out")
    *numbers, fused = Stage(*row)
    return Stage(*checks.integers(argument, numbers, 5), fused=checks.flag(f"{argument}[5]", fused))  # type: ignore[arg-type,misc]


_V2_DROPOUT = {"s": 0.2, "m": 0.3, "l": 0.4}  # of torchvision


def _scaled(number: int) -> Any:
    width, depth, side, dropout = SCALES[number]
    options = {"width_coefficient": width, "depth_coefficient": depth, "input_shape": (side, side, 3)}
    dialects = DIALECTS if number < 5 else WIDE_DIALECTS
    return published(efficientnet, f"efficientnet_b{number}", dialects=dialects, dropout=dropout, **options)


def _v2(name: str, stages: Sequence[Stage], side: int, width: float = 1.0, depth: float = 1.0) -> Any:
    rounded = {"round_filters": nearest_multiple_of_8, "width_coefficient": width, "depth_coefficient": depth}
    dialects: dict[str, dict[str, Any]] = {"paper": {}, "keras": {"preprocess": standardized}}
    if stages is not V2_B0:
        dialects["keras"] = {"preprocess": centered}
        dialects["torchvision"] = {**_torch(momentum=0.9, epsilon=1e-3), "dropout": _V2_DROPOUT[name]}
    stem_filters = 32 if stages is V2_B0 else stages[0].filters
    return published(
        efficientnet,
        f"efficientnet_v2_{name}",
        dialects=dialects,
        stages=stages,
        stem_filters=stem_filters,
        input_shape=(side, side, 3),
        conv=efficientnet_v2_conv,
        **rounded,
    )


efficientnet_b0, efficientnet_b1, efficientnet_b2, efficientnet_b3 = map(_scaled, range(4))
efficientnet_b4, efficientnet_b5, efficientnet_b6, efficientnet_b7 = map(_scaled, range(4, 8))
efficientnet_v2_b0 = _v2("b0", V2_B0, 224)
efficientnet_v2_b1 = _v2("b1", V2_B0, 240, depth=1.1)
efficientnet_v2_b2 = _v2("b2", V2_B0, 260, 1.1, 1.2)
efficientnet_v2_b3 = _v2("b3", V2_B0, 300, 1.2, 1.4)
efficientnet_v2_s = _v2("s", V2_S, 384)
efficientnet_v2_m = _v2("m", V2_M, 480)
efficientnet_v2_l = _v2("l", V2_L, 480)
