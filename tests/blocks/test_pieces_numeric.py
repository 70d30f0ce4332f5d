"""Pieces of networks since 2015 against NumPy that shares nothing with Keras, on signals, images and volumes."""

from __future__ import annotations

import math
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


def weights_of(model, word):
    """The weights of the one layer whose name has a word, as arrays."""
    (found,) = (layer for layer in model.layers if word in layer.name.split(".") and layer.weights)
    return map(array, found.get_weights())


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


def inside(model, *names):
    """Those tensors of a model, as a function of arrays."""
    inner = keras.Model(model.input, [model.get_layer(name).output for name in names])
    return lambda x: map(array, inner(x))


@ranks
def test_splits_are_weighed_by_a_softmax_over_them(rank):
    x = images(2, *SIDES[rank], 4)
    model, run = made(blocks.split_attention, x.shape[1:], 6, radix=2, name="u")
    splits, logits, pooled = inside(model, "u.conv.activation", "u.expand.conv", "u.pool")(x)
    logits = logits.reshape(2, *[1] * rank, 2, 6)
    powers = np.exp(logits - logits.max(-2, keepdims=True))
    shares = powers / powers.sum(-2, keepdims=True)
    np.testing.assert_allclose(
        run(x), (splits.reshape(*splits.shape[:-1], 2, 6) * shares).sum(-2), rtol=1e-4, atol=1e-5
    )
    means = splits.mean(axis=tuple(range(1, rank + 1)), keepdims=True)
    np.testing.assert_allclose(pooled, means[..., :6] + means[..., 6:], rtol=1e-4, atol=1e-5)


def test_each_part_sees_what_was_made_of_the_one_before():
    x, linear = images(2, 6, 4, 6), partial(conv, activation=None)
    model, run = made(blocks.hierarchical_conv, x.shape[1:], 6, scale=3, conv=linear)
    first, second = ([*weights_of(model, f"conv{number}")] for number in (1, 2))
    y = naive.conv(x[..., :2], *first)
    z = naive.conv(x[..., 2:4] + y, *second)
    np.testing.assert_allclose(run(x), np.concatenate([y, z, x[..., 4:]], -1), rtol=1e-4, atol=1e-4)
    model, run = made(blocks.hierarchical_conv, x.shape[1:], 6, scale=3, apart=True, conv=linear)
    first, second = ([*weights_of(model, f"conv{number}")] for number in (1, 2))
    last = np.pad(x[..., 4:], ((0, 0), (1, 1), (1, 1), (0, 0)))
    mean = sum(last[:, i : i + 6, j : j + 4] for i in range(3) for j in range(3)) / 9
    parts = [naive.conv(x[..., :2], *first), naive.conv(x[..., 2:4], *second), mean]
    np.testing.assert_allclose(run(x), np.concatenate(parts, -1), rtol=1e-4, atol=1e-4)


def test_ghosts_are_made_of_the_channels_beside_them():
    x = images(2, 6, 4, 3)
    model, run = made(blocks.ghost_conv, x.shape[1:], 4, conv=partial(conv, activation=None))
    kernel, bias = weights_of(model, "primary")
    own, own_bias = weights_of(model, "ghosts")
    y = x @ kernel[0, 0] + bias
    ghosts = [naive.conv(y[..., c : c + 1], own[:, :, c : c + 1], own_bias[c : c + 1]) for c in range(2)]
    np.testing.assert_allclose(run(x), np.concatenate([y, *ghosts], -1), rtol=1e-4, atol=1e-4)


def test_parallel_convolutions_are_added_and_the_sum_is_activated():
    x = images(2, 6, 4, 3)
    model, run = made(blocks.parallel_conv, x.shape[1:], 3, conv=conv)
    wide, bias, narrow, other = map(array, model.get_weights())
    y = naive.conv(x, wide, bias) + x @ narrow[0, 0] + other + x
    np.testing.assert_allclose(run(x), np.maximum(y, 0), rtol=1e-4, atol=1e-4)


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
    model, run = made(blocks.convnext_block, (5, 4, 3), kernel_size=3, conv=conv)
    depth, depth_bias, gamma, beta, wide, wide_bias, narrow, narrow_bias, factor = map(array, model.get_weights())
    y = naive.depthwise(x, depth) + depth_bias
    y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + 1e-6) * gamma + beta
    y = np.maximum(y @ wide[0, 0] + wide_bias, 0) @ narrow[0, 0] + narrow_bias
    np.testing.assert_allclose(run(x), x + factor * y, rtol=1e-4, atol=1e-3)


