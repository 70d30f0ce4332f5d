"""Blocks of models that were not made with ours: by their names, else by their graph."""

from __future__ import annotations

import keras
import pytest
from keras import layers

from layerblocks.blocks import weightless
from layerblocks.graphs import Edge, Graph, Node, collapse, group, overview, read_graph
from layerblocks.graphs.graph import Output, mark_edges
from layerblocks.graphs.patterns import pattern_of

from ..helpers import calls_of


def application(name):
    keras.backend.clear_session()  # automatic names are counted through
    with weightless():
        return read_graph(getattr(keras.applications, name)(weights=None), expand_nested=True)


def boxes(graph, depth=1):
    nodes = overview(graph, depth).nodes
    return [node.name + (f" ×{node.repeats}" if node.repeats > 1 else "") for node in nodes if node.role != "input"]


MIXED = [f"mixed{i}" for i in range(5)]
STAGES = ["stage_0", "downsampling_block_0", "stage_1", "downsampling_block_1", "stage_2", "downsampling_block_2"]
APPLICATIONS = {
    "ResNet152": ["conv1", "pool1", "conv2", "conv3", "conv4", "conv5", "avg_pool", "predictions"],
    "ResNet50V2": ["conv1", "pool1", "conv2", "conv3", "conv4", "conv5", "post", "avg_pool", "predictions"],
    "DenseNet201": [
        *("conv1", "pool1", "conv2", "pool2", "conv3", "pool3", "conv4", "pool4", "conv5", "bn", "avg_pool"),
        "predictions",
    ],
    "InceptionV3": [
        *(
            "conv block 1",
            "conv block 2",
            *MIXED,
            "mixed5–mixed6 ×2",
            "mixed7",
            "mixed8",
            "mixed9",
            "mixed10",
            "avg_pool",
        ),
        "predictions",
    ],
    "InceptionResNetV2": [
        *(
            "conv block 1",
            "conv block 2",
            "mixed_5b",
            "block35",
            "mixed_6a",
            "block17",
            "mixed_7a",
            "block8",
            "conv_7b",
        ),
        *("avg_pool", "predictions"),
    ],
    "EfficientNetB7": ["rescaling", "stem", *(f"block{i}" for i in range(1, 8)), "top", "predictions"],
    "ConvNeXtBase": ["prestem_normalization", "stem", *STAGES, "stage_3", "head"],
    "Xception": [
        *("block1", "block2", "block3", "block4", "block5–block12 ×8", "block13", "block14", "avg_pool"),
        "predictions",
    ],
    "MobileNetV2": [
        *("Conv1", "expanded_conv", "block_1", "block_2", "block_3", "block_4–block_5 ×2", "block_6"),
        *("block_7–block_9 ×3", "block_10", "block_11–block_12 ×2", "block_13", "block_14–block_15 ×2", "block_16"),
        *("Conv_1", "global_average_pooling2d", "predictions"),
    ],
    "NASNetMobile": [
        *("stem_conv1", "reduction_concat_stem_1", "reduction_concat_stem_2"),
        *(f"normal_concat_{i}" for i in range(4)),
        "reduction_concat_reduce_4",
        *(f"normal_concat_{i}" for i in range(5, 9)),
        "reduction_concat_reduce_8",
        *(f"normal_concat_{i}" for i in range(9, 13)),
        *("global_average_pooling2d", "predictions"),
    ],
    "VGG16": [*(f"block{i}" for i in range(1, 6)), "flatten", "fc1", "fc2", "predictions"],
}


@pytest.mark.sweep_but("VGG16", "Xception")
@pytest.mark.parametrize("name", APPLICATIONS)
def test_blocks_of_published_networks(name):
    graph = application(name)
    assert boxes(graph) == APPLICATIONS[name]
    assert len(APPLICATIONS[name]) <= 24
    grouped = group(graph)
    assert grouped.edges == graph.edges and grouped.outputs == graph.outputs
    assert [n.weights for n in grouped.nodes] == [n.weights for n in graph.nodes]


@pytest.mark.sweep
def test_blocks_inside_blocks():
    assert boxes(application("ResNet50"), 2)[2:6] == [
        "conv2.block1",
        "conv2.block2–block3 ×2",
        "conv3.block1",
        "conv3.block2–block4 ×3",
    ]
    assert boxes(application("InceptionResNetV2"), 2)[-5:] == [
        *("block8.1–9 ×9", "block8.10"),
        *("conv_7b", "avg_pool", "predictions"),
    ]
    assert boxes(application("EfficientNetB7"), 2)[-6:-4] == ["block7.a", "block7.b–d ×3"]
    names = {n.name for n in group(application("ResNet50")).nodes}
    assert {"conv2.block1.1_conv", "conv2.block1.out", "conv5.block3.add", "conv1.conv", "pool1.pool"} <= names


