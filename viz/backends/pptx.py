"""A scene as a slide for PowerPoint: native shapes in groups, and connectors glued to them.

The slide is as large as the figure. The package around it, with its master and theme, is python-pptx's.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import hypot
from xml.sax.saxutils import escape, quoteattr

from ...extras import needs
from ..fonts import Face, printable
from ..scene import Box, Item, Path, Point, Polygon, Scene, Text
from ..statements import Bounds, bounds
from ..theme import Paint, Theme
from .groups import Connector, Group, Shape, bounds_of, corners, grouped, is_orthogonal, plain_kind
from .marks import ink, outlined, radius

_EMU = 12_700  # to the point
_SMALLEST, _LARGEST = 72.0, 56 * 72.0  # sides of a slide, in points
_SPACES = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
)
_MOST_CORNERS, _NEAR = 2, 1.0
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that an archive can have


def pptx(scene: Scene, theme: Theme, face: Face, dpi: float = 0) -> bytes:
    """A scene as a presentation of one slide.

    Every node and every frame is a group, every line a connector that is glued to the shapes that it joins. A figure
    longer than a slide can be is scaled down to one.

    Raises:
        ModuleNotFoundError: python-pptx is not installed.
    """
    made = needs("pptx", extra="office").Presentation()
    scale = min(1.0, _LARGEST / max(scene.width, scene.height))
    made.slide_width, made.slide_height = (
        round(max(_SMALLEST, side * scale) * _EMU) for side in (scene.width, scene.height)
    )
    about = made.core_properties
    about.title, about.subject = printable(scene.title)[:255], printable(scene.description)[:255]
    about.author = about.last_modified_by = ""
    whole = grouped(scene)
    tree = made.slides.add_slide(made.slide_layouts[6]).shapes._spTree
    slide = _Slide(theme, face, scale * _EMU, dict(_ids(whole, count(2))), _sites(whole))
    parse = needs("pptx.oxml", extra="office").parse_xml
    tree.extend(list(parse(f"<p:spTree {_SPACES}>{''.join(slide.shapes(whole))}</p:spTree>")))
    file = io.BytesIO()
    made.save(file)
    return _undated(file.getvalue())


def _undated(package: bytes) -> bytes:
    """The same archive without the time at which it was made."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name, _EPOCH), old.read(name), zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _ids(group: Group, numbers: Iterator[int]) -> Iterator[tuple[int, int]]:
    """The ids of all shapes, by that of the object: connectors name what they join, also where it comes after them."""
    for member in group.members:
        yield id(member), next(numbers)
        if isinstance(member, Group):
            yield from _ids(member, numbers)


