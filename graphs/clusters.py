"""Fewer boxes than a network has blocks: neighbours joined step by step, until a page can hold what is left.

What is joined first is what says least by itself: a lone pooling, sum or concatenation goes to a neighbour, and equal
parallel branches become one box. Then come neighbours with few layers, those on maps of one size before others. A box
made so has no name that a network could have: it says what is in it (`5 layers`, `2 conv 3×3, max pool`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, prod

from .. import checks
from .graph import Graph, Node, a_graph, changed, leaves, mark_edges
from .patterns import pattern_of
from .repeats import span, structure
from .rewrite import box, common_prefix, contract

_WEIGHTED = frozenset({"conv", "dense", "attention", "recurrent", "embedding", "model"})
_SILENT = frozenset({"input", "norm", "activation", "dropout", "shape"})
_EQUAL = 3  # so many equal branches are one box before anything with layers is joined
_MANY_INPUTS = 6
_OTHER_SIZE, _SHARED, _BESIDE, _FRAMED, _INPUT = 3.0, 1.5, 2.0, 20.0, 1e7  # by what joining costs more
_STEP = 2.0  # in one round, joinings that cost up to so many times as much as the cheapest
_MOST_WORDS = 3


@checks.public
def clustered(graph: Graph, most: int, kept: Collection[str] = ()) -> Graph:
    """Join neighbours of a collapsed graph until it has at most so many boxes.

    Args:
        graph: what `overview` gives.
        most: how many boxes there may be.
        kept: the names of boxes that stay as they are; more than `most` are left only if so many are kept.

    Raises:
        ValueError, TypeError: `most` is no positive integer, `graph` is none.

    >>> import keras
    >>> x = y = keras.Input((32, 32, 3), name="x")
    >>> for filters in (8, 16, 24, 32):
    ...     y = keras.layers.MaxPooling2D()(keras.layers.Conv2D(filters, 3, padding="same")(y))
    >>> from layerblocks.graphs import read_graph
    >>> joined = clustered(read_graph(keras.Model(x, y)), 3)
    >>> [(node.name, node.words) for node in joined.nodes]
    [('x', 'input'), ('4 layers', '2 conv 3×3, 2 max pool'), ('4 layers', '2 conv 3×3, 2 max pool')]
    """
    a_graph(graph)
    most = checks.integer("most", most)
    if len(graph.nodes) <= most:
        return graph
    state = _State(graph, frozenset(kept))
    while state.left > most and state.join_cheapest(most):
        pass
    groups = [state.root(number) for number in range(len(graph.nodes))]

    def make(part: Graph, members: Sequence[int]) -> Node:
        first = part.nodes[members[0]]
        if len(members) == 1:
            return first
        number = groups[members[0]]
        return _joined(part, members, state.branches.get(number, ()), number in state.equal)

    return changed(mark_edges(contract(graph, groups, make)), unfolded=None)


# -- joining ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Group:
    """Nodes that are joined: how many layers with weights, the size of the map, what is inside as a number."""

    weight: float
    size: Hashable
    label: int
    frames: tuple[int, ...]
    head: str | None
    is_input: bool
    is_join: bool
    goes: int  # to which neighbour it goes as long as it has no layers: 1 to what follows, -1 to what is before it


_Move = tuple[float, tuple[int, int], tuple[int, ...]]  # what it costs, which kind of joining, which groups


class _State:
    """Which nodes are joined, and how the groups hang together."""

    def __init__(self, graph: Graph, kept: Collection[str]) -> None:
        self.graph = graph
        self.parent = list(range(len(graph.nodes)))
        self.left = len(graph.nodes)
        self.onward: list[dict[int, None]] = [{} for _ in graph.nodes]
        self.backward: list[dict[int, None]] = [{} for _ in graph.nodes]
        for edge in graph.edges:
            self.onward[edge.source][edge.target] = None
            self.backward[edge.target][edge.source] = None
        self.labels: dict[Hashable, int] = {}
        self.groups: dict[int, _Group] = {node.id: self._alone(node) for node in graph.nodes}
        self.kept = {node.id for node in graph.nodes if node.name in kept}
        self.framed = Counter(frame for node in graph.nodes for frame in node.frames)
        self.inside: dict[int, list[int]] = {node.id: [node.id] for node in graph.nodes}
        self.branches: dict[int, list[list[int]]] = {}  # of a group of parallel branches, the nodes of each
        self.equal: set[int] = set()  # the groups whose branches are equal

    def root(self, number: int) -> int:
        while self.parent[number] != number:
            self.parent[number] = number = self.parent[self.parent[number]]
        return number

    def _label(self, what: Hashable) -> int:
        return self.labels.setdefault(what, len(self.labels))

    def _alone(self, node: Node) -> _Group:
        layers = list(leaves(node))
        count = sum(layer.role in _WEIGHTED for layer in layers) * node.repeats
        joins = len(node.inputs) > 1
        grows = "Upsampl" in node.kind or node.kind.startswith(("UpSampling", "Resiz"))
        return _Group(
            weight=float(count),
            size=_size(node),
            label=self._label(("node", structure(node), node.frames)),
            frames=node.frames,
            head=node.head,
            is_input=node.role == "input",
            is_join=joins,
            goes=1 if grows or joins else -1,
        )

    # -- what can be joined --

    def join_cheapest(self, most: int) -> bool:
        """Join what costs least; whether anything was joined."""
        found = sorted(self._moves())
        if not found:
            return self._join_consecutive()
        limit = found[0][0] * _STEP if found[0][0] < _INPUT else found[0][0]
        last: tuple[float, tuple[int, int]] | None = None
        joined = False
        for cost, kind, groups in found:
            if cost > limit or (self.left <= most and (cost, kind) != last):
                break
            if self._is_now(cost, groups):
                self._join(groups)
                joined = True
                last = cost, kind
        return joined or self._join_consecutive()

    def _is_now(self, cost: float, groups: tuple[int, ...]) -> bool:
        """Whether a move still is what it was when it was found."""
        if any(self.root(number) != number for number in groups):
            return False
        if len(groups) == 2 and groups[1] in self.onward[groups[0]]:
            return self._cost(*groups) <= cost
        first, *others = groups[:-1] if self._with_join(groups) else groups
        return all(self.backward[o] == self.backward[first] and self.onward[o] == self.onward[first] for o in others)

    def _with_join(self, groups: tuple[int, ...]) -> bool:
        return groups[-1] in self.onward[groups[0]]

    def _moves(self) -> Iterator[_Move]:
        live = [number for number in self.groups if number not in self.kept]
        beside: dict[tuple[frozenset[int], frozenset[int]], list[int]] = defaultdict(list)
        for number in live:
            for target in self.onward[number]:
                cost = self._cost(number, target)
                if cost < inf:
                    yield cost, (self.groups[number].label, self.groups[target].label), (number, target)
            beside[frozenset(self.backward[number]), frozenset(self.onward[number])].append(number)
        for together in beside.values():
            if len(together) > 1:
                yield from self._parallel(together)

    def _cost(self, source: int, target: int) -> float:
        """What it costs to join two neighbours; infinite where there would be a way out of them and back."""
        only, alone = len(self.onward[source]) == 1, len(self.backward[target]) == 1
        if not (only or alone) or target in self.kept or source in self.kept:
            return inf
        a, b = self.groups[source], self.groups[target]
        if a.head != b.head:
            return inf
        if a.is_input:
            return _INPUT * (1 + b.weight)
        factor = 1.0
        if a.frames != b.frames:
            shared = common_prefix(a.frames, b.frames)
            torn = [f for f in {*a.frames, *b.frames} - {*shared} if self.framed[f] > 1]
            if torn:
                return inf
            factor *= _FRAMED
        if not a.weight or not b.weight:
            lone, forward = (a, 1) if not a.weight else (b, -1)
            if b.is_join and not b.weight and a.weight and not alone:  # one of several branches, and what they meet in
                return (1 + a.weight) * _BESIDE * (len(self.backward[target]) - 1) * factor
            return (0.3 if lone.is_join else 0.1 if lone.goes == forward else 0.2) * factor
        if alone and self.onward[target] and self.onward[target].keys() <= self.onward[source].keys():
            return (a.weight + b.weight) * factor * _SHARED  # a bridge, with what its short cut begins at
        if not (only and alone):  # one way of several on from here, or to here
            factor *= _SHARED * max(len(self.onward[source]), len(self.backward[target]))
        return (a.weight + b.weight) * factor * (1.0 if a.size == b.size else _OTHER_SIZE)

    def _parallel(self, together: Sequence[int]) -> Iterator[_Move]:
        """Groups between the same neighbours: equal ones with what joins them, others if need be."""
        groups = [self.groups[number] for number in together]
        if len({(group.frames, group.head) for group in groups}) > 1:
            return
        alike: dict[int, list[int]] = defaultdict(list)
        for number, group in zip(together, groups, strict=True):
            alike[group.label].append(number)
        for label, equal in alike.items():
            inputs = self.groups[equal[0]].is_input
            if len(equal) >= (_MANY_INPUTS if inputs else _EQUAL):
                yield 0.05, (label, label), (*equal, *self._joining(equal))
        if len(alike) > 1:
            weight = sum(group.weight for group in groups)
            more = _INPUT * len(groups) if any(group.is_input for group in groups) else 1.0
            yield (1 + weight) * more, (-1, -1), (*together, *self._joining(together))
        elif len(together) < _EQUAL or groups[0].is_input:
            more = _INPUT * len(groups) if groups[0].is_input else 1.0
            cost = (1 + 2 * groups[0].weight) * more
            yield cost, (groups[0].label, -1), (*together, *self._joining(together))

    def _joining(self, together: Sequence[int]) -> tuple[int, ...]:
        """What alone reads all of them, if it is no more than that."""
        if len(self.onward[together[0]]) != 1 or self.groups[together[0]].is_input:
            return ()
        (target,) = self.onward[together[0]]
        join, first = self.groups[target], self.groups[together[0]]
        fits = not join.weight and join.frames == first.frames and join.head == first.head
        return (target,) if fits and target not in self.kept else ()

    def _join_consecutive(self) -> bool:
        """Join two that follow one another in an order of computation, where nothing else is left."""
        order = self._order()
        pairs = [
            (a.weight + b.weight, i)
            for i, (a, b) in enumerate(zip(map(self.groups.get, order), map(self.groups.get, order[1:]), strict=False))
            if a and b and not {order[i], order[i + 1]} & self.kept and (a.frames, a.head) == (b.frames, b.head)
        ]
        if not pairs:
            return False
        _, at = min(pairs)
        self._join((order[at], order[at + 1]))
        return True

    def _order(self) -> list[int]:
        waiting = {number: len(self.backward[number]) for number in self.groups}
        order = [number for number, count in waiting.items() if not count]
        for number in order:
            for target in self.onward[number]:
                waiting[target] -= 1
                if not waiting[target]:
                    order.append(target)
        return order

    # -- joining --

    def _join(self, groups: tuple[int, ...]) -> None:
        kept = groups[0]
        with_join = len(groups) > 2 and self._with_join(groups)
        equal = groups[:-1] if with_join else groups
        made = [self.groups[number] for number in groups]
        is_parallel = with_join or len(equal) >= _EQUAL
        last = made[-1]
        inside = {number: self.inside.pop(number) for number in groups}
        self.inside[kept] = [each for number in groups for each in inside[number]]
        self.branches.pop(kept, None)
        if is_parallel:
            self.branches[kept] = [inside[number] for number in equal]
            if len({self.groups[number].label for number in equal}) == 1:
                self.equal.add(kept)
        else:
            self.equal.discard(kept)
        shared = made[0].frames
        for group in made[1:]:
            shared = common_prefix(shared, group.frames)
        framed = Counter(frame for group in made for frame in set(group.frames))
        self.framed.subtract({frame: count - (frame in shared) for frame, count in framed.items()})
        self.groups[kept] = _Group(
            weight=sum(group.weight for group in made),
            size=last.size if last.weight or len(groups) > 2 else made[0].size,
            label=self._label(("joined", is_parallel, *sorted(group.label for group in made))),
            frames=shared,
            head=last.head,
            is_input=all(group.is_input for group in made),
            is_join=made[0].is_join,
            goes=made[0].goes if not made[0].weight else last.goes,
        )
        for number in groups[1:]:
            self._merge(kept, number)
        self.left -= len(groups) - 1

    def _merge(self, kept: int, number: int) -> None:
        self.parent[number] = kept
        for mine, theirs in ((self.onward, self.backward), (self.backward, self.onward)):
            for other in mine[number]:
                theirs[other].pop(number, None)
                if other != kept:
                    theirs[other][kept] = None
                    mine[kept][other] = None
            mine[kept].pop(number, None)
        del self.groups[number]


def _size(node: Node) -> Hashable:
    """The size of the map that comes out."""
    if not node.outputs:
        return None
    shape = node.outputs[0]
    return (len(shape), shape[2:] if node.get("data_format") == "channels_first" else shape[1:-1])


# -- what a box of several says ---------------------------------------------------------------------------------------


def _joined(graph: Graph, members: Sequence[int], branches: Sequence[Sequence[int]], equal: bool) -> Node:
    nodes = [graph.nodes[number] for number in members]
    frames = nodes[0].frames
    for node in nodes[1:]:
        frames = common_prefix(frames, node.frames)
    title, words = _said(graph, nodes, branches, equal)
    times = prod(graph.frames[frame].repeats for frame in frames)
    stands_for: tuple[str, ...] = ()
    if times > 1:
        least = min(nodes, key=lambda node: node.repeats)
        stands_for = least.members[:: max(1, least.repeats // times)][:times]
    return changed(box(graph, members, title, frames), words=words, members=stands_for)


def _said(
    graph: Graph, nodes: Sequence[Node], branches: Sequence[Sequence[int]], equal: bool
) -> tuple[tuple[str, ...], str]:
    """A title that is no name unless one of the nodes has it, and what is inside."""
    if all(node.role == "input" for node in nodes):
        return (f"{len(nodes)} inputs",), ""
    if branches and not equal:
        return (f"{len(branches)} branches",), listed(nodes)
    if branches:
        one = [graph.nodes[number] for number in branches[0]]
        inside = {number for branch in branches for number in branch}
        rest = [node for node in nodes if node.id not in inside]
        joined = f"; {listed(rest)}" if rest else ""
        return (f"{len(branches)} branches alike",), f"each {_whose(graph, branches)}{_row(one) or listed(one)}{joined}"
    words = listed(nodes)
    weighted = [node for node in nodes if any(layer.role in _WEIGHTED for layer in leaves(node))]
    if len(weighted) == 1 and weighted[0].repeats == 1:
        after = nodes[nodes.index(weighted[0]) + 1 :]
        if all(len(node.inputs) < 2 for node in after):
            return weighted[0].path, words
    names = [node.path for node in weighted]
    if weighted == list(nodes) and _are_numbered(names):
        return span(names[0], names[-1]), words
    return (f"{sum(_count(node) for node in nodes)} layers",), words


def _whose(graph: Graph, branches: Sequence[Sequence[int]]) -> str:
    """`its own `, or `the same ` where all branches have one set of weights; "" where some have, or there are none."""
    weights = [{w.id for number in branch for w in graph.nodes[number].weights} for branch in branches]
    if not all(weights):
        return ""
    if all(own == weights[0] for own in weights):
        return "the same "
    return "its own " if sum(map(len, weights)) == len(set().union(*weights)) else ""


def _row(nodes: Sequence[Node]) -> str:
    """`dense 64, dense 16` of a few dense layers one after the other; "" of what else there is."""
    told = [layer for node in nodes for layer in leaves(node) if layer.role not in _SILENT]
    alone = all(len(layer.inputs) < 2 and layer.repeats == 1 for layer in (*nodes, *told))
    units = [layer.get("units") for layer in told if layer.role == "dense"]
    known = len(units) == len(told) and all(isinstance(width, int) for width in units)
    return ", ".join(f"dense {width}" for width in units) if alone and known and len(told) <= _MOST_WORDS else ""


def _are_numbered(names: Sequence[tuple[str, ...]]) -> bool:
    """Whether these are `residual 2`, `residual 3`, …"""
    ends = [path[-1].rpartition(" ") for path in names]
    if len({(path[:-1], word) for path, (word, *_) in zip(names, ends, strict=True)}) > 1 or not ends[0][0]:
        return False
    numbers = [int(number) for *_, number in ends if number.isdigit()]
    return len(numbers) == len(ends) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _count(node: Node) -> int:
    """How many layers a node stands for, inputs aside."""
    if node.inner is None:
        return node.repeats if node.role != "input" else 0
    return sum(map(_count, node.inner.nodes)) * node.repeats


def listed(nodes: Sequence[Node]) -> str:
    """The blocks, or layers, of some nodes by their kinds: `2 residual, conv 3×3`.

    >>> pool = Node(0, ("p",), "MaxPooling2D", "pool")
    >>> listed([pool, changed(pool, id=1), Node(2, ("a",), "Add", "add")])
    '2 max pool, add'
    """
    patterns = [_pattern(node) for node in nodes]
    tell: Callable[[Node, str], Iterator[tuple[str, int]]]
    several = sum(1 for pattern in patterns if pattern)
    tell = _by_pattern if several > 1 else _by_layer
    found = Counter[str]()
    for node, pattern in zip(nodes, patterns, strict=True):
        for kind, count in tell(node, pattern):
            found[kind] += count
    if not found:
        for node in nodes:
            found.update({_kind(layer): node.repeats for layer in leaves(node) if layer.role != "input"})
    told = [f"{count} {kind}" if count > 1 else kind for kind, count in found.items()]
    rest = len(told) - _MOST_WORDS
    return ", ".join(told if rest <= 1 else [*told[:_MOST_WORDS], f"{rest} other kinds"])


def _pattern(node: Node) -> str:
    found = pattern_of(node) if node.inner is not None and not node.words else None
    return "" if found is None else found.name


def _by_pattern(node: Node, pattern: str) -> Iterator[tuple[str, int]]:
    if pattern:
        yield pattern, node.repeats
    else:
        yield from _by_layer(node, pattern)


def _by_layer(node: Node, pattern: str) -> Iterator[tuple[str, int]]:
    if node.inner is not None:
        for inside in node.inner.nodes:
            for kind, count in _by_layer(inside, pattern):
                yield kind, count * node.repeats
    elif node.role not in _SILENT:
        yield _kind(node), node.repeats


def _kind(layer: Node) -> str:
    """What a layer is, without its width: `conv 3×3`, `max pool`, `add`."""
    kind = layer.kind
    if layer.role == "conv":
        size = layer.get("kernel_size")
        extent = "×".join(map(str, size)) if isinstance(size, tuple) else str(size or "")
        word = next((word for part, word in _CONVS if part in kind), "conv")
        return f"kernel-{extent} {word}" if extent.isdigit() else f"{word} {extent}".strip()
    if layer.role == "pool":
        what = "average pool" if "Average" in kind else "max pool" if "Max" in kind else "pool"
        return f"global {what}" if "Global" in kind else what
    if kind == "MultiHeadAttention":
        return "causal attention" if layer.words.startswith("causal") else "attention"
    return "concat" if kind == "Concatenate" else _spaced(kind)


_CONVS = (
    ("Transpose", "transposed conv"),
    ("Depthwise", "depthwise conv"),
    ("Separable", "separable conv"),
    ("LSTM", "conv LSTM"),
)


def _spaced(kind: str) -> str:
    """`GlobalThing2D` as words, an abbreviation as it is."""
    if kind.isupper():
        return kind
    found = ""
    for before, letter, after in zip(" " + kind, kind, kind[1:] + " ", strict=False):
        starts = letter.isupper() and (before.islower() or (before.isupper() and after.islower()))
        found += f" {letter}" if starts else letter
    return found.removesuffix("1D").removesuffix("2D").removesuffix("3D").strip().lower()
