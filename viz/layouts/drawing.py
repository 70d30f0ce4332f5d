"""From places to shapes: boxes with their stripes and text, lines with round corners, frames with titles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import hypot

from ..scene import Box, Item, Path, Point, Polygon, Stated, Text
from ..symbols import symbol_items
from ..theme import Paint, Theme, contrast
from .box_text import STACK, STRIPE, Card, Type
from .geometry import Line, Outline, Piece, Placed

_RADIUS = 4.0  # of the corners of lines
_CAP = 0.36  # half of how high letters stand: this far under a middle they look centred on it


def drawn(
    piece: Piece,
    cards: Sequence[Card],
    names: Sequence[str],
    type: Type,
    theme: Theme,
    roles: Sequence[str],
    direction: str = "TB",
) -> Iterator[Item]:
    """The shapes of a layout; `roles` say what looks its boxes have. Cards under a box look out where it leads on."""
    out = {"BT": (STACK, -STACK), "RL": (-STACK, STACK)}.get(direction, (STACK, STACK))
    yield from frames_and_lines(piece, type)
    for number, place in sorted(piece.boxes.items()):
        states = Stated(number, -1, cards[number].content.repeats, cards[number].content.symbol)
        yield from box(cards[number], place, theme, roles[number], names[number], type, states, out)
    for label in piece.labels:
        at = _point((label.x, label.y + type.edge * _CAP))
        yield Text(*at, label.text, type.edge, label.width, role="edge")
    for connector in piece.connectors:
        x, y = connector.middle
        yield _box(Placed(x - connector.width / 2, y - 4, connector.width, 8), "tag", 4)
        wide = type.width(connector.letters, type.edge)
        yield Text(*_point((x, y + type.edge * _CAP)), connector.letters, type.edge, _short(wide), "middle")


def frames_and_lines(piece: Piece, type: Type) -> Iterator[Item]:
    """What lies below the boxes."""
    for outline in sorted(piece.outlines, key=lambda o: o.depth):
        yield _box(outline.place, "frame", 3, states=Stated(-1, outline.frame, outline.repeats))
        x, base = outline.place.x + 4 + outline.shift, outline.place.y + 2.5 + type.text
        if outline.title:
            wide = type.width(outline.title, type.text, True)
            yield Text(*_point((x, base)), outline.title, type.text, _short(wide), bold=True, role="muted")
            x += wide + 3.5
        if outline.repeats > 1:
            yield from badge(f"×{outline.repeats}", type, x, base)
    for line in piece.lines:
        yield path(line)


def title_width(title: str, repeats: int, type: Type) -> float:
    """How wide the title of a frame is."""
    badge = type.width(f"×{repeats}", type.text, True) + 5 if repeats > 1 else 0.0
    return 4 + (type.width(title, type.text, True) if title else 0.0) + (badge + 3.5 if badge else 0.0)


def title_area(outline: Outline, type: Type, direction: str) -> Placed:
    """Where the title of a frame stands before the piece is turned."""
    wide, tall = title_width(outline.title, outline.repeats, type), type.text * 1.2 + 3
    place, shift = outline.place, outline.shift
    if direction in ("TB", "BT"):
        return Placed(place.x + shift, place.y if direction == "TB" else place.bottom - tall, wide, tall)
    return Placed(place.x, place.y + shift if direction == "LR" else place.bottom - shift - wide, tall, wide)


def badge(text: str, type: Type, x: float, baseline: float) -> Iterator[Item]:
    """How many times something occurs."""
    wide = type.width(text, type.text, True)
    yield from _pill(Text(x + 2.5, baseline, text, type.text, wide, bold=True, role="badge-text"), "badge")


def _pill(text: Text, face: str) -> Iterator[Item]:
    """A short text in a box with round ends."""
    high = text.size + 1.6
    top = text.y - text.size * _CAP - high / 2
    yield _box(Placed(text.x - 2.5, top, text.width + 5, high), face, _short(high / 2))
    yield replace(text, x=_short(text.x), y=_short(text.y), width=_short(text.width))


# -- boxes ------------------------------------------------------------------------------------------------------------


def box(
    card: Card,
    place: Placed,
    theme: Theme,
    role: str,
    name: str,
    type: Type,
    states: Stated | None = None,
    out: Point = (STACK, STACK),
) -> Iterator[Item]:
    """A box with what stands in it: under it the cards of those it stands for, at its left edge its stripe."""
    paint = theme.paint(role)
    radius = 4.0 if paint.border == "rounded" else 1.5
    for share in (1.0, 0.5) if card.content.repeats > 1 else ():
        yield _box(replace(place, x=place.x + out[0] * share, y=place.y + out[1] * share), role, radius)
    yield _box(place, role, radius, name, card.content.title, states)
    yield from stripe(place, paint.stripe, f"{role}-mark", radius)
    middle, down = place.middle[0], place.y + (place.height - card.height) / 2
    if card.sign is not None:
        x, y = card.sign
        yield from sign(card.content.symbol, (middle + x, down + y), role, type)
    for line in card.lines:
        x, y = _point((middle + line.x, down + line.y))
        yield replace(line, x=x, y=y, width=_short(line.width), role=_legible(line.role, paint, theme))
    for mark in card.marks:
        face, ink = ("badge", "badge-text") if mark.bold else ("tag", "text")
        yield from _pill(replace(mark, x=middle + mark.x, y=down + mark.y, role=ink), face)


_LEGIBLE = 4.5  # the least contrast of text


def _legible(role: str, paint: Paint, theme: Theme) -> str:
    """The role of a text on a face of that look: where neither it nor the usual text can be read there, the inverse."""
    if paint.fill == "none" or contrast(theme.paint(role).line, paint.fill) >= _LEGIBLE:
        return role
    return max((role, "text", "inverse"), key=lambda each: contrast(theme.paint(each).line, paint.fill))


def sign(symbol: str, middle: Point, role: str, type: Type) -> Iterator[Item]:
    """The sign of what joins several tensors, in the stronger look of its role."""
    measured = lambda text: type.width(text, type.text)  # noqa: E731
    yield from symbol_items(symbol, middle, type.sign, f"{role}-volume", size=type.text, measured=measured)


def _box(place: Placed, role: str, radius: float, name: str = "", title: str = "", states: Stated | None = None) -> Box:
    x, y, width, height = map(_short, (place.x, place.y, place.width, place.height))
    return Box(x, y, width, height, role, radius, name, title, states)


def stripe(place: Placed, pattern: str, role: str, radius: float = 0.0) -> Iterator[Item]:
    """The pattern at the left edge of a box, which shows its kind without colour."""
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


def path(line: Line, radius: float = _RADIUS) -> Path:
    """A line as a path: right-angled corners rounded, curves as they are."""
    points = [_point(point) for point in line.points]
    if line.curved:
        rest = points[1:]
        steps = tuple((rest[i], rest[i + 1], rest[i + 2]) for i in range(0, len(rest) - 2, 3))
        return Path(points[0], steps, line.role, line.arrow, line.states)
    return Path(points[0], tuple(_rounded(_plain(points), radius)), line.role, line.arrow, line.states)


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
