"""What is not the same in two models, layer by layer and block by block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ... import checks
from ...graphs.equality import Opaque
from ...graphs.graph import Graph, Node, leaves
from ...graphs.grouping import group
from ...graphs.rewrite import box, shared_prefix
from ..texts.notation import told
from .alignment import align
from .merging import Merged, merge
from .wiring import Pairs, Wired, given, moved_outputs, own, rewired

Status = Literal["added", "removed", "changed", "unclear", "kept"]
Detail = tuple[str, object, object]
_STEPS = ("strides", "dilation_rate")  # told by one number where that is the same along all axes
_NOTHING = Node(0, ("",), "", "other")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not the same in both models: a layer, or a block that is new, gone or another.

    Args:
        status: added, removed, changed; or unclear, where nobody can tell whether it is the same.
        name: what it is called in the second model, or in the first if it is gone.
        before: what it was; None for something new.
        after: what it is; None for something gone.
        details: of a change, what changed, from what, to what: `("filters", 64, 96)`.
        parameters: how many there are more; those of a layer called several times count at its first change, and not at
            all where a call of it stays as it was.
    """

    status: Status
    name: str
    before: Node | None = None
    after: Node | None = None
    details: tuple[Detail, ...] = ()
    parameters: int = 0

    @property
    def words(self) -> str:
        """`filters 64 → 96`; of something new or gone, what it is."""
        node = self.after or self.before
        if not self.details:
            return words_of(node) if node is not None else ""
        return ", ".join(_detail(*detail) for detail in self.details)


def find_changes(before: Graph, after: Graph) -> tuple[tuple[Change, ...], Graph]:
    """What is not the same, in the order of the layers; and both in one graph, as `merge` makes it.

    >>> a = Graph("a", "", (Node(0, ("fc",), "Dense", "dense", (("units", 4),)),), ())
    >>> b = Graph("b", "", (Node(0, ("top",), "Dense", "dense", (("units", 6),)),), ())
    >>> [(change.status, change.name, change.words) for change in find_changes(a, b)[0]]
    [('changed', 'top', 'units 4 → 6')]
    """
    pairs = align(before, after)
    details = _details(before, after, pairs)
    words = {u: ", ".join(_detail(*detail) for detail in found) for u, found in details.items()}
    unclear = [u for u, found in details.items() if _all_unclear(found)]
    sides = _Side(before, group(before)), _Side(after, group(after))
    merged = merge(sides[0].grouped, sides[1].grouped, pairs, words, unclear)
    return tuple(_counted(before, after, _changes(*sides, details, merged), merged)), merged.graph


@checks.public
def status(node: Node) -> Status:
    """Whether a node of `Difference.graph` is added, removed, changed, unclear or kept; a block is as all its layers.

    >>> status(Node(0, ("a",), "Dense", "dense", (("status", "added"),)))
    'added'
    """
    checks.instance("node", node, Node, "a Node of a Graph")
    found = {str(layer.get("status", "kept")) for layer in leaves(node)}
    if found == {"unclear", "kept"}:
        return "unclear"
    return found.pop() if len(found) == 1 else "changed"  # type: ignore[return-value]


def words_of(node: Node) -> str:
    return " + ".join(map(str, told(node)))


def _detail(name: str, was: object, now: object) -> str:
    word = "" if name == "kind" else name.replace("_", " ") + " "
    why = _unclear(was, now)
    if why is not None:
        return f"{word}cannot be compared: {why}"
    if name in _STEPS:
        was, now = (value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value for value in (was, now))
    return f"{word}{_value(was)} → {_value(now)}"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        if value[:1] == ("slice",):
            first, last, step = ("" if part is None else str(part) for part in value[1:])
            return f"{first}:{last}" + (f":{step}" if step else "")
        if value[:1] == ("array",):
            return f"{value[3]}" if not isinstance(value[3], str) else f"array {_value(value[2])} with {value[3][:8]}…"
        if any(isinstance(side, str | tuple) for side in value):
            return ", ".join(map(_value, value))
        return "×".join("?" if side is None else str(side) for side in value) or "none"
    if isinstance(value, Opaque):
        return value.why
    text = "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return text.rpartition(".")[2] if text.startswith("keras.") else text


