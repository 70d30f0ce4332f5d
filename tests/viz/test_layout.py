"""Where things go: sequences, forks and frames seen in random graphs, wrapped text, pages."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.graphs.graph import Edge, Graph, Node, Output, mark_edges, mark_heads
from layerblocks.viz import Theme, diagram
from layerblocks.viz.backends.marks import arrowed
from layerblocks.viz.layouts.box_text import Content, cards, type_of, wrap
from layerblocks.viz.layouts.figures import Look, figure_scene
from layerblocks.viz.layouts.series_parallel import Fork, Irreducible, compose, frames_around, numbers, split
from layerblocks.viz.overlaps import overlaps
from layerblocks.viz.scene import Text
from layerblocks.viz.venues import CAPTION, WIDTHS, height_for, in_points, wider

from .. import zoo
from .scene_checks import check_scene, labels, named, points


def graph(edges, names=None, roles=None, heads=()):
    """A graph from pairs of numbers; nothing of it is Keras's."""
    count = max(max(pair) for pair in edges) + 1
    inputs = [sum(target == i for _, target in edges) for i in range(count)]
    nodes = tuple(
        Node(
            i,
            tuple((names or {}).get(i, f"n{i}").split(".")),
            "Add" if inputs[i] > 1 and i not in (roles or {}) else "Layer",
            (roles or {}).get(i, "add" if inputs[i] > 1 else "conv"),
            inputs=((None, 4, 4, 8),) * inputs[i],
            outputs=((None, 4, 4, 8),),
        )
        for i in range(count)
    )
    ends = [i for i in range(count) if not any(source == i for source, _ in edges)]
    outputs = tuple(Output(f"aux{i}" if i in heads else "main", i) for i in ends)
    ports = {}
    made = []
    for source, target in edges:
        ports[target] = ports.get(target, -1) + 1
        made.append(Edge(source, target, 0, ports[target], (None, 4, 4, 8)))
    return mark_edges(mark_heads(Graph("net", "Functional", nodes, tuple(made), outputs)))


def shape(parts):
    """A composition as nested tuples and lists."""
    return tuple(
        part
        if isinstance(part, int)
        else [shape(branch) for branch in part.branches]
        if isinstance(part, Fork)
        else {part.title: shape(part.parts)}
        for part in parts
    )


@pytest.mark.parametrize(
    ("edges", "wanted"),
    [
        ([(0, 1), (1, 2)], (0, 1, 2)),
        ([(0, 1), (1, 2), (0, 2)], (0, 1, 2)),  # a short cut is no branch
        ([(0, 1), (0, 2), (1, 3), (2, 3)], (0, [(1,), (2,)], 3)),
        ([(0, 2), (1, 2), (2, 3)], ([(0,), (1,)], 2, 3)),  # two inputs
        ([(0, 1), (0, 2), (2, 3), (2, 4), (1, 5), (3, 5), (4, 5)], (0, [(1,), (2, [(3,), (4,)])], 5)),
    ],
)
def test_a_graph_is_seen_as_a_sequence(edges, wanted):
    assert shape(compose(graph(edges)).parts) == wanted


def test_branches_tied_to_each_other_are_no_sequence():
    with pytest.raises(Irreducible):
        compose(graph([(0, 1), (0, 2), (1, 3), (2, 3), (1, 4), (2, 4), (3, 5), (4, 5)]))


def test_frames_hold_what_their_names_say():
    names = {0: "in", 1: "a.x", 2: "a.y", 3: "b.c.x", 4: "b.c.y", 5: "b.d"}
    parts = compose(graph([(i, i + 1) for i in range(5)], names)).parts
    assert shape(parts) == (0, {"a": (1, 2)}, {"b": ({"c": (3, 4)}, 5)})


def test_a_frame_across_branches_is_left_out():
    names = {1: "a.x", 2: "b.x", 3: "a.y"}
    composition = compose(graph([(0, 1), (0, 2), (1, 3), (2, 3)], names))
    assert shape(composition.parts) == (0, [(1,), (2,)], 3) and not any(composition.frames)


def test_a_sequence_is_cut_inside_a_frame():
    names = {1: "a.x", 2: "a.y", 3: "a.z"}
    before, after = split(compose(graph([(i, i + 1) for i in range(4)], names)).parts, 2)
    assert shape(before) == (0, {"a": (1,)}) and shape(after) == ({"a (cont.)": (2, 3)}, 4)


# -- random networks --------------------------------------------------------------------------------------------------


