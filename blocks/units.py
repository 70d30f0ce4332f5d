"""Units: `unit(x, filters, kernel_size=3, *, strides=1, …) -> tensor`, the convolutions any block is built of."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeVar, Unpack, cast

import keras

from .. import checks
from . import arguments, words
from .activations import activate
from .core import accepts, block, default_of, delegate, is_block, register, undecorated
from .layers import SparseConv1D, SparseConv2D, SparseConv3D
from .norms import batch_norm
from .sizes import crop, pad
from .tensors import channels, fits, layer, of_rank, rank, sides
from .types import (
    Activation,
    ConvBnOptions,
    DepthwiseOptions,
    DilatedOptions,
    KernelOptions,
    Margins,
    Norm,
    Padding,
    PreactOptions,
    SeparableOptions,
    Size,
    Tensor,
    Unit,
)

Kind = TypeVar("Kind")


def _convolve(
    kind: str | Callable[..., keras.Layer],
    x: Tensor,
    norm: Norm | None,
    activation: Activation,
    use_bias: bool | None,
    *,
    margins: Margins = (),
    **options: Any,
) -> Tensor:
    """The linear layer, its norm and its activation: bias exactly where there is no norm, unless given.

    The layer is a class, or the name of Keras's without its rank.
    """
    kind = of_rank(kind, x) if isinstance(kind, str) else kind
    if norm is not None:
        checks.function("norm", norm, "name")
    fused = norm is None and not is_block(activation) and not isinstance(activation, keras.Layer)
    use_bias = checks.choice("use_bias", use_bias, (None, True, False))
    bias = norm is None if use_bias is None else use_bias
    x = layer(kind, x, "conv", "conv", use_bias=bias, activation=activation if fused else None, **options)
    if any(map(any, margins)):
        x = crop(x, margins, name="crop")
    if norm is not None:
        x = norm(x, name="norm")
    return x if fused else activate(x, activation, name="activation")


def _padded(x: Tensor, padding: Any, geometry: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
    """`x`, padded where a word of Keras does not say it, into which the kernel fits, and the options of the layer."""
    paddings, extent = ("same", "valid", "symmetric", "causal"), _extent(geometry)
    word = checks.choice("padding", padding.lower(), paddings) if isinstance(padding, str) else None
    if word == "causal":
        padding = tuple((side - 1, 0) for side in extent)
    elif word == "symmetric":
        is_same = max(geometry["strides"]) == 1 and all(side % 2 for side in extent)
        padding = "same" if is_same else tuple((side - 1) // 2 for side in extent)
    x, keras_padding = pad(x, padding)
    return fits(x, extent, keras_padding, "kernel_size"), {**geometry, "padding": keras_padding}


def _geometry(x: Tensor, filters: Any, kernel_size: Size, strides: Size, dilation_rate: Any) -> dict[str, Any]:
    axes = rank(x)
    return {
        "filters": checks.integer("filters", filters),
        "kernel_size": arguments.sizes("kernel_size", kernel_size, axes),
        "strides": arguments.sizes("strides", strides, axes),
        "dilation_rate": arguments.sizes("dilation_rate", dilation_rate, axes),
    }


def _strided_or_dilated(geometry: dict[str, Any]) -> None:
    if max(geometry["strides"]) > 1 and max(rates := geometry["dilation_rate"]) > 1:
        raise checks.refuse("dilation_rate", rates, f"1 where strides are above 1, as here: {geometry['strides']}")


def _extent(geometry: dict[str, Any]) -> tuple[int, ...]:
    """Side of the dilated kernel, e = d·(k-1) + 1, on each axis."""
    return tuple(d * (k - 1) + 1 for k, d in zip(geometry["kernel_size"], geometry["dilation_rate"], strict=True))


@register("unit")
@block
def conv(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 1,
    dilation_rate: Size = 1,
    groups: int = 1,
    padding: Padding = "same",
    norm: Norm | None = None,
    activation: Activation = "relu",
    use_bias: bool | None = None,
    layer: Callable[..., keras.Layer] | None = None,
    name: str | None = None,
    **options: Unpack[KernelOptions],
) -> Tensor:
    """A convolution, its norm and its activation.

    Shapes, with e = dilation_rate·(kernel_size-1)+1: `batch height width channels` ->
    `batch ceil(height/strides) ceil(width/strides) filters` with `"same"`,
    `floor((side-e)/strides)+1` a side with `"valid"`.

    Args:
        x: symbolic tensor.
        filters: output channels.
        kernel_size, strides, dilation_rate: an integer, or one for each axis: (height, width).
        groups: groups of channels that do not see each other; divides the channels and `filters`.
        padding: `"same"`, `"valid"`, or so many zeros on every side as in torch, or (before, after) for each axis,
            ((above, below), (left, right)); `"symmetric"` for (e-1)//2 on every side, which differs from `"same"`
            only where a stride makes Keras pad one side more than the other; `"causal"` for all e-1 before the first
            pixel of each axis, so that nothing depends on what comes after it.
        norm: function `(x, *, name)` between convolution and activation, e.g. `batch_norm`; None for none.
        activation: a Keras name, a function of a tensor, or a block; None for linear.
        use_bias: None for "exactly where there is no norm".
        layer: function of the options of `keras.layers.Conv2D` that gives the layer, such as `weight_standardized`;
            None for Keras's own.
        options: those of `keras.layers.Conv2D`: initialisers, regularisers, constraints, dtype.

    Raises:
        ValueError: a number out of range, strides with dilation, groups that do not divide, a kernel that
            does not fit into the image.
        TypeError: an argument of the wrong type, or one that Conv2D does not take.

    Example:
        >>> conv(keras.Input((224, 224, 3)), 64, 7, strides=2).shape
        (None, 112, 112, 64)
    """
    geometry = _geometry(x, filters, kernel_size, strides, dilation_rate)
    groups = checks.integer("groups", groups)
    arguments.options(keras.layers.Conv2D, options)
    _strided_or_dilated(geometry)
    for number, of in ((channels(x), "channels of x"), (geometry["filters"], "filters")):
        if number % groups:
            raise checks.refuse("groups", groups, f"a divisor of the {number} {of}")
    x, geometry = _padded(x, padding, geometry)
    kind = "Conv" if layer is None else _made_by(layer)
    return _convolve(kind, x, norm, activation, use_bias, groups=groups, **geometry, **options)


def _made_by(function: Callable[..., keras.Layer]) -> Callable[..., keras.Layer]:
    """A function that gives a layer, or says of the argument `layer` what it must be."""
    must_be = "a function of the options of keras.layers.Conv2D that gives a layer"
    checks.function("layer", function)

    def make(**options: Any) -> keras.Layer:
        try:
            made = function(**options)
        except (TypeError, ValueError) as error:
            raise checks.refuse("layer", function, must_be, TypeError) from error
        if not isinstance(made, keras.Layer):
            raise checks.refuse("layer", function, must_be, TypeError)
        return made

    return make


# Without a scope of its own: what is made is named into the unit that calls it.
_bare_conv = inspect.unwrap(conv)


@register("unit")
@delegate
def conv_bn(
    x: Tensor, filters: int, kernel_size: Size = 3, *, norm: Norm = batch_norm, **options: Unpack[ConvBnOptions]
) -> Tensor:
    """`conv` with batch normalisation, and so without bias (Ioffe and Szegedy 2015). Arguments as `conv`.

    Example:
        >>> model = keras.Model(x := keras.Input((32, 32, 3)), conv_bn(x, 16, name="stem"))
        >>> [layer.name for layer in model.layers[1:]]
        ['stem.conv', 'stem.norm', 'stem.activation']
    """
    return conv(x, filters, kernel_size, norm=norm, **options)


@register("unit")
@block
def preact_conv(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 1,
    norm: Norm | None = batch_norm,
    activation: Activation = "relu",
    use_bias: bool = False,
    name: str | None = None,
    **options: Unpack[PreactOptions],
) -> Tensor:
    """A norm, an activation, and the convolution after them: the pre-activation unit (He et al. 2016b, figure 4e).

    Shapes as `conv`. Norm and activation are those of the input, so that `activation=None` leaves it linear.

    Args:
        norm: function `(x, *, name)` before the activation; None for none.
        activation: before the convolution; a Keras name, a function of a tensor, a block, or None.
        use_bias: none unless given, with or without a norm.

    The other arguments and the errors are those of `conv`.

    Example:
        >>> model = keras.Model(x := keras.Input((32, 32, 16)), preact_conv(x, 16, name="conv1"))
        >>> [layer.name for layer in model.layers[1:]]
        ['conv1.norm', 'conv1.activation', 'conv1.conv']
    """
    if norm is not None:
        x = checks.function("norm", norm, "name")(x, name="norm")
    x = activate(x, activation, name="activation")
    linear = {"norm": None, "activation": None, "use_bias": use_bias}
    return _bare_conv(x, filters, kernel_size, strides=strides, **linear, **options)


@block
def norm_activation(x: Tensor, *, conv: Unit = conv_bn, name: str | None = None) -> Tensor:
    """The norm and the activation that `conv` has, without its convolution: what pre-activation networks begin with.

    Shapes: `batch height width channels` -> the same.

    Example:
        >>> model = keras.Model(x := keras.Input((32, 32, 16)), norm_activation(x, name="last"))
        >>> [layer.name for layer in model.layers[1:]]
        ['last.norm', 'last.activation']
    """
    arguments.functions(conv=conv)
    norm = default_of(conv, "norm")
    y = x if norm is None else norm(x, name="norm")
    return activate(y, default_of(conv, "activation", "relu"), name="activation")


@register("unit")
@delegate
def dilated(
    x: Tensor, filters: int, kernel_size: Size = 3, *, dilation_rate: Size = 2, **options: Unpack[DilatedOptions]
) -> Tensor:
    """`conv` with holes: a kernel of side k spans dilation_rate·(k-1)+1 pixels (Yu and Koltun 2016).

    Arguments, shapes and errors as `conv`.

    Example:
        >>> dilated(keras.Input((7, 7, 1)), 1, 3, padding="valid").shape
        (None, 3, 3, 1)
    """
    return conv(x, filters, kernel_size, dilation_rate=dilation_rate, **options)


def _one_stride(strides: tuple[int, ...]) -> None:
    if len(strides) == 2 and len(set(strides)) > 1:
        raise checks.refuse("strides", strides, "one stride for both axes")


def _of_parts(kind: type[keras.Layer], parts: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a layer of several kernels, in which `kernel_…` stands for that of each part."""
    shared = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")
    own = {word: value for word, value in options.items() if word not in shared}
    given = {word: options[word] for word in shared if options.get(word) is not None}
    arguments.options(kind, own)
    for word, value in given.items():
        arguments.identifier(word, value)
    return {word.replace("kernel", part): value for part in parts for word, value in given.items()} | own


