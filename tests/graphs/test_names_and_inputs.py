"""Names as the user gave them, masks apart from data, sums that are no residuals, and which output goes where."""

from __future__ import annotations

import keras
import pytest
from keras import layers, ops

from layerblocks.graphs import collapse, fold, fuse, overview, read_graph
from layerblocks.graphs.naming import scoped, without_common, words_of
from layerblocks.graphs.rewrite import without_masks


@pytest.mark.parametrize(
    ("names", "paths"),
    [
        (["mobilenetv2_1.00_32", "head"], [("mobilenetv2_1.00_32",), ("head",)]),
        (["stage1.block1.conv", "stage1.pool"], [("stage1", "block1", "conv"), ("stage1", "pool")]),
        (["blocks.0.0", "blocks.0.1", "v1.5"], [("blocks", "0", "0"), ("blocks", "0", "1"), ("v1.5",)]),
    ],
)
def test_a_decimal_point_is_no_scope(names, paths):
    assert list(scoped(names, range(len(names))).values()) == paths


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("conv2_block1_1_conv", ["conv2", "block1", "1", "conv"]),
        ("stage_0_block_12_gelu", ["stage_0", "block_12", "gelu"]),
        ("block2a_bn", ["block2", "a", "bn"]),
        ("dense", ["dense"]),
    ],
)
def test_a_name_is_made_of_words(name, words):
    found = words_of(name)
    assert [word.text for word in found] == words
    assert [name[word.start :][: len(word.text)] for word in found] == words


def test_the_name_of_the_network_is_taken_off_where_enough_names_begin_with_it():
    def left(names, least):
        found = without_common({i: words_of(name) for i, name in enumerate(names)}, least)
        return [[word.text for word in own] for own in found.values()]

    both = ["net_v_stem_conv", "net_v_stem_bn"]
    assert left([*both, "net_v_top"], 3) == [["stem", "conv"], ["stem", "bn"], ["top"]]
    assert left([*both, "net_v_top"], 4)[2] == ["net", "v", "top"]
    assert left(["net_a", "net"], 2) == [["net", "a"], ["net"]], "nothing would be left of a name"
    assert left(["a_b", "c_b"], 2) == [["a", "b"], ["c", "b"]]


def test_a_nested_model_keeps_its_name():
    inside = keras.Input((4,), name="i")
    inner = keras.Model(inside, layers.Dense(2, name="d")(inside), name="mobilenetv2_1.00_32")
    x = keras.Input((4,), name="x")
    graph = read_graph(keras.Model(x, layers.Dense(3, name="out")(inner(x))), expand_nested=True)
    assert [frame.path for frame in graph.frames] == [("mobilenetv2_1.00_32",)]
    assert graph.nodes[2].path == ("mobilenetv2_1.00_32", "d")


def test_masks_are_apart_from_data():
    x = keras.Input((6,), dtype="int32", name="tokens")
    y = layers.Embedding(10, 4, mask_zero=True, name="embed")(x)
    y = layers.Bidirectional(layers.LSTM(3, name="lstm"), name="both")(y)
    graph = read_graph(keras.Model(x, layers.Dense(1, name="out")(y)), expand_nested=True)
    both = [node.id for node in graph.nodes if node.name in ("both.forward_lstm", "both.backward_lstm")]
    for one in both:
        assert sorted(edge.carries for edge in graph.edges if edge.target == one) == ["data", "mask"]
    assert len(both) == 2
    assert not any(edge.role in ("skip", "projection") for edge in graph.edges)
    inside = ["both.forward_lstm", "both.backward_lstm", "both.concat"]
    assert [node.name for node in without_masks(graph).nodes] == ["tokens", "embed", *inside, "out"]
    assert [node.name for node in overview(graph, None).nodes] == ["tokens", "embed", *inside, "out"]
    assert [node.name for node in overview(graph, 1).nodes] == ["tokens", "embed", "both", "out"]


def test_attention_says_what_each_input_is():
    q, k = keras.Input((4, 8), name="q"), keras.Input((6, 8), name="k")
    made = layers.MultiHeadAttention(2, 4, name="attention")(q, k)
    graph = read_graph(keras.Model([q, k], made))
    carried = [(graph.nodes[e.source].name, e.carries) for e in sorted(graph.edges, key=lambda e: e.target_port)]
    assert carried[0] == ("q", "query") and {name for name, _ in carried[1:]} == {"k"}


def test_each_part_of_a_split_goes_to_its_own_layer():
    x = keras.Input((4, 6), name="x")
    parts = ops.split(x, [1, 3], -1)
    dense = [layers.Dense(2, name=f"d{i}")(part) for i, part in enumerate(parts)]
    graph = read_graph(keras.Model(x, layers.Add(name="sum")(dense)))
    (split,) = [node for node in graph.nodes if node.kind == "Split"]
    leaving = {graph.nodes[e.target].name: (e.source_port, e.shape) for e in graph.edges if e.source == split.id}
    assert leaving == {"d0": (0, (None, 4, 1)), "d1": (1, (None, 4, 2)), "d2": (2, (None, 4, 3))}


def gate(x, g):
    both = layers.Add(name="gate.add")([layers.Dense(4, name="gate.x")(x), layers.Dense(4, name="gate.g")(g)])
    return layers.Multiply(name="gate.times")([x, layers.Dense(4, "sigmoid", name="gate.psi")(both)])


def block(x, g):
    y = layers.Dense(4, name="gate.b")(layers.Dense(4, "relu", name="gate.a")(x))
    return layers.Add(name="gate.add")([x, y])


@pytest.mark.parametrize(("make", "is_residual"), [(gate, False), (block, True)])
def test_a_sum_is_a_residual_only_of_a_block_and_its_input(make, is_residual):
    x = keras.Input((4,), name="x")
    y = layers.Dense(4, name="left.dense")(x)
    g = layers.Dense(4, name="right.dense")(x)
    model = keras.Model(x, layers.Concatenate(name="end")([make(y, g), g]))
    roles = {node.name: node.role for node in collapse(read_graph(model), 1).nodes}
    assert (roles["gate"] == "residual") == is_residual


def test_a_shared_layer_stays_one_within_units_and_repeats():
    shared = layers.Dense(4, name="shared")
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    both = [layers.BatchNormalization(name=f"bn{i}")(shared(x)) for i, x in enumerate((a, b))]
    graph = fuse(read_graph(keras.Model([a, b], layers.Add(name="sum")(both))))
    assert [node.call for node in graph.nodes if node.kind == "Unit"] == [(1, 2), (2, 2)]
    y = a
    for _ in range(6):
        y = shared(y)
    (row,) = [node for node in fold(read_graph(keras.Model(a, y))).nodes if node.role == "dense"]
    assert (row.repeats, row.call, row.parameters) == (6, (1, 6), 20)
