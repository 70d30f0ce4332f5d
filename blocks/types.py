"""Words of the signatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias

import keras

Tensor: TypeAlias = keras.KerasTensor
"""A symbolic tensor, `batch height width channels` unless said."""

Size: TypeAlias = int | tuple[int, int]
"""One number for both axes, or (height, width)."""

Margins: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""Rows (above, below) and columns (left, right)."""

Padding: TypeAlias = Literal["same", "valid", "symmetric"] | Size | Margins
"""Keras's two, equal on opposite sides, zero rows and columns on every side, or ((above, below), (left, right))."""

Activation: TypeAlias = str | Callable[[Any], Any] | None
"""A Keras name, a function of a tensor, a block; None for linear."""


# Classes, so that each word is a type of its own; any function at all is one to a type checker.


class Unit(Protocol):
    """`unit(x, filters, kernel_size=3, *, strides=1, activation=…, name=None)`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor: ...


class Norm(Protocol):
    """`norm(x, *, name)`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor: ...


class Pool(Protocol):
    """`pool(x, pool_size, *, strides, name)`, and `padding` and `dilation_rate` where a block has them."""

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor: ...


class Dense(Protocol):
    """`dense(x, units, *, activation, name)`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor: ...


class Shortcut(Protocol):
    """`shortcut(x, filters, *, strides, conv)`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor: ...
