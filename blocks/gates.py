"""What a map is multiplied by: constants, factors of channels, and gates of channels and places."""

from __future__ import annotations

from math import log2

import keras
from keras import ops

from .. import checks
from ..checks import piece
from . import arguments
from .activations import activate
from .core import block, default_of
from .map_layers import LayerScale
from .merges import add
from .ranks import channel_axis, channels, shape, side_axes, sides
from .resizing import resize_like
from .tensors import layer
from .types import Activation, Size, Tensor, Unit
from .units import conv as _conv
from .units import without_norm


@piece
def layer_scale(x: Tensor, initial_value: float = 1e-6, *, name: str | None = None) -> Tensor:
    """Each channel times a trained factor, small at first (Touvron et al. 2021, section 2).

    For the branch of a residual block: `transforms=[layer_scale]`.

    Shapes: `batch … channels` -> the same.

    Example:
        >>> model = keras.Model(x := keras.Input((8, 8, 64)), layer_scale(x))
        >>> model.count_params()
        64
    """
    channels(x)
    initial_value = checks.number("initial_value", initial_value)
    return layer(LayerScale, x, "layer_scale", name, initial_value=initial_value)


@piece
def rescale(x: Tensor, factor: float, *, name: str | None = None) -> Tensor:
    """Everything times a constant; no layer for 1.

    For the branch of a residual block, 0.1 to 0.3 there (Szegedy et al. 2017, section 3.3):
    `transforms=[partial(rescale, factor=0.17)]`.

    Shapes: `batch …` -> the same.

    Example:
        >>> rescale(keras.Input((8, 8, 64)), 0.17).shape
        (None, 8, 8, 64)
    """
    arguments.symbolic(x)
    factor = checks.number("factor", factor)
    return x if factor == 1 else layer(keras.layers.Rescaling, x, "rescale", name, scale=factor)


@piece
def gate(x: Tensor, weights: Tensor, *, name: str | None = None) -> Tensor:
    """`x` times weights of its own size, one for each place, each channel, or both.

    Shapes: `batch *sides channels`, and the same with one in the place of channels or sides -> as `x`.

    Raises:
        ValueError: `weights` is as long as `x` on no axis where it is longer than 1.

    Example:
        >>> gate(keras.Input((8, 9, 64)), keras.Input((8, 9, 1))).shape
        (None, 8, 9, 64)
    """
    pairs = zip(shape(x)[1:], shape(weights, "weights")[1:], strict=False)
    if len(x.shape) != len(weights.shape) or any(one not in (1, own) for own, one in pairs):
        raise checks.refuse("weights", tuple(weights.shape), f"of 1 or as many on each axis as x, {tuple(x.shape)}")
    return layer(keras.layers.Multiply, [x, weights], "gate", name)


@block
def eca(x: Tensor, kernel_size: int | None = None, *, gate: Activation = "sigmoid", name: str | None = None) -> Tensor:
    """Each channel times a weight that its neighbours decide on: efficient channel attention (Wang et al. 2020).

    ```
        x ─┬─ global mean ── 1-D convolution over the channels, gate ─┬─ scale
           └───────────────────────────────────────────────────────────┘
    ```

    Shapes: `batch *sides channels` -> the same.

    Args:
        kernel_size: neighbours; None for the odd number next to (log₂ channels + 1)/2, as in the paper (eq. 12).
        gate: from numbers to weights.

    Example:
        >>> model = keras.Model(x := keras.Input((56, 56, 256)), eca(x))
        >>> model.output_shape, model.count_params()
        ((None, 56, 56, 256), 5)
    """
    depth = channels(x)
    arguments.identifier("gate", gate, "activation")
    size = int((log2(depth) + 1) / 2) if kernel_size is None else checks.integer("kernel_size", kernel_size)
    size += kernel_size is None and size % 2 == 0
    means = ops.mean(x, axis=side_axes(x), keepdims=True)
    line = keras.config.image_data_format() == "channels_last"
    weights = layer(keras.layers.Reshape, means, "row", "row", target_shape=(depth, 1) if line else (1, depth))
    options = {"filters": 1, "kernel_size": size, "padding": "same", "use_bias": False, "activation": gate}
    weights = layer(keras.layers.Conv1D, weights, "conv", "conv", **options)
    weights = layer(keras.layers.Reshape, weights, "pixel", "pixel", target_shape=means.shape[1:])
    return layer(keras.layers.Multiply, [x, weights], "scale", "scale")


