"""Where the boxes and lines of any graph go, by the Graphviz inside the pygraphviz wheel.

Graphviz is given boxes of a fixed size without text, so that what it finds does not depend on the fonts of a machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...graphs.graph import Graph, trunk_nodes
from ..lines import line_roles
from ..render import draw
from .box_text import Type
from .drawing import title_width
from .geometry import Label, Line, Outline, Piece, Placed, Size
from .series_parallel import Frames, frames_around, named

MANY = 1000
# How edges pull on the layout, by role: a heavy one stays short and straight.
WEIGHTS: Mapping[str, int] = {"trunk": 100, "projection": 2, "branch": 2, "skip": 1, "aux": 1}
_SIDE: Mapping[str, str] = {"TB": "e", "BT": "e", "LR": "s", "RL": "s"}


def layered(
    graph: Graph,
    sizes: Sequence[Size],
    labels: Mapping[tuple[int, int], str],
    type: Type,
    *,
    direction: str = "TB",
    splines: str = "spline",
    gaps: tuple[float, float] = (11.5, 10.0),
    frames: Sequence[Frames] | None = None,
    ports: bool = True,
) -> Piece:
    """Layers of boxes, with as few crossings as Graphviz's `dot` finds.

    Args:
        sizes: of the boxes.
        labels: by node and output, what is written on the first of its lines.
        direction: TB, BT, LR or RL.
        splines: what Graphviz calls the kind of lines; `none` draws none.
        gaps: between layers, and between boxes of one layer, in points.
        frames: around each box; by default those of its dotted name.
        ports: whether short cuts leave and arrive at the side.
    """
    frames = frames_around(graph) if frames is None else frames
    lines = list(_source(graph, sizes, labels, type, direction, splines, gaps, frames, ports))
    found = json.loads(draw("\n".join(lines), "json0"))
    return _read(found, graph, labels, type, splines, frames)


def _source(
    graph: Graph,
    sizes: Sequence[Size],
    labels: Mapping[tuple[int, int], str],
    type: Type,
    direction: str,
    splines: str,
    gaps: tuple[float, float],
    frames: Sequence[Frames],
    ports: bool,
) -> Iterator[str]:
    written = _written(graph, labels)
    if splines == "ortho" and (written or len(graph.nodes) > MANY):
        splines = "spline"  # right-angled lines take no labels, and time that grows with the cube
    yield "digraph {"
    yield f'rankdir={direction}; splines="{splines}"; pad=0; margin=0; newrank=true'
    yield f"ranksep={gaps[0] / 72:.4f}; nodesep={gaps[1] / 72:.4f}"
    if len(graph.nodes) > MANY:
        yield "nslimit=0"
    yield 'node [shape=box, fixedsize=true, label=""]; edge [arrowhead=none]'
    trunk = set(trunk_nodes(graph))
    places: dict[Frames, list[str]] = {(): []}
    order: list[Frames] = [()]
    for node in graph.nodes:
        around = frames[node.id]
        for level in range(1, len(around) + 1):
            if around[:level] not in places:
                places[around[:level]] = []
                order.append(around[:level])
        size = sizes[node.id]
        wide, high = size.width + size.beyond, size.height + size.beyond
        group = ", group=trunk" if node.id in trunk else ""
        places[around].append(f"n{node.id} [width={wide / 72:.5f}, height={high / 72:.5f}{group}]")
    yield from _clusters((), order, places, type)
    for number, edge in enumerate(graph.edges):
        look = [f"id=e{number}", f"weight={WEIGHTS.get(edge.role, 1)}"]
        if number in written:
            wide = type.width(written[number], type.edge) + 6
            key = "xlabel" if splines == "curved" else "label"
            look.append(f"{key}={_blank(wide, type.edge * 1.3)}")
        if ports and edge.role == "skip":
            look.append(f"tailport={_SIDE[direction]}, headport={_SIDE[direction]}")
        yield f"n{edge.source} -> n{edge.target} [{', '.join(look)}]"
    yield "}"


def _written(graph: Graph, labels: Mapping[tuple[int, int], str]) -> dict[int, str]:
    """What is written on which edge: each tensor's shape once, where its way on begins."""
    found: dict[int, str] = {}
    done: set[tuple[int, int]] = set()
    for number, edge in sorted(enumerate(graph.edges), key=lambda e: (e[1].role in ("skip", "aux"), e[0])):
        tensor = (edge.source, edge.source_port)
        if labels.get(tensor) and tensor not in done:
            done.add(tensor)
            found[number] = labels[tensor]
    return found


def _clusters(outer: Frames, order: Sequence[Frames], places: Mapping[Frames, list[str]], type: Type) -> Iterator[str]:
    yield from places[outer]
    for inner in order:
        if len(inner) == len(outer) + 1 and inner[: len(outer)] == outer:
            wide = title_width(_title(inner), inner[-1].repeats, type) + 2
            yield f"subgraph cluster_{order.index(inner)} {{ margin=6; labeljust=l"
            yield f"label={_blank(wide, type.text * 1.2)}"
            yield from _clusters(inner, order, places, type)
            yield "}"


def _title(frames: Frames) -> str:
    outer = named(frames[:-1])
    return ".".join(frames[-1].path[outer:])


def _blank(width: float, height: float) -> str:
    """Room for a text, as a label of Graphviz."""
    plain = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" FIXEDSIZE="TRUE"'
    return f'<<TABLE {plain} WIDTH="{width:.0f}" HEIGHT="{height:.0f}"><TR><TD></TD></TR></TABLE>>'


def _read(
    found: Any,
    graph: Graph,
    labels: Mapping[tuple[int, int], str],
    type: Type,
    splines: str,
    frames: Sequence[Frames],
) -> Piece:
    _, _, width, height = map(float, found["bb"].split(","))
    geometry = Piece(right=width, height=height)
    order: list[Frames] = [()]
    for around in frames:
        for level in range(1, len(around) + 1):
            if around[:level] not in order:
                order.append(around[:level])
    for each in found.get("objects", ()):
        name = each["name"]
        if name.startswith("cluster_"):
            x0, y0, x1, y1 = map(float, each["bb"].split(","))
            inner = order[int(name.removeprefix("cluster_"))]
            place = Placed(x0, height - y1, x1 - x0, y1 - y0)
            geometry.outlines.append(Outline(_title(inner), place, len(inner), inner[-1].repeats))
        elif "pos" in each:
            x, y = map(float, each["pos"].split(","))
            wide, high = float(each["width"]) * 72, float(each["height"]) * 72
            geometry.boxes[int(name[1:])] = Placed(x - wide / 2, height - y - high / 2, wide, high)
    written, roles = _written(graph, labels), line_roles(graph)
    for each in found.get("edges", ()):
        number = int(each["id"][1:])
        edge = graph.edges[number]
        for stretch in each.get("pos", "").split(";") if splines != "none" else ():
            points = [tuple(map(float, p.split(","))) for p in stretch.split() if p[0] not in "es"]
            if points:
                way = tuple((x, height - y) for x, y in points)
                geometry.lines.append(Line(way, roles[edge], True, curved=True))
        place_of = each.get("lp") or each.get("xlp")
        if number in written and place_of:
            x, y = map(float, place_of.split(","))
            wide = type.width(written[number], type.edge)
            geometry.labels.append(Label(written[number], x - wide / 2, height - y, wide))
    return geometry
