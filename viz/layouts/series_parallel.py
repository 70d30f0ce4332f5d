"""The series-parallel decomposition of a graph: a sequence, some of it side by side, some of it in a frame.

A figure of a network reads as a sequence: boxes that everything passes, between them forks whose branches are sequences
again, and frames around stretches of it. Short cuts are no part of the sequence: they run beside it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import accumulate, chain, takewhile

from ...graphs.graph import Edge, Graph, Node
from ...graphs.rewrite import shared_prefix
from ..lines import line_roles, line_words

ENTRY, EXIT = -1, -2
"""In the place of a node's number: where a sequence is entered or left."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Branches side by side."""

    branches: tuple[Parts, ...]


@dataclass(frozen=True, slots=True)
class Framed:
    """A stretch of a sequence inside a frame with a title, which occurs so many times in a row.

    `frame` is its number in the graph, if it has one there.
    """

    title: str
    parts: Parts
    repeats: int = 1
    frame: int = -1


CONTINUED = " (cont.)"
Part = int | Fork | Framed
Parts = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Around:
    """A frame around a box: its identity, its dotted name, how many times it occurs."""

    key: Hashable
    path: tuple[str, ...]
    repeats: int = 1


def number_of(around: Around) -> int:
    """The number of a frame that the graph has; -1 of one that only opens a block."""
    return around.key if isinstance(around.key, int) else -1


Frames = tuple[Around, ...]
"""The frames around a box, outermost first."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A short cut beside the sequence in which both of its ends lie; each end is a node, `ENTRY` or `EXIT`."""

    edge: Edge
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Composition:
    """A graph as a sequence, its short cuts by the sequence beside which they run, and its heads by their source.

    `frames` are those around each box that are drawn, `arriving` the edges to each, `roles` what each edge is.
    `apart` are edges that no line shows from end to end: both ends are at circles with a letter.
    """

    parts: Parts
    lanes: dict[Key, tuple[Lane, ...]]
    heads: dict[int, Parts]
    frames: Sequence[Frames]
    arriving: Mapping[int, Sequence[Edge]]
    roles: Mapping[Edge, str]
    apart: tuple[Edge, ...] = ()


class Irreducible(Exception):
    """The graph is no sequence of boxes and forks; or it is, but for some frames that reach across branches."""

    def __init__(self, why: str, frames: Iterable[Around] = ()) -> None:
        super().__init__(why)
        self.frames = frozenset(frames)


def compose(graph: Graph) -> Composition:
    """Decompose the graph into series and parallels. A frame that reaches across branches is left out.

    Raises:
        Irreducible: it cannot be seen so: some branches are tied to each other.
    """
    frames = frames_around(graph)
    while True:
        try:
            return _composed(graph, frames)
        except Irreducible as error:
            if not error.frames:
                raise
            frames = [tuple(around for around in each if around not in error.frames) for each in frames]


_READERS = 3  # of one tensor, before it counts as one that all are conditioned on


