"""Words of the signatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import keras

Tensor: TypeAlias = keras.KerasTensor
"""A symbolic tensor, `batch height width channels` unless said."""

Size: TypeAlias = int | tuple[int, int]
"""One number for both axes, or (height, width)."""

Margins: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""Rows (above, below) and columns (left, right)."""

Padding: TypeAlias = Literal["same", "valid", "symmetric"] | Size | Margins
"""Keras's two, equal on opposite sides, zero rows and columns on every side, or ((above, below), (left, right))."""

Unit: TypeAlias = Callable[..., Tensor]
"""`unit(x, filters, kernel_size=3, *, strides=1, activation=…, name=None)`."""

Norm: TypeAlias = Callable[..., Tensor]
"""`norm(x, *, name)`."""

Activation: TypeAlias = str | Callable[[Any], Any] | None
"""A Keras name, a function of a tensor, a block; None for linear."""

Shortcut: TypeAlias = Callable[..., Tensor]
"""`shortcut(x, filters, *, strides, conv)`."""
