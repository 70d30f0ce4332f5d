"""NASNet-A (Zoph et al. 2018, Learning Transferable Architectures for Scalable Image Recognition)."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import keras

from .. import checks
from ..blocks import (
    activate,
    add,
    avg_pool,
    batch_norm,
    block,
    concat,
    conv_bn,
    crop,
    default_of,
    matching,
    max_pool,
    zero_pad,
)
from ..blocks import separable as _separable
from ..blocks.tensors import channels, known_sides, sides
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture, published


class Pair(NamedTuple):
    """Two operations and what each is of: a sum in a cell. Of 0, the input, 1, the one before it, 2 on, the sums."""

    left: str
    of_left: int
    right: str
    of_right: int


class Cell(NamedTuple):
    """The sums of a cell, which of all are concatenated, and the strides of what is of the inputs."""

    pairs: tuple[Pair, ...]
    joined: tuple[int, ...]
    strides: int = 1


# Figure 4 of the paper.
NORMAL = Cell(
    (
        *(Pair("5x5", 0, "3x3", 1), Pair("5x5", 1, "3x3", 1), Pair("average", 0, "same", 1)),
        *(Pair("average", 1, "average", 1), Pair("3x3", 0, "same", 0)),
    ),
    (1, 2, 3, 4, 5, 6),
)
REDUCTION = Cell(
    (
        *(Pair("5x5", 0, "7x7", 1), Pair("maximum", 0, "7x7", 1), Pair("average", 0, "5x5", 1)),
        *(Pair("average", 2, "same", 3), Pair("3x3", 2, "maximum", 0)),
    ),
    (3, 4, 5, 6),
    strides=2,
)
KERNELS, POOLS = {"3x3": 3, "5x5": 5, "7x7": 7}, {"average": avg_pool, "maximum": max_pool}

# Of the authors' code.
_INITIALIZER = keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")
nasnet_conv = partial(conv_bn, kernel_initializer=_INITIALIZER)
_keras_conv = partial(conv_bn, norm=partial(batch_norm, momentum=0.9997), kernel_initializer="he_normal")

DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "keras": {
        "conv": _keras_conv,
        "separable": partial(_separable, norm=partial(batch_norm, momentum=0.9997)),
        "zeros_in_pools": True,
        "dropout": 0.0,
    },
}


def _activated(x: Tensor, filters: int, kernel_size: int, *, unit: Unit, strides: int = 1, name: str) -> Tensor:
    """A unit whose activation stands before it."""
    x = activate(x, default_of(unit, "activation", "relu"), name=f"{name}.activation")
    return unit(x, filters, kernel_size, strides=strides, activation=None, name=name)


@block
def separable_pair(
    x: Tensor, filters: int, kernel_size: int, *, strides: int, conv: Unit, name: str | None = None
) -> Tensor:
    """Two separable convolutions, the first with the stride, each after an activation."""
    x = _activated(x, filters, kernel_size, unit=conv, strides=strides, name="conv1")
    return _activated(x, filters, kernel_size, unit=conv, name="conv2")


@block
def halved(x: Tensor, filters: int, *, conv: Unit, name: str | None = None) -> Tensor:
    """Every second pixel, and every second from the next on, each by a 1×1 convolution, beside each other."""
    x = activate(x, default_of(conv, "activation", "relu"), name="activation")
    shifted = crop(zero_pad(x, ((0, 1),), name="pad"), ((1, 0),), name="shift")
    plain = {"strides": 1, "norm": None, "activation": None, "use_bias": False}
    parts = {"even": (x, filters - filters // 2), "odd": (shifted, filters // 2)}
    ends = [
        conv(avg_pool(y, 1, strides=2, padding="valid", name=f"{word}_pixels"), width, 1, name=word, **plain)
        for word, (y, width) in parts.items()
    ]
    norm = default_of(conv, "norm")
    x = concat(ends, name="concat")
    return x if norm is None else norm(x, name="norm")


@block
def nasnet_cell(
    x: Tensor,
    previous: Tensor | None,
    filters: int,
    *,
    cell: Cell = NORMAL,
    halve: bool = False,
    zeros_in_pools: bool = False,
    conv: Unit = nasnet_conv,
    separable: Unit,
    name: str | None = None,
) -> Tensor:
    """A cell of NASNet: sums of two operations each, on two inputs and on each other, concatenated (figure 4).

    Shapes: `batch height width channels`, and `previous`, of twice the sides with `halve` ->
    `batch height width channels2`; with the cell `REDUCTION` of half the sides.
    """
    if previous is None:
        previous = x
    elif halve:
        previous = halved(previous, filters, conv=conv, name="previous")
    elif channels(previous) != filters:
        previous = _activated(previous, filters, 1, unit=conv, name="previous")
    states = [_activated(x, filters, 1, unit=conv, name="input"), previous]
    for number, pair in enumerate(cell.pairs, 1):
        ends = []
        for side, operation, place in (("left", pair.left, pair.of_left), ("right", pair.right, pair.of_right)):
            y, step, where = states[place], cell.strides if place < 2 else 1, f"sum{number}.{side}"
            if operation in KERNELS:
                y = separable_pair(y, filters, KERNELS[operation], strides=step, conv=separable, name=where)
            elif operation in POOLS:
                # Zeros that count, as many as Keras has before it halves an image by windows of 3.
                zeros = zeros_in_pools and step == 2
                padding: Any = tuple((each % 2, 1) for each in known_sides(y, "")) if zeros else "same"
                y = POOLS[operation](y, 3, strides=step, padding=padding, name=where)
            ends.append(y)
        states.append(add(ends, name=f"sum{number}.add"))
    return concat([states[place] for place in cell.joined], name="concat")


@architecture(dialects=DIALECTS, input_shape=(331, 331, 3))
def nasnet(
    x: Tensor,
    head: Head,
    *,
    cells: int = 6,
    filters: int = 168,
    stem_filters: int = 96,
    skips_reduction: bool = True,
    zeros_in_pools: bool = False,
    dropout: float = 0.5,
    conv: Unit = nasnet_conv,
    separable: Unit | None = None,
    dense: Dense | None = None,
) -> Tensor:
    """NASNet-A: three stages of searched cells, each on the two outputs before it (Zoph et al. 2018, figure 2).

    Shapes: `batch height width channels` -> `batch classes`, for images of 3×3 on, None included.

    Args:
        cells: N, normal cells in each stage.
        filters: of each operation in the first stage; a 24th of the channels that the paper counts, (N @ P).
        stem_filters: of the first convolution.
        skips_reduction: the first cell of a stage sees, beside the reduction, what that one saw before its input.
        zeros_in_pools: pools that halve the image have zeros around it, which count.
        dropout: rate before the classifier.
        conv: unit of every convolution that is not separable.
        separable: unit of those; None for `separable` with padding, norm, activation and options of `conv`.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"keras"`: zeros in pools, for which the image must have a known size; no dropout.
    """
    cells, filters = checks.integer("cells", cells), checks.integer("filters", filters)
    if filters % 4:
        raise checks.refuse("filters", filters, "a multiple of 4")
    stem_filters = checks.integer("stem_filters", stem_filters)
    skips_reduction = checks.flag("skips_reduction", skips_reduction)
    zeros = checks.flag("zeros_in_pools", zeros_in_pools)
    if zeros and None in sides(x):
        raise checks.refuse("input_shape", sides(x), "a known height and width with zeros_in_pools, which depend on it")
    separable = matching(_separable, conv) if separable is None else separable
    make = partial(nasnet_cell, zeros_in_pools=zeros, conv=conv, separable=separable)
    x = conv(x, stem_filters, 3, strides=2, padding="valid", activation=None, name="stem")
    first = make(x, None, filters // 4, cell=REDUCTION, name="stem1")
    previous, x = first, make(first, x, filters // 2, cell=REDUCTION, halve=True, name="stem2")
    for stage, width in enumerate((filters, 2 * filters, 4 * filters)):
        if stage:
            reduced = make(x, previous, width, cell=REDUCTION, name=f"reduction{stage}")
            previous, x = previous if skips_reduction else x, reduced
        for number in range(cells):
            name = f"cell{stage * cells + number + 1}"
            previous, x = x, make(x, previous, width, halve=number == 0, name=name)
    x = activate(x, default_of(conv, "activation", "relu"), name="activation")
    return head(x, dropout=dropout, dense=dense)


nasnet_large = published(nasnet, "nasnet_large")
nasnet_mobile = published(
    nasnet, "nasnet_mobile", cells=4, filters=44, stem_filters=32, skips_reduction=False, input_shape=(224, 224, 3)
)
