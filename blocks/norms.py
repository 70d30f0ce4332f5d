"""Normalisations: functions `norm(x, *, name)` that any unit accepts as its `norm=`."""

from __future__ import annotations

from typing import Unpack

import keras

from .. import checks
from ..checks import piece
from . import arguments
from .core import register
from .layers import FusedBatchNormalization, LocalResponseNormalization
from .tensors import channel_axis, channels, layer
from .types import BatchNormOptions, LayerNormOptions, ScaleOptions, Tensor


@register("norm")
@piece
def batch_norm(x: Tensor, *, name: str | None = None, **options: Unpack[BatchNormOptions]) -> Tensor:
    """Batch normalisation (Ioffe and Szegedy 2015), one mean and variance a channel.

    Shapes: `batch height width channels` -> the same. `options` are those of `keras.layers.BatchNormalization`
    (`momentum` 0.99 and `epsilon` 1e-3 unless given).

    Example:
        >>> from functools import partial
        >>> from layerblocks.blocks import conv
        >>> conv(keras.Input((8, 8, 3)), 16, norm=partial(batch_norm, epsilon=1e-5)).shape
        (None, 8, 8, 16)
    """
    arguments.options(keras.layers.BatchNormalization, options)
    return layer(keras.layers.BatchNormalization, x, "batch_norm", name, axis=channel_axis(), **options)


@register("norm")
@piece
def fused_batch_norm(x: Tensor, *, name: str | None = None, **options: Unpack[BatchNormOptions]) -> Tensor:
    """`batch_norm` that trains faster on TensorFlow: the same statistics, gradients and weights, up to rounding.

    A model saved with it needs layerblocks to be loaded. `training_model` of `layerblocks.models` puts it into a
    network that is there already.

    Shapes: `batch height width channels` -> the same. `options` are those of `keras.layers.BatchNormalization`.

    Example:
        >>> from functools import partial
        >>> from layerblocks.blocks import bottleneck, conv_bn
        >>> bottleneck(keras.Input((8, 8, 3)), 16, conv=partial(conv_bn, norm=fused_batch_norm)).shape
        (None, 8, 8, 16)
    """
    arguments.options(keras.layers.BatchNormalization, options)
    return layer(FusedBatchNormalization, x, "batch_norm", name, axis=channel_axis(), **options)


@register("norm")
@piece
def group_norm(x: Tensor, *, groups: int = 32, name: str | None = None, **options: Unpack[ScaleOptions]) -> Tensor:
    """Group normalisation (Wu and He 2018): a mean and variance a sample for each group of channels.

    Shapes: `batch height width channels` -> the same. `options` are those of `keras.layers.GroupNormalization`.

    Raises:
        ValueError: `groups` does not divide the channels.

    Example:
        >>> group_norm(keras.Input((8, 8, 64)), groups=16).shape
        (None, 8, 8, 64)
    """
    arguments.options(keras.layers.GroupNormalization, options)
    groups = checks.integer("groups", groups)
    if channels(x) % groups:
        raise checks.refuse("groups", groups, f"a divisor of the {channels(x)} channels of x")
    return layer(keras.layers.GroupNormalization, x, "group_norm", name, groups=groups, axis=channel_axis(), **options)


@register("norm")
@piece
def layer_norm(x: Tensor, *, name: str | None = None, **options: Unpack[LayerNormOptions]) -> Tensor:
    """Layer normalisation over the channels of each pixel (Ba et al. 2016, as ConvNeXt uses it).

    Shapes: `batch height width channels` -> the same. `options` are those of `keras.layers.LayerNormalization`.

    Example:
        >>> layer_norm(keras.Input((8, 8, 64)), epsilon=1e-6).shape
        (None, 8, 8, 64)
    """
    arguments.options(keras.layers.LayerNormalization, options)
    return layer(keras.layers.LayerNormalization, x, "layer_norm", name, axis=channel_axis(), **options)


@register("norm")
@piece
def local_response_norm(
    x: Tensor, *, depth: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75, name: str | None = None
) -> Tensor:
    """Local response normalisation over `depth` neighbouring channels (Krizhevsky et al. 2012, section 3.3).

    Shapes: `batch height width channels` -> the same. It has no parameters.

    Example:
        >>> local_response_norm(keras.Input((56, 56, 64))).shape
        (None, 56, 56, 64)
    """
    arguments.image(x)
    depth = checks.integer("depth", depth)
    k, alpha, beta = checks.number("k", k), checks.number("alpha", alpha), checks.number("beta", beta)
    return layer(LocalResponseNormalization, x, "local_response_norm", name, depth=depth, k=k, alpha=alpha, beta=beta)