@st.composite
def networks(draw):
    """A sequence of boxes, forks (of sequences) and short cuts, as pairs of numbers."""
    edges: list[tuple[int, int]] = []
    count = 1

    def fresh():
        nonlocal count
        count += 1
        return count - 1

    def chain(start, depth, length):
        for _ in range(length):
            kind = draw(st.sampled_from(["box", "box", "box", "fork", "skip"] if depth else ["box"]))
            if kind == "box":
                number = fresh()
                edges.append((start, number))
            else:
                branches = [chain(start, depth - 1, draw(st.integers(1, 3))) for _ in range(1 if kind == "skip" else 2)]
                number = fresh()
                edges.extend((end, number) for end in branches)
                if kind == "skip":
                    edges.append((start, number))
            start = number
        return start

    chain(0, 2, draw(st.integers(1, 12)))
    order = sorted({n for pair in edges for n in pair})
    assert order == list(range(count))
    return [(min(pair), max(pair)) for pair in edges]


@given(networks(), st.sampled_from(["TB", "LR", "BT", "RL"]))
def test_every_network_is_drawn_with_nothing_on_anything(edges, direction):
    made = graph(edges)
    assert sorted(numbers(compose(made).parts)) == [node.id for node in made.nodes]
    scene = figure_scene(made, Look(Theme(), direction=direction))
    check_scene(scene)
    assert set(named(scene)) == {node.name for node in made.nodes}


@given(networks(), st.sampled_from([180.0, 252.0, 400.0]), st.sampled_from([200.0, 500.0]))
def test_what_fits_a_page_keeps_to_it(edges, width, height):
    scene = figure_scene(graph(edges), Look(Theme(), width=width, height=height))
    if scene is not None:
        check_scene(scene)
        assert scene.width == width and scene.height <= height and scene.text_size >= 6


@given(st.integers(2, 60), st.sampled_from(["TB", "LR"]))
def test_a_long_chain_goes_on_in_columns_or_rows(count, direction):
    made = graph([(i, i + 1) for i in range(count - 1)])
    scene = figure_scene(made, Look(Theme(), width=397.0, height=400.0, direction=direction, legend=False))
    if scene is None:
        assert count > 30
        return
    check_scene(scene)
    turns = [item for item in scene.items if getattr(item, "role", "") == "continuation"]
    place = {"TB": lambda box: box.left, "LR": lambda box: box.top}[direction]
    assert len({round(place(box)) for box in named(scene).values()}) == len(turns) + 1


def test_each_tensor_is_labelled_once():
    scene = figure_scene(graph([(0, 1), (1, 2), (0, 2), (2, 3)]), Look(Theme()))
    assert labels(scene) == ["4×4×8"], "all others are as large as what they get"
    made = graph([(0, 1), (1, 2), (0, 2), (2, 3)])
    shapes = {0: (8,), 1: (8,), 2: (8,), 3: (4,)}
    nodes = [replace(n, inputs=((None, 8),), outputs=((None, *shapes[n.id]),)) for n in made.nodes]
    scene = figure_scene(replace(made, nodes=tuple(nodes)), Look(Theme()))
    assert labels(scene) == ["8", "4"], "only where it changes"


def test_a_short_cut_nests_in_a_longer_one():
    scene = figure_scene(graph([(0, 1), (1, 2), (2, 3), (1, 3), (3, 4), (0, 4)]), Look(Theme(), legend=False))
    lanes = [item for item in scene.items if getattr(item, "role", "") == "skip"]
    reach = sorted(max(x for step in lane.steps for x, _ in step) for lane in lanes)
    assert len(reach) == 2 and reach[1] - reach[0] >= 5


def test_an_encoder_and_decoder_is_a_u():
    edges = [(i, i + 1) for i in range(8)] + [(1, 7), (2, 6), (3, 5)]
    scene = figure_scene(graph(edges), Look(Theme(), legend=False))
    check_scene(scene)
    boxes = named(scene)
    for left, right in ((1, 7), (2, 6), (3, 5)):
        one, other = boxes[f"n{left}"], boxes[f"n{right}"]
        assert abs(one.top + one.bottom - other.top - other.bottom) < 0.1 and one.right < other.left


