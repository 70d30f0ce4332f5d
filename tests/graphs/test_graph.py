"""The graph says what the model says: against the model's own config, Keras's own diagram, and closed forms."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from contextlib import contextmanager

import keras
import pytest
from keras import layers

from layerblocks.blocks import weightless
from layerblocks.graphs import Graph, Node, collapse, read_graph
from layerblocks.graphs.graph import Edge, mark_edges, mark_heads, subgraph
from layerblocks.graphs.totals import multiply_adds
from layerblocks.viz import Theme, alt_text, model_to_dot, plot_model
from layerblocks.viz.dot import Options, layer_figure


def residual_net():
    x = keras.Input((8, 8, 3), name="image")
    y = layers.Conv2D(4, 3, padding="same", name="stem.conv")(x)
    z = layers.Conv2D(4, 3, padding="same", name="block.1.conv")(y)
    z = layers.BatchNormalization(name="block.1.norm")(z)
    z = layers.Add(name="block.add")([z, y])
    z = layers.ReLU(name="block.activation")(z)
    z = layers.GlobalAveragePooling2D(name="head.pool")(z)
    return keras.Model(x, layers.Dense(10, name="head.dense")(z), name="residual")


def branching_net():
    x = keras.Input((8, 8, 4), name="image")
    left = layers.Conv2D(3, 1, name="mix.1x1.conv")(x)
    right = layers.Conv2D(5, 3, padding="same", name="mix.3x3.conv")(layers.Conv2D(2, 1, name="mix.reduce.conv")(x))
    y = layers.Concatenate(name="mix.concat")([left, right])
    aux = layers.Dense(2, name="aux1.dense")(layers.Flatten(name="aux1.flatten")(y))
    y = layers.Conv2D(4, 1, name="last.conv")(y)
    main = layers.Dense(2, name="head.dense")(layers.GlobalMaxPooling2D(name="head.pool")(y))
    return keras.Model(x, {"main": main, "aux1": aux}, name="branching")


def shared_net():
    a, b = keras.Input((8,), name="a"), keras.Input((5, 8), name="b")
    dense = layers.Dense(4, name="shared")
    left, right = dense(a), layers.GlobalAveragePooling1D(name="mean")(dense(b))
    double = layers.Add(name="double")([left, left])
    joined = layers.Concatenate(name="join")([double, right, left])
    return keras.Model({"a": a, "b": b}, {"out": {"deep": joined}, "flat": [double, right]}, name="shared")


def nested_net():
    inner = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3, name="conv")], name="features")
    u = keras.Input((6, 6, 4), name="entry")
    outer = keras.Model(u, layers.Flatten(name="flat")(layers.ReLU(name="relu")(u)), name="top")
    x = keras.Input((8, 8, 3), name="image")
    return keras.Model(x, layers.Dense(3, name="dense")(outer(inner(x))), name="nested")


def several_outputs_net():
    x = keras.Input((4,), name="x")
    _, state = layers.GRU(3, return_state=True, name="gru")(layers.Reshape((2, 2), name="pairs")(x))
    return keras.Model(x, layers.Dense(1, name="dense")(state), name="states")


NETS = [residual_net, branching_net, shared_net, nested_net, several_outputs_net]


def config_edges(model):
    """The edges that the model's config tells, with the call that each end is: a truth that the reader never sees."""
    found = []
    for layer in model.get_config()["layers"]:
        for call, node in enumerate(layer["inbound_nodes"]):
            for name, index, port in histories(node):
                found.append(((name, index, port), (layer["name"], call)))
    return found


def histories(value):
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return [tuple(value["config"]["keras_history"])]
        value = list(value.values())
    return [h for each in value for h in histories(each)] if isinstance(value, list | tuple) else []


