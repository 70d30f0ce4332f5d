"""MobileNet, MobileNetV2 and Xception: figures, agreement with keras.applications, their blocks, every input size."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.architectures import mobilenet, mobilenet_v2, xception
from layerblocks.architectures.mobilenets import multiple_of_8
from layerblocks.blocks import (
    basic_residual,
    batch_norm,
    conv,
    conv_bn,
    depthwise,
    depthwise_separable,
    group_norm,
    inverted_residual,
    matching,
    separable,
    weightless,
    xception_module,
)

from .. import naive
from ..agreement import differ, hand_over, images, made, multiply_adds, randomize, run, trainable, weighted
from ..helpers import build, data_format, dear, dtype_policy, real

KERAS = {
    mobilenet: keras.applications.MobileNet,
    mobilenet_v2: keras.applications.MobileNetV2,
    xception: keras.applications.Xception,
}
SHORTCUT = {  # what stands beside the main branch, which the order of the layers does not settle
    True: lambda name: "shortcut" in name or name.startswith(("conv2d", "batch_normalization")),
    False: lambda name: not ("shortcut" in name or name.startswith(("conv2d", "batch_normalization"))),
}


# Figures.


def separables(width, table, side):
    """Multiply-adds of MobileNet: 3×3 depthwise and 1×1 convolutions."""
    macs = 27 * width * side**2
    for filters, repeats, strides in table:
        for step in range(repeats):
            side = side // strides if step == 0 else side
            macs += (9 * width + width * filters) * side**2
            width = filters
    return macs


def inverted(width, table, side):
    """Multiply-adds of MobileNetV2's bottlenecks: up, 3×3 depthwise, down."""
    macs = 27 * width * side**2
    for expansion, filters, repeats, strides in table:
        for step in range(repeats):
            wide, before = expansion * width, side
            side = side // strides if step == 0 else side
            macs += (width * wide * before**2 if expansion > 1 else 0) + (9 * wide + wide * filters) * side**2
            width = filters
    return macs


def test_multiply_adds_of_mobilenet():
    """Table 4 of the paper says 569 million multiply-adds and 4.2 million parameters."""
    table = ((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2))
    macs = separables(32, table, 112) + 1024 * 1000
    assert multiply_adds(made(mobilenet)) == macs and round(macs / 1e6) == 569


def test_multiply_adds_of_mobilenet_v2():
    """Table 4 of the paper says 300 million multiply-adds and 3.4 million parameters."""
    table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    macs = inverted(32, table, 112) + 320 * 1280 * 49 + 1280 * 1000
    assert multiply_adds(made(mobilenet_v2)) == macs and round(macs / 1e6) in (300, 301)


def test_figures_of_xception():
    """Table 3 of the paper says 22,855,952 parameters."""
    model = made(xception)
    assert (trainable(model), model.count_params()) == (22_855_952, 22_910_480)

    def module(side, widths):
        return sum((9 * a + a * b) * side**2 for a, b in pairwise(widths))

    macs = 27 * 32 * 149**2 + 288 * 64 * 147**2
    for before, side, widths in ((147, 74, (64, 128, 128)), (74, 37, (128, 256, 256)), (37, 19, (256, 728, 728))):
        macs += module(before, widths) + widths[0] * widths[-1] * side**2
    macs += 8 * module(19, (728, 728, 728, 728)) + module(19, (728, 728, 1024)) + 728 * 1024 * 100
    macs += module(10, (1024, 1536, 2048)) + 2048 * 1000
    assert multiply_adds(model) == macs


@pytest.mark.sweep_but("mobilenet-options1", "mobilenet-options2", "xception-options0")
@pytest.mark.parametrize(
    "ours, options",
    [
        (xception, {}),
        (mobilenet, {}),
        (mobilenet, {"alpha": 0.25}),
        (mobilenet, {"alpha": 0.6, "depth_multiplier": 2}),
        (mobilenet_v2, {}),
        *[(mobilenet_v2, {"alpha": alpha}) for alpha in (0.14, 0.28, 0.35, 0.5, 0.56, 0.75, 1.3, 1.4)],
    ],
)
def test_parameters_of_keras(ours, options):
    mine, theirs = made(ours, dialect="keras", **options), made(KERAS[ours], weights=None, **options)
    assert (trainable(mine), mine.count_params()) == (trainable(theirs), theirs.count_params())
    assert mine.output_shape == theirs.output_shape


