"""The font of a figure: widths against MuPDF's, outlines against the file's, names and files that are none."""

from __future__ import annotations

import functools
import io
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pymupdf
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.areaPen import AreaPen
from fontTools.pens.boundsPen import BoundsPen
from fontTools.pens.recordingPen import RecordingPen
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerblocks.viz.backends import render
from layerblocks.viz.fonts import Cut, _subset, elsewhere, face, glyph_name, missing, printable
from layerblocks.viz.scene import Scene, Text

KNOWN = st.text(st.sampled_from(sorted(face().regular.glyphs)).filter(str.isprintable), max_size=30)
SIZES = st.floats(1, 40)
CACHES = (elsewhere, _subset, Cut.outline)


@pytest.fixture(scope="module")
def truth():
    return {bold: pymupdf.Font(fontfile=face().cut(bold).path) for bold in (False, True)}


@given(text=KNOWN, size=SIZES, bold=st.booleans())
def test_widths_are_those_of_the_file(truth, text, size, bold):
    known = "".join(letter for letter in text if letter in face().cut(bold).glyphs)
    want = sum(truth[bold].glyph_advance(ord(letter)) for letter in known) * size
    assert face().width(known, size, bold) == pytest.approx(want, abs=1e-3 * size * (1 + len(known)))


@given(a=st.text(), b=st.text(), size=SIZES, bold=st.booleans())
def test_widths_add_up(a, b, size, bold):
    whole = face().width(a + b, size, bold)
    assert whole == pytest.approx(face().width(a, size, bold) + face().width(b, size, bold))
    assert whole == pytest.approx(2 * face().width(a + b, size / 2, bold))
    assert whole >= 0


@given(st.text())
def test_what_is_printed_can_be_written_to_any_file(text):
    plain = printable(text)
    assert len(plain) == len(text) and printable(plain) == plain
    plain.encode("utf-16")
    assert not [a for a in plain if ord(a) < 32 or ord(a) & 0xFFFE == 0xFFFE]
    assert printable("a\nb\tc\x00\ud800\u202e￿") == "a b c����"
    assert printable("3×3 – αβ é 卷积 \u00a0") == "3×3 – αβ é 卷积 \u00a0"


@pytest.fixture(params=["none", "one"])
def other_fonts(request, monkeypatch, tmp_path):
    """A machine that has no font beside ours, or one, of two letters, drawn as squares of 900 in 2000 units."""
    if not shutil.which("fc-list"):
        pytest.skip("needs fontconfig")
    folder = tmp_path / "fonts"
    folder.mkdir()
    if request.param == "one":
        pen = TTGlyphPen(None)
        for step, point in (("moveTo", (0, 0)), ("lineTo", (0, 900)), ("lineTo", (900, 900)), ("lineTo", (900, 0))):
            getattr(pen, step)(point)
        pen.closePath()
        builder = FontBuilder(2000, isTTF=True)
        builder.setupGlyphOrder([".notdef", "a", "b"])
        builder.setupCharacterMap({ord("卷"): "a", ord("积"): "b"})
        builder.setupGlyf(dict.fromkeys([".notdef", "a", "b"], pen.glyph()))
        builder.setupHorizontalMetrics(dict.fromkeys([".notdef", "a", "b"], (1800, 0)))
        builder.setupHorizontalHeader(ascent=1600, descent=-400)
        builder.setupNameTable({"familyName": "Two Letters", "styleName": "Regular"})
        builder.setupOS2(sTypoAscender=1600)
        builder.setupPost()
        builder.save(folder / "TwoLetters-Regular.ttf")
    (tmp_path / "fonts.conf").write_text(
        f"<fontconfig><dir>{folder}</dir><cachedir>{tmp_path / 'cache'}</cachedir></fontconfig>"
    )
    monkeypatch.setenv("FONTCONFIG_FILE", str(tmp_path / "fonts.conf"))
    for cached in CACHES:
        cached.cache_clear()
    yield request.param == "one"
    monkeypatch.undo()
    for cached in CACHES:
        cached.cache_clear()


def test_a_letter_of_another_font_is_lent(other_fonts):
    cut = face().cut()
    assert (elsewhere("卷") is not None) is other_fonts and elsewhere("猫") is None
    assert face().width("卷", 10) == pytest.approx(9 if other_fonts else 10, abs=0.01)
    font = TTFont(io.BytesIO(cut.subset("a卷").data))
    assert set(font.getBestCmap()) == ({ord("a"), ord("卷")} if other_fonts else {ord("a")})
    if other_fonts:
        glyph = font["glyf"][font.getBestCmap()[ord("卷")]]
        assert (glyph.xMax, glyph.yMax) == pytest.approx((0.45 * cut.units,) * 2, abs=1)
    assert missing(face(), ["a b", "卷猫\n"]) == ("猫" if other_fonts else "卷猫")


@pytest.mark.parametrize("format", ["svg", "pdf", "png", "eps", "tikz"])
def test_letters_that_no_font_has_are_named(other_fonts, format):
    scene = Scene(72, 36, (Text(10, 20, "卷积", 7, 14),))
    if other_fonts:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            render(scene, format)
    else:
        with pytest.warns(
            UserWarning, match="^render: no font of this machine has '卷积': drawn as boxes; font= takes"
        ):
            render(scene, format)


