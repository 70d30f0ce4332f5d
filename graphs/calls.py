"""The one walk over a Keras graph: its calls in topological order, and the trunk that every path passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any

import keras

from .. import _keras, checks
from .tracing import functional


def has_graph(model: Any) -> bool:
    """Whether Keras knows what the model is made of: a functional or a built sequential one."""
    if isinstance(model, keras.Sequential):
        return bool(model.built) and bool(getattr(model, "inputs", None))
    return isinstance(model, keras.Model) and isinstance(model, keras.Function)


@_keras.deep_graphs()
def wired(model: Any) -> keras.Model:
    """The model as one that has a graph, of the same layers, or an error; `call` of a subclassed one is followed."""
    if not isinstance(model, keras.Model) or (isinstance(model, keras.Sequential) and not has_graph(model)):
        raise checks.refuse("model", type(model).__name__, "a functional or a built model", TypeError)
    if not has_graph(model):
        return functional(model)
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


def infer(
    outputs: Sequence[Any], specs: dict[int, Any], otherwise: Callable[[Any], Sequence[Any]] | None = None
) -> list[Any]:
    """Shapes of the outputs where `specs` says by `id` those of the inputs; fills it up.

    What a layer raises that refuses such a shape goes on unless there is something `otherwise`.
    """
    for call in calls(outputs):
        if id(call.outputs[0]) in specs:
            continue
        model = call.operation
        try:
            if isinstance(model, keras.Model) and hasattr(model, "outputs"):  # which itself takes its own size only
                entering = [specs[id(tensor)] for tensor in call.input_tensors]
                made: Sequence[Any] = infer(model.outputs, dict(zip(map(id, model.inputs), entering, strict=True)))
            else:
                made = _keras.infer_again(call, specs)
            if any(size is not None and size < 1 for tensor in made for size in tensor.shape):
                raise ValueError(f"{model.name!r} leaves nothing")
        except Exception:
            if otherwise is None:
                raise
            made = otherwise(call)
        specs.update(zip(map(id, call.outputs), made, strict=True))
    return [specs[id(tensor)] for tensor in outputs]
