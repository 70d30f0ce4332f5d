"""What every theme promises: text that can be read, kinds that can be told apart, sizes that a page asks for."""

from itertools import combinations, pairwise

import pytest

from layerblocks.viz.layouts.legend import KINDS
from layerblocks.viz.theme import DEFAULT, THEMES, contrast, luminance

# Machado, Oliveira and Fernandes (2009), doi:10.1109/TVCG.2009.113, severity 1; on linear light.
BLIND = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
LADDER = ("pool", "conv", "dense", "residual", "attention", "highlight")  # from the page on


def linear(colour):
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def lightness(colour):
    y = luminance(colour)
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def lab(rgb):
    """CIELAB of linear sRGB, under D65."""
    rows = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
    xyz = [sum(a * b for a, b in zip(row, rgb, strict=True)) for row in rows]
    x, y, z = (
        (v / white) ** (1 / 3) if v / white > 0.008856 else 7.787 * v / white + 16 / 116
        for v, white in zip(xyz, (0.95047, 1.0, 1.08883), strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("name", THEMES)
def test_text_can_be_read_on_all_that_it_stands_on(name):
    paint = THEMES[name].paint
    page = paint("page").fill if paint("page").fill != "none" else "#FFFFFF"
    for role in (*KINDS, "highlight", "frame", "panel", "tag", "badge"):
        if role in paint_roles(name):
            for text in ("text", "name", "muted"):
                assert contrast(paint(text).line, paint(role).fill) >= 4.5, (text, role)
    for text in ("edge", "title", "legend", "muted"):
        assert contrast(paint(text).line, page) >= 4.5, text
    for line in ("trunk", "skip", "projection", "concat", "gate", "mask", "frame", *LADDER):
        assert contrast(paint(line).line, page) >= 3, line


def paint_roles(name):
    return THEMES[name].paints


@pytest.mark.parametrize("name", THEMES)
def test_kinds_are_told_apart_in_grey_and_by_the_colour_blind(name):
    paint = THEMES[name].paint
    fills = {role: paint(role).fill for role in LADDER}
    for one, other in pairwise(LADDER):
        assert abs(lightness(fills[one]) - lightness(fills[other])) >= 3, (one, other)
    for kind, matrix in BLIND.items():
        seen = {}
        for role, fill in fills.items():
            rgb = [sum(a * b for a, b in zip(row, linear(fill), strict=True)) for row in matrix]
            seen[role] = lab([min(max(part, 0), 1) for part in rgb])
        for one, other in combinations(LADDER, 2):
            far = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
            assert far >= 3, (kind, one, other)
    lines = [(paint(role).border, paint(role).width) for role in ("trunk", "projection", "gate", "mask", "concat")]
    assert len(set(lines)) == len(lines)


def test_sizes_are_those_of_the_page():
    for name, theme in THEMES.items():
        least = 14 if name == "slides" else 6
        assert min(theme.name_size, theme.text_size, theme.edge_size, theme.least_size) >= least
    width, height = THEMES["slides"].page
    assert width * 9 == height * 16
    assert DEFAULT is THEMES["paper"] and all(not DEFAULT.paint(role).stripe for role in KINDS)
    assert all(DEFAULT.paint(role).width == 0.5 for role in LADDER[:-1])
    assert all(THEMES["mono"].paint(role).stripe for role in ("conv", "pool", "merge", "residual", "dense"))
