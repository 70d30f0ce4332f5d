"""Patterns of layers by their structure, and what groups of them are called."""

from __future__ import annotations

from functools import partial

import keras
import pytest
from keras import layers as L
from keras import ops

from layerblocks import blocks as b
from layerblocks.blocks import weightless
from layerblocks.graphs import collapse, group, overview, read_graph
from layerblocks.graphs.patterns import pattern_of, sums_a_residual

from ..zoo import build as stranger


def image(channels=16, size=16):
    return keras.Input((size, size, channels))


def conv(x, filters=16, kernel=3, activation=None, **options):
    x = L.Conv2D(filters, kernel, padding="same", use_bias=False, **options)(x)
    x = L.BatchNormalization()(x)
    return x if activation is None else L.Activation(activation)(x)


def of(x, y):
    return pattern_of(read_graph(keras.Model(x, y)))


def residual(x):
    return L.ReLU()(L.Add()([x, conv(conv(x, activation="relu"))]))


def projected(x):
    y = conv(conv(x, 32, activation="relu", strides=2), 32)
    return L.ReLU()(L.Add()([y, conv(x, 32, 1, strides=2)]))


def preactivated(x):
    y = L.Conv2D(16, 3, padding="same")(L.ReLU()(L.BatchNormalization()(x)))
    return x + L.Conv2D(16, 3, padding="same")(L.ReLU()(L.BatchNormalization()(y)))


def bottleneck(x):
    return L.ReLU()(L.Add()([conv(conv(conv(x, 4, 1, "relu"), 4, 3, "relu"), 16, 1), x]))


def inverted(x):
    y = L.ReLU(6.0)(L.DepthwiseConv2D(3, padding="same")(conv(x, 64, 1, "relu6")))
    return L.Add()([x, conv(y, 16, 1)])


def excited(x, squeeze=4):
    s = L.GlobalAveragePooling2D(keepdims=True)(x)
    return L.Multiply()([x, L.Conv2D(x.shape[-1], 1, activation="sigmoid")(L.Conv2D(squeeze, 1, activation="relu")(s))])


def mbconv(x):
    y = L.Activation("silu")(L.DepthwiseConv2D(3, padding="same")(conv(x, 64, 1, "silu")))
    return L.Add()([x, L.Dropout(0.1)(conv(excited(y), 16, 1))])


def inception(x):
    pooled = conv(L.MaxPooling2D(3, 1, "same")(x), 4, 1, "relu")
    return L.Concatenate()([conv(x, 8, 1), conv(conv(x, 4, 1), 8, 3), conv(conv(x, 4, 1), 8, 5), pooled])


def dense_block(x):
    for _ in range(3):
        x = L.Concatenate()([x, conv(conv(x, 32, 1, "relu"), 8, 3, "relu")])
    return x


def aspp(x):
    return L.Concatenate()([conv(x, 8, 1), *(conv(x, 8, 3, dilation_rate=rate) for rate in (6, 12, 18))])


def pyramid(x):
    scales = [L.UpSampling2D(n)(conv(L.AveragePooling2D(n)(x), 4, 1)) for n in (2, 4, 8)]
    return L.Concatenate()([x, *scales])


def tokens():
    return keras.Input((12, 32))


def encoder(x, pre=True):
    norm = L.LayerNormalization
    if pre:
        y = norm()(x)
        x = L.Add()([x, L.MultiHeadAttention(4, 8)(y, y)])
        return x + L.Dense(32)(L.Dense(64, activation="gelu")(norm()(x)))
    x = norm()(x + L.MultiHeadAttention(4, 8)(x, x))
    return norm()(x + L.Dropout(0.1)(L.Dense(32)(L.Dense(64, activation="relu")(x))))


def attention_by_hand(x):
    q, k, v = L.Dense(32)(x), L.Dense(32)(x), L.Dense(32)(x)
    return ops.softmax(q @ ops.transpose(k, (0, 2, 1)) / 32**0.5) @ v