def chain(pieces, x):
    for piece in pieces:
        x = piece(x)
    return x


def unnamed():
    """Automatic names only: a stem, three residual blocks, a branching one, a head."""
    x = keras.Input((32, 32, 3))
    y = chain([layers.Conv2D(8, 3, padding="same"), layers.ReLU(), layers.Conv2D(8, 3, padding="same")], x)
    y = layers.MaxPooling2D()(layers.ReLU()(y))
    for _ in range(3):
        z = chain([layers.Conv2D(8, 3, padding="same"), layers.BatchNormalization(), layers.ReLU()], y)
        y = layers.ReLU()(layers.Add()([layers.Conv2D(8, 3, padding="same")(z), y]))
    y = layers.Concatenate()([layers.Conv2D(4, 1)(y), layers.Conv2D(4, 3, padding="same")(y)])
    y = layers.Dense(4)(layers.GlobalAveragePooling2D()(y))
    return read_graph(keras.Model(x, y))


def test_where_names_tell_nothing_the_graph_does():
    keras.backend.clear_session()
    assert boxes(unnamed()) == ["conv block", "residual 1–3 ×3", "inception block", "global_average_pooling2d", "dense"]


def test_a_row_is_cut_where_the_map_changes_its_size():
    keras.backend.clear_session()
    pieces = []
    for filters in (4, 8):
        pieces += [layers.Conv2D(filters, 3, padding="same") for _ in range(2)] + [layers.MaxPooling2D()]
    pieces += [layers.Conv2D(8, 3, strides=2), layers.Conv2D(8, 1), layers.Flatten(), layers.Dense(4), layers.Dense(2)]
    x = keras.Input((32, 32, 3))
    graph = group(read_graph(keras.Model(x, chain(pieces, x))))
    nodes = collapse(graph, 1).nodes[1:]
    assert [n.name for n in nodes] == ["conv block 1", "conv block 2", "conv block 3", "flatten", "MLP"]
    stages = [[n.kind for n in box.inner.nodes] for box in nodes if box.inner is not None]
    assert stages == [["Conv2D", "Conv2D", "MaxPooling2D"]] * 2 + [["Conv2D", "Conv2D"], ["Dense", "Dense"]]


def test_a_projection_of_automatic_name_belongs_to_its_block():
    x = keras.Input((8, 8, 4), name="image")
    y = layers.Conv2D(4, 1, name="stem_conv")(x)
    z = layers.Conv2D(8, 3, padding="same", name="res1_conv1")(y)
    z = layers.Conv2D(8, 3, padding="same", name="res1_conv2")(z)
    y = layers.ReLU()(layers.Add()([z, layers.BatchNormalization()(layers.Conv2D(8, 1)(y))]))
    y = layers.Dense(2, name="top")(layers.Flatten(name="flat")(y))
    graph = read_graph(keras.Model(x, y))
    assert [n.name for n in collapse(group(graph), 1).nodes] == ["image", "stem_conv", "res1", "flat", "top"]


def test_names_that_end_alike_make_blocks_where_those_that_begin_alike_are_scattered():
    pieces = []
    for i in range(6):
        pieces += [layers.Dense(4, name=f"fc_x{i}"), layers.BatchNormalization(name=f"bn_x{i}")]
    x = keras.Input((4,), name="x")
    graph = read_graph(keras.Model(x, chain(pieces, x)))
    found = collapse(group(graph), 1)
    assert [len(n.inner.nodes) for n in found.nodes[1:]] == [2] * 6, "pairs, by what their names end in"


def test_dotted_names_are_left_alone():
    x = keras.Input((4,), name="x")
    y = chain([layers.Dense(4, name=n) for n in ("a.b_c", "block1_a", "block1_b", "dense_7")], x)
    graph = read_graph(keras.Model(x, y))
    assert group(graph) == graph


@pytest.mark.parametrize(("follows", "names"), [(False, ["z_mean", "z_act"]), (True, ["z.mean", "z.act"])])
def test_of_two_layers_of_a_word_one_must_be_the_activation_of_the_other(follows, names):
    x = y = keras.Input((8,), name="x")
    with weightless():
        for i in range(12):
            y = layers.Dense(8, name=f"layer{i}")(y)
        mean = layers.Dense(8, name="z_mean")(y)
        found = group(read_graph(keras.Model(x, [mean, layers.ReLU(name="z_act")(mean if follows else y)])))
    assert [n.name for n in found.nodes][-2:] == names


