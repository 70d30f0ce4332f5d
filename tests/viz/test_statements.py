"""A figure says what the network is: read back from its shapes, repeats unfolded, it is the network again.

And nothing in it lies on anything else.
"""

import os
from dataclasses import replace
from typing import get_args

import keras
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from keras import layers

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.graphs import Edge, Graph, Node, Output, fold, read_graph
from layerblocks.graphs.graph import mark_edges
from layerblocks.testing import networks
from layerblocks.viz import diagram
from layerblocks.viz.diagrams import Direction
from layerblocks.viz.overlaps import overlaps
from layerblocks.viz.scene import Box, Path, Polygon, Text
from layerblocks.viz.venues import Venue
from tests import zoo

from ..helpers import each_network
from .statement_checks import check_boxes_and_lines, check_ends, check_marks, check_statement

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
STYLES = ("boxes", "volumes")
NETS = [*(f"zoo {name}" for name in zoo.ZOO), *each_network()]
QUICK = (
    "zoo siamese",
    "zoo vae",
    "zoo postnorm_encoder",
    "zoo encoder_decoder",
    "zoo attention_unet",
    "zoo shared_six_times",
    "zoo wavenet",
    "zoo actor_critic",
    "zoo gated_tabular",
    "zoo feature_pyramid_detector",
    "resnet18",
    "googlenet",
    "unet",
)


def graph_of(name):
    if name.startswith("zoo "):
        return read_graph(zoo.build(name.removeprefix("zoo ")))
    with weightless():
        return read_graph(build(name))


def drawn(graph, **options):
    """The figure; None where it does not fit."""
    try:
        return diagram(graph, **options)
    except ValueError as error:
        assert "does not fit" in str(error)
        return None


def check_net(graph, options):
    unfolded, count = {}, 0
    for each in options:
        figure = drawn(graph, **each)
        if figure is not None:
            check_statement(figure, graph, unfolded)
            assert not (NIGHTLY or "width" in each) or not overlaps(figure.scene), each
            count += 1
    return count


@pytest.mark.parametrize("name", QUICK)
def test_a_figure_says_what_the_network_is(name):
    options = [
        {"width": "ieee1"},
        {"depth": 1, "direction": "LR"},
        {"width": "ieee2", "style": "volumes"},
        {"depth": 2, "style": "volumes", "fold": False},
    ]
    assert check_net(graph_of(name), options) > 1


def test_a_skip_of_one_of_two_outputs_does_not_begin_on_the_line_of_the_other():
    size = (None, 16, 8)
    names = ["x", "two", "aside", "body", "join", "last"]
    nodes = [Node(i, (name,), "Dense", "dense", outputs=(size,) * (1 + (i == 1))) for i, name in enumerate(names)]
    links = [(0, 1, 0, 0), (1, 2, 1, 0), (1, 3, 1, 0), (1, 4, 0, 0), (3, 4, 0, 1), (2, 5, 0, 0), (4, 5, 0, 1)]
    edges = tuple(Edge(*link, size, role="skip" if link[:2] == (1, 4) else "branch") for link in links)
    graph = Graph("net", "Functional", tuple(nodes), edges, (Output("main", 5),))
    assert check_net(graph, [{"depth": None, "direction": each} for each in get_args(Direction)]) == 4


@pytest.mark.sweep
@pytest.mark.parametrize("name", NETS)
def test_every_figure_of_every_net_says_what_the_network_is(name):
    """All directions at every depth; all venues; each with and without folding, in both styles.

    Every twelfth of these figures of each network, others for the next; all of them under the profile "nightly".
    """
    depths = ("auto", 1, 2)
    sizes = [
        *({"direction": each, "depth": depth} for each in get_args(Direction) for depth in depths),
        *({"width": each} for each in get_args(Venue)),
        *({"width": "ieee1", "direction": each} for each in get_args(Direction)[1:]),
    ]
    both = [{**size, "fold": fold} for size in sizes for fold in (True, False)]
    volumes = [{**each, "style": "volumes"} for each in both if each.get("direction", "TB") == "TB"]
    options = [*both, *volumes]
    assert check_net(graph_of(name), options if NIGHTLY else options[NETS.index(name) % 12 :: 12])


# -- random nets ------------------------------------------------------------------------------------------------------


