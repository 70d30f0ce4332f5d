"""Convolutions whose kernels are normalized, for the `layer=` of `conv`."""

from __future__ import annotations

from typing import Any

import keras

from . import map_layers


def _rank(options: dict[str, Any]) -> int:
    return len(options["kernel_size"])


def weight_standardized(**options: Any) -> keras.Layer:
    """A convolution whose kernels have mean 0 and variance 1 for each filter (Qiao et al. 2019).

    For `conv(x, 64, layer=weight_standardized, norm=group_norm)`; `options` are those of `keras.layers.Conv2D`, and
    `kernel_size` has a number a side.

    Example:
        >>> weight_standardized(filters=4, kernel_size=(3, 3)).name.startswith("weight_standardized_conv2d")
        True
    """
    made: keras.Layer = getattr(map_layers, f"WeightStandardizedConv{_rank(options)}D")(**options)
    return made


def weight_normalized(**options: Any) -> keras.Layer:
    """A convolution whose kernels have a trained length for each filter, 1 at first (Salimans and Kingma 2016).

    For `conv(x, 64, layer=weight_normalized)`; `options` are those of `keras.layers.Conv2D`, and `kernel_size` has a
    number a side.

    Example:
        >>> weight_normalized(filters=4, kernel_size=(3, 3)).name.startswith("weight_normalized_conv2d")
        True
    """
    made: keras.Layer = getattr(map_layers, f"WeightNormalizedConv{_rank(options)}D")(**options)
    return made


def spectral_normalized(*, name: str | None = None, **options: Any) -> keras.Layer:
    """A convolution whose kernel is divided by its largest singular value (Miyato et al. 2018).

    For `conv(x, 64, layer=spectral_normalized)`; `options` are those of `keras.layers.Conv2D`.

    Example:
        >>> type(spectral_normalized(filters=4, kernel_size=(3, 3)).layer).__name__
        'Conv2D'
    """
    inner = getattr(keras.layers, f"Conv{_rank(options)}D")(**options)
    return keras.layers.SpectralNormalization(inner, name=name)