def compose_conditioned(graph: Graph) -> Composition | None:
    """Decompose a graph but for what is read anew beside the sequence: the edges to it are `apart`.

    That is what conditions many boxes, such as the embedding of the time in a diffusion model, and an input that is
    read a second time, such as the mixture that a mask is multiplied with. The first that reads it is in a sequence
    with it. None if the graph is no sequence without the others either.
    """
    roles = line_roles(graph)
    words = line_words(graph, roles)
    readers: dict[tuple[int, int], list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        if roles[edge] in ("trunk", "branch", "gate"):
            readers[edge.source, edge.source_port].append(edge)
    anew = []
    for (source, _), edges in readers.items():
        count = len({edge.target for edge in edges})
        again = sorted(edges, key=lambda edge: edge.target)[1:]
        is_input = graph.nodes[source].role == "input"
        if count >= (2 if is_input else _READERS) and not any(edge in words for edge in again):
            anew.append(again)
    anew = sorted(anew, key=len, reverse=True)[:_READERS]
    for apart in (*anew, [*chain.from_iterable(anew)]) if len(anew) > 1 else anew:
        with suppress(Irreducible):
            composition = compose(replace(graph, edges=tuple(edge for edge in graph.edges if edge not in apart)))
            if not composition.heads:
                return replace(composition, roles=roles, apart=tuple(apart))
    return None


def _composed(graph: Graph, frames: Sequence[Frames]) -> Composition:
    heads = _heads(graph)
    aside = set(chain.from_iterable(heads.values()))
    straight: list[list[int]] = [[] for _ in graph.nodes]
    skips = []
    for edge in graph.edges:
        if edge.role == "skip":
            skips.append(edge)
        elif (edge.source in aside) == (edge.target in aside):
            straight[edge.source].append(edge.target)
    ports: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for edge in graph.edges:
        if edge.role not in ("skip", "aux"):
            ports[edge.target][edge.source].add(edge.source_port)
    if any(len(own) > 1 and max(map(len, own.values())) > 1 for own in ports.values()):
        raise Irreducible("several tensors of one box meet with those of others")
    main = [node.id for node in graph.nodes if node.id not in aside]
    parts = _framed(_sequence(main, straight), frames, 0)
    beside = {source: _framed(_sequence(members, straight), frames, 0) for source, members in heads.items()}
    if not all(isinstance(_first(each), int) for each in beside.values()):
        raise Irreducible("a head begins with a fork")
    arriving: dict[int, list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        arriving[edge.target].append(edge)
    lanes = _lanes(skips, (parts, *beside.values()))
    for (_, first), own in lanes.items():
        for lane in own:
            entering = ports[first][lane.edge.source]
            if lane.start == ENTRY and entering and lane.edge.source_port not in entering:
                raise Irreducible("a short cut begins at another tensor than what enters there")
    return Composition(parts, lanes, beside, frames, arriving, line_roles(graph))


def _first(parts: Parts) -> Part:
    part = parts[0]
    return _first(part.parts) if isinstance(part, Framed) else part


def frames_around(graph: Graph) -> list[Frames]:
    """For each node the frames around it: of the opened blocks in its dotted name that hold more than one box.

    The frames of the graph itself stand in their place among these: one without a name inside the innermost block that
    holds all that it holds.
    """
    inside: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for node in graph.nodes:
        for frame in node.frames:
            inside[frame].append(node.path[:-1])
    levels = {f: len(shared_prefix(paths)) for f, paths in inside.items() if not graph.frames[f].path}
    keys = [tuple(_around(graph, node, levels)) for node in graph.nodes]
    shared = Counter(chain.from_iterable(keys))
    return [tuple(takewhile(lambda around: shared[around] > 1 or around.repeats > 1, outer)) for outer in keys]


def named(frames: Frames) -> int:
    """How many parts of a name stand on the frames around a box."""
    return max((len(around.path) for around in frames), default=0)


def title_of(frames: Frames) -> str:
    """What the innermost frame is called inside the others."""
    return ".".join(frames[-1].path[named(frames[:-1]) :])


def _around(graph: Graph, node: Node, levels: Mapping[int, int]) -> Iterable[Around]:
    """The frames around a node, from outside; `levels` are in how many blocks those without a name are."""
    named = {len(graph.frames[f].path): graph.frames[f] for f in node.frames if f not in levels}
    nameless: dict[int, list[int]] = defaultdict(list)
    for f in node.frames:
        if f in levels:
            nameless[levels[f]].append(f)
    for level in range(max((len(node.path), 1, *(size + 1 for size in named)))):
        frame = named.get(level)
        if frame is not None:
            yield Around(frame.id, frame.path, frame.repeats)
        elif 0 < level < len(node.path):
            outer = tuple(f for f in node.frames if levels.get(f, len(graph.frames[f].path)) < level)
            yield Around((outer, node.path[:level]), node.path[:level])
        for f in nameless[level]:
            yield Around(f, (), graph.frames[f].repeats)


def _heads(graph: Graph) -> dict[int, list[int]]:
    """The nodes of each auxiliary head, by the one node of the trunk that feeds it."""
    found: dict[int, list[int]] = defaultdict(list)
    sources: dict[int, int] = {}
    arriving: dict[int, set[int]] = defaultdict(set)
    for edge in graph.edges:
        arriving[edge.target].add(edge.source)
    for node in graph.nodes:
        if node.head is None:
            continue
        fed = {sources.get(source, source) for source in arriving[node.id]}
        if len(fed) != 1:
            raise Irreducible(f"{node.name} has inputs from several places")
        sources[node.id] = fed.pop()
        found[sources[node.id]].append(node.id)
    return found


def _sequence(members: Sequence[int], straight: Sequence[Sequence[int]]) -> Parts:
    """The members, which are in an order in which they can be computed, as a sequence."""
    place = {number: i for i, number in enumerate(members)}
    over = [0] * (len(members) + 2)  # how many edges pass over each place
    entered = set(place)
    for number, i in place.items():
        inside = [place[t] for t in straight[number] if t in place]
        outside = len(inside) < len(straight[number]) or not inside
        for target in {*inside, *([len(members)] if outside else [])}:
            over[i + 1] += 1
            over[target] -= 1
        entered.difference_update(members[t] for t in inside)
    # From outside: to what nothing inside leads to, and that is all that may be entered.
    for number in entered:
        over[0] += 1
        over[place[number]] -= 1
    trunk = [members[i] for i, passing in enumerate(accumulate(over[:-1])) if i < len(members) and passing == 0]
    parts: list[Part] = []
    before = 0
    for end in (*(place[number] for number in trunk), len(members)):
        if end > before:
            parts.extend(_side_by_side(members[before:end], len(members), straight))
        parts.extend(members[end : end + 1])
        before = end + 1
    return tuple(parts)


def _side_by_side(members: Sequence[int], of: int, straight: Sequence[Sequence[int]]) -> Parts:
    branches = _connected(members, straight)
    if len(branches) > 1:
        return (Fork(tuple(_sequence(branch, straight) for branch in branches)),)
    if len(members) == of:
        raise Irreducible("branches are tied to each other")
    return _sequence(branches[0], straight)


def _connected(members: Sequence[int], straight: Sequence[Sequence[int]]) -> list[list[int]]:
    """The members that hang together, each lot in order."""
    group = {number: number for number in members}

    def root(number: int) -> int:
        while group[number] != number:
            group[number] = number = group[group[number]]
        return number

    for number in members:
        for target in straight[number]:
            if target in group:
                one, other = sorted((root(number), root(target)))
                group[other] = one
    found: dict[int, list[int]] = defaultdict(list)
    for number in members:
        found[root(number)].append(number)
    return list(found.values())


def _framed(parts: Parts, frames: Sequence[Frames], depth: int) -> Parts:
    """Put the stretches that lie in one frame into it; `depth` frames are drawn already."""
    found: list[Part] = []
    keys = [_common(part, frames)[depth : depth + 1] for part in parts]
    seen = set()
    at = 0
    while at < len(parts):
        key, end = keys[at], at + 1
        while key and end < len(parts) and keys[end] == key:
            end += 1
        if not key:
            part = parts[at]
            if isinstance(part, Fork):
                part = Fork(tuple(_framed(branch, frames, depth) for branch in part.branches))
            found.append(part)
        else:
            if key in seen:
                raise Irreducible(f"{key[0].path} is in pieces", key)
            seen.add(key)
            title = title_of(_common(parts[at], frames)[: depth + 1])
            inside = _framed(parts[at:end], frames, depth + 1)
            found.append(Framed(title, inside, key[0].repeats, number_of(key[0])))
        at = end
    wanted = {frames[number][depth] for number in numbers(parts) if len(frames[number]) > depth}
    held = Counter(frames[next(iter(numbers((p,))))][depth] for p in _all_of(found) if isinstance(p, Framed))
    if torn := [around for around in wanted if held[around] != 1]:
        raise Irreducible("a frame holds parts of several branches", torn)
    return tuple(found)


def _all_of(parts: Iterable[Part]) -> Iterable[Part]:
    """The parts, and those of forks, but not what is inside a frame."""
    for part in parts:
        yield part
        if isinstance(part, Fork):
            for branch in part.branches:
                yield from _all_of(branch)


def _common(part: Part, frames: Sequence[Frames]) -> Frames:
    """The frames around all of a part."""
    first, *others = (frames[number] for number in numbers((part,)))
    for other in others:
        first = first[: sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, other, strict=False)))]
    return first


