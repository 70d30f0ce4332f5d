"""The one walk over a Keras graph: its calls in topological order, and the trunk that every path passes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any

import keras

from .. import _keras, checks


def checked_model(piece: str, model: Any) -> keras.Model:
    """The model, if it is one of Keras's."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"{piece}: model takes a Keras model, got {model!r}")
    return model


def has_graph(model: Any) -> bool:
    """Whether Keras knows what the model is made of: a functional or a built sequential one."""
    if isinstance(model, keras.Sequential):
        return bool(model.built) and bool(getattr(model, "inputs", None))
    return isinstance(model, keras.Model) and isinstance(model, keras.Function)


@_keras.deep_graphs()
def wired(model: Any) -> keras.Model:
    """The model as one that has a graph, or an error."""
    if not has_graph(model):
        raise checks.refuse("model", type(model).__name__, "a functional or a built sequential model", TypeError)
    return keras.Model(model.inputs, model.outputs, name=model.name) if isinstance(model, keras.Sequential) else model


def calls(outputs: Iterable[Any]) -> list[Any]:
    """The calls of operations that the tensors need, in topological order, branch by branch.

    Each is one of `_keras.call_of`: `operation`, `input_tensors`, `arguments`, `outputs`, `is_input`.
    """
    found: list[Any] = []
    done: set[int] = set()
    for tensor in outputs:
        waiting = [(_keras.call_of(tensor), False)]
        while waiting:
            call, ready = waiting.pop()
            if id(call) in done:
                continue
            if ready or call.is_input:
                done.add(id(call))
                found.append(call)
            else:
                waiting.append((call, True))
                waiting.extend((_keras.call_of(x), False) for x in reversed(call.input_tensors))
    return found


def trunk(tensor: Any) -> list[Any]:
    """The calls that every path from the inputs to the tensor passes, its own last."""
    order = calls([tensor])
    place = {id(call): i for i, call in enumerate(order)}
    # In topological order a call is passed by every path exactly if no tensor is handed over it.
    handed = [0] * (len(order) + 1)
    for i, call in enumerate(order):
        sources = [place[id(_keras.call_of(x))] for x in call.input_tensors]
        start = min(sources, default=-1)  # an input comes from before the first call
        handed[start + 1] += 1
        handed[i] -= 1
    return [call for call, over in zip(order, accumulate(handed), strict=False) if over == 0]
