"""Blocks of depthwise convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Unpack

import keras  # noqa: F401  (the doctests use it)

from .. import checks
from . import arguments
from .activations import activate
from .core import block, default_of, given_to, register
from .merges import add
from .norms import batch_norm
from .pools import max_pool
from .residuals import _merge, projection_shortcut
from .tensors import channels, rank
from .types import Padding, PointwiseOptions, Pool, Shortcut, Size, Tensor, Unit
from .units import conv as _conv
from .units import conv_bn, matching, separable
from .units import depthwise as _depthwise

_separable_bn = partial(separable, norm=batch_norm)


@register("unit")
@block
def depthwise_separable(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 1,
    dilation_rate: Size = 1,
    depth_multiplier: int = 1,
    padding: Padding | None = None,
    conv: Unit = conv_bn,
    depthwise: Unit | None = None,
    name: str | None = None,
    **options: Unpack[PointwiseOptions],
) -> Tensor:
    """A depthwise and a 1×1 convolution, each with norm and activation (Howard et al. 2017, figure 3).

    A unit itself, so that it fits wherever `conv` does; `separable` has neither norm nor activation in between.

    Shapes: `batch height width channels` -> `batch ceil(height/strides) ceil(width/strides) filters`.

    Args:
        filters: output channels.
        kernel_size, strides, dilation_rate: of the depthwise convolution.
        depth_multiplier: depthwise filters for each channel.
        padding: of the depthwise convolution; None for that of its unit.
        conv: unit of the 1×1 convolution.
        depthwise: unit of the other one; None for `depthwise` with padding, norm and activation of `conv`.
        options: further arguments of `conv`.

    Example:
        >>> model = keras.Model(x := keras.Input((56, 56, 64)), depthwise_separable(x, 128, strides=2))
        >>> model.output_shape, model.count_params()
        ((None, 28, 28, 128), 9536)
    """
    arguments.functions(conv=conv)
    first = matching(_depthwise, conv) if depthwise is None else checks.function("depthwise", depthwise, "name")
    width = channels(x) * checks.integer("depth_multiplier", depth_multiplier)
    own: dict[str, Any] = {} if padding is None else {"padding": padding}
    y = first(x, width, kernel_size, strides=strides, dilation_rate=dilation_rate, name="depthwise", **own)
    return conv(y, filters, 1, strides=1, name="pointwise", **options)


@block
def inverted_residual(
    x: Tensor,
    filters: int,
    *,
    strides: Size = 1,
    expansion: float = 6,
    kernel_size: Size = 3,
    dilation_rate: Size = 1,
    fused: bool = False,
    inner: Sequence[Callable[[Tensor], Tensor]] = (),
    transforms: Sequence[Callable[[Tensor], Tensor]] = (),
    conv: Unit = conv_bn,
    depthwise: Unit | None = None,
    name: str | None = None,
) -> Tensor:
    """1×1 up, depthwise, linear 1×1 down, and `x` added where the shape stays (Sandler et al. 2018, figure 4).

    ```
        plain   x ─┬─ 1×1 expand ── depthwise, /s ── inner ── 1×1 project ── transforms ─┬─ add
        fused   x ─┼─────── k×k expand, /s ───────── inner ── 1×1 project ── transforms ─┤
                   └──────────── only where filters and sides stay ──────────────────────┘
    ```

    Shapes: `batch height width channels` -> `batch ceil(height/strides) ceil(width/strides) filters`.

    Args:
        filters: output channels.
        strides, kernel_size, dilation_rate: of the depthwise convolution, or of the one instead of it.
        expansion: the wide part has `expansion` times the channels of `x`, rounded; with 1 there is no first
            convolution.
        fused: one k×k convolution instead of the first two (Tan and Le 2021, figure 2); with `expansion` 1 it is the
            only one.
        inner: functions of the wide part, such as `partial(squeeze_excite, ratio=24)`; one that has an argument `conv`
            is given that of the block.
        transforms: functions of the branch where it is added to `x`, such as `partial(stochastic_depth, rate=0.2)`.
        conv: unit of the convolutions that are not depthwise.
        depthwise: unit of the other one; None for `depthwise` with padding, norm and activation of `conv`.

    Example:
        >>> model = keras.Model(x := keras.Input((56, 56, 24)), inverted_residual(x, 24))
        >>> [layer.name.split(".", 1)[1] for layer in model.layers[1:] if layer.name.endswith(("conv", "add"))]
        ['expand.conv', 'depthwise.conv', 'project.conv', 'add']
    """
    arguments.functions(conv=conv)
    middle = matching(_depthwise, conv) if depthwise is None else checks.function("depthwise", depthwise, "name")
    filters, fused = checks.integer("filters", filters), checks.flag("fused", fused)
    width = round(channels(x) * checks.number("expansion", expansion, above=0))
    if width < 1:
        raise checks.refuse("expansion", expansion, f"large enough for a channel out of {channels(x)}")
    widens, y = width != channels(x), x
    holes: dict[str, Any] = arguments.holes(dilation_rate, rank(x))
    if fused and not widens:
        y = conv(y, filters, kernel_size, strides=strides, name="conv", **holes)
    elif fused:
        y = conv(y, width, kernel_size, strides=strides, name="expand", **holes)
    else:
        y = conv(y, width, 1, strides=1, name="expand") if widens else y
        y = middle(y, width, kernel_size, strides=strides, name="depthwise", **holes)
    for transform in arguments.transforms("inner", inner):
        y = transform(y, **given_to(transform, conv=conv))
    if widens or not fused:
        y = conv(y, filters, 1, strides=1, activation=None, name="project")
    transforms = arguments.transforms("transforms", transforms)
    if channels(x) != filters or max(arguments.sizes("strides", strides, rank(x))) != 1:
        return y
    for transform in transforms:
        y = transform(y, **given_to(transform, conv=conv))
    return add([x, y], name="add")


@block
def xception_module(
    x: Tensor,
    filters: Sequence[int],
    *,
    strides: Size = 1,
    activate_first: bool = True,
    pool: Pool = max_pool,
    shortcut: Shortcut = projection_shortcut,
    conv: Unit = _separable_bn,
    plain: Unit | None = None,
    name: str | None = None,
) -> Tensor:
    """Separable convolutions, each after an activation, a pool, and a shortcut around them (Chollet 2017, figure 5).

    ```
        x ─┬─ [ activation ── 3×3 separable ] × n ── 3×3 pool, /s ─┬─ add
           └────────────────────── shortcut ───────────────────────┘
    ```

    Shapes: `batch height width channels` -> `batch ceil(height/strides) ceil(width/strides) filters[-1]`.

    Args:
        filters: output channels of each convolution.
        strides: of the pool and the shortcut; 1 for no pool.
        activate_first: False leaves out the first activation, where `x` comes from one.
        pool: function `(x, pool_size, *, strides, name)`.
        shortcut: function `(x, filters, *, strides, conv)`.
        conv: unit; its activation stands before it.
        plain: unit of the shortcut; None for `conv` with padding, norm and options of the one here.

    Raises:
        ValueError: the branch and the shortcut differ in shape.

    Example:
        >>> xception_module(keras.Input((147, 147, 64)), (128, 128), strides=2).shape
        (None, 74, 74, 128)
    """
    filters = checks.integers("filters", filters, max(len(filters), 1) if checks.is_sequence(filters) else 1)
    arguments.functions(pool=pool, conv=conv)
    activate_first = checks.choice("activate_first", activate_first, (True, False))
    activation, y = default_of(conv, "activation", "relu"), x
    for number, width in enumerate(filters, 1):
        if number > 1 or activate_first:
            y = activate(y, activation, name=f"activation{number}")
        y = conv(y, width, 3, strides=1, activation=None, name=f"conv{number}")
    if max(arguments.sizes("strides", strides, rank(x))) > 1:
        y = pool(y, 3, strides=strides, name="pool")
    plain = matching(_conv, conv) if plain is None else checks.function("plain", plain, "name")
    return _merge(x, y, strides=strides, shortcut=shortcut, conv=partial(plain, activation=None))  # nothing follows
