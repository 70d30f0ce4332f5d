"""Encoders and decoders as a U: down at the left, up at the right, and between them the short cuts, level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod

from ...graphs.graph import Graph
from .box_text import Type
from .boxes import Layout, Request
from .geometry import Label, Line, Piece, Size
from .series_parallel import Composition, Lane, Part, Parts, key, numbers, part_of

_MIDDLE = 26.0  # between the two sides
_BRIDGE = 8.0  # how far the bridge is below what it leads to
Level = tuple[int, int]
"""Two boxes that stand level: one of the encoder, one of the decoder."""


def arms(graph: Graph, composition: Composition) -> tuple[Parts, Parts, list[Lane], list[Level]] | None:
    """The two sides of an encoder with a decoder, the short cuts between them, and what is level, innermost first.

    It is one if two short cuts at least lead across, each inside the one before; or, where none does, if the map gets
    smaller twice, and then as large again. None if it is not.
    """
    parts = composition.parts
    if composition.heads or len(parts) < 5:
        return None
    place = {number: i for i, part in enumerate(parts) for number in numbers((part,))}
    lanes = [lane for lane in composition.lanes.get(key(0, parts), ()) if lane.start >= 0 and lane.end >= 0]
    if any(lane.start not in place or lane.end not in place for lane in lanes):
        return None
    turn = _turn(graph, parts)
    if turn is None:
        across, local = lanes, list[Lane]()
    else:
        local = [lane for lane in lanes if not place[lane.start] < turn <= place[lane.end]]
        across = [lane for lane in lanes if lane not in local]
    ordered = sorted(across, key=lambda lane: place[lane.end])
    if not ordered:
        return None if turn is None else _by_size(graph, parts, turn)
    joined = all(graph.nodes[lane.end].role == "merge" for lane in ordered)
    starts, ends = [place[lane.start] for lane in ordered], [place[lane.end] for lane in ordered]
    nested = all(a > b for a, b in pairwise(starts)) and all(a < b for a, b in pairwise(ends))
    if len(ordered) < (2 if joined or turn is not None else 3) or not nested or starts[0] + 1 >= ends[0]:
        return None
    split = ends[0] if turn is None else turn
    if split <= starts[0] + 1:  # the bridge is no box of its own
        split = ends[0]
    return parts[:split], parts[split:], ordered, [(lane.start, lane.end) for lane in ordered]


def _size(graph: Graph, part: Part) -> int | None:
    """How many positions the map has that a part gives."""
    *_, last = numbers((part,))
    node = graph.nodes[last]
    shape = node.outputs[0] if node.outputs else None
    if shape is None or len(shape) < 4 or None in shape[1:]:
        return None
    sizes = shape[2:] if node.get("data_format") == "channels_first" else shape[1:-1]
    return prod(size or 1 for size in sizes)


def _turn(graph: Graph, parts: Parts) -> int | None:
    """The first of the parts from which on the map grows again; None where it does not first get smaller."""
    sizes = [_size(graph, part) for part in parts]
    known = [size for size in sizes if size is not None]
    if not known:
        return None
    bottom = sizes.index(min(known))
    turn = next((i for i in range(bottom, len(parts)) if (sizes[i] or 0) > min(known)), None)
    return turn if turn is not None and max(known[:1]) > min(known) else None


def _by_size(graph: Graph, parts: Parts, turn: int) -> tuple[Parts, Parts, list[Lane], list[Level]] | None:
    """What is level where no short cut says so: the last of the encoder and the first of the decoder on maps alike."""
    sizes = [_size(graph, part) for part in parts]
    down = [size for size in sizes[:turn] if size is not None]
    up = [size for size in sizes[turn:] if size is not None]
    shrinks = all(a >= b for a, b in pairwise(down)) and all(a <= b for a, b in pairwise(up))
    alike = sorted(set(down) & set(up))
    if not shrinks or len(alike) < 2 or len(set(down)) < 3:
        return None
    levels = []
    for size in alike:
        before = max(i for i in range(turn) if sizes[i] == size)
        after = min(i for i in range(turn, len(parts)) if sizes[i] == size)
        *_, last = numbers((parts[before],))
        levels.append((last, next(iter(numbers((parts[after],))))))
    return parts[:turn], parts[turn:], [], levels


def u_shape(request: Request, type: Type, sizes: Sequence[Size], composition: Composition) -> Piece | None:
    """The network as a U, from the top down; none if it is not made so."""
    graph, labels = request.graph, request.labels
    found = arms(graph, composition)
    if found is None:
        return None
    left, right, lanes, levels = found
    sides = (left, right)
    drawn_so = {*composition.apart, *(lane.edge for lane in lanes)}
    others = [e for e in graph.edges if e.role == "skip" and e not in drawn_so]
    upward = replace(request, direction="BT")  # the decoder is turned round below

    def column(parts: Parts, extra: Mapping[int, float]) -> Piece:
        stretch = part_of(composition, parts, others)
        down = parts is left
        return Layout(request if down else upward, type, sizes, stretch, extra, outer=-1 if down else 1).column()

    down, up = (column(parts, {}) for parts in sides)
    if len(up.tops) != 1 or len(down.bottoms) != 1:
        return None
    # The rows of the two sides are as far apart as those of the longer.
    extra: list[dict[int, float]] = [{}, {}]
    first = [{n: _first(parts, n) for n in numbers(parts)} for parts in sides]
    for (inner, above), (outer, higher) in pairwise(levels):
        here = down.boxes[inner].middle[1] - down.boxes[outer].middle[1]
        there = up.boxes[higher].middle[1] - up.boxes[above].middle[1]
        if here < there:
            extra[0][first[0][inner]] = extra[0].get(first[0][inner], 0.0) + there - here
        else:
            extra[1][first[1][higher]] = extra[1].get(first[1][higher], 0.0) + here - there
    last, first_up = down.bottoms[0][0], up.tops[0]
    # The bridge is below what it leads to.
    inner, above = levels[0]
    text = next((labels[k] for k in labels if k[0] == last), "")
    below = down.boxes[last].middle[1] - down.boxes[inner].middle[1]
    needed = up.boxes[above].middle[1] + _BRIDGE / 2 + (type.edge * 1.15 if text else 0.0)
    if below < needed:
        if first[0][last] == first[0][inner]:
            return None
        extra[0][first[0][last]] = extra[0].get(first[0][last], 0.0) + needed - below
    down, up = (column(parts, more) for parts, more in zip(sides, extra, strict=True))
    high = up.height
    up = up.mapped(lambda p: (p[0], high - p[1]))
    shift = down.boxes[inner].middle[1] - up.boxes[above].middle[1]
    whole, axis = Piece(), down.right + _MIDDLE + up.left
    whole.add(down, 0.0, max(0.0, -shift))
    whole.add(up, axis, max(0.0, shift))
    for lane in lanes:
        source, target = whole.boxes[lane.start], whole.boxes[lane.end]
        points = ((source.right + sizes[lane.start].beyond, source.middle[1]), (target.x, target.middle[1]))
        whole.lines.append(Line(points, composition.roles[lane.edge], states=(lane.edge,)))
    box = whole.boxes[last]
    y = box.middle[1]
    top = whole.boxes[first_up[0]].bottom + sizes[first_up[0]].beyond
    edges = tuple(e for e in graph.edges if (e.source, e.target) == (last, first_up[0]) and e.role != "skip")
    bridge = ((box.right + sizes[last].beyond, y), (axis, y), (axis, top))
    whole.lines.append(Line(bridge, "trunk", states=edges))
    if text:
        wide = type.width(text, type.edge)
        whole.labels.append(Label(text, box.right + 5, y - type.edge * 1.15 / 2 - 1.5, wide))
    whole.tops, whole.bottoms = down.tops, []
    return whole


def _first(parts: Parts, number: int) -> int:
    """The first box of the part that a box is in."""
    return next(next(iter(numbers((part,)))) for part in parts if number in set(numbers((part,))))
