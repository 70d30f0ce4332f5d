"""A scene as TikZ: text in the font of the document, looks as styles and colours that an author can change."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby

from ..fonts import Face, printable
from ..scene import Box, Item, Path, Polygon, Scene, Text
from ..texts.latex_letters import latex_text
from ..theme import Paint, Theme
from .marks import Steps, arrowed, ink, named, number, outline, outlined, radius

_NOTE = r"""
% A figure made with layerblocks, for \input. The preamble needs \usepackage{tikz}, no TikZ library, and a font that
% comes in any size (\usepackage{lmodern}, newtxtext, libertine ...). Lengths are in bp, 72 to the inch.
% To change looks, before this file is read:
%   \definecolor{layerblocks-conv-fill}{HTML}{FFFFFF}          a colour: those below are set where there is none
%   \tikzset{layerblocks/my conv/.style={line width=2bp}}      anything else, added to the style layerblocks/conv
%   \tikzset{layerblocks/my every text/.style={font=\sffamily}}
% The boxes of layers are nodes named after them: more can be drawn beside them at the end of the tikzpicture.
""".lstrip()

# A text keeps to the width it was measured with, whatever the font of the document.
_MACROS = r"""
\providecommand\layerblockstext[3]{% size and greatest width in bp, text
  \begingroup\fontsize{#1bp}{#1bp}\selectfont\setbox0\hbox{#3}%
  \ifdim\wd0>\dimexpr#2bp+0.05bp\relax\resizebox{#2bp}{!}{\box0}\else\box0\fi\endgroup}%
\providecommand\layerblocksletter[1]{% its number in Unicode; a box where TeX has no such letters
  \ifdefined\Umathchar\char\string"#1\relax\else
  {\fboxsep0pt\fboxrule.05em\kern.05em\fbox{\vrule width0pt height.65em\kern.4em}\kern.05em}\fi}%
""".strip()

# What packages (underscore, languages of babel) make active must not be so in a picture.
_PLAIN = r"""
\begingroup\count255 33\relax
\loop\ifnum\catcode\count255\string=13\relax\catcode\count255 12\relax\fi
\ifnum\count255\string<125\relax\advance\count255 by 1\relax\repeat
\ifnum\catcode95\string=12\relax\catcode95 8\relax\fi
""".strip().replace("\n", "%\n")

_DOCUMENT = r"""
\documentclass[tikz,border=0pt]{standalone}
\usepackage[T1]{fontenc}
\usepackage{lmodern}
\renewcommand{\familydefault}{\sfdefault}
\begin{document}
""".lstrip()

_ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}


def tikz(scene: Scene, theme: Theme, face: Face | None = None, dpi: float = 0) -> bytes:
    r"""A `tikzpicture` to `\input`, with a note on what the preamble needs."""
    return f"{_NOTE}{_picture(scene, theme)}".encode()


def standalone(scene: Scene, theme: Theme, face: Face | None = None, dpi: float = 0) -> bytes:
    """A document whose one page is the figure."""
    return f"{_DOCUMENT}{_NOTE}{_picture(scene, theme)}\\end{{document}}\n".encode()


def _picture(scene: Scene, theme: Theme) -> str:
    names = named(scene.items, lambda name: re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-"))
    looks = sorted({(item.role, _KINDS[type(item)]) for item in scene.items})
    roles = sorted({role for role, _ in looks})
    styles = dict.fromkeys(style for role, kind in looks for style in _styles(role, kind, theme.paint(role)))
    return "\n".join(
        [
            _MACROS,
            *(colour for role in roles for colour in _colours(role, theme.paint(role))),
            f"{_PLAIN}%",
            r"\begin{tikzpicture}[x=1bp,y=1bp,line join=round,every node/.style={},every path/.style={},",
            r"  layerblocks/node/.style={shape=rectangle,inner sep=0pt,outer sep=0pt,minimum size=0pt},",
            r"  layerblocks/every text/.style={layerblocks/node,layerblocks/my every text/.try},",
            *(f"  {style}," for style in styles),
            "]",
            rf"\useasboundingbox (0,0) rectangle ({number(scene.width)},{number(scene.height)});",
            *(
                line
                for place, item in enumerate(scene.items)
                for line in _lines(item, scene.height, theme, names.get(place, ""))
            ),
            "\\end{tikzpicture}\\endgroup%\n",
        ]
    )


# -- looks ------------------------------------------------------------------------------------------------------------

# A role may be that of shapes, of lines with their arrow heads, and of texts.
_KINDS: dict[type[Item], str] = {Box: "", Polygon: "", Path: "line", Text: "text"}


def _plain(role: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", role) or "other"


def _colours(role: str, paint: Paint) -> Iterator[str]:
    for part, colour in (("fill", ink(paint.fill)), ("line", ink(paint.line))):
        if colour:
            yield rf"\providecolor{{layerblocks-{_plain(role)}-{part}}}{{HTML}}{{{colour[1:].upper()}}}%"


def _styles(role: str, kind: str, paint: Paint) -> Iterator[str]:
    name = _plain(role)
    fill = f"fill=layerblocks-{name}-fill" if ink(paint.fill) else ""
    line = f"layerblocks-{name}-line" if ink(paint.line) else ""
    dashes = zip(("on", "off") * len(paint.dashes), paint.dashes, strict=False)
    pattern = " ".join(f"{word} {number(length)}bp" for word, length in dashes)
    stroke = [f"draw={line}", f"line width={number(paint.width)}bp"] if outlined(paint) else []
    stroke += [f"dash pattern={pattern}"] if stroke and pattern else []
    match kind:
        case "line":
            yield _style(f"{name} line", *stroke, mine=name)
            yield _style(f"{name} head", f"fill={line}" if line else "", mine=f"{name} head")
        case "text":
            yield _style(f"{name} text", "layerblocks/every text", f"text={line}" if line else "", mine=f"{name} text")
        case _:
            yield _style(name, fill, *stroke, mine=name)


def _style(name: str, *looks: str, mine: str) -> str:
    return f"layerblocks/{name}/.style={{{','.join([*filter(None, looks), f'layerblocks/my {mine}/.try'])}}}"


# -- shapes -----------------------------------------------------------------------------------------------------------


def _lines(item: Item, height: float, theme: Theme, name: str) -> Iterator[str]:
    paint, role = theme.paint(item.role), _plain(item.role)
    match item:
        case Box():
            corner = f",rounded corners={number(radius(item))}bp" if radius(item) > 0 else ""
            left, top, right, bottom = item.x, height - item.y, item.x + item.width, height - item.y - item.height
            if name:
                size = f"minimum width={number(item.width)}bp,minimum height={number(item.height)}bp"
                look = f"layerblocks/node,layerblocks/{role}{corner},{size}"
                yield rf"\node[{look}] ({name}) at {_at((left + right) / 2, (top + bottom) / 2)} {{}};"
            else:
                yield rf"\path[layerblocks/{role}{corner}] {_at(left, top)} rectangle {_at(right, bottom)};"
        case Polygon():
            shade = ""
            if item.shade != 1 and ink(paint.fill):
                shade = f",fill=layerblocks-{role}-fill!{number(100 * item.shade)}!black,layerblocks/my {role}/.try"
            if item.points:
                yield rf"\path[layerblocks/{role}{shade}] {_steps(outline(item), height)};"
            if name and item.points:
                yield _bounds(item, height, name)
        case Path():
            steps, head = arrowed(item, paint, theme)
            if outlined(paint):
                yield rf"\path[layerblocks/{role} line] {_steps(steps, height)};"
            if head:
                yield rf"\path[layerblocks/{role} head] {_steps(head, height)};"
        case Text():
            yield from _text(item, height, role)


def _bounds(polygon: Polygon, height: float, name: str) -> str:
    """A node without a look, as large as the face."""
    xs, ys = [x for x, _ in polygon.points], [height - y for _, y in polygon.points]
    size = f"minimum width={number(max(xs) - min(xs))}bp,minimum height={number(max(ys) - min(ys))}bp"
    middle = _at((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2)
    return rf"\node[layerblocks/node,{size}] ({name}) at {middle} {{}};"


def _text(item: Text, height: float, role: str) -> Iterator[str]:
    text = printable(item.text)
    if not text.strip():
        return
    words = _words(text)
    if item.bold:
        words = rf"\bfseries {words}"
    most = item.width if item.width > 0 else 1000 * item.size
    look = f"layerblocks/{role} text,anchor={_ANCHORS[item.anchor]}"
    content = rf"\layerblockstext{{{number(item.size)}}}{{{number(most)}}}{{{words}}}"
    yield rf"\node[{look}] at {_at(item.x, height - item.y)} {{{content}}};"


def _words(text: str) -> str:
    """A text in LaTeX that keeps its spaces; a letter that LaTeX has no name for goes by its number."""
    parts = groupby(unicodedata.normalize("NFC", text), lambda a: latex_text(a) == f"U+{ord(a):04X}")
    words = "".join(
        "".join(rf"\layerblocksletter{{{ord(a):X}}}" for a in part) if odd else latex_text("".join(part))
        for odd, part in parts
    )
    return re.sub(r"(?<=\s)\s|^\s|\s$", "~", words)


def _at(x: float, y: float) -> str:
    return f"({number(x)},{number(y)})"


def _steps(steps: Steps, height: float) -> str:
    """A path with y upwards."""
    words = []
    for step, points in steps:
        places = [_at(x, height - y) for x, y in points]
        match step:
            case "M":
                words.append(places[0])
            case "L":
                words.append(f"-- {places[0]}")
            case "C":
                words.append(f".. controls {places[0]} and {places[1]} .. {places[2]}")
            case _:
                words.append("-- cycle")
    return " ".join(words)
