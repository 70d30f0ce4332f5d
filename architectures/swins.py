"""Swin Transformer (Liu et al. 2021, Hierarchical Vision Transformer using Shifted Windows), and V2 (2022b)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import keras

from .. import checks
from ..blocks import block, default_of, layer_norm, patch_embedding, patch_merging, transformer_block
from ..blocks import conv as _conv
from ..blocks import stochastic_depth as _stochastic_depth
from ..blocks.types import Dense, Norm, Tensor, Unit
from .constructor import Head, architecture, divided, published, variant

# Section 3.3 of the paper, blocks of each stage, channels and heads of the first; section 4.1, stochastic depth.
SWIN = {"t": ((2, 2, 6, 2), 96, 3, 0.2), "s": ((2, 2, 18, 2), 96, 3, 0.3), "b": ((2, 2, 18, 2), 128, 4, 0.5)}

# Of the authors' code.
swin_conv = partial(_conv, activation="gelu", kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02))
swin_norm = partial(layer_norm, epsilon=1e-5)
DIALECTS: dict[str, dict[str, Any]] = {"paper": {}, "torchvision": {"classifier_activation": None}}


@block
def swin_stage(
    x: Tensor, filters: int, heads: int, rates: Sequence[float], *, window: int, merge: bool, **options: Any
) -> Tensor:
    """Blocks with these rates of stochastic depth, every second one with shifted windows; `merge` halves sides first.

    Shapes: `batch height width channels` -> `batch height/2 width/2 filters`; without `merge` the same.
    """
    if merge:
        own = {word: options[word] for word in ("norm", "norm_at", "conv")}
        x = patch_merging(x, filters, name="downsample", **own)
    for number, rate in enumerate(rates, 1):
        shift = 0 if number % 2 else window // 2
        asked: dict[str, Any] = {"shift": shift, "transforms": [partial(_stochastic_depth, rate=rate)]}
        x = transformer_block(x, heads, window=window, position_bias=True, name=f"block{number}", **asked, **options)
    return x


@architecture(dialects=DIALECTS)
def swin(
    x: Tensor,
    head: Head,
    *,
    repeats: tuple[int, ...] = (2, 2, 6, 2),
    filters: int = 96,
    heads: int = 3,
    window: int = 7,
    patch_size: int = 4,
    expansion: float = 4,
    stochastic_depth: float = 0.2,
    cosine: bool = False,
    norm: Norm = swin_norm,
    norm_at: Literal["start", "end"] = "start",
    conv: Unit = swin_conv,
    dense: Dense | None = None,
) -> Tensor:
    """Swin Transformer: stages of attention in windows, every second one shifted (Liu et al. 2021, figure 3).

    Shapes: `batch height width channels` -> `batch classes`, for known sides that are multiples of
    `patch_size * window * 2**(len(repeats) - 1)`: 224, 448, ….

    Args:
        repeats: number of blocks in each stage.
        filters, heads: channels and heads of the first stage, twice as many in each one after it.
        window: side of a window, in patches.
        patch_size: side of a patch of the first stage.
        expansion: the perceptrons are so many times as wide as a token.
        stochastic_depth: rate at which the last block is skipped in training; growing evenly from 0 for the first.
        cosine, norm_at: as in `transformer_block`, `norm_at` in `patch_merging` too: what Swin V2 has otherwise.
        norm: function `(x, *, name)` before every attention and perceptron, and after patches and the last block.
        conv: unit of the patches and perceptrons, whose initialisers, regularisers and constraints the attention has.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"torchvision"`, which gives logits. (For other sizes torchvision adds zeros at the border.)
    """
    norm, repeats = checks.function("norm", norm, "name"), checks.integers("repeats", repeats, max(1, len(repeats)))
    window, patch_size = checks.integer("window", window), checks.integer("patch_size", patch_size)
    filters, heads = checks.integer("filters", filters), checks.integer("heads", heads)
    rate, total = checks.fraction("stochastic_depth", stochastic_depth), max(1, sum(repeats) - 1)
    x = divided(x, patch_size * window * 2 ** (len(repeats) - 1), "patch_size, window and repeats")
    x = patch_embedding(x, filters, patch_size, norm=norm, conv=conv, name="patches")
    options: dict[str, Any] = {"window": window, "expansion": expansion, "norm": norm, "conv": conv}
    options |= {"cosine": cosine, "norm_at": norm_at}
    options["activation"] = default_of(conv, "activation")
    before = 0
    for stage, count in enumerate(repeats):
        rates = [rate * place / total for place in range(before, before + count)]
        widths = (filters * 2**stage, heads * 2**stage)
        x = swin_stage(x, *widths, rates, merge=stage > 0, name=f"stage{stage + 1}", **options)
        before += count
    return head(norm(x, name="norm"), dense=dense) if head.include_top else head(norm(x, name="norm"))


swin_v2 = variant(
    swin,
    "swin_v2",
    """Swin V2: norms after attention and perceptron, scores that are cosines (Liu et al. 2022b, figure 1).

    What is added to a score comes from a perceptron of the logarithms of the offset between two places. Arguments and
    errors as `swin`; the window is 8 and the image 256×256.
    """,
    window=8,
    cosine=True,
    norm_at="end",
    input_shape=(256, 256, 3),
)


def _sized(family: Any, size: str) -> Any:
    repeats, filters, heads, rate = SWIN[size]
    options = {"repeats": repeats, "filters": filters, "heads": heads, "stochastic_depth": rate}
    return published(family, f"{family.__name__}_{size}", **options)


swin_t, swin_s, swin_b = (_sized(swin, size) for size in SWIN)
swin_v2_t, swin_v2_s, swin_v2_b = (_sized(swin_v2, size) for size in SWIN)
