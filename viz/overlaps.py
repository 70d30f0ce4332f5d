"""Which things of a figure lie on each other that should not, found from its geometry alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

from .rectangles import Rect
from .scene import Box, Path, Point, Polygon, Scene, Text

_TOUCH = 0.4  # points: so far two things may reach into one another
_TAGS = frozenset({"badge", "tag"})
_CLEAR = 0.3  # points: so far the box of a mark is at least from the texts around it
_SURFACES = frozenset({"frame", "panel"})


@dataclass(frozen=True)
class _Body:
    """What must stay free: a box, or one volume, as a convex polygon."""

    name: str
    corners: tuple[Point, ...]
    symbol: bool = False  # whether that of its operation is written on it

    @cached_property
    def rect(self) -> Rect:
        xs, ys = [x for x, _ in self.corners], [y for _, y in self.corners]
        return Rect(min(xs), min(ys), max(xs), max(ys))

    @cached_property
    def sides(self) -> list[tuple[Point, Point]]:
        """Anticlockwise by `_turn`, as the corners are."""
        area = sum(a[0] * b[1] - a[1] * b[0] for a, b in pairwise([*self.corners, self.corners[0]]))
        around = list(self.corners) if area > 0 else list(reversed(self.corners))
        return list(pairwise([*around, around[0]]))


def overlaps(scene: Scene) -> list[str]:
    """Every pair of things that overlap and are not meant to, in words; none in a figure as it should be.

    Boxes and volumes keep apart from each other, from texts that are not theirs and from lines that do not end at them;
    no text lies on another text, across the border of a frame, or under a line; frames are inside one another or apart,
    and so are frames and boxes; lines of different ends do not run on top of each other, nor along a frame's border.
    """
    texts = [(item, text_area(item)) for item in scene.items if isinstance(item, Text)]
    lines = [(item, points(item)) for item in scene.items if isinstance(item, Path) and _is_line(item)]
    boxes = [item for item in scene.items if isinstance(item, Box)]
    bodies = [_Body(b.name, _corners(box_rect(b))) for b in boxes if b.name]
    tags = [_Body(b.role, _corners(box_rect(b))) for b in boxes if b.role == "tag" and _is_apart(b, bodies)]
    frames = [(b.title or "frame", box_rect(b)) for b in boxes if b.role in _SURFACES]
    volumes = _volumes(scene)
    return [
        *(f"{a.name} lies on {b.name}" for a, b in combinations([*bodies, *tags], 2) if a.rect.overlaps(b.rect, 0.01)),
        *_on_texts(texts, [*bodies, *volumes], tags),
        *_near_marks(texts, [box_rect(b) for b in boxes if b.role in _TAGS]),
        *_at_frames(frames, bodies, texts),
        *_under_lines(lines, [*bodies, *tags], volumes, texts),
        *_along(lines, frames),
        *_off_the_page(scene, texts, lines, boxes),
    ]


def box_rect(box: Box) -> Rect:
    return Rect(box.x, box.y, box.x + box.width, box.y + box.height)


_ON_A_CURVE = 6


def points(path: Path) -> list[Point]:
    """A line as short straight steps."""
    found = [path.start]
    for step in path.steps:
        if len(step) == 1:
            found.append(step[0])
            continue
        (ax, ay), ((bx, by), (cx, cy), (dx, dy)) = found[-1], step
        for i in range(1, _ON_A_CURVE + 1):
            t, u = i / _ON_A_CURVE, 1 - i / _ON_A_CURVE
            a, b, c, d = u**3, 3 * u * u * t, 3 * u * t * t, t**3
            found.append((a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy))
    return found


def crosses(way: Sequence[Point], rect: Rect) -> bool:
    """Whether a line has a point inside a rectangle (Liang and Barsky's clipping)."""
    for (ax, ay), (bx, by) in pairwise(way):
        low, high = 0.0, 1.0
        for start, step, least, most in ((ax, bx - ax, rect.left, rect.right), (ay, by - ay, rect.top, rect.bottom)):
            if step == 0:
                if not least < start < most:
                    break
                continue
            first, last = sorted(((least - start) / step, (most - start) / step))
            low, high = max(low, first), min(high, last)
        else:
            if low < high:
                return True
    return False


def text_area(text: Text) -> Rect:
    """Where its letters stand."""
    left = text.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor] * text.width
    return Rect(left, text.y - 0.73 * text.size, left + text.width, text.y + 0.2 * text.size)