@given(st.floats(0.05, 3000))
def test_multiple_of_8(width):
    rounded = multiple_of_8(width)
    assert rounded % 8 == 0 and rounded >= 8
    assert rounded >= 0.9 * width and (rounded - width < 12 or rounded == 8)


def test_rounding_of_the_dialects():
    """64·0.14 = 8.96 becomes 16 where it is rounded as it is, and 8 where it is first cut to an integer."""
    found = {
        dialect: made(mobilenet_v2, alpha=0.14, dialect=dialect).get_layer("stage4.block1.project.conv").filters
        for dialect in ("paper", "keras", "torchvision")
    }
    assert found == {"paper": 16, "keras": 8, "torchvision": 16}


# Agreement: given their weights ours compute what keras.applications compute.


@pytest.mark.sweep_but("mobilenet-shape0-options0")
@pytest.mark.parametrize(
    "ours, shape, options",
    [
        (mobilenet, (64, 64, 3), {}),
        (mobilenet, (45, 70, 3), {"alpha": 0.25, "depth_multiplier": 2}),
        (mobilenet_v2, (64, 45, 3), {"alpha": 0.35}),
        (xception, (71, 84, 3), {}),
    ],
)
def test_agrees_with_keras(ours, shape, options):
    theirs = randomize(KERAS[ours](weights=None, input_shape=shape, classes=5, **options))
    mine = ours(dialect="keras", input_shape=shape, classes=5, **options)
    for choose in SHORTCUT.values():
        hand_over(weighted(theirs, choose), weighted(mine, choose))
    x = images(2, *shape)
    assert differ(run(mine, x), run(theirs, x)) < 1e-5


def test_padding_of_the_dialects():
    """Where a convolution has a stride: one zero on every side in torchvision, below and on the right in Keras."""

    def pads(constructor, **options):
        layers = made(constructor, input_shape=(64, 64, 3), **options).layers
        return [layer.padding for layer in layers if isinstance(layer, keras.layers.ZeroPadding2D)]

    assert pads(mobilenet) == pads(mobilenet_v2) == pads(mobilenet_v2, dialect="keras") == []
    assert pads(mobilenet, dialect="keras") == [((0, 1), (0, 1))] * 4
    assert pads(mobilenet_v2, dialect="torchvision") == [((1, 1), (1, 1))] * 5


def test_torchvision_has_other_constants():
    model = made(mobilenet_v2, dialect="torchvision")
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(norm.epsilon, norm.momentum) for norm in norms} == {(1e-5, 0.9)}
    assert model.get_layer("classifier.dropout").rate == 0.2
    assert model.layers[-1].activation is keras.activations.linear
    assert model.count_params() == 3_538_984 and trainable(model) == 3_504_872


# Units and blocks.


@given(
    st.integers(5, 9), st.integers(5, 9), st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 2), (3, 1)]), st.integers(1, 3)
)
@dear
def test_depthwise(height, width, steps, multiplier):
    strides, rate = steps
    for padding in ("same", "valid", 1, ((0, 1), (2, 0))):
        options = {"strides": strides, "dilation_rate": rate, "padding": padding}
        if padding == "same" and strides > 1 and rate > 1:
            continue  # TensorFlow places the window of that combination by itself
        model = real(depthwise, (height, width, 2), 2 * multiplier, 3, activation=None, **options)
        kernel, bias = model.get_weights()
        x = images(1, height, width, 2)
        margins = padding
        if isinstance(padding, tuple):
            x_padded, margins = np.pad(x, ((0, 0), *padding, (0, 0))), "valid"
        else:
            x_padded = x
        expected = naive.depthwise(x_padded, kernel, strides=strides, dilation=rate, padding=margins) + bias
        np.testing.assert_allclose(run(model, x), expected, rtol=1e-4, atol=1e-4)


