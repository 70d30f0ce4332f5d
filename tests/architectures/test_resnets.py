"""ResNets: the published counts, Keras's own networks value by value, NumPy, and what each option promises."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from functools import partial
from math import prod
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks import _keras, architectures
from layerblocks.architectures import (
    cifar_resnet,
    cifar_resnet20,
    cifar_resnet32,
    cifar_resnet44,
    cifar_resnet56,
    cifar_resnet110,
    cifar_resnet164_v2,
    cifar_resnet1202,
    resnet,
    resnet18,
    resnet18_v2,
    resnet34,
    resnet50,
    resnet50_v2,
    resnet101,
    resnet101_v2,
    resnet152,
    resnet152_v2,
    resnet_v2,
    se_resnet50,
)
from layerblocks.architectures.resnets import DIALECTS, V2_DIALECTS
from layerblocks.blocks import (
    basic_residual,
    block,
    bottleneck,
    conv,
    conv_bn,
    deep_graphs,
    group_norm,
    inception,
    norm_activation,
    pad_shortcut,
    projection_shortcut,
    residual,
    scale,
    separable,
    squeeze_excite,
    stochastic_depth,
    weightless,
)
from layerblocks.blocks.layers import StochasticDepth

from .. import naive
from ..agreement import copy_weights, differ, images, made, multiply_adds, randomize, run, trainable, weighted
from ..helpers import build, data_format, dear, dtype_policy, seeds

EXAMPLES = Path(__file__).parents[2] / "examples"
small = partial(resnet, residual=basic_residual, repeats=(1, 1, 2, 2), filters=8, classes=5)
small_v2 = partial(resnet_v2, residual=bottleneck, repeats=(1, 1, 2, 2), filters=16, classes=5)


# Published counts.

FIGURES = {  # trainable, total, multiply-adds in units of 10⁹
    "18": (resnet18, 11_689_512, 11_699_112, 1.814),
    "18, A": (partial(resnet18, shortcut="pad"), 11_515_688, 11_523_496, 1.795),
    "34": (resnet34, 21_797_672, 21_814_696, 3.664),
    "34, A": (partial(resnet34, shortcut="pad"), 21_623_848, 21_639_080, 3.644),
    "50": (resnet50, 25_557_032, 25_610_152, 3.858),
    "50, v1.5": (partial(resnet50, dialect="v1.5"), 25_557_032, 25_610_152, 4.089),
    "50, torchvision": (partial(resnet50, dialect="torchvision"), 25_557_032, 25_610_152, 4.089),
    "50, keras": (partial(resnet50, dialect="keras"), 25_583_592, 25_636_712, 3.858),
    "101": (resnet101, 44_549_160, 44_654_504, 7.570),
    "101, v1.5": (partial(resnet101, dialect="v1.5"), 44_549_160, 44_654_504, 7.801),
    "101, keras": (partial(resnet101, dialect="keras"), 44_601_832, 44_707_176, 7.570),
    "152": (resnet152, 60_192_808, 60_344_232, 11.282),
    "152, v1.5": (partial(resnet152, dialect="v1.5"), 60_192_808, 60_344_232, 11.514),
    "152, keras": (partial(resnet152, dialect="keras"), 60_268_520, 60_419_944, 11.282),
    "50 v2": (resnet50_v2, 25_549_352, 25_594_792, 3.858),
    "50 v2, keras": (partial(resnet50_v2, dialect="keras"), 25_568_360, 25_613_800, 3.482),
    "101 v2, keras": (partial(resnet101_v2, dialect="keras"), 44_577_896, 44_675_560, 7.194),
    "152 v2, keras": (partial(resnet152_v2, dialect="keras"), 60_236_904, 60_380_648, 10.907),
    "CIFAR 20": (cifar_resnet20, 269_722, 271_098, 0.041),
    "CIFAR 20, B": (partial(cifar_resnet20, shortcut="projection"), 272_474, 274_042, 0.041),
    "CIFAR 32": (cifar_resnet32, 464_154, 466_426, 0.069),
    "CIFAR 44": (cifar_resnet44, 658_586, 661_754, 0.097),
    "CIFAR 56": (cifar_resnet56, 853_018, 857_082, 0.125),
    "CIFAR 110": (cifar_resnet110, 1_727_962, 1_736_058, 0.253),
    "CIFAR 164 v2": (cifar_resnet164_v2, 1_703_258, 1_727_482, 0.245),
    "SE-50": (se_resnet50, 28_088_024, 28_141_144, 3.860),
    # As the modules of timm count.
    "50-D": (architectures.resnet50d, 25_576_264, 25_629_512, 4.329),
    "101-D": (architectures.resnet101d, 44_568_392, 44_673_864, 8.041),
    "152-D": (architectures.resnet152d, 60_212_040, 60_363_592, 11.753),
    "200-D": (architectures.resnet200d, 64_693_064, 64_869_192, 15.247),
    "ECA-50-D": (architectures.eca_resnet50d, 25_576_350, 25_629_598, 4.329),
    "ECA-101-D": (architectures.eca_resnet101d, 44_568_563, 44_674_035, 8.041),
}


@pytest.mark.sweep_but("18, A", "34, A", "CIFAR 20")
@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    constructor, few, total, giga = FIGURES[name]
    model = made(constructor)
    assert (trainable(model), model.count_params()) == (few, total)
    assert round(multiply_adds(model) / 1e9, 3) == giga


@pytest.mark.parametrize("depth", [18, 50])
def test_v2_has_the_weights_of_v1_but_other_norms(depth):
    """Instead of a norm behind the last convolution of every block, one before the first and one at the end."""
    first, second = (made(getattr(architectures, f"resnet{depth}{version}")) for version in ("", "_v2"))
    shapes = [[prod(w.shape) for w in model.trainable_variables if len(w.shape) == 4] for model in (first, second)]
    assert sorted(shapes[0]) == sorted(shapes[1])
    assert multiply_adds(first) == multiply_adds(second)
    assert len(weighted(second, lambda name: ".shortcut." in name)) == (3 if depth < 50 else 4)
    assert not weighted(second, lambda name: ".shortcut.norm" in name)


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110, 164, 1202])
def test_depth_counts_the_layers_of_the_longest_path(depth):
    name = f"cifar_resnet{depth}" + ("_v2" if depth == 164 else "")
    per_block = 3 if depth == 164 else 2
    bound = getattr(architectures, name).defaults
    assert sum(bound["repeats"]) * per_block + 2 == depth


# Keras's own networks.


def our_name(theirs: str) -> str:
    """`conv3_block1_0_conv` -> `stage2.block1.shortcut.conv`."""
    kind = {"conv": "conv", "bn": "norm"}
    if found := re.fullmatch(r"conv(\d)_block(\d+)_(\w+)_(conv|bn)", theirs):
        stage, number, part, end = found.groups()
        part = {"0": "shortcut", "preact": "preactivation"}.get(part, f"conv{part}")
        return f"stage{int(stage) - 1}.block{number}.{part}.{kind[end]}"
    start, _, end = theirs.partition("_")
    starts = {"conv1": "stem", "post": "postactivation"}
    return "classifier.predictions" if theirs == "predictions" else f"{starts[start]}.{kind[end]}"


@pytest.mark.sweep_but("ResNet50V2")
@pytest.mark.parametrize(
    "theirs, ours", [("ResNet50", resnet50), ("ResNet50V2", resnet50_v2)], ids=["ResNet50", "ResNet50V2"]
)
def test_keras_computes_the_same(theirs, ours):
    size = (70, 45)  # even and odd in turn on the way down
    options = {"include_top": False, "input_shape": (*size, 3), "pooling": "avg"}
    source = randomize(getattr(keras.applications, theirs)(weights=None, **options))
    target = ours(dialect="keras", **options)
    names = [our_name(layer.name) for layer in weighted(source)]
    assert sorted(names) == sorted(layer.name for layer in weighted(target))
    for layer, name in zip(weighted(source), names, strict=True):
        target.get_layer(name).set_weights(layer.get_weights())
    x = images(2, *size, 3)
    assert differ(run(target, x), run(source, x)) < 1e-6


@pytest.mark.sweep_but("-101")
@pytest.mark.parametrize("depth", [101, 152])
@pytest.mark.parametrize("version", ["", "V2"])
def test_anatomy_of_keras(depth, version):
    source = made(partial(getattr(keras.applications, f"ResNet{depth}{version}"), weights=None))
    target = made(partial(getattr(architectures, f"resnet{depth}{version and '_v2'}"), dialect="keras"))

    def anatomy(layer):
        words = ("filters", "kernel_size", "strides", "use_bias", "epsilon", "momentum", "units")
        return [tuple(w.shape) for w in layer.weights], {w: getattr(layer, w, None) for w in words}, layer.output.shape

    theirs = {our_name(layer.name): anatomy(layer) for layer in weighted(source)}
    assert theirs == {layer.name: anatomy(layer) for layer in weighted(target)}


# torchvision.


@pytest.mark.parametrize("constructor", [resnet18, resnet50])
def test_padding_of_torchvision(constructor):
    """Nothing strided is padded by Keras's "same", which would shift it by a pixel."""
    model = made(constructor, dialect="torchvision")
    strided = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.MaxPooling2D) and max(layer.strides) > 1
    ]
    assert len(strided) == 8
    assert {layer.padding for layer in strided} == {"valid"}
    padded = {
        layer.name: layer.padding[0][0] for layer in model.layers if isinstance(layer, keras.layers.ZeroPadding2D)
    }
    where = 1 if constructor is resnet18 else 2
    assert padded == {"stem.pad": 3, "pool_pad": 1, **{f"stage{i}.block1.conv{where}.pad": 1 for i in (2, 3, 4)}}
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(layer.epsilon, layer.momentum) for layer in norms} == {(1e-5, 0.9)}
    assert not any(layer.use_bias for layer in model.layers if isinstance(layer, keras.layers.Conv2D))


