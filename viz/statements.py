"""What a drawn figure says, as a graph again: its boxes, lines, frames and outputs, with repeats unfolded."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from ..graphs.graph import Edge, Graph, Node, Output, changed
from .scene import Box, Path, Polygon, Scene, Stated

Bounds = tuple[float, float, float, float]
Index = Mapping[int, int]  # for each level around a box, which of its repeats
Copy = tuple[int, tuple[tuple[int, int], ...]]  # a box, and which of its repeats
_SLACK = 0.1


@dataclass(frozen=True, slots=True)
class _Level:
    """A frame that repeats, in how many pieces, or (`frame` −1) a box that stands for several, around itself alone."""

    frame: int
    repeats: int
    members: frozenset[int]
    pieces: int = 1


def statement(scene: Scene, graph: Graph) -> Graph:
    """Read a figure back: what it says of the network, whatever the graph says that it was drawn from.

    A box is in a frame if it is drawn in it, and is there as many times as is written on them. Lines lead from where to
    where their shapes state; into what repeats, to the first of the repeats, and from each of these to the next, but
    where they state that each is led to. Names and tensors are those of the graph.

    Args:
        scene: of a figure.
        graph: that it was drawn from.

    >>> from layerblocks.viz.scene import Box, Path, Scene, Stated
    >>> stack = Node(1, ("d1–d3",), "Dense", "dense", members=("d1", "d2", "d3"))
    >>> nodes = (Node(0, ("x",), "InputLayer", "input"), stack)
    >>> line = Edge(0, 1)
    >>> scene = Scene(9, 40, (
    ...     Box(0, 0, 9, 9, "input", name="x", states=Stated(0)),
    ...     Box(0, 20, 9, 9, "dense", name="d1–d3", states=Stated(1, repeats=3)),
    ...     Path((5, 9), (((5, 20),),), "trunk", states=(line,)),
    ...     Path((5, 29), (((5, 40),),), "trunk", states=(Output("y", 1),)),
    ... ))
    >>> found = statement(scene, Graph("net", "Functional", nodes, (line,)))
    >>> [(found.nodes[e.source].name, found.nodes[e.target].name) for e in found.edges]
    [('x', 'd1'), ('d1', 'd2'), ('d2', 'd3')]
    >>> found.nodes[found.outputs[0].source].name
    'd3'
    """
    boxes = {number: stated for number, stated, _ in _boxes(scene)}
    levels = _levels(scene, boxes)
    around = {n: [level for level in levels if n in level.members] for n in boxes}
    lines = (link for item in scene.items if isinstance(item, Path) for link in item.states)
    links: dict[Edge | Output, None] = dict.fromkeys(lines)
    links |= dict.fromkeys(edge for stated in boxes.values() for edge in stated.against)
    edges = [link for link in links if isinstance(link, Edge) and {link.source, link.target} <= boxes.keys()]
    outputs = [link for link in links if isinstance(link, Output) and link.source in boxes]
    exits = {level: _exit(level, edges, outputs) for level in levels}
    copies = [copy for number in sorted(boxes) for copy in _copies(number, around[number])]
    found: list[tuple[Copy, Copy, int, Edge]] = []
    for edge in edges:
        for target in _copies(edge.target, around[edge.target]):
            source, port = _source(edge, target, around, exits)
            found.append((source, target, port, edge))
    order = _order(copies, [(source, target) for source, target, _, _ in found])
    new = {copy: i for i, copy in enumerate(order)}
    return Graph(
        name=graph.name,
        kind=graph.kind,
        nodes=tuple(_node(graph, copy, boxes[copy[0]], around[copy[0]], new[copy]) for copy in order),
        edges=tuple(
            sorted(
                (
                    changed(edge, source=new[source], target=new[target], source_port=port, each=())
                    for source, target, port, edge in found
                ),
                key=lambda edge: (edge.target, edge.target_port),
            )
        ),
        outputs=tuple(
            changed(output, source=new[_last(output.source, {}, around)])
            for output in sorted(outputs, key=lambda o: _place(graph, o))
        ),
    )


def torn(scene: Scene, graph: Graph) -> list[tuple[str, ...]]:
    """The repeats that a scene does not keep whole: of each the names of the boxes in it, in order.

    Its frame is left out or drawn in several pieces, or has other boxes in it than it should.
    """
    boxes = {number: stated for number, stated, _ in _boxes(scene)}
    drawn = {level.frame: level for level in _levels(scene, boxes) if level.frame >= 0}
    found = []
    for frame in graph.frames:
        inside = [node for node in graph.nodes if frame.id in node.frames]
        level = drawn.get(frame.id)
        whole = level is not None and level.pieces == 1 and level.members == {node.id for node in inside}
        if frame.repeats > 1 and not whole:
            found.append(tuple(node.name for node in inside))
    return found


def _place(graph: Graph, output: Output) -> int:
    """Its place among the outputs of the network."""
    return graph.outputs.index(output) if output in graph.outputs else len(graph.outputs)


def _boxes(scene: Scene) -> Iterator[tuple[int, Stated, Bounds]]:
    """The boxes and volumes that stand for nodes."""
    for item in scene.items:
        if isinstance(item, Box | Polygon) and item.states is not None and item.states.node >= 0:
            yield item.states.node, item.states, bounds(item)


def bounds(item: Box | Polygon) -> Bounds:
    """The left, upper, right and lower side of a shape."""
    if isinstance(item, Box):
        return item.x, item.y, item.x + item.width, item.y + item.height
    xs, ys = zip(*item.points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _levels(scene: Scene, boxes: Mapping[int, Stated]) -> list[_Level]:
    """All that repeats, the outermost first."""
    drawn: dict[tuple[int, int], list[Bounds]] = defaultdict(list)
    for item in scene.items:
        if isinstance(item, Box) and item.states is not None and item.states.node < 0 and item.states.repeats > 1:
            drawn[item.states.frame, item.states.repeats].append(bounds(item))
    found = []
    for (frame, repeats), places in drawn.items():
        inside = frozenset(n for n, _, box in _boxes(scene) if any(_within(box, place) for place in places))
        found.append(_Level(frame, repeats, inside, len(places)))
    found.sort(key=lambda level: (-len(level.members), level.frame))
    alone = (_Level(-1, stated.repeats, frozenset([n])) for n, stated in sorted(boxes.items()) if stated.repeats > 1)
    return [*found, *alone]


def _within(box: Bounds, frame: Bounds) -> bool:
    left, top, right, bottom = frame
    return left - _SLACK <= box[0] and top - _SLACK <= box[1] and box[2] <= right + _SLACK and box[3] <= bottom + _SLACK


def _exit(level: _Level, edges: Sequence[Edge], outputs: Sequence[Output]) -> tuple[int, int] | None:
    """The tensor that one repeat passes on to the next: that which leaves the last."""
    inside = level.members
    leaving = {(e.source, e.source_port) for e in edges if e.source in inside and e.target not in inside}
    leaving |= {(o.source, o.source_port) for o in outputs if o.source in inside}
    return min(leaving, default=None)


def _copies(number: int, around: Sequence[_Level]) -> Iterator[Copy]:
    """All that a box stands for, those of the innermost repeat next to each other."""
    keys = [_key(level) for level in around]
    for index in product(*(range(level.repeats) for level in around)):
        yield number, tuple(zip(keys, index, strict=True))


def _key(level: _Level) -> int:
    """The frame; of a box that stands for several, a number that no frame has."""
    return level.frame if level.frame >= 0 else -1 - min(level.members, default=0)


def _last(number: int, index: Index, around: Mapping[int, Sequence[_Level]]) -> Copy:
    """The copy of a box in given repeats, where none is given in the last."""
    return number, tuple((_key(e), index.get(_key(e), e.repeats - 1)) for e in around[number])


def _source(
    edge: Edge,
    target: Copy,
    around: Mapping[int, Sequence[_Level]],
    exits: Mapping[_Level, tuple[int, int] | None],
) -> tuple[Copy, int]:
    """Where a line to one copy of a box comes from, and which output it is."""
    index = dict(target[1])
    entered = [level for level in around[edge.target] if edge.source not in level.members]
    for level in reversed(entered):
        before, passed = index[_key(level)] - 1, exits[level]
        if before < 0 or level.frame in edge.each or passed is None:
            continue
        outer = around[edge.target][: around[edge.target].index(level)]
        given = {_key(each): index[_key(each)] for each in outer} | {_key(level): before}
        return _last(passed[0], given, around), passed[1]
    shared = {_key(level): index[_key(level)] for level in around[edge.target] if edge.source in level.members}
    return _last(edge.source, shared, around), edge.source_port


def _order(copies: Sequence[Copy], links: Sequence[tuple[Copy, Copy]]) -> list[Copy]:
    """An order in which they can be computed, near to that given; what waits for itself comes last."""
    place = {copy: i for i, copy in enumerate(copies)}
    onward: dict[int, list[int]] = defaultdict(list)
    waiting = [0] * len(copies)
    for begin, end in links:
        onward[place[begin]].append(place[end])
        waiting[place[end]] += 1
    ready = [i for i, count in enumerate(waiting) if not count]
    heapq.heapify(ready)
    found: dict[int, None] = {}
    while ready:
        this = heapq.heappop(ready)
        found[this] = None
        for target in onward[this]:
            waiting[target] -= 1
            if not waiting[target]:
                heapq.heappush(ready, target)
    return [copies[i] for i in (*found, *(i for i in range(len(copies)) if i not in found))]


def _node(graph: Graph, copy: Copy, stated: Stated, around: Sequence[_Level], number: int) -> Node:
    node = graph.nodes[copy[0]]
    rank, count = 0, 1
    for (_, i), level in zip(copy[1], around, strict=True):
        rank, count = rank * level.repeats + i, count * level.repeats
    members = node.members or (node.name,)
    name = members[rank] if len(members) == count else f"{node.name} ({rank + 1})"
    return Node(
        id=number,
        path=(name,),
        kind=node.kind,
        role=node.role,
        inputs=node.inputs,
        outputs=node.outputs,
        dtypes=node.dtypes,
        head=node.head,
        symbol=stated.symbol,
    )
