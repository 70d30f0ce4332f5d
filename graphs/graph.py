"""The frozen graph that every figure and table is made from.

A `Graph` is what a Keras model says about itself, copied once into plain values: running numbers instead of object
identities, so that the same model gives the same graph in every process. `reader` makes one from a model, `rewrite`
makes new ones from old ones, and the rest only reads.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, TypeVar

from .. import checks
from .rules import Shape as Shape
from .rules import Unknown, Windows
from .totals import Total

# The attribute of a layer that is applied to every step of a sequence.
AT_EACH_STEP = "at_each_step"


@dataclass(frozen=True, slots=True)
class Weight:
    """One variable. Layers that share it carry the same `id`, so sums can count it once."""

    id: int
    size: int
    trainable: bool


@dataclass(frozen=True, slots=True)
class Scale:
    """An unknown size as a share of an unknown size of the input: `H`, `H/2`, `2H`; `≈` where borders take some.

    >>> str(Scale("H", 1, 4)), str(Scale("W", 2)), str(Scale("H", 3, 4, exact=False))
    ('H/4', '2W', '≈3H/4')
    """

    of: str
    times: int = 1
    over: int = 1
    exact: bool = True

    def __str__(self) -> str:
        times, over = f"{self.times}" if self.times != 1 else "", f"/{self.over}" if self.over != 1 else ""
        return f"{'' if self.exact else '≈'}{times}{self.of}{over}"


@dataclass(frozen=True, slots=True)
class Frame:
    """What is drawn around some nodes: one call of a nested model, an opened block, or a sequence that repeats.

    `members` are the names of all that it stands for where what is inside occurs several times in a row. Around what a
    layer wraps, `whole` says what the layer is as one: its kind, role and words.
    """

    id: int
    path: tuple[str, ...]
    members: tuple[str, ...] = ()
    whole: Node | None = None

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def repeats(self) -> int:
        return max(1, len(self.members))


@dataclass(frozen=True, slots=True)
class Node:
    """One call of a layer, or a block of them.

    Args:
        id: running number, its place in `Graph.nodes`.
        path: the dotted layer name, split: `inception_3a.3x3.conv` has three parts.
        kind: the class name (`Conv2D`), or `Block`.
        role: what it is for: `input conv pool merge add norm activation dense attention recurrent embedding dropout
            shape model other`, and for blocks `residual` besides.
        attributes: what the layer was given (`kernel_size`, `strides`, `filters`, `activation` …), as pairs.
        closed: why it is one box where it has layers inside; "" where it has none, or they are read.
        configuration: all that tells it from another layer of its kind (`equality`), with the arguments of the call.
        inputs: the shapes that this call received, batch first.
        outputs: the shapes that it returned.
        dtypes: the dtypes that it returned.
        trainable: None where there is nothing to train.
        weights: its variables.
        multiply_adds: for one example; None if a size is unknown or the layer does not say.
        call: which call of how many, for a layer that is shared. A box for several neighbours that has several calls
            has one set of weights for all of them.
        frames: ids of the frames it lies in, outermost first.
        head: the key of the auxiliary output that it serves, if it serves no other.
        inner: the layers of a block.
        members: for a box that stands for several equal neighbours, the names of all of them; else empty. Weights
            and multiply-adds are those of all; `inner`, `attributes` and `path` the first's. A box in a frame that
            repeats has a member in every repeat.
        receptive_field: how many pixels of the input one position of the output sees, per axis, None on one of which it
            sees everything; `Unknown` with the layers that do not say; None where no input has positions.
        windows: what a position of the output reads of each input, as `rules` has it.
        unbuilt: whether it may have weights of which nothing is known.
        words: what it is, with its sizes, as its entry in `rules` says.
        scales: of each axis of the first output, where its size is unknown and follows one of an input, which and how.
        symbol: how it is written between its operands, as its entry says: ⊕ ⊖ ⊙ max mean ‖; "" for none.
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
    members: tuple[str, ...] = ()
    receptive_field: tuple[int | None, ...] | Unknown | None = None
    windows: Windows | Unknown | None = None
    configuration: tuple[tuple[str, Hashable], ...] = ()
    closed: str = ""
    unbuilt: bool = False
    words: str = ""
    symbol: str = ""
    scales: tuple[Scale | None, ...] = ()

    @property
    def repeats(self) -> int:
        """How many equal neighbours the box stands for."""
        return max(1, len(self.members))

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def parameters(self) -> int:
        return sum_weights([self])[0]

    def get(self, attribute: str, default: object = None) -> object:
        for name, value in self.attributes:
            if name == attribute:
                return value
        return default


