"""Graphs made of graphs: nothing here changes what it is given."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from functools import reduce
from itertools import chain, product, takewhile
from typing import TypeVar

from .. import checks
from .graph import Edge, Frame, Graph, Node, Output, a_graph, changed, mark_edges, predecessors, subgraph, sum_known
from .patterns import sums_a_residual

Part = TypeVar("Part")

# The role of a block is the first of these that one of its layers has …
_BLOCK_ROLES = (
    *("merge", "attention", "recurrent", "conv", "dense", "embedding", "pool", "model", "other"),
    *("norm", "activation", "dropout", "shape", "add", "input"),
)


@checks.public
def collapse(
    graph: Graph, depth: int | None = 1, expand: str | Collection[str] = (), closed: str | Collection[str] = ()
) -> Graph:
    """Draw together the layers that share the first parts of their names.

    Args:
        graph: what `read_graph(model, expand_nested=True)` gives.
        depth: how many parts of the name count: 1 for the outermost blocks, 2 for one level further in; None leaves
            the layers. A name that is common to the whole network does not count. Layers without a dot in their name
            are blocks of their own.
        expand: the names of blocks, or one, that are opened one level further in than the others; what is inside
            stands in a frame (`Node.frames`) of the name of the block.
        closed: the names of blocks, or one, that are one node however deep the others are opened.

    Returns:
        A graph whose nodes are blocks, with the layers of each in `Node.inner`.

    Raises:
        ValueError, TypeError: `expand` or `closed` names no block, or one what is inside of one of the other; `graph`
            or `depth` is none.

    >>> import keras
    >>> x = keras.Input((8, 8, 3), name="image")
    >>> y = keras.layers.Conv2D(4, 3, name="stem.conv")(x)
    >>> y = keras.layers.ReLU(name="stem.activation")(y)
    >>> from layerblocks.graphs import read_graph
    >>> graph = read_graph(keras.Model(x, y))
    >>> [node.name for node in collapse(graph, 1).nodes]
    ['image', 'stem']
    >>> opened = collapse(graph, 1, expand=["stem"])
    >>> [(node.name, [opened.frames[f].name for f in node.frames]) for node in opened.nodes]
    [('image', []), ('stem.conv', ['stem']), ('stem.activation', ['stem'])]
    """
    a_graph(graph)
    depth, wanted = checks.depth(depth), checks.names("expand", expand)
    kept = checks.names("closed", closed)
    if depth is None and not kept:
        return graph
    graph = strip_common_prefix(graph)
    depth = max((len(node.path) for node in graph.nodes), default=1) if depth is None else depth
    opened, whole = _opened(graph, depth, wanted), closed_paths("closed", graph, kept, wanted)
    cuts = [_cut(node, depth, opened, whole) for node in graph.nodes]
    groups = [_key(graph, node, cut) for node, cut in zip(graph.nodes, cuts, strict=True)]
    collapsed = contract(graph, groups, lambda part, members: _block(part, members, cuts[members[0]]))
    return mark_edges(_with_frames(collapsed, opened))


Make = Callable[[Graph, Sequence[int]], Node]


def contract(graph: Graph, keys: Sequence[Hashable], make: Make) -> Graph:
    """One node for all nodes of equal keys; those that wait for each other are cut into runs first.

    `make` is given a graph, of whose edges and outputs only those are left that touch its nodes, and their numbers.
    The roles of the edges are to be marked anew.
    """
    place = placement(graph, keys)
    edges, ports = _merge_edges(graph, place)
    outputs = (changed(o, source=place[o.source], source_port=ports[o.source, o.source_port]) for o in graph.outputs)
    return changed(graph, nodes=_blocks(graph, place, make), edges=edges, outputs=tuple(outputs))


def placement(graph: Graph, keys: Sequence[Hashable]) -> list[int]:
    """For each node the number of its group: nodes of equal keys are one, unless groups would wait for each other."""
    groups = _without_cycles(graph, keys)
    new = {group: number for number, group in enumerate(_order(graph, groups))}
    return [new[group] for group in groups]


def _opened(graph: Graph, depth: int, expand: Collection[str]) -> dict[tuple[str, ...], None]:
    """The paths of the blocks that are open because of their names, from the outermost inwards."""
    if not expand:
        return {}
    found: dict[tuple[str, ...], None] = {}
    for path in _paths_of(graph, "expand", expand):
        found |= {path[:k]: None for k in range(depth, len(path) + 1)}
    return dict.fromkeys(sorted(found, key=len))


def _paths_of(graph: Graph, argument: str, names: Collection[str]) -> list[tuple[str, ...]]:
    """The paths of the blocks of these names, or refuse a name."""
    blocks = {".".join(n.path[:k]): n.path[:k] for n in graph.nodes for k in range(1, len(n.path))}
    for name in names:
        if name not in blocks:
            raise checks.unknown(argument, name, blocks)
    return [blocks[name] for name in names]


def closed_paths(
    argument: str, graph: Graph, closed: Collection[str], expand: Collection[str] = ()
) -> list[tuple[str, ...]]:
    """The paths of the blocks that stay whole because of their names, or refuse one: none of `expand` is inside."""
    if not closed:
        return []
    found = _paths_of(graph, argument, closed)
    for name, other in product(closed, expand):
        if f"{other}.".startswith(f"{name}."):
            raise checks.refuse(argument, name, f"no block that expand={other!r} opens")
    return found


def _cut(node: Node, depth: int, opened: Collection[tuple[str, ...]], whole: Collection[tuple[str, ...]] = ()) -> int:
    """How many parts of the name count."""
    while opened and node.path[:depth] in opened and depth < len(node.path):
        depth += 1
    return min([depth, *(len(path) for path in whole if node.path[: len(path)] == path)])


def _with_frames(graph: Graph, opened: Collection[tuple[str, ...]]) -> Graph:
    """Frames around what is inside of opened blocks; a nested model has one already."""
    if not opened:
        return graph
    frames, numbers = list(graph.frames), dict[Hashable, int]()
    nodes = []
    for node in graph.nodes:
        around = {len(graph.frames[f].path): f for f in node.frames}
        for path in opened:
            if len(node.path) > len(path) and node.path[: len(path)] == path and len(path) not in around:
                key = (node.head, tuple(around.items()), path)
                if key not in numbers:
                    numbers[key] = len(frames)
                    frames.append(Frame(len(frames), path))
                around[len(path)] = numbers[key]
        nodes.append(changed(node, frames=tuple(around[length] for length in sorted(around))))
    return changed(graph, nodes=tuple(nodes), frames=tuple(frames))


def strip_common_prefix(graph: Graph) -> Graph:
    """Take off the outermost name while every layer but the inputs stands under the same one, and in blocks of it."""
    paths = [node.path for node in graph.nodes if node.role != "input"]
    shortest, longest = min(map(len, paths), default=1), max(map(len, paths), default=1)
    common = 0
    while common + 1 < shortest and common + 2 < longest and len({path[common] for path in paths}) == 1:
        common += 1
    if not common:
        return graph
    prefix = paths[0][:common]
    nodes = (
        changed(n, path=n.path[common:]) if n.path[:common] == prefix and len(n.path) > common else n
        for n in graph.nodes
    )
    frames = (changed(f, path=f.path[common:]) if f.path[:common] == prefix else f for f in graph.frames)
    return changed(graph, nodes=tuple(nodes), frames=tuple(frames))


def common_prefix(a: Sequence[Part], b: Sequence[Part]) -> tuple[Part, ...]:
    """What two paths begin with.

    >>> common_prefix(("stage1", "block1", "conv"), ("stage1", "block2"))
    ('stage1',)
    """
    return tuple(x for x, _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def shared_prefix(paths: Iterable[Sequence[Part]]) -> tuple[Part, ...]:
    """What all paths begin with."""
    return reduce(common_prefix, map(tuple, paths))


def without_inputs(graph: Graph) -> Graph:
    """Leave out the input layers, as Keras does when it draws a Sequential."""
    kept = [node.id for node in graph.nodes if node.role != "input"]
    new = {number: i for i, number in enumerate(kept)}
    return changed(
        graph,
        nodes=tuple(changed(graph.nodes[number], id=new[number]) for number in kept),
        edges=tuple(changed(e, source=new[e.source], target=new[e.target]) for e in graph.edges if e.source in new),
        outputs=tuple(changed(o, source=new[o.source]) for o in graph.outputs if o.source in new),
    )


def without_bare_wrappers(graph: Graph, expand: Collection[str] = ()) -> Graph:
    """Leave out the frame around a layer that is alone in a wrapper: it stands in its place, under its name."""
    wrapping = {frame.id for frame in graph.frames if frame.whole is not None and frame.name not in expand}
    if not wrapping:
        return graph
    counts = Counter(frame for node in graph.nodes for frame in node.frames)
    bare = {frame for frame in wrapping if counts[frame] == 1}
    nodes = []
    for node in graph.nodes:
        if bare.isdisjoint(node.frames):
            nodes.append(node)
            continue
        outermost = next(f for f in node.frames if f in bare)  # what is in it is alone too
        kept = tuple(f for f in node.frames if f not in bare)
        nodes.append(changed(node, path=graph.frames[outermost].path, frames=kept))
    return changed(graph, nodes=tuple(nodes))


def mark_masks(graph: Graph) -> Graph:
    """Let every edge to a node that serves masks alone carry one too."""
    serving = _serving_masks(graph)
    if not serving:
        return graph
    edges = (changed(e, carries="mask") if e.target in serving else e for e in graph.edges)
    return changed(graph, edges=tuple(edges))


def without_masks(graph: Graph) -> Graph:
    """Leave out the operations that Keras computes masks with, and what they give."""
    serving = _serving_masks(graph)
    if not serving:
        return graph
    kept = [node.id for node in graph.nodes if node.id not in serving]
    new = {number: i for i, number in enumerate(kept)}
    edges = (e for e in graph.edges if e.source in new and e.target in new)
    return changed(
        graph,
        nodes=tuple(changed(graph.nodes[number], id=new[number]) for number in kept),
        edges=tuple(changed(e, source=new[e.source], target=new[e.target]) for e in edges),
        outputs=tuple(changed(o, source=new[o.source]) for o in graph.outputs),
    )


def _serving_masks(graph: Graph) -> set[int]:
    """The operations all of whose results are masks, or go into one."""
    if not any(edge.carries == "mask" for edge in graph.edges):
        return set()
    leaving = {output.source for output in graph.outputs}
    onward: list[list[Edge]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        onward[edge.source].append(edge)
    found: set[int] = set()
    for node in reversed(graph.nodes):
        served = onward[node.id] and all(e.carries == "mask" or e.target in found for e in onward[node.id])
        if served and node.id not in leaving and node.role != "input" and not node.weights:
            found.add(node.id)
    return found


def _key(graph: Graph, node: Node, depth: int) -> Hashable:
    """Layers with equal keys belong to one block."""
    if len(node.path) <= depth:
        return node.id
    frames = tuple(f for f in node.frames if len(graph.frames[f].path) <= depth)
    return (node.head, frames, node.path[:depth])


def _without_cycles(graph: Graph, keys: Sequence[Hashable]) -> list[int]:
    """Numbered groups of nodes with equal keys. Groups that wait for each other are cut into runs."""
    numbers: dict[Hashable, int] = {}
    groups = [numbers.setdefault(key, len(numbers)) for key in keys]
    tangled = _tangled(graph, groups)
    fresh, run = len(numbers), None
    for node, group in enumerate(groups):
        if group not in tangled:
            continue
        if group != run:
            fresh, run = fresh + 1, group
        groups[node] = fresh  # every run is a stretch of an order without cycles
    return groups


def _tangled(graph: Graph, groups: Sequence[int]) -> set[int]:
    """The groups left when those that nothing waits for, and those that wait for nothing, are taken away."""
    links = {(groups[e.source], groups[e.target]) for e in graph.edges if groups[e.source] != groups[e.target]}
    left = set(groups)
    for forward in (True, False):
        links_now = {(a, b) if forward else (b, a) for a, b in links if a in left and b in left}
        left -= set(_peel(left, links_now))
    return left


def _peel(groups: set[int], links: set[tuple[int, int]]) -> list[int]:
    """The groups in an order that follows the links, as far as it goes: none that lies on a cycle or after one."""
    onward: dict[int, list[int]] = defaultdict(list)
    waiting = dict.fromkeys(groups, 0)
    for source, target in links:
        onward[source].append(target)
        waiting[target] += 1
    ready = [group for group, count in waiting.items() if count == 0]
    for group in ready:
        for target in onward[group]:
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return ready


def _order(graph: Graph, groups: Sequence[int]) -> list[int]:
    """The groups in an order in which they can be computed: near to that of the layers, depth first."""
    needs: dict[int, dict[int, None]] = {group: {} for group in dict.fromkeys(groups)}
    for number, sources in enumerate(predecessors(graph)):
        needs[groups[number]].update((groups[s], None) for s in sources if groups[s] != groups[number])
    done: dict[int, None] = {}
    for group in needs:
        waiting = [(group, False)]
        while waiting:
            this, ready = waiting.pop()
            if this in done:
                continue
            if ready:
                done[this] = None
                continue
            waiting.append((this, True))
            waiting.extend((need, False) for need in reversed(needs[this]))
    return list(done)


def _blocks(graph: Graph, place: Sequence[int], make: Make) -> tuple[Node, ...]:
    """The node of each block; `place` says which block a layer belongs to."""
    parts: list[tuple[list[int], list[Edge], list[Output]]]
    parts = [([], [], []) for _ in range(max(place, default=-1) + 1)]
    for number, block in enumerate(place):
        parts[block][0].append(number)
    for edge in graph.edges:
        source, target = place[edge.source], place[edge.target]
        parts[source][1].append(edge)
        if target != source:
            parts[target][1].append(edge)
    for output in graph.outputs:
        parts[place[output.source]][2].append(output)
    made = (
        make(changed(graph, edges=tuple(edges), outputs=tuple(outputs)), members) for members, edges, outputs in parts
    )
    return tuple(node if node.id == number else changed(node, id=number) for number, node in enumerate(made))


def _block(graph: Graph, members: Sequence[int], depth: int) -> Node:
    """One block of the name that its first layer has at some depth."""
    first = graph.nodes[members[0]]
    path, frames = first.path[:depth], tuple(f for f in first.frames if len(graph.frames[f].path) < depth)
    if len(members) > 1:
        return _as_one(graph, members, path, box(graph, members, path, frames))
    return first if first.path == path else changed(first, path=path)


def _as_one(graph: Graph, members: Sequence[int], path: tuple[str, ...], block: Node) -> Node:
    """A block that is all there is inside of a wrapper: as the wrapper says of itself."""
    inside = [f for f in graph.nodes[members[0]].frames if graph.frames[f].path == path]
    whole = graph.frames[inside[0]].whole if inside else None
    if whole is None or len(members) != sum(inside[0] in node.frames for node in graph.nodes):
        return block
    return changed(block, kind=whole.kind, role=whole.role, words=whole.words)


def box(graph: Graph, members: Sequence[int], path: tuple[str, ...], frames: tuple[int, ...]) -> Node:
    """One node for several. Of the graph's edges and outputs it needs those that touch them."""
    layers = [graph.nodes[m] for m in members]
    inner = subgraph(graph, members)
    inside = set(members)
    received = {(e.source, e.source_port): e.shape for e in graph.edges if e.source not in inside}
    trainable = [n.trainable for n in layers if n.trainable is not None]
    left = [(inner.nodes[o.source], o.source_port) for o in inner.outputs]
    return Node(
        id=0,
        path=path,
        kind="Block",
        role=_block_role(inner),
        inputs=tuple(shape for shape in received.values() if shape is not None),
        outputs=tuple(node.outputs[port] for node, port in left if node.outputs),
        dtypes=tuple(node.dtypes[port] for node, port in left if node.dtypes),
        trainable=any(trainable) if trainable else None,
        weights=tuple(dict.fromkeys(chain.from_iterable(n.weights for n in layers))),
        multiply_adds=sum_known(n.multiply_adds for n in layers),
        call=layers[0].call if len({n.call for n in layers}) == 1 else (1, 1),
        frames=frames,
        head=layers[0].head,
        inner=inner,
        receptive_field=left[0][0].receptive_field if left else layers[-1].receptive_field,
        scales=left[0][0].scales if left and not left[0][1] else (),
    )


