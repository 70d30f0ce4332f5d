"""What two models compute, compared layer by layer: the first place where they differ."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from typing import Any

import keras

from .. import _keras
from ..blocks.layers import MinimumSize, StochasticDepth
from ..graphs.calls import calls, wired
from ..graphs.equality import Opaque, configuration
from ..graphs.rules import entry_of

# What changes nothing of what a trained network gives.
_PASSING = (
    *(keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D),
    *(keras.layers.SpatialDropout3D, keras.layers.Identity, keras.layers.ActivityRegularization, MinimumSize),
    StochasticDepth,
)
_ASIDE = frozenset(
    (
        *("dtype", "momentum", "activity_regularizer", "autocast", "renorm", "synchronized"),
        *(f"{of}_{what}" for of in ("kernel", "bias", "gamma", "beta") for what in ("regularizer", "constraint")),
        *(f"{of}_{what}" for of in ("depthwise", "pointwise") for what in ("regularizer", "constraint")),
    )
)


def relative(names: Iterable[str]) -> dict[str, str]:
    """The names without the prefix that all of them have, of a network in a larger graph, and what they were."""
    names = list(names)
    split = [name.split(".")[:-1] for name in names]
    common = 0
    while split and all(len(parts) > common and parts[common] == split[0][common] for parts in split):
        common += 1
    return {".".join(name.split(".")[common:]): name for name in names}


def difference(
    model: keras.Model,
    other: keras.Model,
    only: Collection[str] | None = None,
    called: Callable[[Iterable[str]], Mapping[str, str]] = relative,
) -> str | None:
    """Say where two models with weights under the same names first compute something else; None if nowhere.

    The sizes of images and what only a training sees, dropout or the momentum of a norm, do not count. With `only`,
    the layers of `model` with weights that alone are compared, and what these receive. `called` gives the layers of a
    model by the names that they are compared under.
    """
    table: dict[Hashable, int] = {}
    (ours, ends), (theirs, other_ends) = (_numbered(given, table, called) for given in (model, other))
    if only is None and ends == other_ends:
        return None
    known = {number for _, number, _ in theirs}
    by_name = {name: settings for name, _, settings in theirs}
    for name, number, settings in ours:
        if number not in known and (only is None or name in only):
            return _said(name, settings, by_name)
    if only is not None:
        return None
    said = next((name for name, number, _ in theirs if number not in {number for _, number, _ in ours}), None)
    return "its outputs" if said is None else f"there is no {said}"


def layers_differ(a: keras.Layer, b: keras.Layer, aside: Collection[str] = ()) -> str | None:
    """Say in which setting two layers of one kind differ, some aside; None for none, or for layers of two kinds.

    Of layers of two ranks, such as `Conv3D` and `Conv2D`, the last axes are compared.
    """
    if not alike(a, b):
        return None
    ours, theirs = dict(_settings(a)), dict(_settings(b))
    shared = [*ours] if type(a) is type(b) else [word for word in ours if word in theirs and word != "class"]
    words = [word for word in shared if word not in aside]
    apart = [word for word in words if not _agree(ours[word], theirs.get(word))]
    return f"{apart[0]}: {ours[apart[0]]!r}, {theirs.get(apart[0])!r}" if apart else None


def alike(a: keras.Layer, b: keras.Layer) -> bool:
    """Whether two layers are of one kind, whatever their rank, or whether the norm of one is fused."""
    kinds = {re.sub("[123]D$", "", type(layer).__name__.removeprefix("Fused")) for layer in (a, b)}
    return len(kinds) == 1


def _agree(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, tuple) and isinstance(theirs, tuple) and len(ours) > len(theirs) > 0:
        return ours[-len(theirs) :] == theirs
    return bool(ours == theirs)


def neighbours_differ(model: keras.Model, other: keras.Model, names: Iterable[str]) -> str | None:
    """Say where two networks differ in the activations and pools of the blocks that layers of these names are in."""
    ours, theirs = _without_weights(model), _without_weights(other)
    blocks = {name.rpartition(".")[0] for name in names}
    blocks |= {block[:place] for block in blocks for place, letter in enumerate(block) if letter == "."}
    last = {_keras.call_of(tensor).operation.name for each in (model, other) for tensor in each.outputs}
    for block in sorted(blocks):
        one, another = ours.get(block, {}), theirs.get(block, {})
        names_of_block = dict.fromkeys([*one, *another])
        if not block:  # what is of no block may be of a head, which each has of its own
            named = [name for name in one if name in another]
            names_of_block = dict.fromkeys(n for n in named if last.isdisjoint((one[n].name, another[n].name)))
        for name in names_of_block:
            if name not in one or name not in another:
                return f"{block}.{name}, which only one of them has"
            if not alike(one[name], another[name]):
                return f"{block}.{name}: {type(one[name]).__name__}, {type(another[name]).__name__}"
            apart = layers_differ(one[name], another[name])
            if apart is not None:
                return f"{block}.{name} in {apart}"
    return None


def _without_weights(model: keras.Model) -> dict[str, dict[str, keras.Layer]]:
    """The activations and pools of a network by the block that each is in, and its name there."""
    names = relative(layer.name for layer in model.layers if layer.weights)
    before = next((len(name) - len(short) for short, name in names.items()), 0)
    found: dict[str, dict[str, keras.Layer]] = {}
    for layer in model.layers:
        if not layer.weights and entry_of(layer).role in ("activation", "pool"):
            block, _, name = layer.name[before:].rpartition(".")
            found.setdefault(block, {})[name] = layer
    return found


def digest(model: keras.Model) -> str | None:
    """Sum up what a model computes, sizes and training aside, in a word that is the same in every process.

    Two models between which there is no `difference` have the same; None where it cannot be told what a layer does.
    """
    table: dict[Hashable, int] = {}
    _, ends = _numbered(model, table)
    if _is_opaque(tuple(table)):
        return None
    words: list[str] = []  # by number: from what a call is and the words of what it receives
    for key in table:
        *said, before = key if isinstance(key, tuple) and len(key) == 3 else (key, ())
        if isinstance(key, tuple) and len(key) == 2:
            said, before = [key[1]], key[:1]
        words.append(_word((said, [words[number] for number in before])))
    return _word(keras.tree.map_structure(lambda number: words[number], ends))


def _word(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:32]


def _is_opaque(value: object) -> bool:
    return isinstance(value, Opaque) or (isinstance(value, tuple) and any(map(_is_opaque, value)))


def _numbered(
    model: keras.Model,
    table: dict[Hashable, int],
    called: Callable[[Iterable[str]], Mapping[str, str]] = relative,
) -> tuple[list[tuple[str, int, Any]], Any]:
    """The calls of a model by name, each with the number of what it computes, and those of the outputs."""
    model = wired(model)
    short = {name: own for own, name in called(layer.name for layer in model.layers if layer.weights).items()}
    numbers: dict[int, int] = {}
    found = []
    for call in calls(model.outputs):
        operation = call.operation
        inputs = tuple(numbers[id(tensor)] for tensor in call.input_tensors)
        if isinstance(operation, _PASSING) and len(inputs) == 1:
            numbers[id(call.outputs[0])] = inputs[0]
            continue
        name = short.get(operation.name, "")
        settings = () if call.is_input else tuple(_settings(operation, call))
        key = ("input",) if call.is_input else (name, settings, inputs)
        number = table.setdefault(key, len(table))
        for place, tensor in enumerate(call.outputs):
            numbers[id(tensor)] = table.setdefault((number, place), len(table)) if place else number
        found.append((name or operation.name, number, settings))
    ends = keras.tree.map_structure(lambda tensor: numbers[id(tensor)], model.output)
    return found, ends


def _settings(operation: Any, call: Any = None) -> Iterator[tuple[str, Hashable]]:
    aside = _ASIDE
    if isinstance(operation, keras.layers.Normalization) and operation.weights:
        aside |= {"mean", "variance"}  # which are weights
    return ((word, value) for word, value in configuration(operation, call) if word not in aside)


def _said(name: str, settings: Any, by_name: dict[str, Any]) -> str:
    if name not in by_name:
        return f"{name} is only there"
    ours, theirs = dict(settings), dict(by_name[name])
    for word in dict.fromkeys([*ours, *theirs]):
        if ours.get(word) != theirs.get(word):
            return f"{word} of {name}: {ours.get(word)!r}, {theirs.get(word)!r}"
    return f"what {name} receives"
