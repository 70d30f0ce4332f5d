"""The faces of a volume."""

from __future__ import annotations

from math import cos, pi, sin

from ..scene import Item, Path, Point, Polygon
from .place import Placed, Rect

_TOP, _FRONT, _RIGHT = 1.0, 0.95, 0.84  # how light the faces are


def volume_items(placed: Placed, name: str = "", title: str = "") -> list[Item]:
    """The faces of one volume, part by part; of a sum, a ball with a plus."""
    if placed.solid.ball:
        return _ball(placed, name, title)
    front, shift = placed.front, placed.shift
    items: list[Item] = []
    left = front.left
    for part in placed.solid.parts:
        right = left + part.thickness
        look = part.role if "-" in part.role else f"{part.role}-volume"
        face_of = ((left, front.top), (right, front.top), (right, front.bottom), (left, front.bottom))
        top_of = (face_of[0], face_of[1], (right + shift, front.top - shift), (left + shift, front.top - shift))
        own = (name, title) if not items else ("", "")
        items.append(Polygon(face_of, look, _FRONT, *own))
        if shift > 0:
            items.append(Polygon(top_of, look, _TOP))
            if part is placed.solid.parts[-1]:
                side = ((right, front.top), (right + shift, front.top - shift))
                lower = ((right + shift, front.bottom - shift), (right, front.bottom))
                items.append(Polygon((*side, *lower), look, _RIGHT))
        left = right
    return items


def _ball(placed: Placed, name: str, title: str) -> list[Item]:
    x, y, r = placed.x + placed.solid.thickness / 2, placed.y, placed.solid.height / 2
    look = f"{placed.solid.parts[0].role}-volume"
    ring = tuple((x + r * cos(2 * pi * i / 24), y + r * sin(2 * pi * i / 24)) for i in range(24))
    plus: list[tuple[Point, Point]] = [((x - r / 2, y), (x + r / 2, y)), ((x, y - r / 2), (x, y + r / 2))]
    return [Polygon(ring, look, 1.0, name, title), *(Path(a, ((b,),), look, arrow=False) for a, b in plus)]


def path_rect(path: Path) -> Rect:
    """The rectangle around a line; its corners are cut, not bulged."""
    points = [path.start, *(step[-1] for step in path.steps)]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return Rect(min(xs), min(ys) - 1.0, max(xs), max(ys) + 1.0)
