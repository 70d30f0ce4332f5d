"""Any network is drawn at any venue, in either style, and nothing in the figure lies on anything else."""

import os
from typing import get_args

import keras
import pytest
from keras import layers as layers_of

from layerblocks.graphs import Edge, Graph, Node, Output, read_graph
from layerblocks.graphs.graph import mark_edges
from layerblocks.viz import diagram
from layerblocks.viz.overlaps import overlaps
from layerblocks.viz.scene import Box, Path, Scene, Text
from layerblocks.viz.venues import Venue
from tests import zoo
from tests.helpers import calls_of

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
STYLES = ("boxes", "volumes")
U_SHAPED = ("unet", "residual_unet", "attention_unet", "unet_xception", "unet_3d", "segnet", "linknet", "pix2pix")


@pytest.fixture(scope="module")
def graph_of():
    known = {}

    def found(name):
        if name not in known:
            known[name] = read_graph(zoo.build(name), expand_nested=True)
        return known[name]

    return found


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", zoo.A_FEW)
def test_a_column_holds_any_network(name, style, graph_of):
    figure = diagram(graph_of(name), width="ieee1", style=style)
    assert figure.width <= 252 and figure.height <= 630 and figure.text_size >= 6
    assert not overlaps(figure.scene)


@pytest.mark.sweep
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", zoo.ZOO)
def test_every_venue_holds_every_network(name, style, graph_of):
    first = 0 if NIGHTLY else [*zoo.ZOO].index(name) % 3
    venues = get_args(Venue)[first :: 1 if NIGHTLY else 3]  # a third, another third for the next network
    for venue in dict.fromkeys(("ieee1", *venues)):
        assert not overlaps(diagram(graph_of(name), width=venue, style=style).scene), venue


# -- encoders and decoders --------------------------------------------------------------------------------------------


def spots(figure):
    """The middle of each box or volume, by the number of its node."""
    found = {}
    for item in figure.scene.items:
        states = getattr(item, "states", None)
        if isinstance(item, Box) and states is not None and states.node >= 0:
            found[states.node] = item.x + item.width / 2, item.y + item.height / 2
        elif not isinstance(item, Path | Text | Box) and states is not None and states.node >= 0:
            ys = [y for _, y in item.points]
            found[states.node] = sum(x for x, _ in item.points) / len(item.points), (min(ys) + max(ys)) / 2
    return found


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", U_SHAPED)
def test_an_encoder_with_a_decoder_is_a_u(name, style, graph_of):
    figure = diagram(graph_of(name), width="ieee1", style=style)
    places, graph = spots(figure), figure.graph
    lowest = max(places, key=lambda number: places[number][1])
    first, last = 0, graph.outputs[0].source
    assert places[first][0] < places[lowest][0] + 1 and places[lowest][0] < places[last][0] + 1
    assert min(places[first][1], places[last][1]) < places[lowest][1] - 100
    across = [e for e in graph.edges if e.role == "skip" and e.source < lowest < e.target and e.source]
    for edge in across:
        (left, high), (right, level) = places[edge.source], places[edge.target]
        assert left < right and abs(high - level) < (2 if style == "boxes" else 25), "a short cut that is not level"


def test_what_conditions_every_block_leaves_a_u_a_u(graph_of):
    """The embedding of the time is read at a letter beside each block, and the skips are level."""
    figure = diagram(graph_of("diffusion_unet"), width="ieee1")
    places = {figure.graph.nodes[number].name: place for number, place in spots(figure).items()}
    for left, right in (("residual 1", "concatenate_2"), ("residual 2", "concatenate_1")):
        assert places[left][0] < places[right][0] and places[left][1] == pytest.approx(places[right][1], abs=0.01)
    assert places["residual 4"][1] == max(y for _, y in places.values())
    letters = [t for t in figure.scene.items if isinstance(t, Text) and t.text == "A"]
    assert len(letters) == 7, "one where it leaves, one at each block but the first, one in the key"
    assert not overlaps(figure.scene)


def test_an_input_that_is_read_again_leaves_a_u_a_u():
    """A mask times the mixture that it was made of."""
    x = mix = keras.Input((64, 64, 2), name="mix")
    skips = []
    for filters in (8, 16, 32):
        x = layers_of.Conv2D(filters, 3, strides=2, padding="same", activation="relu", name=f"down{filters}")(x)
        skips.append(x)
    for filters, skip in ((16, skips[1]), (8, skips[0])):
        x = layers_of.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu")(x)
        x = layers_of.Concatenate(name=f"join{filters}")([x, skip])
    mask = layers_of.Conv2DTranspose(2, 3, strides=2, padding="same", activation="sigmoid")(x)
    figure = diagram(keras.Model(mix, layers_of.Multiply(name="separated")([mix, mask])), width="ieee1", depth=None)
    places = {figure.graph.nodes[number].name: place for number, place in spots(figure).items()}
    for filters in (8, 16):
        assert places[f"down{filters}"][0] < places[f"join{filters}"][0]
        assert places[f"down{filters}"][1] == pytest.approx(places[f"join{filters}"][1])
    assert places["mix"][0] < places["separated"][0]
    assert places["mix"][1] == pytest.approx(places["separated"][1])
    assert not overlaps(figure.scene)


