"""How a network is made anew, where some of its tensors come from something else."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import numpy as np

from .. import _keras, checks
from ..blocks.core import default_of, is_block, scope
from ..blocks.layers import MinimumSize
from ..graphs.calls import calls, infer
from ..graphs.window_arithmetic import LARGEST_MINIMUM, least_side
from .origins import made_of
from .outputs import with_said_labels
from .rewiring import Chain, Wiring, height_axis, images_of, inputs_again, recompute, shapes

Piece = Callable[[Any], Any]


def leaving_of(wiring: Wiring, argument: str, name: Any) -> tuple[Chain, Any]:
    """The tensor that leaves a block, and the nested models that it is in."""
    chain, block = wiring.find(argument, name)
    inner = wiring.inner(chain)
    return chain, inner.the_one(argument, name, inner.leaving(block), "leaves")


def outermost(wiring: Wiring, places: Sequence[tuple[Chain, Any]], *, beside: bool = False) -> list[Any]:
    """The tensors in the graph of the outermost model; those of a nested model by one call of a part of it.

    The part has the name of the whole, or where it may stand `beside` that in a model one of its own.
    """
    found = [tensor for _, tensor in places]
    together: dict[int, list[int]] = {}
    for number, (chain, _) in enumerate(places):
        if chain:
            together.setdefault(id(chain[0]), []).append(number)
    for numbers in together.values():
        call = places[numbers[0]][0][0]
        inner = wiring.within(call)
        tensors = outermost(inner, [(places[number][0][1:], places[number][1]) for number in numbers])
        whole = inner.model
        part = assembled(whole, whole.input, tensors if len(tensors) > 1 else tensors[0])
        if beside:
            name = f"{whole.name}.part"
            part = keras.Model(part.input, part.output, name=f"{name}{keras.backend.get_uid(name)}")
        made = _keras.call_again(call, {id(x): x for x in call.input_tensors}, part)
        for number, tensor in zip(numbers, made, strict=True):
            found[number] = tensor
    return found


Grow = Callable[[Sequence[Any]], Sequence[Any]]
"""From what stands for the sources of a change to what stands for its targets."""


@dataclass(frozen=True)
class Change:
    """Tensors that are made anew, `targets`, of others, `sources`, by `grow`, all in the last nested model of `chain`.

    `said` is the block of which it is said where what leaves it has another shape than before; None for nothing.
    """

    sources: Sequence[Any]
    targets: Sequence[Any]
    grow: Grow
    chain: Chain = ()
    said: str | None = None


@dataclass
class Growing:
    """A user's function as `Grow`; called a second time it gives the layers of the first, shared.

    Layers that it makes are named into `name`, unless that is taken; where it is `exact` the first has that very name.
    They get the weights of the `old` ones that they stand for.
    """

    fn: Any
    name: str
    taken: set[str]
    argument: str = "fn"
    must_be: str = "a function of one tensor"
    old: Sequence[Any] = ()
    exact: bool = False
    sources: Sequence[Any] = field(default=(), init=False)
    made: list[Any] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if not self.exact:
            self.fn = checks.function_of_one(self.argument, self.fn, self.must_be)
            self.name = unused(self.name, self.taken)

    def __call__(self, sources: Sequence[Any]) -> list[Any]:
        if self.made:
            return recompute(self.made, {id(old): new for old, new in zip(self.sources, sources, strict=True)})
        unbuilt = [self.fn] if isinstance(self.fn, keras.Layer) and not self.fn.built else []
        self.sources = sources
        with _keras.operations_made() as new:
            made = self._grow(sources[0] if len(sources) == 1 else list(sources))
        self.made = list(made) if isinstance(made, list | tuple) else [made]
        for tensor in self.made:
            if not isinstance(tensor, keras.KerasTensor):
                raise checks.refuse(self.argument, tensor, "a function that gives symbolic tensors", TypeError)
        if self.old:
            _hand_over(self.old, [*unbuilt, *new], self.name)
        return self.made

    def _grow(self, x: Any) -> Any:
        if isinstance(self.fn, keras.Layer):
            try:
                return self.fn(x)
            except (TypeError, ValueError) as error:  # it speaks of itself alone
                accepted = f"a layer that accepts {shapes(keras.tree.flatten(x))} ({error})"
                raise checks.refuse(self.argument, self.fn, accepted, type(error)) from error
        if is_block(self.fn) and default_of(self.fn, "name") is not None:
            return self.fn(x)
        if is_block(self.fn) and not self.exact:
            return self.fn(x, name=self.name)
        with scope(self.name, function_name(self.fn), whole=self.exact):
            made = self.fn(x)
            return made(x) if self.exact and isinstance(made, keras.Layer) else made


def _hand_over(old: Sequence[Any], new: Sequence[Any], name: str) -> None:
    """Give new layers the weights, and the `trainable`, of the old ones that they stand for, where shapes agree."""
    givers, takers = (_with_weights(layers, name) for layers in (old, new))
    if len(givers) == len(takers) == 1:
        givers = dict(zip(takers, givers.values(), strict=True))
    for word, layer in takers.items():
        if word not in givers:
            continue
        giver = givers[word]
        pairs = _pairs(giver, layer)
        for theirs, ours in pairs:
            if _keras.is_allocated(theirs) and _keras.is_allocated(ours):
                # A copy: JAX assigns the very array, which training one of the models then frees under the other.
                ours.assign(np.array(keras.ops.convert_to_numpy(theirs)))
        if pairs and not giver.trainable:
            layer.trainable = False


def _with_weights(layers: Sequence[Any], name: str) -> dict[str, Any]:
    """By their names within a block the layers with weights, those inside of others apart."""
    found: dict[str, Any] = {}
    inside: set[int] = set()
    for layer in layers:
        if id(layer) not in inside and isinstance(layer, keras.Layer) and layer.weights:
            inside |= ids(_keras.sublayers(layer))
            found[layer.name.removeprefix(f"{name}.")] = layer
    return {word: layer for word, layer in found.items() if id(layer) not in inside}


def _pairs(old: Any, new: Any) -> list[tuple[Any, Any]]:
    """The weights of one layer and those of another that can take them: all, or those of the same names."""
    if [(w.name, tuple(w.shape)) for w in old.weights] == [(w.name, tuple(w.shape)) for w in new.weights]:
        return list(zip(old.weights, new.weights, strict=True))
    theirs, ours = ({weight.name: weight for weight in layer.weights} for layer in (old, new))
    common = [word for word in theirs if word in ours]
    unique_names = len(theirs) == len(old.weights) and len(ours) == len(new.weights)
    if not unique_names or any(tuple(theirs[word].shape) != tuple(ours[word].shape) for word in common):
        return []
    return [(theirs[word], ours[word]) for word in common]


def change(wiring: Wiring, name: str, block: Sequence[Any], grow: Grow, chain: Chain = ()) -> Change:
    """The change of all that enters and leaves a block."""
    change = Change(wiring.entering(block), wiring.leaving(block), grow, chain, said=name)
    if not change.sources:
        raise checks.refuse("name", name, "a block that a tensor enters")
    if len(block) > 1 and ids(block) & ids(calls(change.sources)):
        raise checks.refuse("name", name, "a block that what leaves it does not enter again")
    return change


def rebuild(wiring: Wiring, changes: Sequence[Change]) -> keras.Model:
    """A model with all these changes, in which the nested ones that are changed are new ones, too."""
    said: list[str] = []
    model = _rebuilt(wiring, changes, said)
    if said:
        more = f", and {len(said) - 3} more" if len(said) > 3 else ""
        warnings.warn(checks.plain(f"{checks.where()}: {'; '.join(said[:3])}{more}"), UserWarning, stacklevel=4)
    return model


def _rebuilt(wiring: Wiring, changes: Sequence[Change], said: list[str]) -> keras.Model:
    here = [change for change in changes if not change.chain]
    inside: dict[int, list[Change]] = {}
    for change in changes:
        if change.chain:
            inside.setdefault(id(change.chain[0].operation), []).append(change)
    for group in inside.values():
        first = group[0].chain[0]
        deeper = [Change(c.sources, c.targets, c.grow, c.chain[1:], c.said) for c in group]
        made = _rebuilt(wiring.within(first), deeper, said)
        for call in wiring.calls:
            if call.operation is first.operation:
                here.append(Change(call.input_tensors, call.outputs, _called(call, made)))
    return assembled_with(wiring, here, said)


def _called(call: Any, model: keras.Model) -> Grow:
    """What another model gives in the place of one that was called."""

    def grow(sources: Sequence[Any]) -> list[Any]:
        return _keras.call_again(call, dict(zip(map(id, call.input_tensors), sources, strict=True)), model)

    return grow


def assembled_with(wiring: Wiring, changes: Sequence[Change], said: list[str]) -> keras.Model:
    model = wiring.model
    place = {id(tensor): number for number, call in enumerate(wiring.calls) for tensor in call.outputs}
    changes = sorted(changes, key=lambda change: place[id(change.targets[0])])
    # Where nothing has to be called again the old tensors do; else none of them, so that the two are not mixed up.
    if _anything_after(wiring, changes):
        known = dict(inputs_again(model))
    else:
        known = {id(tensor): tensor for call in wiring.calls for tensor in call.outputs}
    inputs = keras.tree.map_structure(lambda tensor: known[id(tensor)], model.input)
    for change in changes:
        sources = recompute(change.sources, known)
        made = change.grow(sources)
        if len(made) != len(change.targets):
            must_be = f"a function that gives {len(change.targets)} tensors, for {shapes(change.targets)}"
            raise checks.refuse(getattr(change.grow, "argument", "fn"), shapes(made), must_be)
        if (
            change.said is not None
            and shapes(sources) == shapes(change.sources)
            and shapes(made) != shapes(change.targets)
        ):
            said.append(f"what leaves {change.said!r} is {shapes(made)} now and was {shapes(change.targets)}")
        known.update(zip(map(id, change.targets), made, strict=True))
    recompute(model.outputs, known)
    outputs = keras.tree.map_structure(lambda tensor: known[id(tensor)], model.output)
    return guarded(assembled(model, inputs, outputs))


def guarded(model: keras.Model) -> keras.Model:
    """Put a `MinimumSize` that holds where the model accepts images of any size and a new piece needs larger ones."""
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        return model
    (image,), first = model.inputs, height_axis()
    sides = image.shape[first : first + 2]
    guards = [layer for layer in model.layers if isinstance(layer, MinimumSize)]

    def works(side: int) -> bool:
        height, width = (side if known is None else known for known in sides)
        try:
            infer(model.outputs, images_of(height, width, calls(model.outputs)))
        except Exception:  # layers refuse a shape with whatever they like
            return False
        return True

    if None not in sides or works(max([1, *(max(guard.height, guard.width) for guard in guards)])):
        return model
    least = least_side(works)
    if least is None:
        raise checks.complaint(f"what was made works on images of no size up to {LARGEST_MINIMUM}×{LARGEST_MINIMUM}")
    height, width = (least if known is None else 1 for known in sides)
    taken = {layer.name for layer in model.layers}
    name = unused("minimum_size", taken)
    grow = Growing(MinimumSize(height, width, name=name), name, set())
    return assembled_with(Wiring(model), [Change([image], [image], grow)], [])


def _anything_after(wiring: Wiring, changes: Sequence[Change]) -> bool:
    """Whether more layers compute from the targets what is still needed."""
    targets = {id(tensor) for change in changes for tensor in change.targets}
    after = set(targets)
    for call in wiring.calls:
        if any(id(tensor) in after for tensor in call.input_tensors):
            after.update(map(id, call.outputs))
    needed = [*wiring.model.outputs, *(tensor for change in changes for tensor in change.sources)]
    return any(id(tensor) in after - targets for tensor in needed)


@_keras.deep_graphs()
def assembled(old: keras.Model, inputs: Any, outputs: Any) -> keras.Model:
    operations = {id(call.operation): call.operation for call in calls(keras.tree.flatten((outputs, inputs)))}
    (name, times), *_ = Counter(operation.name for operation in operations.values()).most_common(1)
    if times > 1:
        raise checks.refuse("fn", name, "a function whose layers have names of their own")
    try:
        model = made_of(old, inputs, outputs)
    except ValueError as error:
        if "not connected" not in str(error):
            raise
        must_be = "a function of the tensor that it is given, and of no other"
        raise checks.refuse("fn", "one of a tensor of another graph", must_be) from error
    return with_said_labels(model)


def without(outputs: Any, gone: set[int]) -> Any:
    """Leave some outputs of a model out of the structure that they have."""
    if isinstance(outputs, Mapping):
        return {key: output for key, output in outputs.items() if id(output) not in gone}
    return [output for output in keras.tree.flatten(outputs) if id(output) not in gone]


def function_name(fn: Any) -> str:
    """Find what a function is called, partials seen through; `block` for one without a name."""
    while isinstance(fn, partial):
        fn = fn.func
    name = getattr(fn, "name", None) if isinstance(fn, keras.Layer) else getattr(fn, "__name__", None)
    return name if isinstance(name, str) and name.isidentifier() else "block"


def unused(name: str, taken: set[str]) -> str:
    """Number the name where that is needed, so that no layer has it nor lies in a block of it."""
    free, number = name, 0
    while any(f"{other}.".startswith(f"{free}.") for other in taken):
        number += 1
        free = f"{name}_{number}"
    return free


def names(tensors: Sequence[Any]) -> set[str]:
    """Of all layers that the tensors need."""
    return {call.operation.name for call in calls(tensors)}


def ids(things: Sequence[Any]) -> set[int]:
    return set(map(id, things))