def as_graph(made):
    """A graph of what `nets` made."""
    names, edges, outputs = made
    arriving = [sum(target == i for _, target in edges) for i in range(len(names))]
    nodes, ports, links = [], {}, []
    for i, (name, kind) in enumerate(names):
        role = {"Add": "add", "Concatenate": "merge", "InputLayer": "input"}.get(kind, "conv")
        sign = {"Add": "⊕", "Concatenate": "‖"}.get(kind, "")
        inputs = ((None, 8, 8, 4),) * arriving[i]
        nodes.append(Node(i, (name,), kind, role, inputs=inputs, outputs=((None, 8, 8, 4),), symbol=sign, words=kind))
    for source, target in edges:
        ports[target] = ports.get(target, -1) + 1
        links.append(Edge(source, target, 0, ports[target], (None, 8, 8, 4)))
    return mark_edges(Graph("net", "Functional", tuple(nodes), tuple(links), tuple(outputs)))


@st.composite
def nets(draw):
    """Chains, residuals, forks, what repeats, and long skips, one in another, with outputs anywhere."""
    names, edges, ends = [("x", "InputLayer")], [], []

    def layer(kind, *sources):
        names.append((f"n{len(names)}", kind))
        edges.extend((source, len(names) - 1) for source in sources)
        return len(names) - 1

    def part(plan, x, aside):
        kind, *inner = plan
        if kind == "chain":
            for each in inner:
                x = part(each, x, aside)
            return x
        if kind == "residual":
            return layer("Add", x, part(inner[0], x, aside))
        if kind == "fork":
            return layer("Concatenate", *(part(each, x, aside) for each in inner))
        if kind == "repeat":
            for _ in range(inner[1]):
                x = part(inner[0], x, aside)
            return x
        if kind == "aside":
            return layer("Add", x, aside)
        return layer(kind, x)

    leaf = st.sampled_from([("A",), ("B",), ("C",), ("aside",)])
    plans = st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(st.just("chain"), inner, inner),
            st.tuples(st.just("residual"), inner),
            st.tuples(st.just("fork"), inner, inner),
            st.tuples(st.just("repeat"), inner, st.integers(2, 4)),
        ),
        max_leaves=7,
    )
    aside = layer("D", 0)
    start = draw(st.integers(0, 1))
    last = part(draw(plans), start, aside)
    last = part(draw(plans), last, aside)
    if draw(st.booleans()):
        last = layer("Concatenate", last, draw(st.integers(0, last - 1)))
    ends = {source for source, _ in edges}
    outputs = {last, *(i for i in range(len(names)) if i not in ends)}
    if draw(st.booleans()):
        outputs.add(draw(st.integers(1, last)))
    return as_graph((names, edges, [Output(f"out{i}", i) for i in sorted(outputs)]))


def check_random(graph, data):
    fold = data.draw(st.booleans())
    style = data.draw(st.sampled_from(STYLES))
    direction = data.draw(st.sampled_from(get_args(Direction))) if style == "boxes" else "TB"
    width = data.draw(st.sampled_from([None, "ieee1", "ieee2"]))
    figure = drawn(graph, depth=None, fold=fold, style=style, direction=direction, width=width)
    if figure is not None:
        check_statement(figure, graph)
        assert not NIGHTLY or not overlaps(figure.scene)


@given(nets(), st.data())
@settings(max_examples=25)
def test_figures_of_random_graphs(graph, data):
    check_random(graph, data)


@given(networks(), st.data())
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
def test_figures_of_random_networks(network, data):
    check_random(read_graph(network.model()), data)


@pytest.mark.sweep
@given(nets(), st.data())
@settings(max_examples=800 if NIGHTLY else 250, phases=[Phase.generate, Phase.shrink])
def test_figures_of_many_random_graphs(graph, data):
    check_random(graph, data)


