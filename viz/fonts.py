"""The one font of a figure: measured and embedded, so that no picture depends on the fonts of a machine.

Letters that it lacks are lent by DejaVu Sans or another font of the machine, and embedded too.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import checks
from ..extras import needs

DEFAULT_FAMILY = "Arimo"
_OURS = Path(__file__).parent / "font_files"
# Families that come with layerblocks: as wide as Helvetica and Times, and one that has every sign.
_OWN = {
    "Arimo": ("Arimo-Regular.ttf", "Arimo-Bold.ttf"),
    "Tinos": ("Tinos-Regular.ttf", "Tinos-Bold.ttf"),
    "DejaVu Sans": ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
}
_RICH = "DejaVu Sans"  # which lends what the others lack
# What authors call them.
_CALLED = {
    **dict.fromkeys(("sans", "sans-serif", "helvetica", "arial"), "Arimo"),
    **dict.fromkeys(("serif", "times", "times new roman"), "Tinos"),
    "dejavu": "DejaVu Sans",
    **dict.fromkeys(("stix", "stix two"), "STIXGeneral"),
    **dict.fromkeys(("mono", "monospace"), "DejaVu Sans Mono"),
}
# Families that come with matplotlib, whose list of the machine's fonts is slow to load.
_MATPLOTLIB = {
    "DejaVu Sans Mono": ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"),
    "DejaVu Serif": ("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"),
    "STIXGeneral": ("STIXGeneral.ttf", "STIXGeneralBol.ttf"),
}
_EPOCH = 2_082_844_800  # 1970, as fonts count seconds
_FILES = (".ttf", ".otf", ".ttc", ".otc")


@checks.public
def face(font: str | os.PathLike[str] | None = None) -> Face:
    """Find the font of that name or file; Arimo, as wide as Helvetica, if none is named.

    Args:
        font: `"sans"` (Arimo), `"times"` (Tinos, as wide as Times), `"DejaVu Sans"`, which all come with layerblocks;
            another family (`"DejaVu Serif"`, or any that `matplotlib.font_manager` finds); or the path of a `.ttf`,
            `.otf`, `.ttc` or `.otc`; its bold cut is the file beside it whose name says so, else the file itself.

    Raises:
        ValueError: there is no such family or file, or it is not a font.
        ModuleNotFoundError: a family is named that does not come with layerblocks, and matplotlib, which finds it, is
            not installed.

    >>> round(face().width("conv 3×3", 10), 2), face("times").family
    (40.86, 'Tinos')
    """
    if font is None:
        return _own(DEFAULT_FAMILY)
    if isinstance(font, os.PathLike) or Path(str(font)).suffix.lower() in _FILES:
        return _from_file(os.fspath(font))
    name = checks.text("font", font, "the name of a family, a path, or None")
    name = _CALLED.get(name.lower(), name)
    name = next((known for known in (*_OWN, *_MATPLOTLIB) if known.lower() == name.lower()), name)
    if name in _OWN:
        return _own(name)
    return _of_matplotlib(name) if name in _MATPLOTLIB else _family(name)


@dataclass(frozen=True)
class Face:
    """A font in two cuts; see `face`."""

    family: str
    regular: Cut
    bold: Cut

    def cut(self, bold: bool = False) -> Cut:
        return self.bold if bold else self.regular

    def width(self, text: str, size: float, bold: bool = False) -> float:
        """The width of a line in points, set without kerning or ligatures, as every backend sets it."""
        cut = self.cut(bold)
        return sum(map(cut.advance, printable(text))) * size / cut.units


@dataclass(frozen=True, eq=False)
class Cut:
    """One file of a font: `glyphs` are a letter's glyph and how far it moves on, in `units` to the size.

    `box` is the advance of what is drawn for a missing letter; heights are fractions of the size.
    """

    path: str
    family: str
    name: str
    units: int
    cubic: bool
    glyphs: Mapping[str, tuple[str, int]]
    box: int
    ascent: float
    descent: float

    def advance(self, letter: str) -> int:
        """How far a letter moves on, in `units` to the size; one that no font here has as far as its box."""
        found = self.glyphs.get(letter)
        if found:
            return found[1]
        if other := elsewhere(letter):
            return round(other.glyphs[letter][1] * self.units / other.units)
        return max(self.box, self.units) if unicodedata.east_asian_width(letter) in "WF" else self.box

    @functools.cached_property
    def cap_height(self) -> float:
        """The height of an H."""
        return max((y for _, points in self.outline("H") for _, y in points), default=0) / self.units

    @functools.cached_property
    def _outlines(self) -> Any:
        return _opened(self.path).getGlyphSet()

    @functools.lru_cache(maxsize=4096)  # noqa: B019 (cuts live as long as the process)
    def outline(self, letter: str) -> tuple[tuple[str, tuple[tuple[float, float], ...]], ...]:
        """The outline of a letter, `(step, points)`: as the calls of a fontTools pen, in `units` to the size."""
        from fontTools.pens.recordingPen import DecomposingRecordingPen
        from fontTools.pens.transformPen import TransformPen

        if letter and letter not in self.glyphs and (other := elsewhere(letter)):
            scale = self.units / other.units
            scaled = DecomposingRecordingPen({})
            scaling = TransformPen(scaled, (scale, 0, 0, scale, 0, 0))
            for step, points in other.outline(letter):
                getattr(scaling, step)(*points)
            return tuple(scaled.value)
        glyphs = self._outlines
        pen = DecomposingRecordingPen(glyphs)
        name = self.glyphs[letter][0] if letter in self.glyphs else ".notdef"
        aside = 0 if letter in self.glyphs or not letter else (self.advance(letter) - self.box) // 2
        if name in glyphs:
            glyphs[name].draw(TransformPen(pen, (1, 0, 0, 1, aside, 0)) if aside else pen)
        return tuple(pen.value)

    def subset(self, text: str) -> Subset:
        """A font of just these letters."""
        return _subset(self, "".join(sorted(set(printable(text)))))


@dataclass(frozen=True)
class Subset:
    """A TrueType font of some letters: `numbers` are the letters' glyph numbers, `advances` a glyph's, in `units`.

    Each letter has a glyph of its own, so that a glyph identifies its letter; one that the font lacks has that of
    another font of the machine, or else one that shows a box, which no viewer mistakes for the letter where it knows a
    font that has it.
    """

    name: str
    data: bytes
    letters: str
    units: int
    advances: tuple[int, ...]
    bounds: tuple[int, int, int, int]
    ascent: int
    descent: int
    cap_height: int

    @functools.cached_property
    def tag(self) -> str:
        """Six capital letters, others for every other subset."""
        return "".join(chr(65 + byte % 26) for byte in hashlib.sha256(self.data).digest()[:6])

    @functools.cached_property
    def numbers(self) -> dict[str, int]:
        return {letter: number for number, letter in enumerate(self.letters, 1)}

    @functools.cached_property
    def woff(self) -> bytes:
        """The font as a WOFF, for the web."""
        from fontTools.ttLib import TTFont

        font = TTFont(io.BytesIO(self.data), recalcTimestamp=False)
        font.flavor = "woff"
        return _saved(font)


def has(cut: Cut, letter: str) -> bool:
    """Whether the font, or another of the machine, has the letter."""
    return letter in cut.glyphs or elsewhere(letter) is not None


def missing(letters: Face, texts: Iterable[str]) -> str:
    """The letters that are drawn as boxes, each once."""
    found = sorted({letter for text in texts for letter in printable(text)})
    return "".join(a for a in found if not a.isspace() and a != "�" and not has(letters.regular, a))


@functools.cache
def elsewhere(letter: str) -> Cut | None:
    """A font that has the letter: DejaVu Sans, or one of the machine, a regular one before others; None if none has."""
    rich = _own(_RICH).regular
    if letter in rich.glyphs:
        return rich
    if letter.isascii() or not letter.isprintable() or not shutil.which("fc-list"):
        return None
    ask = ["fc-list", f":charset={ord(letter):x}:scalable=true", "file"]
    found = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=30).stdout.splitlines()
    paths = {line.strip().removesuffix(":") for line in found}
    for path in sorted(paths, key=lambda path: ("Regular" not in path, path)):
        if Path(path).suffix.lower() in _FILES:
            try:
                cut = _cut(path)
            except ValueError:  # a font of pictures
                continue
            if letter in cut.glyphs:
                return cut
    return None


_ODD = re.compile(r"[^ -~]")


def printable(text: str) -> str:
    """The line that is drawn: letters that no file can hold, or that draw nothing, become `�`, breaks become spaces."""
    return text if text.isprintable() else _ODD.sub(_plain, text)


def _plain(found: re.Match[str]) -> str:
    letter = found[0]
    kind, number = unicodedata.category(letter), ord(letter)
    if letter in "\t\n\v\f\r\x85" or kind in ("Zl", "Zp"):
        return " "
    nothing = number & 0xFFFE == 0xFFFE or 0xFDD0 <= number <= 0xFDEF
    return "�" if nothing or kind in ("Cc", "Cf", "Cs") else letter


@functools.cache
def _own(family: str) -> Face:
    return Face(family, *(_cut(str(_OURS / name)) for name in _OWN[family]))


@functools.cache
def _of_matplotlib(family: str) -> Face:
    found = importlib.util.find_spec("matplotlib")  # without importing it
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        needs("matplotlib", extra="training")
    folder = Path(places[0], "mpl-data", "fonts", "ttf")
    return Face(family, *(_cut(str(folder / name)) for name in _MATPLOTLIB[family]))


@functools.cache
def _from_file(path: str) -> Face:
    file = Path(path)
    if not file.is_file():
        beside = sorted(other.name for other in file.parent.glob("*") if other.suffix.lower() in _FILES)
        raise checks.refuse("font", path, f"a file that is there{checks.nearest(file.name, beside)}")
    regular = _cut(path)
    stem = re.sub(r"(?i)[-_ ]?(regular|book|roman)$", "", file.stem)
    names = (
        f"{stem}{join}{bold}{file.suffix}" for join in ("-", "", "_", " ") for bold in ("Bold", "bold", "Bd", "bd")
    )
    bold = next((file.with_name(name) for name in names if file.with_name(name).is_file()), file)
    return Face(regular.family, regular, _cut(str(bold)))


@functools.cache
def _family(name: str) -> Face:
    fonts = needs("matplotlib.font_manager", extra="training")
    known = {entry.name for entry in fonts.fontManager.ttflist} - {"Last Resort High-Efficiency"}
    near = {other.lower(): other for other in sorted({*known, *_MATPLOTLIB, *_OWN})}
    if name.lower() not in near:
        ours = checks.listed((*_OWN, *_MATPLOTLIB, "sans", "times"))
        must_be = f"one of {ours}, a family that matplotlib.font_manager finds, or the path of a .ttf or .otf"
        raise checks.refuse("font", name, must_be + checks.nearest(name, (*near.values(), *_CALLED)))
    family = near[name.lower()]
    files = (
        fonts.fontManager.findfont(fonts.FontProperties(family=family, weight=weight), fallback_to_default=False)
        for weight in ("normal", "bold")
    )
    return Face(family, *(_cut(str(file)) for file in files))


def _opened(path: str) -> Any:
    from fontTools.ttLib import TTFont, TTLibError

    try:
        return TTFont(path, fontNumber=0, lazy=True, recalcTimestamp=False)
    except (TTLibError, OSError) as error:
        raise checks.refuse("font", path, f"a TrueType or OpenType font ({error})") from error


@functools.cache
def _cut(path: str) -> Cut:
    font = _opened(path)
    names = font.getBestCmap() if "cmap" in font else None
    if not names or not {"glyf", "CFF ", "CFF2"} & set(font.keys()):
        raise checks.refuse("font", path, "a font with outlines of Unicode letters")
    advances = font["hmtx"].metrics
    glyphs = {chr(number): (name, advances[name][0]) for number, name in names.items()}
    box = advances[font.getGlyphOrder()[0]][0]
    lines, units = font["hhea"], font["head"].unitsPerEm
    stem, words = Path(path).stem, font["name"]
    family, name = words.getBestFamilyName() or stem, words.getDebugName(6) or stem
    ascent, descent = lines.ascent, -lines.descent
    if "glyf" in font:  # what some letters go beyond
        tall = [font["glyf"][glyphs[letter][0]] for letter in "|{gjpqy" if letter in glyphs]
        ascent = max([ascent, *(glyph.yMax for glyph in tall)])
        descent = max([descent, *(-glyph.yMin for glyph in tall)])
    return Cut(path, family, name, units, "glyf" not in font, glyphs, box, ascent / units, descent / units)


@functools.lru_cache(maxsize=64)
def _subset(cut: Cut, letters: str) -> Subset:
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    order = [".notdef", *(glyph_name(letter) for letter in letters)]
    advances = [cut.box, *map(cut.advance, letters)]
    glyphs = {}
    for name, letter in zip(order, ["", *letters], strict=True):
        pen = TTGlyphPen(None)
        curves = Cu2QuPen(pen, max_err=cut.units / 1000, reverse_direction=cut.cubic)
        for step, points in cut.outline(letter):
            getattr(curves, step)(*points)
        glyphs[name] = pen.glyph()
    ascent, descent = round(cut.ascent * cut.units), round(cut.descent * cut.units)
    builder = FontBuilder(cut.units, isTTF=True)
    builder.updateHead(created=_EPOCH, modified=_EPOCH)
    builder.font.recalcTimestamp = False
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap({ord(a): name for a, name in zip(letters, order[1:], strict=True) if has(cut, a)})
    builder.setupGlyf(glyphs)
    table = builder.font["glyf"]
    builder.setupHorizontalMetrics(
        {name: (far, getattr(table[name], "xMin", 0)) for name, far in zip(order, advances, strict=True)}
    )
    builder.setupHorizontalHeader(ascent=ascent, descent=-descent)
    builder.setupNameTable({"familyName": cut.name, "styleName": "Regular"}, mac=False)
    builder.setupOS2(sTypoAscender=ascent, sTypoDescender=-descent, usWinAscent=ascent, usWinDescent=descent)
    builder.setupPost(keepGlyphNames=False)
    data = _saved(builder.font)
    head = builder.font["head"]
    bounds = (head.xMin, head.yMin, head.xMax, head.yMax)
    plain = re.sub(r"[^A-Za-z0-9-]+", "", cut.name).strip("-") or "Font"
    cap = round(cut.cap_height * cut.units)
    return Subset(plain, data, letters, cut.units, tuple(advances), bounds, ascent, descent, cap)


def glyph_name(letter: str) -> str:
    """The name by which programs that read PostScript know a letter."""
    number = ord(letter)
    return f"uni{number:04X}" if number < 0x10000 else f"u{number:05X}"


def _saved(font: Any) -> bytes:
    file = io.BytesIO()
    font.save(file)
    return file.getvalue()
