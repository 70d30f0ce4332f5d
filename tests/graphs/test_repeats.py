"""Fusing, folding, opening and the overview: what becomes one box, and that nothing is lost on the way."""

from __future__ import annotations

from collections import Counter

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from layerblocks.architectures import build
from layerblocks.blocks import bottleneck, conv_bn, inception, max_pool, weightless
from layerblocks.graphs import Graph, Node, collapse, fold, fuse, group, kinds, opened, overview, read_graph
from layerblocks.graphs.graph import Edge, Output, leaves, mark_edges, mark_heads
from layerblocks.graphs.overviews import overviews
from layerblocks.graphs.repeats import structure
from layerblocks.viz.texts.layer_labels import describe

from ..random_models import random_model


def read(model):
    return read_graph(model, expand_nested=True)


def named(graph):
    return [(node.name, node.repeats) for node in graph.nodes if node.role != "input"]


def of(net, *arguments, **keywords):
    with weightless():
        return read(build(net, *arguments, **keywords))


# -- what holds for every rewrite of every model ----------------------------------------------------------------------


def check(before, after):
    assert [node.id for node in after.nodes] == list(range(len(after.nodes)))
    assert all(0 <= edge.source < edge.target < len(after.nodes) for edge in after.edges), "a cycle, or no order"
    assert all(0 <= output.source < len(after.nodes) for output in after.outputs)
    assert [o.key for o in after.outputs] == [o.key for o in before.outputs]
    assert after.parameters == before.parameters
    assert after.trainable_parameters == before.trainable_parameters
    assert after.multiply_adds == before.multiply_adds
    assert sum(node.repeats * len(list(leaves(node))) for node in after.nodes) == len(before.nodes)
    assert all(0 <= f < len(after.frames) for node in after.nodes for f in node.frames)
    assert [frame.id for frame in after.frames] == list(range(len(after.frames)))
    for node in after.nodes:
        ports = {edge.source_port for edge in after.edges if edge.source == node.id}
        assert all(port < max(1, len(node.outputs)) for port in ports)
    reached = {edge.target for edge in after.edges}
    without = {n.id for n in before.nodes} - {e.target for e in before.edges}
    assert sum(n.id not in reached for n in after.nodes) <= len(without)


def layer_names(graph):
    return Counter((leaf.name, leaf.call) for node in graph.nodes for leaf in leaves(node))


@given(st.data(), st.sampled_from([1, 2, 3, None]))
def test_no_rewrite_loses_anything(data, depth):
    graph = read(random_model(data.draw))
    grouped = group(graph)
    collapsed = collapse(grouped, depth)
    fused = fuse(collapsed)
    folded = fold(fused)
    for after in (grouped, collapsed, fused, folded):
        check(graph, after)
        assert fold(after) == fold(after)
    assert layer_names(grouped).total() == layer_names(graph).total()
    assert layer_names(fused).total() == layer_names(collapsed).total()
    assert sum(node.repeats for node in folded.nodes) == len(fused.nodes)
    assert fold(folded).nodes == folded.nodes, "folded twice is folded once"
    for node in folded.nodes:
        if node.inner is not None:
            inside = opened(node)
            assert sum(n.kind == "Entry" for n in inside.nodes) == len({e.source for e in node.inner.entries})
            held = sum(n.repeats * len(list(leaves(n))) for n in inside.nodes if n.kind != "Entry")
            assert held == len(list(leaves(node)))
            assert len(inside.outputs) == len(node.outputs)


@given(st.data(), st.sampled_from([1, 2, None, "auto"]), st.booleans())
def test_an_overview_of_any_model(data, depth, folded):
    graph = read(random_model(data.draw))
    whole = overview(graph, depth, fold=folded)
    check(graph, whole)
    assert whole == overview(graph, depth, fold=folded)
    blocks = [n for n in whole.nodes if n.kind == "Block"]
    if blocks and depth != "auto":
        name = data.draw(st.sampled_from([m for n in blocks for m in (n.members or (n.name,))]))
        open_ = overview(graph, depth, expand=[name], fold=folded)
        check(graph, open_)
        assert any(name in (frame.members or (frame.name,)) for frame in open_.frames)


