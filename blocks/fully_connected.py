"""Flattening and fully connected layers."""

from __future__ import annotations

from typing import Any, Unpack

import keras

from .. import checks
from ..checks import piece
from . import arguments
from .layers import RadialBasisDense
from .tensors import layer, rank
from .types import Activation, DenseOptions, LayerOptions, Tensor
from .words import register


@piece
def flatten(x: Tensor, *, name: str | None = None) -> Tensor:
    """All pixels in one row: `batch height width channels` -> `batch height*width*channels`.

    Raises:
        ValueError: height or width is unknown, so that a dense layer could not follow.

    Example:
        >>> flatten(keras.Input((7, 7, 512))).shape
        (None, 25088)
    """
    if None in arguments.image(x)[1:]:
        must_be = f"a known {arguments.RANKS[rank(x)]} where it is flattened; pool to a fixed size instead"
        raise checks.refuse("x", tuple(x.shape), must_be)
    return layer(keras.layers.Flatten, x, "flatten", name)


@register("dense")
@piece
def dense(
    x: Tensor, units: int, *, activation: Activation = None, name: str | None = None, **options: Unpack[DenseOptions]
) -> Tensor:
    """A fully connected layer: `batch features` -> `batch units`. `options` are those of `keras.layers.Dense`.

    Example:
        >>> dense(keras.Input((1024,)), 10, activation="softmax").shape
        (None, 10)
    """
    arguments.symbolic(x)
    units = checks.integer("units", units)
    arguments.options(keras.layers.Dense, options)
    checks.choice("use_bias", options.get("use_bias"), (None, True, False))
    return layer(keras.layers.Dense, x, "dense", name, units=units, activation=activation, **options)


@register("dense")
@piece
def radial_basis(
    x: Tensor,
    units: int,
    *,
    codes: Any = None,
    activation: Activation = None,
    name: str | None = None,
    **options: Unpack[LayerOptions],
) -> Tensor:
    """Minus the squared distance from a fixed code of ±1 for each unit, and an activation: LeNet-5's output.

    (LeCun et al. 1998, eq. 7.) Shapes: `batch features` -> `batch units`. The nearest code has the largest output.

    Args:
        codes: `units features`; None for random ones.
        options: those of every Keras layer.

    Raises:
        ValueError: the codes do not fit the units or the features, or `units` is out of range.

    Example:
        >>> radial_basis(keras.Input((84,)), 10, activation="softmax").shape
        (None, 10)
    """
    arguments.symbolic(x)
    units = checks.integer("units", units)
    arguments.options(RadialBasisDense, options)
    codes = arguments.codes("codes", codes)
    return layer(RadialBasisDense, x, "dense", name, units=units, codes=codes, activation=activation, **options)
