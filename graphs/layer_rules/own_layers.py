"""Entries of this package's own layers, by name: nothing of them is imported."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from ..rules import REDUCED, UNKNOWN, UNREAD, Along, Call, Entry, Reads, Windows, aligned, knows
from . import common
from .common import activated, by, free, listed, mapped, none_at_all, resized, stepped, windowed
from .layers import _conv_cost, _conv_words, _heads, _of_kernel


def own(*names: str, home: str = "layers") -> Any:
    return knows(*(f"layerblocks.blocks.{home}.{name}" for name in names))


def of_each_rank(*names: str, home: str = "layers") -> Any:
    """Of signals, images and volumes."""
    return own(*(f"{name}{rank}D" for name in names for rank in (1, 2, 3)), home=home)


of_maps = partial(own, home="map_layers")


def _dilated_pool(call: Call) -> Windows:
    layer = call.operation
    reads = []
    for k, d in zip(layer.pool_size, layer.dilation_rate, strict=True):
        before = (k - 1) // 2 * d
        reads.append(Reads(first=-before, last=(k - 1) * d - before))
    return (mapped(call, reads, False),)


def _strided(call: Call) -> Windows:
    return (mapped(call, [Reads(step=s) for s in call.operation.strides], True),)


def _matched(call: Call) -> Windows:
    """The first image is cut to the size of the second, which only says how large."""
    layer = call.operation
    first = 2 if common.channels_first(layer) else 1
    x = [Along(axis) for axis in range(len(call.inputs[0]))]
    like = [Along(0), *[UNREAD] * (len(x) - 1)]
    for axis, offset in enumerate(layer.offset):
        x[first + axis] = Along(first + axis, Reads(first=offset, last=offset, follows=False))
        like[first + axis] = Along(first + axis, None)
    return (tuple(x), tuple(like))


def _at_least(call: Call) -> Windows:
    layer = call.operation
    axes = list(aligned(call.inputs[0], call.outputs[0]))
    first = 2 if common.channels_first(layer) else 1
    for axis, least in enumerate(layer.least):
        axes[first + axis] = replace(axes[first + axis], least=least)
    return (tuple(axes),)


def _adaptive(call: Call) -> Windows:
    axes = list(mapped(call, [Reads()] * (len(call.inputs[0]) - 2), False))
    first = 2 if common.channels_first(call.operation) else 1
    sizes = common.sides(call.operation, call.inputs[0])
    for number, (n, m) in enumerate(zip(sizes, call.operation.output_size, strict=True)):
        if m == 1:
            axes[first + number] = Along(first + number, Reads(follows=False), whole=True)
        elif n is None:
            axes[first + number] = Along(first + number, Reads(follows=False), unknown=True)
        else:
            axes[first + number] = Along(first + number, Reads(n, m, 1 - m, n - 1, 1, False))
    return (tuple(axes),)


def _over_channels(call: Call) -> Windows:
    shape = call.inputs[0]
    return (aligned(shape, call.outputs[0], (len(shape) - 1 if not common.channels_first(call.operation) else 1,)),)


of_each_rank("AdaptiveAveragePooling")(
    Entry("pool", "mean", lambda o: f"adaptive average pool, {by(o.output_size)}", none_at_all, _adaptive)
)
own("LocalResponseNormalization")(
    Entry("norm", "", lambda o: f"local response norm, {o.depth} channels", none_at_all, _over_channels)
)
own("PadChannels")(
    Entry("shape", "", lambda o: listed(f"pad channels, {o.filters}", stepped(o.strides)), none_at_all, _strided)
)
of_each_rank("DilatedAveragePooling", "DilatedMaxPooling")(
    Entry("pool", "", lambda o: f"{by(o.pool_size)} pool, dilation {by(o.dilation_rate)}", none_at_all, _dilated_pool)
)
of_each_rank("SparseConv")(
    Entry(
        "conv",
        "",
        lambda o: listed(f"{common.kernel_words(o.kernel_size)} sparse conv", o.filters, stepped(o.strides)),
        None,
        activated(windowed("kernel_size")),
    )
)
own("RadialBasisDense")(
    Entry("dense", "", lambda o: f"radial basis, {o.units}", None, lambda call: ((Along(0), REDUCED),))
)
own("StochasticDepth")(free("dropout", lambda o: f"stochastic depth, {o.rate:g}"))
own("MinimumSize")(free("other", lambda o: f"at least {by(o.least)}", _at_least))
own("Add")(free("add", "add", symbol="⊕"))
own("FusedBatchNormalization")(free("norm", "batch norm"))
own("MatchSize")(free("shape", "match size", _matched))


def _resized(call: Call) -> Windows | str:
    """The first map is interpolated to the size of the second, or to so many times its own."""
    layer = call.operation
    before, after = common.sides(layer, call.inputs[0]), common.sides(layer, call.outputs[0])
    word = "bilinear" if layer.interpolation == "linear" else layer.interpolation
    follows = layer.factors is not None
    if follows and None in before and layer.interpolation == "nearest":
        reads: list[Reads] | None = [Reads(1, factor, 1 - factor, 0, 1) for factor in layer.factors]
    else:
        reads = resized(before, after, word, follows)
    if reads is None:
        return UNKNOWN
    like = [(Along(0), *[UNREAD] * (len(shape) - 1)) for shape in call.inputs[1:]]
    return (mapped(call, reads, False), *like)


def _blurred(call: Call) -> Windows:
    layer, reads = call.operation, []
    for k, s in zip(layer.pool_size, layer.strides, strict=True):
        reads.append(Reads(step=s, first=-((k - 1) // 2), last=k - 1 - (k - 1) // 2))
    return (mapped(call, reads, False),)


def _shuffled(call: Call) -> Windows:
    return (mapped(call, [Reads(1, factor, 1 - factor, 0, 1) for factor in call.operation.factors], True),)


def _unshuffled(call: Call) -> Windows:
    return (mapped(call, [Reads(factor, 1, 0, factor - 1, factor) for factor in call.operation.factors], True),)


def _responding(call: Call) -> Windows:
    """Of each channel everything is seen, and of the channels all."""
    return (aligned(call.inputs[0], call.outputs[0], tuple(range(1, len(call.inputs[0])))),)


def _scaled(layer: Any) -> str:
    if layer.factors is None:
        return listed("resize to another's size", layer.interpolation)
    return listed(f"resize {stepped(layer.factors, '×')}", layer.interpolation)


of_maps("Resize")(Entry("shape", "", _scaled, none_at_all, _resized))
of_maps("PixelShuffle")(free("shape", lambda o: listed("pixel shuffle", stepped(o.factors, "×")), _shuffled))
of_maps("PatchMerging")(free("shape", lambda o: listed("patch merging", stepped(o.factors)), _unshuffled))
of_maps("PixelUnshuffle")(free("shape", lambda o: listed("pixel unshuffle", stepped(o.factors)), _unshuffled))
of_maps("BlurPooling")(
    Entry("pool", "mean", lambda o: listed(f"{by(o.pool_size)} blur pool", stepped(o.strides)), none_at_all, _blurred)
)
of_maps("MaxUnpooling")(free("shape", lambda o: f"{by(o.pool_size)} unpool", lambda call: UNKNOWN))
of_maps("LayerScale")(free("norm", "layer scale"))
of_maps("GlobalResponseNormalization")(free("norm", "global response norm", _responding))
of_each_rank("WeightStandardizedConv", home="map_layers")(
    Entry("conv", "", _conv_words("weight-standardized conv"), _conv_cost, _of_kernel)
)
of_each_rank("WeightNormalizedConv", home="map_layers")(
    Entry("conv", "", _conv_words("weight-normalized conv"), _conv_cost, _of_kernel)
)
of_maps("PositionEmbedding")(free("add", "position embedding"))
of_maps("ClassToken")(free("merge", "class token", lambda call: UNKNOWN))
of_maps("FirstToken")(free("shape", "first token", lambda call: UNKNOWN))


def _window_words(layer: Any) -> str:
    shifted = f"shifted by {_alike(layer.shift)}" if any(_each(layer.shift)) else ""
    heads = f"{_heads(layer.num_heads)} × {layer.key_dim}"
    kind = "cosine attention" if layer.cosine else "attention"
    return listed(f"{by(layer.window_size)} window {kind}", shifted, heads)


def _alike(sizes: Any) -> str:
    """`3` where all are equal, else `3 and 2`: these are no kernel."""
    several = _each(sizes)
    return str(several[0]) if len(set(several)) == 1 else " and ".join(map(str, several))


def _each(sizes: Any) -> tuple[int, ...]:
    return sizes if isinstance(sizes, tuple) else (sizes,)


own("WindowAttention", home="window_layers")(Entry("attention", "", _window_words, None, lambda call: UNKNOWN))