@dataclass(frozen=True, slots=True)
class _Slide:
    theme: Theme
    face: Face
    scale: float
    ids: Mapping[int, int]
    sites: Mapping[int, Sequence[Point]]

    def shapes(self, group: Group) -> Iterator[str]:
        """All that is in a group, as XML."""
        for member in group.members:
            number = self.ids[id(member)]
            if isinstance(member, Connector):
                yield self._connector(member, number)
            elif isinstance(member, Group):
                place = self._frame(member.extent) + self._frame(member.extent, "chOff", "chExt")
                yield (
                    f"<p:grpSp><p:nvGrpSpPr>{_name(number, member.name or 'group')}<p:cNvGrpSpPr/><p:nvPr/>"
                    f"</p:nvGrpSpPr><p:grpSpPr><a:xfrm>{place}</a:xfrm></p:grpSpPr>"
                    f"{''.join(self.shapes(member))}</p:grpSp>"
                )
            else:
                yield from self._item(member, number)

    def _item(self, item: Item, number: int) -> Iterator[str]:
        paint = self.theme.paint(item.role)
        match item:
            case Box():
                r = radius(item)
                short = min(item.width, item.height) or 1.0
                adjust = f'<a:gd name="adj" fmla="val {round(100_000 * min(0.5, r / short))}"/>'
                geometry = _preset("roundRect", adjust) if r > 0 else _preset("rect")
                yield self._shape(number, item.name, item.title, bounds_of(item), geometry + _fill(paint), paint)
            case Polygon():
                if item.points:
                    place, known = bounds_of(item), self._known(item)
                    geometry = _preset(known) if known else self._outline(item.points, place, _places(item, self.sites))
                    yield self._shape(number, item.name, item.title, place, geometry + _fill(paint, item.shade), paint)
            case Path():
                place = bounds_of(item)
                geometry = self._outline(corners(item), place)
                yield self._shape(number, "", "", place, geometry + "<a:noFill/>", paint)
            case Text():
                if printable(item.text).strip():
                    yield self._text(item, number, paint)

    def _shape(self, number: int, name: str, title: str, place: Bounds, look: str, paint: Paint) -> str:
        line = self._line(paint) if outlined(paint) else "<a:ln><a:noFill/></a:ln>"
        return (
            f"<p:sp><p:nvSpPr>{_name(number, name or 'shape', title)}<p:cNvSpPr/><p:nvPr/></p:nvSpPr>"
            f"<p:spPr>{self._place(place)}{look}{line}</p:spPr></p:sp>"
        )

    def _text(self, item: Text, number: int, paint: Paint) -> str:
        left, _, right, _ = bounds_of(item)
        cut = self.face.cut(item.bold)
        place = (left, item.y - cut.ascent * item.size, right, item.y + cut.descent * item.size)
        align = {"start": "l", "middle": "ctr", "end": "r"}[item.anchor]
        size = max(100, round(100 * item.size * self.scale / _EMU))
        family = "".join(a for a in self.face.family if a.isalnum() or a in " -")
        return (
            f'<p:sp><p:nvSpPr>{_name(number, "text")}<p:cNvSpPr txBox="1"/><p:nvPr/></p:nvSpPr>'
            f"<p:spPr>{self._place(place)}{_preset('rect')}<a:noFill/></p:spPr><p:txBody>"
            '<a:bodyPr wrap="none" lIns="0" tIns="0" rIns="0" bIns="0" anchor="ctr"><a:noAutofit/></a:bodyPr>'
            f'<a:lstStyle/><a:p><a:pPr algn="{align}"/><a:r><a:rPr lang="en-US" sz="{size}" b="{int(item.bold)}">'
            f'{_colour(ink(paint.line))}<a:latin typeface="{family}"/></a:rPr><a:t>{escape(printable(item.text))}</a:t>'
            "</a:r></a:p></p:txBody></p:sp>"
        )

    def _connector(self, link: Connector, number: int) -> str:
        paint = self.theme.paint(link.path.role)
        glue = ""
        ends = (("stCxn", link.source, link.points[0]), ("endCxn", link.target, link.points[-1]))
        for word, shape, at in ends:
            if shape is not None:
                number_of, _ = self._site(shape, at)
                glue += f'<a:{word} id="{self.ids[id(shape)]}" idx="{number_of}"/>'
        return (
            f"<p:cxnSp><p:nvCxnSpPr>{_name(number, 'line')}<p:cNvCxnSpPr>{glue}</p:cNvCxnSpPr><p:nvPr/></p:nvCxnSpPr>"
            f"<p:spPr>{self._way(link)}{self._line(paint, link.path.arrow)}</p:spPr></p:cxnSp>"
        )

    def _way(self, link: Connector) -> str:
        """The place and geometry of a connector: straight, bent at right angles, or any other way.

        Bent ones are laid anew by their editors, from the places that they are glued to: only what starts and ends
        there, with few corners, is one.
        """
        points = link.points
        (x, y), (to_x, to_y) = points[0], points[-1]
        if len(points) == 2:
            flips = (' flipH="1"' if to_x < x else "") + (' flipV="1"' if to_y < y else "")
            place = (min(x, to_x), min(y, to_y), max(x, to_x), max(y, to_y))
            return self._place(place, flips) + _preset("straightConnector1")
        ends = ((link.source, points[0]), (link.target, points[-1]))
        off = max((self._site(shape, at)[1] for shape, at in ends if shape is not None), default=0.0)
        if len(points) <= _MOST_CORNERS + 2 and off < _NEAR and is_orthogonal(points):
            return self._bent(points)
        place = _around(points)
        return self._place(place) + self._outline(points, place)

    def _known(self, shape: Polygon) -> str:
        """The name of the shape that an outline is; "" for one of its own, as a face is that lines lead to."""
        kind = plain_kind(shape.points)
        return {"rectangle": "" if id(shape) in self.sites else "rect", "ellipse": "ellipse"}.get(kind, "")

    def _site(self, shape: Shape, at: Point) -> tuple[int, float]:
        """The number of that of the connection sites of a shape that is nearest to a point, and how far it is."""
        left, top, right, bottom = bounds(shape)
        x, y = (left + right) / 2, (top + bottom) / 2
        sides: Sequence[Point] = ((x, top), (left, y), (x, bottom), (right, y))
        numbers: Sequence[int] = range(4)
        if isinstance(shape, Polygon):
            known = self._known(shape)
            if not known:
                sides = _places(shape, self.sites)
                numbers = range(len(sides))
            elif known == "ellipse":
                numbers = (0, 2, 4, 6)  # those between are of the diagonals
        far = [hypot(x - at[0], y - at[1]) for x, y in sides]
        nearest = min(range(len(far)), key=far.__getitem__)
        return numbers[nearest], far[nearest]

    def _bent(self, points: Sequence[Point]) -> str:
        """A bent connector. Its own frame has the first piece go right, and the end lie right and below of the start.

        Turned by 90° about its middle where the first piece goes down or up, mirrored where the end lies elsewhere.
        """
        (x, y), (to_x, to_y) = points[0], points[-1]
        turned = abs(points[1][0] - x) < abs(points[1][1] - y)
        along, across = (to_y - y, x - to_x) if turned else (to_x - x, to_y - y)
        mirror, flip = (-1 if along < 0 else 1), (-1 if across < 0 else 1)
        wide, high = max(abs(along), 0.01), max(abs(across), 0.01)
        shares = []
        for number, (px, py) in enumerate(points[1:-2]):
            if number % 2 == 0:
                shares.append(mirror * ((py - y) if turned else (px - x)) / wide)
            else:
                shares.append(flip * ((x - px) if turned else (py - y)) / high)
        guides = "".join(
            f'<a:gd name="adj{i}" fmla="val {round(100_000 * share)}"/>' for i, share in enumerate(shares, 1)
        )
        middle = ((x + to_x) / 2, (y + to_y) / 2)
        place = (middle[0] - wide / 2, middle[1] - high / 2, middle[0] + wide / 2, middle[1] + high / 2)
        how = (' rot="5400000"' if turned else "") + (' flipH="1"' if mirror < 0 else "")
        how += ' flipV="1"' if flip < 0 else ""
        return self._place(place, how) + _preset(f"bentConnector{len(points) - 1}", guides)

    def _outline(self, points: Sequence[Point], place: Bounds, sites: Sequence[Point] | None = None) -> str:
        """A shape of straight lines with places for connectors; an open line where there is none."""
        left, top, right, bottom = place
        closed = sites is not None
        at = [self._pair("pt", "x", "y", x - left, y - top) for x, y in points]
        glued = (self._pair("pos", "x", "y", x - left, y - top) for x, y in sites or ())
        places = "".join(f'<a:cxn ang="0">{pos}</a:cxn>' for pos in glued)
        steps = f"<a:moveTo>{at[0]}</a:moveTo>" + "".join(f"<a:lnTo>{pt}</a:lnTo>" for pt in at[1:])
        size = f'w="{self._emu(right - left)}" h="{self._emu(bottom - top)}"'
        return (
            f"<a:custGeom><a:avLst/><a:gdLst/><a:ahLst/><a:cxnLst>{places}</a:cxnLst>"
            '<a:rect l="0" t="0" r="r" b="b"/>'
            f"<a:pathLst><a:path {size}{'' if closed else _UNFILLED}>{steps}{'<a:close/>' if closed else ''}</a:path>"
            "</a:pathLst></a:custGeom>"
        )

    def _line(self, paint: Paint, arrow: bool = False) -> str:
        if not outlined(paint):
            return "<a:ln><a:noFill/></a:ln>"
        pairs = zip(paint.dashes[::2], paint.dashes[1::2], strict=True)
        parts = (f'<a:ds d="{_share(dash, paint)}" sp="{_share(gap, paint)}"/>' for dash, gap in pairs)
        dashes = f"<a:custDash>{''.join(parts)}</a:custDash>" if paint.dashes else ""
        head = '<a:tailEnd type="triangle" w="med" len="med"/>' if arrow else ""
        return f'<a:ln w="{self._emu(paint.width)}">{_colour(ink(paint.line))}{dashes}<a:round/>{head}</a:ln>'

    def _place(self, place: Bounds, how: str = "") -> str:
        return f"<a:xfrm{how}>{self._frame(place)}</a:xfrm>"

    def _frame(self, place: Bounds, corner: str = "off", size: str = "ext") -> str:
        left, top, right, bottom = place
        return self._pair(corner, "x", "y", left, top) + self._pair(size, "cx", "cy", right - left, bottom - top)

    def _pair(self, what: str, first: str, second: str, x: float, y: float) -> str:
        return f'<a:{what} {first}="{self._emu(x)}" {second}="{self._emu(y)}"/>'

    def _emu(self, length: float) -> int:
        return round(length * self.scale)


