"""AlexNet and ZFNet: figures, what the sources differ in, and the arithmetic of torchvision's form."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from math import prod

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.architectures import alexnet, zfnet
from layerblocks.blocks import chain, conv, conv_bn, max_pool, separable, weightless
from layerblocks.graphs import read_graph

from .. import naive
from ..helpers import build, data_format, images


def made(constructor=alexnet, **options):
    with weightless():
        return constructor(**options)


def trainable(model) -> int:
    return sum(prod(weight.shape) for weight in model.trainable_weights)


def kinds(model, kind) -> list[str]:
    return [layer.name for layer in model.layers if isinstance(layer, kind)]


# Figures.


@pytest.mark.parametrize(
    "options, parameters, giga",
    [
        ({}, 60_965_224, 0.724),
        ({"groups": 1}, 62_378_344, 1.135),
        ({"dialect": "torchvision"}, 61_100_840, 0.714),
    ],
)
def test_figures(options, parameters, giga):
    model = made(**options)
    assert trainable(model) == model.count_params() == parameters
    assert round(read_graph(model).multiply_adds / 1e9, 3) == giga


def convolutions(shapes) -> int:
    return sum(k * k * inputs * filters + filters for k, inputs, filters in shapes)


def test_figures_of_zfnet():
    dense = 9_216 * 4_096 + 4_096 + 4_096 * 4_096 + 4_096 + 4_096 * 1_000 + 1_000
    shapes = [(7, 3, 96), (5, 96, 256), (3, 256, 384), (3, 384, 384), (3, 384, 256)]
    model = made(zfnet)
    assert trainable(model) == model.count_params() == convolutions(shapes) + dense == 62_357_608
    pixels = [110, 26, 13, 13, 13]
    products = [k * k * inputs * filters * side**2 for (k, inputs, filters), side in zip(shapes, pixels, strict=True)]
    assert read_graph(model).multiply_adds == sum(products) + dense - 4_096 - 4_096 - 1_000


def test_figures_of_the_notes():
    model = made(dialect="notes")
    shapes = [(11, 1, 96), (5, 96, 256), (3, 256, 384), (3, 384, 384), (3, 384, 256)]
    dense = 9_216 * 4_096 + 4_096 + 4_096 * 4_096 + 4_096 + 4_096 * 10 + 10
    assert (model.input_shape, model.output_shape) == ((None, 227, 227, 1), (None, 10))
    assert model.count_params() == convolutions(shapes) + dense

    model = made(dialect="notes_bn")
    shapes[0] = (11, 3, 96)
    dense = 6_400 * 2_048 + 2_048 + 2_048 * 2_048 + 2_048 + 2_048 * 10 + 10
    normed = 2 * (96 + 256 + 256)
    assert (model.input_shape, model.output_shape) == ((None, 112, 112, 3), (None, 10))
    assert trainable(model) == convolutions(shapes) + dense + normed
    assert model.count_params() == trainable(model) + normed


# What makes each of them.

SIDES = {
    "paper": (alexnet, {}, [55, 55, 27, 27, 27, 13, 13, 13, 13, 6]),
    "torchvision": (alexnet, {"dialect": "torchvision"}, [55, 27, 27, 13, 13, 13, 13, 6]),
    "notes": (alexnet, {"dialect": "notes"}, [55, 27, 27, 13, 13, 13, 13, 6]),
    "notes_bn": (alexnet, {"dialect": "notes_bn"}, [51, 25, 21, 10, 10, 10, 10, 5]),
    "zfnet": (zfnet, {}, [110, 55, 55, 26, 13, 13, 13, 13, 13, 6]),
}
DRAWN = (keras.layers.Conv2D, keras.layers.MaxPooling2D)


@pytest.mark.parametrize("name", SIDES)
def test_sides(name):
    constructor, options, expected = SIDES[name]
    model = made(constructor, **options)
    shown = [layer for layer in model.layers if isinstance(layer, DRAWN) or "LocalResponse" in type(layer).__name__]
    assert [layer.output.shape[1] for layer in shown] == expected


def test_groups_and_order_of_the_paper():
    model = made()
    assert {name: model.get_layer(name).groups for name in kinds(model, keras.layers.Conv2D)} == {
        "conv1.conv": 1,
        "conv2.conv": 2,
        "conv3.conv": 1,
        "conv4.conv": 2,
        "conv5.conv": 2,
    }
    names = [layer.name for layer in model.layers]
    assert names[1:7] == ["conv1.conv", "norm1", "pool1", "conv2.conv", "norm2", "pool2"]
    norm = model.get_layer("norm1")
    assert (norm.k, norm.depth, norm.alpha, norm.beta) == (2, 5, 1e-4, 0.75)
    assert not [name for name in (layer.name for layer in made(lrn=False).layers) if name.startswith("norm")]


def test_zfnet_normalizes_behind_the_pool():
    names = [layer.name for layer in made(zfnet).layers]
    assert names[2:8] == ["conv1.conv", "pool1", "norm1", "conv2.conv", "pool2", "norm2"]
    with pytest.raises(ValueError, match="zfnet: dialect must be one of 'paper'"):
        made(zfnet, dialect="torchvision")


def test_dropout_behind_or_before_the_dense_layers():
    rates = {}
    for dialect in ("paper", "torchvision"):
        model = made(dialect=dialect)
        names = [layer.name for layer in model.layers if "classifier" in layer.name]
        rates[dialect] = {name: model.get_layer(name).rate for name in kinds(model, keras.layers.Dropout)}
        assert names.index("classifier.dense1") < names.index("classifier.dropout1")
    assert rates["paper"] == {"classifier.dropout1": 0.5, "classifier.dropout2": 0.5}
    assert rates["torchvision"] == {"classifier.dropout": 0.5, "classifier.dropout1": 0.5}
    assert names.index("classifier.dropout") < names.index("classifier.dense1")


def test_the_notes_normalized_form():
    model = made(dialect="notes_bn")
    norms = ["conv1.norm", "conv2.norm", "conv5.norm"]
    assert kinds(model, keras.layers.BatchNormalization) == norms
    assert kinds(model, keras.layers.Activation) == ["conv1.activation", "conv2.activation", "conv5.activation"]
    assert {model.get_layer(f"conv{i}.conv").activation.__name__ for i in range(1, 6)} == {"linear"}


def test_initial_values():
    small = {"units": (32, 32), "input_shape": (67, 67, 3), "classes": 4}
    model = alexnet(**small)
    biases = [{*layer.bias.numpy()} for layer in model.layers if hasattr(layer, "bias")]
    assert biases == [{0.0}, {1.0}, {0.0}, {1.0}, {1.0}, {1.0}, {1.0}, {0.0}]
    np.testing.assert_allclose(np.std(model.get_layer("conv3.conv").kernel), 0.01, rtol=0.05)
    model = zfnet(units=(8, 8), input_shape=(64, 64, 3))
    assert not any(np.any(layer.bias) for layer in model.layers if hasattr(layer, "bias"))


def test_layers_of_one_shape_start_apart():
    model = alexnet(groups=1, units=(8, 8, 8), input_shape=(67, 67, 3), classes=8)
    kernels = [model.get_layer(f"classifier.{name}").kernel.numpy() for name in ("dense2", "dense3", "predictions")]
    assert all(np.any(a != b) for a, b in pairwise(kernels))


# Sizes, units, formats.


@given(st.tuples(st.integers(67, 240), st.integers(67, 240)), st.sampled_from(["paper", "torchvision"]))
def test_features_of_any_size(size, dialect):
    model = made(dialect=dialect, include_top=False, input_shape=(*size, 3))
    pad = 0 if dialect == "paper" else 2

    def side(n):
        n = (n + 2 * pad - 11) // 4 + 1
        for _ in range(3):
            n = (n - 3) // 2 + 1
        return n

    assert model.output_shape == (None, side(size[0]), side(size[1]), 256)


def test_sizes():
    with pytest.raises(ValueError, match="alexnet: input_shape must be at least 67×67, got 66×99"):
        made(input_shape=(66, 99, 3))
    with pytest.raises(ValueError, match=r"flatten in classifier .* known height and width"):
        made(input_shape=(None, None, 3))
    unknown = made(dialect="torchvision", input_shape=(None, None, 3))
    assert (unknown.output_shape, unknown.count_params()) == ((None, 1000), 61_100_840)
    assert made(output_size=6, input_shape=(None, 99, 3)).count_params() == 60_965_224


def test_units_plug_in():
    model = made(conv=separable, groups=1)
    assert len(kinds(model, keras.layers.SeparableConv2D)) == 5
    assert not kinds(model, keras.layers.Conv2D)
    model = made(conv=conv_bn)
    assert len(kinds(model, keras.layers.BatchNormalization)) == 5
    model = made(conv=partial(conv, activation="gelu"))
    assert model.get_layer("classifier.dense1").activation.__name__ == "gelu"


def test_channels_first():
    with data_format("channels_first"):
        assert made().count_params() == 60_965_224
        assert made(dialect="notes").input_shape == (None, 1, 227, 227)
        assert made(zfnet, include_top=False).output_shape == (None, 256, 6, 6)


def test_two_in_one_graph():
    with weightless():
        x = keras.Input((227, 227, 3))
        left, right = alexnet(input_tensor=x, name="left"), alexnet(input_tensor=x, name="right")
        both = keras.Model(x, [left.output, right.output])
    assert both.count_params() == 2 * 60_965_224


@pytest.mark.parametrize(
    "options, kind, words",
    [
        ({"groups": 5}, ValueError, "conv 'conv2': groups must be a divisor of the 96 channels of x, got 5"),
        ({"groups": 0}, ValueError, "alexnet: groups must be a positive integer, got 0"),
        ({"dialect": "torch"}, ValueError, r"alexnet: dialect must be .*; did you mean 'torchvision'\?, got 'torch'"),
        ({"dropout": (0.5, 0.5)}, ValueError, r"classifier.*: dropout must be one rate, or 3 of them"),
        ({"dropout": "high"}, TypeError, "dropout must be a number or a sequence of numbers"),
        ({"layers": [3]}, TypeError, "alexnet: layers must be a dict"),
        ({"layers": {"conv1": 3}}, TypeError, r"chain in alexnet: layers\['conv1'\] must be a function, got 3"),
    ],
)
def test_bad_input(options, kind, words):
    with pytest.raises(kind, match=words):
        made(**options)


# Numbers.


def test_torchvision_form_by_hand():
    """Padding 2 in front of the first convolution, poolings that drop what does not fit, an average to 6×6."""
    model = alexnet(
        dialect="torchvision", input_shape=(75, 79, 3), units=(16, 12), classes=7, classifier_activation=None
    )
    random = np.random.default_rng(5)
    weights = [random.normal(0, 2 / np.sqrt(prod(w.shape[:-1])), w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    x = images(2, 75, 79, 3)
    given_weights = iter(weights)
    y = naive.relu(naive.conv(x, next(given_weights), next(given_weights), 4, padding=2))
    y = naive.max_pool(y, 3, 2, "valid")
    y = naive.relu(naive.conv(y, next(given_weights), next(given_weights), padding=2))
    y = naive.max_pool(y, 3, 2, "valid")
    for _ in range(3):
        y = naive.relu(naive.conv(y, next(given_weights), next(given_weights), padding=1))
    y = naive.adaptive_avg_pool(naive.max_pool(y, 3, 2, "valid"), (6, 6)).reshape(2, -1)
    y = naive.relu(y @ next(given_weights) + next(given_weights))
    y = naive.relu(y @ next(given_weights) + next(given_weights))
    y = y @ next(given_weights) + next(given_weights)
    np.testing.assert_allclose(model(x), y, rtol=1e-3, atol=1e-5 * np.max(np.abs(y)))


def test_groups_do_not_see_each_other():
    """Half of conv2's input changes half of its output, from the first to the second pooling."""
    model = alexnet(include_top=False, lrn=False, input_shape=(67, 67, 3))
    part = keras.Model(model.get_layer("pool1").output, model.get_layer("pool2").output)
    x = np.abs(images(1, 7, 7, 96))
    changed = x.copy()
    changed[..., :48] += 1
    difference = np.any(np.array(part(x)) != np.array(part(changed)), axis=(0, 1, 2))
    assert np.any(difference[:128]) and not np.any(difference[128:])


def test_chain():
    steps = {
        "a": {"filters": 4, "kernel_size": 5, "padding": "valid"},
        "b": max_pool,
        "c": {"filters": 2, "strides": 2},
    }
    model = build(chain, (15, 12, 3), steps)
    assert [layer.name for layer in model.layers[1:]] == ["a.conv", "b", "c.conv"]
    assert model.output_shape == (None, 3, 2, 2)
    assert build(chain, (15, 12, 3), {}).output_shape == (None, 15, 12, 3)
