"""Braces and callouts: along the boxes that they name and no others, beside all else, and within the page."""

from __future__ import annotations

import functools
from fnmatch import fnmatchcase

import keras
import pytest

from layerblocks import architectures
from layerblocks.blocks import weightless
from layerblocks.graphs import read_graph
from layerblocks.viz import diagram, figures
from layerblocks.viz.backends import FORMATS, render
from layerblocks.viz.overlaps import overlaps, points
from layerblocks.viz.scene import Box, Path, Polygon, Text

from ..zoo import build


@functools.cache
def chain(count=3):
    with weightless():
        x = y = keras.Input((32, 32, 3), name="image")
        for letter in "ab":
            for i in range(count):
                y = keras.layers.Conv2D(8 + 8 * i, 3, padding="same", name=f"{letter}_conv{i}")(y)
            y = keras.layers.MaxPooling2D(name=f"pool_{letter}")(y)
        return read_graph(keras.Model(x, y, name="net"))


def extents(figure):
    """The sides of each node: left, top, right, bottom."""
    found = {}
    for item in figure.scene.items:
        states = getattr(item, "states", None)
        if not isinstance(item, Box | Polygon) or states is None or states.node < 0:
            continue
        corners = item.points if isinstance(item, Polygon) else ()
        if isinstance(item, Polygon) and (
            item.points[0][1] != item.points[1][1] or item.points[0][0] != item.points[3][0]
        ):
            continue  # what is behind the front
        if isinstance(item, Box):
            corners = ((item.x, item.y), (item.x + item.width, item.y + item.height))
        old = found.get(states.node, ())
        xs, ys = [x for x, _ in (*corners, *old)], [y for _, y in (*corners, *old)]
        found[states.node] = ((min(xs), min(ys)), (max(xs), max(ys)))
    return {figure.graph.nodes[n].name: (*low, *high) for n, (low, high) in found.items()}


def braces(figure):
    """Where each brace begins and ends, and the words at it, of the order in which they are drawn."""
    items = figure.scene.items
    for place, item in enumerate(items):
        if isinstance(item, Path) and item.role == "brace":
            words = []
            for text in items[place + 1 :]:
                if not isinstance(text, Text) or text.role != "note":
                    break
                words.append(text.text)
            yield item.start, item.steps[-1][-1], " ".join(words)


@pytest.mark.parametrize(("style", "direction"), [("boxes", "TB"), ("boxes", "LR"), ("boxes", "BT"), ("volumes", "TB")])
def test_a_brace_runs_along_its_boxes_and_no_others(style, direction):
    figure = diagram(chain(), depth=None, direction=direction, style=style, groups={"a*": "first", "b*": "second"})
    sides, axis = extents(figure), 1 if style == "boxes" and direction != "LR" else 0
    found = list(braces(figure))
    assert {words for *_, words in found} == {"first", "second"}
    for start, end, words in found:
        low, high = sorted((start[axis], end[axis]))
        covered = {name for name, s in sides.items() if low < (s[axis] + s[axis + 2]) / 2 < high}
        own, other = {"first": "ab", "second": "ba"}[words]
        assert not any(fnmatchcase(name, f"{other}.*") or name == "image" for name in covered)
        assert sum(fnmatchcase(name, f"{own}.conv*") for name in covered) == 3
    assert not overlaps(figure.scene)


@pytest.mark.parametrize(("style", "width"), [("boxes", "ieee1"), ("volumes", "neurips")])
def test_a_u_keeps_the_width_of_the_page(style, width):
    groups = {"encoder*": "contracting path", "decoder*": "expanding path"}
    with weightless():
        graph = read_graph(architectures.build("unet"))
    alone = diagram(graph, width=width, style=style)
    figure = diagram(graph, width=width, style=style, groups=groups, callouts={"encoder5*": "lowest"})
    assert figure.width <= alone.width + 0.01 and figure.text_size >= 6 and not overlaps(figure.scene)
    assert sorted(words for *_, words in braces(figure) if "path" in words) == sorted(groups.values())


