"""What tells two layers apart: their whole configuration, names, seeds and initial values aside."""

from __future__ import annotations

import functools
import hashlib
import inspect
import operator
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

import keras

from .. import _keras, checks
from .rules import entry_of

if TYPE_CHECKING:
    from .graph import Graph, Node

Configuration = tuple[tuple[str, Hashable], ...]

_ASIDE = frozenset({"name", "seed", "seed_generator", "trainable", "weights", "build_config", "self"})
# What tells how wide or how large a layer is: two blocks that differ in nothing else are of one kind.
SIZES = frozenset(
    (
        *("filters", "units", "strides", "groups", "depth_multiplier", "rate", "output_padding", "key_dim"),
        *("value_dim", "target_shape", "newshape", "shape", "input_dim", "output_dim", "batch_shape"),
    )
)


@dataclass(frozen=True, slots=True, eq=False)
class Opaque:
    """A value equal to itself alone, as nothing says what it does: a lambda, a layer without a configuration."""

    value: Any
    why: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)

    def __repr__(self) -> str:
        return f"<{self.why}>"


def configuration(operation: Any, call: Any = None) -> Configuration:
    """What tells a layer or operation, or one call of it, from another, as pairs of names and plain values.

    Args:
        operation: a Keras layer or operation.
        call: one of its calls, whose arguments count too: of `x * 2.0`, the number.

    >>> import keras
    >>> a, b = (configuration(keras.layers.TimeDistributed(keras.layers.Dense(2, act))) for act in ("relu", "tanh"))
    >>> a == b
    False
    """
    kind: Any = type(operation)
    own: Configuration
    if (says := entry_of(operation).configuration) is not None:
        told_apart = says(operation)
        value = Opaque(operation, "cannot be told") if told_apart is None else plain(told_apart)
        own = (("class", _class(kind)), ("configuration", value))
    elif not _is_layer(kind):
        given = sorted(vars(operation).items())
        own = (("class", _class(kind)), *[(k, plain(v)) for k, v in given if k[0] != "_" and k not in _ASIDE])
    else:
        own = _of_layer(operation, kind)
    return own if call is None else own + _arguments(call)


@checks.public
def same_kind(a: Node, b: Node, sizes: bool = True, trainable: bool = True) -> bool:
    """Tell whether two layers or blocks have the same structure; see `why_unequal` for what counts."""
    return why_unequal(a, b, sizes, trainable) is None


@checks.public
def why_unequal(a: Node, b: Node, sizes: bool = True, trainable: bool = True) -> str | None:
    """Say in what two layers or blocks differ first; None if they are equal.

    Kinds, the whole configuration, shapes in and out, dtypes, sizes of weights and the wiring inside count, names and
    the values of weights do not. What nothing can be told of is equal to itself alone.

    Args:
        a, b: nodes of a graph.
        sizes: whether widths, sizes of feature maps and strides count.
        trainable: whether it counts which weights are trained.

    >>> from .graph import Node
    >>> a, b = (Node(0, ("x",), "ReLU", "activation", configuration=(("max_value", n),)) for n in (None, 6.0))
    >>> why_unequal(a, b)
    'max_value: None, 6.0'
    """
    from .graph import a_node

    a, b = a_node(a, "a"), a_node(b, "b")
    return _why(a, b, checks.flag("sizes", sizes), checks.flag("trainable", trainable))


def _why(a: Node, b: Node, sizes: bool, trainable: bool) -> str | None:
    if a.kind != b.kind:
        return f"kind: {a.kind}, {b.kind}"
    for pairs in ("configuration", "attributes"):
        before, after = dict(getattr(a, pairs)), dict(getattr(b, pairs))
        for name in dict.fromkeys([*before, *after]):
            if (sizes or name not in SIZES) and before.get(name) != after.get(name):
                return _differs(name, before.get(name), after.get(name))
    if sizes:
        for fact in ("inputs", "outputs", "dtypes", "repeats"):
            if getattr(a, fact) != getattr(b, fact):
                return f"{fact}: {getattr(a, fact)}, {getattr(b, fact)}"
        if [w.size for w in a.weights] != [w.size for w in b.weights]:
            return f"parameters: {a.parameters}, {b.parameters}"
    if trainable and [w.trainable for w in a.weights] != [w.trainable for w in b.weights]:
        return f"trainable: {a.trainable}, {b.trainable}"
    if (a.inner is None) != (b.inner is None):
        return "inside: one is a layer, the other a block"
    if a.inner is None or b.inner is None:
        return None
    return _why_wired_differently(a.inner, b.inner, sizes, trainable)


