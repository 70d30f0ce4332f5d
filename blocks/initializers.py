"""Initial weights that Keras lacks."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from .. import checks
from .layers import serializable


@serializable
class Bilinear(keras.initializers.Initializer):
    """The kernel of a transposed convolution that interpolates linearly (Long et al. 2015, section 3.3).

    For an enlargement by f the kernel has side 2f (or 2f-1). Channel c of the output comes from channel c of the
    input and no other.

    Raises:
        ValueError: the kernel is not one of a two-dimensional transposed convolution.

    Example:
        >>> import numpy as np
        >>> np.asarray(Bilinear()((4, 4, 1, 1)))[0, :, 0, 0].tolist()
        [0.0625, 0.1875, 0.1875, 0.0625]
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        if len(shape) != 4:
            with checks.speaking("Bilinear"):
                raise checks.refuse("shape", tuple(shape), "(height, width, filters, channels)")
        height, width, filters, channels = shape
        rows, columns = self._tent(height, dtype), self._tent(width, dtype)
        return ops.einsum("y,x,fc->yxfc", rows, columns, ops.eye(filters, channels, dtype=dtype))

    @staticmethod
    def _tent(side: int, dtype: Any) -> Any:
        """Weights by distance from the centre, nought one step of the enlargement away."""
        distance = ops.abs(ops.arange(side, dtype="float32") - (side - 1) / 2)
        return ops.cast(1 - distance / ((side + 1) // 2), dtype or keras.config.floatx())
