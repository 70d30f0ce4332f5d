"""A graph of layers by its nodes: what each is made with, what it reads and what reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from ...graphs.graph import Edge, Graph, Node, trunk_nodes

# What may be given its inputs in any order.
_COMMUTATIVE = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply"})
# Which layer of the first of two graphs is which of the second.
Pairs = dict[int, int]


def own(node: Node) -> Hashable:
    """What a layer is by itself, whatever it is given: its kind and what it was made with; of an input its shape."""
    read = (node.outputs, node.dtypes) if node.role == "input" else None
    return (node.kind, tuple(given(node).items()), read)


def given(node: Node) -> dict[str, object]:
    """What a layer was made with and called with, all of it; an axis counted from the last.

    Of which class it is counts where nobody knows that by its name.
    """
    found: dict[str, object] = {**dict(node.attributes), **dict(node.configuration)}
    if str(found.get("class", "")).startswith(("keras.", "layerblocks.")):
        del found["class"]
    axis, rank = found.get("axis"), len(node.inputs[0]) if node.inputs else 0
    if isinstance(axis, int) and 0 <= axis < rank:
        found["axis"] = axis - rank
    return found


@dataclass(frozen=True)
class Wired:
    """A graph of layers with its edges sorted by node."""

    graph: Graph

    @cached_property
    def arriving(self) -> list[list[Edge]]:
        found: list[list[Edge]] = [[] for _ in self.graph.nodes]
        for edge in sorted(self.graph.edges, key=lambda e: (e.target, e.target_port)):
            found[edge.target].append(edge)
        return found

    @cached_property
    def leaving(self) -> list[list[Edge]]:
        found: list[list[Edge]] = [[] for _ in self.graph.nodes]
        for edge in sorted(self.graph.edges, key=lambda e: (e.target, e.target_port)):
            found[edge.source].append(edge)
        return found

    @cached_property
    def results(self) -> list[int]:
        """For each node, how many outputs of the network it makes."""
        count = Counter(output.source for output in self.graph.outputs)
        return [count[node.id] for node in self.graph.nodes]

    def port(self, edge: Edge) -> int:
        """Which input the edge is, where that matters."""
        return 0 if self.graph.nodes[edge.target].kind in _COMMUTATIVE else edge.target_port

    def regions(self) -> list[list[int]]:
        """The nodes between two that everything passes, with the second where it joins ways; heads left out."""
        plain = replace(self.graph, edges=tuple(replace(e, role="trunk") for e in self.graph.edges))
        found, before = [], -1
        for number in (*trunk_nodes(plain), len(self.graph.nodes)):
            last = number + 1 if number < len(self.graph.nodes) and len(self.arriving[number]) > 1 else number
            region = [n for n in range(before + 1, last) if self.graph.nodes[n].head is None]
            if region:
                found.append(region)
            before = number
        return found


def rewired(left: Wired, right: Wired, pairs: Pairs) -> list[int]:
    """The nodes of the first graph whose partner gets something else than what they get.

    What has been taken out or put in on the way does not count: it is told of by itself.
    """
    back = {v: u for u, v in pairs.items()}
    reach_a, reach_b = reach(left, pairs), reach(right, back)
    found = []
    for old, new in pairs.items():
        fed_a = [(left.port(e), pairs.get(e.source), e.source_port) for e in left.arriving[old]]
        fed_b = [(right.port(e), e.source if e.source in back else None, e.source_port) for e in right.arriving[new]]
        if all(f[1] is not None for f in (*fed_a, *fed_b)):
            same = sorted(fed_a) == sorted(fed_b)
        else:
            direct_a = {f[1] for f in fed_a if f[1] is not None}
            direct_b = {f[1] for f in fed_b if f[1] is not None}
            same = direct_a <= reach_b[new] and direct_b <= {pairs[n] for n in reach_a[old]}
        if not same:
            found.append(old)
    return found


def reach(wired: Wired, known: Iterable[int]) -> list[frozenset[int]]:
    """For each node, the paired ones that lead to it by way of unpaired ones."""
    paired = set(known)
    found: list[frozenset[int]] = []
    for edges in wired.arriving:
        found.append(
            frozenset().union(*({e.source} if e.source in paired else found[e.source] for e in edges))
            if edges
            else frozenset()
        )
    return found


def moved_outputs(left: Wired, right: Wired, pairs: Pairs) -> list[int]:
    """The nodes of the first graph of which another number of outputs is made than of their partners.

    An output that something new has taken over, or that something gone had taken over, does not count.
    """
    ends_a = _taken_over(left, pairs)
    ends_b = _taken_over(right, pairs.values())
    return [
        u
        for u, v in pairs.items()
        if (left.results[u] > right.results[v] and v not in ends_b)
        or (left.results[u] < right.results[v] and u not in ends_a)
    ]


def _taken_over(wired: Wired, known: Iterable[int]) -> set[int]:
    """The paired nodes that lead to an output that an unpaired one makes."""
    paired = set(known)
    leading = reach(wired, paired)
    return {n for output in wired.graph.outputs if output.source not in paired for n in leading[output.source]}
