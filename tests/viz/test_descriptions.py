"""What boxes say of the blocks that they stand for: true of each, and different where they differ."""

from functools import partial

import keras
import pytest
from keras import layers, ops

from layerblocks.architectures import build
from layerblocks.blocks import aspp, basic_residual, conv_bn, pad_shortcut, weightless
from layerblocks.graphs import read_graph
from layerblocks.graphs.overviews import overview
from layerblocks.graphs.rewrite import box
from layerblocks.viz import alt_text, caption, diagram, mermaid
from layerblocks.viz.scene import Text
from layerblocks.viz.texts.differences import descriptions
from layerblocks.viz.texts.layer_labels import describe


def said_of(model, depth=1):
    graph = overview(read_graph(model), depth)
    return dict(zip((node.name for node in graph.nodes), descriptions(graph), strict=True))


def conv(x, name, size=3, **options):
    return layers.Conv2D(x.shape[-1], size, padding="same", name=name, **options)(x)


def residuals(*tails):
    """Residual blocks that end in the layers given."""
    x = y = keras.Input((8, 8, 4), name="image")
    for i, tail in enumerate(tails):
        z = conv(layers.ReLU(name=f"b{i}.relu")(conv(y, f"b{i}.conv1")), f"b{i}.conv2")
        y = layers.Add(name=f"b{i}.add")([y, z])
        for j, layer in enumerate(tail):
            y = layer(name=f"b{i}.tail{j}")(y)
    return keras.Model(x, layers.Flatten(name="flat")(y), name="net")


def dropout(name):
    return layers.Dropout(0.5, name=name)


RELU, GELU = layers.ReLU, lambda name: layers.Activation("gelu", name=name)
CASES = {
    "the last without its activation": ([[RELU], [RELU], []], ["", "", ", no final ReLU"]),
    "one with dropout": ([[RELU], [RELU], [RELU, dropout]], ["", "", ", with dropout"]),
    "another activation": ([[RELU], [GELU], [RELU]], ["", ", GELU for ReLU", ""]),
    "much": (
        [[RELU], [GELU, dropout, layers.LayerNormalization, layers.Softmax], []],
        [", type A", ", type B", ", type A, no final ReLU"],
    ),
    "nothing": ([[RELU], [RELU]], ["", ""]),
}


@pytest.mark.parametrize("case", CASES)
def test_blocks_that_differ_do_not_say_the_same(case):
    tails, wanted = CASES[case]
    found = said_of(residuals(*tails))
    blocks = [text.removeprefix("residual 3×3, 3×3") for name, text in found.items() if name.startswith("b")]
    repeated = [text for i, text in enumerate(wanted) if not i or tails[i] != tails[i - 1]]
    assert blocks == repeated


def test_figures_descriptions_and_mermaid_say_in_what_blocks_differ():
    model = residuals([RELU], [RELU], [])
    graph = overview(read_graph(model), 1)
    assert "no final ReLU" in alt_text(graph) and "no final ReLU" in mermaid(graph)
    texts = [item.text for item in diagram(model, depth=1).scene.items if isinstance(item, Text)]
    assert "no final ReLU" in " ".join(texts)


def test_of_two_ways_with_one_convolution_each_the_projection_is_the_short_one():
    x = keras.Input((4, 8, 8, 4), name="video")
    for first in (True, False):
        short = (
            layers.Conv3D(6, 1, name="block.short")
            if first
            else layers.Conv3D(6, (1, 3, 3), padding="same", name="block.long")
        )
        other = (
            layers.Conv3D(6, (1, 3, 3), padding="same", name="block.b")
            if first
            else layers.Conv3D(6, 1, name="block.b")
        )
        y = layers.ReLU(name="block.relu")(layers.Add(name="block.add")([short(x), other(x)]))
        model = keras.Model(x, layers.Conv3D(2, 1, name="last")(y))
        assert said_of(model)["block"] == "residual 1×3×3, projection skip"


def test_every_way_past_the_longest_is_said():
    x = keras.Input((8, 8, 4), name="image")
    ways = [layers.Conv2D(4, size, padding="same", name=f"block.conv{size}")(x) for size in (1, 3)] + [
        layers.BatchNormalization(name="block.norm")(x)
    ]
    model = keras.Model(x, layers.ReLU(name="block.relu")(layers.Add(name="block.add")(ways)))
    assert said_of(model)["block"] == "residual 3×3, skips through batch norm and 1×1 conv"