@pytest.fixture
def alone(monkeypatch):
    """A machine without other fonts."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    for cached in CACHES:
        cached.cache_clear()
    yield
    for cached in CACHES:
        cached.cache_clear()


@pytest.mark.usefixtures("alone")
def test_missing_letters_have_room():
    assert not {"卷", "🙂"} & face().cut().glyphs.keys() and "×" in face().cut().glyphs
    assert face().width("卷", 10) == 10, "as wide as in the fonts that have it"
    assert face().width("\U000e0fff" if "\U000e0fff" not in face().cut().glyphs else "卷", 10) > 0


def test_heights_hold_the_letters():
    found = face()
    for bold in (False, True):
        cut = found.cut(bold)
        points = [y for a in "HÅgjpqy|×{}é" for _, places in cut.outline(a) for _, y in places]
        assert max(points) <= cut.ascent * cut.units and -min(points) <= cut.descent * cut.units
        assert 0.6 < cut.cap_height < cut.ascent


@pytest.mark.usefixtures("alone")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=KNOWN, bold=st.booleans())
def test_a_subset_has_just_the_letters(text, bold):
    cut = face().cut(bold)
    subset = cut.subset(text + "卷")
    font = TTFont(io.BytesIO(subset.data))
    assert set(map(chr, font.getBestCmap())) == {a for a in text if a in cut.glyphs}
    assert list(subset.numbers) == sorted(set(text + "卷"))
    assert font["maxp"].numGlyphs == len(subset.letters) + 1
    old, new = originals(cut.path), font.getGlyphSet()
    for letter in subset.letters:
        name = font.getGlyphName(subset.numbers[letter])
        assert font["hmtx"][name][0] == subset.advances[subset.numbers[letter]] == cut.advance(letter)
        if letter in cut.glyphs:
            assert area(new, name) == pytest.approx(area(old, cut.glyphs[letter][0]))
        else:
            assert bounds(new, name), "a box"
    assert TTFont(io.BytesIO(subset.woff)).getBestCmap() == font.getBestCmap()


@functools.cache
def originals(path):
    return TTFont(path, lazy=True).getGlyphSet()


def bounds(glyphs, name):
    pen = BoundsPen(glyphs)
    glyphs[name].draw(pen)
    return pen.bounds


def area(glyphs, name):
    pen = AreaPen(glyphs)
    glyphs[name].draw(pen)
    return pen.value


def test_names_of_glyphs():
    assert glyph_name("×") == "uni00D7" and glyph_name("🙂") == "u1F642"


@pytest.mark.parametrize("name", ["DejaVu Serif", "STIXGeneral", "dejavu sans mono", "DejaVu Sans Display"])
def test_families(name):
    found = face(name)
    assert found.family.lower() == name.lower() and found.width("conv", 10) > 0
    assert face(name) == found


def test_families_that_come_with_layerblocks():
    assert face() == face("sans") == face("Helvetica") and face("times") == face("Times New Roman") == face("tinos")
    assert face("times").width("conv", 10) != face().width("conv", 10)
    assert "⊕" not in face().regular.glyphs and not missing(face(), ["⊕"]), "DejaVu Sans lends what others lack"


def test_files(tmp_path):
    path = Path(face().regular.path)
    assert face(path).bold.path == face().bold.path, "the bold cut is found beside it"
    alone = tmp_path / "Alone.ttf"
    alone.write_bytes(path.read_bytes())
    assert face(str(alone)).bold == face(str(alone)).regular
    assert face(alone).width("conv 3×3", 9) == face().width("conv 3×3", 9)


def test_fonts_that_are_none(tmp_path):
    with pytest.raises(
        ValueError, match=r"font must be one of .*a family .*did you mean 'DejaVu Sans'\?, got 'DejaVu Sanz'$"
    ):
        face("DejaVu Sanz")
    with pytest.raises(ValueError, match=r"font must be a file that is there; did you mean 'Mine\.ttf'\?, got"):
        (tmp_path / "Mine.ttf").write_bytes(b"no font")
        face(tmp_path / "Mime.ttf")
    with pytest.raises(ValueError, match="must be a TrueType or OpenType font"):
        face(tmp_path / "Mine.ttf")
    with pytest.raises(TypeError, match="must be the name of a family"):
        face(3)  # type: ignore[arg-type]


def test_a_font_of_cubic_curves(tmp_path):
    """Outlines of PostScript kind become TrueType's, the same but for a thousandth of the size."""
    pen = T2CharStringPen(600, None)
    pen.moveTo((100, 0))
    pen.curveTo((300, 0), (500, 200), (500, 400))
    pen.lineTo((100, 400))
    pen.closePath()
    shape = pen.getCharString()
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder([".notdef", "A"])
    builder.setupCharacterMap({65: "A"})
    builder.setupCFF("Odd-Regular", {}, {".notdef": shape, "A": shape}, {})
    builder.setupHorizontalMetrics({".notdef": (600, 100), "A": (600, 100)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Odd", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "Odd.otf")
    found = face(tmp_path / "Odd.otf")
    assert (found.family, found.width("AA", 10), found.regular.ascent, found.regular.descent) == ("Odd", 12, 0.8, 0.2)
    font = TTFont(io.BytesIO(found.regular.subset("A").data))
    assert "glyf" in font
    glyphs = font.getGlyphSet()
    name = font.getGlyphName(1)
    assert bounds(glyphs, name) == pytest.approx((100, 0, 500, 400), abs=1)
    pen = RecordingPen()
    glyphs[name].draw(pen)
    assert "qCurveTo" in {step for step, _ in pen.value}


def test_measuring_needs_little():
    """Neither matplotlib nor the list of the machine's fonts is loaded to measure a text."""
    code = (
        "import sys; from layerblocks.viz.fonts import face\n"
        "face().width('conv', 8), face().regular.subset('conv')\n"
        "print(sorted({'matplotlib', 'keras', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