@dataclass(frozen=True, slots=True)
class Edge:
    """A tensor on its way from one node to another.

    `source_port` and `target_port` say which output it is and which input it becomes. The role is `trunk` (the only
    way on), `branch` (one of several), `skip` (a short cut past a longer way), `projection` (to or from a layer on a
    short cut) or `aux` (to an auxiliary head). `carries` says what the target has it for: `data query key value mask
    state`, as the layer's entry in `rules` does. `each` are the frames around its target that repeat and read it anew
    in every repeat, −1 for the box itself where that stands for several; any other repeat reads it in the first only,
    and what the one before passes on in the others.
    """

    source: int
    target: int
    source_port: int = 0
    target_port: int = 0
    shape: Shape | None = None
    role: str = "trunk"
    carries: str = "data"
    each: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """What the model returns: its key (`main`, `aux1`; else the layer's name), where it comes from, its loss weight."""

    key: str
    source: int
    source_port: int = 0
    loss_weight: float | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in an order in which they can be computed, `nodes[i].id == i`, and the edges between them.

    `entries` of the inside of a block are the edges that come from outside; their `source` says which of the inputs
    of the block each carries, as `outputs` are in the order of its outputs. `unused` are the layers that a model keeps
    and does not call; `loose` are weights of opened layers that none of the nodes has (a class token, a scale). One
    that is not `verified` was read from the configuration in a file alone, as not all classes of its layers were there.
    One in which equal neighbours were drawn together has in `unfolded` what it was before.
    """

    name: str
    kind: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    outputs: tuple[Output, ...] = ()
    frames: tuple[Frame, ...] = ()
    entries: tuple[Edge, ...] = ()
    unused: tuple[Node, ...] = ()
    loose: tuple[Weight, ...] = ()
    verified: bool = True
    unfolded: Graph | None = field(default=None, compare=False, repr=False)

    @property
    def parameters(self) -> int:
        """All parameters, as Keras counts them: those of a shared layer once, those of unused layers too."""
        return sum_weights((*self.nodes, *self.unused), self.loose)[0]

    @property
    def trainable_parameters(self) -> int:
        return sum_weights((*self.nodes, *self.unused), self.loose)[1]

    @property
    def multiply_adds(self) -> int | None:
        """Multiply-adds of one example, every call of a shared layer; None if any node's are unknown."""
        return sum_known(node.multiply_adds for node in self.nodes)

    @property
    def work(self) -> Total:
        """Multiply-adds of one example as far as they are known, and the names of the layers that are not counted."""
        return work_of(self.nodes)


def work_of(nodes: Iterable[Node]) -> Total:
    """Multiply-adds of some nodes as far as they are known; of a block of which not all is, of its layers."""
    total = Total()
    for node in nodes:
        if node.multiply_adds is not None:
            total += Total(node.multiply_adds)
        elif node.inner is not None:
            inside = work_of(node.inner.nodes)
            total += Total(inside.known * node.repeats, inside.uncounted)
        else:
            total += Total(0, (node.name,))
    return total


def a_graph(graph: object, argument: str = "graph") -> Graph:
    """The value, if it is a graph."""
    return checks.instance(argument, graph, Graph, "a Graph, such as read_graph(model) gives")


def a_node(node: object, argument: str = "node") -> Node:
    """The value, if it is a node."""
    return checks.instance(argument, node, Node, "a Node of a Graph")


Thing = TypeVar("Thing")


def changed(thing: Thing, **fields: Any) -> Thing:
    """A copy of one of these with other fields: what `dataclasses.replace` does, in a fraction of its time."""
    kind_of: Any = type(thing)
    copy, places = _slots(kind_of)
    new: Thing = copy(thing)
    for name, value in fields.items():
        places[name](new, value)
    return new


@functools.cache
def _slots(of: type) -> tuple[Callable[[Any], Any], Mapping[str, Callable[[Any, Any], None]]]:
    """What copies a frozen object, field by field, and what writes each of its fields."""
    names: tuple[str, ...] = of.__slots__  # type: ignore[attr-defined]
    places = {name: getattr(of, name).__set__ for name in names}
    scope: dict[str, Any] = {"make": object.__new__, "of": of, **{f"set_{name}": put for name, put in places.items()}}
    steps = [f"set_{name}(new, old.{name})" for name in names]  # written out, as dataclasses write their __init__
    exec("\n    ".join(["def copy(old):", "new = make(of)", *steps, "return new"]), scope)
    return scope["copy"], places


