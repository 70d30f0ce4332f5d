"""Where the boxes and lines of any graph go, by the Graphviz inside the pygraphviz wheel.

Graphviz is given boxes of a fixed size without text, so that what it finds does not depend on the fonts of a machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from ...graphs.graph import Edge, Graph, Output, trunk_nodes
from ..dot_rendering import draw
from ..lines import line_roles, line_words, together
from .box_text import Type
from .contents import key_of
from .drawing import title_width
from .geometry import Label, Line, Outline, Piece, Placed, Size
from .series_parallel import Frames, number_of, title_of

MANY = 1000
# How edges pull on the layout, by role: a heavy one stays short and straight.
WEIGHTS: Mapping[str, int] = {"trunk": 100, "projection": 2, "branch": 2, "skip": 1, "aux": 1}
_SIDE: Mapping[str, str] = {"TB": "e", "BT": "e", "LR": "s", "RL": "s"}


def layered(
    graph: Graph,
    sizes: Sequence[Size],
    labels: Mapping[tuple[int, int], str],
    type: Type,
    frames: Sequence[Frames],
    *,
    direction: str,
    splines: str,
    gaps: tuple[float, float],
    ports: bool = True,
    outputs: bool = True,
) -> Piece:
    """Layers of boxes, with as few crossings as Graphviz's `dot` finds.

    Args:
        sizes: of the boxes.
        labels: by node and output, what is written on the first of its lines.
        frames: around each box.
        direction: TB, BT, LR or RL.
        splines: what Graphviz calls the kind of lines; `none` draws none.
        gaps: between layers, and between boxes of one layer, in points.
        ports: whether short cuts leave and arrive at the side.
        outputs: whether an arrow with its key leads to every output.
    """
    frames_out = (around[:level] for around in frames for level in range(1, len(around) + 1))
    order: list[Frames] = list(dict.fromkeys([(), *frames_out]))
    written = _written(graph, labels)
    many = len(graph.nodes) > MANY
    kind = splines
    if splines == "ortho" and (written or many):
        kind = "spline"  # right-angled lines cannot have labels, and need time that grows with the cube
    boxes: dict[Frames, list[str]] = {around: [] for around in order}
    trunk = set(trunk_nodes(graph))
    for node, around, size in zip(graph.nodes, frames, sizes, strict=True):
        wide, high = size.width + size.beyond, size.height + size.beyond
        group = ", group=trunk" if node.id in trunk else ""
        boxes[around].append(f"n{node.id} [width={wide / 72:.5f}, height={high / 72:.5f}{group}]")
    source = [
        "digraph {",
        f'rankdir={direction}; splines="{kind}"; pad=0; margin=0; newrank=true',
        f"ranksep={gaps[0] / 72:.4f}; nodesep={gaps[1] / 72:.4f}",
        *(["nslimit=0"] if many else []),
        'node [shape=box, fixedsize=true, label=""]; edge [arrowhead=none]',
        *_clusters((), order, boxes, type),
    ]
    roles = line_roles(graph)
    words = line_words(graph, roles) if outputs else {}
    drawn = together(graph.edges) if outputs else [(edge,) for edge in graph.edges]
    for edges in drawn:
        edge, number = edges[0], graph.edges.index(edges[0])
        own = [graph.edges.index(each) for each in edges]
        said = " ".join(filter(None, (*(written.pop(n, "") for n in own), words.get(edge))))
        if said:
            written[number] = said
        given = [f"id=e{number}", f"weight={WEIGHTS.get(edge.role, 1)}"]
        if number in written:
            wide = type.width(written[number], type.edge) + 6
            given.append(f"{'xlabel' if kind == 'curved' else 'label'}={_blank(wide, type.edge * 1.3)}")
        if ports and edge.role == "skip":
            given.append(f"tailport={_SIDE[direction]}, headport={_SIDE[direction]}")
        source.append(f"n{edge.source} -> n{edge.target} [{', '.join(given)}]")
    keys = [(output, key_of(graph, output)) for output in graph.outputs] if outputs else []
    source += _outputs(graph, keys, labels, written, type)
    found = json.loads(draw("\n".join([*source, "}"]), "json0"))

    _, _, width, height = map(float, found["bb"].split(","))
    piece = Piece(right=width, height=height)
    for each in found.get("objects", ()):
        name = each["name"]
        if name.startswith("cluster_"):
            x0, y0, x1, y1 = map(float, each["bb"].split(","))
            inner = order[int(name.removeprefix("cluster_"))]
            place = Placed(x0, height - y1, x1 - x0, y1 - y0)
            piece.outlines.append(Outline(title_of(inner), place, len(inner), inner[-1].repeats, number_of(inner[-1])))
        elif name[0] == "o":
            key = keys[int(name[1:])][1]
            x, y = map(float, each["pos"].split(","))
            wide = type.width(key, type.edge)
            piece.labels += [Label(key, x - wide / 2, height - y, wide)] if key else []
        elif "pos" in each:
            x, y = map(float, each["pos"].split(","))
            wide, high = float(each["width"]) * 72, float(each["height"]) * 72
            piece.boxes[int(name[1:])] = Placed(x - wide / 2, height - y - high / 2, wide, high)
    stated: dict[int, tuple[Edge | Output, ...]] = {graph.edges.index(edges[0]): edges for edges in drawn}
    stated |= {len(graph.edges) + i: (output,) for i, (output, _) in enumerate(keys)}
    for each in found.get("edges", ()):
        number = int(each["id"][1:])
        what = stated[number][0]
        for stretch in each.get("pos", "").split(";") if splines != "none" else ():
            points = [tuple(map(float, p.split(","))) for p in stretch.split() if p[0] not in "es"]
            if points:
                way = tuple((x, height - y) for x, y in points)
                look = roles[what] if isinstance(what, Edge) else "trunk"
                piece.lines.append(Line(way, look, True, curved=True, states=stated[number]))
        place_of = each.get("lp") or each.get("xlp")
        if number in written and place_of:
            x, y = map(float, place_of.split(","))
            wide = type.width(written[number], type.edge)
            piece.labels.append(Label(written[number], x - wide / 2, height - y, wide))
    return piece


def _outputs(
    graph: Graph,
    keys: Sequence[tuple[Output, str]],
    labels: Mapping[tuple[int, int], str],
    written: dict[int, str],
    type: Type,
) -> Iterator[str]:
    """The arrows out of the network, each to a place as large as its key; the shape on those that nothing else says."""
    said = {(graph.edges[number].source, graph.edges[number].source_port) for number in written}
    for i, (output, key) in enumerate(keys):
        wide, high = type.width(key, type.edge) + 2, type.edge * 1.15
        yield f"o{i} [width={wide / 72:.5f}, height={high / 72:.5f}]"
        given = [f"id=e{len(graph.edges) + i}", f"weight={WEIGHTS['branch']}"]
        text, tensor = labels.get((output.source, output.source_port)), (output.source, output.source_port)
        if text and tensor not in said:
            said.add(tensor)
            written[len(graph.edges) + i] = text
            given.append(f"label={_blank(type.width(text, type.edge) + 6, type.edge * 1.3)}")
        yield f"n{output.source} -> o{i} [{', '.join(given)}]"


def _written(graph: Graph, labels: Mapping[tuple[int, int], str]) -> dict[int, str]:
    """What is written on which edge: each tensor's shape once, where its way on begins."""
    first: dict[tuple[int, int], int] = {}
    for number, edge in sorted(enumerate(graph.edges), key=lambda e: (e[1].role in ("skip", "aux"), e[0])):
        first.setdefault((edge.source, edge.source_port), number)
    return {number: labels[tensor] for tensor, number in first.items() if labels.get(tensor)}


def _clusters(outer: Frames, order: Sequence[Frames], boxes: Mapping[Frames, list[str]], type: Type) -> Iterator[str]:
    yield from boxes[outer]
    for number, inner in enumerate(order):
        if inner and inner[:-1] == outer:
            wide = title_width(title_of(inner), inner[-1].repeats, type) + 2
            yield f"subgraph cluster_{number} {{ margin=6; labeljust=l"
            yield f"label={_blank(wide, type.text * 1.2)}"
            yield from _clusters(inner, order, boxes, type)
            yield "}"


def _blank(width: float, height: float) -> str:
    """Room for a text, as a label of Graphviz."""
    plain = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" FIXEDSIZE="TRUE"'
    return f'<<TABLE {plain} WIDTH="{width:.0f}" HEIGHT="{height:.0f}"><TR><TD></TD></TR></TABLE>>'
