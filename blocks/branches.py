"""Parallel branches as data, and the residual block around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import keras  # noqa: F401  (the doctests use it)

from .. import checks
from . import arguments
from .activations import activate
from .core import block, default_of, given_to
from .gates import rescale
from .merges import add, concat
from .signatures import hands_on
from .tensors import channels
from .types import Tensor, Unit
from .units import conv as _conv
from .units import conv_bn

Step = tuple[Any, ...] | Mapping[str, Any] | Callable[[Tensor], Tensor]
"""(filters, kernel), a dict of a unit's arguments, or a function of a tensor."""


def _steps(argument: str, value: Any) -> Sequence[Any]:
    """One branch, looked over: a list of steps."""
    must_be = "a list of steps: (filters, kernel), a dict of arguments, or a function of a tensor"
    if not checks.is_sequence(value) or isinstance(value, str):
        raise checks.refuse(argument, value, must_be, TypeError)
    for place, step in enumerate(value):
        fits = isinstance(step, Mapping) or callable(step) or (checks.is_sequence(step) and len(step) == 2)
        if not fits or isinstance(step, str | type):
            raise checks.refuse(f"{argument}[{place}]", step, must_be.removeprefix("a list of steps: "), TypeError)
    return value


def _branches(x: Tensor, table: Any, conv: Unit) -> Tensor:
    arguments.functions(conv=conv)
    arguments.image(x)
    if (not checks.is_sequence(table) and not isinstance(table, Mapping)) or len(table) < 1:
        raise checks.refuse("branches", table, "a list or a dict of branches, each a list of steps", TypeError)
    named = table.items() if isinstance(table, Mapping) else ((f"branch{n}", one) for n, one in enumerate(table, 1))
    ends = []
    for branch, steps in named:
        branch, y = checks.text("branches", branch, "a dict by names"), x
        steps = _steps(f"branches[{branch}]", steps)
        for number, step in enumerate(steps, 1):
            name = f"{branch}_{number}" if len(steps) > 1 else branch
            if isinstance(step, Mapping):
                y = conv(y, **{"strides": 1, "name": name, **step})
            elif callable(step):
                y = step(y, **given_to(step, conv=conv, name=name))
            else:
                y = conv(y, step[0], step[1], strides=1, name=name)
        ends.append(y)
    return ends[0] if len(ends) == 1 else concat(ends, name="concat")


@block
def branches(
    x: Tensor,
    branches: Sequence[Sequence[Step]] | Mapping[str, Sequence[Step]],
    *,
    conv: Unit = _conv,
    name: str | None = None,
) -> Tensor:
    """Any inception block: branches given as data, side by side at the end.

    Shapes: `batch *sides channels` -> `batch *sides2 channels2`, the sum of the channels of the branches.

    Args:
        branches: a list of branches, or a dict that names them. A branch is a list of steps: `(filters, kernel_size)`,
            a dict of the arguments of `conv`, or a function of a tensor such as `partial(max_pool, strides=1)`; an
            empty one passes `x` on.
        conv: unit of every convolution.

    Raises:
        ValueError: the branches end at different sizes.

    Example:
        >>> from functools import partial
        >>> from layerblocks.blocks import avg_pool
        >>> x = keras.Input((35, 35, 192))
        >>> pool = partial(avg_pool, pool_size=3, strides=1)
        >>> branches(x, [[(96, 1)], [(48, 1), (64, 5)], [(64, 1), (96, 3), (96, 3)], [pool, (64, 1)]]).shape
        (None, 35, 35, 320)
    """
    return _branches(x, branches, conv)


@block
def inception_residual(
    x: Tensor,
    branches: Sequence[Sequence[Step]] | Mapping[str, Sequence[Step]],
    *,
    factor: float = 1.0,
    activation_at: Literal["end"] | None = "end",
    conv: Unit = conv_bn,
    transforms: Sequence[Callable[[Tensor], Tensor]] = (),
    name: str | None = None,
) -> Tensor:
    """Branches, a linear 1×1 convolution to the channels of `x`, and `x` added (Szegedy et al. 2017, figure 10).

    ```
        x ─┬─ branches ── concat ── 1×1 ── ·factor ── transforms ─┬─ add ── activation
           └──────────────────────────────────────────────────────┘
    ```

    Shapes: `batch *sides channels` -> the same.

    Args:
        branches: as in `branches`.
        factor: of the branch before the sum, 0.1 to 0.3 in the paper.
        activation_at: `"end"` for the activation of `conv` after the sum; None for none there.
        conv: unit of the branches; the 1×1 convolution has a bias instead of its norm.
        transforms: functions of the branch before the sum.

    Example:
        >>> table = [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]]
        >>> model = keras.Model(x := keras.Input((35, 35, 320)), inception_residual(x, table, factor=0.17))
        >>> model.output_shape
        (None, 35, 35, 320)
    """
    depth, factor = channels(x), checks.number("factor", factor)
    at_end = checks.choice("activation_at", activation_at, ("end", None)) == "end"
    y = _branches(x, branches, conv)
    plain = {word: None for word in ("norm", "use_bias") if hands_on(conv, word)}
    y = conv(y, depth, 1, strides=1, activation=None, name="up", **plain)
    y = rescale(y, factor, name="rescale")
    for transform in arguments.transforms("transforms", transforms):
        y = transform(y, **given_to(transform, conv=conv))
    if tuple(y.shape) != tuple(x.shape):
        raise checks.refuse("branches", tuple(y.shape), f"such that they keep the shape of x, {tuple(x.shape)}")
    activation = default_of(conv, "activation", "relu") if at_end else None
    return activate(add([x, y], name="add"), activation, name="activation")
