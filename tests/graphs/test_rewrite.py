"""Collapsing to blocks: what is drawn together, what is not, and what a block is called."""

from __future__ import annotations

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from layerblocks.blocks import bottleneck, concat, conv, conv_bn, inception, max_pool, weightless
from layerblocks.graphs import Graph, Node, collapse, read_graph
from layerblocks.graphs.graph import Edge, subgraph, successors
from layerblocks.graphs.rewrite import without_bare_wrappers
from layerblocks.viz.texts.layer_labels import describe


def chain(*names, **attributes):
    x = y = keras.Input((4,), name="x")
    for name in names:
        y = layers.Dense(4, name=name)(y)
    return keras.Model(x, y)


def names(model, depth):
    return [n.name for n in collapse(read_graph(model, expand_nested=True), depth).nodes]


def test_depth_counts_the_parts_of_names():
    model = chain("a.p.1", "a.p.2", "a.q.1", "b", "c.1", "c.2")
    assert names(model, None) == ["x", "a.p.1", "a.p.2", "a.q.1", "b", "c.1", "c.2"]
    assert names(model, 1) == ["x", "a", "b", "c"]
    assert names(model, 2) == ["x", "a.p", "a.q", "b", "c.1", "c.2"]
    assert names(model, 3) == names(model, 9) == names(model, None)


def test_a_name_that_all_share_does_not_count():
    assert names(chain("net.a.1", "net.a.2", "net.b.1"), 1) == ["x", "a", "b"]
    assert names(chain("net.v2.a.1", "net.v2.a.2", "net.v2.b.1"), 1) == ["x", "a", "b"]
    assert names(chain("net.a.1", "net.a.2", "b.1"), 1) == ["x", "net", "b"]
    assert names(chain("unit.1", "unit.2"), 1) == ["x", "unit"], "a single block without blocks inside stays one"


def test_what_is_inside_of_an_opened_block_alone_stands_in_its_frame():
    graph = collapse(read_graph(chain("a.p.1", "a.p.2", "a.q.1", "b.1", "b.2")), 1, expand=["a"])
    frames = [(node.name, [graph.frames[f].name for f in node.frames]) for node in graph.nodes]
    assert frames == [("x", []), ("a.p", ["a"]), ("a.q", ["a"]), ("b", [])]
    both = collapse(read_graph(chain("a.p.1", "a.p.2", "a.q.1", "b.1", "b.2")), 1, expand=["a", "b"])
    assert [[both.frames[f].name for f in node.frames] for node in both.nodes] == [[], ["a"], ["a"], ["b"], ["b"]]


def test_a_layer_alone_in_a_wrapper_stands_in_its_place():
    x = keras.Input((7, 5), name="x")
    with weightless():
        y = layers.TimeDistributed(layers.Dense(6, name="dense"), name="each")(x)
        y = layers.Bidirectional(layers.LSTM(4, name="lstm", return_sequences=True), name="both")(y)
        graph = read_graph(keras.Model(x, y), expand_nested=True)

    def framed(graph):
        return [(node.name, [graph.frames[f].name for f in node.frames]) for node in graph.nodes]

    opened = [("both.forward_lstm", ["both"]), ("both.backward_lstm", ["both"]), ("both.concat", ["both"])]
    assert framed(graph) == [("x", []), ("each.dense", ["each"]), *opened]
    assert framed(without_bare_wrappers(graph)) == [("x", []), ("each", []), *opened]
    assert without_bare_wrappers(graph, ["each"]) == graph


def test_blocks_that_wait_for_each_other_are_cut_into_runs():
    assert names(chain("a.1", "b.1", "a.2", "b.2", "b.3"), 1) == ["x", "a", "b", "a", "b"]


def test_blocks_side_by_side_stay_whole_in_whatever_order_their_layers_stand():
    paths = [("x",), ("a", "1"), ("b", "1"), ("a", "2"), ("b", "2"), ("sum",)]
    nodes = tuple(Node(i, path, "Dense", "dense", outputs=((None, 1),)) for i, path in enumerate(paths))
    edges = tuple(Edge(a, b) for a, b in ((0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 5)))
    assert [n.name for n in collapse(Graph("any", "Functional", nodes, edges), 1).nodes] == ["x", "a", "b", "sum"]


