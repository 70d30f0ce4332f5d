"""Norms of one example: by instance, by the root mean square, by the response of the whole map."""

from __future__ import annotations

from typing import Unpack

import keras

from .. import checks
from ..checks import piece
from . import arguments
from .core import register
from .map_layers import GlobalResponseNormalization
from .tensors import channel_axis, channels, layer
from .types import LayerOptions, ScaleOptions, Tensor


@register("norm")
@piece
def instance_norm(x: Tensor, *, name: str | None = None, **options: Unpack[ScaleOptions]) -> Tensor:
    """Instance normalisation (Ulyanov et al. 2016): a mean and variance a sample for each channel.

    Shapes: `batch *sides channels` -> the same. `options` are those of `keras.layers.GroupNormalization`.

    Example:
        >>> instance_norm(keras.Input((8, 8, 64)), epsilon=1e-5).shape
        (None, 8, 8, 64)
    """
    arguments.options(keras.layers.GroupNormalization, {"groups": -1, **options})
    groups = channels(x)
    return layer(
        keras.layers.GroupNormalization, x, "instance_norm", name, groups=groups, axis=channel_axis(), **options
    )


@register("norm")
@piece
def rms_norm(x: Tensor, *, epsilon: float = 1e-6, name: str | None = None, **options: Unpack[LayerOptions]) -> Tensor:
    """Division by the root mean square over the channels, and a factor for each (Zhang and Sennrich 2019).

    Shapes: `batch … channels` -> the same. `options` are those of every Keras layer.

    Example:
        >>> model = keras.Model(x := keras.Input((8, 8, 64)), rms_norm(x))
        >>> model.count_params()
        64
    """
    arguments.options(keras.layers.RMSNormalization, options)
    epsilon = checks.number("epsilon", epsilon, above=0)
    channels(x)
    return layer(keras.layers.RMSNormalization, x, "rms_norm", name, axis=channel_axis(), epsilon=epsilon, **options)


@register("norm")
@piece
def global_response_norm(
    x: Tensor, *, epsilon: float = 1e-6, name: str | None = None, **options: Unpack[LayerOptions]
) -> Tensor:
    """Channels that respond more than the others made stronger; nothing at first (Woo et al. 2023, algorithm 1).

    Shapes: `batch *sides channels` -> the same. `options` are those of every Keras layer.

    Example:
        >>> model = keras.Model(x := keras.Input((8, 8, 64)), global_response_norm(x))
        >>> model.count_params()
        128
    """
    arguments.options(GlobalResponseNormalization, options)
    epsilon = checks.number("epsilon", epsilon, above=0)
    channels(x)
    return layer(GlobalResponseNormalization, x, "global_response_norm", name, epsilon=epsilon, **options)
