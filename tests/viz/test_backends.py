"""Scenes with nasty texts in every format: what can be read back, where it stands, twice the same."""

from __future__ import annotations

import io
import math
import os
import re
import shutil
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import replace
from pathlib import Path as File

import numpy as np
import pymupdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from layerblocks.viz import backends
from layerblocks.viz.backends import FORMATS, render
from layerblocks.viz.backends.marks import arrowed, ink, number
from layerblocks.viz.fonts import face, printable
from layerblocks.viz.scene import Box, Path, Polygon, Scene, Text
from layerblocks.viz.theme import DEFAULT, Paint, Theme

ROLES = ("input", "conv", "pool", "merge", "dropout", "aux", "frame", "badge", "conv-mark", "conv-volume", "unheard of")
LINES = ("trunk", "skip", "projection", "branch", "aux", "continuation", "concat")
NASTY = (
    "<&>\"'",
    "]]>",
    "3×3 – 128",
    "αβ µ",
    "naïve Å",
    "卷积",
    "🙂",
    "fi ffi",
    "AVAWA To",
    "_#%$~^\\{}",
    "(a)\\(b",
    "--",
    "a\nb",
)
NASTY += (
    "\x00\x07",
    "\ud800",
    "￾",
    "--></text>",
    "%%EOF",
    "e\u0301",
    "[x]",
    "*",
    "``''",
    "\\end{document}",
    "end stream",
)
PIECES = st.sampled_from(NASTY) | st.text(st.characters(codec="utf-8"), max_size=8) | st.text(max_size=4)
TEXTS = st.lists(PIECES, min_size=1, max_size=3).map(" ".join)
NAMES = st.text(max_size=6) | st.sampled_from(["", "inception_3a.conv", "a b", "a_b", "a.b", "<&>"])
SPANS = st.floats(0, 150).map(lambda v: round(v, 3))
POINTS = st.tuples(SPANS, SPANS)
STEPS = st.tuples(POINTS) | st.tuples(POINTS, POINTS, POINTS)
SHAPES = st.one_of(
    st.builds(Box, SPANS, SPANS, SPANS, SPANS, st.sampled_from(ROLES), st.floats(0, 9), NAMES, NAMES),
    st.builds(
        Polygon, st.lists(POINTS, max_size=5).map(tuple), st.sampled_from(ROLES), st.floats(0.2, 1), NAMES, NAMES
    ),
    st.builds(Path, POINTS, st.lists(STEPS, max_size=4).map(tuple), st.sampled_from(LINES), st.booleans()),
)
WIDE, LINE = 300.0, 20.0


def line(text, row, size=8.0, anchor="start", bold=False, role="text"):
    """A text on a row of its own."""
    wide = face().width(text, size, bold)
    x = {"start": 4.0, "middle": WIDE / 2, "end": WIDE - 4.0}[anchor]
    return Text(x, LINE * (row + 0.75), text, size, wide, anchor, bold, role)


@st.composite
def scenes(draw, most=6):
    words = draw(st.lists(TEXTS.filter(lambda t: face().width(t, 7) < WIDE - 10), max_size=4))
    texts = tuple(
        line(text, row, 7, draw(st.sampled_from(["start", "middle", "end"])), draw(st.booleans()), draw(ROLES_OF_TEXT))
        for row, text in enumerate(words)
    )
    return Scene(WIDE, 160.5, (*draw(st.lists(SHAPES, max_size=most)), *texts), draw(TEXTS), draw(TEXTS))


ROLES_OF_TEXT = st.sampled_from(["text", "muted", "edge", "title", "legend", "conv"])
SVG = "{http://www.w3.org/2000/svg}"


def shown(scene):
    """The texts of a scene as they are drawn."""
    return [item for item in scene.items if isinstance(item, Text) and printable(item.text).strip()]


# -- SVG --------------------------------------------------------------------------------------------------------------


