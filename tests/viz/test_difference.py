"""What changed between two models: nothing where only names differ, and exactly what was done to a model else."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from layerblocks.architectures import densenet121, googlenet, inception_v3, resnet18, resnet50, unet, vgg16, vgg19
from layerblocks.blocks import bottleneck, conv_bn, group_norm, inception, weightless
from layerblocks.graphs import Graph, read_graph
from layerblocks.graphs.graph import Edge, Node, Output, leaves, mark_edges, mark_heads
from layerblocks.models import inference_model
from layerblocks.viz.changes.changes import status
from layerblocks.viz.changes.difference import PAINTS, diff
from layerblocks.viz.scene import Text
from layerblocks.viz.venues import points

from ..random_models import random_model


def made(constructor, **options):
    with weightless():
        return constructor(**options)


def graph_of(model):
    return read_graph(model, expand_nested=True)


def told(difference):
    """Status, last name, words: of every change."""
    return [(change.status, change.name, change.words) for change in difference.changes]


# -- the same ---------------------------------------------------------------------------------------------------------


def shuffled(graph, order):
    """The same network in another order of computation and under other names, its sums and outputs turned round."""
    left, done = list(range(len(graph.nodes))), []
    needs = [{e.source for e in graph.edges if e.target == n} for n in left]
    while left:
        ready = [n for n in left if needs[n] <= set(done)]
        done.append(ready[order.randrange(len(ready))])
        left.remove(done[-1])
    new = {number: i for i, number in enumerate(done)}
    sums = {n.id for n in graph.nodes if n.kind == "Add"}
    ports = {n: sum(e.target == n for e in graph.edges) for n in sums}

    def moved(edge):
        port = ports[edge.target] - 1 - edge.target_port if edge.target in sums else edge.target_port
        return replace(edge, source=new[edge.source], target=new[edge.target], target_port=port)

    nodes = tuple(replace(graph.nodes[n], id=i, path=(f"other{i}",), frames=()) for i, n in enumerate(done))
    outputs = tuple(Output(f"o{i}", new[o.source], o.source_port) for i, o in enumerate(reversed(graph.outputs)))
    plain = replace(graph, name="other", nodes=nodes, edges=tuple(map(moved, graph.edges)), outputs=outputs, frames=())
    return mark_edges(mark_heads(plain))


@given(st.data(), st.randoms(use_true_random=False))
def test_a_network_under_other_names_and_in_another_order_is_the_same(data, order):
    graph = graph_of(random_model(data.draw))
    assert not diff(graph, shuffled(graph, order)).changes
    assert not diff(shuffled(graph, order), graph).changes


def test_a_clone_with_other_names_is_the_same():
    model = made(googlenet)
    with weightless():
        other = keras.models.clone_model(model, clone_function=lambda x: x.from_config(x.get_config() | {"name": None}))
    difference = diff(model, other)
    assert not difference
    assert difference.summary == "googlenet and googlenet have the same structure."


@pytest.mark.sweep_but("unet", "densenet121")
@pytest.mark.parametrize("constructor", [densenet121, inception_v3, unet], ids=lambda f: f.__name__)
def test_a_published_network_is_the_same_as_itself(constructor):
    assert not diff(made(constructor), made(constructor))


def test_the_size_of_the_input_is_the_only_change():
    difference = diff(made(resnet18), made(resnet18, input_shape=(112, 96, 3)))
    assert told(difference) == [("changed", "input", "shape 224×224×3 → 112×96×3")]


# -- published differences --------------------------------------------------------------------------------------------


def test_v15_moves_three_strides():
    difference = diff(made(resnet50), made(resnet50, dialect="v1.5"))
    found = {(name, words) for _, name, words in told(difference)}
    assert {status for status, _, _ in told(difference)} == {"changed"}
    assert found == {
        (f"stage{stage}.block1.conv{conv}.conv", words)
        for stage in (2, 3, 4)
        for conv, words in ((1, "strides 2 → 1"), (2, "strides 1 → 2"))
    }


def test_vgg19_has_three_more_convolutions():
    expected = [(f"block{b}.conv4.conv", f"3×3 conv, {f}") for b, f in ((3, 256), (4, 512), (5, 512))]
    assert told(diff(made(vgg16), made(vgg19))) == [("added", *each) for each in expected]
    assert told(diff(made(vgg19), made(vgg16))) == [("removed", *each) for each in expected]


def test_the_5x5_of_googlenet_is_3x3_in_torchvision():
    difference = diff(made(googlenet), made(googlenet, dialect="torchvision"))
    changed = [
        c.name for c in difference.changes for name, was, now in c.details if (name, was) == ("kernel_size", (5, 5))
    ]
    assert changed == [
        f"inception_{module}.5x5.conv" for module in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    ]
    assert all(c.after.get("kernel_size") == (3, 3) for c in difference.changes if c.name in changed)


def test_another_norm_is_that_and_nothing_else():
    difference = diff(made(resnet50), made(resnet50, conv=partial(conv_bn, norm=group_norm)))
    assert {words for _, _, words in told(difference)} == {
        "BatchNormalization → GroupNormalization, epsilon 1e-05 → 0.001"
    }
    assert len(difference.changes) == 53
    assert len(difference.table().splitlines()) == 3, "all in one row"


def test_deeper_by_whole_blocks():
    blocks = [f"stage{stage}.block{number}" for stage, last in ((2, 8), (3, 36)) for number in range(1, last + 1)]
    expected = [name for name in blocks if int(name.rpartition("block")[2]) > {"2": 4, "3": 6}[name[5]]]
    difference = diff(made(resnet50), made(resnet50, repeats=(3, 8, 36, 3)))
    assert [(status, name) for status, name, _ in told(difference)] == [("added", name) for name in expected]


def test_without_auxiliary_heads():
    difference = diff(made(googlenet), made(inference_model, model=made(googlenet)))
    assert [(status, name) for status, name, _ in told(difference)] == [("removed", "aux1"), ("removed", "aux2")]


def test_the_keras_resnet_is_ours_with_biases_and_paddings():
    difference = diff(made(resnet50), made(keras.applications.ResNet50, weights=None))
    assert [name for status, name, _ in told(difference) if status != "changed"] == ["conv1_pad", "pool1_pad"]
    assert {attribute for c in difference.changes for attribute, _, _ in c.details} == {
        *("use_bias", "padding"),
        *("epsilon", "momentum"),
    }


# -- one thing at a time ----------------------------------------------------------------------------------------------


def small(middle, last=4):
    with weightless():
        x = keras.Input((16, 16, 8), name="image")
        y = conv_bn(x, 8, name="stem")
        y = middle(y)
        y = conv_bn(y, 8, name="last")
        return keras.Model(x, layers.Dense(last, name="top")(layers.GlobalAveragePooling2D(name="mean")(y)), name="net")


def test_a_block_in_the_place_of_another():
    before = small(lambda y: bottleneck(y, 8, name="body"))
    after = small(lambda y: inception(y, 2, (2, 2), (2, 2), 2, name="body"))
    difference = diff(before, after, depth=1)
    names = {change.name.split(".")[0] for change in difference.changes}
    assert names == {"body"} and {status(n) for n in difference.graph.nodes if n.name != "body"} == {"kept"}


def test_the_weights_of_a_layer_that_is_called_again_count_once():
    def net(calls):
        one = layers.Dense(4, name="one")
        x = y = keras.Input((4,))
        for _ in range(calls):
            y = one(y)
        return keras.Model(x, layers.Dense(3, name="top")(y), name=f"calls{calls}")

    again = diff(net(1), net(3))
    assert [change.parameters for change in again.changes if change.status == "added"] == [0, 0]
    assert "get another input" not in again.table()
    whole = diff(net(0), net(3))
    assert sorted(change.parameters for change in whole.changes if change.status == "added") == [0, 0, 20]
    assert sum(change.parameters for change in whole.changes) == 20


def test_a_block_that_shares_nothing_with_the_one_before_is_a_change_of_the_whole():
    before = small(lambda y: layers.Dropout(0.5, name="body.b")(layers.UpSampling2D(name="body.a")(y)))
    after = small(lambda y: layers.Add(name="body.d")([y, layers.ReLU(name="body.c")(y)]))
    (change,) = diff(before, after).changes
    assert (change.status, change.name, change.before.kind, change.after.kind) == ("changed", "body", "Block", "Block")


def test_a_skip_that_starts_elsewhere_is_a_change_of_what_reads_it():
    def net(source):
        def middle(y):
            made_ = [y]
            for i in range(3):
                made_.append(layers.Conv2D(8, 3, padding="same", name=f"body.conv{i}")(made_[-1]))
            return layers.Add(name="body.add")([made_[-1], made_[source]])

        return small(middle)

    expected = "inputs body.conv2, stem.activation → body.conv2, body.conv0"
    assert told(diff(net(0), net(1))) == [("changed", "body.add", expected)]


def test_one_layer_twice_or_two_layers():
    def net(shared):
        one = layers.Conv2D(8, 3, padding="same", name="body.1")
        two = one if shared else layers.Conv2D(8, 3, padding="same", name="body.2")
        return small(lambda y: two(one(y)))

    (change,) = diff(net(False), net(True)).changes
    assert change.details == (("shares weights with", None, "body.1"),)
    assert not diff(net(True), net(True))


def test_a_layer_that_is_another_only_in_what_it_returns():
    def net(height):
        return small(lambda y: layers.Reshape((height, 256 // height, 8), name="body")(y))

    assert told(diff(net(16), net(8))) == [("changed", "body", "target shape 16×16×8 → 8×32×8")]


def test_an_axis_may_be_counted_from_either_end():
    def net(axis):
        return small(lambda y: layers.BatchNormalization(axis=axis, name="body")(y))

    assert not diff(net(-1), net(3))


def test_loss_weights_and_outputs():
    def net(weight, extra=False):
        x = keras.Input((4,), name="x")
        y = layers.Dense(4, name="a")(x)
        outputs = {"main": layers.Dense(2, name="b")(y)} | ({"features": y} if extra else {})
        model = keras.Model(x, outputs, name="net")
        model.loss_weights = {"main": weight}
        return model

    assert told(diff(net(1.0), net(0.5))) == [("changed", "b", "loss weight 1 → 0.5")]
    assert told(diff(net(1.0), net(1.0, extra=True))) == [("changed", "a", "outputs 0 → 1")]


# -- mutations --------------------------------------------------------------------------------------------------------


def mutated(draw, graph):
    """A graph with one thing done to it, what was done, and whether that must be all that is found."""
    inner = [n.id for n in graph.nodes if n.role not in ("input", "model")]
    number = draw(st.sampled_from(inner))
    node = graph.nodes[number]
    what = draw(st.sampled_from(["attribute", "kind", "insert", "remove"]))
    if what in ("attribute", "kind"):
        changed = {
            "attribute": {"attributes": (*node.attributes, ("own", "new"))},
            "kind": {"kind": f"Other{node.kind}"},
        }
        nodes = tuple(replace(n, **changed[what]) if n.id == number else n for n in graph.nodes)
        return replace(graph, nodes=nodes), what
    if what == "insert":
        fresh = Node(number + 1, ("fresh",), "Fresh", "other", inputs=node.outputs, outputs=node.outputs)
        nodes = (*graph.nodes[: number + 1], fresh, *(replace(n, id=n.id + 1) for n in graph.nodes[number + 1 :]))

        def place(n):
            return n + 1 if n > number else n

        edges = [
            replace(e, source=number + 1 if e.source == number else place(e.source), target=place(e.target))
            for e in graph.edges
        ]
        outputs = [replace(o, source=number + 1 if o.source == number else place(o.source)) for o in graph.outputs]
        return replace(
            graph, nodes=tuple(nodes), edges=(*edges, Edge(number, number + 1)), outputs=tuple(outputs)
        ), what
    sources = [e for e in graph.edges if e.target == number]
    if len(sources) != 1 or any(o.source == number for o in graph.outputs):
        return None, what
    nodes = (*graph.nodes[:number], *(replace(n, id=n.id - 1) for n in graph.nodes[number + 1 :]))

    def kept(n):
        return n - 1 if n > number else n

    edges = [
        replace(
            e,
            source=kept(sources[0].source if e.source == number else e.source),
            source_port=sources[0].source_port if e.source == number else e.source_port,
            target=kept(e.target),
        )
        for e in graph.edges
        if e.target != number
    ]
    outputs = [replace(o, source=kept(o.source)) for o in graph.outputs]
    return replace(graph, nodes=tuple(nodes), edges=tuple(edges), outputs=tuple(outputs)), what


@given(st.data())
def test_one_mutation_is_found_and_nothing_else(data):
    graph = graph_of(random_model(data.draw))
    graph = replace(graph, nodes=tuple(replace(n, call=(1, 1), weights=()) for n in graph.nodes))
    other, what = mutated(data.draw, graph)
    if other is None:
        return
    difference = diff(graph, mark_edges(mark_heads(other)))
    found = sorted(change.status for change in difference.changes)
    if what == "kind" and found == ["added", "removed"]:  # of layers that have nothing in common but their place
        assert difference.changes[0].name == difference.changes[1].name
        return
    if what == "kind" and any(n.kind.startswith("Other") and n.role in ("add", "merge") for n in other.nodes):
        assert found, "how branches join decides which of them is which, so that more may be new"
        return
    statuses = {"attribute": "changed", "kind": "changed", "insert": "added", "remove": "removed"}
    assert found == [statuses[what]], told(difference)


def test_a_way_that_gets_shorter_keeps_its_layers():
    """Without its activation the way of the sum is the shorter one, and so computed after the other."""

    def net(active):
        x = keras.Input((8, 8, 3))
        y = layers.ReLU(name="active")(x) if active else x
        doubled = layers.Add(name="doubled")([y, y])
        other = layers.BatchNormalization()(layers.Conv2D(3, 1)(x))
        return keras.Model(x, layers.Dense(2)(layers.Flatten()(layers.Add()([doubled, other]))))

    with weightless():
        assert [(c.status, c.name) for c in diff(net(True), net(False)).changes] == [("removed", "active")]
        assert [(c.status, c.name) for c in diff(net(False), net(True)).changes] == [("added", "active")]


@given(st.data())
def test_however_different_both_models_are_in_the_difference(data):
    before, after = graph_of(random_model(data.draw)), graph_of(random_model(data.draw))
    difference = diff(before, after)
    found = [str(n.get("status", "kept")) for n in difference.layers.nodes]
    assert found.count("removed") + found.count("kept") + found.count("changed") == len(before.nodes)
    assert found.count("added") + found.count("kept") + found.count("changed") == len(after.nodes)
    assert [n.id for n in difference.layers.nodes] == list(range(len(found)))
    assert all(e.source < e.target for e in difference.layers.edges)
    gone = [n.path for n in difference.layers.nodes if n.get("status") == "removed"]
    assert len(set(gone)) == len(gone)
    assert not set(gone) & {n.path for n in difference.layers.nodes if n.get("status") != "removed"}
    back = diff(after, before)
    assert bool(back) == bool(difference)
    assert sum(c.parameters for c in difference.changes) <= difference.layers.parameters
    drawn = [layer for node in difference.graph.nodes for layer in leaves(node)]
    assert len(drawn) <= len(found)
    for text in (difference.summary, difference.table(), difference.table("latex"), difference.table("html")):
        assert text


# -- how it is told ---------------------------------------------------------------------------------------------------


def test_the_table_folds_equal_changes_and_adds_up():
    difference = diff(made(vgg16), made(vgg19))
    assert difference.table().splitlines() == [
        "change  where                                 what           parameters",
        "added   block3.conv4.conv                     3×3 conv, 256    +590,080",
        "added   block4.conv4.conv, block5.conv4.conv  3×3 conv, 512  +4,719,616",
        "total                                                        +5,309,696",
    ]
    assert difference.summary == (
        "From vgg16 to vgg19: 3 layers added; parameters 138,357,544 → 143,667,240; "
        "multiply-adds 15,470,264,320 → 19,632,062,464."
    )


def test_csv_has_a_row_for_each_change():
    rows = list(csv.reader(diff(made(resnet50), made(resnet50, dialect="v1.5")).table("csv").splitlines()))
    assert rows[0] == ["change", "where", "what", "parameters"] and len(rows) == 1 + 6 + 1
    assert rows[1] == ["changed", "stage2.block1.conv1.conv", "strides 2 → 1", "0"]


def test_what_follows_from_a_change_is_counted_by_itself():
    difference = diff(small(lambda y: y), small(lambda y: conv_bn(y, 12, name="body")))
    rows = difference.table().splitlines()
    assert rows[-2].split() == ["kept", "layers", "that", "get", "another", "input", "+288"]
    total = difference.after.parameters - difference.before.parameters
    assert rows[-1].split() == ["total", f"+{total:,}"]


def test_the_status_of_a_block_is_that_of_all_its_layers():
    difference = diff(made(resnet18), made(resnet18, repeats=(2, 2, 3, 2)), depth=2)
    found = {n.name: status(n) for n in difference.graph.nodes}
    assert found["stage3.block3"] == "added"
    assert {name for name, s in found.items() if s != "kept"} == {"stage3.block3"}
    assert {status(n) for n in diff(made(resnet18), made(resnet18, repeats=(2, 2, 3, 2)), depth=1).graph.nodes} == {
        "kept",
        "changed",
    }


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"a": 3}, TypeError, "diff: a must be a built Keras model, a file of one, or a Graph, got 3"),
        ({"b": None}, TypeError, "diff: b must be a built Keras model, a file of one, or a Graph, got None"),
        ({"depth": 0}, ValueError, "diff: depth must be 'auto', None .*, got 0"),
        ({"depth": "all"}, ValueError, "diff: depth must be 'auto', None .*, got 'all'"),
        ({"max_boxes": 0}, ValueError, "diff: max_boxes must be a positive integer, got 0"),
    ],
)
def test_wrong_arguments(arguments, error, says):
    with pytest.raises(error, match=says):
        diff(**{"a": small(lambda y: y), "b": small(lambda y: y), **arguments})


def test_a_wrong_format():
    with pytest.raises(ValueError, match=r"table: format must be one of 'text', 'markdown', .*, got 'wordd'"):
        diff(Graph("a", "", (), ()), Graph("b", "", (), ())).table("wordd")


def test_the_figure_says_what_is_new_gone_and_changed():
    figure = diff(made(resnet50), made(resnet50, dialect="v1.5")).figure(width="ieee1")
    texts = [item.text for item in figure.scene.items if isinstance(item, Text)]
    assert figure.width == pytest.approx(points("ieee1"), abs=0.01) and figure.text_size >= 6
    names = [text for text in texts if text[:1] in "−≠" or re.match(r"\+ stage", text)]
    assert names == [f"≠ stage{stage}.block1" for stage in (2, 3, 4)]
    assert texts.count("conv1: strides 2 → 1") == texts.count("conv2: strides 1 → 2") == 3
    assert "changed" in texts and "added" not in texts
    figure = diff(made(googlenet), made(googlenet, aux=False)).figure(direction="LR")
    assert {"− aux1", "− aux2", "removed"} <= {item.text for item in figure.scene.items if isinstance(item, Text)}


def test_three_looks_in_black_and_white():
    looks = [(paint.dashes, paint.stripe, paint.width) for paint in PAINTS.values()]
    assert len(set(looks)) == len(looks)
    assert PAINTS["removed"].dashes and not PAINTS["added"].dashes and PAINTS["changed"].width > PAINTS["added"].width


# -- pairs that differ in one thing -----------------------------------------------------------------------------------


def doubled(x):
    return 2 * x


def halved(x):
    return x / 2


class Scaled(layers.Layer):
    def __init__(self, by, **options):
        super().__init__(**options)
        self.by = by

    def call(self, x):
        return x * self.by

    def get_config(self):
        return {**super().get_config(), "by": self.by}


class Forgetful(layers.Layer):
    """It cannot write down what it was given."""

    def __init__(self, function, **options):
        super().__init__(**options)
        self.function = function

    def call(self, x):
        return self.function(x)


def in_a_row(*steps):
    def chain(x):
        for step in steps:
            x = step(x)
        return x

    return chain


def heads(number, width, **given):
    return lambda x: layers.MultiHeadAttention(number, width)(x, x, **given)


def in_time(layer):
    return in_a_row(layers.Reshape((4, 4, 4, 1)), layers.TimeDistributed(layer))


SEQUENCE, IMAGE = (8, 16), (8, 8, 4)
# Two networks on an input of that shape, and what of the second is not as in the first.
UNEQUAL = {
    "heads": (SEQUENCE, lambda: heads(4, 16), lambda: heads(8, 8), "num heads 4 → 8"),
    "width of heads": (SEQUENCE, lambda: heads(2, 16), lambda: heads(2, 8), "key dim 16 → 8"),
    "causal": (SEQUENCE, lambda: heads(4, 16), lambda: heads(4, 16, use_causal_mask=True), "use causal mask"),
    "backwards": (
        SEQUENCE,
        lambda: layers.LSTM(8, return_sequences=True),
        lambda: layers.LSTM(8, return_sequences=True, go_backwards=True),
        "go backwards False → True",
    ),
    "recurrent activation": (
        SEQUENCE,
        lambda: layers.GRU(8),
        lambda: layers.GRU(8, recurrent_activation="tanh"),
        "recurrent activation sigmoid → tanh",
    ),
    "reset after": (SEQUENCE, lambda: layers.GRU(8), lambda: layers.GRU(8, reset_after=False), "reset after"),
    "one of two cells": (
        SEQUENCE,
        lambda: layers.RNN([layers.LSTMCell(4), layers.LSTMCell(4)]),
        lambda: layers.RNN([layers.LSTMCell(4), layers.LSTMCell(4, recurrent_activation="relu")]),
        "^recurrent activation sigmoid → relu",
    ),
    "merge of both ways": (
        SEQUENCE,
        lambda: layers.Bidirectional(layers.LSTM(4), merge_mode="sum"),
        lambda: layers.Bidirectional(layers.LSTM(4), merge_mode="ave"),
        "^average",
    ),
    "kind in both ways": (
        SEQUENCE,
        lambda: layers.Bidirectional(layers.LSTM(4)),
        lambda: layers.Bidirectional(layers.GRU(4)),
        "^LSTM → GRU",
    ),
    "dilation in time": (
        (64,),
        lambda: in_time(layers.Conv2D(4, 3, padding="same", dilation_rate=1)),
        lambda: in_time(layers.Conv2D(4, 3, padding="same", dilation_rate=2)),
        "^dilation rate",
    ),
    "activation in time": (
        SEQUENCE,
        lambda: layers.TimeDistributed(layers.Dense(4, "relu")),
        lambda: layers.TimeDistributed(layers.Dense(4, "tanh")),
        "^activation relu → tanh",
    ),
    "factor": (SEQUENCE, lambda: lambda x: x * 2.0, lambda: lambda x: x * 3.0, "argument 1 2 → 3"),
    "summand": (SEQUENCE, lambda: lambda x: x + 1.0, lambda: lambda x: x + 2.0, "argument 1 1 → 2"),
    "exponent": (SEQUENCE, lambda: lambda x: x**2, lambda: lambda x: x**3, "argument 1 2 → 3"),
    "constant": (
        SEQUENCE,
        lambda: lambda x: x + np.arange(16.0, dtype="float32"),
        lambda: lambda x: x + np.arange(1.0, 17.0, dtype="float32"),
        "argument 1 array 16 with",
    ),
    "slice": (SEQUENCE, lambda: lambda x: x[..., :4], lambda: lambda x: x[..., 12:], "argument 1"),
    "axes": (
        IMAGE,
        lambda: lambda x: keras.ops.transpose(x, (0, 1, 2, 3)),
        lambda: lambda x: keras.ops.transpose(x, (0, 2, 1, 3)),
        "axes 0×1×2×3 → 0×2×1×3",
    ),
    "axis of a mean": (
        IMAGE,
        lambda: lambda x: keras.ops.mean(x, 1),
        lambda: lambda x: keras.ops.mean(x, 2),
        "axis",
    ),
    "axis of a softmax": (SEQUENCE, lambda: layers.Softmax(-1), lambda: layers.Softmax(1), "axis"),
    "permutation": (IMAGE, lambda: layers.Permute((1, 2, 3)), lambda: layers.Permute((2, 1, 3)), "dims"),
    "shift": (SEQUENCE, lambda: lambda x: keras.ops.roll(x, 1, 1), lambda: lambda x: keras.ops.roll(x, 2, 1), "shift"),
    "equation": (
        SEQUENCE,
        lambda: lambda x: keras.ops.einsum("bij,bij->bi", x, x),
        lambda: lambda x: keras.ops.einsum("bij,bkj->bi", x, x),
        "subscripts",
    ),
    "rescaling": (IMAGE, lambda: layers.Rescaling(1 / 255), lambda: layers.Rescaling(1 / 127.5), "scale"),
    "offset": (IMAGE, lambda: layers.Rescaling(2.0), lambda: layers.Rescaling(2.0, -1.0), "offset 0 → -1"),
    "lambda": (SEQUENCE, lambda: layers.Lambda(lambda x: x), lambda: layers.Lambda(lambda x: -x), "cannot be compared"),
    "activation lambda": (
        SEQUENCE,
        lambda: layers.Dense(4, activation=lambda x: x),
        lambda: layers.Dense(4, activation=lambda x: -x),
        "activation cannot be compared: <lambda> is not registered",
    ),
    "own activation": (
        SEQUENCE,
        lambda: layers.Dense(4, doubled),
        lambda: layers.Dense(4, halved),
        "activation cannot be compared: doubled is not registered",
    ),
    "own layer": (SEQUENCE, lambda: Scaled(2), lambda: Scaled(3), "by 2 → 3"),
    "own layer that does not say": (
        SEQUENCE,
        lambda: Forgetful(doubled),
        lambda: Forgetful(halved),
        "cannot be compared",
    ),
    "slope": (SEQUENCE, lambda: layers.LeakyReLU(0.3), lambda: layers.LeakyReLU(0.01), "negative slope 0.3 → 0.01"),
    "ReLU6": (SEQUENCE, lambda: layers.ReLU(), lambda: layers.ReLU(6), "max value none → 6"),
    "threshold": (SEQUENCE, lambda: layers.ReLU(), lambda: layers.ReLU(threshold=1.0), "threshold 0 → 1"),
    "ELU": (SEQUENCE, lambda: layers.ELU(1.0), lambda: layers.ELU(0.5), "alpha 1 → 0.5"),
    "dtype": (SEQUENCE, lambda: layers.Dense(4), lambda: layers.Dense(4, dtype="bfloat16"), "dtype"),
    "regularizer": (
        SEQUENCE,
        lambda: layers.Dense(4),
        lambda: layers.Dense(4, kernel_regularizer="l2"),
        "kernel regularizer none → ",
    ),
    "constraint": (
        SEQUENCE,
        lambda: layers.Dense(4),
        lambda: layers.Dense(4, kernel_constraint="non_neg"),
        "kernel constraint none → ",
    ),
    "epsilon": (
        SEQUENCE,
        lambda: layers.LayerNormalization(),
        lambda: layers.LayerNormalization(epsilon=1e-6),
        "epsilon 0.001 → 1e-06",
    ),
    "groups": (IMAGE, lambda: layers.GroupNormalization(2), lambda: layers.GroupNormalization(4), "groups 2 → 4"),
    "interpolation": (
        IMAGE,
        lambda: layers.UpSampling2D(2),
        lambda: layers.UpSampling2D(2, interpolation="bilinear"),
        "interpolation nearest → bilinear",
    ),
    "side of a padding": (
        IMAGE,
        lambda: layers.ZeroPadding2D(((1, 0), (1, 0))),
        lambda: layers.ZeroPadding2D(((0, 1), (0, 1))),
        "padding",
    ),
    "side of a cropping": (
        IMAGE,
        lambda: layers.Cropping2D(((1, 0), (1, 0))),
        lambda: layers.Cropping2D(((0, 1), (0, 1))),
        "cropping",
    ),
    "rate": (SEQUENCE, lambda: layers.Dropout(0.1), lambda: layers.Dropout(0.2), "rate 0.1 → 0.2"),
}
UNCLEAR = [name for name, case in UNEQUAL.items() if "cannot be compared" in case[3]]


def of(shape, make):
    x = keras.Input(shape, name="x")
    return keras.Model(x, make()(x), name="net")


@pytest.mark.parametrize("name", UNEQUAL)
def test_no_change_goes_unseen(name):
    shape, before, after, says = UNEQUAL[name]
    difference = diff(of(shape, before), of(shape, after))
    assert difference and "have the same structure" not in difference.summary
    change, *same = [c for c in difference.changes if re.search(says, c.words)]  # both ways, in both
    assert len(same) == (name == "kind in both ways")
    assert change.status == ("unclear" if name in UNCLEAR else "added" if says == "^average" else "changed")
    assert change.words.split(":")[0].split(" →")[0] in difference.table()


@pytest.mark.parametrize("name", [name for name in UNEQUAL if name not in UNCLEAR])
def test_what_is_made_twice_is_the_same(name):
    shape, before, _, _ = UNEQUAL[name]
    assert not diff(of(shape, before), of(shape, before))


def test_what_cannot_be_compared_is_the_same_as_itself_and_shown_with_a_mark():
    models = [of(SEQUENCE, UNEQUAL["lambda"][which]) for which in (1, 2)]
    assert not diff(models[0], models[0])
    difference = diff(*models)
    assert [status(node) for node in difference.layers.nodes] == ["kept", "unclear"]
    assert "1 layer that cannot be compared (function)" in difference.summary
    assert difference.figure()


def test_what_is_trained_is_no_change_of_structure_but_said():
    one, other = (of(SEQUENCE, lambda: layers.Dense(4)) for _ in range(2))
    other.layers[1].trainable = False
    assert not diff(one, other)
    assert diff(one, other).summary.endswith("have the same structure; trained parameters 68 → 0.")