def test_an_inception_residual_is_scaled_before_the_sum():
    x, table = images(2, 5, 4, 3), [[(2, 1)], [(1, 1), (2, 3)]]
    model, run = made(blocks.inception_residual, (5, 4, 3), table, factor=0.1, conv=conv, activation_at=None)
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
    "patch_merging": partial(blocks.patch_merging, filters=8),
    "windows": partial(blocks.self_attention, heads=2, window=2, shift=1, position_bias=True),
    "cosines": partial(blocks.self_attention, heads=2, window=2, position_bias=True, cosine=True),
    "patches merged before the norm": partial(blocks.patch_merging, filters=8, norm_at="end"),
}


@pytest.mark.parametrize("name", FIRST)
def test_channels_first_gives_the_same_numbers(name):
    x = images(2, 6, 4, 8)
    with data_format("channels_last"):
        expected = made(FIRST[name], (6, 4, 8))[1](x)
    with data_format("channels_first"):
        given = made(FIRST[name], (8, 6, 4))[1](np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(np.moveaxis(given, 1, -1), expected, atol=1e-6 * max(1, np.abs(expected).max()))


@ranks
def test_norms_of_one_example(rank):
    x, axes = images(2, *SIDES[rank], 4), tuple(range(1, rank + 1))
    model, run = made(blocks.rms_norm, x.shape[1:])
    gamma = array(model.weights[0])
    expected = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + 1e-6) * gamma
    np.testing.assert_allclose(run(x), expected, rtol=1e-4, atol=1e-5)
    model, run = made(blocks.instance_norm, x.shape[1:])
    gamma, beta = map(array, model.get_weights())
    normed = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-3)
    np.testing.assert_allclose(run(x), normed * gamma + beta, rtol=1e-4, atol=1e-4)
    model, run = made(blocks.global_response_norm, x.shape[1:])
    gamma, beta = map(array, model.get_weights())
    norms = np.sqrt(np.square(x).sum(axes, keepdims=True))
    expected = x + gamma * (x * norms / (norms.mean(-1, keepdims=True) + 1e-6)) + beta
    np.testing.assert_allclose(run(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 2])
def test_normalized_kernels(rank):
    """Signals are images of one row."""
    x = images(2, *(5, 4)[-rank:], 3)
    image = x.reshape(2, -1, 4, 3)
    for layer in (blocks.weight_standardized, blocks.weight_normalized):
        model, run = made(conv, x.shape[1:], 4, layer=layer, activation=None)
        kernel, bias, *gain = map(array, model.get_weights())
        kernel, axes = kernel.reshape(-1, *kernel.shape[-3:]), (0, 1, 2)
        if gain:
            kernel = gain[0] * kernel / np.sqrt(np.square(kernel).sum(axes))
        else:
            kernel = (kernel - kernel.mean(axes)) / np.sqrt(kernel.var(axes) + 1e-5)
        np.testing.assert_allclose(run(x).reshape(2, -1, 4, 4), naive.conv(image, kernel, bias), rtol=1e-4, atol=1e-4)
    with pytest.raises(TypeError, match="layer must be"):
        conv(keras.Input((5, 4, 3)), 4, layer=len)


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


@pytest.mark.parametrize("window", [None, (2, 4)])
def test_attention_asks_all_places_or_those_of_its_window(window):
    x = images(2, 6, 4, 4)
    model, run = made(blocks.self_attention, (6, 4, 4), 2, window=window)
    query, query_bias, key, key_bias, value, value_bias, out, out_bias = map(array, model.get_weights())
    height, width = window or (6, 4)
    expected = np.zeros_like(x)
    for top, left in product(range(0, 6, height), range(0, 4, width)):
        part = x[:, top : top + height, left : left + width].reshape(2, -1, 4)
        q, k, v = (
            np.einsum("bnc,chd->bhnd", part, w) + b[:, None]
            for w, b in ((query, query_bias), (key, key_bias), (value, value_bias))
        )
        seen = softmax(q @ k.swapaxes(-1, -2) / np.sqrt(2)) @ v
        given = np.einsum("bhnd,hdc->bnc", seen, out) + out_bias
        expected[:, top : top + height, left : left + width] = given.reshape(2, height, width, 4)
    np.testing.assert_allclose(run(x), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("sides", "window", "shift"), [((6, 4), (3, 4), (1, 2)), ((9,), 3, 2), ((4, 4), None, 0)])
