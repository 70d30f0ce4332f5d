"""From a live Keras model to a `Graph`: the one file that looks at what Keras keeps to itself.

Seen on Keras 3.15: an operation lists its calls in `_inbound_nodes`; a call has `input_tensors`, `outputs` and
`arguments`; a symbolic tensor says in `_keras_history` which call of which operation made it. The tests say so when a
release changes that.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from .._old_checks import flag, kind, nearest, one_line
from ..garbage import no_collection
from . import knowledge
from .graph import (
    Edge,
    Frame,
    Graph,
    Node,
    Output,
    Shape,
    Weight,
    changed,
    mark_edges,
    mark_heads,
    sum_known,
)
from .windows import with_receptive_fields

# What a layer was given, in the order in which it is told.
ATTRIBUTES = (
    *("filters", "units", "kernel_size", "pool_size", "strides", "dilation_rate", "groups", "depth_multiplier"),
    *("padding", "output_padding", "cropping", "size", "interpolation", "rate", "axis", "use_bias", "activation"),
    *("data_format",),
)

# The role of a layer by the name of its class, or of the first of its base classes that says something.
ROLES = (
    (r"InputLayer", "input"),
    (r"\w*Conv[123]D(Transpose)?", "conv"),
    (r"\w*Pooling[123]D", "pool"),
    (r"Concatenate|Stack", "merge"),
    (r"Add|Subtract|Average|Maximum|Minimum|Dot", "add"),
    (r"Multiply", "activation"),  # a gate, not a sum
    (r"\w*Normalization", "norm"),
    (r"\w*Dropout[123D]*|StochasticDepth|DropPath|GaussianNoise", "dropout"),
    (r"Activation|\w*R[eE]LU|E[lL][uU]|Softmax|Sigmoid|Tanh|[gG]elu|Silu", "activation"),
    (r"\w*Dense", "dense"),
    (r"Flatten|Reshape|Permute|RepeatVector|ZeroPadding\dD|Cropping\dD|UpSampling\dD|Resizing|Rescaling", "shape"),
    (r"Functional|Sequential|Model|Function", "model"),
)


def read_graph(model: Any, *, expand_nested: bool = False, loss_weights: Mapping[str, float] | None = None) -> Graph:
    """Read a Keras model into a graph of plain values.

    Args:
        model: any built Keras model. One whose graph Keras does not know (a subclassed model) becomes one node.
        expand_nested: read the layers of nested models in the place of the models.
        loss_weights: the weight of each output's loss, by output key. By default what the model was compiled with, or
            else its attribute `loss_weights`.

    Raises:
        TypeError: `model` is no Keras model.
        ValueError: it is not built, or `loss_weights` names an output that it does not have.

    >>> x = keras.Input((8, 8, 3))
    >>> graph = read_graph(keras.Model(x, keras.layers.Conv2D(4, 3, name="stem.conv")(x)))
    >>> graph.nodes[1].path, graph.nodes[1].outputs, graph.nodes[1].parameters
    (('stem', 'conv'), ((None, 6, 6, 4),), 112)
    """
    return read("read_graph", "model", model, expand_nested=expand_nested, loss_weights=loss_weights)


@no_collection()
def read(
    function: str,
    argument: str,
    model: Any,
    *,
    expand_nested: bool = True,
    loss_weights: Mapping[str, float] | None = None,
    takes: str = "a built Keras model",
) -> Graph:
    """`read_graph`, with errors that name the function and the argument that the user gave."""
    kind(function, argument, model, keras.Model, takes)
    flag(function, "expand_nested", expand_nested)
    if not getattr(model, "built", True):
        raise ValueError(
            f"{function}: model {model.name!r} is not built, so it has no layers to show yet: "
            "call it on a batch, or model.build(input_shape), first"
        )
    reading = _Reading(expand=expand_nested)
    if has_graph(model):
        outputs = _read_functional(reading, model, None, (), ())
    elif isinstance(model, keras.Sequential):
        outputs = _read_chain(reading, model)
    else:
        outputs = [_add_node(reading, model, None, (), (), [], [])[0]]
    graph = Graph(
        name=model.name,
        kind="Sequential" if isinstance(model, keras.Sequential) else type(model).__name__,
        nodes=_number_calls(reading),
        edges=tuple(reading.edges),
        outputs=tuple(
            Output(key, tensor.node, tensor.port)
            for key, tensor in zip(output_keys(model, len(outputs)), outputs, strict=True)
        ),
        frames=tuple(reading.frames),
    )
    return mark_edges(
        mark_heads(
            with_receptive_fields(_with_loss_weights(graph, _loss_weights(function, model, graph, loss_weights)))
        )
    )


def has_graph(model: Any) -> bool:
    """Whether Keras knows the layer graph of the model: Functional, or a Sequential that could be traced."""
    if isinstance(model, keras.Sequential):
        return getattr(model, "_functional", None) is not None
    return isinstance(model, keras.Model) and isinstance(model, keras.Function)


def output_keys(model: Any, count: int) -> list[str]:
    """A name for each output: its key in a dict, the path in a nested structure, else the name of the layer."""
    if not has_graph(model):
        return [model.name] * count
    functional = model._functional if isinstance(model, keras.Sequential) else model
    paths = [path for path, _ in keras.tree.flatten_with_path(functional._outputs_struct)]
    makers = [tensor._keras_history.operation.name for tensor in model.outputs]
    return [
        ".".join(map(str, path)) if any(isinstance(part, str) for part in path) else maker
        for path, maker in zip(paths, makers, strict=True)
    ]


# -- walking ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Tensor:
    """Where a tensor comes from, and what is known of it: a KerasTensor, with the shape it has in this call."""

    node: int
    port: int
    spec: Any


@dataclass(slots=True)
class _Reading:
    """What has been read so far."""

    expand: bool
    nodes: list[Node] = field(default_factory=list)
    layers: list[int] = field(default_factory=list)  # for each node, which layer it is a call of
    edges: list[Edge] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)  # id() of a layer or variable -> running number
    alive: list[Any] = field(default_factory=list)  # keeps what `numbers` knows from giving its id() away

    def number(self, thing: Any) -> int:
        if id(thing) not in self.numbers:
            self.numbers[id(thing)] = len(self.numbers)
            self.alive.append(thing)
        return self.numbers[id(thing)]


def _calls(model: Any) -> Iterator[Any]:
    """The calls that a functional model is made of, each after those it needs, branch by branch."""
    done: set[int] = set()
    for tensor in (*model.outputs, *model.inputs):
        waiting = [(_maker(tensor), False)]
        while waiting:
            call, ready = waiting.pop()
            if id(call) in done:
                continue
            if ready or call.is_input:
                done.add(id(call))
                yield call
                continue
            waiting.append((call, True))
            waiting.extend((_maker(t), False) for t in reversed(call.input_tensors) if t._keras_history.operation)


def _maker(tensor: Any) -> Any:
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def _read_functional(
    reading: _Reading, model: Any, feeds: list[_Tensor] | None, prefix: tuple[str, ...], frames: tuple[int, ...]
) -> list[_Tensor]:
    """Add the calls inside a model that has a graph; `feeds` are what it is called on, None for the outermost."""
    sequential = isinstance(model, keras.Sequential)
    model = model._functional if sequential else model
    entries = {id(tensor): i for i, tensor in enumerate(model.inputs)}
    anew = feeds is not None and any(f.spec.shape != t.shape for f, t in zip(feeds, model.inputs, strict=True))
    known: dict[int, _Tensor] = {}
    for call in _calls(model):
        if feeds is not None and id(call.outputs[0]) in entries:
            made = [feeds[entries[id(call.outputs[0])]]]
            if not sequential:  # Keras does not count a Sequential's own input among its layers
                made = _add_node(reading, call.operation, call, prefix, frames, made, [made[0].spec])
        else:
            received = [known[id(t)] for t in call.input_tensors]
            specs = _infer(call, {id(t): known[id(t)].spec for t in call.input_tensors}) if anew else call.outputs
            made = _read_call(reading, call, prefix, frames, received, specs)
        known.update(zip(map(id, call.outputs), made, strict=True))
    return [known[id(tensor)] for tensor in model.outputs]


def _infer(call: Any, specs: dict[int, Any]) -> Sequence[Any]:
    """What a call returns on other shapes than the model was defined with."""
    try:
        args, kwargs = call.arguments.fill_in(specs)
        return keras.tree.flatten(call.operation.compute_output_spec(*args, **kwargs))
    except Exception:  # any layer may refuse; then what is written in the model has to do
        return call.outputs


def _read_call(
    reading: _Reading,
    call: Any,
    prefix: tuple[str, ...],
    frames: tuple[int, ...],
    received: list[_Tensor],
    specs: Sequence[Any],
) -> list[_Tensor]:
    operation = call.operation
    if not (reading.expand and has_graph(operation) and len(received) == len(operation.inputs)):
        return _add_node(reading, operation, call, prefix, frames, received, specs)
    path = prefix + _path(operation)
    frame = Frame(len(reading.frames), path)
    reading.frames.append(frame)
    return _read_functional(reading, operation, received, path, (*frames, frame.id))


def _read_chain(reading: _Reading, model: Any) -> list[_Tensor]:
    """A Sequential that Keras could not trace: its layers in a row, with no shapes."""
    made: list[_Tensor] = []
    for layer in model.layers:
        made = _add_node(reading, layer, None, (), (), made, [None])
    return made


def _add_node(
    reading: _Reading,
    operation: Any,
    call: Any,
    prefix: tuple[str, ...],
    frames: tuple[int, ...],
    received: Sequence[_Tensor],
    specs: Sequence[Any],
) -> list[_Tensor]:
    """Add one call of one layer, and the edges to it."""
    number = len(reading.nodes)
    inputs = tuple(_shape(t.spec) for t in received if t.spec is not None)
    outputs = tuple(_shape(spec) for spec in specs if spec is not None)
    if call is None and not inputs:
        inputs = _built_on(operation)
    arguments = getattr(call, "arguments", None)
    asked = knowledge.Call(operation, inputs, outputs, getattr(arguments, "args", ()), getattr(arguments, "kwargs", {}))
    weights = getattr(operation, "weights", ())
    trainable = {id(w) for w in getattr(operation, "trainable_weights", ())} if weights else ()
    reading.layers.append(reading.number(operation))
    reading.nodes.append(
        Node(
            id=number,
            path=prefix + _path(operation),
            kind=type(operation).__name__,
            role=_role(operation),
            attributes=_attributes(operation),
            inputs=inputs,
            outputs=outputs,
            dtypes=tuple(str(spec.dtype) for spec in specs if spec is not None),
            trainable=bool(operation.trainable) if weights and hasattr(operation, "trainable") else None,
            weights=tuple(Weight(reading.number(w), _size(w), id(w) in trainable) for w in weights),
            multiply_adds=_count(operation, received, asked),
            windows=knowledge.windows_of(asked),
            frames=frames,
        )
    )
    reading.edges.extend(
        Edge(tensor.node, number, tensor.port, port, None if tensor.spec is None else _shape(tensor.spec))
        for port, tensor in enumerate(received)
    )
    return [_Tensor(number, port, spec) for port, spec in enumerate(specs or [None])]


def _count(operation: Any, received: Sequence[_Tensor], asked: knowledge.Call) -> int | None:
    if callable(getattr(operation, "multiply_adds", None)) or not isinstance(operation, keras.Model):
        return knowledge.multiply_adds(asked)
    if not has_graph(operation) or len(received) not in (0, len(operation.inputs)):
        return None
    inside = _Reading(expand=True)
    _read_functional(inside, operation, list(received) or None, (), ())
    return sum_known(node.multiply_adds for node in inside.nodes)


def _number_calls(reading: _Reading) -> tuple[Node, ...]:
    """The nodes, each told which call of how many it is."""
    calls, seen = Counter(reading.layers), Counter[int]()
    nodes = []
    for node, layer in zip(reading.nodes, reading.layers, strict=True):
        seen[layer] += 1
        nodes.append(node if calls[layer] == 1 else changed(node, call=(seen[layer], calls[layer])))
    return tuple(nodes)


# -- one layer --------------------------------------------------------------------------------------------------------


def _path(operation: Any) -> tuple[str, ...]:
    return tuple(str(operation.name).split("."))


def _shape(spec: Any) -> Shape:
    return tuple(spec.shape)


def _size(weight: Any) -> int:
    size = 1
    for length in weight.shape:
        size *= length
    return size


def _role(operation: Any) -> str:
    kind_of: Any = type(operation)
    return _role_of(kind_of)


@functools.lru_cache(maxsize=1024)
def _role_of(kind: type) -> str:
    names = [c.__name__ for c in kind.__mro__]
    return next((role for name in names for pattern, role in ROLES if re.fullmatch(pattern, name)), "other")


def _attributes(operation: Any) -> tuple[tuple[str, object], ...]:
    if isinstance(operation, keras.Model):
        return ()
    given = ((name, getattr(operation, name, None)) for name in ATTRIBUTES)
    return tuple((name, _plain(value)) for name, value in given if value is not None)


def _plain(value: Any) -> object:
    """A value that can be compared and printed: functions and objects by their name."""
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    if isinstance(value, str | int | float):
        return value
    return str(getattr(value, "name", None) or getattr(value, "__name__", None) or type(value).__name__)


def _built_on(model: Any) -> tuple[Shape, ...]:
    """The input shape that a model without a graph was built on, if it remembers one."""
    config: Any = getattr(model, "get_build_config", dict)() or {}
    shape = config.get("input_shape")
    plain = isinstance(shape, list | tuple) and all(size is None or isinstance(size, int) for size in shape)
    return (tuple(shape),) if shape and plain else ()


# -- loss weights -----------------------------------------------------------------------------------------------------


def _loss_weights(function: str, model: Any, graph: Graph, given: Mapping[str, float] | None) -> Mapping[str, float]:
    keys = [output.key for output in graph.outputs]
    if given is not None:
        return _checked(function, given, keys)
    found = _compiled_loss_weights(model)
    if found is None:
        found = getattr(model, "loss_weights", None)
    if isinstance(found, list | tuple) and len(found) == len(keys):
        return dict(zip(keys, found, strict=True))
    return found if isinstance(found, Mapping) else {}


def _compiled_loss_weights(model: Any) -> Any:
    try:
        return (model.get_compile_config() or {}).get("loss_weights")
    except Exception:  # an optimizer or a loss that cannot be written down: no reason not to draw
        return None


def _checked(function: str, given: Mapping[str, float], keys: Sequence[str]) -> Mapping[str, float]:
    if not isinstance(given, Mapping):
        raise TypeError(f"{function}: loss_weights={one_line(given)}: it takes a dict of numbers by output, or None")
    for key, weight in given.items():
        if key not in keys:
            raise ValueError(
                f"{function}: loss_weights names the output {key!r}: it takes {', '.join(map(repr, keys))}"
                + nearest(key, keys)
            )
        if not isinstance(weight, int | float):
            raise TypeError(f"{function}: loss_weights[{key!r}]={one_line(weight)}: it takes a number")
    return given


def _with_loss_weights(graph: Graph, weights: Mapping[str, float]) -> Graph:
    return changed(graph, outputs=tuple(changed(o, loss_weight=_number(weights.get(o.key))) for o in graph.outputs))


def _number(weight: Any) -> float | None:
    """A model may have been compiled with whatever Keras can multiply by."""
    try:
        return float(weight)
    except (TypeError, ValueError):
        return None