@pytest.mark.sweep
@given(networks(), st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_figures_of_many_random_networks(network, data):
    check_random(read_graph(network.model()), data)


def test_a_repeat_whose_frame_finds_no_place_is_drawn_unfolded():
    names, edges = [("x", "InputLayer"), ("aside", "D")], [(0, 1)]

    def layer(kind, *sources):
        names.append((f"n{len(names)}", kind))
        edges.extend((source, len(names) - 1) for source in sources)
        return len(names) - 1

    x = 0
    for _ in range(2):
        middle = layer("C", layer("C", x))
        one, other = layer("Add", layer("C", middle), 1), layer("Add", layer("C", middle), 1)
        x = layer("Concatenate", one, other)
    graph = as_graph((names, edges, [Output("main", layer("Concatenate", x, 0))]))
    assert any(frame.repeats == 2 for frame in fold(graph).frames)
    for direction in get_args(Direction):
        figure = diagram(graph, depth=None, direction=direction)
        check_statement(figure, graph)
        assert not overlaps(figure.scene)


def test_the_title_of_a_frame_that_reaches_to_the_left_is_on_no_line():
    a, b = keras.Input((64, 32), name="a"), keras.Input((12, 32), name="b")
    pooled = []
    for x, memory in ((a, b), (b, a)):
        y = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 16)(x, memory))
        pooled.append(layers.GlobalAveragePooling1D()(y))
    graph = read_graph(keras.Model([a, b], layers.Concatenate()(pooled)))
    figure = diagram(graph, depth=None)
    assert sum(item.role == "frame" for item in figure.scene.items) == 2
    assert not overlaps(figure.scene)
    for direction in get_args(Direction):  # no sequence, and yet the lines say what they bring
        scene = diagram(graph, depth=None, direction=direction).scene
        assert [item.text for item in scene.items if isinstance(item, Text)].count("key, value") == 2
        assert not overlaps(scene)


def test_the_memory_of_a_decoder_is_no_projection():
    x, memory = keras.Input((6, 8), name="x"), keras.Input((5, 8), name="source")
    y, z = x, layers.Dense(8, name="encoder")(memory)
    for i in range(3):
        y = layers.Add(name=f"own{i}.add")([y, layers.MultiHeadAttention(2, 4, name=f"own{i}.mha")(y, y)])
        y = layers.Add(name=f"cross{i}.add")([y, layers.MultiHeadAttention(2, 4, name=f"cross{i}.mha")(y, z)])
    graph = read_graph(keras.Model([x, memory], {"y": layers.Dense(3, name="last")(y), "z": z}))
    for depth in (1, None):
        figure = diagram(graph, depth=depth)
        assert not {item.role for item in figure.scene.items if isinstance(item, Path)} & {"projection"}
        assert any("key, value" in item.text for item in figure.scene.items if isinstance(item, Text))
        assert not overlaps(figure.scene)


# -- signs, words, and words for those who do not see -----------------------------------------------------------------


def two(merge):
    a, b = keras.Input((8, 8, 4), name="a"), keras.Input((8, 8, 4), name="b")
    return keras.Model([a, b], layers.Conv2D(2, 3, name="last")(getattr(layers, merge)(name="join")([a, b])))


SIGNS = {
    "Add": "sum",
    "Subtract": "difference",
    "Multiply": "product",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Average": "mean",
    "Concatenate": "concatenation",
}


@pytest.mark.parametrize("style", STYLES)
def test_each_join_has_a_sign_and_a_word_of_its_own(style):
    looks = set()
    for merge, word in SIGNS.items():
        figure = diagram(two(merge), style=style)
        said = {item.text for item in figure.scene.items if isinstance(item, Text) and item.role == "legend"}
        assert word in said and not said & ({*SIGNS.values()} - {word})
        looks.add(figure.svg.replace(merge.lower(), ""))
    assert len(looks) == len(SIGNS)


def test_keys_and_values_masks_and_gates_are_told_from_the_others():
    x, memory = keras.Input((6, 8), name="x"), keras.Input((5, 8), name="memory")
    mask = keras.Input((6, 5), dtype="bool", name="mask")
    y = layers.MultiHeadAttention(2, 4, name="mha")(x, memory, attention_mask=mask)
    figure = diagram(keras.Model([x, memory, mask], layers.Dense(3, name="last")(y)))
    said = [item.text for item in figure.scene.items if isinstance(item, Text)]
    assert any("key, value" in text for text in said) and any("mask" in text.split() for text in said)
    assert "mask" in {item.role for item in figure.scene.items if isinstance(item, Path)}
    lines = [item for item in figure.scene.items if isinstance(item, Path) and item.states]
    assert len({len(line.states) for line in lines}) <= 2  # keys and values in one line


