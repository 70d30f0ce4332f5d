"""Plain chains: one layer after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Unpack

import keras  # noqa: F401  (the doctests use it)

from .. import checks
from ..checks import piece
from . import arguments, words
from .activations import dropout as _dropout
from .core import block
from .layers import scaled_tanh
from .pools import avg_pool, max_pool
from .tensors import rank
from .types import Activation, Norm, Padding, Pool, Size, SubsampleOptions, Tensor, Unit
from .units import conv as _conv
from .units import depthwise


@piece
def chain(x: Tensor, layers: Mapping[str, Mapping[str, Any] | Callable[..., Tensor]], *, conv: Unit = _conv) -> Tensor:
    """One layer after the other, as a table says: a network without branches.

    Args:
        layers: by name, either the arguments of a convolution or a function `(x, *, name)`, itself or by its name:
            `"max_pool"`, `{"name": "max_pool", "pool_size": 3}`.
        conv: unit of every convolution.

    Raises:
        TypeError: `layers` is no such table.
        ValueError, TypeError: what the unit and the functions refuse.

    Example:
        >>> layers = {"conv1": {"filters": 96, "kernel_size": 11, "strides": 4, "padding": "valid"}, "pool1": max_pool}
        >>> chain(keras.Input((227, 227, 3)), layers).shape
        (None, 28, 28, 96)
    """
    conv = checks.function("conv", words.resolved("unit", "conv", conv), "name")
    for name, step in checks.mapping("layers", layers).items():
        step = words.resolved("pool", f"layers[{checks.one_line(name)}]", step)
        if isinstance(step, Mapping):
            x = conv(x, **{"strides": 1, **step}, name=name)
        else:
            x = checks.function(f"layers[{checks.one_line(name)}]", step, "name")(x, name=name)
    return x


@block
def subsample(
    x: Tensor,
    pool_size: Size = 2,
    *,
    strides: Size | None = None,
    padding: Padding = "valid",
    activation: Activation = scaled_tanh,
    name: str | None = None,
    **options: Unpack[SubsampleOptions],
) -> Tensor:
    """The trainable pooling of LeNet-5: a mean, a coefficient and a bias for each channel, an activation.

    (LeCun et al. 1998, section II.B; the paper's sum is this mean, its coefficient that many times smaller.)

    Shapes: as `avg_pool`. Parameters: 2·channels.

    Args:
        pool_size, strides, padding: as in `avg_pool`.
        activation: a Keras name, a function of a tensor, or a block; None for linear.
        options: those of `keras.layers.DepthwiseConv2D`, which holds coefficients and biases.

    Raises:
        ValueError: the window is larger than the image.

    Example:
        >>> model = keras.Model(x := keras.Input((28, 28, 6)), subsample(x))
        >>> model.output_shape, model.count_params()
        ((None, 14, 14, 6), 12)
    """
    x = avg_pool(x, pool_size, strides=strides, padding=padding, name="pool")
    return depthwise(x, None, 1, strides=1, activation=activation, name="scale", **options)


_MOST_CONVS = 8  # in a block with fewer filters than these


@block
def vgg_block(
    x: Tensor,
    filters: int,
    convs: int = 2,
    *,
    kernel_size: Size | list[Size] = 3,
    norm: Norm | None = None,
    strides: Literal[1, 2] = 2,
    dilation_rate: int = 1,
    padding: Literal["same", "valid"] = "valid",
    dropout: float = 0.0,
    pool: Pool | None = max_pool,
    conv: Unit = _conv,
    name: str | None = None,
) -> Tensor:
    """`convs` convolutions and a 2×2 pooling (Simonyan and Zisserman 2015, table 1).

    Shapes: `batch height width channels` -> `batch floor(height/2) floor(width/2) filters`;
    `batch height width filters` with `strides=1`.

    Args:
        filters: output channels of every convolution.
        convs: their number, at least 1.
        kernel_size: their side, or a list with one for each of them (configuration C ends in 1).
        norm: function `(x, *, name)` between the last convolution and the pooling: `local_response_norm` in A-LRN.
        strides: of the pooling; 1 keeps the resolution, to the same values at every other pixel.
        dilation_rate: of the convolutions and the pooling, after a block of stride 1.
        padding: of the pooling: `"same"` rounds halves up.
        dropout: rate after the pooling.
        pool: function `(x, pool_size, *, strides, padding, name)`, and `dilation_rate` where it is above 1; None for
            no pooling.
        conv: unit.

    Raises:
        ValueError: a number out of range, an image too small to pool, or `dilation_rate` with a stride.

    Example:
        >>> vgg_block(keras.Input((224, 224, 3)), 64).shape
        (None, 112, 112, 64)
    """
    filters = checks.integer("filters", filters)
    convs, conv = checks.integer("convs", convs), checks.function("conv", conv, "name")
    if convs > max(_MOST_CONVS, filters):  # the order of the notes, `vgg_block(2, 64)`
        must_be = "the number of convolutions, which comes after their filters"
        raise checks.refuse("convs", convs, f"{must_be}; did you mean vgg_block(x, {convs}, {filters})?")
    kernels = kernel_size if isinstance(kernel_size, list) else [kernel_size] * convs
    if len(kernels) != convs:
        raise checks.refuse("kernel_size", kernel_size, f"one side, or a list of {convs}")
    strides, dilation = arguments.halving(strides, checks.integer("dilation_rate", dilation_rate), rank(x))
    for number, side in enumerate(kernels, 1):
        x = conv(x, filters, side, strides=1, name=f"conv{number}", **dilation)
    if norm is not None:
        x = checks.function("norm", norm, "name")(x, name="norm")
    if pool is not None:
        x = checks.function("pool", pool, "name")(
            x, 2, strides=strides, padding="same" if strides == 1 else padding, name="pool", **dilation
        )
    return _dropout(x, dropout, name="dropout")