@pytest.mark.parametrize(("follow", "sign"), [(1, "_"), (2, ".")])
def test_of_three_layers_of_a_word_most_must_follow_another(follow, sign):
    x = y = keras.Input((8,), name="x")
    with weightless():
        for i in range(12):
            y = layers.Dense(8, name=f"layer{i}")(y)
        ends = [layers.Dense(8, name="z_mean")(y)]
        for number, name in enumerate(("z_width", "z_skew")):
            ends.append(layers.Dense(8, name=name)(ends[-1] if number < follow else y))
        found = group(read_graph(keras.Model(x, ends)))
    assert {n.name for n in found.nodes if n.name[0] == "z"} == {f"z{sign}{end}" for end in ("mean", "width", "skew")}


def test_nested_models_are_grouped_each_by_itself():
    u = keras.Input((8,), name="u")
    inner = keras.Model(u, chain([layers.Dense(8, name=f"part{i}_{s}") for i in (1, 2) for s in "ab"], u), name="inner")
    x = keras.Input((8,), name="x")
    y = layers.Dense(2, name="top")(inner(inner(layers.Dense(8, name="first")(x))))
    graph = group(read_graph(keras.Model(x, y), expand_nested=True))
    assert [n.name for n in collapse(graph, 1).nodes] == ["x", "first", "inner", "inner", "top"]
    assert [n.name for n in collapse(graph, 2).nodes][2:5] == ["inner.u", "inner.part1", "inner.part2"]
    assert [f.name for f in graph.frames] == ["inner", "inner"]
    assert graph.nodes[3].name == "inner.part1.a"


def test_of_two_names_in_a_nested_model_the_common_word_is_its_name():
    u = keras.Input((8,), name="u")
    inner = keras.Model(u, chain([layers.Dense(8, name=f"net_{name}") for name in ("first", "second")], u), name="in")
    x = keras.Input((8,), name="x")
    graph = group(read_graph(keras.Model(x, inner(x)), expand_nested=True))
    assert [n.name for n in graph.nodes] == ["x", "in.u", "in.first", "in.second"]


def test_a_last_pointwise_convolution_stands_for_itself_before_its_activation_too():
    keras.backend.clear_session()
    pieces = [layers.Conv2D(8, 3, padding="same") for _ in range(3)]
    pieces += [layers.Conv2D(2, 1), layers.Activation("sigmoid")]
    x = keras.Input((32, 32, 3))
    assert boxes(read_graph(keras.Model(x, chain(pieces, x)))) == ["conv block", "conv2d_3"]


def test_a_block_with_a_projection_and_a_condition_from_outside_is_one():
    """As those of a diffusion network, whose short cut is convolved where the width changes."""
    keras.backend.clear_session()
    x, time_of = keras.Input((16, 16, 3)), keras.Input((1, 1, 8))
    y = layers.Conv2D(8, 3, padding="same")(x)
    for width in (16, 24):
        z = layers.Add()([layers.Conv2D(width, 3, padding="same")(y), layers.Dense(width)(time_of)])
        z = layers.Conv2D(width, 3, padding="same")(layers.ReLU()(z))
        y = layers.Add()([z, layers.Conv2D(width, 1)(y)])
    graph = read_graph(keras.Model([x, time_of], layers.Conv2D(3, 3, padding="same")(y)))
    assert boxes(graph) == ["conv2d", "residual 1", "residual 2", "conv2d_7"]


def test_the_three_residuals_of_a_decoder_are_one_block():
    keras.backend.clear_session()
    with weightless():
        x, memory = keras.Input((6, 16)), keras.Input((9, 16))
        y = x
        for _ in range(2):
            y = layers.Add()([y, layers.MultiHeadAttention(2, 8)(y, y)])
            y = layers.Add()([y, layers.MultiHeadAttention(2, 8)(y, memory)])
            y = layers.Add()([y, layers.Dense(16)(layers.Dense(32, "relu")(y))])
        nodes = collapse(group(read_graph(keras.Model([x, memory], y))), 1).nodes
    halves = ["MultiHeadAttention", "Add", "MultiHeadAttention", "Add", "Dense", "Dense", "Add"]
    assert [[n.kind for n in box.inner.nodes] for box in nodes if box.role != "input"] == [halves] * 2


def test_a_skip_around_everything_does_not_make_one_box():
    x = keras.Input((16, 16, 8), name="x")
    y = x
    for i in range(12):
        y = layers.Conv2D(8, 3, padding="same", name=f"body{i // 4}_conv{i % 4}")(y)
    graph = read_graph(keras.Model(x, layers.Add(name="sum")([x, y])))
    assert [n.name for n in collapse(group(graph), 1).nodes] == ["x", "body0", "body1", "body2", "sum"]


