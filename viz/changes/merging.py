"""Two models in one graph: the second, and in it what only the first has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ...graphs.graph import Edge, Frame, Graph, Node, mark_edges, mark_heads
from ...graphs.rewrite import common_prefix
from .wiring import Pairs

# Where a node stands: behind which layer of the second model, and which one there.
_Place = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Merged:
    """The graph of both, and of each of its nodes the numbers that it has in the first and in the second model."""

    graph: Graph
    origins: tuple[tuple[int | None, int | None], ...]


def merge(
    before: Graph, after: Graph, pairs: Pairs, changes: Mapping[int, str], unclear: Collection[int] = ()
) -> Merged:
    """Both models in one graph. What is added, removed, changed or unclear says so in its attribute `status`.

    Args:
        before: the layers of the first model.
        after: those of the second.
        pairs: which layer of the first is which of the second.
        changes: what changed, by numbers of the first.
        unclear: of which of these nobody can tell whether they changed.
    """
    back = {v: u for u, v in pairs.items()}
    places = _places(before, pairs)
    order = sorted((*((v, 0, 0) for v in range(len(after.nodes))), *places.values()))
    new = {place: number for number, place in enumerate(order)}
    frames, renumbered = _frames(before, after, pairs)
    heaviest = max((w.id for n in after.nodes for w in n.weights), default=-1) + 1
    gone = {place: u for u, place in places.items()}
    blocks, taken = _blocks_now(before, after, pairs), {node.path for node in after.nodes}
    nodes: list[Node] = []
    origins: list[tuple[int | None, int | None]] = []
    for number, place in enumerate(order):
        if place in gone:
            old = before.nodes[gone[place]]
            node = replace(
                old,
                path=_path_in(blocks, old, taken),
                frames=tuple(renumbered[f] for f in old.frames),
                weights=tuple(replace(w, id=w.id + heaviest) for w in old.weights),
            )
            told: tuple[tuple[str, object], ...] = (("status", "removed"),)
            origins.append((old.id, None))
        else:
            node, u = after.nodes[place[0]], back.get(place[0])
            told = (("status", "added"),) if u is None else ()
            if u is not None and u in changes:
                told = (("status", "unclear" if u in unclear else "changed"), ("change", changes[u]))
            origins.append((u, node.id))
        nodes.append(replace(node, id=number, attributes=(*node.attributes, *told)))
    ends = {**{u: new[v, 0, 0] for u, v in pairs.items()}, **{u: new[place] for u, place in places.items()}}
    kept = {v: new[v, 0, 0] for v in range(len(after.nodes))}
    edges = [replace(e, source=kept[e.source], target=kept[e.target]) for e in after.edges]
    edges += _edges_of_gone(before, places, ends, edges)
    outputs = [replace(o, source=kept[o.source]) for o in after.outputs]
    outputs += [replace(o, source=ends[o.source]) for o in before.outputs if o.source in places]
    nodes = [replace(node, head=None) for node in nodes]  # what serves an auxiliary output may have changed
    graph = replace(after, nodes=tuple(nodes), edges=tuple(edges), outputs=tuple(outputs), frames=frames)
    return Merged(mark_edges(mark_heads(graph)), tuple(origins))


def _places(before: Graph, pairs: Pairs) -> dict[int, _Place]:
    """Where each layer that only the first model has stands: behind all that it reads."""
    found: dict[int, _Place] = {}
    sources: list[list[int]] = [[] for _ in before.nodes]
    for edge in before.edges:
        sources[edge.target].append(edge.source)
    for node in before.nodes:
        if node.id not in pairs:
            behind = (found[s][0] if s in found else pairs[s] for s in sources[node.id])
            found[node.id] = (max(behind, default=-1), 1, node.id)
    return found


def _edges_of_gone(
    before: Graph, gone: Mapping[int, _Place], ends: Mapping[int, int], others: Sequence[Edge]
) -> list[Edge]:
    """The edges from and to what only the first model has; an end that stays takes them behind its own."""
    ports = Counter(edge.target for edge in others)
    found = []
    for edge in before.edges:
        source, target = ends[edge.source], ends[edge.target]
        if (edge.source in gone or edge.target in gone) and source < target:
            port = edge.target_port
            if edge.target not in gone:
                port = ports[target]
                ports[target] += 1
            found.append(replace(edge, source=source, target=target, target_port=port))
    return found


def _frames(before: Graph, after: Graph, pairs: Pairs) -> tuple[tuple[Frame, ...], dict[int, int]]:
    """The frames of both, and the number that each of the first has now: that of the one its layers are in now."""
    votes: dict[int, Counter[int]] = {}
    for u, v in pairs.items():
        for old, new in zip(before.nodes[u].frames, after.nodes[v].frames, strict=False):
            votes.setdefault(old, Counter())[new] += 1
    frames, numbers = list(after.frames), {}
    for frame in before.frames:
        if frame.id in votes:
            numbers[frame.id] = min(votes[frame.id].items(), key=lambda vote: (-vote[1], vote[0]))[0]
        else:
            numbers[frame.id] = len(frames)
            frames.append(replace(frame, id=len(frames)))
    return tuple(frames), numbers


def _blocks_now(before: Graph, after: Graph, pairs: Pairs) -> dict[tuple[str, ...], tuple[str, ...]]:
    """For each block of the first model, the block of the second in which all that is left of it lies."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for u, v in pairs.items():
        old, new = before.nodes[u].path, after.nodes[v].path[:-1]
        for length in range(1, len(old)):
            found[old[:length]] = common_prefix(found.get(old[:length], new), new)[:length]
    return found


def _path_in(
    blocks: Mapping[tuple[str, ...], tuple[str, ...]], old: Node, taken: set[tuple[str, ...]]
) -> tuple[str, ...]:
    """The name that something gone would have in the second model: in the block where its neighbours are now."""
    lengths = (length for length in range(len(old.path) - 1, 0, -1) if blocks.get(old.path[:length]))
    length = next(lengths, 0)
    path = (*blocks.get(old.path[:length], ()), *old.path[length:])
    while path in taken:
        path = (*path[:-1], f"{path[-1]} (removed)")
    taken.add(path)
    return path