@pytest.mark.parametrize("net", NETS)
def test_edges_are_those_of_the_config(net):
    model = net()
    graph = read_graph(model)
    call = {n.id: n.call[0] - 1 for n in graph.nodes}
    name = {n.id: n.name for n in graph.nodes}
    edges = [((name[e.source], call[e.source], e.source_port), (name[e.target], call[e.target])) for e in graph.edges]
    assert Counter(edges) == Counter(config_edges(model))
    assert [n.id for n in graph.nodes] == list(range(len(graph.nodes)))
    assert all(e.source < e.target for e in graph.edges), "not in an order of computation"


KERAS_TITLE = re.compile(r"<b>(.*?)</b> \((\w+)\)")
OUR_TITLE = re.compile(r"<B>([^<]*)</B> \((\w+)")


def dot_truth(dot, title):
    """Names and kinds of the boxes, and the pairs that edges join, of a pydot graph and the clusters in it."""
    names, pairs, graphs = {}, set(), [dot]
    for each in graphs:
        graphs += each.get_subgraphs()
        for node in each.get_nodes():
            if found := title.search(str(node.get("label"))):
                names[node.get_name()] = found.groups()
        pairs |= {(e.get_source(), e.get_destination()) for e in each.get_edges()}
    return set(names.values()), {(names[a], names[b]) for a, b in pairs}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("expand", [False, True])
def test_draws_the_boxes_and_edges_that_keras_draws(net, expand):
    model = net()
    mine = dot_truth(model_to_dot(model, expand_nested=expand), OUR_TITLE)
    assert mine == dot_truth(keras.utils.model_to_dot(model, expand_nested=expand), KERAS_TITLE)


def test_draws_a_sequential_as_keras_does():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="one"), layers.Dense(2, name="two")])
    assert dot_truth(model_to_dot(model), OUR_TITLE) == dot_truth(keras.utils.model_to_dot(model), KERAS_TITLE)
    assert [n.name for n in plot_model(model, None, depth=1).graph.nodes][1:] == ["one", "two"]


@pytest.mark.parametrize("net", NETS)
def test_parameters_are_those_that_keras_counts(net):
    model = net()
    model.layers[-1].trainable = False
    for expand in (False, True):
        graph = read_graph(model, expand_nested=expand)
        assert graph.parameters == model.count_params()
        assert graph.trainable_parameters == sum(math.prod(w.shape) for w in model.trainable_weights)
        for depth in (1, 2, 3):
            blocks = collapse(graph, depth)
            assert (blocks.parameters, blocks.multiply_adds) == (graph.parameters, graph.multiply_adds)


def test_a_shared_layer_shows_each_call():
    calls = [n for n in read_graph(shared_net()).nodes if n.name == "shared"]
    assert [n.call for n in calls] == [(1, 2), (2, 2)]
    assert [(n.inputs, n.outputs) for n in calls] == [
        (((None, 8),), ((None, 4),)),
        (((None, 5, 8),), ((None, 5, 4),)),
    ]
    assert [n.multiply_adds for n in calls] == [32, 160]


def test_a_tensor_taken_twice_makes_two_edges_at_every_depth():
    for depth in (None, 1):
        graph = plot_model(shared_net(), None, depth=depth).graph
        target = next(n.id for n in graph.nodes if n.name == "double")
        assert [(e.target_port, e.shape) for e in graph.edges if e.target == target] == [(0, (None, 4)), (1, (None, 4))]


def test_a_nested_model_shows_the_shapes_of_its_call():
    graph = read_graph(nested_net(), expand_nested=True)
    conv = next(n for n in graph.nodes if n.name == "features.conv")
    assert conv.outputs == ((None, 6, 6, 4),) and conv.multiply_adds == 6 * 6 * 4 * 27
    assert [f.name for f in graph.frames] == ["features", "top"]
    whole = next(n for n in read_graph(nested_net()).nodes if n.name == "features")
    assert (whole.role, whole.multiply_adds) == ("model", conv.multiply_adds)


class Moody(layers.Layer):
    """Refuses any input, once it is said."""

    refuses = False

    def call(self, x):
        if self.refuses:
            raise RuntimeError("not now")
        return x * 1