def test_a_residual_block_says_that_its_skip_is_padded_with_zeros():
    x = keras.Input((8, 8, 4), name="image")
    y = basic_residual(x, 8, strides=2, shortcut=pad_shortcut, name="stage.block1")
    y = basic_residual(y, 8, shortcut=pad_shortcut, name="stage.block2")
    model = keras.Model(x, layers.Flatten(name="flat")(y))
    first, both = (
        "residual 3×3 /2, 3×3, zero-padded skip",
        "2 × residual 3×3, 3×3 (first 3×3 /2, 3×3), zero-padded skip, then identity",
    )
    assert said_of(model, 2)["stage.block1"] == first
    assert said_of(model, 1)["stage"] == both


@pytest.mark.parametrize(
    ("short", "said"),
    [
        (lambda x: x[:, ::2, ::2, :], "zero-padded skip"),
        (layers.AveragePooling2D(1, 2), "zero-padded skip"),
        (layers.MaxPooling2D(2), "skip through 2×2 max pool, zero-padded"),
    ],
)
def test_zeros_for_channels_written_by_hand_are_said_as_well(short, said):
    x = keras.Input((8, 8, 4), name="image")
    with weightless():
        y = layers.ReLU(name="block.relu")(layers.Conv2D(8, 3, strides=2, padding="same", name="block.conv1")(x))
        y = layers.Conv2D(8, 3, padding="same", name="block.conv2")(y)
        y = layers.Add(name="block.add")([y, ops.pad(short(x), [[0, 0], [0, 0], [0, 0], [2, 2]])])
        graph = read_graph(keras.Model(x, layers.Flatten(name="flat")(y)))
    block = box(graph, range(1, len(graph.nodes) - 1), ("block",), ())
    assert describe(block) == f"residual 3×3 /2, 3×3, {said}" and block.role == "residual"


def test_a_skip_of_every_second_channel_is_no_zero_padded_one():
    x = keras.Input((8, 8, 4), name="image")
    with weightless():
        y = layers.Conv2D(4, 3, padding="same", name="block.conv2")(layers.Conv2D(4, 3, padding="same")(x))
        y = layers.Add(name="block.add")([y, ops.pad(x[:, :, :, ::2], [[0, 0], [0, 0], [0, 0], [1, 1]])])
        graph = read_graph(keras.Model(x, layers.Flatten(name="flat")(y)))
    assert "zero-padded" not in describe(box(graph, range(1, len(graph.nodes) - 1), ("block",), ()))


def test_an_auxiliary_output_of_a_dropout_alone_is_no_classifier():
    x = keras.Input((8,), name="image")
    with weightless():
        main = layers.Dense(3, name="main")(layers.Dense(4, name="hidden")(x))
        model = keras.Model(x, {"main": main, "aux1": layers.Dropout(0.5, name="aux1")(x)})
    assert "classifier" not in {item.text for item in diagram(model).scene.items if isinstance(item, Text)}


def test_blocks_of_repvgg_and_ghostnet_say_what_they_are():
    with weightless():
        repvgg, ghostnet = said_of(build("repvgg_a0")), said_of(build("ghostnet_1_0"), 2)
        stages = said_of(build("ghostnet_1_0"))
    assert repvgg["stem"] == "RepVGG block 3×3, /2" and repvgg["stage2"] == "4 × RepVGG block 3×3 (first /2)"
    assert ghostnet["stage1.block1"] == "ghost bottleneck"
    assert ghostnet["stage3.block1"] == "ghost bottleneck 5×5, /2, SE, projection skip"
    assert stages["stage3"] == "2 × ghost bottleneck, /2, SE, projection skip, then identity"


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ([], "5-branch concat, dilations 6, 12, 18 + 1×1 conv"),
        ([3], "5-branch concat, dilations 6, 12, 18 + 1×1 conv + 3×3 conv"),
    ],
)
def test_dilated_branches_say_their_rates_and_what_follows(after, said):
    x = keras.Input((8, 8, 4), name="image")
    with weightless():
        y = aspp(x, 4, name="decoder.aspp")
        for size in after:
            y = conv_bn(dropout("decoder.dropout")(y), 4, size, name="decoder.conv")
        model = keras.Model(x, layers.Flatten(name="flat")(y))
    assert said_of(model)["decoder"] == said


