"""Attention within the windows of a map, which Keras lacks."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from .. import checks
from . import arguments
from .layers import serializable
from .map_layers import _MapLayer

# Of the authors' code: what is added to the score of a place that only the shift has brought into the window.
_APART = -100.0
# Width of the perceptron that makes biases of offsets (Liu et al. 2022b, as in the authors' code).
_HIDDEN = 512


def _directions(x: Any) -> Any:
    """Each vector divided by its length; zeros stay zeros, in half precision too."""
    wide = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
    return ops.cast(wide * ops.rsqrt(ops.maximum(ops.sum(wide * wide, -1, keepdims=True), 1e-24)), x.dtype)


@serializable
class WindowAttention(_MapLayer, keras.layers.MultiHeadAttention):
    """Every place asks all places of its window, by several heads (Liu et al. 2021, section 3.2).

    With `shift` the windows begin so many places further on; those at the end go on at the beginning, where places
    that are no neighbours do not see each other. With `position_bias` a trained number is added to each score, for
    each head and offset between two places (eq. 4). With `cosine` the score is the cosine of query and key times a
    trained number of each head, keys have no bias, and what `position_bias` adds comes from a perceptron that is given
    the logarithms of the offset (Liu et al. 2022b, section 3.2 and 3.3). Else arguments and weights are those of
    `keras.layers.MultiHeadAttention`.

    Shapes: `batch *sides channels` -> the same; sides are known, and multiples of the window.

    Example:
        >>> layer = WindowAttention(num_heads=2, key_dim=8, window_size=(7, 7), position_bias=True)
        >>> layer(keras.Input((14, 14, 16))).shape, layer.count_params()
        ((None, 14, 14, 16), 1426)
    """

    ARGUMENTS = ("window_size", "shift", "position_bias", "cosine")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        window_size: int | tuple[int, ...],
        shift: int | tuple[int, ...] = 0,
        position_bias: bool = False,
        cosine: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(num_heads=num_heads, key_dim=key_dim, **options)
        with checks.speaking(type(self).__name__):
            self.window_size: Any = arguments.sizes_of_some_rank("window_size", window_size)
            self.shift: Any = arguments.sizes_of_some_rank("shift", shift, at_least=0)
            self.position_bias = checks.flag("position_bias", position_bias)
            self.cosine = checks.flag("cosine", cosine)

    def build(self, input_shape: Any) -> None:
        rank = len(input_shape) - 2
        self.window_size, self.shift = self.ready("window_size", rank), self.ready("shift", rank)
        lengths = tuple(input_shape[axis] for axis in self.side_axes(input_shape))
        for n, w, s in zip(lengths, self.window_size, self.shift, strict=True):
            if n is None or n % w or s >= w:
                must_be = f"one that divides the sides, {lengths}, and is larger than the shift, {self.shift}"
                with checks.speaking(self.name):
                    raise checks.refuse("window_size", self.window_size, must_be)
        self._lengths = lengths
        self._counts = [n // w for n, w in zip(lengths, self.window_size, strict=True)]
        row = (None, math.prod(self.window_size), input_shape[self.channel_axis])
        super().build(row, row)
        self._shares = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)
        self._apart = self._regions_apart() if any(self.shift) else None
        if self.position_bias:
            self._pairs = self._numbered_pairs()
        start = keras.initializers.TruncatedNormal(stddev=0.02)
        if self.position_bias and self.cosine:
            offsets = self._logarithms()
            self._hidden = keras.layers.Dense(
                _HIDDEN, "relu", kernel_initializer=start, name="offset_hidden", dtype=self.dtype_policy
            )
            self._by_offset = keras.layers.Dense(
                self.num_heads, use_bias=False, kernel_initializer=start, name="offset_bias", dtype=self.dtype_policy
            )
            self._hidden.build(offsets.shape)
            self._by_offset.build((*offsets.shape[:-1], _HIDDEN))
        elif self.position_bias:
            shape = (math.prod(2 * w - 1 for w in self.window_size), self.num_heads)
            self._offsets = self.add_weight(shape, start, name="position_bias")
        if self.cosine:
            ten = keras.initializers.Constant(math.log(10))
            self._scale = self.add_weight((self.num_heads, 1, 1), ten, name="logit_scale")
            if self.key_dense.bias is not None:
                self.key_dense.bias.trainable = False  # zeros, which nothing reads

    def _numbered_pairs(self) -> np.ndarray:
        """For each two places of a window the number of the offset between them, the last axis fastest."""
        places = np.indices(self.window_size).reshape(len(self._counts), -1)
        offsets = places[:, :, None] - places[:, None, :]
        numbers = zip(offsets, self.window_size, strict=True)
        shifted = tuple(n + w - 1 for n, w in numbers)
        return np.asarray(np.ravel_multi_index(shifted, tuple(2 * w - 1 for w in self.window_size)))

    def _logarithms(self) -> np.ndarray:
        """Of each offset between two places of a window, from -1 to 1, in the order of their numbers."""
        sides = [np.arange(1 - w, w) / max(1, w - 1) for w in self.window_size]
        offsets = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, len(sides))
        return np.asarray(np.sign(offsets) * np.log2(1 + 8 * abs(offsets)) / 3, "float32")

    def _biases(self) -> Any:
        """What is added to the scores, `heads places places`."""
        if self.cosine:
            of_each = 16 * ops.sigmoid(self._by_offset(self._hidden(ops.convert_to_tensor(self._logarithms()))))
        else:
            of_each = ops.convert_to_tensor(self._offsets)
        return ops.transpose(ops.take(of_each, self._pairs, axis=0), (2, 0, 1))

    def _scores(self, x: Any) -> Any:
        """What each place has for each of its window, `batch·windows heads places places`."""
        query = self.query_dense(x)
        if not self.cosine:
            return ops.einsum("bqhd,bkhd->bhqk", query * self.key_dim**-0.5, self.key_dense(x))
        key = ops.einsum("bkc,chd->bkhd", x, ops.cast(self.key_dense.kernel, x.dtype))
        scale = ops.exp(ops.minimum(ops.convert_to_tensor(self._scale), math.log(100)))
        scores = ops.einsum("bqhd,bkhd->bhqk", _directions(query), _directions(key))
        return scores * ops.cast(scale, scores.dtype)

    def _regions_apart(self) -> np.ndarray:
        """For each window and two of its places what the score of the two is changed by."""
        regions = np.zeros(self._lengths, int)
        for axis, (n, w, s) in enumerate(zip(self._lengths, self.window_size, self.shift, strict=True)):
            if s:
                along = np.repeat([0, 1, 2], [n - w, w - s, s])
                regions = 3 * regions + np.expand_dims(along, [a for a in range(regions.ndim) if a != axis])
        (windows,) = np.moveaxis(self._windows(regions[None, ..., None], np), -1, 0)
        return np.where(windows[:, :, None] == windows[:, None, :], 0.0, _APART).astype("float32")

    def _windows(self, x: Any, numpy: Any = ops) -> Any:
        """`batch *sides channels` -> `batch·windows places channels`."""
        rank, depth = len(self._counts), x.shape[-1]
        pairs = [part for pair in zip(self._counts, self.window_size, strict=True) for part in pair]
        x = numpy.reshape(x, (-1, *pairs, depth))
        x = numpy.transpose(x, (0, *range(1, 2 * rank, 2), *range(2, 2 * rank + 1, 2), 2 * rank + 1))
        return numpy.reshape(x, (-1, math.prod(self.window_size), depth))

    def _map(self, x: Any) -> Any:
        """The inverse of `_windows`."""
        rank, depth = len(self._counts), x.shape[-1]
        x = ops.reshape(x, (-1, *self._counts, *self.window_size, depth))
        x = ops.transpose(x, (0, *(1 + n + part for n in range(rank) for part in (0, rank)), 2 * rank + 1))
        return ops.reshape(x, (-1, *self._lengths, depth))

    def call(self, x: Any, training: bool | None = None) -> Any:
        x, axes = self.last(x), tuple(range(1, len(self._counts) + 1))
        if any(self.shift):
            x = ops.roll(x, tuple(-s for s in self.shift), axes)
        x = self._windows(x)
        scores, value = self._scores(x), self.value_dense(x)
        if self.position_bias:
            scores = scores + ops.cast(self._biases(), scores.dtype)
        if self._apart is not None:
            shape = scores.shape[1:]
            scores = ops.reshape(scores, (-1, len(self._apart), *shape))
            scores = ops.reshape(scores + ops.cast(self._apart[:, None], scores.dtype), (-1, *shape))
        shares = self._shares(ops.softmax(scores, axis=-1), training=training)
        x = self._map(self.output_dense(ops.einsum("bhqk,bkhd->bqhd", shares, value)))
        return self.back(ops.roll(x, self.shift, axes) if any(self.shift) else x)

    def compute_output_spec(self, x: Any, training: bool | None = None) -> Any:
        return keras.KerasTensor(x.shape, dtype=self.compute_dtype)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return mask

    def multiply_adds(self, input_shape: Any, output_shape: Any) -> int:
        width, own = self.num_heads * self.key_dim, math.prod(self.window_size)
        work = math.prod(self._lengths) * width * (4 * input_shape[self.channel_axis] + 2 * own)
        if self.cosine and self.position_bias:
            offsets = math.prod(2 * w - 1 for w in self.window_size)
            work += offsets * _HIDDEN * (len(self.window_size) + self.num_heads)
        return work
