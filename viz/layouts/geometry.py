"""What layouts are made of: places, lines, and pieces of figures that can be put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from ..scene import Point


@dataclass(frozen=True, slots=True)
class Size:
    """Of a box, where it takes part in the layout; `beyond` looks out at its right and lower edge."""

    width: float
    height: float
    beyond: float = 0.0


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distances in points, and what is written beside lines.

    Args:
        layer_gap: between boxes that follow one another.
        side_gap: between boxes side by side.
        label: the height of what is written on a line; 0 where nothing is.
        title: the height of the title of a frame.
        measure: the width of a label.
        measure_title: the width of the title of a frame, and of how many times it occurs.
        turned: whether the figure will run from left to right, or back.
        flipped: whether it will run from the bottom up.
    """

    layer_gap: float
    side_gap: float
    label: float
    title: float
    measure: Callable[[str], float]
    measure_title: Callable[[str, int], float]
    turned: bool = False
    flipped: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A box: its upper left corner, width and height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points; with right-angled corners, or where it is `curved` through Bézier control points."""

    points: tuple[Point, ...]
    role: str
    arrow: bool = True
    curved: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """Text on a line; `x, y` is the middle of its left edge."""

    text: str
    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True)
class Outline:
    """A frame and its title; `repeats` says how many times what is inside occurs."""

    title: str
    place: Placed
    depth: int = 0
    repeats: int = 1


@dataclass(frozen=True, slots=True)
class Connector:
    """The end of lines that go on elsewhere, at a circle with their letters."""

    letters: str
    middle: Point
    width: float


@dataclass(slots=True)
class Piece:
    """A part of a figure, laid out around an axis at x = 0, from y = 0 down.

    `tops` are the nodes that a line from above leads to, and where; `bottoms` those from which lines lead on.
    """

    left: float = 0.0
    right: float = 0.0
    height: float = 0.0
    boxes: dict[int, Placed] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    outlines: list[Outline] = field(default_factory=list)
    connectors: list[Connector] = field(default_factory=list)
    tops: list[tuple[int, float, float]] = field(default_factory=list)
    bottoms: list[tuple[int, float, float]] = field(default_factory=list)
    fan: float | None = None  # where lines to several tops part, if inside the piece

    @property
    def width(self) -> float:
        return self.left + self.right

    def add(self, other: Piece, x: float, y: float) -> None:
        """Take in another piece, moved; its tops and bottoms are not taken over."""
        self.boxes.update((n, Placed(b.x + x, b.y + y, b.width, b.height)) for n, b in other.boxes.items())
        self.lines += [
            Line(tuple((px + x, py + y) for px, py in o.points), o.role, o.arrow, o.curved) for o in other.lines
        ]
        self.labels += [Label(o.text, o.x + x, o.y + y, o.width) for o in other.labels]
        self.outlines += [
            replace(o, place=Placed(o.place.x + x, o.place.y + y, o.place.width, o.place.height))
            for o in other.outlines
        ]
        self.connectors += [Connector(c.letters, (c.middle[0] + x, c.middle[1] + y), c.width) for c in other.connectors]
        self.left = max(self.left, other.left - x)
        self.right = max(self.right, other.right + x)
        self.height = max(self.height, other.height + y)


def moved(ends: Iterable[tuple[int, float, float]], x: float, y: float) -> list[tuple[int, float, float]]:
    return [(number, px + x, py + y) for number, px, py in ends]
