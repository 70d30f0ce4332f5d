"""Models made anew, layer by layer, some of them left out or changed on the way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from .. import _keras, checks
from ..graphs.calls import has_graph
from .origins import made_of
from .rewiring import Wiring

Instead = Callable[[Any, Sequence[Any], Callable[[], Any]], "list[Any] | None"]
"""What stands for what a call gives, by the call, its new inputs and what makes its new layer; None for that layer."""

Parts = dict[int, tuple[str, Wiring]]
"""By `id` of a model the path to it and its graph."""


def nested(model: keras.Model, path: str = "", found: Parts | None = None) -> Parts:
    """Find a model and those that it is made of, each once."""
    found = {} if found is None else found
    if has_graph(model) and id(model) not in found:
        wiring = Wiring(model)
        found[id(model)] = path, wiring
        for call in wiring.calls:
            if isinstance(call.operation, keras.Model):
                nested(call.operation, f"{path}{call.operation.name}/", found)
    return found


def remade(layer: keras.Layer, kind: Any = None, /, **changes: Any) -> keras.Layer:
    """Make a new layer like this one, of another kind or with some of its arguments changed."""
    try:
        return (kind or type(layer)).from_config(_unbuilt({**layer.get_config(), **changes}))
    except Exception as error:  # of somebody's own, which does not say how to make it
        raise checks.refuse(
            "model", f"{layer.name!r} ({type(layer).__name__})", f"layers that can be copied ({error})"
        ) from error


def _unbuilt(config: Any) -> Any:
    """A configuration whose inner layers are built by the outer one, which gives their variables its path."""
    if isinstance(config, Mapping):
        return {word: _unbuilt(value) for word, value in config.items() if word != "build_config"}
    return [_unbuilt(value) for value in config] if isinstance(config, list) else config


def copied(
    model: keras.Model,
    parts: Parts,
    *,
    remake: Callable[[keras.Layer, bool], keras.Layer],
    values: Callable[[keras.Layer], Sequence[Any]],
    without: Collection[keras.Layer] = (),
    instead: Instead | None = None,
) -> keras.Model:
    """Copy a model, with weights of its own; a layer or nested model that is shared stays so.

    Args:
        parts: what `nested` found in it.
        remake: the new layer for an old one, given whether it makes an output of the model.
        values: the weights of that new layer, by the old one.
        without: layers that are passed over.
        instead: what is computed in the place of some calls.
    """
    layers: dict[int, tuple[Any, Any]] = {}  # by id, the old one and the new
    passed = set(map(id, without))

    @_keras.deep_graphs()
    def anew(model: keras.Model, final: bool) -> keras.Model:
        _, wiring = parts[id(model)]
        last = {id(_keras.call_of(tensor).operation) for tensor in wiring.model.outputs} if final else set()
        known: dict[int, Any] = {}
        for call in wiring.calls:
            operation = call.operation
            if call.is_input:
                known[id(call.outputs[0])] = type(operation).from_config(operation.get_config()).output
            elif id(operation) in passed:
                known[id(call.outputs[0])] = known[id(call.input_tensors[0])]
            else:

                def copy(operation: Any = operation) -> Any:
                    if id(operation) not in layers:
                        layers[id(operation)] = operation, new(operation, id(operation) in last)
                    return layers[id(operation)][1]

                entering = [known[id(tensor)] for tensor in call.input_tensors]
                made = None if instead is None else instead(call, entering, copy)
                made = _keras.call_again(call, known, copy()) if made is None else made
                known.update(zip(map(id, call.outputs), made, strict=True))
        inputs, outputs = keras.tree.map_structure(
            lambda tensor: known[id(tensor)], (wiring.model.input, wiring.model.output)
        )
        again = made_of(model, inputs, outputs)
        if not model.trainable:  # else it would train the layers that do not
            again.trainable = False
        return again

    def new(operation: Any, last: bool) -> Any:
        if has_graph(operation):
            return anew(operation, last)
        if not isinstance(operation, keras.Layer):  # which has no state
            return operation
        return remake(operation, last)

    made = anew(model, True)
    for old, copy in layers.values():
        if has_graph(old) or not getattr(old, "weights", None):
            continue
        if all(map(_keras.is_allocated, (*old.weights, *copy.weights))):
            for weight, value in zip(copy.weights, values(old), strict=True):
                # A copy: JAX assigns the very array, which training one of the models then frees under the other.
                weight.assign(np.array(keras.ops.convert_to_numpy(value)))
    return made
