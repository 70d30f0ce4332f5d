"""Volumes of a graph that is no line: in layers from left to right, with the lines of `layouts.orthogonal`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from ...graphs.graph import Edge, Graph, Node
from ..layouts.box_text import type_of
from ..layouts.geometry import Line, Size, turned
from ..layouts.orthogonal import orthogonal
from ..lines import line_roles
from ..scene import Path
from ..theme import DEFAULT
from .lines import NEAR, Drawn, rounded
from .place import Row, Setting, put
from .plan import Plan, Unit

_GAPS = (10.0, 7.0)  # between layers, and between volumes of one layer
_FACE = 0.7  # of the height of a volume, where lines meet it
_LEAST = 4.0


def apart(graph: Graph, plan: Plan) -> Plan:
    """The plan with runs cut where a line begins or ends between two volumes, and nothing said of where they stand."""
    home = {number: i for i, unit in enumerate(plan.units) for number in unit.nodes}
    leaving = {e.source for e in graph.edges if home[e.source] != home[e.target]}
    entered = {e.target for e in graph.edges if home[e.source] != home[e.target]}
    for unit in plan.units:
        place = {number: i for i, number in enumerate(unit.nodes)}
        for edge in graph.edges:
            if edge.source in place and edge.target in place and place[edge.target] - place[edge.source] != 1:
                leaving.add(edge.source)
                entered.add(edge.target)
    units: list[Unit] = []
    for unit in plan.units:
        runs: list[list[int]] = [[unit.nodes[0]]]
        for last, number in pairwise(unit.nodes):
            if last in leaving or number in entered:
                runs.append([number])
            else:
                runs[-1].append(number)
        units += [Unit(tuple(run)) for run in runs]
    return Plan(tuple(units), (), frozenset())


def layered_row(graph: Graph, given: Setting) -> Row | None:
    """All volumes in one row of layers; none if the network is not to be laid out so."""
    units = given.plan.units
    home = {number: i for i, unit in enumerate(units) for number in unit.nodes}
    roles = line_roles(graph)
    ports: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)  # of each unit, its tensors
    arrived: dict[int, int] = defaultdict(int)
    meant: dict[Edge, Edge] = {}
    for edge in graph.edges:
        source, target = home[edge.source], home[edge.target]
        if source != target:
            port = ports[source].setdefault((edge.source, edge.source_port), len(ports[source]))
            meant[replace(edge, source=source, target=target, source_port=port, target_port=arrived[target])] = edge
            arrived[target] += 1
    nodes = tuple(Node(i, (str(i),), "Unit", "other") for i in range(len(units)))
    sketch = Graph(graph.name, "Block", nodes, tuple(meant))
    wholes = [shape.whole for shape in given.standing]
    piece = orthogonal(
        sketch,
        [Size(whole.bottom - whole.top, whole.right - whole.left) for whole in wholes],
        {},
        type_of(DEFAULT),
        _GAPS,
        direction="LR",
        roles={edge: roles[own] for edge, own in meant.items()},
        faces=[(-whole.top, _room(given, i)) for i, whole in enumerate(wholes)],
    )
    if piece is None:
        return None
    piece = turned(piece, "LR")
    row = Row()
    for i, box in sorted(piece.boxes.items()):
        put(row, given.standing[i], box.x - wholes[i].left, box.y - wholes[i].top)
    row.ways = [_drawn(row, line, meant) for line in piece.lines]
    for edge in graph.edges:  # between volumes of one run that stand apart
        start, end = row.placed[edge.source].exit, row.placed[edge.target].entry
        if home[edge.source] == home[edge.target] and end[0] - start[0] >= NEAR:
            row.ways.append(Drawn(Path(start, ((end,),), roles[edge], states=(edge,))))
    return row


def _room(given: Setting, unit: int) -> float:
    """Over how much of its height lines meet a unit."""
    return max(_LEAST, _FACE * min(placed.solid.height for placed in given.standing[unit].placed))


def _drawn(row: Row, line: Line, meant: Mapping[Edge, Edge]) -> Drawn:
    """A line from the face of its source to that of its target."""
    (edge,) = (meant[each] for each in line.states if isinstance(each, Edge))
    points = list(line.points)
    points[0] = (row.placed[edge.source].exit[0], points[0][1])
    points[-1] = (row.placed[edge.target].entry[0], points[-1][1])
    path = rounded(points, line.role)
    return Drawn(replace(path, states=(edge,)))
