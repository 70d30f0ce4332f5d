"""Equal neighbours as one box, `×n`; what equal means is in `equality`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from .. import checks
from .equality import SIZES, wires
from .fusing import fuse
from .graph import Edge, Frame, Graph, Node, Output, a_graph, a_node, changed, mark_edges, predecessors, sum_known
from .rewrite import collapse, common_prefix, shared_prefix

Tensor = tuple[int, int]

# Of how many boxes at most a sequence consists whose repeats are sought.
_LONGEST_PERIOD = 48


def structure(node: Node, sizes: bool = True) -> Hashable:
    """Something that is equal for two nodes exactly if they have the same structure.

    The whole configuration, shapes in and out, sizes of the weights, whether they are trained, and the wiring inside
    count; names and the values of weights do not. Nor does the rate of a dropout inside
    a block: a network may raise it from block to block. A layer that is called several times is equal to itself alone.

    Args:
        node: a layer or a block.
        sizes: whether widths, sizes of feature maps and strides count too.
    """
    return _structure(node, sizes, inside=False)


def _structure(node: Node, sizes: bool, inside: bool) -> Hashable:
    given: Iterable[object] = (node.configuration, node.attributes)
    aside = (frozenset() if sizes else SIZES) | ({"rate"} if inside and node.role == "dropout" else frozenset())
    if aside:
        given = (pair for pair in (*node.configuration, *node.attributes) if pair[0] not in aside)
    inner = None if node.inner is None else _wiring(node.inner, sizes)
    measured: Hashable = None
    if sizes:
        shared = node.path if node.call[1] > 1 and node.weights else None
        weights = tuple(weight.size for weight in node.weights)
        measured = (shared, node.inputs, node.outputs, node.dtypes, node.trainable, weights, node.multiply_adds)
        measured = (measured, node.repeats)
    return (node.kind, node.role, tuple(given), measured, inner)


def _wiring(graph: Graph, sizes: bool) -> Hashable:
    return (
        tuple(_structure(node, sizes, inside=True) for node in graph.nodes),
        wires(graph),
    )


@checks.public
def fold(graph: Graph, but: Collection[tuple[str, ...]] = ()) -> Graph:
    """Draw equal neighbours together: a box, or a sequence of boxes, that occurs several times in a row.

    Neighbours are equal if their structure is (`structure`), if they lie in the same block, and if each passes on one
    tensor that only the next one reads; whatever else they read must be the same for all. A folded box says in
    `members` which it stands for, and has the weights and multiply-adds of all. Of a sequence of several boxes one is
    left, in a frame whose `members` say which it stands for.

    Args:
        graph: any.
        but: what is not to be folded: of each sequence the names of its boxes in the first repeat, in order.

    >>> import keras
    >>> x = y = keras.Input((8,), name="x")
    >>> for i in range(1, 4):
    ...     y = keras.layers.Dense(8, name=f"dense{i}")(y)
    >>> from layerblocks.graphs import read_graph
    >>> [(node.name, node.repeats, node.parameters) for node in fold(read_graph(keras.Model(x, y))).nodes]
    [('x', 1, 0), ('dense1–dense3', 3, 216)]
    """
    unfolded = a_graph(graph)
    if not isinstance(but, list | tuple | set | frozenset) or not all(isinstance(one, tuple) for one in but):
        raise checks.refuse("but", but, "a list, tuple or set of tuples of names", TypeError)
    numbers: dict[Hashable, int] = {}
    kinds: list[int] = []
    for length in range(1, _LONGEST_PERIOD + 1):
        if 2 * length > len(graph.nodes):
            break
        kinds = kinds or [numbers.setdefault((structure(n), n.head), len(numbers)) for n in graph.nodes]
        repeats = _repeats(graph, kinds, length)
        if but:
            names = [node.name for node in graph.nodes]
            repeats = [(at, count) for at, count in repeats if (*names[at : at + length],) not in but]
        if repeats:
            graph, kinds = _folded(graph, repeats, length), []
    return changed(mark_edges(_without_empty_frames(graph)), unfolded=unfolded)


@dataclass(frozen=True, slots=True)
class _Segment:
    """Some boxes in a row: what they read and how, and the one tensor that they pass on."""

    entries: tuple[Tensor, ...]
    exit: Tensor
    wiring: Hashable
    prefix: tuple[str, ...]
    outer: tuple[int, ...]  # the frames around it
    own: tuple[int, ...]  # frames with nothing else in them


@dataclass(frozen=True, slots=True)
class _Context:
    """A graph with its edges sorted by node."""

    graph: Graph
    arriving: tuple[tuple[Edge, ...], ...]
    reading: dict[Tensor, set[int]]
    leaving: frozenset[Tensor]
    framed: Counter[int]


def _context(graph: Graph) -> _Context:
    arriving: list[list[Edge]] = [[] for _ in graph.nodes]
    reading: dict[Tensor, set[int]] = defaultdict(set)
    for edge in sorted(graph.edges, key=lambda e: (e.target, e.target_port)):
        arriving[edge.target].append(edge)
        reading[edge.source, edge.source_port].add(edge.target)
    leaving = frozenset((o.source, o.source_port) for o in graph.outputs)
    framed = Counter(frame for node in graph.nodes for frame in node.frames)
    return _Context(graph, tuple(map(tuple, arriving)), reading, leaving, framed)


def _repeats(graph: Graph, kinds: Sequence[int], length: int) -> list[tuple[int, int]]:
    """Where sequences of some length begin that occur several times in a row, and how many times."""
    same = [0] * (len(kinds) + 1)  # for how many boxes from here on the one `length` further on is of the same kind
    for i in reversed(range(len(kinds) - length)):
        same[i] = same[i + 1] + 1 if kinds[i] == kinds[i + length] else 0
    if max(same) < length:
        return []
    context, found, i = _context(graph), [], 0
    while i < len(kinds):
        if same[i] < length:
            i += 1
            continue
        # The same repeats may be cut at other places: best where the names of blocks begin.
        starts = [start for start in range(i, i + length) if same[start] >= length]
        counted = ((*_count(context, start, length, same[start] // length + 1), -start) for start in starts)
        _, count, start = max(counted, default=(False, 0, 0))
        if count > 1:
            found.append((-start, count))
            i = -start + count * length
        else:
            i = starts[-1] + 1
    return found


def _count(context: _Context, start: int, length: int, most: int) -> tuple[bool, int]:
    """How many times the boxes from `start` on occur in a row, and whether each time in a block of their own.

    As far as `most` repeats they are of the same kinds; what is left to compare is how they are wired.
    """
    first = previous = _segment(context, start, length)
    count, carried = 1, None
    while first is not None and previous is not None and count < most:
        begin = start + count * length
        following = _segment(context, begin, length)
        if following is None or following.wiring != first.wiring or not _may_follow(following, first):
            break
        inside = set(range(begin, begin + length))
        if previous.exit in context.leaving or not context.reading[previous.exit] <= inside:
            break
        fed = [number for number, tensor in enumerate(following.entries) if tensor == previous.exit]
        if len(fed) != 1 or (carried is not None and fed[0] != carried):
            break
        carried = fed[0]
        if any(a != b for n, (a, b) in enumerate(zip(first.entries, following.entries, strict=True)) if n != carried):
            break
        count, previous = count + 1, following
    own = first is not None and previous is not None and first.prefix != previous.prefix
    return (count > 1 and own), count


def _may_follow(following: _Segment, first: _Segment) -> bool:
    """Whether both lie in one place: the same frames, the same block, or blocks of the same block."""
    a, b = first.prefix, following.prefix
    return first.outer == following.outer and (a == b or (len(a) == len(b) and a[:-1] == b[:-1]))


def _segment(context: _Context, start: int, length: int) -> _Segment | None:
    """The boxes from `start` on, if they pass on one tensor only."""
    inside = range(start, start + length)
    if inside.stop > len(context.graph.nodes):
        return None
    entries: dict[Tensor, int] = {}
    wiring: list[Hashable] = []
    ends: tuple[Hashable, ...]
    exits = set()
    nodes = context.graph.nodes[start : inside.stop]
    for node in nodes:
        for edge in context.arriving[node.id]:
            tensor = (edge.source, edge.source_port)
            if edge.source in inside:
                ends = (node.id - start, edge.target_port, "in", edge.source - start, edge.source_port)
            else:
                number = entries.setdefault(tensor, len(entries))
                ends = (node.id - start, edge.target_port, "out", number)
            # Which repeats inside read it anew, by how deep they lie.
            wiring.append((*ends, tuple(node.frames[::-1].index(f) if f >= 0 else f for f in edge.each)))
        for port in range(max(1, len(node.outputs))):
            tensor = (node.id, port)
            if tensor in context.leaving or any(t not in inside for t in context.reading.get(tensor, ())):
                exits.add(tensor)
    if len(exits) != 1 or not entries:
        return None
    (exit_,) = exits
    around = shared_prefix(node.frames for node in nodes)
    own = tuple(f for f in around if context.framed[f] == length)
    numbers: dict[int, int] = {}
    for node in nodes:
        inner = (f for f in node.frames if f not in around)
        wiring.append(tuple((numbers.setdefault(f, len(numbers)), context.graph.frames[f].repeats) for f in inner))
    return _Segment(
        entries=tuple(entries),
        exit=exit_,
        wiring=(tuple(wiring), exit_[0] - start, exit_[1], len(own)),
        prefix=nodes[0].path if length == 1 else shared_prefix(node.path for node in nodes),
        outer=around[: len(around) - len(own)],
        own=own,
    )


def _folded(graph: Graph, repeats: Sequence[tuple[int, int]], length: int) -> Graph:
    """The graph with the first only of all that repeats."""
    context = _context(graph)
    frames = list(graph.frames)
    kept: dict[int, Node] = {}
    gone: dict[int, int] = {}  # a box that is left out, and the one that stands for it
    anew: dict[tuple[int, Tensor], int] = {}  # which repeat reads a tensor in each of its repeats
    for start, count in repeats:
        segments = [_segment(context, start + k * length, length) for k in range(count)]
        first, last = segments[0], segments[-1]
        assert first is not None and last is not None
        frame = _frame(frames, [segment for segment in segments if segment is not None], graph, length, start)
        level = -1 if frame is None else frame
        again = segments[1].entries if segments[1] is not None else ()
        fixed = [a for a, b in zip(first.entries, again, strict=True) if b != first.exit]
        anew |= {(number, tensor): level for number in range(start, start + length) for tensor in fixed}
        for number in range(start, start + length):
            equal = [graph.nodes[number + k * length] for k in range(count)]
            gone |= {node.id: number for node in equal[1:]}
            around = graph.nodes[number].frames
            if frame is not None and not first.own:
                around = (*first.outer, frame, *around[len(first.outer) :])
            kept[number] = changed(_one_for(equal, named=length == 1), frames=around)
    left = [node.id for node in graph.nodes if node.id not in gone]
    new = {number: i for i, number in enumerate(left)}

    def each(edge: Edge) -> tuple[int, ...]:
        level = anew.get((edge.target, (edge.source, edge.source_port)))
        return edge.each if level is None else (*edge.each, level)

    return changed(
        graph,
        nodes=tuple(changed(kept.get(number, graph.nodes[number]), id=new[number]) for number in left),
        edges=tuple(
            changed(e, source=new[gone.get(e.source, e.source)], target=new[e.target], each=each(e))
            for e in graph.edges
            if e.target in new
        ),
        outputs=tuple(changed(o, source=new[gone.get(o.source, o.source)]) for o in graph.outputs),
        frames=tuple(frames),
    )


def _frame(frames: list[Frame], segments: Sequence[_Segment], graph: Graph, length: int, start: int) -> int | None:
    """The number of the frame around what is left of a sequence that repeats; a single box needs none."""
    first, last = segments[0], segments[-1]
    if first.own:
        number = first.own[0]
        names = [frames[segment.own[0]] for segment in segments]
        frames[number] = Frame(number, span(names[0].path, names[-1].path), tuple(f.name for f in names))
        return number
    if length == 1:
        return None
    if first.prefix != last.prefix:
        members = tuple(".".join(segment.prefix) for segment in segments)
        frames.append(Frame(len(frames), span(first.prefix, last.prefix), members))
    else:
        members = tuple(graph.nodes[start + k * length].name for k in range(len(segments)))
        frames.append(Frame(len(frames), (), members))
    return len(frames) - 1


def _one_for(equal: Sequence[Node], named: bool) -> Node:
    """One box for several equal ones."""
    first, last = equal[0], equal[-1]
    calls = sorted({node.call for node in equal})
    shared = bool(first.weights) and first.weights == last.weights  # one set of weights, called several times
    return changed(
        first,
        path=span(first.path, last.path) if named else first.path,
        members=tuple(chain.from_iterable(node.members or (node.name,) for node in equal)),
        weights=tuple(dict.fromkeys(chain.from_iterable(node.weights for node in equal))),
        multiply_adds=sum_known(node.multiply_adds for node in equal),
        call=(1, 1) if len(calls) == first.call[1] and not shared else first.call,
        receptive_field=last.receptive_field,
        scales=last.scales,
    )


def span(first: tuple[str, ...], last: tuple[str, ...]) -> tuple[str, ...]:
    """A name for everything from one name to another.

    >>> span(("stage3", "block2"), ("stage3", "block6"))
    ('stage3', 'block2–block6')
    >>> span(("residual 1",), ("residual 4",))
    ('residual 1–4',)
    """
    if first == last:
        return first
    shared = common_prefix(first, last)
    start, end = (".".join(path[len(shared) :]) for path in (first, last))
    word, number = start.rpartition(" ")[::2]
    if number.isdigit() and end.rpartition(" ")[0] == word:
        end = end.rpartition(" ")[2]
    return (*shared, f"{start}–{end}")


def _without_empty_frames(graph: Graph) -> Graph:
    """Leave out the frames that nothing stands in any more."""
    used = sorted({frame for node in graph.nodes for frame in node.frames})
    new = {frame: i for i, frame in enumerate(used)}
    return changed(
        graph,
        nodes=tuple(changed(node, frames=tuple(new[f] for f in node.frames)) for node in graph.nodes),
        edges=tuple(changed(e, each=tuple(new.get(f, f) for f in e.each)) if e.each else e for e in graph.edges),
        frames=tuple(changed(graph.frames[frame], id=new[frame]) for frame in used),
    )


# -- kinds of blocks, and what is inside ------------------------------------------------------------------------------


@checks.public
def kinds(graph: Graph) -> list[tuple[Node, tuple[str, ...]]]:
    """The kinds of blocks in a collapsed graph that are worth drawing open, in the order in which they first occur.

    Blocks that differ in widths, sizes of feature maps and strides alone are of one kind. Worth it is what holds
    branches, or several units in a row if it occurs more than once.

    Returns:
        Of each kind the first block, and the names of all.
    """
    a_graph(graph)
    found: dict[Hashable, tuple[Node, list[str]]] = {}
    for node in graph.nodes:
        if node.inner is not None and node.kind != "Unit":
            _, names = found.setdefault((structure(node, sizes=False), node.head is None), (node, []))
            names.extend(node.members or (node.name,))
    return [(node, tuple(names)) for node, names in found.values() if _worth_opening(opened(node), len(names))]


def _worth_opening(inside: Graph, times: int) -> bool:
    joins = any(len(sources) > 1 for sources in predecessors(inside))
    return joins or (times > 1 and sum(node.role != "input" for node in inside.nodes) > 1)


@checks.public
def opened(node: Node) -> Graph:
    """The inside of a block as a graph of its own, one level further in, fused and folded.

    What comes in is a node of kind `Entry` and role `input`, one for each tensor; what leaves is in `Graph.outputs`.
    Names inside are without that of the block.

    Raises:
        ValueError: the node is a layer.
    """
    a_node(node)
    if node.inner is None:
        raise checks.refuse("node", node.name, "a block; this is a layer, with nothing inside to show")
    graph = _with_entries(node)
    depth, longest = 1, max(len(n.path) for n in graph.nodes)
    while True:
        inside = fuse(collapse(graph, depth))
        if depth >= longest or sum(n.kind != "Entry" for n in inside.nodes) > 1:
            return fold(inside)
        depth += 1


def _with_entries(node: Node) -> Graph:
    inner = node.inner
    assert inner is not None
    prefix = shared_prefix(n.path[:-1] for n in inner.nodes)
    shapes = {edge.source: edge.shape for edge in inner.entries}
    count = len(shapes)
    entries = [
        Node(
            id=number,
            path=("input" if count == 1 else f"input{number + 1}",),
            kind="Entry",
            role="input",
            outputs=() if shape is None else (shape,),
        )
        for number, shape in sorted(shapes.items())
    ]
    around = shared_prefix(n.frames for n in inner.nodes)  # what is drawn is that itself
    around = tuple(frame for frame in around if inner.frames[frame].repeats == 1)
    nodes = (
        changed(n, id=n.id + count, path=n.path[len(prefix) :], frames=n.frames[len(around) :], head=None)
        for n in inner.nodes
    )
    return changed(
        inner,
        name=node.name,
        kind="Block",
        nodes=(*entries, *nodes),
        edges=(
            *(changed(e, target=e.target + count) for e in inner.entries),
            *(changed(e, source=e.source + count, target=e.target + count) for e in inner.edges),
        ),
        outputs=tuple(Output(o.key, o.source + count, o.source_port) for o in inner.outputs),
        entries=(),
    )