@register("unit")
@block
def separable(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 1,
    dilation_rate: Size = 1,
    depth_multiplier: int = 1,
    padding: Padding = "same",
    norm: Norm | None = None,
    activation: Activation = "relu",
    use_bias: bool | None = None,
    name: str | None = None,
    **options: Unpack[SeparableOptions],
) -> Tensor:
    """A depthwise convolution and a 1×1 convolution after it, in one linear layer (Chollet 2017).

    Shapes as `conv`. Parameters: k²·channels·depth_multiplier + channels·depth_multiplier·filters + filters.

    Args:
        depth_multiplier: depthwise filters for each channel.
        strides: the same for both axes of an image.
        options: those of `keras.layers.SeparableConv2D`; `kernel_initializer`, `kernel_regularizer` and
            `kernel_constraint` are for both parts, so that `separable` fits wherever `conv` does.

    The other arguments and the errors are those of `conv`; strides and dilation may go together, but in volumes, for
    which Keras has no such layer: the two convolutions are two layers there.

    Example:
        >>> model = keras.Model(x := keras.Input((28, 28, 3)), separable(x, 4, activation=None))
        >>> model.count_params()
        43
    """
    geometry = _geometry(x, filters, kernel_size, strides, dilation_rate)
    _one_stride(geometry["strides"])
    own = _of_parts(keras.layers.SeparableConv2D, ("depthwise", "pointwise"), options)
    channels(x)
    own["depth_multiplier"] = checks.integer("depth_multiplier", depth_multiplier)
    if rank(x) == 3:
        _strided_or_dilated(geometry)
        x, geometry = _padded(x, padding, geometry)
        grouped, own = _depthwise_of_volumes(x, own)
        first = {**geometry, "filters": channels(x) * own.pop("depth_multiplier"), "use_bias": False}
        x = layer(keras.layers.Conv3D, x, "depthwise", "depthwise", **first, **grouped)
        second = {word.replace("pointwise", "kernel"): value for word, value in own.items()}
        filters, kernel_size = geometry["filters"], (1, 1, 1)
        return _convolve("Conv", x, norm, activation, use_bias, filters=filters, kernel_size=kernel_size, **second)
    x, geometry = _padded(x, padding, geometry)
    return _convolve("SeparableConv", x, norm, activation, use_bias, **_one_axis(geometry), **own)


