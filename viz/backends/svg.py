"""A scene as SVG: text stays text, in a font that comes with it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from html import escape

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen

from ..fonts import Face, printable
from ..scene import Box, Item, Path, Polygon, Scene, Text
from ..theme import Paint, Theme
from .marks import Steps, arrowed, ink, letters, named, number, outlined, radius, start, stretch


def svg_paths(scene: Scene, theme: Theme, face: Face, dpi: float = 0) -> bytes:
    """A scene as SVG whose letters are outlines: it looks the same in programs that know no fonts, nothing is text."""
    return svg(scene, theme, face, text_as_paths=True)


def svg(scene: Scene, theme: Theme, face: Face, dpi: float = 0, *, text_as_paths: bool = False) -> bytes:
    """A scene as SVG.

    Looks are attributes, which any stylesheet overrules: everything has the class `box`, `face`, `line`, `head` or
    `text`, and that of its role. Boxes have the names of their nodes as ids.
    """
    names = named(scene.items, lambda name: re.sub(r"\s+", "_", printable(name).strip()))
    family = "layerblocks-" + _digest(face.family, letters(scene, False), letters(scene, True))
    title, description = printable(scene.title), printable(scene.description)
    key = f"{family}-{_digest(title, description)}"
    size = f'width="{number(scene.width)}pt" height="{number(scene.height)}pt"'
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {number(scene.width)} {number(scene.height)}" '
        f'role="img"{_labelled(key, title, description)} '
        f'{"" if text_as_paths else _family(family, face)}stroke-linejoin="round" xml:space="preserve">'
    ]
    parts += [f'<title id="{key}-title">{_escaped(title)}</title>'] if title else []
    parts += [f'<desc id="{key}-desc">{_escaped(description)}</desc>'] if description else []
    rules = "" if text_as_paths else "".join(_fonts(scene, face, family))
    parts += [f"<style>{rules}</style>"] if rules else []
    for place, item in enumerate(scene.items):
        if text_as_paths and isinstance(item, Text):
            parts += _outlined(item, theme.paint(item.role), face)
        else:
            parts += _elements(item, theme, face, names.get(place, ""))
    return ("\n".join(parts) + "\n</svg>\n").encode()


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]


def _labelled(key: str, title: str, description: str) -> str:
    ids = [f"{key}-{part}" for part, words in (("title", title), ("desc", description)) if words]
    return f' aria-labelledby="{" ".join(ids)}"' if ids else ""


def _family(family: str, face: Face) -> str:
    return f"font-family={_attribute(f'{family}, {_fallback(face)}')} "


def _fallback(face: Face) -> str:
    """The fonts for a viewer that ignores those in the file; `textLength` keeps the lines as wide."""
    family = re.sub(r"[^A-Za-z0-9 -]", "", face.family)
    generic = "serif" if "serif" in family.lower() and "sans" not in family.lower() else "sans-serif"
    return f"'{family}', {generic}"


def _fonts(scene: Scene, face: Face, family: str) -> Iterator[str]:
    for bold, weight in ((False, "normal"), (True, "bold")):
        text = letters(scene, bold)
        if text.strip():
            data = base64.b64encode(face.cut(bold).subset(text).woff).decode()
            source = f"url(data:font/woff;base64,{data}) format('woff')"
            yield f"@font-face{{font-family:{family};font-weight:{weight};src:{source}}}"


def _elements(item: Item, theme: Theme, face: Face, name: str) -> Iterator[str]:
    paint, kind = theme.paint(item.role), _class(item.role)
    match item:
        case Box():
            corner = f' rx="{number(radius(item))}"' if radius(item) > 0 else ""
            place = zip(("x", "y", "width", "height"), (item.x, item.y, item.width, item.height), strict=True)
            where = " ".join(f'{key}="{number(value)}"' for key, value in place) + corner
            yield _element("rect", f"box {kind}", where, _look(paint), name, item.title)
        case Polygon():
            points = " ".join(f"{number(x)},{number(y)}" for x, y in item.points)
            yield _element("polygon", f"face {kind}", f'points="{points}"', _look(paint, item.shade), name, item.title)
        case Path():
            steps, head = arrowed(item, paint, theme)
            if outlined(paint):
                yield _element("path", f"line {kind}", f'd="{_steps(steps)}"', f'fill="none"{_stroke(paint)}')
            if head:
                yield _element("path", f"head {kind}", f'd="{_steps(head)}"', f'fill="{ink(paint.line)}"')
        case Text():
            yield from _text(item, paint, kind, face)


def _text(item: Text, paint: Paint, kind: str, face: Face) -> Iterator[str]:
    text = printable(item.text)
    if not text.strip():
        return
    own = face.width(text, item.size, item.bold)
    wide = own * stretch(item, own)
    where = f'x="{number(item.x)}" y="{number(item.y)}" textLength="{number(wide)}" lengthAdjust="spacingAndGlyphs"'
    where += "" if item.anchor == "start" else f' text-anchor="{item.anchor}"'
    look = f'font-size="{number(item.size)}"' + (' font-weight="bold"' if item.bold else "")
    yield f'<text class="text {kind}" {where} {look} fill="{ink(paint.line) or "none"}">{_escaped(text)}</text>'


def _outlined(item: Text, paint: Paint, face: Face) -> Iterator[str]:
    """A line of text as the outlines of its letters."""
    text, cut = printable(item.text), face.cut(item.bold)
    if not text.strip():
        return
    scale, x = item.size / cut.units, start(item)
    wider = stretch(item, face.width(text, item.size, item.bold))
    pen = SVGPathPen(None, ntos=number)
    for letter in text:
        at = TransformPen(pen, (scale * wider, 0, 0, -scale, x, item.y))
        for step, points in cut.outline(letter):
            getattr(at, step)(*points)
        x += cut.advance(letter) * scale * wider
    kind = f"text {_class(item.role)}"
    yield _element("path", kind, f'd="{pen.getCommands()}"', f'fill="{ink(paint.line) or "none"}"')


def _element(tag: str, kind: str, where: str, look: str, name: str = "", title: str = "") -> str:
    head = f'<{tag}{f" id={_attribute(name)}" if name else ""} class="{kind}" {where} {look}'
    return f"{head}><title>{_escaped(printable(title))}</title></{tag}>" if title else f"{head}/>"


def _look(paint: Paint, shade: float = 1.0) -> str:
    return f'fill="{ink(paint.fill, shade) or "none"}"' + (_stroke(paint) if outlined(paint) else "")


def _stroke(paint: Paint) -> str:
    dashes = f' stroke-dasharray="{" ".join(map(number, paint.dashes))}"' if paint.dashes else ""
    return f' stroke="{ink(paint.line)}" stroke-width="{number(paint.width)}"{dashes}'


def _steps(steps: Steps) -> str:
    return "".join(step + " ".join(f"{number(x)},{number(y)}" for x, y in points) for step, points in steps)


def _class(role: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", role) or "other"


def _escaped(text: str) -> str:
    return escape(text, quote=False)


def _attribute(text: str) -> str:
    return f'"{escape(text)}"'
