"""Activations, dropout and stochastic depth."""

from __future__ import annotations

from typing import Unpack

import keras

from .. import checks
from ..checks import piece
from . import arguments, words
from .core import is_block
from .layers import StochasticDepth
from .tensors import layer
from .types import Activation, StochasticDepthOptions, Tensor
from .words import register


@register("block")
@piece
def dropout(x: Tensor, rate: float, *, name: str | None = None) -> Tensor:
    """Zeros for a share `rate` of the values in training; nothing at all, not even a layer, for 0.

    Example:
        >>> dropout(keras.Input((1024,)), 0.4).shape
        (None, 1024)
    """
    arguments.symbolic(x)
    rate = checks.fraction("rate", rate)
    return layer(keras.layers.Dropout, x, "dropout", name, rate=rate) if rate else x


@register("block")
@piece
def stochastic_depth(
    x: Tensor, rate: float, *, name: str | None = None, **options: Unpack[StochasticDepthOptions]
) -> Tensor:
    """Zeros for a share `rate` of the examples in training; nothing at all, not even a layer, for 0.

    (Huang et al. 2016.) For the branch of a residual block, which is then just its shortcut for these examples.

    Args:
        rate: probability that an example skips the branch.
        options: `seed`, and those of every Keras layer.

    Example:
        >>> stochastic_depth(keras.Input((8, 8, 64)), 0.2).shape
        (None, 8, 8, 64)
    """
    arguments.symbolic(x)
    rate = checks.fraction("rate", rate)
    arguments.options(StochasticDepth, options)
    return layer(StochasticDepth, x, "stochastic_depth", name, rate=rate, **options) if rate else x


@piece
def activate(x: Tensor, activation: Activation, *, name: str | None = None) -> Tensor:
    """An activation as a layer of its own: a Keras name, a function of a tensor, or a block; None for none.

    Example:
        >>> activate(keras.Input((8, 8, 3)), "gelu").shape
        (None, 8, 8, 3)
    """
    arguments.symbolic(x)
    given = words.resolved("activation", "activation", activation)
    if given is None:
        return x
    if is_block(given):
        return given(x, name=name)
    if isinstance(given, keras.Layer):  # another one each time, with weights of its own
        make, config = type(given).from_config, given.get_config()
        return layer(lambda name: make({**config, "name": name}), x, "activation", name)
    return layer(keras.layers.Activation, x, "activation", name, activation=given)