# -- fusing -----------------------------------------------------------------------------------------------------------

CONV = {"filters": 8, "kernel_size": 3}
UNITS = [
    ("3×3 conv, 8 + BN + ReLU", [("Conv2D", CONV), ("BatchNormalization", {}), ("ReLU", {})]),
    ("3×3 conv, 8 + ReLU + BN", [("Conv2D", {**CONV, "activation": "relu"}), ("BatchNormalization", {})]),
    ("3×3 conv, 8, /2 + LN", [("ZeroPadding2D", {}), ("Conv2D", {**CONV, "strides": 2}), ("LayerNormalization", {})]),
    ("3×3 conv, 8 + ReLU", [("Conv2D", {**CONV, "activation": "relu"})]),
    ("BN + ReLU + 3×3 conv, 8", [("BatchNormalization", {}), ("Activation", {"activation": "relu"}), ("Conv2D", CONV)]),
    ("ReLU + 3×3 separable conv, 8 + BN", [("ReLU", {}), ("SeparableConv2D", CONV), ("BatchNormalization", {})]),
    ("dense, 5 + GELU", [("Dense", {"units": 5}), ("Activation", {"activation": "gelu"})]),
    (
        "3×3 depthwise conv + BN + ReLU6",
        [("DepthwiseConv2D", {"kernel_size": 3}), ("BatchNormalization", {}), ("Activation", {"activation": "relu6"})],
    ),
    ("3×3 max pool, /2", [("ZeroPadding2D", {}), ("MaxPooling2D", {"pool_size": 3, "strides": 2})]),
]


@pytest.mark.parametrize(("words", "chain"), UNITS, ids=[words for words, _ in UNITS])
@pytest.mark.parametrize("dotted", [False, True])
def test_a_unit_is_one_box(words, chain, dotted):
    x = y = keras.Input((12, 12, 4), name="x")
    with weightless():
        for i, (kind, options) in enumerate(chain):
            y = getattr(layers, kind)(**options, name=f"unit.part{i}" if dotted else f"layer{i}")(y)
        model = keras.Model(x, y)
    graph = read(model)
    _, unit = fuse(graph).nodes
    assert (describe(unit), unit.kind) == (words, "Unit")
    assert unit.name.startswith("unit" if dotted else "layer") and (unit.name == "unit") == (dotted and len(chain) > 1)
    assert unit.role == ("pool" if "pool" in words else "dense" if "dense" in words else "conv")
    again = fuse(collapse(graph, 1)).nodes[1]
    assert describe(again) == words, "the same box out of a block"


@pytest.mark.parametrize("following", range(4))
def test_a_unit_is_one_box_however_many_layers_follow(following):
    x = keras.Input((4,), name="x")
    y = layers.ReLU(name="relu")(layers.Dense(4, name="dense")(x))
    for i in range(following):
        y = layers.Dropout(0.1, name=f"drop{i}")(y)
    graph = fuse(read(keras.Model(x, y)))
    assert named(graph) == [("dense", 1), *((f"drop{i}", 1) for i in range(following))]


def test_what_another_layer_reads_is_not_fused_away():
    x = keras.Input((8, 8, 4), name="x")
    y = layers.Conv2D(4, 3, padding="same", name="conv")(x)
    z = layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(y))
    assert named(fuse(read(keras.Model(x, [y, z])))) == [("conv", 1), ("bn", 1)]
    assert named(fuse(read(keras.Model(x, layers.Add(name="add")([y, z]))))) == [("conv", 1), ("bn", 1), ("add", 1)]


def test_a_sum_takes_its_activation_and_pre_activation_goes_with_what_follows():
    units = [describe(n) for n in overview(of("resnet50"), None).nodes]
    assert units.count("add + ReLU") == 8 and "BN" not in units
    units = [describe(n) for n in overview(of("densenet121"), None).nodes]
    assert units.count("BN + ReLU + 3×3 conv, 32") == 58 and "concat" in units


