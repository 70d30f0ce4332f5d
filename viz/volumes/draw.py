"""The faces of a volume."""

from __future__ import annotations

from ..rectangles import Rect
from ..scene import Item, Path, Polygon, Stated
from ..symbols import symbol_items
from .place import Placed
from .solids import Letters

_TOP, _FRONT, _RIGHT = 1.0, 0.95, 0.84  # how light the faces are


def volume_items(
    placed: Placed, letters: Letters, name: str = "", title: str = "", states: Stated | None = None
) -> list[Item]:
    """The faces of one volume, part by part; of what joins several tensors, its sign in a circle.

    Args:
        letters: how signs are written that are words.
    """
    if placed.solid.ball:
        middle = (placed.x + placed.solid.thickness / 2, placed.y)
        look, sign = f"{placed.solid.parts[0].role}-volume", placed.solid.symbol
        found = symbol_items(
            sign,
            middle,
            placed.solid.height,
            look,
            size=letters.size,
            measured=letters.width,
            name=name,
            title=title,
            states=states,
        )
        return list(found)
    front, shift = placed.front, placed.shift
    items: list[Item] = []
    left = front.left
    for part in placed.solid.parts:
        right = left + part.thickness
        look = part.role if "-" in part.role else f"{part.role}-volume"
        face_of = ((left, front.top), (right, front.top), (right, front.bottom), (left, front.bottom))
        top_of = (face_of[0], face_of[1], (right + shift, front.top - shift), (left + shift, front.top - shift))
        own = (name, title) if not items else ("", "")
        items.append(Polygon(face_of, look, _FRONT, *own, states))
        if shift > 0:
            items.append(Polygon(top_of, look, _TOP, states=states))
            if part is placed.solid.parts[-1]:
                side = ((right, front.top), (right + shift, front.top - shift))
                lower = ((right + shift, front.bottom - shift), (right, front.bottom))
                items.append(Polygon((*side, *lower), look, _RIGHT, states=states))
        left = right
    return items


def path_rect(path: Path) -> Rect:
    """The rectangle around a line; its corners are cut, not bulged."""
    points = [path.start, *(step[-1] for step in path.steps)]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return Rect(min(xs), min(ys) - 1.0, max(xs), max(ys) + 1.0)
