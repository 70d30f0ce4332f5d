"""From a live Keras model to a `Graph`."""

from __future__ import annotations

import functools
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import keras

from .. import _keras, checks
from ..garbage import no_collection
from . import rules
from .calls import calls, has_graph
from .equality import Configuration, configuration
from .file_reading import MISSING, SEQUENTIAL, structure_of
from .graph import (
    AT_EACH_STEP,
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
from .naming import scoped
from .receptive_fields import with_receptive_fields
from .rewrite import mark_masks
from .scales import with_scales
from .tracing import Trace, has_layers_inside, paths_inside, tracing
from .wrappers import Inside, inside_of

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


# Roles that no name of a class tells.
_OWN_ROLES = frozenset({"attention", "recurrent", "embedding"})


@checks.public
def read_graph(
    model: Any,
    *,
    expand_nested: bool = False,
    loss_weights: Mapping[str, float] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Graph:
    """Read a Keras model into a graph of plain values.

    Args:
        model: any built Keras model; of a subclassed one its `call` is followed. Or a `.keras`, `.h5` or JSON file
            (`model.to_json()`): its structure is read without its weights, and nothing of it is executed.
        expand_nested: read the layers of nested models in the place of the models.
        loss_weights: the weight of each output's loss, by output key. By default what the model was compiled with, or
            else its attribute `loss_weights`.
        custom_objects: classes and functions that a file needs, by the names that they are saved under. What is neither
            there nor registered with Keras is read from the configuration alone; then the graph is not `verified`.

    Raises:
        TypeError: `model` is no Keras model.
        ValueError: it is not built, or `loss_weights` names an output that it does not have.

    >>> x = keras.Input((8, 8, 3))
    >>> graph = read_graph(keras.Model(x, keras.layers.Conv2D(4, 3, name="stem.conv")(x)))
    >>> graph.nodes[1].path, graph.nodes[1].outputs, graph.nodes[1].parameters
    (('stem', 'conv'), ((None, 6, 6, 4),), 112)
    """
    expand_nested = checks.flag("expand_nested", expand_nested)
    if not isinstance(model, str | os.PathLike):
        return _read(model, "model", "a built Keras model, or a file of one", expand_nested, loss_weights)
    held, verified = structure_of(model, custom_objects)
    return changed(_read(held, "model", "a built Keras model", expand_nested, loss_weights), verified=verified)


@dataclass(frozen=True, slots=True)
class Calls:
    """The graph of a model, the call that each node is, if it is one of Keras's own, and where each tensor comes from.

    `tensors` are those of the outermost model, by `id`; they live as long as the model.
    """

    graph: Graph
    calls: Sequence[Any]
    tensors: Mapping[int, tuple[int, int]]


def read_calls(model: Any, must_be: str) -> Calls:
    """A model with the calls that it is made of."""
    reading = _Reading(expand=True)
    graph = _read(model, "model", must_be, True, None, reading)
    return Calls(graph, reading.calls, reading.tensors)


def graph_of(model: Any, argument: str = "model", loss_weights: Mapping[str, float] | None = None) -> Graph:
    """The graph of a model, or of the one that a file holds, with all layers inside; a graph itself as it is."""
    if isinstance(model, Graph):
        return model
    must_be = "a built Keras model, a file of one, or a Graph"
    if not _is_file(model):
        return _read(model, argument, must_be, True, loss_weights)
    held, verified = structure_of(model, argument=argument)
    return changed(_read(held, argument, must_be, True, loss_weights), verified=verified)


def _is_file(model: Any) -> bool:
    """Whether it is a path, or text that is one."""
    if not isinstance(model, str):
        return isinstance(model, os.PathLike)
    return model.endswith((".keras", ".h5", ".hdf5", ".json"))


@no_collection()
@_keras.tensorflow_once_imported()
def _read(
    model: Any,
    argument: str,
    must_be: str,
    expand_nested: bool,
    loss_weights: Mapping[str, float] | None,
    reading: _Reading | None = None,
) -> Graph:
    checks.instance(argument, model, keras.Model, must_be)
    if not getattr(model, "built", True):
        raise checks.complaint(
            f"{argument} {model.name!r} is not built, so it has no layers to show yet: "
            "call it on a batch, or model.build(input_shape), first"
        )
    reading = reading or _Reading(expand=expand_nested)
    keys: list[str] | None = None
    if has_graph(model):
        outputs = _read_functional(reading, model, None, (), ())
    elif isinstance(model, keras.Sequential):
        outputs = _read_chain(reading, model)
    else:
        outputs, keys = _read_subclassed(reading, model, argument)
    keys = keys or output_keys(model, len(outputs))
    graph = Graph(
        name=model.name,
        kind="Sequential" if _is_chain(model) else type(model).__name__,
        nodes=_number_calls(reading),
        edges=tuple(reading.edges),
        outputs=tuple(Output(key, tensor.node, tensor.port) for key, tensor in zip(keys, outputs, strict=True)),
        frames=tuple(reading.frames),
        **_left_over(reading, model),
    )
    graph = _with_loss_weights(mark_masks(graph), _loss_weights(model, graph, loss_weights))
    return mark_edges(mark_heads(with_scales(with_receptive_fields(graph))))


def output_keys(model: Any, count: int) -> list[str]:
    """A name for each output: its key in a dict, the path in a nested structure, else the name of the layer."""
    if not has_graph(model):
        return [model.name] * count
    makers = [_keras.call_of(tensor).operation.name for tensor in model.outputs]
    return makers if isinstance(model, keras.Sequential) else _keys(model.output, makers)


def _keys(outputs: Any, makers: Sequence[str]) -> list[str]:
    paths = [path for path, _ in keras.tree.flatten_with_path(outputs)]
    return [
        ".".join(map(str, path)) if any(isinstance(part, str) for part in path) else maker
        for path, maker in zip(paths, makers, strict=True)
    ]


def _read_subclassed(reading: _Reading, model: Any, argument: str) -> tuple[list[_Tensor], list[str] | None]:
    """Add what the `call` of a model does; where it cannot be followed, one node that says why."""
    with tracing(model) as trace:
        if trace.unbuilt:
            raise checks.complaint(
                f"{argument} {model.name!r} is built in part only: {', '.join(map(repr, trace.unbuilt[:3]))} has no "
                "weights yet: call the model on a batch first"
            )
        if trace.failure:
            return _add_node(reading, model, None, (), (), [], [], closed=trace.failure), None
        feeds = []
        for tensor in trace.inputs:
            call = _keras.call_of(tensor)
            spec = _of_any_number(tensor, trace.examples)
            feeds += _add_node(reading, call.operation, call, (), (), [], [spec])
        outputs = _read_traced(reading, model, trace, feeds, (), ())
        return outputs, _keys(trace.result, [reading.nodes[tensor.node].name for tensor in outputs])


def _left_over(reading: _Reading, model: Any) -> dict[str, Any]:
    """The layers that a model keeps and does not call, and weights of its opened layers that no node has."""
    if type(model).__module__.startswith("keras.") and not reading.opened:
        return {}
    is_opened = any(owner is model for owner, _ in reading.opened)
    if id(model) in reading.called and not is_opened:  # what it calls is not known
        return {}
    seen = {weight.id for node in reading.nodes for weight in node.weights}
    nodes = len(reading.nodes)
    unused = [
        (path, layer)
        for owner, prefix in {id(owner): (owner, prefix) for owner, prefix in [(model, ()), *reading.opened]}.values()
        for path, layer in _not_called(reading, owner, prefix)
    ]
    for path, layer in unused:
        _add_node(reading, layer, None, path[:-1], (), [], [], name=path[-1:])
    found = tuple(reading.nodes[nodes:])
    del reading.nodes[nodes:], reading.layers[nodes:], reading.calls[nodes:]
    seen |= {weight.id for node in found for weight in node.weights}
    owned = (_weight(reading, w, True) for w in model.weights)
    return {"unused": found, "loose": tuple(weight for weight in owned if weight.id not in seen)}


def _not_called(reading: _Reading, owner: Any, prefix: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    paths = paths_inside(owner)
    for layer in _keras.sublayers(owner, deep=False):
        inside = [layer, *_keras.sublayers(layer)]
        if not any(id(one) in reading.called for one in inside):
            yield prefix + paths.get(id(layer), (str(layer.name),)), layer


# -- walking ----------------------------------------------------------------------------------------------------------


_ONE = Fraction(1)


@dataclass(frozen=True, slots=True)
class _Tensor:
    """Where a tensor comes from, and what is known of it: a KerasTensor, with the shape it has in this call.

    `rows` are how many rows of its first axis one example has, as where windows of an image are put there; None where
    that is not known.
    """

    node: int
    port: int
    spec: Any
    rows: Fraction | None = _ONE


@dataclass(slots=True)
class _Reading:
    """What has been read so far."""

    expand: bool
    nodes: list[Node] = field(default_factory=list)
    layers: list[int] = field(default_factory=list)  # for each node, which layer it is a call of
    calls: list[Any] = field(default_factory=list)  # for each node, its call, if Keras knows it
    tensors: dict[int, tuple[int, int]] = field(default_factory=dict)  # id() of those of the outermost model
    edges: list[Edge] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    facts: dict[tuple[Any, ...], _Facts] = field(default_factory=dict)  # by id() of a configuration, and shapes
    numbers: dict[int, int] = field(default_factory=dict)  # id() of a layer or variable -> running number
    alive: list[Any] = field(default_factory=list)  # keeps what `numbers` knows from giving its id() away
    called: set[int] = field(default_factory=set)  # id() of all layers that are nodes or were opened
    opened: list[tuple[Any, tuple[str, ...]]] = field(default_factory=list)  # whose `call` was followed, and its path
    paths: list[Mapping[int, tuple[str, ...]]] = field(default_factory=list)  # what layers are called, innermost last

    def number(self, thing: Any) -> int:
        number = self.numbers.setdefault(id(thing), len(self.alive))
        if number == len(self.alive):
            self.alive.append(thing)
        return number


def _read_functional(
    reading: _Reading, model: Any, feeds: list[_Tensor] | None, prefix: tuple[str, ...], frames: tuple[int, ...]
) -> list[_Tensor]:
    """Add the calls inside a model that has a graph; `feeds` are what it is called on, None for the outermost."""
    sequential = _is_chain(model)
    entries = {id(tensor): i for i, tensor in enumerate(model.inputs)}
    anew = feeds is not None and any(map(_other_shape, feeds, model.inputs))
    known: dict[int, _Tensor] = {}
    order = calls([*model.outputs, *model.inputs])
    reading.paths.append(scoped((call.operation.name for call in order), (id(call.operation) for call in order)))
    for call in order:
        if feeds is not None and id(call.outputs[0]) in entries:
            made = [feeds[entries[id(call.outputs[0])]]]
            if not sequential:  # Keras does not count a Sequential's own input among its layers
                made = _add_node(reading, call.operation, call, prefix, frames, made, [made[0].spec])
        else:
            received = [known[id(t)] for t in call.input_tensors]
            specs = _infer(call, {id(t): known[id(t)].spec for t in call.input_tensors}) if anew else call.outputs
            made = _read_call(reading, call, prefix, frames, received, specs)
        known.update(zip(map(id, call.outputs), made, strict=True))
    reading.paths.pop()
    if feeds is None:
        reading.tensors = {key: _place(tensor) for key, tensor in known.items()}
    return [known[id(tensor)] for tensor in model.outputs]


def _other_shape(feed: _Tensor, tensor: Any) -> bool:
    return feed.spec is None or feed.spec.shape != tensor.shape


def _infer(call: Any, specs: dict[int, Any]) -> Sequence[Any]:
    """What a call returns on other shapes than the model was defined with."""
    try:
        return _keras.infer_again(call, specs)
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
    if not reading.expand:
        return _add_node(reading, operation, call, prefix, frames, received, specs)
    if has_graph(operation) and len(received) == len(operation.inputs):
        path = prefix + _named(reading, operation)
        reading.called.add(id(operation))
        frame = _frame(reading, path)
        return _read_functional(reading, operation, received, path, (*frames, frame.id))
    if type(operation) is keras.layers.TimeDistributed and _of_rank(received, specs):
        return _read_every_step(reading, call, prefix, frames, received, specs)
    if not has_layers_inside(operation):
        if (inside := _inside(call, received, specs)) is not None:
            return _read_inside(reading, call, inside, prefix, frames, received, specs)
        return _add_node(reading, operation, call, prefix, frames, received, specs)
    with tracing(operation, call) as trace:
        if trace.failure or len(trace.outputs) != len(specs) or len(trace.inputs) != len({*map(_place, received)}):
            why = trace.failure or "its call does not return what it returned before"
            return _add_node(reading, operation, call, prefix, frames, received, specs, closed=why)
        path = prefix + _named(reading, operation)
        frame = _frame(reading, path)
        feeds = list({_place(tensor): tensor for tensor in received}.values())
        return _read_traced(reading, operation, trace, feeds, path, (*frames, frame.id))


def _of_rank(received: Sequence[_Tensor], specs: Sequence[Any]) -> bool:
    """Whether it is one tensor that has steps, and known to be, with a mask of these or none."""
    return (
        0 < len(received) < 3 and len(specs) == 1 and received[0].spec is not None and len(received[0].spec.shape) > 2
    )


def _read_every_step(
    reading: _Reading,
    call: Any,
    prefix: tuple[str, ...],
    frames: tuple[int, ...],
    received: list[_Tensor],
    specs: Sequence[Any],
) -> list[_Tensor]:
    """Add the layers of what is applied to every step, with the shapes, windows and work of all steps."""
    path, layer = prefix + _named(reading, call.operation), call.operation.layer
    tensor, *masks = received
    steps = tensor.spec.shape[1]
    entering = keras.KerasTensor(_without_steps(tensor.spec.shape), tensor.spec.dtype)
    one = _Tensor(tensor.node, tensor.port, entering, tensor.rows)
    nodes, edges = len(reading.nodes), len(reading.edges)
    alone = not (has_graph(layer) and len(layer.inputs) == len(layer.outputs) == 1)
    frame = _frame(reading, path, call.operation if alone else None)
    reading.called |= {id(call.operation), id(layer)}
    if alone:
        entering = keras.KerasTensor(one.spec.shape, one.spec.dtype)
        leaving = keras.KerasTensor(_without_steps(specs[0].shape), specs[0].dtype)
        inside = SimpleNamespace(
            operation=layer,
            arguments=SimpleNamespace(args=(entering,), kwargs={}),
            input_tensors=[entering],
            outputs=[leaving],
            is_input=False,
        )
        (made,) = _read_call(reading, inside, path, (*frames, frame.id), [one], [leaving])
    else:
        (made,) = _read_functional(reading, layer, [one], path, (*frames, frame.id))
    reading.nodes[nodes:] = [_of_all_steps(node, steps) for node in reading.nodes[nodes:]]
    reading.calls[nodes:] = [None] * (len(reading.nodes) - nodes)
    if alone and len(reading.nodes) == nodes + 1:
        only = reading.nodes[nodes]
        whole = Node(0, path, only.kind, only.role, only.attributes, words=only.words)
        reading.frames[frame.id] = changed(frame, whole=whole)
    reading.edges[edges:] = [
        edge if edge.shape is None else changed(edge, shape=_with_steps(edge.shape, steps))
        for edge in reading.edges[edges:]
    ]
    for mask in masks if len(reading.nodes) > nodes else ():
        _also_masked(reading, nodes, mask)
    return [_Tensor(made.node, made.port, specs[0], made.rows)]


def _frame(reading: _Reading, path: tuple[str, ...], wrapper: Any = None) -> Frame:
    """A new frame; around what is inside of a wrapper, one that says what the wrapper is."""
    whole = None
    if wrapper is not None:
        whole = Node(0, path, type(wrapper).__name__, _role(wrapper), words=_words(wrapper))
    frame = Frame(len(reading.frames), path, whole=whole)
    reading.frames.append(frame)
    return frame


def _inside(call: Any, received: Sequence[_Tensor], specs: Sequence[Any]) -> Inside | None:
    if any(tensor.spec is None for tensor in received) or not all(map(_keras.has_shape, specs)):
        return None
    asked = _asked(call.operation, call, [_shape(t.spec) for t in received], [_shape(spec) for spec in specs])
    return inside_of(asked, _carried(asked, len(received)))


def _read_inside(
    reading: _Reading,
    call: Any,
    inside: Inside,
    prefix: tuple[str, ...],
    frames: tuple[int, ...],
    received: list[_Tensor],
    specs: Sequence[Any],
) -> list[_Tensor]:
    """Add the parts of a layer that wraps others."""
    path = prefix + _named(reading, call.operation)
    reading.called |= {id(one) for one in (call.operation, *_keras.sublayers(call.operation))}
    frame = _frame(reading, path, call.operation)
    made: list[list[_Tensor]] = []
    dtype = specs[0].dtype
    for part in inside.parts:
        feeds = [received[port] if number < 0 else made[number][port] for (number, port), _ in part.inputs]
        carried = [carries for _, carries in part.inputs]
        shapes = [keras.KerasTensor(shape, dtype) for shape in part.outputs]
        made.append(
            _add_node(
                *(reading, part.operation, None, path, (*frames, frame.id), feeds, shapes),
                name=(part.name,),
                asked=part.asked,
                carried=carried,
                more=part.configuration,
            )
        )
    places = [made[number][port] for number, port in inside.outputs]
    return [_Tensor(place.node, place.port, spec, place.rows) for place, spec in zip(places, specs, strict=True)]


def _also_masked(reading: _Reading, number: int, mask: _Tensor) -> None:
    """Let a layer that is applied to every step have the mask that says which steps count."""
    node = reading.nodes[number]
    if isinstance(node.windows, rules.Regrouped):  # which makes no difference to it
        return
    shape = _shape(mask.spec)
    each = tuple(rules.Along(axis) for axis in range(len(shape)))
    windows = (*node.windows, each) if isinstance(node.windows, tuple) else node.windows
    reading.edges.append(Edge(mask.node, number, mask.port, len(node.inputs), shape, carries="mask"))
    reading.nodes[number] = changed(node, inputs=(*node.inputs, shape), windows=windows)


def _without_steps(shape: Sequence[int | None]) -> Shape:
    return (shape[0], *shape[2:])


def _with_steps(shape: Shape, steps: int | None) -> Shape:
    return (shape[0], steps, *shape[1:])


def _of_all_steps(node: Node, steps: int | None) -> Node:
    work = node.multiply_adds
    return changed(
        node,
        inputs=tuple(_with_steps(shape, steps) for shape in node.inputs),
        outputs=tuple(_with_steps(shape, steps) for shape in node.outputs),
        attributes=node.attributes if node.get(AT_EACH_STEP) else (*node.attributes, (AT_EACH_STEP, True)),
        multiply_adds=0 if work == 0 else None if work is None or steps is None else work * steps,
        windows=node.windows if node.windows is None else rules.with_steps(node.windows),
    )


def _is_chain(model: Any) -> bool:
    return isinstance(model, keras.Sequential) or bool(getattr(model, SEQUENTIAL, False))


def _place(tensor: _Tensor) -> tuple[int, int]:
    return tensor.node, tensor.port


def _read_traced(
    reading: _Reading,
    layer: Any,
    trace: Trace,
    feeds: Sequence[_Tensor],
    prefix: tuple[str, ...],
    frames: tuple[int, ...],
) -> list[_Tensor]:
    """Add the calls inside a layer whose `call` was followed."""
    reading.called.add(id(layer))
    reading.opened.append((layer, prefix))
    reading.paths.append(trace.paths or {})
    nodes = len(reading.nodes)
    known = dict(zip(map(id, trace.inputs), feeds, strict=True))
    for call in calls(trace.outputs):
        if id(call.outputs[0]) not in known:
            received = [known[id(t)] for t in call.input_tensors]
            specs = [_of_any_number(spec, trace.examples) for spec in call.outputs]
            made = _read_call(reading, call, prefix, frames, received, specs)
            known.update(zip(map(id, call.outputs), made, strict=True))
    reading.paths.pop()
    if trace.examples is not None:
        own = ((n, n.words.replace(str(trace.examples), "?")) for n in reading.nodes[nodes:])
        reading.nodes[nodes:] = [node if words == node.words else changed(node, words=words) for node, words in own]
    return [known[id(tensor)] for tensor in trace.outputs]


def _of_any_number(spec: Any, examples: int | None) -> Any:
    """A tensor that was followed for so many examples, for any number of them."""
    if examples is None or not _keras.has_shape(spec) or spec.shape[:1] != (examples,):
        return spec
    return keras.KerasTensor((None, *spec.shape[1:]), spec.dtype)


def _named(reading: _Reading, operation: Any) -> tuple[str, ...]:
    """What an operation is called where it is read: the attribute it is kept as, or its own name."""
    known = reading.paths[-1].get(id(operation)) if reading.paths else None
    return known or (str(operation.name),)


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
    closed: str = "",
    name: tuple[str, ...] = (),
    asked: rules.Call | None = None,
    carried: Sequence[str] | None = None,
    more: Configuration = (),
) -> list[_Tensor]:
    """Add one call of one layer, and the edges to it."""
    reading.called.add(id(operation))
    number = len(reading.nodes)
    specs = [spec if _keras.has_shape(spec) else None for spec in specs]
    inputs = tuple([_shape(t.spec) for t in received if t.spec is not None])
    outputs = tuple([_shape(spec) for spec in specs if spec is not None])
    if call is None and not inputs:
        inputs = _built_on(operation)
    configured = configuration(operation, call) + more
    known = reading.facts.get((id(configured), inputs, outputs)) if len(inputs) == len(received) == 1 else None
    facts = known or _facts(operation, received, asked or _asked(operation, call, inputs, outputs), configured)
    if known is None and asked is None and not isinstance(facts.windows, rules.Unknown):
        reading.facts[id(configured), inputs, outputs] = facts
    rows = _rows(operation, received, facts.windows, inputs, outputs)
    weights = getattr(operation, "weights", None)
    if weights is None:  # an operation has those that it was called with
        given = keras.tree.flatten((call.arguments.args, call.arguments.kwargs)) if call is not None else ()
        weights = [value for value in given if isinstance(value, keras.Variable)]
    trainable = bool(getattr(operation, "trainable", True)) if weights else None
    reading.layers.append(reading.number(operation))
    reading.calls.append(call)
    reading.nodes.append(
        Node(
            id=number,
            path=prefix + (name or _named(reading, operation)),
            kind=type(operation).__name__,
            role=facts.role,
            attributes=facts.attributes,
            configuration=configured,
            inputs=inputs,
            outputs=outputs,
            dtypes=tuple([str(spec.dtype) for spec in specs if spec is not None]),
            trainable=trainable,
            weights=tuple([_weight(reading, w, bool(trainable)) for w in weights]),
            multiply_adds=_of_all_rows(facts.multiply_adds, received, rows),
            windows=facts.windows,
            frames=frames,
            closed=closed or getattr(operation, MISSING, ""),
            unbuilt=call is not None and isinstance(operation, keras.Layer) and not operation.built,
            words=facts.words,
            symbol=rules.entry_of(operation).symbol,
        )
    )
    if carried is None and len(received) > 1:
        carried = _carried(asked or _asked(operation, call, inputs, outputs), len(received))
    carried = carried or ("data",) * len(received)
    for port, (tensor, carries) in enumerate(zip(received, carried, strict=True)):
        shape = None if tensor.spec is None else _shape(tensor.spec)
        reading.edges.append(Edge(tensor.node, number, tensor.port, port, shape, carries=carries))
    return [_Tensor(number, port, spec, rows) for port, spec in enumerate(specs or [None])]


def _rows(
    operation: Any,
    received: Sequence[_Tensor],
    windows: rules.Windows | rules.Unknown,
    inputs: Sequence[Shape],
    outputs: Sequence[Shape],
) -> Fraction | None:
    """How many rows of the first axis of what a call gives are of one example."""
    kind = type(operation).__name__
    if kind == "Concatenate" and outputs and operation.axis in (0, -len(outputs[0])):
        each_rows = [tensor.rows for tensor in received if tensor.rows is not None]
        return sum(each_rows, Fraction(0)) if len(each_rows) == len(received) else None
    if isinstance(operation, keras.Layer) and all(tensor.rows is _ONE for tensor in received):
        return _ONE  # a layer leaves the examples apart
    if kind == "Reshape" and len(received) == len(inputs) == len(outputs) == 1 and received[0].rows is not None:
        return _regrouped_rows(received[0].rows, inputs[0], outputs[0])
    found = set[Fraction | None]()
    each = windows.each[0] if isinstance(windows, rules.PerOutput) else windows
    for number, tensor in enumerate(received):
        if not isinstance(each, tuple):
            found.add(tensor.rows)
            continue
        first = each[number][:1] if number < len(each) else ()
        if first and first[0].reads is not None and inputs[number][0] != 1:
            kept = first[0].axis == 0 and first[0] == rules.Along(0)
            found.add(tensor.rows if kept else None if inputs[number][0] is None else _ONE)
    return found.pop() if len(found) == 1 else None if found else _ONE


def _regrouped_rows(rows: Fraction, before: Shape, after: Shape) -> Fraction | None:
    """After a reshape, which may make rows of what is in one."""
    if before[:1] == after[:1] and before[1:] == after[1:]:
        return rows
    if None in before[1:] or None in after[1:]:
        return None if before[1:].count(None) != after[1:].count(None) else rows
    inside, left = prod(n or 0 for n in before[1:]), prod(n or 0 for n in after[1:])
    made = rows * Fraction(inside, left) if left else None
    return _ONE if made == 1 else made


def _of_all_rows(work: int | None, received: Sequence[_Tensor], made: Fraction | None) -> int | None:
    """The work for one example of what is counted for one row."""
    if not work:
        return work
    rows = {tensor.rows for tensor in received} or {made}
    if len(rows) > 1:
        rows = {made}
    (one,) = rows
    return None if one is None or (work * one).denominator != 1 else int(work * one)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is the same for all calls of layers of one configuration on inputs of one shape, which is kept with it."""

    configured: Configuration
    role: str
    attributes: tuple[tuple[str, object], ...]
    multiply_adds: int | None
    windows: rules.Windows | rules.Unknown
    words: str


def _facts(operation: Any, received: Sequence[_Tensor], asked: rules.Call, configured: Configuration) -> _Facts:
    return _Facts(
        configured,
        _role(operation),
        _attributes(operation),
        _count(operation, received, asked),
        rules.windows_of(asked),
        _words(operation, asked),
    )


def _asked(operation: Any, call: Any, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> rules.Call:
    given = getattr(call, "arguments", None)
    return rules.Call(
        operation, tuple(inputs), tuple(outputs), getattr(given, "args", ()), getattr(given, "kwargs", {})
    )


def _carried(call: rules.Call, count: int) -> Sequence[str]:
    """What each input of a call is for."""
    return rules.inputs_of(call) if count > 1 and count == len(call.inputs) else ("data",) * count


def _count(operation: Any, received: Sequence[_Tensor], asked: rules.Call) -> int | None:
    if callable(getattr(operation, "multiply_adds", None)) or not isinstance(operation, keras.Model):
        return rules.multiply_adds(asked)
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


def _shape(spec: Any) -> Shape:
    return tuple(spec.shape)


def _weight(reading: _Reading, weight: Any, trainable: bool) -> Weight:
    return Weight(reading.number(weight), prod(weight.shape), trainable and bool(weight.trainable))


def _words(operation: Any, call: rules.Call | None = None) -> str:
    """What a layer or operation is, or a call of it, with its sizes; "" of one whose entry cannot tell."""
    try:
        return rules.words_of(operation) if call is None else rules.words_of_call(call)
    except Exception:  # what is wrapped may be anybody's
        return ""


def _role(operation: Any) -> str:
    kind_of: Any = type(operation)
    known = rules.entry_of(operation).role if isinstance(operation, keras.Layer) else ""
    return known if known in _OWN_ROLES else _role_of(kind_of)


@functools.lru_cache(maxsize=1024)
def _role_of(kind: type) -> str:
    names = [c.__name__ for c in kind.__mro__]
    return next((role for name in names for pattern, role in ROLES if re.fullmatch(pattern, name)), "other")


def _attributes(operation: Any) -> tuple[tuple[str, object], ...]:
    if isinstance(operation, keras.Model):
        return ()
    kind_of: Any = type(operation)
    names, read = _attributes_of(kind_of, operation)
    try:
        values = read(operation)
    except AttributeError:
        values = tuple([getattr(operation, name, None) for name in names])
    return _told(names, tuple(map(_plain, values[: len(names)])))


@functools.lru_cache(maxsize=4096)
def _told(names: tuple[str, ...], values: tuple[object, ...]) -> tuple[tuple[str, object], ...]:
    """The attributes by name; one tuple for all layers that are alike, as a network has many."""
    return tuple([(name, value) for name, value in zip(names, values, strict=True) if value is not None])


_Getter = Callable[[Any], tuple[Any, ...]]
_ATTRIBUTES_OF: dict[type, tuple[tuple[str, ...], _Getter]] = {}


def _attributes_of(kind: type, operation: Any) -> tuple[tuple[str, ...], _Getter]:
    """Which of `ATTRIBUTES` a layer has, and what reads these; those of a kind of Keras's are looked up once."""
    if kind in _ATTRIBUTES_OF:
        return _ATTRIBUTES_OF[kind]
    names = tuple(name for name in ATTRIBUTES if hasattr(operation, name))
    found = names, attrgetter(*names, "__class__", "__class__")  # of one name it would not be a tuple
    if kind.__module__.startswith("keras."):
        _ATTRIBUTES_OF[kind] = found
    return found


def _plain(value: Any) -> object:
    """A value that can be compared and printed: functions and objects by their name."""
    if value is None or type(value) in (str, int, bool, float):
        return value
    if type(value) is tuple and all(type(item) is int for item in value):
        return value
    if isinstance(value, list | tuple):
        return tuple([_plain(item) for item in value])
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


def _loss_weights(model: Any, graph: Graph, given: Mapping[str, float] | None) -> Mapping[str, float]:
    keys = [output.key for output in graph.outputs]
    if given is not None:
        return _checked(given, keys)
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


def _checked(given: Mapping[str, float], keys: Sequence[str]) -> Mapping[str, float]:
    checks.mapping("loss_weights", given, "a dict of numbers by output, or None")
    for key in given:
        if key not in keys:
            raise checks.unknown("loss_weights", key, keys, "output")
    return {key: checks.number(f"loss_weights[{key!r}]", weight) for key, weight in given.items()}


def _with_loss_weights(graph: Graph, weights: Mapping[str, float]) -> Graph:
    return changed(graph, outputs=tuple(changed(o, loss_weight=_number(weights.get(o.key))) for o in graph.outputs))


def _number(weight: Any) -> float | None:
    """A model may have been compiled with whatever Keras can multiply by."""
    try:
        return float(weight)
    except (TypeError, ValueError):
        return None