def test_depthwise_takes_what_conv_takes():
    model = build(
        depthwise, (8, 8, 3), kernel_initializer="ones", kernel_regularizer="l2", norm=batch_norm, name="each"
    )
    layer = model.get_layer("each.conv")
    assert isinstance(layer.depthwise_initializer, keras.initializers.Ones)
    assert isinstance(layer.depthwise_regularizer, keras.regularizers.L2)
    assert [layer.name for layer in model.layers[1:]] == ["each.conv", "each.norm", "each.activation"]
    assert not layer.use_bias


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"filters": 5}, ValueError, r"filters must be a multiple of the 3 channels of x, got 5"),
        ({"strides": (1, 2)}, ValueError, r"strides must be one stride for both axes"),
        ({"padding": ((0, 1), (0, -1))}, ValueError, r"padding\[1\] must be an integer of at least 0, got -1"),
        ({"padding": (1, 2, 3)}, ValueError, r"padding must be"),
        ({"depthwise_initialiser": "ones"}, TypeError, r"did you mean 'depthwise_initializer'"),
        ({"kernel_size": 9, "padding": "valid"}, ValueError, r"at least 9×9"),
    ],
)
def test_depthwise_refuses(options, error, message):
    with pytest.raises(error, match=f"^depthwise.*{message}"):
        build(depthwise, (8, 8, 3), **options)


def test_matching():
    unit = matching(depthwise, partial(conv_bn, activation="gelu", padding="valid", kernel_initializer="ones"))
    model = build(unit, (8, 8, 3), name="each")
    assert model.output_shape == (None, 6, 6, 3)
    assert isinstance(model.get_layer("each.conv").depthwise_initializer, keras.initializers.Ones)
    assert model.get_layer("each.activation").activation is keras.activations.gelu
    plain = build(matching(conv, separable), (8, 8, 3), 4, name="each")
    assert [layer.name for layer in plain.layers[1:]] == ["each.conv"] and plain.layers[-1].use_bias


