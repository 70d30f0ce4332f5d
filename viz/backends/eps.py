"""A scene as EPS: text in embedded Type 42 fonts, which are TrueType for PostScript, without a date."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import ceil

from ..fonts import Face, Subset, glyph_name, printable
from ..scene import Scene
from ..theme import Theme
from .marks import Letters, letters, marks, number
from .operators import operators

# PDF's operators in PostScript; T shows a text: x y width-factor size font string.
_PROLOG = """\
/layerblocks 40 dict def layerblocks begin
/bd {bind def} bind def
/m {moveto} bd /l {lineto} bd /c {curveto} bd /h {closepath} bd
/w {setlinewidth} bd /d {setdash} bd /j {setlinejoin} bd
/rg {3 array astore /F exch def} bd /RG {3 array astore /L exch def} bd
/f {F aload pop setrgbcolor fill} bd /S {L aload pop setrgbcolor stroke} bd
/B {gsave f grestore S} bd
/T {/s exch def findfont exch scalefont setfont gsave F aload pop setrgbcolor
 3 1 roll translate 1 scale 0 0 moveto s show grestore} bd
"""
_MOST = 65_000  # bytes of a font in one string
_CODES = 255  # letters that one font can show; more need another


def eps(scene: Scene, theme: Theme, face: Face, dpi: float = 0) -> bytes:
    """A scene as an EPS of level 3."""
    cuts = {bold: letters(scene, bold) for bold in (False, True)}
    fonts = {bold: face.cut(bold).subset(text) for bold, text in cuts.items() if text.strip()}
    width, height = scene.width, scene.height
    lines = [
        "%!PS-Adobe-3.0 EPSF-3.0",
        f"%%BoundingBox: 0 0 {ceil(width - 1e-6)} {ceil(height - 1e-6)}",
        f"%%HiResBoundingBox: 0 0 {number(width)} {number(height)}",
        "%%Creator: layerblocks",
        *([f"%%Title: {_plain(scene.title)}"] if scene.title else []),
        "%%LanguageLevel: 3",
        "%%Pages: 1",
        "%%EndComments",
        "%%BeginProlog",
        _PROLOG + "end",
        "%%EndProlog",
        "%%Page: 1 1",
        "layerblocks begin gsave",
    ]
    for font in fonts.values():
        lines += _font(font)
    lines += operators(marks(scene, theme, face), height, lambda text, y: _shown(text, y, fonts[text.bold]))
    lines += ["grestore end", "showpage", "%%Trailer", "%%EOF", ""]
    return "\n".join(lines).encode("ascii")


def _plain(words: str) -> str:
    """Words for a comment: ASCII, on one line."""
    return printable(words).encode("ascii", "replace").decode()[:200]


def _name(font: Subset, part: int) -> str:
    return f"{font.tag}{part}-{font.name}"


def _shown(text: Letters, y: float, font: Subset) -> str:
    """Runs of letters that one font shows, one after another."""
    runs: list[tuple[int, str]] = []
    for letter in text.text:
        part = (font.numbers[letter] - 1) // _CODES
        if runs and runs[-1][0] == part:
            runs[-1] = (part, runs[-1][1] + letter)
        else:
            runs.append((part, letter))
    found, x = [], text.x
    for part, run in runs:
        codes = "".join(f"{(font.numbers[letter] - 1) % _CODES:02X}" for letter in run)
        place = f"{number(x)} {number(y)} {number(text.stretch)} {number(text.size)}"
        found.append(f"{place} /{_name(font, part)} <{codes}> T")
        far = sum(font.advances[font.numbers[letter]] for letter in run)
        x += far * text.size * text.stretch / font.units
    return " ".join(found)


def _font(font: Subset) -> Iterator[str]:
    """A Type 42 font and, past 255 letters, others that share its outlines; names of glyphs identify letters."""
    box = " ".join(number(side / font.units) for side in font.bounds)
    names = [glyph_name(letter) for letter in font.letters]
    for part in range(ceil(len(names) / _CODES)):
        first = part * _CODES
        codes = (f"dup {code} /{name} put" for code, name in enumerate(names[first : first + _CODES]))
        key = _name(font, part)
        yield "11 dict begin /FontType 42 def /FontMatrix [1 0 0 1 0 0] def /PaintType 0 def"
        yield f"/FontName /{key} def /FontBBox [{box}] def"
        yield f"/FontInfo 1 dict dup begin /FullName ({font.name}) def end def"
        yield "/Encoding 256 array 0 1 255 {1 index exch /.notdef put} for"
        yield from codes
        yield "def"
        if part == 0:
            yield f"/sfnts [{' '.join(_strings(font.data))}] def"
            yield f"/CharStrings {len(names) + 1} dict dup begin /.notdef 0 def"
            yield from (f"/{name} {number} def" for number, name in enumerate(names, 1))
            yield "end def"
        else:
            yield f"/{_name(font, 0)} findfont dup /sfnts get /sfnts exch def /CharStrings get /CharStrings exch def"
        yield "FontName currentdict end definefont pop"


def _strings(data: bytes) -> Iterator[str]:
    """The file in strings that end between tables or glyphs, each with a byte more as Type 42 asks for."""
    start = 0
    cuts = [*_cuts(data), len(data)]
    for cut, after in zip(cuts, [*cuts[1:], len(data) + _MOST + 1], strict=True):
        if after - start > _MOST or cut == len(data):
            text = data[start:cut].hex().upper() + "00"
            yield "<" + "\n".join(text[i : i + 240] for i in range(0, len(text), 240)) + ">"
            start = cut
            if cut == len(data):
                return


def _cuts(data: bytes) -> list[int]:
    """Where tables and glyphs begin."""
    (count,) = struct.unpack(">H", data[4:6])
    tables = {
        tag: (offset, length) for tag, _, offset, length in struct.iter_unpack(">4sLLL", data[12 : 12 + 16 * count])
    }
    (long,) = struct.unpack(">h", data[tables[b"head"][0] + 50 : tables[b"head"][0] + 52])
    where, size = tables[b"loca"]
    places = struct.unpack(f">{size // (4 if long else 2)}{'L' if long else 'H'}", data[where : where + size])
    glyphs = {tables[b"glyf"][0] + place * (1 if long else 2) for place in places}
    return sorted({offset for offset, _ in tables.values()} | glyphs)