def test_neighbours_in_different_blocks_are_not_fused():
    x = keras.Input((8, 8, 4), name="x")
    y = layers.Conv2D(4, 3, name="a.deep.conv")(x)
    y = layers.ReLU(name="b.deep.relu")(y)
    assert named(fuse(read(keras.Model(x, y)))) == [("a.deep.conv", 1), ("b.deep.relu", 1)]


# -- folding ----------------------------------------------------------------------------------------------------------


def row(*pieces):
    with weightless():
        x = y = keras.Input((16, 16, 8), name="x")
        for i, piece in enumerate(pieces):
            y = piece(y, f"b{i}")
        return read(keras.Model(x, layers.Dense(1, name="top")(y)))


def residual(filters=8, strides=1):
    return lambda x, name: bottleneck(x, filters, strides=strides, name=name)


def mixed(width):
    return lambda x, name: inception(x, width, (2, 2), (2, 2), 8 - width - 4, name=name)


def plain(**options):
    return lambda x, name: conv_bn(x, **{"filters": 8, **options}, name=name)


FOLDS = [
    ([residual(), residual(), residual()], ["b0–b2"]),
    ([residual(strides=2), residual(), residual()], ["b0", "b1–b2"]),
    ([residual(), residual(16), residual(16)], ["b0", "b1", "b2"]),
    ([mixed(2), mixed(2), mixed(1)], ["b0–b1", "b2"]),
    ([plain(), plain(), plain(kernel_size=5)], ["b0–b1", "b2"]),
    ([plain(), plain(activation="gelu")], ["b0", "b1"]),
    ([plain(), plain(dilation_rate=2)], ["b0", "b1"]),
    ([plain(), plain(use_bias=True)], ["b0", "b1"]),
    ([plain(), lambda x, name: max_pool(x, 1, name=name), plain()], ["b0", "b1", "b2"]),
]


@pytest.mark.parametrize(
    ("pieces", "expected"), FOLDS, ids=lambda v: "-".join(map(str, v)) if isinstance(v[0], str) else ""
)
def test_equal_neighbours_are_one_box(pieces, expected):
    graph = row(*pieces)
    folded = overview(graph, 1)
    assert [name for name, _ in named(folded)] == [*expected, "top"]
    members = [name for node in folded.nodes[1:-1] for name in (node.members or (node.name,))]
    assert members == [f"b{i}" for i in range(len(pieces))]
    check(graph, folded)


def test_a_sequence_that_repeats_stays_in_a_frame():
    graph = row(*[plain(), plain(kernel_size=1)] * 3)
    folded = overview(graph, 1)
    assert named(folded) == [("b0", 3), ("b1", 3), ("top", 1)]
    assert [(f.name, f.repeats) for f in folded.frames] == [("", 3)]
    assert folded.nodes[2].members == ("b1", "b3", "b5")
    inner = overview(of("cifar_resnet20"), None)
    assert [(f.name, f.repeats) for f in inner.frames] == [
        ("stage1.block1–block3", 3),
        ("stage2.block2–block3", 2),
        ("stage3.block2–block3", 2),
    ]


def test_two_repeats_that_are_all_of_a_network():
    rows = [make() for _ in range(2) for make in (lambda: layers.Dense(4), layers.ReLU, lambda: layers.Dropout(0.1))]
    folded = fold(read(keras.Sequential([keras.Input((4,)), *rows])))
    assert [node.repeats for node in folded.nodes] == [1, 2, 2, 2]
    assert [frame.repeats for frame in folded.frames] == [2]


def test_nothing_is_folded_that_somebody_else_reads():
    x = keras.Input((4,), name="x")
    a = layers.Dense(4, name="a")(x)
    b = layers.Dense(4, name="b")(a)
    assert len(fold(read(keras.Model(x, [a, b]))).nodes) == 3
    c = layers.Dense(4, name="c")(b)
    assert named(fold(read(keras.Model(x, layers.Add(name="add")([a, c]))))) == [("a", 1), ("b–c", 2), ("add", 1)]


