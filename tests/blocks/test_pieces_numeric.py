"""Pieces of networks since 2015 against NumPy that shares nothing with Keras, on signals, images and volumes."""

from __future__ import annotations

from functools import partial
from itertools import product

import keras
import numpy as np
import pytest

from layerblocks import blocks
from layerblocks.blocks import conv

from .. import naive
from ..helpers import array, data_format, images, real

SIDES = {1: (6,), 2: (6, 4), 3: (4, 6, 2)}
ranks = pytest.mark.parametrize("rank", SIDES)


def made(function, shape, *args, **options):
    """A function of a piece with random weights, on arrays."""
    model = real(function, shape, *args, **options)
    return model, lambda x: array(model(x))


def along(x, axis, function):
    return np.apply_along_axis(function, axis, x)


@ranks
@pytest.mark.parametrize("factor", [2, 3])
def test_resize_is_interpolation_between_the_middles_of_pixels(rank, factor):
    x = images(2, *SIDES[rank], 3)

    def linear(line):
        middles = (np.arange(len(line)) + 0.5) / len(line)
        return np.interp((np.arange(factor * len(line)) + 0.5) / (factor * len(line)), middles, line)

    nearest, interpolated = x, x
    for axis in range(1, rank + 1):
        nearest, interpolated = np.repeat(nearest, factor, axis), along(interpolated, axis, linear)
    shape = x.shape[1:]
    np.testing.assert_allclose(made(blocks.resize, shape, factor)[1](x), nearest, atol=1e-6)
    given = made(blocks.resize, shape, factor, interpolation="linear")[1](x)
    np.testing.assert_allclose(given, interpolated, atol=1e-5)


