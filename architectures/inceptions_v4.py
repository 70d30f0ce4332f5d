"""Inception-v4 (Szegedy et al. 2017), as its authors released it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..blocks import avg_pool, batch_norm, branches, conv_bn
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture
from .googlenets import inception_network
from .inception_resnets import HALF, HALVING, of_an_image
from .inceptions_v3 import aux_head, unscaled
from .initial_values import TORCH_DEFAULT, torch_dense

_MEAN = partial(avg_pool, pool_size=3, strides=1)
_ROW, _COLUMN = (1, 7), (7, 1)
_ENDS = partial(branches, branches={"1x3": [(256, (1, 3))], "3x1": [(256, (3, 1))]})
# The branches of the stem, of the three kinds of block, and of what stands before the second and third of these.
MIXED_3A = {"pool": [HALF], "conv": [{"filters": 96, **HALVING}]}
_LAST = {"filters": 96, "kernel_size": 3, "padding": "valid"}
MIXED_4A = {"single": [(64, 1), _LAST], "double": [(64, 1), (64, _ROW), (64, _COLUMN), _LAST]}
MIXED_5A = {"conv": [{"filters": 192, **HALVING}], "pool": [HALF]}
INCEPTION_A = {
    "1x1": [(96, 1)],
    "single": [(64, 1), (96, 3)],
    "double": [(64, 1), (96, 3), (96, 3)],
    "pool": [_MEAN, (96, 1)],
}
REDUCTION_A = {
    "single": [{"filters": 384, **HALVING}],
    "double": [(192, 1), (224, 3), {"filters": 256, **HALVING}],
    "pool": [HALF],
}
INCEPTION_B = {
    "1x1": [(384, 1)],
    "single": [(192, 1), (224, _ROW), (256, _COLUMN)],
    "double": [(192, 1), (192, _COLUMN), (224, _ROW), (224, _COLUMN), (256, _ROW)],
    "pool": [_MEAN, (128, 1)],
}
REDUCTION_B = {
    "single": [(192, 1), {"filters": 192, **HALVING}],
    "double": [(256, 1), (256, _ROW), (320, _COLUMN), {"filters": 320, **HALVING}],
    "pool": [HALF],
}
INCEPTION_C = {
    "1x1": [(256, 1)],
    "single": [(384, 1), _ENDS],
    "double": [(384, 1), (448, (3, 1)), (512, (1, 3)), _ENDS],
    "pool": [_MEAN, (256, 1)],
}
LAYERS: dict[str, Any] = {
    "conv1": {"filters": 32, **HALVING},
    "conv2": {"filters": 32, "kernel_size": 3, "padding": "valid"},
    "conv3": {"filters": 64, "kernel_size": 3},
    **{f"mixed_{n}": (branches, table) for n, table in (("3a", MIXED_3A), ("4a", MIXED_4A), ("5a", MIXED_5A))},
    **{f"mixed_5{letter}": (branches, INCEPTION_A) for letter in "bcde"},
    "mixed_6a": (branches, REDUCTION_A),
    **{f"mixed_6{letter}": (branches, INCEPTION_B) for letter in "bcdefgh"},
    "mixed_7a": (branches, REDUCTION_B),
    **{f"mixed_7{letter}": (branches, INCEPTION_C) for letter in "bcd"},
}
AUX = {"mixed_6h": "aux1"}

DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "timm": {
        "conv": partial(conv_bn, norm=partial(batch_norm, momentum=0.9), kernel_initializer=TORCH_DEFAULT),
        "dense": torch_dense,
        "dropout": 0.0,
        "classifier_activation": None,
    },
}


@architecture(dialects=DIALECTS, aux_weight=0.4, input_shape=(299, 299, 3))
def inception_v4(
    x: Tensor,
    head: Head,
    *,
    aux: bool | Callable[..., Tensor] = False,
    dropout: float = 0.2,
    layers: Mapping[str, Any] = LAYERS,
    conv: Unit = unscaled,
    dense: Dense | None = None,
) -> Tensor | dict[str, Tensor]:
    """Inception-v4: a stem of branches, and three kinds of Inception blocks (Szegedy et al. 2017, figure 9).

    Shapes: `batch height width channels` -> `batch classes`, for images of 75×75 on, None included; of images alone, as
    its factorised kernels, 1×7 and 7×1, are of two sides.

    Args:
        aux: True for the auxiliary classifier of the authors' code, after the last 17×17 block, whose loss counts 0.4;
            a function `(x, classes, *, activation, conv, name)` for another one.
        dropout: rate before the classifier.
        layers: everything before the classifier by its name: of a block a function `(x, branches, *, conv, name)` and
            the branches, of other layers what `chain` has for them.
        conv: unit of every convolution.
        dense: unit of every dense layer, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`, as the authors released it; `"timm"`: norms with a scale, no dropout, logits.
    """
    if layers is LAYERS:
        of_an_image(x)
    options: dict[str, Any] = {"conv": conv, "dense": dense, "dropout": dropout}
    return inception_network(x, head, layers, AUX, aux=aux, default_aux=aux_head, **options)
