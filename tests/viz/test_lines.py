"""What a line is: the same in boxes and volumes, and never a skip that is none."""

from itertools import pairwise

import keras
import pytest
from keras import layers

from layerblocks.architectures import build
from layerblocks.blocks import pad_shortcut, weightless
from layerblocks.graphs import overview, read_graph
from layerblocks.viz import alt_text, diagram
from layerblocks.viz.layouts.legend import LINES
from layerblocks.viz.lines import line_roles
from layerblocks.viz.scene import Path
from tests import zoo

from ..helpers import each_network


def drawn(graph, style):
    """Which kinds of skips a figure shows."""
    scene = diagram(graph, depth=None, style=style).scene
    return {item.role for item in scene.items if isinstance(item, Path)} & {*LINES}


@pytest.mark.sweep_but("alexnet", "cifar_resnet20", "densenet121", "fcn8s", "googlenet", "resnet18", "resnet50", "unet")
@pytest.mark.parametrize("name", each_network())
def test_boxes_and_volumes_show_the_same_skips(name):
    with weightless():
        graph = overview(read_graph(build(name)), 1)
    assert drawn(graph, "boxes") == drawn(graph, "volumes") == {*line_roles(graph).values()} & {*LINES}


def roles_of(model):
    graph = read_graph(model)
    return {
        (graph.nodes[edge.source].name, graph.nodes[edge.target].name): role for edge, role in line_roles(graph).items()
    }


def net(make, shape=(8, 8, 4)):
    x = keras.Input(shape, name="x")
    return roles_of(keras.Model(x, make(x)))


def conv(x, name, filters=4, **options):
    return layers.Conv2D(filters, 3, padding="same", name=name, **options)(x)


def test_an_identity_skip_leads_into_the_sum_of_the_block_that_it_by_passes():
    found = net(lambda x: layers.Add(name="sum")([x, conv(conv(x, "a"), "b")]))
    assert found["x", "sum"] == "skip" and list(found.values()).count("skip") == 1


def test_a_projection_skip_has_a_layer_on_it():
    found = net(lambda x: layers.Add(name="sum")([layers.Conv2D(4, 1, name="short")(x), conv(conv(x, "a"), "b")]))
    assert {found["x", "short"], found["short", "sum"]} == {"projection"}
    assert found["b", "sum"] not in LINES


@pytest.mark.parametrize("merge", ["Subtract", "Maximum", "Minimum", "Average", "Multiply"])
def test_what_is_no_sum_has_no_skip(merge):
    found = net(lambda x: getattr(layers, merge)(name="merge")([x, conv(conv(x, "a"), "b")]))
    assert not {*found.values()} & {*LINES}
    found = net(lambda x: getattr(layers, merge)(name="merge")([layers.Conv2D(4, 1)(x), conv(conv(x, "a"), "b")]))
    assert not {*found.values()} & {*LINES}


def test_an_input_that_is_used_twice_makes_no_skip():
    found = net(lambda x: layers.MultiHeadAttention(2, 4, name="mha")(x, layers.Dense(4, name="d")(x)), (6, 4))
    assert not {*found.values()} & {*LINES}


def test_a_mask_is_no_skip():
    ids = keras.Input((6,), dtype="int32", name="ids")
    y = layers.LSTM(4, name="lstm")(layers.Embedding(9, 4, mask_zero=True, name="embedding")(ids))
    assert not {*roles_of(keras.Model(ids, y)).values()} & {*LINES}


def gated(x, gate):
    """Oktay et al. 2018: what the encoder made, scaled by what the decoder asks for."""
    both = layers.Add(name="both")([layers.Conv2D(4, 1, name="theta")(x), layers.Conv2D(4, 1, name="phi")(gate)])
    share = layers.Conv2D(1, 1, activation="sigmoid", name="share")(layers.ReLU(name="relu")(both))
    return layers.Multiply(name="scaled")([x, share])


def test_a_gated_skip_is_the_skip_and_the_main_path_is_not():
    def make(x):
        left = conv(x, "left")
        up = layers.UpSampling2D(name="up")(conv(layers.MaxPooling2D(name="pool")(left), "deep"))
        return conv(layers.Concatenate(name="concat")([up, gated(left, up)]), "last")

    found = net(make)
    assert found["left", "scaled"] == found["scaled", "concat"] == "concat"
    assert found["share", "scaled"] == "gate"
    assert [*found.values()].count("concat") == 2 and not {"skip", "projection"} & {*found.values()}
    assert found["up", "concat"] not in LINES