def test_a_block_sums_its_layers_and_keeps_them():
    block = collapse(read_graph(chain("a.1", "a.2", "b.1")), 1).nodes[1]
    assert (block.parameters, block.multiply_adds, block.kind) == (40, 32, "Block")
    assert (block.inputs, block.outputs) == (((None, 4),), ((None, 4),))
    assert [n.name for n in block.inner.nodes] == ["a.1", "a.2"]
    assert [(e.source, e.target) for e in block.inner.edges] == [(0, 1)]


def test_a_block_is_trained_where_one_of_its_layers_is():
    model = chain("a.1", "a.2", "b.1", "b.2")
    for layer in model.layers:
        layer.trainable = layer.name == "a.2"
    x, a, b = collapse(read_graph(model), 1).nodes
    assert (x.trainable, a.trainable, b.trainable) == (None, True, False)


def test_one_tensor_into_many_layers_of_a_block_is_one_edge():
    x = keras.Input((8, 8, 3), name="x")
    y = inception(conv(x, 4, name="stem"), 2, (2, 2), (2, 2), 2, name="mix")
    graph = collapse(read_graph(keras.Model(x, y)), 1)
    assert [(graph.nodes[e.source].name, graph.nodes[e.target].name, e.shape) for e in graph.edges] == [
        ("x", "stem", (None, 8, 8, 3)),
        ("stem", "mix", (None, 8, 8, 4)),
    ]


def test_a_block_of_several_outputs():
    x = keras.Input((4,), name="x")
    a, b = layers.Dense(2, name="b.a")(x), layers.Dense(3, name="b.b")(x)
    model = keras.Model(x, [layers.Dense(1, name="p")(a), layers.Dense(1, name="q")(b), a])
    graph = collapse(read_graph(model), 1)
    block = next(n for n in graph.nodes if n.name == "b")
    assert block.outputs == ((None, 2), (None, 3))
    assert {(graph.nodes[e.target].name, e.source_port) for e in graph.edges if e.source == block.id} == {
        ("p", 0),
        ("q", 1),
    }
    assert [(o.source, o.source_port) for o in graph.outputs][2] == (block.id, 0)


def test_tensors_into_a_block_are_numbered_in_the_order_of_its_layers():
    inputs = [keras.Input((4,), name=name) for name in ("p", "q", "r")]
    y = layers.Add(name="b.first")([inputs[2], inputs[0]])
    model = keras.Model(inputs, layers.Add(name="b.second")([y, inputs[1]]))
    graph = collapse(read_graph(model), 1)
    assert graph.nodes[-1].name == "b"
    arriving = {e.target_port: graph.nodes[e.source].name for e in graph.edges}
    assert arriving == {0: "r", 1: "p", 2: "q"}


def test_without_a_depth_what_is_named_alone_is_closed():
    graph = read_graph(chain("net.a.1", "net.a.2", "net.b.1", "net.b.2"))
    assert collapse(graph, None) == graph
    assert [node.name for node in collapse(graph, None, closed=["a"]).nodes] == ["x", "a", "b.1", "b.2"]


def test_a_head_and_a_trunk_of_one_name_stay_apart():
    x = keras.Input((4,), name="x")
    y = layers.Dense(4, name="s.body")(x)
    outputs = {"aux1": layers.Dense(1, name="s.early")(y), "main": layers.Dense(1, name="t.late")(y)}
    assert [(n.name, n.head) for n in collapse(read_graph(keras.Model(x, outputs))).nodes] == [
        ("x", None),
        ("s", None),
        ("s", "aux1"),
        ("t", None),
    ]