def test_branches_that_fork_within_a_block_are_not_all_that_it_is():
    x = keras.Input((8, 8, 4), name="image")
    stem = conv(x, "block.stem")
    joined = layers.Concatenate(name="block.join")([conv(stem, f"block.way{i}") for i in range(3)])
    model = keras.Model(x, layers.Flatten(name="flat")(conv(joined, "block.last")))
    assert "branch" not in said_of(model)["block"]


def test_residual_blocks_say_their_rate():
    x = y = keras.Input((32, 8), name="x")
    for rate in (1, 2, 4):
        z = layers.Conv1D(8, 3, padding="causal", dilation_rate=rate, name=f"b{rate}.conv1")(y)
        z = layers.Conv1D(8, 3, padding="causal", dilation_rate=rate, name=f"b{rate}.conv2")(
            layers.ReLU(name=f"b{rate}.r")(z)
        )
        y = layers.Add(name=f"b{rate}.add")([y, z])
    found = said_of(keras.Model(x, layers.Dense(1, name="last")(y)))
    assert [found[f"b{rate}"] for rate in (1, 2, 4)] == [
        f"residual kernel-3, kernel-3{end}, causal" for end in ("", ", dilation 2", ", dilation 4")
    ]


def level(x, skip, join):
    up = layers.UpSampling2D(name="level.up")(x)
    y = conv(join(up, skip), "level.conv")
    return layers.Conv2D(2, 1, name="last")(y)


def gate(up, skip):
    both = layers.Add(name="level.both")([conv(up, "level.g1", 1), conv(skip, "level.g2", 1)])
    share = layers.Conv2D(1, 1, activation="sigmoid", name="level.g3")(layers.ReLU(name="level.g4")(both))
    return layers.Concatenate(name="level.join")([up, layers.Multiply(name="level.gated")([skip, share])])


def test_levels_say_what_they_do_with_a_skip():
    joins = {
        "up ×2 + add + 3×3 conv": lambda *both: layers.Add(name="level.join")(both),
        "up ×2 + concat + 3×3 conv": lambda *both: layers.Concatenate(name="level.join")(both),
        "up ×2 + attention gate + concat + 3×3 conv": gate,
    }
    for wanted, join in joins.items():
        skip, x = keras.Input((8, 8, 4), name="skip"), keras.Input((4, 4, 4), name="x")
        assert said_of(keras.Model([skip, x], level(x, skip, join)))["level"] == wanted


def test_a_stack_of_branches_is_no_concatenation():
    x = keras.Input((8,), name="x")
    y = ops.stack([layers.Dense(4, activation="relu", name=f"expert{i}")(x) for i in range(3)], axis=1)
    found = said_of(keras.Model(x, layers.Dense(2, name="last")(layers.Flatten(name="flat")(y))))
    assert any("stack" in text for text in found.values()) and not any("concat" in text for text in found.values())


@pytest.mark.parametrize(("gate", "wanted"), [("gelu", "2 × dense + multiply"), ("sigmoid", "2 × dense, 8")])
def test_a_product_of_which_no_factor_is_a_share_is_told(gate, wanted):
    x = keras.Input((8,), name="x")
    factors = [layers.Dense(8, name="block.a")(x), layers.Dense(8, activation=gate, name="block.b")(x)]
    product = layers.Multiply(name="block.product")(factors)
    assert said_of(keras.Model(x, layers.Dense(2, name="last")(product)))["block"] == wanted


def block_of(*layers_of, shape=(16, 16, 4)):
    """What a block of these layers in a row says."""
    x = y = keras.Input(shape, name="x")
    for i, layer in enumerate(layers_of):
        y = layer(name=f"block.l{i}")(y)
    return said_of(keras.Model(x, layers.Dense(2, name="last")(y)))["block"]


def of(kind, *given, **options):
    return partial(kind, *given, **options)