def test_of_a_layer_that_refuses_other_shapes_those_written_in_the_model_are_shown():
    moody, inside, x = Moody(name="moody"), keras.Input((None, 3)), keras.Input((8, 3))
    model = keras.Model(x, keras.Model(inside, moody(inside), name="inner")(x))
    moody.refuses = True
    assert read_graph(model, expand_nested=True).nodes[-1].outputs == ((None, None, 3),)


def test_two_calls_of_a_nested_model_are_two_frames_and_two_blocks():
    inner_in = keras.Input((None, 3), name="i")
    inner = keras.Model(inner_in, layers.Dense(2, name="d")(inner_in), name="twin")
    a, b = keras.Input((4, 3), name="a"), keras.Input((5, 3), name="b")
    y = [layers.Flatten(name=f"flat{i}")(inner(x)) for i, x in enumerate((a, b))]
    model = keras.Model([a, b], layers.Concatenate(name="join")(y))
    graph = collapse(read_graph(model, expand_nested=True), 1)
    twins = [n for n in graph.nodes if n.name == "twin"]
    assert [n.outputs for n in twins] == [((None, 4, 2),), ((None, 5, 2),)]
    assert graph.parameters == 8


def test_output_keys_of_nested_structures():
    assert [o.key for o in read_graph(shared_net()).outputs] == ["flat.0", "flat.1", "out.deep"]
    assert [o.key for o in read_graph(residual_net()).outputs] == ["head.dense"]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.dense = layers.Dense(3)

    def call(self, x):
        return self.dense(x)


def test_a_subclassed_model_is_read_by_following_its_call():
    model = Subclassed()
    model(keras.ops.zeros((2, 4)))
    _, node = read_graph(model).nodes
    assert (node.name, node.kind, node.parameters, node.multiply_adds) == ("dense", "Dense", 15, 12)
    x = keras.Input((4,), name="x")
    outer = keras.Model(x, Subclassed()(x))
    inside = read_graph(outer, expand_nested=True)
    assert [(n.name, n.outputs, n.multiply_adds) for n in inside.nodes[1:]] == [("own.dense", ((None, 3),), 12)]
    assert [(n.kind, n.closed) for n in read_graph(outer).nodes[1:]] == [("Subclassed", "")]


class Deciding(Subclassed):
    def call(self, x):
        return self.dense(x) if float(keras.ops.sum(x)) > 0 else x


def test_a_model_whose_call_cannot_be_followed_is_one_box_that_says_why():
    model = Deciding()
    model.build((None, 4))
    model(keras.ops.ones((2, 4)))
    (node,) = read_graph(model).nodes
    assert (node.kind, node.parameters, node.multiply_adds) == ("Deciding", 15, None)
    assert node.closed.startswith("its call cannot be followed: ")
    assert len(plot_model(model, None, depth=1).graph.nodes) == 1
    assert "Deciding; not opened, its call cannot be followed" in alt_text(model)


@pytest.mark.parametrize("model", [Subclassed(), keras.Sequential([layers.Dense(2)])], ids=["subclassed", "sequential"])
def test_an_unbuilt_model_is_refused(model):
    with pytest.raises(ValueError, match=r"plot_model: model '\w+' is not built.*build\(input_shape\)"):
        plot_model(model, None)


@pytest.mark.parametrize("thing", [None, layers.Dense(2)])
def test_what_is_no_model_is_refused(thing):
    with pytest.raises(TypeError, match=r"model_to_dot: model must be a built Keras model, or a file of one, got "):
        model_to_dot(thing)
    with pytest.raises(ValueError, match=r"model_to_dot: model must be a file of a Keras model .*No such file"):
        model_to_dot("model")


# -- multiply-adds ----------------------------------------------------------------------------------------------------

