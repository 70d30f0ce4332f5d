"""Braces with the names of groups, and callouts: words beside boxes, where there is room or room is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import Literal

from .overlaps import box_rect, points, text_area
from .rectangles import Rect
from .scene import Box, Item, Path, Point, Polygon, Text

_GAP = 2.5  # between boxes, brace and words
_DEPTH = 5.0  # of a brace
_LEADER = 8.0  # the shortest line of a callout
_CLEAR, _OUTSIDE = 1.2, 5.0  # around what is written, and beyond it
_WRAP = 7.0  # times its size: words beside a figure go on in a further line there
_LEADING = 1.15
_HANGING = 6.0  # from a volume to what is written under it, at most
_WIDENED = 40.0  # what it costs to draw a box wider for the sake of a note
_ACROSS_THE_WAY, _OVER = 30.0, 16.0  # and a brace, or a callout, at the end of boxes that follow one another
_OTHER_SIDE, _IN_LINE = 30.0, 4.0  # what a brace costs elsewhere than the others, and saves in line with them
_APART = 40.0  # and to move another note away from its boxes
_PASSED = 6.0  # and for each thing that is nearer to the boxes than their brace
_GROWTH, _OVERFLOW = 0.3, 3.0  # what a point costs by which the figure grows, and grows out of the room there is
_MOST_PLACES = 16

Side = Literal["left", "right", "above", "below"]
Put = tuple[float, float, list[Item]]
"""How wide and high shapes are together, from (0, 0) on."""


@dataclass(frozen=True, slots=True)
class Note:
    """Words on some boxes: those of a group, at a brace along them, or a callout, at the end of a line to them.

    Args:
        words: what is written.
        boxes: by its number, each node that is meant, and which share of what it stands for: a part, and all.
        callout: whether a line leads to it, where it is one box.
    """

    words: str
    boxes: Mapping[int, tuple[int, int]]
    callout: bool = False


def annotated(
    put: Put,
    notes: Sequence[Note],
    size: float,
    measured: Callable[[str], float],
    down: bool,
    room: Point = (inf, inf),
) -> Put | None:
    """The shapes with notes beside them; None if there is no place for one.

    Boxes of one note between which others stand are braced in parts, each with its words. What is in the way moves
    apart, so that the figure may come out larger, also than there is room.

    Args:
        put: a figure without its legend.
        notes: what is to be written.
        size: of the words, in points.
        measured: how wide a line of these is.
        down: whether boxes that follow one another stand below one another.
        room: how wide and high the figure may better be.
    """
    wide, high, items = put
    page = _Page(list(items), Rect(0.0, 0.0, wide, high), size, measured, down, room)
    wanted = [(note, run) for note in notes for run in page.runs(note.boxes)]
    wanted.sort(key=lambda each: (_is_leader(*each), len(each[1])))  # the inner of two braces is the nearer
    if not all(page.add(note, run) for note, run in wanted):
        return None
    left, top = page.bounds.left, page.bounds.top
    moved_items = [_moved(item, lambda p: (p[0] - left, p[1] - top)) for item in page.items]
    return page.bounds.right - left, page.bounds.bottom - top, moved_items


def _is_leader(note: Note, run: Sequence[int]) -> bool:
    """Whether a line leads to what is meant, not a brace."""
    return note.callout and len(run) == 1


@dataclass(frozen=True, slots=True)
class _Thing:
    """What is in the way: a box or volume, a text, a border of a frame, a piece of a line, a mark.

    All of a note is one, too, and what is between it and its boxes.
    """

    rect: Rect
    kind: Literal["box", "volume", "text", "border", "line", "mark", "note", "tie"]
    node: int = -1


@dataclass(frozen=True, slots=True)
class _Place:
    """Where words can stand, as if they stood at the left (`_turned`): their right edge, or the inner end of a brace.

    `cut` and `more` are where the figure parts and how far, `level` the height of a leader.
    """

    cost: float
    side: Side
    right: float
    level: float
    cut: float = 0.0
    more: float = 0.0


class _Page:
    """A figure to which notes are added, one after the other."""

    def __init__(
        self,
        items: list[Item],
        bounds: Rect,
        size: float,
        measured: Callable[[str], float],
        down: bool,
        room: Point,
    ) -> None:
        self.items, self.bounds, self.room = items, bounds, room
        self.size, self.measured, self.down = size, measured, down
        self.notes: list[tuple[slice, Sequence[int]]] = []  # the items of each, and its boxes

    # -- what is meant --

    def bodies(self) -> dict[int, Rect]:
        """What each node is drawn as, with the cards under it."""
        found: dict[int, Rect] = {}
        cards: list[Box] = []
        for item in self.items:
            if not isinstance(item, Box | Polygon):
                continue
            if item.states is None or item.states.node < 0:
                cards = [*cards[-1:], item] if isinstance(item, Box) else []
                continue
            own = _rect(item)
            under = [box_rect(c) for c in cards if c.role == item.role and box_rect(c).overlaps(own)]
            known = [found[item.states.node]] if item.states.node in found else []
            found[item.states.node] = _around([own, *under, *known])
            cards = []
        volumes = {i.states.node for i in self.items if isinstance(i, Polygon) and i.states is not None}
        return {n: self._with_caption(body) if n in volumes else body for n, body in found.items()}

    def fronts(self) -> dict[int, Rect]:
        """The same, of volumes no wider than their fronts: what is behind these reaches over others."""
        found = self.bodies()
        wide: dict[int, list[float]] = {}
        for item in self.items:
            if (
                isinstance(item, Polygon)
                and item.states is not None
                and item.states.node >= 0
                and len(item.points) == 4
            ):
                (ax, ay), (_, by), _, (dx, _) = item.points
                if ay == by and ax == dx:
                    wide.setdefault(item.states.node, []).extend(x for x, _ in item.points)
        return {n: replace(r, left=min(wide[n]), right=max(wide[n])) if n in wide else r for n, r in found.items()}

    def _with_caption(self, body: Rect) -> Rect:
        """A volume and the lines of text right under it."""
        for text in sorted((text_area(i) for i in self.items if isinstance(i, Text)), key=lambda r: r.top):
            if text.left < body.right and body.left < text.right and -0.5 < text.top - body.bottom < _HANGING:
                body = replace(body, bottom=text.bottom)
        return body

    def runs(self, meant: Mapping[int, tuple[int, int]]) -> list[list[int]]:
        """The boxes in parts between which no other stands."""
        bodies = self.fronts()
        others = [rect for number, rect in bodies.items() if number not in meant]
        found: list[list[int]] = []
        for number in sorted(set(meant) & set(bodies)):
            for run in reversed(found):
                area = _around([bodies[n] for n in (*run, number)])
                if not any(area.overlaps(other, 0.01) for other in others):
                    run.append(number)
                    break
            else:
                found.append([number])
        return found

    def _target(self, run: Sequence[int], bodies: Mapping[int, Rect]) -> Rect:
        """What is around boxes, with the frames in which they are alone."""
        area = _around([bodies[number] for number in run])
        for item in self.items:
            if isinstance(item, Box) and item.role == "frame":
                frame = box_rect(item)
                inside = {number for number, body in bodies.items() if frame.overlaps(body)}
                if inside and inside <= set(run):
                    area = _around([area, frame])
        return area

    # -- notes --

    def add(self, note: Note, run: Sequence[int]) -> bool:
        """Write a note beside boxes; whether there is a place for it."""
        lines = self._lines(note, run)
        wide = max(map(self.measured, lines))
        high = (len(lines) - 0.15) * _LEADING * self.size
        for is_leader in (True, False) if _is_leader(note, run) else (False,):
            places = list(self._places(run, (wide, high), is_leader))
            if places:
                best = min(places, key=lambda place: place.cost)
                self._write(best, run, lines, (wide, high), is_leader)
                return True
        return False

    def _lines(self, note: Note, run: Sequence[int]) -> list[str]:
        """The words, and of how many of the equal blocks in a box they are said, where that is not all."""
        meant, there = (sum(counts) for counts in zip(*(note.boxes[number] for number in run), strict=True))
        words = note.words if meant == there else f"{note.words} ({meant} of {there})"
        found: list[str] = []
        parts = words.split()
        most = max(_WRAP * self.size, *map(self.measured, parts), 0.0)
        for word in parts:
            longer = f"{found[-1]} {word}" if found else word
            if found and self.measured(longer) <= most:
                found[-1] = longer
            else:
                found.append(word)
        return found

    def _places(self, run: Sequence[int], size: Point, is_leader: bool) -> Iterator[_Place]:
        bodies, page = self.bodies() if is_leader else self.fronts(), self.bounds
        target, own = self._target(run, bodies), frozenset(run)
        things = list(self._things(bodies))
        has_braces = any(isinstance(item, Path) and item.role == "brace" for item in self.items)
        beside: tuple[Side, Side] = ("left", "right") if self.down else ("above", "below")
        for side in _SIDES:
            turned = [replace(thing, rect=_turned(thing.rect, side)) for thing in things]
            across, along = size if side in ("left", "right") else (size[1], size[0])
            spare = (
                self.room[0] - self.bounds.right + self.bounds.left,
                self.room[1] - self.bounds.bottom + self.bounds.top,
            )
            free = spare if side in ("left", "right") else (spare[1], spare[0])
            seen = _Side(side, turned, _turned(target, side), _turned(page, side), own, free)
            penalty = 0.0 if side in beside else _OVER if is_leader else _ACROSS_THE_WAY
            lined = [at for item in self.items if (at := _lined(item, side)) is not None]
            penalty += _OTHER_SIDE if has_braces and not lined else 0.0
            tip = _tip(self.items, run, side) if is_leader else None
            for place in seen.places(across, along, is_leader, lined, tip):
                yield replace(place, cost=place.cost + penalty)

    def _things(self, bodies: Mapping[int, Rect]) -> Iterator[_Thing]:
        for note, run in self.notes:
            rect = _around([_rect_of(item) for item in self.items[note]])
            yield _Thing(rect, "note")
            yield _Thing(_around([rect, *(bodies[number] for number in run)]), "tie")
        for item in self.items:
            if isinstance(item, Text):
                yield _Thing(text_area(item), "mark" if item.role == "note" else "text")
            elif isinstance(item, Polygon):
                yield _Thing(_rect(item), "volume", item.states.node if item.states else -1)
            elif isinstance(item, Path) and not item.states:  # a brace, a leader, the pattern of a box
                yield _Thing(_rect(item), "mark")
            elif isinstance(item, Path):
                way = points(item)
                for one, other in pairwise(way):
                    yield _Thing(_from_corners(one, other).shrunk(-0.4), "line")
            elif item.role in ("frame", "panel"):
                r = box_rect(item)
                for x in (r.left, r.right):
                    yield _Thing(Rect(x - 0.4, r.top, x + 0.4, r.bottom), "border")
                for y in (r.top, r.bottom):
                    yield _Thing(Rect(r.left, y - 0.4, r.right, y + 0.4), "border")
            else:
                yield _Thing(box_rect(item), "box", item.states.node if item.states else -1)

    # -- shapes --

    def _write(self, place: _Place, run: Sequence[int], lines: Sequence[str], size: Point, is_leader: bool) -> None:
        side, right = place.side, place.right
        if place.more:
            at = place.cut if side in ("left", "above") else -place.cut
            self._part(at, place.more, side in ("left", "right"))
            right += place.more if side in ("left", "above") else 0.0
        bodies = self.bodies() if is_leader else self.fronts()
        target = _turned(self._target(run, bodies), side)
        across = size[0] if side in ("left", "right") else size[1]
        middle = (target.top + target.bottom) / 2
        back = lambda p: _back(p, side)  # noqa: E731
        if is_leader:
            tip = _tip(self.items, run, side)
            level = middle if tip is None else tip
            level += place.level
            start, end = back((right + 1.5, level)), back((target.left, level))
            self.items.append(Path(start, ((end,),), "callout", arrow=False))
            near, middle = right, level
        else:
            self.items.append(_brace(right, target.top, target.bottom, back))
            near = right - _DEPTH - _GAP
        words = _from_corners(back((near - across, middle - 1)), back((near, middle + 1)))
        self._write_words(lines, words, side, size[1])
        added = slice(len(self.items) - len(lines) - 1, len(self.items))
        self.notes.append((added, run))
        self.bounds = _around([self.bounds, *map(_rect_of, self.items[added])])

    def _write_words(self, lines: Sequence[str], near: Rect, side: Side, high: float) -> None:
        """Lines of words around the middle of a place, towards the boxes."""
        anchor: Literal["start", "middle", "end"]
        x, anchor = (near.right, "end") if side == "left" else (near.left, "start")
        top = (near.top + near.bottom - high) / 2
        if side in ("above", "below"):
            x, anchor, top = (near.left + near.right) / 2, "middle", near.top
        for number, line in enumerate(lines):
            base = top + (0.76 + number * _LEADING) * self.size
            wide = round(self.measured(line), 3)
            self.items.append(Text(round(x, 3), round(base, 3), line, self.size, wide, anchor, role="note"))

    def _part(self, at: float, more: float, sideways: bool) -> None:
        """Move all that is beyond a place so much further; boxes that lie there are drawn as much larger."""
        low, high = (lambda r: r.left, lambda r: r.right) if sideways else (lambda r: r.top, lambda r: r.bottom)
        wider = [
            box_rect(item)
            for item in self.items
            if isinstance(item, Box)
            and item.role not in ("frame", "panel")
            and low(box_rect(item)) < at - 0.01
            and high(box_rect(item)) > at + 0.01
        ]

        def by(of: float) -> float:
            return more if of >= at - 1e-6 else 0.0

        def further(item: Item) -> Item:
            rect = _rect_of(item)
            if isinstance(item, Path) and item.states:
                return _moved(item, lambda p: (p[0] + by(p[0]), p[1]) if sideways else (p[0], p[1] + by(p[1])))
            if isinstance(item, Box) and low(rect) < at - 0.01 and high(rect) > at + 0.01:
                grown = item.width + more if sideways else item.height + more
                return replace(item, width=round(grown, 3)) if sideways else replace(item, height=round(grown, 3))
            centred = not item.role.endswith("-mark") and any(box.holds(rect, 0.6) for box in wider)
            step = more / 2 if centred else by(low(rect))
            return _moved(item, lambda p: (p[0] + step, p[1]) if sideways else (p[0], p[1] + step))

        self.items = [further(item) for item in self.items]
        b = self.bounds
        self.bounds = Rect(b.left, b.top, b.right + more * sideways, b.bottom + more * (not sideways))


class _Side:
    """What is at one side of boxes, turned so that it is the left."""

    def __init__(
        self,
        side: Side,
        things: Sequence[_Thing],
        target: Rect,
        page: Rect,
        own: frozenset[int],
        free: Point,
    ) -> None:
        """`free` is by how much the figure can grow across and along without harm."""
        self.side: Side = side
        self.things, self.target, self.page, self.own, self.free = things, target, page, own, free

    def places(
        self, across: float, along: float, is_leader: bool, lined: Sequence[float], tip: float | None
    ) -> Iterator[_Place]:
        """Where words so large can stand, nearest first."""
        target = self.target
        high = target.bottom - target.top
        first = (target.top + target.bottom) / 2 if tip is None else tip
        for level in (0.0, -0.25 * high, 0.25 * high) if is_leader and tip is None else (0.0,):
            middle = first + level
            words = (middle - along / 2 - _CLEAR, middle + along / 2 + _CLEAR)
            reach = (middle - 0.6, middle + 0.6) if is_leader else (target.top, target.bottom)
            yield from self._at_height(across, words, reach, level, is_leader, lined)

    def _at_height(
        self,
        across: float,
        words: tuple[float, float],
        reach: tuple[float, float],
        level: float,
        is_leader: bool,
        lined: Sequence[float],
    ) -> Iterator[_Place]:
        target = self.target
        depth = 0.0 if is_leader else _DEPTH + _GAP
        nearest = target.left - (_LEADER if is_leader else _GAP)
        apart = (t for t in self.things if t.kind not in ("note", "tie") and t.node not in self.own)
        before = [t for t in apart if t.rect.left < target.left - 0.01]
        on_way = [t for t in before if _meets(t.rect, reach) and not (is_leader and t.kind == "border")]
        near_words = [t for t in before if _meets(t.rect, words)]
        least = max((t.rect.right for t in before if t.node >= 0 and _meets(t.rect, reach)), default=-inf)
        if is_leader:  # which passes nothing
            least = max((t.rect.right for t in on_way), default=-inf)
        edges = {t.rect.left - _CLEAR for t in (*on_way, *near_words)} | set(lined)
        candidates = sorted((e for e in {nearest, *edges} if least < e <= nearest), reverse=True)[:_MOST_PLACES]
        # Where words or a brace are to stand, and from where on what stands there moves aside.
        ways = [(right, right) for right in candidates] + ([(nearest, target.left)] if is_leader else [])
        for right, aside in ways:
            if any(t.rect.left < aside < t.rect.right for t in (*on_way, *near_words)):
                continue
            marks = max((t.rect.right for t in on_way if t.rect.left < aside), default=-inf)
            texts = max((t.rect.right for t in near_words if t.rect.left < aside), default=-inf)
            missing = max(0.0, depth + _CLEAR - (right - marks), depth + across + _OUTSIDE - (right - texts))
            passed = sum(t.rect.left >= right and t.kind in ("line", "text") for t in on_way)
            cut, cost = 0.0, 0.3 * (target.left - right) + _PASSED * min(passed, 4)
            if missing:
                found = self._cut(max(marks, texts), aside)
                if found is None:
                    continue
                cut, wider = found
                cost += wider
            beyond = max(0.0, self.page.left - (right - depth - across)) if not missing else 0.0
            beside = max(0.0, self.page.top - words[0]) + max(0.0, words[1] - self.page.bottom)
            grows = zip((missing + beyond, beside), self.free, strict=True)
            cost += sum(_GROWTH * more + _OVERFLOW * max(0.0, more - free) for more, free in grows)
            cost -= _IN_LINE if right in lined else 0.0
            yield _Place(cost, self.side, right, level, cut, missing)

    def _cut(self, low: float, high: float) -> tuple[float, float] | None:
        """Where the figure can part between two places, and at what cost."""
        if low > high + 0.01:
            return None
        solid = [t for t in self.things if t.kind in ("box", "volume", "text", "mark", "note") or _is_bent(t)]
        ties = [t for t in self.things if t.kind == "tie"]
        edges = {e for t in solid for e in (t.rect.left - 0.05, t.rect.right + 0.05) if low < e < high}
        best: tuple[float, float] | None = None
        for at in sorted({high, low + 0.05, *edges} - {-inf}, reverse=True)[:_MOST_PLACES]:
            struck = [t for t in solid if t.rect.left + 0.01 < at < t.rect.right - 0.01]
            apart = _APART * any(t.rect.left + 0.01 < at < t.rect.right - 0.01 for t in ties)
            if not struck and not apart:
                return at, 0.0
            boxes = [t for t in struck if t.kind == "box"]
            if all(t.kind == "box" or any(b.rect.holds(t.rect, 0.6) for b in boxes) for t in struck):
                cost = _WIDENED * sum(b.node >= 0 for b in boxes) + apart
                if self.own.isdisjoint(b.node for b in boxes) and (best is None or cost < best[1]):
                    best = at, cost
        return best


# -- geometry ---------------------------------------------------------------------------------------------------------

_SIDES: tuple[Side, ...] = ("left", "right", "above", "below")


def _turn(p: Point, side: Side) -> Point:
    """A point, turned so that this side is the left."""
    x, y = p
    return {"left": (x, y), "right": (-x, y), "above": (y, x), "below": (-y, x)}[side]


def _back(p: Point, side: Side) -> Point:
    x, y = p
    found = {"left": (x, y), "right": (-x, y), "above": (y, x), "below": (y, -x)}[side]
    return round(found[0], 3), round(found[1], 3)


def _turned(rect: Rect, side: Side) -> Rect:
    return _from_corners(_turn((rect.left, rect.top), side), _turn((rect.right, rect.bottom), side))


def _from_corners(one: Point, other: Point) -> Rect:
    (ax, ay), (bx, by) = one, other
    return Rect(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))


def _brace(right: float, top: float, bottom: float, back: Callable[[Point], Point]) -> Path:
    """A curly brace that opens to the right, its tip at the left, in the middle."""
    middle, half, tip = (top + bottom) / 2, right - _DEPTH / 2, right - _DEPTH
    r = min(_DEPTH * 0.7, (bottom - top) / 4)

    def curve(one: Point, other: Point, end: Point) -> tuple[Point, Point, Point]:
        return back(one), back(other), back(end)

    return Path(
        back((right, top)),
        (
            curve((half, top), (half, top), (half, top + r)),
            (back((half, middle - r)),),
            curve((half, middle), (half, middle), (tip, middle)),
            curve((half, middle), (half, middle), (half, middle + r)),
            (back((half, bottom - r)),),
            curve((half, bottom), (half, bottom), (right, bottom)),
        ),
        "brace",
        arrow=False,
    )


def _tip(items: Sequence[Item], run: Sequence[int], side: Side) -> float | None:
    """Where a leader meets a volume: in the middle of what it has furthest out; None for a box."""
    corners = [
        _turn(p, side)
        for item in items
        if isinstance(item, Polygon) and item.states is not None and item.states.node in run
        for p in item.points
    ]
    if not corners:
        return None
    outermost = min(x for x, _ in corners)
    heights = [y for x, y in corners if x < outermost + 0.5]
    return (min(heights) + max(heights)) / 2


def _lined(item: Item, side: Side) -> float | None:
    """Where a brace at that side stands, so that others can stand in line with it."""
    if not isinstance(item, Path) or item.role != "brace":
        return None
    (start, _), (tip, _), (end, _) = (_turn(p, side) for p in (item.start, item.steps[2][-1], item.steps[-1][-1]))
    return start if abs(start - end) < 0.01 and tip < start - 0.01 else None


def _meets(rect: Rect, reach: tuple[float, float]) -> bool:
    return rect.top < reach[1] and reach[0] < rect.bottom


def _is_bent(thing: _Thing) -> bool:
    """Whether it is a piece of a curve or of a line that goes askew."""
    wide, high = thing.rect.right - thing.rect.left, thing.rect.bottom - thing.rect.top
    return thing.kind == "line" and wide > 1.0 and high > 1.0


def _rect_of(item: Item) -> Rect:
    if isinstance(item, Text):
        return text_area(item)
    return _rect(item)


def _rect(item: Box | Polygon | Path) -> Rect:
    if isinstance(item, Box):
        return box_rect(item)
    way = item.points if isinstance(item, Polygon) else points(item)
    xs, ys = [x for x, _ in way] or [0.0], [y for _, y in way] or [0.0]
    return Rect(min(xs), min(ys), max(xs), max(ys))


def _around(rects: Sequence[Rect]) -> Rect:
    return Rect(
        min(r.left for r in rects),
        min(r.top for r in rects),
        max(r.right for r in rects),
        max(r.bottom for r in rects),
    )


def _moved(item: Item, to: Callable[[Point], Point]) -> Item:
    """The same shape with its points elsewhere."""

    def at(p: Point) -> Point:
        x, y = to(p)
        return round(x, 3), round(y, 3)

    if isinstance(item, Polygon):
        return replace(item, points=tuple(map(at, item.points)))
    if isinstance(item, Path):
        steps = tuple(tuple(map(at, step)) for step in item.steps)
        return replace(item, start=at(item.start), steps=steps)  # type: ignore[arg-type]
    x, y = at((item.x, item.y))
    return replace(item, x=x, y=y)