# -- joined boxes -----------------------------------------------------------------------------------------------------


def test_equal_branches_are_one_box():
    graph = branches(24)
    figure = diagram(graph, width="ieee1")
    (box,) = (node for node in figure.graph.nodes if "branches alike" in node.name)
    assert box.name == "24 branches alike" and box.words == "each conv 3×3; concat"


# -- size and speed ---------------------------------------------------------------------------------------------------


def conv(number, filters, kernel=3):
    shape = (None, 32, 32, filters)
    told = (("filters", filters), ("kernel_size", (kernel, kernel)), ("strides", (1, 1)))
    inputs = ((None, 32, 32, 8),)
    return Node(number, (f"conv2d_{number}",), "Conv2D", "conv", told, inputs, (shape,), configuration=told)


def net(nodes, edges):
    nodes = (Node(0, ("x",), "InputLayer", "input", outputs=((None, 32, 32, 8),)), *nodes)
    return mark_edges(Graph("net", "Functional", nodes, tuple(edges), (Output("main", len(nodes) - 1),)))


def branches(count, equal=True):
    nodes = [conv(i, 8 if equal else 7 + i) for i in range(1, count + 1)]
    sizes = tuple(node.outputs[0] for node in nodes)
    nodes.append(Node(count + 1, ("concatenate",), "Concatenate", "merge", inputs=sizes, outputs=((None, 32, 32, 9),)))
    edges = [Edge(0, i) for i in range(1, count + 1)] + [Edge(i, count + 1, 0, i - 1) for i in range(1, count + 1)]
    return net(nodes, edges)


def chain(count):
    nodes = [conv(i, 8 + i * 7919 % 61) for i in range(1, count + 1)]
    return net(nodes, [Edge(i, i + 1) for i in range(count)])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("count", [64, pytest.param(800, marks=pytest.mark.sweep)])
def test_many_branches(count, equal, style):
    assert not overlaps(diagram(branches(count, equal), width="ieee1", style=style).scene)


def test_many_layers():
    assert not overlaps(diagram(chain(1202), width="ieee1").scene)


@pytest.mark.sweep
@pytest.mark.parametrize("made, few, many", [(branches, 200, 800), (chain, 2_500, 20_000)])
def test_work_grows_as_the_network_does(made, few, many):
    def calls(count):
        graph = made(count)
        return calls_of(lambda: diagram(graph, width="ieee1"))

    calls(few)
    assert calls(many) < 1.5 * many / few * calls(few)


def test_the_nearest_venue_of_the_same_family_is_named():
    rows = [Edge(0, i) for i in range(1, 11)]
    nodes = [Node(i, (f"head_{i}",), "Dense", "dense", outputs=((None, 8),)) for i in range(1, 11)]
    with pytest.raises(ValueError, match=r"does not fit 25\d.*width='ieee2'"):
        diagram(net(nodes, rows), width="ieee1", depth=1)


# -- what counts as an overlap ----------------------------------------------------------------------------------------


def text(x, y, words="words"):
    return Text(x, y, words, 6.0, 20.0)


@pytest.mark.parametrize(
    "items, said",
    [
        ([Box(5, 5, 20, 10, "conv", name="a"), Box(20, 5, 20, 10, "conv", name="b")], "a lies on b"),
        ([text(5, 20), text(20, 22, "other")], "lies on"),
        ([Box(5, 5, 40, 10, "conv", name="a"), text(30, 12)], "across the edge of a"),
        ([Box(5, 5, 40, 10, "conv", name="a"), Path((20, 0), (((20, 40),),), "trunk")], "runs through a"),
        ([text(5, 20), Path((10, 0), (((10, 40),),), "trunk")], "runs through 'words'"),
        ([Box(5, 5, 40, 30, "frame"), text(35, 20)], "across the border"),
        ([Path((10, 0), (((10, 40),),), "trunk"), Path((10, 10), (((10, 30),),), "skip")], "runs along"),
        ([Box(5, 5, 40, 30, "frame"), Path((5, 8), (((5, 30),),), "trunk")], "runs along the border"),
        ([text(90, 20)], "off the page"),
    ],
)
def test_overlaps_are_found(items, said):
    found = overlaps(Scene(100, 50, tuple(items)))
    assert any(said in each for each in found), found


def test_what_touches_does_not_overlap():
    boxes = [Box(5, 5, 40, 10, "conv", name="a"), Box(5, 30, 40, 10, "conv", name="b")]
    arrow = Path((25, 15), (((25, 30),),), "trunk", states=(Edge(0, 1),))
    assert overlaps(Scene(100, 50, (*boxes, arrow, text(10, 12), text(10, 37)))) == []
