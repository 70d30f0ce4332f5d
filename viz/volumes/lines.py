"""Arrows between volumes: along the flow, over it for short cuts, up to auxiliary heads, on to the next row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise, product

from ...graphs.graph import Edge, Graph
from ..layouts.drawing import path
from ..layouts.geometry import Line
from ..lines import line_roles
from ..overlaps import crosses
from ..rectangles import Rect
from ..scene import Path, Point
from .detours import Ground, Segment, way_round
from .place import RISE, Placed, Row, around, way_out

NEAR = 7.0  # nearer than that no arrow fits, and none is needed
_OVER = 5.5  # between a short cut and what it passes over
_CORNER = 3.0
_APART = 1.2  # between lines of two tensors from one volume, at least
_BESIDE = 2.5  # between a line and a text
_STEP = 10.0  # from a volume to where an arrow turns


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line, and whether it must lie below the volumes because it could not go round them all."""

    path: Path
    below: bool = False


def lines(
    graph: Graph, rows: Sequence[Row], width: float, borders: Sequence[Sequence[Rect]] | None = None
) -> list[list[Drawn]]:
    """The lines of every row; where the `borders` of its frames are given, round all that would be in their way."""
    home = {number: i for i, row in enumerate(rows) for number in row.placed}
    roles = line_roles(graph)
    found: list[list[Drawn]] = [[] for _ in rows]
    over: list[list[tuple[Edge, Point, Point]]] = [[] for _ in rows]
    leaving: dict[int, int] = {}
    known = any(row.ways is not None for row in rows)
    for edge in () if known else graph.edges:
        here, there = home[edge.source], home[edge.target]
        row, target, source = rows[there], rows[there].placed[edge.target], rows[here].placed[edge.source]
        start = source.exit if here == there else (0.0, 0.0)
        if here != there:
            leaving[edge.source] = here
        if edge.role == "skip" and graph.nodes[edge.target].head is None:
            leave = _above(source, 1) if here == there else (row.start - _STEP, 0.0)
            over[there].append((edge, leave, _above(target, -1)))
        elif graph.nodes[edge.target].head is not None and source.y != target.y:
            found[there].append(_stating(edge, _raised(row, edge, source, target)))
        elif start[1] != target.y:
            if row.levelled and here == there:
                start = _beside(graph, edge, source, target)
            found[there].append(_stating(edge, _elbow(graph, row, edge, roles[edge], start, target)))
        elif target.entry[0] - start[0] >= NEAR:
            if not _hits((start, target.entry), _others(row, edge)):
                role = "continuation" if here != there else roles[edge]
                found[there].append(Drawn(Path(start, ((target.entry,),), role, states=(edge,))))
            else:
                over[there].append((edge, _above(source, 1), _above(target, -1)))
    for number, here in leaving.items():
        start = rows[here].placed[number].exit
        edges = tuple(e for e in graph.edges if e.source == number and home[e.target] != here)
        found[here].append(Drawn(Path(start, (((width, start[1]),),), "continuation", states=edges)))
    found_last = {node.id for node in graph.nodes} - {edge.source for edge in graph.edges}
    for source, outputs in groupby(sorted(graph.outputs, key=lambda o: o.source), key=lambda o: o.source):
        every = sorted(outputs, key=graph.outputs.index)
        for rank, output in enumerate(every):
            placed = rows[home[source]].placed[source]
            begin, end = way_out(placed, source in found_last, rank, len(every))
            half = placed.solid.height * 0.4
            first, _ = way_out(placed, source in found_last, 0, len(every))
            if begin[1] == end[1] and abs(first[1] - placed.y) > half:  # more outputs than its face has room for
                y = placed.y + half * (2 * rank / (len(every) - 1) - 1)
                turn = begin[0] + 2.0 + 1.5 * min(rank, len(every) - 1 - rank)  # the outer ones before the inner
                points = [(begin[0], y), (turn, y), (turn, end[1]), end]
                found[home[source]].append(Drawn(replace(rounded(points, "trunk"), states=(output,))))
                continue
            found[home[source]].append(Drawn(Path(begin, ((end,),), "trunk", states=(output,))))
    for i, row in enumerate(rows):
        found[i] += _arcs(row, roles, over[i]) if row.ways is None else row.ways
        if borders is not None and row.ways is None:
            found[i] = _led_round(row, found[i], borders[i], width)
    return found


