"""A scene as PDF: text that can be selected and searched in embedded TrueType fonts, tagged, without a date."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence

from ..fonts import Face, Subset, printable
from ..scene import Scene
from ..theme import Theme
from .marks import Letters, letters, marks, number
from .operators import operators

_LONGEST = 14_400.0  # the limit of Acrobat; longer pages are measured in larger units


def pdf(scene: Scene, theme: Theme, face: Face, dpi: float = 0) -> bytes:
    """A scene as a PDF of one page of its size; one figure with its description as alternative text."""
    cuts = {bold: letters(scene, bold) for bold in (False, True)}
    fonts = {bold: face.cut(bold).subset(text) for bold, text in cuts.items() if text.strip()}
    unit = max(1.0, -(-max(scene.width, scene.height) // _LONGEST))
    page = [f"{number(1 / unit)} 0 0 {number(1 / unit)} 0 0 cm"] if unit > 1 else []
    page += operators(marks(scene, theme, face), scene.height, lambda text, y: _shown(text, y, fonts[text.bold]))
    content = "\n".join(["/Figure <</MCID 0>> BDC q", *page, "Q EMC"])

    file = _File()
    catalog, pages, leaf, tree, figure = (file.reserve() for _ in range(5))
    entries = " ".join(f"/{_key(bold)} {_font(file, font)} 0 R" for bold, font in fonts.items())
    size = f"{number(scene.width / unit)} {number(scene.height / unit)}"
    larger = f" /UserUnit {number(unit)}" if unit > 1 else ""
    version = "1.6" if larger else "1.5"  # LaTeX warns of what is later than 1.5
    title = f" /Title {_text(scene.title)}" if scene.title else ""
    about = f" /Subject {_text(scene.description)}" if scene.description else ""
    alt = f" /Alt {_text(scene.description or scene.title)}" if scene.description or scene.title else ""
    stream = file.add("", content.encode())
    shows = " /ViewerPreferences <</DisplayDocTitle true>>" if title else ""
    file.put(
        catalog,
        f"<</Type /Catalog /Pages {pages} 0 R /Lang (en) /MarkInfo <</Marked true>> "
        f"/StructTreeRoot {tree} 0 R{shows}>>",
    )
    file.put(pages, f"<</Type /Pages /Kids [{leaf} 0 R] /Count 1>>")
    file.put(
        leaf,
        f"<</Type /Page /Parent {pages} 0 R /MediaBox [0 0 {size}]{larger} /Contents {stream} 0 R /StructParents 0 "
        f"/Resources <</Font <<{entries}>>>>>>",
    )
    file.put(
        tree,
        f"<</Type /StructTreeRoot /K {figure} 0 R /ParentTree <</Nums [0 [{figure} 0 R]]>> /ParentTreeNextKey 1>>",
    )
    box = f" /A <</O /Layout /Placement /Block /BBox [0 0 {size}]>>"
    file.put(figure, f"<</Type /StructElem /S /Figure /P {tree} 0 R /Pg {leaf} 0 R /K 0{alt}{box}>>")
    return file.bytes(catalog, file.add_plain(f"<<{title}{about} /Creator (layerblocks)>>"), version)


def _key(bold: bool) -> str:
    return "F1" if bold else "F0"


def _shown(text: Letters, y: float, font: Subset) -> str:
    codes = "".join(f"{font.numbers[letter]:04X}" for letter in text.text)
    size = number(text.size)
    wider = number(text.stretch) if text.stretch != 1 else "1"
    return f"BT /{_key(text.bold)} {size} Tf {wider} 0 0 1 {number(text.x)} {number(y)} Tm <{codes}> Tj ET"


def _text(words: str) -> str:
    """Text outside the page, in any script."""
    return f"<FEFF{printable(words).encode('utf-16-be').hex().upper()}>"


def _font(file: _File, font: Subset) -> int:
    """A composite font in which a code is the number of a glyph, and that of a letter."""
    scale = 1000 / font.units
    name = f"{font.tag}+{font.name}"
    box = " ".join(number(side * scale) for side in font.bounds)
    heights = f"/Ascent {number(font.ascent * scale)} /Descent {number(-font.descent * scale)}"
    program = file.add(f"/Length1 {len(font.data)}", font.data)
    look = file.add_plain(
        f"<</Type /FontDescriptor /FontName /{name} /Flags 4 /FontBBox [{box}] /ItalicAngle 0 {heights} "
        f"/CapHeight {number(font.cap_height * scale)} /StemV 80 /FontFile2 {program} 0 R>>"
    )
    widths = " ".join(number(far * scale) for far in font.advances)
    part = file.add_plain(
        f"<</Type /Font /Subtype /CIDFontType2 /BaseFont /{name} /CIDToGIDMap /Identity /FontDescriptor {look} 0 R "
        f"/CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> /W [0 [{widths}]]>>"
    )
    unicode = file.add("", "\n".join(_meanings(font.letters)).encode())
    return file.add_plain(
        f"<</Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /Identity-H /DescendantFonts [{part} 0 R] "
        f"/ToUnicode {unicode} 0 R>>"
    )


def _meanings(text: Sequence[str]) -> Iterator[str]:
    """The table by which a viewer knows the letters of codes."""
    yield "/CIDInit /ProcSet findresource begin 12 dict begin begincmap"
    yield "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def"
    yield "/CMapName /Adobe-Identity-UCS def /CMapType 2 def"
    yield "1 begincodespacerange <0000> <FFFF> endcodespacerange"
    lines = [f"<{code:04X}> <{letter.encode('utf-16-be').hex().upper()}>" for code, letter in enumerate(text, 1)]
    for first in range(0, len(lines), 100):  # more than a hundred at once are not allowed
        some = lines[first : first + 100]
        yield "\n".join([f"{len(some)} beginbfchar", *some, "endbfchar"])
    yield "endcmap CMapName currentdict /CMap defineresource pop end end"


class _File:
    """The numbered objects of a PDF."""

    def __init__(self) -> None:
        self._objects: list[bytes] = []

    def reserve(self) -> int:
        self._objects.append(b"null")
        return len(self._objects)

    def put(self, name: int, words: str) -> None:
        self._objects[name - 1] = words.encode("latin-1")

    def add_plain(self, words: str) -> int:
        name = self.reserve()
        self.put(name, words)
        return name

    def add(self, entries: str, data: bytes) -> int:
        packed = zlib.compress(data, 9)
        head = f"<</Length {len(packed)} /Filter /FlateDecode {entries}>>\nstream\n".encode()
        self._objects.append(head + packed + b"\nendstream")
        return len(self._objects)

    def bytes(self, catalog: int, information: int, version: str) -> bytes:
        data = bytearray(f"%PDF-{version}\n".encode() + b"%\xe2\xe3\xcf\xd3\n")
        places = []
        for name, content in enumerate(self._objects, 1):
            places.append(len(data))
            data += b"%d 0 obj\n%b\nendobj\n" % (name, content)
        start, key = len(data), hashlib.sha256(data).hexdigest()[:32].upper()
        data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
        data += b"".join(b"%010d 00000 n \n" % place for place in places)
        ends = f"/Root {catalog} 0 R /Info {information} 0 R /ID [<{key}> <{key}>]"
        data += f"trailer\n<</Size {len(places) + 1} {ends}>>\nstartxref\n{start}\n%%EOF\n".encode()
        return bytes(data)
