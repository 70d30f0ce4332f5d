"""What a network ends in: where its features end and its predictions begin, and whether these are logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from .. import _keras
from ..graphs.calls import has_graph, trunk
from ..graphs.rules import entry_of
from .rewiring import Chain

_IDENTITY = keras.activations.linear
_PROBABILITIES = (keras.activations.softmax, keras.activations.sigmoid)
_SQUASHING = {"Softmax", "Sigmoid"}  # layers and operations
CONVOLUTIONS = (
    *(keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D),
    *(keras.layers.SeparableConv1D, keras.layers.SeparableConv2D),
    *(keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose),
)
_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_LINEAR = (keras.layers.Dense, keras.layers.EinsumDense, *CONVOLUTIONS)
# What moves values and changes none, or weighs them together with weights that sum to one.
_PASSING_ROLES = ("shape", "pool", "dropout")
_PASSING = {"Identity", "MinimumSize", "MatchSize", "Cast", "StochasticDepth", "ActivityRegularization"}
_FEATURES = ("norm", "activation", "conv", "recurrent", "attention", "embedding")  # roles of layers with weights
_SCALING = {"Rescaling", "Multiply", "Divide", "TrueDivide"}
_JOINING = {"Add", "Subtract", "Average", "Maximum", "Minimum", "Concatenate", "Concat"}


def _kind(operation: Any) -> str:
    return type(operation).__name__


def _unwrapped(operation: Any) -> Any:
    while isinstance(operation, keras.layers.TimeDistributed):
        operation = operation.layer
    return operation


def _inside(call: Any, tensor: Any) -> Any:
    """The tensor within a nested model that one of its outputs is."""
    place = next(i for i, output in enumerate(call.outputs) if output is tensor)
    return _unwrapped(call.operation).outputs[place]


def _activation(operation: Any) -> Any:
    return getattr(operation, "activation", None)


def _squashes(operation: Any) -> bool:
    return _kind(operation) in _SQUASHING or _activation(operation) in _PROBABILITIES


def _passes(operation: Any) -> bool:
    """Whether the values that come out are those that went in, or means of them."""
    if _kind(operation) == "Rescaling":  # whose role is that of what prepares an image
        return False
    idle = _kind(operation) == "Activation" and _activation(operation) is _IDENTITY
    return idle or _kind(operation) in _PASSING or entry_of(operation).role in _PASSING_ROLES


# -- logits -----------------------------------------------------------------------------------------------------------


def gives_logits(output: Any) -> bool | None:
    """Whether an output is logits (True), or probabilities by a softmax or sigmoid (False); None where it is neither.

    >>> import keras
    >>> x = keras.Input((4,))
    >>> y = keras.layers.Dense(3)(x)
    >>> gives_logits(y), gives_logits(keras.ops.softmax(y)), gives_logits(keras.layers.ReLU()(y))
    (True, False, None)
    """
    return _logits(output, {})


def is_softmax(output: Any) -> bool:
    """Whether a softmax is the last that is done to an output, of what moves values apart."""
    call = _keras.call_of(output)
    while not call.is_input and (has_graph(call.operation) or _passes(call.operation)):
        output = _inside(call, output) if has_graph(call.operation) else call.input_tensors[0]
        call = _keras.call_of(output)
    operation = _unwrapped(call.operation)
    return not call.is_input and (_kind(operation) == "Softmax" or _activation(operation) is keras.activations.softmax)


def _logits(tensor: Any, known: dict[int, bool | None]) -> bool | None:
    if id(tensor) not in known:
        known[id(tensor)] = None
        known[id(tensor)] = _logits_of(tensor, known)
    return known[id(tensor)]


def _logits_of(tensor: Any, known: dict[int, bool | None]) -> bool | None:
    call = _keras.call_of(tensor)
    operation = _unwrapped(call.operation)
    while not call.is_input and not has_graph(operation) and _passes(operation) and not _squashes(operation):
        tensor = call.input_tensors[0]
        call = _keras.call_of(tensor)
        operation = _unwrapped(call.operation)
    if call.is_input:
        return None
    if has_graph(operation):
        return _logits(_inside(call, tensor), known)
    if _squashes(operation):
        return False
    if isinstance(operation, _LINEAR):
        return True if _activation(operation) is _IDENTITY else None
    if _kind(operation) in ("Matmul", "Einsum", "Dot"):
        return True
    before = [_logits(x, known) for x in call.input_tensors]
    if (_kind(operation) in _SCALING and len(before) == 1) or entry_of(operation).role == "norm":
        return True if before[0] else None
    if _kind(operation) in _JOINING and before and all(one == before[0] for one in before):
        mixed = before[0] is False and _kind(operation) in ("Add", "Subtract") and len(before) > 1
        return None if mixed else before[0]
    return None


# -- where the features end -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class End:
    """What an output ends in.

    Args:
        chain: the nested models that `call` is in.
        call: of the layer that makes the predictions, None where there is none that is known to.
        closed: whether the output is predictions, and no features.
        place: the last call that was looked at.
        after: the calls that follow the predictions, with the nested models that each is in.
    """

    chain: Chain
    call: Any
    closed: bool
    place: Any
    after: Sequence[tuple[Chain, Any]] = ()


def end_of(output: Any) -> End:
    """Find the layer that makes the predictions of an output, whatever of no weights follows it."""
    tensor, closed = output, False
    chain: Chain = ()
    after: list[tuple[Chain, Any]] = []
    while True:
        call = _keras.call_of(tensor)
        operation = _unwrapped(call.operation)
        if call.is_input and chain:
            call, chain = chain[-1], chain[:-1]
            tensor = call.input_tensors[0]
            continue
        if call.is_input:
            return End(chain, None, closed, call)
        if has_graph(call.operation):
            tensor, chain = _inside(call, tensor), (*chain, call)
            continue
        closed = closed or _squashes(operation)
        if isinstance(operation, _LINEAR):
            found = _predicts(call, operation, closed)
            linear = isinstance(operation, keras.layers.EinsumDense) and _activation(operation) in (None, _IDENTITY)
            return End(chain, call if found else None, bool(found or closed or linear), call, after)
        if getattr(operation, "weights", None) or isinstance(operation, keras.Model):
            known = entry_of(operation).role in _FEATURES
            return End(chain, None, closed or not known, call)
        if len(call.input_tensors) != 1:
            return End(chain, None, closed or _joins_predictions(call), call)
        if not closed and not _passes(operation):
            known = entry_of(operation).role in ("activation", "norm")
            return End(chain, None, not known, call)
        after.append((chain, call))
        tensor = call.input_tensors[0]


def _predicts(call: Any, layer: Any, closed: bool) -> bool:
    """Whether a dense layer or convolution makes predictions."""
    if isinstance(layer, keras.layers.Dense):
        return closed or _activation(layer) is _IDENTITY
    if not isinstance(layer, CONVOLUTIONS):
        return False
    if isinstance(layer, _TRANSPOSED) and layer.filters == _channels(call.input_tensors[0], layer):
        return False  # it enlarges scores that something else has made
    pointwise = {*layer.kernel_size, *layer.strides} == {1}
    # Convolutions of features have no bias but where no norm follows, and there an activation or a sum does.
    return closed or (pointwise and layer.use_bias and _activation(layer) is _IDENTITY)


def _channels(tensor: Any, layer: Any) -> Any:
    return tensor.shape[-1 if layer.data_format == "channels_last" else 1]


def _joins_predictions(call: Any) -> bool:
    """Whether something that joins tensors joins predictions: it squashes them, or it is of dense layers."""
    ends = [end_of(tensor) for tensor in call.input_tensors if _may_be_predictions(tensor)]
    return any(end.closed for end in ends)


def _may_be_predictions(tensor: Any) -> bool:
    operation = _unwrapped(_keras.call_of(tensor).operation)
    return _squashes(operation) or isinstance(operation, keras.layers.Dense) or has_graph(operation)


def features_of(output: Any) -> tuple[Chain, Any, End]:
    """Find the features that an output is computed from: the nested models they are in, their tensor, and the end.

    They end where the positions of the last map are drawn together by something without weights, whatever it is, or
    at the layer that makes the predictions where that comes first or positions stay. The tensor is None where the end
    is predictions of nothing that is known.
    """
    end = end_of(output)
    steps = _steps(output, ())
    drawn = _drawn_together(steps)
    predicted = next((i for i, (_, call) in enumerate(steps) if end.call is not None and call is end.call), None)
    places = [place for place in (drawn, predicted) if place is not None]
    if not places:
        return (), None if end.closed else output, end
    chain, call = steps[min(places)]
    tensor = call.input_tensors[0]
    while chain and _keras.call_of(tensor).is_input:
        tensor, chain = chain[-1].input_tensors[0], chain[:-1]
    return chain, tensor, end


def _steps(output: Any, chain: Chain) -> list[tuple[Chain, Any]]:
    """The calls that every path from the input to an output passes, those in nested models in the place of these."""
    found: list[tuple[Chain, Any]] = []
    way = trunk(output)
    for number, call in enumerate(way):
        if call.is_input:
            continue
        if has_graph(call.operation):
            after = way[number + 1].input_tensors if number + 1 < len(way) else [output]
            leaving = next((x for x in after if any(x is y for y in call.outputs)), call.outputs[0])
            found += _steps(_inside(call, leaving), (*chain, call))
        else:
            found.append((chain, call))
    return found


def _drawn_together(steps: Sequence[tuple[Chain, Any]]) -> int | None:
    """The step at which the last map becomes a vector, by something without weights."""
    if not steps or len(steps[-1][1].outputs[0].shape) > 2:
        return None
    for number in reversed(range(len(steps))):
        _, call = steps[number]
        if not call.input_tensors or len(call.input_tensors[0].shape) <= 2:
            continue
        if getattr(call.operation, "weights", None) or len(call.input_tensors) != 1:
            return None
        return _before_one_pixel(steps, number)
    return None


def _before_one_pixel(steps: Sequence[tuple[Chain, Any]], number: int) -> int:
    """Where the map had been pooled to one pixel before it became a vector, the step that did so, else this one."""
    if entry_of(steps[number][1].operation).role == "pool":
        return number
    for earlier in reversed(range(number)):
        _, call = steps[earlier]
        if not _is_one_pixel(call.outputs[0]) or len(call.input_tensors) != 1:
            break
        if _pools_all(call):
            return earlier
        if not {*getattr(call.operation, "kernel_size", ())} <= {1}:
            break
    return number


def _pools_all(call: Any) -> bool:
    kind = _kind(call.operation)
    if kind.startswith("AveragePool"):
        return not _is_one_pixel(call.input_tensors[0])
    return kind.startswith(("Global", "Adaptive")) or kind in ("Mean", "Max")


def _is_one_pixel(tensor: Any) -> bool:
    return sum(size != 1 for size in tuple(tensor.shape)[1:]) <= 1
