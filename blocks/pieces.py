"""Single layers under dotted names: what blocks put between their units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Unpack

import keras

from .. import checks
from ..checks import piece
from . import arguments
from .core import full_name, is_block
from .layers import (
    AdaptiveAveragePooling2D,
    Add,
    DilatedAveragePooling2D,
    DilatedMaxPooling2D,
    MatchSize,
    MinimumSize,
    RadialBasisDense,
    StochasticDepth,
)
from .types import Activation, DenseOptions, LayerOptions, Margins, Padding, Size, StochasticDepthOptions, Tensor


def channel_axis() -> int:
    """Axis of the channels under Keras's `image_data_format`."""
    return -1 if keras.config.image_data_format() == "channels_last" else 1


def channels(x: Tensor) -> int:
    """Number of channels of `x: batch height width channels`, which must be known."""
    number = arguments.image(x)[channel_axis()]
    if number is None:
        raise checks.refuse("x", tuple(x.shape), "a tensor whose number of channels is known")
    return number


def sides(x: Tensor) -> tuple[int | None, int | None]:
    """Height and width of `x: batch height width channels`, None where unknown."""
    shape = arguments.image(x)
    height, width = shape[1:3] if channel_axis() == -1 else shape[2:4]
    return height, width


def layer(kind: Callable[..., keras.Layer], x: Tensor, base: str, name: str | None = None, **options: Any) -> Tensor:
    """Call a Keras layer under its dotted name; what Keras refuses is said with the name of the block."""
    for tensor in x if isinstance(x, list) and x else [x]:
        arguments.symbolic(tensor)
    for word, option in options.items():
        arguments.identifier(word, option)
    name, options = full_name(base, name), {word: _unshared(option) for word, option in options.items()}
    try:
        return kind(name=name, **options)(x)
    except (TypeError, ValueError) as error:
        kind_of_error = TypeError if isinstance(error, TypeError) else ValueError
        raise checks.complaint(str(error), kind_of_error) from error


def _unshared(option: Any) -> Any:
    """An initialiser without a seed as another of its kind: one of them gives all equal shapes equal numbers."""
    unseeded = isinstance(option, keras.initializers.Initializer) and option.get_config().get("seed", 0) is None
    return option.clone() if unseeded else option


def head_dtype() -> str:
    """What a head is computed in: float32 under mixed precision, which is too coarse for it, else as all the rest."""
    dtype = keras.config.dtype_policy().compute_dtype
    return "float32" if dtype in ("float16", "bfloat16") else dtype


_guarded: ContextVar[bool] = ContextVar("layerblocks_guarded", default=False)


@contextmanager
def guarded() -> Iterator[None]:
    """Inside, images of unknown size are known to be large enough: a guard at the input of the network sees to it."""
    token = _guarded.set(True)
    try:
        yield
    finally:
        _guarded.reset(token)


def fits(x: Tensor, window: tuple[int, int], padding: str, word: str, name: str | None = None) -> Tensor:
    """`x`, if a window that has to lie within the image does; of an unknown size a guard asks when images come.

    TensorFlow on the CPU returns uninitialised memory from a convolution that is larger than its image, and a pooling
    may end the process.
    """
    if padding != "valid":
        return x
    for side, extent in zip(sides(x), window, strict=True):
        if side is not None and side < extent:
            least = "×".join(map(str, window))
            raise checks.refuse(
                "x", sides(x), f"a height and width of at least {least} under padding='valid' with this {word}"
            )
    least_height, least_width = (extent if n is None else 1 for n, extent in zip(sides(x), window, strict=True))
    if _guarded.get() or (least_height, least_width) == (1, 1):
        return x
    name = None if name is None else f"{name}_minimum_size"
    return layer(MinimumSize, x, "minimum_size", name, height=least_height, width=least_width)


def pad(x: Tensor, padding: Any, name: str | None = "pad") -> tuple[Any, str]:
    """`"same"`, `"valid"`, or so many zero rows and columns around and then `"valid"`."""
    if isinstance(padding, str):
        return x, checks.choice("padding", padding.lower(), ("same", "valid"))
    margins = arguments.margins("padding", padding)
    return zero_pad(x, margins, name=name) if any(map(any, margins)) else x, "valid"