def _corners(r: Rect) -> tuple[Point, ...]:
    return (r.left, r.top), (r.right, r.top), (r.right, r.bottom), (r.left, r.bottom)


def _is_apart(tag: Box, bodies: Sequence[_Body]) -> bool:
    return not any(body.rect.holds(box_rect(tag), 0.6) for body in bodies)


def _is_line(item: Path) -> bool:
    return not item.role.endswith(("-mark", "-volume"))


def _volumes(scene: Scene) -> list[_Body]:
    """The outline of each volume: its front, and as far behind it as its depth reaches."""
    found: list[_Body] = []
    faces = list[Polygon]()
    for item in [*scene.items, None]:
        if isinstance(item, Polygon) and item.role.endswith("-volume") and not item.name:
            faces.append(item)
            continue
        if faces and faces[0].name:
            states = faces[0].states
            corners = _hull([p for face in faces for p in face.points])
            found.append(_Body(faces[0].name, corners, states is not None and bool(states.symbol)))
        faces = [item] if isinstance(item, Polygon) else []
    return found


def _hull(points: Iterable[Point]) -> tuple[Point, ...]:
    """The convex hull (Andrew's monotone chain)."""
    ordered = sorted(set(points))

    def half(way: Iterable[Point]) -> list[Point]:
        found: list[Point] = []
        for p in way:
            while len(found) > 1 and _turn(found[-2], found[-1], p) <= 0:
                found.pop()
            found.append(p)
        return found[:-1]

    return (*half(ordered), *half(reversed(ordered)))


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _inside(body: _Body, rect: Rect) -> bool:
    """Whether a rectangle reaches into a convex body (separating axes)."""
    if not body.rect.overlaps(rect, _TOUCH):
        return False
    small = rect.shrunk(_TOUCH / 2)
    return not any(all(_turn(a, b, p) <= 0 for p in _corners(small)) for a, b in body.sides)


def _on_texts(texts: Sequence[tuple[Text, Rect]], bodies: Sequence[_Body], tags: Sequence[_Body]) -> Iterator[str]:
    ordered = sorted(texts, key=lambda pair: pair[1].top)
    for i, (a, one) in enumerate(ordered):
        for b, other in ordered[i + 1 :]:
            if other.top > one.bottom:
                break
            if one.overlaps(other, 0.3):
                yield f"{a.text!r} lies on {b.text!r}"
    for text, rect in texts:
        for body in [*bodies, *tags]:
            if body.symbol and body.rect.holds(rect, 0.6):
                continue
            if _inside(body, rect) and not body.rect.holds(rect, 0.6):
                yield f"{text.text!r} lies across the edge of {body.name}"
            elif len(body.corners) > 4 and _inside(body, rect):
                yield f"{text.text!r} lies on the volume {body.name}"


def _near_marks(texts: Sequence[tuple[Text, Rect]], marks: Sequence[Rect]) -> Iterator[str]:
    """Texts that the box of a mark touches."""
    for text, rect in texts:
        for mark in marks:
            if mark.shrunk(-_CLEAR).overlaps(rect) and not mark.holds(rect, 0.6):
                yield f"{text.text!r} touches a mark"


def _at_frames(
    frames: Sequence[tuple[str, Rect]], bodies: Sequence[_Body], texts: Sequence[tuple[Text, Rect]]
) -> Iterator[str]:
    for i, (title, frame) in enumerate(frames):
        for other, rect in [*frames[i + 1 :], *((b.name, b.rect) for b in bodies)]:
            if frame.overlaps(rect, 0.01) and not frame.holds(rect, 0.01) and not rect.holds(frame, 0.01):
                yield f"{other} lies across the border of the frame {title}"
        for text, rect in texts:
            if frame.overlaps(rect, 0.3) and not frame.holds(rect, 0.3):
                yield f"{text.text!r} lies across the border of the frame {title}"