def test_what_all_repeats_read_besides_may_be_one_tensor():
    x, mask = keras.Input((4,), name="x"), keras.Input((4,), name="mask")
    y = x
    for i in range(3):
        y = layers.Multiply(name=f"gate{i}")([y, mask])
    assert named(fold(read(keras.Model([x, mask], y)))) == [("gate0–gate2", 3)]


def test_a_shared_layer_in_a_row_counts_its_weights_once():
    x = y = keras.Input((4,), name="x")
    dense = layers.Dense(4, name="shared")
    for _ in range(3):
        y = dense(y)
    folded = fold(read(keras.Model(x, layers.Dense(4, name="own")(y))))
    assert named(folded) == [("shared", 3), ("own", 1)]
    assert (folded.nodes[1].parameters, folded.nodes[1].multiply_adds, folded.parameters) == (20, 48, 40)
    assert folded.nodes[1].call == (1, 3), "it still is one layer, called three times"


def test_structure_ignores_names_and_weights_but_not_what_is_trained():
    first, second, third = (structure(n) for n in collapse(row(plain(), plain(), plain(strides=2)), 1).nodes[1:4])
    assert first == second != third
    first, second, third = (
        structure(n, sizes=False)
        for n in collapse(row(plain(), plain(filters=4, strides=2), plain(groups=2)), 1).nodes[1:4]
    )
    assert first == second == third
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="a"), layers.Dense(4, name="b")])
    model.layers[0].trainable = False
    assert len(fold(read(model)).nodes) == 3


def test_dropout_may_differ_inside_a_block_only():
    def dropping(rate):
        return lambda x, name: layers.Dropout(rate, name=f"{name}.drop")(layers.Conv2D(8, 1, name=f"{name}.conv")(x))

    assert named(overview(row(dropping(0.1), dropping(0.2)), 1))[0] == ("b0–b1", 2)
    x = keras.Input((4,), name="x")
    y = layers.Dropout(0.2, name="d2")(layers.Dropout(0.1, name="d1")(x))
    assert len(fold(read(keras.Model(x, y))).nodes) == 3


def test_1202_blocks_fold_without_recursion_and_in_time():
    nodes = [Node(0, ("x",), "InputLayer", "input", outputs=((None, 2),))]
    edges = []
    for block in range(1202):
        start = nodes[-1].id
        for part in range(3):
            nodes.append(Node(len(nodes), (f"b{block}", f"c{part}"), "Conv2D", "conv", outputs=((None, 2),)))
            edges.append(Edge(nodes[-1].id - 1, nodes[-1].id, shape=(None, 2)))
        nodes.append(Node(len(nodes), (f"b{block}", "add"), "Add", "add", inputs=((2,),) * 2, outputs=((None, 2),)))
        edges += [Edge(nodes[-1].id - 1, nodes[-1].id), Edge(start, nodes[-1].id, target_port=1)]
    outputs = (Output("b1201.add", nodes[-1].id),)
    graph = mark_edges(mark_heads(Graph("deep", "Functional", tuple(nodes), tuple(edges), outputs)))
    assert named(overview(graph, 1)) == [("b0–b1201", 1202)]
    assert named(overview(graph, None)) == [("b0.c0–c2", 3606), ("b0.add", 1202)]


@pytest.mark.parametrize(("second", "boxes"), [("11.", 3), (".11", 6)])
def test_repeats_have_their_frames_at_the_same_places(second, boxes):
    """Dense, relu and dense in each block: those marked lie in a block of their own inside it."""
    x = y = keras.Input((4,), name="x")
    for block, marks in (("b0", "11."), ("b1", second)):
        for place, mark in enumerate(marks):
            name = f"{block}{'.inner' if mark == '1' else ''}.layer{place}"
            y = (layers.ReLU(name=name) if place == 1 else layers.Dense(4, name=name))(y)
    graph = collapse(read(keras.Model(x, y)), 1, expand=["b0", "b1", "b0.inner", "b1.inner"])
    assert len(graph.frames) == 4 and len(fold(graph).nodes) == 1 + boxes


