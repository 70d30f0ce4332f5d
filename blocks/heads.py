"""What ends a network: classifiers and auxiliary classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import keras

from .. import checks
from ..checks import piece
from . import arguments
from .activations import dropout as _dropout
from .core import block, default_of
from .fully_connected import dense as _dense
from .fully_connected import flatten
from .pools import adaptive_avg_pool, avg_pool, global_avg_pool, global_max_pool
from .tensors import channel_axis, head_dtype, layer, rank, sides
from .types import Activation, Dense, DenseOptions, Padding, Size, Tensor, Unit
from .units import conv as _conv
from .units import matching

POOLING = {"avg": global_avg_pool, "max": global_max_pool, "flatten": flatten}


@block
def classifier(
    x: Tensor,
    classes: int,
    *,
    pooling: str | None = "avg",
    output_size: Size | None = None,
    units: Sequence[int] = (),
    dropout: float | Sequence[float] = 0.0,
    activation: Activation = "softmax",
    hidden_activation: Activation = "relu",
    dense: Dense = _dense,
    output: Dense | None = None,
    name: str | None = None,
    **options: Unpack[DenseOptions],
) -> Tensor:
    """Pool or flatten, hidden dense layers, and one value a class; computed in float32 also in mixed precision.

    Shapes: `batch height width channels` (or `batch features`) -> `batch classes`.

    Args:
        classes: number of classes.
        pooling: `"avg"`, `"max"`, `"flatten"`, or None for what is flat already.
        output_size: average to this size first, so that images of any size can be flattened.
        units: widths of hidden dense layers.
        dropout: rate after every hidden layer, or after the pooling where there is none; or a list of the rates
            before each dense layer, the last one included.
        activation: of the output; None gives logits.
        hidden_activation: of the hidden layers.
        dense: unit of every dense layer, a function `(x, units, *, activation, name)`.
        output: unit of the last one, such as `radial_basis`; None for `dense`.
        options: those of `keras.layers.Dense`, for every dense layer.

    Raises:
        ValueError: a number out of range, or flattening an unknown size.

    Example:
        >>> classifier(keras.Input((7, 7, 64)), 10, pooling="flatten", units=(128, 128), dropout=0.5).shape
        (None, 10)
    """
    classes = checks.integer("classes", classes)
    if not checks.is_sequence(units):
        raise checks.refuse("units", units, "a sequence of widths", TypeError)
    units = checks.integers("units", units, len(units))
    rates = _rates(dropout, len(units))
    output = dense if output is None else output
    arguments.functions(dense=dense, output=output)
    arguments.identifier("hidden_activation", hidden_activation)
    if output_size is not None:
        x = adaptive_avg_pool(x, output_size, name="resize")
    if checks.choice("pooling", pooling, (None, *POOLING)) is not None:
        x = POOLING[pooling](x, name="pool" if pooling != "flatten" else "flatten")  # type: ignore[index]
    elif len(x.shape) != 2:
        raise checks.refuse("x", tuple(x.shape), "batch and features where pooling=None")
    x = _dropout(x, rates[0], name="dropout")
    for number, (width, rate) in enumerate(zip(units, rates[1:], strict=True), 1):
        x = dense(x, width, activation=hidden_activation, name=f"dense{number}", **options)
        x = _dropout(x, rate, name=f"dropout{number}")
    return output(x, classes, activation=activation, name="predictions", **{"dtype": head_dtype(), **options})


def _rates(dropout: float | Sequence[float], hidden: int) -> list[float]:
    """The rate before each dense layer."""
    if isinstance(dropout, str) or not isinstance(dropout, Sequence):
        rate = checks.fraction("dropout", dropout)
        return [0.0, *[rate] * hidden] if hidden else [rate]
    if len(dropout) != hidden + 1:
        raise checks.refuse("dropout", dropout, f"one rate, or {hidden + 1} of them, one before each dense layer")
    return [checks.fraction(f"dropout[{number}]", rate) for number, rate in enumerate(dropout)]


@piece
def pixel_predictions(x: Tensor, activation: Activation = "softmax", *, name: str | None = None) -> Tensor:
    """The activation of a segmentation network, over the classes of each pixel; float32 also in mixed precision.

    Shapes: `batch height width classes` -> the same. With None for the activation the scores come out as they are.

    Example:
        >>> pixel_predictions(keras.Input((388, 388, 2))).shape
        (None, 388, 388, 2)
    """
    arguments.image(x)
    arguments.identifier("activation", activation)
    if isinstance(activation, str) and activation == "softmax":  # an Activation has the last axis, not the channels'
        return layer(keras.layers.Softmax, x, "predictions", name, axis=channel_axis(), dtype=head_dtype())
    function = "linear" if activation is None else activation
    return layer(keras.layers.Activation, x, "predictions", name, activation=function, dtype=head_dtype())


@block
def aux_classifier(
    x: Tensor,
    classes: int,
    *,
    filters: int = 128,
    units: int = 1024,
    dropout: float = 0.7,
    padding: Padding = "valid",
    output_size: Size | None = None,
    activation: Activation = "softmax",
    conv: Unit = _conv,
    dense: Dense | None = None,
    name: str | None = None,
    **options: Unpack[DenseOptions],
) -> Tensor:
    """The auxiliary classifier of GoogLeNet: pool, 1×1 convolution, hidden layer, classes (Szegedy et al. 2015).

    Shapes: `batch height width channels` -> `batch classes`. The paper's form averages over 5×5 windows with
    stride 3, so that the hidden layer sees `(floor((height-5)/3)+1)·(floor((width-5)/3)+1)·filters` features:
    height and width must be known and at least 5. With `output_size` any size will do, None included.

    Args:
        classes: number of classes.
        filters: of the 1×1 convolution.
        units: of the hidden layer.
        dropout: rate between the hidden layer and the classes.
        padding: of the 5×5 pooling.
        output_size: pool to this size instead of by 5×5 windows; 4 is what the paper has at 224×224.
        activation: of the output; None gives logits.
        conv: unit, whose activation is that of the hidden layer too.
        dense: unit of the dense layers; None for `dense` with the initialisers, regularisers … of `conv`.
        options: those of `keras.layers.Dense`, for both dense layers.

    Raises:
        ValueError: height or width unknown or below 5 without `output_size`.

    Example:
        >>> aux_classifier(keras.Input((14, 14, 512)), 1000).shape
        (None, 1000)
        >>> aux_classifier(keras.Input((None, None, 512)), 1000, output_size=4).shape
        (None, 1000)
    """
    classes = checks.integer("classes", classes)
    checks.function("conv", conv, "name")
    if output_size is not None:
        y = adaptive_avg_pool(x, output_size, name="pool")
    elif any(side is None or (isinstance(padding, str) and padding == "valid" and side < 5) for side in sides(x)):
        axes = arguments.RANKS[rank(x)]
        must_be = f"a known {axes} of at least {'×'.join('5' * rank(x))}, or any with output_size=4"
        raise checks.refuse("x", sides(x), must_be)
    else:
        y = avg_pool(x, 5, strides=3, padding=padding, name="pool")
    y = conv(y, filters, 1, strides=1, name="conv")
    return classifier(
        y,
        classes,
        pooling="flatten",
        units=(units,),
        dropout=dropout,
        activation=activation,
        hidden_activation=default_of(conv, "activation", "relu"),
        dense=matching(_dense, conv) if dense is None else dense,
        name="classifier",
        **options,
    )
