"""What a drawn figure is made of: a few plain shapes in points, from the upper left corner, y downwards.

Layouts make a `Scene`, backends write one. A shape has a role, which the theme turns into a look; so the same scene
becomes SVG classes, TikZ styles or colours of a page, and can be restyled in each.

What a shape states of the graph that is drawn goes with it: a box or volume which node it is, a frame which frame, a
line which tensors it brings from where to where. `statements` reads the figure back from these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from ..graphs.graph import Edge, Output

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Stated:
    """What a box, volume or frame says.

    Args:
        node: the number of the node that it is; -1 for a frame.
        frame: the number of the frame that it is; -1 for a node, or a frame that only opens a block.
        repeats: how many times it is there, as the `×n` on it says.
        symbol: that of its operation, as it is drawn.
        against: the tensors that it gets from a volume that it stands right against, without a line.
    """

    node: int = -1
    frame: int = -1
    repeats: int = 1
    symbol: str = ""
    against: tuple[Edge, ...] = ()


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: a block, a frame around some (`role="frame"`), a swatch of the legend.

    `name` is unique among the boxes that stand for nodes and empty elsewhere; `title` is what a reader sees who points
    at it.
    """

    x: float
    y: float
    width: float
    height: float
    role: str
    radius: float = 0.0
    name: str = ""
    title: str = ""
    states: Stated | None = None


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed outline of straight lines: a face of a volume. `shade` darkens (below 1) the fill of its role."""

    points: tuple[Point, ...]
    role: str
    shade: float = 1.0
    name: str = ""
    title: str = ""
    states: Stated | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """An open line: straight steps and cubic curves, with an arrow head at its end or none.

    `steps` follow one another from `start`; each is one point (a straight line there) or three (a Bézier curve: two
    control points and the end). `states` are the tensors that it brings from box to box or out of the network; a line
    in several pieces states them in each.
    """

    start: Point
    steps: tuple[tuple[Point] | tuple[Point, Point, Point], ...]
    role: str
    arrow: bool = True
    states: tuple[Edge | Output, ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; `x, y` is where its baseline starts, has its middle or ends. `width` is its measured width."""

    x: float
    y: float
    text: str
    size: float
    width: float
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False
    role: str = "text"


Item = Box | Polygon | Path | Text


@dataclass(frozen=True, slots=True)
class Scene:
    """A figure at its final size, in points: what is drawn first lies below."""

    width: float
    height: float
    items: tuple[Item, ...]
    title: str = ""
    description: str = ""

    @property
    def text_size(self) -> float:
        """The size of the smallest text, in points."""
        return min((item.size for item in self.items if isinstance(item, Text)), default=0.0)


def moved(item: Item, x: float, y: float, digits: int = 3) -> Item:
    """The same shape further right and down, its coordinates rounded to so many digits.

    >>> moved(Path((0.0, 0.0), (((1.0, 0.0),),), "trunk"), 2.0, 3.0).steps
    (((3.0, 3.0),),)
    """

    def at(point: Point) -> Point:
        return round(point[0] + x, digits), round(point[1] + y, digits)

    if isinstance(item, Polygon):
        return replace(item, points=tuple(map(at, item.points)))
    if isinstance(item, Path):
        steps: Any = tuple(tuple(map(at, step)) for step in item.steps)
        return replace(item, start=at(item.start), steps=steps)
    left, top = at((item.x, item.y))
    return replace(item, x=left, y=top)
