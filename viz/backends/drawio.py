"""A scene for draw.io (diagrams.net): native shapes in groups, and connectors that stay attached to them.

One unit of the page is a point. Labels are plain text, never HTML, so that no name is more than its letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from xml.sax.saxutils import quoteattr

from ..fonts import Face, printable
from ..scene import Box, Item, Path, Point, Polygon, Scene, Text
from ..statements import Bounds, bounds
from ..theme import Paint, Theme
from .groups import Connector, Group, bounds_of, corners, grouped, is_orthogonal, plain_kind
from .marks import ink, number, outlined, radius

_DASHES = "dashed=1;dashPattern="


def drawio(scene: Scene, theme: Theme, face: Face, dpi: float = 0) -> bytes:
    """A scene as the XML file that draw.io opens.

    Every node is a group of its shapes and words, every frame a container of what is in it, and every line an edge with
    the ids of what it joins.
    """
    whole = grouped(scene)
    cells = _Sheet(theme, face, dict(_ids(whole, count(2)))).cells(whole, "1", (0.0, 0.0))
    name = _attribute(printable(scene.title) or "figure")
    size = f'pageWidth="{number(scene.width)}" pageHeight="{number(scene.height)}"'
    return "\n".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<mxfile host="layerblocks"><diagram id="figure" name={name}>',
            f'<mxGraphModel grid="0" guides="1" tooltips="1" connect="1" arrows="1" fold="1" page="1" pageScale="1" '
            f'{size} math="0" shadow="0"><root><mxCell id="0"/><mxCell id="1" parent="0"/>',
            *cells,
            "</root></mxGraphModel></diagram></mxfile>\n",
        )
    ).encode()


def _ids(group: Group, numbers: Iterator[int]) -> Iterator[tuple[int, str]]:
    """The ids of all cells, by that of the object: connectors name what they join, also where it comes after them."""
    for member in group.members:
        yield id(member), f"c{next(numbers)}"
        if isinstance(member, Group):
            yield from _ids(member, numbers)


@dataclass(frozen=True, slots=True)
class _Sheet:
    theme: Theme
    face: Face
    ids: Mapping[int, str]

    def cells(self, group: Group, parent: str, origin: Point) -> Iterator[str]:
        for member in group.members:
            key = self.ids[id(member)]
            if isinstance(member, Connector):
                yield self._edge(member, key, parent, origin)
            elif isinstance(member, Group):
                extent = member.extent
                style = "group;container=1;collapsible=0;connectable=0;fillColor=none;strokeColor=none;"
                yield _vertex(key, parent, style, extent, origin, named=member.name)
                yield from self.cells(member, key, extent[:2])
            else:
                yield from self._item(member, key, parent, origin)

    def _item(self, item: Item, key: str, parent: str, origin: Point) -> Iterator[str]:
        paint, place = self.theme.paint(item.role), bounds_of(item)
        match item:
            case Box():
                r = radius(item)
                style = f"rounded={int(r > 0)};absoluteArcSize=1;arcSize={number(2 * r)};html=0;{_look(paint)}"
                yield _vertex(key, parent, style, place, origin, named=item.name, title=item.title)
            case Polygon():
                if item.points:
                    look = _look(paint, item.shade)
                    style = f"{_outline(item.points, place)}html=0;{look}"
                    yield _vertex(key, parent, style, place, origin, named=item.name, title=item.title)
            case Path():
                style = f"{_outline(corners(item), place, 1)}html=0;fillColor=none;{_line(paint)}connectable=0;"
                yield _vertex(key, parent, style, place, origin)
            case Text():
                words = printable(item.text)
                if words.strip():
                    yield _vertex(key, parent, self._words(item, paint), place, origin, words)

    def _words(self, item: Text, paint: Paint) -> str:
        align = {"start": "left", "middle": "center", "end": "right"}[item.anchor]
        family = "".join(a for a in self.face.family if a.isalnum() or a in " -")
        return (
            f"text;html=0;align={align};verticalAlign=middle;spacing=0;overflow=visible;connectable=0;"
            f"fontFamily={family};fontSize={number(item.size)};fontStyle={int(item.bold)};"
            f"fontColor={ink(paint.line) or 'none'};"
        )

    def _edge(self, link: Connector, key: str, parent: str, origin: Point) -> str:
        paint = self.theme.paint(link.path.role)
        head = f"endArrow={'block' if link.path.arrow else 'none'};endFill=1;endSize={number(8 * self.theme.arrow)};"
        first, last = link.points[0], link.points[-1]
        ways = "orthogonalEdgeStyle" if len(link.points) > 2 and is_orthogonal(link.points) else "none"
        style = f"edgeStyle={ways};rounded=1;html=0;startArrow=none;{head}{_line(paint)}"
        joined = ""
        sides = (("source", "exit", link.source, first), ("target", "entry", link.target, last))
        for end, word, shape, at in sides:
            if shape is not None:
                joined += f' {end}="{self.ids[id(shape)]}"'
                x, y = _share(at, bounds(shape))
                style += f"{word}X={number(x)};{word}Y={number(y)};{word}Dx=0;{word}Dy=0;{word}Perimeter=0;"
        inner = "".join(_point(point, origin) for point in link.points[1:-1])
        way = f'<Array as="points">{inner}</Array>' if inner else ""
        begin, end = (_point(point, origin, what) for point, what in ((first, "sourcePoint"), (last, "targetPoint")))
        return (
            f'<mxCell id="{key}" parent="{parent}" edge="1" style="{style}"{joined}>'
            f'<mxGeometry relative="1" as="geometry">{begin}{end}{way}</mxGeometry></mxCell>'
        )


def _vertex(
    key: str, parent: str, style: str, place: Bounds, origin: Point, words: str = "", named: str = "", title: str = ""
) -> str:
    left, top, right, bottom = place
    where = {"x": left - origin[0], "y": top - origin[1], "width": right - left, "height": bottom - top}
    geometry = " ".join(f'{key}="{number(value)}"' for key, value in where.items())
    inner = f'parent="{parent}" vertex="1" style="{style}"><mxGeometry {geometry} as="geometry"/></mxCell>'
    data: Mapping[str, str] = {"block": printable(named), "says": printable(title)}
    said = "".join(f" {key}={_attribute(value)}" for key, value in data.items() if value)
    if said:  # shown by "Edit Data"
        return f'<object id="{key}" label={_attribute(words)}{said}><mxCell {inner}</object>'
    return f'<mxCell id="{key}" value={_attribute(words)} {inner}'


def _point(point: Point, origin: Point, what: str = "") -> str:
    named = f' as="{what}"' if what else ""
    return f'<mxPoint x="{number(point[0] - origin[0])}" y="{number(point[1] - origin[1])}"{named}/>'


def _share(point: Point, place: Bounds) -> Point:
    """Where a point is on a shape, in parts of its width and height."""
    left, top, right, bottom = place
    return (point[0] - left) / ((right - left) or 1.0), (point[1] - top) / ((bottom - top) or 1.0)


def _outline(points: tuple[Point, ...], place: Bounds, is_line: int = 0) -> str:
    kind = plain_kind(points)
    if kind != "polygon" and not is_line:
        return "ellipse;" if kind == "ellipse" else "rounded=0;"
    shares = ",".join("[{:.5g},{:.5g}]".format(*_share(point, place)) for point in points)
    return f"shape=mxgraph.basic.polygon;polyline={is_line};polyCoords=[{shares}];"


def _look(paint: Paint, shade: float = 1.0) -> str:
    return f"fillColor={ink(paint.fill, shade) or 'none'};" + (_line(paint) if outlined(paint) else "strokeColor=none;")


def _line(paint: Paint) -> str:
    dashes = f"{_DASHES}{' '.join(map(number, paint.dashes))};fixDash=1;" if paint.dashes else ""
    return f"strokeColor={ink(paint.line) or 'none'};strokeWidth={number(paint.width)};{dashes}"


def _attribute(text: str) -> str:
    return quoteattr(text)