def _stating(edge: Edge, drawn: Drawn) -> Drawn:
    return replace(drawn, path=replace(drawn.path, states=(edge,)))


def _above(placed: Placed, side: int) -> Point:
    """Where a short cut leaves (1) or arrives (-1): apart, for a volume may have both; on the slab it fills."""
    parts = placed.solid.parts
    if side < 0 and len(parts) > 1 and parts[0].role == "copy":
        return placed.crown(parts[0].thickness / 2)
    return placed.crown(placed.solid.thickness / 2 + side * min(placed.solid.thickness / 5, 2.5))


def _beside(graph: Graph, edge: Edge, source: Placed, target: Placed) -> Point:
    """Where a line to another level leaves a volume: beside where another of its tensors does."""
    x, y = source.exit
    others = any(e.source == edge.source and e.source_port != edge.source_port for e in graph.edges)
    aside = max(_APART, min(3.0, source.solid.height * 0.3)) if others else 0.0
    return x, y + (aside if target.y > y else -aside)


def _raised(row: Row, edge: Edge, source: Placed, target: Placed) -> Drawn:
    """From the upper face of a volume up to the height of an auxiliary head, and along to it."""
    points = [source.crown(), (source.crown()[0], target.entry[1]), target.entry]
    return Drawn(rounded(points, "aux"), _crosses(row, points, edge))


def _elbow(graph: Graph, row: Row, edge: Edge, role: str, start: Point, target: Placed) -> Drawn:
    """From one lane to another: along, across where nothing stands, and along; or from above."""
    end = target.entry
    level_down = row.levelled and target.y > start[1]
    if level_down or (target.solid.ball and target.y > start[1]):
        top = target.crown() if target.solid.ball else _above(target, -1)
        points = [start, (top[0], start[1]), top]
        if level_down and _crosses(row, points, edge):  # under what stands there, and then along above its own level
            x, y = max(start[0] + RISE, row.whole(edge.source).right + _BESIDE), target.outline.top - _OVER
            under = [start, (x, start[1]), (x, y), (top[0], y), top]
            points = points if _crosses(row, under, edge) else under
        if level_down or not _crosses(row, points, edge):
            return Drawn(rounded(points, role), _crosses(row, points, edge))
    if row.levelled and target.y < start[1]:
        points = [start, (start[0] + RISE, start[1]), (start[0] + RISE, end[1]), end]
        if not _crosses(row, points, edge) and not any(_hits(pair, row.words) for pair in pairwise(points)):
            return Drawn(rounded(points, role), False)
    sources = [e.source for e in graph.edges if e.target == edge.target and e.source in row.placed]
    after = [row.whole(edge.source).right + 3.0] if edge.source in row.placed else []
    turns = [start[0] + _STEP, *after, end[0] - _STEP, (start[0] + end[0]) / 2, row.whole(edge.target).left - 3.0]
    if len({row.placed[n].y for n in sources}) > 1:  # where the others come together too
        turns.insert(0, min(end[0] - _STEP, row.whole(edge.target).left - 3.0))
    ways = [[start, (x, start[1]), (x, end[1]), end] for x in turns]
    others = _others(row, edge)
    words = [Rect(w.left - 1.0, w.top - 1.0, w.right + 1.0, w.bottom + 1.0) for w in row.words]

    def score(points: Sequence[Point]) -> int:
        pairs = list(pairwise(points))
        return 2 * any(_hits(p, others) for p in pairs) + any(_hits(p, words) for p in pairs)

    best = min(ways, key=score)
    straight = (row.placed[e.target] for e in graph.edges if e.source == edge.source and e.target in row.placed)
    on = role in ("projection", "padded") and any(p.y == start[1] and p.entry[0] > best[1][0] for p in straight)
    return Drawn(rounded(best[1:] if on else best, role), score(best) >= 2)