@dear
@given(st.integers(3, 9), st.integers(3, 9), st.integers(1, 5), st.integers(1, 3), st.integers(1, 2), seeds)
def test_symmetric_padding(height, width, kernel, strides, rate, seed):
    extent = rate * (kernel - 1) + 1
    rate = 1 if strides > 1 else rate
    extent = rate * (kernel - 1) + 1
    for unit in (conv, separable):
        options = {"strides": strides, "dilation_rate": rate}
        a, b = (
            randomize(
                keras.Model(
                    x := keras.Input((height, width, 2)), unit(x, 3, kernel, padding=padding, name="c", **options)
                ),
                seed,
            )
            for padding in ("symmetric", (extent - 1) // 2)
        )
        x = images(1, height, width, 2, seed=seed)
        assert differ(run(a, x), run(b, x)) < 1e-6


def test_symmetric_padding_is_same_where_that_is_symmetric():
    for strides, kernel, expected in ((1, 3, "same"), (2, 3, "valid"), (2, 1, "valid"), (1, 2, "valid")):
        model = build(conv, (8, 8, 3), 4, kernel, strides=strides, padding="symmetric")
        assert model.layers[-1].padding == expected


# The notes.


def sides(model: keras.Model) -> list[int]:
    """Height of what each outermost block gives."""
    last = {layer.name.split(".")[0]: layer for layer in model.layers if len(layer.output.shape) == 4}
    return [layer.output.shape[1] for layer in last.values()]


def test_notes_cifar():
    model = made(resnet18, dialect="notes_cifar")
    assert sides(model) == [32, 30, 30, 30, 15, 8, 4]  # input, stem, pool, stages
    assert model.output_shape == (None, 100)
    assert model.get_layer("classifier.predictions").activation is keras.activations.linear
    convs = [(3, 64, 9)] + [(c, c, 9) for c in (64, 128, 256, 512) for _ in range(3)]
    convs += [(64, 64, 9)] + [(c // 2, c, k) for c in (128, 256, 512) for k in (9, 1)]
    norms = sum(4 * c for c in (64, 128, 256, 512) for _ in range(4)) + 4 * 64
    assert model.count_params() == sum(k * i * o + o for i, o, k in convs) + norms + 512 * 100 + 100


@pytest.mark.parametrize("depth", [18, 50])
def test_notes_valid(depth):
    model = made(getattr(architectures, f"resnet{depth}"), dialect="notes_valid")
    assert sides(model) == [224, 109, 54, 54, 27, 14, 7]
    assert all(layer.use_bias for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    plain = made(getattr(architectures, f"resnet{depth}"))
    biases = sum(layer.filters for layer in plain.layers if isinstance(layer, keras.layers.Conv2D))
    assert model.count_params() == plain.count_params() + biases


# One block of every kind, in NumPy.


def values(model: keras.Model, name: str) -> list[np.ndarray]:
    return model.get_layer(name).get_weights()


def by_hand(model, x, path, kernels, strides, strided, activation_at, projects):
    """He et al. 2016 (v1) and 2016b (v2, and its first block), literally."""

    def conv_(y, name, step=1, padding="same"):
        return naive.conv(y, *values(model, f"{path}.{name}.conv"), strides=step, padding=padding)

    def norm(y, name):
        gamma, beta, mean, variance = values(model, f"{path}.{name}.norm")
        return (y - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    def relu(y):
        return np.maximum(y, 0)

    post = activation_at == "end"
    start = relu(norm(x, "preactivation")) if activation_at == "start" else x
    y = start
    for number in range(1, len(kernels) + 1):
        y = conv_(y, f"conv{number}", strides if number - 1 == strided else 1)
        last = number == len(kernels)
        y = norm(y, f"conv{number}") if post or not last else y
        y = y if last else relu(y)
    if not projects:
        return relu(y + x) if post else y + x
    side = conv_(start, "shortcut", strides)
    return relu(y + norm(side, "shortcut")) if post else y + side


@dear
@given(
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.sampled_from([2, 4]),
    st.integers(1, 2),
    st.sampled_from([basic_residual, bottleneck]),
    st.sampled_from(["1x1", "3x3", None]),
    st.sampled_from(["end", "start", None]),
    seeds,
)
def test_a_block_by_hand(size, channels, strides, make, stride_on, activation_at, seed):
    if make is basic_residual:
        kernels, strided, stride_on = (3, 3), 0, None if stride_on == "1x1" else stride_on
    else:
        kernels, strided = (1, 3, 1), 1 if stride_on == "3x3" else 0
    inputs = keras.Input((*size, channels))
    # Where only the size changes the projection is taken from x itself: no paper has this.
    strides = strides if channels != 4 else 1
    y = make(
        inputs,
        4,
        strides=strides,
        stride_on=stride_on,
        activation_at=activation_at,
        conv=partial(conv_bn, use_bias=True),
        name="b",
    )
    model = randomize(keras.Model(inputs, y), seed)
    x = images(2, *size, channels, seed=seed)
    expected = by_hand(model, x, "b", kernels, strides, strided, activation_at, projects=channels != 4)
    assert differ(run(model, x), expected) < 1e-4


def test_groups_and_dilation_are_of_the_wide_convolution_alone():
    model = build(bottleneck, (8, 8, 16), 16, groups=2, dilation_rate=2, conv=conv_bn, name="b")
    assert [layer.groups for layer in weighted(model, lambda n: n.endswith(".conv"))] == [1, 2, 1]
    assert [layer.dilation_rate for layer in weighted(model, lambda n: n.endswith(".conv"))] == [(1, 1), (2, 2), (1, 1)]


@pytest.mark.parametrize("make", [basic_residual, bottleneck])
@pytest.mark.parametrize("unit", [conv_bn, conv, partial(conv, norm=partial(group_norm, groups=2)), separable])
@pytest.mark.parametrize("activation_at", ["end", "start"])
def test_a_block_from_zero_is_its_shortcut(make, unit, activation_at):
    inputs = keras.Input((5, 5, 8))
    model = keras.Model(inputs, make(inputs, 8, zero_init=True, activation_at=activation_at, conv=unit))
    x = images(2, 5, 5, 8)
    expected = np.maximum(x, 0) if activation_at == "end" else x
    assert np.array_equal(run(model, x), expected)
    random = randomize(model)
    assert not np.array_equal(run(random, x), expected)


def test_zero_init_of_a_network():
    model = made(resnet50, zero_init=True)
    gammas = {layer.name: layer.gamma_initializer for layer in weighted(model, lambda name: name.endswith(".norm"))}
    zero = {name for name, value in gammas.items() if isinstance(value, keras.initializers.Zeros)}
    assert zero == {name for name in gammas if name.endswith("conv3.norm")}


def test_transforms_stand_before_the_sum():
    model = build(
        bottleneck,
        (8, 8, 32),
        32,
        transforms=[partial(squeeze_excite, ratio=4), partial(stochastic_depth, rate=0.5)],
        name="b",
    )
    names = [layer.name for layer in model.layers]
    assert model.get_layer("b.squeeze_excite.scale").input[0].name == model.get_layer("b.conv3.norm").output.name
    assert names[-3:] == ["b.stochastic_depth", "b.add", "b.activation"]
    with pytest.raises(TypeError, match=r"bottleneck.*: transforms.0. must be a function, got 3"), weightless():
        bottleneck(keras.Input((8, 8, 32)), 32, transforms=[3])


# Squeeze and excitation.


@dear
@given(st.tuples(st.integers(1, 6), st.integers(1, 6)), st.integers(1, 9), st.sampled_from([1, 2, 4, 16]), seeds)
def test_squeeze_excite(size, channels, ratio, seed):
    inputs = keras.Input((*size, channels))
    model = randomize(keras.Model(inputs, squeeze_excite(inputs, ratio=ratio, name="se")), seed)
    narrow = max(1, channels // ratio)
    assert model.count_params() == 2 * channels * narrow + narrow + channels
    x = images(2, *size, channels, seed=seed)
    (a, b), (c, d) = values(model, "se.reduce.conv"), values(model, "se.expand.conv")
    weights = 1 / (1 + np.exp(-(np.maximum(x.mean(axis=(1, 2)) @ a[0, 0] + b, 0) @ c[0, 0] + d)))
    assert differ(run(model, x), x * weights[:, None, None, :]) < 1e-5


def test_squeeze_excite_around_inception():
    """SE-Inception: Hu et al. 2018, figure 2 applied to figure 2b of Szegedy et al. 2015."""

    @block
    def se_inception(x, *filters, conv=conv):
        return squeeze_excite(inception(x, *filters, conv=conv, name="inception"), name="se")

    filters = (64, (96, 128), (16, 32), 32)
    plain = build(inception, (28, 28, 192), *filters)
    model = build(se_inception, (28, 28, 192), *filters, name="3a")
    assert model.output_shape == plain.output_shape == (None, 28, 28, 256)
    assert model.count_params() == plain.count_params() + 2 * 256 * 16 + 16 + 256
    assert {layer.name.split(".")[1] for layer in model.layers[1:]} == {"inception", "se"}


def test_squeeze_excite_in_every_block_of_its_network():
    model = made(se_resnet50)
    gates = [layer for layer in model.layers if layer.name.endswith(".scale")]
    assert len(gates) == 16
    assert [layer.output.shape[-1] // 16 for layer in gates] == [
        layer.filters for layer in weighted(model, lambda name: name.endswith(".reduce.conv"))
    ]


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 1, 4), (4,)])
def test_scale_broadcasts_nothing_else(shape):
    with pytest.raises(ValueError, match=r"scale: (weights|x) must be"), weightless():
        scale(keras.Input((5, 5, 4)), keras.Input(shape))


# Stochastic depth.


def test_stochastic_depth_drops_whole_examples():
    layer = StochasticDepth(0.25, seed=1)
    x = np.abs(images(400, 3, 2, 4)) + 1
    y = keras.ops.convert_to_numpy(layer(x, training=True))
    kept = y[:, 0, 0, 0] != 0
    assert np.allclose(y, x * kept[:, None, None, None] / 0.75, rtol=1e-5)
    assert 0.65 < kept.mean() < 0.85
    assert np.array_equal(keras.ops.convert_to_numpy(layer(x, training=False)), x)
    again = StochasticDepth.from_config(layer.get_config())
    assert (again.rate, again.seed) == (0.25, 1)


def test_stochastic_depth_grows_evenly():
    model = made(cifar_resnet20, stochastic_depth=0.5)
    rates = [layer.rate for layer in model.layers if isinstance(layer, StochasticDepth)]
    assert rates == pytest.approx([0.5 * number / 9 for number in range(1, 10)])
    assert not [layer for layer in made(cifar_resnet20).layers if isinstance(layer, StochasticDepth)]


def test_a_skipped_block_is_its_shortcut():
    inputs = keras.Input((5, 5, 8))
    y = basic_residual(inputs, 8, transforms=[partial(stochastic_depth, rate=0.999999)])
    model, x = randomize(keras.Model(inputs, y)), images(4, 5, 5, 8)
    assert np.array_equal(keras.ops.convert_to_numpy(model(x, training=True)), np.maximum(x, 0))
    assert not np.array_equal(run(model, x), np.maximum(x, 0))


@pytest.mark.parametrize("rate", [1, -0.1, "0.5", True])
def test_stochastic_depth_takes_a_rate(rate):
    with pytest.raises((ValueError, TypeError), match="rate must be a number from 0"), weightless():
        stochastic_depth(keras.Input((8, 8, 4)), rate)


# Pre-activation.


def test_v2_of_the_paper_begins_active_and_ends_with_an_activation():
    for constructor in (resnet18_v2, resnet50_v2, cifar_resnet164_v2):
        model = made(constructor)
        names = [layer.name for layer in model.layers]
        assert "stem.activation" in names and "stage1.block1.preactivation.norm" not in names
        assert "stage1.block2.preactivation.norm" in names and "stage2.block1.preactivation.norm" in names
        assert names.index("postactivation.activation") + 1 == names.index("classifier.pool")
        assert not [name for name in names if name.endswith("add.activation") or ".block1.activation" in name]
        assert not any(layer.use_bias for layer in model.layers if isinstance(layer, keras.layers.Conv2D))


def test_v2_of_keras_begins_bare_and_strides_at_the_end():
    model = made(resnet50_v2, dialect="keras")
    names = [layer.name for layer in model.layers]
    assert "stem.norm" not in names and "stage1.block1.preactivation.norm" in names
    strided = [layer.name for layer in model.layers if max(getattr(layer, "strides", (1,))) > 1]
    blocks = [f"stage{stage}.block{number}" for stage, number in ((1, 3), (2, 4), (3, 6))]
    assert [name for name in strided if "stage" in name and "shortcut" not in name] == [
        f"{name}.conv2.conv" for name in blocks
    ]
    assert [name for name in strided if name.endswith("shortcut")] == [f"{name}.shortcut" for name in blocks]


def test_the_shortcut_leaves_the_preactivation_where_the_channels_change():
    for channels, source in ((8, "input"), (4, "b.preactivation.activation")):
        with weightless():
            x = keras.Input((8, 8, channels), name="input")
            model = keras.Model(x, basic_residual(x, 8, activation_at="start", name="b"))
        shortcut = model.get_layer("b.add").input[1]
        layer = shortcut._keras_history.operation
        assert (layer.name if channels == 8 else layer.input._keras_history.operation.name) == source


def test_norm_activation_is_that_of_the_unit():
    def kinds(unit):
        return [type(layer).__name__ for layer in build(norm_activation, (8, 8, 4), conv=unit).layers[1:]]

    assert kinds(conv_bn) == ["BatchNormalization", "Activation"]
    assert kinds(partial(conv, norm=partial(group_norm, groups=2), activation=None)) == ["GroupNormalization"]
    assert kinds(conv) == ["Activation"]


# Dilation in the place of strides.


@pytest.mark.sweep_but("torchvision-16", "v2-8")
@pytest.mark.parametrize("output_stride", [4, 8, 16])
@pytest.mark.parametrize(
    "constructor, options",
    [
        (small, {"dialect": "v1.5", "residual": bottleneck, "filters": 16}),
        (small, {"dialect": "torchvision", "residual": bottleneck, "filters": 16}),
        (small_v2, {"stride_on": "3x3"}),
        (small_v2, {"dialect": "keras"}),
    ],
    ids=["v1.5", "torchvision", "v2", "v2 of keras"],
)
def test_a_dilated_network_sees_the_same(output_stride, constructor, options):
    """Every so many pixels it has the values of the strided one, given the same weights."""
    options = {**options, "include_top": False, "input_shape": (65, 33, 3)}  # "same" is symmetric at odd sizes
    strided = randomize(constructor(**options))
    dilated = constructor(**options, output_stride=output_stride)
    copy_weights(strided, dilated)
    step = 32 // output_stride
    x = images(1, 65, 33, 3)
    assert dilated.output_shape[1:3] == (64 // output_stride + 1, 32 // output_stride + 1)
    assert differ(run(dilated, x)[:, ::step, ::step], run(strided, x)) < 1e-4


@pytest.mark.parametrize("output_stride, expected", [(8, [1, 1, 1, 2, 2, 4]), (16, [1, 1, 1, 1, 1, 2])])
def test_the_first_dilated_block_keeps_the_rate_before(output_stride, expected):
    model = made(resnet50, output_stride=output_stride)
    rates = [
        model.get_layer(f"stage{stage}.block{number}.conv2.conv").dilation_rate[0]
        for stage in (2, 3, 4)
        for number in (1, 2)
    ]
    assert rates == expected
    assert model.count_params() == 25_610_152


def test_output_stride_of_small_images():
    assert made(cifar_resnet20, output_stride=2, include_top=False).output_shape == (None, 16, 16, 64)
    with pytest.raises(ValueError, match="output_stride must be one of None, 1, 2 or 4, got 8"):
        made(cifar_resnet20, output_stride=8)


# Depth.


@pytest.fixture
def deep() -> Iterator[keras.Model]:
    """Deeper than Python's recursion limit, which is lowered here to be quick."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(500)
    x = inputs = keras.Input((4, 4, 2), name="input")
    x = residual(x, [(2, 3)], conv=conv_bn, name="first")
    for _ in range(500):
        x = keras.layers.Activation("linear")(x)
    with deep_graphs():
        yield keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    assert sys.getrecursionlimit() == 500
    sys.setrecursionlimit(limit)


def test_a_network_of_any_depth_is_cut_and_cloned(deep):
    cut = keras.Model(deep.input, deep.layers[-3].output)
    assert len(cut.layers) == len(deep.layers) - 2
    clone = keras.models.clone_model(deep)
    assert [layer.name for layer in clone.layers] == [layer.name for layer in deep.layers]


@pytest.mark.sweep
def test_a_network_of_any_depth_trains_and_is_saved_and_loaded(deep, tmp_path):
    deep.compile("sgd", "mse", run_eagerly=True)
    before = deep.get_weights()
    x = images(2, 4, 4, 2)
    deep.train_on_batch(x, np.ones((2, 2)))
    assert not all(np.array_equal(a, b) for a, b in zip(before, deep.get_weights(), strict=True))
    deep.save(tmp_path / "deep.keras")
    loaded = keras.models.load_model(tmp_path / "deep.keras")
    assert np.array_equal(run(loaded, x), run(deep, x))


def test_a_disconnected_graph_is_an_error_at_any_depth():
    with pytest.raises(ValueError, match=r"isconnected|not connected"), deep_graphs():
        keras.Model(keras.Input((2,)), keras.layers.Dense(1)(keras.Input((3,))))


@pytest.mark.sweep
def test_resnet_1202():
    model = made(cifar_resnet1202)
    assert (trainable(model), model.count_params()) == (19_421_274, 19_510_906)
    assert len([layer for layer in model.layers if layer.name.endswith("add")]) == 600


@pytest.mark.skipif(os.environ.get("HYPOTHESIS_PROFILE") != "nightly", reason="takes minutes")
def test_resnet_1202_trains_and_is_saved_and_loaded(tmp_path):
    model = cifar_resnet1202()
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    x = images(2, 32, 32, 3)
    assert np.isfinite(model.train_on_batch(x, np.zeros(2)))
    model.save(tmp_path / "deep.keras")
    with deep_graphs():
        loaded = keras.models.load_model(tmp_path / "deep.keras")
    assert np.array_equal(run(loaded, x), run(model, x))


def test_inputs_of_a_deep_residual_network():
    """Keras's own search doubles its work with every block."""
    with weightless():
        x = keras.Input((8, 8, 4), name="x")
        y = x
        for _ in range(60):
            y = basic_residual(y, 4, conv=conv)
        assert _keras.source_inputs(y) == [x]
        a, b = keras.Input((8, 8, 4), name="a"), keras.Input((8, 8, 4), name="b")
        z = keras.layers.Add()([b, keras.layers.Add()([a, b])])
        assert [t.name for t in _keras.source_inputs(z)] == [t.name for t in keras.utils.get_source_inputs(z)]
        model = cifar_resnet20(input_tensor=keras.layers.Conv2D(3, 1)(y))
    assert model.input is x


# A network from outside.


def test_resnext_is_data():
    spec = importlib.util.spec_from_file_location("resnext50_example", EXAMPLES / "resnext50.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = made(module.resnext50)
    assert trainable(model) == 25_028_904
    assert round(multiply_adds(model) / 1e9, 2) == 4.23
    wide = weighted(model, lambda name: name.endswith("conv2.conv"))
    assert {layer.groups for layer in wide} == {32}
    assert [layer.filters for layer in wide if layer.strides == (2, 2)] == [256, 512, 1024]


# What every network offers.


@pytest.mark.sweep_but("dialect0")
@pytest.mark.parametrize(
    "dialect", [(resnet50, name) for name in DIALECTS] + [(resnet50_v2, name) for name in V2_DIALECTS]
)
def test_any_size(dialect):
    constructor, name = dialect
    options = {"dialect": name, "include_top": False, "output_stride": None}
    unknown = made(constructor, **options, input_shape=(None, None, 3))
    for size in ((64, 64), (97, 65), (33, 40)):
        known = made(constructor, **options, input_shape=(*size, 3))
        assert unknown.compute_output_shape((None, *size, 3)) == known.output_shape
        assert known.count_params() == unknown.count_params()


def test_two_in_one_graph():
    with weightless():
        x = keras.Input((64, 64, 3))
        a, b = resnet18(input_tensor=x, name="a"), resnet18_v2(input_tensor=x, name="b")
        both = keras.Model(x, [a.output, b.output])
    assert both.count_params() == a.count_params() + b.count_params()


@pytest.mark.parametrize(
    "constructor", [small, small_v2, partial(cifar_resnet, repeats=(1, 1, 1), transforms=[squeeze_excite])]
)
def test_saved_and_loaded(constructor, tmp_path):
    model = randomize(constructor(input_shape=(33, 40, 3), stochastic_depth=0.3))
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    x = images(2, 33, 40, 3)
    assert np.array_equal(run(loaded, x), run(model, x))
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]


def test_mixed_precision():
    with dtype_policy("mixed_float16"):
        model = small(input_shape=(33, 33, 3), stochastic_depth=0.5, transforms=[squeeze_excite])
    y = model(images(2, 33, 33, 3), training=True)
    assert y.dtype == "float32" and np.isfinite(y).all()
    assert model.get_layer("stage4.block2.add").output.dtype == "float16"


@pytest.mark.parametrize("constructor", [se_resnet50, partial(resnet50_v2, dialect="keras"), cifar_resnet56])
def test_channels_first(constructor):
    last = made(constructor)
    with data_format("channels_first"):
        first = made(constructor)
        assert first.count_params() == last.count_params()
        assert first.input_shape[1] == 3
        stage = [layer for layer in first.layers if layer.name.startswith("stage")][-1]
    theirs = last.get_layer(stage.name).output.shape
    assert stage.output.shape == (None, theirs[3], *theirs[1:3])


def test_option_c_projects_in_every_block():
    model = made(resnet18, shortcut="all_projections")
    assert len(weighted(model, lambda name: name.endswith("shortcut.conv"))) == 8


BAD = [
    (partial(resnet, depth=51), ValueError, "resnet: depth must be one of 18, 34, 50, 101 or 152, got 51"),
    (partial(resnet50, stride_on="5x5"), ValueError, "stride_on must be one of '1x1' or '3x3', got '5x5'"),
    (partial(resnet18, stride_on="1x1"), ValueError, "stride_on must be one of '3x3', got '1x1'"),
    (partial(resnet50, strided_block="middle"), ValueError, "strided_block must be one of 'first' or 'last'"),
    (partial(resnet50, strides=(2, 2)), ValueError, "strides must be 4 integers"),
    (partial(resnet50, repeats=(3, 0, 3, 3)), ValueError, r"repeats\[1\] must be a positive integer, got 0"),
    (partial(resnet50, repeats=3), TypeError, "repeats must be"),
    (partial(resnet50, filters=0), ValueError, "filters must be a positive integer, got 0"),
    (partial(resnet50, output_stride=7), ValueError, "output_stride must be one of None, 4, 8, 16 or 32, got 7"),
    (partial(resnet50, stochastic_depth=1.0), ValueError, "stochastic_depth must be a number from 0"),
    (partial(resnet50, shortcut="none"), ValueError, "shortcut must be the name of a shortcut"),
    (partial(resnet50, residual=3), TypeError, r"residual must be a function or None, got 3"),
    (partial(cifar_resnet, dialect="keras"), TypeError, "unexpected argument 'dialect'"),
    (partial(residual, keras.Input((8, 8, 4)), []), TypeError, "convs must be a list of"),
    (partial(residual, keras.Input((8, 8, 4)), [(4, 3, 1)]), ValueError, r"convs\[0\] must be 2 integers"),
    (
        partial(residual, keras.Input((8, 8, 4)), [(4, 3)], activation_at="begin"),
        ValueError,
        "activation_at must be one of",
    ),
    (
        partial(bottleneck, keras.Input((8, 8, 4)), 8, gruops=2),
        TypeError,
        "unexpected argument 'gruops'; did you mean 'groups'",
    ),
    (partial(squeeze_excite, keras.Input((8, 8, 4)), ratio=0), ValueError, "ratio must be a positive integer, got 0"),
    (
        partial(basic_residual, keras.Input((8, 8, 8)), 4, shortcut=pad_shortcut),
        ValueError,
        "filters must be at least the 8",
    ),
    (partial(basic_residual, keras.Input((8, 8, 8)), 4, conv=3), TypeError, "conv must be a function, got 3"),
]


@pytest.mark.parametrize("function, kind, words", BAD)
def test_bad_input(function, kind, words):
    with weightless(), pytest.raises(kind, match=words) as caught:
        function()
    assert "\n" not in str(caught.value)


def test_a_custom_shortcut():
    def averaged(x, filters, *, strides, conv):
        pooled = keras.layers.AveragePooling2D(strides, padding="same")(x)
        return projection_shortcut(pooled, filters, strides=1, conv=conv, always=True)

    model = made(resnet50, shortcut=averaged)
    assert model.count_params() == made(resnet50, shortcut="all_projections").count_params()
