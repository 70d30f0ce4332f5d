"""Subclassed models and layers with layers inside, read by following their `call`."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from layerblocks.blocks import weightless
from layerblocks.graphs import fold, min_input_size, opened, overview, read_graph, receptive_field, same_kind
from layerblocks.viz.texts.layer_labels import describe

from ..helpers import needs_tensorflow


class Residual(layers.Layer):
    def __init__(self, filters, strides=1, **options):
        super().__init__(**options)
        self.conv1 = layers.Conv2D(filters, 3, strides, "same", use_bias=False)
        self.bn1 = layers.BatchNormalization()
        self.conv2 = layers.Conv2D(filters, 3, 1, "same", use_bias=False)
        self.bn2 = layers.BatchNormalization()
        self.relu = layers.ReLU()
        self.projection = layers.Conv2D(filters, 1, strides, use_bias=False) if strides > 1 else None

    def call(self, x, training=None):
        y = self.relu(self.bn1(self.conv1(x), training=training))
        y = self.bn2(self.conv2(y), training=training)
        return self.relu(y + (x if self.projection is None else self.projection(x)))


class ResNet(keras.Model):
    def __init__(self, classes=10):
        super().__init__(name="resnet")
        self.stem = layers.Conv2D(8, 7, 2, "same")
        self.stages = [[Residual(8), Residual(8)], [Residual(16, 2), Residual(16)]]
        self.pool = layers.GlobalAveragePooling2D()
        self.fc = layers.Dense(classes)
        self.spare = layers.Dense(7, name="spare_head")
        self.spare.build((None, 3))

    def call(self, x, training=False):
        x = self.stem(x)
        for stage in self.stages:
            for block in stage:
                x = block(x, training=training)
        return {"main": self.fc(self.pool(x))}


@pytest.fixture(scope="module")
def resnet():
    model = ResNet()
    model(np.zeros((2, 32, 32, 3), "float32"))
    return model


def test_layers_have_the_paths_of_their_attributes(resnet):
    graph = read_graph(resnet, expand_nested=True)
    names = [node.name for node in graph.nodes]
    assert names[1:5] == ["stem", "stages.0.0.conv1", "stages.0.0.bn1", "stages.0.0.relu"]
    assert "stages.1.0.projection" in names and names[-2:] == ["pool", "fc"]
    assert [frame.name for frame in graph.frames] == ["stages.0.0", "stages.0.1", "stages.1.0", "stages.1.1"]
    assert graph.nodes[1].outputs == ((None, 16, 16, 8),)
    assert [output.key for output in graph.outputs] == ["main"]


def test_all_parameters_are_there_and_unused_layers_are_named(resnet):
    graph = read_graph(resnet, expand_nested=True)
    assert [node.name for node in graph.unused] == ["spare_head"]
    assert graph.parameters == resnet.count_params()
    assert graph.trainable_parameters == sum(int(np.prod(w.shape)) for w in resnet.trainable_weights)
    closed = read_graph(resnet)
    assert [node.kind for node in closed.nodes].count("Residual") == 4
    assert closed.parameters == resnet.count_params()


def test_it_is_wired_as_its_functional_twin(resnet):
    x = keras.Input((32, 32, 3))
    twin = read_graph(keras.Model(x, resnet.call(x)), expand_nested=True)
    graph = read_graph(resnet, expand_nested=True)

    def said(of):
        return [(node.kind, node.outputs, node.parameters, node.multiply_adds) for node in of.nodes]

    assert said(graph) == said(twin) and [(e.source, e.target) for e in graph.edges] == [
        (e.source, e.target) for e in twin.edges
    ]


def test_reading_leaves_nothing_behind(resnet):
    before = [len(layer._inbound_nodes) for layer in resnet._flatten_layers()]
    name = layers.Add().name
    graph = read_graph(resnet, expand_nested=True)
    assert read_graph(resnet, expand_nested=True) == graph
    assert [len(layer._inbound_nodes) for layer in resnet._flatten_layers()] == before
    after = layers.Add().name
    assert int(after.removeprefix("add_")) == int((name + "_0").split("_")[1]) + 1


def test_a_layer_with_layers_inside_opens_in_a_functional_model():
    x = keras.Input((8, 8, 4), name="x")
    model = keras.Model(x, Residual(4, name="block")(x))
    graph = read_graph(model, expand_nested=True)
    assert [node.name for node in graph.nodes][1:3] == ["block.conv1", "block.bn1"]
    assert graph.parameters == model.count_params()
    assert len(overview(graph, 1).nodes) == 2
    assert [node.name for node in read_graph(model).nodes] == ["x", "block"]


def test_equal_blocks_of_a_subclassed_model_fold():
    x = y = keras.Input((8, 8, 4), name="x")
    for _ in range(3):
        y = Residual(4)(y)
    folded = overview(read_graph(keras.Model(x, y), expand_nested=True), 1)
    assert [node.repeats for node in folded.nodes] == [1, 3]


class Half(keras.Model):
    def __init__(self):
        super().__init__(name="half")
        self.first, self.second = layers.Dense(3, name="first"), layers.Dense(4, name="second")

    def build(self, shape):
        self.first.build(shape)

    def call(self, x):
        return self.second(self.first(x))


def test_a_half_built_model_is_refused():
    model = Half()
    model.build((None, 5))
    with pytest.raises(ValueError, match="read_graph: model 'half' is built in part only: 'second' has no weights yet"):
        read_graph(model)
    assert not model.second.built


class Token(layers.Layer):
    """Weights of its own: one that an operation gets, one that is computed with outside of the graph."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense = layers.Dense(8)

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, 8), name="token")
        self.scale = self.add_weight(shape=(8,), name="scale")
        self.dense.build(shape)

    def call(self, x):
        return self.dense(x) * self.scale + ops.expand_dims(self.token[0], 0)


