"""Neighbours joined until as few boxes are left as asked: nothing is lost, and what says least goes first."""

from __future__ import annotations

from collections import Counter
from functools import cache

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers as L

from layerblocks.blocks import weightless
from layerblocks.graphs import Edge, Graph, Node, Output, overview, read_graph
from layerblocks.graphs.clusters import clustered, listed
from layerblocks.graphs.graph import leaves, mark_edges
from tests import zoo


@cache
def stranger(name):
    return overview(read_graph(zoo.build(name), expand_nested=True), 1)


def layers(nodes):
    return Counter((leaf.name, leaf.kind) for node in nodes for leaf in leaves(node))


@pytest.mark.parametrize("name", zoo.A_FEW)
def test_boxes_are_joined_to_as_few_as_asked(name):
    graph = stranger(name)
    for most in (1, 3, 9):
        joined = clustered(graph, most)
        assert len(joined.nodes) <= most
        assert layers(joined.nodes) == layers(graph.nodes)
        assert [node.id for node in joined.nodes] == [*range(len(joined.nodes))]
        assert all(edge.source < edge.target for edge in joined.edges)
        assert Counter(o.key for o in joined.outputs) == Counter(o.key for o in graph.outputs)
        for node in joined.nodes:
            if node.name.endswith(" layers") and all(n.repeats == 1 for n in node.inner.nodes):
                assert node.name == f"{sum(leaf.role != 'input' for leaf in leaves(node))} layers"


@given(st.integers(2, 14), st.data())
def test_any_graph_is_joined_to_any_number(count, data):
    nodes = tuple(Node(i, (f"n{i}",), "Dense", "dense", outputs=((None, 8),)) for i in range(count))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    edges = tuple(Edge(a, b) for a, b in data.draw(st.lists(st.sampled_from(pairs), unique=True)))
    graph = mark_edges(Graph("net", "Functional", nodes, edges, (Output("main", count - 1),)))
    most = data.draw(st.integers(1, count))
    kept = data.draw(st.sets(st.sampled_from([node.name for node in nodes]), max_size=most - 1)) if most > 1 else set()
    joined = clustered(graph, most, kept)
    assert len(joined.nodes) <= max(most, 2 * len(kept) + 1)
    assert kept <= {node.name for node in joined.nodes}
    assert all(edge.source < edge.target for edge in joined.edges)
    assert layers(joined.nodes) == layers(nodes)


# -- what is joined first ---------------------------------------------------------------------------------------------


def joined(make, most, kept=()):
    """What is in each box but the input's, by the names of layers."""
    with weightless():
        x = keras.Input((32, 32, 8), name="x")
        graph = read_graph(keras.Model(x, make(x)))
    return [[leaf.name for leaf in leaves(node)] for node in clustered(graph, most, kept).nodes[1:]]


def conv(name, kernel=3):
    return L.Conv2D(8, kernel, padding="same", name=name)


def pooled_and_added(x):
    y = L.MaxPooling2D(name="pool")(conv("a")(x))
    y = L.Add(name="sum")([conv("b")(y), conv("c", 5)(y)])
    return conv("d")(y)


def test_a_pooling_goes_to_what_is_before_it_and_a_sum_to_what_is_after_it():
    assert joined(pooled_and_added, 6) == [["a", "pool"], ["b"], ["c"], ["sum"], ["d"]]
    assert joined(pooled_and_added, 5) == [["a", "pool"], ["b"], ["c"], ["sum", "d"]]


def pooled(x):
    y = L.MaxPooling2D(name="pool")(conv("b", 5)(conv("a")(x)))
    return conv("c", 7)(y)


def test_a_pooling_goes_to_what_is_before_it_though_one_comes_first_of_all():
    def make(x):
        first, second = (L.MaxPooling2D(3, 1, "same", name=name) for name in ("first", "second"))
        return conv("b")(second(conv("a")(first(x))))

    assert joined(make, 4) == [["first"], ["a", "second"], ["b"]]


def test_neighbours_on_maps_of_one_size_go_together_before_others():
    """The pooling ends what is computed at 32×32, so that the convolution before it is of that size."""
    assert joined(pooled, 4) == [["a"], ["b", "pool"], ["c"]]
    assert joined(pooled, 3) == [["a", "b", "pool"], ["c"]]


