"""Models for use: no auxiliary heads, batch-norm folding into the layers before, other dtypes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from .. import _keras, checks
from ..blocks import arguments
from ..blocks.layers import FusedBatchNormalization
from ..checks import public
from ..graphs.calls import has_graph
from .cloning import Parts, copied, nested, remade
from .origins import made_of
from .parallel_convolutions import Sum, parallel_sums, summed
from .rewiring import Wiring

# The axis of a linear layer's last kernel that its output channels lie on.
_OUTPUT_AXIS: Mapping[type, int] = {
    **dict.fromkeys((keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D, keras.layers.Dense), -1),
    **dict.fromkeys((keras.layers.SeparableConv1D, keras.layers.SeparableConv2D), -1),
    **dict.fromkeys((keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose), -2),
}
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_LINEAR = (*_OUTPUT_AXIS, *_DEPTHWISE)

# What changes nothing once training is over.
_IDENTITIES = (
    *(keras.layers.Identity, keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D),
    *(keras.layers.SpatialDropout3D, keras.layers.AlphaDropout, keras.layers.GaussianDropout),
    *(keras.layers.GaussianNoise, keras.layers.ActivityRegularization),
)


@dataclass(frozen=True, slots=True)
class Folding:
    """What folding does with every batch normalization of a model, by the names of the layers.

    Args:
        folded: norm and the linear layer that it goes into.
        kept: norm and why it stays.
    """

    folded: Mapping[str, str]
    kept: Mapping[str, str]

    def __str__(self) -> str:
        lines = [f"{len(self.folded)} folded, {len(self.kept)} kept"]
        return "\n".join((*lines, *(f"  {name}: {reason}" for name, reason in self.kept.items())))


@public
def folding(model: keras.Model) -> Folding:
    """List the batch normalizations of a model that `inference_model` folds, and why not the others.

    Those of nested models have their path for a name (`backbone/bn1`), and so have those inside of wrappers and of
    other layers, which are kept.

    Example:
        >>> from layerblocks.architectures import densenet121
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = densenet121()
        >>> found = folding(model)
        >>> len(found.folded), found.kept["postactivation.norm"]
        (59, "follows 'block4.layer16.concat' (Concatenate), which is not linear alone")
    """
    folded: dict[str, str] = {}
    kept: dict[str, str] = {}
    parts = nested(checks.instance("model", model, keras.Model, "a Keras model"))
    for path, call, found in linear_norms(parts):
        name = path + call.operation.name
        if isinstance(found, str):
            kept[name] = found
        else:
            folded[name] = path + found.name
    for total in parallel_sums(parts, _into(linear_norms(parts))).values():
        for norm in total.identities:
            (name,) = (name for name in kept if name.rpartition("/")[2] == norm.name)
            folded[name] = name.removesuffix(norm.name) + total.layer.name
            del kept[name]
    return Folding(folded, {**kept, **dict(_hidden(model, parts))})


def _hidden(model: keras.Model, parts: Parts) -> Iterator[tuple[str, str]]:
    """The norms inside of layers, which are not looked into, and why they are kept; each once."""
    places = [(path, call.operation) for path, wiring in parts.values() for call in wiring.calls]
    for path, layer in places if parts else [("", model)]:
        if isinstance(layer, keras.layers.BatchNormalization) or (parts and has_graph(layer)):
            continue
        for inner in _keras.sublayers(layer):
            if isinstance(inner, keras.layers.BatchNormalization):
                kind = f"{layer.name!r} ({type(layer).__name__})"
                yield f"{path}{layer.name}/{inner.name}", f"is inside of {kind}, which is not looked into"


@public
def inference_model(
    model: keras.Model, output: str = "main", *, fold_norm: bool = True, dtype: str | None = None
) -> keras.Model:
    """Make the model for use: one output, batch normalizations folded into the linear layers before them.

    Sums of parallel convolutions of one tensor, and of norms of it, become one convolution (Ding et al. 2021, RepVGG).
    The answer stays the same, up to rounding. Where something is folded or cast it is a copy with weights of its
    own; otherwise layers and weights are shared with `model`.

    Args:
        model: of a dict of outputs, or of a single one.
        output: the output to keep.
        fold_norm: fold every `BatchNormalization` that follows a convolution (depthwise, separable, transposed, grouped
            too) or a dense layer; `folding(model)` says which these are and why not the others.
        dtype: that weights are kept in and computed with, `"bfloat16"` for instance. The layers that make the output
            keep theirs.

    Raises:
        TypeError: it is no Keras model.
        ValueError: there is no such output or dtype, or layers should be cast that are no part of a graph.

    Example:
        >>> from layerblocks.architectures import resnet18
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = resnet18()
        ...     network = inference_model(model)
        >>> model.count_params() - network.count_params()  # 4,800 channels: of 4 numbers each, a bias is left
        14400
    """
    network = _one_output(checks.instance("model", model, keras.Model, "a Keras model"), output)
    arguments.identifier("dtype", dtype)
    fold_norm = checks.flag("fold_norm", fold_norm)
    if not has_graph(network):
        return network if dtype is None else cast(network, dtype)
    parts = nested(network)
    into = _into(linear_norms(parts)) if fold_norm else {}
    sums = parallel_sums(parts, into) if fold_norm else {}
    if dtype is None and not into and not sums:
        return network
    summands = {id(branch.conv) for total in sums.values() for branch in total.branches if branch.conv is not None}
    identities = [norm for total in sums.values() for norm in total.identities]
    made: list[tuple[Sum, keras.Layer]] = []

    def remake(layer: keras.Layer, last: bool) -> keras.Layer:
        changes = {"use_bias": True} if id(layer) in into else {}
        return remade(layer, **changes, **({} if dtype is None or last else {"dtype": dtype}))

    def values(layer: keras.Layer) -> Sequence[Any]:
        return _folded(layer, into[id(layer)]) if id(layer) in into else layer.weights

    def instead(call: Any, entering: Sequence[Any], copy: Any) -> list[Any] | None:
        """What enters the convolutions of a sum in their place, and one convolution in that of the sum."""
        if id(call) in summands:
            return [entering[0]]
        if id(call) not in sums:
            return None
        total = sums[id(call)]
        one = remade(total.layer, use_bias=True, **({} if dtype is None else {"dtype": dtype}))
        made.append((total, one))
        return [one(entering[total.widest])]

    passed = [*into.values(), *identities]
    again = copied(network, parts, remake=remake, values=values, without=passed, instead=instead)
    for total, one in made:
        _give(total, one, into)
    return again


def _into(found: Iterator[tuple[str, Any, Any]]) -> dict[int, Any]:
    """By the `id` of each linear layer the norm that is folded into it."""
    return {id(linear): call.operation for _, call, linear in found if not isinstance(linear, str)}


def _give(total: Sum, one: Any, into: Mapping[int, Any]) -> None:
    """Give the convolution of a sum its weights, where there are any."""
    convs = [branch.conv.operation for branch in total.branches if branch.conv is not None]
    norms = [branch.norm for branch in total.branches if branch.norm is not None]
    if not all(map(_keras.is_allocated, [w for layer in (*convs, *norms, one) for w in layer.weights])):
        return
    weights = {id(conv): _kernel_and_bias(conv, into.get(id(conv))) for conv in convs}
    factors = {id(norm): _factor_and_shift(norm) for norm in total.identities}
    for weight, value in zip(one.weights, summed(total, weights, factors), strict=True):
        weight.assign(value)


def cast(model: keras.Model, dtype: str) -> keras.Model:
    """Copy a model to keep weights and compute in that dtype, all but the layers that make the outputs."""
    if not has_graph(model):
        raise checks.refuse("model", type(model).__name__, "a functional or sequential one where dtype is given")

    def remake(layer: keras.Layer, last: bool) -> keras.Layer:
        return remade(layer, **({} if last else {"dtype": dtype}))

    return copied(model, nested(model), remake=remake, values=lambda layer: layer.weights)


# -- what can be folded -----------------------------------------------------------------------------------------------


@_keras.deep_graphs()
def _one_output(model: keras.Model, output: str) -> keras.Model:
    outputs = getattr(model, "output", None) if has_graph(model) else None
    if not isinstance(outputs, Mapping):
        return model
    if output not in outputs:
        raise checks.refuse("output", output, f"one of {', '.join(outputs)}{checks.nearest(output, outputs)}")
    return made_of(model, model.input, outputs[output])


def linear_norms(parts: Parts) -> Iterator[tuple[str, Any, Any]]:
    """Find for every call of a batch normalization the linear layer that it can be folded into or why there is none."""
    times = Counter(id(call.operation) for _, wiring in parts.values() for call in wiring.calls)
    for path, wiring in parts.values():
        for call in wiring.calls:
            if isinstance(call.operation, keras.layers.BatchNormalization):
                yield path, call, _fold_into(call, wiring, times)


def _fold_into(norm: Any, wiring: Wiring, times: Mapping[int, int]) -> Any:
    """Find the linear layer that a norm can be folded into, or say in words why there is none."""
    layer = norm.operation
    if type(layer) not in (keras.layers.BatchNormalization, FusedBatchNormalization):
        return f"is a {type(layer).__name__}, which may compute anything"
    if times[id(layer)] > 1:
        return f"is shared by {times[id(layer)]} calls"
    if _keras.called_with(norm, "training"):
        return "is called with training=True"
    call = norm
    outputs = {id(tensor) for tensor in wiring.model.outputs}
    while True:
        (tensor,) = call.input_tensors[:1]
        call = _keras.call_of(tensor)
        name = f"{call.operation.name!r} ({type(call.operation).__name__})"
        if call.is_input:
            return "follows an input"
        if type(call.operation) not in (*_LINEAR, *_IDENTITIES):
            return f"follows {name}, which is not linear alone"
        if id(tensor) in outputs:
            return f"the output of {name} is one of the model's"
        if len(wiring.users[id(tensor)]) > 1:
            others = ", ".join(repr(user.operation.name) for user in wiring.users[id(tensor)] if user is not norm)
            return f"the output of {name} feeds others too: {others}"
        if type(call.operation) in _LINEAR:
            break
    linear = call.operation
    if times[id(linear)] > 1:
        return f"{name} is shared by {times[id(linear)]} calls"
    if linear.activation is not keras.activations.linear:
        return f"{name} has an activation of its own"
    if getattr(linear, "quantization_mode", None) or getattr(linear, "lora_enabled", False):
        return f"{name} is quantized or adapted"
    rank = len(call.outputs[0].shape)
    first = getattr(linear, "data_format", "channels_last") == "channels_first"
    if layer.axis % rank != (1 if first else rank - 1):
        return f"normalizes axis {layer.axis}, which is not that of the channels of {name}"
    return linear


def _factor_and_shift(norm: Any) -> tuple[np.ndarray, np.ndarray]:
    """What a norm does to each channel."""
    of = {
        part: np.asarray(keras.ops.convert_to_numpy(getattr(norm, part)), "float64")
        for part in ("moving_mean", "moving_variance", "gamma", "beta")
        if getattr(norm, part, None) is not None
    }
    factor = of.get("gamma", 1.0) / np.sqrt(of["moving_variance"] + norm.epsilon)
    return factor, of.get("beta", 0.0) - of["moving_mean"] * factor


def _kernel_and_bias(conv: Any, norm: Any | None) -> Sequence[np.ndarray]:
    """Kernel and bias of a convolution, its norm folded into them."""
    if norm is not None:
        return _folded(conv, norm)
    kernel, *bias = (np.asarray(keras.ops.convert_to_numpy(w), "float64") for w in conv.weights)
    return [kernel, bias[0] if bias else np.zeros(kernel.shape[-1])]


def _folded(linear: Any, norm: Any) -> Sequence[np.ndarray]:
    """Compute the weights of a linear layer that does what it and the norm did, its bias last."""
    arrays = [np.asarray(keras.ops.convert_to_numpy(w), "float64") for w in linear.weights]
    kernels, bias = (arrays[:-1], arrays[-1]) if linear.use_bias else (arrays, np.float64(0))
    factor, shift = _factor_and_shift(norm)
    last = kernels[-1]
    if isinstance(linear, _DEPTHWISE):
        scaled = last * factor.reshape(last.shape[-2:])  # the outputs of one channel lie side by side
    else:
        axis = _OUTPUT_AXIS[type(linear)]
        scaled = last * factor.reshape((-1, *(1,) * (-axis - 1)))
    return [*kernels[:-1], scaled, bias * factor + shift]