def _arcs(row: Row, roles: Mapping[Edge, str], edges: Sequence[tuple[Edge, Point, Point]]) -> list[Drawn]:
    """Short cuts: up, over everything between and down again, the shorter ones under the longer ones."""
    found: list[Drawn] = []
    taken: list[tuple[float, Rect]] = []  # with the level that they are above
    for edge, start, end in sorted(edges, key=lambda e: (abs(e[2][0] - e[1][0]), e[0].source, e[0].target)):
        left, right = sorted((start[0], end[0]))
        level = row.placed[edge.target].y
        # Of a U, what is on the levels above is no hindrance.
        near = [b for b in (*row.bodies, *row.words) if not row.levelled or b.bottom > min(start[1], end[1])]
        near += [arc for y, arc in taken if not row.levelled or y == level]
        tops = [b.top for b in near if b.left < right + 1 and left - 1 < b.right]
        y = min((*tops, start[1], end[1])) - _OVER
        taken.append((level, Rect(left, y, right, y)))
        points = [start, (start[0], y), (end[0], y), end]
        found.append(_stating(edge, Drawn(rounded(points, roles[edge]), _crosses(row, points, edge))))
    return found


def rounded(points: Sequence[Point], role: str) -> Path:
    """A line through points, its corners rounded."""
    return path(Line(tuple(points), role), radius=_CORNER)


def _crosses(row: Row, points: Sequence[Point], edge: Edge) -> bool:
    others = _others(row, edge)
    return any(_hits(pair, others) for pair in pairwise(points))


def _others(row: Row, edge: Edge) -> list[Rect]:
    """What is in the way of a line: all volumes but those that stand together with one at its ends."""
    own = {number for run in row.runs if edge.source in run or edge.target in run for number in run}
    return [p.outline for number, p in row.placed.items() if number not in own]


def _hits(line: tuple[Point, Point], rects: Iterable[Rect]) -> bool:
    """Whether a line along or across runs through the inside of any of the rectangles."""
    (a, b) = line
    left, right, top, bottom = min(a[0], b[0]), max(a[0], b[0]), min(a[1], b[1]), max(a[1], b[1])
    return any(r.left < right and left < r.right and r.top < bottom and top < r.bottom for r in rects)


# -- round what is in the way -----------------------------------------------------------------------------------------

_GAPS = (3.0, 1.5)  # between a line that is led round and a volume
_WORD_GAP = 1.5
_HEAD = 8.0  # room for the head of an arrow
_ROUND = 18.0  # above and below a row, for lines that go round it
_SIDE_BY_SIDE = 0.8  # lines nearer than this are on top of each other


def _led_round(row: Row, found: Sequence[Drawn], borders: Sequence[Rect], width: float) -> list[Drawn]:
    """The lines, those that would run through a volume or a text, or on another line or a border, led round these."""
    made = list(found)
    sides = [side for r in borders for side in _outline(r)]
    ways = [_corners(each.path) for each in made]
    for i in reversed(range(len(made))):
        path = made[i].path
        link = next(iter(path.states), None)
        if not isinstance(link, Edge) or path.role == "continuation":
            continue
        others = [way for j, way in enumerate(ways) if j != i and not _one_tensor(path, made[j].path)]
        if not _in_the_way(row, ways[i], others, sides):
            continue
        way = _round(row, link, ways[i], others, sides, width)
        if way is not None:
            ways[i] = way
            made[i] = Drawn(replace(rounded(way, path.role), arrow=path.arrow, states=path.states))
    return made


def _corners(path: Path) -> list[Point]:
    return [path.start, *(step[-1] for step in path.steps)]