@piece
def zero_pad(x: Tensor, padding: Size | Margins, *, name: str | None = None) -> Tensor:
    """Zeros around the image, as `keras.layers.ZeroPadding2D` has them.

    Shapes: `batch height width channels` -> `batch height+top+bottom width+left+right channels`.

    Example:
        >>> zero_pad(keras.Input((5, 7, 3)), ((0, 1), (2, 2))).shape
        (None, 6, 11, 3)
    """
    arguments.image(x)
    return layer(keras.layers.ZeroPadding2D, x, "pad", name, padding=arguments.margins("padding", padding))


@piece
def crop(x: Tensor, cropping: Size | Margins, *, name: str | None = None) -> Tensor:
    """Rows and columns taken off, as `keras.layers.Cropping2D` has them.

    Shapes: `batch height width channels` -> `batch height-top-bottom width-left-right channels`.

    Example:
        >>> crop(keras.Input((5, 7, 3)), ((0, 1), (2, 2))).shape
        (None, 4, 3, 3)
    """
    off = arguments.margins("cropping", cropping)
    if any(side is not None and sum(margin) >= side for side, margin in zip(sides(x), off, strict=True)):
        raise checks.refuse("cropping", cropping, f"less than the {sides(x)} rows and columns of x")
    return layer(keras.layers.Cropping2D, x, "crop", name, cropping=off)


@piece
def match_size(x: Tensor, like: Tensor, *, offset: Any = 0, name: str | None = None) -> Tensor:
    """`x` with the height and width of `like`, cropped or padded with zeros: row i of it is row i + `offset` of `x`.

    Shapes: `batch height width channels`, `batch height2 width2 channels2` -> `batch height2 width2 channels`. Unknown
    sizes are looked up at run time; nothing is done, not even by a layer, where the sizes are known to be equal.

    Args:
        offset: rows and columns of `x` before the first that is kept, an integer or (rows, columns).

    Raises:
        ValueError, TypeError: `offset` is no integer from 0 on, nor two of them.

    Example:
        >>> match_size(keras.Input((392, 392, 64)), keras.Input((388, 388, 2)), offset=2).shape
        (None, 388, 388, 64)
    """
    arguments.image(x)
    arguments.image(like, "like")
    offset, known = arguments.pair("offset", offset, at_least=0), None not in (*sides(x), *sides(like))
    if known and sides(x) == sides(like) and offset == (0, 0):
        return x
    return layer(MatchSize, [x, like], "match_size", name, offset=offset)


def _pool(
    kinds: tuple[type, type],
    x: Tensor,
    base: str,
    name: str | None,
    pool_size: Size,
    strides: Size | None,
    dilation_rate: Size,
    padding: Padding,
) -> Tensor:
    """Pool by the first kind of layer, or by the second where it is dilated."""
    arguments.image(x)
    window = arguments.pair("pool_size", pool_size)
    steps = window if strides is None else arguments.pair("strides", strides)
    kind, dilated = kinds
    if (rates := arguments.pair("dilation_rate", dilation_rate)) != (1, 1):
        if steps != (1, 1) or padding != "same":
            raise checks.refuse("dilation_rate", dilation_rate, "1, or more with strides=1 and padding='same'")
        return layer(dilated, x, base, name, pool_size=window, dilation_rate=rates)
    x, kind_of_padding = pad(x, padding, None if name is None else f"{name}_pad")
    x = fits(x, window, kind_of_padding, "pool_size", name)
    return layer(kind, x, base, name, pool_size=window, strides=steps, padding=kind_of_padding)


@piece
def max_pool(
    x: Tensor,
    pool_size: Size = 2,
    *,
    strides: Size | None = None,
    dilation_rate: Size = 1,
    padding: Padding = "same",
    name: str | None = None,
) -> Tensor:
    """Maximum over windows.

    Shapes: `batch height width channels` -> `batch ceil(height/s) ceil(width/s) channels` with `"same"`,
    `floor((side-k)/s)+1` with `"valid"`.

    Args:
        x: symbolic tensor.
        pool_size: side k of the window, or (height, width).
        strides: step s; None for the side of the window.
        dilation_rate: distance of the pixels of a window; above 1 only with `strides=1` and `"same"`.
        padding: `"same"`, `"valid"`, or zero rows and columns on every side (right for values from a ReLU on).

    Raises:
        ValueError: the window is larger than the image under `"valid"`, or a number is out of range.
        TypeError: an argument is of the wrong type.

    Example:
        >>> max_pool(keras.Input((7, 9, 3)), 3, strides=2).shape
        (None, 4, 5, 3)
    """
    kinds = (keras.layers.MaxPooling2D, DilatedMaxPooling2D)
    return _pool(kinds, x, "max_pool", name, pool_size, strides, dilation_rate, padding)