KINDS = [
    (layers.Conv2D(6, (3, 5), strides=2), (9, 11, 4), 6 * 4 * 15 * 4 * 4),
    (layers.Conv2D(6, 3, padding="same", groups=2), (5, 7, 4), 6 * 2 * 9 * 35),
    (layers.Conv2D(6, 3, dilation_rate=2), (9, 9, 2), 6 * 2 * 9 * 25),
    (layers.Conv2D(6, 3, data_format="channels_first"), (2, 9, 8), 6 * 2 * 9 * 7 * 6),
    (layers.Conv1D(3, 4), (10, 2), 3 * 2 * 4 * 7),
    (layers.Conv3D(2, 2), (3, 4, 5, 3), 2 * 3 * 8 * 2 * 3 * 4),
    (layers.DepthwiseConv2D(3, depth_multiplier=2), (6, 6, 5), 9 * 5 * 2 * 16),
    (layers.SeparableConv2D(7, 3, strides=2, padding="same", depth_multiplier=2), (6, 6, 5), (90 + 70) * 9),
    (layers.Conv2DTranspose(4, 3, strides=2), (5, 6, 3), 4 * 3 * 9 * 30),
    (layers.Dense(7), (5,), 35),
    (layers.Dense(7), (3, 4, 5), 35 * 12),
    (layers.BatchNormalization(), (4, 4, 8), 0),
    (layers.MaxPooling2D(), (4, 4, 8), 0),
    (layers.Embedding(10, 4), (6,), 0),
    (layers.Embedding(10, 4), (None,), 0),
    (layers.Conv2D(6, 3), (None, 9, 4), None),
    (layers.Dense(7), (None, 5), None),
    (layers.LSTM(3), (4, 5), 4 * 4 * 3 * (5 + 3)),
    (layers.Lambda(lambda x: x), (4, 5), None),
]


@pytest.mark.parametrize(("layer", "shape", "expected"), KINDS, ids=lambda v: getattr(v, "name", None))
def test_multiply_adds_of_each_kind(layer, shape, expected):
    outputs = layer(keras.Input(shape)).shape
    assert multiply_adds(layer, [(None, *shape)], [outputs]) == expected


def test_a_layer_may_count_for_itself():
    class Sparse(layers.Conv2D):
        def multiply_adds(self, input_shape, output_shape):
            return input_shape[-1] * output_shape[1]

    x = keras.Input((8, 8, 3))
    assert read_graph(keras.Model(x, Sparse(4, 3)(x))).multiply_adds == 3 * 6


@pytest.mark.parametrize(("name", "billions"), [("VGG16", 15.470), ("ResNet50", 3.858), ("DenseNet121", 2.834)])
def test_multiply_adds_of_published_networks(name, billions):
    with weightless():
        model = getattr(keras.applications, name)(weights=None)
    graph = read_graph(model)
    assert round(graph.multiply_adds / 1e9, 3) == billions
    assert graph.parameters == model.count_params()


# -- roles ------------------------------------------------------------------------------------------------------------


def roles(graph):
    name = [n.name for n in graph.nodes]
    return {(name[e.source], name[e.target]): e.role for e in graph.edges if e.role != "trunk"}


def test_an_identity_past_layers_is_a_skip():
    assert roles(read_graph(residual_net())) == {("stem.conv", "block.add"): "skip"}


def test_a_short_way_with_a_convolution_to_a_sum_is_a_projection_and_equal_ways_are_branches():
    def conv(x, name, kernel=3):
        return layers.Conv2D(4, kernel, padding="same", name=name)(x)

    x = keras.Input((8, 8, 4), name="x")
    y = conv(conv(x, "a"), "b")
    z = layers.Add(name="sum")([y, layers.BatchNormalization(name="norm")(conv(x, "short", 1))])
    w = layers.Add(name="end")([conv(z, "left"), conv(z, "right")])
    ways = dict.fromkeys((("x", "short"), ("short", "norm"), ("norm", "sum")), "projection")
    ways |= dict.fromkeys((("sum", "left"), ("sum", "right"), ("left", "end"), ("right", "end")), "branch")
    assert roles(read_graph(keras.Model(x, w))) == ways