def test_shifted_windows_and_a_bias_for_each_offset(sides, window, shift):
    """Two places see each other in one window, unless the end of the map lies between them; scores by their offset."""
    x = images(2, *sides, 4)
    model, run = made(blocks.self_attention, x.shape[1:], 2, window=window, shift=shift, position_bias=True)
    biases, *weights = map(array, model.get_weights())
    windows = np.broadcast_to(sides if window is None else window, len(sides))
    shifts = [0 if n == w else s for n, w, s in zip(sides, windows, np.broadcast_to(shift, len(sides)), strict=True)]
    places = np.array([*np.ndindex(*sides)])
    rolled = (places - shifts) % sides // windows
    wrapped = places < shifts
    own = np.concatenate([rolled, wrapped], 1)
    apart = (own[:, None] != own[None]).any(-1)
    offsets = np.clip(places[:, None] - places[None] + windows - 1, 0, 2 * windows - 2)
    table = biases.reshape(*(2 * windows - 1), 2)
    scores = np.where(apart[..., None], -np.inf, table[tuple(np.moveaxis(offsets, -1, 0))])
    row = attended(x.reshape(2, -1, 4), *weights, scores=np.moveaxis(scores, -1, 0))
    np.testing.assert_allclose(run(x), row.reshape(x.shape), rtol=1e-3, atol=1e-4)
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(array(again(x)), array(model(x)))
    assert model.layers[-1].shift == tuple(shifts)


@pytest.mark.parametrize("sides", [(5,), (3, 2), (2, 1, 3)])
def test_cosines_and_biases_of_the_logarithms_of_offsets(sides):
    """Times a number of each head, of 100 at most; keys have no bias, whatever stands there."""
    x = images(2, *sides, 4)
    model, run = made(blocks.self_attention, x.shape[1:], 2, position_bias=True, cosine=True)
    weights = [array(weight) for weight in model.get_weights()]
    weights[0] = np.log([3.0, 1000.0]).reshape(2, 1, 1)
    model.set_weights(weights)
    _, query, query_bias, key, key_bias, value, value_bias, out, out_bias, hidden, hidden_bias, by_offset = weights
    assert np.abs(key_bias).max() > 0 and len(model.trainable_weights) == len(weights) - 1
    row = x.reshape(2, -1, 4)
    q, k, v = (
        np.einsum("bnc,chd->bhnd", row, kernel) + bias
        for kernel, bias in ((query, query_bias[:, None]), (key, 0.0), (value, value_bias[:, None]))
    )
    places = np.array([*np.ndindex(*sides)])
    offsets = (places[:, None] - places[None]) / [max(1, side - 1) for side in sides]
    logarithms = np.sign(offsets) * np.log2(1 + 8 * np.abs(offsets)) / np.log2(8)
    biases = np.maximum(logarithms @ hidden + hidden_bias, 0) @ by_offset
    cosines = np.einsum("bhnd,bhmd->bhnm", *(part / np.linalg.norm(part, axis=-1, keepdims=True) for part in (q, k)))
    scores = cosines * np.array([3.0, 100.0])[:, None, None] + np.moveaxis(16 / (1 + np.exp(-biases)), -1, 0)
    expected = np.einsum("bhnd,hdc->bnc", softmax(scores) @ v, out) + out_bias
    np.testing.assert_allclose(run(x), expected.reshape(x.shape), rtol=1e-3, atol=1e-4)
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(array(again(x)), array(model(x)))


