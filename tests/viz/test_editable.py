"""Figures for draw.io and PowerPoint, opened again: their shapes, words and connectors against the figure's own."""

from __future__ import annotations

import functools
import io
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from itertools import product

import pytest
from hypothesis import given, settings
from pptx import Presentation
from pptx.util import Pt

from layerblocks.graphs.graph import Edge
from layerblocks.viz import diagram
from layerblocks.viz.backends import render
from layerblocks.viz.backends.groups import Group, corners, grouped, is_orthogonal
from layerblocks.viz.fonts import printable
from layerblocks.viz.scene import Box, Path, Polygon, Scene, Stated, Text

from ..zoo import build
from .test_backends import NASTY, scenes

NETS = ("efficientnet_like", "bert", "unet")
STYLES = ("boxes", "volumes")
SPACE = {
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "p": "http://schemas.openxmlformats.org/presentationml/2006/main",
}
FIGURES = pytest.mark.parametrize("net, style", list(product(NETS, STYLES)))


@functools.cache
def figure(net, style):
    return diagram(build(net), width="ieee2", style=style)


def words(scene):
    return sorted(printable(item.text) for item in scene.items if isinstance(item, Text) and item.text.strip())


def lines(scene):
    return [item for item in scene.items if isinstance(item, Path) and item.states]


def names(scene):
    """The nodes that are drawn."""
    shapes = (item for item in scene.items if isinstance(item, Box | Polygon) and item.states and item.name)
    return {item.states.node: item.name for item in shapes if item.states.node >= 0}


def joined(scene):
    """The pairs of nodes that lines say they join."""
    known = names(scene)
    links = (link for path in lines(scene) for link in path.states if isinstance(link, Edge))
    return {(known[link.source], known[link.target]) for link in links}


def in_pieces(scene):
    """Whether a line goes on elsewhere: at letters, or in the next row."""
    return any(getattr(item, "role", "") in ("tag", "continuation") for item in scene.items)


# -- draw.io ----------------------------------------------------------------------------------------------------------


class Drawing:
    """What draw.io reads from a file."""

    def __init__(self, data):
        self.root = ET.fromstring(data)
        self.cells, self.data, self.labels = {}, {}, []
        for element in self.root.find("diagram/mxGraphModel/root"):
            cell = element if element.tag == "mxCell" else element.find("mxCell")
            key = element.get("id")
            assert key not in self.cells
            self.cells[key] = cell
            self.data[key] = element.get("block", "")
            self.labels.append(element.get("value") or element.get("label") or "")

    @property
    def edges(self):
        return [cell for cell in self.cells.values() if cell.get("edge")]

    def named(self, key):
        """The node that a shape is of."""
        return self.data[key] or self.data[self.cells[key].get("parent")]

    def place(self, key):
        """Where a cell is on the page, and how large."""
        x = y = 0.0
        box = self.cells[key].find("mxGeometry")
        size = float(box.get("width")), float(box.get("height"))
        while key not in ("0", "1"):
            geometry = self.cells[key].find("mxGeometry")
            x, y = x + float(geometry.get("x", 0)), y + float(geometry.get("y", 0))
            key = self.cells[key].get("parent")
        return x, y, *size


@FIGURES
def test_drawio_has_every_word_box_and_line(net, style):
    scene = figure(net, style).scene
    drawing = Drawing(render(scene, "drawio"))
    assert sorted(filter(None, drawing.labels)) == words(scene)
    assert set(names(scene).values()) <= set(drawing.data.values())
    assert len(drawing.edges) == len(lines(scene))
    for cell in drawing.cells.values():
        assert cell.get("parent") in {*drawing.cells, None}
    found = set()
    for edge in drawing.edges:
        ends = edge.get("source"), edge.get("target")
        assert any(ends) and all(end is None or drawing.cells[end].get("vertex") for end in ends)
        found.add(tuple(drawing.named(end) if end else "" for end in ends))
    if not in_pieces(scene):
        # A line of several tensors is one edge.
        assert {pair for pair in found if all(pair)} <= joined(scene)
        assert {b for _, b in joined(scene)} == {b for a, b in found if a and b}


@FIGURES
def test_drawio_stands_where_the_figure_has_it(net, style):
    scene = figure(net, style).scene
    drawing = Drawing(render(scene, "drawio"))
    model = drawing.root.find("diagram/mxGraphModel")
    assert float(model.get("pageWidth")) == pytest.approx(scene.width, abs=1e-3)
    for item in scene.items:
        if isinstance(item, Box) and item.name:
            [key] = [
                key
                for key, name in drawing.data.items()
                if name == item.name and "group;" not in drawing.cells[key].get("style")
            ]
            assert drawing.place(key) == pytest.approx((item.x, item.y, item.width, item.height), abs=0.01)