def test_what_leaves_some_of_the_nodes_and_what_comes_in():
    graph = read_graph(branching_net())
    number = {node.name: node.id for node in graph.nodes}
    part = subgraph(graph, [number["mix.reduce.conv"], number["mix.3x3.conv"], number["mix.concat"]])
    assert [node.name for node in part.nodes] == ["mix.reduce.conv", "mix.3x3.conv", "mix.concat"]
    assert [(edge.source, edge.target) for edge in part.edges] == [(0, 1), (1, 2)]
    assert [(output.key, output.source) for output in part.outputs] == [("mix.concat", 2)]
    assert [(edge.source, edge.source_port, edge.target) for edge in part.entries] == [(0, 0, 0), (1, 0, 2)]
    last = subgraph(graph, [number["head.pool"], number["head.dense"]])
    assert [(output.key, output.source) for output in last.outputs] == [("head.dense", 1)]
    assert [(edge.source, edge.source_port, edge.target) for edge in last.entries] == [(0, 0, 0)]


def test_branches_and_auxiliary_heads():
    assert roles(read_graph(branching_net())) == {
        ("image", "mix.1x1.conv"): "branch",
        ("image", "mix.reduce.conv"): "branch",
        ("mix.reduce.conv", "mix.3x3.conv"): "branch",
        ("mix.1x1.conv", "mix.concat"): "branch",
        ("mix.3x3.conv", "mix.concat"): "branch",
        ("mix.concat", "aux1.flatten"): "aux",
        ("aux1.flatten", "aux1.dense"): "aux",
    }
    assert roles(collapse(read_graph(branching_net()))) == {("mix", "aux1"): "aux"}


def test_a_model_with_nothing_but_auxiliary_outputs_has_no_heads():
    x = keras.Input((2,), name="x")
    graph = read_graph(keras.Model(x, {"aux1": layers.Dense(1, name="d")(x)}))
    assert all(n.head is None for n in graph.nodes)


def test_a_head_is_known_by_its_key_alone():
    x = keras.Input((2,), name="x")
    y = layers.Dense(3, name="body")(x)
    model = keras.Model(x, {"main": layers.Dense(1, name="a")(y), "aux": layers.Dense(1, name="b")(y)})
    assert {n.name: n.head for n in read_graph(model).nodes if n.head} == {"b": "aux"}


# -- loss weights -----------------------------------------------------------------------------------------------------


def weights(model, **kwargs):
    return {o.key: o.loss_weight for o in read_graph(model, **kwargs).outputs}


def test_loss_weights_come_from_the_argument_else_compile_else_the_model():
    model = branching_net()
    assert weights(model) == {"main": None, "aux1": None}
    model.loss_weights = {"main": 1.0, "aux1": 0.2}
    assert weights(model) == {"main": 1.0, "aux1": 0.2}
    loss = {"main": "mse", "aux1": "mse"}
    model.compile(loss=loss, loss_weights={"main": 1.0, "aux1": 0.3})
    assert weights(model) == {"main": 1.0, "aux1": 0.3}
    assert weights(model, loss_weights={"aux1": 0.4}) == {"main": None, "aux1": 0.4}
    assert "loss × 0.3" in plot_model(model, None, depth=1).svg


def test_a_list_of_loss_weights_goes_by_sorted_key_as_keras_does():
    model = branching_net()
    model.compile(loss={"main": "mse", "aux1": "mse"}, loss_weights=[0.3, 1.0])
    assert weights(model) == {"aux1": 0.3, "main": 1.0}