@piece
def avg_pool(
    x: Tensor,
    pool_size: Size = 2,
    *,
    strides: Size | None = None,
    dilation_rate: Size = 1,
    padding: Padding = "same",
    name: str | None = None,
) -> Tensor:
    """Mean over windows; `"same"` leaves the padding out of the mean. Arguments and shapes as `max_pool`.

    Example:
        >>> avg_pool(keras.Input((14, 14, 512)), 5, strides=3, padding="valid").shape
        (None, 4, 4, 512)
    """
    kinds = (keras.layers.AveragePooling2D, DilatedAveragePooling2D)
    return _pool(kinds, x, "avg_pool", name, pool_size, strides, dilation_rate, padding)


@piece
def adaptive_avg_pool(x: Tensor, output_size: Size, *, name: str | None = None) -> Tensor:
    """Mean over as many nearly equal windows as the output has pixels, for any input size, None included.

    Shapes: `batch height width channels` -> `batch output_size output_size channels`.

    Raises:
        ValueError, TypeError: `output_size` is not a positive integer or a pair of them.

    Example:
        >>> adaptive_avg_pool(keras.Input((None, None, 8)), 4).shape
        (None, 4, 4, 8)
    """
    arguments.image(x)
    size = arguments.pair("output_size", output_size)
    return layer(AdaptiveAveragePooling2D, x, "adaptive_avg_pool", name, output_size=size)


@piece
def global_avg_pool(x: Tensor, *, keepdims: bool = False, name: str | None = None) -> Tensor:
    """Mean over all pixels: `batch height width channels` -> `batch channels`, or with `keepdims` `batch 1 1 channels`.

    Example:
        >>> global_avg_pool(keras.Input((None, 7, 64))).shape
        (None, 64)
    """
    arguments.image(x)
    keepdims = checks.choice("keepdims", keepdims, (True, False))
    return layer(keras.layers.GlobalAveragePooling2D, x, "global_avg_pool", name, keepdims=keepdims)


@piece
def global_max_pool(x: Tensor, *, name: str | None = None) -> Tensor:
    """Maximum over all pixels: `batch height width channels` -> `batch channels`.

    Example:
        >>> global_max_pool(keras.Input((None, 7, 64))).shape
        (None, 64)
    """
    arguments.image(x)
    return layer(keras.layers.GlobalMaxPooling2D, x, "global_max_pool", name)


@piece
def flatten(x: Tensor, *, name: str | None = None) -> Tensor:
    """All pixels in one row: `batch height width channels` -> `batch height*width*channels`.

    Raises:
        ValueError: height or width is unknown, so that a dense layer could not follow.

    Example:
        >>> flatten(keras.Input((7, 7, 512))).shape
        (None, 25088)
    """
    if None in arguments.image(x)[1:]:
        raise checks.refuse(
            "x",
            tuple(x.shape),
            "a known height and width where it is flattened; pool to a fixed size instead",
        )
    return layer(keras.layers.Flatten, x, "flatten", name)


@piece
def dense(
    x: Tensor, units: int, *, activation: Activation = None, name: str | None = None, **options: Unpack[DenseOptions]
) -> Tensor:
    """A fully connected layer: `batch features` -> `batch units`. `options` are those of `keras.layers.Dense`.

    Raises:
        ValueError, TypeError: `units` is not a positive integer, or an option is not one of Dense.

    Example:
        >>> dense(keras.Input((1024,)), 10, activation="softmax").shape
        (None, 10)
    """
    arguments.symbolic(x)
    units = checks.integer("units", units)
    arguments.options(keras.layers.Dense, options)
    checks.choice("use_bias", options.get("use_bias"), (None, True, False))
    return layer(keras.layers.Dense, x, "dense", name, units=units, activation=activation, **options)


@piece
def radial_basis(
    x: Tensor,
    units: int,
    *,
    codes: Any = None,
    activation: Activation = None,
    name: str | None = None,
    **options: Unpack[LayerOptions],
) -> Tensor:
    """Minus the squared distance from a fixed code of ±1 for each unit, and an activation: LeNet-5's output.

    (LeCun et al. 1998, eq. 7.) Shapes: `batch features` -> `batch units`. The nearest code has the largest output.

    Args:
        codes: `units features`; None for random ones.
        options: those of every Keras layer.

    Raises:
        ValueError: the codes do not fit the units or the features, or `units` is out of range.
        TypeError: an argument of the wrong type.

    Example:
        >>> radial_basis(keras.Input((84,)), 10, activation="softmax").shape
        (None, 10)
    """
    arguments.symbolic(x)
    units = checks.integer("units", units)
    arguments.options(RadialBasisDense, options)
    codes = arguments.codes("codes", codes)
    return layer(RadialBasisDense, x, "dense", name, units=units, codes=codes, activation=activation, **options)


