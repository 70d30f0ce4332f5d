"""Oblique boxes: measured on the scene, where every volume, text and line has its place in points."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from math import dist, inf
from types import SimpleNamespace

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.graphs import Edge, Graph, Node, read_graph
from layerblocks.graphs.graph import mark_edges
from layerblocks.graphs.overviews import overview
from layerblocks.viz import Theme, diagram, points
from layerblocks.viz.scene import Box, Path, Polygon, Text
from layerblocks.viz.theme import DEFAULT
from layerblocks.viz.volumes import place
from layerblocks.viz.volumes.captions import run_name
from layerblocks.viz.volumes.plan import Plan, Unit, as_u, plan
from layerblocks.viz.volumes.scene import volumes
from layerblocks.viz.volumes.solids import Measure, copied_inputs, extent, extents, extras

from ..helpers import seconds

INCH = 72.0
NETS = {
    "lenet5": "auto",
    "alexnet": "auto",
    "vgg16": "auto",
    "googlenet": "auto",
    "resnet18": "auto",
    "resnet50": "auto",
    "unet": "auto",
    "densenet121": "auto",
    "mobilenet_v2": "auto",
    "fcn8s": 1,
}


# -- reading a scene --------------------------------------------------------------------------------------------------


@dataclass
class Volume:
    """The faces of one node, in the order in which they are drawn."""

    name: str
    faces: list[Polygon] = field(default_factory=list)

    @property
    def points(self):
        return [point for face in self.faces for point in face.points]

    @property
    def bounds(self):
        xs, ys = zip(*self.points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def hull(self):
        """Its outline: the corners that are furthest out, in order."""
        points = sorted(set(self.points))

        def half(points):
            found = []
            for p in points:
                while len(found) > 1 and _turn(found[-2], found[-1], p) <= 0:
                    found.pop()
                found.append(p)
            return found[:-1]

        return half(points) + half(points[::-1])

    @property
    def roles(self):
        return {face.role.partition("-")[0] for face in self.faces}

    @property
    def front(self):
        """The front faces from left to right: those with upright sides and level edges."""
        upright = [f for f in self.faces if len({x for x, _ in f.points}) == 2 == len({y for _, y in f.points})]
        return [
            (
                min(x for x, _ in f.points),
                min(y for _, y in f.points),
                max(x for x, _ in f.points),
                max(y for _, y in f.points),
            )
            for f in upright
        ]

    @property
    def along(self):
        """Where it begins and ends along the flow, half way into its depth."""
        half = (self.bounds[2] - self.front[-1][2]) / 2
        return self.front[0][0] + half, self.front[-1][2] + half

    @property
    def thickness(self):
        return self.front[-1][2] - self.front[0][0]

    @property
    def height(self):
        return self.front[0][3] - self.front[0][1]


def _turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def drawn(scene):
    """The volumes of a scene by name, without those of the legend."""
    found, last = {}, None
    for item in scene.items:
        if not isinstance(item, Polygon):
            last = None
        elif item.name:
            assert item.name not in found
            last = found[item.name] = Volume(item.name, [item])
        elif last is not None:
            last.faces.append(item)
    return found


def texts(scene):
    return [item for item in scene.items if isinstance(item, Text)]


def paths(scene, *roles):
    return [i for i in scene.items if isinstance(i, Path) and i.role in roles]


def text_bounds(text):
    left = text.x - {"start": 0, "middle": 0.5, "end": 1}[text.anchor] * text.width
    return left, text.y - 0.73 * text.size, left + text.width, text.y + 0.2 * text.size


def overlap(a, b, slack=0.0):
    return a[0] < b[2] - slack and b[0] < a[2] - slack and a[1] < b[3] - slack and b[1] < a[3] - slack


def apart(a, b, slack=0.06):
    """Whether a straight line separates two convex outlines, give or take what rounding does."""
    for outline in (a, b):
        for p, q in zip(outline, outline[1:] + outline[:1], strict=True):
            across = (q[1] - p[1], p[0] - q[0])
            length = (across[0] ** 2 + across[1] ** 2) ** 0.5
            one, other = ([across[0] * x + across[1] * y for x, y in points] for points in (a, b))
            if length and max(min(one) - max(other), min(other) - max(one)) >= -slack * length:
                return True
    return False


def corners(bounds):
    left, top, right, bottom = bounds
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def check(scene, graph, width=inf, min_text=6.0, through=True):
    """What must hold of every figure; `through` if no line may run through a volume or a text."""
    found, words = drawn(scene), texts(scene)
    assert len(found) == len(graph.nodes)
    assert {re.sub(r" \(\d+\)$", "", name) for name in found} >= {node.name for node in graph.nodes}
    assert scene.width <= width + 1e-6
    assert all(text.size >= min_text for text in words)
    everything = [v.bounds for v in found.values()] + [text_bounds(t) for t in words]
    everything += [(x, y, x, y) for p in paths(scene, *{i.role for i in scene.items}) for x, y in path_points(p)]
    assert all(b[0] >= 0 and b[1] >= 0 and b[2] <= scene.width + 0.1 and b[3] <= scene.height + 0.1 for b in everything)
    for a, b in combinations(words, 2):
        assert not overlap(text_bounds(a), text_bounds(b)), (a.text, b.text)
    outlines = {name: v.hull for name, v in found.items()}
    for text in words:
        box = corners(text_bounds(text))
        for name, hull in outlines.items():
            assert apart(hull, box), (text.text, name)
    check_volumes(graph, found)
    frames = [i for i in scene.items if isinstance(i, Box) and i.role == "frame"]
    for frame in frames:
        for text in words:
            left, top, right, bottom = text_bounds(text)
            inside = frame.x <= left and right <= frame.x + frame.width and frame.y <= top
            outside = right <= frame.x or left >= frame.x + frame.width
            outside |= bottom <= frame.y or top >= frame.y + frame.height
            assert inside or outside, text.text
    if through:
        for path in paths(scene, "trunk", "branch", "skip", "concat", "projection", "aux", "continuation"):
            check_line(path, words, found, graph)


def check_volumes(graph, found):
    """No two outlines overlap but those of volumes that stand together, whose right one is nearer and drawn later."""
    order = list(found)
    runs = plan(graph, extents(graph)).units
    names = dict(zip((n.id for n in graph.nodes), unique(graph), strict=True))
    together = {frozenset(names[n] for n in unit.nodes) for unit in runs}
    for a, b in combinations(order, 2):
        if any({a, b} <= run for run in together):
            assert found[a].along[1] <= found[b].along[0] + 0.05, (a, b)
        else:
            assert apart(found[a].hull, found[b].hull), (a, b)


def unique(graph):
    seen = {}
    for node in graph.nodes:
        seen[node.name] = seen.get(node.name, 0) + 1
        yield node.name if seen[node.name] == 1 else f"{node.name} ({seen[node.name]})"


def path_points(path):
    return [path.start, *(step[-1] for step in path.steps)]


def check_line(path, words, found, graph):
    for (ax, ay), (bx, by) in pairwise(path_points(path)):
        box = (min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))
        for text in words:
            assert not overlap(text_bounds(text), (box[0] - 0.2, box[1] - 0.2, box[2] + 0.2, box[3] + 0.2)), text.text
        for volume in found.values():  # a face in front of which it would be drawn
            for front in volume.front:
                assert not overlap(front, (box[0] - 0.01, box[1] - 0.01, box[2] + 0.01, box[3] + 0.01), 0.1), (
                    path.role,
                    volume.name,
                )


# -- the networks that papers know ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graphs():
    found = {}
    for name, depth in NETS.items():
        with weightless():
            found[name] = overview(read_graph(build(name), expand_nested=True), depth=depth)
    return found


@pytest.mark.parametrize("inches", [7.0, 5.5])
@pytest.mark.parametrize("name", list(NETS))
def test_networks_fit_a_page(graphs, name, inches):
    graph = graphs[name]
    scene = volumes(graph, DEFAULT, width=inches * INCH)
    check(scene, graph, inches * INCH)
    assert scene.height < 6.5 * INCH
    assert scene.width > 0.8 * inches * INCH or name == "lenet5"


@pytest.mark.parametrize("name", ["vgg16", "googlenet", "resnet50", "mobilenet_v2", "densenet121"])
def test_a_column_is_wide_enough(graphs, name):
    scene = volumes(graphs[name], DEFAULT, width=3.5 * INCH)
    check(scene, graphs[name], 3.5 * INCH)
    assert scene.height < 9 * INCH


def test_without_a_width_it_is_one_row(graphs):
    scene = volumes(graphs["vgg16"], DEFAULT)
    check(scene, graphs["vgg16"])
    assert not paths(scene, "continuation")
    assert scene.text_size == DEFAULT.text_size


def test_long_networks_go_on_in_rows(graphs):
    scene = volumes(graphs["vgg16"], DEFAULT, width=4 * INCH)
    check(scene, graphs["vgg16"], 4 * INCH)
    out, into = sorted(paths(scene, "continuation"), key=lambda p: p.start[1])
    assert out.steps[-1][-1][0] > 0.7 * scene.width  # to the right end of the first row
    assert into.start[0] < 5  # from the left end of the next
    assert into.start[1] > out.start[1] + 50


def test_a_larger_map_is_higher_and_more_channels_are_thicker(graphs):
    graph = graphs["vgg16"]
    found = drawn(volumes(graph, DEFAULT, width=7 * INCH))
    convs = [n for n in graph.nodes if n.role == "conv"]
    for a, b in combinations(convs, 2):
        va, vb = found[a.name], found[b.name]
        assert (a.outputs[0][1] > b.outputs[0][1]) == (va.height > vb.height + 0.03)
        if a.repeats == b.repeats == 1:
            assert (a.outputs[0][3] < b.outputs[0][3]) == (va.thickness + 0.03 < vb.thickness)


def test_the_flow_goes_on_one_axis(graphs):
    scene = volumes(graphs["vgg16"], DEFAULT, width=7 * INCH)
    levels = {round(y, 1) for p in paths(scene, "trunk") for _, y in path_points(p)}
    assert len(levels) == 1
    (level,) = levels
    for volume in drawn(scene).values():
        _, top, _, bottom = volume.bounds
        assert abs((top + bottom) / 2 - level) < 0.1


def test_a_darker_end_is_a_norm_or_activation(graphs):
    found = drawn(volumes(graphs["resnet18"], DEFAULT, width=7 * INCH))
    assert any(f.role == "conv-band" for f in found["stem"].faces)
    assert not any(f.role.endswith("-band") for f in found["input"].faces)
    words = {t.text for t in texts(volumes(graphs["resnet18"], DEFAULT, width=7 * INCH)) if t.role == "legend"}
    assert "+ batch norm, ReLU" in words


def test_the_legend_explains_what_occurs_and_nothing_else(graphs):
    lenet = {t.text for t in texts(volumes(graphs["lenet5"], DEFAULT)) if t.role == "legend"}
    assert {"convolution", "pooling", "fully connected"} <= lenet
    assert not {"concatenation", "residual block", "identity skip", "auxiliary head", "dropout"} & lenet
    googlenet = {t.text for t in texts(volumes(graphs["googlenet"], DEFAULT)) if t.role == "legend"}
    assert {"concatenation", "auxiliary head", "to an auxiliary head"} <= googlenet
    assert not any(t.role == "legend" for t in texts(volumes(graphs["lenet5"], DEFAULT, legend=False)))


def test_auxiliary_heads_are_off_axis_and_tell_their_weight(graphs):
    scene = volumes(graphs["googlenet"], DEFAULT, width=7 * INCH)
    found = drawn(scene)
    for name in ("aux1", "aux2"):
        assert found[name].roles == {"aux"}
        assert found[name].bounds[3] < found["inception_4a"].bounds[1]
    assert DEFAULT.paint("aux-volume").dashes
    assert [t.text for t in texts(scene)].count("loss × 0.3") == 2
    starts = sorted(p.start[0] for p in paths(scene, "aux") if len(p.steps) > 1)
    assert found["inception_4a"].bounds[0] < starts[0] < found["inception_4a"].bounds[2]
    assert found["inception_4d"].bounds[0] < starts[1] < found["inception_4d"].bounds[2]


@pytest.mark.parametrize("more", [{"depth": 2}, {"expand": ["inception_3a"]}, {"depth": 1, "fold": False}])
def test_branches_are_on_lanes_that_nothing_crosses(more):
    with weightless():
        graph = overview(read_graph(build("googlenet"), expand_nested=True), **more)
    check(volumes(graph, DEFAULT, width=7 * INCH), graph, 7 * INCH)


def test_a_collapsed_block_has_an_end_where_its_branches_join(graphs):
    found = drawn(volumes(graphs["googlenet"], DEFAULT, width=7 * INCH))
    assert any(f.role == "merge-end" for f in found["inception_3a"].faces)
    found = drawn(volumes(graphs["resnet50"], DEFAULT, width=7 * INCH))
    assert any(f.role == "residual-end" for v in found.values() for f in v.faces)


def test_equal_neighbours_are_as_many_slabs(graphs):
    graph = graphs["resnet50"]
    scene = volumes(graph, DEFAULT, width=7 * INCH)
    found = drawn(scene)
    folded = next(n for n in graph.nodes if n.repeats == 3)
    assert len([f for f in found[folded.name].faces if f.role == "residual-end"]) == 2 * 3 + 1
    assert any(t.text.endswith("×3") for t in texts(scene))


def test_residuals_have_arcs_over_them(graphs):
    graph = graphs["resnet18"]
    scene = volumes(graph, DEFAULT, width=7 * INCH)
    found = drawn(scene)
    skips = paths(scene, "skip")
    assert len([p for p in skips if len(p.steps) > 1]) == sum(e.role == "skip" for e in graph.edges)
    add = found["stage1.block1.add"]
    middle = (add.bounds[0] + add.bounds[2]) / 2, add.bounds[1]
    arc = min((p for p in skips if len(p.steps) > 1), key=lambda p: dist(path_points(p)[-1], middle))
    top = min(y for _, y in path_points(arc))
    assert top < min(found[f"stage1.block1.conv{i}"].bounds[1] for i in (1, 2))
    assert len([p for p in paths(scene, "projection") if len(p.steps) > 1]) == 6


def test_repeated_sequences_stand_in_a_frame(graphs):
    scene = volumes(graphs["resnet18"], DEFAULT, width=7 * INCH)
    (frame,) = [i for i in scene.items if isinstance(i, Box) and i.role == "frame"]
    found = drawn(scene)
    for name in ("conv1", "conv2", "add"):
        left, top, right, bottom = found[f"stage1.block1.{name}"].bounds
        assert frame.x < left and right < frame.x + frame.width and frame.y < top and bottom < frame.y + frame.height
    assert found["stem"].bounds[2] < frame.x
    assert [t.text for t in texts(scene)].count("×2") == 1
    assert len(found["stage1.block1.conv1"].front) == 2  # a slab and its band, not two of each


# -- encoder and decoder ----------------------------------------------------------------------------------------------


def test_u_net_is_drawn_as_a_u(graphs):
    graph = graphs["unet"]
    scene = volumes(graph, DEFAULT, width=7 * INCH)
    found = drawn(scene)

    def first(block):
        return next(found[n.name].bounds for n in graph.nodes if n.path[0] == block and n.role == "conv")

    down, up = [first(f"encoder{i}") for i in range(1, 6)], [first(f"decoder{i}") for i in (4, 3, 2, 1)]
    assert all(a[3] < b[1] and a[0] < b[0] for a, b in pairwise(down))
    assert all(a[1] > b[3] and a[0] < b[0] for a, b in pairwise(up))
    arcs = paths(scene, "concat")
    assert len([p for p in arcs if len(p.steps) > 1]) == 4


def test_what_a_short_cut_copies_is_a_slab_of_its_own(graphs):
    graph = graphs["unet"]
    found = drawn(volumes(graph, DEFAULT, width=7 * INCH))
    for level in range(1, 5):
        node = next(n for n in graph.nodes if n.name == f"decoder{level}.concat")
        assert len(copied_inputs(graph, node)) == 1
        copied, own = found[node.name].front
        assert abs((copied[2] - copied[0]) - (own[2] - own[0])) < 0.05  # as many channels from each
        assert found[node.name].faces[0].role == "copy-volume"


def test_the_collapsed_u_net_is_a_u_with_level_arcs(graphs):
    with weightless():
        graph = overview(read_graph(build("unet"), expand_nested=True), depth=1)
    scene = volumes(graph, DEFAULT, width=7 * INCH)
    check(scene, graph, 7 * INCH)
    arcs = sorted((p for p in paths(scene, "concat") if len(p.steps) > 1), key=lambda p: p.start[0])
    assert len(arcs) == 4
    found = drawn(scene)
    depths = []
    for level, arc in zip((1, 2, 3, 4), arcs, strict=True):
        x, y = path_points(arc)[-1]
        left, top, right, bottom = found[f"decoder{level}"].bounds
        assert left < x < right and top < y < bottom
        depths.append(bottom)
    assert all(a + 20 < b for a, b in pairwise(depths))  # every level below the one before


def test_only_an_encoder_with_a_decoder_is_a_u(graphs):
    for name in sorted({*NETS} - {"unet"}):
        graph = graphs[name]
        found = extents(graph)
        assert as_u(graph, plan(graph, found), found) is None, name


# -- scale ------------------------------------------------------------------------------------------------------------

sizes = st.integers(1, 4096)


@given(sizes, sizes, st.floats(0.1, 1.0), sizes)
def test_the_scale_is_monotone(small, large, scale, most):
    small, large = sorted((small, large))
    most = max(most, large)
    measure = Measure(side=most, channels=most, vector=most, scale=scale)
    for length in (measure.side_of, measure.thickness_of, measure.length_of):
        assert length(small) <= length(large)
        assert length(small) >= 1.5


def test_one_pixel_is_readable_beside_a_large_map():
    measure = Measure(side=224, channels=4096, vector=4096)
    assert measure.side_of(224) < 100
    assert measure.side_of(7) > 12
    assert measure.side_of(1) > 4


@pytest.mark.parametrize(
    ("shape", "first", "text", "channels"),
    [
        ((None, 28, 56, 8), False, "28×56", 8),
        ((None, 28, 28, 8), False, "28²", 8),
        ((None, 8, 28, 28), True, "28²", 8),
        ((None, None, None, 3), False, "?×?", 3),
        ((None, 16, 28, 28, 8), False, "16×28²", 8),
        ((None, 128, 64), False, "128", 64),
        ((None, 10), False, "", 10),
        ((None,), False, "", 1),
        (None, False, "", 1),
    ],
)
def test_shapes_are_told_apart(shape, first, text, channels):
    found = extent(shape, first)
    assert (found.text, found.channels) == (text, channels)


# -- any graph --------------------------------------------------------------------------------------------------------


@st.composite
def networks(draw):
    """Graphs with stages, branches, short cuts, heads and vectors, of any width and depth."""
    size, channels = draw(st.sampled_from([8, 32, 224])), 3
    nodes = [Node(0, ("image",), "InputLayer", "input", outputs=((None, size, size, 3),))]
    edges, last = [], 0

    def add(name, role, shape, *sources, **more):
        inputs = tuple(nodes[s].outputs[0] for s in sources)
        nodes.append(Node(len(nodes), name, role, role, inputs=inputs, outputs=(shape,), **more))
        edges.extend(Edge(s, len(nodes) - 1, target_port=i, shape=nodes[s].outputs[0]) for i, s in enumerate(sources))
        return len(nodes) - 1

    for block in range(draw(st.integers(1, 6))):
        name = draw(st.sampled_from(["block", "a_rather_long_name_for_a_block", "b"])) + str(block)
        channels = draw(st.sampled_from([1, 16, 64, 512, 2048]))
        shape = (None, size, size, channels)
        kind = draw(st.sampled_from(["chain", "residual", "fork", "concat", "pool", "head"]))
        if kind == "chain":
            for i in range(draw(st.integers(1, 4))):
                last = add((name, f"conv{i}"), "conv", shape, last)
        elif kind == "residual":
            first = add((name, "in"), "conv", shape, last)
            last = add((name, "add"), "add", shape, add((name, "conv"), "conv", shape, first), first)
        elif kind in ("fork", "concat"):
            ends = []
            for i in range(draw(st.integers(2, 4))):
                end = last
                for j in range(draw(st.integers(1, 3))):
                    end = add((name, f"way{i}", f"conv{j}"), "conv", shape, end)
                ends.append(end)
            joined = (None, size, size, channels * len(ends))
            last = add((name, "concat"), "merge", joined, *ends)
        elif kind == "pool" and size > 1:
            size //= 2
            last = add((name,), "pool", (None, size, size, nodes[last].outputs[0][-1]), last)
        elif kind == "head":
            add((f"aux{block}",), "dense", (None, 10), last, head=f"aux{block}")
    if draw(st.booleans()):
        last = add(("classifier", "flatten"), "shape", (None, size * size * channels), last)
        last = add(("classifier", "dense"), "dense", (None, draw(st.sampled_from([2, 1000]))), last)
    graph = mark_edges(Graph("net", "Functional", tuple(nodes), tuple(edges)))
    return draw(st.sampled_from([graph, overview(graph, depth=1), overview(graph, depth=None)]))


@settings(max_examples=25)
@given(networks(), st.sampled_from([None, 252.0, 396.0, 504.0]))
def test_every_network_is_drawn_whole_or_refused(graph, width):
    while (scene := volumes(graph, DEFAULT, width=width)) is None:
        width *= 1.1
    check(scene, graph, inf if width is None else width, through=False)
    assert scene == volumes(graph, DEFAULT, width=width)


def test_two_inputs_run_on_parallel_lanes():
    a, b = keras.Input((32, 32, 3), name="left"), keras.Input((32, 32, 1), name="right")
    x = layers.Conv2D(8, 3, padding="same", name="c1")(a)
    y = layers.Conv2D(8, 3, padding="same", name="c2")(b)
    z = layers.Conv2D(4, 3, padding="same", name="c3")(layers.Concatenate(name="join")([x, y]))
    graph = overview(read_graph(keras.Model([a, b], z)))
    scene = volumes(graph, DEFAULT, width=5 * INCH)
    check(scene, graph, 5 * INCH)
    found = drawn(scene)
    middle = {name: (v.bounds[1] + v.bounds[3]) / 2 for name, v in found.items()}
    assert middle["left"] == pytest.approx(middle["c1"], abs=0.1)
    assert middle["right"] == pytest.approx(middle["c2"], abs=0.1)
    assert middle["join"] == pytest.approx((middle["left"] + middle["right"]) / 2, abs=0.1)


def test_an_input_that_is_added_to_itself_and_awkward_names():
    x = keras.Input((8, 8, 4), name="x")
    y = layers.Add(name='a<b> & "ü"')([x, x])
    graph = read_graph(keras.Model(x, layers.Conv2D(4, 3, name="$c_{1}$")(y)))
    scene = volumes(graph, DEFAULT, width=4 * INCH)
    check(scene, graph, 4 * INCH)
    assert 'a<b> & "ü"' in drawn(scene)


def test_a_shared_layer_is_drawn_for_every_call():
    a, b = keras.Input((16, 16, 3), name="a"), keras.Input((16, 16, 3), name="b")
    shared = layers.Conv2D(8, 3, name="shared")
    graph = read_graph(keras.Model([a, b], layers.Add(name="sum")([shared(a), shared(b)])))
    found = drawn(volumes(graph, DEFAULT, width=4 * INCH))
    assert {"shared", "shared (2)"} <= set(found)


@pytest.mark.parametrize(
    "net",
    [
        lambda: keras.Sequential([keras.Input((784,)), layers.Dense(128, activation="relu"), layers.Dense(10)]),
        lambda: keras.Sequential([keras.Input((100, 8)), layers.Conv1D(16, 3), layers.GlobalAveragePooling1D()]),
        lambda: keras.Sequential([keras.Input((8, 32, 32, 3)), layers.Conv3D(16, 3), layers.MaxPooling3D(2)]),
        lambda: keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(16, 3), layers.MaxPooling2D(2)]),
        lambda: keras.Sequential([keras.Input((1, 1000, 2)), layers.Conv2D(16, (1, 9), strides=(1, 4))]),
        lambda: keras.Sequential([keras.Input((3,)), layers.Dense(1)]),
    ],
    ids=["vectors", "sequence", "video", "unknown", "flat", "tiny"],
)
def test_other_shapes_than_images(net):
    graph = read_graph(net())
    for width in (None, 3.5 * INCH):
        check(volumes(graph, DEFAULT, width=width), graph, width or inf)


# -- arguments --------------------------------------------------------------------------------------------------------


def test_label_and_show(graphs):
    graph = graphs["lenet5"]
    scene = volumes(graph, DEFAULT, label=lambda node: f"L{node.id}\n{node.role}", show=("parameters",))
    words = [t.text for t in texts(scene)]
    assert {f"L{node.id}" for node in graph.nodes} <= set(words)
    assert "classifier" not in words  # in the place of the name
    assert any(w.endswith("par.") for w in words)
    assert "32²" not in words
    check(scene, graph)


@pytest.mark.sweep
def test_text_that_would_be_too_small_is_refused_with_what_would_do(graphs):
    graph = graphs["unet"]
    assert volumes(graph, DEFAULT, width=200) is None and volumes(graph, DEFAULT, height=60) is None
    assert volumes(graphs["vgg16"], DEFAULT, width=200, min_text=20.0) is None
    with pytest.raises(ValueError, match=r"does not fit 120 × 648 points .* it would with .*width='\w+'") as caught:
        diagram(graph, depth=None, style="volumes", width=120)
    venue = re.search(r"width='(\w+)'", str(caught.value))[1]
    assert diagram(graph, depth=None, style="volumes", width=venue).scene.width <= points(venue) + 0.01
    with pytest.raises(ValueError, match=r"it would with .*height=\d+$") as caught:
        diagram(graph, depth=None, style="volumes", height=40)
    needed = int(re.search(r"height=(\d+)$", str(caught.value))[1])
    assert diagram(graph, depth=None, style="volumes", height=needed).height <= needed


def test_an_error_of_a_label_is_no_misfit(graphs):
    with pytest.raises(ValueError, match=r"^mine$"):
        diagram(graphs["lenet5"], style="volumes", label=_refuse)


def _refuse(node):
    raise ValueError("mine")


def test_min_text_and_the_theme_set_the_size(graphs):
    assert volumes(graphs["lenet5"], DEFAULT, width=7 * INCH, min_text=8.5).text_size == 8.5
    assert volumes(graphs["lenet5"], Theme(text_size=9), width=7 * INCH).text_size == 9


@pytest.mark.parametrize("width", [7 * INCH, None])
def test_height_is_kept(graphs, width):
    scene = volumes(graphs["googlenet"], DEFAULT, width=width, height=2.3 * INCH)
    assert 2.2 * INCH < scene.height <= 2.3 * INCH
    check(scene, graphs["googlenet"], width or inf)


def test_words():
    def named(*names):
        return run_name([Node(i, tuple(n.split(".")), "Conv2D", "conv") for i, n in enumerate(names)])

    assert named("conv3", "conv4", "conv5") == "conv3–5"
    assert named("inception_3a", "inception_3b") == "inception_3a–3b"
    assert named("conv2_reduce", "conv2") == "conv2"
    assert named("block1.conv1", "block1.conv2") == "block1"
    assert extras(Node(0, ("c",), "Conv2D", "conv", (("activation", "relu"),))) == ("ReLU",)
    assert extras(Node(0, ("c",), "Conv2D", "conv", (("activation", "linear"),))) == ()


SCRIPT = """
import hashlib, sys
from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.graphs import overview, read_graph
from layerblocks.viz.theme import DEFAULT
from layerblocks.viz.volumes.scene import volumes
with weightless():
    graph = overview(read_graph(build("googlenet"), expand_nested=True))