def sum_weights(nodes: Iterable[Node], more: Iterable[Weight] = ()) -> tuple[int, int]:
    """Parameters, and trainable parameters, of some nodes and of more weights; every weight once."""
    distinct = {weight.id: weight for weight in (*(w for node in nodes for w in node.weights), *more)}.values()
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


def leaves(node: Node) -> Iterator[Node]:
    """The layers of a block, in order; a layer itself."""
    waiting = [node]
    while waiting:
        this = waiting.pop()
        if this.inner is None:
            yield this
        else:
            waiting.extend(reversed(this.inner.nodes))


def activation_of(node: Node) -> str | None:
    """The name of what a layer does to its numbers last; None if that is nothing.

    >>> activation_of(Node(0, ("c",), "Conv2D", "conv", (("activation", "relu"),)))
    'relu'
    """
    given = node.get("activation")
    if given is None and node.role == "activation":
        return node.kind
    return None if given in (None, "linear") else str(given)


def subgraph(graph: Graph, members: Iterable[int]) -> Graph:
    """Some of the nodes, numbered anew, with the edges among them.

    Its outputs are the tensors that leave it, its entries those that come in.
    """
    old = sorted(set(members))
    new = {number: i for i, number in enumerate(old)}
    leaving = {(e.source, e.source_port) for e in graph.edges if e.source in new and e.target not in new}
    leaving |= {(o.source, o.source_port) for o in graph.outputs if o.source in new}
    return Graph(
        name=graph.name,
        kind=graph.kind,
        nodes=tuple(changed(graph.nodes[number], id=i) for i, number in enumerate(old)),
        edges=tuple(
            changed(e, source=new[e.source], target=new[e.target])
            for e in graph.edges
            if e.source in new and e.target in new
        ),
        outputs=tuple(Output(graph.nodes[s].name, new[s], port) for s, port in sorted(leaving)),
        frames=graph.frames,
        entries=_entries(graph, new),
    )


def _entries(graph: Graph, new: Mapping[int, int]) -> tuple[Edge, ...]:
    """The edges that come into some nodes. A tensor that one node takes twice comes in twice."""
    coming = [e for e in graph.edges if e.target in new and e.source not in new]
    if len(coming) == 1:
        return (changed(coming[0], source=0, source_port=0, target=new[coming[0].target]),)
    taken, numbers = Counter[tuple[int, int, int]](), dict[tuple[int, int, int], int]()
    found = []
    for edge in sorted(coming, key=lambda e: (e.target, e.target_port)):
        use = (edge.source, edge.source_port, edge.target)
        key = (edge.source, edge.source_port, taken[use])
        taken[use] += 1
        number = numbers.setdefault(key, len(numbers))
        found.append(changed(edge, source=number, source_port=0, target=new[edge.target]))
    return tuple(found)


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
    nodes = (changed(n, head=None if useful[n.id] else heads[n.id]) for n in graph.nodes)
    return changed(graph, nodes=tuple(nodes))


def mark_edges(graph: Graph) -> Graph:
    """Give every edge its role."""
    masks = any(edge.carries == "mask" for edge in graph.edges)
    plain = changed(graph, edges=tuple(e for e in graph.edges if e.carries != "mask")) if masks else graph
    onward, backward = successors(plain), predecessors(plain)
    arriving = [len(sources) for sources in backward]
    skips = {
        (source, target)
        for source, targets in enumerate(onward)
        if len(targets) > 1
        for target in _shortcuts(source, targets, onward, arriving)
    }
    projections = _projections(plain, onward, backward)
    trunk = _trunk(plain, skips | projections)
    following = dict(pairwise(trunk))

    def role(edge: Edge) -> str:
        ends = (edge.source, edge.target)
        if edge.carries == "mask":
            return "branch"
        if graph.nodes[edge.target].head is not None:
            return "aux"
        if ends in skips:
            return "skip"
        if ends in projections:
            return "projection"
        return "trunk" if following.get(edge.source) == edge.target else "branch"

    roles = map(role, graph.edges)
    return changed(
        graph, edges=tuple(e if e.role == r else changed(e, role=r) for e, r in zip(graph.edges, roles, strict=True))
    )


def trunk_nodes(graph: Graph) -> tuple[int, ...]:
    """The nodes that everything passes, short cuts and auxiliary heads aside."""
    return tuple(_trunk(graph, {(e.source, e.target) for e in graph.edges if e.role in ("skip", "projection")}))


