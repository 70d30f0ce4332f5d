"""LeNet-5 (LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any, Unpack

from .. import checks
from ..blocks import FanInUniform, arguments, chain, dense, max_pool, radial_basis, scaled_tanh, sparse, subsample
from ..blocks import conv as _conv
from ..blocks.core import accepts, default_of, delegate, undecorated
from ..blocks.tensors import channels, rank
from ..blocks.types import ConvBnOptions, Dense, DenseOptions, LayerOptions, Size, Tensor, Unit
from ..blocks.units import matching, weight_options
from .constructor import Head, architecture

# Table I of the paper: the maps of S2 that each of the sixteen maps of C3 sees. Six see three neighbours, six see
# four, three see two pairs, one sees all.
C3 = (
    *(tuple(sorted((first + step) % 6 for step in range(3))) for first in range(6)),
    *(tuple(sorted((first + step) % 6 for step in range(4))) for first in range(6)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)

# What the output compares F6 with: the ten digits on a grid of 7×12 pixels, as in figure 3 of the paper.
DIGITS = """
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
.#####. ...##.. .#####. .#####. ....##. ####### .#####. ####### .#####. .#####.
##...## ..###.. ##...## ##...## ...###. ##..... ##...## .....## ##...## ##...##
##...## .####.. .....## .....## ..####. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## .##.##. ######. ##..... ....##. ##...## ##...##
##...## ...##.. ....##. ..####. ##..##. .....## ######. ....##. .#####. .######
##...## ...##.. ...##.. .....## ##..##. .....## ##...## ...##.. ##...## .....##
##...## ...##.. ..##... .....## ####### .....## ##...## ...##.. ##...## .....##
##...## ...##.. .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
##...## ...##.. ##..... ##...## ....##. ##...## ##...## ..##... ##...## ##...##
.#####. .#####. ####### .#####. ....##. .#####. .#####. ..##... .#####. .#####.
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
"""
_ROWS = [line.split() for line in DIGITS.split("\n") if line]
CODES = tuple(tuple(1 if pixel == "#" else -1 for row in _ROWS for pixel in row[digit]) for digit in range(10))


@delegate
def fan_in_conv(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    connections: Sequence[Sequence[int]] | None = None,
    **options: Unpack[ConvBnOptions],
) -> Tensor:
    """`conv`, or `sparse` with connections, that begins with numbers up to ±2.4/F, F the inputs of a unit.

    (LeCun et al. 1998, appendix A.)
    """
    area = prod(arguments.sizes("kernel_size", kernel_size, rank(x)))
    fan_in = area * channels(x) if connections is None else [area * len(seen) for seen in connections]
    given: dict[str, Any] = {
        "kernel_initializer": FanInUniform(2.4),
        "bias_initializer": FanInUniform(2.4, fan_in),
        **options,
    }
    if connections is None:
        return _conv(x, filters, kernel_size, **given)
    return sparse(x, filters, kernel_size, connections=connections, **given)


def fan_in_dense(x: Tensor, units: int, *, name: str | None = None, **options: Unpack[DenseOptions]) -> Tensor:
    """`dense` that begins with numbers up to ±2.4/F, F the inputs of a unit."""
    bias = FanInUniform(2.4, x.shape[-1])
    given: dict[str, Any] = {"kernel_initializer": FanInUniform(2.4), "bias_initializer": bias, **options}
    return dense(x, units, name=name, **given)


# A unit of S2 and S4 has four inputs; the coefficient of their mean is four times that of their sum.
fan_in_subsample = partial(
    subsample, kernel_initializer=FanInUniform(4 * 2.4, 4), bias_initializer=FanInUniform(2.4, 4)
)
squashed_conv = partial(fan_in_conv, activation=scaled_tanh)


def bitmap_output(x: Tensor, units: int, *, name: str | None = None, **options: Unpack[LayerOptions]) -> Tensor:
    """`radial_basis` with the bitmaps of the digits for codes; for more or other classes with random ones.

    Shapes: `batch 84` -> `batch units`.
    """
    drawn = units <= len(CODES) and x.shape[-1] == len(CODES[0])
    return radial_basis(x, units, codes=CODES[:units] if drawn else None, name=name, **options)


halving_pool = partial(max_pool, padding="valid")
PAPER: dict[str, Any] = {
    "c1": {"filters": 6, "kernel_size": 5, "padding": "valid"},
    "s2": fan_in_subsample,
    "c3": {"filters": 16, "kernel_size": 5, "padding": "valid", "connections": C3},
    "s4": fan_in_subsample,
    "c5": {"filters": 120, "kernel_size": 5, "padding": "valid"},
}
DENSE: dict[str, Any] = {
    "c1": {"filters": 6, "kernel_size": 5, "padding": "valid"},
    "s2": halving_pool,
    "c3": {"filters": 16, "kernel_size": 5, "padding": "valid"},
    "s4": halving_pool,
}
STACKED: dict[str, Any] = {
    "c1": {"filters": 6, "kernel_size": 5},
    "s2": halving_pool,
    "c3_1": {"filters": 16, "kernel_size": 3, "padding": "valid"},
    "c3_2": {"filters": 16, "kernel_size": 3, "padding": "valid"},
    "s4": halving_pool,
    "c5": {"filters": 120, "kernel_size": 5, "padding": "valid"},
}

_PLAIN: dict[str, Any] = {"dense": dense, "output": None}
_MODERN: dict[str, Any] = {"layers": DENSE, "units": (120, 84), "conv": _conv, **_PLAIN}
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "modern": _MODERN,
    "notes": {
        **_PLAIN,
        "layers": STACKED,
        "conv": partial(_conv, activation="tanh"),
        "input_shape": (32, 32, 3),
    },
    "notes_sigmoid": {**_MODERN, "conv": partial(_conv, activation="sigmoid"), "input_shape": (32, 32, 3)},
}


@architecture(dialects=DIALECTS, input_shape=(32, 32, 1), classes=10)
def lenet5(
    x: Tensor,
    head: Head,
    *,
    layers: Mapping[str, Mapping[str, Any] | Callable[..., Tensor]] = PAPER,
    units: tuple[int, ...] = (84,),
    dense: Dense = fan_in_dense,
    output: Dense | None = bitmap_output,
    conv: Unit = squashed_conv,
) -> Tensor:
    """LeNet-5: three convolutions, two poolings, and an output that compares with bitmaps (LeCun et al. 1998, fig. 2).

    Shapes: `batch height width channels` -> `batch classes`; the dense layers need a known input size. The outputs
    are the softmax of minus the squared distances from the codes, those themselves with `classifier_activation=None`.

    Args:
        layers: by name, the arguments of a convolution or a function `(x, *, name)`; `connections` among the
            arguments makes a convolution `sparse`.
        units: of the hidden dense layers, the last of which is F6.
        dense: unit of the hidden dense layers; where it is not given it has the initialisers, regularisers … of a
            `conv` that is.
        output: unit of the last layer, a function `(x, classes, *, activation, name)`; None for `dense`.
        conv: unit of every convolution; its activation is that of the trainable poolings and the dense layers too, and
            what it has for its weights is for those of the poolings.
        dialect: `"paper"`: sparse C3, trainable poolings, scaled tanh, and as output the distances from fixed codes;
            `"modern"`: dense C3, max-pools, ReLU, a dense output; `"notes"`: the same with tanh and C3 as two 3×3
            convolutions, for 32×32×3; `"notes_sigmoid"`: the modern one with sigmoid, for 32×32×3.

    Raises:
        ValueError: an image below 32×32.

    Example:
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = lenet5()
        >>> import math
        >>> sum(math.prod(weight.shape) for weight in model.trainable_weights)
        60000
    """

    def unit(x: Tensor, filters: int, kernel_size: Size = 3, **options: Any) -> Tensor:
        kind = matching(sparse, conv) if "connections" in options and not accepts(conv, "connections") else conv
        return kind(x, filters, kernel_size, **options)

    activation = default_of(conv, "activation", "relu")
    checks.mapping("layers", layers)
    own = {**weight_options(conv), "activation": activation}
    pooled: Any = {name: step for name, step in layers.items() if undecorated(step) is subsample}
    poolings = {name: partial(step, **own) for name, step in pooled.items()}
    x = chain(x, {**layers, **poolings}, conv=unit)
    return head(x, pooling="flatten", units=units, hidden_activation=activation, dense=dense, output=output)
