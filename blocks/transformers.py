"""Attention over the places of a map or the tokens of a row, and the blocks around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import keras

from .. import checks
from . import arguments
from .activations import dropout as _dropout
from .core import block, given_to
from .merges import add
from .norms import layer_norm
from .tensors import channel_axis, channels, dividing, known_sides, layer, rank
from .tokens import to_map, tokens
from .types import Activation, Norm, Size, Tensor, Unit
from .units import conv as _conv
from .units import weight_options
from .window_layers import WindowAttention

_norm = partial(layer_norm, epsilon=1e-6)


@block
def self_attention(
    x: Tensor,
    heads: int = 8,
    *,
    key_dim: int | None = None,
    window: Size | None = None,
    shift: Size = 0,
    position_bias: bool = False,
    cosine: bool = False,
    dropout: float = 0.0,
    conv: Unit = _conv,
    name: str | None = None,
) -> Tensor:
    """Every place asks all places, by several heads (Vaswani et al. 2017, section 3.2.2).

    Shapes: `batch *sides channels` -> the same, for tokens, images and volumes.

    Args:
        heads: their number.
        key_dim: channels of a head; None for `channels / heads`.
        window: every place asks those of its own window of this size alone (Liu et al. 2021, section 3.2); it divides
            the sides. None for all.
        shift: the windows begin so many places further on and go on at the other end, where places that are no
            neighbours do not see each other; 0 along a side that is a single window.
        position_bias: add to each score a trained number, for each head and offset between two places (eq. 4).
        cosine: scores are cosines times a trained number of each head, and what `position_bias` adds comes from a
            perceptron of the logarithms of the offset (Liu et al. 2022b, sections 3.2 and 3.3).
        dropout: rate of the weights of the attention.
        conv: unit whose initialisers, regularisers and constraints the projections have.

    Raises:
        ValueError: `heads` does not divide the channels, or `window` the sides; `shift` is no smaller than `window`.

    Example:
        >>> model = keras.Model(x := keras.Input((14, 14, 64)), self_attention(x, 4, window=7))
        >>> model.output_shape, model.count_params()
        ((None, 14, 14, 64), 16640)
    """
    depth, axes, heads = channels(x), rank(x), checks.integer("heads", heads)
    dropout = checks.fraction("dropout", dropout)
    if key_dim is None and depth % heads:
        raise checks.refuse("heads", heads, f"a divisor of the {depth} channels of x, or with key_dim")
    size = depth // heads if key_dim is None else checks.integer("key_dim", key_dim)
    shifts = arguments.sizes("shift", shift, axes, at_least=0)
    position_bias, cosine = checks.flag("position_bias", position_bias), checks.flag("cosine", cosine)
    arguments.functions(conv=conv)
    options: dict[str, Any] = {"num_heads": heads, "key_dim": size, "dropout": dropout, **weight_options(conv)}
    if window is not None or position_bias or cosine or any(shifts):
        lengths = known_sides(x, why := "which windows divide")
        sizes = lengths if window is None else dividing("window", window, x, why)
        if any(s >= w for s, w in zip(shifts, sizes, strict=True)):
            raise checks.refuse("shift", shift, f"smaller than the window, {sizes}")
        shifts = tuple(0 if n == w else s for n, w, s in zip(lengths, sizes, shifts, strict=True))
        options |= {"window_size": sizes, "shift": shifts, "position_bias": position_bias, "cosine": cosine}
        return layer(WindowAttention, x, "attention", "attention", **options)
    first = channel_axis() != -1
    if first:
        x = layer(keras.layers.Permute, x, "last", "last", dims=(*range(2, axes + 2), 1))
    y = keras.layers.MultiHeadAttention(name="attention", attention_axes=tuple(range(1, axes + 1)), **options)(x, x)
    return layer(keras.layers.Permute, y, "first", "first", dims=(axes + 1, *range(1, axes + 1))) if first else y


@block
def mlp(
    x: Tensor,
    units: int,
    *,
    activation: Activation = "gelu",
    dropout: float = 0.0,
    conv: Unit = _conv,
    name: str | None = None,
) -> Tensor:
    """Two 1×1 convolutions with an activation in between, back to the channels of `x`.

    Shapes: `batch *sides channels` -> the same.

    Args:
        units: channels in between.
        dropout: rate after each.

    Example:
        >>> model = keras.Model(x := keras.Input((196, 64)), mlp(x, 256))
        >>> model.output_shape, model.count_params()
        ((None, 196, 64), 33088)
    """
    arguments.functions(conv=conv)
    depth, units = channels(x), checks.integer("units", units)
    y = conv(x, units, 1, strides=1, activation=activation, name="expand")
    y = _dropout(y, dropout, name="expand_dropout")
    y = conv(y, depth, 1, strides=1, activation=None, name="project")
    return _dropout(y, dropout, name="project_dropout")


def _added(x: Tensor, y: Tensor, transforms: Any, conv: Unit, number: int) -> Tensor:
    for transform in arguments.transforms("transforms", transforms):
        y = transform(y, **given_to(transform, conv=conv))
    if tuple(y.shape) != tuple(x.shape):
        raise checks.refuse("transforms", tuple(y.shape), f"functions that keep the shape of x, {tuple(x.shape)}")
    return add([x, y], name=f"add{number}")


@block
def transformer_block(
    x: Tensor,
    heads: int = 8,
    *,
    expansion: float = 4,
    window: Size | None = None,
    shift: Size = 0,
    position_bias: bool = False,
    cosine: bool = False,
    activation: Activation = "gelu",
    dropout: float = 0.0,
    transforms: Sequence[Callable[[Tensor], Tensor]] = (),
    norm: Norm = _norm,
    norm_at: Literal["start", "end"] = "start",
    conv: Unit = _conv,
    name: str | None = None,
) -> Tensor:
    """Attention and a perceptron, each after a norm and with `x` added (Dosovitskiy et al. 2021, figure 1).

    ```
        x ─┬─ norm ── attention ── transforms ─┬─ add ─┬─ norm ── 1×1 ── 1×1 ── transforms ─┬─ add
           └───────────────────────────────────┘       └─────────────────────────────────────┘
    ```

    Shapes: `batch *sides channels` -> the same, for tokens, images and volumes.

    Args:
        heads, window, shift, position_bias, cosine: as in `self_attention`.
        expansion: the perceptron is so many times as wide as `x`.
        dropout: rate in the attention and after each convolution.
        transforms: functions of both branches before their sums, such as `layer_scale`.
        norm: function `(x, *, name)`.
        norm_at: `"start"`; `"end"` for norms after attention and perceptron, before `transforms` (Liu et al. 2022b,
            figure 1).
        conv: unit of the perceptron, whose initialisers, regularisers and constraints the attention has too.

    Example:
        >>> model = keras.Model(x := keras.Input((197, 384)), transformer_block(x, 6))
        >>> model.output_shape, model.count_params()
        ((None, 197, 384), 1774464)
    """
    norm = checks.function("norm", norm, "name")
    width = round(channels(x) * checks.number("expansion", expansion, above=0))
    if width < 1:
        raise checks.refuse("expansion", expansion, f"large enough for a channel out of {channels(x)}")
    at_end = checks.choice("norm_at", norm_at, ("start", "end")) == "end"
    asked: dict[str, Any] = {"window": window, "shift": shift, "position_bias": position_bias, "cosine": cosine}
    branches: list[Callable[[Tensor], Tensor]] = [
        partial(self_attention, heads=heads, dropout=dropout, conv=conv, name="attention", **asked),
        partial(mlp, units=width, activation=activation, dropout=dropout, conv=conv, name="mlp"),
    ]
    for number, branch in enumerate(branches, 1):
        normed = partial(norm, name=f"norm{number}")
        x = _added(x, normed(branch(x)) if at_end else branch(normed(x)), transforms, conv, number)
    return x


@block
def mixer_block(
    x: Tensor,
    token_units: int,
    channel_units: int,
    *,
    activation: Activation = "gelu",
    norm: Norm = _norm,
    conv: Unit = _conv,
    name: str | None = None,
) -> Tensor:
    """A perceptron over the places, then one over the channels, with `x` added (Tolstikhin et al. 2021, figure 1).

    Shapes: `batch *sides channels` -> the same; the sides must be known.

    Args:
        token_units, channel_units: width of the two.
        norm: function `(x, *, name)` before each.
        conv: unit of the perceptrons.

    Example:
        >>> mixer_block(keras.Input((14, 14, 64)), 128, 256).shape
        (None, 14, 14, 64)
    """
    norm = checks.function("norm", norm, "name")
    sizes = known_sides(x, "over whose places a perceptron goes")
    y = tokens(norm(x, name="norm1"), name="tokens")
    y = layer(keras.layers.Permute, y, "places", "places", dims=(2, 1))
    y = mlp(y, checks.integer("token_units", token_units), activation=activation, conv=conv, name="of_places")
    y = layer(keras.layers.Permute, y, "channels", "channels", dims=(2, 1))
    x = add([x, y if len(sizes) == 1 else to_map(y, sizes, name="map")], name="add1")
    units = checks.integer("channel_units", channel_units)
    y = mlp(norm(x, name="norm2"), units, activation=activation, conv=conv, name="of_channels")
    return add([x, y], name="add2")