def test_norms_after_the_branches():
    x = images(2, 5, 4)
    model, run = made(blocks.transformer_block, (5, 4), 2, norm_at="end")
    weights = {word: [*weights_of(model, word)] for word in ("norm1", "attention", "norm2", "expand", "project")}

    def normed(y, word):
        gamma, beta = weights[word]
        return naive.normalised(y, -1, 1e-6) * gamma + beta

    y = x + normed(attended(x, *weights["attention"]), "norm1")
    expected = y + normed(perceptron(y, *weights["expand"], *weights["project"]), "norm2")
    np.testing.assert_allclose(run(x), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"window": 2, "cosine": "yes"}, "cosine must be True or False, got 'yes'"),
        ({"window": 4}, r"window must be a divisor of the sides \(6, 8\), got 4"),
        ({"window": (3, 4), "shift": 3}, r"shift must be smaller than the window, \(3, 4\), got 3"),
        ({"window": 2, "position_bias": "yes"}, "position_bias must be True or False, got 'yes'"),
        ({"shift": -1}, "shift must be an integer of at least 0, got -1"),
    ],
)
def test_windows_that_do_not_fit(given, said):
    with pytest.raises((TypeError, ValueError), match=said):
        blocks.self_attention(keras.Input((6, 8, 4)), 2, **given)


def test_patches_are_merged_column_by_column():
    """In the order of the authors' code: above and below, then to the right."""
    x = images(1, 4, 2, 3)
    merged = made(blocks.pixel_unshuffle, (4, 2, 3), 2, order="pixels")[1](x)
    np.testing.assert_array_equal(merged[0, 1, 0], np.concatenate([x[0, 2, 0], x[0, 3, 0], x[0, 2, 1], x[0, 3, 1]]))
    model, run = made(blocks.patch_merging, (4, 2, 3), 5)
    gamma, beta, kernel = map(array, model.get_weights())
    expected = (naive.normalised(merged, -1, 1e-3) * gamma + beta) @ kernel.reshape(12, 5)
    np.testing.assert_allclose(run(x), expected, rtol=1e-4, atol=1e-4)


def test_tokens_are_rows_of_places_and_back():
    x = images(2, 2, 3, 4)
    row = made(blocks.tokens, (2, 3, 4))[1](x)
    np.testing.assert_array_equal(row, x.reshape(2, 6, 4))
    np.testing.assert_array_equal(made(blocks.to_map, (6, 4), (2, 3))[1](row), x)
    model, run = made(blocks.class_token, (6, 4))
    np.testing.assert_array_equal(run(row)[:, 1:], row)
    np.testing.assert_array_equal(made(blocks.first_token, (6, 4))[1](row), row[:, 0])
    np.testing.assert_allclose(run(row)[:, 0], np.broadcast_to(array(model.weights[0]), (2, 4)))


def test_pyramids_by_their_means():
    x = images(2, 4, 6, 2)
    linear = partial(conv, use_bias=False, activation=None)

    def identity(model):
        """Every convolution passes on what it gets."""
        for weight in model.weights:
            kernel = np.zeros(weight.shape)
            kernel[weight.shape[0] // 2, weight.shape[1] // 2] = np.eye(2)
            weight.assign(kernel)
        return model

    tensor = keras.Input((4, 6, 2))
    y = array(identity(keras.Model(tensor, blocks.pyramid_pooling(tensor, (1,), 2, conv=linear)))(x))
    np.testing.assert_array_equal(y[..., :2], x)
    expected = np.broadcast_to(x.mean((1, 2), keepdims=True), x.shape)
    np.testing.assert_allclose(y[..., 2:], expected, atol=1e-6)
    maps = [keras.Input((4, 6, 2)), keras.Input((2, 3, 2))]
    coarse = images(2, 2, 3, 2, seed=1)
    fine, _ = identity(keras.Model(maps, blocks.feature_pyramid(maps, 2, conv=linear)))([x, coarse])
    np.testing.assert_allclose(array(fine), x + coarse.repeat(2, 1).repeat(2, 2), atol=1e-6)


def erf(x):
    return np.vectorize(math.erf)(x)


def gelu(x):
    return x * (1 + erf(x / np.sqrt(2))) / 2


def layer_normed(x, gamma, beta):
    return naive.normalised(x, -1, 1e-6) * gamma + beta


def attended(x, query, query_bias, key, key_bias, value, value_bias, out, out_bias, scores=0.0):
    """Every token asks every token; the arguments are the weights in the order of Keras's layer."""
    weights = ((query, query_bias), (key, key_bias), (value, value_bias))
    q, k, v = (np.einsum("bnc,chd->bhnd", x, w) + b[:, None] for w, b in weights)
    return (
        np.einsum("bhnd,hdc->bnc", softmax(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) + scores) @ v, out) + out_bias
    )


