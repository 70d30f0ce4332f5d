"""Encoders with decoders that are no sequence, and pyramids, stand level by level: a row for every size of map."""

from itertools import pairwise

import pytest

from layerblocks.graphs import Edge, Graph, Node, Output
from layerblocks.viz import diagram
from layerblocks.viz.levels import map_levels, spots
from layerblocks.viz.overlaps import overlaps
from layerblocks.viz.scene import Box, Path, Polygon
from tests import zoo

SIZES = {
    "unet_plus_plus": (64, 32, 16, 8),
    "rgbd_unet": (96, 48, 24, 12),
    "feature_pyramid_detector": (128, 64, 32, 16),
}


@pytest.fixture(scope="module", params=SIZES)
def figure(request):
    return request.param, diagram(zoo.build(request.param), width="ieee1")


def heights(figure):
    """By the side of the map that it gives, from where to where the middles of the boxes are."""
    boxes = {item.states.node: item for item in figure.scene.items if isinstance(item, Box) and item.name}
    found = {}
    for node in figure.graph.nodes:
        if len(node.outputs[0]) == 4:
            found.setdefault(node.outputs[0][1], []).append(boxes[node.id].y + boxes[node.id].height / 2)
    return {side: (min(ys), max(ys)) for side, ys in found.items()}


def test_boxes_on_maps_of_one_size_are_beside_one_another_and_smaller_maps_below_larger_ones(figure):
    name, drawn = figure
    found = heights(drawn)
    assert {*SIZES[name]} <= {*found}
    ordered = [found[side] for side in sorted(found, reverse=True)]
    assert all(above[1] < below[0] for above, below in pairwise(ordered))
    assert not overlaps(drawn.scene)


def test_a_skip_between_neighbours_on_a_level_is_level():
    drawn = diagram(zoo.build("unet_plus_plus"), width="ieee1")
    nodes = {node.name: node.id for node in drawn.graph.nodes}
    for level, (source, target) in enumerate(
        (("encoder level 1", "decoder level 1"), ("encoder level 2", "decoder level 2"))
    ):
        edge = next(e for e in drawn.graph.edges if (e.source, e.target) == (nodes[source], nodes[target]))
        (line,) = (item for item in drawn.scene.items if isinstance(item, Path) and edge in item.states)
        assert len(line.steps) == 1 and line.steps[0][-1][1] == pytest.approx(line.start[1]), level


@pytest.mark.parametrize("name", ["unet_plus_plus", "rgbd_unet"])
def test_volumes_on_smaller_maps_are_lower(name):
    drawn = diagram(zoo.build(name), width="ieee1", style="volumes")
    middles = {}
    for item in drawn.scene.items:
        if isinstance(item, Polygon) and item.name and item.states is not None:
            ys = [y for _, y in item.points]
            middles[item.states.node] = (min(ys) + max(ys)) / 2
    roles = {node.id: node for node in drawn.graph.nodes}
    down = [e for e in drawn.graph.edges if smaller(roles[e.source], roles[e.target])]
    up = [e for e in drawn.graph.edges if smaller(roles[e.target], roles[e.source])]
    assert len(down) > 1 and len(up) > 1
    assert all(middles[e.source] < middles[e.target] for e in down)
    assert all(middles[e.source] > middles[e.target] for e in up)
    assert not overlaps(drawn.scene)


def smaller(one, other):
    """Whether the second gives a smaller map than the first."""
    shapes = one.outputs[0], other.outputs[0]
    return all(len(shape) == 4 for shape in shapes) and shapes[0][1] > shapes[1][1]


def graph(sides, edges):
    nodes = tuple(
        Node(i, (f"n{i}",), "Conv2D", "conv", outputs=((None, side, side, 8),)) for i, side in enumerate(sides)
    )
    return Graph("net", "Functional", nodes, tuple(Edge(*edge) for edge in edges), (Output("main", len(sides) - 1),))


def test_levels_are_halvings_of_the_largest_map():
    path = graph((64, 32, 16, 32, 64), [(0, 1), (1, 2), (2, 3), (3, 4), (1, 3), (0, 4)])
    assert map_levels(path) == [0, 1, 2, 1, 0]
    assert map_levels(graph((64, 30, 15, 31, 62), [(0, 1), (1, 2), (2, 3), (3, 4)])) == [0, 1, 2, 1, 0]


@pytest.mark.parametrize(
    "sides", [(64, 32, 16, 8, 4), (64, 64, 64, 64, 64), (64, 32, 16, 16, 64), (64, 32, 64, 32, 64)]
)
def test_what_does_not_get_smaller_and_larger_twice_has_no_levels(sides):
    assert map_levels(graph(sides, [(0, 1), (1, 2), (2, 3), (3, 4)])) is None


def test_an_encoder_goes_down_its_column_and_the_decoder_up_the_next():
    path = graph((64, 32, 16, 32, 64), [(0, 1), (1, 2), (2, 3), (3, 4), (1, 3), (0, 4)])
    assert spots(path, [0, 1, 2, 1, 0]) == [(0, 0), (1, 0), (2, 0), (1, 1), (0, 1)]