def _under_lines(
    lines: Sequence[tuple[Path, list[Point]]],
    boxes: Sequence[_Body],
    volumes: Sequence[_Body],
    texts: Sequence[tuple[Text, Rect]],
) -> Iterator[str]:
    for line, way in lines:
        xs, ys = [x for x, _ in way], [y for _, y in way]
        area = Rect(min(xs) - 1, min(ys) - 1, max(xs) + 1, max(ys) + 1)
        for body in boxes:
            if area.overlaps(body.rect) and crosses(way, body.rect.shrunk(0.8)):
                yield f"a {line.role} runs through {body.name}"
        for body in volumes:
            if area.overlaps(body.rect) and _passes(way, body):
                yield f"a {line.role} runs through the volume {body.name}"
        for text, rect in texts:
            if area.overlaps(rect) and crosses(way, rect.shrunk(_TOUCH)):
                yield f"a {line.role} runs through {text.text!r}"


def _passes(way: Sequence[Point], body: _Body) -> bool:
    """Whether a line runs through a volume at which it neither begins nor ends."""
    near = body.rect.shrunk(-1)
    if any(near.left <= x <= near.right and near.top <= y <= near.bottom for x, y in (way[0], way[-1])):
        return False
    for (ax, ay), (bx, by) in pairwise(way):
        steps = max(1, int((abs(bx - ax) + abs(by - ay)) / 1.5))
        for i in range(steps + 1):
            p = (ax + (bx - ax) * i / steps, ay + (by - ay) * i / steps)
            if body.rect.left < p[0] < body.rect.right and all(
                _turn(a, b, p) > 0.5 * (abs(b[0] - a[0]) + abs(b[1] - a[1])) for a, b in body.sides
            ):
                return True
    return False


def _along(lines: Sequence[tuple[Path, list[Point]]], frames: Sequence[tuple[str, Rect]]) -> Iterator[str]:
    """Lines of different ends on top of each other, and lines on the border of a frame."""
    upright: list[tuple[float, float, float, int]] = []
    level: list[tuple[float, float, float, int]] = []
    for number, (line, _) in enumerate(lines):
        corners = [line.start, *(step[-1] for step in line.steps)]
        for (ax, ay), (bx, by) in pairwise(corners):
            if abs(ax - bx) < 0.05 and abs(ay - by) > 1:
                upright.append((ax, min(ay, by), max(ay, by), number))
            elif abs(ay - by) < 0.05 and abs(ax - bx) > 1:
                level.append((ay, min(ax, bx), max(ax, bx), number))
    sides = [(x, r.top, r.bottom, title) for title, r in frames for x in (r.left, r.right)]
    flats = [(y, r.left, r.right, title) for title, r in frames for y in (r.top, r.bottom)]
    found: set[str] = set()
    for stretches, borders in ((upright, sides), (level, flats)):
        ordered = sorted(stretches)
        for i, (at, low, high, number) in enumerate(ordered):
            for other_at, other_low, other_high, other in ordered[i + 1 :]:
                if other_at - at > 0.8:
                    break
                together = min(high, other_high) - max(low, other_low)
                if together > 1.5 and number != other and not _related(lines[number][0], lines[other][0]):
                    roles = lines[number][0].role, lines[other][0].role
                    found.add(f"a {roles[0]} runs along a {roles[1]} at {at:.0f}, {max(low, other_low):.0f}")
        for at, low, high, number in stretches:
            for border, first, last, title in borders:
                if abs(border - at) < 0.8 and min(high, last) - max(low, first) > 1.5:
                    found.add(f"a {lines[number][0].role} runs along the border of the frame {title}")
    yield from sorted(found)


def _related(one: Path, other: Path) -> bool:
    """Whether two lines bring one tensor, or end at one place, so that they part or come together."""
    if {(t.source, t.source_port) for t in one.states} & {(t.source, t.source_port) for t in other.states}:
        return True
    (ax, ay), (bx, by) = one.steps[-1][-1], other.steps[-1][-1]
    return abs(ax - bx) < 0.5 and abs(ay - by) < 0.5


def _off_the_page(
    scene: Scene,
    texts: Sequence[tuple[Text, Rect]],
    lines: Sequence[tuple[Path, list[Point]]],
    boxes: Sequence[Box],
) -> Iterator[str]:
    page = Rect(0, 0, scene.width, scene.height)
    for text, rect in texts:
        if not page.holds(rect, 0.3):
            yield f"{text.text!r} is off the page"
    for line, way in lines:
        if any(not page.holds(Rect(x, y, x, y), 0.3) for x, y in way):
            yield f"a {line.role} is off the page"
    for box in boxes:
        if not page.holds(box_rect(box), 0.01):
            yield f"{box.name or box.role} is off the page"