def perceptron(x, expand, expand_bias, project, project_bias):
    (expand,), (project,) = (kernel.reshape(-1, *kernel.shape[-2:]) for kernel in (expand, project))
    return gelu(x @ expand + expand_bias) @ project + project_bias


@ranks
def test_an_mlp_is_a_perceptron_at_every_place(rank):
    x = images(2, *SIDES[rank], 3)
    model, run = made(blocks.mlp, x.shape[1:], 5)
    np.testing.assert_allclose(run(x), perceptron(x, *map(array, model.get_weights())), rtol=1e-4, atol=1e-4)


@ranks
def test_a_transformer_block_is_attention_and_a_perceptron_after_norms(rank):
    x = images(2, *SIDES[rank], 4)
    model, run = made(blocks.transformer_block, x.shape[1:], 2, expansion=1.5)
    gamma1, beta1, *attention, gamma2, beta2, expand, expand_bias, project, bias = map(array, model.get_weights())
    row = x.reshape(2, -1, 4)
    row = row + attended(layer_normed(row, gamma1, beta1), *attention)
    row = row + perceptron(layer_normed(row, gamma2, beta2), expand, expand_bias, project, bias)
    assert expand.shape[-1] == 6
    np.testing.assert_allclose(run(x), row.reshape(x.shape), rtol=1e-3, atol=1e-3)


@ranks
def test_a_mixer_block_is_a_perceptron_over_places_and_one_over_channels(rank):
    x = images(2, *SIDES[rank], 4)
    model, run = made(blocks.mixer_block, x.shape[1:], 5, 6)
    gamma1, beta1, *of_places, gamma2, beta2 = map(array, model.get_weights()[:8])
    of_channels = map(array, model.get_weights()[8:])
    row = x.reshape(2, -1, 4)
    row = row + perceptron(layer_normed(row, gamma1, beta1).swapaxes(1, 2), *of_places).swapaxes(1, 2)
    row = row + perceptron(layer_normed(row, gamma2, beta2), *of_channels)
    np.testing.assert_allclose(run(x), row.reshape(x.shape), rtol=1e-3, atol=1e-3)


