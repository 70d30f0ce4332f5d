"""What a subclassed model, or a layer with layers inside, does: its `call` followed on symbolic tensors."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import keras

from .. import _keras, checks
from .naming import is_made_up

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """One `call` of a layer on symbolic tensors: these, what it returned, and what its layers are called inside.

    `failure` says why there is none; `unbuilt` are the layers that were not ready. A call that is `stateful` changes
    variables, or draws random numbers, outside of any layer. Where it cannot be followed for any number of examples,
    as where it asks how many there are, it was followed for `examples` of them.
    """

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    inputs: Sequence[Any] = ()
    result: Any = None
    paths: Mapping[int, Path] | None = None
    failure: str = ""
    unbuilt: tuple[str, ...] = ()
    stateful: bool = False
    examples: int | None = None

    @property
    def outputs(self) -> list[Any]:
        return keras.tree.flatten(self.result)


def has_layers_inside(operation: Any) -> bool:
    """Whether it is a layer of somebody's own that is made of layers, or a subclassed model."""
    kind: Any = type(operation)
    if not _may_have(kind):
        return False
    return isinstance(operation, keras.Model) or bool(_keras.sublayers(operation, deep=False))


@functools.lru_cache(maxsize=4096)
def _may_have(kind: type) -> bool:
    """Keras's own say in their entries what they do; a layer that counts its own work is one piece."""
    own = not kind.__module__.startswith("keras.")
    return own and issubclass(kind, keras.Layer) and not callable(getattr(kind, "multiply_adds", None))


@contextmanager
def tracing(layer: Any, call: Any = None) -> Iterator[Trace]:
    """Follow `layer.call` as it was called, or, with no call known, as it was built.

    Nothing of it is left afterwards: no calls, no names taken, no states changed.
    """
    known = call or _keras.first_call(layer)
    attempts = [(known.arguments.args, known.arguments.kwargs)] if known is not None else _as_built(layer)
    with _keras.traced(layer) as (unbuilt, changed):
        found = Trace(failure="it is not known on what shapes it is called")
        for args, kwargs in attempts:
            found = _followed(layer, args, kwargs)
            if found.failure and not unbuilt and not (again := _followed(layer, args, kwargs, EXAMPLES)).failure:
                found = again
            if not found.failure or unbuilt:
                break
        yield replace(found, unbuilt=tuple(unbuilt), stateful=bool(changed))


# A number that is no size of anything else.
EXAMPLES = 4093


def _followed(layer: Any, args: Any, kwargs: Any, examples: int | None = None) -> Trace:
    try:
        (args, kwargs), inputs = _fresh((args, kwargs), examples)
        result = layer.call(*args, **kwargs)
        made = keras.tree.flatten(result)
        if not made or not all(isinstance(tensor, keras.KerasTensor) for tensor in made):
            raise TypeError("it does not return tensors that depend on its inputs")
        if examples is not None and not all(tensor.shape[:1] == (examples,) for tensor in made):
            raise TypeError("it does not keep its examples apart")
        return Trace(args, kwargs, inputs, result, paths_inside(layer), examples=examples)
    except Exception as error:  # whatever somebody else's code raises
        text = " ".join(str(error).split())
        return Trace(failure=f"its call cannot be followed: {type(error).__name__}: {text:.200}")


def _fresh(arguments: Any, examples: int | None = None) -> tuple[Any, list[Any]]:
    """The same arguments with new inputs for the symbolic tensors among them, of any number of examples, and these."""
    tensors: dict[int, Any] = {}

    def fresh(value: Any) -> Any:
        if not isinstance(value, keras.KerasTensor):
            return value
        if id(value) not in tensors:
            known = examples is not None and value.shape[:1] == (None,)
            shape = (examples, *value.shape[1:]) if known else value.shape
            tensors[id(value)] = keras.Input(batch_shape=shape, dtype=value.dtype, sparse=value.sparse or None)
        return tensors[id(value)]

    return keras.tree.map_structure(fresh, arguments), list(tensors.values())