@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 8), st.sampled_from([1, 2]))
def test_depthwise_separable(side, channels, filters, strides):
    model = build(depthwise_separable, (side, 3, channels), filters, strides=strides)
    assert model.output_shape == (None, -(-side // strides), -(-3 // strides), filters)
    assert model.count_params() == 9 * channels + 4 * channels + channels * filters + 4 * filters


def test_depthwise_separable_is_a_unit():
    model = build(basic_residual, (8, 8, 4), 6, strides=2, conv=depthwise_separable)
    assert model.output_shape == (None, 4, 4, 6)
    assert "basic_residual" in model.layers[-1].name
    assert sum(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in model.layers) == 3


@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 8), st.sampled_from([1, 2]), st.integers(1, 6))
def test_inverted_residual(side, channels, filters, strides, expansion):
    model = build(inverted_residual, (side, 3, channels), filters, strides=strides, expansion=expansion)
    wide = expansion * channels
    up = channels * wide + 4 * wide if expansion > 1 else 0
    assert model.output_shape == (None, -(-side // strides), -(-3 // strides), filters)
    assert model.count_params() == up + 9 * wide + 4 * wide + wide * filters + 4 * filters
    added = any(isinstance(layer, keras.layers.Add) for layer in model.layers)
    assert added == (filters == channels and strides == 1)


def test_linear_bottleneck():
    """Nothing follows the last norm, and negative values come through."""
    model = real(inverted_residual, (6, 6, 2), 2)
    assert model.layers[-1].name.endswith(".add")
    assert run(model, images(1, 6, 6, 2)).min() < 0


@given(
    st.integers(1, 9), st.integers(1, 4), st.lists(st.integers(1, 6), min_size=1, max_size=3), st.sampled_from([1, 2])
)
def test_xception_module(side, channels, filters, strides):
    model = build(xception_module, (side, 3, channels), filters, strides=strides)
    expected, c = 0, channels
    for width in filters:
        expected, c = expected + 9 * c + c * width + 4 * width, width
    projects = strides > 1 or channels != filters[-1]
    assert model.output_shape == (None, -(-side // strides), -(-3 // strides), filters[-1])
    assert model.count_params() == expected + projects * (channels * c + 4 * c)
    pools = sum(isinstance(layer, keras.layers.MaxPooling2D) for layer in model.layers)
    assert pools == (strides > 1) and model.layers[-1].name.endswith(".add")


def test_activations_of_a_module():
    for first, expected in ((True, 2), (False, 1)):
        model = build(xception_module, (8, 8, 4), (4, 4), activate_first=first)
        assert sum(isinstance(layer, keras.layers.Activation) for layer in model.layers) == expected


@pytest.mark.parametrize("constructor", [mobilenet, mobilenet_v2])
def test_other_units(constructor):
    model = made(constructor, conv=partial(conv, norm=partial(group_norm, groups=2), activation="gelu"), alpha=0.25)
    kinds = {type(layer).__name__ for layer in model.layers}
    assert "GroupNormalization" in kinds and "BatchNormalization" not in kinds
    activations = {layer.activation for layer in model.layers if isinstance(layer, keras.layers.Activation)}
    assert activations == {keras.activations.gelu}
    free = made(xception, conv=partial(separable, activation="gelu"), classes=3)
    assert "BatchNormalization" not in {type(layer).__name__ for layer in free.layers}


# Sizes, formats, several of them.


@pytest.mark.sweep_but("mobilenet-options0")
@pytest.mark.parametrize(
    "constructor, options",
    [
        (mobilenet, {"dialect": "keras"}),
        (mobilenet_v2, {"dialect": "keras"}),
    ],
)
def test_unknown_size(constructor, options):
    some = randomize(constructor(input_shape=(None, None, 3), classes=3, alpha=0.2, **options))
    known = constructor(input_shape=(45, 64, 3), classes=3, alpha=0.2, **options)
    hand_over(weighted(some), weighted(known))
    x = images(2, 45, 64, 3)
    assert differ(run(some, x), run(known, x)) < 1e-6
    assert differ(some.predict(x, verbose=0), run(known, x)) < 1e-5


def test_unknown_size_of_a_module():
    some, known = (real(xception_module, (*size, 3), (4, 4), strides=2) for size in ((None, None), (7, 10)))
    x = images(2, 7, 10, 3)
    assert differ(run(some, x), run(known, x)) < 1e-6


def test_smallest():
    for constructor, least in ((mobilenet_v2, 1), (mobilenet, 1), (xception, 7)):
        assert made(constructor, input_shape=(least, least, 3)).output_shape == (None, 1000)
    with pytest.raises(ValueError, match=r"xception: input_shape must be at least 7×7, got 6×6"):
        made(xception, input_shape=(6, 6, 3))


def test_formats_and_copies():
    with data_format("channels_first"):
        for constructor, last in ((mobilenet, 1024), (mobilenet_v2, 1280), (xception, 2048)):
            assert made(constructor, include_top=False).output_shape[1] == last
    with dtype_policy("mixed_float16"):
        assert made(mobilenet_v2).output.dtype == "float32"
    with weightless():
        x = keras.Input((64, 64, 3))
        nets = ((mobilenet, "a"), (mobilenet, "b"), (mobilenet_v2, "c"))
        keras.Model(x, [make(input_tensor=x, include_top=False, name=name).output for make, name in nets])


@pytest.mark.parametrize(
    "constructor, options, message",
    [
        (mobilenet, {"alpha": 0}, r"mobilenet: alpha must be a positive number, got 0"),
        (mobilenet_v2, {"alpha": "1"}, r"mobilenet_v2: alpha must be .*, got '1'"),
        (mobilenet, {"alpha": 0.01}, r"filters must be a positive integer, got 0"),
        (mobilenet, {"depth_multiplier": 0}, r"depth_multiplier must be a positive integer, got 0"),
        (xception, {"dialect": "torchvision"}, r"dialect must be one of 'paper', 'keras' or 'timm', got 'torchvision'"),
    ],
)
def test_bad_input(constructor, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        made(constructor, **options)