def numbers(parts: Iterable[Part]) -> Iterable[int]:
    """The nodes of a sequence, in order."""
    for part in parts:
        if isinstance(part, int):
            yield part
        elif isinstance(part, Framed):
            yield from numbers(part.parts)
        else:
            for branch in part.branches:
                yield from numbers(branch)


def split(parts: Parts, number: int) -> tuple[Parts, Parts]:
    """A sequence before and from a node on its axis; a frame that is cut through continues."""
    for i, part in enumerate(parts):
        if number == part or (isinstance(part, Framed) and number == next(iter(numbers((part,))))):
            return parts[:i], parts[i:]
        if isinstance(part, Framed) and number in set(numbers((part,))):
            before, after = split(part.parts, number)
            title = part.title if part.title.endswith(CONTINUED) else f"{part.title}{CONTINUED}"
            return (
                (*parts[:i], replace(part, parts=before)),
                (replace(part, title=title, parts=after), *parts[i + 1 :]),
            )
    raise ValueError(f"{number} is not on the axis")


def part_of(composition: Composition, parts: Parts, skips: Iterable[Edge]) -> Composition:
    """A stretch of a composition as one of its own."""
    inside = set(numbers(parts))
    heads = {source: head for source, head in composition.heads.items() if source in inside}
    inside.update(chain.from_iterable(numbers(head) for head in heads.values()))
    own = [edge for edge in skips if edge.source in inside and edge.target in inside]
    lanes = _lanes(own, (parts, *heads.values()))
    # What begins on the line into a sequence is in this stretch if that line comes from before it.
    for (level, first), found in composition.lanes.items():
        entering = tuple(lane for lane in found if lane.start == ENTRY and lane.edge.source not in inside)
        if entering and first == next(iter(numbers(parts))) and all(lane.end in inside for lane in entering):
            lanes[level, first] = (*lanes.get((level, first), ()), *entering)
    return replace(composition, parts=parts, lanes=lanes, heads=heads)


