"""Blocks that weigh what they are given."""

from __future__ import annotations

import keras  # noqa: F401  (the doctests use it)

from .. import checks
from . import arguments
from .core import block
from .merges import scale
from .pools import global_avg_pool
from .tensors import channels
from .types import Activation, Tensor, Unit
from .units import conv as _conv
from .units import without_norm


@block
def squeeze_excite(
    x: Tensor,
    *,
    ratio: int = 16,
    filters: int | None = None,
    gate: Activation = "sigmoid",
    conv: Unit = _conv,
    name: str | None = None,
) -> Tensor:
    """Each channel times a weight that all channels decide on together (Hu et al. 2018, figure 2).

    ```
        x ─┬─ global mean ── 1×1 reduce ── 1×1 expand, gate ─┬─ scale
           └─────────────────────────────────────────────────┘
    ```

    After any block, `squeeze_excite(inception(x, …))`, or inside a residual one before its sum,
    `bottleneck(x, 256, transforms=[squeeze_excite])`.

    Shapes: `batch height width channels` -> the same, for any input size.

    Args:
        ratio: the narrow part has `channels // ratio` channels, at least one.
        filters: channels of the narrow part, instead of by `ratio`.
        gate: from numbers to weights.
        conv: unit of the two 1×1 convolutions, whose activation is that of the narrow part; a norm of it is left out.

    Raises:
        ValueError: `ratio` is no positive integer.

    Example:
        >>> model = keras.Model(x := keras.Input((56, 56, 256)), squeeze_excite(x))
        >>> model.output_shape, model.count_params()
        ((None, 56, 56, 256), 8464)
    """
    arguments.functions(conv=conv)
    arguments.identifier("gate", gate, "activation")
    conv = without_norm(conv)
    narrow = max(1, channels(x) // checks.integer("ratio", ratio))
    narrow = narrow if filters is None else checks.integer("filters", filters)
    weights = global_avg_pool(x, keepdims=True, name="pool")
    weights = conv(weights, narrow, 1, strides=1, name="reduce")
    weights = conv(weights, channels(x), 1, strides=1, activation=gate, name="expand")
    return scale(x, weights, name="scale")
