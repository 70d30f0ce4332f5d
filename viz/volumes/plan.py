"""Which volumes stand together, and on which lane: what of a figure does not depend on its size."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise
from math import log2, prod

from ...graphs.graph import Edge, Graph, Node
from ..levels import map_levels, neighbours
from .solids import Extent, is_ball, is_thick

_LONGEST = 12  # volumes that stand together
_SMALLER = 1.4  # a map whose sides are so many times as long is of another level
_FASTEST = 2  # levels that a decoder goes up at once
_ALIKE = 0.8  # maps of one block may differ so much in size and still stand together


@dataclass(frozen=True, slots=True)
class Unit:
    """Volumes that stand together: a run of layers on maps of one size, and what is written below them.

    Args:
        nodes: their numbers, left to right.
        region: which stretch between two nodes of the trunk it lies in; -1 on the trunk itself.
        lane: its place among the parallel lanes of the region; on the trunk of a U, its level.
        head: the key of the auxiliary output it serves.
        frames: ids of the frames that it lies in, outermost first.
        enters: how many of them an arrow to it leads into.
        opens: those of them that begin with it.
        closes: those that end.
    """

    nodes: tuple[int, ...]
    region: int = -1
    lane: int = 0
    head: str | None = None
    frames: tuple[int, ...] = ()
    enters: int = 0
    opens: tuple[int, ...] = ()
    closes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Units in an order in which they can be placed, and for each region which of how many lanes is on the axis.

    `cuts` are the places in that order where one row may end: where one tensor alone leads on. `levels` is how many
    levels the trunk of an encoder with a decoder goes down; 1 if it is no such; `arcs` how many lines lead over each of
    the levels of one that is no sequence.
    """

    units: tuple[Unit, ...]
    axes: tuple[tuple[int, int | None], ...]
    cuts: frozenset[int]
    levels: int = 1
    arcs: tuple[int, ...] = ()


def is_flow(graph: Graph, edge: Edge) -> bool:
    """Whether the edge leads on: no short cut, and not to an auxiliary head."""
    return edge.role != "skip" and graph.nodes[edge.target].head is None


def on_axis(plan: Plan, unit: Unit) -> bool:
    """Whether the unit is on the trunk, or on the lane that goes on where the trunk was."""
    return unit.head is None and (unit.region < 0 or plan.axes[unit.region][1] == unit.lane)


def plan(graph: Graph, found: Sequence[Extent]) -> Plan:
    """Find the trunk, the lanes beside it and the runs of volumes."""
    lanes, axes = _lanes(graph)
    flow = [e for e in graph.edges if e.role != "skip"]  # along auxiliary heads too
    onward: list[list[int]] = [[] for _ in graph.nodes]
    before: list[list[int]] = [[] for _ in graph.nodes]
    for edge in flow:
        onward[edge.source].append(edge.target)
        before[edge.target].append(edge.source)
    runs = sorted(run for lane in _chains(graph, lanes) for run in _runs(graph, found, lane, onward, before))
    units = tuple(Unit(tuple(run), *lanes[run[0]], graph.nodes[run[0]].head) for run in runs)
    units = _framed(graph, units)
    return Plan(units, axes, _cuts(graph, units))


def _framed(graph: Graph, units: Sequence[Unit]) -> tuple[Unit, ...]:
    """The units, with the frames that begin and end with them."""
    ends: dict[int, list[int]] = {}
    around: dict[int, set[int]] = {}  # for each node, the frames around all that feeds it
    for edge in graph.edges:
        if is_flow(graph, edge):
            around.setdefault(edge.target, set()).update(graph.nodes[edge.source].frames)
    for place, unit in enumerate(units):
        for frame in graph.nodes[unit.nodes[0]].frames:
            ends.setdefault(frame, [place, place])[1] = place
    return tuple(
        replace(
            unit,
            frames=graph.nodes[unit.nodes[0]].frames,
            enters=len(set(graph.nodes[unit.nodes[0]].frames) - around.get(unit.nodes[0], set())),
            opens=tuple(frame for frame, (first, _) in ends.items() if first == place),
            closes=tuple(frame for frame, (_, last) in ends.items() if last == place),
        )
        for place, unit in enumerate(units)
    )


# -- encoder and decoder ----------------------------------------------------------------------------------------------


