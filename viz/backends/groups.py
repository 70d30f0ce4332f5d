"""A scene as editors keep one: shapes grouped by what they stand for, and connectors that know what they join."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from math import hypot
from typing import Literal

from ...graphs.graph import Edge
from ..scene import Box, Item, Path, Point, Polygon, Scene, Text
from ..statements import Bounds, bounds

Shape = Box | Polygon
_TOUCHES = 1.5  # points between the end of a line and the shape that it is at, at most
_STEPS = 6  # straight pieces of a curve
_CONTAINERS = ("frame", "panel")


@dataclass(frozen=True, slots=True)
class Connector:
    """A line with the shapes at its ends, where there are any, and the corners of its way."""

    path: Path
    points: tuple[Point, ...]
    source: Shape | None
    target: Shape | None


@dataclass(slots=True)
class Group:
    """Shapes that move together: a node with its words and marks, or (`frame`) a frame with all that is in it."""

    bounds: Bounds
    name: str = ""
    frame: bool = False
    members: list[Item | Group | Connector] = field(default_factory=list)

    @property
    def extent(self) -> Bounds:
        """What is around all of its shapes; lines are not counted."""
        solid = (member for member in self.members if not isinstance(member, Connector))
        found = [member.extent if isinstance(member, Group) else bounds_of(member) for member in solid]
        return _around(found) if found else self.bounds


def grouped(scene: Scene) -> Group:
    """Sort the items of a scene into groups, what lies below first.

    What stands in a box belongs to its node, and the cards under a box that stands for several do too; a line belongs
    to the innermost frame that it does not leave.

    >>> from layerblocks.viz.scene import Stated
    >>> box, word = Box(0, 0, 9, 9, "conv", name="c", states=Stated(0)), Text(1, 5, "conv", 6, 8)
    >>> [node] = grouped(Scene(9, 9, (box, word))).members
    >>> node.name, len(node.members)
    ('c', 2)
    """
    whole = Group((0.0, 0.0, scene.width, scene.height), frame=True)
    frames, nodes, ends = [whole], _nodes(scene), _ends(scene)
    near, around = _near(nodes.values()), _near(())
    for item in sorted((i for i in scene.items if _container(i)), key=lambda i: -_area(bounds_of(i))):
        frame = Group(bounds_of(item), getattr(item, "title", ""), True, [item])
        _innermost(whole, around, frame.bounds).members.append(frame)
        frames.append(frame)
        _add_near(around, frame)
    placed: set[int] = set()
    for place, item in enumerate(scene.items):
        if _container(item):
            continue
        node = _node_of(scene, place, nodes, near)
        if node is not None:
            node.members.append(item)
            if id(node) not in placed:
                placed.add(id(node))
                _innermost(whole, around, node.bounds).members.append(node)
        elif isinstance(item, Path) and item.states:
            link = _connector(item, ends)
            _innermost(whole, around, _around([(*p, *p) for p in link.points])).members.append(link)
        else:
            _innermost(whole, around, bounds_of(item)).members.append(item)
    for frame in frames:
        frame.members.sort(key=lambda m: 0 if _container(m) else 1 if isinstance(m, Group) and m.frame else 2)
    return whole


def corners(path: Path) -> tuple[Point, ...]:
    """The corners of a line: those that are drawn round are sharp again, other curves become short straight pieces.

    >>> corners(Path((0, 0), (((6, 0),), ((8, 0), (10, 2), (10, 4)), ((10, 9),)), "trunk"))
    ((0, 0), (10, 0), (10, 9))
    """
    found = [path.start]
    for step in path.steps:
        if len(step) == 3:
            near = _corner(found[-1], step)
            if near is not None:
                found.append(near)
                continue
            found += [_on_curve((found[-1], *step), i / _STEPS) for i in range(1, _STEPS)]
        found.append(step[-1])
    plain: list[Point] = []
    for point in found:
        if len(plain) > 1 and _straight(plain[-2], plain[-1], point):
            plain.pop()
        if not plain or point != plain[-1]:
            plain.append(point)
    return tuple(plain)


def is_orthogonal(points: Sequence[Point]) -> bool:
    """Whether every piece of a line goes straight across or straight down, and turns at every corner."""
    flat = [_flat(a, b) for a, b in pairwise(points)]
    return all(flat) and all(a != b for a, b in pairwise(flat))


def plain_kind(points: Sequence[Point]) -> Literal["rectangle", "ellipse", "polygon"]:
    """What an outline is: one of the shapes that every editor has, or none of them.

    >>> plain_kind(((0, 0), (4, 0), (4, 2), (0, 2))), plain_kind(((0, 0), (4, 0), (2, 3)))
    ('rectangle', 'polygon')
    """
    if len(points) == 4 and is_orthogonal((*points, points[0])):
        return "rectangle"
    if len(points) < 12:
        return "polygon"
    left, top, right, bottom = _around([(*p, *p) for p in points])
    x, y = (left + right) / 2, (top + bottom) / 2
    far = [hypot(px - x, py - y) for px, py in points]
    return "ellipse" if max(far) - min(far) < 0.02 * max(far) else "polygon"


def bounds_of(item: Item) -> Bounds:
    """The left, upper, right and lower side of anything."""
    if isinstance(item, Box):
        return bounds(item)
    if isinstance(item, Text):
        left = item.x - item.width * {"start": 0.0, "middle": 0.5, "end": 1.0}[item.anchor]
        return left, item.y - item.size * 0.76, left + item.width, item.y + item.size * 0.24
    points = item.points if isinstance(item, Polygon) else corners(item)
    return _around([(*p, *p) for p in points or ((0.0, 0.0),)])


# -- what belongs to what ---------------------------------------------------------------------------------------------


def _container(item: object) -> bool:
    if not isinstance(item, Box):
        return False
    return item.role in _CONTAINERS or (item.states is not None and item.states.node < 0)


def _nodes(scene: Scene) -> dict[int, Group]:
    """A group for each node that is drawn, with what is around its shapes."""
    around: dict[int, list[Shape]] = {}
    for item in _standing(scene):
        assert item.states is not None
        around.setdefault(item.states.node, []).append(item)
    return {
        number: Group(_around(map(bounds, shapes)), next((shape.name for shape in shapes if shape.name), ""))
        for number, shapes in around.items()
    }


def _standing(scene: Scene) -> Iterator[Shape]:
    """The shapes that stand for nodes."""
    for item in scene.items:
        if isinstance(item, Box | Polygon) and item.states is not None and item.states.node >= 0:
            yield item


_Cell = tuple[int, int]
_CELL = 64.0  # points


def _near(groups: Iterable[Group]) -> dict[_Cell, list[Group]]:
    """The groups by the squares of the page that they reach into."""
    found: dict[_Cell, list[Group]] = {}
    for group in groups:
        _add_near(found, group)
    return found


def _add_near(near: dict[_Cell, list[Group]], group: Group) -> None:
    left, top, right, bottom = (int(side // _CELL) for side in group.bounds)
    for cell in product(range(left, right + 1), range(top, bottom + 1)):
        near.setdefault(cell, []).append(group)


def _cell_of(point: Point) -> _Cell:
    return int(point[0] // _CELL), int(point[1] // _CELL)


def _node_of(scene: Scene, place: int, nodes: dict[int, Group], near: dict[_Cell, list[Group]]) -> Group | None:
    """The node that an item is part of."""
    item = scene.items[place]
    if isinstance(item, Path) and item.states:
        return None
    if isinstance(item, Box | Polygon) and item.states is not None:
        return nodes.get(item.states.node)
    if isinstance(item, Box):  # cards under the next box
        for later in scene.items[place + 1 : place + 3]:
            if isinstance(later, Box) and later.role == item.role and later.states is not None:
                return nodes.get(later.states.node) if _overlap(bounds(later), bounds(item)) else None
    left, top, right, bottom = bounds_of(item)
    middle = ((left + right) / 2, (top + bottom) / 2)
    holding = [node for node in near.get(_cell_of(middle), ()) if _away(middle, node.bounds) == 0]
    return min(holding, key=lambda node: _area(node.bounds), default=None)


def _innermost(whole: Group, around: dict[_Cell, list[Group]], inside: Bounds) -> Group:
    """The smallest frame around something; the whole figure if there is none."""
    holding = [frame for frame in around.get(_cell_of(inside[:2]), ()) if _holds(frame.bounds, inside)]
    return min(holding, key=lambda frame: _area(frame.bounds), default=whole)


# -- lines ------------------------------------------------------------------------------------------------------------

_Ends = tuple[dict[int, list[Shape]], list[Shape]]


def _ends(scene: Scene) -> _Ends:
    """The shapes that lines can end at: by node, and the letters where a line goes on elsewhere."""
    found: dict[int, list[Shape]] = {}
    for item in _standing(scene):
        assert item.states is not None
        found.setdefault(item.states.node, []).append(item)
    return found, [item for item in scene.items if isinstance(item, Box) and item.role == "tag"]


def _connector(path: Path, ends: _Ends) -> Connector:
    """A line with what it starts and ends at; a piece of one that goes on elsewhere only has the end that is here."""
    points = corners(path)
    begin, end = points[0], points[-1]
    shapes, tags = ends
    sources = [shape for link in path.states for shape in shapes.get(link.source, ())]
    targets = [s for link in path.states if isinstance(link, Edge) for s in shapes.get(link.target, ())]
    source, target = _at(begin, sources) or _at(begin, tags, 4.0), _at(end, targets) or _at(end, tags, 4.0)
    if source is None and path.role != "continuation":  # it leaves another line of the same tensor
        source = min(sources, key=lambda shape: _away(begin, bounds(shape)), default=None)
    if target is None and path.role != "continuation":
        target = min(targets, key=lambda shape: _away(end, bounds(shape)), default=None)
    return Connector(path, points, source, target if target is not source else None)


def _at(point: Point, shapes: Sequence[Shape], within: float = _TOUCHES) -> Shape | None:
    near = min(shapes, key=lambda shape: _away(point, bounds(shape)), default=None)
    return near if near is not None and _away(point, bounds(near)) <= within else None


# -- geometry ---------------------------------------------------------------------------------------------------------


def _corner(start: Point, curve: tuple[Point, ...]) -> Point | None:
    """Where the corner was that a curve rounds; None for another curve."""
    first, second, end = curve
    for corner in ((end[0], start[1]), (start[0], end[1])):
        if _straight(start, first, corner) and _straight(corner, second, end) and corner not in (start, end):
            return corner
    return None


def _on_curve(points: tuple[Point, ...], share: float) -> Point:
    first, *others = points
    between = tuple((a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share) for a, b in pairwise(points))
    return _on_curve(between, share) if others else first


def _straight(a: Point, b: Point, c: Point) -> bool:
    """Whether three points follow one another on one line."""
    across = (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
    onward = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return abs(across) <= 0.01 * (hypot(b[0] - a[0], b[1] - a[1]) + hypot(c[0] - b[0], c[1] - b[1])) and onward >= 0


def _flat(a: Point, b: Point) -> str:
    """Across, down, or neither."""
    return "down" if abs(a[0] - b[0]) < 0.01 else "across" if abs(a[1] - b[1]) < 0.01 else ""


def _around(found: Iterable[Bounds]) -> Bounds:
    lefts, tops, rights, bottoms = zip(*found, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _area(of: Bounds) -> float:
    return (of[2] - of[0]) * (of[3] - of[1])


def _holds(outer: Bounds, inner: Bounds) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _overlap(a: Bounds, b: Bounds) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _away(point: Point, box: Bounds) -> float:
    """How far a point is from a rectangle."""
    return hypot(max(box[0] - point[0], 0.0, point[0] - box[2]), max(box[1] - point[1], 0.0, point[1] - box[3]))
