"""What each line of a figure is: the one answer for boxes, volumes and words."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..graphs.graph import Edge, Graph, activation_of, fits, leaves
from ..graphs.patterns import pads_channels, subsamples

_CUTTING = frozenset({"shape", "dropout", "other"})  # what a skip may pass right before it arrives
SHARES = frozenset({"sigmoid", "hard_sigmoid", "softmax", "tanh"})
_SIZED = frozenset({"MatchSize"})  # what reads no more of its second input than how large it is
_TELLING = frozenset({"conv", "dense", "pool", "merge", "residual", "model", "attention", "recurrent", "embedding"})
_MOST_ON_A_PROJECTION = 2


def line_roles(graph: Graph) -> dict[Edge, str]:
    """Find what each edge is.

    - `skip`: an identity skip, unchanged into the sum of the block that it by-passes.
    - `side`: past others into such a sum, as a skip is, of a tensor that goes nowhere else: the second output of a
      block, as in WaveNet.
    - `projection`: to or from the layer on a projection skip, into such a sum.
    - `padded`: the same where there is no projection, but zeros for the channels that are more: option A of ResNets.
    - `concat`: a skip to a concatenation, also where a gate scales it on the way.
    - `gate`: what scales another tensor: the sigmoid or softmax into a product.
    - `mask`: what says which positions count.
    - `aux`: to an auxiliary head.
    - `trunk`, `branch`: everything else, such as a key, or an input that is used twice.

    >>> from layerblocks.graphs import Edge, Graph, Node
    >>> layers = [("x", "Dense", "dense"), ("y", "Dense", "dense"), ("s", "Add", "add")]
    >>> nodes = tuple(Node(i, (name,), kind, role) for i, (name, kind, role) in enumerate(layers))
    >>> edges = (Edge(0, 1), Edge(1, 2), Edge(0, 2, 0, 1, role="skip"))
    >>> list(line_roles(Graph("net", "", nodes, edges)).values())
    ['trunk', 'trunk', 'skip']
    """
    arriving = _arriving(graph)
    gates = {edge for edges in arriving for edge in _gates(graph, edges, arriving)}
    sizes = {edge for edge in graph.edges if edge.target_port and graph.nodes[edge.target].kind in _SIZED}
    leaving: list[list[Edge]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        if edge not in gates | sizes:
            leaving[edge.source].append(edge)
    gating = _gating(graph, gates)
    scaled = {edge.target: next(e for e in arriving[edge.target] if e not in gates) for edge in gates}

    padded = {node.id for node in graph.nodes if pads_channels(node)}
    padded |= {
        source
        for number in sorted(padded)
        for source in (edge.source for edge in arriving[number])
        if len(leaving[source]) == 1 and (graph.nodes[source].role == "pool" or subsamples(graph.nodes[source]))
    }

    def role(edge: Edge) -> str:
        if edge.role == "aux" or graph.nodes[edge.target].head is not None:
            return "aux"
        if edge.carries == "mask":
            return "mask"
        if edge in gates:
            return "gate"
        straight = "trunk" if edge.role == "trunk" else "branch"
        passes_gate = edge.target in scaled or edge.source in scaled
        if edge in sizes or (edge.role == straight and not passes_gate):
            return straight
        *_, last = _onward(graph, edge, leaving, scaled)
        joins = set() if last.target in gating else set(_joins(graph, last, arriving))
        if edge.role == "projection":
            shortens = "padded" if {edge.source, edge.target} & padded else "projection"
            return shortens if "skip" in joins and "lateral" not in joins else "branch"
        first = edge
        while first.source in scaled:
            first = scaled[first.source]
        by_passes = _another_way(first, last.target, leaving) if gates or sizes else edge.role == "skip"
        possible = ("concat",) if passes_gate else ("concat", "skip", "projection")
        found = next((each for each in possible if by_passes and each in joins), straight)
        return "side" if found == "skip" and len(leaving[first.source]) > 1 and _goes_alone(first, leaving) else found

    return {edge: role(edge) for edge in graph.edges}


_TOGETHER = frozenset({"query", "key", "value"})


def together(edges: Sequence[Edge]) -> list[tuple[Edge, ...]]:
    """Edges between two boxes, those that are drawn as one line together: one tensor as query, key and value."""
    found: dict[Hashable, list[Edge]] = {}
    for edge in edges:
        alone = None if edge.carries in _TOGETHER else edge.target_port
        found.setdefault((edge.source, edge.source_port, edge.target, alone), []).append(edge)
    return [tuple(group) for group in found.values()]


def line_words(graph: Graph, roles: Mapping[Edge, str]) -> dict[Edge, str]:
    """What is said at the end of lines that are read otherwise than the others there: `key, value`, `mask`, `to each`.

    Nothing is said of the query, nor where all that a box reads is one tensor.
    """
    arriving: dict[int, list[Edge]] = {}
    for edge in graph.edges:
        arriving.setdefault(edge.target, []).append(edge)
    found: dict[Edge, str] = {}
    for edges in arriving.values():
        if len({(edge.source, edge.source_port) for edge in edges}) < 2:
            continue
        for group in together(edges):
            words = [edge.carries for edge in group if edge.carries not in ("data", "query")]
            words = list(dict.fromkeys(words if all(edge.carries != "query" for edge in group) else ()))
            if words == ["value"] and all(edge.carries != "key" for edge in edges):
                words = ["key", "value"]  # as Keras has it
            if roles[group[0]] == "gate":
                words.append("gate")
            if group[0].each and not all(edge.each for edge in edges):
                words.append("to each")
            if words:
                found |= dict.fromkeys(group, ", ".join(words))
    return found


def _gates(graph: Graph, edges: Sequence[Edge], arriving: Sequence[Sequence[Edge]]) -> list[Edge]:
    """Of the edges into a product, those that scale the one other."""
    if not edges or graph.nodes[edges[0].target].kind != "Multiply":
        return []
    found = [edge for edge in edges if _is_gate(graph, edge.source, arriving)]
    return found if len(found) == len(edges) - 1 else []


def _is_gate(graph: Graph, number: int, arriving: Sequence[Sequence[Edge]]) -> bool:
    """Whether a node gives shares: a sigmoid or the like, perhaps reshaped after it."""
    while graph.nodes[number].role == "shape" and len(arriving[number]) == 1:
        number = arriving[number][0].source
    *_, last = leaves(graph.nodes[number])
    return str(activation_of(last)).lower() in SHARES


def _gating(graph: Graph, gates: Collection[Edge]) -> set[int]:
    """The nodes that serve gates alone."""
    onward: list[list[Edge]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        onward[edge.source].append(edge)
    returned = {output.source for output in graph.outputs}
    found: set[int] = set()
    for node in reversed(graph.nodes):
        ways = onward[node.id]
        if ways and node.id not in returned and all(way in gates or way.target in found for way in ways):
            found.add(node.id)
    return found


def _onward(graph: Graph, edge: Edge, leaving: Sequence[Sequence[Edge]], scaled: Mapping[int, Edge]) -> Iterator[Edge]:
    """The edge and those that follow it: past what only cuts or scales, and on a projection to its sum."""
    yield edge
    while True:
        node, following = graph.nodes[edge.target], leaving[edge.target]
        passes = node.role in _CUTTING or node.id in scaled or (edge.role == "projection" and node.role != "add")
        if not passes or len(following) != 1:
            return
        edge = following[0]
        yield edge


def _joins(graph: Graph, edge: Edge, arriving: Sequence[list[Edge]]) -> Iterator[str]:
    """What an edge makes where it arrives, inside a block too: `skip` at a sum, `concat` at a concatenation.

    Also `lateral` at a sum where the other map was made larger, as in a feature pyramid.
    """
    node = graph.nodes[edge.target]
    if node.inner is None:
        if node.role == "merge" or (node.kind == "Add" and fits(edge, node)):
            yield "concat" if node.role == "merge" else "skip"
            if node.kind == "Add" and _is_lateral(graph, edge, arriving):
                yield "lateral"
        return
    inner, (arriving, leaving, gating, scaled) = node.inner, _gated_ways(node.inner)
    for entry in inner.entries:
        if entry.source == edge.target_port and entry.target not in gating:
            *_, last = _onward(inner, replace(entry, role="branch"), leaving, scaled)
            yield from _joins(inner, last, arriving)
            *way, last = _onward(inner, replace(entry, role="projection"), leaving, scaled)
            passed = [role for each in way if (role := inner.nodes[each.target].role) in _TELLING]
            short = 0 < len(passed) <= _MOST_ON_A_PROJECTION and not {"attention", "recurrent"} & {*passed}
            found = set(_joins(inner, last, arriving)) if short else set()
            if "skip" in found:
                yield "lateral" if "lateral" in found else "projection"


def _is_lateral(graph: Graph, last: Edge, arriving: Sequence[Sequence[Edge]]) -> bool:
    """Whether an edge brings to a sum what is added to a map that was made larger, as in a feature pyramid."""
    others = [edge.source for edge in arriving[last.target] if edge != last]
    if not any(_was_enlarged(graph, number, arriving) for number in others):
        return False
    return last not in arriving[last.target] or not _was_enlarged(graph, last.source, arriving)


def _was_enlarged(graph: Graph, number: int, arriving: Sequence[Sequence[Edge]]) -> bool:
    """Whether there is a layer that makes a map larger on the only way to a node."""
    while True:
        kinds = [leaf.kind for leaf in leaves(graph.nodes[number])]
        if any(
            "Transpose" in kind or kind.startswith(("UpSampling", "Resiz")) for kind in kinds if kind != "Transpose"
        ):
            return True
        if len(arriving[number]) != 1:
            return False
        number = arriving[number][0].source


def skip_words(drawn: Iterable[tuple[Graph, Mapping[Edge, str]]]) -> str:
    """What the skips to concatenations are called, of graphs with their `line_roles`: all gated, some, or none."""
    gated: list[bool] = []
    for graph, roles in drawn:
        edges = [edge for edge, role in roles.items() if role == "concat"]
        scaled = _gated_ways(graph)[-1] if edges else {}
        gated += [_is_gated(graph, edge, scaled) for edge in edges]
    if not any(gated):
        return "skip to a concatenation"
    return "gated skip to a concatenation" if all(gated) else "skip to a concatenation, some gated"


def _is_gated(graph: Graph, edge: Edge, scaled: Collection[int]) -> bool:
    """Whether a gate scales what an edge brings before that comes to a concatenation, inside of a block too."""
    if edge.target in scaled or edge.source in scaled:
        return True
    inner = graph.nodes[edge.target].inner
    if inner is None:
        return False
    arriving, leaving, gating, scaled_inside = _gated_ways(inner)
    for entry in inner.entries:
        if entry.source == edge.target_port and entry.target not in gating:
            *way, last = _onward(inner, replace(entry, role="branch"), leaving, scaled_inside)
            passed = any(each.target in scaled_inside for each in way)
            if "concat" in _joins(inner, last, arriving) and (passed or _is_gated(inner, last, scaled_inside)):
                return True
    return False


def _arriving(graph: Graph) -> list[list[Edge]]:
    """The edges that come to each node."""
    found: list[list[Edge]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        found[edge.target].append(edge)
    return found


def _gated_ways(graph: Graph) -> tuple[list[list[Edge]], list[list[Edge]], set[int], dict[int, Edge]]:
    """The edges that come to each node, those that leave it, gates left out; the nodes that serve gates alone; what is
    scaled, by which.
    """
    arriving = _arriving(graph)
    gates = {gate for number, edges in enumerate(arriving) for gate in _gates_inside(graph, number, edges, arriving)}
    leaving: list[list[Edge]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        if edge not in gates:
            leaving[edge.source].append(edge)
    return arriving, leaving, _gating(graph, gates), {gate.target: gate for gate in gates}


def _gates_inside(inner: Graph, number: int, edges: Sequence[Edge], arriving: Sequence[Sequence[Edge]]) -> list[Edge]:
    """The gates into a product inside of a block, which may scale what comes in from outside."""
    if inner.nodes[number].kind != "Multiply":
        return []
    found = [edge for edge in edges if _is_gate(inner, edge.source, arriving)]
    entering = sum(entry.target == number for entry in inner.entries)
    return found if len(found) == len(edges) + entering - 1 else []


def _goes_alone(edge: Edge, leaving: Sequence[Sequence[Edge]]) -> bool:
    """Whether no other edge carries the tensor."""
    return sum(other.source_port == edge.source_port for other in leaving[edge.source]) == 1


def _another_way(first: Edge, join: int, leaving: Sequence[Sequence[Edge]]) -> bool:
    """Whether a second way leads from where an edge begins to a node; nodes are in topological order."""
    waiting = [edge.target for edge in leaving[first.source] if edge != first and edge.target < join]
    seen = set(waiting)
    while waiting:
        for edge in leaving[waiting.pop()]:
            if edge.target == join:
                return True
            if edge.target < join and edge.target not in seen:
                seen.add(edge.target)
                waiting.append(edge.target)
    return False