def test_what_is_kept_stays_even_if_all_else_is_joined():
    assert joined(pooled, 3, ["b"]) == [["b"], ["pool", "c"]]
    assert joined(pooled, 1, ["b"]) == [["b"], ["pool", "c"]]


def titles(make, most, shape=(32, 32, 8)):
    with weightless():
        x = keras.Input(shape, name="x")
        graph = clustered(read_graph(keras.Model(x, make(x))), most)
    return [(node.name, node.words if node.inner is not None else "") for node in graph.nodes[1:]]


def concatenated(x):
    y = L.ReLU(name="first")(x)
    return conv("last", 1)(L.Concatenate(name="side")([conv(name)(y) for name in "abc"]))


def attended(x):
    query, value, key = (L.Dense(8, name=name)(x) for name in ("query", "value", "key"))
    return L.MultiHeadAttention(2, 4, name="attention")(query, value, key)


def test_equal_branches_are_one_box_with_what_only_joins_them():
    assert titles(concatenated, 4) == [
        ("first", ""),
        ("3 branches alike", "each its own conv 3×3; concat"),
        ("last", ""),
    ]
    assert titles(attended, 3, (12, 8)) == [("3 branches alike", "each its own dense 8"), ("attention", "")]


def test_branches_that_share_weights_say_so():
    def shared(x):
        both = conv("both")
        parts = [L.Concatenate(name=f"p{i}")([x, x]) for i in range(3)]
        return L.Concatenate(name="side")([both(part) for part in parts])

    assert titles(shared, 2) == [("3 branches alike", "each the same concat, conv 3×3; concat")]


def test_a_box_of_one_layer_with_weights_has_its_name_and_one_of_several_has_none():
    assert titles(pooled, 4) == [("a", ""), ("b", "conv 5×5, max pool"), ("c", "")]
    assert titles(pooled, 3)[0] == ("3 layers", "conv 3×3, conv 5×5, max pool")


def test_numbered_blocks_are_called_by_the_first_and_the_last():
    def of(*names):
        with weightless():
            x = keras.Input((32, 32, 8), name="x")
            y = x
            for name in names:
                y = conv(name)(y)
            return clustered(read_graph(keras.Model(x, y)), 2).nodes[1].name

    assert of("residual 2", "residual 3", "residual 4") == "residual 2–4"
    for others in (("residual 2", "residual 4"), ("residual 2", "dense 3"), ("2", "3"), ("residual 3", "residual 2")):
        assert of(*others) == f"{len(others)} layers"


# -- what is said -----------------------------------------------------------------------------------------------------

WORDS = [
    (("Conv2D", "conv", (("kernel_size", (3, 3)),)), "conv 3×3"),
    (("Conv1D", "conv", (("kernel_size", (3,)),)), "kernel-3 conv"),
    (("Conv2DTranspose", "conv", (("kernel_size", (2, 2)),)), "transposed conv 2×2"),
    (("DepthwiseConv2D", "conv", (("kernel_size", (7, 7)),)), "depthwise conv 7×7"),
    (("MaxPooling2D", "pool", ()), "max pool"),
    (("GlobalAveragePooling2D", "pool", ()), "global average pool"),
    (("Concatenate", "merge", ()), "concat"),
    (("MultiHeadAttention", "attention", ()), "attention"),
    (("LSTM", "recurrent", ()), "LSTM"),
    (("ConvLSTM2D", "conv", (("kernel_size", (3, 3)),)), "conv LSTM 3×3"),
    (("UpSampling2D", "other", ()), "up sampling"),
]


@pytest.mark.parametrize(("node", "words"), WORDS)
def test_a_layer_is_called_by_its_kind(node, words):
    kind, role, attributes = node
    assert listed([Node(0, ("x",), kind, role, attributes)]) == words


def test_kinds_are_counted_and_those_that_are_too_many_too():
    nodes = [Node(i, (f"n{i}",), *given) for i, (given, _) in enumerate(WORDS)]
    assert listed([nodes[0], nodes[0], nodes[4]]) == "2 conv 3×3, max pool"
    assert listed(nodes[:4]) == "conv 3×3, kernel-3 conv, transposed conv 2×2, depthwise conv 7×7"
    assert listed(nodes[:5]) == "conv 3×3, kernel-3 conv, transposed conv 2×2, 2 other kinds"