def _shortcuts(source: int, targets: list[int], onward: list[list[int]], arriving: list[int]) -> set[int]:
    """Those targets with several inputs that can be reached from the source by a longer way too."""
    candidates = {target for target in targets if arriving[target] > 1}
    if not candidates:
        return set()
    last = max(candidates)  # nodes are in order: past this one no way leads back
    return candidates & _ahead({step for target in set(targets) for step in onward[target]}, last, onward)


def _ahead(starts: set[int], last: int, onward: list[list[int]]) -> set[int]:
    """Everything that can be reached from some nodes, themselves too, up to the last."""
    ahead = {step for step in starts if step <= last}
    waiting = list(ahead)
    while waiting:
        fresh = {step for step in onward[waiting.pop()] if step <= last} - ahead
        ahead |= fresh
        waiting.extend(fresh)
    return ahead


# What a layer on a short cut may be, and how many of them: an average pooling and a convolution, at most.
_TELLING = ("conv", "dense", "pool", "merge", "residual", "attention", "recurrent", "embedding", "model", "other")
_MOST_ON_A_SHORTCUT = 2
_NO_PROJECTION = ("embedding", "attention", "recurrent")


def _projections(graph: Graph, onward: list[list[int]], backward: list[list[int]]) -> set[tuple[int, int]]:
    """The edges of the ways to a sum that pass fewer layers than the other ways from where they begin.

    What the network also returns, such as the mean that noise is added to, is no projection for a sum.
    """
    found: set[tuple[int, int]] = set()
    returned = {output.source for output in graph.outputs}
    arriving: list[list[Edge]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        arriving[edge.target].append(edge)
    for join in graph.nodes:
        if join.role != "add" or len(backward[join.id]) < 2:
            continue
        spread = {edge.source for edge in arriving[join.id] if not fits(edge, join)}  # one for several positions
        ways = [_way_back(source, onward, backward) for source in backward[join.id]]
        told = [sum(_is_telling(graph.nodes[step]) for step in way[:-1]) for way in ways]
        for way, count in zip(ways, told, strict=True):
            start = way[-1]
            if not 0 < count <= _MOST_ON_A_SHORTCUT or len(onward[start]) < 2 or way[0] in spread:
                continue
            if any(graph.nodes[step].role in _NO_PROJECTION or step in returned for step in way[:-1]):
                continue
            most = _most_told(graph, start, join.id, backward)
            straight = all(most.get(w[0], count + 1) > count for w in ways if w is not way)
            others = {step for step in onward[start] if step not in (way[-2], join.id)}
            if straight and join.id in _ahead(others, join.id, onward):
                found |= {(after, before) for before, after in pairwise((join.id, *way))}
    return found


def fits(edge: Edge, join: Node) -> bool:
    """Whether a tensor comes to a sum in the sum's own shape; where it does not, it is the same for several positions.

    >>> total = Node(2, ("sum",), "Add", "add", outputs=((None, 8, 8, 4),))
    >>> fits(Edge(0, 2, shape=(None, 8, 8, 4)), total), fits(Edge(1, 2, shape=(None, 1, 1, 4)), total)
    (True, False)
    """
    if edge.shape is None or not join.outputs:
        return True
    made = join.outputs[0]
    return len(edge.shape) == len(made) and all(a == b or None in (a, b) for a, b in zip(edge.shape, made, strict=True))


def _most_told(graph: Graph, start: int, last: int, backward: list[list[int]]) -> dict[int, int]:
    """How many layers the longest way from a node to each of those after it passes, up to the last."""
    most = {start: 0}
    for node in graph.nodes[start + 1 : last]:
        before = [most[source] for source in backward[node.id] if source in most]
        if before:
            most[node.id] = max(before) + _is_telling(node)
    return most


def _is_telling(node: Node) -> bool:
    return node.role in _TELLING and node.kind != "GetItem"


def _way_back(node: int, onward: list[list[int]], backward: list[list[int]]) -> list[int]:
    """From a node back along the only way, up to where it parts or comes together."""
    way = [node]
    while len(backward[node]) == 1 and len(onward[node]) == 1:
        (node,) = backward[node]
        way.append(node)
    return way


def _trunk(graph: Graph, skips: set[tuple[int, int]]) -> list[int]:
    """The nodes that no edge jumps over, short cuts and auxiliary heads left out."""
    main = [node.id for node in graph.nodes if node.head is None]
    place = {number: i for i, number in enumerate(main)}
    opened = [0] * (len(main) + 1)
    for edge in graph.edges:
        if (edge.source, edge.target) not in skips and edge.source in place and edge.target in place:
            opened[place[edge.source] + 1] += 1
            opened[place[edge.target]] -= 1
    return [number for number, over in zip(main, accumulate(opened), strict=False) if over == 0]
