"""A scene as a slide for PowerPoint: native shapes in groups, and connectors glued to them.

Programs lay connectors anew from the places that they are glued to, and each its own way where there are corners. So a
line with corners is a chain of straight connectors, glued to one another at dots that cannot be seen; where it meets a
shape elsewhere than in the middle of a side, such a dot stands in the group of the shape.

The slide is as large as the figure. The package around it, with its master and theme, is python-pptx's.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from math import hypot, inf
from xml.sax.saxutils import escape, quoteattr

from ...extras import needs
from ..fonts import Face, printable
from ..scene import Box, Item, Path, Point, Polygon, Scene, Text
from ..statements import Bounds, bounds
from ..theme import Paint, Theme
from .groups import Connector, Group, Shape, bounds_of, corners, grouped, plain_kind
from .marks import ink, outlined, radius

_EMU = 12_700  # to the point
_SMALLEST, _LARGEST = 72.0, 56 * 72.0  # sides of a slide, in points
_SPACES = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
)
_NEAR, _DOT = 0.5, 0.02  # points: of an end from the middle of a side; the side of a dot
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that an archive can have


def pptx(scene: Scene, theme: Theme, face: Face, dpi: float = 0) -> bytes:
    """A scene as a presentation of one slide.

    Every node and every frame is a group, every line one or several connectors, glued to the shapes that it joins. A
    figure longer than a slide can be is scaled down to one.

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
    numbers = count(2)
    slide = _Slide(theme, face, scale * _EMU, dict(_ids(whole, numbers)), _pins(whole, numbers), numbers)
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
    pins: Mapping[int, Mapping[Point, int]]
    numbers: Iterator[int]

    def shapes(self, group: Group) -> Iterator[str]:
        """All that is in a group, as XML."""
        for member in group.members:
            number = self.ids[id(member)]
            if isinstance(member, Connector):
                yield from self._connectors(member, number)
            elif isinstance(member, Group):
                place = self._frame(member.extent) + self._frame(member.extent, "chOff", "chExt")
                yield (
                    f"<p:grpSp><p:nvGrpSpPr>{_name(number, member.name or 'group')}<p:cNvGrpSpPr/><p:nvPr/>"
                    f"</p:nvGrpSpPr><p:grpSpPr><a:xfrm>{place}</a:xfrm></p:grpSpPr>"
                    f"{''.join(self.shapes(member))}</p:grpSp>"
                )
            else:
                yield from self._item(member, number)
                yield from (self._dot(at, pin, "end") for at, pin in self.pins.get(id(member), {}).items())

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
                    place, known = bounds_of(item), _PRESETS.get(plain_kind(item.points))
                    geometry = _preset(known) if known else self._outline(item.points, place, closed=True)
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

    def _connectors(self, link: Connector, number: int) -> Iterator[str]:
        """A line as straight connectors, each glued to the next; its arrow head is the last one's."""
        dots = [(next(self.numbers), at) for at in link.points[1:-1]]
        yield from (self._dot(at, dot, "corner") for dot, at in dots)
        ends = self._end(link.source, link.points[0]), self._end(link.target, link.points[-1])
        glued = [ends[0], *((dot, 0) for dot, _ in dots), ends[1]]
        paint = self.theme.paint(link.path.role)
        for place, ((start, end), (source, target)) in enumerate(
            zip(pairwise(link.points), pairwise(glued), strict=True)
        ):
            found = (("stCxn", source), ("endCxn", target))
            glue = "".join(f'<a:{word} id="{on[0]}" idx="{on[1]}"/>' for word, on in found if on)
            last = place == len(dots)
            (x, y), (to_x, to_y) = start, end
            flips = (' flipH="1"' if to_x < x else "") + (' flipV="1"' if to_y < y else "")
            way = self._place((min(x, to_x), min(y, to_y), max(x, to_x), max(y, to_y)), flips)
            yield (
                f"<p:cxnSp><p:nvCxnSpPr>{_name(number if last else next(self.numbers), 'line')}<p:cNvCxnSpPr>{glue}"
                f"</p:cNvCxnSpPr><p:nvPr/></p:nvCxnSpPr><p:spPr>{way}{_preset('straightConnector1')}"
                f"{self._line(paint, link.path.arrow and last)}</p:spPr></p:cxnSp>"
            )

    def _end(self, shape: Shape | None, at: Point) -> tuple[int, int] | None:
        """What the end of a line is glued to: the id of a shape, and the number of a place on it."""
        if shape is None:
            return None
        pin = self.pins.get(id(shape), {}).get(at)
        return (self.ids[id(shape)], _site(shape, at)[0]) if pin is None else (pin, 0)

    def _dot(self, at: Point, number: int, name: str) -> str:
        x, y = at
        look = _preset("rect") + "<a:noFill/><a:ln><a:noFill/></a:ln>"
        return (
            f"<p:sp><p:nvSpPr>{_name(number, name)}<p:cNvSpPr/><p:nvPr/></p:nvSpPr>"
            f"<p:spPr>{self._place((x - _DOT / 2, y, x + _DOT / 2, y + _DOT))}{look}</p:spPr></p:sp>"
        )

    def _outline(self, points: Sequence[Point], place: Bounds, closed: bool = False) -> str:
        """A shape of straight lines, or an open line."""
        left, top, right, bottom = place
        at = [self._pair("pt", "x", "y", x - left, y - top) for x, y in points]
        steps = f"<a:moveTo>{at[0]}</a:moveTo>" + "".join(f"<a:lnTo>{pt}</a:lnTo>" for pt in at[1:])
        size = f'w="{self._emu(right - left)}" h="{self._emu(bottom - top)}"'
        return (
            '<a:custGeom><a:avLst/><a:gdLst/><a:ahLst/><a:cxnLst/><a:rect l="0" t="0" r="r" b="b"/>'
            f"<a:pathLst><a:path {size}{'' if closed else _UNFILLED}>{steps}{'<a:close/>' if closed else ''}</a:path>"
            "</a:pathLst></a:custGeom>"
        )

    def _line(self, paint: Paint, arrow: bool = False) -> str:
        if not outlined(paint):
            return "<a:ln><a:noFill/></a:ln>"
        pairs = zip(paint.dashes[::2], paint.dashes[1::2], strict=True)
        parts = (f'<a:ds d="{_share(dash, paint)}" sp="{_share(gap, paint)}"/>' for dash, gap in pairs)
        dashes = f"<a:custDash>{''.join(parts)}</a:custDash>" if paint.dashes else ""
        head = '<a:tailEnd type="triangle" w="sm" len="sm"/>' if arrow else ""
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