def test_what_stands_in_a_box_moves_with_it():
    scene = figure("bert", "boxes").scene
    whole = grouped(scene)

    def nodes(group):
        for member in group.members:
            if isinstance(member, Group):
                if not member.frame:
                    yield member
                yield from nodes(member)

    found = {node.name: node for node in nodes(whole)}
    assert set(found) == set(names(scene).values())
    for item in scene.items:
        if isinstance(item, Text) and item.bold and item.role == "text":
            assert any(item in node.members for node in found.values())


# -- PowerPoint -------------------------------------------------------------------------------------------------------


def slide(data):
    return Presentation(io.BytesIO(data))


def every(shapes):
    for shape in shapes:
        yield shape
        if shape.shape_type == 6:  # a group
            yield from every(shape.shapes)


def node_of(shape):
    """The name of the group that a shape is in."""
    group = shape._element.getparent()
    return "" if group.tag.endswith("}spTree") else group.find("p:nvGrpSpPr/p:cNvPr", SPACE).get("name")


@FIGURES
def test_pptx_has_every_word_box_and_line(net, style):
    scene = figure(net, style).scene
    deck = slide(render(scene, "pptx"))
    assert (deck.slide_width, deck.slide_height) == (round(scene.width * 12700), round(scene.height * 12700))
    shapes = list(every(deck.slides[0].shapes))
    by_id = {shape.shape_id: shape for shape in shapes}
    assert len(by_id) == len(shapes)
    assert sorted(s.text_frame.text for s in shapes if s.has_text_frame and s.text_frame.text) == words(scene)
    assert set(names(scene).values()) <= {shape.name for shape in shapes if shape.shape_type != 6}
    found = chains(shapes)
    assert len(found) == len(lines(scene))
    assert all(any(chain) for chain in found)
    if not in_pieces(scene):
        assert {pair for pair in found if all(pair)} <= joined(scene)
        assert {b for _, b in joined(scene)} == {b for a, b in found if a and b}


def chains(shapes):
    """The names of what each line joins, from connector to connector; "" where it ends at nothing."""
    by_id = {shape.shape_id: shape for shape in shapes}
    loose = {key for key, shape in by_id.items() if shape.name == "corner"}
    pieces = [shape for shape in shapes if shape._element.tag.endswith("}cxnSp")]
    ends = []
    for piece in pieces:
        glue = [piece._element.find(f".//a:{end}", SPACE) for end in ("stCxn", "endCxn")]
        ends.append([None if end is None else int(end.get("id")) for end in glue])
    onward = {source: target for source, target in ends if source in loose}
    assert set(onward) == loose == {target for _, target in ends if target in loose}, "a corner has two pieces"
    found = []
    for source, target in ends:
        if source not in loose:
            while target in loose:
                target = onward[target]
            found.append(tuple("" if key is None else node_of(by_id[key]) for key in (source, target)))
    return found


def test_pptx_shapes_are_native_and_where_the_figure_has_them():
    scene = figure("bert", "boxes").scene
    shapes = {s.name: s for s in every(slide(render(scene, "pptx")).slides[0].shapes) if s.shape_type != 6}
    for item in scene.items:
        if isinstance(item, Box) and item.name:
            shape = shapes[item.name]
            assert shape._element.find(".//a:prstGeom", SPACE).get("prst") in ("rect", "roundRect")
            place = (shape.left, shape.top, shape.width, shape.height)
            assert place == pytest.approx([Pt(v) for v in (item.x, item.y, item.width, item.height)], abs=1)


@pytest.mark.parametrize(
    "points",
    [
        ((10, 10), (10, 60)),
        ((90, 60), (20, 60), (20, 5)),
        ((90, 80), (50, 80), (50, 10), (10, 10)),
        ((10, 80), (10, 20), (60, 20), (60, 80), (70, 90)),
    ],
)
def test_connectors_go_where_the_line_goes(points):
    start, *rest = points
    scene = Scene(100, 100, (Path(start, tuple((p,) for p in rest), "trunk", states=(Edge(0, 1),)),))
    shapes = list(slide(render(scene, "pptx")).slides[0].shapes)
    dots = [(s.left + s.width / 2, s.top) for s in shapes if s.name == "corner"]
    pieces = [shape for shape in shapes if shape.name == "line"]
    went = [(piece.begin_x, piece.begin_y) for piece in pieces] + [(pieces[-1].end_x, pieces[-1].end_y)]
    for found, wanted in ((went, points), (dots, points[1:-1])):
        assert sum(found, ()) == pytest.approx([Pt(v) for point in wanted for v in point], abs=1)
    assert [bool(p._element.findall(".//a:tailEnd", SPACE)) for p in pieces] == [False] * (len(pieces) - 1) + [True]