def _block_role(inner: Graph) -> str:
    """What a block is for: with a sum of what it computes and what that is computed from, a residual; and so on."""
    if sums_a_residual(inner):
        return "residual"
    roles = {node.role for node in inner.nodes}
    return next((role for role in _BLOCK_ROLES if role in roles), "other")


def _merge_edges(graph: Graph, place: Sequence[int]) -> tuple[tuple[Edge, ...], dict[tuple[int, int], int]]:
    """Edges between blocks: one for each tensor that passes, however many layers of the block take it.

    A layer that takes the same tensor twice keeps two edges. Also which output of its block each tensor is.
    """
    sizes, count = Counter(place), Counter[int]()
    ports: dict[tuple[int, int], int] = {}
    leaving = sorted(
        {(e.source, e.source_port) for e in graph.edges if place[e.source] != place[e.target]}
        | {(o.source, o.source_port) for o in graph.outputs}
    )
    for tensor in leaving:
        block = place[tensor[0]]
        ports[tensor] = count[block] if sizes[block] > 1 else tensor[1]
        count[block] += 1
    taken, arrived = Counter[tuple[int, int, int]](), Counter[int]()
    merged: dict[tuple[int, int, int, int], Edge] = {}
    for edge in sorted(graph.edges, key=lambda e: (place[e.target], e.target, e.target_port)):
        if place[edge.source] == place[edge.target]:
            continue
        use = taken[edge.source, edge.source_port, edge.target]  # 1 for the second x of Add()([x, x])
        taken[edge.source, edge.source_port, edge.target] += 1
        key = (edge.source, edge.source_port, place[edge.target], use)
        if key in merged:
            continue
        target = place[edge.target]
        merged[key] = changed(
            edge,
            source=place[edge.source],
            target=target,
            source_port=ports[edge.source, edge.source_port],
            target_port=arrived[target],
        )
        arrived[target] += 1
    return tuple(merged.values()), ports