def test_a_layer_and_its_norm_are_no_block_within_a_block():
    x = y = keras.Input((8,), name="x")
    ends = [f"{j}_{end}" for j in (1, 2) for end in ("dense", "bn")]
    with weightless():
        for name in (f"block{i}_{end}" for i in (1, 2) for end in ends):
            y = layers.Dense(8, name=name)(y) if "dense" in name else layers.BatchNormalization(name=name)(y)
        found = group(read_graph(keras.Model(x, y)))
    assert [n.name for n in found.nodes[1:]] == [f"block{i}.{end}" for i in (1, 2) for end in ends]


def test_a_skip_around_everything_does_not_hide_the_blocks_of_automatic_names():
    keras.backend.clear_session()
    with weightless():
        x = y = keras.Input((8, 8, 8), name="x")
        for _ in range(2):
            y = layers.Concatenate()([layers.Conv2D(4, 1)(y), layers.Conv2D(4, 3, padding="same")(y)])
        graph = read_graph(keras.Model(x, layers.Add()([x, y])))
    assert boxes(graph) == ["inception block 1–2 ×2", "add"]


def residual_chain(blocks):
    """A network of automatic names, `blocks` residual blocks one after another."""
    nodes, edges = [Node(0, ("x",), "InputLayer", "input", outputs=((None, 8, 8, 4),))], []

    def add(kind, role, *sources):
        name = f"{kind.lower()}_{len(nodes)}"
        shapes = ((None, 8, 8, 4),) * len(sources)
        nodes.append(Node(len(nodes), (name,), kind, role, inputs=shapes, outputs=shapes[:1]))
        edges.extend(Edge(s, nodes[-1].id, target_port=i, shape=shapes[0]) for i, s in enumerate(sources))
        return nodes[-1].id

    last = 0
    for _ in range(blocks):
        a = add("Conv2D", "conv", last)
        last = add("Add", "add", add("Conv2D", "conv", a), last)
    return mark_edges(Graph("deep", "Functional", tuple(nodes), tuple(edges), (Output("y", last),)))


def test_thousands_of_layers_of_automatic_names_cost_in_proportion():
    few, many = residual_chain(300), residual_chain(1200)
    assert calls_of(lambda: collapse(group(many), 1)) < 6 * calls_of(lambda: collapse(group(few), 1))
    found = collapse(group(many), 1)
    assert len(found.nodes) == 1201 and found.nodes[1].role == "residual"


def gated_blocks(skip_of, gather, blocks=4):
    """As in WaveNet: residuals of a gated unit, each with a second output for a sum that all have in common."""
    keras.backend.clear_session()
    x = keras.Input((32, 8))
    y, skips = layers.Conv1D(8, 2, padding="causal")(x), []
    for i in range(blocks):
        halves = [
            layers.Conv1D(8, 2, dilation_rate=2**i, padding="causal", activation=activation)(y)
            for activation in ("tanh", "sigmoid")
        ]
        z = layers.Multiply()(halves)
        r = layers.Conv1D(8, 1)(z)
        skips.append(skip_of(z, r))
        y = layers.Add()([y, r])
    end = layers.Conv1D(4, 1, activation="softmax")(layers.ReLU()(gather(skips)))
    return keras.Model(x, [end, layers.Conv1D(2, 1)(y)])


def running_total(skips):
    total, *others = skips
    for skip in others:
        total = layers.Add()([total, skip])
    return total


SKIP_OUTPUTS = {
    "its own convolution": (lambda z, r: layers.Conv1D(8, 1)(z), lambda skips: layers.Add()(skips)),
    "the convolution of the residual": (lambda z, r: r, lambda skips: layers.Concatenate()(skips)),
    "what is gated": (lambda z, r: z, lambda skips: layers.Add()(skips)),
    "sums one after the other": (lambda z, r: layers.Conv1D(8, 1)(z), running_total),
}


@pytest.mark.parametrize("name", SKIP_OUTPUTS)
def test_a_residual_with_a_second_output_to_what_all_have_in_common_is_one_block(name):
    with weightless():
        graph = overview(read_graph(gated_blocks(*SKIP_OUTPUTS[name])), 1)
    names = {node.name: len(node.outputs) for node in graph.nodes if node.role == "residual"}
    assert names == {f"gated residual {i}": 2 for i in range(1, 5)}
    assert {pattern_of(node).words for node in graph.nodes if node.role == "residual"} == {
        "gated residual, skip output"
    }


def test_a_second_output_that_goes_elsewhere_makes_no_block():
    with weightless():
        graph = overview(read_graph(gated_blocks(lambda z, r: layers.Conv1D(8, 1)(z), lambda skips: skips[0])), 1)
    assert not [node.name for node in graph.nodes if len(node.outputs) > 1]
