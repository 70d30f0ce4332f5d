"""What segmentation networks enlarge and join their feature maps with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, Unpack

import keras  # noqa: F401  (the doctests use it)

from .. import checks
from ..checks import piece
from . import arguments
from .core import block
from .initializers import Bilinear
from .merges import add, concat
from .signatures import binds
from .sizes import match_size
from .tensors import channels, rank
from .types import Tensor, TransposedOptions, Unit
from .units import conv as _conv
from .units import matching, transposed
from .words import register

# "We initialize the class scoring layer to zero" (Long et al. 2015, section 4.3).
zero_score = partial(_conv, activation=None, kernel_initializer="zeros")


@register("block")
@piece
def bilinear_up(x: Tensor, factor: int = 2, *, name: str | None = None, **options: Unpack[TransposedOptions]) -> Tensor:
    """A transposed convolution that starts as bilinear interpolation, and may be trained (Long et al. 2015).

    Shapes: `batch height width channels` -> `batch (height+1)·factor (width+1)·factor channels`: half a `factor`
    more on every side than the image covers.

    Args:
        factor: enlargement; the kernel has side `2·factor`.
        options: those of `transposed`; `trainable=False` keeps it as it is.

    Example:
        >>> bilinear_up(keras.Input((16, 16, 21)), 32).shape
        (None, 544, 544, 21)
    """
    factor = checks.integer("factor", factor)
    own = {
        "strides": factor,
        "padding": "valid",
        "activation": None,
        "use_bias": False,
        "kernel_initializer": Bilinear(),
    }
    settled: dict[str, Any] = {**own, **options}
    return transposed(x, channels(x), 2 * factor, **settled, name=name)


def align(x: Tensor, skip: Tensor, offset: int) -> tuple[Tensor, Tensor]:
    """Crop the one that starts earlier so that both cover the same pixels.

    `offset` rows and columns of `skip` lie before the first of `x`; if negative, so many of `x` before the skip's.
    """
    offset = checks.integer("offset", offset, at_least=None)
    if offset > 0:
        return x, match_size(skip, x, offset=offset, name="crop")
    return match_size(x, skip, offset=-offset, name="crop"), skip


@block
def fuse_scores(
    x: Tensor,
    skip: Tensor,
    *,
    offset: int = -1,
    up: Callable[..., Tensor] = bilinear_up,
    score: Unit = zero_score,
    name: str | None = None,
) -> Tensor:
    """Scores of a finer feature map added to coarser ones, twice enlarged (Long et al. 2015, figure 3).

    ```
        x ─────── ×2 ─────┬─ add
        skip ─── 1×1 ─────┘
    ```

    Shapes: `batch height width classes`, `batch height2 width2 channels2` -> `batch height3 width3 classes`, where
    height3 is height2 with an offset up to 0, and 2·(height+1) above.

    Args:
        x: symbolic tensor of scores.
        skip: feature map of half the stride.
        offset: rows and columns of `skip` before the first of the enlarged `x`, negative where `x` starts earlier:
            the earlier one is cropped. -1 is right where both begin at the same pixel of the image.
        up: function `(x, factor, *, name)`.
        score: unit of the scores of `skip`; linear, and zero at first, unless given.

    Example:
        >>> fuse_scores(keras.Input((7, 7, 21)), keras.Input((13, 13, 512))).shape
        (None, 13, 13, 21)
    """
    arguments.image(skip, "skip", [rank(x)])
    arguments.functions(up=up, score=score)
    y = up(x, 2, name="up")
    scores = score(skip, channels(x), 1, strides=1, name="score")
    return add(list(align(y, scores, offset)), name="add")


@block
def decoder_block(
    x: Tensor,
    skip: Tensor | Sequence[Tensor],
    filters: int,
    convs: int = 2,
    *,
    offset: int = 0,
    up: Unit | None = None,
    gate: Callable[..., Tensor] | None = None,
    gated_by: Literal["x", "up"] = "x",
    block: Callable[..., Tensor] | None = None,
    conv: Unit = _conv,
    name: str | None = None,
) -> Tensor:
    """Up by two, the skip beside it, and convolutions: one step up of a U-Net (Ronneberger et al. 2015, figure 1).

    ```
        x ──── 2×2 up ──┬─ concat ── 3×3 ── 3×3
        skip ── crop ───┘
    ```

    Shapes: `batch height width channels`, `batch height2 width2 channels2` -> `batch height3 width3 filters`; with
    convolutions that keep the size height3 is height2 with an offset up to 0, and 2·height above. Sizes known only at
    run time are matched there, so that odd ones fit as well.

    Args:
        skip: feature map of half the stride, or a list of such maps of one size, as in U-Net++.
        filters: output channels, also of the transposed convolution.
        convs: number of convolutions.
        offset: rows and columns of `skip` before the first of the enlarged `x`, negative where `x` starts earlier:
            the earlier one is cropped. 0 is right for convolutions that keep the size.
        up: unit that doubles the sides, with a kernel of side 2 unless it has one; None for `transposed` with norm,
            activation and options of `conv`.
        gate: function `(skip, signal, *, conv, name)` that each skip goes through, such as `attention_gate`.
        gated_by: the signal of the gate: `x` as it comes, or enlarged.
        block: function `(x, filters, convs, *, conv, name)` in the place of the convolutions.
        conv: unit.

    Example:
        >>> decoder_block(keras.Input((28, 28, 1024)), keras.Input((64, 64, 512)), 512, offset=4).shape
        (None, 56, 56, 512)
        >>> decoder_block(keras.Input((None, 7, 128)), keras.Input((None, 13, 64)), 64).shape
        (None, None, 13, 64)
    """
    skips = list(skip) if checks.is_sequence(skip) and skip else [skip]
    for one in skips:
        arguments.image(one, "skip", [rank(x)])
    arguments.functions(conv=conv, **{word: f for word, f in (("gate", gate), ("block", block)) if f is not None})
    checks.choice("gated_by", gated_by, ("x", "up"))
    if len(skips) > 1 and checks.integer("offset", offset, at_least=None) > 0:
        raise checks.refuse("offset", offset, "at most 0 with several skips")
    up = matching(transposed, conv) if up is None else up
    arguments.functions(up=up)
    convs = checks.integer("convs", convs)
    kernel = () if binds(up, "kernel_size") else (2,)
    y = up(x, filters, *kernel, strides=2, padding="valid", name="up")
    y, skips[0] = align(y, skips[0], offset)
    if gate is not None:
        signal = x if gated_by == "x" else y
        for number, one in enumerate(skips):
            skips[number] = gate(one, signal, conv=conv, name=f"gate{number + 1}" if len(skips) > 1 else "gate")
    y = concat([*skips, y], name="concat")
    if block is not None:
        return block(y, filters, convs, conv=conv, name="block")
    for number in range(1, convs + 1):
        y = conv(y, filters, 3, strides=1, name=f"conv{number}")
    return y