print(hashlib.sha256(repr(volumes(graph, DEFAULT, width=504)).encode()).hexdigest())
"""


@pytest.mark.sweep
def test_two_processes_draw_the_same(graphs):
    here = hashlib.sha256(repr(volumes(graphs["googlenet"], DEFAULT, width=504)).encode()).hexdigest()
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TF_CPP_MIN_LOG_LEVEL": "3"}
    there = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds(120),
        check=True,
    )
    assert there.stdout.split()[-1] == here


@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
def test_rows_are_as_long_as_each_other(name):
    with weightless():
        scene = diagram(build(name), style="volumes", width="ieee2").scene
    boxes = [i for i in scene.items if isinstance(i, Polygon) and i.states is not None]
    arrows = [i for i in scene.items if isinstance(i, Path) and i.arrow]
    ends = [max(step[-1][0] for step in arrow.steps) for arrow in arrows]
    rows = sorted(ends)[-2:]  # of the two rows, where each leads on or out
    assert rows[1] - rows[0] < 8.0 and rows[0] > 0.93 * scene.width
    assert max(x for box in boxes for x, _ in box.points) < scene.width


def test_a_frame_that_says_how_often_is_not_said_again():
    with weightless():
        scene = diagram(build("resnet18"), style="volumes", width="ieee2", show=("shape", "parameters")).scene
    said = [item.text for item in scene.items if isinstance(item, Text)]
    assert sum(text.endswith("par. each") for text in said) == 1 == said.count("×2")


def test_a_level_on_which_no_volume_begins_has_no_room():
    """A unit stands where the first of its volumes does, also if a later one is smaller."""
    units = tuple(Unit((number,), lane=lane) for number, lane in enumerate((0, 2)))
    standing = [SimpleNamespace(whole=SimpleNamespace(top=-10.0, bottom=20.0))] * 2
    given = Plan(units, axes=(), cuts=frozenset(), levels=3, arcs=(0, 0, 0))
    found = place._lane_heights(given, standing)
    assert found[-1, 1] == 20.0 < found[-1, 2] == found[-1, 1] + 10.0 + place._ARC
