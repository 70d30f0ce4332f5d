"""MobileNetV3 (Howard et al. 2019, Searching for MobileNetV3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import keras

from .. import checks
from ..blocks import batch_norm, conv_bn, default_of, inverted_residual, matching, squeeze_excite
from ..blocks import dense as _dense
from ..blocks import depthwise as _depthwise
from ..blocks.tensors import channels, layer
from ..blocks.types import Activation, Dense, Tensor, Unit
from .constructor import Head, architecture, published
from .initial_values import KAIMING_FAN_IN, KAIMING_FAN_OUT, normal
from .mobilenets import mobilenet_conv, multiple_of_8
from .resnets import block_strides, stage


class Stage(NamedTuple):
    """Blocks of the same filters, each with its expansion; `early` for ReLU instead of the activation of the unit."""

    filters: int
    strides: int
    kernel_size: int
    squeeze: bool
    early: bool
    expansions: tuple[float, ...]


# Tables 1 and 2 of the paper, their expanded channels as multiples of those that come in.
LARGE = (
    Stage(16, 1, 3, False, True, (1,)),
    Stage(24, 2, 3, False, True, (4, 3)),
    Stage(40, 2, 5, True, True, (3, 3, 3)),
    Stage(80, 2, 3, False, False, (6, 2.5, 2.3, 2.3)),
    Stage(112, 1, 3, True, False, (6, 6)),
    Stage(160, 2, 5, True, False, (6, 6, 6)),
)
SMALL = (
    Stage(16, 2, 3, True, True, (1,)),
    Stage(24, 2, 3, False, True, (4.5, 88 / 24)),
    Stage(40, 2, 5, True, False, (4, 6, 6)),
    Stage(48, 1, 5, True, False, (3, 3)),
    Stage(96, 2, 5, True, False, (6, 6, 6)),
)

mobilenet_v3_conv = partial(mobilenet_conv, activation="hard_swish")
_keras_conv = partial(conv_bn, activation="hard_swish", norm=partial(batch_norm, momentum=0.999))
_torch_conv = partial(
    conv_bn,
    activation="hard_swish",
    norm=partial(batch_norm, momentum=0.99, epsilon=1e-3),
    padding="symmetric",
    kernel_initializer=KAIMING_FAN_OUT,
)


def centered(x: Tensor) -> Tensor:
    """Pixels from 0 to 255 between -1 and 1."""
    return layer(keras.layers.Rescaling, x, "rescale", "rescale", scale=1 / 127.5, offset=-1.0)


DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "keras": {"conv": _keras_conv, "preprocess": centered},
    "torchvision": {
        "conv": _torch_conv,
        "depthwise": partial(matching(_depthwise, _torch_conv), kernel_initializer=KAIMING_FAN_IN),  # as MobileNetV2
        "dense": partial(_dense, kernel_initializer=normal(0.01)),
        "strided_dilation": "after",
        "classifier_activation": None,
    },
}


@architecture(dialects=DIALECTS)
def mobilenet_v3(
    x: Tensor,
    head: Head,
    *,
    stages: Sequence[tuple[Any, ...]] = LARGE,
    units: int = 1280,
    alpha: float = 1.0,
    minimalistic: bool = False,
    dropout: float = 0.2,
    early_activation: Activation = "relu",
    output_stride: int | None = None,
    strided_dilation: Literal["before", "after"] = "before",
    preprocess: Callable[[Tensor], Tensor] | None = None,
    conv: Unit = mobilenet_v3_conv,
    depthwise: Unit | None = None,
    dense: Dense | None = None,
) -> Tensor:
    """MobileNetV3: inverted residuals, some with squeeze-and-excite, and a hidden layer (Howard et al. 2019, table 1).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        stages: of each (filters, strides, kernel size, whether it has squeeze-and-excite, whether `early_activation`,
            expansion of each block).
        units: of the hidden layer.
        alpha: width multiplier; the first convolution keeps its 16 filters, the hidden layer its units below 1.
        minimalistic: 3×3 kernels, `early_activation` and no squeeze-and-excite everywhere, as the authors' code has it.
        dropout: rate before the classifier.
        early_activation: of the first stages, and between the two convolutions of squeeze-and-excite.
        output_stride: stride of the last feature map; what the stages would go beyond it is traded for dilation.
        strided_dilation: whether a block that gives up its stride is dilated as the one `"before"`, so that the weights
            of the strided network see the same through it, or as those `"after"`.
        preprocess: function of the image; None for none.
        conv: unit of every convolution that is not depthwise.
        depthwise: unit of those; None for `depthwise` with padding, norm, activation and options of `conv`.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"keras"`: pixels from 0 to 255, brought between -1 and 1 in the network; `"torchvision"`:
            as many zeros on every side, a dilation `"after"` the stride that is given up, logits.
    """
    alpha, units = checks.number("alpha", alpha, "a positive number", above=0), checks.integer("units", units)
    rows = [_stage(f"stages[{place}]", row) for place, row in enumerate(stages)]
    early = partial(conv, activation=early_activation)
    if checks.flag("minimalistic", minimalistic):
        rows, conv = [row._replace(kernel_size=3, squeeze=False, early=True) for row in rows], early
    early_depthwise = None if depthwise is None else partial(depthwise, activation=early_activation)
    if preprocess is not None:
        x = checks.function("preprocess", preprocess)(x)
    x = conv(x, 16, 3, strides=2, name="stem")
    repeats, strides = [len(row.expansions) for row in rows], [row.strides for row in rows]
    places = iter(block_strides(2, repeats, strides, "first", output_stride, strided_dilation))
    for number, row in enumerate(rows, 1):
        filters, blocks, given = multiple_of_8(alpha * row.filters), [], channels(x)
        for expansion in row.expansions:
            width = multiple_of_8(given * expansion)
            gate = partial(squeeze_excite, filters=multiple_of_8(width / 4), gate="hard_sigmoid", conv=early)
            own = {"expansion": width / given, "inner": [gate] if row.squeeze else []}
            blocks.append({"kernel_size": row.kernel_size, **next(places), **own})
            given = filters
        shared: dict[str, Any] = {
            "residual": inverted_residual,
            "conv": early if row.early else conv,
            "depthwise": early_depthwise if row.early else depthwise,
        }
        x = stage(x, filters, blocks, name=f"stage{number}", **shared)
    x = conv(x, multiple_of_8(6 * channels(x)), 1, strides=1, name="last")
    hidden = {"units": (multiple_of_8(max(1.0, alpha) * units),), "hidden_activation": default_of(conv, "activation")}
    return head(x, dropout=dropout, dense=dense, **hidden)


def _stage(argument: str, row: Any) -> Stage:
    """A row, checked."""
    if not checks.is_sequence(row) or len(row) != len(Stage._fields) or not checks.is_sequence(row[-1]):
        raise checks.refuse(argument, row, f"({', '.join(Stage._fields)}), the last a sequence of numbers")
    *numbers, squeeze, early, expansions = row
    squeeze, early = checks.flag(f"{argument}[3]", squeeze), checks.flag(f"{argument}[4]", early)
    expansions = tuple(checks.number(f"{argument}[5]", value, above=0) for value in expansions)
    filters, strides, kernel_size = checks.integers(argument, numbers, 3)
    return Stage(filters, strides, kernel_size, squeeze, early, expansions)


mobilenet_v3_large = published(mobilenet_v3, "mobilenet_v3_large")
mobilenet_v3_small = published(mobilenet_v3, "mobilenet_v3_small", stages=SMALL, units=1024)
