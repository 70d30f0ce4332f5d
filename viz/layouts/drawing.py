"""From places to shapes: boxes with their stripes and text, lines with round corners, frames with titles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import hypot
from typing import Literal

from ..scene import Box, Item, Path, Point, Polygon, Text
from ..theme import Theme
from .box_text import STACK, STRIPE, Card, Type
from .box_text import Line as CardLine
from .geometry import Connector, Label, Line, Outline, Piece, Placed

_RADIUS = 4.0  # of the corners of lines
_CAP = 0.36  # half of how high letters stand: this far under a middle they look centred on it


@dataclass(slots=True)
class Geometry:
    """Everything in its place, in points from the upper left corner: what a layout gives."""

    width: float
    height: float
    boxes: dict[int, Placed] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    outlines: list[Outline] = field(default_factory=list)
    connectors: list[Connector] = field(default_factory=list)


def turned(piece: Piece, direction: str) -> Geometry:
    """A piece that runs from the top down, in the direction asked for, with its upper left corner at (0, 0)."""
    across, along = piece.width, piece.height

    def point(p: Point) -> Point:
        x, y = p[0] + piece.left, p[1]
        if direction in ("BT", "RL"):
            y = along - y
        return (x, y) if direction in ("TB", "BT") else (y, x)

    def place(b: Placed) -> Placed:
        (x0, y0), (x1, y1) = point((b.x, b.y)), point((b.right, b.bottom))
        return Placed(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0))

    width, height = (across, along) if direction in ("TB", "BT") else (along, across)
    return Geometry(
        width,
        height,
        {number: place(box) for number, box in piece.boxes.items()},
        [replace(line, points=tuple(map(point, line.points))) for line in piece.lines],
        [replace(label, x=point((label.x, label.y))[0], y=point((label.x, label.y))[1]) for label in piece.labels],
        [replace(outline, place=place(outline.place)) for outline in piece.outlines],
        [replace(c, middle=point(c.middle)) for c in piece.connectors],
    )


def drawn(
    geometry: Geometry,
    cards: Sequence[Card],
    names: Sequence[str],
    type: Type,
    theme: Theme,
    at: Point = (0.0, 0.0),
    roles: Callable[[int], str] | None = None,
    boxes: bool = True,
) -> Iterator[Item]:
    """The shapes of a layout, moved to a place; `roles` may give a box a look of its own, `boxes` leave all out."""
    x, y = at
    for outline in sorted(geometry.outlines, key=lambda o: o.depth):
        yield from _outline(outline, type, x, y)
    for line in geometry.lines:
        yield path(line, x, y)
    for number, place in sorted(geometry.boxes.items()) if boxes else ():
        role = roles(number) if roles else cards[number].content.role
        yield from box(cards[number], _moved(place, x, y), theme, role, names[number])
    for label in geometry.labels:
        yield Text(
            _short(label.x + x), _short(label.y + y + type.edge * _CAP), label.text, type.edge, label.width, role="edge"
        )
    for connector in geometry.connectors:
        cx, cy = connector.middle[0] + x, connector.middle[1] + y
        yield Box(_short(cx - connector.width / 2), _short(cy - 4), _short(connector.width), 8, "tag", 4)
        wide = type.width(connector.letters, type.edge)
        yield Text(_short(cx), _short(cy + type.edge * _CAP), connector.letters, type.edge, _short(wide), "middle")


def _moved(place: Placed, x: float, y: float) -> Placed:
    return Placed(place.x + x, place.y + y, place.width, place.height)


def _outline(outline: Outline, type: Type, x: float, y: float) -> Iterator[Item]:
    place = _moved(outline.place, x, y)
    yield Box(_short(place.x), _short(place.y), _short(place.width), _short(place.height), "frame", 3)
    base, wide = place.y + 2.5 + type.text, 0.0
    if outline.title:
        wide = type.width(outline.title, type.text, True)
        yield Text(_short(place.x + 4), _short(base), outline.title, type.text, _short(wide), bold=True, role="muted")
    if outline.repeats > 1:
        text = f"×{outline.repeats}"
        line = CardLine(0.0, 0.0, text, type.text, type.width(text, type.text, True), True)
        yield from pill(line, place.x + 4 + (wide + 3.5 if wide else 0.0), base, "badge", "badge-text")


def title_width(title: str, repeats: int, type: Type) -> float:
    """How much room the title of a frame takes at its upper edge."""
    badge = type.width(f"×{repeats}", type.text, True) + 5 if repeats > 1 else 0.0
    return 4 + (type.width(title, type.text, True) if title else 0.0) + (badge + 3.5 if badge else 0.0)


def pill(line: CardLine, x: float, baseline: float, face: str, ink: str) -> Iterator[Item]:
    """A short text in a box with round ends."""
    high = line.size + 1.6
    top = baseline - line.size * _CAP - high / 2
    yield Box(_short(x), _short(top), _short(line.width + 5), _short(high), face, _short(high / 2))
    yield Text(_short(x + 2.5), _short(baseline), line.text, line.size, _short(line.width), "start", line.bold, ink)


# -- boxes ------------------------------------------------------------------------------------------------------------


def box(card: Card, place: Placed, theme: Theme, role: str, name: str) -> Iterator[Item]:
    """A box with what stands in it: behind it the cards of those it stands for, at its left edge its stripe."""
    paint = theme.paint(role)
    radius = 4.0 if paint.border == "rounded" else 1.5
    content = card.content
    if content.repeats > 1:
        for step in (2, 1):
            out = STACK * step / 2
            yield Box(
                _short(place.x + out), _short(place.y + out), _short(place.width), _short(place.height), role, radius
            )
    yield Box(
        _short(place.x), _short(place.y), _short(place.width), _short(place.height), role, radius, name, content.title
    )
    yield from stripe(place, paint.stripe, f"{role}-mark", radius)
    down = (place.height - card.height) / 2
    for line in card.lines:
        yield _text(line, place, down)
    for mark in card.marks:
        face, ink = ("badge", "badge-text") if mark.bold else ("tag", "text")
        yield from pill(mark, place.x + mark.x - 2.5, place.y + down + mark.y, face, ink)


def _text(line: CardLine, place: Placed, down: float) -> Text:
    x = place.right - line.x if line.right else place.x + line.x
    anchor: Literal["start", "end"] = "end" if line.right else "start"
    y = place.y + down + line.y
    return Text(_short(x), _short(y), line.text, line.size, _short(line.width), anchor, line.bold, line.role)


def stripe(place: Placed, pattern: str, role: str, radius: float = 0.0) -> Iterator[Item]:
    """The pattern at the left edge of a box, which tells its kind without colour."""
    if not pattern:
        return
    inset = 0.9
    x, wide = place.x + inset, STRIPE - 0.8
    top, bottom = place.y + max(inset, radius * 0.5), place.bottom - max(inset, radius * 0.5)
    high = bottom - top

    def bar(bx: float, by: float, bw: float, bh: float) -> Polygon:
        corners = ((bx, by), (bx + bw, by), (bx + bw, by + bh), (bx, by + bh))
        return Polygon(tuple((_short(px), _short(py)) for px, py in corners), role)

    def zigzag(phase: int) -> Path:
        count = max(2, round(high / 3.2))
        step = high / count
        points = [(x + wide * ((i + phase) % 2), top + i * step) for i in range(count + 1)]
        return Path(_point(points[0]), tuple((_point(p),) for p in points[1:]), role, False)

    if pattern == "bars":
        count = max(2, round(high / 3.2))
        for i in range(count):
            yield bar(x, top + i * high / count + high / count * 0.25, wide, high / count * 0.45)
    elif pattern == "rails":
        yield bar(x, top, 1.0, high)
        yield bar(x + wide - 1.0, top, 1.0, high)
    elif pattern == "dots":
        count = max(2, round(high / 3.6))
        for i in range(count):
            yield bar(x + wide / 2 - 0.6, top + (i + 0.5) * high / count - 0.6, 1.2, 1.2)
    elif pattern == "zigzag":
        yield zigzag(0)
    elif pattern == "cross":
        yield zigzag(0)
        yield zigzag(1)
    else:
        yield bar(x, top, wide, high)


# -- lines ------------------------------------------------------------------------------------------------------------


def path(line: Line, x: float = 0.0, y: float = 0.0, radius: float = _RADIUS) -> Path:
    """A line as a path: right-angled corners rounded, curves as they are."""
    points = [_point((px + x, py + y)) for px, py in line.points]
    if line.curved:
        rest = points[1:]
        steps = tuple((rest[i], rest[i + 1], rest[i + 2]) for i in range(0, len(rest) - 2, 3))
        return Path(points[0], steps, line.role, line.arrow)
    return Path(points[0], tuple(_rounded(_plain(points), radius)), line.role, line.arrow)


def _plain(points: Sequence[Point]) -> list[Point]:
    """Without points that stand still, or on the straight way between others."""
    found: list[Point] = []
    for point in points:
        if found and hypot(point[0] - found[-1][0], point[1] - found[-1][1]) < 0.01:
            continue
        if len(found) > 1:
            (ax, ay), (bx, by) = found[-2:]
            if abs((bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax)) < 1e-6:
                found.pop()
        found.append(point)
    return found


def _rounded(points: Sequence[Point], most: float) -> Iterator[tuple[Point] | tuple[Point, Point, Point]]:
    lengths = [hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points)]
    for i, corner in enumerate(points[1:-1], 1):
        radius = min(most, lengths[i - 1] / 2, lengths[i] / 2)
        before, after = _towards(corner, points[i - 1], radius), _towards(corner, points[i + 1], radius)
        near = 0.448  # of the radius: where a cubic curve makes a quarter of a circle
        yield (before,)
        yield (_towards(corner, before, radius * near), _towards(corner, after, radius * near), after)
    yield (points[-1],)


def _towards(start: Point, end: Point, far: float) -> Point:
    long = hypot(end[0] - start[0], end[1] - start[1]) or 1.0
    return _point((start[0] + (end[0] - start[0]) * far / long, start[1] + (end[1] - start[1]) * far / long))


def _point(point: Point) -> Point:
    return _short(point[0]), _short(point[1])


def _short(value: float) -> float:
    return round(value, 3) + 0.0


def extent(items: Iterable[Item]) -> tuple[float, float]:
    """How far to the right and down shapes reach."""
    right = bottom = 0.0
    for item in items:
        if isinstance(item, Box):
            right, bottom = max(right, item.x + item.width), max(bottom, item.y + item.height)
    return right, bottom
