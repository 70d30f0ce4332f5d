"""What backends share: a scene in outlines and letters, with every look, length and direction worked out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import hypot

from ..fonts import Face, printable
from ..scene import Box, Item, Path, Point, Polygon, Scene, Text
from ..theme import Paint, Theme, colour_code

# "M" and "L" with a point, "C" with two control points and the end, "Z" with none; as in SVG.
Step = tuple[str, tuple[Point, ...]]
Steps = tuple[Step, ...]

_ROUND = 0.5522847498  # of the radius: where a cubic curve makes a quarter of a circle
_SLIM = 0.42  # half the width of an arrow head, of its length


@dataclass(frozen=True, slots=True)
class Shape:
    """An outline with its look; colours are `#rrggbb`, or empty where nothing is filled or drawn."""

    steps: Steps
    fill: str = ""
    line: str = ""
    width: float = 0.0
    dashes: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Letters:
    """A line of text from where it starts, stretched so as to be just as wide as it was measured."""

    x: float
    y: float
    text: str
    size: float
    bold: bool
    stretch: float
    colour: str


def marks(scene: Scene, theme: Theme, face: Face) -> Iterator[Shape | Letters]:
    """A scene in what every page description can draw."""
    for item in scene.items:
        yield from _marks(item, theme, face)


def _marks(item: Item, theme: Theme, face: Face) -> Iterator[Shape | Letters]:
    paint = theme.paint(item.role)
    match item:
        case Box():
            yield _inked(rectangle(item), paint)
        case Polygon():
            yield _inked(outline(item), paint, item.shade)
        case Path():
            steps, head = arrowed(item, paint, theme)
            if ink(paint.line) and paint.width > 0:
                yield Shape(steps, "", ink(paint.line), paint.width, paint.dashes)
            if head:
                yield Shape(head, ink(paint.line))
        case Text():
            text = printable(item.text)
            if text.strip():
                size, own = item.size, face.width(text, item.size, item.bold)
                yield Letters(start(item), item.y, text, size, item.bold, stretch(item, own), ink(paint.line))


def _inked(steps: Steps, paint: Paint, shade: float = 1.0) -> Shape:
    if not outlined(paint):
        return Shape(steps, ink(paint.fill, shade))
    return Shape(steps, ink(paint.fill, shade), ink(paint.line), paint.width, paint.dashes)


def outlined(paint: Paint) -> bool:
    """Whether a look has a line around."""
    return paint.width > 0 and bool(ink(paint.line))


def start(text: Text) -> float:
    """Where a line of text starts."""
    return text.x - text.width * {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor]


def stretch(text: Text, own: float) -> float:
    """How much wider than its own width a line is drawn: 1 if it was measured with the font it is drawn in."""
    return text.width / own if own > 0 and text.width > 0 and abs(text.width - own) > 0.01 else 1.0


# -- outlines ---------------------------------------------------------------------------------------------------------


def rectangle(box: Box) -> Steps:
    """A box, with round corners if it has a radius."""
    left, top, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    r = radius(box)
    if r <= 0:
        return outline(Polygon(((left, top), (right, top), (right, bottom), (left, bottom)), box.role))
    k = r * (1 - _ROUND)
    return (
        ("M", ((left + r, top),)),
        ("L", ((right - r, top),)),
        ("C", ((right - k, top), (right, top + k), (right, top + r))),
        ("L", ((right, bottom - r),)),
        ("C", ((right, bottom - k), (right - k, bottom), (right - r, bottom))),
        ("L", ((left + r, bottom),)),
        ("C", ((left + k, bottom), (left, bottom - k), (left, bottom - r))),
        ("L", ((left, top + r),)),
        ("C", ((left, top + k), (left + k, top), (left + r, top))),
        ("Z", ()),
    )


def radius(box: Box) -> float:
    """The radius of the corners, which ends where corners meet."""
    return max(0.0, min(box.radius, box.width / 2, box.height / 2))


def outline(polygon: Polygon) -> Steps:
    """A closed outline."""
    if not polygon.points:
        return ()
    first, *others = polygon.points
    return (("M", (first,)), *(("L", (point,)) for point in others), ("Z", ()))


def arrowed(path: Path, paint: Paint, theme: Theme) -> tuple[Steps, Steps]:
    """A line, ending inside its arrow head if it has one, and the head, a triangle of an area that suits the line."""
    steps: list[tuple[Point, ...]] = [tuple(step) for step in path.steps]
    far = [hypot(p[0] - steps[-1][-1][0], p[1] - steps[-1][-1][1]) for p in _joints(path.start, steps)] if steps else []
    long = min(10 * theme.arrow * max(paint.width, 0.5) ** 0.5, 0.8 * max(far, default=0.0))
    if not path.arrow or long <= 0.05 or not ink(paint.line):
        return _line(path.start, steps), ()
    tip = steps[-1][-1]
    steps = _cut(path.start, steps, 0.9 * long)
    x, y = steps[-1][-1] if steps else path.start
    away = hypot(tip[0] - x, tip[1] - y)
    ux, uy = (tip[0] - x) / away, (tip[1] - y) / away
    foot, wide = (tip[0] - ux * long, tip[1] - uy * long), long * _SLIM
    sides = ((foot[0] - uy * wide, foot[1] + ux * wide), (foot[0] + uy * wide, foot[1] - ux * wide))
    return _line(path.start, steps), (("M", (tip,)), ("L", (sides[0],)), ("L", (sides[1],)), ("Z", ()))


def _joints(start: Point, steps: Iterable[tuple[Point, ...]]) -> list[Point]:
    return [start, *(step[-1] for step in steps)]


def _line(start: Point, steps: Iterable[tuple[Point, ...]]) -> Steps:
    return (("M", (start,)), *(("L" if len(step) == 1 else "C", step) for step in steps))


def _cut(start: Point, steps: list[tuple[Point, ...]], gap: float) -> list[tuple[Point, ...]]:
    """The line up to where it comes that near to its end."""
    tip = steps[-1][-1]
    joints = _joints(start, steps)
    last = max(i for i, p in enumerate(joints[:-1]) if hypot(tip[0] - p[0], tip[1] - p[1]) > gap)
    points = (joints[last], *steps[last])
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        x, y = _part(points, middle)[-1]
        low, high = (middle, high) if hypot(tip[0] - x, tip[1] - y) > gap else (low, middle)
    return [*steps[:last], _part(points, low)[1:]]


def _part(points: tuple[Point, ...], share: float) -> tuple[Point, ...]:
    """The control points of the first part of a line or curve (de Casteljau)."""
    found = [points[0]]
    while len(points) > 1:
        points = tuple((a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share) for a, b in pairwise(points))
        found.append(points[0])
    return tuple(found)


# -- words ------------------------------------------------------------------------------------------------------------


def number(value: float) -> str:
    """A length as short as it can be written, to a thousandth of a point."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


@functools.lru_cache(maxsize=1024)
def ink(colour: str, shade: float = 1.0) -> str:
    """A colour as `#rrggbb`, darkened; nothing if it is `none`.

    >>> ink("#FFF", 0.5), ink("none"), ink("tomato")
    ('#808080', '', '#ff6347')
    """
    code = colour_code("colour", colour)
    if code == "none":
        return ""
    parts = (int(code[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{max(0, min(255, round(part * shade))):02x}" for part in parts)


def named(items: Iterable[Item], clean: Callable[[str], str]) -> dict[int, str]:
    """Names for those that have one, by their place in the scene: cleaned, and still every one another."""
    found: dict[int, str] = {}
    taken: set[str] = set()
    for place, item in enumerate(items):
        if isinstance(item, Box | Polygon) and item.name:
            word = clean(item.name) or "box"
            free, count = word, 1
            while free in taken:
                count += 1
                free = f"{word}-{count}"
            taken.add(free)
            found[place] = free
    return found


def letters(scene: Scene, bold: bool) -> str:
    """All the letters of a scene in one of the two cuts."""
    return "".join(
        sorted({a for t in scene.items if isinstance(t, Text) and t.bold is bold for a in printable(t.text)})
    )