CONV = of(layers.Conv2D, 4, 3, padding="same")
SAID = {
    "up ×2 + 3×3 conv": (of(layers.UpSampling2D), CONV),
    "up ×4 + 3×3 conv": (of(layers.UpSampling2D, 4, interpolation="bilinear"), CONV),
    "2×2 transposed conv, ×2 + 3×3 conv": (of(layers.Conv2DTranspose, 4, 2, strides=2), CONV),
    "3×3 conv + 2×2 avg pool, /2": (CONV, of(layers.AveragePooling2D, 2)),
    "3×3 conv + 2×2 max pool": (CONV, of(layers.MaxPooling2D, 2, strides=1)),
    "global avg pool + dropout 0.4 + dense + softmax": (
        *(of(layers.GlobalAveragePooling2D), of(layers.Dropout, 0.4)),
        *(of(layers.Dense, 10), of(layers.Softmax)),
    ),
    "2 × dense, 8 + sigmoid": (of(layers.Dense, 8), of(layers.Dense, 8, activation="sigmoid")),
    "global avg pool + dense": (of(layers.GlobalAveragePooling2D), of(layers.Dense, 10, activation="relu")),
    "3×3 /2, 1×1, 3×3 conv": (of(layers.Conv2D, 4, 3, strides=2), of(layers.Conv2D, 4, 1), CONV),
    "1×1, 3×3 dilation 2, 5×5 conv": (
        *(of(layers.Conv2D, 4, 1), of(layers.Conv2D, 4, 3, dilation_rate=2)),
        of(layers.Conv2D, 4, 5),
    ),
}


@pytest.mark.parametrize("words", SAID)
def test_a_block_says_how_it_resizes_and_what_it_ends_in(words):
    assert block_of(*SAID[words]) == words


@pytest.mark.parametrize("on", range(3))
def test_a_residual_block_says_which_convolution_steps(on):
    x = y = keras.Input((16, 16, 4), name="x")
    for i, size in enumerate((1, 3, 1)):
        y = layers.Conv2D(4, size, strides=2 if i == on else 1, padding="same", name=f"block.c{i}")(y)
    y = layers.Add(name="block.add")([layers.Conv2D(4, 1, strides=2, name="block.short")(x), y])
    kernels = [f"{size}{' /2' if i == on else ''}" for i, size in enumerate(("1×1", "3×3", "1×1"))]
    model = keras.Model(x, layers.Dense(2, name="last")(y))
    assert said_of(model)["block"] == f"residual {', '.join(kernels)}, projection skip"


@pytest.mark.parametrize(("resize", "said"), [("up", "up ×2"), ("pool", "2×2 avg pool, /2")])
def test_a_residual_block_says_that_it_resizes(resize, said):
    x = keras.Input((16, 16, 4), name="x")
    size = layers.UpSampling2D if resize == "up" else of(layers.AveragePooling2D, 2)
    y = size(name="block.long")(conv(x, "block.c0"))
    y = layers.Add(name="block.add")([layers.Conv2D(4, 1, name="block.short")(size(name="block.beside")(x)), y])
    found = said_of(keras.Model(x, layers.Dense(2, name="last")(y)))["block"]
    assert found == f"residual 3×3, {said}, projection skip"


def test_calls_of_one_layer_say_that_they_share_weights():
    x, shared = [keras.Input((4,), name=name) for name in "ab"], layers.Dense(3, name="shared")
    graph = read_graph(keras.Model(x, layers.Subtract(name="last")([shared(each) for each in x])))
    assert descriptions(graph)[1:4:2] == ["dense, 3, shared weights, 1 of 2", "dense, 3, shared weights, 2 of 2"]


@pytest.mark.parametrize("gated", [True, False])
def test_the_key_says_that_a_skip_to_a_concatenation_is_gated(gated):
    x = keras.Input((16, 16, 4), name="x")
    skip = conv(conv(x, "down.c0"), "down.c1")
    low = conv(layers.MaxPooling2D(name="bottom.pool")(skip), "bottom.c0")
    up = layers.UpSampling2D(name="level.up")(low)
    y = gate(up, skip) if gated else layers.Concatenate(name="level.join")([up, skip])
    model = keras.Model(x, layers.Conv2D(2, 1, name="last")(conv(y, "level.conv")))
    texts = [item.text for item in diagram(model, depth=1).scene.items if isinstance(item, Text)]
    assert ("gated skip to a concatenation" in texts, "skip to a concatenation" in texts) == (gated, not gated)
    assert ("change nothing" in caption(overview(read_graph(model), 1))) is not gated