def test_weights_of_an_opened_layer_are_counted_once():
    x = keras.Input((4, 8), name="x")
    model = keras.Model(x, Token(name="t")(x))
    graph = read_graph(model, expand_nested=True)
    assert {node.name: node.parameters for node in graph.nodes}["t.multiply"] == 8
    assert [weight.size for weight in graph.loose] == [8]
    assert graph.parameters == model.count_params() == 72 + 16


class Sampling(keras.Model):
    def __init__(self):
        super().__init__()
        self.z_mean, self.decoder = layers.Dense(2), layers.Dense(5)
        self.seed = keras.random.SeedGenerator(1)

    def call(self, x):
        z = self.z_mean(x)
        self.add_loss(ops.mean(z * z))
        return self.decoder(z + keras.random.normal(ops.shape(z), seed=self.seed))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_losses_and_random_states_are_not_touched():
    model = Sampling()
    model(np.ones((2, 3), "float32"))
    losses, state = len(model.losses), np.array(model.seed.state)
    graph = read_graph(model)
    assert {"z_mean", "decoder"} <= {node.name for node in graph.nodes}
    assert len(model.losses) == losses and (np.array(model.seed.state) == state).all()


class Pair(keras.Model):
    def __init__(self):
        super().__init__()
        self.embed = layers.Embedding(10, 4)

    def call(self, left, right, training):
        return [self.embed(left), ops.subtract(self.embed(left), self.embed(right))]


def test_several_inputs_and_shared_layers():
    model = Pair()
    tokens = np.ones((2, 3), "int32")
    model(tokens, tokens, training=False)
    assert read_graph(model).nodes[0].closed == "it is not known on what shapes it is called"
    model(keras.Input((3,), dtype="int32"), keras.Input((3,), dtype="int32"), training=False)
    graph = read_graph(model)
    assert [node.kind for node in graph.nodes if node.role == "input"] == ["InputLayer"] * 2
    assert sorted(node.call for node in graph.nodes if node.name == "embed") == [(1, 3), (2, 3), (3, 3)]
    assert len(graph.outputs) == 2 and graph.parameters == 40


