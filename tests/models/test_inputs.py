"""A finished network on other images: the same numbers where the images are the same."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerblocks.architectures import cifar_resnet, densenet, googlenet_torchvision, unet, vgg11
from layerblocks.blocks import weightless
from layerblocks.models import kernel_for_channels, with_input

from ..agreement import differ, images, randomize, run


@cache
def network() -> keras.Model:
    return randomize(cifar_resnet(repeats=(1, 1, 1), input_shape=(16, 16, 3)))


def test_another_size():
    """What a network built for that size gives; the layers are the same ones."""
    model = with_input(network(), (20, None, 3))
    built = cifar_resnet(repeats=(1, 1, 1), input_shape=(20, 27, 3), weights=network())
    x = images(2, 20, 27, 3)
    assert differ(run(model, x), run(built, x)) < 1e-6
    assert model.input_shape == (None, 20, None, 3) and model.name == network().name
    assert model.get_layer("stage2.block1.conv1.conv") is network().get_layer("stage2.block1.conv1.conv")


@pytest.mark.parametrize("channels", [1, 4, 13])
def test_other_channels(channels):
    """Of equal channels, with the sum: what was there before, which keeps its own kernel."""
    grey = images(2, 16, 16, 1)
    before = run(network(), np.repeat(grey, 3, -1))
    model = with_input(network(), (16, 16, channels), channels="sum")
    assert differ(run(model, np.repeat(grey, channels, -1)), before) < 1e-5
    assert differ(run(network(), np.repeat(grey, 3, -1)), before) == 0
    for how in ("mean", "repeat"):
        kernel = with_input(network(), (16, 16, channels), channels=how).get_layer("stem.conv").kernel
        assert np.array_equal(kernel, kernel_for_channels(network().get_layer("stem.conv").kernel, channels, how))


@given(
    old=st.integers(1, 5),
    new=st.integers(1, 9),
    how=st.sampled_from(["sum", "mean", "repeat"]),
    spatial=st.lists(st.integers(1, 3), max_size=3),
)
@settings(max_examples=20)
def test_kernels(old, new, how, spatial):
    kernel = np.random.default_rng(0).normal(size=(*spatial, old, 2))
    made = kernel_for_channels(kernel, new, how)
    assert made.shape == (*spatial, new, 2)
    for place in range(new):
        expected = {
            "sum": kernel.sum(-2) / new,
            "mean": kernel.mean(-2),
            "repeat": kernel[..., place % old, :] * old / new,
        }
        assert np.allclose(made[..., place, :], expected[how])


@pytest.mark.parametrize(
    ("make", "options", "shape"),
    [
        (googlenet_torchvision, {"input_shape": (64, 64, 3)}, (96, 70, 3)),
        (unet, {"dialect": "same", "filters": (4, 8, 8), "input_shape": (32, 32, 1)}, (None, None, 5)),
        (densenet, {"layers": (1, 1, 1, 1), "growth_rate": 4, "input_shape": (64, 64, 3)}, (None, 80, 1)),
    ],
)
def test_every_output_is_kept(make, options, shape):
    with weightless():
        old = make(**options)
        model = with_input(old, shape, channels="sum")
    assert model.input_shape == (None, *shape)
    assert keras.tree.map_structure(lambda y: y.shape[-1], model.output) == keras.tree.map_structure(
        lambda y: y.shape[-1], old.output
    )
    assert getattr(model, "loss_weights", None) == getattr(old, "loss_weights", None)


def test_sequential():
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.GlobalMaxPooling2D()])
    x = images(1, 9, 9, 3)
    assert np.array_equal(run(with_input(model, (9, 9, 3)), x), np.max(run(model.layers[0], x), (1, 2)))


@pytest.mark.parametrize(
    ("shape", "options", "error", "message"),
    [
        ((16, 16, 1), {}, ValueError, "shape must be one of 3 channels, or any with channels= given"),
        ((16, 16), {}, ValueError, "shape must be 3 numbers"),
        ((16, 16, None), {}, ValueError, "shape must be 3 numbers"),
        ((16, 0, 3), {}, ValueError, "shape must be a positive integer, got 0"),
        ("16", {}, TypeError, "shape must be a tuple of 3 integers or None"),
        ((16, 16, 1), {"channels": "max"}, ValueError, "channels must be one of None, 'sum', 'mean' or 'repeat'"),
    ],
)
def test_bad_input(shape, options, error, message):
    with pytest.raises(error, match=f"with_input: {message}"):
        with_input(network(), shape, **options)


def test_what_does_not_fit_the_size_is_named():
    with weightless():
        model = vgg11(input_shape=(32, 32, 3), units=(4,))
        with pytest.raises(ValueError, match=r"with_input: what 'classifier\.dense1' receives must be \(None, 512\)"):
            with_input(model, (64, 64, 3))


def other(kind: Any) -> keras.Model:
    return keras.Model(x := keras.Input((8, 8, 3)), kind(x))


@pytest.mark.parametrize("kind", [keras.layers.DepthwiseConv2D(3), keras.layers.BatchNormalization()])
def test_what_has_no_other_channels_is_named(kind):
    with pytest.raises(
        ValueError, match=rf"with_input: '{kind.name}' sees the input, and a {type(kind).__name__} has no"
    ):
        with_input(other(kind), (8, 8, 1), channels="sum")


def test_two_inputs_are_refused():
    a, b = keras.Input((4,)), keras.Input((4,))
    with pytest.raises(ValueError, match="with_input: model must be a model with one input"):
        with_input(keras.Model([a, b], keras.layers.Add()([a, b])), (5,))


@pytest.mark.parametrize("shape", [(24, 24, 3), (None, None, 3), (16, 16, 1), (24, 20, 5)])
def test_a_nested_model_is_put_on_the_new_input_too(shape):
    """As Keras's guide of fine-tuning has it, once more nested: the same as with all layers in one graph."""
    inner = keras.Input((16, 16, 3))
    body = keras.layers.Conv2D(4, 3, strides=2, name="conv")(inner)
    body = keras.layers.BatchNormalization(name="norm")(body)
    base = keras.Model(inner, keras.layers.GlobalAveragePooling2D()(body), name="base")
    within = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Rescaling(2.0), base], name="within")
    x = keras.Input((16, 16, 3))
    model = keras.Model(x, keras.layers.Dense(2, name="head")(within(x, training=False)))
    base.get_layer("norm").moving_mean.assign(np.arange(4.0))
    made = with_input(model, shape, channels="sum")
    assert made.input_shape == (None, *shape)
    assert [layer.name for layer in made.layers] == [layer.name for layer in model.layers]
    images = np.random.default_rng(0).normal(size=(2, *(side or 19 for side in shape))).astype("float32")
    kernel, bias = (np.asarray(w) for w in base.get_layer("conv").weights)
    kernel = kernel if shape[-1] == 3 else np.repeat(kernel.sum(2, keepdims=True) / shape[-1], shape[-1], 2)
    maps = np.asarray(keras.ops.conv(2 * images, kernel, 2, "valid")) + bias
    features = ((maps - np.arange(4.0)) / np.sqrt(1 + 1e-3)).mean((1, 2))
    weight, offset = (np.asarray(w) for w in model.get_layer("head").weights)
    np.testing.assert_allclose(np.asarray(made(images)), features @ weight + offset, rtol=1e-4, atol=1e-4)
    if shape[-1] == 3:
        assert {id(w) for w in made.weights} == {id(w) for w in model.weights}
