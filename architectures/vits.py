"""Vision Transformer (Dosovitskiy et al. 2021, An Image is Worth 16x16 Words)."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import checks
from ..blocks import (
    class_token,
    default_of,
    first_token,
    layer_norm,
    patch_embedding,
    position_embedding,
    tokens,
    transformer_block,
)
from ..blocks import conv as _conv
from ..blocks import dropout as _dropout
from ..blocks.types import Dense, Norm, Tensor, Unit
from .constructor import Head, architecture, divided, published

# Table 1 of the paper: blocks, channels and heads.
VIT = {"b": (12, 768, 12), "l": (24, 1024, 16), "h": (32, 1280, 16)}

vit_conv = partial(_conv, activation="gelu")
vit_norm = partial(layer_norm, epsilon=1e-6)  # of the authors' code
DIALECTS: dict[str, dict[str, Any]] = {"paper": {}, "torchvision": {"classifier_activation": None}}


@architecture(dialects=DIALECTS)
def vit(
    x: Tensor,
    head: Head,
    *,
    patch_size: int = 16,
    repeats: int = 12,
    filters: int = 768,
    heads: int = 12,
    expansion: float = 4,
    dropout: float = 0.0,
    norm: Norm = vit_norm,
    conv: Unit = vit_conv,
    dense: Dense | None = None,
) -> Tensor:
    """Vision Transformer: patches as tokens, a class token, and transformer blocks (Dosovitskiy et al. 2021, figure 1).

    Shapes: `batch height width channels` -> `batch classes`, for known sides, multiples of `patch_size`; without
    a top `batch 1+patches filters`. Each size of image has position embeddings of its own.

    Args:
        patch_size: side of a patch.
        repeats: number of transformer blocks.
        filters: channels of a token.
        heads: of each attention; they divide `filters`.
        expansion: the perceptrons are so many times as wide as a token.
        dropout: rate after the position embedding, in each attention and after each layer of a perceptron.
        norm: function `(x, *, name)` before every attention and perceptron, and after the last.
        conv: unit of the patches and perceptrons, whose initialisers, regularisers and constraints the attention has.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"torchvision"`, which gives logits.
    """
    norm = checks.function("norm", norm, "name")
    x = patch_embedding(divided(x, patch_size, "patch_size"), filters, patch_size, conv=conv, name="patches")
    x = class_token(tokens(x, name="tokens"), name="class_token")
    x = _dropout(position_embedding(x, name="position_embedding"), dropout, name="dropout")
    options: dict[str, Any] = {"expansion": expansion, "dropout": dropout, "norm": norm, "conv": conv}
    for number in range(1, checks.integer("repeats", repeats) + 1):
        activation = default_of(conv, "activation")
        x = transformer_block(x, heads, activation=activation, name=f"block{number}", **options)
    x = norm(x, name="norm")
    return head(first_token(x, name="first_token"), pooling=None, dense=dense) if head.include_top else head(x)


def _published(size: str, patch_size: int) -> Any:
    repeats, filters, heads = VIT[size]
    options = {"repeats": repeats, "filters": filters, "heads": heads, "patch_size": patch_size}
    return published(vit, f"vit_{size}_{patch_size}", **options)


vit_b_16, vit_b_32, vit_l_16, vit_l_32, vit_h_14 = (
    _published(size, patch_size) for size, patch_size in (("b", 16), ("b", 32), ("l", 16), ("l", 32), ("h", 14))
)