def as_u(graph: Graph, plan: Plan, found: Sequence[Extent]) -> Plan | None:
    """The plan of an encoder and a decoder, each size of map on a level of its own, the largest at the top.

    None if the graph is none: the map must get smaller step by step, twice at least, and then larger level by level;
    short cuts that lead across must be inside one another and lead to maps of the size that they come from.
    """
    if any(unit.region >= 0 or unit.head is not None for unit in plan.units):
        return None
    sides = _filled([_side(found, unit) for unit in plan.units])
    if not sides:
        return None
    levels = list(accumulate((_step(a, b) for a, b in pairwise(sides)), initial=0))
    bottom = levels.index(max(levels))
    turn = next((i for i in range(bottom, len(levels)) if levels[i] < levels[bottom]), None)
    if turn is None:
        return None
    down, up = levels[:turn], levels[turn:]
    steps = all(a <= b for a, b in pairwise(down)) and all(a >= b for a, b in pairwise(up))
    steps = steps and all(a - b <= _FASTEST for a, b in pairwise(levels[turn - 1 :]))
    if not steps or len(set(down)) < 3 or len(set(down) & set(up)) < 2:
        return None
    place = {number: i for i, unit in enumerate(plan.units) for number in unit.nodes}
    across = {(place[e.source], place[e.target]) for e in graph.edges if e.role == "skip"}
    ties = sorted((a, b) for a, b in across if a < turn <= b)
    order = sorted(set(levels))
    levels = [order.index(level) for level in levels]
    if not all(a < c and d < b for (a, b), (c, d) in pairwise(ties)) or any(levels[a] != levels[b] for a, b in ties):
        return None
    units = tuple(replace(unit, lane=level) for unit, level in zip(plan.units, levels, strict=True))
    return replace(plan, units=units, cuts=frozenset(), levels=len(order))


def by_levels(graph: Graph, parted: Plan) -> Plan | None:
    """The plan of an encoder and a decoder that is no sequence, each size of map on a level of its own.

    What ends beside others that read the same stands above the first level. None if the maps have no levels.

    Args:
        parted: a plan in which no line begins or ends inside a unit.
    """
    levels = map_levels(graph)
    if levels is None:
        return None
    before, after = neighbours(graph)
    ends = {n.id for n in graph.nodes if not after[n.id] and len(before[n.id]) == 1}
    aside: set[int] = set()
    for number, reading in enumerate(after):
        others = [n for n in reading if n in ends and levels[n] == levels[number] == 0]
        aside.update(others if len(others) < len(reading) else others[1:])
    above = int(bool(aside))
    units = tuple(
        replace(unit, lane=0 if first in aside else levels[first] + above)
        for unit in parted.units
        for first in unit.nodes[:1]
    )
    lane = {number: unit.lane for unit in units for number in unit.nodes}
    place = {number: i for i, unit in enumerate(units) for number in unit.nodes}
    arcs = Counter[int]()
    for edge in graph.edges:
        between = units[place[edge.source] + 1 : place[edge.target]]
        if lane[edge.source] == lane[edge.target] and (
            edge.role == "skip" or any(unit.lane == lane[edge.source] for unit in between)
        ):
            arcs[lane[edge.source]] += 1
    count = max(levels) + 1 + above
    return replace(parted, units=units, cuts=frozenset(), levels=count, arcs=tuple(arcs[i] for i in range(count)))


def _side(found: Sequence[Extent], unit: Unit) -> float | None:
    """How many positions the largest map of a unit has along a side; None if it has none, or they are unknown."""
    spaces = [found[number].space for number in unit.nodes]
    sides = [float(prod(size or 0 for size in space)) ** (1 / len(space)) for space in spaces if len(space) > 1]
    return max(sides) if sides and all(sides) else None


def _step(before: float, after: float) -> int:
    """How many levels a map is below another: one for every halving; nothing where a border is cut off."""
    return round(log2(before / after)) if max(before, after) >= _SMALLER * min(before, after) else 0


def _filled(sides: Sequence[float | None]) -> list[float]:
    """The sides, with that of a neighbour where there is none; nothing if no side is known."""
    known = [side for side in sides if side is not None]
    if not known:
        return []
    last = known[0]
    return [last := side if side is not None else last for side in sides]


# -- lanes ------------------------------------------------------------------------------------------------------------


def _lanes(graph: Graph) -> tuple[list[tuple[int, int]], tuple[tuple[int, int | None], ...]]:
    """The region and lane of every node, and for each region the number of lanes and the one on the axis."""
    main = [node.id for node in graph.nodes if node.head is None]
    place = {number: i for i, number in enumerate(main)}
    flow = [e for e in graph.edges if is_flow(graph, e)]
    fed, feeding = {e.target for e in flow}, {e.source for e in flow}
    links = [(place[e.source], place[e.target]) for e in flow]
    links += [(-1, place[n]) for n in main if n not in fed] + [(place[n], len(main)) for n in main if n not in feeding]
    opened = [0] * (len(main) + 2)
    for source, target in links:  # over every place strictly between
        opened[source + 1] += 1
        opened[target] -= 1
    over = list(accumulate(opened))
    trunk = {number for number in main if over[place[number]] == 0}
    found = [(-1, 0) for _ in graph.nodes]
    axes: list[tuple[int, int | None]] = []
    for on_trunk, members in groupby(main, key=trunk.__contains__):
        if not on_trunk:
            lanes = _parallel(list(members), flow)
            for lane, chain in enumerate(lanes):
                for number in chain:
                    found[number] = (len(axes), lane)
            longest = max(lanes, key=len)
            lopsided = 2 * len(longest) > sum(map(len, lanes))
            axes.append((len(lanes), lanes.index(longest) if lopsided else None))
    return found, tuple(axes)