def _masked(value: object) -> object:
    """The value with everything taken for equal that is equal to itself alone."""
    if isinstance(value, tuple):
        return tuple(map(_masked, value))
    return Opaque if isinstance(value, Opaque) else value


def _unclear(was: object, now: object) -> str | None:
    """Why nobody can tell whether two values are the same; None where one can."""
    if was == now or _masked(was) != _masked(now):
        return None
    waiting = [(was, now)]
    while waiting:
        a, b = waiting.pop()
        if isinstance(a, Opaque) and a != b:
            return a.why
        if isinstance(a, tuple) and isinstance(b, tuple):
            waiting += zip(a, b, strict=True)
    return None


def _all_unclear(details: Sequence[Detail]) -> bool:
    return all(_unclear(was, now) is not None for _, was, now in details)


# -- what is not the same in two layers -------------------------------------------------------------------------------


def _details(before: Graph, after: Graph, pairs: Pairs) -> dict[int, tuple[Detail, ...]]:
    """For each pair that is not the same, by its number in the first graph, what is not."""
    left, right = Wired(before), Wired(after)
    otherwise, elsewhere = set(rewired(left, right, pairs)), set(moved_outputs(left, right, pairs))
    (shared_a, sharing_a), (shared_b, sharing_b) = _sharing(before), _sharing(after)
    outputs = [{o.source: o.loss_weight for o in graph.outputs} for graph in (before, after)]
    found = {}
    for u, v in pairs.items():
        old, new = before.nodes[u], after.nodes[v]
        details = list(_own_details(old, new))
        if u in otherwise:
            details.append(("inputs", _read_by(left, u), _read_by(right, v)))
        bearers = (shared_a.get(u), shared_b.get(v))
        expected = None if bearers[0] is None else pairs.get(bearers[0])
        if expected != bearers[1] and {pairs.get(n) for n in sharing_a.get(u, ())} != set(sharing_b.get(v, ())):
            names = (None if n is None else g.nodes[n].name for n, g in zip(bearers, (before, after), strict=True))
            details.append(("shares weights with", next(names), next(names)))
        if u in elsewhere:
            details.append(("outputs", left.results[u], right.results[v]))
        weights = (outputs[0].get(u), outputs[1].get(v))
        if None not in weights and weights[0] != weights[1]:
            details.append(("loss weight", *weights))
        if details:
            found[u] = tuple(details)
    return found


def _read_by(wired: Wired, number: int) -> str:
    return ", ".join(wired.graph.nodes[edge.source].name for edge in wired.arriving[number]) or "nothing"


def _own_details(old: Node, new: Node) -> Iterator[Detail]:
    """What two layers were made with, and what they return where they are given the same."""
    if old.role == "input":
        yield from _unequal("shape", old.outputs, new.outputs)
        yield from _unequal("dtype", old.dtypes, new.dtypes)
        return
    was, now = given(old), given(new)
    if old.kind != new.kind:
        yield "kind", old.kind, new.kind
    both = old.kind != new.kind or ("dtype" in was) != ("dtype" in now)  # a layer, and an operation that does the same
    names = [name for name in was if not both or name in now]
    names += [name for name in now if name not in was and not both]
    for name in names:
        yield from _parts(name, was.get(name), now.get(name))
    if own(old) != own(new) or old.inputs != new.inputs:
        return
    yield from _unequal("output shape", old.outputs, new.outputs)
    if old.outputs == new.outputs:
        yield from _unequal("weights", tuple(w.size for w in old.weights), tuple(w.size for w in new.weights))


def _parts(name: str, was: object, now: object) -> Iterator[Detail]:
    """What is not the same in two values; of configurations within a configuration, which of their values."""
    if was == now:
        return
    before, after = _named(was), _named(now)
    if before.keys() == after.keys() and before:
        for inside in before:
            yield from _parts(f"{name}.{inside}", before[inside], after[inside])
    elif before and after and before.get("class") != after.get("class"):
        yield name, before.get("class"), after.get("class")
    else:
        yield name, was, now


def _named(value: object) -> dict[str, object]:
    """The pairs of a configuration, of several by their place; nothing for other values."""
    if not isinstance(value, tuple) or not all(isinstance(item, tuple) and item for item in value):
        return {}
    if all(len(item) == 2 and isinstance(item[0], str) for item in value):
        return dict(value)
    return {str(place): item for place, item in enumerate(value)} if all(map(_named, value)) else {}


