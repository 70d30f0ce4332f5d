"""Units of several paths in the place of a convolution: splits that attend, parts in turn, ghosts, parallel kernels."""

from __future__ import annotations

from typing import Any

import keras

from .. import checks
from . import arguments
from .activations import activate
from .channel_moves import split
from .core import block, default_of
from .merges import add, concat, scale
from .pools import avg_pool, global_avg_pool
from .tensors import channels, layer, rank
from .types import Size, Tensor, Unit
from .units import conv_bn, matching, without_norm
from .units import depthwise as _depthwise


def _parts(argument: str, number: Any, filters: int) -> int:
    """`number`, in as many parts the filters are divided."""
    number = checks.integer(argument, number)
    if filters % number:
        raise checks.refuse(argument, number, f"a divisor of filters={filters}")
    return number


@block
def split_attention(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 1,
    dilation_rate: Size = 1,
    radix: int = 2,
    ratio: int = 4,
    conv: Unit = conv_bn,
    name: str | None = None,
) -> Tensor:
    """Several convolutions side by side, and of each channel their mean by weights that the image decides on.

    The unit of ResNeSt (Zhang et al. 2020, figure 2).

    ```
        x ── k×k, a group for each split ─┬─────────────────────────────────────────── scale ── sum ── mean, /s
                                          └─ sum ── global mean ── 1×1 ── 1×1, softmax ─┘
    ```

    Shapes: `batch *sides channels` -> `batch *ceil(sides/strides) filters`.

    Args:
        filters: output channels, of each split.
        strides: of the 3×3 mean at the end, of as many zeros on every side; none for 1.
        radix: number of splits.
        ratio: the narrow part has `radix * filters // ratio` channels, 32 at least.
        conv: unit of the convolutions; the last one has no norm.

    Raises:
        ValueError: `radix` does not divide the channels.

    Example:
        >>> split_attention(keras.Input((56, 56, 64)), 64).shape
        (None, 56, 56, 64)
    """
    arguments.functions(conv=conv)
    filters, axes = checks.integer("filters", filters), rank(x)
    radix, ratio = checks.integer("radix", radix), checks.integer("ratio", ratio)
    steps, rates = arguments.sizes("strides", strides, axes), arguments.sizes("dilation_rate", dilation_rate, axes)
    options: dict[str, Any] = {} if max(rates) == 1 else {"dilation_rate": dilation_rate}
    if channels(x) % radix:
        raise checks.refuse("radix", radix, f"a divisor of the {channels(x)} channels of x")
    options |= {} if radix == 1 else {"groups": radix}
    x = conv(x, radix * filters, kernel_size, strides=1, name="conv", **options)
    y = x if radix == 1 else add(split(x, radix, name="split"), name="sum")
    y = global_avg_pool(y, keepdims=True, name="pool")
    y = conv(y, max(32, radix * filters // ratio), 1, strides=1, use_bias=True, name="reduce")
    plain = without_norm(conv)
    y = plain(y, radix * filters, 1, strides=1, activation=None if radix > 1 else "sigmoid", name="expand")
    if radix > 1:
        shape = tuple(y.shape[1:])
        y = layer(keras.layers.Reshape, y, "apart", "apart", target_shape=(radix, filters))
        y = layer(keras.layers.Softmax, y, "softmax", "softmax", axis=1)
        y = layer(keras.layers.Reshape, y, "weights", "weights", target_shape=shape)
    x = scale(x, y, name="scale")
    x = x if radix == 1 else add(split(x, radix, name="weighted"), name="mean")
    return x if max(steps) == 1 else avg_pool(x, 3, strides=strides, padding=1, name="downsample")


@block
def hierarchical_conv(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 1,
    dilation_rate: Size = 1,
    scale: int = 4,
    apart: bool | None = None,
    conv: Unit = conv_bn,
    name: str | None = None,
) -> Tensor:
    """Channels in parts, each convolved after what was made of the part before is added to it; the last as it is.

    The unit of Res2Net (Gao et al. 2021, figure 2b), where every output sees windows of several sizes.

    Shapes: `batch *sides filters` -> `batch *ceil(sides/strides) filters`.

    Args:
        filters: those of `x`; divided by `scale`.
        strides: of every convolution, and of a 3×3 mean of the last part.
        scale: number of parts.
        apart: nothing is added, and the last part is a 3×3 mean; None for where `strides` is above 1.
        conv: unit of the convolutions.

    Raises:
        ValueError: `scale` does not divide the channels, or `filters` are not those of `x`.

    Example:
        >>> hierarchical_conv(keras.Input((56, 56, 104)), 104).shape
        (None, 56, 56, 104)
    """
    arguments.functions(conv=conv)
    filters, axes = checks.integer("filters", filters), rank(x)
    if filters != channels(x):
        raise checks.refuse("filters", filters, f"the {channels(x)} channels of x")
    width = filters // _parts("scale", scale, filters)
    steps, rates = arguments.sizes("strides", strides, axes), arguments.sizes("dilation_rate", dilation_rate, axes)
    apart = max(steps) > 1 if apart is None else checks.flag("apart", apart)
    if max(steps) > 1 and not apart:
        raise checks.refuse("apart", apart, "True or None where strides are above 1")
    options: dict[str, Any] = {"strides": strides} | ({} if max(rates) == 1 else {"dilation_rate": dilation_rate})
    *parts, last = split(x, scale, name="split") if scale > 1 else [x, x]
    made: list[Tensor] = []
    for number, part in enumerate(parts, 1):
        part = add([made[-1], part], name=f"add{number}") if made and not apart else part
        made.append(conv(part, width, kernel_size, name=f"conv{number}", **options))
    if scale == 1:
        return made[0]
    return concat([*made, avg_pool(last, 3, strides=strides, padding=1, name="pool") if apart else last], name="concat")


@block
def ghost_conv(
    x: Tensor,
    filters: int,
    kernel_size: Size = 1,
    *,
    strides: Size = 1,
    ratio: int = 2,
    ghost_kernel_size: Size = 3,
    conv: Unit = conv_bn,
    depthwise: Unit | None = None,
    name: str | None = None,
) -> Tensor:
    """A convolution to some of the channels, and the others as depthwise convolutions of these (Han et al. 2020).

    ```
        x ── k×k ─┬───────────────── concat
                  └─ 3×3 depthwise ──┘
    ```

    Shapes: `batch *sides channels` -> `batch *ceil(sides/strides) filters`.

    Args:
        filters: output channels; divided by `ratio`.
        ratio: the first convolution makes one of so many channels.
        ghost_kernel_size: of the depthwise convolution.
        conv: unit of the first convolution.
        depthwise: unit of the other; None for `depthwise` with the options of `conv`.

    Raises:
        ValueError: `ratio` does not divide `filters`.

    Example:
        >>> model = keras.Model(x := keras.Input((56, 56, 24)), ghost_conv(x, 72))
        >>> model.output_shape, model.count_params()
        ((None, 56, 56, 72), 1476)
    """
    arguments.functions(conv=conv)
    filters = checks.integer("filters", filters)
    ratio, sizes = _parts("ratio", ratio, filters), arguments.sizes("ghost_kernel_size", ghost_kernel_size, rank(x))
    own: Any = matching(_depthwise, conv) if depthwise is None else checks.function("depthwise", depthwise, "name")
    y = conv(x, filters // ratio, kernel_size, strides=strides, name="primary")
    if ratio == 1:
        return y
    return concat([y, own(y, filters - filters // ratio, sizes, strides=1, name="ghosts")], name="concat")


@block
def parallel_conv(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 1,
    conv: Unit = conv_bn,
    name: str | None = None,
) -> Tensor:
    """A convolution, a 1×1 one beside it and, where the shape stays, a norm of `x`: their sum, activated.

    The unit of RepVGG (Ding et al. 2021, figure 2b); `inference_model` makes one convolution of them.

    Shapes: `batch *sides channels` -> `batch *ceil(sides/strides) filters`.

    Args:
        conv: unit of the convolutions, whose norm that of `x` is; without one `x` itself is added.

    Example:
        >>> parallel_conv(keras.Input((56, 56, 48)), 96, strides=2).shape
        (None, 28, 28, 96)
    """
    arguments.functions(conv=conv)
    filters, axes = checks.integer("filters", filters), rank(x)
    sizes = {"conv": kernel_size, "pointwise": 1}
    ends = [conv(x, filters, k, strides=strides, activation=None, name=name) for name, k in sizes.items()]
    if filters == channels(x) and max(arguments.sizes("strides", strides, axes)) == 1:
        norm = default_of(conv, "norm")
        ends.append(x if norm is None else norm(x, name="identity"))
    return activate(add(ends, name="add"), default_of(conv, "activation", "relu"), name="activation")
