"""Shape and parameters of every block, with every kind of unit inside, against the closed forms."""

from __future__ import annotations

from functools import partial

from hypothesis import example, given
from hypothesis import strategies as st

from layerblocks.blocks import (
    aux_classifier,
    basic_residual,
    bottleneck,
    classifier,
    identity_shortcut,
    inception,
    pad_shortcut,
    projection_shortcut,
    vgg_block,
)
from layerblocks.testing import oracles

from ..helpers import UNITS, build, channels, check, data_format, scalar_or_pair, sizes

units = st.sampled_from(list(UNITS))
SHORTCUTS = {
    "projection": (projection_shortcut, oracles.projection_shortcut),
    "all_projections": (
        partial(projection_shortcut, always=True),
        partial(oracles.projection_shortcut, always=True),
    ),
    "pad": (pad_shortcut, oracles.pad_shortcut),
    "identity": (identity_shortcut, oracles.identity_shortcut),
}
shortcuts = st.sampled_from(list(SHORTCUTS))
strides = st.sampled_from([1, 1, 2, 3]) | scalar_or_pair(1, 3)


def check_block(block, oracle, unit, size, depth, **arguments):
    make, of_unit = UNITS[unit]
    check(partial(block, conv=make), partial(oracle, conv=of_unit), size, depth, **arguments)


@given(units, sizes, channels, channels, st.lists(scalar_or_pair(1, 4), min_size=1, max_size=3), st.booleans())
@example("conv", (1, 4), 2, 2, [3, 3], True)  # no 2×2 window in one row
@example("conv", (2, 3), 2, 2, [3], True)
def test_vgg_block(unit, size, depth, filters, kernels, one_each):
    kernel_size = kernels if one_each and all(isinstance(kernel, int) for kernel in kernels) else kernels[0]
    check_block(
        vgg_block,
        oracles.vgg_block,
        unit,
        size,
        depth,
        filters=filters,
        convs=len(kernels),
        kernel_size=kernel_size,
    )


@given(units, sizes, channels, channels, st.tuples(channels, channels), st.tuples(channels, channels), channels)
@example("conv", (1, 1), 2, 2, (2, 2), (2, 2), 2)
@example("valid", (9, 9), 2, 2, (2, 2), (2, 2), 2)  # branches of three sizes
def test_inception(unit, size, depth, c1, c3, c5, pool_proj):
    arguments = {"c1": c1, "c3": c3, "c5": c5, "pool_proj": pool_proj}
    check_block(inception, oracles.inception, unit, size, depth, **arguments)


@given(units, sizes, channels, channels, strides, shortcuts)
@example("conv_bn", (1, 7), 4, 4, 2, "projection")
@example("conv_bn", (5, 5), 4, 4, 1, "projection")  # nothing to project
@example("dilated", (9, 9), 4, 4, 2, "projection")  # strides and dilation
@example("conv", (5, 5), 4, 8, 1, "identity")  # refused, not broadcast
@example("valid", (5, 5), 4, 4, 1, "projection")  # a branch of 1×1 would broadcast
def test_basic_residual(unit, size, depth, filters, strides, shortcut):
    check_block(
        partial(basic_residual, shortcut=SHORTCUTS[shortcut][0]),
        partial(oracles.basic_residual, shortcut=SHORTCUTS[shortcut][1]),
        unit,
        size,
        depth,
        filters=filters,
        strides=strides,
    )


@given(
    units,
    sizes,
    channels,
    st.sampled_from([8, 16]),  # so that two groups divide what is inside
    strides,
    st.sampled_from([1, 2, 4]),
    st.sampled_from(["1x1", "3x3"]),
    shortcuts,
)
@example("conv_bn", (1, 7), 8, 8, 2, 4, "3x3", "projection")
@example("conv_bn", (5, 5), 8, 8, 1, 4, "1x1", "projection")
def test_bottleneck(unit, size, depth, filters, strides, reduction, stride_on, shortcut):
    check_block(
        partial(bottleneck, shortcut=SHORTCUTS[shortcut][0]),
        partial(oracles.bottleneck, shortcut=SHORTCUTS[shortcut][1]),
        unit,
        size,
        depth,
        filters=filters,
        strides=strides,
        reduction=reduction,
        stride_on=stride_on,
    )


@given(
    units,
    sizes,
    channels,
    st.integers(1, 9),
    channels,
    st.integers(1, 9),
    st.sampled_from(["valid", "same", 1, (0, 2)]),
    st.none() | scalar_or_pair(1, 4),
)
@example("conv", (4, 14), 2, 3, 2, 4, "valid", None)  # below 5
@example("conv", (5, 14), 2, 3, 2, 4, "valid", None)
@example("conv", (1, 1), 2, 3, 2, 4, "valid", 4)
def test_aux_classifier(unit, size, depth, classes, filters, hidden, padding, output_size):
    check_block(
        aux_classifier,
        oracles.aux_classifier,
        unit,
        size,
        depth,
        classes=classes,
        filters=filters,
        units=hidden,
        padding=padding,
        output_size=output_size,
    )


@given(
    sizes,
    channels,
    st.integers(1, 9),
    st.sampled_from(["avg", "max", "flatten"]),
    st.lists(st.integers(1, 9), max_size=3),
    st.sampled_from([0, 0.5]),
)
def test_classifier(size, depth, classes, pooling, units, dropout):
    block = partial(classifier, dropout=dropout)
    check(block, oracles.classifier, size, depth, classes=classes, pooling=pooling, units=units)


def test_classifier_of_features():
    assert build(classifier, (7,), 3, pooling=None, units=(5,)).count_params() == 8 * 5 + 6 * 3


BLOCKS = {
    vgg_block: (4,),
    inception: (4, (2, 4), (2, 4), 4),
    basic_residual: (8,),
    bottleneck: (8,),
    aux_classifier: (3,),
}


@given(block=st.sampled_from(list(BLOCKS)), unit=units, size=sizes, depth=channels)
def test_channels_first(block, unit, size, depth):
    make, of_unit = UNITS[unit]
    try:
        expected = getattr(oracles, block.__name__)((*size, depth), *BLOCKS[block], conv=of_unit)
    except ValueError:
        return
    with data_format("channels_first"):
        model = build(block, (depth, *size), *BLOCKS[block], conv=make)
    *size, depth = expected.shape
    assert model.output_shape[1:] == (depth, *size)
    assert model.count_params() == expected.parameters