_UNFILLED = ' fill="none"'


def _share(length: float, paint: Paint) -> int:
    """Of the width of a line, in thousandths of a per cent."""
    return round(100_000 * length / paint.width)


def _name(number: int, name: str, title: str = "") -> str:
    said = f" descr={quoteattr(printable(title))}" if title else ""
    return f'<p:cNvPr id="{number}" name={quoteattr(printable(name))}{said}/>'


def _preset(kind: str, guides: str = "") -> str:
    return f'<a:prstGeom prst="{kind}"><a:avLst>{guides}</a:avLst></a:prstGeom>'


def _fill(paint: Paint, shade: float = 1.0) -> str:
    return _colour(ink(paint.fill, shade))


def _colour(colour: str) -> str:
    return f'<a:solidFill><a:srgbClr val="{colour[1:].upper()}"/></a:solidFill>' if colour else "<a:noFill/>"


def _places(shape: Polygon, sites: Mapping[int, Sequence[Point]]) -> Sequence[Point]:
    """Where connectors can be glued to an outline: its corners, and where lines are drawn to it."""
    return (*shape.points, *sites.get(id(shape), ()))


def _sites(group: Group) -> dict[int, list[Point]]:
    """By the id of a shape, where lines start and end at it."""
    found: dict[int, list[Point]] = {}
    for member in group.members:
        if isinstance(member, Group):
            for shape, points in _sites(member).items():
                found.setdefault(shape, []).extend(points)
        elif isinstance(member, Connector):
            for end, at in ((member.source, member.points[0]), (member.target, member.points[-1])):
                if end is not None:
                    found.setdefault(id(end), []).append(at)
    return found


def _around(points: Sequence[Point]) -> Bounds:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