def test_unknown_sizes_are_shares_of_those_of_the_input():
    x = y = keras.Input((None, None, 3), name="image")
    for filters in (8, 16, 32):
        y = layers.Conv2D(filters, 3, strides=2, padding="same")(y)
    model = keras.Model(x, layers.Conv2D(2, 3, name="valid")(y))
    said = [item.text for item in diagram(model).scene.items if isinstance(item, Text)]
    assert {"H×W×3", "H/2×W/2×8", "H/8×W/8×32", "≈H/8×≈W/8×2"} <= {*said}
    scene = diagram(model, style="volumes").scene
    heights = {}
    for item in scene.items:
        if isinstance(item, Polygon) and item.states is not None:
            ys = [y for _, y in item.points]
            heights[item.states.node] = max(heights.get(item.states.node, 0.0), max(ys) - min(ys))
    assert heights[0] > heights[1] > heights[2] > heights[3]


def test_what_is_frozen_is_marked_on_request():
    x = keras.Input((8,), name="x")
    model = keras.Model(x, layers.Dense(4, name="head")(layers.Dense(8, name="body")(x)))
    model.get_layer("body").trainable = False
    for style in STYLES:
        said = [t.text for t in diagram(model, style=style, show="trainable").scene.items if isinstance(t, Text)]
        assert sum("frozen" in text for text in said) == 1
        assert not any("frozen" in t.text for t in diagram(model, style=style).scene.items if isinstance(t, Text))


@pytest.mark.parametrize("name", ["zoo vae", "zoo postnorm_encoder", "zoo actor_critic", "googlenet"])
def test_the_alternative_text_says_what_the_figure_says(name):
    figure = diagram(graph_of(name), width="ieee1")
    boxes = {item.states.node for item in figure.scene.items if isinstance(item, Box) and item.states}
    text = figure.alt_text
    assert f": {len(boxes - {-1})} boxes," in text
    said = figure.statement()
    assert len(said.outputs) == 1 or all(output.key in text for output in said.outputs if output.key != "main")
    for item in figure.scene.items:
        if isinstance(item, Box) and item.states and item.states.repeats > 1:
            assert str(item.states.repeats) in text


# -- the checks can fail ----------------------------------------------------------------------------------------------


def changed_scene(figure, change):
    items = [change(item) for item in figure.scene.items]
    return replace(figure, scene=replace(figure.scene, items=tuple(item for item in items if item is not None)))


def is_line(item, edge):
    return isinstance(item, Path) and edge in item.states


def test_a_line_left_out_or_drawn_elsewhere_is_found():
    graph = graph_of("zoo postnorm_encoder")
    figure = diagram(graph, width="ieee1")
    check_statement(figure, graph)
    skip = next(edge for edge in figure.graph.edges if edge.role == "skip")
    with pytest.raises(AssertionError, match="tensors not said"):
        check_boxes_and_lines(changed_scene(figure, lambda i: None if is_line(i, skip) else i), graph, {})
    aside = changed_scene(figure, lambda i: replace(i, start=(0.0, 0.0)) if is_line(i, skip) else i)
    with pytest.raises(AssertionError, match="drawn beside"):
        check_ends(aside)
    with pytest.raises(AssertionError, match="not written"):
        check_marks(changed_scene(figure, lambda i: None if isinstance(i, Text) and i.text == "×3" else i))


def test_a_frame_around_too_little_is_found():
    graph = graph_of("zoo postnorm_encoder")
    figure = diagram(graph, width="ieee1")

    def cut(item):
        repeats = isinstance(item, Box) and item.states is not None and item.states.repeats > 1
        return replace(item, height=item.height / 2) if repeats else item

    with pytest.raises(AssertionError):
        check_boxes_and_lines(changed_scene(figure, cut), graph, {})


def test_a_repeat_reads_anew_what_all_of_its_kind_read():
    x, memory = keras.Input((6, 8), name="x"), keras.Input((5, 8), name="memory")
    y = x
    for i in range(3):
        y = layers.Add(name=f"add{i}")([y, layers.MultiHeadAttention(2, 4, name=f"mha{i}")(y, memory)])
    graph = read_graph(keras.Model([x, memory], layers.Dense(3, name="last")(y)))
    figure = diagram(graph, depth=None)
    assert any(node.repeats == 3 for node in figure.graph.nodes)
    said = figure.statement()
    names = [node.name for node in said.nodes]
    readers = {names[e.target] for e in said.edges if names[e.source] == "memory"}
    assert len(readers) == 3
    check_statement(figure, graph)
