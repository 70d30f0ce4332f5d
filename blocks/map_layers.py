"""Layers on maps of any rank that Keras lacks: resampling, gates, norms, tokens."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from .. import checks
from .layers import _ImageLayer, serializable


def _sized(argument: str, value: Any) -> tuple[int, ...]:
    if not checks.is_sequence(value) or not value:
        raise checks.refuse(argument, value, "positive integers, one for each side", TypeError)
    return checks.integers(argument, value, len(value))


class _MapLayer(_ImageLayer):
    """Works along the sides of a map, one to three of them."""

    def side_axes(self, shape: Any) -> range:
        return range(self.first, self.first + len(shape) - 2)

    def last(self, x: Any) -> Any:
        """With the channels last."""
        return x if self.channel_axis == -1 else ops.moveaxis(x, 1, -1)

    def back(self, x: Any) -> Any:
        """From channels last to the order of this layer."""
        return x if self.channel_axis == -1 else ops.moveaxis(x, -1, 1)

    def per_channel(self, weights: Any, rank: int) -> Any:
        """One number a channel in the shape in which it broadcasts."""
        return weights if self.channel_axis == -1 else ops.reshape(weights, (-1, *[1] * (rank - 2)))


@serializable
class Resize(_MapLayer):
    """A map with sides `factors` times as long, or those of a second one; nearest or linear interpolation.

    Pixels are areas: the middle of pixel i of m lies at (i + ½)/m of the side, as in torch without `align_corners`.

    Shapes: `batch *sides channels` -> `batch *sides·factors channels`;
    `[batch *sides channels, batch *sides2 channels2]` -> `batch *sides2 channels` where `factors` is None.

    Example:
        >>> import numpy as np
        >>> np.asarray(Resize((2,), "linear")(np.array([0.0, 4.0]).reshape(1, 2, 1))).ravel().tolist()
        [0.0, 1.0, 3.0, 4.0]
    """

    ARGUMENTS = ("factors", "interpolation")

    def __init__(self, factors: Any = None, interpolation: str = "nearest", **options: Any) -> None:
        super().__init__(**options)
        with checks.speaking(type(self).__name__):
            self.factors = None if factors is None else _sized("factors", factors)
            self.interpolation = checks.choice("interpolation", interpolation, ("nearest", "linear"))

    def call(self, inputs: Any) -> Any:
        x, like = (inputs, None) if self.factors is not None else inputs
        for place, axis in enumerate(self.side_axes(x.shape)):
            n = ops.shape(x)[axis]
            m = n * self.factors[place] if self.factors is not None else ops.shape(like)[axis]
            if not (isinstance(n, int) and n == m):
                x = self._along(x, axis, n, m)
        return x

    def _along(self, x: Any, axis: int, n: Any, m: Any) -> Any:
        if self.interpolation == "nearest":
            return ops.take(x, ops.arange(m, dtype="int32") * n // m, axis=axis)
        length = ops.cast(n, "float32")
        places = (ops.cast(ops.arange(m, dtype="int32"), "float32") + 0.5) * (length / ops.cast(m, "float32")) - 0.5
        places = ops.clip(places, 0.0, length - 1.0)
        low = ops.cast(ops.floor(places), "int32")
        high = ops.minimum(low + 1, n - 1)
        weight = ops.cast(places - ops.cast(low, "float32"), x.dtype)
        weight = ops.reshape(weight, (-1, *[1] * (len(x.shape) - axis - 1)))
        return ops.take(x, low, axis=axis) * (1 - weight) + ops.take(x, high, axis=axis) * weight

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape, like = (input_shape, None) if self.factors is not None else input_shape
        shape = list(shape)
        for place, axis in enumerate(self.side_axes(shape)):
            if like is not None:
                shape[axis] = like[axis]
            elif shape[axis] is not None:
                shape[axis] *= self.factors[place]  # type: ignore[index]
        return tuple(shape)


@serializable
class PixelShuffle(_MapLayer):
    """Channels become pixels: sides `factors` times as long, channels by their product fewer (Shi et al. 2016).

    Channel c·r² + r·i + j goes to row i and column j of a pixel of channel c, as in torch.

    Shapes: `batch *sides channels` -> `batch *sides·factors channels/prod(factors)`.

    Example:
        >>> import numpy as np
        >>> np.asarray(PixelShuffle((2,))(np.arange(4.0).reshape(1, 2, 2))).ravel().tolist()
        [0.0, 1.0, 2.0, 3.0]
    """

    ARGUMENTS = ("factors",)

    def __init__(self, factors: Any, **options: Any) -> None:
        super().__init__(**options)
        with checks.speaking(type(self).__name__):
            self.factors = _sized("factors", factors)

    def call(self, x: Any) -> Any:
        x, n = self.last(x), len(self.factors)
        batch, *sizes, channels = ops.shape(x)
        x = ops.reshape(x, (batch, *sizes, channels // math.prod(self.factors), *self.factors))
        pairs = [axis for side in range(n) for axis in (1 + side, 2 + n + side)]
        x = ops.transpose(x, (0, *pairs, 1 + n))
        longer = [size * factor for size, factor in zip(sizes, self.factors, strict=True)]
        return self.back(ops.reshape(x, (batch, *longer, channels // math.prod(self.factors))))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = list(input_shape)
        for axis, factor in zip(self.side_axes(shape), self.factors, strict=True):
            shape[axis] = None if shape[axis] is None else shape[axis] * factor
        shape[self.channel_axis] //= math.prod(self.factors)
        return tuple(shape)


@serializable
class PixelUnshuffle(PixelShuffle):
    """Pixels become channels, the inverse of `PixelShuffle`.

    Shapes: `batch *sides channels` -> `batch *sides/factors channels·prod(factors)`.

    Example:
        >>> PixelUnshuffle((2, 2))(keras.Input((8, 6, 3))).shape
        (None, 4, 3, 12)
    """

    def call(self, x: Any) -> Any:
        x, n = self.last(x), len(self.factors)
        batch, *sizes, channels = ops.shape(x)
        shorter = [size // factor for size, factor in zip(sizes, self.factors, strict=True)]
        pairs = [part for pair in zip(shorter, self.factors, strict=True) for part in pair]
        x = ops.reshape(x, (batch, *pairs, channels))
        x = ops.transpose(x, (0, *range(1, 2 * n, 2), *self.order(n)))
        return self.back(ops.reshape(x, (batch, *shorter, channels * math.prod(self.factors))))

    def order(self, rank: int) -> tuple[int, ...]:
        """The axes that become channels, the slowest first, in `batch side pixel side pixel … channels`."""
        return (2 * rank + 1, *range(2, 2 * rank + 1, 2))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = list(input_shape)
        for axis, factor in zip(self.side_axes(shape), self.factors, strict=True):
            shape[axis] = None if shape[axis] is None else shape[axis] // factor
        shape[self.channel_axis] *= math.prod(self.factors)
        return tuple(shape)


@serializable
class PatchMerging(PixelUnshuffle):
    """`PixelUnshuffle` with all channels of one pixel before those of the next, the first side fastest.

    (Liu et al. 2021, section 3.1, in the order of the authors' code.) Shapes:
    `batch *sides channels` -> `batch *sides/factors prod(factors)·channels`.

    Example:
        >>> import numpy as np
        >>> np.asarray(PatchMerging((2, 2))(np.arange(8.0).reshape(1, 2, 2, 2))).ravel().tolist()
        [0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0]
    """

    def order(self, rank: int) -> tuple[int, ...]:
        return (*range(2 * rank, 0, -2), 2 * rank + 1)


@serializable
class BlurPooling(_MapLayer):
    """Every `strides`-th pixel of the map blurred by a binomial kernel (Zhang 2019).

    What lies outside has no weight, so that a constant map stays as it is up to its border.

    Shapes: `batch *sides channels` -> `batch *ceil(sides/strides) channels`.

    Example:
        >>> import numpy as np
        >>> np.asarray(BlurPooling((3,), (2,))(np.array([3.0, 3, 5, 3]).reshape(1, 4, 1))).ravel().tolist()
        [3.0, 4.0]
    """

    ARGUMENTS = ("pool_size", "strides")

    def __init__(self, pool_size: Any, strides: Any, **options: Any) -> None:
        super().__init__(**options)
        with checks.speaking(type(self).__name__):
            self.pool_size, self.strides = _sized("pool_size", pool_size), _sized("strides", strides)

    def call(self, x: Any) -> Any:
        for axis, k, s in zip(self.side_axes(x.shape), self.pool_size, self.strides, strict=True):
            line = ops.ones_like(x[tuple(slice(None) if i == axis else slice(0, 1) for i in range(len(x.shape)))])
            x = _blurred(x, axis, k, s) / _blurred(line, axis, k, s)
        return x

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = list(input_shape)
        for axis, stride in zip(self.side_axes(shape), self.strides, strict=True):
            shape[axis] = None if shape[axis] is None else -(-shape[axis] // stride)
        return tuple(shape)


def _blurred(x: Any, axis: int, size: int, stride: int) -> Any:
    """The weighted sum of `size` neighbours at every `stride`-th place of an axis, zeros outside."""
    before, length = (size - 1) // 2, ops.shape(x)[axis]
    widths: list[Any] = [(0, 0)] * len(x.shape)
    widths[axis] = (before, size - 1 - before)
    padded, total = ops.pad(x, widths), 0.0
    window: list[Any] = [slice(None)] * len(x.shape)
    for start in range(size):
        window[axis] = slice(start, start + length, stride)
        total = total + padded[tuple(window)] * (math.comb(size - 1, start) / 2 ** (size - 1))
    return total


@serializable
class MaxUnpooling(_MapLayer):
    """Each value at the place of the maximum of its window in a map from before the pooling, zeros elsewhere.

    (Zeiler and Fergus 2014; Badrinarayanan et al. 2017, figure 3.) The first of several equal ones counts.

    Shapes: `[batch *ceil(sides/pool_size) channels, batch *sides channels]` -> `batch *sides channels`.

    Example:
        >>> import numpy as np
        >>> pooled, before = np.array([7.0, 8.0]).reshape(1, 2, 1), np.array([1.0, 3, 5]).reshape(1, 3, 1)
        >>> np.asarray(MaxUnpooling((2,))([pooled, before])).ravel().tolist()
        [0.0, 7.0, 8.0]
    """

    ARGUMENTS = ("pool_size",)

    def __init__(self, pool_size: Any, **options: Any) -> None:
        super().__init__(**options)
        with checks.speaking(type(self).__name__):
            self.pool_size = _sized("pool_size", pool_size)

    def call(self, inputs: Any) -> Any:
        x, before = map(self.last, inputs)
        n, size, sizes = len(self.pool_size), math.prod(self.pool_size), ops.shape(x)[1:-1]
        lengths = ops.shape(before)[1:-1]
        missing = [m * k - side for m, k, side in zip(sizes, self.pool_size, lengths, strict=True)]
        least = ops.cast(keras.ops.min(before) - 1, before.dtype)
        batch, channels = ops.shape(x)[0], x.shape[-1]
        padded = ops.pad(before - least, [(0, 0), *[(0, one) for one in missing], (0, 0)])  # all above zero inside
        pairs = [part for pair in zip(sizes, self.pool_size, strict=True) for part in pair]
        padded = ops.reshape(padded, (batch, *pairs, channels))
        padded = ops.transpose(padded, (0, *range(1, 2 * n, 2), 2 * n + 1, *range(2, 2 * n + 1, 2)))
        windows = ops.reshape(padded, (batch, *sizes, channels, size))
        places = ops.one_hot(ops.argmax(windows, axis=-1), size, dtype=x.dtype) * x[..., None]
        places = ops.reshape(places, (batch, *sizes, channels, *self.pool_size))
        order = [axis for side in range(n) for axis in (1 + side, 2 + n + side)]
        places = ops.transpose(places, (0, *order, 1 + n))
        places = ops.reshape(places, (batch, *[m * k for m, k in zip(sizes, self.pool_size, strict=True)], channels))
        return self.back(places[(slice(None), *[slice(0, side) for side in lengths])])

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        x, before = input_shape
        shape = list(before)
        shape[self.channel_axis] = x[self.channel_axis]
        return tuple(shape)


@serializable
class LayerScale(_MapLayer):
    """Each channel times a trained factor, small at first (Touvron et al. 2021).

    Shapes: `batch … channels` -> the same.

    Example:
        >>> import numpy as np
        >>> np.asarray(LayerScale(0.5)(np.ones((1, 2)))).tolist()
        [[0.5, 0.5]]
    """

    ARGUMENTS = ("initial_value",)

    def __init__(self, initial_value: float = 1e-6, **options: Any) -> None:
        super().__init__(**options)
        with checks.speaking(type(self).__name__):
            self.initial_value = checks.number("initial_value", initial_value)

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.Constant(self.initial_value)
        self.gamma = self.add_weight((input_shape[self.channel_axis],), start, name="gamma")

    def call(self, x: Any) -> Any:
        return x * self.per_channel(ops.convert_to_tensor(self.gamma), len(x.shape))


@serializable
class GlobalResponseNormalization(_MapLayer):
    """Channels compete: x + gamma·x·|x|/mean|x| + beta, |x| the norm of a channel (Woo et al. 2023, algorithm 1).

    Shapes: `batch *sides channels` -> the same.

    Example:
        >>> GlobalResponseNormalization()(keras.Input((8, 8, 16))).shape
        (None, 8, 8, 16)
    """

    ARGUMENTS = ("epsilon",)

    def __init__(self, epsilon: float = 1e-6, **options: Any) -> None:
        super().__init__(**options)
        with checks.speaking(type(self).__name__):
            self.epsilon = checks.number("epsilon", epsilon, above=0)

    def build(self, input_shape: Any) -> None:
        shape = (input_shape[self.channel_axis],)
        self.gamma = self.add_weight(shape, "zeros", name="gamma")
        self.beta = self.add_weight(shape, "zeros", name="beta")

    def call(self, x: Any) -> Any:
        wide = keras.backend.result_type(self.compute_dtype, "float32")  # float16 ends at the square of 256
        squares = ops.sum(ops.square(ops.cast(x, wide)), axis=tuple(self.side_axes(x.shape)), keepdims=True)
        norms = ops.sqrt(squares)
        shares = norms / (ops.mean(norms, axis=self.channel_axis, keepdims=True) + self.epsilon)
        gamma, beta = (self.per_channel(ops.convert_to_tensor(w), len(x.shape)) for w in (self.gamma, self.beta))
        return x + gamma * (x * ops.cast(shares, x.dtype)) + beta


class _Conv1D(keras.layers.Conv1D):
    """`keras.layers.Conv1D` by its `convolution_op`, which Keras calls in images and volumes alone."""

    def call(self, x: Any) -> Any:
        made = self.convolution_op(x, self.kernel)
        if self.use_bias:
            made = made + ops.reshape(self.bias, (1, 1, -1) if self.data_format == "channels_last" else (1, -1, 1))
        return made if self.activation is None else self.activation(made)


class _WeightStandardized:
    """The kernel of each filter with mean 0 and variance 1 before it is used (Qiao et al. 2019)."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        kernel = ops.convert_to_tensor(kernel)
        axes = tuple(range(len(kernel.shape) - 1))
        mean, variance = ops.moments(kernel, axes=axes, keepdims=True)
        return super().convolution_op(inputs, (kernel - mean) / ops.sqrt(variance + 1e-5))  # type: ignore[misc]


@serializable
class WeightStandardizedConv1D(_WeightStandardized, _Conv1D):
    """`keras.layers.Conv1D` with standardized kernels."""


@serializable
class WeightStandardizedConv2D(_WeightStandardized, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with standardized kernels."""


@serializable
class WeightStandardizedConv3D(_WeightStandardized, keras.layers.Conv3D):
    """`keras.layers.Conv3D` with standardized kernels."""


class _WeightNormalized:
    """The kernel of each filter as long as a trained number says (Salimans and Kingma 2016, eq. 2)."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)  # type: ignore[misc]
        self.gain = self.add_weight((self.filters,), "ones", name="gain")  # type: ignore[attr-defined]

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        kernel = ops.convert_to_tensor(kernel)
        lengths = ops.sqrt(ops.sum(ops.square(kernel), axis=tuple(range(len(kernel.shape) - 1)), keepdims=True))
        gain = ops.cast(self.gain, kernel.dtype)
        return super().convolution_op(inputs, gain * kernel / lengths)  # type: ignore[misc]


@serializable
class WeightNormalizedConv1D(_WeightNormalized, _Conv1D):
    """`keras.layers.Conv1D` with kernels of trained lengths."""


@serializable
class WeightNormalizedConv2D(_WeightNormalized, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with kernels of trained lengths."""


@serializable
class WeightNormalizedConv3D(_WeightNormalized, keras.layers.Conv3D):
    """`keras.layers.Conv3D` with kernels of trained lengths."""


@serializable
class PositionEmbedding(_MapLayer):
    """Adds a trained number to each channel of each position; of one size only (Dosovitskiy et al. 2021).

    Shapes: `batch *sides channels` -> the same.

    Example:
        >>> PositionEmbedding()(keras.Input((197, 16))).shape
        (None, 197, 16)
    """

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.TruncatedNormal(stddev=0.02)
        self.embeddings = self.add_weight(tuple(input_shape[1:]), start, name="embeddings")

    def call(self, x: Any) -> Any:
        return x + ops.convert_to_tensor(self.embeddings)


@serializable
class ClassToken(_MapLayer):
    """A trained token before the others (Dosovitskiy et al. 2021, eq. 1).

    Shapes: `batch tokens channels` -> `batch tokens+1 channels`.

    Example:
        >>> ClassToken()(keras.Input((196, 16))).shape
        (None, 197, 16)
    """

    def build(self, input_shape: Any) -> None:
        self.token = self.add_weight((input_shape[self.channel_axis],), "zeros", name="token")

    def call(self, x: Any) -> Any:
        token = ops.reshape(ops.convert_to_tensor(self.token), (1, 1, -1) if self.channel_axis == -1 else (1, -1, 1))
        token = ops.broadcast_to(token, (ops.shape(x)[0], *token.shape[1:]))
        return ops.concatenate([token, x], axis=self.first)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = list(input_shape)
        shape[self.first] = None if shape[self.first] is None else shape[self.first] + 1
        return tuple(shape)


@serializable
class FirstToken(_MapLayer):
    """The first of a row of tokens: what `ClassToken` has added.

    Shapes: `batch tokens channels` -> `batch channels`.

    Example:
        >>> FirstToken()(keras.Input((197, 16))).shape
        (None, 16)
    """

    def call(self, x: Any) -> Any:
        return x[:, 0] if self.channel_axis == -1 else x[:, :, 0]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], input_shape[self.channel_axis])
