"""VGG: configurations A to E, the dialects, dilation in the stride's place, and the weights of `keras.applications`."""

from __future__ import annotations

from functools import partial
from math import prod

import keras
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from layerblocks import architectures
from layerblocks.architectures import vgg, vgg11_lrn, vgg13, vgg16, vgg16_bn, vgg16c, vgg19
from layerblocks.architectures.catalogue import ENTRIES
from layerblocks.blocks import conv, conv_bn, local_response_norm, max_pool, separable, vgg_block, weightless
from layerblocks.graphs import read_graph
from layerblocks.testing import oracles

from .. import naive
from ..helpers import build, check, data_format, dear, images, seeds

NARROW = {"filters": (4, 6, 8, 8, 8), "units": (12, 10), "classes": 5}


def made(constructor=vgg16, **options):
    with weightless():
        return constructor(**options)


def trainable(model) -> int:
    return sum(prod(weight.shape) for weight in model.trainable_weights)


def of_kind(model, kind) -> list:
    return [layer for layer in model.layers if isinstance(layer, kind)]


# Figures: trainable parameters without and with BatchNorm, all with BatchNorm, giga multiply-adds.

FIGURES = {
    "vgg11": (132_863_336, 132_868_840, 132_874_344, 7.609),
    "vgg11_lrn": (132_863_336, 132_868_840, 132_874_344, 7.609),
    "vgg13": (133_047_848, 133_053_736, 133_059_624, 11.308),
    "vgg16c": (133_638_952, 133_647_400, 133_655_848, 11.771),
    "vgg16": (138_357_544, 138_365_992, 138_374_440, 15.470),
    "vgg19": (143_667_240, 143_678_248, 143_689_256, 19.632),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    plain, normed, everything, giga = FIGURES[name]
    for suffix, expected in (("", (plain, plain)), ("_bn", (normed, everything))):
        constructor = getattr(architectures, name + suffix)
        model, entry = made(constructor), ENTRIES[name + suffix]
        products = read_graph(model).multiply_adds
        assert (trainable(model), model.count_params()) == expected
        assert round(products / 1e9, 3) == giga
        assert (entry.parameters, entry.multiply_adds, model.name) == (expected[1], products, name + suffix)


def test_the_notes_table_of_vgg16():
    """Every layer and its output, 224²×64 to 4096-4096-1000."""
    model = made(dialect="notes")
    shown = of_kind(model, keras.layers.Conv2D | keras.layers.MaxPooling2D | keras.layers.Dense)
    rows = [(layer.name.removesuffix(".conv"), tuple(layer.output.shape[1:])) for layer in shown]
    expected = []
    stages = [(224, 64, 2), (112, 128, 2), (56, 256, 3), (28, 512, 3), (14, 512, 3)]
    for number, (side, width, convs) in enumerate(stages, 1):
        expected += [(f"block{number}.conv{i}", (side, side, width)) for i in range(1, convs + 1)]
        expected.append((f"block{number}.pool", (side // 2, side // 2, width)))
    dense = {"dense1": 4_096, "dense2": 4_096, "predictions": 1_000}
    assert rows == [*expected, *((f"classifier.{name}", (units,)) for name, units in dense.items())]
    assert model.get_layer("classifier.flatten").output.shape == (None, 25_088)
    assert model.count_params() == 138_357_544


def test_the_notes_program_of_vgg16():
    """As it is written there, with Keras: the table above has no dropout."""
    model = made(dialect="notes_grey")
    assert (model.input_shape, model.output_shape) == ((None, 224, 224, 1), (None, 10))
    program = keras.Sequential([keras.Input((224, 224, 1))])
    with weightless():
        for convs, width in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
            for _ in range(convs):
                program.add(keras.layers.Conv2D(width, 3, padding="same", activation="relu"))
            program.add(keras.layers.MaxPool2D(2, 2))
        program.add(keras.layers.Flatten())
        for _ in range(2):
            program.add(keras.layers.Dense(4_096, activation="relu"))
            program.add(keras.layers.Dropout(0.5))
        program.add(keras.layers.Dense(10, activation="softmax"))
    assert model.count_params() == program.count_params()
    for kind in (keras.layers.Dropout, keras.layers.MaxPooling2D):
        assert [(x.output.shape, getattr(x, "rate", 0)) for x in of_kind(model, kind)] == [
            (x.output.shape, getattr(x, "rate", 0)) for x in of_kind(program, kind)
        ]
    for ours, theirs in zip(of_kind(model, keras.layers.Dense), of_kind(program, keras.layers.Dense), strict=True):
        for word in ("kernel_initializer", "bias_initializer"):
            assert type(getattr(ours, word)) is type(getattr(theirs, word))
    assert not of_kind(made(dialect="notes"), keras.layers.Dropout)


@pytest.mark.parametrize(
    ("name", "dialect"),
    [("vgg11", "notes"), ("vgg19", "notes"), ("vgg13", "notes_bn"), ("vgg16", "notes_cifar"), ("vgg19", "notes_grey")],
)
def test_a_network_that_the_notes_have_not_is_refused(name, dialect):
    with pytest.raises(ValueError, match=rf"{name}: dialect must be .*, got '{dialect}'"):
        made(getattr(architectures, name), dialect=dialect)


def test_the_notes_initial_values():
    model = vgg16(dialect="notes", filters=(4,) * 5, units=(64, 64), classes=64, input_shape=(64, 64, 3))
    for layer in of_kind(model, keras.layers.Dense):
        assert np.all(layer.bias.numpy() == np.float32(0.1))
        np.testing.assert_allclose(np.std(layer.kernel), 0.005, rtol=0.2)


@pytest.mark.parametrize("constructor, convs", [(vgg16, 13), (vgg19, 16)])
def test_the_notes_with_norms(constructor, convs):
    model = made(constructor, dialect="notes_bn")
    widths = {13: [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6, 16: [64] * 2 + [128] * 2 + [256] * 4 + [512] * 8}[convs]
    inputs = [3, *widths]
    convolutions = sum(9 * i * o + o for i, o in zip(inputs, widths, strict=False))
    dense = 25_088 * 4_096 + 4_096 + 4_096 * 1_024 + 1_024 + 1_024 * 10 + 10
    assert trainable(model) == convolutions + dense + 2 * sum(widths)
    assert model.count_params() == convolutions + dense + 4 * sum(widths)
    rates = {layer.name: layer.rate for layer in of_kind(model, keras.layers.Dropout)}
    names = [f"block{i}.dropout" for i in range(1, 6)] + ["classifier.dropout1", "classifier.dropout2"]
    assert rates == dict.fromkeys(names, 0.2)
    order = [layer.name for layer in model.layers if layer.name.startswith("block1")]
    unit = ["conv", "norm", "activation"]
    assert order == [f"block1.conv{i}.{part}" for i in (1, 2) for part in unit] + ["block1.pool", "block1.dropout"]


def test_the_notes_cifar_network():
    convolutions = made(vgg13, include_top=False).count_params()
    for classes, last in ((10, 1_290), (100, 12_900)):
        model = made(vgg13, dialect="notes_cifar", classes=classes)
        assert (model.input_shape, model.output_shape) == ((None, 32, 32, 3), (None, classes))
        assert model.count_params() == convolutions + 512 * 256 + 256 + 256 * 128 + 128 + last
        assert model.get_layer("block5.pool").output.shape == (None, 1, 1, 512)
        assert model.get_layer("classifier.predictions").activation is keras.activations.linear
        assert not of_kind(model, keras.layers.Dropout)
    assert made(vgg13, dialect="notes_cifar", include_top=False, input_shape=(33, 48, 3)).output_shape[1:3] == (2, 2)


# What makes each configuration.


def test_configurations():
    kernels = [layer.kernel_size[0] for layer in of_kind(made(vgg16c), keras.layers.Conv2D)]
    assert kernels == [3, 3, 3, 3, 3, 3, 1, 3, 3, 1, 3, 3, 1]
    names = [layer.name for layer in made(vgg11_lrn).layers]
    assert names[1:4] == ["block1.conv1.conv", "block1.norm", "block1.pool"]
    assert sum("norm" in name for name in names) == 1
    assert [layer.name for layer in made().layers][-5:] == [
        "classifier.dense1",
        "classifier.dropout1",
        "classifier.dense2",
        "classifier.dropout2",
        "classifier.predictions",
    ]


def test_norm_of_torchvision():
    norms = of_kind(made(vgg16_bn), keras.layers.BatchNormalization)
    assert {(norm.epsilon, norm.momentum) for norm in norms} == {(1e-5, 0.9)}
    assert all(layer.use_bias for layer in of_kind(made(vgg16_bn), keras.layers.Conv2D))


def test_units_plug_in():
    model = made(conv=separable)
    assert len(of_kind(model, keras.layers.SeparableConv2D)) == 13 and not of_kind(model, keras.layers.Conv2D)
    model = made(conv=partial(conv, activation="gelu"))
    assert model.get_layer("classifier.dense2").activation.__name__ == "gelu"
    assert made(conv=conv_bn).get_layer("classifier.dense2").activation.__name__ == "relu"


def test_sizes():
    for dialect in ("paper", "keras", "torchvision"):
        assert made(dialect=dialect, input_shape=(32, 50, 1)).output_shape == (None, 1000)
        with pytest.raises(ValueError, match="vgg16: input_shape must be at least 32×32, got 31×50"):
            made(dialect=dialect, input_shape=(31, 50, 1))
    unknown = made(dialect="torchvision", input_shape=(None, None, 3))
    assert unknown.count_params() == 138_357_544
    with pytest.raises(ValueError, match="vgg16: output_stride must be one of None, 2, 4, 8, 16 or 32, got 7"):
        made(output_stride=7)
    with pytest.raises(ValueError, match="vgg: filters must be one number for each of the 2 blocks"):
        made(vgg, convs=(1, 1))


@dear
@given(st.sampled_from(["vgg11", "vgg13", "vgg16", "vgg19"]), st.tuples(st.integers(32, 300), st.integers(32, 300)))
def test_features_of_any_size(name, size):
    model = made(getattr(architectures, name), include_top=False, input_shape=(*size, 3))
    assert model.output_shape == (None, size[0] // 32, size[1] // 32, 512)


def test_channels_first():
    with data_format("channels_first"):
        assert made(output_stride=8, include_top=False).output_shape == (None, 512, 28, 28)
        assert made(vgg13, dialect="notes_cifar").input_shape == (None, 3, 32, 32)
        assert made(dialect="torchvision").count_params() == 138_357_544


# Stride turned into dilation.


@pytest.mark.parametrize("output_stride, sides", [(16, (14, 14)), (8, (28, 28)), (32, (14, 7)), (None, (14, 7))])
def test_output_stride(output_stride, sides):
    model = made(include_top=False, output_stride=output_stride)
    assert tuple(model.get_layer(f"block{i}.pool").output.shape[1] for i in (4, 5)) == sides
    rates = {i: model.get_layer(f"block{i}.conv1.conv").dilation_rate[0] for i in (4, 5)}
    assert rates == {4: 1, 5: 2 if output_stride == 8 else 1}
    assert model.count_params() == made(include_top=False).count_params()


@dear
@given(
    st.sampled_from([2, 4, 8, 16]),
    st.tuples(st.integers(1, 2), st.integers(1, 3)),
    st.sampled_from([vgg11_lrn, vgg13, vgg16c]),
    seeds,
)
@example(8, (2, 3), vgg13, 0)
def test_dilated_features_hold_the_ordinary_ones(output_stride, tiles, constructor, seed):
    """With the same weights, every so many pixels: nothing but the resolution changes."""
    shape = (32 * tiles[0], 32 * tiles[1], 3)
    options = {"include_top": False, "filters": (2, 3, 4, 4, 3), "input_shape": shape}
    ordinary, dense = constructor(**options), constructor(output_stride=output_stride, **options)
    random = np.random.default_rng(seed)
    weights = [random.normal(0, 0.5, weight.shape) for weight in ordinary.get_weights()]
    ordinary.set_weights(weights)
    dense.set_weights(weights)
    x, step = images(1, *shape, seed=seed), 32 // output_stride
    expected = np.array(ordinary(x))
    np.testing.assert_allclose(np.array(dense(x))[:, ::step, ::step], expected, rtol=1e-3, atol=1e-4 * np.max(expected))


@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)), st.sampled_from([1, 2, 3, (1, 3)]), st.sampled_from([2, 3, (1, 2)])
)
def test_dilated_max_pool(size, pool_size, rate):
    x = images(1, *size, 2)
    model = keras.Model(i := keras.Input((*size, 2)), max_pool(i, pool_size, strides=1, dilation_rate=rate))
    (kh, kw), (dh, dw) = oracles.pair(pool_size), oracles.pair(rate)
    expected = np.empty_like(x)
    for row, column in np.ndindex(size):
        rows = [row + (i - (kh - 1) // 2) * dh for i in range(kh)]
        columns = [column + (i - (kw - 1) // 2) * dw for i in range(kw)]
        inside = [(r, c) for r in rows for c in columns if 0 <= r < size[0] and 0 <= c < size[1]]
        expected[:, row, column] = np.max([x[:, r, c] for r, c in inside], axis=0)
    np.testing.assert_array_equal(model(x), expected)
    assert model.output_shape == (None, *size, 2)


def test_dilated_max_pool_of_unknown_size(tmp_path):
    model = keras.Model(x := keras.Input((None, None, 1)), max_pool(x, 2, strides=1, dilation_rate=2))
    model.save(tmp_path / "pool.keras")
    same = keras.saving.load_model(tmp_path / "pool.keras")
    for size in ((3, 4), (1, 1)):
        x = images(1, *size, 1)
        np.testing.assert_array_equal(model(x), same(x))


@pytest.mark.parametrize("options", [{"strides": 2}, {}, {"strides": 1, "padding": "valid"}])
def test_dilated_max_pool_refuses(options):
    with pytest.raises(
        ValueError, match="max_pool: dilation_rate must be 1, or more with strides=1 and padding='same'"
    ):
        build(max_pool, (8, 8, 1), 2, dilation_rate=2, **options)


# The block.


@given(
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from([{"strides": 1}, {"strides": 1, "dilation_rate": 2}, {"padding": "same"}, {"dropout": 0.2}]),
)
def test_vgg_block_options(size, channels, convs, options):
    def oracle(shape, filters, convs, **options):
        made = oracles.Expected(shape)
        for _ in range(convs):
            made = made.then(oracles.conv, filters, 3)
        padding = "same" if options.get("strides") == 1 else options.get("padding", "valid")
        return made.then(oracles.pool, 2, strides=options.get("strides", 2), padding=padding)

    check(partial(vgg_block, **options), partial(oracle, **options), size, channels, filters=4, convs=convs)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"strides": 3}, "strides must be one of 1 or 2, got 3"),
        ({"dilation_rate": 2}, "strides must be 1 with dilation_rate=2, got 2"),
        ({"dilation_rate": 0}, "dilation_rate must be a positive integer, got 0"),
        ({"dropout": 1}, "rate must be a number from 0"),
    ],
)
def test_vgg_block_refuses(options, words):
    with pytest.raises(ValueError, match=words):
        build(vgg_block, (8, 8, 1), 4, **options)


def test_vgg_block_norm_stands_in_front_of_the_pool():
    model = build(vgg_block, (8, 8, 1), 4, 1, norm=local_response_norm, dropout=0.5)
    assert [layer.name.split(".", 1)[1] for layer in model.layers[1:]] == ["conv1.conv", "norm", "pool", "dropout"]


# The same numbers as others, given the same weights.


@pytest.mark.parametrize("name, include_top", [("VGG16", True), ("VGG19", False)])
def test_keras_applications(name, include_top):
    options = {"weights": None, "input_shape": (32, 64, 3), "classes": 7, "include_top": include_top}
    theirs = getattr(keras.applications, name)(**options)
    ours = getattr(architectures, name.lower())(dialect="keras", **options)
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    ours.set_weights(theirs.get_weights())
    x = images(2, 32, 64, 3)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-5)


@pytest.mark.parametrize("name", ["VGG16", "VGG19"])
def test_keras_applications_layer_by_layer(name):
    theirs = made(getattr(keras.applications, name), weights=None)
    ours = made(getattr(architectures, name.lower()), dialect="keras")
    described = [
        [(type(layer), layer.output.shape, layer.count_params()) for layer in model.layers] for model in (ours, theirs)
    ]
    assert described[0] == described[1]


@pytest.mark.parametrize("size", [(32, 32), (70, 101)])
@pytest.mark.parametrize("normed", [False, True])
def test_torchvision_form_by_hand(size, normed):
    """Zeros on every side, biased convolutions under the norm, floor at every pool, an average to 7×7."""
    unit = {"conv": partial(vgg16_bn.defaults["conv"])} if normed else {}
    model = vgg(convs=(1, 1, 2, 1, 1), dialect="torchvision", input_shape=(*size, 3), **NARROW, **unit)
    random = np.random.default_rng(1)
    weights = [
        random.uniform(0.5, 2, w.shape)
        if any(word in w.path for word in ("gamma", "variance"))
        else random.normal(0, 1 / np.sqrt(max(prod(w.shape[:-1]), 1)), w.shape)
        for w in model.weights
    ]
    model.set_weights(weights)
    x, steps = images(2, *size, 3), iter(weights)
    y = x.astype(float)
    for convs in (1, 1, 2, 1, 1):
        for _ in range(convs):
            y = naive.conv(y, next(steps), next(steps), padding=1)
            if normed:
                gamma, beta, mean, variance = (next(steps) for _ in range(4))
                y = (y - mean) / np.sqrt(variance + 1e-5) * gamma + beta
            y = naive.relu(y)
        y = naive.max_pool(y, 2, 2, "valid")
    y = naive.adaptive_avg_pool(y, (7, 7)).reshape(2, -1)
    for _ in range(2):
        y = naive.relu(y @ next(steps) + next(steps))
    y = y @ next(steps) + next(steps)
    np.testing.assert_allclose(model(x), y, rtol=1e-4)
