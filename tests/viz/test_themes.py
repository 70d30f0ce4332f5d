"""What every theme promises: text that can be read, kinds that can be told apart, sizes that a page asks for."""

from colorsys import rgb_to_hsv
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.viz.layouts.legend import KINDS
from layerblocks.viz.theme import DEFAULT, THEMES, contrast

from .sight import BLIND, far, lightness, wcag

LADDER = ("pool", "conv", "dense", "residual", "attention", "highlight")  # from the page on


@pytest.mark.parametrize("name", THEMES)
def test_text_can_be_read_on_all_that_it_stands_on(name):
    paint = THEMES[name].paint
    page = paint("page").fill if paint("page").fill != "none" else "#FFFFFF"
    for role in (*KINDS, "highlight", "frame", "panel", "tag", "badge"):
        if role in paint_roles(name):
            for text in ("text", "name", "muted"):
                assert wcag(paint(text).line, paint(role).fill) >= 4.5, (text, role)
    for text in ("edge", "title", "legend", "muted"):
        assert wcag(paint(text).line, page) >= 4.5, text
    for line in ("trunk", "skip", "projection", "concat", "gate", "mask", "frame", *LADDER):
        assert wcag(paint(line).line, page) >= 3, line


def paint_roles(name):
    return THEMES[name].paints


@pytest.mark.parametrize("name", THEMES)
def test_kinds_are_told_apart_in_grey_and_by_the_colour_blind(name):
    paint = THEMES[name].paint
    fills = {role: paint(role).fill for role in LADDER}
    for one, other in pairwise(LADDER):
        assert abs(lightness(fills[one]) - lightness(fills[other])) >= 3, (one, other)
    for blind in BLIND:
        for one, other in combinations(LADDER, 2):
            assert far(fills[one], fills[other], blind) >= 3, (blind, one, other)
    lines = [(paint(role).border, paint(role).width) for role in ("trunk", "projection", "gate", "mask", "concat")]
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize("name", ["paper", "slides", "dark"])
def test_convolutions_are_cold_and_dense_layers_and_attention_warm(name):
    """Blue and amber, as the words of a palette are; `mono` has no colour."""
    hues = {}
    for role in ("conv", "residual", "dense", "recurrent", "attention"):
        red, green, blue = (int(THEMES[name].paint(role).fill[i : i + 2], 16) / 255 for i in (1, 3, 5))
        hues[role] = 360 * rgb_to_hsv(red, green, blue)[0]
    assert all(190 <= hues[role] <= 230 for role in ("conv", "residual")), hues
    assert all(25 <= hues[role] <= 50 for role in ("dense", "recurrent", "attention")), hues


@given(colours=st.tuples(*[st.from_regex("#[0-9a-f]{6}", fullmatch=True)] * 2))
def test_contrast_is_that_of_wcag(colours):
    assert contrast(*colours) == pytest.approx(wcag(*colours), rel=1e-3)


def test_sizes_are_those_of_the_page():
    for name, theme in THEMES.items():
        least = 14 if name == "slides" else 6
        assert min(theme.name_size, theme.text_size, theme.edge_size, theme.least_size) >= least
    width, height = THEMES["slides"].page
    assert width * 9 == height * 16
    assert DEFAULT is THEMES["paper"] and all(not DEFAULT.paint(role).stripe for role in KINDS)
    assert all(DEFAULT.paint(role).width == 0.5 for role in LADDER[:-1])
    assert all(THEMES["mono"].paint(role).stripe for role in ("conv", "pool", "merge", "residual", "dense"))