# -- opening, kinds, overview -----------------------------------------------------------------------------------------


def test_a_folded_box_is_opened_as_one():
    for name in ("stage3.block3", "stage3.block2–block6"):
        graph = overview(of("resnet50"), 2, expand=[name])
        (frame,) = graph.frames
        assert (frame.name, frame.repeats) == ("stage3.block2–block6", 5)
        assert [n.name for n in graph.nodes if n.frames] == [
            f"stage3.block2.{p}" for p in ("conv1", "conv2", "conv3", "add")
        ]
    nested = overview(of("resnet50"), 1, expand=["stage3.block2"])
    assert [f.name for f in nested.frames] == ["stage3", "stage3.block2–block6"]
    assert [n.name for n in nested.nodes if len(n.frames) == 1] == ["stage3.block1"]


def test_an_unknown_block_is_refused_with_near_names():
    says = r"overview: expand must be the name of a block; did you mean 'inc.*, got 'inception_4g'"
    with pytest.raises(ValueError, match=says):
        overview(of("googlenet"), 1, expand=["inception_4g"])
    with pytest.raises(ValueError, match=r"collapse: expand must be .*did you mean 'stage.*got 'stagex'"):
        collapse(of("resnet18"), 1, expand=["stagex"])


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, "40"])
def test_wrong_budgets(wrong):
    with pytest.raises((TypeError, ValueError), match="overview: max_boxes must be a positive integer, got"):
        overview(row(plain()), max_boxes=wrong)


def test_auto_takes_the_deepest_level_with_room():
    graph = of("resnet50")
    assert len(overview(graph, "auto", max_boxes=5).nodes) == len(overview(graph, 1).nodes) == 8
    assert len(overview(graph, "auto", max_boxes=13).nodes) == len(overview(graph, 2).nodes) == 13
    assert len(overview(graph, "auto", max_boxes=50).nodes) == len(overview(graph, None).nodes) == 41


def test_no_overview_is_given_twice():
    x = y = keras.Input((4,), name="x")
    for units, name in ((5, "a.first"), (6, "a.second"), (7, "deeper.than.all.others")):
        y = layers.Dense(units, name=name)(y)
    found = [tuple(node.name for node in graph.nodes) for graph in overviews(read_graph(keras.Model(x, y)))]
    assert [len(names) for names in found] == [4, 3] and found[0][1:3] == ("a.first", "a.second")


def test_kinds_of_blocks():
    assert [(n.name, len(names)) for n, names in kinds(overview(of("googlenet"), 1))] == [
        ("inception_3a", 9),
        ("aux1", 2),
    ]
    assert [(n.name, len(names)) for n, names in kinds(overview(of("resnet152"), 2))] == [
        ("stage1.block1", 4),
        ("stage1.block2–block3", 46),
    ]


def test_the_inside_of_a_block_is_a_graph_with_entry_and_roles():
    block = next(n for n in overview(of("resnet50"), 2).nodes if n.name == "stage2.block1")
    inside = opened(block)
    assert [n.name for n in inside.nodes] == ["input", "conv1", "conv2", "conv3", "shortcut", "add"]
    assert inside.nodes[0].outputs == ((None, 56, 56, 256),) and inside.outputs[0].source == 5
    assert {(inside.nodes[e.source].name, inside.nodes[e.target].name): e.role for e in inside.edges} == {
        ("input", "conv1"): "trunk",
        ("conv1", "conv2"): "trunk",
        ("conv2", "conv3"): "trunk",
        ("conv3", "add"): "trunk",
        ("input", "shortcut"): "projection",
        ("shortcut", "add"): "projection",
    }
    with pytest.raises(ValueError, match=r"opened: node must be a block.*, got 'x'"):
        opened(Node(0, ("x",), "ReLU", "activation"))


def test_branches_of_an_inception_are_no_projections():
    inside = opened(next(n for n in overview(of("googlenet"), 1).nodes if n.name == "inception_3a"))
    assert {e.role for e in inside.edges} == {"branch"}
    assert len(inside.nodes) == 9