@given(scenes())
def test_svg(scene):
    data = render(scene, "svg")
    root = ET.fromstring(data)
    assert root.get("width") == "300pt" and root.get("viewBox") == "0 0 300 160.5" and root.get("role") == "img"
    assert [e.text for e in root.iter(SVG + "text")] == [printable(t.text) for t in shown(scene)]
    for element, item in zip(root.iter(SVG + "text"), shown(scene), strict=True):
        assert float(element.get("textLength", 0)) == pytest.approx(item.width, abs=0.006)
        assert item.role in element.get("class", "").split()
    head = {e.tag: e.text for e in root if e.tag in (SVG + "title", SVG + "desc")}
    about = {SVG + "title": printable(scene.title), SVG + "desc": printable(scene.description)}
    assert head == {tag: words for tag, words in about.items() if words}
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids)) and not any(re.search(r"\s", name) for name in ids)
    titles = [e.text for e in root.iter(SVG + "title")][bool(scene.title) :]
    assert titles == [printable(i.title) for i in scene.items if isinstance(i, Box | Polygon) and i.title]
    assert not re.search(rb"(?:href|src)\s*=|url\((?!data:)|<script", re.sub(rb">[^<]*<", b"><", data))


def test_svg_has_ids_classes_and_its_font():
    scene = Scene(
        100, 50, (Box(0, 0, 9, 9, "conv", 2, "inception_3a", "GoogLeNet & co"), line("conv 3×3", 1, bold=True)), "Net"
    )
    text = render(scene, "svg").decode()
    assert '<rect id="inception_3a" class="box conv" x="0" y="0" width="9" height="9" rx="2"' in text
    assert "<title>GoogLeNet &amp; co</title></rect>" in text
    assert text.count("@font-face") == 1 and "font-weight:bold;src:url(data:font/woff;base64," in text
    assert 'lengthAdjust="spacingAndGlyphs"' in text and "aria-labelledby" in text


def test_svg_with_paths_looks_the_same_and_needs_no_font():
    scene = Scene(120, 40, (line("conv 3×3 & é", 0), line("bold", 1, bold=True, anchor="end")), "Net")
    data = render(scene, "svg-paths")
    assert not list(ET.fromstring(data).iter(SVG + "text")) and b"font" not in data
    drawn = [pymupdf.open("svg", each)[0].get_pixmap(dpi=72).samples for each in (data,)]
    straight = pymupdf.open("pdf", render(scene, "pdf"))[0].get_pixmap(dpi=72)
    a, b = (np.frombuffer(each, np.uint8).astype(int) for each in (drawn[0], straight.samples))
    assert a.shape == b.shape and np.abs(a - b).mean() < 4 and (a < 128).sum() > 50


# -- PDF --------------------------------------------------------------------------------------------------------------

_KEEP = pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_PRESERVE_LIGATURES


def pieces(data):
    """Letters of a page and their boxes, line by line."""
    page = pymupdf.open("pdf", data)[0]
    found = page.get_text("rawdict", flags=_KEEP)["blocks"]
    return [[c for span in row["spans"] for c in span["chars"]] for block in found for row in block["lines"]]


def plain(text):
    """A text but for what a reader of PDFs makes of marks, spaces and letters that run from right to left."""
    known = unicodedata.normalize("NFKD", printable(text))
    return sorted(a for a in known if not a.isspace() and unicodedata.category(a)[0] not in "MC")


