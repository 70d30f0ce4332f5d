"""What is seen at several scales: dilated and pooled branches, pyramids, and the pooled shortcut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from .. import checks
from ..checks import piece
from . import arguments
from .core import block, register
from .merges import add, concat
from .pools import adaptive_avg_pool, avg_pool, global_avg_pool
from .residuals import projection_shortcut
from .resizing import resize_like
from .tensors import channels, rank
from .types import Size, Tensor, Unit
from .units import conv as _conv
from .units import conv_bn


@block
def aspp(
    x: Tensor,
    filters: int = 256,
    rates: Sequence[int] = (6, 12, 18),
    *,
    conv: Unit = conv_bn,
    name: str | None = None,
) -> Tensor:
    """Dilated convolutions and a global mean side by side: atrous spatial pyramid pooling (Chen et al. 2017, figure 5).

    ```
             ┌─ 1×1 ─────────────────────────┐
        x ───┼─ 3×3, dilated, one for a rate ─┼── concat ── 1×1
             └─ global mean ── 1×1 ── resize ─┘
    ```

    Shapes: `batch *sides channels` -> `batch *sides filters`.

    Args:
        filters: of every branch and of the output.
        rates: dilation of each 3×3 convolution; (6, 12, 18) at an output stride of 16, twice that at 8.
        conv: unit.

    Example:
        >>> aspp(keras.Input((33, 33, 2048))).shape
        (None, 33, 33, 256)
    """
    arguments.functions(conv=conv)
    if not checks.is_sequence(rates):
        raise checks.refuse("rates", rates, "a sequence of integers", TypeError)
    rates = checks.integers("rates", rates, len(rates))
    ends = [conv(x, filters, 1, strides=1, name="1x1")]
    for number, rate in enumerate(rates, 1):
        ends.append(conv(x, filters, 3, strides=1, name=f"dilated{number}", **arguments.holes(rate, rank(x))))
    means = conv(global_avg_pool(x, keepdims=True, name="pool"), filters, 1, strides=1, name="of_all")
    ends.append(resize_like(means, x, name="resize"))
    return conv(concat(ends, name="concat"), filters, 1, strides=1, name="project")


@block
def pyramid_pooling(
    x: Tensor,
    sizes: Sequence[int] = (1, 2, 3, 6),
    filters: int | None = None,
    *,
    conv: Unit = conv_bn,
    name: str | None = None,
) -> Tensor:
    """`x`, and beside it its means over grids of several sizes (Zhao et al. 2017, figure 3).

    Shapes: `batch *sides channels` -> `batch *sides channels+filters·len(sizes)`.

    Args:
        sizes: cells a side of each grid.
        filters: of each branch; None for the channels of `x` divided among them.
        conv: unit of the 1×1 convolutions.

    Example:
        >>> pyramid_pooling(keras.Input((60, 60, 2048))).shape
        (None, 60, 60, 4096)
    """
    arguments.functions(conv=conv)
    if not checks.is_sequence(sizes) or len(sizes) < 1:
        raise checks.refuse("sizes", sizes, "a sequence of integers", TypeError)
    sizes = checks.integers("sizes", sizes, len(sizes))
    width = max(1, channels(x) // len(sizes)) if filters is None else checks.integer("filters", filters)
    ends = [x]
    for number, size in enumerate(sizes, 1):
        y = adaptive_avg_pool(x, size, name=f"pool{number}")
        y = conv(y, width, 1, strides=1, name=f"conv{number}")
        ends.append(resize_like(y, x, name=f"resize{number}"))
    return concat(ends, name="concat")


@block
def feature_pyramid(
    xs: Sequence[Tensor], filters: int = 256, *, conv: Unit | None = None, name: str | None = None
) -> list[Tensor]:
    """Feature maps of every scale that know of the coarser ones: a feature pyramid (Lin et al. 2017, figure 3).

    ```
        coarse ── 1×1 ─┬────────── 3×3 ── p5
                       ×2
        fine ──── 1×1 ─┴─ add ─┬── 3×3 ── p4
                               ×2 …
    ```

    Shapes: a list of `batch *sides channels`, fine to coarse -> a list of `batch *sides filters`, in the same order.

    Args:
        xs: at least two maps, the finest first.
        filters: of every output.
        conv: unit; None for a linear convolution, as in the paper.

    Example:
        >>> maps = [keras.Input((56, 56, 256)), keras.Input((28, 28, 512)), keras.Input((14, 14, 1024))]
        >>> [y.shape for y in feature_pyramid(maps, 64)]
        [(None, 56, 56, 64), (None, 28, 28, 64), (None, 14, 14, 64)]
    """
    if not checks.is_sequence(xs) or len(xs) < 2:
        raise checks.refuse("xs", xs, "a list of at least two tensors, the finest first", TypeError)
    for x in xs:
        arguments.image(x, "xs", [rank(xs[0])] if isinstance(xs[0], keras.KerasTensor) else (1, 2, 3))
    options: dict[str, Any] = {"activation": None} if conv is None else {}
    unit = _conv if conv is None else checks.function("conv", conv, "name")
    filters, found = checks.integer("filters", filters), []
    above: Tensor | None = None
    for number in reversed(range(len(xs))):
        y = unit(xs[number], filters, 1, strides=1, name=f"lateral{number + 1}", **options)
        if above is not None:
            up = resize_like(above, y, interpolation="nearest", name=f"up{number + 1}")
            y = add([y, up], name=f"add{number + 1}")
        above = y
        found.append(unit(y, filters, 3, strides=1, name=f"smooth{number + 1}", **options))
    return found[::-1]


@register("shortcut")
@piece
def avg_pool_shortcut(x: Tensor, filters: int, *, strides: Size, conv: Unit) -> Tensor:
    """A mean over `strides` pixels a side and a linear 1×1 convolution: the shortcut of ResNet-D (He et al. 2019).

    As `projection_shortcut` where the size stays.

    Example:
        >>> avg_pool_shortcut(keras.Input((56, 56, 64)), 128, strides=2, conv=conv_bn).shape
        (None, 28, 28, 128)
    """
    steps = arguments.sizes("strides", strides, rank(x))
    if max(steps) > 1:
        x = avg_pool(x, steps, strides=steps, name="shortcut_pool")
    return projection_shortcut(x, filters, strides=1, conv=conv, always=max(steps) > 1)
