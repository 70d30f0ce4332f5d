"""The closed forms against nets that Keras builds, and the walk from the output back against nets that it runs."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from layerblocks import blocks
from layerblocks.architectures import build as network
from layerblocks.blocks import (
    basic_residual,
    bottleneck,
    classifier,
    conv_bn,
    dense_block,
    depthwise,
    inception,
    squeeze_excite,
    vgg_block,
    weightless,
)
from layerblocks.graphs import conv_out, min_input_size, pool_out, read_graph, receptive_field, transposed_out
from layerblocks.graphs.window_arithmetic import extent, transposed_in
from layerblocks.testing import oracles
from layerblocks.testing.oracles import Expected
from layerblocks.testing.oracles.registry import ORACLES

from ..agreement import multiply_adds
from ..helpers import UNITS, build, channels, dear, sizes

# Counts.


@given(st.sampled_from(list(UNITS)), sizes, channels, channels)
def test_multiply_adds_of_units(unit, size, depth, filters):
    make, oracle = UNITS[unit]
    try:
        expected = oracle((*size, depth), filters)
    except ValueError:
        return
    assert multiply_adds(build(make, (*size, depth), filters)) == expected.multiply_adds


BLOCKS = [
    (partial(vgg_block, filters=4), partial(oracles.vgg_block, filters=4)),
    (partial(inception, c1=4, c3=(2, 4), c5=(2, 4), pool_proj=4),) * 2,
    (partial(basic_residual, filters=8, strides=2), partial(oracles.basic_residual, filters=8, strides=2)),
    (partial(bottleneck, filters=8), partial(oracles.bottleneck, filters=8)),
    (partial(classifier, classes=3, pooling="flatten", units=(5,)),) * 2,
    (partial(depthwise, filters=16), partial(oracles.depthwise, filters=16)),
    (partial(dense_block, layers=2, growth_rate=4), partial(oracles.dense_block, layers=2, growth_rate=4)),
    (partial(squeeze_excite, ratio=2), partial(oracles.squeeze_excite, ratio=2)),
]


@pytest.mark.parametrize("block, oracle", BLOCKS, ids=lambda block: block.func.__name__)
def test_counts_of_blocks(block, oracle):
    if oracle is block:
        oracle = partial(getattr(oracles, block.func.__name__), **block.keywords)
    model, expected = build(block, (9, 7, 8)), oracle((9, 7, 8))
    assert model.output_shape[1:] == expected.shape
    assert model.count_params() == expected.parameters
    assert multiply_adds(model) == expected.multiply_adds


IMAGE, ROW = (9, 7, 8), (12, 16)
PIECES = [
    ("blur_pool", IMAGE, {}),
    ("blur_pool", IMAGE, {"pool_size": 4, "strides": 3}),
    ("resize_conv", IMAGE, {"filters": 3}),
    ("subpixel_conv", IMAGE, {"filters": 3}),
    ("eca", IMAGE, {}),
    ("cbam", IMAGE, {"ratio": 2}),
    ("convnext_block", IMAGE, {}),
    ("inception_residual", IMAGE, {"branches": [[(2, 1)], [(1, 1), (3, 3)]]}),
    ("instance_norm", IMAGE, {}),
    ("rms_norm", IMAGE, {}),
    ("global_response_norm", IMAGE, {}),
    ("self_attention", ROW, {"heads": 4}),
    ("self_attention", (8, 8, 16), {"heads": 4, "window": 4}),
    ("self_attention", (8, 8, 16), {"heads": 4, "window": 4, "position_bias": True}),
    ("self_attention", (4, 6, 16), {"heads": 4, "position_bias": True}),
    ("self_attention", (4, 6, 16), {"heads": 4, "window": 2, "position_bias": True, "cosine": True}),
    ("self_attention", (4, 6, 16), {"heads": 4, "cosine": True}),
    ("transformer_block", (4, 6, 16), {"heads": 4, "cosine": True, "norm_at": "end"}),
    ("patch_merging", (4, 6, 16), {"filters": 8, "norm_at": "end"}),
    ("transformer_block", ROW, {"heads": 4}),
    ("mixer_block", ROW, {"token_units": 5, "channel_units": 20}),
    ("class_token", ROW, {}),
    ("position_embedding", ROW, {}),
    ("patch_embedding", (32, 48, 3), {"filters": 5}),
    ("mlp", IMAGE, {"units": 5}),
    ("aspp", IMAGE, {"filters": 4, "rates": (1, 2)}),
    ("pyramid_pooling", IMAGE, {"sizes": (1, 2)}),
    ("zero_pad", IMAGE, {"padding": ((1, 2), (0, 3))}),
    ("crop", IMAGE, {"cropping": ((1, 2), (0, 3))}),
    ("norm_activation", IMAGE, {}),
    ("preact_conv", IMAGE, {"filters": 5}),
    ("bilinear_up", IMAGE, {"factor": 3}),
    ("squeeze_excite", (5, 5, 32), {}),
    ("depthwise_separable", IMAGE, {"filters": 5, "strides": 2}),
    ("inverted_residual", IMAGE, {"filters": 8}),
    ("inverted_residual", IMAGE, {"filters": 5, "strides": 2, "fused": True}),
    ("basic_residual", IMAGE, {"filters": 8}),
    ("basic_residual", IMAGE, {"filters": 8, "activation_at": "start"}),
    ("xception_module", IMAGE, {"filters": (8, 12), "strides": 2}),
    ("inception_stacked", IMAGE, {"c1": 2, "single": (3, 4), "double": (5, 6, 7), "pool_proj": 8}),
    ("inception_asymmetric", IMAGE, {"c1": 2, "single": (3, 4, 5), "double": (5, 6, 7, 8, 9), "pool_proj": 8, "n": 3}),
    ("inception_expanded", IMAGE, {"c1": 2, "single": (3, 4), "double": (5, 6, 7), "pool_proj": 8}),
    ("inception_reduction", IMAGE, {"single": (3,), "double": (4, 5, 6)}),
    ("dense_layer", IMAGE, {"growth_rate": 4}),
    ("dense_layer", IMAGE, {"growth_rate": 4, "bottleneck": 0, "dilation_rate": 2}),
    ("transition", IMAGE, {"filters": 4}),
    ("aux_classifier", (14, 14, 8), {"classes": 3, "filters": 4, "units": 5}),
    ("attention_gate", [(8, 6, 8), (4, 3, 5)], {}),
    ("fuse_scores", [(4, 4, 5), (7, 7, 6)], {}),
    ("decoder_block", [(4, 4, 8), (8, 8, 6)], {"filters": 5}),
    ("decoder_block", [(14, 10, 8), (36, 28, 6)], {"filters": 5, "offset": 4}),
    ("inverted_residual", IMAGE, {"filters": 8, "strides": 2}),
    ("inverted_residual", IMAGE, {"filters": 5}),
    ("dilated", IMAGE, {"filters": 3, "padding": "valid"}),
    ("sparse", IMAGE, {"filters": 3, "connections": [[0, 1], [2], [3, 4, 5]]}),
    ("hierarchical_conv", IMAGE, {"filters": 8, "scale": 4}),
]


@pytest.mark.parametrize(("name", "shapes", "given"), PIECES, ids=lambda value: value if type(value) is str else "")
def test_counts_of_pieces(name, shapes, given):
    shapes = shapes if isinstance(shapes, list) else [shapes]
    with weightless():
        inputs = [keras.Input(shape) for shape in shapes]
        model = keras.Model(inputs, getattr(blocks, name)(*inputs, **given))
    expected = ORACLES[name].oracle(*shapes, **given)
    assert (model.output_shape[1:], model.count_params()) == (expected.shape, expected.parameters)
    assert read_graph(model).multiply_adds == expected.multiply_adds


@pytest.mark.parametrize("always", [False, True])
def test_a_projection_is_there_where_something_changes_or_always(always):
    for filters, strides in ((8, 1), (8, 2), (5, 1)):
        given = {"strides": strides, "always": always}
        model = build(blocks.projection_shortcut, IMAGE, filters, conv=conv_bn, **given)
        expected = ORACLES["projection_shortcut"].oracle(IMAGE, filters, conv=oracles.conv_bn, **given)
        assert (model.output_shape[1:], model.count_params()) == (expected.shape, expected.parameters)


@pytest.mark.parametrize("name", ["avg_pool_shortcut", "channel_projection_shortcut", "pad_shortcut"])
def test_counts_of_shortcuts(name):
    for filters, strides in ((8, 1), (8, 2), (12, 1), (12, 2)):
        model = build(getattr(blocks, name), IMAGE, filters, conv=conv_bn, strides=strides)
        expected = ORACLES[name].oracle(IMAGE, filters, conv=oracles.conv_bn, strides=strides)
        assert (model.output_shape[1:], model.count_params()) == (expected.shape, expected.parameters)


def test_each_rate_of_a_context_is_that_of_one_convolution():
    seen = []

    def conv(shape, filters, kernel_size, *, strides, dilation_rate=1):
        seen.append((kernel_size, dilation_rate))
        return Expected((*shape[:-1], filters))

    oracles.aspp(IMAGE, 4, (1, 2, 3), conv=conv)
    assert seen == [(1, 1), (3, 1), (3, 2), (3, 3), (1, 1), (1, 1)]


def test_counts_of_an_unknown_size_are_unknown():
    expected = oracles.conv((None, 7, 3), 4).then(oracles.pool)
    assert (expected.shape, expected.parameters, expected.multiply_adds) == ((None, 4, 4), 112, None)


def test_what_is_summed_is_of_one_shape():
    with pytest.raises(ValueError, match="branches of different shapes"):
        oracles.add([Expected((8, 8, 3)), Expected((8, 8, 1))])


# Sizes.


@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.sampled_from(["same", "valid"]))
def test_the_smallest_input_of_a_transposed_convolution(out, kernel, stride, dilation, padding):
    least = transposed_in(out, kernel, stride, dilation, padding)
    assert transposed_out(least, kernel, stride, dilation, padding) >= out
    assert least == 1 or transposed_out(least - 1, kernel, stride, dilation, padding) < out


def test_sides_are_what_the_public_names_say():
    assert (conv_out(7), pool_out(7), transposed_out(7), conv_out(None)) == (7, 4, 14, None)
    with pytest.raises(ValueError, match="for the window to fit"):
        conv_out(2, 3, padding="valid")


# From the output back, on random chains of plain Keras layers.


@st.composite
def plain_chains(draw, enlarging=True):
    """Functions that make layers, so that the same chain can be built at any size."""
    layers = keras.layers
    padding, side = st.sampled_from(["same", "valid"]), st.integers(1, 3)
    kinds = ["conv", "dilated", "pool", "average", "pad", "activation", "branches", "custom"]
    made = []
    for kind in draw(st.lists(st.sampled_from(kinds + ["up", "crop", "transposed"] * enlarging), max_size=6)):
        k, s, d, p = draw(side), draw(side), draw(st.integers(1, 2)), draw(padding)
        ones = {"kernel_initializer": "ones", "use_bias": False}
        made.append(
            {
                "conv": partial(layers.Conv2D, 1, (k, 1 + k % 2), strides=s, padding=p, **ones),
                "dilated": partial(layers.DepthwiseConv2D, k, dilation_rate=d, padding=p, depthwise_initializer="ones"),
                "pool": partial(layers.MaxPooling2D, k, strides=s, padding=p),
                "average": partial(layers.AveragePooling2D, k, padding=p),
                "pad": partial(layers.ZeroPadding2D, ((0, k - 1), (1, 0))),
                "crop": partial(layers.Cropping2D, ((0, k - 1), (1, 0))),
                "activation": partial(layers.Activation, "linear"),
                "up": partial(layers.UpSampling2D, k),
                "transposed": partial(layers.Conv2DTranspose, 1, k, strides=s, padding="valid", **ones),
                "branches": partial(_branches, k, ones),
                "custom": partial(_Every, s),
            }[kind]
        )
    return made


def _branches(k, ones):
    """Two windows side by side."""
    first = keras.layers.Conv2D(1, 2 * k + 1, padding="same", **ones)
    return lambda x: keras.layers.Add()([x, first(x)])


class _Every(keras.Layer):
    """Every s-th pixel: a layer that nobody knows."""

    def __init__(self, s):
        super().__init__()
        self.s = s

    def call(self, x):
        return x[:, :: self.s, :: self.s]

    def compute_output_shape(self, shape):
        return (shape[0], *(None if n is None else -(-n // self.s) for n in shape[1:3]), shape[3])


def chained(chain, size):
    x = y = keras.Input((*size, 1))
    for make in chain:
        y = make()(y)
    return keras.Model(x, y)


def can_be_built(chain, size):
    try:
        with weightless():
            shape = chained(chain, size).output_shape
    except ValueError:
        return False
    return min(shape[1:3]) >= 1


@given(plain_chains())
def test_the_smallest_input_is_the_smallest_that_can_be_built(chain):
    with weightless():
        least = min_input_size(chained(chain, (200, 230)))
    assert can_be_built(chain, least)
    for axis in (0, 1):
        smaller = tuple(n - (i == axis) for i, n in enumerate(least))
        assert least[axis] == 1 or not can_be_built(chain, smaller)


@pytest.mark.sweep_only("googlenet")
@pytest.mark.parametrize("name", ["resnet50", "vgg16", "mobilenet", "xception", "alexnet", "googlenet"])
def test_the_smallest_input_of_a_network(name):
    with weightless():
        model = network(name)
        least, channels = min_input_size(model), model.input_shape[-1]
        network(name, input_shape=(*least, channels))
        if least != (1, 1):
            with pytest.raises(ValueError, match="least"):
                network(name, input_shape=(least[0] - 1, least[1], channels))


@dear
@given(plain_chains(enlarging=False).filter(lambda chain: not any(make.func is _Every for make in chain)))
def test_the_receptive_field_is_what_an_output_sees(chain):
    """Single bright rows that the middle output sees lie as far apart."""
    with weightless():
        large = chained(chain, (200, 230))
    expected, columns, rows = receptive_field(large)[0], min_input_size(large)[1] + 30, 100
    assume(2 * expected < rows)
    model = chained(chain, (rows, columns))
    lit = np.zeros((rows, rows, columns, 1), "float32")
    lit[np.arange(rows), np.arange(rows)] = 1
    seen = np.array(model(lit))
    if seen.shape[1] > 2:
        rows = np.flatnonzero(seen[:, seen.shape[1] // 2].max(axis=(1, 2)))
        assert rows[-1] - rows[0] + 1 == expected  # a stride may pass over some between


def test_known_receptive_fields():
    with weightless():
        trunk = keras.applications.VGG16(include_top=False, weights=None)
        resnet = keras.applications.ResNet50(include_top=False, weights=None)
        x = keras.Input((32, 32, 3))
        whole = keras.Model(x, classifier(conv_bn(x, 4), 3))
    assert receptive_field(trunk) == (212, 212)
    assert receptive_field(resnet) == (483, 483)
    assert receptive_field(whole) == (None, None)
    assert receptive_field([(extent(3, 2), 1), (2, 2)]) == 6


def test_nested_models_are_looked_into():
    inner = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 5), keras.layers.MaxPooling2D(3)])
    x = keras.Input((50, 50, 3))
    model = keras.Model(x, inner(keras.layers.ZeroPadding2D(1)(x)))
    assert (min_input_size(model), receptive_field(model)) == ((5, 5), (7, 7))
    assert min_input_size(inner) == (7, 7)


@pytest.mark.parametrize(
    ("model", "kind", "said"),
    [
        (3, TypeError, "min_input_size: model must be a built Keras model, a Graph, or a chain, got 3"),
        (keras.layers.ReLU(), TypeError, "min_input_size: model must be a built Keras model, a Graph, or a chain"),
        (keras.Sequential([keras.layers.Dense(3)]), ValueError, "min_input_size: model 'sequential.*' is not built"),
    ],
)
def test_what_cannot_be_walked(model, kind, said):
    with pytest.raises(kind, match=said):
        min_input_size(model)