def _one_axis(geometry: dict[str, Any]) -> dict[str, Any]:
    """Keras's depthwise layers for signals have numbers where those for images have tuples."""
    words = ("kernel_size", "strides", "dilation_rate")
    return {w: v[0] if w in words and len(v) == 1 else v for w, v in geometry.items()}


def _depthwise_of_volumes(x: Tensor, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those of `options` that are of the depthwise kernel, as a convolution of many groups has them; and the others."""
    own = {w.replace("depthwise", "kernel"): v for w, v in options.items() if w.startswith("depthwise_")}
    rest = {w: v for w, v in options.items() if not w.startswith("depthwise_")}
    return {**own, "groups": channels(x), **{w: rest[w] for w in ("dtype", "trainable") if w in rest}}, rest


@register("unit")
@block
def depthwise(
    x: Tensor,
    filters: int | None = None,
    kernel_size: Size = 3,
    *,
    strides: Size = 1,
    dilation_rate: Size = 1,
    padding: Padding = "same",
    norm: Norm | None = None,
    activation: Activation = "relu",
    use_bias: bool | None = None,
    name: str | None = None,
    **options: Unpack[DepthwiseOptions],
) -> Tensor:
    """A convolution of every channel by itself, its norm and its activation (Howard et al. 2017, figure 2b).

    Shapes as `conv`. Parameters: k²·filters, and `filters` where there is a bias.

    Args:
        filters: output channels, a multiple of the channels of `x`; None for just as many.
        strides: the same for both axes of an image.
        options: those of `keras.layers.DepthwiseConv2D`, whose `depthwise_…` may be called `kernel_…` as in `conv`.

    The other arguments and the errors are those of `conv`; strides and dilation may go together, but in volumes, where
    this is a convolution of as many groups as channels.

    Example:
        >>> model = keras.Model(x := keras.Input((28, 28, 32)), depthwise(x, strides=2, norm=batch_norm))
        >>> model.output_shape, model.count_params()
        ((None, 14, 14, 32), 416)
    """
    filters = channels(x) if filters is None else filters
    geometry = _geometry(x, filters, kernel_size, strides, dilation_rate)
    multiplier, rest = divmod(geometry.pop("filters"), channels(x))
    if rest:
        raise checks.refuse("filters", filters, f"a multiple of the {channels(x)} channels of x")
    _one_stride(geometry["strides"])
    own = {**_of_parts(keras.layers.DepthwiseConv2D, ("depthwise",), options), "depth_multiplier": multiplier}
    if rank(x) == 3:
        _strided_or_dilated(geometry)
        x, geometry = _padded(x, padding, geometry)
        grouped, rest = _depthwise_of_volumes(x, own)
        geometry["filters"] = channels(x) * rest.pop("depth_multiplier")
        return _convolve("Conv", x, norm, activation, use_bias, **geometry, **{**rest, **grouped})
    x, geometry = _padded(x, padding, geometry)
    return _convolve("DepthwiseConv", x, norm, activation, use_bias, **_one_axis(geometry), **own)


@register("unit")
@block
def sparse(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    connections: Sequence[Sequence[int]],
    strides: Size = 1,
    dilation_rate: Size = 1,
    padding: Padding = "same",
    norm: Norm | None = None,
    activation: Activation = "relu",
    use_bias: bool | None = None,
    name: str | None = None,
    **options: Unpack[KernelOptions],
) -> Tensor:
    """A convolution whose output channels each see only some input channels (LeCun et al. 1998, table I).

    Shapes as `conv`. Parameters: k² for each connection, and `filters` where there is a bias.

    Args:
        connections: for each output channel, the input channels that it sees.
        options: those of `SparseConv2D`: initialisers and regularisers.

    The other arguments and the errors are those of `conv`.

    Example:
        >>> model = keras.Model(x := keras.Input((14, 14, 3)), sparse(x, 2, 5, connections=[[0, 1], [2]]))
        >>> model.output_shape, model.count_params()
        ((None, 14, 14, 2), 77)
    """
    geometry = _geometry(x, filters, kernel_size, strides, dilation_rate)
    arguments.options(SparseConv2D, options)
    connections = arguments.connections("connections", connections)
    _strided_or_dilated(geometry)
    channels(x)
    x, geometry = _padded(x, padding, geometry)
    kind = (SparseConv1D, SparseConv2D, SparseConv3D)[rank(x) - 1]
    return _convolve(kind, x, norm, activation, use_bias, connections=connections, **geometry, **options)


# What a unit does besides its geometry, and what several units of one block therefore have in common.
_CHARACTER = ("padding", "norm", "activation", "use_bias")
_OF_WEIGHTS = (
    *("kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    *("bias_initializer", "bias_regularizer", "bias_constraint"),
    *("activity_regularizer", "dtype", "trainable"),
)


def matching(unit: Kind, other: Unit) -> Kind:
    """`unit` with the padding, norm, activation, bias and options of the weights of `other`, as far as it has them.

    For blocks of two kinds of unit. Of a dense one, which has no norm, the options of the weights alone. `other` may be
    a partial of a unit; what a function of your own does inside is not seen.

    Example:
        >>> from functools import partial
        >>> x = keras.Input((28, 28, 32))
        >>> same_kind = matching(depthwise, partial(conv_bn, activation="relu6"))
        >>> model = keras.Model(x, same_kind(x, 32, name="3x3"))
        >>> [layer.name for layer in model.layers[1:]]
        ['3x3.conv', '3x3.norm', '3x3.activation']
    """
    made, other = words.resolved("unit", "unit", unit), words.resolved("unit", "other", other)
    kept, nothing = weight_options(other), object()
    if accepts(made, "norm"):
        found = {word: default_of(other, word, nothing) for word in _CHARACTER}
        kept |= {word: v for word, v in found.items() if v is not nothing and (v is not None or word != "padding")}
    kept = {word: value for word, value in kept.items() if accepts(made, word)}
    return cast("Kind", partial(made, **kept) if kept else made)


def weight_options(unit: Unit) -> dict[str, Any]:
    """Initialisers, regularisers, constraints and dtype that a partial of a unit was given, by their names."""
    found = {word: default_of(unit, word) for word in _OF_WEIGHTS}
    return {word: value for word, value in found.items() if value is not None}


def leading(unit: Unit) -> Unit:
    """`unit` for a tensor that needs no norm before it: `preact_conv` as `conv`, any other as it is.

    Example:
        >>> model = keras.Model(x := keras.Input((32, 32, 3)), leading(preact_conv)(x, 16, name="stem"))
        >>> [layer.name for layer in model.layers[1:]]
        ['stem.conv', 'stem.norm', 'stem.activation']
    """
    return matching(conv, unit) if undecorated(unit) is preact_conv else unit


def without_norm(unit: Unit) -> Unit:
    """`unit` with a bias instead of its norm: of gates and scores, which are not normalised.

    Example:
        >>> model = keras.Model(x := keras.Input((1, 1, 64)), without_norm(conv_bn)(x, 4, 1, name="reduce"))
        >>> [layer.name for layer in model.layers[1:]]
        ['reduce.conv']
    """
    unit = leading(unit)
    plain = {word: None for word in ("norm", "use_bias") if accepts(unit, word)}
    return partial(unit, **plain) if default_of(unit, "norm") is not None else unit


def _axes(x: Tensor, geometry: dict[str, Any], trims: tuple[int, ...]) -> list[tuple[Any, int, int, int]]:
    """Pixels n, stride s, kernel extent e and trim p of each axis."""
    return list(zip(sides(x), geometry["strides"], _extent(geometry), trims, strict=True))


def _sizes_wanted(x: Tensor, output_size: Any, axes: list[Any], same: bool) -> tuple[int, ...]:
    """`output_size`, each side one of the s that the convolution maps to the n pixels of x."""
    wanted = arguments.sizes("output_size", output_size, rank(x))
    if None in sides(x):
        must_be = f"a known {arguments.RANKS[rank(x)]} where output_size is given"
        raise checks.refuse("x", tuple(x.shape), must_be)
    for o, (n, s, e, p) in zip(wanted, axes, strict=True):
        least = (n - 1) * s + (1 if same else e - 2 * p)
        if not least <= o < least + s:
            sizes = f"{max(least, 1)} to {least + s - 1}" if s > 1 else str(least)
            raise checks.refuse("output_size", output_size, f"{sizes} on an axis of {n} pixels")
    return wanted


def _valid_and_cropped(wanted: tuple[int, ...], axes: list[Any]) -> tuple[tuple[int, ...], Margins]:
    """What `"valid"` needs to make the sizes wanted of `"same"`: output padding, and the padding to take off."""
    excess = [(n - 1) * s + e - o for o, (n, s, e, _) in zip(wanted, axes, strict=True)]
    margins = tuple((max(side, 0) // 2, (max(side, 0) + 1) // 2) for side in excess)
    return tuple(max(-side, 0) for side in excess), margins


def _check_output_padding(output_padding: Any, same: bool, axes: list[Any]) -> tuple[int, ...]:
    extras = arguments.sizes("output_padding", output_padding, len(axes), at_least=0)
    for extra, (n, s, e, p) in zip(extras, axes, strict=True):
        if extra >= s:
            raise checks.refuse("output_padding", output_padding, f"less than the stride of {s}")
        if same and extra == 0 and e % 2 == 0:
            must_be = f"at least 1 with padding='same' and an even kernel (side {e}), or None; output_size may be any"
            raise checks.refuse("output_padding", output_padding, must_be)
        if n is not None and (made := (n - 1) * s + e + extra) <= 2 * p:
            raise checks.refuse("padding", p, f"less than half of the {made} pixels made")
    return extras


@register("unit")
@block
def transposed(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 2,
    dilation_rate: Size = 1,
    padding: Literal["same", "valid"] | Size = "same",
    output_padding: Size | None = None,
    output_size: Size | None = None,
    norm: Norm | None = None,
    activation: Activation = "relu",
    use_bias: bool | None = None,
    name: str | None = None,
    **options: Unpack[KernelOptions],
) -> Tensor:
    """A transposed convolution: the gradient of a convolution, which enlarges by its stride (Zeiler et al. 2010).

    Shapes, with e = dilation_rate·(kernel_size-1)+1: `batch height width channels` ->
    `batch height·strides width·strides filters` with `"same"`;
    a side of (n-1)·strides + max(e, strides) with `"valid"`;
    (n-1)·strides + e - 2p with p zeros on every side of the convolution that it transposes.

    Args:
        padding: `"same"`, `"valid"`, or p as in torch.
        output_padding: 0 ≤ an integer, or one for each axis, < strides; a strided convolution maps `strides` sizes to
            one, and this picks among them: (n-1)·strides + e - 2p + output_padding, or with `"same"`
            (n-1)·strides + (e mod 2) + output_padding.
        output_size: the size wanted, an integer or one for each axis, any of those sizes; instead of `output_padding`.
        options: those of `keras.layers.Conv2DTranspose`.

    The other arguments are those of `conv`.

    Raises:
        ValueError: as `conv`; an output size that the convolution does not map to the size of x; `"same"` with an
            even kernel and output padding 0, which Keras builds but cannot run.
        TypeError: as `conv`.

    Example:
        >>> transposed(keras.Input((2, 2, 1)), 1, 3, padding="valid", output_size=6).shape
        (None, 6, 6, 1)
    """
    geometry = _geometry(x, filters, kernel_size, strides, dilation_rate)
    arguments.options(keras.layers.Conv2DTranspose, options)
    _strided_or_dilated(geometry)
    channels(x)
    if isinstance(padding, str):
        trims, keras_padding = (0,) * rank(x), checks.choice("padding", padding.lower(), ("same", "valid"))
    else:
        trims, keras_padding = arguments.sizes("padding", padding, rank(x), at_least=0), "valid"
    same, axes = keras_padding == "same", _axes(x, geometry, trims)
    margins: Margins = tuple((trim, trim) for trim in trims)
    if output_size is not None:
        if output_padding is not None:
            raise checks.refuse("output_padding", output_padding, "None where output_size is given")
        wanted = _sizes_wanted(x, output_size, axes, same)
        if not same:
            output_padding = tuple(o - (n - 1) * s - e + 2 * p for o, (n, s, e, p) in zip(wanted, axes, strict=True))
        elif wanted != tuple(n * s for n, s, _, _ in axes):
            # Keras's own "same" reaches some of these sizes only, and with an even kernel not the smallest.
            keras_padding, same = "valid", False
            output_padding, margins = _valid_and_cropped(wanted, axes)
    elif output_padding is None and not isinstance(padding, str):
        output_padding = 0  # Keras's default would fill a stride wider than the kernel
    if output_padding is not None:
        output_padding = _check_output_padding(output_padding, same, axes)
    geometry |= {"padding": keras_padding, "output_padding": output_padding}
    if rank(x) == 1 and output_padding is not None:
        geometry["output_padding"] = output_padding[0]  # a number, of Keras's layer for signals
    return _convolve("ConvTranspose", x, norm, activation, use_bias, margins=margins, **geometry, **options)