_PRESETS = {"rectangle": "rect", "ellipse": "ellipse"}


def _pins(group: Group, numbers: Iterator[int]) -> dict[int, dict[Point, int]]:
    """By the id of a shape, where lines end at it elsewhere than at one of its own places, with ids for dots there."""
    found: dict[int, dict[Point, int]] = {}
    for member in group.members:
        if isinstance(member, Group):
            for shape, pins in _pins(member, numbers).items():
                found.setdefault(shape, {}).update(pins)
        elif isinstance(member, Connector):
            for end, at in ((member.source, member.points[0]), (member.target, member.points[-1])):
                if end is not None and _site(end, at)[1] > _NEAR and at not in found.get(id(end), {}):
                    found.setdefault(id(end), {})[at] = next(numbers)
    return found


def _site(shape: Shape, at: Point) -> tuple[int, float]:
    """The number of that of the places for connectors on a shape that is nearest to a point, and how far it is."""
    kind = "rectangle" if isinstance(shape, Box) else plain_kind(shape.points)
    if kind == "polygon":
        return 0, inf
    left, top, right, bottom = bounds(shape)
    x, y = (left + right) / 2, (top + bottom) / 2
    far = [hypot(px - at[0], py - at[1]) for px, py in ((x, top), (left, y), (x, bottom), (right, y))]
    nearest = min(range(4), key=far.__getitem__)
    return nearest * (2 if kind == "ellipse" else 1), far[nearest]  # those between are of the diagonals
