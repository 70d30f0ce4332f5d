"""What drawn figures promise to eyes: type that can be read on what is under it, kinds and lines that look unlike."""

from __future__ import annotations

import functools
import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.viz import diagram
from layerblocks.viz.theme import THEMES
from layerblocks.viz.venues import WIDTHS

from ..zoo import build as stranger
from .sight import BLIND, far, lightness, wcag

NETS = ("googlenet", "unet", "vit", "crnn")  # two of the catalogue, two of strangers
STYLES = ("boxes", "volumes")
LEAST = {"slides": 14.0}  # points; 6 elsewhere
CONTRAST = 4.5  # WCAG 2.2, AA
APART = 4.0  # in CIELAB, of neighbouring kinds
QUICK = ("mono-acm1-googlenet", "slides-None-unet", "dark-neurips-unet")


@functools.cache
def network(name):
    if name in ("vit", "crnn"):
        return stranger(name)
    with weightless():
        return build(name)


class Drawn:
    """A figure as its SVG says: shapes and texts in the order in which they are drawn."""

    def __init__(self, text, page):
        self.shapes, self.texts, self.lines = [], [], []
        self.page = page
        for place, element in enumerate(ET.fromstring(text).iter()):
            tag = element.tag.rpartition("}")[2]
            kind, *role = element.get("class", "-").split()
            look = {key: element.get(key) for key in ("fill", "stroke", "stroke-width", "stroke-dasharray", "id")}
            if tag == "rect":
                x, y, width, height = (float(element.get(key)) for key in ("x", "y", "width", "height"))
                corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
                self.shapes.append((place, role[0], corners, look))
            elif tag == "polygon":
                corners = [tuple(map(float, pair.split(","))) for pair in element.get("points").split()]
                self.shapes.append((place, role[0], corners, look))
            elif tag == "path" and kind == "line":
                self.lines.append((role[0], look))
            elif tag == "text":
                self.texts.append((place, element))

    def under(self, place, at):
        """The colour that was last laid at a point before something was drawn there."""
        for number, _, corners, look in reversed(self.shapes):
            if number < place and look["fill"] != "none" and inside(at, corners):
                return look["fill"]
        return self.page

    def over(self, place, at):
        return any(n > place and look["fill"] != "none" and inside(at, c) for n, _, c, look in self.shapes)


def inside(at, corners):
    """Whether a point is in a polygon (even–odd rule)."""
    (x, y), crossed = at, False
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            crossed = not crossed
    return crossed


def samples(element):
    """Points of a text: along its middle, and at its ends."""
    x, y, size, wide = (float(element.get(key)) for key in ("x", "y", "font-size", "textLength"))
    left = x - wide * {None: 0.0, "middle": 0.5, "end": 1.0}[element.get("text-anchor")]
    steps = max(2, round(wide / 4))
    return [(left + wide * i / steps, y - share * size) for i in range(steps + 1) for share in (0.1, 0.6)]


GRID = [
    (theme, venue, net)
    for theme in THEMES
    for venue in ((None, "ieee2", "neurips", "a4") if theme == "slides" else (*WIDTHS, None))
    for net in NETS
]


@pytest.mark.sweep_but(*QUICK)
@pytest.mark.parametrize("theme, venue, net", GRID, ids=["-".join(map(str, each)) for each in GRID])
def test_every_figure_can_be_read(theme, venue, net):
    page = THEMES[theme].paint("page").fill
    for style in STYLES:
        try:
            figure = diagram(network(net), width=venue, theme=theme, style=style)
        except ValueError as error:  # large type on a small page is refused, and never made smaller
            assert theme == "slides" and "does not fit" in str(error)
            continue
        drawn = Drawn(figure.svg, "#ffffff" if page == "none" else page)
        assert drawn.texts and drawn.shapes
        for place, element in drawn.texts:
            assert float(element.get("font-size")) >= LEAST.get(theme, 6.0), element.text
            for at in samples(element):
                assert not drawn.over(place, at), f"{element.text} is covered"
                ground = drawn.under(place, at)
                assert wcag(element.get("fill"), ground) >= CONTRAST, (element.text, element.get("fill"), ground)
        check_kinds(drawn, style)
        check_lines(drawn)


def check_kinds(drawn, style):
    """Nodes of two kinds look unlike in grey and to who sees fewer colours; in boxes, where their fills differ at all.

    Boxes of one fill say in words what they are.
    """
    looks = {}
    for _, role, corners, look in drawn.shapes:
        if look["id"] and len(corners) < 12 and not re.search("frame|panel", role):  # signs stand in circles
            looks.setdefault(role, look)
    for (one, a), (other, b) in combinations(looks.items(), 2):
        if a["fill"] == "none" or b["fill"] == "none":
            continue
        if style == "boxes" and a["fill"] == b["fill"]:
            continue
        if any(a[key] != b[key] for key in ("stroke-dasharray", "stroke-width")):
            continue
        pale = 3.0 if style == "boxes" else APART
        assert abs(lightness(a["fill"]) - lightness(b["fill"])) >= pale, (one, other, "grey")
        for blind in BLIND:
            assert far(a["fill"], b["fill"], blind) >= pale, (one, other, blind)


def check_lines(drawn):
    """Lines that mean something else differ by more than their hue."""
    looks = {role: look for role, look in drawn.lines if not role.endswith(("-mark", "-volume"))}
    meanings = [role for role in ("trunk", "skip", "projection", "padded", "concat", "gate", "mask") if role in looks]
    for one, other in combinations(meanings, 2):
        a, b = looks[one], looks[other]
        wide = sorted(float(look["stroke-width"]) for look in (a, b))
        assert (
            a["stroke-dasharray"] != b["stroke-dasharray"]
            or wide[1] >= 1.5 * wide[0]
            or abs(lightness(a["stroke"]) - lightness(b["stroke"])) >= 10
        ), (one, other)