def mixer(x):
    y = L.Permute((2, 1))(L.LayerNormalization()(x))
    x = x + L.Permute((2, 1))(L.Dense(12)(L.Dense(24, activation="gelu")(y)))
    return x + L.Dense(32)(L.Dense(64, activation="gelu")(L.LayerNormalization()(x)))


def stack(x):
    return L.GRU(8)(L.LSTM(16, return_sequences=True)(x))


def mlp(x):
    return L.Dense(4)(L.Dense(8, activation="relu")(L.Dense(16, activation="relu")(x)))


def reparameterized(x):
    return L.ReLU()(L.Add()([conv(x), conv(x, kernel=1), L.BatchNormalization()(x)]))


def ghost(x, filters=16):
    y = conv(x, filters // 2, kernel=1)
    return L.Concatenate()([y, L.DepthwiseConv2D(3, padding="same")(y)])


def ghost_bottleneck(x):
    y = L.DepthwiseConv2D(3, strides=2, padding="same")(ghost(x, 32))
    return L.Add()([ghost(y, 24), L.Conv2D(24, 1)(L.DepthwiseConv2D(3, strides=2, padding="same")(x))])


def zero_padded(x):
    """Option A, by hand."""
    y = conv(conv(x, 24, activation="relu", strides=2), 24)
    return L.Add()([y, ops.pad(x[:, ::2, ::2, :], [[0, 0], [0, 0], [0, 0], [4, 4]])])


PATTERNS = {
    "RepVGG block": [(image, reparameterized), (image, lambda x: L.Add()([conv(x), conv(x, kernel=1)]))],
    "RepVGG stage": [(image, lambda x: reparameterized(reparameterized(x)))],
    "ghost module": [(image, ghost)],
    "ghost stage": [(image, lambda x: ghost_bottleneck(ghost_bottleneck(x)))],
    "ghost bottleneck": [(image, ghost_bottleneck), (image, lambda x: L.Add()([x, ghost(ghost(x, 32))]))],
    "residual": [(image, residual), (image, projected), (image, preactivated), (image, zero_padded)],
    "bottleneck residual": [(image, bottleneck)],
    "inverted residual": [(image, inverted)],
    "MBConv": [(image, mbconv)],
    "squeeze-and-excitation": [(image, excited)],
    "inception block": [(image, inception)],
    "dense block": [(image, dense_block)],
    "ASPP": [(image, aspp)],
    "pyramid pooling": [(image, pyramid)],
    "attention": [(tokens, attention_by_hand), (tokens, lambda x: L.MultiHeadAttention(2, 8)(x, x))],
    "transformer block": [(tokens, encoder), (tokens, lambda x: encoder(x, pre=False))],
    "Mixer block": [(tokens, mixer)],
    "RNN stack": [(tokens, stack)],
    "MLP": [(tokens, mlp)],
    "conv block": [(image, lambda x: conv(conv(x)))],
}


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_recognised(name):
    for begin, make in PATTERNS[name]:
        with weightless():
            found = of(x := begin(), make(x))
        assert found is not None and found.name == name
        assert found.words.startswith(name)


SE = partial(b.squeeze_excite, ratio=4)
OWN = {
    "residual": [partial(b.basic_residual, filters=32, strides=2, shortcut=b.pad_shortcut)],
    "inverted residual": [
        partial(b.inverted_residual, filters=24, strides=2),
        partial(b.inverted_residual, filters=16),
    ],
    "MBConv": [
        partial(b.inverted_residual, filters=24, kernel_size=5, strides=2, inner=[SE]),
        partial(b.inverted_residual, filters=16, inner=[SE], transforms=[partial(b.stochastic_depth, rate=0.2)]),
    ],
    "fused MBConv": [partial(b.inverted_residual, filters=16, fused=True)],
    "bottleneck residual": [partial(b.bottleneck, filters=32, strides=2, shortcut=b.avg_pool_shortcut)],
    "squeeze-and-excitation": [SE],
    "efficient channel attention": [b.eca],
    "ConvNeXt block": [b.convnext_block],
    "RepVGG block": [partial(b.parallel_conv, filters=16), partial(b.parallel_conv, filters=16, strides=2)],
    "ghost module": [partial(b.ghost_conv, filters=16)],
    "inception block": [partial(b.branches, branches=[[(8, 1)], [(8, 1), (8, 3)]])],
    "ASPP": [partial(b.aspp, filters=8, rates=(2, 3))],
    "pyramid pooling": [partial(b.pyramid_pooling, sizes=(1, 2), filters=4)],
    "attention": [partial(b.self_attention, heads=4)],
    "transformer block": [partial(b.transformer_block, heads=4), partial(b.transformer_block, heads=4, window=4)],
    "Mixer block": [partial(b.mixer_block, token_units=8, channel_units=32)],
}


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("name", OWN)
def test_our_own_pieces_are_what_papers_call_them(name, rank):
    for make in OWN[name]:
        with weightless():
            found = of(x := keras.Input((*[8] * rank, 16)), make(x))
        assert found is not None and found.name == name


def test_a_gate_of_ours_is_one():
    with weightless():
        x, signal = image(), keras.Input((8, 8, 32))
        model = keras.Model([x, signal], conv(b.attention_gate(x, signal, name="gate")))
    (gate,) = (node for node in overview(read_graph(model), 1).nodes if node.name == "gate")
    assert pattern_of(gate).name == "attention gate"


def test_a_level_of_a_decoder_may_have_several_skips():
    """As in a U-Net++."""
    with weightless():
        below, first, second = image(32, 8), image(), image()
        y = L.Concatenate()([L.Conv2DTranspose(16, 2, strides=2)(below), first, second])
        model = keras.Model([below, first, second], conv(conv(y, 16, activation="relu"), 16, activation="relu"))
    assert pattern_of(read_graph(model)).words == "decoder level"


def test_a_sum_with_several_skips_is_no_level_of_a_decoder():
    with weightless():
        below, first, second = image(32, 8), image(), image()
        y = L.Add()([L.Conv2DTranspose(16, 2, strides=2)(below), first, second])
        assert pattern_of(read_graph(keras.Model([below, first, second], conv(conv(y))))) is None


def test_a_residual_may_be_conditioned_on_a_vector():
    """As by the time of a step of diffusion: one number more for each channel, from dense layers."""
    with weightless():
        x, step = image(), keras.Input((1, 1, 8))
        y = L.Add()([conv(x, activation="relu"), L.Dense(16)(L.Activation("silu")(step))])
        model = keras.Model([x, step], L.Add()([x, conv(y, activation="relu")]))
    assert pattern_of(read_graph(model)).name == "residual"


@pytest.mark.parametrize("join", [L.Add, L.Multiply, L.Concatenate])
@pytest.mark.parametrize("before", [conv, lambda x: x], ids=["convolved", "as it is"])
def test_what_meets_a_vector_outside_of_a_residual_has_no_name(join, before):
    with weightless():
        x, vector = image(), keras.Input((16, 16, 8))
        y = join()([before(x), L.Dense(16)(vector)])
        assert pattern_of(read_graph(keras.Model([x, vector], conv(y)))) is None


def test_what_tells_two_of_a_pattern_apart_is_said():
    with weightless():
        x = tokens()
        assert of(x, encoder(x)).words == "transformer block, pre-norm"
        assert of(x, encoder(x, pre=False)).words == "transformer block, post-norm"
        assert of(x, mlp(x)).words == "MLP, 16 → 8 → 4"
        x = image()
        assert of(x, L.Add()([x, excited(conv(conv(x)))])).words == "residual, squeeze-and-excitation"


NEAR = {
    "a sum of two branches": lambda x: L.Add()([conv(conv(x)), conv(conv(x))]),
    "a difference": lambda x: L.Subtract()([x, conv(conv(x))]),
    "a maximum": lambda x: L.Maximum()([x, conv(conv(x))]),
    "a product": lambda x: L.Multiply()([x, conv(conv(x))]),
    "two outputs": lambda x: [residual(x), conv(x)],
    "a residual and more": lambda x: L.Flatten()(conv(residual(x))),
    "two activated convolutions of one tensor": lambda x: L.Add()([conv(x, activation="relu"), conv(x, kernel=1)]),
    "a convolution and itself": lambda x: L.Add()([conv(x), conv(x)]),
    "one convolution and a pooling": lambda x: L.MaxPooling2D()(conv(x)),
    "a product with a gate of one layer": lambda x: L.Multiply()([x, L.Conv2D(1, 1, activation="sigmoid")(x)]),
}


@pytest.mark.parametrize("name", NEAR)
def test_what_is_almost_a_pattern_is_not_named(name):
    with weightless():
        x = image()
        assert of(x, NEAR[name](x)) is None


def test_a_squeeze_without_a_sigmoid_is_none():
    with weightless():
        x = image()
        s = L.GlobalAveragePooling2D(keepdims=True)(x)
        assert of(x, L.Multiply()([x, L.Conv2D(16, 1)(L.Conv2D(4, 1)(s))])) is None


def test_a_narrowing_depthwise_residual_is_not_inverted():
    with weightless():
        x = image()
        y = conv(L.DepthwiseConv2D(3, padding="same")(conv(x, 4, 1)), 16, 1)
        assert of(x, L.Add()([x, y])).name == "residual"


def test_only_a_block_or_a_graph_is_asked():
    with pytest.raises(TypeError, match="thing"):
        pattern_of("conv")


# -- what groups of strangers' networks are called --------------------------------------------------------------------


def boxes(name, depth=1):
    nodes = overview(read_graph(stranger(name), expand_nested=True), depth).nodes
    return [n.name + (f" ×{n.repeats}" if n.repeats > 1 else "") for n in nodes if n.role != "input"]


LEVELS = [*(f"encoder level {i}" for i in range(1, 5)), "conv block", *(f"decoder level {i}" for i in range(1, 5))]
GROUPS = {
    "unet": [*LEVELS, "conv2d_18"],
    "attention_unet": [*LEVELS[:3], "conv block", *LEVELS[5:8], "conv2d_23"],
    "pix2pix": ["conv2d", "conv2d_1", "conv2d_2", "conv2d_3", "conv2d_4", *LEVELS[5:], "conv2d_transpose_4"],
    "srgan": [
        *("conv2d", "residual 1–4 ×4", "conv2d_9", "add_4", "conv2d_10", "up_sampling2d", "conv2d_11"),
        *("up_sampling2d_1", "p_re_lu_6", "conv2d_12"),
    ],
    "prenorm_encoder": ["transformer block 1–4 ×4"],
    "gpt": ["embedding", "add", "transformer block 1–4 ×4", "layer_normalization_8", "dense_8"],
    "vit": ["patch_embedding", "transformer block 1–4 ×4", "layer_normalization_8", "get_item", "dense_8"],
    "mixer": ["conv2d", "reshape", "Mixer block 1–3 ×3", "global_average_pooling1d", "dense_12"],
    "encoder_decoder": [
        *("embedding_1", "embedding", "transformer block 1–2 ×2", "transformer decoder block 1–2 ×2", "dense_8"),
    ],
    "seq2seq_lstm": ["encoder_lstm", "decoder_lstm", "dense"],
    "clip": [
        *("vision_model", "unit_normalization", "language_model", "unit_normalization_1", "transpose", "matmul"),
    ],
    "shared_six_times": ["conv2d ×6", "global_max_pooling2d"],
    "speech_commands": ["resizing", "normalization", "conv block", "dropout_1", "flatten", "MLP"],
    "deeplab_v3_plus": [
        *("conv2d", "conv2d_1", "conv2d_2", "conv2d_3", "ASPP", "conv2d_9", "conv2d_10", "decoder level"),
        *("up_sampling2d_2", "conv2d_13"),
    ],
    "inception_by_hand": ["conv2d", "inception block 1", "inception block 2", "global_average_pooling2d", "dense"],
    "crnn": [
        *("conv2d", "max_pooling2d", "conv2d_1", "max_pooling2d_1", "reshape", "dense", "dropout", "RNN stack"),
        "dense_1",
    ],
    "efficientnet_like": ["conv2d", *(f"MBConv {i}" for i in range(1, 6)), "global_average_pooling2d_5", "dense"],
}


@pytest.mark.parametrize("name", GROUPS)
def test_groups_are_called_by_what_they_are(name):
    assert boxes(name) == GROUPS[name]


def test_an_alternation_is_one_repeat():
    drawn = overview(read_graph(stranger("prenorm_encoder")), 2)
    assert [(n.name.rpartition(".")[2], n.repeats) for n in drawn.nodes[1:]] == [
        ("attention residual", 4),
        ("feed-forward residual", 4),
    ]
    assert [frame.repeats for frame in drawn.frames] == [4]
    assert {node.frames for node in drawn.nodes[1:]} == {(0,)}


def test_gates_lie_within_their_level():
    inside = collapse(group(read_graph(stranger("attention_unet"))), 2).nodes
    gates = [n for n in inside if n.name.endswith("attention gate")]
    assert [n.name for n in gates] == [f"decoder level {i}.attention gate" for i in (1, 2, 3)]
    assert {pattern_of(n).name for n in gates} == {"attention gate"}
    assert all(n.role != "residual" for n in gates), "its sum is not of its input and what is computed from it"


@pytest.mark.parametrize("names", [("z_mean", "z_log_var"), ("td_encoder", "td_head")])
def test_the_words_of_a_user_are_no_scopes(names):
    x = y = keras.Input((8,), name="x")
    for i in range(12):
        y = L.Dense(8, name=f"layer{i}")(y)
    found = group(read_graph(keras.Model(x, [L.Dense(2, name=name)(y) for name in names])))
    assert [n.name for n in found.nodes][-2:] == list(names)


@pytest.mark.parametrize("name", ["siamese", "triplet", "luong_attention", "dueling_dqn", "pointnet", "linknet"])
def test_only_a_sum_with_its_own_input_is_residual(name):
    nodes = overview(read_graph(stranger(name), expand_nested=True), 1).nodes
    assert not [n.name for n in nodes if n.role == "residual"]


def test_what_leaves_a_branch_does_not_hide_that_it_is_added_to_its_input():
    with weightless():
        x = tokens()
        y = L.Dense(32)(x)
        model = keras.Model(x, [L.Add()([x, L.Dense(32)(y)]), y])
    assert sums_a_residual(read_graph(model))
    with weightless():
        y = L.Dense(32, name="b.first")(x)
        z = L.Add(name="b.sum")([x, L.Dense(32, name="b.second")(y)])
        graph = collapse(read_graph(keras.Model(x, [z, L.Dense(2, name="other")(y)])), 1)
    assert {node.name: node.role for node in graph.nodes}["b"] == "residual"


def test_a_tensor_that_a_layer_of_a_block_is_given_twice_is_one():
    def inside(*inputs, of):
        with weightless():
            y = L.LayerNormalization(name="b.norm")(L.MultiHeadAttention(2, 8, name="b.attention")(*of))
        return pattern_of(collapse(read_graph(keras.Model(inputs, y)), 1).nodes[-1])

    x, z = tokens(), tokens()
    assert inside(x, of=(x, x)).name == "attention"
    assert inside(x, z, of=(x, z)).name == "cross-attention"


def test_roles_of_attention_recurrence_and_embedding():
    roles = {n.kind: n.role for name in ("gpt", "crnn", "luong_attention") for n in read_graph(stranger(name)).nodes}
    assert roles["MultiHeadAttention"] == roles["Attention"] == "attention"
    assert roles["Bidirectional"] == roles["GRU"] == "recurrent"
    assert roles["Embedding"] == "embedding"