@piece
def dropout(x: Tensor, rate: float, *, name: str | None = None) -> Tensor:
    """Zeros for a share `rate` of the values in training; nothing at all, not even a layer, for 0.

    Raises:
        ValueError, TypeError: `rate` is not a number in [0, 1).

    Example:
        >>> dropout(keras.Input((1024,)), 0.4).shape
        (None, 1024)
    """
    arguments.symbolic(x)
    rate = checks.fraction("rate", rate)
    return layer(keras.layers.Dropout, x, "dropout", name, rate=rate) if rate else x


@piece
def stochastic_depth(
    x: Tensor, rate: float, *, name: str | None = None, **options: Unpack[StochasticDepthOptions]
) -> Tensor:
    """Zeros for a share `rate` of the examples in training; nothing at all, not even a layer, for 0.

    (Huang et al. 2016.) For the branch of a residual block, which is then just its shortcut for these examples.

    Args:
        rate: probability that an example skips the branch.
        options: `seed`, and those of every Keras layer.

    Raises:
        ValueError, TypeError: `rate` is not a number in [0, 1).

    Example:
        >>> stochastic_depth(keras.Input((8, 8, 64)), 0.2).shape
        (None, 8, 8, 64)
    """
    arguments.symbolic(x)
    rate = checks.fraction("rate", rate)
    arguments.options(StochasticDepth, options)
    return layer(StochasticDepth, x, "stochastic_depth", name, rate=rate, **options) if rate else x


@piece
def activate(x: Tensor, activation: Activation, *, name: str | None = None) -> Tensor:
    """An activation as a layer of its own: a Keras name, a function of a tensor, or a block; None for none.

    Example:
        >>> activate(keras.Input((8, 8, 3)), "gelu").shape
        (None, 8, 8, 3)
    """
    arguments.symbolic(x)
    if activation is None:
        return x
    if is_block(activation):
        return activation(x, name=name)
    if isinstance(activation, keras.Layer):  # another one each time, with weights of its own
        make, config = type(activation).from_config, activation.get_config()
        return layer(lambda name: make({**config, "name": name}), x, "activation", name)
    return layer(keras.layers.Activation, x, "activation", name, activation=activation)


@piece
def concat(xs: Sequence[Tensor], *, name: str | None = None) -> Tensor:
    """Channels side by side: `batch height width c1`, `… c2`, … -> `batch height width c1+c2+…`.

    Raises:
        ValueError: heights or widths differ (Keras itself does not look at unknown ones).
        TypeError: not a list of at least two symbolic tensors.

    Example:
        >>> concat([keras.Input((8, 8, 3)), keras.Input((8, 8, 5))]).shape
        (None, 8, 8, 8)
    """
    arguments.same_shapes(xs, skip=channel_axis())
    return layer(keras.layers.Concatenate, list(xs), "concat", name, axis=channel_axis())


@piece
def add(xs: Sequence[Tensor], *, name: str | None = None) -> Tensor:
    """Sum of tensors of exactly one shape; nothing is broadcast, nor when it runs where sizes are unknown.

    Raises:
        ValueError: the shapes differ.
        TypeError: not a list of at least two symbolic tensors.

    Example:
        >>> add([keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]).shape
        (None, 8, 8, 3)
    """
    arguments.same_shapes(xs)
    known = None not in xs[0].shape[1:]
    return layer(keras.layers.Add if known else Add, list(xs), "add", name)


@piece
def scale(x: Tensor, weights: Tensor, *, name: str | None = None) -> Tensor:
    """Every channel of `x` times its weight: `batch height width channels`, `batch 1 1 channels` -> as `x`.

    Raises:
        ValueError: `weights` is not one number a channel.
        TypeError: one of them is no symbolic tensor.

    Example:
        >>> scale(keras.Input((8, 8, 64)), keras.Input((1, 1, 64))).shape
        (None, 8, 8, 64)
    """
    arguments.image(weights, "weights")
    if channels(x) != channels(weights) or sides(weights) != (1, 1):
        raise checks.refuse("weights", tuple(weights.shape), f"one pixel of {channels(x)} channels")
    return layer(keras.layers.Multiply, [x, weights], "scale", name)
