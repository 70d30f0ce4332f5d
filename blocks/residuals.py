"""Residual blocks and their shortcuts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, Unpack

import keras

from .. import checks
from ..checks import piece
from . import arguments, words
from .activations import activate
from .core import block, default_of, given_to
from .layers import PadChannels
from .merges import add
from .tensors import channels, layer, rank
from .types import ResidualOptions, Shortcut, Size, Tensor, Unit, UnitOptions
from .units import conv_bn, norm_activation
from .words import register


@register("shortcut")
@piece
def identity_shortcut(x: Tensor, filters: int, *, strides: Size, conv: Unit) -> Tensor:
    """`x` itself; a block that changes the shape refuses it."""
    arguments.image(x)
    return x


def _unchanged(x: Tensor, filters: int, strides: Any) -> bool:
    steps = arguments.sizes("strides", strides, rank(x))
    return channels(x) == checks.integer("filters", filters) and max(steps) == 1


@register("shortcut")
@piece
def projection_shortcut(
    x: Tensor, filters: int, *, strides: Size, conv: Unit, always: bool = False, **options: Any
) -> Tensor:
    """Option B: `x` where the shape stays, a linear 1×1 convolution where it changes (He et al. 2016, eq. 2).

    With `always=True` option C: a projection in every block. `options` go to the convolution.

    Example:
        >>> x = keras.Input((56, 56, 64))
        >>> projection_shortcut(x, 64, strides=1, conv=conv_bn) is x
        True
    """
    conv = words.resolved("unit", "conv", conv)
    arguments.functions(conv=conv)
    if _unchanged(x, filters, strides) and not always:
        return x
    return conv(x, filters, 1, **{"strides": strides, "activation": None, "name": "shortcut", **options})


@register("shortcut")
@piece
def pad_shortcut(x: Tensor, filters: int, *, strides: Size, conv: Unit) -> Tensor:
    """Option A: every `strides`-th pixel and zero channels, without parameters (He et al. 2016, section 3.3).

    Example:
        >>> pad_shortcut(keras.Input((32, 32, 16)), 32, strides=2, conv=None).shape
        (None, 16, 16, 32)
    """
    filters = checks.integer("filters", filters)
    if _unchanged(x, filters, strides):
        return x
    if channels(x) > filters:
        raise checks.refuse("filters", filters, f"at least the {channels(x)} channels of x")
    steps = arguments.sizes("strides", strides, rank(x))
    return layer(PadChannels, x, "shortcut", "shortcut", filters=filters, strides=steps)


@register("shortcut")
@piece
def channel_projection_shortcut(x: Tensor, filters: int, *, strides: Size, conv: Unit) -> Tensor:
    """A projection where the channels change, every `strides`-th pixel where only the size does (`keras.applications`).

    Example:
        >>> model = keras.Model(x := keras.Input((8, 8, 4)), channel_projection_shortcut(x, 4, strides=2, conv=None))
        >>> model.output_shape, model.count_params()
        ((None, 4, 4, 4), 0)
    """
    shortcut = pad_shortcut if channels(x) == checks.integer("filters", filters) else projection_shortcut
    return shortcut(x, filters, strides=strides, conv=conv)


@piece
def merge_residual(x: Tensor, branch: Tensor, *, strides: Size, shortcut: Shortcut, conv: Unit) -> Tensor:
    """Shortcut of `x` plus `branch`, then the activation that `conv` has: how every residual block ends.

    Raises:
        ValueError: the two sides differ in shape; nothing is broadcast.
    """
    arguments.image(branch, "branch")
    shortcut, conv = words.resolved("shortcut", "shortcut", shortcut), words.resolved("unit", "conv", conv)
    checks.function("shortcut", shortcut, "strides", "conv")
    arguments.functions(conv=conv)
    side = shortcut(x, channels(branch), strides=strides, conv=conv)
    must_be = f"a function that gives the shape of the branch, {tuple(branch.shape)}"
    if not isinstance(side, keras.KerasTensor):
        raise checks.refuse("shortcut", type(side).__name__, must_be, TypeError)
    if tuple(side.shape) != tuple(branch.shape):
        raise checks.refuse("shortcut", tuple(side.shape), must_be)
    return activate(add([branch, side], name="add"), default_of(conv, "activation", "relu"), name="activation")


words.add("shortcut", partial(projection_shortcut, always=True), "all_projections")

_merge = inspect.unwrap(merge_residual)  # what it refuses is said by the block that calls it


def _from_zero(conv: Unit) -> Unit:
    """`conv` that gives zeros at first: through the scale of its norm, or its kernel where there is none."""
    norm = default_of(conv, "norm")
    if norm is None:
        return partial(conv, kernel_initializer="zeros")
    return partial(conv, norm=partial(norm, gamma_initializer="zeros"))


def _checked_convs(convs: Any) -> list[tuple[int, int]]:
    if not checks.is_sequence(convs) or not convs:
        raise checks.refuse("convs", convs, "a list of (filters, kernel side)", TypeError)
    pairs = [checks.integers(f"convs[{number}]", pair, 2) for number, pair in enumerate(convs)]
    return [(filters, side) for filters, side in pairs]


@block
def residual(
    x: Tensor,
    convs: Sequence[tuple[int, int]],
    *,
    strides: Size = 1,
    stride_on: str | None = None,
    activation_at: Literal["end", "start"] | None = "end",
    zero_init: bool = False,
    inner: Sequence[Callable[[Tensor], Tensor]] = (),
    transforms: Sequence[Callable[[Tensor], Tensor]] = (),
    wide: Unit | None = None,
    shortcut: Shortcut = projection_shortcut,
    conv: Unit = conv_bn,
    use_bias: bool | None = None,
    name: str | None = None,
    **options: Unpack[UnitOptions],
) -> Tensor:
    """A chain of convolutions and a shortcut around it: what every residual block is (He et al. 2016).

    ```
        "end"     x ─┬─ conv norm act ── … ── conv norm ── transforms ─┬─ add ── act
                     └─────────────────── shortcut ────────────────────┘
        "start"   x ─┬─ norm act ─┬─ conv norm act ── … ── conv ── transforms ─┬─ add
                     └───── or ───┴──────────────── shortcut ──────────────────┘
    ```

    Shapes: `batch height width channels` -> `batch ceil(height/strides) ceil(width/strides) convs[-1][0]`.

    Args:
        convs: (filters, side of the kernel) of each convolution.
        strides: of one convolution, and of the shortcut.
        stride_on: that convolution by its kernel, such as `"3x3"`; None for the first.
        activation_at: `"end"`, after the sum (v1); `"start"`, norm and activation before the branch, and before the
            shortcut where the channels change, and none after the sum (v2: He et al. 2016b, figure 4e and appendix);
            None, neither: for a v2 block on what is activated already.
        zero_init: the block begins as its shortcut: zeros for the scale of the last norm, or where there is none for
            the last kernel (Goyal et al. 2017, section 5.1).
        inner: functions of what the last convolution sees, given as `transforms` (Radosavovic et al. 2020, RegNetY).
        transforms: functions of the branch before the sum, one after the other: `squeeze_excite`,
            `partial(stochastic_depth, rate=0.2)`; one that has an argument `conv` is given that of the block.
        wide: unit in the place of the convolutions wider than 1×1, such as `split_attention` or `hierarchical_conv`;
            where it has such arguments it is given `conv`, and `apart`, whether the block changes the shape.
        shortcut: function `(x, filters, *, strides, conv)`: `projection_shortcut` (option B; C by `always=True`),
            `pad_shortcut` (option A), `identity_shortcut`, `channel_projection_shortcut`.
        conv: unit; its norm and activation are those of the block.
        use_bias: of every convolution, that of the shortcut too, beside a norm as well; None for that of `conv`.
        options: of the convolutions wider than 1×1 alone: `groups`, `dilation_rate`, …

    Raises:
        ValueError: the branch and the shortcut differ in shape.

    Example:
        >>> residual(keras.Input((56, 56, 64)), [(64, 3), (64, 3), (128, 1)], strides=2).shape
        (None, 28, 28, 128)
    """
    convs = _checked_convs(convs)
    names = [f"{side}x{side}" for _, side in convs]
    strided = (
        0 if stride_on is None else names.index(checks.choice("stride_on", stride_on, tuple(dict.fromkeys(names))))
    )
    activation_at = checks.choice("activation_at", activation_at, ("end", "start", None))
    zero_init = checks.choice("zero_init", zero_init, (True, False))
    checks.function("conv", conv, "name")
    conv = conv if use_bias is None else partial(conv, use_bias=checks.flag("use_bias", use_bias))
    # What ends the branch, projects and follows the sum: all of the unit in v1, its bare convolution in v2.
    ending = conv if activation_at == "end" else partial(conv, norm=None, activation=None)
    y = norm_activation(x, conv=conv, name="preactivation") if activation_at == "start" else x
    source = x if channels(x) == convs[-1][0] else y
    apart = not _unchanged(x, convs[-1][0], strides)
    for number, (filters, side) in enumerate(convs):
        unit = conv
        if number == len(convs) - 1:
            for transform in arguments.transforms("inner", inner):
                y = transform(y, **given_to(transform, conv=conv))
            unit = partial(_from_zero(ending) if zero_init else ending, activation=None)
        if side > 1 and wide is not None:
            unit = partial(checks.function("wide", wide, "name"), **given_to(wide, conv=unit, apart=apart))
        step, own = strides if number == strided else 1, options if side > 1 else {}
        y = unit(y, filters, side, strides=step, name=f"conv{number + 1}", **own)
    for transform in arguments.transforms("transforms", transforms):
        y = transform(y, **given_to(transform, conv=conv))
    return _merge(source, y, strides=strides, shortcut=shortcut, conv=ending)


_residual = inspect.unwrap(residual)  # named into the block that calls it


@block
def basic_residual(
    x: Tensor,
    filters: int,
    *,
    strides: Size = 1,
    shortcut: Shortcut = projection_shortcut,
    conv: Unit = conv_bn,
    name: str | None = None,
    **options: Unpack[ResidualOptions],
) -> Tensor:
    """Two 3×3 convolutions and a shortcut around them (He et al. 2016, figure 5 left).

    ```
        x ─┬─ 3×3, /s ── 3×3 ─┬─ add ── activation
           └──── shortcut ────┘
    ```

    Shapes: `batch height width channels` -> `batch ceil(height/strides) ceil(width/strides) filters`.

    Args:
        filters: output channels.
        strides: of the first convolution and the shortcut.
        shortcut, conv, options: as in `residual`: `activation_at`, `zero_init`, `transforms`, …

    Example:
        >>> basic_residual(keras.Input((56, 56, 64)), 128, strides=2).shape
        (None, 28, 28, 128)
    """
    filters = checks.integer("filters", filters)
    convs = [(filters, 3), (filters, 3)]
    return _residual(x, convs, strides=strides, shortcut=shortcut, conv=conv, **options)


@block
def bottleneck(
    x: Tensor,
    filters: int,
    *,
    strides: Size = 1,
    reduction: float = 4,
    shortcut: Shortcut = projection_shortcut,
    conv: Unit = conv_bn,
    name: str | None = None,
    **options: Unpack[ResidualOptions],
) -> Tensor:
    """1×1 down, 3×3, 1×1 up and a shortcut around them (He et al. 2016, figure 5 right).

    Shapes: `batch height width channels` -> `batch ceil(height/strides) ceil(width/strides) filters`.

    Args:
        filters: output channels; the inner convolutions have `filters // reduction`.
        strides: of the convolution that `stride_on` names, and of the shortcut.
        reduction: divides `filters`; of Res2Net's 26 for every 64 it is 64/26.
        shortcut, conv, options: as in `residual`: `stride_on` (`"1x1"`, the first, as in the paper; `"3x3"` is v1.5),
            `activation_at`, `zero_init`, `transforms`; `groups` and the like, for the 3×3 convolution.

    Example:
        >>> bottleneck(keras.Input((56, 56, 256)), 512, strides=2).shape
        (None, 28, 28, 512)
    """
    filters = checks.integer("filters", filters)
    exact = filters / checks.number("reduction", reduction, above=0)
    width = round(exact)
    if width < 1 or abs(width - exact) > 1e-6:
        raise checks.refuse("reduction", reduction, f"a divisor of filters={filters}")
    convs = [(width, 1), (width, 3), (filters, 1)]
    return _residual(x, convs, strides=strides, shortcut=shortcut, conv=conv, **options)
