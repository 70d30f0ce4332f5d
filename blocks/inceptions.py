"""Blocks of parallel branches."""

from __future__ import annotations

from typing import Any

import keras  # noqa: F401  (the doctests use it)

from . import checks
from .core import block
from .pieces import concat, max_pool
from .types import Tensor, Unit
from .units import conv as _conv


@block
def inception(
    x: Tensor, c1: int, c3: Any, c5: Any, pool_proj: int, *, conv: Unit = _conv, pool: Unit = max_pool
) -> Tensor:
    """Inception v1 with dimension reduction (Szegedy et al. 2015, figure 2b).

    ```
             ┌─ 1×1 ───────────────┐
        x ───┼─ 1×1 reduce ── 3×3 ─┼── concat
             ├─ 1×1 reduce ── 5×5 ─┤
             └─ 3×3 pool ──── 1×1 ─┘
    ```

    Shapes: `batch height width channels` -> `batch height width c1+c3[1]+c5[1]+pool_proj`.

    Args:
        x: symbolic tensor.
        c1: filters of the 1×1 branch.
        c3: (reduction, output) filters of the 3×3 branch.
        c5: (reduction, output) filters of the 5×5 branch.
        pool_proj: filters of the 1×1 convolution behind the pool.
        conv: unit; keeps height and width.
        pool: function `(x, pool_size, *, strides, name)`.

    Raises:
        ValueError: filters out of range, or a unit whose branches do not fit together.
        TypeError: an argument of the wrong type.

    Example:
        >>> inception(keras.Input((28, 28, 192)), 64, (96, 128), (16, 32), 32).shape
        (None, 28, 28, 256)
    """
    checks.integers("c3", c3, 2)
    checks.integers("c5", c5, 2)
    branches = [
        conv(x, c1, 1, strides=1, name="1x1"),
        conv(conv(x, c3[0], 1, strides=1, name="3x3_reduce"), c3[1], 3, strides=1, name="3x3"),
        conv(conv(x, c5[0], 1, strides=1, name="5x5_reduce"), c5[1], 5, strides=1, name="5x5"),
        conv(pool(x, 3, strides=1, name="pool"), pool_proj, 1, strides=1, name="pool_proj"),
    ]
    return concat(branches, name="concat")