class Two(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second = layers.Dense(3, name="first"), layers.Dense(3, name="second")


def test_a_call_that_asks_whether_it_trains_is_followed_as_it_infers():
    class Deeper(Two):
        def call(self, x, training):
            y = self.first(x)
            return self.second(y) if training else y

    model = Deeper()
    model(np.ones((2, 4), "float32"), training=True)
    graph = read_graph(model)
    assert [node.name for node in graph.nodes if node.role == "dense"] == ["first"]
    assert [node.name for node in graph.unused] == ["second"]


def test_inputs_in_a_dict_are_followed_by_their_keys():
    class Both(Two):
        def call(self, inputs):
            return self.first(inputs["a"]) + self.second(inputs["b"])

    model = Both()
    model({"a": np.ones((2, 4), "float32"), "b": np.ones((2, 5), "float32")})
    read = {node.name: node.inputs for node in read_graph(model).nodes if node.role == "dense"}
    assert read == {"first": ((None, 4),), "second": ((None, 5),)}


def test_a_call_for_so_many_examples_alone_is_followed_for_so_many():
    class Flat(Two):
        def build(self, shape):
            self.first.build((1, 8))

        def call(self, x):
            return self.first(ops.reshape(x, (1, x.shape[0] * x.shape[1])))

    model = Flat()
    model.build((2, 4))
    read = {node.name: node.inputs for node in read_graph(model).nodes if node.role == "dense"}
    assert read == {"first": ((1, 8),)}


@needs_tensorflow
def test_what_another_library_computes_is_one_box_that_says_why():
    import tensorflow as tf

    class Foreign(layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.dense = layers.Dense(3)

        def call(self, x):
            return tf.nn.relu(self.dense(x))

    x = keras.Input((4,), name="x")
    _, box = read_graph(keras.Model(x, Foreign(name="own")(x)), expand_nested=True).nodes
    assert (box.name, box.parameters) == ("own", 15) and box.closed.startswith("its call cannot be followed")


def test_one_layer_called_several_times_is_no_row_of_equal_layers():
    shared = layers.Dense(4, name="shared")
    x = y = keras.Input((4,), name="x")
    for _ in range(3):
        y = shared(y)
    folded = fold(read_graph(keras.Model(x, y)))
    (node,) = [node for node in folded.nodes if node.role == "dense"]
    assert node.repeats == 3 and node.parameters == 20 and len(node.weights) == 2


def cnn(functional):
    frame = keras.Input((16, 16, 3), name="frame")
    inside = [layers.Conv2D(4, 3, name="conv"), layers.MaxPooling2D(name="pool"), layers.Flatten(name="flat")]
    if not functional:
        return keras.Sequential([frame, *inside], name="cnn")
    x = frame
    for layer in inside:
        x = layer(x)
    return keras.Model(frame, x, name="cnn")


@pytest.mark.parametrize("functional", [True, False])
@pytest.mark.parametrize("steps", [7, None])
def test_a_model_at_every_step_is_opened_in_its_place(functional, steps):
    clip = keras.Input((steps, 16, 16, 3), name="clip")
    model = keras.Model(clip, layers.TimeDistributed(cnn(functional), name="each")(clip))
    graph = read_graph(model, expand_nested=True)
    nodes = {node.name: node for node in graph.nodes}
    assert nodes["each.conv"].outputs == ((None, steps, 14, 14, 4),)
    assert nodes["each.conv"].multiply_adds == (None if steps is None else steps * 14 * 14 * 4 * 27)
    assert nodes["each.flat"].outputs == (tuple(model.output.shape),) == ((None, steps, 196),)
    assert nodes["each.pool"].receptive_field == (1, 4, 4)
    assert [frame.name for frame in graph.frames] == ["each"]
    assert graph.parameters == model.count_params()
    closed = read_graph(model)
    assert [node.name for node in closed.nodes] == ["clip", "each"]
    assert closed.multiply_adds == graph.multiply_adds


def test_wrappers_and_recurrent_layers_say_what_is_inside():
    x = keras.Input((7, 5), name="x")
    y = layers.TimeDistributed(layers.Dense(6), name="dense")(x)
    y = layers.Bidirectional(layers.LSTM(8, return_sequences=True), name="both")(y)
    y = layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)], name="stack")(y)
    words = [describe(node) for node in read_graph(keras.Model(x, y)).nodes]
    assert words[1:3] == ["dense, 6, at each step", "LSTM, 8, both ways"]
    assert "LSTM" in words[3] and "4" in words[3] and "GRU" in words[3] and "3" in words[3]


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("states", [False, True])
def test_a_bidirectional_layer_is_opened(merge_mode, states):
    x = keras.Input((7, 5), name="x")
    layer = layers.Bidirectional(
        layers.LSTM(4, return_sequences=True, return_state=states, name="lstm"), merge_mode=merge_mode, name="both"
    )
    model = keras.Model(x, keras.tree.flatten(layer(x)))
    graph, closed = read_graph(model, expand_nested=True), read_graph(model)
    merged = [] if merge_mode is None else [f"both.{merge_mode}"]
    assert [node.name for node in graph.nodes] == ["x", "both.forward_lstm", "both.backward_lstm", *merged]
    assert [describe(node) for node in graph.nodes[1:3]] == ["LSTM, 4", "LSTM, 4, backwards"]
    assert graph.multiply_adds == closed.multiply_adds == 2 * 7 * 4 * 4 * 9
    assert graph.parameters == model.count_params()
    shapes = [graph.nodes[o.source].outputs[o.source_port] for o in graph.outputs]
    assert shapes == [tuple(tensor.shape) for tensor in model.outputs]
    assert receptive_field(model) == (None,)
    (both,) = [node for node in overview(graph, 1).nodes if node.name == "both"]
    assert describe(both).startswith("LSTM, 4, both ways") and both.role == "recurrent"
    inside = [node.name for node in opened(both).nodes]
    assert inside[1:] == ["forward_lstm", "backward_lstm", *[merge_mode] * (merge_mode is not None)]