PIECES = [
    ("7×7 conv, 64, /2 + BN + ReLU", "conv", lambda x: conv_bn(x, 64, 7, strides=2, name="b")),
    ("3×3 conv, 8", "conv", lambda x: conv(x, 8, name="b")),
    ("3×3 conv, 8, dilation 2", "conv", lambda x: conv(x, 8, dilation_rate=2, name="b")),
    ("3×3 conv, 8, 4 groups", "conv", lambda x: conv(x, 8, groups=4, name="b")),
    ("3×5 conv, 8, /2×1", "conv", lambda x: conv(x, 8, (3, 5), strides=(2, 1), name="b")),
    ("3×3 depthwise conv", "conv", lambda x: layers.DepthwiseConv2D(3, name="b.dw")(x)),
    ("3×3 separable conv, 8", "conv", lambda x: layers.SeparableConv2D(8, 3, name="b.conv")(x)),
    ("2×2 transposed conv, 8, ×2", "conv", lambda x: layers.Conv2DTranspose(8, 2, 2, name="b.up")(x)),
    ("3×3 max pool, /2", "pool", lambda x: max_pool(x, 3, strides=2, name="b")),
    ("2×2 avg pool, /2", "pool", lambda x: layers.AveragePooling2D(2, name="b")(x)),
    ("global max pool", "pool", lambda x: layers.GlobalMaxPooling2D(name="b")(x)),
    ("2 × 3×3 conv, 8", "conv", lambda x: conv(conv(x, 8, name="b.1"), 8, name="b.2")),
    (
        "2 × 3×3 conv + 2×2 max pool, /2",
        "conv",
        lambda x: max_pool(conv(conv(x, 4, name="b.1"), 8, name="b.2"), name="b.p"),
    ),
    ("4-branch concat", "merge", lambda x: inception(x, 2, (2, 2), (2, 2), 2, name="b")),
    ("2-branch concat", "merge", lambda x: concat([conv(x, 2, name="b.1"), conv(x, 2, name="b.2")], name="b.c")),
    ("residual 1×1 /2, 3×3, 1×1, projection skip", "residual", lambda x: bottleneck(x, 16, strides=2, name="b")),
    (
        "2 × residual 1×1, 3×3, 1×1",
        "residual",
        lambda x: bottleneck(bottleneck(x, 8, name="b.1"), 8, name="b.2"),
    ),
    ("flatten", "shape", lambda x: layers.Flatten(name="b")(x)),
    ("batch norm", "norm", lambda x: layers.BatchNormalization(name="b")(x)),
    ("dropout 0.4", "dropout", lambda x: layers.Dropout(0.4, name="b")(x)),
    ("ReLU", "activation", lambda x: layers.Activation("relu", name="b")(x)),
    (
        "global avg pool + dense",
        "dense",
        lambda x: layers.Dense(4, name="b.d")(layers.GlobalAveragePooling2D(name="b.p")(x)),
    ),
    ("LSTM, 3", "recurrent", lambda x: layers.LSTM(3, name="b")(layers.Reshape((9, 8), name="pre")(x))),
]


@pytest.mark.parametrize(("words", "role", "piece"), PIECES, ids=[words for words, _, _ in PIECES])
def test_what_a_block_is_called(words, role, piece):
    with weightless():
        x = keras.Input((3, 3, 8) if role == "recurrent" else (12, 12, 8), name="x")
        y = layers.Dense(1, name="other.dense")(piece(x))
        model = keras.Model(x, y)
    (block,) = [n for n in collapse(read_graph(model), 1).nodes if n.name == "b"]
    assert (describe(block), block.role) == (words, role)


@st.composite
def graphs(draw):
    """Any graph, its nodes named by chance, as `collapse` must take it."""
    count = draw(st.integers(1, 12))
    letters = st.sampled_from("ab")
    nodes = [
        Node(i, (*draw(st.lists(letters, min_size=1, max_size=3)), str(i)), "Add", "add", outputs=((None, 1),))
        for i in range(count)
    ]
    pairs = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=25))
    edges = [Edge(min(p), max(p), target_port=i) for i, p in enumerate(pairs) if p[0] != p[1]]
    return Graph("any", "Functional", tuple(nodes), tuple(edges))


@given(graphs(), st.integers(1, 4))
def test_any_graph_collapses_into_one_without_cycles_and_loses_no_layer(graph, depth):
    blocks = collapse(graph, depth)
    assert [n.id for n in blocks.nodes] == list(range(len(blocks.nodes)))
    assert all(e.source < e.target for e in blocks.edges)
    inside = [name for n in blocks.nodes for name in ([m.path[-1] for m in n.inner.nodes] if n.inner else [None])]
    assert len(inside) == len(graph.nodes)
    assert all(0 <= e.source_port < max(1, len(blocks.nodes[e.source].outputs)) for e in blocks.edges)


@given(graphs())
def test_a_subgraph_keeps_what_is_inside(graph):
    half = subgraph(graph, range(0, len(graph.nodes), 2))
    assert len(half.nodes) == (len(graph.nodes) + 1) // 2
    assert len(successors(half)) == len(half.nodes)
    assert len(half.edges) == sum(e.source % 2 == e.target % 2 == 0 for e in graph.edges)
