"""The frozen graph that every figure and table is made from.

A `Graph` is what a Keras model says about itself, copied once into plain values: running numbers instead of object
identities, so that the same model gives the same graph in every process. `reader` makes one from a model, `rewrite`
makes new ones from old ones, and the rest only reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Weight:
    """One variable. Layers that share it carry the same `id`, so sums can count it once."""

    id: int
    size: int
    trainable: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """One call of a nested model: its number and its dotted name."""

    id: int
    path: tuple[str, ...]

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Node:
    """One call of a layer, or a block of them.

    Args:
        id: running number, its place in `Graph.nodes`.
        path: the dotted layer name, split: `inception_3a.3x3.conv` has three parts.
        kind: the class name (`Conv2D`), or `Block`.
        role: what it is for: `input conv pool merge add norm activation dense dropout shape model other`, and for
            blocks `residual` besides.
        attributes: what the layer was given (`kernel_size`, `strides`, `filters`, `activation` …), as pairs.
        inputs: the shapes that this call received, batch first.
        outputs: the shapes that it returned.
        dtypes: the dtypes that it returned.
        trainable: None where there is nothing to train.
        weights: its variables.
        multiply_adds: for one example; None if a size is unknown or the layer does not say.
        call: which call of how many, for a layer that is shared.
        frames: ids of the nested models it lies in, outermost first.
        head: the key of the auxiliary output that it serves, if it serves no other.
        inner: the layers of a block.
    """

    id: int
    path: tuple[str, ...]
    kind: str
    role: str
    attributes: tuple[tuple[str, object], ...] = ()
    inputs: tuple[Shape, ...] = ()
    outputs: tuple[Shape, ...] = ()
    dtypes: tuple[str, ...] = ()
    trainable: bool | None = None
    weights: tuple[Weight, ...] = ()
    multiply_adds: int | None = 0
    call: tuple[int, int] = (1, 1)
    frames: tuple[int, ...] = ()
    head: str | None = None
    inner: Graph | None = None

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def parameters(self) -> int:
        return sum_weights([self])[0]

    def get(self, attribute: str, default: object = None) -> object:
        return dict(self.attributes).get(attribute, default)


@dataclass(frozen=True, slots=True)
class Edge:
    """A tensor on its way from one node to another.

    `source_port` and `target_port` say which output it is and which input it becomes. The role is `trunk` (the only
    way on), `branch` (one of several), `skip` (a short cut past a longer way) or `aux` (to an auxiliary head).
    """

    source: int
    target: int
    source_port: int = 0
    target_port: int = 0
    shape: Shape | None = None
    role: str = "trunk"


@dataclass(frozen=True, slots=True)
class Output:
    """What the model returns: its key (`main`, `aux1`; else the layer's name), where it comes from, its loss weight."""

    key: str
    source: int
    source_port: int = 0
    loss_weight: float | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in an order in which they can be computed, `nodes[i].id == i`, and the edges between them."""

    name: str
    kind: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    outputs: tuple[Output, ...] = ()
    frames: tuple[Frame, ...] = ()

    @property
    def parameters(self) -> int:
        """All parameters, those of a shared layer once."""
        return sum_weights(self.nodes)[0]

    @property
    def trainable_parameters(self) -> int:
        return sum_weights(self.nodes)[1]

    @property
    def multiply_adds(self) -> int | None:
        """Multiply-adds of one example, every call of a shared layer; None if any node's are unknown."""
        return sum_known(node.multiply_adds for node in self.nodes)


def sum_weights(nodes: Iterable[Node]) -> tuple[int, int]:
    """Parameters, and trainable parameters, of some nodes; every weight once."""
    distinct = {weight.id: weight for node in nodes for weight in node.weights}.values()
    return sum(w.size for w in distinct), sum(w.size for w in distinct if w.trainable)


def sum_known(values: Iterable[int | None]) -> int | None:
    """The sum, or None if a summand is."""
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def successors(graph: Graph) -> list[list[int]]:
    """For each node, where its edges lead."""
    found: list[list[int]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        found[edge.source].append(edge.target)
    return found


def predecessors(graph: Graph) -> list[list[int]]:
    """For each node, where its edges come from, in the order of its inputs."""
    found: list[list[int]] = [[] for _ in graph.nodes]
    for edge in sorted(graph.edges, key=lambda e: (e.target, e.target_port)):
        found[edge.target].append(edge.source)
    return found


def subgraph(graph: Graph, members: Iterable[int]) -> Graph:
    """Some of the nodes, numbered anew, with the edges among them. Its outputs are the tensors that leave it."""
    old = sorted(set(members))
    new = {number: i for i, number in enumerate(old)}
    leaving = {(e.source, e.source_port) for e in graph.edges if e.source in new and e.target not in new}
    leaving |= {(o.source, o.source_port) for o in graph.outputs if o.source in new}
    return Graph(
        name=graph.name,
        kind=graph.kind,
        nodes=tuple(replace(graph.nodes[number], id=new[number]) for number in old),
        edges=tuple(
            replace(e, source=new[e.source], target=new[e.target])
            for e in graph.edges
            if e.source in new and e.target in new
        ),
        outputs=tuple(Output(graph.nodes[s].name, new[s], port) for s, port in sorted(leaving)),
        frames=graph.frames,
    )


def is_auxiliary(output: Output, nodes: Sequence[Node]) -> bool:
    """Whether the output's key, or a part of the name of what makes it, starts with `aux`."""
    return any(part.lower().startswith("aux") for part in (output.key, *nodes[output.source].path))


def mark_heads(graph: Graph) -> Graph:
    """Give every node that serves only auxiliary outputs the key of the first of them."""
    auxiliary = [output for output in graph.outputs if is_auxiliary(output, graph.nodes)]
    if not auxiliary or len(auxiliary) == len(graph.outputs):
        return graph
    heads: list[str | None] = [None] * len(graph.nodes)
    useful = [False] * len(graph.nodes)  # for an output that is not auxiliary
    for output in reversed(graph.outputs):
        if output in auxiliary:
            heads[output.source] = output.key
        else:
            useful[output.source] = True
    onward = successors(graph)
    for number in reversed(range(len(graph.nodes))):
        useful[number] = useful[number] or any(useful[target] for target in onward[number])
        heads[number] = heads[number] or next((heads[t] for t in onward[number] if heads[t]), None)
    nodes = (replace(n, head=None if useful[n.id] else heads[n.id]) for n in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


def mark_edges(graph: Graph) -> Graph:
    """Give every edge its role."""
    onward = successors(graph)
    arriving = [len(sources) for sources in predecessors(graph)]
    skips = {
        (source, target)
        for source, targets in enumerate(onward)
        if len(targets) > 1
        for target in _shortcuts(source, targets, onward, arriving)
    }
    trunk = _trunk(graph, skips)
    following = dict(pairwise(trunk))

    def role(edge: Edge) -> str:
        if graph.nodes[edge.target].head is not None:
            return "aux"
        if (edge.source, edge.target) in skips:
            return "skip"
        return "trunk" if following.get(edge.source) == edge.target else "branch"

    return replace(graph, edges=tuple(replace(e, role=role(e)) for e in graph.edges))


def trunk_nodes(graph: Graph) -> tuple[int, ...]:
    """The nodes that everything passes, skips and auxiliary heads aside."""
    return tuple(_trunk(graph, {(e.source, e.target) for e in graph.edges if e.role == "skip"}))


def _shortcuts(source: int, targets: list[int], onward: list[list[int]], arriving: list[int]) -> set[int]:
    """Those targets with several inputs that can be reached from the source by a longer way too."""
    candidates = {target for target in targets if arriving[target] > 1}
    if not candidates:
        return set()
    last = max(candidates)  # nodes are in order: past this one no way leads back
    ahead = {step for target in set(targets) for step in onward[target] if step <= last}
    waiting = list(ahead)
    while waiting:
        fresh = {step for step in onward[waiting.pop()] if step <= last} - ahead
        ahead |= fresh
        waiting.extend(fresh)
    return candidates & ahead


def _trunk(graph: Graph, skips: set[tuple[int, int]]) -> list[int]:
    """The nodes that no edge jumps over, skips and auxiliary heads left out."""
    main = [node.id for node in graph.nodes if node.head is None]
    place = {number: i for i, number in enumerate(main)}
    opened = [0] * (len(main) + 1)
    for edge in graph.edges:
        if (edge.source, edge.target) not in skips and edge.target in place:
            opened[place[edge.source] + 1] += 1
            opened[place[edge.target]] -= 1
    return [number for number, over in zip(main, accumulate(opened), strict=False) if over == 0]