def _why_wired_differently(a: Graph, b: Graph, sizes: bool, trainable: bool) -> str | None:
    if len(a.nodes) != len(b.nodes):
        return f"inside: {len(a.nodes)} layers, {len(b.nodes)}"
    for one, other in zip(a.nodes, b.nodes, strict=True):
        if why := _why(one, other, sizes, trainable):
            return f"{one.name}: {why}"
    return None if wires(a) == wires(b) else "the wiring inside"


def wires(graph: Graph) -> Hashable:
    """Which output of which node goes into which input of which, inside a block."""
    return (
        tuple(sorted((e.target, e.target_port, e.source, e.source_port) for e in graph.edges)),
        tuple((e.target, e.target_port, e.source) for e in graph.entries),
        tuple((o.source, o.source_port) for o in graph.outputs),
    )


def _differs(name: str, before: object, after: object) -> str:
    unclear = next((value for value in (before, after) if isinstance(value, Opaque)), None)
    if unclear is not None and isinstance(before, Opaque) == isinstance(after, Opaque):
        return f"{name}: cannot be compared, {unclear.why}"
    for inside in _pairs(before):
        was, now = _pairs(before)[inside], _pairs(after).get(inside)
        if inside in _pairs(after) and was != now:
            return _differs(f"{name}.{inside}", was, now)
    return f"{name}: {before!r}, {after!r}"


def _pairs(value: Any) -> Mapping[str, object]:
    """The pairs of a configuration within a configuration, of layers in a row by their place."""
    if not isinstance(value, tuple) or not all(isinstance(item, tuple) and item for item in value):
        return {}
    if all(len(item) == 2 and isinstance(item[0], str) for item in value):
        return dict(value)
    return {str(place): item for place, item in enumerate(value)} if all(map(_pairs, value)) else {}


# -- a layer ----------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4096)
def _is_layer(kind: Any) -> bool:
    return issubclass(kind, keras.Layer)


@functools.lru_cache(maxsize=4096)
def _class(kind: type) -> Hashable:
    name = f"{kind.__module__}.{kind.__qualname__}"
    return Opaque(kind, f"class {kind.__name__} of a function") if "<locals>" in name else name


@functools.lru_cache(maxsize=4096)
def _parameters(kind: type) -> tuple[str, ...]:
    """What `__init__` is given by name, apart from what does not count."""
    taken = inspect.signature(kind.__init__).parameters.values()  # type: ignore[misc]
    named = (p.name for p in taken if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL))
    return tuple(name for name in named if name not in _ASIDE and not name.endswith("_initializer"))


@functools.lru_cache(maxsize=4096)
def _kept(kind: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]] | None]:
    """What a layer of Keras's own keeps of what it was given, and what reads that: get_config takes long."""
    if not kind.__module__.startswith("keras."):
        return (), None
    names = _parameters(kind)
    return (*names, "dtype"), operator.attrgetter(*names, "dtype_policy.name", "__class__")


def _of_layer(layer: Any, kind: Any) -> Configuration:
    names, read = _kept(kind)
    try:
        values = read(layer)[: len(names)] if read is not None else None
    except AttributeError:
        values = None
    if values is None:
        return (("class", _class(kind)), *_of_config(layer, kind))
    return _of_values(kind, values) if _LASTING.issuperset(map(type, values)) else _of_values.__wrapped__(kind, values)


@functools.lru_cache(maxsize=4096)
def _of_values(kind: Any, values: tuple[Any, ...]) -> Configuration:
    """The configuration of a layer of Keras's own; one for all that are alike, as a network has many."""
    pairs = zip(_kept(kind)[0], values, strict=True)
    return (("class", _class(kind)), *[(n, v if type(v) in _SIMPLE else plain(v)) for n, v in pairs])