@pytest.mark.sweep
@FIGURES
def test_libreoffice_lays_every_line_where_the_figure_has_it(net, style, tmp_path):
    """It draws connectors by what they are glued to: every corner is the end of a piece of its PDF."""
    import pymupdf

    office = shutil.which("soffice")
    if office is None:
        pytest.skip("needs LibreOffice")
    scene = figure(net, style).scene
    (tmp_path / "net.pptx").write_bytes(render(scene, "pptx"))
    subprocess.run(
        [
            office,
            f"-env:UserInstallation=file://{tmp_path}/office",
            *("--headless", "--convert-to", "pdf", "--outdir", tmp_path, tmp_path / "net.pptx"),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    [sheet] = pymupdf.open(tmp_path / "net.pdf")
    ends = [
        (point.x, point.y)
        for drawing in sheet.get_drawings()
        for kind, *points in drawing["items"]
        for point in (points if kind in "lc" else ())
    ]
    for path in lines(scene):
        points = corners(path)
        for x, y in points[: -1 if path.arrow else None]:  # heads end at the last
            assert min((abs(x - ax) + abs(y - ay) for ax, ay in ends)) < 1.0, (path.role, x, y)


def test_a_slide_is_no_longer_than_powerpoint_can_have():
    scene = Scene(100, 40_000, (Box(0, 39_000, 90, 900, "conv", name="last", states=Stated(0)),))
    deck = slide(render(scene, "pptx"))
    assert deck.slide_height == 56 * 914_400
    last = next(s for s in every(deck.slides[0].shapes) if s.name == "last" and s.shape_type != 6)
    assert last.top + last.height <= deck.slide_height


# -- both -------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*no font of this machine")
@pytest.mark.parametrize("format", ["drawio", "pptx"])
@given(scene=scenes())
@settings(max_examples=25)
def test_any_scene_opens_again(format, scene):
    data = render(scene, format)
    assert data == render(scene, format)
    if format == "drawio":
        assert sorted(filter(str.strip, Drawing(data).labels)) == [w for w in words(scene) if w.strip()]
    else:
        shapes = every(slide(data).slides[0].shapes)
        found = sorted(s.text_frame.text for s in shapes if s.has_text_frame)
        assert [w for w in found if w.strip()] == [w for w in words(scene) if w.strip()]


@pytest.mark.filterwarnings("ignore:.*no font of this machine")
@pytest.mark.parametrize("format", ["drawio", "pptx"])
@pytest.mark.parametrize("name", [*NASTY, '"><script>alert(1)</script>', "a';fillColor=red;", "=cmd|'/C calc'!A0"])
def test_names_stay_words(format, name):
    box = Box(10, 10, 80, 30, "conv", name=name, title=name, states=Stated(0))
    scene = Scene(100, 50, (box, Text(12, 25, name, 7, 60)), title=name, description=name)
    data = render(scene, format)
    if format == "drawio":
        drawing = Drawing(data)
        assert printable(name) in drawing.labels if printable(name).strip() else True
        assert {cell.tag for cell in drawing.root.iter()} <= {
            *("mxfile", "diagram", "mxGraphModel", "root", "object", "mxCell", "mxGeometry", "mxPoint", "Array")
        }
        for cell in drawing.cells.values():  # no style that a name could reach, no label read as HTML
            assert name.strip() not in (cell.get("style") or "") or not name.strip().isprintable() or len(name) < 4
            assert not cell.get("vertex") or re.search("html=0|^group;", cell.get("style"))
    else:
        shapes = list(every(slide(data).slides[0].shapes))
        assert printable(name) in [s.text_frame.text for s in shapes if s.has_text_frame]
        assert len(shapes) == 3


def test_round_corners_are_sharp_again():
    path = next(p for p in lines(figure("efficientnet_like", "boxes").scene) if p.role == "skip")
    assert is_orthogonal(corners(path)) and len(corners(path)) == 4


def test_save_writes_them_and_refuses_paths_elsewhere(tmp_path):
    drawn = figure("bert", "boxes")
    for name in ("net.drawio", "net.pptx"):
        assert drawn.save(tmp_path / name).path.read_bytes() == render_of(drawn, name.split(".")[1])
    assert b"<text" in drawn.save(tmp_path / "a.svg").path.read_bytes()
    assert b"<text" not in drawn.save(tmp_path / "b.svg", text="paths").path.read_bytes()
    with pytest.raises(ValueError, match=r"^Figure\.save: text must be 'text' for any format but \.svg, got 'paths'$"):
        drawn.save(tmp_path / "c.pdf", text="paths")


def render_of(drawn, format):
    return drawn._rendered(format)