@_keras.deep_graphs()
def functional(model: keras.Model) -> keras.Model:
    """A functional model of the layers of a subclassed one, called as its `call` calls them."""
    with tracing(model) as trace:
        why = trace.failure
        if trace.unbuilt:
            why = f"{', '.join(map(repr, trace.unbuilt[:3]))} has no weights yet: call the model on a batch first"
        elif trace.examples is not None:
            why = "its call asks how many examples there are"
        elif trace.stateful and not why:
            why = "its call changes variables or draws random numbers outside of any layer"
    if why:
        raise checks.refuse("model", f"{model.name!r} ({why})", "one whose call can be followed", TypeError)
    (args, kwargs), inputs = _fresh((trace.args, trace.kwargs))
    outputs = model.call(*args, **kwargs)
    given = args[0] if args and len(keras.tree.flatten(args[0])) == len(inputs) else inputs
    return keras.Model(given, outputs, name=model.name)


def _as_built(layer: Any) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Arguments of the shapes that a layer was built on, first of any batch size; floats, then integers."""
    config: Any = getattr(layer, "get_build_config", dict)() or {}
    shapes = config.get("shapes_dict") or {"": config.get("input_shape")}
    if not all(_is_shapes(shape) for shape in shapes.values()):
        return
    parameters = inspect.signature(layer.call).parameters.values()
    needed_tensors = [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    if len([p for p in needed_tensors if p.name != "training"]) > len(shapes):
        return  # Keras has kept the first shape only
    names = [p.name for p in parameters]
    needed = {"training": False} if _needs_training(layer.call) else {}
    for free, dtype in product((True, False), (layer.input_dtype, "int32")):
        make = functools.partial(_tensors, free=free, dtype=dtype)
        if list(shapes) == [""] or len(shapes) == 1:
            yield (make(next(iter(shapes.values()))),), needed
        else:
            given = {name.removesuffix("_shape"): make(shape) for name, shape in shapes.items()}
            if not set(given) <= set(names):
                return
            yield (), {**given, **needed}


def _needs_training(call: Any) -> bool:
    found = inspect.signature(call).parameters.get("training")
    return found is not None and found.default is inspect.Parameter.empty


def _is_shape(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(size is None or isinstance(size, int) for size in value)


def _is_shapes(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value) and all(map(_is_shapes, value.values()))
    return _is_shape(value) or (isinstance(value, list | tuple) and all(map(_is_shapes, value)))


def _tensors(shapes: Any, free: bool, dtype: str) -> Any:
    if isinstance(shapes, Mapping):
        return {key: _tensors(shape, free, dtype) for key, shape in shapes.items()}
    if not _is_shape(shapes):
        return [_tensors(shape, free, dtype) for shape in shapes]
    return keras.KerasTensor((None, *shapes[1:]) if free else tuple(shapes), dtype)


def paths_inside(layer: Any) -> Mapping[int, Path]:
    """What the layers inside one are called, by `id`: by their names if given any, else the attributes they are in."""
    found: dict[int, Path] = {}
    waiting: list[tuple[Path, Any]] = [((), layer)]
    while waiting:
        path, owner = waiting.pop(0)
        for name, value in vars(owner).items():
            if name.startswith("_"):
                continue
            for more, one in _kept(value):
                if id(one) in found or one is layer:
                    continue
                given = not is_made_up(type(one).__name__, str(one.name))
                found[id(one)] = (*path, str(one.name) if given else ".".join((name, *more)))
                waiting.append((found[id(one)], one))
    return found


def _kept(value: Any) -> Iterator[tuple[Path, Any]]:
    """The layers in an attribute: itself, or in a list or dict of them."""
    if isinstance(value, keras.Operation):
        yield (), value
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from (((str(place), *more), one) for more, one in _kept(item))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (((str(key), *more), one) for more, one in _kept(item))
