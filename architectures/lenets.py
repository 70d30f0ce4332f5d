"""LeNet-5 (LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .. import checks
from ..blocks import chain, dense, max_pool, radial_basis, scaled_tanh, sparse, subsample
from ..blocks import conv as _conv
from ..blocks.core import default_of
from ..blocks.types import Dense, Tensor, Unit
from ..blocks.units import matching
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


squashed_conv = partial(_conv, activation=scaled_tanh)


def bitmap_output(x: Tensor, units: int, **options: Any) -> Tensor:
    """`radial_basis` with the bitmaps of the digits for codes; for more or other classes with random ones.

    Shapes: `batch 84` -> `batch units`.
    """
    drawn = units <= len(CODES) and x.shape[-1] == len(CODES[0])
    return radial_basis(x, units, codes=CODES[:units] if drawn else None, **options)


halving_pool = partial(max_pool, padding="valid")
PAPER: dict[str, Any] = {
    "c1": {"filters": 6, "kernel_size": 5, "padding": "valid"},
    "s2": subsample,
    "c3": {"filters": 16, "kernel_size": 5, "padding": "valid", "connections": C3},
    "s4": subsample,
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

_MODERN: dict[str, Any] = {"layers": DENSE, "units": (120, 84), "output": dense, "conv": _conv}
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "modern": _MODERN,
    "notes": {
        "layers": STACKED,
        "output": dense,
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
    output: Dense = bitmap_output,
    conv: Unit = squashed_conv,
) -> Tensor:
    """LeNet-5: three convolutions, two poolings, and an output that compares with bitmaps (LeCun et al. 1998, fig. 2).

    Shapes: `batch height width channels` -> `batch classes`; the dense layers need a known input size. The outputs
    are the softmax of minus the squared distances from the codes, those themselves with `classifier_activation=None`.

    Args:
        layers: by name, the arguments of a convolution or a function `(x, *, name)`; `connections` among the
            arguments makes a convolution `sparse`.
        units: of the hidden dense layers, the last of which is F6.
        output: unit of the last layer, a function `(x, classes, *, activation, name)`.
        conv: unit of every convolution; its activation is that of the trainable poolings and the dense layers too.
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

    def unit(x: Tensor, filters: int, kernel_size: Any, **options: Any) -> Tensor:
        kind = matching(sparse, conv) if "connections" in options else conv
        return kind(x, filters, kernel_size, **options)

    activation = default_of(conv, "activation", "relu")
    checks.mapping("layers", layers)
    squashed = {name: partial(step, activation=activation) for name, step in layers.items() if step is subsample}
    x = chain(x, {**layers, **squashed}, conv=unit)
    return head(x, pooling="flatten", units=units, hidden_activation=activation, output=output)
