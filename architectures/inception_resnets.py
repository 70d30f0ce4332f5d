"""Inception-ResNet-v2 (Szegedy et al. 2017), as its authors released it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .. import checks
from ..blocks import avg_pool, branches, inception_residual, max_pool
from ..blocks.tensors import rank
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture
from .googlenets import inception_network
from .inceptions_v3 import LAYERS as INCEPTION_V3
from .inceptions_v3 import aux_head, unscaled

# The convolution and the pooling that halve the sides.
HALVING: dict[str, Any] = {"kernel_size": 3, "strides": 2, "padding": "valid"}
HALF = partial(max_pool, pool_size=3, strides=2, padding="valid")
# The branches of the three kinds of residual block, and of what stands before the first of each.
BLOCK35 = {"1x1": [(32, 1)], "single": [(32, 1), (32, 3)], "double": [(32, 1), (48, 3), (64, 3)]}
BLOCK17 = {"1x1": [(192, 1)], "single": [(128, 1), (160, (1, 7)), (192, (7, 1))]}
BLOCK8 = {"1x1": [(192, 1)], "single": [(192, 1), (224, (1, 3)), (256, (3, 1))]}
MIXED_5B = {
    "1x1": [(96, 1)],
    "single": [(48, 1), (64, 5)],
    "double": [(64, 1), (96, 3), (96, 3)],
    "pool": [partial(avg_pool, pool_size=3, strides=1), (64, 1)],
}
MIXED_6A = {
    "single": [{"filters": 384, **HALVING}],
    "double": [(256, 1), (256, 3), {"filters": 384, **HALVING}],
    "pool": [HALF],
}
MIXED_7A = {
    "first": [(256, 1), {"filters": 384, **HALVING}],
    "single": [(256, 1), {"filters": 288, **HALVING}],
    "double": [(256, 1), (288, 3), {"filters": 320, **HALVING}],
    "pool": [HALF],
}
LAYERS: dict[str, Any] = {
    **{name: step for name, step in INCEPTION_V3.items() if not name.startswith("mixed")},
    "mixed_5b": (branches, MIXED_5B),
    **{f"block35_{n}": (partial(inception_residual, factor=0.17), BLOCK35) for n in range(1, 11)},
    "mixed_6a": (branches, MIXED_6A),
    **{f"block17_{n}": (partial(inception_residual, factor=0.1), BLOCK17) for n in range(1, 21)},
    "mixed_7a": (branches, MIXED_7A),
    **{f"block8_{n}": (partial(inception_residual, factor=0.2), BLOCK8) for n in range(1, 10)},
    "block8_10": (partial(inception_residual, activation_at=None), BLOCK8),
    "conv_7b": {"filters": 1536, "kernel_size": 1},
}
AUX = {"block17_20": "aux1"}

DIALECTS: dict[str, dict[str, Any]] = {"paper": {}, "keras": {"dropout": 0.0}}


def of_an_image(x: Tensor) -> None:
    """Refuse what is none."""
    if rank(x) != 2:
        raise checks.refuse("input_shape", tuple(x.shape[1:]), "of an image: kernels of 1×7 have two sides")


@architecture(dialects=DIALECTS, aux_weight=0.4, input_shape=(299, 299, 3))
def inception_resnet_v2(
    x: Tensor,
    head: Head,
    *,
    aux: bool | Callable[..., Tensor] = False,
    dropout: float = 0.2,
    layers: Mapping[str, Any] = LAYERS,
    conv: Unit = unscaled,
    dense: Dense | None = None,
) -> Tensor | dict[str, Tensor]:
    """Inception-ResNet-v2: Inception branches, scaled down and added to what comes in (Szegedy et al. 2017).

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
        dialect: `"paper"`, as the authors released it; `"keras"`, which has no dropout.
    """
    if layers is LAYERS:
        of_an_image(x)
    options: dict[str, Any] = {"conv": conv, "dense": dense, "dropout": dropout}
    return inception_network(x, head, layers, AUX, aux=aux, default_aux=aux_head, **options)