def test_a_model_that_cannot_write_down_how_it_was_compiled_draws_all_the_same(monkeypatch):
    model = branching_net()
    model.loss_weights = {"aux1": 0.5}
    monkeypatch.setattr(keras.Model, "get_compile_config", lambda self: 1 / 0)
    assert weights(model)["aux1"] == 0.5


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"aux": 0.3}, ValueError, "plot_model: loss_weights must be .* an output; did you mean 'aux1'.*got 'aux'"),
        ({"aux1": "a lot"}, TypeError, r"loss_weights\['aux1'\] must be a finite number, got 'a lot'"),
        ([0.3, 1], TypeError, "loss_weights must be a dict of numbers by output, or None, got"),
    ],
)
def test_wrong_loss_weights(given, error, says):
    with pytest.raises(error, match=says):
        plot_model(branching_net(), None, loss_weights=given)


# -- depth of the graph -----------------------------------------------------------------------------------------------


@contextmanager
def recursion_limit(frames):
    before, depth, frame = sys.getrecursionlimit(), 0, sys._getframe()
    while frame:
        depth, frame = depth + 1, frame.f_back
    sys.setrecursionlimit(depth + frames)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def test_hundreds_of_layers_need_no_recursion():
    x = y = keras.Input((2,), name="x")
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)  # Keras recurses when it builds
    try:
        for i in range(250):
            y = layers.Add(name=f"b{i}.add")([layers.Dropout(0.1, name=f"b{i}.drop")(y), y])
        model = keras.Model(x, y)
    finally:
        sys.setrecursionlimit(before)
    with recursion_limit(80):
        layered, blocks = model_to_dot(model), plot_model(model, None, depth=1)
        assert len(layered.get_edge_list()) == 750
        assert len(blocks.graph.nodes) == 251
        assert len(blocks.svg) > 250


def test_1202_blocks():
    """More than Keras can build without help, as plain data."""
    nodes = [Node(0, ("x",), "InputLayer", "input", outputs=((None, 2),))]
    edges = []
    for block in range(1202):
        start = nodes[-1].id
        for part in range(6):
            nodes.append(Node(len(nodes), (f"b{block}", f"c{part}"), "Conv2D", "conv", outputs=((None, 2),)))
            edges.append(Edge(nodes[-1].id - 1, nodes[-1].id, shape=(None, 2)))
        nodes.append(Node(len(nodes), (f"b{block}", "add"), "Add", "add", inputs=((2,),) * 2, outputs=((None, 2),)))
        edges += [Edge(nodes[-1].id - 1, nodes[-1].id), Edge(start, nodes[-1].id, target_port=1)]
    layer_figure(Graph("x", "Functional", (nodes[0],), ()), Options(), Theme())  # imports what needs the usual depth
    with recursion_limit(40):
        graph = mark_edges(mark_heads(Graph("deep", "Functional", tuple(nodes), tuple(edges))))
        blocks = collapse(graph, 1)
        assert "splines=spline" in layer_figure(graph, Options(), Theme()).to_string()
    assert Counter(e.role for e in graph.edges) == {"trunk": 1202 * 7, "skip": 1202}
    assert len(blocks.nodes) == 1203 and all(n.role == "residual" for n in blocks.nodes[1:])


# -- Keras's own -------------------------------------------------------------------------------------------------------


def test_what_the_reader_knows_of_keras():
    """Seen on Keras 3.15. Where this fails, Keras has changed, and viz/reader.py is the file to change."""
    x = keras.Input((4,), name="x")
    layer = layers.Dense(2, name="dense")
    model = keras.Model(x, layer(x))
    (call,) = layer._inbound_nodes
    assert call.operation is layer and not call.is_input
    assert call.input_tensors[0] is x and call.outputs[0] is model.outputs[0]
    history = model.outputs[0]._keras_history
    assert (history.operation, history.node_index, history.tensor_index) == (layer, 0, 0)
    other = keras.KerasTensor((7, 4))
    args, kwargs = call.arguments.fill_in({id(x): other})
    assert args[0] is other and not kwargs
    assert model._outputs_struct is not None
    sequential = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    assert isinstance(sequential._functional, keras.Function) and not isinstance(sequential, keras.Function)
