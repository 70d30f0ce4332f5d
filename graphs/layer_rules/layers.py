"""Entries of `keras.layers`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

from ..rules import (
    EVERYTHING,
    MADE_ANEW,
    POINTWISE,
    REDUCED,
    UNKNOWN,
    Along,
    Call,
    Entry,
    PerOutput,
    Reads,
    Regrouped,
    Unknown,
    Windows,
    aligned,
    entry_of,
    knows,
    method_of,
    multiply_adds,
    windows_of,
    with_steps,
    words_of,
)
from . import common
from .common import (
    activated,
    activation_name,
    by,
    channels,
    each,
    everything,
    free,
    gathering,
    kernel_words,
    listed,
    mapped,
    none_at_all,
    others,
    places,
    sides,
    sliding,
    stepped,
    windowed,
)

RANKS = (1, 2, 3)


def keras_layers(*names: str) -> Any:
    return knows(*(f"keras.layers.{name}" for name in names))


def _low_rank(layer: Any) -> bool:
    return bool(getattr(layer, "lora_enabled", False))


# -- convolutions -----------------------------------------------------------------------------------------------------


def _conv_words(what: str, sign: str = "/") -> Callable[[Any], str]:
    def words(layer: Any) -> str:
        rate = each(layer.dilation_rate, 1)
        return listed(
            f"{kernel_words(layer.kernel_size)} {what}",
            getattr(layer, "filters", None),
            stepped(layer.strides, sign),
            f"dilation {stepped(rate, '')}" if stepped(rate) else "",
            f"{layer.groups} groups" if getattr(layer, "groups", 1) > 1 else "",
            "causal" if layer.padding == "causal" else "",
            activation_name(layer),
        )

    return words


def _conv_cost(call: Call) -> int | None:
    layer = call.operation
    if _low_rank(layer):
        return None
    each_place = channels(layer, call.inputs[0]) // layer.groups * layer.filters * prod(layer.kernel_size)
    return each_place * places(layer, call.outputs[0])


def _depthwise_cost(call: Call) -> int:
    layer = call.operation
    kernel = channels(layer, call.inputs[0]) * layer.depth_multiplier * prod(layer.kernel_size)
    return kernel * places(layer, call.outputs[0])


def _separable_cost(call: Call) -> int:
    layer = call.operation
    middle = channels(layer, call.inputs[0]) * layer.depth_multiplier
    return middle * (prod(layer.kernel_size) + layer.filters) * places(layer, call.outputs[0])


def _transposed_cost(call: Call) -> int:
    layer = call.operation
    kernel = channels(layer, call.inputs[0]) * layer.filters * prod(layer.kernel_size)
    return kernel * places(layer, call.inputs[0])


_of_kernel = activated(windowed("kernel_size"))
keras_layers(*(f"Conv{n}D" for n in RANKS))(Entry("conv", "", _conv_words("conv"), _conv_cost, _of_kernel))
keras_layers("DepthwiseConv1D", "DepthwiseConv2D")(
    Entry("conv", "", _conv_words("depthwise conv"), _depthwise_cost, activated(windowed("kernel_size", mixes=False)))
)
keras_layers("SeparableConv1D", "SeparableConv2D")(
    Entry("conv", "", _conv_words("separable conv"), _separable_cost, _of_kernel)
)
keras_layers(*(f"Conv{n}DTranspose" for n in RANKS))(
    Entry(
        "conv",
        "",
        _conv_words("transposed conv", "×"),
        _transposed_cost,
        activated(lambda call: common.transposed(call, call.operation.kernel_size)),
    )
)


# -- dense ------------------------------------------------------------------------------------------------------------


def _dense_cost(call: Call) -> int | None:
    if _low_rank(call.operation):
        return None
    return prod(call.inputs[0][1:]) * call.operation.units  # type: ignore[arg-type]


def _last_axis(call: Call) -> Windows:
    last = len(call.inputs[0]) - 1
    return ((*(Along(axis) for axis in range(last)), Along(last, MADE_ANEW, whole=True)),)


def _einsum_dense_shapes(call: Call) -> tuple[Any, ...]:
    layer = call.operation
    operands, result = common.letters(
        layer.equation.partition("->")[0].split(",")[0] + "->" + layer.equation.partition("->")[2],
        call.inputs,
        call.outputs[0],
    )
    sizes = dict(zip(result, call.outputs[0], strict=True)) | dict(zip(operands[0], call.inputs[0], strict=True))
    kernel = layer.equation.partition("->")[0].split(",")[1].strip()
    return call.inputs[0], tuple(sizes[letter] for letter in kernel)


def _einsum_dense_cost(call: Call) -> int | None:
    if _low_rank(call.operation):
        return None
    return common.einsum_multiply_adds(call.operation.equation, _einsum_dense_shapes(call), call.outputs[0])


def _einsum_dense_window(call: Call) -> Windows:
    shapes = _einsum_dense_shapes(call)
    return (common.einsum_reads(call.operation.equation, shapes, call.outputs[0])[0],)


keras_layers("Dense")(
    Entry(
        "dense",
        "",
        lambda layer: listed("dense", layer.units, activation_name(layer)),
        _dense_cost,
        activated(_last_axis),
    )
)
keras_layers("EinsumDense")(
    Entry(
        "dense",
        "",
        lambda layer: listed(f"dense {layer.equation}", activation_name(layer)),
        _einsum_dense_cost,
        activated(_einsum_dense_window),
    )
)


def _embedding_cost(call: Call) -> int | None:
    reverse = call.kwargs.get("reverse", call.args[1] if len(call.args) > 1 else False)
    if not reverse:
        return 0
    return prod(call.inputs[0][1:]) * call.operation.input_dim  # type: ignore[arg-type]


def _embedding_window(call: Call) -> Windows:
    shape, output = call.inputs[0], call.outputs[0]
    if len(output) == len(shape):  # reversed
        return _last_axis(call)
    return (tuple(Along(axis) for axis in range(len(shape))),)


keras_layers("Embedding", "ReversibleEmbedding")(
    Entry(
        "embedding",
        "",
        lambda layer: f"embedding, {layer.input_dim} × {layer.output_dim}",
        _embedding_cost,
        _embedding_window,
    )
)


# -- pooling ----------------------------------------------------------------------------------------------------------


def _pool_words(what: str) -> Callable[[Any], str]:
    return lambda layer: listed(f"{by(layer.pool_size)} {what}", stepped(layer.strides))


def _over_all(call: Call) -> Windows:
    shape, layer = call.inputs[0], call.operation
    first = common.channels_first(layer)
    axes = range(2, len(shape)) if first else range(1, len(shape) - 1)
    return (
        common.reduced(shape, axes, layer.keepdims),
        *others(call),
    )


def _adaptive(call: Call) -> Windows | str:
    reads: list[Reads | str] = []
    pairs = zip(sides(call.operation, call.inputs[0]), sides(call.operation, call.outputs[0]), strict=True)
    for n, m in pairs:
        if m == 1:
            reads.append(EVERYTHING)
        elif n is None or m is None:
            return UNKNOWN
        else:
            reads.append(Reads(n, m, 1 - m, n - 1, 1, False))
    first = common.channels_first(call.operation)
    axes = list(mapped(call, [r if isinstance(r, Reads) else Reads() for r in reads], False))
    for number, read in enumerate(reads):
        if read == EVERYTHING:
            axes[number + (2 if first else 1)] = REDUCED
    return (tuple(axes),)


for _n in RANKS:
    for _what, _symbol in (("Max", "max"), ("Average", "mean")):
        _said = {"Max": "max pool", "Average": "average pool"}[_what]
        keras_layers(f"{_what}Pooling{_n}D")(
            Entry("pool", _symbol, _pool_words(_said), none_at_all, windowed("pool_size", mixes=False))
        )
        keras_layers(f"Global{_what}Pooling{_n}D")(
            free("pool", {"Max": "global max pool", "Average": "global average pool"}[_what], _over_all, _symbol)
        )
        keras_layers(f"Adaptive{_what}Pooling{_n}D")(
            Entry(
                "pool",
                _symbol,
                lambda layer, said=_said: f"adaptive {said}, {by(layer.output_size)}",  # type: ignore[misc]
                none_at_all,
                _adaptive,
            )
        )


# -- recurrent --------------------------------------------------------------------------------------------------------

_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


def _flags(layer: Any) -> tuple[str, ...]:
    return ("backwards" if getattr(layer, "go_backwards", False) else "",)


def _over_time(call: Call) -> Windows:
    """Of a layer that runs through axis 1, of which every position has seen what came before."""
    layer, shape = call.operation, call.inputs[0]
    kept = bool(getattr(layer, "return_sequences", False))
    data = (Along(0), Along(1, whole=True) if kept else REDUCED, *[REDUCED] * (len(shape) - 2))
    return (data, *others(call))


def _cell_cost(cell: Any, features: int) -> int | None:
    """Multiply-adds of one step of a cell, and nothing for a cell that nobody knows."""
    name = type(cell).__name__.removesuffix("Cell")
    if entry_of(cell).role != "recurrent":
        own = method_of(cell, "multiply_adds")
        return own((None, features), (None, cell.output_size)) if own is not None else None
    if name == "StackedRNNCells":
        total = 0
        for one in cell.cells:
            each_step = _cell_cost(one, features)
            if each_step is None:
                return None
            total, features = total + each_step, one.output_size
        return total
    return _GATES[name] * cell.units * (features + cell.units)


def _rnn_cost(call: Call) -> int | None:
    each_step = _cell_cost(call.operation.cell, call.inputs[0][2])  # type: ignore[arg-type]
    return None if each_step is None else each_step * call.inputs[0][1]  # type: ignore[operator]


for _name in _GATES:
    keras_layers(_name)(
        Entry(
            "recurrent",
            "",
            lambda layer: listed(type(layer).__name__, layer.units, *_flags(layer)),
            _rnn_cost,
            _over_time,
        )
    )
    keras_layers(f"{_name}Cell")(
        Entry(
            "recurrent",
            "",
            lambda cell: listed(type(cell).__name__.removesuffix("Cell") + " cell", cell.units),
            lambda call: _cell_cost(call.operation, call.inputs[0][-1]),  # type: ignore[arg-type]
            everything,
            ("data", "state", "state"),
        )
    )
keras_layers("StackedRNNCells")(
    Entry(
        "recurrent",
        "",
        lambda layer: "cells: " + "; ".join(words_of(cell).replace(" cell,", ",", 1) for cell in layer.cells),
        lambda call: _cell_cost(call.operation, call.inputs[0][-1]),  # type: ignore[arg-type]
        everything,
    )
)
keras_layers("RNN")(
    Entry(
        "recurrent", "", lambda layer: listed(f"RNN of {words_of(layer.cell)}", *_flags(layer)), _rnn_cost, _over_time
    )
)


def _conv_rnn_cost(call: Call) -> int | None:
    layer, (_, steps, *rest) = call.operation, call.inputs[0]
    cell = layer.cell
    image = (None, *rest)
    output = tuple(call.outputs[0][2:] if layer.return_sequences else call.outputs[0][1:])
    out = places(layer, (None, *output))
    kernel = prod(cell.kernel_size) * 4 * cell.filters
    return steps * out * kernel * (channels(layer, image) + cell.filters)  # type: ignore[operator]


def _conv_rnn_window(call: Call) -> Windows | str:
    """Each step reads by its kernel, and the state of the step before by a kernel of the same size."""
    layer, (batch, steps, *rest) = call.operation, call.inputs[0]
    output = call.outputs[0][2:] if layer.return_sequences else call.outputs[0][1:]
    inside = Call(layer.cell, ((batch, *rest),), ((batch, *output),))
    windows: Any = sliding(inside, layer.cell.kernel_size)
    (axes,) = windows
    found = []
    first = common.channels_first(layer)
    for number, along in enumerate(axes[1:]):
        spatial = number - 1 if first else number
        kept = None if along.axis is None else along.axis + bool(layer.return_sequences)
        if along.whole or steps is None or not 0 <= spatial < len(layer.cell.kernel_size):
            found.append(replace(along, axis=kept, whole=True))
            continue
        k, r = layer.cell.kernel_size[spatial], along.reads or Reads()
        before, after = (steps - 1) * ((k - 1) // 2), (steps - 1) * (k // 2)
        grown = Reads(r.step, r.per, r.first - before * r.step, r.last + after * r.step, r.least)
        found.append(Along(kept, grown))
    time = Along(1, whole=True) if layer.return_sequences else REDUCED
    return ((Along(0), time, *found), *others(call))


keras_layers(*(f"ConvLSTM{n}D" for n in RANKS))(
    Entry(
        "recurrent",
        "",
        lambda layer: listed(
            f"{kernel_words(layer.kernel_size)} conv LSTM", layer.filters, stepped(layer.strides), *_flags(layer)
        ),
        _conv_rnn_cost,
        _conv_rnn_window,
    )
)


# -- attention --------------------------------------------------------------------------------------------------------


def _attention_shapes(call: Call) -> tuple[Any, Any, Any]:
    """The shapes of query, value and key."""
    from ..rules import inputs_of

    roles = inputs_of(call)
    found = dict(zip(reversed(roles), reversed(call.inputs), strict=True))
    if "query" not in found:  # a list: query, value, key
        data = [shape for role, shape in zip(roles, call.inputs, strict=True) if role != "mask"]
        return data[0], data[min(1, len(data) - 1)], data[2] if len(data) > 2 else data[min(1, len(data) - 1)]
    value = found.get("value", found["query"])
    return found["query"], value, found.get("key", value)


def _attends(call: Call, axes: tuple[int, ...]) -> Windows:
    """A position of the output reads its own query, and all keys and values along the axes."""
    from ..rules import inputs_of

    roles = inputs_of(call)
    found: list[tuple[Along, ...]] = []
    for number, (role, shape) in enumerate(zip(roles, call.inputs, strict=True)):
        query = role == "query" or (role == "data" and number == 0)
        last = len(shape) - 1
        if role in ("mask", "state") or len(shape) != len(call.outputs[0]):
            found.append((Along(0), *[REDUCED] * last))
        elif query:
            found.append((*(Along(axis) for axis in range(last)), Along(last, whole=True)))
        else:
            found.append(tuple(REDUCED if axis in axes or axis == last else Along(axis) for axis in range(last + 1)))
    return tuple(found)


def causal(words: Callable[[Any], str]) -> Callable[[Call], str]:
    """The words of an attention, with that it is causal where the call says so, or its mask is known to be."""

    def said(call: Call) -> str:
        own = words(call.operation)
        known = call.argument("use_causal_mask") is True
        known = known or any(_is_causal(call.argument(name)) for name in ("attention_mask", "mask"))
        return f"causal {own}" if known and not own.startswith("causal") else own

    return said


def _is_causal(mask: Any) -> bool:
    """Whether a mask is a constant that lets every position see itself and what is before it alone."""
    import keras
    import numpy as np

    if not hasattr(mask, "shape") or isinstance(mask, keras.KerasTensor):
        return False
    try:
        found: Any = np.asarray(mask)
    except Exception:  # a tensor that is not computed yet
        return False
    found = found.reshape(found.shape[-2:]) if found.ndim > 2 and found.size == prod(found.shape[-2:]) else found
    square = found.ndim == 2 and found.shape[0] == found.shape[1] > 1
    return square and found.dtype.kind in "biuf" and bool((found == np.tril(np.ones(found.shape))).all())


def _heads(count: int) -> str:
    return f"{count} head{'' if count == 1 else 's'}"


def _multi_head_axes(call: Call) -> tuple[int, ...]:
    given = getattr(call.operation, "_attention_axes", None)
    rank = len(_attention_shapes(call)[0])
    return tuple(range(1, rank - 1)) if given is None else common.axes_of(tuple(given), rank)


def _multi_head_cost(call: Call) -> int:
    layer = call.operation
    query, value, key = _attention_shapes(call)
    axes = _multi_head_axes(call)
    heads, dk, dv = layer.num_heads, layer.key_dim, layer.value_dim
    positions = prod(query[1:-1])
    others = prod(key[axis] for axis in axes)
    shape = layer._output_shape
    out = query[-1] if shape is None else shape if isinstance(shape, int) else prod(shape)
    projections = positions * query[-1] * dk + prod(key[1:-1]) * key[-1] * dk + prod(value[1:-1]) * value[-1] * dv
    return heads * (projections + positions * others * (dk + dv) + positions * dv * out)


def _grouped_cost(call: Call) -> int:
    layer = call.operation
    query, value, key = _attention_shapes(call)
    heads, shared, size = layer.num_query_heads, layer.num_key_value_heads, layer.head_dim
    ends = 2 * query[1] * query[2] * heads * size
    return ends + shared * size * (key[1] * key[2] + value[1] * value[2]) + 2 * query[1] * key[1] * heads * size


def _dot_attention_cost(call: Call) -> int:
    query, value, key = _attention_shapes(call)
    # Other scores are sums of what was added and squashed element by element.
    layer = call.operation
    by_products = type(layer).__name__ != "AdditiveAttention" and layer.score_mode == "dot"
    scores = prod(query[1:]) * key[1] if by_products else 0
    return scores + query[1] * prod(value[1:])


def _attention(words: Callable[[Any], str], cost: Any, axes: Callable[[Call], tuple[int, ...]], *inputs: str) -> Entry:
    window = lambda call: _attends(call, axes(call))  # noqa: E731
    return Entry("attention", "", words, cost, window, inputs, words_of_call=causal(words))


_LISTED = ("query", "value", "key")
keras_layers("MultiHeadAttention")(
    _attention(
        lambda layer: f"attention, {_heads(layer.num_heads)} × {layer.key_dim}", _multi_head_cost, _multi_head_axes
    )
)
keras_layers("GroupedQueryAttention")(
    _attention(
        lambda layer: (
            f"attention, {_heads(layer.num_query_heads)} × {layer.head_dim}, "
            f"{layer.num_key_value_heads} of keys and values"
        ),
        _grouped_cost,
        lambda call: (1,),
    )
)
keras_layers("Attention")(
    _attention(lambda layer: f"attention, {layer.score_mode}", _dot_attention_cost, lambda call: (1,), *_LISTED)
)
keras_layers("AdditiveAttention")(
    _attention(lambda layer: "additive attention", _dot_attention_cost, lambda call: (1,), *_LISTED)
)


# -- merges -----------------------------------------------------------------------------------------------------------


def _dot_cost(call: Call) -> int:
    axes = call.operation.axes
    axis = axes if isinstance(axes, int) else axes[0]
    return prod(call.outputs[0][1:]) * call.inputs[0][axis]  # type: ignore[arg-type,operator]


def _dot_window(call: Call) -> Windows:
    first, second = call.inputs
    axes = call.operation.axes
    a, b = (axes, axes) if isinstance(axes, int) else axes
    a, b = a % len(first), b % len(second)
    rest = [axis for axis in range(len(first)) if axis != a]
    more = [axis for axis in range(1, len(second)) if axis != b]
    return (
        tuple(REDUCED if axis == a else Along(rest.index(axis)) for axis in range(len(first))),
        tuple(
            Along(0) if axis == 0 else REDUCED if axis == b else Along(len(rest) + more.index(axis))
            for axis in range(len(second))
        ),
    )


def concatenated(call: Call) -> Windows:
    """Each input stands after the one before it; where the lengths are not known, nobody knows where it begins."""
    output = call.outputs[0]
    axis = common.axes_of(getattr(call.operation, "axis", 0), len(output))[0]
    found, before, after = [], 0, output[axis]
    for number, shape in call.operands():
        if number is None:  # a constant, which only takes its room
            before += shape[axis] or 0
            continue
        if shape[axis] is None:
            after = None
        if after is None:
            along = Along(axis, Reads(follows=False), unknown=True)
        else:
            along = common.gathered(axis, range(-before, after - before), follows=False)
            before += shape[axis]  # type: ignore[operator]
        found.append(tuple(along if a == axis else Along(a) for a in range(len(shape))))
    return tuple(found)


for _name, _said, _symbol, _role in (
    ("Add", "add", "⊕", "add"),
    ("Subtract", "subtract", "⊖", "add"),
    ("Multiply", "multiply", "⊙", "activation"),
    ("Average", "average", "mean", "add"),
    ("Maximum", "max", "max", "add"),
    ("Minimum", "min", "min", "add"),
):
    keras_layers(_name)(free(_role, _said, symbol=_symbol))
keras_layers("Concatenate")(free("merge", "concat", concatenated, "‖"))
keras_layers("Dot")(
    Entry("add", "·", lambda layer: listed("dot", "normalized" if layer.normalize else ""), _dot_cost, _dot_window)
)


# -- normalization ----------------------------------------------------------------------------------------------------


def _scaled(scale: Any) -> str:
    """`× 1/127.5` where it is such a part of one, else its first digits."""
    if not isinstance(scale, int | float):
        return f"× {by(scale)}"
    part = round(1 / scale, 1) if scale else 0
    return f"× 1/{part:g}" if part > 2 and abs(part * scale - 1) < 1e-9 else f"× {scale:.4g}"


def _shifted(offset: Any) -> str:
    if not isinstance(offset, int | float):
        return f" + {offset}"
    return "" if not offset else f" {'+' if offset > 0 else '−'} {abs(offset):.4g}"


def _all_but_batch(call: Call) -> Windows:
    shape = call.inputs[0]
    return (aligned(shape, call.outputs[0], range(1, len(shape))),)


def _axis_words(what: str) -> Callable[[Any], str]:
    return lambda layer: listed(what, "" if layer.axis in (-1, [-1], (-1,)) else common.axes(layer.axis))


# What batch normalization gathers, it gathers in training; what the others do, always.
keras_layers("BatchNormalization")(
    free(
        "norm",
        "batch norm",
        lambda call: (
            *(aligned(s, call.outputs[0]) for s in call.inputs[:1]),
            *others(call),
        ),
    )
)
keras_layers("LayerNormalization")(free("norm", _axis_words("layer norm"), gathering("axis")))
keras_layers("RMSNormalization")(free("norm", _axis_words("RMS norm"), gathering("axis")))
keras_layers("UnitNormalization")(free("norm", _axis_words("unit norm"), gathering("axis")))
keras_layers("GroupNormalization")(free("norm", lambda layer: f"group norm, {layer.groups}", _all_but_batch))
keras_layers("Normalization")(free("norm", "normalization"))


# -- activations and noise --------------------------------------------------------------------------------------------


def _activation_window(call: Call) -> Windows | str:
    reads = common.activation_reads(call.operation.activation)
    if reads == "last":
        shape = call.inputs[0]
        return (aligned(shape, call.outputs[0], (len(shape) - 1,)),)
    return UNKNOWN if reads is None else POINTWISE


def _relu_words(layer: Any) -> str:
    top, slope = layer.max_value, layer.negative_slope
    name = "ReLU" if top is None else f"ReLU{top:g}"
    threshold = f"above {layer.threshold:g}" if layer.threshold else ""
    return listed(name, f"slope {slope:g}" if slope else "", threshold)


keras_layers("Activation")(free("activation", lambda layer: activation_name(layer) or "linear", _activation_window))
keras_layers("ReLU")(free("activation", _relu_words))
knows("keras.activations.activations.ReLU")(free("activation", _relu_words))
knows("keras.activations.activations.Mish")(free("activation", "Mish"))
keras_layers("LeakyReLU")(free("activation", lambda layer: f"leaky ReLU, {layer.negative_slope:g}"))
keras_layers("ELU")(free("activation", lambda layer: listed("ELU", "" if layer.alpha == 1 else layer.alpha)))
keras_layers("PReLU")(free("activation", "PReLU"))
keras_layers("Softmax")(
    free(
        "activation",
        _axis_words("softmax"),
        lambda call: (
            aligned(call.inputs[0], call.outputs[0], common.axes_of(call.operation.axis, len(call.inputs[0]))),
            *(aligned(s, call.outputs[0]) for s in call.inputs[1:]),
        ),
    )
)
for _name, _said in (
    ("Dropout", "dropout"),
    ("AlphaDropout", "alpha dropout"),
    ("GaussianDropout", "gaussian dropout"),
    ("SpatialDropout1D", "spatial dropout"),
    ("SpatialDropout2D", "spatial dropout"),
    ("SpatialDropout3D", "spatial dropout"),
):
    keras_layers(_name)(free("dropout", lambda layer, said=_said: f"{said}, {layer.rate:g}"))  # type: ignore[misc]
keras_layers("GaussianNoise")(free("dropout", lambda layer: f"gaussian noise, {layer.stddev:g}"))


# -- shapes -----------------------------------------------------------------------------------------------------------


def _flattened(call: Call) -> Windows | str:
    shape = call.inputs[0]
    if len(shape) < 2:
        return POINTWISE
    if getattr(call.operation, "data_format", None) == "channels_first" and len(shape) > 2:
        # The channels are moved to the end first.
        return ((Along(0), *[Along(1, Reads(follows=False), unknown=True)] * (len(shape) - 1)),)
    return Regrouped((((0,), (0,), False), (tuple(range(1, len(shape))), (1,), False)))


def _padded(sign: int, attribute: str) -> Callable[[Call], Windows]:
    def window(call: Call) -> Windows:
        layer = call.operation
        given = getattr(layer, attribute)
        rank = len(call.inputs[0]) - 2
        pairs = [given] if rank == 1 else given
        reads = [Reads.moved(sign * pair[0], sign * pair[1]) for pair in pairs]
        return (mapped(call, reads, False),)

    return window


def _upsampled(call: Call) -> Windows | str:
    layer = call.operation
    sizes = each(layer.size, len(call.inputs[0]) - 2)
    smooth = getattr(layer, "interpolation", "nearest")
    if smooth not in ("nearest", "bilinear"):
        return UNKNOWN
    if smooth == "nearest":
        reads = [Reads(1, f, 1 - f, 0, 1) for f in sizes]
    else:  # between the middles of two pixels
        reads = [Reads(2, 2 * f, 2 - 3 * f, f, 2) if f > 1 else Reads() for f in sizes]
    return (mapped(call, reads, False),)


def _cropped_to_centre(call: Call) -> Windows | str:
    layer = call.operation
    reads, whole = [], []
    for n, m in zip(sides(layer, call.inputs[0]), (layer.height, layer.width), strict=True):
        if n is None or n < m:
            return UNKNOWN
        start = (n - m) // 2
        reads.append(Reads(first=start, last=start, follows=False))
        whole.append(m)
    axes = list(mapped(call, reads, False))
    first = 2 if common.channels_first(layer) else 1
    for number, m in enumerate(whole):
        axes[first + number] = replace(axes[first + number], least=m)
    return (tuple(axes),)


keras_layers("Flatten")(free("shape", "flatten", _flattened))
keras_layers("Reshape")(
    free(
        "shape",
        lambda layer: f"reshape, {by(layer.target_shape)}",
        lambda call: common.regrouped(call.inputs[0], call.outputs[0], call.operation.target_shape),
    )
)
keras_layers("Permute")(
    free(
        "shape",
        lambda layer: f"permute, {common.axes(layer.dims)}",
        lambda call: (common.permuted((0, *call.operation.dims)),),
    )
)
keras_layers("RepeatVector")(free("shape", lambda layer: f"repeat ×{layer.n}", lambda call: ((Along(0), Along(2)),)))
keras_layers(*(f"ZeroPadding{n}D" for n in RANKS))(
    free("shape", lambda layer: f"zero padding, {by(layer.padding)}", _padded(1, "padding"))
)
keras_layers(*(f"Cropping{n}D" for n in RANKS))(
    free("shape", lambda layer: f"crop, {by(layer.cropping)}", _padded(-1, "cropping"))
)
keras_layers(*(f"UpSampling{n}D" for n in RANKS))(
    free(
        "shape",
        lambda layer: listed(
            f"upsample {stepped(layer.size, '×') or '×1'}",
            "" if getattr(layer, "interpolation", "nearest") == "nearest" else layer.interpolation,
        ),
        _upsampled,
    )
)
keras_layers("Resizing")(
    free("shape", lambda layer: listed(f"resize, {layer.height}×{layer.width}", layer.interpolation), common.resizing)
)
keras_layers("CenterCrop")(
    free("shape", lambda layer: f"centre crop, {layer.height}×{layer.width}", _cropped_to_centre)
)
keras_layers("Rescaling")(free("shape", lambda layer: f"rescale, {_scaled(layer.scale)}{_shifted(layer.offset)}"))
keras_layers("InputLayer")(free("input", "input"))
keras_layers("Identity")(free("other", "identity"))
keras_layers("Masking")(
    free(
        "other",
        lambda layer: f"mask {layer.mask_value:g}",
        lambda call: (aligned(call.inputs[0], call.outputs[0], (len(call.inputs[0]) - 1,)),),
    ),
)
keras_layers("ActivityRegularization")(free("other", "activity regularization"))


# -- preprocessing ----------------------------------------------------------------------------------------------------

# What is random does nothing in inference.
_RANDOM = (
    *("AugMix", "CutMix", "MixUp", "RandAugment", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter"),
    *("RandomContrast", "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur"),
    *("RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation"),
    *("RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom"),
)


def spaced(name: str) -> str:
    """`RandomColorJitter` → "random color jitter"."""
    return "".join(f" {c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


for _name in _RANDOM:
    keras_layers(_name)(free("other", spaced(_name)))
keras_layers("Solarization")(free("other", "solarization"))
keras_layers("AutoContrast")(free("other", "auto contrast", _all_but_batch))
keras_layers("Equalization")(free("other", "equalization", _all_but_batch))


def _looked_up(call: Call) -> Windows | str:
    """One number for each, or some for each; of a bag of them everything."""
    mode = getattr(call.operation, "output_mode", "int")
    if mode in ("int", "one_hot"):
        shape, output = call.inputs[0], call.outputs[0]
        if mode == "int" or len(output) == len(shape) + 1:
            return (tuple(Along(axis) for axis in range(len(shape))),)
        return UNKNOWN
    return everything(call)


def _kept(call: Call) -> Windows | str:
    return UNKNOWN


for _name in ("CategoryEncoding", "Discretization", "Hashing", "IntegerLookup", "StringLookup"):
    keras_layers(_name)(
        Entry(
            "embedding",
            "",
            lambda layer: listed(spaced(type(layer).__name__), getattr(layer, "output_mode", "")),
            none_at_all,
            _looked_up,
        )
    )
keras_layers("HashedCrossing")(Entry("embedding", "", lambda layer: "hashed crossing", none_at_all, _kept))
keras_layers("TextVectorization")(
    Entry("embedding", "", lambda layer: f"text vectorization, {layer._output_mode}", none_at_all, everything)
)
keras_layers("MaxNumBoundingBoxes")(Entry("other", "", lambda layer: "bounding boxes", none_at_all, _kept))
keras_layers("RandomCrop")(
    Entry("shape", "", lambda layer: f"random crop, {layer.height}×{layer.width}", none_at_all, _kept)
)
keras_layers("ContrastLimitedAdaptiveHistogramEqualization")(
    Entry("other", "", lambda layer: "adaptive histogram equalization", none_at_all, _kept)
)
keras_layers("STFTSpectrogram")(Entry("other", "", lambda layer: "STFT spectrogram", None, _kept))
keras_layers("MelSpectrogram")(Entry("other", "", lambda layer: f"mel spectrogram, {layer.num_mel_bins}", None, _kept))
keras_layers("Lambda")(Entry("other", "", lambda layer: "lambda"))
keras_layers("Pipeline")(
    Entry("other", "", lambda layer: "pipeline: " + ", ".join(words_of(one) for one in layer.layers))
)


# -- wrappers ---------------------------------------------------------------------------------------------------------


def _of_every_step(call: Call) -> Call:
    """The call of the wrapped layer on one step."""
    inputs = tuple((shape[0], *shape[2:]) for shape in call.inputs[:1])
    return Call(call.operation.layer, inputs, tuple((shape[0], *shape[2:]) for shape in call.outputs))


def _distributed_cost(call: Call) -> int | None:
    once = multiply_adds(_of_every_step(call))
    return None if once is None else once * call.inputs[0][1]  # type: ignore[operator]


def _distributed_window(call: Call) -> Windows | str:
    found = windows_of(_of_every_step(call))
    if isinstance(found, Unknown):
        return UNKNOWN
    moved = with_steps(found)
    assert not isinstance(moved, Unknown)
    return moved if isinstance(moved, Regrouped | PerOutput) else (*moved, *others(call))


keras_layers("TimeDistributed")(
    Entry(
        "other",
        "",
        lambda layer: f"{words_of(layer.layer)}, at each step",
        _distributed_cost,
        _distributed_window,
    )
)


def _both_ways(call: Call) -> int | None:
    layer = call.operation
    counts = [
        multiply_adds(Call(one, call.inputs[:1], _one_way(call, one)))
        for one in (layer.forward_layer, layer.backward_layer)
    ]
    return None if None in counts else sum(counts)  # type: ignore[arg-type]


def _one_way(call: Call, one: Any) -> tuple[Any, ...]:
    return (tuple(one.compute_output_shape(call.inputs[0])),)


def _both_ways_window(call: Call) -> Windows | str:
    found = windows_of(Call(call.operation.forward_layer, call.inputs[:1], call.outputs[:1]))
    if isinstance(found, Unknown | Regrouped | PerOutput):
        return UNKNOWN
    return (*found, *others(call))


keras_layers("Bidirectional")(
    Entry(
        "recurrent",
        "",
        lambda layer: listed(
            words_of(layer.forward_layer), "both ways", "" if layer.merge_mode == "concat" else layer.merge_mode
        ),
        _both_ways,
        _both_ways_window,
    )
)


def _wrapped(call: Call) -> Call:
    return Call(call.operation.layer, call.inputs, call.outputs, call.args, call.kwargs)


def _wrapped_window(call: Call) -> Windows | str:
    found = windows_of(_wrapped(call))
    return UNKNOWN if isinstance(found, Unknown) else found


keras_layers("SpectralNormalization")(
    Entry(
        "other",
        "",
        lambda layer: f"{words_of(layer.layer)}, spectral norm",
        lambda call: multiply_adds(_wrapped(call)),
        _wrapped_window,
    )
)


# -- models -----------------------------------------------------------------------------------------------------------


def _model_cost(call: Call) -> int | None:
    """The sum over the calls inside a model of which Keras knows the graph, at the sizes that it is called on."""
    import keras

    from ..calls import calls, has_graph, infer

    model = call.operation
    if not has_graph(model) or len(call.inputs) != len(model.inputs):
        return None
    specs = {
        id(tensor): keras.KerasTensor(shape, tensor.dtype)
        for tensor, shape in zip(model.inputs, call.inputs, strict=True)
    }
    infer(model.outputs, specs)
    total = 0
    for inside in calls(model.outputs):
        if inside.is_input:
            continue
        entering, made = ([tuple(specs[id(t)].shape) for t in some] for some in (inside.input_tensors, inside.outputs))
        given = inside.arguments
        count = multiply_adds(Call(inside.operation, tuple(entering), tuple(made), given.args, given.kwargs))
        if count is None:
            return None
        total += count
    return total


knows("keras.models.Functional", "keras.models.Sequential")(Entry("model", "", lambda model: model.name, _model_cost))

# Layers of `keras.applications`.
knows("keras.applications.convnext.LayerScale")(free("other", "layer scale"))
knows("keras.applications.inception_resnet_v2.CustomScaleLayer")(
    free("add", lambda layer: f"add, × {layer.scale:g}", symbol="⊕")
)
