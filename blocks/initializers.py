"""Initial weights that Keras lacks."""

from __future__ import annotations

import math
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
        ValueError: the kernel is not one of a transposed convolution.

    Example:
        >>> import numpy as np
        >>> np.asarray(Bilinear()((4, 4, 1, 1)))[0, :, 0, 0].tolist()
        [0.0625, 0.1875, 0.1875, 0.0625]
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        if len(shape) not in (3, 4, 5):
            with checks.speaking("Bilinear"):
                raise checks.refuse("shape", tuple(shape), "a size for each axis, filters and channels")
        *sides, filters, channels = shape
        axes = "zyx"[-len(sides) :]
        tents = [self._tent(side, dtype) for side in sides]
        return ops.einsum(f"{','.join(axes)},fc->{axes}fc", *tents, ops.eye(filters, channels, dtype=dtype))

    @staticmethod
    def _tent(side: int, dtype: Any) -> Any:
        """Weights by distance from the centre, nought one step of the enlargement away."""
        distance = ops.abs(ops.arange(side, dtype="float32") - (side - 1) / 2)
        return ops.cast(1 - distance / ((side + 1) // 2), dtype or keras.config.floatx())


@serializable
class FanInUniform(keras.initializers.Initializer):
    """Uniform numbers up to ±`bound` divided by the fan-in (LeCun et al. 1998, section III: 2.4/F).

    Args:
        bound: what is divided.
        fan_in: number of inputs of a unit; None for that of the kernel, the product of all axes but the last; a list
            of them, one for each place of the last axis, for biases of units that see different numbers.
        seed: None for other numbers in every layer.

    Example:
        >>> import numpy as np
        >>> values = np.asarray(FanInUniform(2.4)((5, 5, 6, 16)))
        >>> bool(0.9 * 2.4 / 150 < abs(values).max() <= 2.4 / 150)
        True
    """

    def __init__(self, bound: float = 1.0, fan_in: Any = None, seed: Any = None) -> None:
        with checks.speaking("FanInUniform"):
            self.bound = checks.number("bound", bound, above=0)
            fans = fan_in if checks.is_sequence(fan_in) else () if fan_in is None else (fan_in,)
            checks.integers("fan_in", fans, len(fans))
        self.fan_in: Any = fan_in
        self.seed = seed
        self._uniform = keras.initializers.RandomUniform(-1.0, 1.0, seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        limits: Any
        if checks.is_sequence(self.fan_in):
            limits = [self.bound / fan for fan in self.fan_in]
        else:
            limits = self.bound / (math.prod(shape[:-1]) if self.fan_in is None else self.fan_in)
        values = self._uniform(shape, dtype)
        return values * ops.cast(ops.convert_to_tensor(limits), values.dtype)

    def get_config(self) -> dict[str, Any]:
        return {"bound": self.bound, "fan_in": self.fan_in, "seed": self.seed}