def correlated(x, kernel, bias=0.0, strides=1, dilation=1):
    """A convolution of any rank whose output has `ceil(side/stride)` places: a sum over the offsets of the kernel."""
    rank = kernel.ndim - 2
    out = [-(-side // strides) for side in x.shape[1:-1]]
    reach = [(n - 1) * strides + (k - 1) * dilation + 1 for n, k in zip(out, kernel.shape[:rank], strict=True)]
    more = [max(r - side, 0) for r, side in zip(reach, x.shape[1:-1], strict=True)]
    padded = np.pad(x, [(0, 0), *((m // 2, m - m // 2) for m in more), (0, 0)])
    found = np.zeros((len(x), *out, kernel.shape[-1]))
    for offset in np.ndindex(*kernel.shape[:rank]):
        starts = [o * dilation for o in offset]
        window = (slice(start, start + (n - 1) * strides + 1, strides) for start, n in zip(starts, out, strict=True))
        found += padded[(slice(None), *window)] @ kernel[offset]
    return found + bias


@ranks
def test_aspp_is_dilated_branches_and_a_mean_in_one_row(rank):
    x = images(2, *SIDES[rank], 3)
    model, run = made(blocks.aspp, x.shape[1:], 2, rates=(1, 2), conv=conv)
    means = correlated(x.mean(axis=tuple(range(1, rank + 1)), keepdims=True), *weights_of(model, "of_all"))
    ends = [
        correlated(x, *weights_of(model, "1x1")),
        correlated(x, *weights_of(model, "dilated1")),
        correlated(x, *weights_of(model, "dilated2"), dilation=2),
        np.broadcast_to(means, (*x.shape[:-1], 2)),
    ]
    row = naive.relu(np.concatenate(ends, axis=-1))
    expected = naive.relu(correlated(row, *weights_of(model, "project")))
    np.testing.assert_allclose(run(x), expected, rtol=1e-3, atol=1e-3)


@ranks
def test_a_patch_is_a_vector_times_a_matrix(rank):
    sizes = (3, 2, 2)[:rank]
    x = images(2, *SIDES[rank], 3)
    model, run = made(blocks.patch_embedding, x.shape[1:], 5, sizes)
    kernel, bias = map(array, model.get_weights())
    counts = [side // size for side, size in zip(SIDES[rank], sizes, strict=True)]
    found = run(x)
    assert found.shape == (2, *counts, 5)
    for place in np.ndindex(*counts):
        window = tuple(slice(p * size, (p + 1) * size) for p, size in zip(place, sizes, strict=True))
        expected = x[(slice(None), *window)].reshape(2, -1) @ kernel.reshape(-1, 5) + bias
        np.testing.assert_allclose(found[(slice(None), *place)], expected, rtol=1e-4, atol=1e-4)


@ranks
def test_a_position_embedding_adds_its_own_number_everywhere(rank):
    x = images(2, *SIDES[rank], 3)
    model, run = made(blocks.position_embedding, x.shape[1:])
    (embedding,) = map(array, model.get_weights())
    assert embedding.size == x[0].size and len(np.unique(embedding)) == embedding.size
    np.testing.assert_allclose(run(x), x + embedding.reshape(x.shape[1:]), atol=1e-6)


@ranks
def test_an_attention_gate_dims_the_skip_by_what_the_coarser_map_wants(rank):
    x = images(2, *SIDES[rank], 4)
    signal = images(2, *(side // 2 for side in SIDES[rank]), 3, seed=1)
    inputs = [keras.Input(x.shape[1:]), keras.Input(signal.shape[1:])]
    model = keras.Model(inputs, blocks.attention_gate(*inputs))
    draw = np.random.default_rng(0)
    model.set_weights([draw.normal(size=weight.shape) for weight in model.get_weights()])
    asked = correlated(x, *weights_of(model, "of_skip"), strides=2)
    wanted = correlated(signal, *weights_of(model, "of_signal"))
    weights = sigmoid(correlated(naive.relu(asked + wanted), *weights_of(model, "weights")))

    def doubled(line):
        return np.interp((np.arange(2 * len(line)) + 0.5) / 2 - 0.5, np.arange(len(line)), line)

    for axis in range(1, rank + 1):
        weights = along(weights, axis, doubled)
    np.testing.assert_allclose(array(model([x, signal])), x * weights, rtol=1e-3, atol=1e-3)


@ranks
def test_the_shortcut_of_resnet_d_is_a_mean_and_a_matrix(rank):
    x = images(2, *SIDES[rank], 3)
    model, run = made(blocks.avg_pool_shortcut, x.shape[1:], 5, strides=2, conv=conv)
    kernel, bias = map(array, model.get_weights())
    means = x
    for axis in range(1, rank + 1):
        even, odd = (np.take(means, range(start, x.shape[axis], 2), axis) for start in (0, 1))
        means = (even + odd) / 2
    np.testing.assert_allclose(run(x), means @ kernel.reshape(3, 5) + bias, rtol=1e-4, atol=1e-4)
    model, run = made(blocks.avg_pool_shortcut, x.shape[1:], 3, strides=1, conv=conv)
    np.testing.assert_array_equal(run(x), x)


@ranks
def test_a_spectral_norm_is_that_of_the_kernel_as_a_matrix(rank):
    x = images(2, *SIDES[rank], 3)
    model, run = made(conv, x.shape[1:], 4, layer=blocks.spectral_normalized, activation=None)
    layer = model.layers[-1]
    kernel, bias = map(array, layer.layer.get_weights())
    _, (largest, *_), directions = np.linalg.svd(kernel.reshape(-1, 4))
    (start,) = (weight for weight in layer.weights if weight.shape == (1, 4))
    start.assign(directions[:1])  # which a power iteration, one each training step, would find
    model(x, training=True)
    np.testing.assert_allclose(run(x), correlated(x, kernel / largest, bias), rtol=1e-3, atol=1e-3)
