"""DCGAN (Radford et al. 2016, Unsupervised Representation Learning), as PyTorch's examples have it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import keras

from .. import checks
from ..blocks import batch_norm, conv_bn, default_of, matching, pixel_predictions, transposed
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture
from .initial_values import normal

DCGAN_FILTERS = (64, 128, 256, 512)  # of PyTorch's examples; twice as many in figure 1 of the paper

# Section 4 of the paper: numbers of a deviation of 0.02.
gan_norm = partial(
    batch_norm, momentum=0.9, epsilon=1e-5, gamma_initializer=keras.initializers.RandomNormal(1.0, stddev=0.02)
)
gan_conv = partial(conv_bn, norm=gan_norm, kernel_initializer=normal(0.02))
leaky_conv = partial(gan_conv, activation="leaky_relu")


def bare(unit: Unit) -> Unit:
    """`unit` without its norm, and still without a bias where none is asked for."""
    return partial(unit, norm=None, use_bias=bool(default_of(unit, "use_bias")))


@architecture(input_shape=(1, 1, 100), classes=3, classifier_activation="tanh")
def dcgan_generator(
    x: Tensor,
    head: Head,
    *,
    filters: Sequence[int] = DCGAN_FILTERS,
    up: Unit | None = None,
    conv: Unit = gan_conv,
) -> Tensor:
    """The generator of DCGAN: an image of one pixel of random numbers (Radford et al. 2016, figure 1).

    Shapes: `batch height width channels` -> `batch 16·(height+3) 16·(width+3) classes`, for any input size, None
    included. Without a top the last feature map, of half as many pixels a side. `classes` are its channels.

    Args:
        filters: of each feature map, the finest first.
        up: unit of every layer; None for `transposed` with norm, activation and options of `conv`.
        conv: unit whose norm, activation and options these are.
    """
    enlarge = matching(transposed, conv) if up is None else up
    *finer, coarsest = checks.several("filters", filters)
    x = enlarge(x, coarsest, 4, strides=1, padding="valid", name="project")
    for number, width in enumerate(reversed(finer), 1):
        x = enlarge(x, width, 4, strides=2, name=f"up{number}")
    if not head.include_top:
        return head(x)
    x = bare(enlarge)(x, head.classes, 4, strides=2, activation=None, name="image")
    return pixel_predictions(x, head.activation, name="predictions")


@architecture(input_shape=(64, 64, 3), classes=1, classifier_activation="sigmoid")
def dcgan_discriminator(
    x: Tensor,
    head: Head,
    *,
    filters: Sequence[int] = DCGAN_FILTERS,
    conv: Unit = leaky_conv,
    dense: Dense | None = None,
) -> Tensor:
    """The discriminator of DCGAN: how likely an image is a true one (Radford et al. 2016, section 3).

    Shapes: `batch height width channels` -> `batch classes`, for known sides; without a top
    `batch ceil(height/16) ceil(width/16) filters[-1]`.

    Args:
        filters: of each convolution, the first of which has no norm.
        conv: unit of every convolution.
        dense: unit of the output, a function `(x, units, *, activation, name)`, without bias; None for `dense` with the
            initialisers, regularisers … of `conv`.
    """
    first, *others = checks.several("filters", filters)
    x = bare(conv)(x, first, 4, strides=2, name="conv1")
    for number, width in enumerate(others, 2):
        x = conv(x, width, 4, strides=2, name=f"conv{number}")
    return head(x, pooling="flatten", dense=dense, use_bias=False) if head.include_top else head(x)
