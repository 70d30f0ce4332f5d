"""The block of ConvNeXt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras  # noqa: F401  (the doctests use it)

from .. import checks
from . import arguments
from .core import block, given_to
from .gates import layer_scale
from .merges import add
from .norms import layer_norm
from .tensors import channels
from .types import Size, Tensor, Unit
from .units import conv as _conv
from .units import depthwise as _depthwise
from .units import matching

_gelu_conv = partial(_conv, activation="gelu")


@block
def convnext_block(
    x: Tensor,
    *,
    kernel_size: Size = 7,
    expansion: float = 4,
    inner: Sequence[Callable[[Tensor], Tensor]] = (),
    transforms: Sequence[Callable[[Tensor], Tensor]] = (layer_scale,),
    conv: Unit = _gelu_conv,
    depthwise: Unit | None = None,
    name: str | None = None,
) -> Tensor:
    """A depthwise convolution and its norm, 1×1 up, activation, 1×1 down, and `x` added (Liu et al. 2022, figure 4).

    ```
        x ─┬─ 7×7 depthwise ── norm ── 1×1, activation ── inner ── 1×1 ── transforms ─┬─ add
           └───────────────────────────────────────────────────────────────────────────┘
    ```

    Shapes: `batch *sides channels` -> the same.

    Args:
        expansion: the wide part has so many times the channels of `x`.
        inner: functions of the wide part: `[global_response_norm]` for version 2.
        transforms: functions of the branch before the sum; add `partial(stochastic_depth, rate=0.1)` to train.
        conv: unit of the 1×1 convolutions, whose activation that of the wide part is.
        depthwise: unit of the other one; None for `depthwise` with a layer norm and the options of `conv`.

    Example:
        >>> model = keras.Model(x := keras.Input((56, 56, 96)), convnext_block(x))
        >>> model.output_shape, model.count_params()
        ((None, 56, 56, 96), 79296)
    """
    arguments.functions(conv=conv)
    usual = partial(matching(_depthwise, conv), norm=partial(layer_norm, epsilon=1e-6), activation=None, use_bias=True)
    first: Any = usual if depthwise is None else checks.function("depthwise", depthwise, "name")
    depth = channels(x)
    width = round(checks.number("expansion", expansion, above=0) * depth)
    if width < 1:
        raise checks.refuse("expansion", expansion, f"large enough for a channel out of {depth}")
    y = first(x, depth, kernel_size, strides=1, name="depthwise")
    y = conv(y, width, 1, strides=1, name="expand")
    for transform in arguments.transforms("inner", inner):
        y = transform(y, **given_to(transform, conv=conv))
    y = conv(y, depth, 1, strides=1, activation=None, name="project")
    for transform in arguments.transforms("transforms", transforms):
        y = transform(y, **given_to(transform, conv=conv))
    if tuple(y.shape) != tuple(x.shape):
        raise checks.refuse("depthwise", tuple(y.shape), f"a unit that keeps the shape of x, {tuple(x.shape)}")
    return add([x, y], name="add")
