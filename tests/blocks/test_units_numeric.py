"""Values of every unit, pool, norm and layer against an independent computation on small arrays."""

from __future__ import annotations

import os
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from layerblocks.blocks import (
    AdaptiveAveragePooling2D,
    LocalResponseNormalization,
    PadChannels,
    activate,
    adaptive_avg_pool,
    avg_pool,
    batch_norm,
    block,
    conv,
    conv_bn,
    dilated,
    global_avg_pool,
    global_max_pool,
    group_norm,
    layer_norm,
    local_response_norm,
    max_pool,
    pad_shortcut,
    separable,
    transposed,
    zero_pad,
)
from layerblocks.blocks import crop as crop_piece
from layerblocks.testing import oracles

from .. import naive
from ..helpers import array, dear, images, real, scalar_or_pair, seeds

sizes = st.tuples(st.integers(1, 8), st.integers(1, 8))
paddings = st.sampled_from(["same", "valid", 1, 2, (0, 2), (2, 1)])
kernels = scalar_or_pair(1, 4)


def close(got, expected):
    np.testing.assert_allclose(array(got), expected, rtol=2e-4, atol=2e-4)


def fits(oracle, *args, **options):
    """Height and width by the closed form; the shape tests see to arguments that have none."""
    try:
        return oracle(*args, **options).shape[:2]
    except ValueError:
        assume(False)


@dear
@given(sizes, kernels, scalar_or_pair(1, 3), scalar_or_pair(1, 3), st.sampled_from([1, 2]), paddings, seeds)
@example((6, 7), 3, 2, 1, 1, "same", 0)  # TensorFlow pads below and right more than above and left
@example((7, 7), 3, 1, 2, 2, "same", 0)
def test_conv(size, kernel, strides, rate, groups, padding, seed):
    fits(oracles.conv, (*size, 4), 2, kernel, strides=strides, dilation_rate=rate, groups=groups, padding=padding)
    arguments = {"strides": strides, "groups": groups, "padding": padding}
    model = real(conv, (*size, 4), 2, kernel, dilation_rate=rate, activation=None, seed=seed, **arguments)
    x = images(2, *size, 4, seed=seed)
    close(model(x), naive.conv(x, *model.get_weights(), dilation=rate, **arguments))


@dear
@given(sizes, kernels, st.integers(1, 3), scalar_or_pair(1, 3), st.sampled_from([1, 2]), paddings, seeds)
@example((8, 7), 3, 2, 2, 1, "same", 0)  # strides and dilation together
@example((8, 7), 3, 2, 2, 2, "valid", 0)
@example((8, 7), 2, 3, (1, 2), 1, 1, 0)
def test_separable(size, kernel, strides, rate, multiplier, padding, seed):
    fits(oracles.separable, (*size, 2), 3, kernel, strides=strides, dilation_rate=rate, padding=padding)
    arguments = {"strides": strides, "padding": padding}
    more = {"dilation_rate": rate, "depth_multiplier": multiplier, "activation": None}
    model = real(separable, (*size, 2), 3, kernel, seed=seed, **more, **arguments)
    x = images(2, *size, 2, seed=seed)
    close(model(x), naive.separable(x, *model.get_weights(), dilation=rate, **arguments))