def _outline(r: Rect) -> list[Segment]:
    corners = [(r.left, r.top), (r.right, r.top), (r.right, r.bottom), (r.left, r.bottom), (r.left, r.top)]
    return list(pairwise(corners))


def _one_tensor(one: Path, other: Path) -> bool:
    tensors = [{(link.source, link.source_port) for link in path.states} for path in (one, other)]
    return bool(tensors[0] & tensors[1])


def _in_the_way(row: Row, way: Sequence[Point], others: Sequence[Sequence[Point]], sides: Sequence[Segment]) -> bool:
    bodies = [p.outline for p in row.placed.values()]
    apart = [b for b in bodies if not any(b.shrunk(-1.0).holds(Rect(x, y, x, y)) for x, y in (way[0], way[-1]))]
    if any(crosses(way, b.shrunk(0.5)) for b in apart) or any(crosses(way, w.shrunk(0.3)) for w in row.words):
        return True
    parting = (each for each in others if max(map(abs, _less(each[-1], way[-1]))) > 0.5)
    stretches = [*sides, *(segment for each in parting for segment in pairwise(each))]
    return any(_is_along(mine, theirs) for mine in pairwise(way) for theirs in stretches)


def _is_along(one: Segment, other: Segment) -> bool:
    """Whether two stretches run on top of each other."""
    for here, there in ((0, 1), (1, 0)):
        if abs(one[0][here] - one[1][here]) < 0.05 and abs(other[0][here] - other[1][here]) < 0.05:
            (a, b), (c, d) = (sorted((s[0][there], s[1][there])) for s in (one, other))
            if abs(one[0][here] - other[0][here]) < _SIDE_BY_SIDE and min(b, d) - max(a, c) > 1.5:
                return True
    return False


def _round(
    row: Row, link: Edge, way: Sequence[Point], ways: Sequence[Sequence[Point]], sides: Sequence[Segment], width: float
) -> list[Point] | None:
    bodies = [p.outline for p in row.placed.values()]
    others = [*sides, *(segment for each in ways for segment in pairwise(each))]
    whole = around((*row.bodies, *row.words, *(Rect(*a, *a) for a, _ in others)))
    room = Rect(1.0, whole.top - _ROUND, width - 1.0, whole.bottom + _ROUND)
    words = [w.shrunk(-_WORD_GAP) for w in row.words]
    starts, ends = [(way[0], way[1])], [(way[-1], way[-2])]
    if link.source in row.placed:
        x, y = tip = row.placed[link.source].exit
        starts.append((tip, (x + 1.0, y)))
    x, y = tip = row.placed[link.target].entry
    ends.append((tip, (x - 1.0, y)))
    for gap, start, end in product(_GAPS, starts, ends):
        beside = [each for each in others if max(map(abs, _less(each[1], end[0]))) > 0.5]  # what ends there comes in
        ground = Ground([*(b.shrunk(-gap) for b in bodies), *words], beside, room)
        begin = _clear(row, link.source, *start, gap, 0.0)
        arrive = _clear(row, link.target, *end, gap, _HEAD)
        found = way_round(begin, arrive, ground)
        if found is not None:
            return [start[0], *found, end[0]]
    return None


def _less(one: Point, other: Point) -> Point:
    return one[0] - other[0], one[1] - other[1]


def _clear(row: Row, number: int, tip: Point, turn: Point, gap: float, head: float) -> Point:
    """Where a line is clear of the volume that it begins or ends at; it meets it at `tip` from where it turns."""
    run = next((run for run in row.runs if number in run), ())
    x, y = tip
    if abs(tip[0] - turn[0]) < 0.05:
        over = [o for n in run if (o := row.placed[n].outline).left - gap < x < o.right + gap]
        return x, min([y - head, *(o.top - max(gap, head - 2.0) - 0.1 for o in over)])
    if number not in row.placed:
        return tip
    outline = row.placed[number].outline
    if turn[0] > x:
        return max(x + head, outline.right + gap + 0.1), y
    return min(x - head, outline.left - gap - 0.1), y