@ranks
def test_resize_to_another_whose_size_is_known_when_it_runs(rank):
    x, like = images(2, *SIDES[rank], 3), images(2, *(side + 3 for side in SIDES[rank]), 1)
    inputs = [keras.Input((*[None] * rank, 3)), keras.Input((*[None] * rank, 1))]
    model = keras.Model(inputs, blocks.resize_like(*inputs, interpolation="nearest"))
    expected = x
    for axis in range(1, rank + 1):
        n, m = x.shape[axis], like.shape[axis]
        expected = np.take(expected, [i * n // m for i in range(m)], axis)
    np.testing.assert_array_equal(array(model([x, like])), expected)


@ranks
def test_pixel_shuffle_puts_each_channel_where_torch_does_and_back(rank):
    factors = (2, 3, 1)[:rank]
    x = images(2, *SIDES[rank], 2 * int(np.prod(factors)))
    y = made(blocks.pixel_shuffle, x.shape[1:], factors)[1](x)
    for place in product(*map(range, y.shape[1:-1])):
        pixel, within = zip(*(divmod(p, f) for p, f in zip(place, factors, strict=True)), strict=True)
        offset = int(np.ravel_multi_index(within, factors))
        for channel in range(2):
            of = channel * int(np.prod(factors)) + offset
            np.testing.assert_array_equal(y[(slice(None), *place, channel)], x[(slice(None), *pixel, of)])
    np.testing.assert_array_equal(made(blocks.pixel_unshuffle, y.shape[1:], factors)[1](y), x)


@ranks
@pytest.mark.parametrize("size, strides", [(3, 2), (4, 1), (5, 3)])
def test_blur_pool_is_a_weighted_mean_of_what_is_inside(rank, size, strides):
    x = images(2, *SIDES[rank], 3)
    weights = np.array([1.0])
    for _ in range(size - 1):
        weights = np.convolve(weights, [0.5, 0.5])

    def blurred(line):
        found = []
        for start in range(-((size - 1) // 2), len(line) - (size - 1) // 2, strides):
            inside = [(line[start + i], weights[i]) for i in range(size) if 0 <= start + i < len(line)]
            found.append(sum(v * w for v, w in inside) / sum(w for _, w in inside))
        return np.array(found)

    expected = x
    for axis in range(1, rank + 1):
        expected = along(expected, axis, blurred)
    np.testing.assert_allclose(made(blocks.blur_pool, x.shape[1:], size, strides=strides)[1](x), expected, atol=1e-5)


@ranks
def test_unpool_puts_each_value_where_the_first_maximum_was(rank):
    sides = tuple(side + 1 for side in SIDES[rank])
    before = np.round(images(2, *sides, 3))  # with equal ones
    x = images(2, *(-(-side // 2) for side in sides), 3, seed=1)
    inputs = [keras.Input(x.shape[1:]), keras.Input(before.shape[1:])]
    y = array(keras.Model(inputs, blocks.unpool(*inputs))([x, before]))
    expected = np.zeros_like(before)
    for place in product(*map(range, x.shape)):
        example, *pixel, channel = place
        window = (example, *(slice(2 * p, 2 * p + 2) for p in pixel), channel)
        seen = before[window]
        target = np.zeros_like(seen)
        target[np.unravel_index(np.argmax(seen), seen.shape)] = x[place]
        expected[window] = target
    np.testing.assert_array_equal(y, expected)


@ranks
def test_gates_by_constants_and_channels(rank):
    x = images(2, *SIDES[rank], 4)
    model, run = made(blocks.layer_scale, x.shape[1:])
    np.testing.assert_allclose(run(x), x * array(model.weights[0]), atol=1e-6)
    np.testing.assert_allclose(made(blocks.rescale, x.shape[1:], 0.17)[1](x), 0.17 * x, atol=1e-6)
    assert blocks.rescale(tensor := keras.Input((4,)), 1) is tensor
    start = keras.Model(inner := keras.Input((4, 2)), blocks.layer_scale(inner, 0.25))
    np.testing.assert_array_equal(array(start.weights[0]), [0.25, 0.25])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@ranks
def test_eca_is_a_convolution_over_the_means_of_the_channels(rank):
    x = images(2, *SIDES[rank], 5)
    model, run = made(blocks.eca, x.shape[1:], 3)
    kernel = array(model.weights[0])[:, 0, 0]
    means = np.pad(x.mean(axis=tuple(range(1, rank + 1))), ((0, 0), (1, 1)))
    weights = sigmoid(sum(kernel[i] * means[:, i : i + 5] for i in range(3)))
    np.testing.assert_allclose(run(x), x * weights.reshape(2, *[1] * rank, 5), atol=1e-5)


def test_cbam_weighs_channels_and_then_places():
    x = images(2, 6, 4, 8)
    model, run = made(blocks.cbam, x.shape[1:], ratio=2, kernel_size=3)
    reduce, reduce_bias, expand, expand_bias, kernel, bias = map(array, model.get_weights())

    def shared(pooled):
        return np.maximum(pooled @ reduce[0, 0] + reduce_bias, 0) @ expand[0, 0] + expand_bias

    y = x * sigmoid(shared(x.mean((1, 2))) + shared(x.max((1, 2))))[:, None, None, :]
    seen = np.stack([y.mean(-1), y.max(-1)], axis=-1)
    np.testing.assert_allclose(run(x), y * sigmoid(naive.conv(seen, kernel, bias)), rtol=1e-4, atol=1e-4)


def test_channels_apart_and_mixed():
    x = images(2, 3, 3, 6)
    tensor = keras.Input((3, 3, 6))
    parts = [array(part) for part in keras.Model(tensor, blocks.split(tensor, (1, 3, 2)))(x)]
    for part, start, end in zip(parts, (0, 1, 4), (1, 4, 6), strict=True):
        np.testing.assert_array_equal(part, x[..., start:end])
    shuffled = made(blocks.channel_shuffle, (3, 3, 6), 3)[1](x)
    np.testing.assert_array_equal(shuffled, x[..., [0, 2, 4, 1, 3, 5]])


def test_a_convnext_block_by_hand():
    x = images(2, 5, 4, 3)
    model, run = made(blocks.convnext_block, (5, 4, 3), kernel_size=3, activation="relu")
    depth, depth_bias, gamma, beta, wide, wide_bias, narrow, narrow_bias, factor = map(array, model.get_weights())
    y = naive.depthwise(x, depth) + depth_bias
    y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + 1e-6) * gamma + beta
    y = np.maximum(y @ wide[0, 0] + wide_bias, 0) @ narrow[0, 0] + narrow_bias
    np.testing.assert_allclose(run(x), x + factor * y, rtol=1e-4, atol=1e-3)


def test_an_inception_residual_is_scaled_before_the_sum():
    x, table = images(2, 5, 4, 3), [[(2, 1)], [(1, 1), (2, 3)]]
    model, run = made(blocks.inception_residual, (5, 4, 3), table, factor=0.1, conv=conv, activation=None)
    weights = {v.path.split("/")[-2].split(".", 1)[1] + "/" + v.name: array(v) for v in model.variables}

    def unit(y, name):
        return naive.conv(y, weights[f"{name}.conv/kernel"], weights[f"{name}.conv/bias"])

    short = np.maximum(unit(x, "branch1"), 0)
    long = np.maximum(unit(np.maximum(unit(x, "branch2_1"), 0), "branch2_2"), 0)
    expected = x + 0.1 * unit(np.concatenate([short, long], -1), "up")
    np.testing.assert_allclose(run(x), expected, rtol=1e-4, atol=1e-4)


FIRST = {
    "resize": partial(blocks.resize, interpolation="linear"),
    "pixel_shuffle": blocks.pixel_shuffle,
    "pixel_unshuffle": blocks.pixel_unshuffle,
    "blur_pool": blocks.blur_pool,
    "layer_scale": partial(blocks.layer_scale, initial_value=0.5),
    "channel_shuffle": blocks.channel_shuffle,
}


@pytest.mark.parametrize("name", FIRST)
def test_channels_first_gives_the_same_numbers(name):
    x = images(2, 6, 4, 8)
    with data_format("channels_last"):
        expected = made(FIRST[name], (6, 4, 8))[1](x)
    with data_format("channels_first"):
        given = made(FIRST[name], (8, 6, 4))[1](np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(np.moveaxis(given, 1, -1), expected, atol=1e-6)
