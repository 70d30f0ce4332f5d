"""What a block is made of, as papers write it: `[1×1, 64; 3×3, 64; 1×1, 256] × 3`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import prod

from ...graphs.graph import Edge, Graph, Node, predecessors, trunk_nodes
from ...graphs.rewrite import collapse
from .layer_labels import describe, longest_way, way_with_most
from .table_formats import Stack

_TOLD = frozenset({"conv", "dense", "pool", "model", "attention", "recurrent", "embedding"})
_MOST_LINES = 12


def notation(node: Node) -> tuple[Stack, ...]:
    """The layers of a block that are told, equal neighbours drawn together; () where no notation is short enough.

    A residual is its longest way, a concatenation all its branches, side by side. Strides do not keep blocks apart:
    they are told behind the last.

    >>> one = Node(0, ("a",), "Conv2D", "conv", (("filters", 8), ("kernel_size", (3, 3)), ("strides", (2, 2))))
    >>> from layerblocks.graphs import Edge
    >>> two = replace(one, id=1, path=("b",))
    >>> block = Node(0, ("ab",), "Block", "conv", inner=Graph("", "", (one, two), (Edge(0, 1),)))
    >>> print(*notation(block))
    [3×3, 8] × 2, /4
    """
    if node.inner is None or node.words:
        return (Stack((describe(node),)),) if _tells(node) else ()
    telling = [n for n in node.inner.nodes if _tells(n)]
    if len(telling) == 1:
        return notation(telling[0])
    steps = _steps(node)
    return tuple(map(_stack, steps)) if sum(len(step.lines) for step in steps) <= _MOST_LINES else ()


def _tells(node: Node) -> bool:
    """Whether a layer is one that a block is known by: also any that has weights, or multiplies, or nobody knows."""
    if node.role in _TOLD or node.kind.startswith("UpSampling"):
        return True
    return node.role == "other" and bool(node.weights or node.multiply_adds != 0 or node.closed)


def _input(node: Node) -> str:
    """`input`, with its dtype where that is not float32."""
    return ", ".join(["input", *(dtype for dtype in node.dtypes if dtype != "float32")])


def told(node: Node, repeats: int | None = None) -> tuple[Stack, ...]:
    """What a node is: its notation where there is more than one layer to tell, else a few words; `× n` for all.

    Args:
        node: a layer or a block.
        repeats: how many there are in a row; None for all that the node stands for.
    """
    repeats = node.repeats if repeats is None else repeats
    stacks = notation(node)
    if sum(len(stack.lines) * stack.times for stack in stacks) < 2:
        stacks = (Stack((_input(node) if node.role == "input" else describe(node),)),)
    if repeats == 1:
        return stacks
    if len(stacks) == 1:
        return (replace(stacks[0], times=stacks[0].times * repeats),)
    return (Stack(tuple(map(str, stacks)), repeats),)


def inside(node: Node) -> Graph:
    """The inside of a block: the blocks that it is made of, or its layers."""
    graph = node.inner or Graph(node.name, node.kind, (replace(node, id=0),), ())
    for depth in range(1, max((len(n.path) for n in graph.nodes), default=0)):
        outermost = collapse(graph, depth)
        if len(outermost.nodes) > 1:
            return outermost
    return graph


@dataclass(frozen=True, slots=True)
class _Step:
    """One thing after another: its lines, by how much it shrinks a feature map, and what it is called alone."""

    lines: tuple[str, ...]
    shrinks: int = 1
    times: int = 1
    role: str = ""
    alone: str = ""
    parallel: bool = False
    grows: bool = False


_TOO_MUCH = _Step(("",) * (_MOST_LINES + 1))


def _stack(step: _Step) -> Stack:
    if len(step.lines) == step.times == 1 and step.alone:
        return Stack((step.alone,))
    return Stack(step.lines, step.times, f"/{step.shrinks}" if step.shrinks > 1 else "", step.parallel)


def _drawn_together(steps: Iterable[_Step]) -> tuple[_Step, ...]:
    return tuple(
        replace(same[0], times=sum(s.times for s in same), shrinks=prod(s.shrinks for s in same))
        for same in (list(group) for _, group in groupby(steps, lambda step: step.lines))
    )


def _steps(node: Node) -> tuple[_Step, ...]:
    if node.inner is None:
        return tuple(_layers([node]))
    graph = inside(node)
    passed = set(trunk_nodes(_entered(graph)))
    telling = [(n, count) for n in graph.nodes if (count := _count(n))]
    if any(count > 1 for _, count in telling) and all(n.id + 1 in passed for n, _ in telling):
        return _drawn_together(step for n, _ in telling for step in _as_one(_steps(n)))
    return _drawn_together(_flat(node.inner))


def _count(node: Node) -> int:
    return sum(_tells(n) for n in (node.inner.nodes if node.inner else (node,)))


def _as_one(steps: tuple[_Step, ...]) -> tuple[_Step, ...]:
    """A block of a block: what is in a row in it belongs together."""
    if len(steps) < 2 or any(step.role != "conv" or len(step.lines) > 1 for step in steps):
        return steps
    if any(step.grows for step in steps):
        return steps
    lines = tuple(step.lines[0] for step in steps for _ in range(step.times))
    return (_Step(lines, prod(step.shrinks for step in steps)),)


def _entered(graph: Graph) -> Graph:
    """The graph behind one node that stands for all that comes in from outside."""
    entry = Node(0, ("",), "Entry", "other")
    arriving = Counter(edge.target for edge in graph.edges)
    moved = (replace(edge, source=edge.source + 1, target=edge.target + 1, role="trunk") for edge in graph.edges)
    entering = (Edge(0, n.id + 1) for n in graph.nodes for _ in range(len(n.inputs) - arriving[n.id]))
    nodes = (replace(n, id=n.id + 1, head=None) for n in graph.nodes)
    return replace(graph, nodes=(entry, *nodes), edges=(*entering, *moved), outputs=())


def _flat(graph: Graph) -> Iterator[_Step]:
    """The steps of a graph of layers: one layer where everything passes it, else what lies before the next such."""
    graph = _entered(graph)
    sources = predecessors(graph)
    before = 0
    for number in trunk_nodes(graph)[1:]:
        if number > before + 1 and len(sources[number]) > 1:
            yield from _region(graph, number, before, sources[number])
        else:
            yield from _layers(graph.nodes[before + 1 : number])
        yield from _layers([graph.nodes[number]])
        before = number
    yield from _layers(graph.nodes[before + 1 :])


def _region(graph: Graph, join: int, before: int, ends: Sequence[int]) -> Iterator[_Step]:
    """What lies between two nodes that everything passes: the longest way to a sum, all ways to a concatenation; with
    what is multiplied or added on the way.
    """
    counted = [before < n.id < join and _tells(n) for n in graph.nodes]
    merges = graph.nodes[join].role == "merge"
    found = [way_with_most(graph, counted, end) for end in (ends if merges else [join])]
    ways = _different(found, counted)
    if not merges:
        others = [way_with_most(graph, counted, end) for end in predecessors(graph)[join]]
        longer = [way for way in _different(others, counted) if sum(counted[n.id] for n in way) > 1]
        ways = longer if len(longer) > 1 else ways or found[:1]
    elif any(not any(counted[n.id] for n in way) for way in found):
        ways += [way for way in found if not any(counted[n.id] for n in way)]
    shown = {n.id for way in ways for n in way}
    if any(_hides(graph, number, counted, shown) for number in range(before + 1, join)):
        yield _TOO_MUCH  # no way tells what lies there
        return
    grows = any(_grows(graph.nodes[number]) for number in range(before + 1, join))
    say = _told_alone if grows else _line  # where a map shrinks and grows, by how much is told of each layer
    told = [list(_way(graph, way, counted, before, shown, say)) for way in ways]
    if any(line is None for lines in told for line in lines):
        yield _TOO_MUCH
        return
    texts = [[line for line in lines if line is not None] for lines in told]
    kept = [(way, lines) for way, lines in zip(ways, texts, strict=True) if lines]
    if len(kept) == 1:
        ((way, lines),) = kept
        layers = [n for n in way if counted[n.id]]
        if len(lines) == len(layers) == 1:
            yield from _layers(layers)
        else:
            yield _Step(tuple(lines), 1 if grows else prod(map(_shrinks, layers)))
    elif kept:
        shrinks = 1 if grows else max(prod(_shrinks(n) for n in way if counted[n.id]) for way, _ in kept)
        lines = [" → ".join(lines) for _, lines in kept] + ["identity"] * (merges and before in ends)
        yield _Step(tuple(lines), shrinks, parallel=True)


def _different(ways: Iterable[list[Node]], counted: Sequence[bool]) -> list[list[Node]]:
    """The ways that have counted nodes, one for those nodes."""
    found: dict[tuple[int, ...], list[Node]] = {}
    for way in ways:
        if layers := tuple(n.id for n in way if counted[n.id]):
            found.setdefault(layers, way)
    return list(found.values())


def _way(
    graph: Graph,
    way: Sequence[Node],
    counted: Sequence[bool],
    before: int,
    shown: Collection[int],
    say: Callable[[Node], str],
) -> Iterator[str | None]:
    """The layers of a way, and what comes in from the side; None for what cannot be told so."""
    sources = predecessors(graph)
    passed = 0
    for number, node in enumerate(way):
        last = way[number - 1].id if number else None
        for source in sources[node.id]:
            if source == last or source <= before or node.id <= before:
                continue
            side = _side(graph, source, before, shown)
            layers = [n for n in side if counted[n.id]]
            projects = node.role == "add" and len(sources[node.id]) == 2 and _projects(layers, passed)
            if layers and not projects:
                yield _from_the_side(node, side, layers, say)
        if counted[node.id]:
            passed += _weighted([node])
            yield say(node)


def _projects(layers: Sequence[Node], passed: int) -> bool:
    """Whether there is a projection beside a longer way, which goes without saying."""
    kernels = [n.get("kernel_size") for n in layers if n.role == "conv"]
    pointwise = all(isinstance(kernel, tuple) and set(kernel) == {1} for kernel in kernels)
    return pointwise and _weighted(layers) <= 1 and _weighted(layers) < passed


def _weighted(nodes: Iterable[Node]) -> int:
    return sum(n.role not in ("pool", "shape") for n in nodes)


def _side(graph: Graph, end: int, before: int, shown: Collection[int]) -> list[Node]:
    """What leads to a node from what is shown, in order."""
    sources = predecessors(graph)
    waiting, seen = [end], set[int]()
    while waiting:
        number = waiting.pop()
        if number > before and number not in shown and number not in seen:
            seen.add(number)
            waiting.extend(sources[number])
    return [graph.nodes[number] for number in sorted(seen)]


def _from_the_side(join: Node, side: Sequence[Node], layers: Sequence[Node], say: Callable[[Node], str]) -> str | None:
    """`plus dense, 32`, `gated by dense, 16`, `squeeze-and-excitation`, `attention gate`."""
    words = {"Multiply": "gated by", "Add": "plus"}.get(join.kind)
    merged = [n for n in side if len(n.inputs) > 1]
    if words == "gated by" and layers[0].kind.startswith("Global") and _weighted(layers) == 2 and not merged:
        return "squeeze-and-excitation"
    if words == "gated by" and [n.kind for n in merged] == ["Add"] and {n.role for n in layers} == {"conv"}:
        return "attention gate"
    return None if words is None or merged else f"{words} {' → '.join(map(say, layers))}"


def _hides(graph: Graph, number: int, counted: Sequence[bool], shown: Collection[int]) -> bool:
    """Whether a concatenation joins a layer that is on none of the ways that are shown."""
    if graph.nodes[number].role != "merge":
        return False
    last = [way[-1].id for s in predecessors(graph)[number] if (way := longest_way(graph, counted, s))]
    return any(layer not in shown for layer in last)


def _layers(nodes: Iterable[Node]) -> Iterator[_Step]:
    return (
        _Step((_line(n),), _shrinks(n), role=n.role, alone=describe(n), grows=_grows(n)) for n in nodes if _tells(n)
    )


def _line(node: Node) -> str:
    """A layer among others: a convolution goes without saying, a stride is told for all."""
    shrinks = _shrinks(node) > 1
    attributes = tuple(("strides", 1) if name == "strides" and shrinks else (name, v) for name, v in node.attributes)
    return _told_alone(replace(node, attributes=attributes))


def _told_alone(node: Node) -> str:
    return describe(node).replace(" conv", "", 1) if node.role == "conv" else describe(node)


def _grows(node: Node) -> bool:
    """Whether it makes a feature map larger."""
    before, after = ((shapes[0][1:-1] if shapes else ()) for shapes in (node.inputs, node.outputs))
    sizes = zip(before, after, strict=False)
    return "Transpose" in node.kind or any(a is not None and b is not None and a < b for a, b in sizes)


def _shrinks(node: Node) -> int:
    strides = node.get("strides")
    if node.role not in ("conv", "pool") or not isinstance(strides, tuple) or "Transpose" in node.kind:
        return 1
    return int(strides[0]) if len(set(strides)) == 1 else 1