def test_where_branches_part_and_meet_there_is_room_for_a_corner_and_an_arrow_head_and_no_more():
    theme = Theme()
    made = graph([(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)])
    scene = figure_scene(made, Look(theme, legend=False))
    lines = [item for item in scene.items if getattr(item, "role", "") == "branch" and len(item.steps) > 1]
    assert len(lines) == 4, "the middle branch is straight"
    for line in lines:
        _, first, _, second, ((_, end),) = line.steps
        start = points(replace(line, steps=line.steps[:1]))[-1][1]
        straight = end - second[-1][1]
        (_, (tip,)), *sides, _ = arrowed(line, theme.paint(line.role), theme)[1]
        head = tip[1] - sides[0][1][0][1]
        assert head <= straight <= 2 * head
        assert second[-1][1] - first[-1][1] == pytest.approx(first[-1][1] - start), "corners of one size"


def test_heads_stand_beside_what_feeds_them():
    made = graph([(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (2, 6)], heads=(5, 6))
    scene = figure_scene(made, Look(Theme()))
    check_scene(scene)
    boxes = named(scene)
    assert boxes["n4"].left > boxes["n1"].right and boxes["n6"].left == boxes["n4"].left
    assert boxes["n6"].top > boxes["n5"].bottom, "the second head waits for the first"


@pytest.mark.sweep
def test_a_deep_chain_takes_time_that_grows_with_it():
    made = graph([(i, i + 1) for i in range(5000)])
    assert len(named(figure_scene(made, Look(Theme())))) == 5001


def test_tied_branches_are_laid_out_by_graphviz():
    edges = [(0, 1), (0, 2), (1, 3), (2, 3), (1, 4), (2, 4), (3, 5), (4, 5)]
    for direction in ("TB", "LR", "BT", "RL"):
        check_scene(figure_scene(graph(edges), Look(Theme(), direction=direction)), curved=True)


# -- text -------------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8", exclude_characters="\xa0"), max_size=60), st.integers(1, 20))
def test_wrapping_loses_nothing_and_fits(text, room):
    lines = wrap(text, room, len)
    from layerblocks.viz.fonts import printable

    assert "".join(lines).replace(" ", "") == printable(text).replace(" ", "")
    assert all(len(line) <= room for line in lines)


def test_what_belongs_together_is_not_broken():
    assert wrap("residual 1×1,\xa0/2", 10, len) == ["residual", "1×1, /2"]
    assert wrap("3x3_reduce", 6, len) == ["3x3_", "reduce"]
    assert wrap("abcdefgh", 3, len) == ["abc", "def", "gh"]


def test_cards_of_one_group_have_one_form():
    type = type_of(Theme())
    contents = [Content(("conv",), ("a",), (("1,234,567 params", "1.23 M params"),)), Content(("pool",), ("b",))]
    free = cards(contents, type, Theme())
    assert [line.text for line in free[0].lines] == ["conv", "a", "1,234,567 params"]
    assert {(line.anchor, line.x) for card in free for line in card.lines} == {("middle", 0.0)}, "text is centred"
    assert [line.size for line in free[0].lines] == [type.name, type.text, type.text]
    narrow = cards(contents, type, Theme(), 58)
    assert [line.text for line in narrow[0].lines] == ["conv", "a", "1.23 M params"]
    assert all(card.width <= 58 for card in narrow)
    assert cards([Content(("a",), (), (("123456789",),))], type, Theme(), 30) is None, "a number is not broken"


# -- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "points"),
    [
        ("ieee1", 251.06),
        ("IEEE2", 514.07),
        ("8cm", 226.77),
        ("3.5in", 252),
        ("252pt", 251.06),
        ("252bp", 252),
        (100, 100),
        ("90mm", 255.12),
    ],
)
def test_lengths(value, points):
    assert in_points("width", value) == pytest.approx(points, abs=0.01)


@pytest.mark.parametrize("value", ["ieee3", "8 parsecs", "", "-3cm", "cm", 0, -5, float("nan"), inf, "1e9pt"])
def test_what_is_no_length(value):
    with pytest.raises(ValueError, match=r"^layerblocks: width must be a length"):
        in_points("width", value)


@pytest.mark.parametrize("value", [None, True, [3], b"8cm"])
def test_what_is_not_even_near_a_length(value):
    with pytest.raises(TypeError, match=r"^layerblocks: width must be a length"):
        in_points("width", value)


def test_how_often_stands_after_the_name():
    """After a kernel it would read as one of the kernels."""
    content = Content(("residual 1×1, 3×3, 1×1",), ("block2–3",), repeats=2, role="residual")
    (card,) = cards([content], type_of(Theme()), Theme())
    (mark,) = card.marks
    assert {line.text: line.y for line in card.lines}["block2–3"] == mark.y