def _unequal(name: str, was: tuple[Any, ...], now: tuple[Any, ...]) -> Iterator[Detail]:
    def words(values: tuple[Any, ...]) -> str:
        return ", ".join(_value(value[1:] if isinstance(value, tuple) else value) for value in values)

    if was != now:
        yield name, words(was), words(now)


def _sharing(graph: Graph) -> tuple[dict[int, int], dict[int, list[int]]]:
    """For nodes whose weights an earlier node has, the first of those; and for each that shares, all that do."""
    bearers: dict[int, list[int]] = {}
    for node in graph.nodes:
        for weight in node.weights[:1]:
            bearers.setdefault(weight.id, []).append(node.id)
    groups = {number: group for group in bearers.values() if len(group) > 1 for number in group}
    return {number: group[0] for number, group in groups.items() if number != group[0]}, groups


# -- changes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the models: its layers under their own names, and under names that tell blocks."""

    layers: Graph
    grouped: Graph

    def whole(self, members: Sequence[int]) -> Node | None:
        """One of its layers, or several as a block."""
        if len(members) < 2:
            return self.layers.nodes[members[0]] if members else None
        paths = [self.grouped.nodes[n].path for n in members]
        return box(self.grouped, members, shared_prefix(paths) or (f"{'.'.join(paths[0])}–{'.'.join(paths[-1])}",), ())


def _changes(
    before: _Side, after: _Side, details: Mapping[int, tuple[Detail, ...]], merged: Merged
) -> Iterator[Change]:
    """Every layer that changed, and the largest blocks of which all is new or gone."""
    blocks = _whole_blocks(merged.graph)
    members: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, block in blocks.items():
        members[block].append(number)
    for node in merged.graph.nodes:
        u, v = merged.origins[node.id]
        if u is not None and v is not None:
            if u in details:
                old, new = before.layers.nodes[u], after.layers.nodes[v]
                yield Change("unclear" if _all_unclear(details[u]) else "changed", new.name, old, new, details[u])
        elif node.id not in blocks:
            yield _new_or_gone(before, after, merged, [node.id])
        elif members[blocks[node.id]][0] == node.id:
            yield _new_or_gone(before, after, merged, members[blocks[node.id]])


def _counted(before: Graph, after: Graph, changes: Iterable[Change], merged: Merged) -> Iterator[Change]:
    """The changes with how many parameters each brings: a weight counts once, however many layers have it."""
    kept = [node for node in merged.graph.nodes if status(node) == "kept"]
    met = [
        {w.id for n in kept if (u := merged.origins[n.id][side]) is not None for w in graph.nodes[u].weights}
        for side, graph in enumerate((before, after))
    ]
    for change in changes:
        counts = []
        for seen, node in zip(met, (change.before, change.after), strict=True):
            weights = {w.id: w.size for layer in (leaves(node) if node else ()) for w in layer.weights}
            counts.append(sum(size for number, size in weights.items() if number not in seen))
            seen.update(weights)
        yield replace(change, parameters=counts[1] - counts[0])


def _whole_blocks(graph: Graph) -> dict[int, tuple[str, ...]]:
    """For each layer that is new or gone, the name of the outermost block of which all is."""
    under: dict[tuple[str, ...], set[Status]] = defaultdict(set)
    for node in graph.nodes:
        for length in range(1, len(node.path)):
            under[node.path[:length]].add(status(node))
    found = {}
    for node in graph.nodes:
        paths = (node.path[:length] for length in range(1, len(node.path)))
        whole = next((path for path in paths if under[path] <= {"added", "removed"}), None)
        if whole is not None:
            found[node.id] = whole
    return found


def _new_or_gone(before: _Side, after: _Side, merged: Merged, members: Sequence[int]) -> Change:
    """One layer, or a block; one that is gone and one that is new in its place are a change."""
    origins = [merged.origins[n] for n in members]
    was = before.whole([u for u, _ in origins if u is not None])
    now = after.whole([v for _, v in origins if v is not None])
    if was is not None and now is not None:
        return Change("changed", now.name, was, now, (("kind", words_of(was), words_of(now)),))
    node = now or was or _NOTHING
    return Change("added" if was is None else "removed", node.name, was, now)
