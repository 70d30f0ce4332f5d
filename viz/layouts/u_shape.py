"""Encoders and decoders as a U: down at the left, up at the right, and between them the short cuts, level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from ...graphs.graph import Graph
from .box_text import Type
from .boxes import Layout, Request
from .geometry import Label, Line, Piece, Size
from .series_parallel import Composition, Lane, Parts, key, numbers, part_of

_MIDDLE = 26.0  # between the two sides


def arms(graph: Graph, composition: Composition) -> tuple[Parts, Parts, list[Lane]] | None:
    """The two sides, and the short cuts from the innermost out; none if the graph is no such network."""
    parts = composition.parts
    if composition.heads or len(parts) < 5:
        return None
    lanes = composition.lanes.get(key(0, parts), ())
    place = {number: i for i, part in enumerate(parts) for number in numbers((part,))}
    ordered = sorted(lanes, key=lambda lane: place.get(lane.end, -1))
    joined = all(graph.nodes[lane.end].role == "merge" for lane in lanes if lane.end >= 0)
    if len(ordered) < (2 if joined else 3) or any(lane.start < 0 or lane.end < 0 for lane in lanes):
        return None
    starts, ends = [place[lane.start] for lane in ordered], [place[lane.end] for lane in ordered]
    nested = all(a > b for a, b in pairwise(starts)) and all(a < b for a, b in pairwise(ends))
    if not nested or starts[0] + 1 >= ends[0] or not isinstance(parts[ends[0] - 1], int):
        return None
    return parts[: ends[0]], parts[ends[0] :], ordered


def u_shape(request: Request, type: Type, sizes: Sequence[Size], composition: Composition) -> Piece | None:
    """The network as a U, from the top down; none if it is not made so."""
    graph, labels = request.graph, request.labels
    found = arms(graph, composition)
    if found is None:
        return None
    *sides, lanes = found
    skips = {(lane.edge.source, lane.edge.target) for lane in lanes}
    others = [e for e in graph.edges if e.role == "skip" and (e.source, e.target) not in skips]

    def column(parts: Parts, extra: Mapping[int, float]) -> Piece:
        stretch = part_of(composition, parts, others)
        return Layout(request, type, sizes, stretch, extra).column()

    down, up = (column(parts, {}) for parts in sides)
    if len(up.tops) != 1 or len(down.bottoms) != 1:
        return None
    # The rows of the two sides are as far apart as those of the longer.
    extra: list[dict[int, float]] = [{}, {}]
    first = [{n: _first(parts, n) for n in numbers(parts)} for parts in sides]
    for inner, outer in pairwise(lanes):
        left = down.boxes[inner.start].middle[1] - down.boxes[outer.start].middle[1]
        right = up.boxes[outer.end].middle[1] - up.boxes[inner.end].middle[1]
        if left < right:
            extra[0][first[0][inner.start]] = right - left
        else:
            extra[1][first[1][outer.end]] = left - right
    down, up = (column(parts, more) for parts, more in zip(sides, extra, strict=True))
    high = up.height
    up = up.mapped(lambda p: (p[0], high - p[1]))
    shift = down.boxes[lanes[0].start].middle[1] - up.boxes[lanes[0].end].middle[1]
    whole, axis = Piece(), down.right + _MIDDLE + up.left
    whole.add(down, 0.0, max(0.0, -shift))
    whole.add(up, axis, max(0.0, shift))
    for lane in lanes:
        source, target = whole.boxes[lane.start], whole.boxes[lane.end]
        points = ((source.right + sizes[lane.start].beyond, source.middle[1]), (target.x, target.middle[1]))
        whole.lines.append(Line(points, composition.roles[lane.edge], states=(lane.edge,)))
    last, first_up = down.bottoms[0][0], up.tops[0]
    box = whole.boxes[last]
    y = box.middle[1]
    top = first_up[2] + max(0.0, shift)
    if y < top + 8:
        return None
    edges = tuple(e for e in graph.edges if (e.source, e.target) == (last, first_up[0]) and e.role != "skip")
    points = ((box.right + sizes[last].beyond, y), (axis, y), (axis, top))
    whole.lines.append(Line(points, "trunk", states=edges))
    text = next((labels[k] for k in labels if k[0] == last), "")
    if text:
        wide = type.width(text, type.edge)
        whole.labels.append(Label(text, box.right + 5, y - type.edge * 1.15 / 2 - 1.5, wide))
    whole.tops, whole.bottoms = down.tops, []
    return whole


def _first(parts: Parts, number: int) -> int:
    """The first box of the part that a box is in."""
    return next(next(iter(numbers((part,)))) for part in parts if number in set(numbers((part,))))
