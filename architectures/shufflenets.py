"""ShuffleNetV2 (Ma et al. 2018, Practical Guidelines for Efficient CNN Architecture Design)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import checks
from ..blocks import batch_norm, block, channel_shuffle, concat, conv_bn, matching, max_pool, split
from ..blocks import depthwise as _depthwise
from ..blocks.tensors import channels
from ..blocks.types import Dense, Padding, Tensor, Unit
from .constructor import Head, architecture, published
from .initial_values import TORCH_DEFAULT, torch_dense
from .resnets import stage

# Table 5 of the paper: blocks of each stage, and the filters of the three stages and of the last convolution.
SHUFFLENET_REPEATS = (4, 8, 4)
SHUFFLENET_FILTERS = {
    "x0_5": (48, 96, 192, 1024),
    "x1_0": (116, 232, 464, 1024),
    "x1_5": (176, 352, 704, 1024),
    "x2_0": (244, 488, 976, 2048),
}

shufflenet_conv = partial(conv_bn, norm=partial(batch_norm, momentum=0.9, epsilon=1e-5))
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "torchvision": {
        "conv": partial(shufflenet_conv, padding="symmetric", kernel_initializer=TORCH_DEFAULT),
        "dense": torch_dense,
        "stem_padding": 1,
        "classifier_activation": None,
    },
}


@block
def shuffle_block(
    x: Tensor, filters: int, *, strides: int = 1, conv: Unit = shufflenet_conv, depthwise: Unit | None = None
) -> Tensor:
    """Half the channels through 1×1, depthwise and 1×1 convolutions, the other half past them, shuffled (figure 3c, d).

    ```
        /1   x ── split ─┬─ 1×1 ── depthwise ── 1×1 ─┬─ concat ── shuffle
                         └───────────────────────────┘
        /s   x ─┬─ 1×1 ── depthwise, /s ── 1×1 ─┬─ concat ── shuffle
                └────── depthwise, /s ── 1×1 ───┘
    ```

    Shapes: `batch height width channels` -> `batch ceil(height/strides) ceil(width/strides) filters`.

    Args:
        filters: output channels, an even number; with `strides` 1 those of `x`.
    """
    half, rest = divmod(checks.integer("filters", filters), 2)
    if rest or (strides == 1 and filters != channels(x)):
        raise checks.refuse("filters", filters, f"even, and with strides=1 the {channels(x)} channels of x")
    between = partial(matching(_depthwise, conv) if depthwise is None else depthwise, activation=None)
    if strides == 1:
        side, y = split(x, name="split")
    else:
        side, y = between(x, channels(x), 3, strides=strides, name="shortcut_depthwise"), x
        side = conv(side, half, 1, strides=1, name="shortcut")
    y = conv(y, half, 1, strides=1, name="conv1")
    y = between(y, half, 3, strides=strides, name="depthwise")
    y = conv(y, half, 1, strides=1, name="conv2")
    return channel_shuffle(concat([side, y], name="concat"), name="shuffle")


@architecture(dialects=DIALECTS)
def shufflenet_v2(
    x: Tensor,
    head: Head,
    *,
    filters: Sequence[int] = SHUFFLENET_FILTERS["x1_0"],
    stem_filters: int = 24,
    stem_padding: Padding = "same",
    conv: Unit = shufflenet_conv,
    depthwise: Unit | None = None,
    dense: Dense | None = None,
) -> Tensor:
    """ShuffleNetV2: half of the channels passes each block, and a shuffle mixes both (Ma et al. 2018, table 5).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        filters: of the three stages and of the last convolution.
        stem_filters: of the first convolution.
        stem_padding: of the pool after the first convolution.
        conv: unit of every convolution that is not depthwise.
        depthwise: unit of those, which have no activation; None for `depthwise` with the options of `conv`.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"torchvision"`: as many zeros on every side, logits.
    """
    *widths, last = checks.integers("filters", filters, len(SHUFFLENET_REPEATS) + 1)
    x = conv(x, stem_filters, 3, strides=2, name="stem")
    x = max_pool(x, 3, strides=2, padding=stem_padding, name="pool")
    for number, (width, repeats) in enumerate(zip(widths, SHUFFLENET_REPEATS, strict=True), 1):
        blocks = [{"strides": 2}, *[{}] * (repeats - 1)]
        x = stage(x, width, blocks, residual=shuffle_block, conv=conv, depthwise=depthwise, name=f"stage{number}")
    x = conv(x, last, 1, strides=1, name="last")
    return head(x, dense=dense)


shufflenet_v2_x0_5, shufflenet_v2_x1_0, shufflenet_v2_x1_5, shufflenet_v2_x2_0 = (
    published(shufflenet_v2, f"shufflenet_v2_{size}", filters=filters) for size, filters in SHUFFLENET_FILTERS.items()
)
