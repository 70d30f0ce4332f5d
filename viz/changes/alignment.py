"""Which layer of one network is which of another: by what they are and how they are wired, never by their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

from ...graphs.graph import Graph, Node
from ...graphs.rewrite import common_prefix, shared_prefix
from .wiring import Pairs, Wired, given, own, rewired

# Layers that come with others: it matters less which of them is which.
_MINOR = frozenset({"norm", "activation", "dropout", "shape"})
_MOST_CELLS = 3_000_000
_LEAST_BAND = 150
_MOST_PLACES = 16
_MOST_TRIES = 100


def align(a: Graph, b: Graph) -> Pairs:
    """The layers that stay, each of `a` with that of `b` that it is or has become.

    First from the inputs on and from the outputs back, as far as both networks are the same; then what lies between,
    in an order in which it is computed, so that as much as possible stays and what changes changes little.

    >>> from layerblocks.graphs import Edge
    >>> dense = [Node(i, (f"d{i}",), "Dense", "dense", (("units", 8 + i),)) for i in range(3)]
    >>> a = Graph("a", "", tuple(dense), (Edge(0, 1), Edge(1, 2)))
    >>> b = Graph("b", "", (dense[0], replace(dense[2], id=1)), (Edge(0, 1),))
    >>> align(a, b)
    {0: 0, 2: 1}
    """
    (left, from_a), (right, from_b) = _in_order(a), _in_order(b)
    numbers: dict[Hashable, int] = {}
    kinds = [
        [numbers.setdefault(own(node), len(numbers)) for node in graph.nodes] for graph in (left.graph, right.graph)
    ]
    pairs: Pairs = {}
    _pair_same(left, right, kinds, pairs, numbers, forward=True)
    _pair_same(left, right, kinds, pairs, numbers, forward=False)
    _retract(left, right, pairs)
    for olds, news in _gaps(left, right, pairs):
        pairs.update(_best(left, right, kinds, olds, news))
    _slide(left, right, kinds, pairs)
    _swap(left, right, kinds, pairs)
    _match_left_over(left, right, kinds, pairs)
    return dict(sorted((from_a[u], from_b[v]) for u, v in pairs.items()))


def _in_order(graph: Graph) -> tuple[Wired, list[int]]:
    """The graph in an order that only its structure decides, and what its nodes were numbered before.

    What comes first is what the output nearest to the inputs needs; of a sum, the longest way.
    """
    wired = Wired(graph)
    depth: list[int] = []
    for edges in wired.arriving:
        depth.append(max((depth[e.source] + 1 for e in edges), default=0))
    order: dict[int, None] = {}
    ends = sorted(dict.fromkeys(output.source for output in graph.outputs), key=lambda n: (depth[n], n))
    for end in (*ends, *range(len(graph.nodes))):
        waiting = [(end, False)]
        while waiting:
            number, ready = waiting.pop()
            if number in order:
                continue
            if ready:
                order[number] = None
                continue
            waiting.append((number, True))
            edges = sorted(wired.arriving[number], key=lambda e: (wired.port(e), -depth[e.source], e.target_port))
            waiting.extend((e.source, False) for e in reversed(edges))
    old = list(order)
    new = {number: i for i, number in enumerate(old)}
    ordered = replace(
        graph,
        nodes=tuple(replace(graph.nodes[number], id=i) for i, number in enumerate(old)),
        edges=tuple(replace(e, source=new[e.source], target=new[e.target]) for e in graph.edges),
        outputs=tuple(replace(o, source=new[o.source]) for o in graph.outputs),
    )
    return Wired(ordered), old


# -- the same from an end on ------------------------------------------------------------------------------------------


def _past(wired: Wired, kinds: Sequence[int], numbers: dict[Hashable, int]) -> list[int]:
    """A number for all that leads to each node."""
    found: list[int] = []
    for number, edges in enumerate(wired.arriving):
        fed = sorted((wired.port(e), found[e.source], e.source_port) for e in edges)
        found.append(numbers.setdefault(("past", kinds[number], *fed), len(numbers)))
    return found


def _future(wired: Wired, kinds: Sequence[int], numbers: dict[Hashable, int]) -> list[int]:
    """A number for all that follows from each node."""
    found = [0] * len(kinds)
    for number in reversed(range(len(kinds))):
        fed = sorted((wired.port(e), found[e.target], e.source_port) for e in wired.leaving[number])
        key = ("future", kinds[number], wired.results[number], *fed)
        found[number] = numbers.setdefault(key, len(numbers))
    return found


def _pair_same(
    left: Wired, right: Wired, kinds: list[list[int]], pairs: Pairs, numbers: dict[Hashable, int], forward: bool
) -> None:
    """Pair the nodes that have the same past (or future), and neighbours on that side that are pairs already."""
    looks = (_past, _future) if forward else (_future, _past)
    (near_a, far_a), (near_b, far_b) = (
        tuple(look(wired, own, numbers) for look in looks) for wired, own in ((left, kinds[0]), (right, kinds[1]))
    )
    waiting: dict[int, list[int]] = defaultdict(list)
    for number in range(len(near_a)):
        if number not in pairs:
            waiting[near_a[number]].append(number)
    taken = set(pairs.values())
    for number in range(len(near_b)) if forward else reversed(range(len(near_b))):
        if number in taken:
            continue
        wanted = _neighbours(right, number, forward, None)
        fit = [n for n in waiting[near_b[number]] if _neighbours(left, n, forward, pairs) == wanted]
        fit.sort(key=lambda n: (far_a[n] != far_b[number], n if forward else -n))
        if fit:
            pairs[fit[0]] = number
            waiting[near_b[number]].remove(fit[0])


def _neighbours(wired: Wired, number: int, forward: bool, pairs: Pairs | None) -> list[tuple[int, int, int]]:
    """What feeds a node, or what it feeds, in the numbers of the second graph; -1 for what is in no pair."""
    edges = wired.arriving[number] if forward else wired.leaving[number]
    ends = ((e.source if forward else e.target, e) for e in edges)
    return sorted((wired.port(e), end if pairs is None else pairs.get(end, -1), e.source_port) for end, e in ends)


def _retract(left: Wired, right: Wired, pairs: Pairs) -> None:
    """Take pairs apart where only a part of what lies between two nodes that everything passes is the same."""
    regions = [(wired.regions(), side) for side, wired in enumerate((left, right))]
    while True:
        known = (set(pairs), set(pairs.values()))
        partial: tuple[set[int], set[int]] = (set(), set())
        for found, side in regions:
            for region in found:
                paired = [n for n in region if n in known[side]]
                if paired and len(paired) < len(region):
                    partial[side].update(paired)
        parted = [u for u, v in pairs.items() if u in partial[0] or v in partial[1]]
        if not parted:
            return
        for number in parted:
            del pairs[number]


# -- what lies between ------------------------------------------------------------------------------------------------


def _gaps(left: Wired, right: Wired, pairs: Pairs) -> list[tuple[list[int], list[int]]]:
    """What is in no pair yet, of both graphs, by where it lies: between the same pairs."""
    back = {v: u for u, v in pairs.items()}
    parent: dict[Hashable, Hashable] = {}

    def find(thing: Hashable) -> Hashable:
        parent.setdefault(thing, thing)
        while parent[thing] != thing:
            parent[thing] = thing = parent[parent[thing]]
        return thing

    for side, wired, known in ((0, left, pairs), (1, right, back)):
        for edge in wired.graph.edges:
            source, target = edge.source in known, edge.target in known
            if source and target:
                continue
            # A pair on the way ends a gap; it is called by its number in the second graph.
            ends = [
                (kind, pairs[n] if side == 0 else n) if there else (side, n)
                for kind, n, there in (("from", edge.source, source), ("to", edge.target, target))
            ]
            parent[find(ends[0])] = find(ends[1])
    for side, wired, known in ((0, left, pairs), (1, right, back)):
        inputs = [node.id for node in wired.graph.nodes if not wired.arriving[node.id]]
        outputs = list(dict.fromkeys(output.source for output in sorted(wired.graph.outputs, key=lambda o: -o.source)))
        for kind, numbers in (("first", inputs), ("last", outputs)):
            for place, number in enumerate(numbers):
                if number not in known:
                    parent[find((kind, place))] = find((side, number))
    gaps: dict[Hashable, tuple[list[int], list[int]]] = {}
    for side, wired, known in ((0, left, pairs), (1, right, back)):
        for node in wired.graph.nodes:
            if node.id not in known:
                gaps.setdefault(find((side, node.id)), ([], []))[side].append(node.id)
    return [gap for gap in gaps.values() if all(gap)]


def _best(left: Wired, right: Wired, kinds: list[list[int]], olds: list[int], news: list[int]) -> Pairs:
    """Pairs in order, so that what they have in common is most (Needleman and Wunsch 1970)."""
    rows, columns = len(olds), len(news)
    band = columns
    if rows * columns > _MOST_CELLS:
        band = abs(rows - columns) + _LEAST_BAND
    alike = _Likeness(left, right, kinds)
    before = [0.0] * (columns + 1)
    steps: list[tuple[int, bytearray]] = []
    for i, old in enumerate(olds, 1):
        middle = i * columns // rows
        low, high = max(1, middle - band), min(columns, middle + band)
        row, way = [0.0] * (columns + 1), bytearray(high - low + 1)
        row[low - 1] = before[low - 1]
        for j in range(low, high + 1):
            best, step = (before[j], 1) if before[j] >= row[j - 1] else (row[j - 1], 2)
            common = alike(old, news[j - 1])
            if common and before[j - 1] + common > best:
                best, step = before[j - 1] + common, 0
            row[j] = best
            way[j - low] = step
        for j in range(high + 1, columns + 1):
            row[j] = row[high]
        steps.append((low, way))
        before = row
    pairs: Pairs = {}
    i, j = rows, columns
    while i and j:
        low, way = steps[i - 1]
        step = way[j - low] if low <= j < low + len(way) else 2 if j >= low else 1
        if step == 0:
            pairs[olds[i - 1]] = news[j - 1]
        i, j = i - (step != 2), j - (step != 1)
    return pairs


class _Likeness:
    """How much two layers have in common: 0 for nothing, most for the same in the same surroundings."""

    def __init__(self, left: Wired, right: Wired, kinds: list[list[int]]) -> None:
        self.left, self.right, self.kinds = left, right, kinds
        self.known: dict[tuple[int, int], float] = {}
        self.around = [
            [
                (*sorted(own[e.source] for e in arriving), -1, *sorted(own[e.target] for e in leaving))
                for arriving, leaving in zip(wired.arriving, wired.leaving, strict=True)
            ]
            for wired, own in ((left, kinds[0]), (right, kinds[1]))
        ]

    def __call__(self, old: int, new: int) -> float:
        key = (self.kinds[0][old], self.kinds[1][new])
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = likeness(self.left.graph.nodes[old], self.right.graph.nodes[new])
        return found + 0.2 if found and self.around[0][old] == self.around[1][new] else found


def likeness(old: Node, new: Node) -> float:
    """What two layers have in common by themselves: kind, role and attributes."""
    if old.role != new.role or (old.role in ("other", "shape", "add", "model") and old.kind != new.kind):
        return 0.0
    weight = 0.5 if old.role in _MINOR else 1.0
    if own(old) == own(new):
        return 4 * weight
    was, now = given(old), given(new)
    names = was.keys() | now.keys()
    same = sum(was.get(name) == now.get(name) for name in names) / len(names) if names else 0.0
    return ((2.0 if old.kind == new.kind else 1.0) + same) * weight


# -- tidying ----------------------------------------------------------------------------------------------------------


def _slide(left: Wired, right: Wired, kinds: list[list[int]], pairs: Pairs) -> None:
    """Where something new (or gone) could as well begin one layer earlier or later, let it begin where a block does."""
    for graph, own_kinds, forward in ((right.graph, kinds[1], True), (left.graph, kinds[0], False)):
        partner = {v: u for u, v in pairs.items()} if forward else dict(pairs)
        for run in _runs(graph, partner):
            _slide_run(left, right, graph, own_kinds, partner, run)
        pairs.clear()
        pairs.update({u: v for v, u in partner.items()} if forward else partner)


def _runs(graph: Graph, partner: Mapping[int, int]) -> list[tuple[int, int]]:
    """The stretches of nodes without partner."""
    runs: list[tuple[int, int]] = []
    for node in graph.nodes:
        if node.id in partner:
            continue
        if runs and runs[-1][1] == node.id:
            runs[-1] = (runs[-1][0], node.id + 1)
        else:
            runs.append((node.id, node.id + 1))
    return runs


def _slide_run(
    left: Wired, right: Wired, graph: Graph, kinds: Sequence[int], partner: Pairs, run: tuple[int, int]
) -> None:
    start, stop = run
    length = stop - start
    if partner.get(stop, 0) - partner.get(start - 1, partner.get(stop, 0)) > 1:
        return  # it stands in the place of something else
    places = [start]
    while (first := places[0] - 1) >= 0 and kinds[first] == kinds[first + length] and first in partner:
        places.insert(0, first)
    while (last := places[-1] + length) < len(kinds) and kinds[last] == kinds[places[-1]] and last in partner:
        places.append(places[-1] + 1)

    def torn(place: int) -> int:
        """How many names of blocks go on across the ends of the run that not all of the run shares."""
        paths = [graph.nodes[n].path[:-1] for n in range(place, place + length)]
        inside = len(shared_prefix(paths))
        ends = [graph.nodes[n].path[:-1] for n in (place - 1, place + length) if 0 <= n < len(graph.nodes)]
        beside = [max(len(common_prefix(end, path)) for path in (paths[0], paths[-1])) for end in ends]
        return sum(max(0, count - inside) for count in beside)

    def moved(place: int) -> Pairs:
        found = dict(partner)
        for number in range(start - 1, place - 1, -1):
            found[number + length] = found.pop(number)
        for number in range(start, place):
            found[number] = found.pop(number + length)
        return found

    def turned(pairs: Pairs) -> int:
        return len(rewired(left, right, _oriented(pairs, graph, right)))

    places.sort(key=lambda place: (torn(place), -place))
    if places == [start]:
        return
    now = turned(partner)
    if now:  # others may leave more as it was
        tried = [(turned(moved(place)), place) for place in places[:_MOST_PLACES]]
        least = min(count for count, _ in tried)
        best = next(place for count, place in tried if count == least)
    else:
        best, least = places[0], now if places[0] == start else turned(moved(places[0]))
    if best != start and least <= now:
        new = moved(best)
        partner.clear()
        partner.update(new)


def _swap(left: Wired, right: Wired, kinds: list[list[int]], pairs: Pairs) -> None:
    """Where a neighbour of the same kind could as well be what is new or gone, and more stays as it was, let it be."""
    now = len(rewired(left, right, pairs))
    for wired, own_kinds, forward in ((right, kinds[1], True), (left, kinds[0], False)):
        partner = {v: u for u, v in pairs.items()} if forward else dict(pairs)
        alone = [node.id for node in wired.graph.nodes if node.id not in partner][:_MOST_PLACES]
        for number in alone if now else ():
            beside = [e.source for e in wired.arriving[number]] + [e.target for e in wired.leaving[number]]
            for other in beside:
                if other not in partner or own_kinds[other] != own_kinds[number]:
                    continue
                swapped = {number if n == other else n: to for n, to in partner.items()}
                count = len(rewired(left, right, _oriented(swapped, wired.graph, right)))
                if count < now:
                    partner, now = swapped, count
                    break
        pairs.clear()
        pairs.update(_oriented(partner, wired.graph, right))


def _match_left_over(left: Wired, right: Wired, kinds: list[list[int]], pairs: Pairs) -> None:
    """Pair the same layers that the order left alone, as where ways change places, if no other seems moved by it."""
    now = len(rewired(left, right, pairs))
    taken = set(pairs.values())
    free: dict[int, list[int]] = defaultdict(list)
    for number, kind in enumerate(kinds[1]):
        if number not in taken:
            free[kind].append(number)
    tries = 0
    for number in [n for n in range(len(kinds[0])) if n not in pairs]:
        fit = free[kinds[0][number]]
        for other in [n for n in fit if _beside(left, number, pairs) & _beside(right, n, None)]:
            tries += 1
            if tries > _MOST_TRIES:
                return
            count = len(rewired(left, right, {**pairs, number: other}))
            if count <= now:
                pairs[number], now = other, count
                fit.remove(other)
                break


def _beside(wired: Wired, number: int, pairs: Pairs | None) -> set[tuple[bool, int]]:
    """The neighbours of a node, before and after it, in the numbers of the second graph."""
    found = [(True, e.source) for e in wired.arriving[number]] + [(False, e.target) for e in wired.leaving[number]]
    if pairs is None:
        return set(found)
    return {(before, pairs[end]) for before, end in found if end in pairs}


def _oriented(partner: Mapping[int, int], graph: Graph, right: Wired) -> Pairs:
    return {u: v for v, u in partner.items()} if graph is right.graph else dict(partner)
