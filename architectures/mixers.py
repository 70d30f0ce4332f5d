"""MLP-Mixer (Tolstikhin et al. 2021, An all-MLP Architecture for Vision)."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import checks
from ..blocks import conv as _conv
from ..blocks import default_of, layer_norm, mixer_block, patch_embedding, tokens
from ..blocks.types import Dense, Norm, Tensor, Unit
from .constructor import Head, architecture, divided, published

# Table 1 of the paper: blocks, channels, and the units of the perceptrons over tokens and over channels.
MIXER = {
    "s": (8, 512, 256, 2048),
    "b": (12, 768, 384, 3072),
    "l": (24, 1024, 512, 4096),
    "h": (32, 1280, 640, 5120),
}

mixer_conv = partial(_conv, activation="gelu")
mixer_norm = partial(layer_norm, epsilon=1e-6)  # of the authors' code
DIALECTS: dict[str, dict[str, Any]] = {"paper": {}, "timm": {"classifier_activation": None}}


@architecture(dialects=DIALECTS)
def mixer(
    x: Tensor,
    head: Head,
    *,
    patch_size: int = 16,
    repeats: int = 12,
    filters: int = 768,
    token_units: int = 384,
    channel_units: int = 3072,
    norm: Norm = mixer_norm,
    conv: Unit = mixer_conv,
    dense: Dense | None = None,
) -> Tensor:
    """MLP-Mixer: perceptrons over the patches and over their channels in turn (Tolstikhin et al. 2021, figure 1).

    Shapes: `batch height width channels` -> `batch classes`, for known sides, multiples of `patch_size`; without
    a top `batch patches filters`. Each size of image has perceptrons of its own.

    Args:
        patch_size: side of a patch.
        repeats: number of blocks.
        filters: channels of a patch.
        token_units, channel_units: widths of the perceptrons of a block.
        norm: function `(x, *, name)` before every perceptron, and after the last.
        conv: unit of the patches and perceptrons.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"timm"`, which gives logits.
    """
    norm = checks.function("norm", norm, "name")
    x = patch_embedding(divided(x, patch_size, "patch_size"), filters, patch_size, conv=conv, name="patches")
    x = tokens(x, name="tokens")
    options: dict[str, Any] = {"activation": default_of(conv, "activation"), "norm": norm, "conv": conv}
    for number in range(1, checks.integer("repeats", repeats) + 1):
        x = mixer_block(x, token_units, channel_units, name=f"block{number}", **options)
    x = norm(x, name="norm")
    return head(x, dense=dense) if head.include_top else head(x)


def _published(size: str, patch_size: int) -> Any:
    words = ("repeats", "filters", "token_units", "channel_units")
    options = dict(zip(words, MIXER[size], strict=True))
    return published(mixer, f"mixer_{size}_{patch_size}", patch_size=patch_size, **options)


mixer_s_32, mixer_s_16, mixer_b_32, mixer_b_16, mixer_l_32, mixer_l_16, mixer_h_14 = (
    _published(*name) for name in (("s", 32), ("s", 16), ("b", 32), ("b", 16), ("l", 32), ("l", 16), ("h", 14))
)