def _parallel(members: Sequence[int], flow: Sequence[Edge]) -> list[list[int]]:
    """The nodes of a region as chains, each beside the one that it comes from."""
    inside = set(members)
    before: dict[int, list[int]] = {number: [] for number in members}
    for edge in flow:
        if edge.source in inside and edge.target in inside:
            before[edge.target].append(edge.source)
    chains: list[list[int]] = []
    for number in members:
        tails = [chain for chain in chains if chain[-1] in before[number]]
        if tails:
            tails[0].append(number)
            continue
        parents = [i for i, chain in enumerate(chains) if set(chain) & set(before[number])]
        chains.insert(parents[-1] + 1 if parents else len(chains), [number])
    if len(chains) == 2 and len(chains[0]) > len(chains[1]):
        chains.reverse()  # the shorter way goes above
    return chains


def _chains(graph: Graph, lanes: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The nodes of every lane, and of every auxiliary head, in order."""
    found: dict[tuple[str | None, int, int], list[int]] = {}
    for node in graph.nodes:
        found.setdefault((node.head, *lanes[node.id]), []).append(node.id)
    return list(found.values())


# -- runs -------------------------------------------------------------------------------------------------------------


def _runs(
    graph: Graph,
    found: Sequence[Extent],
    lane: Sequence[int],
    onward: Sequence[Sequence[int]],
    before: Sequence[Sequence[int]],
) -> list[list[int]]:
    """The nodes of a lane, cut into those that stand together."""
    runs: list[list[int]] = [[lane[0]]]
    for last, number in pairwise(lane):
        linked = onward[last] == [number] and before[number] == [last]
        if linked and _touches(graph, found, runs[-1], number):
            runs[-1].append(number)
        else:
            runs.append([number])
    return [piece for run in runs for piece in _pieces(run)]


def _pieces(run: list[int]) -> list[list[int]]:
    """Equal pieces, none longer than can be taken in."""
    count = -(-len(run) // _LONGEST)
    ends = [len(run) * i // count for i in range(count + 1)]
    return [run[a:b] for a, b in pairwise(ends)]


def _touches(graph: Graph, found: Sequence[Extent], run: Sequence[int], number: int) -> bool:
    """Whether the node stands right after the last of the run."""
    last, node = graph.nodes[run[-1]], graph.nodes[number]
    if last.role == "input" or is_ball(last) or is_ball(node) or last.frames != node.frames:
        return False
    here, there = found[run[-1]], found[number]
    if not here.space or not there.space:
        return not here.space and not there.space
    if any(graph.nodes[n].role == "pool" for n in run):
        alone = len(run) == 1 and _together(last, node)  # a pool before the layer it belongs to
        return here.sides == there.sides and (alone or not is_thick(node)) and node.role != "pool"
    if node.role == "pool":
        return True
    if is_thick(node) and not _together(next((graph.nodes[n] for n in run if is_thick(graph.nodes[n])), last), node):
        return False
    alike = zip(here.sides, there.sides, strict=True)
    return here.sides == there.sides or (
        len(node.path) > 1 and all(a and b and min(a, b) >= _ALIKE * max(a, b) for a, b in alike)
    )


def _together(one: Node, other: Node) -> bool:
    """Whether two nodes are of one block, or numbered through: `conv3` and `conv4`."""
    first, second = one.path[0], other.path[0]
    if len(one.path) > 1 and len(other.path) > 1:
        return first == second
    return len(one.path) == len(other.path) and _word(first) == _word(second)


def _word(name: str) -> str:
    return re.match(r"[^\d_]*", name)[0]  # type: ignore[index]


def _cuts(graph: Graph, units: Sequence[Unit]) -> frozenset[int]:
    """After which units a row may end: those that one tensor alone leads on from."""
    place = {number: i for i, unit in enumerate(units) for number in unit.nodes}
    last: dict[int, int] = {}
    for edge in graph.edges:
        last[edge.source] = max(last.get(edge.source, 0), place[edge.target])
    opened = [0] * (len(units) + 1)
    ways = [(place[source], use) for source, use in last.items()]
    ways += [(place[e.source], place[e.target]) for e in graph.edges if e.role == "aux"] * 2  # heads stay in the row
    for begin, end in ways:
        opened[begin] += 1
        opened[end] -= 1
    over = accumulate(opened)
    return frozenset(
        i for (i, unit), count in zip(enumerate(units), over, strict=False) if count <= 1 and unit.region < 0
    )
