"""Every private corner of Keras that the blocks stand on; `tests/test_keras_internals.py` watches them."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.ops import function

_PENDING = "uninitialized_variables"
_SCOPE = "stateless_scope"
_NAMES = "layerblocks_names"
_DEEP = 1_000_000
_made: ContextVar[list[Any] | None] = ContextVar("layerblocks_operations_made", default=None)


def swap_pending_variables(variables: list[Any]) -> list[Any]:
    """Put `variables` in the place of Keras's list of variables still to be allocated; return the old list."""
    pending = global_state.get_global_attribute(_PENDING, [], set_to_default=True)
    global_state.set_global_attribute(_PENDING, variables)
    return pending


def names_given() -> set[str]:
    """The names that pieces outside of any block were given since `keras.backend.clear_session()`."""
    return global_state.get_global_attribute(_NAMES, set(), set_to_default=True)


def current_stateless_scope() -> Any:
    return global_state.get_global_attribute(_SCOPE)


def name_operations(rename: Callable[[str | None, type], str | None]) -> None:
    """Let `rename(name, class)` decide the name of every Keras operation made from now on.

    `keras.Operation.__init__` is public, as every custom layer calls it; that each layer and each `keras.ops`
    node passes through it is what is relied on here.
    """
    original = keras.Operation.__init__

    # Keras reads the bare signature of `__init__`, so it has to stay the same.
    @functools.wraps(original)
    def __init__(self: Any, name: str | None = None) -> None:
        original(self, name=rename(name, type(self)))
        if (made := _made.get()) is not None:
            made.append(self)

    keras.Operation.__init__ = __init__


@contextmanager
def operations_made() -> Iterator[list[Any]]:
    """A list that gets every layer and operation made inside, whether or not it becomes part of a model."""
    made: list[Any] = []
    token = _made.set(made)
    try:
        yield made
    finally:
        _made.reset(token)


def map_graphs_of_any_depth() -> None:
    """Keep Keras from a RecursionError on a model of some hundreds of blocks: made, loaded, cloned or cut out of one.

    Each time Keras searches the graph by a function that calls itself once a layer. It is plain Python, whose calls
    lie on the heap, and it knows cycles, so that here Python's limit protects from nothing.
    """
    original, lock = function.map_graph, threading.RLock()

    @functools.wraps(original)
    def map_graph(*args: Any, **options: Any) -> Any:
        with lock:  # the limit is the same for all threads
            limit = sys.getrecursionlimit()
            sys.setrecursionlimit(max(limit, _DEEP))
            try:
                return original(*args, **options)
            finally:
                sys.setrecursionlimit(limit)

    function.map_graph = map_graph


def source_inputs(tensor: Any) -> list[Any]:
    """The inputs that `tensor` is computed from.

    `keras.utils.get_source_inputs` follows every path, of which each residual block doubles the number.
    """
    inputs, seen, ahead = [], set(), [tensor]
    while ahead:
        x = ahead.pop()
        if id(x) not in seen:
            seen.add(id(x))
            operation, index, _ = x._keras_history
            node = operation._inbound_nodes[index]
            if node.is_input:
                inputs.append(x)
            else:
                ahead += reversed(node.input_tensors)
    return inputs


def call_of(tensor: Any) -> Any:
    """The call that made a symbolic tensor: its `operation`, `input_tensors`, `arguments` and `outputs`."""
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def call_again(call: Any, tensors: Mapping[int, Any], operation: Any = None) -> list[Any]:
    """What the same operation, or another, gives with the same arguments on other tensors, by the `id` of the old."""
    args, kwargs = call.arguments.fill_in(tensors)
    return keras.tree.flatten((operation or call.operation)(*args, **kwargs))


def called_with(call: Any, argument: str) -> Any:
    """What a call was given for a keyword, or None."""
    return call.arguments.kwargs.get(argument)


def infer_again(call: Any, specs: Mapping[int, Any]) -> list[Any]:
    """Shapes and dtypes of what the operation would give, as `call_again`, but nothing is added to any graph."""
    args, kwargs = call.arguments.fill_in(specs)
    return keras.tree.flatten(call.operation.compute_output_spec(*args, **kwargs))


def is_allocated(variable: Any) -> bool:
    """Whether a variable has a value, and not just a shape from `weightless`."""
    return variable._value is not None


def build_compiled(model: Any, batch: Any) -> None:
    """Let a compiled model, its metrics and its optimizer make their variables, without computing anything."""
    model._symbolic_build(data_batch=batch)


def loss_trackers(model: Any) -> list[Any]:
    """The metrics in which a compiled model keeps the loss of each of its outputs."""
    return model._compile_loss.metrics


def restored_epoch(model: Any) -> int | None:
    """The epoch that `keras.callbacks.BackupAndRestore` goes on with, if it has restored one."""
    return model._initial_epoch


def sublayers(layer: Any, deep: bool = True) -> list[Any]:
    """The layers inside a layer, to any depth or those of its own alone."""
    return list(layer._flatten_layers(include_self=False, recursive=deep)) if hasattr(layer, "_flatten_layers") else []


def first_call(operation: Any) -> Any:
    """The first call of an operation on symbolic tensors, None where there is none."""
    return next(iter(getattr(operation, "_inbound_nodes", ())), None)


@contextmanager
def traced(layer: Any) -> Iterator[list[str]]:
    """Let `layer.call` be followed on symbolic tensors, and nothing of it be left: no calls, names, states or losses.

    Yields a list that gets the names of the layers that would have had to be built; these raise.
    """
    unbuilt: list[str] = []
    inside = [layer, *sublayers(layer)]
    calls = [(kept, len(kept)) for one in inside for kept in (one._inbound_nodes, one._outbound_nodes)]
    names = global_state.get_global_attribute("object_name_uids")
    global_state.set_global_attribute("object_name_uids", None)
    fresh = [one for one in inside if not one.built]
    builds = [(one, one.build) for one in fresh if not getattr(one.build, "_is_default", False)]
    for one, build in builds:
        object.__setattr__(one, "build", _refusing(build, one.name, unbuilt))
    object.__setattr__(layer, "add_loss", lambda loss: None)  # which knows nothing of symbolic tensors
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield unbuilt
    finally:
        object.__delattr__(layer, "add_loss")
        for one, build in builds:
            object.__setattr__(one, "build", build)
        for one in fresh:
            one.built = False
        for kept, count in calls:
            del kept[count:]
        global_state.set_global_attribute("object_name_uids", names)


def _refusing(build: Callable[..., Any], name: str, unbuilt: list[str]) -> Callable[..., Any]:
    @functools.wraps(build)  # Keras reads its signature
    def refuse(*args: Any, **kwargs: Any) -> None:
        unbuilt.append(name)
        raise ValueError(f"{name!r} is not built")

    return refuse
