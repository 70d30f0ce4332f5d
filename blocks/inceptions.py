"""Blocks of parallel branches: Inception as it began, and its factorizations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import keras  # noqa: F401  (the doctests use it)

from .. import checks
from . import arguments
from .core import block
from .merges import concat
from .pools import avg_pool, max_pool
from .tensors import rank
from .types import Padding, Pool, Size, Tensor, Unit
from .units import conv as _conv

Kernels: TypeAlias = Sequence[Size | list[tuple[int, int]]]
"""One kernel after the other; a list of them at the end stands side by side."""

Branches: TypeAlias = Mapping[str, tuple[Any, Kernels]]
"""By name the filters and kernels of a branch: one number more than there are kernels, for the 1×1 in front."""


def _branch(x: Tensor, name: str, filters: Sequence[int], kernels: Kernels, *, conv: Unit) -> list[Tensor]:
    """A 1×1 reduction and the units of these kernels after it; gives the last, or all that stand side by side."""
    ends = [conv(x, filters[0], 1, strides=1, name=f"{name}_reduce")]
    for number, (width, kernel) in enumerate(zip(filters[1:], kernels, strict=True), 1):
        step = name if len(kernels) == 1 else f"{name}_{number}"
        units = {f"{step}_{k[0]}x{k[1]}": k for k in kernel} if isinstance(kernel, list) else {step: kernel}
        ends = [conv(ends[0], width, side, strides=1, name=word) for word, side in units.items()]
    return ends


def _inception(x: Tensor, c1: int, branches: Branches, pool_proj: int, *, conv: Unit, pool: Pool) -> Tensor:
    """A 1×1 branch, those of the table (filters and kernels by name), and a pool with its 1×1 projection."""
    arguments.functions(conv=conv, pool=pool)
    c1, pool_proj = checks.integer("c1", c1), checks.integer("pool_proj", pool_proj)
    ends = [conv(x, c1, 1, strides=1, name="1x1")]
    for name, (filters, kernels) in branches.items():
        ends += _branch(x, name, filters, kernels, conv=conv)
    ends.append(conv(pool(x, 3, strides=1, name="pool"), pool_proj, 1, strides=1, name="pool_proj"))
    return concat(ends, name="concat")


@block
def inception(
    x: Tensor,
    c1: int,
    c3: tuple[int, int],
    c5: tuple[int, int],
    pool_proj: int,
    *,
    kernel_size: Size = 5,
    conv: Unit = _conv,
    pool: Pool = max_pool,
    name: str | None = None,
) -> Tensor:
    """Inception v1 with dimension reduction (Szegedy et al. 2015, figure 2b).

    ```
             ┌─ 1×1 ───────────────┐
        x ───┼─ 1×1 reduce ── 3×3 ─┼── concat
             ├─ 1×1 reduce ── 5×5 ─┤
             └─ 3×3 pool ──── 1×1 ─┘
    ```

    Shapes: `batch height width channels` -> `batch height width c1+c3[1]+c5[1]+pool_proj`.

    Args:
        c1: filters of the 1×1 branch.
        c3: (reduction, output) filters of the 3×3 branch.
        c5: (reduction, output) filters of the 5×5 branch.
        pool_proj: filters of the 1×1 convolution after the pool.
        kernel_size: side of the large convolution; torchvision has 3 where the paper has 5.
        conv: unit; keeps height and width.
        pool: function `(x, pool_size, *, strides, name)`.

    Raises:
        ValueError: filters out of range, or a unit whose branches do not fit together.

    Example:
        >>> inception(keras.Input((28, 28, 192)), 64, (96, 128), (16, 32), 32).shape
        (None, 28, 28, 256)
    """
    branches: Branches = {
        "3x3": (checks.integers("c3", c3, 2), [3]),
        "5x5": (checks.integers("c5", c5, 2), [arguments.sizes("kernel_size", kernel_size, rank(x))]),
    }
    return _inception(x, c1, branches, pool_proj, conv=conv, pool=pool)


@block
def inception_stacked(
    x: Tensor,
    c1: int,
    single: tuple[int, int],
    double: tuple[int, int, int],
    pool_proj: int,
    *,
    kernel_size: Size = 3,
    conv: Unit = _conv,
    pool: Pool = avg_pool,
    name: str | None = None,
) -> Tensor:
    """Inception whose 5×5 convolution is two 3×3 (Szegedy et al. 2016, figure 5).

    ```
             ┌─ 1×1 ──────────────────────┐
        x ───┼─ 1×1 reduce ── 3×3 ────────┼── concat
             ├─ 1×1 reduce ── 3×3 ── 3×3 ─┤
             └─ 3×3 pool ──── 1×1 ────────┘
    ```

    Shapes: `batch height width channels` -> `batch height width c1+single[-1]+double[-1]+pool_proj`.

    Args:
        single, double: filters of each convolution of the branch with one and with two, two and three numbers.
        kernel_size: side of the convolution that stands alone; Inception-v3 has 5 there.

    The other arguments and the errors are those of `inception`.

    Example:
        >>> inception_stacked(keras.Input((35, 35, 192)), 64, (64, 64), (64, 96, 96), 32).shape
        (None, 35, 35, 256)
    """
    branches: Branches = {
        "single": (checks.integers("single", single, 2), [arguments.sizes("kernel_size", kernel_size, rank(x))]),
        "double": (checks.integers("double", double, 3), [3, 3]),
    }
    return _inception(x, c1, branches, pool_proj, conv=conv, pool=pool)


@block
def inception_asymmetric(
    x: Tensor,
    c1: int,
    single: tuple[int, int, int],
    double: tuple[int, int, int, int, int],
    pool_proj: int,
    *,
    n: int = 7,
    conv: Unit = _conv,
    pool: Pool = avg_pool,
    name: str | None = None,
) -> Tensor:
    """Inception whose n×n convolutions are 1×n and n×1 (Szegedy et al. 2016, figure 6).

    ```
             ┌─ 1×1 ────────────────────────────────────┐
        x ───┼─ 1×1 reduce ── 1×n ── n×1 ───────────────┼── concat
             ├─ 1×1 reduce ── n×1 ── 1×n ── n×1 ── 1×n ─┤
             └─ 3×3 pool ──── 1×1 ──────────────────────┘
    ```

    Shapes: `batch height width channels` -> `batch height width c1+single[-1]+double[-1]+pool_proj`.

    Args:
        single, double: filters of each convolution of the branch with one n×n and with two, three and five numbers.
        n: long side of the kernels.

    The other arguments and the errors are those of `inception`; `x` is an image, which has two sides to factorise.

    Example:
        >>> x = keras.Input((17, 17, 768))
        >>> inception_asymmetric(x, 192, (128, 128, 192), (128, 128, 128, 128, 192), 192).shape
        (None, 17, 17, 768)
    """
    n = checks.integer("n", n)
    arguments.image(x, ranks=[2])
    row, column = (1, n), (n, 1)
    branches: Branches = {
        "single": (checks.integers("single", single, 3), [row, column]),
        "double": (checks.integers("double", double, 5), [column, row, column, row]),
    }
    return _inception(x, c1, branches, pool_proj, conv=conv, pool=pool)


@block
def inception_expanded(
    x: Tensor,
    c1: int,
    single: tuple[int, int],
    double: tuple[int, int, int],
    pool_proj: int,
    *,
    conv: Unit = _conv,
    pool: Pool = avg_pool,
    name: str | None = None,
) -> Tensor:
    """Inception with an expanded filter bank: its last 1×3 and 3×1 stand side by side (Szegedy et al. 2016, figure 7).

    ```
             ┌─ 1×1 ──────────────────────┐
             │                     ┌ 1×3 ─┤
             ├─ 1×1 reduce ────────┴ 3×1 ─┤
        x ───┤                     ┌ 1×3 ─┼── concat
             ├─ 1×1 reduce ── 3×3 ─┴ 3×1 ─┤
             └─ 3×3 pool ──── 1×1 ────────┘
    ```

    Shapes: `batch height width channels` -> `batch height width c1+2·single[-1]+2·double[-1]+pool_proj`.

    Args:
        single, double: filters of each convolution of the two inner branches, two and three numbers; the last is
            that of both ends.

    The other arguments and the errors are those of `inception`; `x` is an image, which has two sides to factorise.

    Example:
        >>> inception_expanded(keras.Input((8, 8, 1280)), 320, (384, 384), (448, 384, 384), 192).shape
        (None, 8, 8, 2048)
    """
    arguments.image(x, ranks=[2])
    ends = [(1, 3), (3, 1)]
    branches: Branches = {
        "single": (checks.integers("single", single, 2), [ends]),
        "double": (checks.integers("double", double, 3), [3, ends]),
    }
    return _inception(x, c1, branches, pool_proj, conv=conv, pool=pool)


@block
def inception_reduction(
    x: Tensor,
    single: Sequence[int],
    double: Sequence[int],
    *,
    n: int | None = None,
    strides: Size = 2,
    padding: Padding = "valid",
    conv: Unit = _conv,
    pool: Pool = max_pool,
    name: str | None = None,
) -> Tensor:
    """Convolutions and a pool side by side halve the grid without a bottleneck (Szegedy et al. 2016, figure 10).

    ```
             ┌─ 1×1 reduce ────────── 3×3, /s ─┐
        x ───┼─ 1×1 reduce ── 3×3 ─── 3×3, /s ─┼── concat
             └─ 3×3 pool, /s ──────────────────┘
    ```

    Shapes: `batch height width channels` ->
    `batch floor((height-3)/s)+1 floor((width-3)/s)+1 single[-1]+double[-1]+channels`.

    Args:
        single: filters of each convolution of the first branch; one number for none but the strided.
        double: of the second, three numbers, or four with `n`.
        n: None for a 3×3 convolution in the middle of the second branch, else 1×n and n×1, for images alone.
        strides, padding: of the last convolutions and the pool.
        conv: unit.
        pool: function `(x, pool_size, *, strides, padding, name)`.

    Raises:
        ValueError: filters out of range, an image below 3×3, or branches that do not fit together.

    Example:
        >>> inception_reduction(keras.Input((35, 35, 288)), (384,), (64, 96, 96)).shape
        (None, 17, 17, 768)
        >>> inception_reduction(keras.Input((17, 17, 768)), (192, 320), (192, 192, 192, 192), n=7).shape
        (None, 8, 8, 1280)
    """
    arguments.functions(conv=conv, pool=pool)
    n = None if n is None else checks.integer("n", n)
    arguments.image(x, ranks=tuple(arguments.RANKS) if n is None else [2])
    middle: list[Any] = [3] if n is None else [(1, n), (n, 1)]
    single = checks.integers("single", single, 1 if checks.is_sequence(single) and len(single) == 1 else 2)
    double = checks.integers("double", double, len(middle) + 2)
    ends = []
    for name, filters, kernels in (("single", single, []), ("double", double, middle)):
        *inner, width = filters
        y = _branch(x, name, inner, kernels, conv=conv)[0] if inner else x
        ends.append(conv(y, width, 3, strides=strides, padding=padding, name=f"{name}_strided"))
    ends.append(pool(x, 3, strides=strides, padding=padding, name="pool"))
    return concat(ends, name="concat")