def main_branch(fork: Fork, edges: Mapping[int, Sequence[Edge]]) -> int | None:
    """The branch that the others are projections for, if there is one.

    Args:
        edges: those that arrive at each node.
    """
    short = [_is_projection(branch, edges) for branch in fork.branches]
    return short.index(False) if short.count(False) == 1 else None


def _is_projection(branch: Parts, edges: Mapping[int, Sequence[Edge]]) -> bool:
    inside = set(numbers(branch))
    return any(
        edge.role == "projection" and edge.source not in inside for number in inside for edge in edges.get(number, ())
    )


# -- short cuts -------------------------------------------------------------------------------------------------------

# Where a node is: which sequence, and which of its parts, from the outside in.
_Place = tuple[tuple[Parts, int], ...]
# Which sequence: how deep it lies, and the first of its nodes.
Key = tuple[int, int]


def key(level: int, parts: Parts) -> Key:
    return level, next(iter(numbers(parts)))


def _lanes(skips: Iterable[Edge], roots: Iterable[Parts]) -> dict[Key, tuple[Lane, ...]]:
    places: dict[int, _Place] = {}
    for root in roots:
        _locate(root, (), places)
    found: dict[Key, list[Lane]] = defaultdict(list)
    for edge in skips:
        beside, lane = _lane(places[edge.source], places[edge.target], edge)
        found[beside].append(lane)
    return {beside: tuple(lanes) for beside, lanes in found.items()}


def _locate(parts: Parts, outer: _Place, places: dict[int, _Place]) -> None:
    for i, part in enumerate(parts):
        here = (*outer, (parts, i))
        if isinstance(part, int):
            places[part] = here
        elif isinstance(part, Framed):
            _locate(part.parts, here, places)
        else:
            for branch in part.branches:
                _locate(branch, here, places)


def _lane(source: _Place, target: _Place, edge: Edge) -> tuple[Key, Lane]:
    """The sequence beside which a short cut runs, and its ends there."""
    level = 0
    while source[level][1] == target[level][1] and source[level + 1][0] is target[level + 1][0]:
        level += 1
    parts, at = source[level]
    if parts is not target[level][0]:
        raise Irreducible("a short cut leads from one branch to another")
    near = target[level][1] - at == 1
    into, out_of = target[level + 1 :], source[level + 1 :]
    last = all(i + 1 == len(inner) for inner, i in out_of)  # the previous part is left where the short cut begins
    forked = any(isinstance(inner[i], Fork) for inner, i in source[level:-1])
    if near and into and last and not forked and not any(i for _, i in into[:-1]):
        return key(len(target) - 1, into[-1][0]), Lane(edge, ENTRY, edge.target)
    if near and forked and not into and all(i + 1 == len(inner) for inner, i in out_of[:-1]):
        return key(len(source) - 1, out_of[-1][0]), Lane(edge, edge.source, EXIT)
    if forked or any(isinstance(inner[i], Fork) for inner, i in target[level:-1]):
        raise Irreducible("a short cut leads across branches")
    return key(level, parts), Lane(edge, edge.source, edge.target)