@given(scenes())
def test_pdf(scene):
    data = render(scene, "pdf")
    document = pymupdf.open("pdf", data)
    assert not document.is_repaired and len(document) == 1 and b"Date" not in data
    assert tuple(document[0].mediabox) == (0, 0, 300, 160.5)
    assert (document.metadata["title"] or "").strip("\0") == printable(scene.title)
    for _, kind, subtype, name, _, _ in document[0].get_fonts():
        assert (kind, subtype) == ("ttf", "Type0") and re.fullmatch(r"[A-Z]{6}\+Arimo(-Bold|-Regular)?", name)
    rows: dict[int, list] = {}
    for letters in pieces(data):
        for letter in letters:
            rows.setdefault(int(letter["origin"][1] // LINE), []).append(letter)
    for item in shown(scene):
        letters = rows.pop(int(item.y // LINE), [])
        assert plain("".join(a["c"] for a in letters)) == plain(item.text)
        left = item.x - item.width * {"start": 0, "middle": 0.5, "end": 1}[item.anchor]
        for a in letters:
            assert left - 0.5 <= a["bbox"][0] and a["bbox"][2] <= left + item.width + 0.5
    assert not any(a["c"].strip() for letters in rows.values() for a in letters)


def test_pdf_is_read_in_order_and_found():
    words = ["conv2_block1.3×3", "64 – 128 αβγ", "naïve 卷积 🙂 x", "fi ffi office", "AVAWA To"]
    scene = Scene(200, 120, tuple(line(text, row) for row, text in enumerate(words)), "Net", "A picture of a net.")
    page = pymupdf.open("pdf", render(scene, "pdf"))[0]
    assert page.get_text("text", flags=_KEEP).splitlines() == words
    assert page.search_for("3×3") and page.search_for("αβ") and page.search_for("卷积")


def test_pdf_is_tagged():
    scene = Scene(72, 72, (Box(1, 1, 9, 9, "conv"), line("Net", 2)), "Net ×", "A picture of a net.")
    document = pymupdf.open("pdf", render(scene, "pdf"))
    alt = "/Alt<FEFF" + "A picture of a net.".encode("utf-16-be").hex().upper()
    objects = [
        document.xref_object(i, compressed=True).upper().replace("/S/FIGURE", "/S/Figure").replace("/ALT<", "/Alt<")
        for i in range(1, document.xref_length())
    ]
    (figure,) = (o for o in objects if "/S/Figure" in o and alt in o)
    assert "/A<</O/LAYOUT/PLACEMENT/BLOCK/BBOX[0 0 72 72]>>" in figure.replace("/S/Figure", "")
    (font,) = (o for o in objects if "/TYPE/FONTDESCRIPTOR" in o)
    required = ("FontName", "Flags", "FontBBox", "ItalicAngle", "Ascent", "Descent", "CapHeight", "StemV", "FontFile2")
    assert all(f"/{word.upper()}" in font for word in required)  # ISO 32000, table 120
    assert "/Lang(en)" in document.xref_object(document.pdf_catalog(), compressed=True)
    assert (document.metadata["title"], document.metadata["subject"]) == ("Net ×", "A picture of a net.")


def test_pdf_of_a_very_long_figure():
    """Longer than readers take a page to be, it is measured in larger units and stays whole."""
    scene = Scene(200, 40_000, (Box(10, 39_000, 50, 500, "conv"),))
    page = pymupdf.open("pdf", render(scene, "pdf"))[0]
    assert max(page.mediabox) <= 14_400 and page.mediabox.height * 3 == pytest.approx(40_000)


# -- PNG --------------------------------------------------------------------------------------------------------------


@given(scenes(), st.sampled_from([72, 100, 150.5]))
def test_png(scene, dpi):
    image = Image.open(io.BytesIO(render(scene, "png", dpi=dpi)))
    assert image.size == (round(300 * dpi / 72), round(160.5 * dpi / 72)) and image.mode == "RGB"
    assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.02)


@given(scenes(most=0))
def test_letters_stay_in_their_boxes(scene):
    """Every pixel that is not white lies in the box of a text, but for what marks and flourishes stick out."""
    texts = [replace(t, text=re.sub(r"[^\x20-\x7e×–αβéï卷积🙂]", "x", t.text)) for t in shown(scene)]
    texts = [replace(t, width=face().width(t.text, t.size, t.bold)) for t in texts]
    scene = replace(scene, items=tuple(texts))
    image = Image.open(io.BytesIO(render(scene, "png", dpi=144))).convert("L")
    dark = np.array(image) < 250
    for item in texts:
        left = item.x - item.width * {"start": 0, "middle": 0.5, "end": 1}[item.anchor]
        top, bottom = item.y - item.size * face().regular.ascent, item.y + item.size * face().regular.descent
        dark[
            max(0, math.floor(2 * (top - 0.5))) : math.ceil(2 * (bottom + 0.5)),
            max(0, math.floor(2 * (left - 0.5))) : math.ceil(2 * (left + item.width + 0.5)),
        ] = False
    assert not dark.any()


@given(scenes())
def test_png_is_the_picture_of_the_pdf(scene):
    page = pymupdf.open("pdf", render(scene, "pdf"))[0]
    pixels = page.get_pixmap(dpi=144)
    want = np.frombuffer(pixels.samples, np.uint8).reshape(pixels.height, pixels.width, -1).astype(int)
    found = np.array(Image.open(io.BytesIO(render(scene, "png", dpi=144)))).astype(int)
    assert want.shape == found.shape
    assert np.abs(want - found).mean() < 3
    blocks = np.abs(want - found)[:320, :600].reshape(40, 8, 75, 8, 3).mean((1, 3, 4))
    assert blocks.max() < 70


def test_a_png_too_large_is_lowered():
    scene = Scene(72, 72 * 400, (Box(1, 1, 9, 9, "conv"),))
    with pytest.warns(UserWarning, match="drawn at 80 instead of 200 dots per inch"):
        image = Image.open(io.BytesIO(render(scene, "png")))
    assert image.size == (80, 32_000) and image.info["dpi"] == pytest.approx((80, 80), abs=0.1)


# -- EPS --------------------------------------------------------------------------------------------------------------


@given(scenes())
def test_eps(scene):
    text = render(scene, "eps").decode("ascii")
    assert text.startswith("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 300 161\n%%HiResBoundingBox: 0 0 300 160.5\n")
    assert "Date" not in text.partition("%%EndComments")[0] and text.endswith("\n%%EOF\n")
    assert "/FontType 3" not in text and ("/FontType 42" in text) == bool(shown(scene))
    assert max(map(len, text.splitlines())) < 30_000


@pytest.mark.skipif(not shutil.which("gs"), reason="needs Ghostscript")
def test_eps_as_ghostscript_reads_it(tmp_path):
    """More letters than one font can show, in fonts larger than one string can hold."""
    letters = [a for a in sorted(face().regular.glyphs) if unicodedata.category(a) in ("Lu", "Ll", "Sm")]
    letters = [a for a in letters if unicodedata.bidirectional(a) == "L"][:1200]
    words = ["conv2_block1.3×3", "64 – 128 αβγ", *("".join(letters[i : i + 40]) for i in range(0, len(letters), 40))]
    texts = tuple(line(text, row, 6, bold=row == 0) for row, text in enumerate(words))
    scene = Scene(300, LINE * len(words), (Box(10, 10, 100, 5, "conv", 2), *texts))
    (tmp_path / "a.eps").write_bytes(render(scene, "eps"))
    command = "gs -q -dBATCH -dNOPAUSE -dSAFER -dEPSCrop -sDEVICE=pdfwrite -sOutputFile=a.pdf a.eps"
    run = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    page = pymupdf.open(tmp_path / "a.pdf")[0]
    assert page.rect.width == 300 and {font[2] for font in page.get_fonts()} <= {"TrueType", "Type0"}
    assert [plain(a) for a in page.get_text("text", flags=_KEEP).splitlines()] == [plain(a) for a in words]
    want = pymupdf.open("pdf", render(scene, "pdf"))[0].get_pixmap(dpi=100)
    found = page.get_pixmap(dpi=100)
    difference = np.frombuffer(want.samples, np.uint8).astype(int) - np.frombuffer(found.samples, np.uint8)
    assert np.abs(difference).mean() < 1


# -- TikZ -------------------------------------------------------------------------------------------------------------


@given(scenes())
def test_tikz(scene):
    text = render(scene, "tikz-fragment").decode("ascii")
    bare = re.sub(r"\\[\\{}%]", "", re.sub(r"(?<!\\)%.*", "", text))
    assert bare.count("{") == bare.count("}")
    assert bare.count(r"\begin{") == bare.count(r"\end{") == 1
    names = re.findall(r"^\\node\[.*\] \((.*?)\) at", text, re.MULTILINE)
    assert len(names) == len(set(names)) and all(re.fullmatch("[A-Za-z0-9_-]+", name) for name in names)
    assert len(names) == sum(isinstance(i, Box) and bool(i.name) for i in scene.items) + sum(
        isinstance(i, Polygon) and bool(i.name and i.points) for i in scene.items
    )
    assert render(scene, "tikz").decode().endswith(text + "\\end{document}\n")


def compiled(folder, document, name="a"):
    (folder / f"{name}.tex").write_text(document, encoding="utf-8")
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"], cwd=folder, capture_output=True
    )
    assert run.returncode == 0, run.stdout.decode(errors="replace")[-1500:]
    return pymupdf.open(folder / f"{name}.pdf")


def sample():
    """A bit of everything, at places that can be told apart."""
    words = ["conv2_block1.3x3", "a & b", "50 % {x} #1 $y$ ~z ^w \\n", *map(printable, NASTY)]
    texts = [
        line(text, row + 1, 7, ("start", "middle", "end")[row % 3], row % 2 == 1) for row, text in enumerate(words)
    ]
    texts = [replace(t, y=t.y + 40) for t in texts]
    shapes = [
        Box(10, 10, 60, 20, "conv", 0, "inception_3a.conv"),
        Box(90, 10, 60, 20, "pool", 4, "inception_3a_conv"),
        Polygon(((160, 10), (190, 10), (200, 20), (170, 30)), "conv-volume", 0.84, "vol", "t"),
        Path((70, 20), (((90, 20),),), "trunk"),
        Path((210, 10), (((230, 10), (230, 10), (230, 35)),), "aux"),
    ]
    return Scene(WIDE, LINE * (len(words) + 5), (*shapes, *texts), "Net", "A net.")


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_tikz_is_the_picture_of_the_svg(tmp_path):
    scene = sample()
    page = compiled(tmp_path, render(scene, "tikz").decode())[0]
    assert tuple(page.rect) == pytest.approx((0, 0, scene.width, scene.height), abs=0.05)
    assert {font[2] for font in page.get_fonts()} == {"Type1"}
    drawn = [d["rect"] for d in page.get_drawings()]
    root = ET.fromstring(render(scene, "svg"))
    for rect in root.iter(SVG + "rect"):
        x, y, wide, high = (float(rect.get(key, 0)) for key in ("x", "y", "width", "height"))
        assert any(tuple(d) == pytest.approx((x, y, x + wide, y + high), abs=0.05) for d in drawn)
    heads = [e for e in root.iter(SVG + "path") if "head" in e.get("class", "")]
    for head in heads:
        points = [tuple(map(float, p.split(","))) for p in re.findall(r"[-\d.]+,[-\d.]+", head.get("d", ""))]
        box = (
            min(x for x, _ in points),
            min(y for _, y in points),
            max(x for x, _ in points),
            max(y for _, y in points),
        )
        assert any(tuple(d) == pytest.approx(box, abs=0.05) for d in drawn)
    rows: dict[float, list] = {}
    for block in page.get_text("rawdict", flags=_KEEP)["blocks"]:
        for row in block["lines"]:
            for a in (a for span in row["spans"] for a in span["chars"] if a["c"].strip()):
                rows.setdefault(round((a["origin"][1] - 15) / LINE), []).append(a)
    for element in root.iter(SVG + "text"):
        x, y, wide = (float(element.get(key, 0)) for key in ("x", "y", "textLength"))
        letters = rows.get(round((y - 15) / LINE), [])
        if not letters:
            assert not (element.text or "").isascii(), "a box for each letter"
            continue
        share = {"start": 0, "middle": 0.5, "end": 1}[element.get("text-anchor", "start")]
        left, right = min(a["bbox"][0] for a in letters), max(a["bbox"][2] for a in letters)
        assert right - left <= wide + 0.6
        assert left + share * (right - left) == pytest.approx(x, abs=1.5)
        if all(a.isascii() for a in element.text or "") and "``" not in (element.text or ""):
            assert sorted(a["c"] for a in letters) == sorted((element.text or "").replace(" ", "").replace("'", "’"))


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_an_author_can_restyle_the_tikz(tmp_path):
    (tmp_path / "net.tikz").write_bytes(render(sample(), "tikz-fragment"))
    document = r"""\documentclass{article}
\usepackage[T1]{fontenc}\usepackage{lmodern}\usepackage{underscore}\usepackage[english]{babel}\usepackage{tikz}
\newsavebox\figurebox
\definecolor{layerblocks-conv-fill}{HTML}{FF0000}
\tikzset{layerblocks/my pool/.style={line width=5bp},layerblocks/my every text/.style={font=\ttfamily}}
\begin{document}\pagestyle{empty}
\begin{figure}\catcode`\;=13 \input{net.tikz}\end{figure}
\sbox\figurebox{\input{net.tikz}}\typeout{width \the\wd\figurebox}
\begin{tikzpicture}[remember picture] \node[draw] {a \input{net.tikz}}; \end{tikzpicture}
\end{document}"""
    pages = list(compiled(tmp_path, document))
    assert "width 301.12" in (tmp_path / "a.log").read_text(errors="replace"), "300 bp, without a space"
    drawn = [d for page in pages for d in page.get_drawings()]
    assert (1.0, 0.0, 0.0) in {d["fill"] for d in drawn} and 5.0 in {round(d["width"] or 0, 1) for d in drawn}
    assert any("LMMono" in font[3] for page in pages for font in page.get_fonts())


# -- all --------------------------------------------------------------------------------------------------------------


@given(POINTS, st.lists(STEPS, min_size=1, max_size=4).map(tuple), st.floats(0.3, 3))
def test_arrow_heads(start, steps, width):
    path, paint = Path(start, steps, "trunk"), Paint("none", "#000000", width=width)
    tip = steps[-1][-1]
    drawn, head = arrowed(path, paint, DEFAULT)
    if not head:
        assert drawn[-1][1][-1] == (tip if len(drawn) > 1 else start)
        return
    corners = [points[0] for step, points in head if points]
    assert corners[0] == tip
    foot = tuple((a + b) / 2 for a, b in zip(*corners[1:], strict=True))
    long = math.dist(foot, tip)
    assert long <= 10 * DEFAULT.arrow * max(width, 0.5) ** 0.5 + 1e-6
    end = drawn[-1][1][-1]
    assert math.dist(end, tip) == pytest.approx(0.9 * long, abs=1e-3), "the line ends within the head"
    assert math.dist(end, foot) == pytest.approx(0.1 * long, abs=1e-3)


@pytest.mark.sweep
def test_all_formats_are_the_same_in_two_processes(tmp_path):
    code = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_backends import FORMATS, render, sample\n"
        "print([hashlib.sha256(render(sample(), f)).hexdigest() for f in FORMATS])"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code, str(File(__file__).parent)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1 and runs.pop().count(",") == len(FORMATS) - 1


def test_the_font_of_a_figure_can_be_chosen():
    scene = Scene(WIDE, 40, (line("conv 3×3", 0),))
    wide = [pieces(render(scene, "pdf", font=font))[0] for font in (None, "DejaVu Serif")]
    assert wide[0][-1]["bbox"][2] == pytest.approx(wide[1][-1]["bbox"][2], abs=0.05), "as wide as it was measured"
    theme = Theme(font="DejaVu Serif")
    assert render(scene, "pdf", theme) == render(scene, "pdf", font="DejaVu Serif") != render(scene, "pdf")


def test_bad_input():
    scene = Scene(10, 10, ())
    with pytest.raises(ValueError, match=r"^render: format must be one of 'svg', .*did you mean 'svg'\?, got 'svgz'$"):
        render(scene, "svgz")
    for bad in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"^render: dpi must be a finite number above 0, got"):
            render(scene, "png", dpi=bad)
        with pytest.raises(ValueError, match=r"^render: scene\.width must be a finite number above 0, got"):
            render(replace(scene, width=bad), "svg")
    with pytest.raises(TypeError, match=r"^render: dpi must be a finite number above 0, got 'high'"):
        render(scene, "png", dpi="high")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"colour must be a colour.*did you mean 'blue'.*, got 'blu'"):
        ink("blu")
    with pytest.raises(ValueError, match=r"font must be one of .*a family .*, got 'No Such Font'"):
        render(scene, "svg", font="No Such Font")


