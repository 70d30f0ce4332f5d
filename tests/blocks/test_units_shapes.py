"""Shape and parameters of every unit, pool and norm, against the closed forms."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from layerblocks.blocks import (
    adaptive_avg_pool,
    avg_pool,
    conv,
    dilated,
    local_response_norm,
    max_pool,
    pad_shortcut,
    separable,
    transposed,
)
from layerblocks.testing import oracles
from layerblocks.testing.oracles import Expected

from ..helpers import NORMS, UNITS, build, channels, check, data_format, paddings, scalar_or_pair, sizes

norms = st.sampled_from(list(NORMS))
biases = st.sampled_from([None, True, False])
kernels = scalar_or_pair(1, 5)
steps = scalar_or_pair(1, 3)
rates = st.just(1) | scalar_or_pair(1, 3)


def check_unit(unit: Any, oracle: oracles.Oracle, size: Any, depth: int, norm: Any, **arguments: Any) -> None:
    check(partial(unit, norm=norm), partial(oracle, norm_parameters=NORMS[norm]), size, depth, **arguments)


@given(sizes, channels, channels, kernels, steps, rates, st.sampled_from([1, 1, 2, 3]), paddings, norms, biases)
@example((1, 5), 2, 2, 3, 1, 1, 1, "valid", None, None)  # too small on one axis
@example((3, 3), 2, 2, 3, 2, 2, 1, "same", None, None)  # strides and dilation
@example((4, 4), 6, 8, 3, 1, 1, 3, "same", None, None)  # groups divide the channels, not the filters
def test_conv(size, depth, filters, kernel_size, strides, rate, groups, padding, norm, use_bias):
    check_unit(
        conv,
        oracles.conv,
        size,
        depth,
        norm,
        filters=filters,
        kernel_size=kernel_size,
        strides=strides,
        dilation_rate=rate,
        groups=groups,
        padding=padding,
        use_bias=use_bias,
    )


@given(sizes, channels, channels, kernels, scalar_or_pair(1, 4), paddings, norms)
@example((7, 7), 1, 1, 3, 2, "valid", None)  # the course notes: 3×3
def test_dilated(size, depth, filters, kernel_size, rate, padding, norm):
    arguments = {"filters": filters, "kernel_size": kernel_size, "dilation_rate": rate, "padding": padding}
    check_unit(dilated, oracles.dilated, size, depth, norm, **arguments)


@given(sizes, channels, channels, kernels, steps, rates, st.integers(1, 3), paddings, norms, biases)
@example((9, 9), 2, 2, 3, 2, 2, 1, "valid", None, None)  # strides and dilation together are allowed here
def test_separable(size, depth, filters, kernel_size, strides, rate, multiplier, padding, norm, use_bias):
    check_unit(
        separable,
        oracles.separable,
        size,
        depth,
        norm,
        filters=filters,
        kernel_size=kernel_size,
        strides=strides,
        dilation_rate=rate,
        depth_multiplier=multiplier,
        padding=padding,
        use_bias=use_bias,
    )


@given(sizes, channels, channels, kernels, steps, rates, st.none() | scalar_or_pair(0, 2), paddings.filter(bool), norms)
@example((2, 2), 2, 2, 3, 2, 1, None, "valid", None)  # the course notes: 5×5 …
@example((2, 2), 2, 2, 3, 2, 1, 1, "valid", None)  # … or 6×6
@example((2, 2), 2, 2, 2, 2, 1, 0, "same", None)  # Keras builds this and cannot run it
@example((1, 9), 2, 2, 1, 2, 1, None, 1, None)  # the padding must be everything away
@example((4, 5), 2, 2, 1, 3, 1, None, 1, None)  # steps wider than the kernel, nothing filled in beyond the last
def test_transposed(size, depth, filters, kernel_size, strides, rate, output_padding, padding, norm):
    check_unit(
        transposed,
        oracles.transposed,
        size,
        depth,
        norm,
        filters=filters,
        kernel_size=kernel_size,
        strides=strides,
        dilation_rate=rate,
        output_padding=output_padding,
        padding=padding,
    )


@given(sizes, kernels, steps, paddings)
def test_output_size_picks_one_of_the_sizes_that_a_convolution_maps_to_its_own(size, kernel, strides, padding):
    """Transposing from o back to n works for every n that the convolution maps to o, and gives exactly n."""
    try:
        between = oracles.conv((*size, 2), 2, kernel, strides=strides, padding=padding).shape
    except ValueError:
        return
    arguments = {"filters": 2, "kernel_size": kernel, "strides": strides, "padding": padding, "output_size": size}
    assert build(transposed, between, **arguments).output_shape[1:] == (*size, 2)


@pytest.mark.parametrize("pool", [max_pool, avg_pool])
@given(size=sizes, window=kernels, strides=st.none() | steps, padding=paddings)
@example(size=(4, 9), window=5, strides=3, padding="valid")
@example(size=(1, 1), window=5, strides=3, padding="same")
def test_pools(pool, size, window, strides, padding):
    check(pool, oracles.pool, size, 3, pool_size=window, strides=strides, padding=padding)


@given(sizes, scalar_or_pair(1, 6))
def test_adaptive_pool(size, output_size):
    def oracle(shape, output_size):
        return Expected((*oracles.pair(output_size), shape[2]))

    check(adaptive_avg_pool, oracle, size, 3, output_size=output_size)


@given(sizes, st.integers(1, 4), st.integers(1, 8), steps)
def test_pad_shortcut(size, depth, filters, strides):
    def oracle(shape, filters, strides):
        if shape[2] > filters:
            raise ValueError
        return Expected((*oracles.pool(shape, 1, strides=strides).shape[:2], filters))

    check(partial(pad_shortcut, conv=None), oracle, size, depth, filters=filters, strides=strides)


@pytest.mark.parametrize("norm", [norm for norm in NORMS if norm])
@given(size=sizes, depth=channels)
def test_norms_keep_the_shape(norm, size, depth):
    check(norm, lambda shape: Expected(shape, NORMS[norm] * depth), size, depth)


def test_response_norm_of_more_neighbours_than_channels():
    assert build(local_response_norm, (4, 4, 1), depth=9).output_shape == (None, 4, 4, 1)


@given(unit=st.sampled_from(list(UNITS)), size=sizes, depth=channels, filters=channels)
def test_channels_first(unit, size, depth, filters):
    """Symbolically only: TensorFlow runs it on a CPU by grace of oneDNN."""
    make, oracle = UNITS[unit]
    try:
        *expected, depth_out = oracle((*size, depth), filters).shape
    except ValueError:
        return
    with data_format("channels_first"):
        model = build(make, (depth, *size), filters)
    assert model.output_shape[1:] == (depth_out, *expected)


def test_sizes_may_be_any_integers_and_lists():
    x = keras.Input((9, 9, 4))
    assert conv(x, np.int64(8), [3, 5], strides=np.int32(2), padding="SAME").shape == (None, 5, 5, 8)
