"""Several networks in one figure: each as it is alone, beside the others, under its title."""

from __future__ import annotations

import functools

import pytest

from layerblocks.viz import Figure, diagram, figures
from layerblocks.viz.backends import FORMATS, render
from layerblocks.viz.page import page
from layerblocks.viz.scene import Box, Text

from ..zoo import build
from .scene_checks import text_rect

NETS = ("efficientnet_like", "gpt")


@functools.cache
def both(**options):
    return figures(*map(build, NETS), width="ieee2", **options)


def said(graph):
    """What a graph says: its nodes by name, its lines, its outputs."""
    names = [node.name for node in graph.nodes]
    edges = sorted((names[e.source], names[e.target], e.source_port, e.target_port) for e in graph.edges)
    return sorted(names), edges, sorted((o.key, names[o.source]) for o in graph.outputs)


@pytest.mark.sweep_but("boxes")
@pytest.mark.parametrize("style", ["boxes", "volumes"])
def test_each_says_what_it_says_alone(style):
    whole = both(style=style)
    share = (whole.width - 14) / 2
    names, edges, outputs = [], [], []
    for letter, net in zip("ab", NETS, strict=True):
        alone = said(diagram(build(net), width=share, height=9 * 72 - 26.25, style=style).statement())
        names += [f"{letter}.{name}" for name in alone[0]]
        edges += [(f"{letter}.{a}", f"{letter}.{b}", *ports) for a, b, *ports in alone[1]]
        outputs += [(f"{letter}.{key}", f"{letter}.{name}") for key, name in alone[2]]
    assert said(whole.statement()) == (sorted(names), sorted(edges), sorted(outputs))


def test_they_stand_side_by_side_under_their_titles():
    figure = both(titles=(r"narrow, $F(x) + x$", "wide " * 30))
    assert figure.width == pytest.approx(516 / 72.27 * 72, abs=0.01) and figure.height <= 9 * 72
    titles = [item for item in figure.scene.items if isinstance(item, Text) and item.role == "title" and not item.bold]
    assert titles[0].text == "(a) narrow, F(x) + x" and titles[1].text.startswith("(b) wide wide")
    assert len(titles) > 2, "a long title is broken"
    assert titles[0].y == titles[1].y
    boxes = {a: [i for i in figure.scene.items if isinstance(i, Box) and i.name.startswith(f"{a}.")] for a in "ab"}
    assert max(box.x + box.width for box in boxes["a"]) < min(box.x for box in boxes["b"])
    for text in figure.scene.items:
        if isinstance(text, Text):
            place = text_rect(text)
            assert place.left >= 0 and place.right <= figure.width and place.bottom <= figure.height
            assert text.size >= 6
    assert min(title.y - title.size for title in titles) >= max(b.y + b.height for b in (*boxes["a"], *boxes["b"]))


def test_looks_of_an_author_are_those_of_each():
    figure = figures(*map(build, NETS), style=lambda node: None, highlight={"dense*": "ours"}, label={"dense*": "D"})
    ours = [i for i in figure.scene.items if isinstance(i, Box) and i.name and i.role.startswith("own")]
    assert {item.name[0] for item in ours} == {"a", "b"}
    accent = figure.theme.paint("highlight")
    assert all(figure.theme.paint(item.role).fill == accent.fill for item in ours)
    assert sum(isinstance(i, Text) and i.text == "ours" for i in figure.scene.items) == 2


def test_it_is_a_figure_like_any():
    figure = both()
    assert isinstance(figure, Figure)
    assert figure.alt_text.startswith("(a) ") and "(b) " in figure.alt_text and "(b) " in figure.caption
    assert both(caption="Both.", alt_text="Two nets.").caption == "Both."
    for format in FORMATS:
        assert render(figure.scene, format, figure.theme)
    assert page(figure, insides=0).count('"name": "a.') > 2
    assert figure.dot.to_string().count(" -> ") == len(figure.graph.edges) and figure.mermaid


@pytest.mark.parametrize(
    ("models", "options", "error", "says"),
    [
        (1, {}, ValueError, "models must be 2 to 26 networks, got 1"),
        (2, {"titles": ["one"]}, ValueError, "titles must be a text for each network, of which there are 2, got"),
        (2, {"titles": "ab"}, ValueError, "titles must be a text for each network"),
        (2, {"titles": [1, 2]}, TypeError, "titles must be a text for each network"),
        (2, {"titles": ["$x", "b"]}, ValueError, "titles must be text with its maths"),
        (2, {"width": 10}, ValueError, "width must be wide enough for 2 networks, got 10"),
        (2, {"height": 5}, ValueError, "height must be more than 26.25 points, which titles take, got 5"),
        (2, {"caption": 3}, TypeError, "caption must be text, got 3"),
        (2, {"depth": 0}, ValueError, "depth must be"),
        (2, {"theme": "papr"}, ValueError, "theme must be one of"),
        (2, {"colour": 3}, TypeError, "colour"),
    ],
)
def test_wrong_arguments(models, options, error, says):
    with pytest.raises(error, match=rf"^(figures: |diagram\(\)).*{says}"):
        figures(*[build("gpt")] * models, **options)