def test_how_both_ways_are_merged_is_said_of_the_merge_alone():
    x = keras.Input((7, 5), name="x")

    def inside(merge_mode):
        with weightless():
            y = layers.Bidirectional(layers.LSTM(4, return_sequences=True), merge_mode=merge_mode)(x)
            return read_graph(keras.Model(x, y), expand_nested=True).nodes[1:]

    (one, back, summed), (other, other_back, joined) = inside("sum"), inside("concat")
    assert same_kind(one, other) and same_kind(back, other_back)
    assert not same_kind(summed, joined)


class Headed(layers.Layer):
    """A model that has a graph, and a layer after it."""

    def __init__(self, **options):
        super().__init__(**options)
        self.body = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="own")])
        self.head = layers.Dense(2)

    def call(self, x):
        return self.head(self.body(x))


def test_what_comes_after_a_nested_model_has_the_path_of_its_attribute():
    x = keras.Input((4,), name="x")
    with weightless():
        graph = read_graph(keras.Model(x, Headed(name="headed")(x)), expand_nested=True)
    assert [node.name for node in graph.nodes][1:] == ["headed.body.own", "headed.head"]


class Crossing(layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.first, self.second = layers.Dense(3), layers.Dense(3)

    def call(self, a, b):
        return self.first(a) - self.second(b)


@pytest.mark.parametrize("twice", [False, True])
def test_each_layer_inside_of_one_of_several_inputs_reads_its_own(twice):
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    own = Crossing(name="own")
    model = keras.Model(x, own(x, x)) if twice else keras.Model([x, y], own(x, y))
    graph = read_graph(model, expand_nested=True)
    names = [node.name for node in graph.nodes]
    read = {names[e.target]: names[e.source] for e in graph.edges if names[e.target] in ("own.first", "own.second")}
    assert read == {"own.first": "x", "own.second": "x" if twice else "y"}


def test_states_go_to_the_layers_inside():
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    states = [keras.Input((n,), name=f"s{i}") for i, n in enumerate((4, 4, 4, 4, 3, 3, 2))]
    y = layers.Embedding(9, 5, name="embed")(tokens)
    y = layers.Bidirectional(layers.LSTM(4, return_sequences=True, name="lstm"), name="both")(
        y, initial_state=states[:4]
    )
    cells = [layers.LSTMCell(3, name="first"), layers.GRUCell(2, name="second")]
    y = layers.RNN(cells, return_state=True, go_backwards=True, name="stack")(y, initial_state=[states[4:6], states[6]])
    model = keras.Model([tokens, *states], keras.tree.flatten(y))
    graph = read_graph(model, expand_nested=True)
    read = {
        node.name: {
            carries: [graph.nodes[e.source].name for e in graph.edges if e.target == node.id and e.carries == carries]
            for carries in ("data", "state")
        }
        for node in graph.nodes
    }
    assert read["both.forward_lstm"] == {"data": ["embed"], "state": ["s0", "s1"]}
    assert read["both.backward_lstm"] == {"data": ["embed"], "state": ["s2", "s3"]}
    assert read["stack.first"] == {"data": ["both.concat"], "state": ["s4", "s5"]}
    assert read["stack.second"] == {"data": ["stack.first"], "state": ["s6"]}
    shapes = [graph.nodes[o.source].outputs[o.source_port] for o in graph.outputs]
    assert shapes == [tuple(tensor.shape) for tensor in model.outputs]
    assert graph.multiply_adds == read_graph(model).multiply_adds
    assert graph.parameters == model.count_params()


def test_a_layer_at_every_step_is_opened_where_asked():
    x = keras.Input((7, 16, 16, 3), name="x")
    y = layers.TimeDistributed(layers.Conv2D(6, 3, name="conv"), name="each")(x)
    y = layers.TimeDistributed(layers.BatchNormalization())(y)
    y = layers.TimeDistributed(layers.ReLU())(y)
    y = layers.TimeDistributed(layers.TimeDistributed(layers.Dense(5, name="dense"), name="row"), name="rows")(y)
    model = keras.Model(x, y)
    graph = read_graph(model, expand_nested=True)
    assert [node.name for node in graph.nodes][1] == "each.conv"
    assert graph.nodes[-1].name == "rows.row.dense"
    assert graph.nodes[1].outputs == ((None, 7, 14, 14, 6),)
    assert graph.multiply_adds == read_graph(model).multiply_adds == 7 * 14 * 14 * (6 * 27 + 6 * 5)
    assert graph.parameters == model.count_params()
    assert graph.nodes[-1].receptive_field == receptive_field(model) == (1, 3, 3)
    drawn = overview(graph)
    assert [(node.name, describe(node)) for node in drawn.nodes][1:] == [
        ("each", "3×3 conv, 6 + BN + ReLU, at each step"),
        ("rows", "dense, 5, at each step"),
    ]
    assert not any(node.frames for node in drawn.nodes)
    inside = overview(graph, expand=["rows"]).nodes[-1]
    assert inside.name == "rows.row" and inside.frames


def test_a_layer_of_layers_at_every_step_is_opened():
    class Twice(keras.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.a, self.b = layers.Dense(4), layers.Dense(3)

        def build(self, shape):
            self.a.build(shape)
            self.b.build((*shape[:-1], 4))

        def compute_output_shape(self, shape):
            return (*shape[:-1], 3)

        def call(self, x):
            return self.b(self.a(x))

    x = keras.Input((7, 5), name="x")
    model = keras.Model(x, layers.TimeDistributed(Twice(), name="each")(x))
    graph = read_graph(model, expand_nested=True)
    assert [node.name.rpartition(".")[2] for node in graph.nodes] == ["x", "a", "b"]
    assert graph.nodes[-1].outputs == ((None, 7, 3),)
    assert graph.multiply_adds == 7 * (5 * 4 + 4 * 3)


def test_windows_of_a_subclassed_model_are_those_of_the_functional_one():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Conv2D(4, 3, 2)
            self.block = Residual(4)
            self.last = layers.Conv2D(2, 3)

        def call(self, x):
            return self.last(self.block(self.first(x)))

    model = Net()
    model(np.zeros((1, 32, 32, 3)))
    assert (receptive_field(model), min_input_size(model)) == ((15, 15), (7, 7))
    assert receptive_field(read_graph(model, expand_nested=True)) == (15, 15)

    class Strange(Net):
        def call(self, x):
            x = self.block(self.first(x))
            return x if float(ops.sum(x)) > 1e9 else self.last(x)

    other = Strange()
    other(np.zeros((1, 32, 32, 3)))
    for ask in (receptive_field, min_input_size):
        with pytest.raises(TypeError, match=rf"^{ask.__name__}: model must be one whose call can be followed, got"):
            ask(other)


def test_a_class_token_for_each_example_is_followed():
    class Tokens(layers.Layer):
        def __init__(self, width, **options):
            super().__init__(**options)
            self.project = layers.Conv2D(width, 4, 4, name="project")
            self.width = width

        def build(self, shape):
            self.project.build(shape)
            self.token = self.add_weight(shape=(1, 1, self.width), name="token")

        def call(self, x):
            y = self.project(x)
            y = ops.reshape(y, (ops.shape(y)[0], y.shape[1] * y.shape[2], self.width))
            token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, self.width))
            return ops.concatenate([token, y], axis=1)

        def compute_output_shape(self, shape):
            return (shape[0], 5, self.width)

    x = keras.Input((8, 8, 3), name="x")
    model = keras.Model(x, layers.Dense(3, name="head")(Tokens(6, name="tokens")(x)))
    graph = read_graph(model, expand_nested=True)
    assert [node.closed for node in graph.nodes] == [""] * len(graph.nodes)
    names = {node.name: node for node in graph.nodes}
    assert names["tokens.project"].outputs == ((None, 2, 2, 6),)
    assert graph.parameters == model.count_params()
    assert graph.multiply_adds == 4 * 6 * 48 + 5 * 6 * 3
    assert all(4093 not in shape for node in graph.nodes for shape in (*node.inputs, *node.outputs))
    assert not any("4093" in node.words for node in graph.nodes)
    assert receptive_field(model) == (4, 4)
    first = keras.Model(x, model.layers[1].output[:, :1])
    assert receptive_field(first) == (0, 0)  # the token sees nothing