@block
def cbam(
    x: Tensor,
    *,
    ratio: int = 16,
    kernel_size: Size = 7,
    gate: Activation = "sigmoid",
    conv: Unit = _conv,
    name: str | None = None,
) -> Tensor:
    """A weight for each channel, then one for each place: convolutional block attention (Woo et al. 2018, figure 1).

    ```
        x ─┬─ global mean and maximum ── shared 1×1, 1×1 ── sum, gate ─┬─ y
           └───────────────────────────────────────────────────────────┘
        y ─┬─ mean and maximum over channels ── 7×7, gate ─┬─ scale
           └───────────────────────────────────────────────┘
    ```

    Shapes: `batch *sides channels` -> the same.

    Args:
        ratio: the narrow part of the first gate has `channels // ratio` channels, at least one.
        kernel_size: of the second gate.
        gate: from numbers to weights.
        conv: unit of the convolutions; a norm of it is left out.

    Example:
        >>> model = keras.Model(x := keras.Input((56, 56, 256)), cbam(x))
        >>> model.output_shape, model.count_params()
        ((None, 56, 56, 256), 8563)
    """
    arguments.functions(conv=conv)
    arguments.identifier("gate", gate, "activation")
    conv = without_norm(conv)
    axes, channel = side_axes(x), channel_axis()
    depth, narrow = channels(x), max(1, channels(x) // checks.integer("ratio", ratio))
    pooled = [ops.mean(x, axis=axes, keepdims=True), ops.max(x, axis=axes, keepdims=True)]
    both = layer(keras.layers.Concatenate, pooled, "pooled", "pooled", axis=axes[0])  # two pixels share the layers
    weights = conv(conv(both, narrow, 1, strides=1, name="reduce"), depth, 1, strides=1, activation=None, name="expand")
    weights = ops.sum(weights, axis=axes, keepdims=True)
    weights = layer(keras.layers.Activation, weights, "channel_gate", "channel_gate", activation=gate)
    x = layer(keras.layers.Multiply, [x, weights], "channel_scale", "channel_scale")
    means, most = ops.mean(x, axis=channel, keepdims=True), ops.max(x, axis=channel, keepdims=True)
    seen = layer(keras.layers.Concatenate, [means, most], "seen", "seen", axis=channel)
    places = conv(seen, 1, kernel_size, strides=1, activation=gate, name="place_gate")
    if sides(places) != sides(x):
        raise checks.refuse("conv", tuple(places.shape), f"a unit that keeps the sides {sides(x)}")
    return layer(keras.layers.Multiply, [x, places], "place_scale", "place_scale")


@block
def attention_gate(
    x: Tensor,
    signal: Tensor,
    filters: int | None = None,
    *,
    conv: Unit = _conv,
    name: str | None = None,
) -> Tensor:
    """Places of a skip that a coarser map asks for, the others dimmed (Oktay et al. 2018, figure 2).

    ```
        x ─┬── 2×2, /2 ──┬─ add ── activation ── 1×1, sigmoid ── up ─┬─ gate
        signal ── 1×1 ───┘                                           │
           └─────────────────────────────────────────────────────────┘
    ```

    Shapes: `batch *sides channels`, `batch *ceil(sides/2) channels2` -> as `x`.

    Args:
        x: the skip.
        signal: the map of half the resolution that decides.
        filters: of the space in between; None for half the channels of `x`.
        conv: unit of the convolutions; a norm of it is left out.

    Example:
        >>> attention_gate(keras.Input((56, 56, 64)), keras.Input((28, 28, 128))).shape
        (None, 56, 56, 64)
    """
    arguments.functions(conv=conv)
    conv = without_norm(conv)
    filters = max(1, channels(x) // 2) if filters is None else checks.integer("filters", filters)
    channels(signal, "signal")
    asked = conv(x, filters, 2, strides=2, padding="same", activation=None, name="of_skip")
    wanted = conv(signal, filters, 1, strides=1, activation=None, name="of_signal")
    if tuple(asked.shape) != tuple(wanted.shape):
        raise checks.refuse("signal", tuple(signal.shape), f"of half the sides of x, as {tuple(asked.shape)}")
    weights = activate(add([asked, wanted], name="add"), default_of(conv, "activation", "relu"), name="activation")
    weights = conv(weights, 1, 1, strides=1, activation="sigmoid", name="weights")
    return layer(keras.layers.Multiply, [x, resize_like(weights, x, name="up")], "gate", "gate")