def _of_config(layer: Any, kind: type) -> Configuration:
    try:
        config = _keras.config_of(layer)
    except Exception as error:  # a layer of somebody else's: whatever it raises, it does not say
        return (("layer", Opaque(layer, f"{kind.__name__} has no configuration: {type(error).__name__}")),)
    given = [name for name in _parameters(kind) if name not in config and name != "dtype"]
    if given and not kind.__module__.startswith("keras."):
        return (("layer", Opaque(layer, f"get_config of {kind.__name__} leaves out {', '.join(given)}")),)
    found = []
    for name, value in sorted(config.items()):
        if name not in _ASIDE and not name.endswith("_initializer"):
            live = getattr(layer, name, None)
            found.append((name, plain(live if _is_live(live) else value)))
    if _has_nameless(config) and not any(isinstance(value, Opaque) for _, value in found):
        return (("layer", Opaque(layer, f"{kind.__name__} has a lambda in it")),)
    return tuple(found)


def _is_live(value: Any) -> bool:
    """Whether the attribute says more than what was written down of it: a function, a layer, some of these."""
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_is_live, value))
    kind: Any = type(value)
    return _is_function(value) or _is_layer(kind)


def _is_function(value: Any) -> bool:
    return inspect.isfunction(value) or inspect.isbuiltin(value) or inspect.ismethod(value)


def _has_nameless(value: Any) -> bool:
    """Whether a configuration has a function in it that Keras wrote down without a name."""
    if isinstance(value, Mapping):
        return value.get("class_name") == "__lambda__" or any(map(_has_nameless, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_nameless, value))
    return isinstance(value, str) and "<lambda>" in value


def _arguments(call: Any) -> Configuration:
    """What a call was given besides tensors; of these only the places."""
    args, kwargs = call.arguments.args, call.arguments.kwargs
    if len(args) == 1 and not kwargs and isinstance(args[0], keras.KerasTensor):
        return ()
    given = [(f"argument {i}", plain(value)) for i, value in enumerate(args)]
    given += [(name, plain(value)) for name, value in sorted(kwargs.items()) if value is not None]
    return tuple(pair for pair in given if pair[1] is not _TENSOR)


_TENSOR = "a tensor"
_SIMPLE = frozenset({type(None), str, int, float, bool, bytes, complex})
_LASTING = _SIMPLE | {tuple, FunctionType}  # of these, what is equal once stays so


def plain(value: Any) -> Hashable:
    """A value as one that can be compared and hashed; `Opaque` where only the very same object is equal."""
    if type(value) in _SIMPLE:
        return value
    if type(value) in (tuple, list):
        return tuple([plain(item) for item in value])
    if isinstance(value, slice):
        return ("slice", plain(value.start), plain(value.stop), plain(value.step))
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, set | frozenset):
        return ("set", *sorted(map(repr, value)))
    return _object(value)


def _mapping(value: Mapping[Any, Any]) -> Hashable:
    if str(value.get("class_name", "")).endswith("DTypePolicy"):
        return str(value.get("config"))
    pairs = sorted(((str(key), item) for key, item in value.items()), key=lambda pair: pair[0])
    return tuple([(k, plain(v)) for k, v in pairs if k not in _ASIDE and not k.endswith("_initializer")])


def _object(value: Any) -> Hashable:
    if isinstance(value, keras.Variable):  # a weight: what it is filled with does not count
        return ("weight", tuple(value.shape), str(value.dtype))
    if isinstance(value, keras.KerasTensor):
        return _TENSOR
    if isinstance(value, keras.Operation):
        return configuration(value)
    if _is_function(value) or isinstance(value, type):
        function: Any = value
        return _function(function)
    if hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "__array__"):
        return _array(value)
    if hasattr(value, "get_config"):
        try:
            return (_class(value.__class__), _mapping(_keras.config_of(value)))
        except Exception:  # somebody else's
            return Opaque(value, f"{type(value).__name__} has no configuration")
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return tuple(map(plain, value))
    if value is Ellipsis or isinstance(value, str | int | float):
        return value if value is not Ellipsis else "..."
    name = getattr(value, "name", None)
    return name if isinstance(name, str) and not hasattr(value, "__dict__") else Opaque(value, type(value).__name__)


@functools.lru_cache(maxsize=1024)
def _function(function: Any) -> Hashable:
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"
    if name.startswith("keras."):
        return name
    registered = keras.saving.get_registered_name(function)
    if keras.saving.get_registered_object(registered) is function:
        return registered
    return Opaque(function, f"{getattr(function, '__name__', 'a function')} is not registered")


def _array(value: Any) -> Hashable:
    import numpy as np

    array = np.asarray(value)
    if array.size == 1:
        return ("array", str(array.dtype), array.shape, array.item())
    return ("array", str(array.dtype), array.shape, hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest())
