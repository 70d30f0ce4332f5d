"""Graphs made of graphs: nothing here changes what it is given."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import chain

from .graph import (
    Edge,
    Graph,
    Node,
    Output,
    mark_edges,
    predecessors,
    subgraph,
    sum_known,
)

# The role of a block is the first of these that one of its layers has …
_BLOCK_ROLES = (
    *("merge", "conv", "dense", "pool", "model", "other", "norm", "activation", "dropout", "shape", "add", "input"),
)


def collapse(graph: Graph, depth: int | None = 1) -> Graph:
    """Draw together the layers that share the first parts of their names.

    Args:
        graph: what `read_graph(model, expand_nested=True)` gives.
        depth: how many parts of the name count: 1 for the outermost blocks, 2 for one level further in; None leaves
            the layers. A name that is common to the whole network does not count. Layers without a dot in their name
            are blocks of their own.

    Returns:
        A graph whose nodes are blocks, with the layers of each in `Node.inner`.

    >>> import keras
    >>> x = keras.Input((8, 8, 3), name="image")
    >>> y = keras.layers.Conv2D(4, 3, name="stem.conv")(x)
    >>> y = keras.layers.ReLU(name="stem.activation")(y)
    >>> from layerblocks.viz import read_graph
    >>> [node.name for node in collapse(read_graph(keras.Model(x, y)), 1).nodes]
    ['image', 'stem']
    """
    if depth is None:
        return graph
    graph = strip_common_prefix(graph)
    groups = _without_cycles(graph, [_key(graph, node, depth) for node in graph.nodes])
    new = {group: number for number, group in enumerate(_order(graph, groups))}
    place = [new[group] for group in groups]
    edges, ports = _merge_edges(graph, place)
    outputs = (replace(o, source=place[o.source], source_port=ports[o.source, o.source_port]) for o in graph.outputs)
    return mark_edges(replace(graph, nodes=_blocks(graph, place, depth), edges=edges, outputs=tuple(outputs)))


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
        replace(n, path=n.path[common:]) if n.path[:common] == prefix and len(n.path) > common else n
        for n in graph.nodes
    )
    frames = (replace(f, path=f.path[common:]) if f.path[:common] == prefix else f for f in graph.frames)
    return replace(graph, nodes=tuple(nodes), frames=tuple(frames))


def without_inputs(graph: Graph) -> Graph:
    """Leave out the input layers, as Keras does when it draws a Sequential."""
    kept = [node.id for node in graph.nodes if node.role != "input"]
    new = {number: i for i, number in enumerate(kept)}
    return replace(
        graph,
        nodes=tuple(replace(graph.nodes[number], id=new[number]) for number in kept),
        edges=tuple(replace(e, source=new[e.source], target=new[e.target]) for e in graph.edges if e.source in new),
        outputs=tuple(replace(o, source=new[o.source]) for o in graph.outputs if o.source in new),
    )


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


def _blocks(graph: Graph, place: Sequence[int], depth: int) -> tuple[Node, ...]:
    """The node of each block; `place` says which block a layer belongs to."""
    parts: list[tuple[list[int], list[Edge], list[Output]]]
    parts = [([], [], []) for _ in range(max(place, default=-1) + 1)]
    for number, block in enumerate(place):
        parts[block][0].append(number)
    for edge in graph.edges:
        for block in {place[edge.source], place[edge.target]}:
            parts[block][1].append(edge)
    for output in graph.outputs:
        parts[place[output.source]][2].append(output)
    return tuple(
        _block(replace(graph, edges=tuple(edges), outputs=tuple(outputs)), members, number, depth)
        for number, (members, edges, outputs) in enumerate(parts)
    )


def _block(graph: Graph, members: Sequence[int], number: int, depth: int) -> Node:
    """One block. Of the graph's edges and outputs it is given those that touch it."""
    layers = [graph.nodes[m] for m in members]
    if len(layers) == 1:
        return replace(layers[0], id=number, path=layers[0].path[:depth])
    inner = subgraph(graph, members)
    inside = set(members)
    received = {(e.source, e.source_port): e.shape for e in graph.edges if e.source not in inside}
    trainable = [n.trainable for n in layers if n.trainable is not None]
    left = [(inner.nodes[o.source], o.source_port) for o in inner.outputs]
    return Node(
        id=number,
        path=layers[0].path[:depth],
        kind="Block",
        role=_block_role(inner),
        inputs=tuple(shape for shape in received.values() if shape is not None),
        outputs=tuple(node.outputs[port] for node, port in left if node.outputs),
        dtypes=tuple(node.dtypes[port] for node, port in left if node.dtypes),
        trainable=any(trainable) if trainable else None,
        weights=tuple(dict.fromkeys(chain.from_iterable(n.weights for n in layers))),
        multiply_adds=sum_known(n.multiply_adds for n in layers),
        call=layers[0].call if len({n.call for n in layers}) == 1 else (1, 1),
        frames=tuple(f for f in layers[0].frames if len(graph.frames[f].path) < depth),
        head=layers[0].head,
        inner=inner,
    )


def _block_role(inner: Graph) -> str:
    """What a block is for, from its layers alone: a sum makes it a residual, a concatenation a merge, and so on."""
    if any(node.role == "add" and len(node.inputs) > 1 for node in inner.nodes):
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
        merged[key] = replace(
            edge,
            source=place[edge.source],
            target=target,
            source_port=ports[edge.source, edge.source_port],
            target_port=arrived[target],
        )
        arrived[target] += 1
    return tuple(merged.values()), ports
