"""Inception-v3 (Szegedy et al. 2016, Rethinking the Inception Architecture for Computer Vision)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Unpack

from ..blocks import (
    avg_pool,
    batch_norm,
    block,
    classifier,
    conv_bn,
    inception_asymmetric,
    inception_expanded,
    inception_reduction,
    inception_stacked,
    matching,
    max_pool,
)
from ..blocks import dense as _dense
from ..blocks.types import Activation, Dense, DenseOptions, Tensor, Unit
from .constructor import Head, architecture
from .googlenets import inception_network
from .initial_values import normal, torch_dense


def table(pool: Unit = avg_pool) -> dict[str, Any]:
    """Everything before the classifier by its name; `pool` is that of the Inception blocks.

    Of these the function and the filters (1×1, two inner branches, pool; only the inner ones in the two that reduce the
    grid), under the names that their authors gave them. The others are layers of `chain`.
    """
    stacked = partial(inception_stacked, kernel_size=5, pool=pool)
    asymmetric = partial(inception_asymmetric, pool=pool)
    expanded = partial(inception_expanded, pool=pool)
    reduce_grid = partial(max_pool, pool_size=3, strides=2, padding="valid")
    return {
        "conv1": {"filters": 32, "kernel_size": 3, "strides": 2, "padding": "valid"},
        "conv2": {"filters": 32, "kernel_size": 3, "padding": "valid"},
        "conv3": {"filters": 64, "kernel_size": 3},
        "pool1": reduce_grid,
        "conv4": {"filters": 80, "kernel_size": 1},
        "conv5": {"filters": 192, "kernel_size": 3, "padding": "valid"},
        "pool2": reduce_grid,
        "mixed0": (stacked, 64, (48, 64), (64, 96, 96), 32),
        "mixed1": (stacked, 64, (48, 64), (64, 96, 96), 64),
        "mixed2": (stacked, 64, (48, 64), (64, 96, 96), 64),
        "mixed3": (inception_reduction, (384,), (64, 96, 96)),
        "mixed4": (asymmetric, 192, (128, 128, 192), (128, 128, 128, 128, 192), 192),
        "mixed5": (asymmetric, 192, (160, 160, 192), (160, 160, 160, 160, 192), 192),
        "mixed6": (asymmetric, 192, (160, 160, 192), (160, 160, 160, 160, 192), 192),
        "mixed7": (asymmetric, 192, (192, 192, 192), (192, 192, 192, 192, 192), 192),
        "mixed8": (partial(inception_reduction, n=7), (192, 320), (192, 192, 192, 192)),
        "mixed9": (expanded, 320, (384, 384), (448, 384, 384), 192),
        "mixed10": (expanded, 320, (384, 384), (448, 384, 384), 192),
    }


LAYERS = table()
AUX = {"mixed7": "aux1"}


@block
def aux_head(
    x: Tensor,
    classes: int,
    *,
    activation: Activation = "softmax",
    conv: Unit = conv_bn,
    dense: Dense | None = None,
    **options: Unpack[DenseOptions],
) -> Tensor:
    """The auxiliary classifier of Inception-v3, normalised as the rest (Szegedy et al. 2016, section 4).

    Shapes: `batch height width channels`, at least 17×17 -> `batch classes`.
    """
    x = avg_pool(x, 5, strides=3, padding="valid", name="pool")
    x = conv(x, 128, 1, strides=1, name="conv1")
    x = conv(x, 768, 5, strides=1, padding="valid", name="conv2")
    dense = matching(_dense, conv) if dense is None else dense
    return classifier(x, classes, activation=activation, dense=dense, name="classifier", **options)


unscaled = partial(conv_bn, norm=partial(batch_norm, scale=False))

DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "keras": {"aux": False, "dropout": 0.0},
    "torchvision": {
        "conv": partial(conv_bn, norm=partial(batch_norm, momentum=0.9), kernel_initializer=normal(0.1)),
        "dense": partial(torch_dense, kernel_initializer=normal(0.1)),
        "aux": partial(aux_head, kernel_initializer=normal(0.001)),
        "layers": table(pool=partial(avg_pool, padding=1)),  # zeros around the image count in the mean
        "dropout": 0.5,
        "classifier_activation": None,
    },
}


@architecture(dialects=DIALECTS, aux_weight=0.4, input_shape=(299, 299, 3))
def inception_v3(
    x: Tensor,
    head: Head,
    *,
    aux: bool | Callable[..., Tensor] = True,
    dropout: float = 0.2,
    layers: Mapping[str, Any] = LAYERS,
    conv: Unit = unscaled,
    dense: Dense | None = None,
) -> Tensor | dict[str, Tensor]:
    """Inception-v3 with its auxiliary classifier (Szegedy et al. 2016, table 1 and section 6).

    Of images alone: its factorised kernels, 1×7 and 7×1, are of two sides. The outputs are `{"main": …, "aux1": …}`,
    each `batch classes`; a single tensor with `aux=False` or `include_top=False`. The loss of the auxiliary head, which
    sits on the last 17×17 block, counts 0.4 in training (`compile_args`), as in the authors' code; `inference_model`
    removes it. The paper smooths its labels by 0.1 (`recipe`). The authors' running statistics decay by 0.9997 a step,
    these by Keras's 0.99, which a short training needs; theirs are `conv=partial(conv_bn, norm=partial(batch_norm,
    scale=False, momentum=0.9997))`.

    Args:
        aux: False for no auxiliary head; a function `(x, classes, *, activation, conv, name)` for another one.
        dropout: rate before the classifier.
        layers: everything before the classifier by its name: of an Inception block a function
            `(x, *filters, conv, name)` and the filters, of other layers what `chain` has for them.
        conv: unit of every convolution.
        dense: unit of every dense layer, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`, as the authors released it; `"keras"`: no head, no dropout; `"torchvision"`: norms with a
            scale, pools that average zeros around the image in, logits.

    Raises:
        ValueError: an image below 299×299 (75×75 without the auxiliary head).

    Example:
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = inception_v3(dialect="keras")
        >>> model.count_params()
        23851784
    """
    options: dict[str, Any] = {"conv": conv, "dense": dense, "dropout": dropout}
    return inception_network(x, head, layers, AUX, aux=aux, default_aux=aux_head, **options)
