"""What layouts are made of: places, lines, and pieces of figures that can be put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from ...graphs.graph import Edge, Output
from ..scene import Point


@dataclass(frozen=True, slots=True)
class Size:
    """Of a box, where it takes part in the layout; `beyond` looks out at its right and lower edge."""

    width: float
    height: float
    beyond: float = 0.0


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
    """A line through points; with right-angled corners, or where it is `curved` through Bézier control points.

    `states` are the tensors that it brings.
    """

    points: tuple[Point, ...]
    role: str
    arrow: bool = True
    curved: bool = False
    states: tuple[Edge | Output, ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """Text on a line; `x, y` is the middle of its left edge."""

    text: str
    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True)
class Outline:
    """A frame and its title, so far from its left end as nothing is in the way there.

    `repeats` says how many times what is inside occurs, `frame` which frame it is.
    """

    title: str
    place: Placed
    depth: int = 0
    repeats: int = 1
    frame: int = -1
    shift: float = 0.0


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

    def mapped(self, point: Callable[[Point], Point], sized: bool = True) -> Piece:
        """The piece with every place moved, mirrored, or (not `sized`) turned; how far it reaches stays as it is."""

        def place(box: Placed) -> Placed:
            (x0, y0), (x1, y1) = point((box.x, box.y)), point((box.right, box.bottom))
            width, height = (box.width, box.height) if sized else (abs(x1 - x0), abs(y1 - y0))
            return Placed(min(x0, x1), min(y0, y1), width, height)

        def ends(found: Iterable[tuple[int, float, float]]) -> list[tuple[int, float, float]]:
            return [(number, *point((x, y))) for number, x, y in found]

        return Piece(
            self.left,
            self.right,
            self.height,
            {number: place(box) for number, box in self.boxes.items()},
            [replace(line, points=tuple(map(point, line.points))) for line in self.lines],
            [Label(label.text, *point((label.x, label.y)), label.width) for label in self.labels],
            [replace(outline, place=place(outline.place)) for outline in self.outlines],
            [Connector(each.letters, point(each.middle), each.width) for each in self.connectors],
            ends(self.tops),
            ends(self.bottoms),
            None if self.fan is None else point((0.0, self.fan))[1],
        )

    def moved(self, x: float, y: float) -> Piece:
        return self.mapped(lambda p: (p[0] + x, p[1] + y))

    def add(self, other: Piece, x: float, y: float) -> Piece:
        """Take in another piece, moved, but for its ends, which are those of what is returned."""
        moved = other.moved(x, y)
        self.boxes |= moved.boxes
        self.lines += moved.lines
        self.labels += moved.labels
        self.outlines += moved.outlines
        self.connectors += moved.connectors
        self.left = max(self.left, other.left - x)
        self.right = max(self.right, other.right + x)
        self.height = max(self.height, other.height + y)
        return moved


def meet(one: Placed, other: Placed) -> bool:
    """Whether two areas have anything in common but a border."""
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


def label_area(label: Label, high: float, direction: str) -> Placed:
    """Where a text so high stands before the piece is turned."""
    if direction in ("TB", "BT"):
        return Placed(label.x, label.y - high / 2, label.width, high)
    return Placed(label.x - high / 2, label.y - (label.width if direction == "RL" else 0.0), high, label.width)


def tag_area(connector: Connector, direction: str) -> Placed:
    """Where the circle at the end of lines stands before the piece is turned."""
    high, across = (8.0, connector.width) if direction in ("TB", "BT") else (connector.width, 8.0)
    return Placed(connector.middle[0] - across / 2, connector.middle[1] - high / 2, across, high)


def turned(piece: Piece, direction: str) -> Piece:
    """A piece that runs from the top down, in the direction asked for, with its upper left corner at (0, 0)."""
    sideways, back = direction in ("LR", "RL"), direction in ("BT", "RL")

    def point(p: Point) -> Point:
        x, y = p[0] + piece.left, piece.height - p[1] if back else p[1]
        return (y, x) if sideways else (x, y)

    whole = piece.mapped(point, sized=False)
    whole.left, whole.right, whole.height = 0.0, piece.width, piece.height
    if sideways:
        whole.right, whole.height = piece.height, piece.width
    return whole