def whole_xml(data):
    assert ET.fromstring(data).tag == SVG + "svg"


def whole_pdf(data):
    document = pymupdf.open("pdf", data)
    assert document.page_count == 1 and not document.is_repaired


def whole_picture(data):
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.size[0] > 300


def whole_eps(data):
    bare = re.sub(rb"\\.", b"", data)
    assert data.startswith(b"%!PS-Adobe-3.0 EPSF-3.0\n") and data.endswith(b"\n%%EOF\n")
    assert bare.count(b"(") == bare.count(b")") and data.count(b"\n%%EOF") == 1


def whole_tikz(data):
    bare = re.sub(r"\\[\\{}%]", "", re.sub(r"(?<!\\)%.*", "", data.decode("ascii")))
    assert bare.count("{") == bare.count("}") and bare.count(r"\begin{") == bare.count(r"\end{")


def whole_package(data):
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        assert package.testzip() is None
        for name in package.namelist():
            if name.endswith((".xml", ".rels")):
                ET.fromstring(package.read(name))


# What a reader of the format finds whole, whatever texts are in it.
WHOLE = {
    **dict.fromkeys(("png", "jpg", "gif"), whole_picture),
    **dict.fromkeys(("tikz", "tikz-fragment"), whole_tikz),
    **dict.fromkeys(("svg", "svg-paths"), whole_xml),
    "drawio": lambda data: ET.fromstring(data),
    "pptx": whole_package,
    "pdf": whole_pdf,
    "eps": whole_eps,
}


def test_every_module_is_a_format_and_every_format_has_a_reader():
    modules = {path.stem for path in File(backends.__file__).parent.glob("*.py")}
    writers = {format.write.__module__.rpartition(".")[2] for format in FORMATS.values()}
    assert modules - {"__init__", "groups", "marks", "operators"} == writers
    assert WHOLE.keys() == FORMATS.keys()
    endings = [ending for format in FORMATS.values() for ending in format.endings]
    assert len(endings) == len(set(endings)) and all(re.fullmatch(r"\.[a-z]+", ending) for ending in endings)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_whole_whatever_is_written_in_it(format):
    scene = replace(sample(), title=" ".join(NASTY), description="\n".join(NASTY))
    data = render(scene, format)
    WHOLE[format](data)
    assert render(scene, format) == data


def test_lengths_are_short():
    assert [number(v) for v in (0, -0.0001, 1.5, 2.0, 1 / 3, 1e6)] == ["0", "0", "1.5", "2", "0.333", "1000000"]