@dear
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    kernels,
    scalar_or_pair(1, 4),
    scalar_or_pair(1, 2),
    st.none() | scalar_or_pair(0, 2),
    paddings,
    seeds,
)
@example((3, 4), 3, 2, 1, None, "same", 0)
@example((3, 4), 4, 2, 1, None, "same", 0)
@example((3, 4), 3, 2, 1, 0, "same", 0)
@example((3, 4), 2, 4, 1, None, "valid", 0)  # steps wider than the kernel: zeros between
@example((3, 4), 3, 2, 1, 1, 1, 0)
@example((3, 4), 3, 1, 2, None, "same", 0)
def test_transposed_is_the_transpose_of_the_convolution(size, kernel, strides, rate, output_padding, padding, seed):
    # TensorFlow dilates these on a CPU by oneDNN alone.
    assume(os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0" or keras.backend.backend() == "jax" or rate in (1, (1, 1)))
    arguments = {"strides": strides, "padding": padding}
    out = fits(
        oracles.transposed, (*size, 2), 3, kernel, dilation_rate=rate, output_padding=output_padding, **arguments
    )
    more = {"dilation_rate": rate, "output_padding": output_padding, "activation": None}
    model = real(transposed, (*size, 2), 3, kernel, seed=seed, **more, **arguments)
    x = images(2, *size, 2, seed=seed)
    kernel, bias = model.get_weights()
    close(model(x), naive.transposed(x, kernel, out, bias, dilation=rate, **arguments))


@dear
@given(sizes, kernels, scalar_or_pair(1, 3), st.sampled_from(["same", "valid", 1, (0, 1)]), seeds)
def test_transposed_to_output_size_is_the_gradient_of_that_convolution(size, kernel, strides, padding, seed):
    """<conv(a), b> = <a, transposed(b)> for every a and b."""
    arguments = {"strides": strides, "padding": padding}
    between = fits(oracles.conv, (*size, 2), 2, kernel, **arguments)
    forward = real(conv, (*size, 2), 2, kernel, activation=None, use_bias=False, seed=seed, **arguments)
    backward = real(
        transposed, (*between, 2), 2, kernel, output_size=size, activation=None, use_bias=False, **arguments
    )
    backward.set_weights(forward.get_weights())
    a, b = images(1, *size, 2, seed=seed), images(1, *between, 2, seed=seed + 1)
    close(np.vdot(forward(a), b), np.vdot(a, backward(b)))


# The cases of the course notes.

ONE_TO_25 = np.arange(1.0, 26.0, dtype="float32").reshape(1, 5, 5, 1)
SIGNS = np.array([[-1, 2, -3], [4, -5, 6], [-7, 8, -9]], dtype="float32").reshape(3, 3, 1, 1)


def test_notes_dilated():
    model = real(dilated, (7, 7, 1), 1, 3, dilation_rate=2, padding="valid", activation=None, use_bias=False)
    model.set_weights([np.ones((3, 3, 1, 1))])
    x = np.arange(49.0).reshape(1, 7, 7, 1)
    # Nine pixels two apart around the centre, whose mean is the centre: 16, 17, … in an image of rows of 7.
    assert array(model(x))[0, :, :, 0].tolist() == [[9 * (7 * i + j) for j in (2, 3, 4)] for i in (2, 3, 4)]


def test_notes_transposed():
    options = {"strides": 2, "padding": "valid", "activation": None, "use_bias": False}
    forward = real(conv, (5, 5, 1), 1, 3, **options)
    forward.set_weights([SIGNS])
    small = array(forward(ONE_TO_25))
    # By hand: (-1·1 + 2·2 - 3·3) + (4·6 - 5·7 + 6·8) + (-7·11 + 8·12 - 9·13) = -67; the kernel sums to -5, and a
    # step to the right adds 2 to every pixel, a step down 10.
    assert small[0, :, :, 0].tolist() == [[-67, -77], [-117, -127]]
    backward = real(transposed, (2, 2, 1), 1, 3, **options)
    backward.set_weights([SIGNS])
    expected = np.zeros((5, 5))
    for i in range(2):
        for j in range(2):
            expected[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += small[0, i, j, 0] * SIGNS[:, :, 0, 0]
    close(backward(small)[0, :, :, 0], expected)


@pytest.mark.parametrize("size", [5, 6])
def test_notes_two_sizes_have_one_output_and_output_size_picks(size):
    options = {"strides": 2, "padding": "valid", "activation": None, "use_bias": False}
    assert real(conv, (size, size, 1), 1, 3, **options).output_shape == (None, 2, 2, 1)
    model = real(transposed, (2, 2, 1), 1, 3, output_size=size, **options)
    model.set_weights([SIGNS])
    out = array(model(np.ones((1, 2, 2, 1))))[0, :, :, 0]
    assert out.shape == (size, size)
    assert not out[5:].any() and not out[:, 5:].any()


@pytest.mark.parametrize("kernel, strides", [(2, 2), (3, 2), (4, 2), (5, 3), (1, 2)])
def test_notes_same_enlarges_by_the_stride(kernel, strides):
    model = real(transposed, (3, 4, 2), 1, kernel, strides=strides)
    assert model(images(1, 3, 4, 2)).shape[1:] == model.output_shape[1:] == (3 * strides, 4 * strides, 1)


# Norm and activation inside a unit.


def test_conv_bn_normalises_before_its_activation():
    model = real(conv_bn, (6, 5, 2), 3)
    x = images(4, 6, 5, 2)
    kernel, gamma, beta, mean, variance = model.get_weights()
    linear = naive.conv(x, kernel)
    close(model(x), naive.relu((linear - mean) / np.sqrt(variance + 1e-3) * gamma + beta))
    close(model(x, training=True), naive.relu(naive.normalised(linear, (0, 1, 2)) * gamma + beta))


@pytest.mark.parametrize("unit", [conv, separable, partial(transposed, strides=1)])
def test_groups_layers_and_responses_as_norms(unit):
    x = images(2, 6, 5, 4)
    linear = partial(unit, activation=None, use_bias=False)
    for norm, expected in (
        (partial(group_norm, groups=2), lambda y, gamma, beta: naive.group_norm(y, 2, gamma, beta)),
        (layer_norm, lambda y, gamma, beta: naive.normalised(y, -1) * gamma + beta),
        (local_response_norm, naive.response_norm),
    ):
        model = real(unit, (6, 5, 4), 6, norm=norm, activation=None)
        bare = real(linear, (6, 5, 4), 6)
        weights = model.get_weights()
        bare.set_weights(weights[: len(bare.weights)])
        close(model(x), expected(array(bare(x)), *weights[len(bare.weights) :]))


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_so_many_neighbouring_channels_are_in_a_response(depth):
    """Of an even number one more after a channel than before it."""
    around = -((depth - 1) // 2)
    unit = real(partial(local_response_norm, depth=depth, k=1.0, alpha=1.0, beta=1.0), (1, 1, 12))
    rest = np.full((1, 1, 1, 12), 1e-3, "float32")
    lit = rest.copy()
    lit[..., 6] = 1e3
    changed = np.flatnonzero((array(unit(lit)) < 1e-6).ravel() | (np.arange(12) == 6))
    assert [6 - int(channel) for channel in changed[::-1]] == [*range(around, around + depth)]


@block
def double(x):
    return x * 2.0


@pytest.mark.parametrize("norm", [None, batch_norm])
@pytest.mark.parametrize(
    "activation, expected",
    [
        ("relu", naive.relu),
        ("softmax", naive.softmax),
        (None, lambda y: y),
        (keras.activations.tanh, np.tanh),
        (keras.layers.LeakyReLU(negative_slope=0.5), lambda y: np.where(y > 0, y, y / 2)),
        (double, lambda y: 2 * y),
    ],
)
def test_activations(norm, activation, expected):
    model = real(conv, (5, 5, 2), 3, norm=norm, activation=activation)
    bare = real(conv, (5, 5, 2), 3, norm=norm, activation=None)
    x = images(2, 5, 5, 2)
    close(model(x), expected(array(bare(x))))


def test_activation_of_a_transposed_convolution_comes_after_its_bias():
    model = real(transposed, (3, 3, 2), 2, padding=1, output_padding=1)
    kernel, bias = model.get_weights()
    x = images(2, 3, 3, 2)
    close(model(x), naive.relu(naive.transposed(x, kernel, (6, 6), bias, strides=2, padding=1)))


# Pools.


@pytest.mark.parametrize("pool, expected", [(max_pool, naive.max_pool), (avg_pool, naive.avg_pool)])
@dear
@given(size=sizes, window=kernels, strides=st.none() | scalar_or_pair(1, 3), padding=paddings, seed=seeds)
@example(size=(5, 6), window=3, strides=2, padding="same", seed=0)
@example(size=(1, 1), window=5, strides=3, padding="same", seed=0)
def test_pools(pool, expected, size, window, strides, padding, seed):
    fits(oracles.pool, (*size, 2), window, strides=strides, padding=padding)
    x = images(2, *size, 2, seed=seed)
    model = real(pool, (*size, 2), window, strides=strides, padding=padding)
    close(model(x), expected(x, window, window if strides is None else strides, padding))


def test_global_pools():
    x = images(2, 4, 5, 3)
    close(real(global_avg_pool, (None, None, 3))(x), x.mean(axis=(1, 2)))
    close(real(global_max_pool, (None, None, 3))(x), x.max(axis=(1, 2)))


@pytest.mark.parametrize("out", range(1, 5))
@pytest.mark.parametrize("height", range(1, 10))
def test_adaptive_pool_has_the_windows_of_torch(height, out):
    layer = AdaptiveAveragePooling2D((out, 2))
    for width in (1, 4, 9):
        x = images(2, height, width, 3)
        close(layer(x), naive.adaptive_avg_pool(x, (out, 2)))


def test_adaptive_pool_of_sizes_known_only_at_run_time():
    model = real(adaptive_avg_pool, (None, None, 2), (3, 2))
    for height, width in ((9, 4), (4, 9), (1, 1), (7, 7), (2, 11)):
        x = images(1, height, width, 2)
        close(model.predict(x, verbose=0), naive.adaptive_avg_pool(x, (3, 2)))


def test_adaptive_pool_is_torchs_on_a_known_case():
    # torch.nn.AdaptiveAvgPool2d((2, 3)) of arange(28).reshape(4, 7)
    x = np.arange(28.0, dtype="float32").reshape(1, 4, 7, 1)
    assert array(AdaptiveAveragePooling2D((2, 3))(x))[0, :, :, 0].tolist() == [[4.5, 6.5, 8.5], [18.5, 20.5, 22.5]]


def test_adaptive_pool_channels_first():
    x = images(2, 5, 4, 3)
    first = AdaptiveAveragePooling2D((2, 3), data_format="channels_first")(x.transpose(0, 3, 1, 2))
    close(array(first).transpose(0, 2, 3, 1), naive.adaptive_avg_pool(x, (2, 3)))


# Layers that Keras lacks.


@dear
@given(
    st.integers(1, 9),
    st.sampled_from([1, 3, 5, 7]),
    st.floats(0.5, 3),
    st.floats(1e-5, 2),
    st.floats(0.1, 1.5),
    st.sampled_from(["channels_last", "channels_first"]),
    seeds,
)
@example(96, 5, 2.0, 1e-4, 0.75, "channels_last", 0)
def test_response_norm(channels, depth, k, alpha, beta, data_format, seed):
    x = 10 * images(2, 2, 3, channels, seed=seed)
    layer = LocalResponseNormalization(depth, k, alpha, beta, data_format=data_format)
    first = data_format == "channels_first"
    got = array(layer(x.transpose(0, 3, 1, 2) if first else x))
    close(got.transpose(0, 2, 3, 1) if first else got, naive.response_norm(x, depth, k, alpha, beta))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_response_norm_of_pixel_values_in_mixed_precision(policy):
    """The square of 300 is beyond float16."""
    x = np.full((1, 1, 1, 8), 300.0, dtype="float32")
    got = array(LocalResponseNormalization(dtype=policy)(x)).astype("float32")
    np.testing.assert_allclose(got, naive.response_norm(x), rtol=0.02)


@given(sizes, st.integers(1, 4), st.integers(0, 4), scalar_or_pair(1, 3), seeds)
@dear
def test_pad_channels(size, depth, more, strides, seed):
    x = images(2, *size, depth, seed=seed)
    sh, sw = oracles.pair(strides)
    expected = np.concatenate([x[:, ::sh, ::sw], np.zeros((*x[:, ::sh, ::sw].shape[:3], more))], axis=-1)
    layer = PadChannels(depth + more, strides)
    assert layer.compute_output_shape(x.shape) == expected.shape
    close(layer(x), expected)
    first = PadChannels(depth + more, strides, data_format="channels_first")
    close(first(x.transpose(0, 3, 1, 2)), expected.transpose(0, 3, 1, 2))


def test_pad_shortcut_of_sizes_known_only_at_run_time():
    model = real(pad_shortcut, (None, None, 2), 3, strides=2, conv=None)
    x = images(1, 5, 4, 2)
    close(model.predict(x, verbose=0)[..., :2], x[:, ::2, ::2])


def test_zero_pad_and_crop_undo_each_other():
    margins = ((0, 1), (3, 2))
    x = images(1, 4, 5, 2)
    padded = array(real(zero_pad, (4, 5, 2), margins)(x))
    close(padded, np.pad(x, ((0, 0), *margins, (0, 0))))
    close(real(crop_piece, padded.shape[1:], margins)(padded), x)


def test_activate_none_is_nothing():
    x = keras.Input((4, 4, 1))
    assert activate(x, None) is x
