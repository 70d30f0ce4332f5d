"""Ways round: right-angled, with few corners, past what stands between the ends of a line and beside other lines."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from ..rectangles import Rect
from ..scene import Point

_CORNER, _CROSSING = 14.0, 5.0  # what a corner and the crossing of another line cost, in points of way
_APART = 3.0  # between lines side by side
_MERGED = 0.1  # places nearer than this are one
_MOST = 30_000  # places looked at before a way counts as none
_POCKET = 150  # so few places round an end are shut in
Segment = tuple[Point, Point]


@dataclass(frozen=True, slots=True)
class Ground:
    """What is in the way: rectangles to keep out of, and stretches of lines to keep beside, which may be crossed.

    `room` is what a way must stay inside of.
    """

    rects: Sequence[Rect]
    lines: Sequence[Segment]
    room: Rect


def way_round(start: Point, end: Point, ground: Ground) -> list[Point] | None:
    """Find the way from a point to another that is shortest, with what its corners cost; None if there is none.

    Both ends must lie outside of all rectangles; whether it sets out along or across is left open. A* search (Hart,
    Nilsson, Raphael 1968) on the grid of the sides of what is in the way (Hanan 1966).
    """
    rects = ground.rects
    level = [_ordered(a, b) for a, b in ground.lines if abs(a[1] - b[1]) < 0.05 < abs(a[0] - b[0])]
    upright = [_ordered(a, b) for a, b in ground.lines if abs(a[0] - b[0]) < 0.05 < abs(a[1] - b[1])]
    beside_x = [x + off for ((x, _), _) in upright for off in (-_APART, _APART)]
    beside_y = [y + off for ((_, y), _) in level for off in (-_APART, _APART)]
    room = ground.room
    xs = _places([start[0], end[0]], [*(x for r in rects for x in (r.left, r.right)), *beside_x], room.left, room.right)
    ys = _places([start[1], end[1]], [*(y for r in rects for y in (r.top, r.bottom)), *beside_y], room.top, room.bottom)
    along, across = _Steps(len(xs), len(ys)), _Steps(len(ys), len(xs))
    for r in rects:
        along.block(_between(xs, r.left, r.right), _inside(ys, r.top, r.bottom))
        across.block(_between(ys, r.top, r.bottom), _inside(xs, r.left, r.right))
    for (x0, y), (x1, _) in level:
        along.block(_between(xs, x0 - 1, x1 + 1), _inside(ys, y - _APART, y + _APART))
        across.cross(_between(ys, y - 0.01, y + 0.01), _inside(xs, x0, x1))
    for (x, y0), (_, y1) in upright:
        across.block(_between(ys, y0 - 1, y1 + 1), _inside(xs, x - _APART, x + _APART))
        along.cross(_between(xs, x - 0.01, x + 0.01), _inside(ys, y0, y1))
    goal = bisect_left(xs, end[0] - 0.001), bisect_left(ys, end[1] - 0.001)
    begin = bisect_left(xs, start[0] - 0.001), bisect_left(ys, start[1] - 0.001)
    if any(_is_shut_in(along, across, this, that) for this, that in ((goal, begin), (begin, goal))):
        return None
    found = _search(xs, ys, along, across, begin, goal)
    return None if found is None else [(xs[i], ys[j]) for i, j in found]


def _ordered(a: Point, b: Point) -> Segment:
    return (a, b) if a <= b else (b, a)


def _places(ends: Sequence[float], others: Iterable[float], low: float, high: float) -> list[float]:
    """The ends, and of the others those inside that are not too near to one before, in order."""
    found = sorted(set(ends))
    for place in sorted(other for other in others if low <= other <= high):
        at = bisect_left(found, place)
        if all(abs(place - beside) >= _MERGED for beside in found[max(0, at - 1) : at + 1]):
            found.insert(at, place)
    return found


def _between(places: Sequence[float], low: float, high: float) -> range:
    """The steps from one place to the next that reach into a stretch."""
    return range(max(0, bisect_right(places, low + 0.01) - 1), min(len(places) - 1, bisect_left(places, high - 0.01)))


def _inside(places: Sequence[float], low: float, high: float) -> range:
    return range(bisect_right(places, low + 0.01), bisect_left(places, high - 0.01))


class _Steps:
    """Which steps along one axis are free, and how many lines each crosses; by step and by place on the other axis."""

    def __init__(self, steps: int, rows: int) -> None:
        self.cost = [bytearray(max(0, steps - 1)) for _ in range(rows)]

    def block(self, steps: range, rows: range) -> None:
        if steps:
            for row in rows:
                self.cost[row][steps.start : steps.stop] = b"\xff" * len(steps)

    def cross(self, steps: range, rows: range) -> None:
        for row in rows:
            for step in steps:
                self.cost[row][step] = min(254, self.cost[row][step] + 1) if self.cost[row][step] < 255 else 255


_Spot = tuple[int, int]


def _beside(along: _Steps, across: _Steps, spot: _Spot) -> list[tuple[_Spot, int, int]]:
    """The places next to one, each with whether it is along (0) or across (1), and how many lines are crossed."""
    i, j = spot
    row, column = along.cost[j], across.cost[i]
    found = []
    if i < len(row) and row[i] < 255:
        found.append(((i + 1, j), 0, row[i]))
    if i and row[i - 1] < 255:
        found.append(((i - 1, j), 0, row[i - 1]))
    if j < len(column) and column[j] < 255:
        found.append(((i, j + 1), 1, column[j]))
    if j and column[j - 1] < 255:
        found.append(((i, j - 1), 1, column[j - 1]))
    return found


def _is_shut_in(along: _Steps, across: _Steps, spot: _Spot, other: _Spot) -> bool:
    """Whether only few places can be reached from one, the other not among them."""
    seen, waiting = {spot}, [spot]
    while waiting:
        for beside, _, _ in _beside(along, across, waiting.pop()):
            if beside == other or len(seen) > _POCKET:
                return False
            if beside not in seen:
                seen.add(beside)
                waiting.append(beside)
    return True


def _search(
    xs: Sequence[float], ys: Sequence[float], along: _Steps, across: _Steps, begin: _Spot, goal: _Spot
) -> list[_Spot] | None:
    best: dict[tuple[_Spot, int], float] = {(begin, 0): 0.0, (begin, 1): 0.0}
    came: dict[tuple[_Spot, int], tuple[_Spot, int]] = {}
    heap = [(0.0, 0.0, begin, 0), (0.0, 0.0, begin, 1)]
    for _ in range(_MOST):
        if not heap:
            return None
        _, cost, spot, way = heappop(heap)
        state = (spot, way)
        if cost > best[state]:
            continue
        if spot == goal:
            found = [spot]
            while state in came:
                state = came[state]
                found.append(state[0])
            return found[::-1]
        i, j = spot
        for beside, turn, crossed in _beside(along, across, spot):
            ni, nj = beside
            far = abs(xs[ni] - xs[i]) + abs(ys[nj] - ys[j])
            least = cost + far + _CROSSING * crossed + _CORNER * (turn != way)
            if least < best.get((beside, turn), 1e18):
                best[beside, turn] = least
                came[beside, turn] = state
                left = abs(xs[ni] - xs[goal[0]]) + abs(ys[nj] - ys[goal[1]])
                heappush(heap, (least + left, least, beside, turn))
    return None