def test_boxes_between_which_others_stand_are_braced_in_parts():
    figure = diagram(chain(), depth=None, groups={"*conv0": "narrow"})
    assert [words for *_, words in braces(figure)] == ["narrow", "narrow"]
    whole = diagram(chain(), depth=None, groups={"a*": "all", "b*": "all"})
    assert [words for *_, words in braces(whole)] == ["all"], "the pool between them belongs to it"


def test_of_equal_blocks_in_one_box_it_says_how_many():
    model = keras.Input((8,), name="x")
    y = model
    for i in range(4):
        y = keras.layers.Dense(8, activation="relu", name=f"layer{i}")(y)
    figure = diagram(keras.Model(model, y), callouts={"layer[01]": "ours"}, groups={"layer*": "trunk"})
    said = [t.text for t in figure.scene.items if isinstance(t, Text) and t.role == "note"]
    assert sorted(" ".join(said).replace("ours (2 of 4)", "ours-2-of-4").split()) == ["ours-2-of-4", "trunk"]


@pytest.mark.parametrize("callouts", [{"*conv1": "ours"}, {"a*conv2": "a longer note that goes on in lines"}])
def test_a_line_leads_from_a_callout_to_its_box(callouts):
    figure = diagram(chain(), depth=None, width="ieee1", callouts=callouts)
    sides = extents(figure)
    leaders = [i for i in figure.scene.items if isinstance(i, Path) and i.role == "callout"]
    (pattern,) = callouts
    meant = [s for name, s in sides.items() if fnmatchcase(name, pattern)]
    assert len(leaders) == len(meant) > 0
    for (left, top, right, bottom), leader in zip(meant, leaders, strict=True):
        x, y = leader.steps[-1][-1]
        assert left - 0.1 <= x <= right + 0.1 and top - 0.1 <= y <= bottom + 0.1
        assert x in (pytest.approx(left), pytest.approx(right)) or y in (pytest.approx(top), pytest.approx(bottom))
        for other in sides.values():
            inside = [p for p in points(leader) if other[0] + 1 < p[0] < other[2] - 1 and other[1] < p[1] < other[3]]
            assert not inside
    assert not overlaps(figure.scene)


@pytest.mark.sweep_but("unet-boxes")
@pytest.mark.parametrize("style", ["boxes", "volumes"])
@pytest.mark.parametrize("name", ["unet", "efficientnet_like", "gpt"])
def test_every_box_of_a_strange_network_can_have_a_note(name, style):
    shown = diagram(build(name), width="ieee2", style=style, depth=1).graph
    for node in (shown.nodes[1], shown.nodes[len(shown.nodes) // 2]):
        pattern = node.name.replace("[", "[[]")
        figure = diagram(build(name), width="ieee2", style=style, depth=1, callouts={pattern: "a note"})
        assert not overlaps(figure.scene) and "a note" in figure.svg


def test_words_reach_every_format_and_the_description():
    figure = diagram(chain(), depth=None, groups={"a*": "first"}, callouts={"b*conv1": r"ours, $\alpha$"})
    assert "says: first." in figure.alt_text and "says: ours, α." in figure.alt_text
    assert figure.statement().nodes == diagram(chain(), depth=None).statement().nodes
    for format in FORMATS:
        data = render(figure.scene, format, figure.theme)
        if format in ("svg", "tikz", "drawio"):
            assert b"first" in data and b"ours" in data
    assert "first" in figure.html()


def test_side_by_side_a_letter_says_of_which():
    figure = figures(chain(), chain(2), depth=None, callouts={"b.b*conv1": "ours"}, groups={"a*": "first"})
    notes = [(t.text, t.x) for t in figure.scene.items if isinstance(t, Text) and t.role == "note"]
    assert sorted(text for text, _ in notes) == ["first", "first", "ours"]
    assert [x > figure.width / 3 for text, x in notes if text == "ours"] == [True]