def test_squeeze_and_excitation_has_a_gate_and_the_block_its_identity_skip():
    def make(x):
        y = conv(x, "conv")
        squeezed = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(y)
        y = layers.Multiply(name="scaled")([y, layers.Conv2D(4, 1, activation="sigmoid", name="excite")(squeezed)])
        return layers.Add(name="sum")([x, y])

    found = net(make)
    assert found["x", "sum"] == "skip" and found["excite", "scaled"] == "gate"
    assert found["conv", "scaled"] not in LINES and found["scaled", "sum"] not in LINES


def test_what_only_gives_its_size_is_no_skip():
    with weightless():
        graph = read_graph(build("fcn32s"))
    assert not {*line_roles(graph).values()} & {*LINES}


def test_a_unet_has_as_many_skips_as_levels():
    with weightless():
        graph = overview(read_graph(build("unet")), 2)
    roles = list(line_roles(graph).values())
    assert roles.count("concat") == 4 and not {"skip", "projection"} & {*roles}
    assert "4 skip connections: from encoder4.dropout to decoder4.crop" in alt_text(graph)


def test_a_mean_that_noise_is_added_to_is_no_projection_where_it_is_returned():
    x = keras.Input((8,), name="x")
    mean, variance = layers.Dense(4, name="mean")(x), layers.Dense(4, name="log_variance")(x)
    noise = layers.GaussianNoise(1.0, name="noise")(keras.ops.exp(variance * 0.5))
    z = layers.Add(name="z")([mean, noise])
    model = keras.Model(x, {"z": layers.Dense(8, name="decoder")(z), "mean": mean})
    assert "projection" not in roles_of(model).values()


def test_a_second_output_of_a_block_into_a_sum_is_no_identity():
    """As in WaveNet: what goes past others is not what the next block reads."""
    with weightless():
        for style in ("boxes", "volumes"):
            figure = diagram(zoo.build("wavenet"), width="ieee2", style=style)
            paths = [item for item in figure.scene.items if isinstance(item, Path)]
            side = {link for item in paths for link in item.states if item.role == "side"}
            assert len(side) == 4 and {figure.graph.nodes[edge.target].role for edge in side} == {"add"}
            legend = {item.text for item in figure.scene.items if getattr(item, "role", "") == "legend"}
            assert "skip output" in legend and "identity skip" not in legend
    assert "4 skip outputs: from gated residual 1 to" in alt_text(figure.graph)


def test_ends_of_many_short_cuts_into_one_box_are_apart():
    with weightless():
        figure = diagram(zoo.build("wavenet"), width="ieee1")
    paths = [item for item in figure.scene.items if isinstance(item, Path) and item.role == "side" and item.states]
    tips = sorted(path.steps[-1][-1][1] for path in paths)
    assert len(tips) == 4 and all(b - a > 2 for a, b in pairwise(tips))


def test_the_lateral_convolution_of_a_feature_pyramid_is_no_projection_skip():
    """What it is added to comes from a smaller map; in a block that makes its input larger, both ways do."""
    found = net(
        lambda x: layers.Add(name="sum")(
            [layers.Conv2D(4, 1, name="side")(x), layers.UpSampling2D(name="up")(conv(x, "a", strides=2))]
        )
    )
    assert not {"projection", "skip"} & {*found.values()}
    short = lambda x: layers.Conv2D(4, 1, name="short")(layers.UpSampling2D()(x))  # noqa: E731
    found = net(lambda x: layers.Add()([short(x), conv(conv(conv(layers.UpSampling2D()(x), "a"), "b"), "c")]))
    assert "projection" in found.values()
    with weightless():
        for depth in ("auto", None):
            graph = diagram(zoo.build("feature_pyramid_detector"), width="ieee1" if depth else None, depth=depth).graph
            assert not {"projection", "skip"} & {*line_roles(graph).values()}


def test_zeros_for_channels_make_a_skip_without_a_projection():
    """Option A of He et al. 2016, ours and written by hand."""
    ways = [
        lambda x: pad_shortcut(x, 8, strides=2, conv=None),
        lambda x: keras.ops.pad(x[:, ::2, ::2, :], [[0, 0], [0, 0], [0, 0], [2, 2]]),
    ]
    for short in ways:
        found = net(lambda x, short=short: layers.Add(name="sum")([short(x), conv(conv(x, "a", 8, strides=2), "b", 8)]))
        assert "padded" in found.values() and "projection" not in found.values()
