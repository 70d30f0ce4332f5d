"""Tensors of a finished model made again, or measured again, where something before them has changed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras

from .. import _keras, checks
from ..graphs.calls import calls, has_graph, wired
from ..graphs.tracing import paths_inside

Chain = tuple[Any, ...]
"""Calls of nested models, from the outermost inwards, that a place lies in."""

# What an operation with several inputs needs of them, where nobody checks: that those axes agree which agreed before.
MERGES = {"Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"}


class Wiring:
    """Blocks of a model as sets of calls, and the tensors that enter and leave them."""

    def __init__(self, model: Any) -> None:
        self.model = wired(model)
        self.paths = {} if self.model is model or isinstance(model, keras.Sequential) else paths_inside(model)
        self.calls = calls([*self.model.outputs, *self.model.inputs])
        self.users: dict[int, list[Any]] = defaultdict(list)
        for call in self.calls:
            for tensor in call.input_tensors:
                self.users[id(tensor)].append(call)
        self._nested: dict[int, Wiring] = {}

    @property
    def names(self) -> list[str]:
        return [*map(self.name, self.calls)]

    def name(self, call: Any) -> str:
        """What a layer is called: in a subclassed model by the attribute that it is kept as."""
        path = self.paths.get(id(call.operation))
        return ".".join(path) if path else str(call.operation.name)

    def within(self, call: Any) -> Wiring:
        """The wiring of the nested model that a call is of, the same one every time."""
        model = call.operation
        if id(model) not in self._nested:
            self._nested[id(model)] = Wiring(model)
        return self._nested[id(model)]

    def inner(self, chain: Chain) -> Wiring:
        """The wiring of the last of these nested models."""
        wiring = self
        for call in chain:
            wiring = wiring.within(call)
        return wiring

    def nested(self) -> list[Any]:
        """The first call of each model that is nested in this one."""
        found = {id(call.operation): call for call in reversed(self.calls) if isinstance(call.operation, keras.Model)}
        return list(reversed(found.values()))

    def find(self, argument: str, name: Any) -> tuple[Chain, list[Any]]:
        """The calls of the layer of that name and those inside it, and the nested models that they are in.

        Those inside are called `name.…`, or where there are none `name_…`. What is in a nested model is found by the
        name of that and a dot: `base.stage3.block2`.
        """
        if not isinstance(name, str):
            raise checks.refuse(argument, name, "the name of a layer or block", TypeError)
        found = self._find(name)
        if found is None:
            must_be = f"the name of a layer or block of {self.model.name!r}{checks.nearest(name, self._known())}"
            raise checks.refuse(argument, name, must_be)
        return found

    def block(self, argument: str, name: Any) -> list[Any]:
        """The calls of the layer of that name and those inside it, in no nested model."""
        chain, found = self.find(argument, name)
        if chain:
            raise checks.refuse(argument, name, "the name of a layer or block in no nested model")
        return found

    def _find(self, name: str) -> tuple[Chain, list[Any]] | None:
        for mark in "._":
            found = [c for c in self.calls if f"{self.name(c)}{mark}".startswith(f"{name}{mark}")]
            if found:
                return (), found
        for call in self.nested():
            outer = self.name(call)
            if name.startswith((f"{outer}.", f"{outer}/")):
                inside = self.within(call)._find(name[len(outer) + 1 :])
                if inside is not None:
                    return (call, *inside[0]), inside[1]
        return None

    def _known(self) -> list[str]:
        """All names of layers and blocks, those of nested models by their paths."""
        known = {
            mark.join(words[:length])
            for mark in "._"
            for words in (name.split(mark) for name in self.names)
            for length in range(1, len(words) + 1)
        }
        for call in self.nested():
            if has_graph(call.operation):
                known.update(f"{self.name(call)}.{name}" for name in self.within(call)._known())
        return sorted(known)

    def entering(self, block: Sequence[Any]) -> list[Any]:
        """The tensors that come into a block from outside."""
        made = {id(tensor) for call in block for tensor in call.outputs}
        return unique(tensor for call in block for tensor in call.input_tensors if id(tensor) not in made)

    def leaving(self, block: Sequence[Any]) -> list[Any]:
        """The tensors of a block that are used outside or are outputs of the model."""
        inside, final = {id(call) for call in block}, {id(tensor) for tensor in self.model.outputs}
        return [
            tensor
            for call in block
            for tensor in call.outputs
            if id(tensor) in final or any(id(user) not in inside for user in self.users[id(tensor)])
        ]

    def the_one(self, argument: str, name: str, tensors: Sequence[Any], does: str) -> Any:
        """The only tensor that enters or leaves a block, or an error."""
        if len(tensors) != 1:
            places = ", ".join(repr(_keras.call_of(tensor).operation.name) for tensor in tensors) or "none"
            raise checks.refuse(argument, name, f"a block that one tensor {does}, not {len(tensors)} ({places})")
        return tensors[0]


def leaves(layer: Any) -> Iterator[Any]:
    """The layers of a model and of those nested in it; of any other layer itself."""
    if isinstance(layer, keras.Model):
        for inner in layer.layers:
            yield from leaves(inner)
    else:
        yield layer


def unique(tensors: Iterable[Any]) -> list[Any]:
    return list({id(tensor): tensor for tensor in tensors}.values())


def shapes(tensors: Iterable[Any]) -> str:
    return " and ".join(str(tuple(tensor.shape)) for tensor in tensors)


def recompute(wanted: Sequence[Any], known: dict[int, Any]) -> list[Any]:
    """The tensors that stand for the wanted ones, where `known` says by `id` what stands for some; fills it up.

    Layers are called again, and so shared. What no longer fits is said with the name of the layer.
    """
    waiting = list(reversed(wanted))
    while waiting:
        call = _keras.call_of(waiting[-1])
        missing = [tensor for tensor in call.input_tensors if id(tensor) not in known]
        if id(waiting[-1]) in known:
            waiting.pop()
        elif missing:
            waiting.extend(reversed(missing))
        elif call.is_input:
            known[id(waiting[-1])] = waiting[-1]
        else:
            known.update(zip(map(id, call.outputs), _call_again(call, known), strict=True))
    return [known[id(tensor)] for tensor in wanted]


def _call_again(call: Any, known: Mapping[int, Any]) -> list[Any]:
    before, now = call.input_tensors, [known[id(tensor)] for tensor in call.input_tensors]
    try:
        if type(call.operation).__name__ in MERGES:
            _still_agree(before, now, apart_from=getattr(call.operation, "axis", None))
        return _keras.call_again(call, known)
    except Exception as error:  # layers refuse a shape with whatever they like
        if [tuple(tensor.shape) for tensor in before] == [tuple(tensor.shape) for tensor in now]:
            raise
        reason = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split()) or type(error).__name__
        name = call.operation.name
        must_be = f"what {checks.one_line(name)} receives must be {shapes(before)}, got {shapes(now)} ({reason})"
        raise checks.complaint(must_be) from error


def _still_agree(before: Sequence[Any], now: Sequence[Any], apart_from: int | None) -> None:
    """Sizes that were equal are so now: Keras broadcasts some and does not look at others."""
    rank = len(before[0].shape)
    for axis in range(rank):
        equal = len({tensor.shape[axis] for tensor in before}) == 1
        if equal and (apart_from is None or axis != apart_from % rank) and len({x.shape[axis] for x in now}) > 1:
            raise ValueError(f"axis {axis} of what is merged differs")


def inputs_again(model: keras.Model) -> Iterator[tuple[int, Any]]:
    """New inputs for those of the model, by the `id` of these."""
    for tensor in model.inputs:
        layer = _keras.call_of(tensor).operation
        yield id(tensor), type(layer).from_config(layer.get_config()).output


def height_axis() -> int:
    """Of a batch of images under Keras's data format; that of the width is the next."""
    return 1 if keras.config.image_data_format() == "channels_last" else 2


def images_of(height: int, width: int, order: Iterable[Any]) -> dict[int, Any]:
    """Specs of the inputs among these calls, by `id`, images being of that size."""
    specs, first = {}, height_axis()
    for call in order:
        if call.is_input:
            (tensor,) = call.outputs
            shape = tuple(tensor.shape)
            shape = (*shape[:first], height, width, *shape[first + 2 :]) if len(shape) == 4 else shape
            specs[id(tensor)] = keras.KerasTensor(shape, tensor.dtype)
    return specs
