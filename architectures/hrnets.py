"""HRNet (Wang et al. 2020, Deep High-Resolution Representation Learning for Visual Recognition)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras  # noqa: F401  (the doctest uses it)

from .. import checks
from ..blocks import activate, add, basic_residual, block, bottleneck, conv_bn, default_of, resize_like
from ..blocks.tensors import channels
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture, published
from .initial_values import KAIMING_FAN_OUT
from .resnets import resnet_conv, stage

# The authors' code, and timm's: as many zeros on every side.
hrnet_conv = partial(resnet_conv, padding="symmetric", kernel_initializer=KAIMING_FAN_OUT)
DIALECTS: dict[str, dict[str, Any]] = {"paper": {}, "timm": {"classifier_activation": None}}


@block
def fused(xs: Sequence[Tensor], place: int, *, conv: Unit = conv_bn, name: str | None = None) -> Tensor:
    """Maps of every resolution, enlarged or halved to that of one of them, and added (Wang et al. 2020, figure 3).

    Shapes: a list of `batch *sides channels`, the finest first -> as the one at `place`.

    Example:
        >>> maps = [keras.Input((16, 16, 18)), keras.Input((8, 8, 36)), keras.Input((4, 4, 72))]
        >>> fused(maps, 1).shape
        (None, 8, 8, 36)
    """
    like, ends = xs[place], []
    for number, x in enumerate(xs):
        if number > place:
            x = conv(x, channels(like), 1, strides=1, activation=None, name=f"up{number + 1}")
            x = resize_like(x, like, interpolation="nearest", name=f"resize{number + 1}")
        for step in range(place - number):
            ends_here: dict[str, Any] = {"activation": None} if step == place - number - 1 else {}
            width = channels(like) if ends_here else channels(x)
            x = conv(x, width, 3, strides=2, name=f"down{number + 1}.conv{step + 1}", **ends_here)
        ends.append(x)
    return activate(add(ends, name="add"), default_of(conv, "activation", "relu"), name="activation")


@block
def exchange(xs: Sequence[Tensor], repeats: int = 4, *, conv: Unit = conv_bn, name: str | None = None) -> list[Tensor]:
    """Residual blocks at every resolution, and what they make given to each other (Wang et al. 2020, figure 3).

    Shapes: a list of `batch *sides channels`, the finest first -> the same.

    Args:
        repeats: residual blocks at each resolution.

    Example:
        >>> [y.shape for y in exchange([keras.Input((16, 16, 18)), keras.Input((8, 8, 36))])]
        [(None, 16, 16, 18), (None, 8, 8, 36)]
    """
    own: list[dict[str, Any]] = [{}] * checks.integer("repeats", repeats)
    ys = [
        stage(x, channels(x), own, residual=basic_residual, conv=conv, name=f"branch{number}")
        for number, x in enumerate(xs, 1)
    ]
    return [fused(ys, place, conv=conv, name=f"fuse{place + 1}") for place in range(len(ys))]


@block
def gathered(
    xs: Sequence[Tensor], filters: Sequence[int], units: int, *, conv: Unit = conv_bn, name: str | None = None
) -> Tensor:
    """Maps of every resolution with more channels, halved from the finest on and added (Wang et al. 2020, figure 4c).

    Shapes: a list of `batch *sides channels`, the finest first -> the sides of the coarsest, `units` channels.

    Args:
        filters: of each resolution.
        units: of the last convolution.

    Example:
        >>> gathered([keras.Input((16, 16, 18)), keras.Input((8, 8, 36))], (32, 64), 128).shape
        (None, 8, 8, 128)
    """
    ys = [
        bottleneck(x, width, conv=conv, name=f"grown{number}")
        for number, (x, width) in enumerate(zip(xs, filters, strict=True), 1)
    ]
    biased = conv if default_of(conv, "use_bias") is not None else partial(conv, use_bias=True)
    x = ys[0]
    for number, (y, width) in enumerate(zip(ys[1:], filters[1:], strict=True), 1):
        x = add([y, biased(x, width, 3, strides=2, name=f"down{number}")], name=f"add{number}")
    return biased(x, units, 1, strides=1, name="last")


@architecture(dialects=DIALECTS)
def hrnet(
    x: Tensor,
    head: Head,
    *,
    width: int = 18,
    modules: Sequence[int] = (1, 4, 3),
    repeats: int = 4,
    head_filters: Sequence[int] = (128, 256, 512, 1024),
    units: int = 2048,
    conv: Unit = hrnet_conv,
    dense: Dense | None = None,
) -> Tensor:
    """HRNet: resolutions side by side from the first to the last block, which tell each other what they see.

    (Wang et al. 2020, figures 2 and 4c.)

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        width: filters of the finest resolution; each coarser one has twice as many.
        modules: number of exchanges between two resolutions, three and so on.
        repeats: residual blocks at each resolution before an exchange.
        head_filters: to which the channels of each resolution grow before they are added up.
        units: filters of the last convolution.
        conv: unit of every convolution; those of the head have a bias too, unless it says otherwise.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"timm"`, which gives logits.
    """
    width, modules = checks.integer("width", width), checks.integers("modules", modules, max(1, len(modules)))
    head_filters = checks.integers("head_filters", head_filters, len(modules) + 1)
    for number in (1, 2):
        x = conv(x, 64, 3, strides=2, name=f"stem{number}")
    xs = [stage(x, 256, [{}] * 4, residual=bottleneck, conv=conv, name="stage1")]
    for number, count in enumerate(modules, 1):
        last = xs[-1]
        if number == 1:
            xs = [conv(last, width, 3, strides=1, name="transition1.same1")]
        xs = [*xs, conv(last, width * 2**number, 3, strides=2, name=f"transition{number}.half{number + 1}")]
        for module in range(1, count + 1):
            xs = exchange(xs, repeats, conv=conv, name=f"stage{number + 1}.module{module}")
    x = gathered(xs, head_filters, units, conv=conv, name="head")
    return head(x, dense=dense) if head.include_top else head(x)


hrnet_w18, hrnet_w32, hrnet_w48 = (published(hrnet, f"hrnet_w{width}", width=width) for width in (18, 32, 48))