def test_a_mark_is_clear_of_the_line_above_it():
    stack = Node(
        1, ("gap_1–gap_6",), "Gap", "other", members=tuple(f"gap_{i}" for i in range(1, 7)), words="group (gpyq)"
    )
    nodes = (Node(0, ("image",), "InputLayer", "input", outputs=((None, 8),)), stack)
    made = mark_edges(Graph("net", "Functional", nodes, (Edge(0, 1),), (Output("main", 1),)))
    scene = figure_scene(made, Look(Theme()))
    assert not overlaps(scene)
    lower = (replace(i, y=i.y + 1.5) if isinstance(i, Text) and i.text == stack.words else i for i in scene.items)
    assert overlaps(replace(scene, items=tuple(lower))) == [f"{stack.words!r} touches a mark"]


@pytest.mark.parametrize("direction", ["TB", "BT", "LR", "RL"])
@pytest.mark.parametrize("name", ["dueling_dqn", "vae"])
def test_titles_and_keys_have_room_in_every_direction(name, direction):
    """Of the frames of a layered figure, and of a box of several outputs."""
    depth = 1 if name == "vae" else "auto"
    assert not overlaps(diagram(zoo.build(name), direction=direction, depth=depth).scene)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("feature_pyramid_detector", {"width": "ieee1", "direction": "LR"}),  # keys of outputs, letters beside letters
        ("encoder_decoder", {"width": "ieee1", "direction": "RL"}),  # words at lines
        ("unet_3d", {"width": "ieee1", "direction": "BT"}),  # letters at the border of a frame
        ("vae", {"depth": 2, "style": "volumes", "fold": False}),  # outputs of a small volume
    ],
)
def test_keys_words_and_letters_stand_where_nothing_else_does(name, options):
    assert not overlaps(diagram(zoo.build(name), **options).scene)


def test_the_title_of_a_frame_stands_beside_the_lines_into_it():
    """Into a frame around a fork, that is itself a branch of one."""
    edges = [(0, 1), (0, 2), (0, 3), (2, 4), (3, 4), (1, 5), (4, 5)]
    names = {2: "a_block_of_two.x", 3: "a_block_of_two.y", 4: "a_block_of_two.sum"}
    for direction in ("TB", "BT", "LR", "RL"):
        scene = figure_scene(graph(edges, names), Look(Theme(), direction=direction))
        assert any(item.text == "a_block_of_two" for item in scene.items if isinstance(item, Text))
        assert not overlaps(scene)


def test_venues():
    """As the venues' own classes print them, in points of TeX: `test_latex` compiles with those."""
    columns = {"ieee1": 252, "ieee2": 516, "acm1": 241.1475, "acm2": 506.295, "springer": 347.1235}
    columns |= {"elsevier1": 252, "elsevier2": 522, "neurips": 397.48, "cvpr2": 496.86}
    columns |= {"cvpr1": 237.135, "icml1": 234.88, "icml2": 487.82, "iclr": 397.48, "a4": 455.24, "letter": 469.755}
    assert columns.keys() == WIDTHS.keys()
    assert {name: WIDTHS[name] * 72.27 for name in columns} == pytest.approx(columns, abs=0.01)
    pages = dict.fromkeys(WIDTHS, 648) | {"springer": 547.09, "acm1": 609.71, "acm2": 609.71, "a4": 698.4}
    pages |= {"cvpr1": 639, "cvpr2": 639} | dict.fromkeys(("ieee1", "ieee2"), 669.489)
    pages |= dict.fromkeys(("elsevier1", "elsevier2"), 679.452)
    below = CAPTION * 72  # room for the caption
    assert {name: height_for(name) + below for name in WIDTHS} == pytest.approx(pages, abs=0.01)
    assert height_for("8cm") == height_for(200) == 648
    assert [name for name, _ in wider(500)] == ["acm2", "ieee2", "elsevier2"]


def test_what_repeats_is_around_the_blocks_that_it_holds():
    """(residual, conv) four times over is one frame around both, not one in the residual and one beside it."""
    graph = diagram(zoo.build("convmixer"), width="ieee1").graph
    around = {node.name.split(".")[-1]: frames for node, frames in zip(graph.nodes, frames_around(graph), strict=True)}
    (repeat,) = around["conv2d_1"]
    assert repeat.repeats == 4
    assert [frames[0] for frames in (around["depthwise_conv2d"], around["add"])] == [repeat, repeat]
