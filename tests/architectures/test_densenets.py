"""DenseNet: the published figures, agreement with keras.applications, dilation, every input size."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.architectures import (
    cifar_densenet,
    cifar_densenet40,
    cifar_densenet_bc100,
    densenet,
    densenet121,
    densenet169,
    densenet201,
    densenet264,
)
from layerblocks.architectures.constructor import dilate_stages
from layerblocks.blocks import (
    avg_pool,
    conv_bn,
    dense_block,
    dense_layer,
    group_norm,
    preact_conv,
    separable,
    transition,
)
from layerblocks.blocks.layers import DilatedAveragePooling2D

from ..agreement import (
    copy_weights,
    differ,
    hand_over,
    images,
    made,
    multiply_adds,
    randomize,
    run,
    trainable,
    weighted,
)
from ..helpers import build, data_format, dear, dtype_policy, real

TINY = {"layers": (2, 2, 2, 2), "growth_rate": 4, "classes": 3}


def closed_form(
    layers, k, side, classes, *, bottleneck=4, compression=0.5, stem=None, kernel=7, bn_stem=True, reduce=4
):
    """Trainable and all parameters, and multiply-adds, of an image of `side`² with three channels."""
    channels = 2 * k if stem is None else stem
    n = side // (2 if reduce == 4 else 1)
    weights, norms, macs = kernel**2 * 3 * channels, channels * bn_stem, kernel**2 * 3 * channels * n**2
    n = side // reduce
    for number, count in enumerate(layers):
        if number:
            kept = int(channels * compression)
            weights, norms, macs = weights + channels * kept, norms + channels, macs + channels * kept * n**2
            channels, n = kept, n // 2
        for _ in range(count):
            inner = bottleneck * k
            each = channels * inner + 9 * inner * k if bottleneck else 9 * channels * k
            weights, norms, macs = weights + each, norms + channels + inner, macs + each * n**2
            channels += k
    norms += channels
    dense = channels * classes
    return weights + 2 * norms + dense + classes, weights + 4 * norms + dense + classes, macs + dense


# REFERENCE figures: trainable, total, multiply-adds in 10⁹.

IMAGENET = {
    121: (densenet121, (6, 12, 24, 16), 7_978_856, 8_062_504, 2.834),
    169: (densenet169, (6, 12, 32, 32), 14_149_480, 14_307_880, 3.360),
    201: (densenet201, (6, 12, 48, 32), 20_013_928, 20_242_984, 4.291),
    264: (densenet264, (6, 12, 64, 48), 33_337_704, 33_736_232, 5.752),
}


@pytest.mark.sweep_but("121")
@pytest.mark.parametrize("depth", IMAGENET)
def test_figures(depth):
    constructor, layers, few, all_of_them, giga = IMAGENET[depth]
    model = made(constructor)
    got = trainable(model), model.count_params(), multiply_adds(model)
    assert got == closed_form(layers, 32, 224, 1000)
    assert (got[0], got[1], round(got[2] / 1e9, 3)) == (few, all_of_them, giga)
    assert [tuple(model.get_layer(f"block{number}.layer1.concat").output.shape[1:3]) for number in (1, 2, 3, 4)] == [
        (56, 56),
        (28, 28),
        (14, 14),
        (7, 7),
    ]


CIFAR = {
    "BC, L=100, k=12": (cifar_densenet_bc100, {}, 769_162, 793_150),
    "BC, L=250, k=24": (cifar_densenet_bc100, {"depth": 250, "growth_rate": 24}, 15_324_406, None),
    "BC, L=190, k=40": (cifar_densenet_bc100, {"depth": 190, "growth_rate": 40}, 25_624_430, None),
    "L=40, k=12": (cifar_densenet40, {}, 1_019_722, None),
    "L=100, k=12": (cifar_densenet, {"depth": 100}, 6_979_642, None),
    "L=100, k=24": (cifar_densenet, {"depth": 100, "growth_rate": 24}, 27_249_082, None),
}


@pytest.mark.sweep_but("L=40, k=12", "BC, L=100, k=12")
@pytest.mark.parametrize("name", CIFAR)
def test_cifar_figures(name):
    constructor, options, few, all_of_them = CIFAR[name]
    model = made(constructor, **options)
    given_depth, k = options.get("depth", 100 if "BC" in name else 40), options.get("growth_rate", 12)
    plain = {"bottleneck": 0, "compression": 1.0, "stem": 16}
    form = partial(closed_form, k=k, side=32, classes=10, kernel=3, bn_stem=False, reduce=1)
    count = (given_depth - 4) // (6 if "BC" in name else 3)
    got = trainable(model), model.count_params(), multiply_adds(model)
    assert got == form((count,) * 3, **({} if "BC" in name else plain))
    assert got[0] == few and all_of_them in (None, got[1])
    assert model.output_shape == (None, 10)


def test_161_of_torchvision():
    model = made(densenet, layers=(6, 12, 36, 24), growth_rate=48, dialect="torchvision")
    assert trainable(model) == 28_681_000
    assert model.layers[-1].activation is keras.activations.linear


# keras.applications.

KINDS = {"Conv2D", "BatchNormalization", "AveragePooling2D", "MaxPooling2D", "ZeroPadding2D", "Concatenate", "Dense"}
WORDS = ("filters", "units", "kernel_size", "strides", "pool_size", "use_bias", "epsilon", "momentum", "dilation_rate")


def anatomy(model):
    """What decides the result, layer by layer: padding of 1×1 convolutions, for one, does not."""
    found = []
    for layer in model.layers:
        if (kind := type(layer).__name__) in KINDS:
            config = layer.get_config()
            told = {word: config[word] for word in WORDS if word in config}
            if config.get("kernel_size") not in ((1, 1), [1, 1]):
                told["padding"] = config.get("padding")
            found.append((kind, told, tuple(layer.output.shape)))
        elif kind == "Activation":
            found.append((kind, layer.activation.__name__))
    return found


@pytest.mark.sweep_but("169")
@pytest.mark.parametrize("depth", [121, 169, 201])
def test_anatomy_of_keras(depth):
    theirs = made(getattr(keras.applications, f"DenseNet{depth}"), weights=None)
    ours = made(IMAGENET[depth][0], dialect="keras")
    assert anatomy(ours) == anatomy(theirs)


@pytest.mark.sweep
def test_agrees_with_keras():
    shape = (45, 36, 3)
    theirs = randomize(keras.applications.DenseNet121(weights=None, input_shape=shape, classes=5))
    ours = densenet121(dialect="keras", input_shape=shape, classes=5)
    hand_over(weighted(theirs), weighted(ours))
    x = images(2, *shape)
    assert differ(run(ours, x), run(theirs, x)) < 1e-5


def test_dialects_pad_differently():
    """As many zeros on every side, or one more below and on the right: same shapes and weights, other values."""
    paper, torch = (densenet(dialect=dialect, input_shape=(32, 32, 3), **TINY) for dialect in ("paper", "torchvision"))
    randomize(paper)
    hand_over(weighted(paper), weighted(torch))
    x = images(1, 32, 32, 3)
    stems = [keras.Model(model.input, model.get_layer("stem.conv").output) for model in (paper, torch)]
    a, b = (run(stem, x) for stem in stems)
    kernel = paper.get_layer("stem.conv").get_weights()[0]
    for got, before in ((a, 2), (b, 3)):
        patch = np.zeros((7, 7, 3))
        patch[before:, before:] = x[0, : 7 - before, : 7 - before]
        np.testing.assert_allclose(got[0, 0, 0], np.einsum("abc,abcf->f", patch, kernel), rtol=1e-4, atol=1e-5)


# Dilation: the same weights give the same values at every other pixel.


@pytest.mark.parametrize("output_stride, rates", [(16, (1, 1, 1, 2)), (8, (1, 1, 2, 4)), (4, (1, 2, 4, 8))])
def test_output_stride(output_stride, rates):
    options = {**TINY, "include_top": False, "input_shape": (64, 96, 3)}
    plain, dilated = randomize(densenet(**options)), densenet(output_stride=output_stride, **options)
    copy_weights(plain, dilated)
    x, step = images(1, 64, 96, 3), 32 // output_stride
    few, many = run(plain, x), run(dilated, x)
    assert many.shape[1:3] == (64 // output_stride, 96 // output_stride)
    assert differ(many[:, ::step, ::step], few) < 1e-5
    for number, rate in enumerate(rates, 1):
        assert dilated.get_layer(f"block{number}.layer1.3x3.conv").dilation_rate == (rate, rate)
        assert dilated.get_layer(f"block{number}.layer1.1x1.conv").dilation_rate == (1, 1)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(2, 4))
@dear
def test_dilated_average(height, width, size, rate):
    x = images(1, height, width, 2)
    got = run(DilatedAveragePooling2D(size, rate), x)
    before = (size - 1) // 2 * rate
    for i in range(height):
        for j in range(width):
            rows = [r for r in range(i - before, i - before + size * rate, rate) if 0 <= r < height]
            columns = [c for c in range(j - before, j - before + size * rate, rate) if 0 <= c < width]
            np.testing.assert_allclose(got[0, i, j], x[0][np.ix_(rows, columns)].mean((0, 1)), rtol=1e-4, atol=1e-6)


def test_dilated_average_of_a_block():
    model = build(avg_pool, (None, 7, 3), 2, strides=1, dilation_rate=2, name="pool")
    assert model.output_shape == (None, None, 7, 3)
    again = keras.Model.from_config(model.get_config())
    assert again.get_layer("pool").dilation_rate == (2, 2)
    with pytest.raises(ValueError, match=r"avg_pool: dilation_rate must be 1, or more with strides=1"):
        build(avg_pool, (8, 8, 3), 2, dilation_rate=2)


def test_stages():
    assert dilate_stages((4, 2, 2, 2), None) == dilate_stages((4, 2, 2, 2), 32) == [(4, 1), (2, 1), (2, 1), (2, 1)]
    assert dilate_stages((4, 2, 2, 2), 16) == [(4, 1), (2, 1), (2, 1), (1, 2)]
    assert dilate_stages((1, 2, 2), 1) == [(1, 1), (1, 2), (1, 4)]
    with pytest.raises(ValueError, match=r"densenet121: output_stride must be one of .*8.*, got 5"):
        made(densenet121, output_stride=5)


# Blocks.


@given(st.integers(1, 5), st.integers(1, 12), st.integers(1, 4), st.integers(0, 4), st.integers(1, 9))
def test_dense_block(layers, channels, growth, bottleneck, side):
    """The oracle of REFERENCE: Σ 4c + 4cg + 16g + 36g² with a bottleneck of 4, c = C + i·g."""
    model = build(dense_block, (side, 3, channels), layers, growth, bottleneck=bottleneck)
    expected, c = 0, channels
    for _ in range(layers):
        inner = bottleneck * growth
        expected += 4 * c + c * inner + 4 * inner + 9 * inner * growth if bottleneck else 4 * c + 9 * c * growth
        c += growth
    assert (model.output_shape, model.count_params()) == ((None, side, 3, c), expected)


@given(st.integers(2, 9), st.integers(2, 9), st.integers(1, 6))
def test_transition(height, width, filters):
    model = build(transition, (height, width, 4), filters)
    assert (model.output_shape, model.count_params()) == ((None, height // 2, width // 2, filters), 16 + 4 * filters)
    assert build(transition, (height, width, 4), filters, strides=1).output_shape == (None, height, width, filters)


def test_layer_begins_with_what_came_before():
    model = real(dense_layer, (5, 4, 3), 2)
    x = images(1, 5, 4, 3)
    np.testing.assert_array_equal(run(model, x)[..., :3], x)


def test_order_of_a_preactivation_unit():
    model = real(partial(preact_conv, norm=None, activation="relu"), (5, 4, 3), 2, 1)
    x = images(1, 5, 4, 3)
    kernel = model.get_weights()[0][0, 0]
    np.testing.assert_allclose(run(model, x), np.maximum(x, 0) @ kernel, rtol=1e-4, atol=1e-5)
    assert len(model.get_weights()) == 1


@pytest.mark.parametrize("unit", [conv_bn, separable, partial(preact_conv, norm=partial(group_norm, groups=2))])
def test_other_units(unit):
    model = made(densenet, conv=unit, **TINY)
    assert model.output_shape == (None, 3)
    norms = {type(layer).__name__ for layer in model.layers if layer.name.endswith("norm")}
    assert norms == {conv_bn: {"BatchNormalization"}, separable: set()}.get(unit, {"GroupNormalization"})


def test_dropout_behind_every_convolution():
    model = made(cifar_densenet, depth=10, bottleneck=4, compression=0.5, dropout=0.2)
    drops = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert len(drops) == 2 * 3 + 2 and {drop.rate for drop in drops} == {0.2}


# Sizes, formats, several of them.


@pytest.mark.parametrize("height, width", [(29, 64), (47, 33)])
def test_unknown_size(height, width):
    some = randomize(densenet(input_shape=(None, None, 3), **TINY))
    known = densenet(input_shape=(height, width, 3), **TINY)
    hand_over(weighted(some), weighted(known))
    x = images(2, height, width, 3)
    assert differ(run(some, x), run(known, x)) < 1e-6
    assert differ(some.predict(x, verbose=0), run(known, x)) < 1e-5


def test_smallest():
    with pytest.raises(ValueError, match=r"densenet: input_shape must be at least 29×29, got 28×40"):
        made(densenet, input_shape=(28, 40, 3), **TINY)
    assert made(densenet, input_shape=(29, 29, 3), include_top=False, **TINY).output_shape == (None, 1, 1, 16)


def test_formats_and_copies():
    with data_format("channels_first"):
        model = made(densenet, **TINY)
        assert model.get_layer("block4.layer2.concat").output.shape == (None, 16, 7, 7)
        assert made(densenet, output_stride=8, include_top=False, **TINY).output_shape == (None, 16, 28, 28)
    with dtype_policy("mixed_float16"):
        assert made(densenet, **TINY).output.dtype == "float32"
    x = keras.Input((32, 32, 3))
    two = [densenet(input_tensor=x, include_top=False, pooling="avg", name=name, **TINY) for name in ("a", "b")]
    keras.Model(x, [model.output for model in two])


@pytest.mark.parametrize(
    "constructor, options, message",
    [
        (cifar_densenet40, {"depth": 41}, "depth must be 4 more than a multiple of 3, got 41"),
        (cifar_densenet_bc100, {"depth": 43}, "depth must be 4 more than a multiple of 6, got 43"),
        (densenet121, {"compression": 0}, "compression must be a number above 0 and up to 1, got 0"),
        (densenet121, {"dialect": "kears"}, "dialect must be one of .*did you mean 'keras'"),
        (densenet121, {"growth_rate": 0}, "growth_rate|filters"),
    ],
)
def test_bad_input(constructor, options, message):
    with pytest.raises(ValueError, match=message):
        made(constructor, **options)
